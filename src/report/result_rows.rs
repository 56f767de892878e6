//! The results as rows of text: what is known of each source, and behind its name the values that `select` took. Columns
//! are left out and cut so that a row fits into the window.

use std::borrow::Cow;
use std::io::{self, Write};

use super::cell_words::{RoundedDuration, describe, describe_stale, ending_color, push_painted};
use super::columns::{Column, ShownValue, titled, value_names};
use super::run_info::RunInfo;
use super::text_tables::{MOST, one_line};
use super::text_width::{cut, cut_middle, width_of};
use super::{redacted, shown};
use crate::http::printable;
use crate::outcome::Outcome;
use crate::redact::Redactor;
use crate::rows::Cell;
use crate::units::DisplaySize;

/// The rows of a table of results.
pub(super) struct ResultRows<'a> {
    columns: Vec<TextColumn<'a>>,
    rows: Vec<Vec<CellText<'a>>>,
    /// Values that have no column because none would fit.
    omitted: Vec<Cow<'a, str>>,
    /// Values that were asked for and that no source has.
    unknown: Vec<Cow<'a, str>>,
    limit: Option<usize>,
}

/// A column of this table.
struct TextColumn<'a> {
    from: CellSource<'a>,
    title: Cow<'a, str>,
    quantity: bool,
    /// The narrowest that it gets, if its cells may be cut.
    least: Option<usize>,
    /// How wide it is; 0 if it is left out.
    width: usize,
}

/// Where the cells of a column come from.
#[derive(Clone, Copy)]
enum CellSource<'a> {
    Result(&'static Column),
    Value(&'a str),
}

/// A cell as it is written.
struct CellText<'a> {
    text: Cow<'a, str>,
    /// How many columns of a terminal it takes.
    width: usize,
}

impl<'a> CellText<'a> {
    fn new(text: Cow<'a, str>) -> CellText<'a> {
        let width = width_of(&text);
        CellText { text, width }
    }
}

impl<'a> ResultRows<'a> {
    /// The rows of these results, at most so wide if there is a limit, with columns for the values of these names. Without
    /// names every value has one, if no source has rows.
    pub(super) fn new(
        run: &'a RunInfo,
        outcomes: &'a [Outcome],
        values: Option<&'a [Box<str>]>,
        limit: Option<usize>,
    ) -> ResultRows<'a> {
        let redactor = &run.redactor;
        let known = value_names(outcomes);
        let has_rows = !run.tables.is_empty() || outcomes.iter().any(|it| it.table.is_some() || !it.rows.is_empty());
        let (values, unknown): (Vec<&str>, Vec<&str>) = match values {
            Some(names) => names.iter().map(|name| &**name).partition(|name| known.contains(name)),
            None if has_rows => (Vec::new(), Vec::new()),
            None => (known, Vec::new()),
        };
        let mut columns: Vec<TextColumn<'_>> = titled().map(TextColumn::of_results).collect();
        let place = columns.iter().position(TextColumn::is_name).map_or(0, |name| name + 1);
        columns.splice(place..place, values.iter().map(|name| TextColumn::of_value(redactor, name, outcomes)));
        let rows: Vec<Vec<CellText<'_>>> = outcomes
            .iter()
            .map(|outcome| columns.iter().map(|column| CellText::new(column.cell(redactor, outcome))).collect())
            .collect();
        for (at, column) in columns.iter_mut().enumerate() {
            let widest = rows.iter().map(|row| row[at].width).max().unwrap_or(0);
            column.width = match column.from {
                CellSource::Result(_) if widest == 0 => 0,
                CellSource::Result(_) => widest.max(width_of(&column.title)),
                CellSource::Value(_) => widest.min(MOST).max(width_of(&column.title)),
            };
        }
        let mut omitted = Vec::new();
        if let Some(limit) = limit {
            leave_out(&mut columns, limit);
            narrow(&mut columns, limit);
            omitted.extend(columns.iter().filter(|it| it.is_value() && it.width == 0).map(|it| it.title.clone()));
        }
        let unknown = unknown.into_iter().map(|name| one_line(redacted::text(redactor, name))).collect();
        ResultRows { columns, rows, omitted, unknown, limit }
    }

    /// Adds the line of titles.
    pub(super) fn push_titles(&self, line: &mut String, paints: bool) {
        let titles = self.columns.iter().map(|column| (&*column.title, width_of(&column.title)));
        self.push(line, titles, |_, _| Some(BOLD).filter(|_| paints));
    }

