//! What each job waits for, from the clocks of hosts. Pure: the caller brings the time.

use std::collections::HashMap;
use std::time::Instant;

use super::super::host::JobNumber;
use crate::wait_times::{WaitCause, WaitTimes};

/// Where the waits of jobs began, if that was not when their hosts' clocks did: of jobs that were added later, and of those
/// that are tried again. All others, ten thousand that were there from the beginning, cost nothing.
#[derive(Debug, Default)]
pub(super) struct JobWaits {
    late: HashMap<JobNumber, LateJob>,
}

/// A job that was not there when the clock of its host began.
#[derive(Clone, Copy, Debug, Default)]
struct LateJob {
    /// If its host's clock does not count for it yet: what it waits for.
    delay: Option<Delay>,
    /// What it had waited for before that clock counted for it.
    before: WaitTimes,
    /// What that clock had counted when it was ready.
    ready_at: WaitTimes,
}

/// A wait until a time at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delay {
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) cause: WaitCause,
    /// What it waits for if that time is over.
    pub(super) then: WaitCause,
}

impl LateJob {
    /// Counts until now what it waits for before its host's clock does.
    fn count(&mut self, now: Instant) {
        if let Some(delay) = &mut self.delay {
            let over = delay.until.clamp(delay.since, now.max(delay.since));
            self.before.add(delay.cause, over - delay.since);
            self.before.add(delay.then, now.saturating_duration_since(over));
            delay.since = delay.since.max(now);
        }
    }
}

impl JobWaits {
    /// A job waits for its host, whose clock has counted this.
    pub(super) fn ready(&mut self, job: JobNumber, clock: WaitTimes, now: Instant) {
        if let Some(late) = self.late.get_mut(&job) {
            late.count(now);
            (late.delay, late.ready_at) = (None, clock);
        } else if clock != WaitTimes::default() {
            self.late.insert(job, LateJob { ready_at: clock, ..LateJob::default() });
        }
    }

    /// A job waits for something else before it may wait for its host.
    pub(super) fn delay(&mut self, job: JobNumber, delay: Delay) {
        self.late.insert(job, LateJob { delay: Some(delay), ..LateJob::default() });
    }

    /// The budget of retries has room for a job that has waited for it.
    pub(super) fn drawn(&mut self, job: JobNumber, now: Instant) {
        if let Some(late) = self.late.get_mut(&job) {
            late.count(now);
            late.delay.iter_mut().for_each(|delay| delay.then = WaitCause::Run);
        }
    }

    /// What a job has waited for whose host's clock has counted this; it waits no longer.
    pub(super) fn take(&mut self, job: JobNumber, clock: WaitTimes, now: Instant) -> WaitTimes {
        // Mostly there are none, and to look for one would mean to hash its number.
        let late = if self.late.is_empty() { None } else { self.late.remove(&job) };
        let Some(mut late) = late else { return clock };
        late.count(now);
        if late.delay.is_none() {
            late.before.join(&clock.since(&late.ready_at));
        }
        late.before
    }
}
