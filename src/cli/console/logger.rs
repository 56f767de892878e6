//! What the library logs, for `--verbose`: kept until the writer prints it, so that a full pipe never holds up the loop.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use log::{LevelFilter, Log, Metadata, Record};
use roundup::Redactor;
use roundup::event_loop::{EventLoop, Task, sleep, unblock};

use super::message::complain_all;

/// The most lines kept; older ones go first.
const MOST_LINES: usize = 10_000;

static LINES: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

#[derive(Debug)]
struct Logger;

/// How long a line waits to be printed.
const EVERY: Duration = Duration::from_millis(100);

/// What the library writes for people: attempts as they end, and heads. Nothing is put before it.
const FOR_PEOPLE: [&str; 2] = ["roundup::attempts", "roundup_transport::heads"];

/// Keeps what is logged from now on: with `-v` all but heads, which come with `-vv`.
pub(crate) fn start(verbose: u8) {
    // Fails only if a logger is set already, and nothing else sets one.
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(if verbose > 1 { LevelFilter::Trace } else { LevelFilter::Debug });
    }
}

/// Prints the lines logged since the last call, if there are any. May block.
pub(crate) fn print(redactor: &Redactor) {
    let lines = std::mem::take(&mut *LINES.lock().unwrap_or_else(PoisonError::into_inner));
    if !lines.is_empty() {
        let lines: Vec<String> = lines.iter().map(|line| redactor.redact(line).into_owned()).collect();
        complain_all(&lines);
    }
}

/// Prints what is logged while a run goes on, until it is dropped.
#[derive(Debug)]
pub(crate) struct LogPrinter(#[expect(dead_code, reason = "dropping it ends the task")] Task<()>);

impl LogPrinter {
    pub(crate) fn start(event_loop: &EventLoop, redactor: Redactor) -> LogPrinter {
        LogPrinter(event_loop.spawn_named("log", async move {
            loop {
                sleep(EVERY).await;
                if LINES.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                    continue;
                }
                let redactor = redactor.clone();
                unblock(move || print(&redactor)).await;
            }
        }))
    }
}

impl Log for Logger {
    /// Only what roundup's own crates log: TLS libraries log much that does not help users.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        crate_name == "roundup" || crate_name.starts_with("roundup_")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let text = record.args().to_string();
            let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
            if FOR_PEOPLE.contains(&record.target()) {
                lines.extend(text.lines().map(str::to_owned));
            } else {
                lines.push_back(format!("{}: {text}", record.level().as_str().to_ascii_lowercase()));
            }
            let most = lines.len().saturating_sub(MOST_LINES);
            lines.drain(..most);
        }
    }

    fn flush(&self) {}
}
