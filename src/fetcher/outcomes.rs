//! The stream of outcomes, and how to look at a run and to end it from outside.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use futures_lite::Stream;

use super::run::{Reason, State};
use crate::event_loop::Task;
use crate::outcome::Outcome;

/// Outcomes in the order in which jobs end. Made by [`Fetcher::run`](super::Fetcher::run) and
/// [`Fetcher::open`](super::Fetcher::open).
#[must_use = "dropping it cancels the run"]
pub struct Outcomes {
    state: Rc<RefCell<State>>,
    /// The driver and the clock of the deadline; cancelled when the stream is dropped.
    _tasks: Vec<Task<()>>,
}

impl Outcomes {
    pub(super) fn new(state: Rc<RefCell<State>>, tasks: Vec<Task<()>>) -> Outcomes {
        Outcomes { state, _tasks: tasks }
    }

    /// A handle to look at the run and to end it, while somebody else reads the stream.
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
        // The tasks hold the state and the state holds the tasks.
        let tasks = self.state.borrow_mut().close();
        drop(tasks);
    }
}

impl fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outcomes").field(&self.state.borrow().status()).finish()
    }
}

/// Looks at a run and ends it. Cheap to clone.
#[derive(Clone)]
pub struct Stopper(Weak<RefCell<State>>);

impl Stopper {
    /// Ends the run: jobs under way come out as cancelled, those that wait as skipped. Does nothing where it is over.
    pub fn stop(&self) {
        if let Some(state) = self.0.upgrade() {
            let tasks = state.borrow_mut().stop(Reason::Interrupted);
            drop(tasks);
        }
    }

    /// How the run stands; `None` where the stream is gone.
    pub fn status(&self) -> Option<Status> {
        self.0.upgrade()?.borrow().status_of_stream()
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stopper").field(&self.status()).finish()
    }
}

/// How a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// How many jobs there are.
    pub total: usize,
    /// How many have ended.
    pub done: usize,
    /// How many are under way.
    pub in_flight: usize,
    /// How many have ended without success.
    pub failed: usize,
    /// How many attempts were made beyond the first of each job.
    pub retried: usize,
    /// How many outcomes have been taken from the stream.
    pub taken: usize,
}

impl Status {
    /// How many jobs there are whose outcomes nobody has taken.
    pub fn pending(&self) -> usize {
        self.total - self.taken
    }
}
