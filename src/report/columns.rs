//! The columns of an outcome: one list for all formats that have columns.

use std::path::Path;
use std::time::Duration;

use crate::error::Kind;
use crate::outcome::{Failure, Outcome, Stale, Timings};
use crate::rows::Record;

/// One column.
pub(super) struct Column {
    /// Its name for programs, with the unit in it.
    pub(super) key: &'static str,
    /// Its heading for people; empty if people do not get to see it.
    pub(super) title: &'static str,
    /// Whether it holds quantities, which line up at their last digit.
    pub(super) quantity: bool,
    /// Whether it holds text of any length, which is cut if the terminal is too narrow.
    pub(super) long: bool,
    /// Its value in this row.
    pub(super) cell: for<'a> fn(&'a Outcome) -> ShownValue<'a>,
}

/// The value of a column, before a format turns it into text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ShownValue<'a> {
    /// There is none.
    Absent,
    /// How the job ended.
    Ending(Ending),
    /// A word of ours.
    Word(&'static str),
    /// Text from the user or a server.
    Text(&'a str),
    /// A file.
    File(&'a Path),
    /// A count or a status.
    Number(u64),
    /// A size in bytes.
    Size(u64),
    /// A duration.
    Duration(Duration),
    /// An error.
    Failure(&'a Failure),
    /// Why a content is not new, for people: programs have columns for it.
    Stale(&'a Stale),
}

/// How a job ended, in one word for the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It succeeded.
    Ok,
    /// It has a content that is not new.
    Stale,
    /// It was tried and failed.
    Failed,
    /// The run ended first: its kind says whether it had begun.
    Unfinished(Kind),
}

impl Ending {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Ending::Ok => "ok",
            Ending::Stale => "stale",
            Ending::Failed => "failed",
            Ending::Unfinished(kind) => kind.as_str(),
        }
    }
}

/// All columns, in order.
pub(super) const COLUMNS: [Column; 26] = [
    Column { title: "RESULT", ..text("result", |outcome| ShownValue::Ending(ending(outcome))) },
    Column { title: "NAME", long: true, ..text("name", |outcome| ShownValue::Text(&outcome.name)) },
    text("url", |outcome| ShownValue::Text(&outcome.url)),
    text("final_url", |outcome| option(outcome.final_url.as_deref())),
    Column { title: "STATUS", ..quantity("status", |outcome| number(outcome.status.map(u64::from))) },
    Column { title: "TIME", ..quantity("total_ms", |outcome| duration(outcome, |timings| Some(timings.total))) },
    quantity("queue_ms", |outcome| ShownValue::Duration(outcome.timings.queue)),
    quantity("dns_ms", |outcome| duration(outcome, |timings| timings.dns)),
    quantity("connect_ms", |outcome| duration(outcome, |timings| timings.connect)),
    quantity("tls_ms", |outcome| duration(outcome, |timings| timings.tls)),
    quantity("first_byte_ms", |outcome| duration(outcome, |timings| timings.first_byte)),
    quantity("body_ms", |outcome| duration(outcome, |timings| timings.body)),
    Column {
        title: "SIZE",
        ..quantity("body_bytes", |outcome| outcome.body_bytes.map_or(ShownValue::Absent, ShownValue::Size))
    },
    text("content_type", |outcome| option(outcome.content_type.as_deref())),
    text("body_file", |outcome| outcome.body_file.as_deref().map_or(ShownValue::Absent, ShownValue::File)),
    Column { title: "TRIES", ..quantity("attempts", |outcome| ShownValue::Number(outcome.attempts.len() as u64)) },
    text("error_kind", |outcome| failure(outcome, |error| ShownValue::Word(error.kind.as_str()))),
    text("error_phase", |outcome| {
        failure(outcome, |error| error.phase.map_or(ShownValue::Absent, |phase| ShownValue::Word(phase.as_str())))
    }),
    Column {
        title: "ERROR",
        long: true,
        ..text("error", |outcome| match (&outcome.error, &outcome.stale) {
            (Some(error), _) => ShownValue::Failure(error),
            (None, Some(stale)) => ShownValue::Stale(stale),
            (None, None) => ShownValue::Absent,
        })
    },
    text("retry_at", |outcome| failure(outcome, |error| option(error.retry_at.as_deref()))),
    text("cache", |outcome| outcome.cache().map_or(ShownValue::Absent, |used| ShownValue::Word(used.as_str()))),
    quantity("stale_age_s", |outcome| number(outcome.stale.as_ref().map(|stale| stale.age_s))),
    text("stale_error_kind", |outcome| {
        outcome.stale.as_ref().map_or(ShownValue::Absent, |stale| ShownValue::Word(stale.error.kind.as_str()))
    }),
    text("stale_error", |outcome| option(outcome.stale.as_ref().map(|stale| &*stale.error.message))),
    quantity("waited_ms", |outcome| {
        outcome.waits.as_ref().map_or(ShownValue::Absent, |waits| ShownValue::Duration(waits.total()))
    }),
    text("waited_for", |outcome| {
        let longest = outcome.waits.as_ref().and_then(|waits| waits.longest());
        longest.map_or(ShownValue::Absent, |(cause, _)| ShownValue::Word(cause.as_str()))
    }),
];

/// The columns that people see.
pub(super) fn titled() -> impl Iterator<Item = &'static Column> {
    const ALL: &[Column] = &COLUMNS;
    ALL.iter().filter(|column| !column.title.is_empty())
}

/// The names of all selected values, in the order in which they first come up.
pub(super) fn value_names(outcomes: &[Outcome]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in outcomes.iter().filter_map(|outcome| outcome.data.as_ref()).flat_map(Record::names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

const fn text(key: &'static str, cell: for<'a> fn(&'a Outcome) -> ShownValue<'a>) -> Column {
    Column { key, title: "", quantity: false, long: false, cell }
}

const fn quantity(key: &'static str, cell: for<'a> fn(&'a Outcome) -> ShownValue<'a>) -> Column {
    Column { quantity: true, ..text(key, cell) }
}

fn ending(outcome: &Outcome) -> Ending {
    match outcome.error.as_ref().map(|error| error.kind) {
        None if outcome.stale.is_some() => Ending::Stale,
        None => Ending::Ok,
        Some(kind @ (Kind::Cancelled | Kind::Skipped)) => Ending::Unfinished(kind),
        Some(_) => Ending::Failed,
    }
}

fn number(number: Option<u64>) -> ShownValue<'static> {
    number.map_or(ShownValue::Absent, ShownValue::Number)
}

fn option(text: Option<&str>) -> ShownValue<'_> {
    text.map_or(ShownValue::Absent, ShownValue::Text)
}

/// A time of a job; absent, which is not the same as 0, if the job never began.
fn duration(outcome: &Outcome, timing: fn(&Timings) -> Option<Duration>) -> ShownValue<'_> {
    let duration = if outcome.attempts.is_empty() { None } else { timing(&outcome.timings) };
    duration.map_or(ShownValue::Absent, ShownValue::Duration)
}

fn failure(outcome: &Outcome, cell: for<'a> fn(&'a Failure) -> ShownValue<'a>) -> ShownValue<'_> {
    outcome.error.as_ref().map_or(ShownValue::Absent, cell)
}
