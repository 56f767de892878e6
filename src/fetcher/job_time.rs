//! The time that a job has for all its attempts, and the key that they share.

use std::time::{Duration, Instant};

use super::active::JobEnd;
use super::attempt::needs_key;
use super::host::JobNumber;
use super::queue::Next;
use super::received::Received;
use super::state::RunState;
use crate::units::DisplayDuration;

impl RunState {
    /// When the time for all attempts at a job is over, if it has a limit and has had its first permit.
    pub(super) fn job_ends(&self, number: JobNumber) -> Option<Instant> {
        let limit = self.job(number)?.settings().job_timeout?;
        self.first_permit(number)?.checked_add(limit)
    }

    /// The time that is left for all attempts at a job, if it is limited.
    pub(super) fn job_time_left(&self, number: JobNumber, now: Instant) -> Option<Duration> {
        Some(self.job_ends(number)?.saturating_duration_since(now))
    }

    /// Ends the jobs that wait for a further attempt and have no time left for it.
    pub(super) fn end_overdue(&mut self, now: Instant) {
        while let Some((_, number)) = self.pop_overdue(now) {
            // It may be under way again, and then sees to the time itself.
            let Some((status, failure)) = self.last_failure(number).filter(|_| !self.is_busy(number)) else {
                continue;
            };
            let limit = self.job(number).and_then(|job| job.settings().job_timeout).unwrap_or_default();
            let limit = DisplayDuration(limit);
            let failure =
                failure.with_note(format_args!("the time for all attempts, {limit}, was over before the next"));
            let received = Received { status, ..Received::default() };
            // All its time was over: that is a timeout, whatever the last attempt has said.
            self.finish(number, JobEnd { received, outage: true, ..JobEnd::failed(failure) }, now);
        }
    }

    /// What to do now. Jobs whose time is over are looked at when it is.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let next = self.queue.next(now);
        let waited = match next {
            Next::Start { job, lease } => Some((job, lease.host)),
            Next::End { job, host, .. } => Some((job.number, host)),
            Next::At(_) | Next::Wait | Next::Done => None,
        };
        if let Some((job, host)) = waited {
            let waited = self.queue.take_waited(job, host, now);
            self.jobs.get_mut(&job).into_iter().for_each(|active| active.note_waited(&waited));
        }
        match (next, self.first_overdue()) {
            (Next::At(at), Some(overdue)) => Next::At(at.min(overdue)),
            (Next::Wait, Some(overdue)) => Next::At(overdue),
            (next, _) => next,
        }
    }

    /// The key that all attempts at a job send, if they need one: a string of a structured field.
    pub(super) fn idempotency_key(&self, number: JobNumber) -> Option<String> {
        let needed = self.job(number).is_some_and(|job| needs_key(job.settings()));
        needed.then(|| format!("\"{:032x}-{number}\"", self.run_key()))
    }
}
