//! The report in Markdown (GitHub's), for wikis, issues and chats: title, totals, the report's tables, and the sources that
//! failed.
//!
//! Nothing from elsewhere is markup: what has a meaning in Markdown or HTML is escaped, and line breaks in cells are spaces.

use std::borrow::Cow;
use std::io::{self, Write};

use super::cell_words::describe_stale;
use super::format::Report;
use super::run_info::RunInfo;
use super::table::summary_line;
use super::{redacted, shown};
use crate::http::printable;
use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;
use crate::rows::DataTable;

/// Markdown with tables as GitHub, GitLab and most wikis read them.
#[derive(Clone, Copy, Debug)]
pub struct Markdown;

impl Report for Markdown {
    fn finish(
        &mut self,
        out: &mut dyn Write,
        run: &RunInfo,
        summary: &Summary,
        outcomes: &[Outcome],
    ) -> io::Result<()> {
        let redactor = &run.redactor;
        let title = run.title.as_deref().unwrap_or("Report");
        writeln!(out, "# {}\n", text(&redacted::text(redactor, title)))?;
        // The form is fixed: 2026-01-31T12:00:00.000Z.
        let started = run.start_text().map(|started| format!("{} {} UTC. ", &started[..10], &started[11..19]));
        writeln!(out, "{}{}.", started.unwrap_or_default(), summary_line(run, summary))?;
        for (at, line) in run.settled_lines().into_iter().enumerate() {
            writeln!(out, "{}- {}", if at == 0 { "\n" } else { "" }, text(&line))?;
        }
        for table in &run.tables {
            write_table(out, redactor, table)?;
        }
        // Without tables the sources are the report; otherwise those that failed are what a reader has to know beside them.
        if run.tables.is_empty() {
            sources(out, redactor, "Sources", outcomes.iter())
        } else if summary.failed + summary.stale > 0 {
            let heading = if summary.stale == 0 { "Sources that failed" } else { "Sources that failed or are not new" };
            let is_shown = |outcome: &&Outcome| !outcome.ok() || outcome.stale.is_some();
            sources(out, redactor, heading, outcomes.iter().filter(is_shown))
        } else {
            Ok(())
        }
    }
}

fn write_table(out: &mut dyn Write, redactor: &Redactor, table: &DataTable) -> io::Result<()> {
    writeln!(out, "\n## {}\n", text(&shown::title(redactor, table)))?;
    for note in &table.notes {
        writeln!(out, "> **Note:** {}\n", text(&redacted::text(redactor, note)))?;
    }
    if table.columns.is_empty() {
        return writeln!(out, "No rows.");
    }
    row(out, table.columns.iter().map(|column| redacted::text(redactor, column)))?;
    for column in 0..table.columns.len() {
        write!(out, "{}", if shown::is_numeric(table, column) { "| ---: " } else { "| --- " })?;
    }
    writeln!(out, "|")?;
    for cells in &table.rows {
        row(out, cells.iter().map(|cell| shown::cell(redactor, cell)))?;
    }
    if table.rows.is_empty() {
        writeln!(out, "\nNo rows.")?;
    }
    Ok(())
}

fn sources<'a>(
    out: &mut dyn Write,
    redactor: &Redactor,
    heading: &str,
    outcomes: impl Iterator<Item = &'a Outcome>,
) -> io::Result<()> {
    writeln!(
        out,
        "\n## {heading}\n\n| result | name | status | ms | tries | error |\n| --- | --- | ---: | ---: | ---: | --- |"
    )?;
    for outcome in outcomes {
        let error = match (&outcome.error, &outcome.stale) {
            (Some(error), _) => format!("{}: {}", error.kind, error.message),
            (None, Some(stale)) => describe_stale(redactor, stale),
            (None, None) => String::new(),
        };
        let status = outcome.status.map(|status| status.to_string()).unwrap_or_default();
        let cells = [
            match (outcome.ok(), &outcome.stale) {
                (true, None) => "ok",
                (true, Some(_)) => "stale",
                (false, _) => "failed",
            }
            .into(),
            redacted::text(redactor, &outcome.name),
            status.into(),
            outcome.timings.total.as_millis().to_string().into(),
            outcome.attempts.len().to_string().into(),
            redacted::text(redactor, &error).into_owned().into(),
        ];
        row(out, cells.into_iter())?;
    }
    Ok(())
}

fn row<'a>(out: &mut dyn Write, cells: impl Iterator<Item = Cow<'a, str>>) -> io::Result<()> {
    for cell in cells {
        write!(out, "| {} ", text(&cell))?;
    }
    writeln!(out, "|")
}

/// The text in a line of Markdown, where it is nothing but text.
fn text(raw: &str) -> String {
    let mut escaped = String::with_capacity(raw.len());
    // A cell of a megabyte helps no reader of a page.
    let cut = raw.char_indices().nth(MOST_CHARACTERS).map_or(raw, |(at, _)| &raw[..at]);
    let one_line = cut.replace("\r\n", " ").replace(['\n', '\r', '\t'], " ");
    let printable = printable(&one_line, &[]);
    for c in printable.trim().chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '~' | '$' | '#' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            // A link is text in brackets and then an address; without a definition, brackets alone are nothing.
            '(' if escaped.ends_with(']') => escaped.push_str("\\("),
            c => escaped.push(c),
        }
    }
    if cut.len() < raw.len() {
        escaped.push_str(&format!("… ({} characters in all)", raw.chars().count()));
    }
    escaped
}

/// The most characters of a text in a cell.
const MOST_CHARACTERS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_elsewhere_is_markup() {
        assert_eq!(
            text("a|b\n<img src=x> [x](y) `c` _d_ &amp; \u{202e}"),
            "a\\|b &lt;img src=x&gt; [x]\\(y) \\`c\\` \\_d\\_ &amp;amp; \u{fffd}"
        );
        assert!(text(&"é".repeat(5000)).ends_with("é… (5000 characters in all)"));
    }
}
