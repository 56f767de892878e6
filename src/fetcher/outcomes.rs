//! The stream of outcomes, and the handle that ends a run from outside.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use futures_lite::Stream;

use super::active::StopReason;
use super::state::RunState;
use super::status::{RunSnapshot, RunStatus};
use super::waits::{HeldHost, WaitingSource};
use crate::event_loop::Task;
use crate::outcome::Outcome;

/// Outcomes in the order in which jobs end. Made by [`Fetcher::run`](super::Fetcher::run) and
/// [`Fetcher::open`](super::Fetcher::open).
#[must_use = "dropping it cancels the run"]
pub struct Outcomes {
    state: Rc<RefCell<RunState>>,
    /// The driver and the clock of the deadline; cancelled when the stream is dropped.
    _tasks: Vec<Task<()>>,
}

impl Outcomes {
    pub(super) fn new(state: Rc<RefCell<RunState>>, tasks: Vec<Task<()>>) -> Outcomes {
        Outcomes { state, _tasks: tasks }
    }

    /// A handle that shows how the run stands and can end it, while another task reads the stream.
    pub fn stopper(&self) -> Stopper {
        Stopper(Rc::downgrade(&self.state))
    }
}

impl Stream for Outcomes {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        self.state.borrow_mut().poll_next(cx)
    }
}

impl Drop for Outcomes {
    fn drop(&mut self) {
        // The tasks own the state and the state owns the tasks: without this, neither would ever be freed.
        let tasks = self.state.borrow_mut().close();
        drop(tasks);
    }
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outcomes").field(&self.state.borrow().status()).finish()
    }
}

/// Shows how a run stands, and ends it. Cheap to clone.
#[derive(Clone)]
pub struct Stopper(Weak<RefCell<RunState>>);

impl Stopper {
    /// Ends the run: jobs under way come out as cancelled, those that wait as skipped. Does nothing if it is over.
    pub fn stop(&self) {
        if let Some(state) = self.0.upgrade() {
            let tasks = state.borrow_mut().stop(StopReason::Interrupted);
            drop(tasks);
        }
    }

    /// The sources that wait, at most so many: first those to be tried again. Looks at no more than it returns, and at
    /// every host.
    pub fn waiting(&self, most: usize) -> Vec<WaitingSource> {
        let state = self.0.upgrade();
        state.map_or(Vec::new(), |state| state.borrow().waiting(most, Instant::now()))
    }

    /// The hosts that are not asked for anything now: they have asked for a pause, or take no connections.
    pub fn held_hosts(&self) -> Vec<HeldHost> {
        let state = self.0.upgrade();
        state.map_or(Vec::new(), |state| state.borrow().queue.held_hosts(Instant::now()).collect())
    }

    /// Ends the run because a source has failed.
    pub(crate) fn stop_at_failure(&self) {
        if let Some(state) = self.0.upgrade() {
            let tasks = state.borrow_mut().stop(StopReason::FailFast);
            drop(tasks);
        }
    }

    /// How the run stands; `None` if the stream has been dropped.
    pub fn status(&self) -> Option<RunStatus> {
        self.0.upgrade()?.borrow().status_of_stream()
    }

    /// What the run does now, with at most so many sources of each kind and so many hosts; `None` if the stream has been
    /// dropped. It looks at the jobs that have begun and not ended.
    pub fn snapshot(&self, most: usize) -> Option<RunSnapshot> {
        let state = self.0.upgrade()?;
        let state = state.borrow();
        state.status_of_stream().map(|_| state.snapshot(Instant::now(), most))
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stopper").field(&self.status()).finish()
    }
}
