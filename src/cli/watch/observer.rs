//! What is noted of the outcomes of a round, for the next.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use roundup::{Outcome, Redactor};

use super::changes::{Change, ChangeTracker};
use super::down::DownSources;
use crate::cli::run::OutcomeObserver;

/// Sees all outcomes of a round as they come.
#[derive(Debug)]
pub(super) struct RoundObserver {
    pub(super) down: DownSources,
    pub(super) changes: ChangeTracker,
    /// The sources that are not asked in this round.
    left_out: HashSet<Arc<str>>,
    /// When the round was due, and when that was by the clock on the wall.
    due: Instant,
    time: SystemTime,
    every: Duration,
    redactor: Redactor,
}

impl RoundObserver {
    pub(super) fn new(now: Instant) -> RoundObserver {
        RoundObserver {
            down: DownSources::default(),
            changes: ChangeTracker::default(),
            left_out: HashSet::new(),
            due: now,
            time: SystemTime::UNIX_EPOCH,
            every: Duration::ZERO,
            redactor: Redactor::default(),
        }
    }

    /// Begins a round. Returns the outcomes of the sources that are not asked in it.
    pub(super) fn begin_round(
        &mut self,
        due: Instant,
        time: SystemTime,
        every: Duration,
        redactor: &Redactor,
    ) -> Vec<Outcome> {
        (self.due, self.time, self.every, self.redactor) = (due, time, every, redactor.clone());
        let not_asked: Vec<Outcome> = self.down.not_asked(due).collect();
        self.left_out = not_asked.iter().map(|outcome| outcome.name.clone()).collect();
        not_asked
    }

    /// Ends the round, of which these are all outcomes. Returns what has changed.
    pub(super) fn end_round(&mut self, outcomes: &[Outcome]) -> Vec<(Change, Outcome)> {
        // Those that were taken from an earlier run have not been seen.
        outcomes.iter().for_each(|outcome| self.changes.note_kept(outcome));
        let is_left_out = |name: &str| self.left_out.contains(name);
        self.down.end_round(is_left_out);
        self.changes.end_round(is_left_out)
    }
}

impl OutcomeObserver for RoundObserver {
    async fn note(&mut self, outcome: Outcome) -> Outcome {
        let is_left_out = outcome.attempts.is_empty() && self.left_out.contains(&outcome.name);
        if !is_left_out {
            self.down.note(&outcome, self.due, self.time, self.every, &self.redactor);
        }
        self.changes.note(outcome, is_left_out).await
    }
}
