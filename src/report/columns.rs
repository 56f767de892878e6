//! The columns of an outcome: one list for every format that has columns.

use std::time::Duration;

use crate::error::Kind;
use crate::outcome::{Failure, Outcome};

/// One column.
pub(super) struct Column {
    /// Its heading.
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
    /// Text from the user or a server.
    Text(&'a str),
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
pub(super) const COLUMNS: [Column; 7] = [
    Column { title: "RESULT", quantity: false, long: false, cell: |outcome| Cell::Ending(ending(outcome)) },
    Column { title: "NAME", quantity: false, long: true, cell: |outcome| Cell::Text(&outcome.name) },
    Column { title: "STATUS", quantity: true, long: false, cell: |outcome| number(outcome.status.map(u64::from)) },
    Column { title: "TIME", quantity: true, long: false, cell: time },
    Column {
        title: "SIZE",
        quantity: true,
        long: false,
        cell: |outcome| outcome.body_bytes.map_or(Cell::Absent, Cell::Size),
    },
    Column { title: "TRIES", quantity: true, long: false, cell: |outcome| Cell::Number(outcome.attempts.len() as u64) },
    Column {
        title: "ERROR",
        quantity: false,
        long: true,
        cell: |outcome| outcome.error.as_ref().map_or(Cell::Absent, Cell::Failure),
    },
];

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

/// A job that never began took no time, which is not the same as 0.
fn time(outcome: &Outcome) -> Cell<'_> {
    if outcome.attempts.is_empty() { Cell::Absent } else { Cell::Time(outcome.timings.total) }
}
