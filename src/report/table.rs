//! The report as a table for a terminal or a pipe, with a line of totals below.
//!
//! Columns line up by what a terminal shows: wide characters count twice, combining marks not at all. What a server
//! sent can neither colour the terminal nor break a row.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::columns::{Cell, Ending, TITLED as COLUMNS, TITLES};
use super::escape::{is_visible_ascii, visible};
use super::format::Style;
use super::{Run, masked};
use crate::outcome::{Failure, Outcome, Summary};
use crate::redact::Redactor;
use crate::units::{DisplaySize, write_number};

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
    let rows = Rows::new(&run.redactor, outcomes.clone());
    if !rows.rows.is_empty() {
        let widths = rows.widths(style.width);
        let mut line = String::new();
        let titles = COLUMNS.map(|column| Shown { text: column.title, width: column.title.width() });
        push_row(&mut line, style, &widths, titles, Some(BOLD));
        out.write_all(line.as_bytes())?;
        for row in rows.iter() {
            line.clear();
            push_row(&mut line, style, &widths, row, None);
            out.write_all(line.as_bytes())?;
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
    let mut line = String::new();
    push_painted(&mut line, style, Some(color), &summary_line(run, &summary));
    writeln!(out, "{line}")
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
        Time(run.elapsed),
        Time(Duration::from_millis(summary.slowest_ms)),
        Time(Duration::from_millis(summary.tax_ms)),
    )
}

/// A duration for people: `0.3 ms`, `812 ms`, `1.012 s`, `2 min 5 s`, `1 h 0 min`.
struct Time(Duration);

impl Time {
    fn write_to(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        // Numbers of 128 bits are written slowly, and nothing takes half a million years.
        let us = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX / 2);
        let ms = (us + 500) / 1000;
        let seconds = (us + 500_000) / 1_000_000;
        match (us, ms, seconds) {
            (0, ..) => f.write_str("0 ms"),
            (1..950, ..) => {
                f.write_str("0.")?;
                write_number(f, ((us + 50) / 100).max(1))?;
                f.write_str(" ms")
            }
            (_, ..1000, _) => {
                write_number(f, ms)?;
                f.write_str(" ms")
            }
            (_, ..60_000, _) => write!(f, "{}.{:03} s", ms / 1000, ms % 1000),
            (.., ..3600) => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// The cells of the rows as text, without colours.
struct Rows<'a> {
    rows: Vec<[Kept<'a>; COLUMNS.len()]>,
    /// What had to be made for cells, one after the other: a string for each would be three for every row.
    made: String,
    /// The width of the widest cell of each column.
    widest: [usize; COLUMNS.len()],
}

/// A cell until its row is written.
#[derive(Clone, Copy)]
struct Kept<'a> {
    text: Text<'a>,
    /// How many columns of a terminal it takes.
    width: usize,
}

#[derive(Clone, Copy)]
enum Text<'a> {
    /// Of an outcome, or ours.
    Lent(&'a str),
    /// The next so many bytes of [`Rows::made`].
    Made(usize),
}

/// A cell as it is written.
#[derive(Clone, Copy)]
struct Shown<'a> {
    text: &'a str,
    /// How many columns of a terminal it takes.
    width: usize,
}

