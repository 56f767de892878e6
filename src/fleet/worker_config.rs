//! What all parts of a worker know, and how much it has to do.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use async_lock::Semaphore;

use super::connection::Connector;
use super::fleet_key::FleetKey;
use super::outcome_text::ContentPlaces;
use super::session::Notes;
use crate::event_loop::Event;
use crate::transport::Transport;

/// Values of secrets by their names.
pub(super) type SecretValues = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What all parts of a worker know.
pub(super) struct WorkerConfig {
    pub(super) name: String,
    pub(super) transport: Transport,
    pub(super) secret: SecretValues,
    pub(super) sends_secrets: bool,
    /// What jobs and outcomes are sealed with; `None` if they go as they are.
    pub(super) key: Option<FleetKey>,
    /// Where contents are saved that do not go through Redis; `None` if they are left out.
    pub(super) places: Option<ContentPlaces>,
    pub(super) concurrency: NonZeroU32,
    /// So many requests of all runs may be under way. Each run takes over jobs of the dead by itself, so together they may have
    /// more jobs than that.
    pub(super) requests: Arc<Semaphore>,
    pub(super) connector: Connector,
    pub(super) notes: Notes,
    pub(super) stop: Rc<Event>,
}

impl fmt::Debug for WorkerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How many jobs a worker has, and that this has changed.
#[derive(Debug, Default)]
pub(super) struct Load {
    held: Cell<usize>,
    pub(super) done: Cell<usize>,
    pub(super) changed: Event,
}

impl Load {
    /// How many jobs it has.
    pub(super) fn held(&self) -> usize {
        self.held.get()
    }

    /// Counts a job for as long as this lives.
    pub(super) fn place(self: &Rc<Load>) -> HeldPlace {
        self.held.set(self.held.get() + 1);
        HeldPlace(self.clone())
    }
}

/// A job that a worker has. However it is let go of, its place is free again.
#[derive(Debug)]
pub(super) struct HeldPlace(Rc<Load>);

impl Drop for HeldPlace {
    fn drop(&mut self) {
        self.0.held.set(self.0.held.get().saturating_sub(1));
        self.0.changed.set();
    }
}
