//! The report as a workbook of Excel (ECMA-376): a sheet for each table of the report, and one for the sources.
//!
//! Numbers are numbers of the workbook if a double holds all their digits, otherwise text; text is never a formula.
//! Titles stand in the properties and notes below the rows, behind an empty row.

mod parts;
mod zip;

use std::collections::HashSet;
use std::io::{self, Write};

use self::parts::{BOLD, cell_text, close_sheet, open_sheet, write_frame};
use self::zip::ZipWriter;
use super::format::Report;
use super::run_info::RunInfo;
use super::{redacted, shown};
use crate::http::printable;
use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;
use crate::rows::{Cell, DataTable};
use crate::tables::sources;

/// A workbook of Excel: a sheet a table.
#[derive(Clone, Copy, Debug)]
pub struct Xlsx;

/// What a sheet holds (ECMA-376 and Excel's own limits): rows, columns, characters of a cell and of a sheet's name.
const MOST_ROWS: usize = 1_048_576;
const MOST_COLUMNS: usize = 16_384;
const MOST_TEXT: usize = 32_767;
const MOST_NAME: usize = 31;
/// The widest column, in characters.
const MOST_WIDTH: usize = 60;
/// How many rows tell the width of a column.
const MEASURED_ROWS: usize = 1000;

impl Report for Xlsx {
    fn finish(&mut self, out: &mut dyn Write, run: &RunInfo, _: &Summary, outcomes: &[Outcome]) -> io::Result<()> {
        let own = run.tables.iter().all(|table| *table.name != *SOURCES).then(|| sources(outcomes));
        let tables: Vec<&DataTable> = run.tables.iter().chain(&own).collect();
        tables.iter().try_for_each(|table| check_size(table))?;
        let mut taken = HashSet::new();
        let names = tables.iter().map(|table| sheet_name(&shown::title(&run.redactor, table), &mut taken));
        let title = redacted::text(&run.redactor, run.title.as_deref().unwrap_or_default());
        let mut zip = ZipWriter::new(out);
        let started = run.start_text().unwrap_or_default();
        write_frame(&mut zip, &printable(&title, &[]), &started, &names.collect::<Vec<_>>())?;
        for (at, table) in tables.iter().enumerate() {
            zip.add(&format!("xl/worksheets/sheet{}.xml", at + 1), |out| sheet(out, &run.redactor, table, at == 0))?;
        }
        zip.finish()
    }
}

const SOURCES: &str = "sources";

fn check_size(table: &DataTable) -> io::Result<()> {
    let lines = 1 + table.rows.len() + table.notes.len() + 1;
    if lines > MOST_ROWS || table.columns.len() > MOST_COLUMNS {
        let (rows, columns) = (table.rows.len(), table.columns.len());
        let message = format!(
            "the table {} has {rows} rows and {columns} columns, and a sheet holds {MOST_ROWS} and {MOST_COLUMNS}: \
             write it as csv, or add a limit",
            table.name
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

fn sheet(out: &mut dyn Write, redactor: &Redactor, table: &DataTable, is_first: bool) -> io::Result<()> {
    let widths = (0..table.columns.len()).map(|at| width(redactor, table, at));
    open_sheet(out, is_first, &widths.collect::<Vec<_>>())?;
    write!(out, "<row r=\"1\">")?;
    for (column, name) in table.columns.iter().enumerate() {
        text(out, &place(column, 1), BOLD, &redacted::text(redactor, name))?;
    }
    for (line, row) in (2..).zip(&table.rows) {
        write!(out, "</row><row r=\"{line}\">")?;
        for (column, cell) in row.iter().enumerate() {
            let place = place(column, line);
            match cell {
                Cell::Null => {}
                Cell::Bool(value) => write!(out, "<c r=\"{place}\" t=\"b\"><v>{}</v></c>", u8::from(*value))?,
                cell => match exact(cell).filter(|_| !redactor.hides_number(&cell.as_text())) {
                    Some(number) => write!(out, "<c r=\"{place}\"><v>{number}</v></c>")?,
                    None => text(out, &place, "", &shown::cell(redactor, cell))?,
                },
            }
        }
    }
    for (line, note) in (table.rows.len() + 3..).zip(&table.notes) {
        write!(out, "</row><row r=\"{line}\">")?;
        text(out, &place(0, line), "", &redacted::text(redactor, note))?;
    }
    write!(out, "</row>")?;
    close_sheet(out)
}

/// A cell whose text stands in it. A list of texts beside the sheets would hold all of them until the last sheet is written.
fn text(out: &mut dyn Write, place: &str, style: &str, text: &str) -> io::Result<()> {
    let text = cell_text(&fitting(text));
    write!(out, "<c r=\"{place}\"{style} t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
}

/// A cell as Excel names it: `A1`, and `AA1` behind `Z1`.
fn place(column: usize, line: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        rest -= 1;
        letters.insert(0, char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.into_iter().collect::<String>() + &line.to_string()
}

/// The number if Excel, which keeps 15 digits, shows it as it was written.
fn exact(cell: &Cell) -> Option<f64> {
    let Cell::Number(text) = cell else { return None };
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.chars().filter(char::is_ascii_digit).collect::<String>();
    (digits.trim_matches('0').len() <= 15).then(|| cell.as_float()).flatten()
}

fn width(redactor: &Redactor, table: &DataTable, at: usize) -> usize {
    let cells = table.rows.iter().take(MEASURED_ROWS).filter_map(|row| row.get(at));
    let widths = cells.map(|cell| shown::cell(redactor, cell).chars().take(MOST_WIDTH).count());
    widths.chain([table.columns[at].chars().count()]).max().unwrap_or(0).clamp(4, MOST_WIDTH) + 2
}

/// Text that a cell holds: longer text is cut, and ends in `…`.
fn fitting(text: &str) -> String {
    let text = printable(text, &['\t', '\n']);
    // Excel counts units of UTF-16.
    if text.encode_utf16().count() <= MOST_TEXT {
        return text.into_owned();
    }
    let mut units = 1;
    let kept = text.chars().take_while(|c| {
        units += c.len_utf16();
        units <= MOST_TEXT
    });
    kept.chain(['\u{2026}']).collect()
}

/// A name that a sheet can have and that no other has.
fn sheet_name(title: &str, names: &mut HashSet<String>) -> String {
    let plain: String = printable(title, &[]).chars().map(|c| if "[]:*?/\\".contains(c) { '_' } else { c }).collect();
    let plain = plain.trim_matches(['\'', ' ']);
    let base = if plain.is_empty() { "table" } else { plain };
    let mut number = 1;
    loop {
        let ending = if number == 1 { String::new() } else { format!(" {number}") };
        let mut room = MOST_NAME - ending.len();
        let cut = base.chars().take_while(|c| {
            let fits = c.len_utf16() <= room;
            room = room.saturating_sub(c.len_utf16());
            fits
        });
        // A name ends with no apostrophe, where it was cut either.
        let name = cut.collect::<String>().trim_end_matches(['\'', ' ']).to_owned() + &ending;
        if names.insert(name.to_lowercase()) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_named_as_excel_does() {
        let places = [(0, "A1"), (25, "Z1"), (26, "AA1"), (701, "ZZ1"), (702, "AAA1"), (MOST_COLUMNS - 1, "XFD1")];
        places.iter().for_each(|(column, name)| assert_eq!(place(*column, 1), *name));
    }
}
