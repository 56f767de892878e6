//! The server's counters.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Counters of a [`Server`](super::Server) at one moment. As JSON, they are the content of `/stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Connections accepted since the start, refused ones included.
    pub connections: u64,
    /// Connections that are open now.
    pub open_connections: u64,
    /// Connections refused because too many were open.
    pub refused_connections: u64,
    /// Requests understood since the start, those in flight included.
    pub requests: u64,
    /// Requests whose response is not written yet.
    pub in_flight: u64,
    /// The most requests that were in flight at once.
    pub peak_in_flight: u64,
    /// Answers 429 of the limited group.
    pub throttled: u64,
}

/// The counters, shared by the server's loop and its owner.
///
/// A lock and not atomics: the figures of one moment fit together, and 64-bit atomics are missing on some small machines.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Mutex<Stats>>);

impl Counters {
    pub(super) fn now(&self) -> Stats {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a connection as open until the result is dropped.
    pub(super) fn connection(&self) -> Counted {
        self.count(|stats| {
            stats.connections += 1;
            stats.open_connections += 1;
        });
        Counted { counters: self.clone(), end: |stats| stats.open_connections -= 1 }
    }

    /// Counts a request as in flight until the result is dropped.
    pub(super) fn request(&self) -> Counted {
        self.count(|stats| {
            stats.requests += 1;
            stats.in_flight += 1;
            stats.peak_in_flight = stats.peak_in_flight.max(stats.in_flight);
        });
        Counted { counters: self.clone(), end: |stats| stats.in_flight -= 1 }
    }
}

/// Something that is counted for as long as this lives.
#[derive(Debug)]
pub(super) struct Counted {
    counters: Counters,
    end: fn(&mut Stats),
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counters.count(self.end);
    }
}
