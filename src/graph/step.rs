//! What follows from an answer.

use std::time::{Duration, Instant};

use crate::http::Field;
use crate::job::Job;
use crate::outcome::{Attempt, Outcome};

/// A request of a source.
pub(super) struct PartRequest {
    pub(super) job: Job,
    /// Which of the source's requests it is, from 0.
    pub(super) part: usize,
    /// When it may be sent, if not at once.
    pub(super) not_before: Option<Instant>,
    /// When the time of its source is over.
    pub(super) ends: Option<Instant>,
    /// What it took so far, if it is sent again with another token.
    pub(super) before: Vec<Attempt>,
    /// The token that it has waited for.
    pub(super) token: Option<Field>,
}

impl PartRequest {
    /// A request to be sent at once.
    pub(super) fn new(job: Job, part: usize) -> PartRequest {
        PartRequest { job, part, not_before: None, ends: None, before: Vec::new(), token: None }
    }

    /// The same with the time of its source over by then: one that would be sent later ends then.
    pub(super) fn until(self, ends: Instant) -> PartRequest {
        PartRequest { ends: Some(ends), not_before: self.not_before.map(|at| at.min(ends)), ..self }
    }
}

/// When the time of a source is over whose first request has this outcome now, if all its requests have this long. It is
/// counted from the start of that.
pub(super) fn end_of_source(first: &Outcome, limit: Option<Duration>, now: Instant) -> Option<Instant> {
    now.checked_sub(first.timings.total)?.checked_add(limit?)
}

/// What follows from an outcome.
pub(super) enum Step {
    /// The outcome of the source.
    Done(Box<Outcome>),
    /// Further requests; none if others are under way.
    More(Vec<PartRequest>),
}
