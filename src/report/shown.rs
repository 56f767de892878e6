//! Tables of rows as reports show them: secrets hidden, in one place for all formats.

use std::borrow::Cow;
use std::io::{self, Write};

use super::escape::{self, JsonBuffer, buffered};
use super::{embed, redacted};
use crate::redact::Redactor;
use crate::rows::{Cell, DataTable};

/// What stands above the table.
pub(super) fn title<'a>(redactor: &Redactor, table: &'a DataTable) -> Cow<'a, str> {
    redacted::text(redactor, table.title.as_deref().unwrap_or(&table.name))
}

/// The text of a cell: nothing for null, text as it is, everything else as JSON. What was a number stays one.
pub(super) fn cell<'a>(redactor: &Redactor, cell: &'a Cell) -> Cow<'a, str> {
    match cell {
        Cell::Null | Cell::Bool(_) => cell.as_text(),
        Cell::Text(text) => redacted::received(redactor, text),
        Cell::Number(number) if redactor.hides_number(number) => "0".into(),
        Cell::Number(number) => Cow::Borrowed(number),
        Cell::Json(text) => json(redactor, text).unwrap_or_else(|_| "null".into()),
    }
}

/// Writes a cell as JSON. What not every reader of JSON takes becomes a string: numbers out of range, and what is nested more
/// than `levels` deep.
pub(super) fn write_json(out: &mut JsonBuffer<'_>, redactor: &Redactor, cell: &Cell, levels: u32) -> io::Result<()> {
    match cell {
        Cell::Null | Cell::Bool(_) => out.write_all(cell.to_json().as_bytes()),
        Cell::Text(text) => escape::string(out, &redacted::received(redactor, text)),
        Cell::Number(json) | Cell::Json(json) if embed::is_portable_json(json, levels) => {
            embed::write_compact(out, redactor, json)
        }
        Cell::Number(json) | Cell::Json(json) => escape::string(out, &redactor.redact_received(json)),
    }
}

/// JSON with secrets hidden in it, also those that are written with escapes.
pub(super) fn json<'a>(redactor: &Redactor, json: &'a str) -> io::Result<Cow<'a, str>> {
    if redactor.is_empty() {
        return Ok(json.into());
    }
    let mut out = Vec::new();
    buffered(&mut out, |out| embed::write_compact(out, redactor, json))?;
    String::from_utf8(out).map(Cow::Owned).map_err(io::Error::other)
}

/// Whether a column holds numbers and nothing else, so that they line up at their last digit.
pub(super) fn is_numeric(table: &DataTable, column: usize) -> bool {
    let mut cells = table.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_null()).peekable();
    cells.peek().is_some() && cells.all(|cell| matches!(cell, Cell::Number(_)))
}
