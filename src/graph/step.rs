//! What follows from an answer.

use std::time::Instant;

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
    /// What it took so far, if it is sent again with another token.
    pub(super) before: Vec<Attempt>,
    /// The token that it has waited for.
    pub(super) token: Option<Field>,
}

impl PartRequest {
    /// A request to be sent at once.
    pub(super) fn new(job: Job, part: usize) -> PartRequest {
        PartRequest { job, part, not_before: None, before: Vec::new(), token: None }
    }
}

/// What follows from an outcome.
pub(super) enum Step {
    /// The outcome of the source.
    Done(Box<Outcome>),
    /// Further requests; none if others are under way.
    More(Vec<PartRequest>),
}
