//! The report's tables. The first rows are HTML; the others are data from which the script makes rows when they are looked
//! at, so that a long table costs no more than its text.

use std::io;

use super::super::shown;
use super::markup::{Markup, cut};
use crate::rows::{Cell, Chart, DataTable};

/// Where on the page the table of this number is.
pub(super) fn id(number: usize) -> String {
    format!("table-{number}")
}

pub(super) fn write(page: &mut Markup<'_>, number: usize, table: &DataTable) -> io::Result<()> {
    let id = id(number);
    page.raw(format_args!(
        "<section id=\"{id}\" class=\"data\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">"
    ))?;
    page.own(table.title.as_deref().unwrap_or(&table.name))?;
    page.raw("</h2>\n")?;
    for note in &table.notes {
        page.raw("<p class=\"note\"><b>Note:</b> ")?;
        page.own(note)?;
        page.raw("</p>\n")?;
    }
    let columns: Vec<Column> = (0..table.columns.len()).map(|at| Column::new(table, at)).collect();
    for (at, column) in columns.iter().enumerate() {
        if let Some(Chart::Line) = column.chart {
            line(page, table, at)?;
        }
    }
    if columns.is_empty() {
        return page.raw("<p class=\"soft\">No rows.</p></section>\n");
    }
    page.raw("<div class=\"tools\" hidden><label>Filter <input type=\"search\"></label> <output></output></div>\n")?;
    page.raw(format_args!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-labelledby=\"{id}-title\"><table>\n<thead><tr>"
    ))?;
    for (name, column) in table.columns.iter().zip(&columns) {
        page.raw("<th scope=\"col\"")?;
        page.raw(if column.numeric { " class=\"n\"" } else { "" })?;
        if let Some((low, high)) = column.range {
            page.raw(format_args!(" data-low=\"{low}\" data-high=\"{high}\""))?;
        }
        page.raw(">")?;
        page.own(name)?;
        page.raw("</th>")?;
    }
    page.raw("</tr></thead>\n<tbody>\n")?;
    let first = table.rows.len().min(ROWS_AS_HTML);
    for row in &table.rows[..first] {
        write_row(page, row, &columns)?;
    }
    page.raw("</tbody></table></div>\n")?;
    if first < table.rows.len() {
        rest(page, &table.rows[first..], table.rows.len())?;
    } else if table.rows.is_empty() {
        page.raw("<p class=\"soft\">No rows.</p>\n")?;
    }
    page.raw("</section>\n")
}

/// What there is to know of a column before its cells are written.
struct Column {
    numeric: bool,
    chart: Option<Chart>,
    /// From where to where the bars of a bar chart go; 0 is always among them.
    range: Option<(f64, f64)>,
}

impl Column {
    fn new(table: &DataTable, at: usize) -> Column {
        let chart = table.charts.iter().find(|(column, _)| *column == table.columns[at]).map(|(_, chart)| *chart);
        let numbers = table.rows.iter().filter_map(|row| row.get(at)?.as_float());
        let range = numbers.fold((0.0_f64, 0.0_f64), |(low, high), number| (low.min(number), high.max(number)));
        let range = Some(range).filter(|_| chart == Some(Chart::Bar));
        Column { numeric: shown::is_numeric(table, at), chart, range }
    }
}

fn write_row(page: &mut Markup<'_>, row: &[Cell], columns: &[Column]) -> io::Result<()> {
    page.raw("<tr>")?;
    for (cell, column) in row.iter().zip(columns) {
        page.raw(if column.numeric { "<td class=\"n\">" } else { "<td dir=\"auto\">" })?;
        let text = shown::cell(page.redactor, cell).into_owned();
        page.hidden(&text)?;
        if let (Some((low, high)), Some(number)) = (column.range, cell.as_float()) {
            bar(page, low, high, number)?;
        }
        page.raw("</td>")?;
    }
    page.raw("</tr>\n")
}

