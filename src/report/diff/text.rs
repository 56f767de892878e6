//! The differences for people: a line each, as `diff` has them.

use std::borrow::Cow;
use std::io::{self, Write};

use super::super::style::Style;
use super::super::text_width::cut;
use super::content_places::PlaceDiff;
use super::result_diff::{DiffSide, ResultDiff};
use super::source_diff::{SourceChange, SourceDiff, SourceEnd};
use super::table_diff::TableDiff;
use crate::http::printable;
use crate::rows::Cell;

/// The most places of one content that are shown.
const MOST_PLACES: usize = 3;
/// The longest text of a cell, in columns of a terminal.
const LONGEST: usize = 80;

/// What a line tells of.
#[derive(Clone, Copy)]
enum Mark {
    Appeared,
    Gone,
    Changed,
}

impl ResultDiff {
    /// Writes a line for each thing that differs: `+` for what appeared, `-` for what is gone, `~` for what is another.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write_text(&self, out: &mut dyn Write, style: &Style) -> io::Result<()> {
        for (name, side) in [("old", &self.old), ("new", &self.new)] {
            writeln!(out, "{name}  {}", printable(&described(side), &[]))?;
        }
        out.write_all(b"\n")?;
        for source in &self.sources {
            write_source(out, style, source)?;
        }
        if !self.sources.is_empty() {
            out.write_all(b"\n")?;
        }
        for table in &self.tables {
            write_table(out, style, table)?;
            out.write_all(b"\n")?;
        }
        writeln!(out, "{}", self.totals())?;
        for note in &self.notes {
            writeln!(out, "! {}", printable(note, &[]))?;
        }
        Ok(())
    }

    /// How much differs, in one line.
    fn totals(&self) -> String {
        if self.is_empty() {
            return "nothing differs".to_owned();
        }
        let has =
            |what: fn(&SourceChange) -> bool| self.sources.iter().filter(|one| one.changes.iter().any(what)).count();
        let counts = [
            (has(|it| matches!(it, SourceChange::Appeared { .. })), "appeared"),
            (has(|it| matches!(it, SourceChange::Gone { .. })), "gone"),
            (has(|it| matches!(it, SourceChange::Status { .. })), "with another status"),
            (has(|it| matches!(it, SourceChange::Value { .. })), "with other values"),
            (has(|it| matches!(it, SourceChange::Content { .. })), "with other content"),
            (has(|it| matches!(it, SourceChange::Time { .. })), "with another time"),
        ];
        // Those of both results.
        let all = self.new.total + counts[1].0;
        let mut parts = vec![format!("{} of {all} sources differ", self.sources.len())];
        parts.extend(counted(&counts));
        let sum = |count: fn(&TableDiff) -> usize| self.tables.iter().map(count).sum::<usize>();
        let rows = [
            (sum(|table| table.appeared.len()), "appeared"),
            (sum(|table| table.gone.len()), "gone"),
            (sum(|table| table.changed.len()), "changed"),
        ];
        let rows: Vec<String> = counted(&rows).collect();
        let mut text = parts.join(", ");
        if !rows.is_empty() {
            text.push_str(&format!("; rows: {}", rows.join(", ")));
        }
        text
    }
}

