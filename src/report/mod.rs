//! Outcomes written down: one document, a stream of lines, a table, or comma-separated values.
//!
//! ```text
//! Output::parse ──> open ──> [the run: OpenReport::result] ──> OpenReport::finish
//! ```
//!
//! Each format is one file with a [`Report`] in it, and `formats.rs` lists them. Formatting knows neither files nor
//! clocks: what the run itself adds comes in as [`RunInfo`]. Formats with columns take them from one list. Everything
//! passes the run's redactor on its way out, and whatever a server can send is escaped in one place.
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//! use roundup::report::{JsonDocument, Report, RunInfo};
//!
//! let run = RunInfo { started: UNIX_EPOCH, elapsed: Duration::from_millis(12), ..RunInfo::default() };
//! let mut text = Vec::new();
//! JsonDocument.write(&mut text, &run, &[])?;
//! assert!(text.starts_with(br#"{"roundup":""#));
//! # Ok::<(), std::io::Error>(())
//! ```

mod body;
mod cell_words;
mod cells;
mod columns;
mod csv;
mod cutoff;
#[cfg(feature = "diff")]
mod diff;
mod embed;
mod escape;
mod format;
mod formats;
mod har;
mod html;
mod json;
mod jsonl;
mod junit;
mod markdown;
mod output;
mod prometheus;
mod read;
mod result_rows;
mod run_info;
mod save;
mod shown;
#[cfg(feature = "sql")]
mod sqlite_file;
mod style;
mod table;
#[cfg(feature = "template")]
mod template;
mod text_tables;
mod text_width;
#[cfg(feature = "xlsx")]
mod xlsx;

pub use csv::Csv;
pub use cutoff::Cutoff;
#[cfg(feature = "diff")]
pub use diff::{
    CellDiff, DiffSide, PlaceDiff, ResultDiff, RowDiff, RowKey, SourceChange, SourceDiff, SourceEnd, TableDiff,
};
pub use format::{Format, Needs, Report};
pub use har::Har;
pub use html::HtmlPage;
pub use json::JsonDocument;
pub use jsonl::JsonLines;
pub use junit::JUnit;
pub use markdown::Markdown;
pub use output::{Destination, OpenFailure, OpenReport, Output, check_places, open, try_open};
pub use prometheus::Prometheus;
pub use read::{read, read_from};
pub use run_info::{RunInfo, SettledHost};
pub use save::save;
#[cfg(feature = "sql")]
pub use sqlite_file::SqliteFile;
pub use style::{Style, Width};
pub use table::{Table, folded, summary_line};
#[cfg(feature = "template")]
pub use template::TemplateReport;
pub use text_width::{cut as cut_to_width, cut_middle as cut_middle_to_width, width_of};
#[cfg(feature = "xlsx")]
pub use xlsx::Xlsx;

use crate::redacted;
