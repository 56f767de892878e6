//! How a run stands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::waits::HeldHost;
use crate::error::Phase;
use crate::outcome::Failure;

/// How a run stands, in jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunStatus {
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
    /// How many workers of a fleet have jobs of it; `None` if the jobs are fetched here.
    pub workers: Option<usize>,
}

impl RunStatus {
    /// How many jobs there are whose outcomes have not been taken.
    pub fn pending(&self) -> usize {
        self.total - self.taken
    }
}

/// What a run does at one moment. Of sources and hosts, those that matter most: see [`Stopper::snapshot`].
///
/// [`Stopper::snapshot`]: super::Stopper::snapshot
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RunSnapshot {
    /// How it stands, in jobs.
    pub status: RunStatus,
    /// Sources with an attempt under way, the slowest first.
    pub running: Vec<SourceStatus>,
    /// Sources that wait to be tried again, the soonest first.
    pub retrying: Vec<SourceStatus>,
    /// How many wait to be tried again.
    pub retrying_total: usize,
    /// Hosts that are not asked now, those with most sources waiting first.
    pub held: Vec<HeldHost>,
    /// Hosts with sources that wait for a limit of theirs which lets nothing start for more than a second, those with most of
    /// them first: a slow rate, or as many requests at once as may be that take long.
    pub limited: Vec<HeldHost>,
    /// When the rate of the run lets the next request leave, if sources wait for that alone and it is for more than a second.
    pub paced_until: Option<Instant>,
}

/// A job that has begun and has not ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// The job's name, in which secrets are still to be hidden.
    pub name: Arc<str>,
    /// How many attempts have begun.
    pub tries: usize,
    /// What it does.
    pub activity: SourceActivity,
}

/// What a source does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SourceActivity {
    /// An attempt is under way.
    Running {
        /// What it does.
        phase: Phase,
        /// For how long it has been under way.
        elapsed: Duration,
    },
    /// It waits to be tried again.
    Waiting {
        /// For how much longer; 0 if it may start as soon as the limits let it.
        left: Duration,
        /// Why the last attempt failed.
        why: Option<Failure>,
    },
}
