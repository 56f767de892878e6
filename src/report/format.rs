//! The formats by name.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use super::{Run, csv, json, jsonl, table};
use crate::error::{Error, Kind, Result};
use crate::outcome::Outcome;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// One JSON document: `docs/report.schema.json` describes it.
    Json,
    /// JSON Lines: an object a result, and a last one with the totals. Can be written while the run goes on.
    Jsonl,
    /// A table for people.
    Table,
    /// Comma-separated values (RFC 4180) for spreadsheets: a row a result, under a row of names.
    Csv,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 4] = [Format::Json, Format::Jsonl, Format::Table, Format::Csv];

    /// The name that the command line uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Table => "table",
            Format::Csv => "csv",
        }
    }

    /// Whether results can be written one by one as they come in, with [`jsonl::result`] and [`jsonl::summary`].
    pub const fn streams(self) -> bool {
        matches!(self, Format::Jsonl)
    }

    /// Whether it holds the content of responses, which must be kept for it then.
    pub const fn holds_bodies(self) -> bool {
        matches!(self, Format::Json | Format::Jsonl)
    }

    /// Writes the whole report, results in the order given.
    ///
    /// The style matters where people read: only the table has any.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write(self, out: &mut dyn Write, run: &Run, style: &Style, outcomes: &[Outcome]) -> io::Result<()> {
        match self {
            Format::Json => json::write(out, run, outcomes),
            Format::Jsonl => jsonl::write(out, run, outcomes),
            Format::Table => table::write(out, run, style, outcomes),
            Format::Csv => csv::write(out, run, outcomes),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    /// # Errors
    /// [`Kind::Config`] with the valid names.
    fn from_str(text: &str) -> Result<Format> {
        Format::ALL.into_iter().find(|format| format.as_str() == text).ok_or_else(|| {
            let names = Format::ALL.map(Format::as_str).join(", ");
            Error::new(Kind::Config, format!("{text:?} is not a report format: write one of {names}"))
        })
    }
}

/// How a table is shown. The default is that of a pipe: no colours, nothing cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour it with ANSI escape sequences.
    pub color: bool,
    /// The columns of the terminal. Long cells are cut so that a row fits; `None` cuts nothing. Below about 70 columns
    /// rows grow longer than this rather than lose their meaning.
    pub width: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().ok(), Some(format));
        }
        let error = "XML\n".parse::<Format>().expect_err("no such format");
        assert_eq!(error.to_string(), r#""XML\n" is not a report format: write one of json, jsonl, table, csv"#);
    }
}