    /// Adds the row of this number.
    pub(super) fn push_row(&self, line: &mut String, paints: bool, row: usize) {
        let cells = self.rows[row].iter().map(|cell| (&*cell.text, cell.width));
        self.push(line, cells, |column, text| ending_color(text).filter(|_| paints && column == 0));
    }

    fn push<'t>(
        &self,
        line: &mut String,
        cells: impl Iterator<Item = (&'t str, usize)>,
        color: impl Fn(usize, &str) -> Option<&'static str>,
    ) {
        let mut gap = 0;
        for (at, (column, (text, width))) in self.columns.iter().zip(cells).enumerate() {
            if column.width == 0 {
                continue;
            }
            let shorten = if column.is_name() { cut_middle } else { cut };
            let cut = (width > column.width).then(|| shorten(text, column.width));
            let (text, used) = cut.as_deref().map_or((text, width), |cut| (cut, width_of(cut)));
            let space = column.width.saturating_sub(used);
            // Space is written only before text, so that no row ends in it.
            let (before, after) = if column.quantity { (gap + space, 0) } else { (gap, space) };
            gap = GAP + after;
            if text.is_empty() {
                gap += before;
                continue;
            }
            line.extend(std::iter::repeat_n(' ', before));
            push_painted(line, true, color(at, text), text);
        }
        line.push('\n');
    }

    /// Writes what the table does not show: values without a column, and whole what failed and was cut, its name or its
    /// error.
    pub(super) fn write_notes(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut any = false;
        let count = self.omitted.len();
        let more = format!("{count} more {}, --columns picks", if count == 1 { "value" } else { "values" });
        for (names, what) in [(&self.omitted, &*more), (&self.unknown, "no source has a value")] {
            if !names.is_empty() {
                let line = format!("{what}: {}", names.join(", "));
                writeln!(out, "{}", self.limit.map_or(line.clone(), |limit| cut(&line, limit)))?;
                any = true;
            }
        }
        let name = self.columns.iter().position(TextColumn::is_name).unwrap_or_default();
        let error = self.columns.len() - 1;
        let is_cut = |row: &&Vec<CellText<'_>>| {
            let cut = |at: usize| row[at].width > self.columns[at].width;
            cut(error) || (row[error].width > 0 && cut(name))
        };
        for row in self.rows.iter().filter(is_cut) {
            writeln!(out, "{}: {}", row[name].text, row[error].text)?;
            any = true;
        }
        if any { out.write_all(b"\n") } else { Ok(()) }
    }
}

