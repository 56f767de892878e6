//! The way into a run that is open: jobs are added while it goes on.

use std::cell::RefCell;
use std::fmt;
use std::rc::{Rc, Weak};

use super::run::State;
use crate::error::{Error, Kind};
use crate::job::Job;

/// Adds jobs to a run. Made by [`Fetcher::open`](super::Fetcher::open); cheap to clone.
///
/// The stream of outcomes has its end only when all clones have been dropped: a task that reads the stream to its end must
/// not own one. [`pending`](Self::pending) says when there is nothing left to wait for.
#[derive(Clone)]
pub struct Intake(Rc<Open>);

impl Intake {
    pub(super) fn new(state: &Rc<RefCell<State>>) -> Intake {
        Intake(Rc::new(Open(Rc::downgrade(state))))
    }

    /// Adds a job, and returns the [`index`](crate::outcome::Outcome::index) of its outcome: 0 for the first, and one more
    /// for each. The job starts when the limits let it, after those that were added before.
    ///
    /// # Errors
    /// The job comes back where the run is over, because the stream was dropped, the run was stopped, its deadline has
    /// passed, or it ended at its first failure; and where there are [`backlog`](super::Fetcher::backlog) jobs whose
    /// outcomes nobody has taken.
    pub fn add(&self, job: Job) -> Result<usize, Refused> {
        match self.0.0.upgrade() {
            Some(state) => state.borrow_mut().add(job),
            None => Err(Refused::closed(job)),
        }
    }

    /// How many jobs there are whose outcomes nobody has taken. None where the stream is gone.
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

/// What all clones share: when it is dropped, no further job can come.
struct Open(Weak<RefCell<State>>);

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(state) = self.0.upgrade() {
            state.borrow_mut().end_input();
        }
    }
}

/// A job that was not added to a run, and why.
#[derive(Clone, Debug)]
pub struct Refused {
    job: Box<Job>,
    full: bool,
}

impl Refused {
    pub(super) fn closed(job: Job) -> Refused {
        Refused { job: Box::new(job), full: false }
    }

    pub(super) fn full(job: Job) -> Refused {
        Refused { job: Box::new(job), full: true }
    }

    /// Whether it may be added when outcomes have been taken. Otherwise the run is over.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The job.
    pub fn into_job(self) -> Job {
        *self.job
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.full { "too many outcomes wait to be taken: take some first" } else { "the run is over" };
        write!(f, "the job \"{}\" was not added: {why}", self.job.name())
    }
}

impl std::error::Error for Refused {}

/// [`Kind::Skipped`], for callers who use `?`.
impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        Error::new(Kind::Skipped, refused.to_string())
    }
}
