//! A job that was not added to a run.

use std::fmt;

use crate::error::{Error, Kind};
use crate::job::Job;

/// A job that was not added to a run, and why.
#[derive(Clone, Debug)]
pub struct Refused {
    job: Box<Job>,
    full: bool,
}

impl Refused {
    /// The run is over.
    pub(super) fn closed(job: Job) -> Refused {
        Refused { job: Box::new(job), full: false }
    }

    /// The backlog is full.
    pub(super) fn full(job: Job) -> Refused {
        Refused { job: Box::new(job), full: true }
    }

    /// Whether the job may be added after outcomes have been taken. Otherwise the run is over.
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

/// [`Kind::Skipped`], so that `?` can be used.
impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        Error::new(Kind::Skipped, refused.to_string())
    }
}