impl<'a> Rows<'a> {
    fn new(redactor: &Redactor, outcomes: impl Iterator<Item = &'a Outcome>) -> Rows<'a> {
        let mut made = String::new();
        let mut widest = [0; COLUMNS.len()];
        let rows = outcomes.map(|outcome| {
            let mut row = [Kept { text: Text::Made(0), width: 0 }; COLUMNS.len()];
            for ((kept, column), widest) in row.iter_mut().zip(&COLUMNS).zip(&mut widest) {
                let before = made.len();
                let mut lent = None;
                // To write to a string cannot fail.
                let _ = match (column.cell)(outcome) {
                    Cell::Absent => lend(&mut lent, if column.quantity { "-" } else { "" }),
                    Cell::Ending(ending) => lend(&mut lent, ending.as_str()),
                    Cell::Word(word) => lend(&mut lent, word),
                    Cell::Text(text) => match masked::text(redactor, text) {
                        Cow::Borrowed(text) => match visible(text) {
                            Cow::Borrowed(text) => lend(&mut lent, text),
                            Cow::Owned(text) => made.write_str(&text),
                        },
                        Cow::Owned(text) => made.write_str(&visible(&text)),
                    },
                    Cell::File(path) => made.write_str(&visible(&masked::text(redactor, &path.to_string_lossy()))),
                    Cell::Number(number) => write_number(&mut made, number),
                    Cell::Size(bytes) => DisplaySize(bytes).write_to(&mut made),
                    Cell::Time(duration) => Time(duration).write_to(&mut made),
                    Cell::Failure(failure) => made.write_str(&describe(redactor, failure)),
                };
                let made = &made[before..];
                kept.text = lent.map_or(Text::Made(made.len()), Text::Lent);
                kept.width = width_of(lent.unwrap_or(made));
                *widest = (*widest).max(kept.width);
            }
            row
        });
        let rows = rows.collect();
        Rows { rows, made, widest }
    }

    fn iter(&self) -> impl Iterator<Item = [Shown<'_>; COLUMNS.len()]> {
        let mut rest = self.made.as_str();
        self.rows.iter().map(move |row| {
            row.map(|kept| {
                let text = match kept.text {
                    Text::Lent(text) => text,
                    Text::Made(length) => {
                        let (text, after) = rest.split_at(length);
                        rest = after;
                        text
                    }
                };
                Shown { text, width: kept.width }
            })
        })
    }

    /// The width of each column; 0 for one that is empty.
    fn widths(&self, limit: Option<usize>) -> [usize; COLUMNS.len()] {
        let mut widths = self.widest;
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
}

fn lend<'a>(lent: &mut Option<&'a str>, text: &'a str) -> fmt::Result {
    *lent = Some(text);
    Ok(())
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

fn push_row(
    line: &mut String,
    style: &Style,
    widths: &[usize; COLUMNS.len()],
    cells: [Shown<'_>; COLUMNS.len()],
    color: Option<&str>,
) {
    let mut gap = 0;
    for ((column, cell), width) in COLUMNS.iter().zip(cells).zip(widths).filter(|(_, width)| **width > 0) {
        let cut = (cell.width > *width).then(|| cut(cell.text, *width));
        let (text, used) = cut.as_deref().map_or((cell.text, cell.width), |cut| (cut, width_of(cut)));
        let space = width.saturating_sub(used);
        // Space is only written before something, so that no row ends in it.
        let (before, after) = if column.quantity { (gap + space, 0) } else { (gap, space) };
        gap = GAP + after;
        if text.is_empty() {
            gap += before;
            continue;
        }
        push_spaces(line, before);
        match style.color {
            true => {
                let ending = || ending_color(text).filter(|_| column.title == COLUMNS[0].title);
                push_painted(line, style, color.or_else(ending), text);
            }
            false => line.push_str(text),
        }
    }
    line.push('\n');
}

fn push_spaces(line: &mut String, mut number: usize) {
    const SPACES: &str = "                                ";
    while number > 0 {
        let now = number.min(SPACES.len());
        line.push_str(&SPACES[..now]);
        number -= now;
    }
}

/// How many columns of a terminal a text takes.
fn width_of(text: &str) -> usize {
    if is_visible_ascii(text) { text.len() } else { text.width() }
}

/// The errors that had no room in the table, whole, under the names of their jobs: why a job failed is what a reader of
/// the table wants to know most.
fn write_cut_errors(out: &mut dyn Write, rows: &Rows<'_>, widths: &[usize; COLUMNS.len()]) -> io::Result<()> {
    let [_, name, .., error]: [usize; TITLES] = std::array::from_fn(|column| column);
    let mut any = false;
    if rows.widest[error] <= widths[error] {
        return Ok(());
    }
    for row in rows.iter().filter(|row| row[error].width > widths[error]) {
        writeln!(out, "{}: {}", row[name].text, row[error].text)?;
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

fn push_painted(line: &mut String, style: &Style, color: Option<&str>, text: &str) {
    match color.filter(|_| style.color) {
        Some(color) => {
            for part in [color, text, PLAIN] {
                line.push_str(part);
            }
        }
        None => line.push_str(text),
    }
}

/// The text, cut to this width with `…` at its end where it is longer.
fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
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
    format!("{}…", text[..end].trim_end())
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
            assert_eq!(Time(Duration::from_micros(us)).to_string(), text, "{us}");
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
