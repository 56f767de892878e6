//! What all connections of a server share, and their bounds.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::flaky::Flaky;
use super::stats::Counters;
use super::suppliers::Suppliers;

/// What all connections of a server share.
#[derive(Debug, Default)]
pub(super) struct ServerState {
    pub(super) bounds: Bounds,
    pub(super) counters: Counters,
    pub(super) flaky: RefCell<Flaky>,
    pub(super) suppliers: Suppliers,
    /// How many requests of the limited group are in flight.
    pub(super) limited: Cell<u32>,
}

/// What a server accepts at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many connections are served at once.
    pub(super) connections: u64,
    /// How long a connection may be idle, and how long a request may take to come in.
    pub(super) idle: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { connections: 1024, idle: Duration::from_secs(60) }
    }
}
