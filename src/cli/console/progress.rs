//! How a run stands, on stderr: lines that are drawn again and again in a terminal, or a line now and then in a log.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use roundup::event_loop::{EventLoop, Task, sleep, unblock};
use roundup::fetcher::Stopper;
use roundup::{Outcome, Redactor, printable};

use super::live::{LastFailures, LiveState, MOST, counts, holds, lines};
use super::message::{complain, draw};
use super::terminal::{height, width};

/// How often the lines are drawn.
const EVERY: Duration = Duration::from_millis(100);

/// How often a line is written to a log.
const EVERY_PLAIN: Duration = Duration::from_secs(10);

/// Shows how a run stands until it is over.
#[derive(Debug)]
pub(crate) struct ProgressView {
    task: Task<()>,
    failures: Rc<RefCell<LastFailures>>,
    redactor: Redactor,
    live: bool,
}

impl ProgressView {
    /// Draws lines in a terminal, by a task of the loop.
    pub(crate) fn live(event_loop: &EventLoop, stopper: Stopper, redactor: Redactor) -> ProgressView {
        let started = Instant::now();
        let failures = Rc::<RefCell<LastFailures>>::default();
        let (shared, hidden) = (failures.clone(), redactor.clone());
        let task = event_loop.spawn_named("progress", async move {
            loop {
                sleep(EVERY).await;
                let Some(snapshot) = stopper.snapshot(MOST) else { return };
                let state = LiveState { snapshot, elapsed: started.elapsed(), failures: shared.borrow().clone() };
                let mut lines = lines(&state, &hidden, width().unwrap_or(80));
                lines.truncate(height().unwrap_or(24).saturating_sub(1).max(1));
                // A terminal that is held up by Ctrl-S must not hold up the loop.
                unblock(move || draw(&lines)).await;
            }
        });
        ProgressView { task, failures, redactor, live: true }
    }

    /// Writes a line every ten seconds.
    pub(crate) fn plain(event_loop: &EventLoop, stopper: Stopper, redactor: Redactor) -> ProgressView {
        let (started, hidden) = (Instant::now(), redactor.clone());
        let task = event_loop.spawn_named("progress", async move {
            loop {
                sleep(EVERY_PLAIN).await;
                let Some(snapshot) = stopper.snapshot(MOST) else { return };
                let mut line = counts(&snapshot.status, started.elapsed(), usize::MAX);
                for (what, why) in holds(&snapshot) {
                    let _ = write!(line, "; {}: {why}", printable(&hidden.redact(&what), &[]));
                }
                unblock(move || complain(&line)).await;
            }
        });
        ProgressView { task, failures: Rc::default(), redactor, live: false }
    }

    /// Notes an outcome, of which it shows the last that failed.
    pub(crate) fn note(&self, outcome: &Outcome) {
        if self.live {
            self.failures.borrow_mut().note(&self.redactor, outcome);
        }
    }

    /// Stops, and takes the lines away.
    pub(crate) async fn end(self) {
        self.task.cancel().await;
        if self.live {
            unblock(|| draw(&[])).await;
        }
    }
}
