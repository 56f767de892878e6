//! Runs a graph: what may go now is given to a fetcher, and its outcomes go back into the graph.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_lite::{FutureExt, Stream, ready};

use super::job_graph::JobGraph;
use super::run::{GraphRun, NextStart, TokenFile};
use crate::atomic_file::write_private;
use crate::event_loop::{EventLoop, Sleep, sleep_until, unblock};
use crate::fetcher::{Fetcher, Intake, Outcomes, Stopper};
use crate::job::Job;
use crate::outcome::{Outcome, PageRows};

/// Outcomes of a graph, in the order in which sources end. Made by [`JobGraph::run`].
#[must_use = "dropping it cancels the run"]
pub struct GraphOutcomes {
    run: GraphRun,
    /// Dropped when nothing more is to be sent.
    intake: Option<Intake>,
    outcomes: Outcomes,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Files of logins that are read or written.
    files: Vec<FileWork>,
    fail_fast: bool,
    /// Whether others are to have their turn before the graph goes on.
    yields: bool,
}

type FileResult = Result<Option<String>, String>;

type FileWork = Pin<Box<dyn Future<Output = (TokenFile, FileResult)>>>;

impl JobGraph {
    /// Starts the jobs of the graph that need nothing; the others follow when they have what they need. Each job comes out
    /// as one outcome: one that needs a job that failed is skipped, and says which.
    ///
    /// The fetcher's limits hold over all jobs. Otherwise as [`Fetcher::run`].
    pub fn run(mut self, fetcher: &Fetcher, event_loop: &EventLoop) -> GraphOutcomes {
        let ready = self.take_ready();
        self.run_with(ready, fetcher, event_loop)
    }

    /// The same with jobs that were [taken out](JobGraph::take_ready) and may have been changed since, or left out.
    pub fn run_with(
        self,
        ready: impl IntoIterator<Item = Job>,
        fetcher: &Fetcher,
        event_loop: &EventLoop,
    ) -> GraphOutcomes {
        let run = GraphRun::new(&self, ready);
        // A request that fails is not yet a source that fails: it may be a token that has ended.
        let fail_fast = fetcher.fails_fast();
        let (intake, outcomes) = fetcher.clone().backlog(usize::MAX).fail_fast(false).open(event_loop);
        GraphOutcomes { run, intake: Some(intake), outcomes, timer: None, files: Vec::new(), fail_fast, yields: false }
    }
}

impl GraphOutcomes {
    /// A handle that shows how the run stands and can end it, while another task reads the stream.
    pub fn stopper(&self) -> Stopper {
        self.outcomes.stopper()
    }

    /// The secrets that were found since the last call. Hide them before the next outcome is shown.
    pub fn take_secrets(&mut self) -> Vec<String> {
        self.run.take_secrets()
    }

    /// Gives the fetcher all that may go now. When to look again, if that is known.
    fn feed(&mut self) -> Option<Instant> {
        while let Some(intake) = &self.intake {
            match self.run.next(Instant::now()) {
                NextStart::Send(job, ends) => {
                    if intake.add_until(*job, ends).is_err() {
                        // The run was stopped; its last outcomes are still to come.
                        self.intake = None;
                    }
                }
                NextStart::File(file) => self.files.push(Box::pin(async {
                    unblock(move || {
                        let result = at_file(&file);
                        (file, result)
                    })
                    .await
                })),
                NextStart::At(at) => return Some(at),
                NextStart::Yield => {
                    self.yields = true;
                    return None;
                }
                NextStart::Wait => return None,
                NextStart::Done => self.intake = None,
            }
        }
        None
    }

    /// Whether the time has come. If not, the task is woken then.
    fn poll_timer(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        if self.timer.as_ref().is_none_or(|(set, _)| *set != at) {
            self.timer = Some((at, Box::pin(sleep_until(at))));
        }
        let is_due = self.timer.as_mut().is_some_and(|(_, timer)| timer.poll(cx).is_ready());
        if is_due {
            self.timer = None;
        }
        is_due
    }
}

impl GraphOutcomes {
    /// Whether a file of a login was read or written.
    fn poll_files(&mut self, cx: &mut Context<'_>) -> bool {
        for index in 0..self.files.len() {
            if let Poll::Ready((file, result)) = self.files[index].poll(cx) {
                drop(self.files.swap_remove(index));
                self.run.file_done(&file, result);
                return true;
            }
        }
        false
    }
}

