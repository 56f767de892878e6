//! One line on stderr that says how the run stands; only where stderr is a terminal.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use roundup::event_loop::{EventLoop, Task, sleep, unblock};
use roundup::fetcher::{Status, Stopper};

use crate::manner::width;

/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// The line, drawn by a task until the run is over.
#[derive(Debug)]
pub(crate) struct Progress(Task<()>);

impl Progress {
    pub(crate) fn start(event_loop: &EventLoop, stopper: Stopper) -> Progress {
        let started = Instant::now();
        Progress(event_loop.spawn_named("progress", async move {
            loop {
                sleep(EVERY).await;
                let Some(status) = stopper.status() else { return };
                let line = line(status, started.elapsed(), width().unwrap_or(80));
                // A terminal that is held up by Ctrl-S must not hold up the loop.
                unblock(move || draw(&line)).await;
            }
        }))
    }

    /// Stops drawing and takes the line away.
    pub(crate) async fn end(self) {
        self.0.cancel().await;
        unblock(|| draw("")).await;
    }
}

fn draw(line: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[2K{line}").and_then(|()| stderr.flush());
}

fn line(status: Status, elapsed: Duration, width: usize) -> String {
    let Status { total, done, in_flight, failed, retried, .. } = status;
    let seconds = elapsed.as_secs_f64();
    let line =
        format!("{done}/{total} done, {in_flight} in flight, {failed} failed, {retried} retried, {seconds:.1} s");
    line.chars().take(width.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits() {
        let elapsed = Duration::from_millis(1250);
        let full = line(Status::default(), elapsed, 80);
        assert_eq!(full, "0/0 done, 0 in flight, 0 failed, 0 retried, 1.2 s");
        assert_eq!(line(Status::default(), elapsed, 9), "0/0 done");
    }
}
