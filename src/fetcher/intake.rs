//! Adds jobs to a run that is open.

use std::cell::RefCell;
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Instant;

use super::refused::Refused;
use super::state::RunState;
use crate::job::Job;

/// Adds jobs to a run. Made by [`Fetcher::open`](super::Fetcher::open); cheap to clone.
///
/// The stream of outcomes ends only after all clones have been dropped: a task that reads the stream to its end must not
/// own one. [`pending`](Self::pending) says when there is nothing left to wait for.
#[derive(Clone)]
pub struct Intake(Rc<OpenInput>);

impl Intake {
    pub(super) fn new(state: &Rc<RefCell<RunState>>) -> Intake {
        Intake(Rc::new(OpenInput(Rc::downgrade(state))))
    }

    /// Adds a job, and returns the [`index`](crate::outcome::Outcome::index) of its outcome: that of the job, if
    /// [`Job::at`] gave it one, otherwise its number in the run. The job starts when the limits let it, after those that
    /// were added before.
    ///
    /// # Errors
    /// The job comes back if the run is over, because the stream was dropped, the run was stopped, its deadline has passed,
    /// or it ended at its first failure; and if there are [`backlog`](super::Fetcher::backlog) jobs whose outcomes have not
    /// been taken.
    pub fn add(&self, job: Job) -> Result<usize, Refused> {
        self.add_until(job, None)
    }

    /// The same with the time for all attempts over at `ends`, if that is given, even if it has not started by then.
    pub(crate) fn add_until(&self, job: Job, ends: Option<Instant>) -> Result<usize, Refused> {
        match self.0.0.upgrade() {
            Some(state) => state.borrow_mut().add(job, ends),
            None => Err(Refused::closed(job)),
        }
    }

    /// How many jobs there are whose outcomes have not been taken; 0 if the stream has been dropped.
    pub fn pending(&self) -> usize {
        let status = self.0.0.upgrade().and_then(|state| state.borrow().status_of_stream());
        status.map_or(0, |status| status.pending())
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("pending", &self.pending()).finish()
    }
}

/// Shared by all clones. Dropping it ends the input.
struct OpenInput(Weak<RefCell<RunState>>);

impl Drop for OpenInput {
    fn drop(&mut self) {
        if let Some(state) = self.0.upgrade() {
            state.borrow_mut().end_input();
        }
    }
}
