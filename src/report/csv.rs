//! The report as comma-separated values (RFC 4180), for spreadsheets and data frames.
//!
//! ```text
//! result,name,url,final_url,status,total_ms,..,error,retry_at,data.temp
//! ok,weather[oslo],https://api.example.com/v1/oslo,,200,1001.800,..,,,3.5
//! ```
//!
//! A row of names, then a row a result, UTF-8, each ended by CR and LF. What is absent is empty and never 0. Each value
//! that `select` took has a column of its own, `data.` and its name, in the order in which the names first come up: text
//! as it is, numbers with their digits, lists and objects as JSON, null as empty. Contents are in no column.
//!
//! Of a run that shows a table of rows, it is this table: its columns and its rows, and the results are in other reports. Several
//! tables have a file each.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula and runs it, quoted or not, and some
//! pass over spaces, invisible characters or a `;` before it. Text that begins so, or with a tab or a line break, has a
//! `'` before it, which spreadsheets show as text. Numbers are as they are, those in texts too: `-94.9`, `+1`, `-1e5`.
//! Control characters but tab and line breaks, which no row can hold, are shown as U+FFFD.

use std::io::{self, Write};

use super::columns::{COLUMNS, ShownValue, value_names};
use super::format::{Format, Needs, Report};
use super::run_info::RunInfo;
use super::{json, redacted, shown};
use crate::http::{is_printable, printable};
use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;
use crate::rows::{Cell, DataTable};

/// Comma-separated values (RFC 4180): a row a result under a row of names, without contents.
#[derive(Clone, Copy, Debug)]
pub struct Csv;

/// The same behind a byte order mark (U+FEFF), without which Excel takes UTF-8 for the code page of its system.
#[derive(Clone, Copy, Debug)]
struct CsvWithBom;

/// It is no row of the list of formats, because it is one with another.
pub(super) const WITH_BOM: Format = Format {
    name: "csv:bom",
    endings: &["csv"],
    about: "rows for Excel, behind a byte order mark",
    report: |_| Box::new(CsvWithBom),
};

impl Report for CsvWithBom {
    fn needs(&self) -> Needs {
        Csv.needs()
    }

    fn finish(
        &mut self,
        out: &mut dyn Write,
        run: &RunInfo,
        summary: &Summary,
        outcomes: &[Outcome],
    ) -> io::Result<()> {
        out.write_all("\u{feff}".as_bytes())?;
        Csv.finish(out, run, summary, outcomes)
    }
}

impl Report for Csv {
    fn needs(&self) -> Needs {
        Needs { one_table: true, ..Needs::default() }
    }

    fn finish(&mut self, out: &mut dyn Write, run: &RunInfo, _: &Summary, outcomes: &[Outcome]) -> io::Result<()> {
        match &run.tables[..] {
            [] => {}
            [one] => return table(out, &run.redactor, one),
            tables => {
                let names: Vec<&str> = tables.iter().map(|table| &*table.name).collect();
                let message = format!(
                    "{} tables ({}) do not go into one CSV file: write csv={{table}}.csv, a file for each",
                    tables.len(),
                    names.join(", ")
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
        let selected = value_names(outcomes);
        let mut names = Row::new(out);
        for column in &COLUMNS {
            names.plain(column.key)?;
        }
        for name in &selected {
            names.text(&redacted::text(&run.redactor, &format!("data.{name}")))?;
        }
        names.end()?;
        for outcome in outcomes {
            result(&mut Row::new(out), &run.redactor, outcome, &selected)?;
        }
        Ok(())
    }
}

/// Writes a table of rows: the names of its columns, then its rows. Notes are in no row, so that a program reads rows alone.
fn table(out: &mut dyn Write, redactor: &Redactor, table: &DataTable) -> io::Result<()> {
    let mut names = Row::new(out);
    for column in &table.columns {
        names.text(&redacted::text(redactor, column))?;
    }
    names.end()?;
    for cells in &table.rows {
        let mut row = Row::new(out);
        for cell in cells {
            let text = shown::cell(redactor, cell);
            match cell {
                Cell::Number(_) => row.plain(&text),
                _ => row.text(&text),
            }?;
        }
        row.end()?;
    }
    Ok(())
}

fn result(row: &mut Row<'_>, redactor: &Redactor, outcome: &Outcome, selected: &[&str]) -> io::Result<()> {
    for column in &COLUMNS {
        match (column.cell)(outcome) {
            ShownValue::Absent => row.plain(""),
            ShownValue::Ending(ending) => row.plain(ending.as_str()),
            ShownValue::Word(word) => row.plain(word),
            ShownValue::Text(text) => row.text(&redacted::text(redactor, text)),
            ShownValue::File(path) => row.text(&redacted::text(redactor, &json::portable_path(path))),
            ShownValue::Number(number) | ShownValue::Size(number) => row.plain(&number.to_string()),
            ShownValue::Duration(time) => {
                row.plain(&format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1000))
            }
            // Its kind and its phase have columns of their own.
            ShownValue::Stale(_) => row.plain(""),
            ShownValue::Failure(failure) => row.text(&redacted::text(redactor, &failure.message)),
        }?;
    }
    for name in selected {
        let cell = outcome.data.as_ref().and_then(|data| data.get(name)).unwrap_or(&Cell::Null);
        let text = shown::cell(redactor, cell);
        if matches!(cell, Cell::Number(_)) { row.plain(&text) } else { row.text(&text) }?;
    }
    row.end()
}

/// A row that is written cell by cell.
struct Row<'w> {
    out: &'w mut dyn Write,
    is_empty: bool,
}

impl<'w> Row<'w> {
    fn new(out: &'w mut dyn Write) -> Row<'w> {
        Row { out, is_empty: true }
    }

    /// Writes words and numbers of ours, which need no quotes.
    fn plain(&mut self, cell: &str) -> io::Result<()> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.write_all(b",")?;
        }
        self.out.write_all(cell.as_bytes())
    }

