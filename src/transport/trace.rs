//! How far a request has come and where its time went, for whoever watches it from outside.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::peer::Peer;
use crate::error::{Error, Phase};

/// Written by the transport while it works on a request, read by whoever sent it: also after a failure or a cancellation,
/// when there is no response to carry the figures.
///
/// Put one in a request through [`RequestOptions::trace`](super::RequestOptions::trace). Redirects add up.
#[derive(Debug, Default)]
pub struct Trace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    progress: Progress,
    /// Who was connected to, or tried last.
    peer: Option<Peer>,
}

/// What a [`Trace`] holds.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// What the request is doing, or was doing when it ended.
    pub phase: Phase,
    /// Resolving the host name; `None` where that was not needed.
    pub dns: Option<Duration>,
    /// Making the connection, proxy included; `None` where one was reused.
    pub connect: Option<Duration>,
    /// The TLS handshake; `None` without TLS or on a reused connection.
    pub tls: Option<Duration>,
    /// From the first byte sent to the head of the response.
    pub first_byte: Option<Duration>,
    /// When the head of the last response had come.
    pub head_at: Option<Instant>,
    /// The address that was connected to, or tried last; `None` where that was a unix-domain socket.
    pub address: Option<SocketAddr>,
    /// Whether the connection had served a request before.
    pub reused: bool,
}

impl Trace {
    /// What is known now.
    pub fn progress(&self) -> Progress {
        self.lock().progress
    }

    /// Who was connected to, or tried last.
    pub(crate) fn peer(&self) -> Option<Peer> {
        self.lock().peer.clone()
    }

    /// What is known in the end, and who was connected to, or tried last; that is not known to the trace any more.
    #[cfg(feature = "fetcher")]
    pub(crate) fn close(&self) -> (Progress, Option<Peer>) {
        let mut state = self.lock();
        (state.progress, state.peer.take())
    }

    /// The error with the peer named, if there is one.
    pub(crate) fn blames(&self, error: Error) -> Error {
        match self.peer() {
            Some(peer) => peer.blamed_for(error),
            None => error,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.lock().progress.phase = phase;
    }

    pub(crate) fn tries(&self, peer: &Peer) {
        self.lock().tries(peer);
    }

    /// There is a connection to send on.
    pub(crate) fn sends_to(&self, peer: &Peer, reused: bool) {
        let mut state = self.lock();
        state.progress.phase = Phase::Send;
        state.progress.reused = reused;
        state.tries(peer);
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.lock().progress);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tries(&mut self, peer: &Peer) {
        self.progress.address = peer.address();
        self.peer = Some(peer.clone());
    }
}

/// Adds to a sum that starts with nothing.
pub(crate) fn add(sum: &mut Option<Duration>, more: Duration) {
    *sum = Some(sum.unwrap_or_default() + more);
}
