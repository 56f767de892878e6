//! The report as a table for a terminal or a pipe, with a line of totals below.
//!
//! Columns line up by what a terminal shows: wide characters count twice, combining marks not at all. What a server
//! sent can neither colour the terminal nor break a row.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::columns::{Cell, Ending, TITLED as COLUMNS, TITLES};
use super::escape::{is_visible_ascii, visible};
use super::format::Style;
use super::{Run, masked};
use crate::outcome::{Failure, Outcome, Summary};
use crate::redact::Redactor;
use crate::units::DisplaySize;

/// Writes the table, results in the order given, and the totals. Use a buffered writer.
///
/// A row is at most as wide as the style says, unless that is less than the short columns need. Errors that are cut for
/// that stand whole below the table.
///
/// # Errors
/// What `out` returns.
pub fn write<'a, I>(out: &mut dyn Write, run: &Run, style: &Style, outcomes: I) -> io::Result<()>
where
    I: IntoIterator<Item = &'a Outcome, IntoIter: Clone>,
{
    let outcomes = outcomes.into_iter();
    let rows: Vec<Row<'_>> = outcomes.clone().map(|outcome| Row::new(&run.redactor, outcome)).collect();
    if !rows.is_empty() {
        let widths = widths(&rows, style.width);
        write_row(out, style, &widths, &COLUMNS.map(|column| Cow::Borrowed(column.title)), Some(BOLD))?;
        for row in &rows {
            write_row(out, style, &widths, &row.cells, None)?;
        }
        out.write_all(b"\n")?;
        write_cut_errors(out, &rows, &widths)?;
    }
    let summary = run.summary(outcomes);
    let color = match (run.interrupted, summary.failed) {
        (true, _) => YELLOW,
        (_, 0) => GREEN,
        _ => RED,
    };
    let line = summary_line(run, &summary);
    writeln!(out, "{}", painted(style, Some(color), &line))
}

/// The totals on one line: `50 sources: 48 ok, 2 failed, 3 retries, 53 attempts, 50 KiB in 1.012 s (slowest 1.004 s,
/// tax 8 ms)`. Of a run that was interrupted it says so first.
pub fn summary_line(run: &Run, summary: &Summary) -> String {
    let count = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    format!(
        "{}{}: {} ok, {} failed, {}, {}, {} in {} (slowest {}, tax {})",
        if run.interrupted { "interrupted; " } else { "" },
        count(summary.total, "source", "sources"),
        summary.ok,
        summary.failed,
        count(summary.retried, "retry", "retries"),
        count(summary.attempts, "attempt", "attempts"),
        DisplaySize(summary.bytes),
        time(run.elapsed),
        time(Duration::from_millis(summary.slowest_ms)),
        time(Duration::from_millis(summary.tax_ms)),
    )
}

