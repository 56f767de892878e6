//! The columns of an outcome: one list for every format that has columns.

use std::path::Path;
use std::time::Duration;

use crate::error::Kind;
use crate::outcome::{Failure, Outcome, Timings};

/// One column.
pub(super) struct Column {
    /// Its name for programs, with the unit in it.
    pub(super) key: &'static str,
    /// Its heading for people; empty where it is nothing for them.
    pub(super) title: &'static str,
    /// Whether it holds quantities, which people compare by their last digit.
    pub(super) quantity: bool,
    /// Whether it holds text of any length, which may be cut where room is short.
    pub(super) long: bool,
    /// Its value in this row.
    pub(super) cell: for<'a> fn(&'a Outcome) -> Cell<'a>,
}

/// A value before a format gives it a form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
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
    Time(Duration),
    /// An error.
    Failure(&'a Failure),
}

/// How a job ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It succeeded.
    Ok,
    /// It was tried and failed.
    Failed,
    /// The run ended before it did: its kind says whether it had begun.
    Unfinished(Kind),
}

impl Ending {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Ending::Ok => "ok",
            Ending::Failed => "failed",
            Ending::Unfinished(kind) => kind.as_str(),
        }
    }
}

/// All columns, in order.
pub(super) const COLUMNS: [Column; 20] = [
    Column { title: "RESULT", ..text("result", |outcome| Cell::Ending(ending(outcome))) },
    Column { title: "NAME", long: true, ..text("name", |outcome| Cell::Text(&outcome.name)) },
    text("url", |outcome| Cell::Text(&outcome.url)),
    text("final_url", |outcome| option(outcome.final_url.as_deref())),
    Column { title: "STATUS", ..quantity("status", |outcome| number(outcome.status.map(u64::from))) },
    Column { title: "TIME", ..quantity("total_ms", |outcome| took(outcome, |timings| Some(timings.total))) },
    quantity("queue_ms", |outcome| Cell::Time(outcome.timings.queue)),
    quantity("dns_ms", |outcome| took(outcome, |timings| timings.dns)),
    quantity("connect_ms", |outcome| took(outcome, |timings| timings.connect)),
    quantity("tls_ms", |outcome| took(outcome, |timings| timings.tls)),
    quantity("first_byte_ms", |outcome| took(outcome, |timings| timings.first_byte)),
    quantity("body_ms", |outcome| took(outcome, |timings| timings.body)),
    Column { title: "SIZE", ..quantity("body_bytes", |outcome| outcome.body_bytes.map_or(Cell::Absent, Cell::Size)) },
    text("content_type", |outcome| option(outcome.content_type.as_deref())),
    text("body_file", |outcome| outcome.body_file.as_deref().map_or(Cell::Absent, Cell::File)),
    Column { title: "TRIES", ..quantity("attempts", |outcome| Cell::Number(outcome.attempts.len() as u64)) },
    text("error_kind", |outcome| failure(outcome, |error| Cell::Word(error.kind.as_str()))),
    text("error_phase", |outcome| {
        failure(outcome, |error| error.phase.map_or(Cell::Absent, |phase| Cell::Word(phase.as_str())))
    }),
    Column { title: "ERROR", long: true, ..text("error", |outcome| failure(outcome, |error| Cell::Failure(error))) },
    text("retry_at", |outcome| failure(outcome, |error| option(error.retry_at.as_deref()))),
];

/// How many are for people.
pub(super) const TITLES: usize = 7;

/// Those for people.
pub(super) const TITLED: [&Column; TITLES] = {
    const ALL: &[Column] = &COLUMNS;
    let (mut titled, mut at, mut count) = ([&ALL[0]; TITLES], 0, 0);
    while at < ALL.len() {
        if !ALL[at].title.is_empty() {
            titled[count] = &ALL[at];
            count += 1;
        }
        at += 1;
    }
    assert!(count == titled.len());
    titled
};

const fn text(key: &'static str, cell: for<'a> fn(&'a Outcome) -> Cell<'a>) -> Column {
    Column { key, title: "", quantity: false, long: false, cell }
}

const fn quantity(key: &'static str, cell: for<'a> fn(&'a Outcome) -> Cell<'a>) -> Column {
    Column { quantity: true, ..text(key, cell) }
}

fn ending(outcome: &Outcome) -> Ending {
    match outcome.error.as_ref().map(|error| error.kind) {
        None => Ending::Ok,
        Some(kind @ (Kind::Cancelled | Kind::Skipped)) => Ending::Unfinished(kind),
        Some(_) => Ending::Failed,
    }
}

fn number(number: Option<u64>) -> Cell<'static> {
    number.map_or(Cell::Absent, Cell::Number)
}

fn option(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Absent, Cell::Text)
}

/// A job that never began took no time, which is not the same as 0.
fn took(outcome: &Outcome, time: fn(&Timings) -> Option<Duration>) -> Cell<'_> {
    let time = if outcome.attempts.is_empty() { None } else { time(&outcome.timings) };
    time.map_or(Cell::Absent, Cell::Time)
}

fn failure(outcome: &Outcome, cell: for<'a> fn(&'a Failure) -> Cell<'a>) -> Cell<'_> {
    outcome.error.as_ref().map_or(Cell::Absent, cell)
}
