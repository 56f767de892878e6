//! The report as JSON Lines: an object a result, as results come in, and a last one with the totals.
//!
//! ```text
//! {"type":"result","index":0,"name":"weather[oslo]",..}
//! {"type":"summary","roundup":"0.1.0","started":"2026-01-31T12:00:00.000Z",..,"total":50,..}
//! ```
//!
//! `index` is the place in the input, from 0, for lines come in the order of arrival. No line holds a raw line break of
//! any kind. A longer line is written in several pieces: with a buffered writer, flush it after each line.

use std::io::{self, Write};

use super::Run;
use super::escape::in_pieces;
use super::json::{self, Object};
use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;

/// Writes one result and a line feed.
///
/// # Errors
/// What `out` returns.
pub fn result(out: &mut dyn Write, redactor: &Redactor, outcome: &Outcome) -> io::Result<()> {
    in_pieces(out, |out| {
        let mut line = Object::open(out)?;
        line.field("type", "result")?;
        line.field("index", &outcome.index)?;
        json::result(&mut line, redactor, outcome)?;
        line.close()?;
        out.write_all(b"\n")
    })
}

/// Writes the totals and a line feed: the last line, by which a reader knows that nothing is missing.
///
/// # Errors
/// What `out` returns.
pub fn summary(out: &mut dyn Write, run: &Run, summary: &Summary) -> io::Result<()> {
    in_pieces(out, |out| {
        let mut line = Object::open(out)?;
        line.field("type", "summary")?;
        json::head(&mut line, run)?;
        json::totals(&mut line, summary)?;
        line.close()?;
        out.write_all(b"\n")
    })
}

/// Writes all lines, for a run whose results were gathered first.
///
/// # Errors
/// What `out` returns.
pub fn write<'a, I>(out: &mut dyn Write, run: &Run, outcomes: I) -> io::Result<()>
where
    I: IntoIterator<Item = &'a Outcome, IntoIter: Clone>,
{
    let outcomes = outcomes.into_iter();
    for outcome in outcomes.clone() {
        result(out, &run.redactor, outcome)?;
    }
    summary(out, run, &run.summary(outcomes))
}
