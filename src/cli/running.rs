//! The outcomes of a run, whether jobs need others or not.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::Stream;
use roundup::event_loop::EventLoop;
use roundup::fetcher::{Outcomes, Stopper};
use roundup::graph::{GraphOutcomes, JobGraph};
use roundup::{Fetcher, Job, Outcome, Redactor};

/// Jobs that run.
pub(crate) enum RunningJobs {
    Plain(Outcomes),
    Graph(Box<GraphOutcomes>, Redactor),
}

impl RunningJobs {
    /// Starts these jobs, and those that the graph makes. The redactor learns the secrets that they find.
    pub(crate) fn start(
        jobs: Vec<Job>,
        graph: Option<JobGraph>,
        fetcher: &Fetcher,
        event_loop: &EventLoop,
        redactor: &Redactor,
    ) -> RunningJobs {
        let fetcher = fetcher.clone().redactor(redactor.clone());
        match graph {
            Some(graph) => RunningJobs::Graph(graph.run_with(jobs, &fetcher, event_loop).into(), redactor.clone()),
            None => RunningJobs::Plain(fetcher.run(event_loop, jobs)),
        }
    }

    /// A handle that shows how the run stands and can end it.
    pub(crate) fn stopper(&self) -> Stopper {
        match self {
            RunningJobs::Plain(outcomes) => outcomes.stopper(),
            RunningJobs::Graph(outcomes, _) => outcomes.stopper(),
        }
    }
}

impl Stream for RunningJobs {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        match self.get_mut() {
            RunningJobs::Plain(outcomes) => Pin::new(outcomes).poll_next(cx),
            RunningJobs::Graph(outcomes, redactor) => {
                let outcome = Pin::new(&mut **outcomes).poll_next(cx);
                // Before the outcome is shown or reported.
                redactor.learn(outcomes.take_secrets());
                outcome
            }
        }
    }
}