/// A bar from 0 to the number: filled, or an outline below 0.
fn bar(page: &mut Markup<'_>, low: f64, high: f64, number: f64) -> io::Result<()> {
    if high <= low {
        return Ok(());
    }
    let place = |number: f64| (number - low) / (high - low) * 100.0;
    let (from, to) = (place(0.0).min(place(number)), place(0.0).max(place(number)));
    let class = if number < 0.0 { " class=\"neg\"" } else { "" };
    page.raw(format_args!(
        "<svg class=\"bar\" aria-hidden=\"true\"><rect x=\"{from:.1}%\" width=\"{:.1}%\" height=\"100%\"{class}/></svg>",
        (to - from).max(0.5)
    ))
}

/// A line over all numbers of the column, from the first row to the last.
fn line(page: &mut Markup<'_>, table: &DataTable, at: usize) -> io::Result<()> {
    let numbers: Vec<f64> = table.rows.iter().filter_map(|row| row.get(at)?.as_float()).collect();
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(()) };
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Of many numbers the smallest and the largest of each step are drawn, so that no peak is lost.
    let step = numbers.len().div_ceil(MOST_POINTS);
    let mut path = String::new();
    for (chunk, place) in numbers.chunks(step).zip(0u32..) {
        let least = chunk.iter().copied().fold(f64::INFINITY, f64::min);
        let most = chunk.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let x = f64::from(place) * step as f64;
        for y in if step > 1 { vec![least, most] } else { chunk.to_vec() } {
            let y = if high > low { 98.0 - (y - low) / (high - low) * 96.0 } else { 50.0 };
            path.push_str(&format!("{}{x:.0} {y:.1}", if path.is_empty() { 'M' } else { 'L' }));
        }
    }
    let width = numbers.len().saturating_sub(1).max(1);
    page.raw(format_args!(
        "<figure><svg class=\"chart\" viewBox=\"0 0 {width} 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path vector-effect=\"non-scaling-stroke\" d=\"{path}\"/></svg><figcaption>"
    ))?;
    page.own(&table.columns[at])?;
    page.raw(format_args!(
        ": {} rows from {first} to {last}, lowest {low}, highest {high}</figcaption></figure>\n",
        numbers.len()
    ))
}

/// Rows as data: a list of lists of texts.
fn rest(page: &mut Markup<'_>, rows: &[Vec<Cell>], all: usize) -> io::Result<()> {
    page.raw("<script type=\"application/json\">[")?;
    let mut written = 0;
    for row in rows {
        if page.written() > MOST_BYTES {
            break;
        }
        page.raw(if written == 0 { "\n[" } else { ",\n[" })?;
        for (at, cell) in row.iter().enumerate() {
            let text = shown::cell(page.redactor, cell);
            let text = crate::http::printable(&cut(&text), &['\n', '\t']).into_owned();
            page.raw(if at == 0 { "" } else { "," })?;
            page.raw(script_string(&text))?;
        }
        page.raw("]")?;
        written += 1;
    }
    page.raw("\n]</script>\n")?;
    let shown = all - rows.len() + written;
    if shown < all {
        page.raw(format_args!("<p class=\"note\"><b>Note:</b> these are the first {shown} of {all} rows, as more make the page too large; reports in other formats have all of them.</p>\n"))?;
    }
    page.raw(format_args!(
        "<noscript><p class=\"note\">These are the first {ROWS_AS_HTML} rows; the others are shown by the page's script.</p></noscript>\n"
    ))
}

/// A string of JSON in which nothing ends the script that it stands in (HTML, section 4.12.1.3).
fn script_string(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('<', "\\u003c")
}

/// How many rows of a table are HTML.
const ROWS_AS_HTML: usize = 200;

/// How large the page grows by rows of tables, in bytes.
const MOST_BYTES: u64 = 6_000_000;

/// How many points a line has at most.
const MOST_POINTS: usize = 600;
