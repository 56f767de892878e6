//! The top of the page: what came of it, and the figures.

use std::io;
use std::time::Duration;

use super::super::cell_words::RoundedDuration;
use super::super::run_info::RunInfo;
use super::markup::Markup;
use super::{sources, tables, title};
use crate::outcome::{Outcome, Summary};
use crate::units::DisplaySize;

pub(super) fn write(page: &mut Markup<'_>, run: &RunInfo, summary: &Summary, outcomes: &[Outcome]) -> io::Result<()> {
    page.raw("<header>\n<h1>")?;
    page.own(title(run))?;
    page.raw("</h1>\n<p class=\"meta\">")?;
    match run.start_text() {
        // The form is fixed: 2026-01-31T12:00:00.000Z.
        Some(started) => {
            let (date, time) = (&started[..10], &started[11..19]);
            page.raw(format_args!("<time datetime=\"{started}\">{date} {time} UTC</time>"))?;
        }
        None => page.raw("start not known")?,
    }
    page.raw(format_args!(", took {}", RoundedDuration(run.elapsed)))?;
    if let Some(run) = run.shard {
        page.raw(format_args!(", shard {} of {}", run.shard.number(), run.shard.of()))?;
    }
    page.raw("</p>\n")?;
    verdict(page, run, summary, outcomes)?;
    figures(page, summary)?;
    settled(page, run)?;
    page.raw("<nav aria-label=\"Parts of the page\">")?;
    for (number, table) in run.tables.iter().enumerate() {
        page.raw(format_args!("<a href=\"#{}\">", tables::id(number + 1)))?;
        page.own(table.title.as_deref().unwrap_or(&table.name))?;
        page.raw("</a> ")?;
    }
    if !outcomes.is_empty() {
        page.raw("<a href=\"#timeline\">Timeline</a> <a href=\"#sources\">Sources</a>")?;
    }
    page.raw("</nav>\n</header>\n")
}

fn verdict(page: &mut Markup<'_>, run: &RunInfo, summary: &Summary, outcomes: &[Outcome]) -> io::Result<()> {
    let Summary { total, ok, failed, stale, .. } = summary;
    let sources = if *total == 1 { "source" } else { "sources" };
    let (class, sign, text) = match (run.interrupted, failed) {
        (true, _) => ("warn", "\u{26a0}", format!("The run ended early: {ok} of {total} {sources} succeeded")),
        (false, 0) if *stale > 0 => {
            let text = format!("{ok} of {total} {sources} succeeded, {stale} of them with content that is not new");
            ("warn", "\u{26a0}", text)
        }
        (false, 0) if *total == 1 => ("good", "\u{2713}", "The source succeeded".to_owned()),
        (false, 0) => ("good", "\u{2713}", format!("All {total} {sources} succeeded")),
        (false, _) => ("bad", "\u{2717}", format!("{failed} of {total} {sources} failed")),
    };
    page.raw(format_args!("<div class=\"verdict {class}\"><strong>{sign} {text}</strong>"))?;
    if *failed > 0 {
        page.raw("<ul>")?;
        let all = || outcomes.iter().enumerate().filter(|(_, outcome)| !outcome.ok());
        for (place, outcome) in all().take(MOST_NAMED) {
            page.raw(format_args!("<li><a href=\"#{}\"><bdi>", sources::id(place)))?;
            page.own(&outcome.name)?;
            page.raw("</bdi></a>: ")?;
            sources::failure(page, outcome)?;
            page.raw("</li>")?;
        }
        let more = all().count().saturating_sub(MOST_NAMED);
        if more > 0 {
            page.raw(format_args!("<li>and {more} more</li>"))?;
        }
        page.raw("</ul>")?;
    }
    page.raw("</div>\n")
}

/// What an adaptive run has found.
fn settled(page: &mut Markup<'_>, run: &RunInfo) -> io::Result<()> {
    for (at, line) in run.settled_lines().iter().enumerate() {
        page.raw(if at == 0 { "<p class=\"soft\">" } else { "<br>" })?;
        page.own(line)?;
    }
    page.raw(if run.hosts.is_empty() { "" } else { "</p>\n" })
}

fn figures(page: &mut Markup<'_>, summary: &Summary) -> io::Result<()> {
    let Summary { total, ok, failed, stale, retried, bytes, slowest_ms, tax_ms, .. } = summary;
    let time = |ms: &u64| RoundedDuration(Duration::from_millis(*ms)).to_string();
    let figures = [
        ("Sources", total.to_string()),
        ("Succeeded", ok.to_string()),
        ("Failed", failed.to_string()),
        ("Not new", stale.to_string()),
        ("Retries", retried.to_string()),
        ("Data", DisplaySize(*bytes).to_string()),
        ("Slowest source", time(slowest_ms)),
        ("Beyond the slowest", time(tax_ms)),
    ];
    page.raw("<dl class=\"figures\">")?;
    for (name, figure) in figures.into_iter().filter(|(name, _)| *name != "Not new" || *stale > 0) {
        page.raw(format_args!("<div><dt>{name}</dt><dd>{figure}</dd></div>"))?;
    }
    page.raw("</dl>\n")
}

/// The most failures at the top of the page.
const MOST_NAMED: usize = 5;