impl<'a> TextColumn<'a> {
    fn of_results(column: &'static Column) -> TextColumn<'a> {
        let least = column.long.then_some(LEAST_LONG);
        let (title, quantity) = (column.title.into(), column.quantity);
        TextColumn { from: CellSource::Result(column), title, quantity, least, width: 0 }
    }

    fn of_value(redactor: &Redactor, name: &'a str, outcomes: &[Outcome]) -> TextColumn<'a> {
        let values = outcomes.iter().filter_map(|outcome| outcome.data.as_ref()?.get(name));
        let mut values = values.filter(|value| !value.is_null()).peekable();
        let quantity = values.peek().is_some() && values.all(|value| matches!(value, Cell::Number(_)));
        let title = one_line(redacted::text(redactor, name));
        let least = (!quantity).then_some(LEAST_VALUE);
        TextColumn { from: CellSource::Value(name), title, quantity, least, width: 0 }
    }

    fn is_name(&self) -> bool {
        matches!(self.from, CellSource::Result(column) if column.title == "NAME")
    }

    fn is_value(&self) -> bool {
        matches!(self.from, CellSource::Value(_))
    }

    /// The narrowest that it gets.
    fn least(&self) -> usize {
        self.least.map_or(self.width, |least| self.width.min(least))
    }

    /// What stands in the cell of this outcome.
    fn cell(&self, redactor: &Redactor, outcome: &'a Outcome) -> Cow<'a, str> {
        match self.from {
            CellSource::Result(column) => cell_text(redactor, column, outcome),
            CellSource::Value(name) => {
                let value = outcome.data.as_ref().and_then(|data| data.get(name));
                value.map_or("".into(), |value| one_line(shown::cell(redactor, value)))
            }
        }
    }
}

/// What stands in a cell of the results.
fn cell_text<'a>(redactor: &Redactor, column: &Column, outcome: &'a Outcome) -> Cow<'a, str> {
    match (column.cell)(outcome) {
        ShownValue::Absent => if column.quantity { "-" } else { "" }.into(),
        ShownValue::Ending(ending) => ending.as_str().into(),
        ShownValue::Word(word) => word.into(),
        ShownValue::Text(text) => one_line(redacted::text(redactor, text)),
        ShownValue::File(path) => {
            printable(&redacted::text(redactor, &path.to_string_lossy()), &[]).into_owned().into()
        }
        ShownValue::Number(number) => number.to_string().into(),
        ShownValue::Size(bytes) => DisplaySize(bytes).to_string().into(),
        ShownValue::Duration(duration) => RoundedDuration(duration).to_string().into(),
        ShownValue::Failure(failure) => describe(redactor, failure).into(),
        ShownValue::Stale(stale) => describe_stale(redactor, stale).into(),
    }
}

/// Leaves out columns, those that matter least first, until a row fits with its long columns at their narrowest: what the
/// run has measured, then values from the last one on.
fn leave_out(columns: &mut [TextColumn<'_>], limit: usize) {
    let has_values = columns.iter().any(TextColumn::is_value);
    let measured = ["SIZE", "TRIES", "TIME"].into_iter().chain(has_values.then_some("STATUS"));
    let find = |title| columns.iter().position(|column| !column.is_value() && column.title == title);
    let values = (0..columns.len()).rev().filter(|at| columns[*at].is_value());
    let order: Vec<usize> = measured.filter_map(find).chain(values).collect();
    for at in order {
        let least: usize = columns.iter().map(TextColumn::least).sum();
        if least + gaps(columns) <= limit {
            return;
        }
        columns[at].width = 0;
    }
}

/// Narrows the long columns, the widest first, until a row fits or they are equally wide.
fn narrow(columns: &mut [TextColumn<'_>], limit: usize) {
    let fixed: usize = columns.iter().filter(|column| column.least.is_none()).map(|column| column.width).sum();
    let mut room = limit.saturating_sub(fixed + gaps(columns));
    let mut long: Vec<&mut TextColumn<'_>> =
        columns.iter_mut().filter(|column| column.least.is_some() && column.width > 0).collect();
    long.sort_by_key(|column| column.width);
    let mut left = long.len();
    for column in long {
        // Those that need less than their share leave the rest to the longer ones after them.
        column.width = column.width.min((room / left).max(column.least()));
        room = room.saturating_sub(column.width);
        left -= 1;
    }
}

fn gaps(columns: &[TextColumn<'_>]) -> usize {
    GAP * columns.iter().filter(|column| column.width > 0).count().saturating_sub(1)
}

const GAP: usize = 2;
/// The narrowest that a long column gets, and that one of a value does.
const LEAST_LONG: usize = 8;
const LEAST_VALUE: usize = 12;
const BOLD: &str = "\x1b[1m";

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(width: impl Fn(&TextColumn<'_>) -> usize) -> Vec<TextColumn<'static>> {
        let mut columns: Vec<_> = titled().map(TextColumn::of_results).collect();
        columns.iter_mut().for_each(|column| column.width = width(column));
        columns
    }

    /// At 40 columns each row took two lines.
    #[test]
    fn columns_that_matter_least_are_left_out_of_a_narrow_window() {
        // Three long and short columns each, and the gaps between them.
        let cases = [(68, &[][..]), (67, &["SIZE"]), (57, &["SIZE", "TRIES"]), (47, &["SIZE", "TRIES", "TIME"])];
        for (limit, left_out) in cases {
            let mut all = columns(|column| if column.least.is_some() { 30 } else { 8 });
            leave_out(&mut all, limit);
            let gone = all.iter().filter(|column| column.width == 0).map(|column| &*column.title);
            let gone: std::collections::BTreeSet<&str> = gone.collect();
            assert_eq!(gone, left_out.iter().copied().collect(), "{limit}");
        }
    }

    #[test]
    fn room_is_shared_between_long_columns() {
        let narrowed = |name: usize, error: usize, limit: usize| {
            let widths = [6, name, 6, 8, 8, 5, error];
            let mut all = columns(|_| 0);
            all.iter_mut().zip(widths).for_each(|(column, width)| column.width = width);
            narrow(&mut all, limit);
            (all[1].width, all[6].width)
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
