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
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula and runs it, quoted or not. Text that
//! begins so, or with a tab or a line break, has a `'` before it, which spreadsheets show as text. Numbers are as they are.
//! Control characters but tab and line breaks, which no row can hold, are shown as pictures.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

use super::columns::{COLUMNS, Cell};
use super::{Run, escape, json, masked};
use crate::outcome::Outcome;
use crate::redact::Redactor;

/// Writes the names and the results, in the order given. Use a buffered writer.
///
/// # Errors
/// What `out` returns.
pub fn write<'a, I>(out: &mut dyn Write, run: &Run, outcomes: I) -> io::Result<()>
where
    I: IntoIterator<Item = &'a Outcome, IntoIter: Clone>,
{
    let outcomes = outcomes.into_iter();
    let selected = selected(&mut outcomes.clone());
    let mut names = Row::new(out);
    for column in &COLUMNS {
        names.plain(column.key)?;
    }
    for name in &selected {
        names.text(&masked::text(&run.redactor, &format!("data.{name}")))?;
    }
    names.end()?;
    for outcome in outcomes {
        result(&mut Row::new(out), &run.redactor, outcome, &selected)?;
    }
    Ok(())
}

/// The names of all selected values.
fn selected<'a>(outcomes: &mut dyn Iterator<Item = &'a Outcome>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in outcomes.filter_map(|outcome| outcome.data.as_ref()).flat_map(|data| data.keys()) {
        if !names.contains(&&**name) {
            names.push(name);
        }
    }
    names
}

fn result(row: &mut Row<'_>, redactor: &Redactor, outcome: &Outcome, selected: &[&str]) -> io::Result<()> {
    for column in &COLUMNS {
        match (column.cell)(outcome) {
            Cell::Absent => row.plain(""),
            Cell::Ending(ending) => row.plain(ending.as_str()),
            Cell::Word(word) => row.plain(word),
            Cell::Text(text) => row.text(&masked::text(redactor, text)),
            Cell::File(path) => row.text(&masked::text(redactor, &json::portable(path))),
            Cell::Number(number) | Cell::Size(number) => row.plain(&number.to_string()),
            Cell::Time(time) => row.plain(&format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1000)),
            // Its kind and its phase have columns of their own.
            Cell::Failure(failure) => row.text(&masked::text(redactor, &failure.message)),
        }?;
    }
    for name in selected {
        match outcome.data.as_ref().and_then(|data| data.get(*name)) {
            None | Some(Value::Null) => row.plain(""),
            Some(Value::String(text)) => row.text(&redactor.redact(text)),
            Some(value) => {
                let mut json = Vec::new();
                escape::in_pieces(&mut json, |out| escape::json(out, &masked::part(redactor, value)))?;
                let json = String::from_utf8_lossy(&json);
                // What was hidden in a number is text.
                if value.is_number() && !json.starts_with('"') { row.plain(&json) } else { row.text(&json) }
            }
        }?;
    }
    row.end()
}

/// One row as its cells come.
struct Row<'w> {
    out: &'w mut dyn Write,
    empty: bool,
}

impl<'w> Row<'w> {
    fn new(out: &'w mut dyn Write) -> Row<'w> {
        Row { out, empty: true }
    }

    /// Writes what is known to need no care: words and numbers of ours.
    fn plain(&mut self, cell: &str) -> io::Result<()> {
        if !std::mem::take(&mut self.empty) {
            self.out.write_all(b",")?;
        }
        self.out.write_all(cell.as_bytes())
    }

    /// Writes text from elsewhere.
    fn text(&mut self, text: &str) -> io::Result<()> {
        self.plain("")?;
        let text = legible(text);
        let guard = if text.starts_with(STARTS_FORMULA) { "'" } else { "" };
        if text.contains([',', '"', '\r', '\n', '\t']) || text.trim() != text {
            write!(self.out, "\"{guard}{}\"", text.replace('"', "\"\""))
        } else {
            write!(self.out, "{guard}{text}")
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"\r\n")
    }
}

/// What makes a formula of a cell, in spreadsheets that read the wide forms of East Asia too.
const STARTS_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// The text with what a terminal or a reader of rows would take for a command as pictures, but for line breaks and tabs,
/// which may stand in quotes.
fn legible(text: &str) -> Cow<'_, str> {
    let kept = |c: char| matches!(c, '\r' | '\n' | '\t');
    if !text.contains(|c| escape::is_command(c) && !kept(c)) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if escape::is_command(c) && !kept(c) { escape::picture(c) } else { c }).collect()
}

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
            ("nul\0 \x1b[31m\nred", "\"nul␀ ␛[31m\nred\""),
            ("\u{2028}\t", "\"\u{fffd}\t\""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }

    #[test]
    fn no_text_is_a_formula() {
        for start in STARTS_FORMULA {
            let written = cell(&format!("{start}cmd|' /C calc'!A0"));
            assert!(written.trim_start_matches('"').starts_with('\''), "{written:?}");
        }
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("=\"a\",b"), "\"'=\"\"a\"\",b\"");
        assert_eq!(cell("a=1"), "a=1");
    }
}
