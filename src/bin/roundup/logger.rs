//! What the library logs, for `--verbose`: kept until the writer prints it, so that a full pipe never holds up the loop.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

/// The most lines kept; older ones go first.
const MOST_LINES: usize = 1000;

static LINES: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

#[derive(Debug)]
struct Logger;

/// Keeps what is logged from now on.
pub(crate) fn start() {
    // Fails where one is set already, and only we set one.
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// The lines logged since the last call.
pub(crate) fn take() -> VecDeque<String> {
    std::mem::take(&mut *LINES.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Log for Logger {
    /// Ours alone: a TLS library logs what nobody asked for.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().split("::").next() == Some("roundup")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == MOST_LINES {
                lines.pop_front();
            }
            lines.push_back(format!("{}: {}", record.level().as_str().to_ascii_lowercase(), record.args()));
        }
    }

    fn flush(&self) {}
}
