//! The report as a table for a terminal or a pipe, with a line of totals below.
//!
//! Columns line up by what a terminal shows: wide characters count twice, combining marks not at all. What a server
//! sent can neither colour the terminal nor break a row.

use std::io::{self, Write};
use std::time::Duration;

use super::cell_words::{GREEN, RED, RoundedDuration, YELLOW, push_painted};
use super::format::Report;
use super::result_rows::ResultRows;
use super::run_info::RunInfo;
use super::style::Style;
use super::text_tables::write_tables;
use super::text_width::width_of;
use crate::http::printable;
use crate::outcome::{Outcome, Summary};
use crate::units::DisplaySize;

/// A table for a terminal or a pipe, with the totals below.
///
/// A row is at most as wide as the style says, unless that is less than the short columns need. Names lose their middle
/// for that, because those of one plan differ at their ends; sources that failed stand below the table with their whole
/// name and error if one of these was cut.
#[derive(Clone, Debug)]
pub struct Table {
    style: Style,
}

impl Table {
    /// A table that looks like this.
    pub const fn new(style: Style) -> Table {
        Table { style }
    }
}

impl Report for Table {
    fn is_for_people(&self) -> bool {
        true
    }

    fn finish(
        &mut self,
        out: &mut dyn Write,
        run: &RunInfo,
        summary: &Summary,
        outcomes: &[Outcome],
    ) -> io::Result<()> {
        let (style, width) = (&self.style, self.style.width.now());
        write_tables(out, style.color, width, run)?;
        let mut line = String::new();
        if !outcomes.is_empty() {
            let rows = ResultRows::new(run, outcomes, style.columns.as_deref(), width);
            rows.push_titles(&mut line, style.color);
            out.write_all(line.as_bytes())?;
            for row in 0..outcomes.len() {
                line.clear();
                rows.push_row(&mut line, style.color, row);
                out.write_all(line.as_bytes())?;
            }
            out.write_all(b"\n")?;
            rows.write_notes(out)?;
        }
        let color = match (run.interrupted, summary.failed) {
            (true, _) => YELLOW,
            (_, 0) if summary.stale > 0 => YELLOW,
            (_, 0) => GREEN,
            _ => RED,
        };
        for line in run.settled_lines() {
            writeln!(out, "{}", printable(&line, &[]))?;
        }
        line.clear();
        push_painted(&mut line, style.color, Some(color), &folded(&summary_line(run, summary), width));
        writeln!(out, "{line}")
    }
}

/// The totals on one line: `50 sources: 46 ok, 2 failed, 1 cancelled, 1 skipped, 3 retries, 53 attempts, 50 KiB in 1.012 s
/// (slowest 1.004 s, tax 8 ms)`. Of a run that was interrupted it says so first, and of a shard which one it is. Sources that the end of the run cancelled
/// or that were never sent are counted apart from those that failed, if there are any.
pub fn summary_line(run: &RunInfo, summary: &Summary) -> String {
    let count = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let stale = if summary.stale > 0 { format!(" ({} stale)", summary.stale) } else { String::new() };
    let unfinished: String = [(summary.cancelled, "cancelled"), (summary.skipped, "skipped")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!(", {count} {word}"))
        .collect();
    let shard = run.shard.map(|run| format!("shard {}: ", run.shard)).unwrap_or_default();
    format!(
        "{}{shard}{}: {} ok{stale}, {} failed{unfinished}, {}, {}, {} in {} (slowest {}, tax {})",
        if run.interrupted { "interrupted; " } else { "" },
        count(summary.total, "source", "sources"),
        summary.ok,
        summary.failed.saturating_sub(summary.cancelled + summary.skipped),
        count(summary.retried, "retry", "retries"),
        count(summary.attempts, "attempt", "attempts"),
        DisplaySize(summary.bytes),
        RoundedDuration(run.elapsed),
        RoundedDuration(Duration::from_millis(summary.slowest_ms)),
        RoundedDuration(Duration::from_millis(summary.tax_ms)),
    )
}

/// The totals in lines that fit into this width: they break between their parts, and never within one.
pub fn folded(summary: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| width_of(summary) > *width) else { return summary.to_owned() };
    let parts = summary.replace(", ", ",\n").replace(" (", "\n(");
    let mut lines: Vec<String> = Vec::new();
    for part in parts.split('\n') {
        match lines.last_mut() {
            Some(line) if width_of(line) + 1 + width_of(part) <= width => {
                line.push(' ');
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::style::Width;
    use super::*;
    use crate::error::Kind;
    use crate::outcome::Failure;

    /// At 80 columns the line of totals was broken within a number.
    #[test]
    fn totals_break_between_their_parts() {
        let line =
            "6 sources: 4 ok (1 stale), 2 failed, 3 retries, 9 attempts, 65 B in 1.528 s (slowest 1.528 s, tax 0 ms)";
        assert_eq!(folded(line, None), line);
        assert_eq!(folded(line, Some(200)), line);
        let at_80 =
            "6 sources: 4 ok (1 stale), 2 failed, 3 retries, 9 attempts, 65 B in 1.528 s\n(slowest 1.528 s, tax 0 ms)";
        assert_eq!(folded(line, Some(80)), at_80);
        assert!(folded(line, Some(40)).lines().all(|line| width_of(line) <= 40));
        assert_eq!(
            folded(line, Some(40)).split_whitespace().collect::<Vec<_>>(),
            line.split_whitespace().collect::<Vec<_>>()
        );
    }

    /// The part by which names differ was cut away.
    #[test]
    fn names_are_told_apart_in_narrow_windows() {
        let failure =
            |kind, message: &str| Some(Failure { kind, phase: None, message: message.into(), retry_at: None });
        let errors = [
            None,
            failure(Kind::Status, "503: out of stock"),
            failure(Kind::Cancelled, "stopped"),
            failure(Kind::Skipped, "stopped"),
        ];
        let name = |number: usize| format!("https://api.example.com/v1/organizations/suppliers/items/{number}");
        let outcomes: Vec<Outcome> = errors
            .into_iter()
            .enumerate()
            .map(|(at, error)| Outcome { name: name(at + 17).into(), error, ..Outcome::default() })
            .collect();
        for width in [40, 60, 80] {
            let mut out = Vec::new();
            let run = RunInfo::default();
            let mut table = Table::new(Style { width: Width::Columns(width), ..Style::default() });
            table.finish(&mut out, &run, &run.summary(&outcomes), &outcomes).expect("memory");
            let text = String::from_utf8(out).expect("text");
            for (at, line) in text.lines().skip(1).take(4).enumerate() {
                assert!(line.contains(&format!("s/{}", at + 17)) && line.contains('\u{2026}'), "{width}\n{text}");
            }
            assert!(text.contains(&format!("\n{}: 503: out of stock\n", name(18))), "{width}\n{text}");
            assert!(!text.contains(&format!("\n{}: ", name(17))), "{width}\n{text}");
            let totals = text.replace('\n', " ");
            assert!(totals.contains("4 sources: 1 ok, 1 failed, 1 cancelled, 1 skipped, 0 retries"), "{text}");
        }
    }
}
