//! The report as a workbook of Excel (ECMA-376): a sheet for each table of the report, and one for the sources.
//!
//! Numbers are numbers of the workbook if a double holds all their digits, otherwise text; text is never a formula.
//! Titles stand in the properties and notes below the rows, behind an empty row.

use std::collections::HashSet;
use std::io::{self, Write};

use rust_xlsxwriter::{DocProperties, Format, Workbook, Worksheet, XlsxError};

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
        let mut workbook = Workbook::new();
        if let Some(title) = &run.title {
            let title = redacted::text(&run.redactor, title);
            workbook.set_properties(&DocProperties::new().set_title(&*printable(&title, &[])));
        }
        let mut names = HashSet::new();
        let own = run.tables.iter().all(|table| *table.name != *SOURCES).then(|| sources(outcomes));
        for table in run.tables.iter().chain(&own) {
            check_size(table)?;
            let sheet = workbook.add_worksheet();
            let name = sheet_name(&shown::title(&run.redactor, table), &mut names);
            sheet.set_name(name).and_then(|sheet| fill(sheet, &run.redactor, table)).map_err(cannot)?;
        }
        out.write_all(&workbook.save_to_buffer().map_err(cannot)?)
    }
}

const SOURCES: &str = "sources";

fn cannot(error: XlsxError) -> io::Error {
    io::Error::other(format!("the workbook cannot be made: {error}"))
}

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

fn fill<'s>(sheet: &'s mut Worksheet, redactor: &Redactor, table: &DataTable) -> Result<&'s mut Worksheet, XlsxError> {
    let bold = Format::new().set_bold();
    for (at, column) in table.columns.iter().enumerate() {
        let name = redacted::text(redactor, column);
        sheet.write_string_with_format(0, at as u16, fitting(&name), &bold)?;
        sheet.set_column_width(at as u16, width(redactor, table, at) as f64)?;
    }
    for (at, row) in table.rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let (row, column) = (at as u32 + 1, column as u16);
            match cell {
                Cell::Null => continue,
                Cell::Bool(value) => sheet.write_boolean(row, column, *value)?,
                cell => match exact(cell).filter(|_| !redactor.hides_number(&cell.as_text())) {
                    Some(number) => sheet.write_number(row, column, number)?,
                    None => sheet.write_string(row, column, fitting(&shown::cell(redactor, cell)))?,
                },
            };
        }
    }
    for (at, note) in table.notes.iter().enumerate() {
        let row = (table.rows.len() + 2 + at) as u32;
        sheet.write_string(row, 0, fitting(&redacted::text(redactor, note)))?;
    }
    sheet.set_freeze_panes(1, 0)
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
