//! Tables of rows for a terminal or a pipe, above the results.

use std::borrow::Cow;
use std::io::{self, Write};

use super::run_info::RunInfo;
use super::text_width::{cut, width_of};
use super::{redacted, shown};
use crate::http::printable;
use crate::redact::Redactor;
use crate::rows::DataTable;

/// Writes the report's title and its tables, each with its title above and its notes below.
pub(super) fn write_tables(out: &mut dyn Write, color: bool, width: Option<usize>, run: &RunInfo) -> io::Result<()> {
    if let Some(title) = &run.title {
        heading(out, color, &redacted::text(&run.redactor, title))?;
        out.write_all(b"\n")?;
    }
    for table in &run.tables {
        heading(out, color, &shown::title(&run.redactor, table))?;
        write_rows(out, width, &run.redactor, table)?;
        for note in &table.notes {
            writeln!(out, "! {}", printable(&redacted::text(&run.redactor, note), &[]))?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn heading(out: &mut dyn Write, color: bool, text: &str) -> io::Result<()> {
    let text = printable(text, &[]);
    if color { writeln!(out, "{BOLD}{text}{PLAIN}") } else { writeln!(out, "{text}") }
}

/// Rows line by line, so that a table of any length takes no memory of its own.
fn write_rows(out: &mut dyn Write, width: Option<usize>, redactor: &Redactor, table: &DataTable) -> io::Result<()> {
    if table.columns.is_empty() {
        return Ok(());
    }
    let names: Vec<String> =
        table.columns.iter().map(|name| one_line(redacted::text(redactor, name)).into_owned()).collect();
    let numeric: Vec<bool> = (0..names.len()).map(|column| shown::is_numeric(table, column)).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| width_of(name)).collect();
    for row in &table.rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(width_of(&one_line(shown::cell(redactor, cell))));
        }
    }
    narrow(&mut widths, &numeric, width);
    write_row(out, names.iter().map(|name| name.as_str().into()), &widths, &numeric)?;
    for row in &table.rows {
        write_row(out, row.iter().map(|cell| one_line(shown::cell(redactor, cell))), &widths, &numeric)?;
    }
    if table.rows.is_empty() {
        writeln!(out, "(no rows)")?;
    }
    Ok(())
}

/// What cannot be shown in a row, line breaks included, is replaced.
pub(super) fn one_line(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => printable(text, &[]),
        Cow::Owned(text) => printable(&text, &[]).into_owned().into(),
    }
}

fn write_row<'t>(
    out: &mut dyn Write,
    cells: impl Iterator<Item = Cow<'t, str>>,
    widths: &[usize],
    numeric: &[bool],
) -> io::Result<()> {
    let mut gap = 0;
    for ((cell, width), numeric) in cells.zip(widths).zip(numeric) {
        let cell = if width_of(&cell) > *width { cut(&cell, *width).into() } else { cell };
        let space = width.saturating_sub(width_of(&cell));
        // Space is written only before text, so that no row ends in it.
        let (before, after) = if *numeric { (gap + space, 0) } else { (gap, space) };
        if cell.is_empty() {
            gap = before + after + GAP;
            continue;
        }
        write!(out, "{:before$}{cell}", "")?;
        gap = after + GAP;
    }
    out.write_all(b"\n")
}

/// Narrows the texts, the widest first, until a row fits. Numbers are never cut.
fn narrow(widths: &mut [usize], numeric: &[bool], limit: Option<usize>) {
    // A cell of a megabyte cannot be read, on a screen or in a pipe.
    for (width, numeric) in widths.iter_mut().zip(numeric) {
        *width = if *numeric { *width } else { (*width).min(MOST) };
    }
    let Some(limit) = limit else { return };
    let gaps = GAP * widths.len().saturating_sub(1);
    let fixed: usize = widths.iter().zip(numeric).filter(|(_, numeric)| **numeric).map(|(width, _)| width).sum();
    let mut room = limit.saturating_sub(gaps + fixed);
    let mut texts: Vec<&mut usize> =
        widths.iter_mut().zip(numeric).filter(|(_, numeric)| !**numeric).map(|(width, _)| width).collect();
    texts.sort();
    let mut left = texts.len();
    for width in texts {
        // Those that need less than their share leave the rest to the wider ones after them.
        *width = (*width).min((room / left).max(LEAST));
        room = room.saturating_sub(*width);
        left -= 1;
    }
}

const GAP: usize = 2;
/// The narrowest that a column of texts gets.
const LEAST: usize = 8;
/// The widest that a column of texts gets.
pub(super) const MOST: usize = 200;
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";
