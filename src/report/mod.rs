//! Outcomes written down: one document, a stream of lines, a table, or comma-separated values.
//!
//! ```text
//! Target::parse ──> target::open ──> [the run] ──> Opened::write(format.write(..)) ──> Opened::commit
//! ```
//!
//! Formatting knows neither files nor clocks: what the run itself adds comes in as [`Run`]. Each format is one file, and
//! formats with columns take them from one list. Everything passes the run's [`Redactor`] on its way out, and whatever a
//! server can send is escaped in one place.
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//! use roundup::report::{Format, Run, Style};
//!
//! let run = Run { started: UNIX_EPOCH, elapsed: Duration::from_millis(12), ..Run::default() };
//! let mut text = Vec::new();
//! Format::Json.write(&mut text, &run, &Style::default(), &[])?;
//! assert!(text.starts_with(br#"{"roundup":""#));
//! # Ok::<(), std::io::Error>(())
//! ```

mod columns;
mod content;
pub mod csv;
mod embed;
mod escape;
mod format;
pub mod json;
pub mod jsonl;
mod masked;
pub mod table;
pub mod target;

use std::time::{Duration, SystemTime};

pub use format::{Format, Style};
pub use target::{Destination, Opened, Target};

use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;

/// What the run itself adds to its outcomes.
#[derive(Clone, Debug)]
pub struct Run {
    /// When the run started, by the clock of the system.
    pub started: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether a signal ended it before its time.
    pub interrupted: bool,
    /// The secrets that reports must not show.
    pub redactor: Redactor,
}

impl Run {
    /// The totals of these outcomes.
    pub fn summary<'a>(&self, outcomes: impl IntoIterator<Item = &'a Outcome>) -> Summary {
        let mut summary = Summary::default();
        outcomes.into_iter().for_each(|outcome| summary.add(outcome));
        summary.finish(self.elapsed);
        summary
    }
}

impl Default for Run {
    /// Nothing yet: the start of 1970, no time, no secrets.
    fn default() -> Run {
        let redactor = Redactor::default();
        Run { started: SystemTime::UNIX_EPOCH, elapsed: Duration::ZERO, interrupted: false, redactor }
    }
}
