//! The time that a job has for all its attempts, and the key that they share.

use std::time::{Duration, Instant};

use super::active::JobEnd;
use super::attempt::needs_key;
use super::host::JobNumber;
use super::queue::Next;
use super::received::Received;
use super::state::RunState;
use crate::error::{Error, Kind, Phase};
use crate::outcome::Failure;
use crate::units::DisplayDuration;

impl RunState {
    /// When the time for all attempts at a job is over, if it has a limit: that of its source, of which there were other
    /// requests before, or its own from its first permit on.
    pub(super) fn job_ends(&self, number: JobNumber) -> Option<Instant> {
        let active = self.jobs.get(&number)?;
        let limit = active.job.settings().job_timeout?;
        let own = self.first_permit(number).and_then(|first| first.checked_add(limit));
        active.ends.into_iter().chain(own).min()
    }

    /// The time that is left for all attempts at a job, if it is limited.
    pub(super) fn job_time_left(&self, number: JobNumber, now: Instant) -> Option<Duration> {
        Some(self.job_ends(number)?.saturating_duration_since(now))
    }

    /// Says which time would be over before the next attempt: that of the job or that of the run.
    pub(super) fn too_late(&self, number: JobNumber, now: Instant) -> String {
        let (of_job, of_run) = (self.job_time_left(number, now), self.time_left(now));
        let limit = of_job.filter(|job| of_run.is_none_or(|run| *job <= run));
        match limit.and_then(|_| self.job(number)?.settings().job_timeout) {
            Some(limit) => {
                let limit = DisplayDuration(limit);
                format!("the next attempt would come after the time for all attempts, {limit}")
            }
            None => "the next attempt would come after the run's deadline".to_owned(),
        }
    }

    /// Ends the jobs that wait and have no time left for a further attempt.
    pub(super) fn end_overdue(&mut self, now: Instant) {
        while let Some((_, number)) = self.pop_overdue(now) {
            // It may be under way again, and then sees to the time itself.
            if self.is_busy(number) {
                continue;
            }
            let Some(active) = self.jobs.get_mut(&number) else { continue };
            let waited = self.queue.forget(number, active.job.origin_url(), now);
            active.note_waited(&waited);
            let limit = DisplayDuration(active.job.settings().job_timeout.unwrap_or_default());
            let over = format!("the time for all attempts, {limit}, was over before");
            let (status, failure) = match self.last_failure(number) {
                Some((status, failure)) => (status, failure.with_note(format_args!("{over} the next"))),
                None => {
                    let error = Error::new(Kind::Timeout, format!("{over} it was sent"));
                    (None, Failure::from(&error.in_phase(Phase::Queue)))
                }
            };
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
