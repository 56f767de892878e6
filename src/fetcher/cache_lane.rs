//! Jobs that need no host: those whose response is fresh, and those that get the last good one. Limits of hosts and of the
//! run's rate hold back requests, and not these; a slow reader does, for each takes a permit.

use std::collections::{BTreeMap, VecDeque};

use smol::channel::{Receiver, Sender, bounded};

use super::active::JobEnd;
use super::caching::{FirstLook, ReleasedChanges, RunCache};
use super::host::JobNumber;
use crate::cache::Candidate;
use crate::job::Job;

/// The jobs of a run that have to do with its cache.
#[derive(Debug, Default)]
pub(super) struct CacheLane {
    cache: Option<RunCache>,
    /// Tells that there is something to look up.
    wake: Option<Sender<()>>,
    /// Jobs of which is not known what is kept.
    unlooked: VecDeque<JobNumber>,
    pub(super) ready: VecDeque<Delivery>,
    /// Jobs that have failed and wait for their last good response, and how they end if there is none that will do.
    failed: BTreeMap<JobNumber, JobEnd>,
    /// How many jobs remember what was found of them.
    pub(super) remembered: usize,
}

/// A job whose outcome is made of what is kept.
#[derive(Debug)]
pub(super) enum Delivery {
    /// Its response is fresh.
    Fresh(JobNumber),
    /// It has failed.
    Stale(JobNumber),
}

impl CacheLane {
    /// The lane of a run with this cache, and what wakes the task that looks jobs up.
    pub(super) fn with(cache: RunCache) -> (CacheLane, Receiver<()>) {
        let (wake, woken) = bounded(1);
        (CacheLane { cache: Some(cache), wake: Some(wake), ..CacheLane::default() }, woken)
    }

    /// The next jobs to look up.
    pub(super) fn take_unlooked(&mut self, most: usize) -> Vec<JobNumber> {
        let most = most.min(self.unlooked.len());
        self.unlooked.drain(..most).collect()
    }

    pub(super) fn cache(&self) -> Option<RunCache> {
        self.cache.clone()
    }

    /// Takes a new job, if it may have a response that is fresh. What a job with cookies sends is only known when it starts.
    pub(super) fn takes(&mut self, number: JobNumber, job: &Job) -> bool {
        let Some(wake) = self.wake.as_ref().filter(|_| job.settings().keeps_responses() && !job.settings().cookies)
        else {
            return false;
        };
        self.unlooked.push_back(number);
        let _ = wake.try_send(());
        true
    }

    pub(super) fn next(&mut self) -> Option<Delivery> {
        self.ready.pop_front()
    }

    /// How the jobs end that wait for a stale response, when the run is over.
    pub(super) fn take_ends(&mut self) -> BTreeMap<JobNumber, JobEnd> {
        self.unlooked.clear();
        self.ready.clear();
        std::mem::take(&mut self.failed)
    }

    /// How a job ends that has waited for a stale response; `None` if it has ended because the run has.
    pub(super) fn take_end(&mut self, number: JobNumber) -> Option<JobEnd> {
        self.failed.remove(&number)
    }

    /// What was found for the last request of a job that has failed.
    pub(super) fn take_candidate(&mut self, number: JobNumber) -> Option<Candidate> {
        self.failed.get_mut(&number)?.received.cache.take_candidate()
    }

    /// Lets a job that has failed wait for its last good response, if it is to have that. Otherwise the end comes back.
    pub(super) fn wait_for_stale(&mut self, number: JobNumber, job: Option<&Job>, end: JobEnd) -> Option<JobEnd> {
        if self.waits_for_stale(number) {
            // Its time was over while it waited to be tried again, and then its host was given up, too: the first end counts.
            return None;
        }
        let wants = job.is_some_and(|job| job.settings().stale_if_error.is_some());
        if !wants || !end.outage || end.failure.is_none() || self.cache.is_none() {
            return Some(end);
        }
        // The outcome takes a permit of its own.
        let end = JobEnd { outage: false, permit: None, ..end };
        self.failed.insert(number, end);
        self.ready.push_back(Delivery::Stale(number));
        None
    }

    /// Whether a job has failed and waits for its last good response.
    pub(super) fn waits_for_stale(&self, number: JobNumber) -> bool {
        self.failed.contains_key(&number)
    }

    /// A job has ended, which may never have started.
    pub(super) fn forget(&mut self, look: &FirstLook) {
        self.remembered -= usize::from(look.0.is_some());
    }

    /// Makes the changes of an outcome that was taken.
    pub(super) fn release(&self, changes: ReleasedChanges) {
        if let Some(cache) = &self.cache {
            cache.release(changes);
        }
    }
}

/// The job that it is for.
pub(super) fn number_of(delivery: &Delivery) -> JobNumber {
    match delivery {
        Delivery::Fresh(number) | Delivery::Stale(number) => *number,
    }
}