/// Reads or writes the refresh token of a login.
fn at_file(file: &TokenFile) -> FileResult {
    let path = &file.path;
    let cannot =
        |what: &str, error: io::Error| format!("the refresh token cannot be {what} {}: {error}", path.display());
    match &file.save {
        Some(token) => {
            write_private(path, format!("{token}\n").as_bytes()).map_err(|error| cannot("written to", error))?;
            Ok(None)
        }
        None => match std::fs::read_to_string(path) {
            // An editor of Windows may have put a mark before it.
            Ok(text) => Ok(Some(text.trim_start_matches('\u{feff}').to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read from", error)),
        },
    }
}

impl Stream for GraphOutcomes {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        let this = self.get_mut();
        loop {
            match ready!(this.poll_event(cx)) {
                Some(GraphEvent::Outcome(outcome)) => return Poll::Ready(Some(outcome)),
                Some(GraphEvent::Rows(_)) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

/// What comes out of a graph that gives out rows page by page.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "most events are outcomes, and each is moved on at once")]
pub enum GraphEvent {
    /// Rows of a page.
    Rows(PageRows),
    /// The end of a source.
    Outcome(Outcome),
}

/// Rows of pages as they come, and outcomes. Made by [`GraphOutcomes::events`].
#[must_use = "dropping it cancels the run"]
#[derive(Debug)]
pub struct GraphEvents(GraphOutcomes);

impl GraphEvents {
    /// As [`GraphOutcomes::take_secrets`].
    pub fn take_secrets(&mut self) -> Vec<String> {
        self.0.take_secrets()
    }
}

impl Stream for GraphEvents {
    type Item = GraphEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<GraphEvent>> {
        self.get_mut().0.poll_event(cx)
    }
}

impl GraphOutcomes {
    /// The same run with the rows of sources that have [`pages`](crate::Settings::pages) as each page comes. Their outcomes
    /// follow, and have these rows, too, if they are to `keep` them: otherwise memory does not grow with the number of pages.
    /// Rows of other sources are in their outcomes.
    ///
    /// While no event is taken, no further page is asked for. Jobs that are not [reported](super::JobNode::report) give no
    /// rows. Call it before the first outcome is taken.
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use roundup::graph::{GraphEvent, JobGraph, JobNode};
    /// use roundup::{EventLoop, Fetcher, Job, PageRule, Pages};
    ///
    /// # // A server for the example, on this machine: the second page is the last one.
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// # std::thread::spawn(move || for (number, stream) in listener.incoming().enumerate() {
    /// #     use std::io::{Read, Write};
    /// #     let mut stream = stream.unwrap();
    /// #     let _ = stream.read(&mut [0; 1024]);
    /// #     let link = if number == 0 { "Link: <?page=2>; rel=\"next\"\r\n" } else { "" };
    /// #     let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 19\r\n";
    /// #     let _ = write!(stream, "{head}{link}\r\n[{{\"id\":1}},{{\"id\":2}}]");
    /// # });
    /// let list = Job::get(&format!("http://{address}/items"))?.named("list").with(|settings| {
    ///     settings.rows = Some("".parse().expect("a pointer to the document"));
    ///     settings.pages = Some(Pages::by(PageRule::Link));
    /// });
    /// let event_loop = EventLoop::new();
    /// let mut events = JobGraph::new([JobNode::job(list)])?.run(&Fetcher::new(), &event_loop).events(false);
    /// let ids = event_loop.run(async {
    ///     let mut ids = Vec::new();
    ///     while let Some(event) = events.next().await {
    ///         match event {
    ///             GraphEvent::Rows(page) => {
    ///                 for row in page.rows.iter().flat_map(|rows| &rows.rows) {
    ///                     ids.push(format!("{}.{}", page.page, row[0].as_text()));
    ///                 }
    ///             }
    ///             GraphEvent::Outcome(outcome) => assert!(outcome.ok() && outcome.rows.is_empty()),
    ///         }
    ///     }
    ///     ids
    /// });
    /// assert_eq!(ids, ["1.1", "1.2", "2.1", "2.2"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn events(mut self, keep: bool) -> GraphEvents {
        self.run.give_pages(keep);
        GraphEvents(self)
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<GraphEvent>> {
        let this = self;
        loop {
            if let Some(page) = this.run.take_page() {
                return Poll::Ready(Some(GraphEvent::Rows(page)));
            }
            if let Some(outcome) = this.run.take_finished() {
                if this.fail_fast && !outcome.ok() {
                    this.fail_fast = false;
                    this.outcomes.stopper().stop_at_failure();
                }
                return Poll::Ready(Some(GraphEvent::Outcome(outcome)));
            }
            let next = this.feed();
            if std::mem::take(&mut this.yields) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if this.poll_files(cx) {
                continue;
            }
            match Pin::new(&mut this.outcomes).poll_next(cx) {
                Poll::Ready(Some(outcome)) => this.run.answered(outcome, Instant::now()),
                Poll::Ready(None) => {
                    this.run.stop("the run ended before it was started");
                    return Poll::Ready(this.run.take_finished().map(GraphEvent::Outcome));
                }
                Poll::Pending if this.run.has_finished() => {}
                Poll::Pending => match next {
                    Some(at) if this.poll_timer(at, cx) => {}
                    _ => return Poll::Pending,
                },
            }
        }
    }
}

impl fmt::Debug for GraphOutcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GraphOutcomes").field(&self.outcomes).finish()
    }
}
