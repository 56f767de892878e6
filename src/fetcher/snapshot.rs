//! What a run does at one moment, source by source, for people who wait for it.

use std::time::Instant;

use super::active::{ActiveJob, JobHistory};
use super::state::RunState;
use super::status::{RunSnapshot, SourceActivity, SourceStatus};
use super::waits::HeldHost;

impl RunState {
    /// What the run does now, with at most so many sources of each kind and hosts. Looks at the jobs that have not ended, up to
    /// the last that has begun: mostly those that are under way.
    pub(super) fn snapshot(&self, now: Instant, most: usize) -> RunSnapshot {
        let (mut running, mut retrying) = (Vec::new(), Vec::new());
        for active in self.jobs.range(..=self.last_begun).map(|(_, active)| active) {
            let Some(history) = &active.history else { continue };
            match &history.running {
                Some(attempt) => running.push((attempt.since, active)),
                None => retrying.push((history.again_at(self.started).unwrap_or(now), active)),
            }
        }
        let retrying_total = retrying.len();
        let first = |mut sources: Vec<(Instant, &ActiveJob)>| {
            if sources.len() > most {
                sources.select_nth_unstable_by_key(most, |(at, _)| *at);
                sources.truncate(most);
            }
            sources.sort_by_key(|(at, _)| *at);
            sources.into_iter().map(|(at, active)| active.status(at, now)).collect()
        };
        let most_waiting = |mut hosts: Vec<HeldHost>| {
            hosts.sort_by_key(|host| std::cmp::Reverse(host.waiting));
            hosts.truncate(most);
            hosts
        };
        RunSnapshot {
            status: self.status(),
            running: first(running),
            retrying: first(retrying),
            retrying_total,
            held: most_waiting(self.queue.held_hosts(now).collect()),
            limited: most_waiting(self.queue.limited_hosts(now).collect()),
            paced_until: self.queue.paced_until(now),
        }
    }
}

impl JobHistory {
    /// When the next attempt may start at the earliest, if one has ended.
    fn again_at(&self, run_started: Instant) -> Option<Instant> {
        let last = self.attempts.last()?;
        Some(run_started + last.started + last.total + self.waited.unwrap_or_default())
    }
}

impl ActiveJob {
    /// `at` is when its attempt began, or when it is tried again.
    fn status(&self, at: Instant, now: Instant) -> SourceStatus {
        let attempts = self.history.as_ref().map_or(&[][..], |history| &history.attempts);
        let running = self.history.as_ref().and_then(|history| history.running.as_ref());
        let activity = match running {
            Some(attempt) => SourceActivity::Running {
                phase: attempt.progress.snapshot().phase,
                elapsed: now.saturating_duration_since(at),
            },
            None => SourceActivity::Waiting {
                left: at.saturating_duration_since(now),
                why: attempts.last().and_then(|attempt| attempt.error.clone()),
            },
        };
        let under_way = usize::from(running.is_some_and(|attempt| attempt.sends));
        SourceStatus { name: self.job.names().0, tries: attempts.len() + under_way, activity }
    }
}
