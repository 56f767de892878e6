//! How the requests of one source follow each other until it has its outcome.

use std::time::Instant;

use super::paging::{PageOfRows, PagesRun};
use super::polling::PollRun;
use super::step::{PartRequest, Step};
use crate::job::Job;
use crate::outcome::{Failure, Outcome};

/// The course of one source.
pub(super) enum Course {
    /// One request.
    Single,
    /// Pages that are one outcome.
    Pages(Box<PagesRun>),
    /// A request that is repeated until its answer is as it should be.
    Poll(Box<PollRun>),
}

impl Course {
    /// The course of a job, and its first request. If its outcome does not keep the rows of pages, they are only
    /// [taken](Self::take_rows) page by page.
    pub(super) fn begin(job: Job, keeps_rows: bool, now: Instant) -> (Course, PartRequest) {
        if let Some(pages) = job.settings().pages.clone() {
            let (run, request) = PagesRun::begin(job, pages, keeps_rows);
            return (Course::Pages(run.into()), request);
        }
        if let Some(poll) = job.settings().poll.clone() {
            let (run, request) = PollRun::begin(job, poll, now);
            return (Course::Poll(run.into()), request);
        }
        (Course::Single, PartRequest::new(job, 0))
    }

    /// What follows from the outcome of a request.
    pub(super) fn answered(&mut self, part: usize, outcome: Outcome, now: Instant) -> Step {
        match self {
            Course::Single => Step::Done(Box::new(outcome)),
            Course::Pages(run) => run.answered(part, outcome),
            Course::Poll(run) => run.answered(outcome, now),
        }
    }

    /// The rows of pages that came since the last call; `None` if rows are in the outcome alone.
    pub(super) fn take_rows(&mut self) -> Option<Vec<PageOfRows>> {
        match self {
            Course::Pages(run) => Some(std::mem::take(&mut run.new_rows)),
            Course::Single | Course::Poll(_) => None,
        }
    }

    /// Whether its rows were given page by page.
    pub(super) fn gives_rows(&self) -> bool {
        matches!(self, Course::Pages(_))
    }

    /// The outcome of a source that ends because the run was stopped.
    pub(super) fn cut_short(&mut self, failure: Failure) -> Outcome {
        match self {
            Course::Single => Outcome { error: Some(failure), ..Outcome::default() },
            Course::Pages(run) => run.cut_short(failure),
            Course::Poll(run) => run.cut_short(failure),
        }
    }
}