    /// Writes text from elsewhere.
    fn text(&mut self, text: &str) -> io::Result<()> {
        let is_first = self.is_empty;
        self.plain("")?;
        let guard = if may_be_formula(text) { "'" } else { "" };
        let text = printable(text, &KEPT);
        if text.contains(QUOTED) || text.trim() != text || is_first && text.starts_with("ID") {
            write!(self.out, "\"{guard}{}\"", text.replace('"', "\"\""))
        } else {
            write!(self.out, "{guard}{text}")
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"\r\n")
    }
}

/// Whether a spreadsheet could take the text for a formula.
fn may_be_formula(text: &str) -> bool {
    // Some spreadsheets drop a tab or a line break at the start, whatever follows.
    if text.starts_with(['\t', '\r', '\n']) {
        return true;
    }
    let is_passed_over = |c: char| c == ';' || c.is_whitespace() || !is_printable(c) || JOINERS.contains(&c);
    let text = text.trim_start_matches(is_passed_over);
    text.starts_with(STARTS_FORMULA) && !is_number(text.trim_end())
}

/// Whether the text is a number as spreadsheets and programs write it: a sign, digits with points or commas between them,
/// an exponent, a percent sign. There are no operators in it, so nothing to run.
fn is_number(text: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let text = unsigned(text.strip_suffix('%').unwrap_or(text));
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(unsigned(exponent))),
        None => (&*text, None),
    };
    is_digits(&mantissa.replace(['.', ','], "")) && exponent.is_none_or(|exponent| is_digits(&exponent))
}

/// What a cell has quotes for. A comma, a quote and line breaks would end it (RFC 4180, section 2); where the comma is the
/// decimal sign, spreadsheets part cells at `;`, and some part them at tabs. Quotes are no part of the text to any reader.
const QUOTED: [char; 6] = [',', ';', '"', '\r', '\n', '\t'];

/// What makes a formula of a cell, in spreadsheets that read the wide forms of East Asia too.
const STARTS_FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// What may stand in a cell in quotes, and invisible characters that other readers understand.
const KEPT: [char; 7] = ['\t', '\n', '\r', '\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}'];

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut out = Vec::new();
        Row::new(&mut out).text(text).expect("a Vec takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        for (text, expected) in [
            ("", ""),
            ("plain text", "plain text"),
            ("a,b", "\"a,b\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            (" kept ", "\" kept \""),
            ("a;b", "\"a;b\""),
            // Excel takes a file that begins so for one of another format (SYLK).
            ("ID", "\"ID\""),
            ("id", "id"),
            ("nul\0 \x1b[31m\nred", "\"nul\u{fffd} \u{fffd}[31m\nred\""),
            ("\u{2028}\t", "\"\u{fffd}\t\""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }

    #[test]
    fn no_text_is_a_formula() {
        let befores = [
            "",
            " ",
            "  ",
            "\t",
            "\r",
            "\n",
            "\r\n",
            ";",
            "; ",
            ";;",
            "\u{a0}",
            "\u{3000}",
            "\u{feff}",
            "\u{200b}",
            "\u{200c}",
            "\u{200d}",
            "\u{2060}",
            "\u{ad}",
            "\u{200e}",
            "\u{202e}",
            "\0",
            "\u{feff} ;\u{200b}",
            " \t",
        ];
        for before in befores {
            for start in STARTS_FORMULA {
                let written = cell(&format!("{before}{start}cmd|' /C calc'!A0"));
                assert!(written.trim_start_matches('"').starts_with('\''), "{written:?}");
            }
        }
        for formula in [
            "-", "+", "=1", "=-1", "@1", "-1+1", "-1-1", "+1;2", "--1", "+-1", "-1e", "-e5", "-1e5e5", "-1e+-5",
            "-0x1F", "-inf", "-1 2", "-(1)", "-A1", "+49 170", "-1*2", "-1/2", "-1=1", "-%", "-1%%", "-,", "＋1",
        ] {
            let quote = if formula.contains([',', ';']) { "\"" } else { "" };
            assert_eq!(cell(formula), format!("{quote}'{formula}{quote}"), "{formula}");
        }
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("=\"a\",b"), "\"'=\"\"a\"\",b\"");
        assert_eq!(cell("a=1"), "a=1");
    }

    #[test]
    fn numbers_are_no_formulas() {
        for number in [
            "-94.9",
            "+1",
            "-1e5",
            "-1E+05",
            "+1.5e-7",
            "-.5",
            "+5.",
            "-0",
            "-5%",
            "+0.10000000000000000000001",
            "-123456789012345678901234567890",
        ] {
            assert_eq!(cell(number), number);
        }
        for grouped in ["-1,234.50", "-1.234,50", "-0,5"] {
            assert_eq!(cell(grouped), format!("\"{grouped}\""));
        }
        for (spaced, expected) in [(" -94.9", "\" -94.9\""), ("-1 ", "\"-1 \""), ("\u{feff}-1", "\u{feff}-1")] {
            assert_eq!(cell(spaced), expected);
        }
    }
}
