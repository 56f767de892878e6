//! The sources themselves as a table, and what is missing in a table because sources failed.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::milliseconds::fractional_ms;
use crate::origin::without_password;
#[cfg(feature = "sql")]
use crate::outcome::CacheUse;
use crate::outcome::Outcome;
use crate::rows::{Cell, DataTable};
use crate::telling_names::without_told_secrets;
use crate::units::DisplayDuration;
use crate::wait_times::WaitTimes;

/// The table `sources`: a row for each outcome with `name`, `url`, `host`, `status`, `ok`, `error`, `ms`, `bytes`,
/// `tries`, `cache`, `stale_s`, `stale_error`, `waited_ms` and `waited_for`, and then the values of `select` under their names.
/// A value that has one of these names is in no column of its own.
pub fn sources<'a>(outcomes: impl IntoIterator<Item = &'a Outcome> + Clone) -> DataTable {
    let mut table = DataTable { name: SOURCES.into(), ..DataTable::default() };
    table.columns.extend(OWN_COLUMNS.map(Box::from));
    let mut seen: BTreeSet<&str> = OWN_COLUMNS.into();
    for name in outcomes.clone().into_iter().filter_map(|outcome| outcome.data.as_ref()).flat_map(|data| data.names()) {
        if seen.insert(name) {
            table.columns.push((*name).into());
        }
    }
    for outcome in outcomes {
        let began = !outcome.attempts.is_empty();
        let ms = |time: Duration| Cell::Number(format!("{:.3}", fractional_ms(time)).into());
        let waits = outcome.waits.as_deref();
        let mut row = vec![
            told(&outcome.name),
            told(&without_password(&outcome.url)),
            host(&outcome.url).map_or(Cell::Null, Cell::from),
            outcome.status.map_or(Cell::Null, |status| Cell::from(u64::from(status))),
            Cell::Bool(outcome.ok()),
            outcome.error.as_ref().map_or(Cell::Null, |error| told(&error.message)),
            if began { ms(outcome.timings.total) } else { Cell::Null },
            outcome.body_bytes.map_or(Cell::Null, Cell::from),
            Cell::from(outcome.attempts.len() as u64),
            outcome.cache().map_or(Cell::Null, |used| Cell::from(used.as_str())),
            outcome.stale.as_ref().map_or(Cell::Null, |stale| Cell::from(stale.age_s)),
            outcome.stale.as_ref().map_or(Cell::Null, |stale| told(&stale.error.message)),
            waits.map_or(Cell::Null, |waits| ms(waits.total())),
            waits.and_then(WaitTimes::longest).map_or(Cell::Null, |(cause, _)| Cell::from(cause.as_str())),
        ];
        for name in &table.columns[OWN_COLUMNS.len()..] {
            row.push(outcome.data.as_ref().and_then(|data| data.get(name)).cloned().unwrap_or_default());
        }
        table.rows.push(row);
    }
    table
}

/// The table `attempts`: a row for each attempt of each source with `source`, `attempt` (from 1), `started_ms` and `ms`,
/// `waited_ms`, `status`, `address`, `reused`, `error`, `url`, where the response came from, and `cache`.
#[cfg(feature = "sql")]
pub(crate) fn attempts(outcomes: &[Outcome]) -> DataTable {
    let columns =
        ["source", "attempt", "started_ms", "ms", "waited_ms", "status", "address", "reused", "error", "url", "cache"];
    let ms = |time: Duration| Cell::Number(format!("{:.3}", fractional_ms(time)).into());
    let text = |text: Option<&str>| text.map_or(Cell::Null, Cell::from);
    let rows = outcomes.iter().flat_map(|outcome| {
        outcome.attempts.iter().enumerate().map(move |(at, attempt)| {
            vec![
                told(&outcome.name),
                Cell::from(at as u64 + 1),
                ms(attempt.started),
                ms(attempt.total),
                attempt.waited.map_or(Cell::Null, ms),
                attempt.status.map_or(Cell::Null, |status| Cell::from(u64::from(status))),
                text(attempt.address.as_deref()),
                Cell::Bool(attempt.reused),
                attempt.error.as_ref().map_or(Cell::Null, |error| told(&error.message)),
                told(&without_password(attempt.url.as_deref().unwrap_or(&outcome.url))),
                text(attempt.cache.map(CacheUse::as_str)),
            ]
        })
    });
    DataTable {
        name: ATTEMPTS.into(),
        columns: columns.map(Box::from).into(),
        rows: rows.collect(),
        ..DataTable::default()
    }
}

/// A cell of our own text, which may hold a URL: cells are shown as if a server had sent them, and only known secrets are
/// hidden in those.
fn told(text: &str) -> Cell {
    Cell::from(&*without_told_secrets(text))
}

/// The host of a URL as it was written.
pub(crate) fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

/// What has to be said of a table that these outcomes make: which sources are missing in it, which are incomplete, and which
/// are not new. Nothing if it is whole.
///
/// A source that failed belongs to the table that its job names, or to which others of its job give rows.
pub(super) fn missing(table: &str, outcomes: &[Outcome]) -> Option<Box<str>> {
    let feeds = |outcome: &Outcome| outcome.rows.iter().any(|rows| *rows.table == *table);
    let feeding: BTreeSet<&str> = outcomes.iter().filter(|outcome| feeds(outcome)).map(job_name).collect();
    let belongs = |outcome: &&Outcome| {
        let named = outcome.table.as_deref();
        table == SOURCES || named.map_or_else(|| feeding.contains(job_name(outcome)), |named| named == table)
    };
    let (mut all, mut missing, mut incomplete, mut stale) = (0, Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes.iter().filter(belongs) {
        all += 1;
        if let Some(error) = &outcome.error {
            let list = if feeds(outcome) { &mut incomplete } else { &mut missing };
            list.push(format!("{}, {}", outcome.name, error.message));
        }
        if let Some(kept) = &outcome.stale {
            let age = DisplayDuration(Duration::from_secs(kept.age_s));
            stale.push(format!("{}, {age} old, {}", outcome.name, kept.error.message));
        }
    }
    let whole = all - missing.len() - incomplete.len();
    if (whole == all && stale.is_empty()) || table == SOURCES {
        return None;
    }
    let lists = [("missing", missing), ("incomplete", incomplete), ("stale", stale)];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let texts: Vec<String> = lists.map(|(what, list)| format!("{what}: {}", shortened(&list))).collect();
    let sources = if all == 1 { "source" } else { "sources" };
    Some(format!("{whole} of {all} {sources}; {}", texts.join("; ")).into())
}

/// The name of the job that an outcome is one of: `weather` of `weather[oslo]`.
fn job_name(outcome: &Outcome) -> &str {
    outcome.name.split('[').next().unwrap_or_default()
}

/// The first of them, and how many more there are.
fn shortened(list: &[String]) -> String {
    let more = list.len().saturating_sub(MOST_NAMED);
    let named = list[..list.len() - more].join("; ");
    if more > 0 { format!("{named}; and {more} more") } else { named }
}

/// The name of the table that has a row for each attempt.
#[cfg(feature = "sql")]
pub(super) const ATTEMPTS: &str = "attempts";

/// The name of the table that has a row for each source.
pub(super) const SOURCES: &str = "sources";

const OWN_COLUMNS: [&str; 14] = [
    "name",
    "url",
    "host",
    "status",
    "ok",
    "error",
    "ms",
    "bytes",
    "tries",
    "cache",
    "stale_s",
    "stale_error",
    "waited_ms",
    "waited_for",
];

/// The most sources that a note names.
const MOST_NAMED: usize = 5;
