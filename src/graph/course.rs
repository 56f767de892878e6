//! How the requests of one source follow each other until it has its outcome.

use std::time::{Duration, Instant};

use super::paging::{PageOfRows, PagesRun};
use super::polling::PollRun;
use super::step::{PartRequest, Step, end_of_source};
use crate::job::Job;
use crate::outcome::{Failure, Outcome};

/// The course of one source.
pub(super) struct Course {
    kind: CourseKind,
    /// For how long its requests may take together, from the start of the first one.
    limit: Option<Duration>,
    /// When that is over.
    ends: Option<Instant>,
}

/// How its requests follow each other.
enum CourseKind {
    /// One request.
    Single,
    /// Pages that are one outcome.
    Pages(Box<PagesRun>),
    /// A request that is repeated until its answer is as it should be.
    Poll(Box<PollRun>),
}

impl Course {
    /// The course of a source that has one request at most.
    pub(super) fn single() -> Course {
        Course { kind: CourseKind::Single, limit: None, ends: None }
    }

    /// The course of a job, and its first request. If its outcome does not keep the rows of pages, they are only
    /// [taken](Self::take_rows) page by page.
    pub(super) fn begin(job: Job, keeps_rows: bool, now: Instant) -> (Course, PartRequest) {
        let limit = job.settings().job_timeout;
        let (kind, request) = if let Some(pages) = job.settings().pages.clone() {
            let (run, request) = PagesRun::begin(job, pages, keeps_rows);
            (CourseKind::Pages(run.into()), request)
        } else if let Some(poll) = job.settings().poll.clone() {
            let (run, request) = PollRun::begin(job, poll, now);
            (CourseKind::Poll(run.into()), request)
        } else {
            (CourseKind::Single, PartRequest::new(job, 0))
        };
        (Course { kind, limit, ends: None }, request)
    }

    /// What follows from the outcome of a request.
    pub(super) fn answered(&mut self, part: usize, outcome: Outcome, now: Instant) -> Step {
        let ends = self.ends.or_else(|| end_of_source(&outcome, self.limit, now));
        self.ends = ends;
        let step = match &mut self.kind {
            CourseKind::Single => Step::Done(Box::new(outcome)),
            CourseKind::Pages(run) => run.answered(part, outcome),
            CourseKind::Poll(run) => run.answered(outcome, now),
        };
        match (step, ends) {
            (Step::More(requests), Some(ends)) => Step::More(requests.into_iter().map(|it| it.until(ends)).collect()),
            (step, _) => step,
        }
    }

    /// The rows of pages that came since the last call; `None` if rows are in the outcome alone.
    pub(super) fn take_rows(&mut self) -> Option<Vec<PageOfRows>> {
        match &mut self.kind {
            CourseKind::Pages(run) => Some(std::mem::take(&mut run.new_rows)),
            CourseKind::Single | CourseKind::Poll(_) => None,
        }
    }

    /// Whether its rows were given page by page.
    pub(super) fn gives_rows(&self) -> bool {
        matches!(self.kind, CourseKind::Pages(_))
    }

    /// The outcome of a source that ends because the run was stopped.
    pub(super) fn cut_short(&mut self, failure: Failure) -> Outcome {
        match &mut self.kind {
            CourseKind::Single => Outcome { error: Some(failure), ..Outcome::default() },
            CourseKind::Pages(run) => run.cut_short(failure),
            CourseKind::Poll(run) => run.cut_short(failure),
        }
    }
}