fn counted<'a>(counts: &'a [(usize, &'a str)]) -> impl Iterator<Item = String> + 'a {
    counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"))
}

fn described(side: &DiffSide) -> String {
    let started = side.started.as_deref().map(|started| format!(", {started}")).unwrap_or_default();
    let DiffSide { result, total, ok, .. } = side;
    let sources = if *total == 1 { "source" } else { "sources" };
    format!("{result}{started}, {total} {sources}, {ok} ok")
}

fn write_source(out: &mut dyn Write, style: &Style, source: &SourceDiff) -> io::Result<()> {
    let name = &source.name;
    for change in &source.changes {
        let (mark, text) = match change {
            SourceChange::Appeared { new } => (Mark::Appeared, format!("{name}: {}", end(new))),
            SourceChange::Gone { old } => (Mark::Gone, format!("{name}: {}", end(old))),
            SourceChange::Status { old, new } => (Mark::Changed, format!("{name}: {} -> {}", end(old), end(new))),
            SourceChange::Value { name: value, old, new } => {
                (Mark::Changed, format!("{name}: {value} {}", step(old.as_ref(), new.as_ref())))
            }
            SourceChange::Content { old_bytes, new_bytes, places, more } => {
                let what = content(*old_bytes, *new_bytes, places, *more);
                (Mark::Changed, format!("{name}: content {what}"))
            }
            SourceChange::Time { old_ms, new_ms } => {
                let (times, word) =
                    if new_ms > old_ms { (new_ms / old_ms, "as long") } else { (old_ms / new_ms, "as fast") };
                let times = if times.is_finite() { format!(", {times:.1} times {word}") } else { String::new() };
                (Mark::Changed, format!("{name}: time {old_ms:.0} ms -> {new_ms:.0} ms{times}"))
            }
        };
        line(out, style, mark, &text)?;
    }
    Ok(())
}

fn end(end: &SourceEnd) -> String {
    match (&end.error, end.status) {
        (None, Some(status)) => format!("ok ({status})"),
        (None, None) => "ok".to_owned(),
        // Of a status that is not accepted, the message begins with it.
        (Some(error), Some(status)) if !error.starts_with(&status.to_string()) => {
            format!("failed ({status}, {})", cut(error, LONGEST))
        }
        (Some(error), _) => format!("failed ({})", cut(error, LONGEST)),
    }
}

fn content(old: Option<u64>, new: Option<u64>, places: &[PlaceDiff], more: usize) -> String {
    let bytes = |bytes: Option<u64>| bytes.map_or("none".to_owned(), |bytes| format!("{bytes} B"));
    if places.is_empty() {
        return format!("{} -> {}", bytes(old), bytes(new));
    }
    let at = |place: &PlaceDiff| if place.at.is_empty() { "all of it".into() } else { cut(&place.at, LONGEST) };
    let shown = |place: &PlaceDiff| match (&place.old, &place.new) {
        (None, None) => at(place),
        (old, new) => format!("{} {}", at(place), step(old.as_ref(), new.as_ref())),
    };
    let mut texts: Vec<String> = places.iter().take(MOST_PLACES).map(shown).collect();
    let more = more + places.len().saturating_sub(MOST_PLACES);
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts.join(", ")
}

fn write_table(out: &mut dyn Write, style: &Style, table: &TableDiff) -> io::Result<()> {
    let TableDiff { name, key, columns, appeared, gone, changed, .. } = table;
    let by = if key.is_empty() { ", rows as a whole".to_owned() } else { format!(", by {}", key.join(", ")) };
    heading(out, style, &format!("{name}{by}"))?;
    for (mark, columns) in [(Mark::Appeared, &table.appeared_columns), (Mark::Gone, &table.gone_columns)] {
        for column in columns {
            line(out, style, mark, &format!("column {column}"))?;
        }
    }
    for (mark, rows) in [(Mark::Appeared, appeared), (Mark::Gone, gone)] {
        for row in rows {
            let cells: Vec<String> = columns
                .iter()
                .zip(row)
                .filter(|(_, cell)| !cell.is_null())
                .map(|(column, cell)| format!("{column} {}", shown(Some(cell))))
                .collect();
            line(out, style, mark, &cells.join(", "))?;
        }
    }
    for row in changed {
        let key: Vec<Cow<'_, str>> = row.key.iter().map(|cell| shown(Some(cell))).collect();
        let cells: Vec<String> = row
            .cells
            .iter()
            .map(|cell| format!("{} {}", cell.column, step(Some(&cell.old), Some(&cell.new))))
            .collect();
        line(out, style, Mark::Changed, &format!("{}: {}", key.join(", "), cells.join(", ")))?;
    }
    Ok(())
}

fn step(old: Option<&Cell>, new: Option<&Cell>) -> String {
    format!("{} -> {}", shown(old), shown(new))
}

/// A cell on one line. A text that could be taken for something else stands in quotes.
fn shown(cell: Option<&Cell>) -> Cow<'_, str> {
    let text: Cow<'_, str> = match cell {
        None => "nothing".into(),
        Some(Cell::Text(text)) if is_plain(text) => Cow::Borrowed(text),
        Some(cell) => cell.to_json(),
    };
    cut(&text, LONGEST).into()
}

fn is_plain(text: &str) -> bool {
    let is_word = !text.is_empty() && text.trim() == text && !text.contains(['"', ',', '\n']) && !text.contains("->");
    is_word && text != "nothing" && Cell::from_json(text).is_none()
}

fn heading(out: &mut dyn Write, style: &Style, text: &str) -> io::Result<()> {
    let text = printable(text, &[]);
    if style.color { writeln!(out, "\x1b[1m{text}\x1b[0m") } else { writeln!(out, "{text}") }
}

fn line(out: &mut dyn Write, style: &Style, mark: Mark, text: &str) -> io::Result<()> {
    let (mark, color) = match mark {
        Mark::Appeared => ('+', 32),
        Mark::Gone => ('-', 31),
        Mark::Changed => ('~', 33),
    };
    let text = printable(text, &[]);
    let text = match style.width.now() {
        Some(width) => Cow::Owned(cut(&text, width.saturating_sub(2).max(40))),
        None => text,
    };
    if style.color { writeln!(out, "\x1b[{color}m{mark}\x1b[0m {text}") } else { writeln!(out, "{mark} {text}") }
}