/// A duration for people: `0.3 ms`, `812 ms`, `1.012 s`, `2 min 5 s`, `1 h 0 min`.
fn time(duration: Duration) -> String {
    let us = duration.as_micros();
    let ms = (us + 500) / 1000;
    let seconds = (us + 500_000) / 1_000_000;
    match (us, ms, seconds) {
        (0, ..) => "0 ms".to_owned(),
        (1..950, ..) => format!("0.{} ms", ((us + 50) / 100).max(1)),
        (_, ..1000, _) => format!("{ms} ms"),
        (_, ..60_000, _) => format!("{}.{:03} s", ms / 1000, ms % 1000),
        (.., ..3600) => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The cells of a row as text, without colours.
struct Row<'a> {
    cells: [Cow<'a, str>; COLUMNS.len()],
}

impl<'a> Row<'a> {
    fn new(redactor: &Redactor, outcome: &'a Outcome) -> Row<'a> {
        let cells = COLUMNS.each_ref().map(|column| match (column.cell)(outcome) {
            Cell::Absent if column.quantity => Cow::Borrowed("-"),
            Cell::Absent => Cow::Borrowed(""),
            Cell::Ending(ending) => Cow::Borrowed(ending.as_str()),
            Cell::Word(word) => Cow::Borrowed(word),
            Cell::File(path) => Cow::Owned(visible(&masked::text(redactor, &path.to_string_lossy())).into_owned()),
            Cell::Text(text) => match masked::text(redactor, text) {
                Cow::Borrowed(text) => visible(text),
                Cow::Owned(text) => Cow::Owned(visible(&text).into_owned()),
            },
            Cell::Number(number) => Cow::Owned(number.to_string()),
            Cell::Size(bytes) => Cow::Owned(DisplaySize(bytes).to_string()),
            Cell::Time(duration) => Cow::Owned(time(duration)),
            Cell::Failure(failure) => Cow::Owned(describe(redactor, failure)),
        });
        Row { cells }
    }
}

/// Kind, phase and message: `timeout (connect): no answer within 10s`. A phase of the same name as the kind goes without
/// saying.
fn describe(redactor: &Redactor, failure: &Failure) -> String {
    let failure = masked::failure(redactor, failure);
    let phase = failure.phase.filter(|phase| phase.as_str() != failure.kind.as_str());
    let phase = phase.map(|phase| format!(" ({phase})")).unwrap_or_default();
    let retry = failure.retry_at.as_deref().map(|at| format!("; retry at {at}")).unwrap_or_default();
    visible(&format!("{}{phase}: {}{retry}", failure.kind, failure.message)).into_owned()
}

/// The width of each column; 0 for one that is empty.
fn widths(rows: &[Row<'_>], limit: Option<usize>) -> [usize; COLUMNS.len()] {
    let mut widths = [0; COLUMNS.len()];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(width_of(cell));
        }
    }
    for (width, column) in widths.iter_mut().zip(&COLUMNS) {
        if *width > 0 {
            *width = (*width).max(column.title.width());
        }
    }
    if let Some(limit) = limit {
        narrow(&mut widths, limit);
    }
    widths
}

/// Takes from the long columns what a row has too much, the widest first, until they are equal or all fits.
fn narrow(widths: &mut [usize; COLUMNS.len()], limit: usize) {
    let shown = widths.iter().filter(|width| **width > 0).count();
    let fixed: usize = widths.iter().zip(&COLUMNS).filter(|(_, column)| !column.long).map(|(width, _)| width).sum();
    let mut room = limit.saturating_sub(fixed + GAP * shown.saturating_sub(1));
    let mut long: Vec<&mut usize> =
        widths.iter_mut().zip(&COLUMNS).filter(|(width, column)| column.long && **width > 0).map(|(w, _)| w).collect();
    long.sort();
    let mut left = long.len();
    for width in long {
        // What a short one does not need goes to the longer ones after it.
        *width = (*width).min((room / left).max(LEAST_LONG));
        room = room.saturating_sub(*width);
        left -= 1;
    }
}

fn write_row(
    out: &mut dyn Write,
    style: &Style,
    widths: &[usize; COLUMNS.len()],
    cells: &[Cow<'_, str>; COLUMNS.len()],
    color: Option<&str>,
) -> io::Result<()> {
    let mut gap = 0;
    for ((column, cell), width) in COLUMNS.iter().zip(cells).zip(widths).filter(|(_, width)| **width > 0) {
        let cell = cut(cell, *width);
        let space = width.saturating_sub(width_of(&cell));
        // Space is only written before something, so that no row ends in it.
        let (before, after) = if column.quantity { (gap + space, 0) } else { (gap, space) };
        gap = GAP + after;
        if cell.is_empty() {
            gap += before;
            continue;
        }
        let color = color.or_else(|| ending_color(&cell).filter(|_| column.title == COLUMNS[0].title));
        write_spaces(out, before)?;
        out.write_all(painted(style, color, &cell).as_bytes())?;
    }
    out.write_all(b"\n")
}

fn write_spaces(out: &mut dyn Write, mut number: usize) -> io::Result<()> {
    const SPACES: [u8; 64] = [b' '; 64];
    while number > 0 {
        let now = number.min(SPACES.len());
        out.write_all(&SPACES[..now])?;
        number -= now;
    }
    Ok(())
}

/// How many columns of a terminal a text takes.
fn width_of(text: &str) -> usize {
    if is_visible_ascii(text) { text.len() } else { text.width() }
}

/// The errors that had no room in the table, whole, under the names of their jobs: why a job failed is what a reader of
/// the table wants to know most.
fn write_cut_errors(out: &mut dyn Write, rows: &[Row<'_>], widths: &[usize; COLUMNS.len()]) -> io::Result<()> {
    let [_, name, .., error]: [usize; TITLES] = std::array::from_fn(|column| column);
    let mut any = false;
    for row in rows.iter().filter(|row| width_of(&row.cells[error]) > widths[error]) {
        writeln!(out, "{}: {}", row.cells[name], row.cells[error])?;
        any = true;
    }
    if any { out.write_all(b"\n") } else { Ok(()) }
}

fn ending_color(word: &str) -> Option<&'static str> {
    match word {
        word if word == Ending::Ok.as_str() => Some(GREEN),
        word if word == Ending::Failed.as_str() => Some(RED),
        _ => Some(YELLOW),
    }
}

fn painted<'a>(style: &Style, color: Option<&str>, text: &'a str) -> Cow<'a, str> {
    match color {
        Some(color) if style.color => format!("{color}{text}{PLAIN}").into(),
        _ => text.into(),
    }
}

/// The text, cut to this width with `…` at its end where it is longer.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if width_of(text) <= width {
        return text.into();
    }
    let mut end = 0;
    let mut used = 1;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        end = at + c.len_utf8();
    }
    // Some sequences are wider than their characters one by one.
    while text[..end].width() >= width {
        match text[..end].char_indices().next_back() {
            Some((at, _)) => end = at,
            None => break,
        }
    }
    format!("{}…", text[..end].trim_end()).into()
}

