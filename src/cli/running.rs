//! The outcomes of a run, whether jobs need others or not.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::{Stream, ready};
use roundup::event_loop::EventLoop;
use roundup::fetcher::{Outcomes, Stopper, next_group};
use roundup::graph::{GraphEvent, GraphEvents, GraphOutcomes, JobGraph};
use roundup::{Fetcher, Job, Outcome, PageRows, Redactor};

/// Jobs that run.
pub(crate) enum RunningJobs {
    Plain(Outcomes),
    Graph(Box<GraphOutcomes>, Redactor),
}

/// Outcomes that came together, and behind them the rows of a page, if that came next.
#[derive(Debug, Default)]
pub(crate) struct EventGroup {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) page: Option<PageRows>,
}

impl EventGroup {
    /// Whether no more will come.
    pub(crate) fn is_end(&self) -> bool {
        self.outcomes.is_empty() && self.page.is_none()
    }
}

/// Jobs that run, and rows that come page by page. As a stream of outcomes it ends at each page.
pub(crate) enum RunningPages {
    Outcomes(RunningJobs),
    Events { events: Box<GraphEvents>, redactor: Redactor, page: Option<PageRows> },
}

impl RunningPages {
    /// What comes next, as [`next_group`] has it.
    pub(crate) async fn next_group(&mut self, wait: Duration) -> EventGroup {
        let outcomes = next_group(self, wait).await;
        let page = if let RunningPages::Events { page, .. } = self { page.take() } else { None };
        EventGroup { outcomes, page }
    }
}

impl Stream for RunningPages {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        match self.get_mut() {
            RunningPages::Outcomes(outcomes) => Pin::new(outcomes).poll_next(cx),
            // It is to be taken before what follows.
            RunningPages::Events { page: Some(_), .. } => Poll::Ready(None),
            RunningPages::Events { events, redactor, page } => {
                let event = Pin::new(&mut **events).poll_next(cx);
                // Before it is shown or reported.
                redactor.learn(events.take_secrets());
                match ready!(event) {
                    Some(GraphEvent::Outcome(outcome)) => Poll::Ready(Some(outcome)),
                    Some(GraphEvent::Rows(rows)) => {
                        *page = Some(rows);
                        Poll::Ready(None)
                    }
                    None => Poll::Ready(None),
                }
            }
        }
    }
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

    /// The same run with rows page by page, if that is asked for; outcomes have them, too, if they are to keep them.
    pub(crate) fn by_pages(self, keep: Option<bool>) -> RunningPages {
        match (self, keep) {
            (RunningJobs::Graph(outcomes, redactor), Some(keep)) => {
                RunningPages::Events { events: outcomes.events(keep).into(), redactor, page: None }
            }
            (jobs, _) => RunningPages::Outcomes(jobs),
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