const GAP: usize = 2;
/// Below this a cut cell says nothing.
const LEAST_LONG: usize = 8;

const PLAIN: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        for (us, text) in [
            (0, "0 ms"),
            (1, "0.1 ms"),
            (349, "0.3 ms"),
            (949, "0.9 ms"),
            (950, "1 ms"),
            (999_499, "999 ms"),
            (999_500, "1.000 s"),
            (1_012_000, "1.012 s"),
            (59_999_499, "59.999 s"),
            (59_999_500, "1 min 0 s"),
            (3_599_499_999, "59 min 59 s"),
            (3_599_999_999, "1 h 0 min"),
            (90_000_000_000, "25 h 0 min"),
        ] {
            assert_eq!(time(Duration::from_micros(us)), text, "{us}");
        }
    }

    #[test]
    fn cutting_counts_what_is_shown() {
        assert_eq!(cut("weather", 7), "weather");
        assert_eq!(cut("weather", 6), "weath…");
        assert_eq!(cut("東京都庁", 5), "東京…");
        assert_eq!(cut("東京都庁", 6), "東京…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("a bcd", 3), "a…");
        for width in 1..12 {
            for text in [
                "☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}",
                "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦",
                "東京東京東京東京",
                "\u{301}\u{301}abcdefghijklmnop",
            ] {
                assert!(cut(text, width).width() <= width, "{text} at {width}");
            }
        }
    }

    #[test]
    fn room_is_shared_between_long_columns() {
        let narrowed = |name: usize, error: usize, limit: usize| {
            let mut widths = [6, name, 6, 8, 8, 5, error];
            narrow(&mut widths, limit);
            (widths[1], widths[6])
        };
        // The short columns and the gaps take 45.
        assert_eq!(narrowed(20, 30, 95), (20, 30));
        assert_eq!(narrowed(10, 90, 95), (10, 40));
        assert_eq!(narrowed(90, 10, 95), (40, 10));
        assert_eq!(narrowed(90, 90, 95), (25, 25));
        assert_eq!(narrowed(90, 90, 10), (8, 8));
        assert_eq!(narrowed(90, 0, 83), (40, 0));
    }
}
