//! Results read back from a report in JSON or JSON Lines, to be written in other formats or compared.

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::body::is_json;
use super::run_info::{RunInfo, SettledHost};
use crate::error::{Error, Kind, Result};
use crate::job_id::JobDigest;
use crate::outcome::{Attempt, Failure, Outcome, Stale, Timings, sort_outcomes};
use crate::rows::{Cell, Chart, DataTable, Record, Rows, join_rows, parse_rfc3339};
use crate::shard::{Shard, ShardRun};
use crate::wait_times::WaitTimes;

/// Reads what `--report json` or `--report jsonl` wrote: the run with its tables, and the outcomes in input order.
///
/// Lines that end without a summary, as of a run that was killed, are read as an interrupted run of which the start is not known. Secrets that were hidden
/// stay hidden; heads of responses are in neither format.
///
/// ```
/// use roundup::report::{JsonDocument, Report, RunInfo, read};
///
/// let mut text = Vec::new();
/// JsonDocument.write(&mut text, &RunInfo::default(), &[])?;
/// let (run, outcomes) = read(std::str::from_utf8(&text)?)?;
/// assert_eq!((run.started, outcomes.len()), (RunInfo::default().started, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Kind::Config`]: it is neither, with the line.
pub fn read(text: &str) -> Result<(RunInfo, Vec<Outcome>)> {
    let mut outcomes = Vec::new();
    let run = read_from(&mut text.as_bytes(), &mut |outcome| outcomes.push(outcome))?;
    sort_outcomes(&mut outcomes);
    Ok((run, outcomes))
}

/// Does the same, and gives each outcome to `take` as it is read, in no order. Of JSON Lines, one line at a time is in memory;
/// a document is read as a whole. May block.
///
/// # Errors
/// As for [`read`], and [`Kind::Io`]: it cannot be read.
pub fn read_from(from: &mut dyn BufRead, take: &mut dyn FnMut(Outcome)) -> Result<RunInfo> {
    let failed = |error| Error::new(Kind::Io, "the result cannot be read").with_source(error);
    let mut first = Vec::new();
    from.read_until(b'\n', &mut first).map_err(failed)?;
    // Some editors and shells of Windows put a byte order mark before what they save.
    let mark = "\u{feff}".as_bytes();
    if first.starts_with(mark) {
        first.drain(..mark.len());
    }
    if text_of(&first).is_ok_and(|first| serde_json::from_str::<LineType>(first).is_ok()) {
        return Lines::default().read(first, from, take);
    }
    from.read_to_end(&mut first).map_err(failed)?;
    let text = text_of(&first)?;
    if text.trim().is_empty() {
        return Err(unreadable("it is empty"));
    }
    let document: Document = serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
    document.results.into_iter().enumerate().for_each(|(index, result)| take(result.outcome(index)));
    document.head.run(document.tables)
}

fn text_of(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::new(Kind::Config, "it is neither text nor a state file"))
}

/// What was read of JSON Lines.
#[derive(Default)]
struct Lines {
    head: Option<Head>,
    shard: Option<String>,
    plan: Option<String>,
    tables: Vec<ReadTable>,
    /// Rows that came page by page, before the results of their sources: the names of these, and the rows.
    pages: HashMap<usize, (Box<str>, Vec<Rows>)>,
    /// How many results there were, and when the last of their attempts ended.
    results: usize,
    end: Duration,
}

impl Lines {
    fn read(mut self, first: Vec<u8>, from: &mut dyn BufRead, take: &mut dyn FnMut(Outcome)) -> Result<RunInfo> {
        let (mut line, mut number) = (first, 1);
        while !line.is_empty() {
            let wrong = |error: &dyn fmt::Display| unreadable(&format!("line {number}: {error}"));
            match std::str::from_utf8(&line) {
                Ok(text) if is_cut(text) => break,
                Ok(text) => self.take_line(text, take).map_err(|error| wrong(&error))?,
                // A line that ends in the middle of a character is cut, too.
                Err(error) if error.error_len().is_none() && !line.ends_with(b"\n") => break,
                Err(error) => return Err(wrong(&error)),
            }
            line.clear();
            from.read_until(b'\n', &mut line)
                .map_err(|error| Error::new(Kind::Io, "the result cannot be read").with_source(error))?;
            number += 1;
        }
        let Lines { head, shard, plan, tables, end, pages, .. } = self;
        for (index, (name, rows)) in pages {
            let cut = Error::new(Kind::Cancelled, "the run was killed before all pages were read");
            let (name, error) = ((*name).into(), Some(Failure::from(&cut)));
            take(Outcome { index, name, rows, error, ..Outcome::default() });
        }
        match head {
            Some(head) => head.run(tables),
            None => {
                let shard = shard_run(shard, plan)?;
                Ok(RunInfo { interrupted: true, elapsed: end, shard, ..RunInfo::default() })
            }
        }
    }

    fn take_line(&mut self, line: &str, take: &mut dyn FnMut(Outcome)) -> serde_json::Result<()> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let LineType { name, shard, plan } = serde_json::from_str(line)?;
        match &*name {
            "result" => {
                let result: ReadResult = serde_json::from_str(line)?;
                let index = result.index.unwrap_or(self.results);
                let mut outcome = result.outcome(index);
                if let Some((_, rows)) = self.pages.remove(&index) {
                    join_rows(&mut outcome.rows, rows);
                }
                self.results += 1;
                let ends = outcome.attempts.iter().map(|attempt| attempt.started + attempt.total);
                self.end = ends.fold(self.end, Duration::max);
                take(outcome);
            }
            "rows" => {
                let ReadPage { index, name, rows } = serde_json::from_str(line)?;
                join_rows(&mut self.pages.entry(index).or_insert((name, Vec::new())).1, rows);
            }
            "table" => self.tables.push(serde_json::from_str(line)?),
            "summary" => self.head = Some(serde_json::from_str(line)?),
            "shard" => (self.shard, self.plan) = (shard, plan),
            // Lines of another kind tell of what these have as well.
            _ => {}
        }
        Ok(())
    }
}

/// Whether it is what a killed run has written of its last line, which tells nothing.
fn is_cut(line: &str) -> bool {
    !line.ends_with('\n') && serde_json::from_str::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

fn unreadable(why: &str) -> Error {
    Error::new(Kind::Config, format!("it is not a result that roundup wrote with --report json or jsonl: {why}"))
}

#[derive(Deserialize)]
#[serde(expecting = "an object with results")]
struct Document {
    #[serde(flatten)]
    head: Head,
    results: Vec<ReadResult>,
    #[serde(default)]
    tables: Vec<ReadTable>,
}

/// Rows of a page.
#[derive(Deserialize)]
struct ReadPage {
    index: usize,
    name: Box<str>,
    rows: Vec<Rows>,
}

/// What a line is, and all of the line of a shard. The rest is read once that is known, because what serde has to keep meanwhile loses digits.
#[derive(Deserialize)]
struct LineType {
    #[serde(rename = "type")]
    name: String,
    shard: Option<String>,
    plan: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    started: Option<String>,
    elapsed_ms: u64,
    interrupted: bool,
    #[serde(default)]
    shard: Option<String>,
    #[serde(default)]
    plan: Option<String>,
    #[serde(default)]
    title: Option<Box<str>>,
    #[serde(default)]
    hosts: Vec<SettledHost>,
}

/// Which part of which plan a run is of.
fn shard_run(shard: Option<String>, plan: Option<String>) -> Result<Option<ShardRun>> {
    let Some(shard) = shard else { return Ok(None) };
    let shard = shard.parse::<Shard>().map_err(|error| unreadable(&error.to_string()))?;
    let plan =
        plan.map(|plan| plan.parse::<JobDigest>()).transpose().map_err(|error| unreadable(&error.to_string()))?;
    Ok(Some(ShardRun { shard, plan }))
}

impl Head {
    fn run(self, tables: Vec<ReadTable>) -> Result<RunInfo> {
        let started = match &self.started {
            Some(text) => parse_rfc3339(text)
                .and_then(|moment| moment.system_time())
                .ok_or_else(|| unreadable(&format!("{text:?} is not a time such as 2026-01-31T12:00:00.000Z")))?,
            None => RunInfo::default().started,
        };
        let elapsed = Duration::from_millis(self.elapsed_ms);
        let tables = tables.into_iter().map(ReadTable::table).collect();
        let shard = shard_run(self.shard, self.plan)?;
        let Head { interrupted, title, hosts, .. } = self;
        Ok(RunInfo { started, elapsed, interrupted, shard, title, tables, hosts, ..RunInfo::default() })
    }
}

#[derive(Deserialize)]
struct ReadTable {
    name: Box<str>,
    title: Option<Box<str>>,
    columns: Vec<Box<str>>,
    rows: Vec<Vec<Cell>>,
    #[serde(default)]
    notes: Vec<Box<str>>,
    #[serde(default)]
    charts: Map<String, Value>,
}

impl ReadTable {
    fn table(self) -> DataTable {
        let ReadTable { name, title, columns, mut rows, notes, charts } = self;
        rows.iter_mut().for_each(|row| row.resize(columns.len(), Cell::Null));
        let charts =
            charts.into_iter().filter_map(|(column, chart)| Some((column.into(), Chart::from_word(chart.as_str()?)?)));
        DataTable { name, title, columns, rows, notes, charts: charts.collect() }
    }
}

#[derive(Deserialize)]
struct ReadResult {
    index: Option<usize>,
    name: Box<str>,
    place: Option<Box<[u32]>>,
    url: Box<str>,
    final_url: Option<Box<str>>,
    status: Option<u16>,
    attempts: Vec<Attempt>,
    requests: Option<u32>,
    timings_ms: Timings,
    #[serde(default)]
    waits_ms: Option<Box<WaitTimes>>,
    content_type: Option<Box<str>>,
    body_bytes: Option<u64>,
    body: Option<Box<RawValue>>,
    body_base64: Option<String>,
    body_file: Option<String>,
    #[serde(default)]
    body_truncated: bool,
    data: Option<Record>,
    table: Option<Box<str>>,
    #[serde(default)]
    rows: Option<Vec<Rows>>,
    error: Option<Failure>,
    #[serde(default)]
    stale: Option<Stale>,
    #[serde(default)]
    worker: Option<Box<str>>,
}

impl ReadResult {
    fn outcome(mut self, index: usize) -> Outcome {
        let body = self.body();
        // Most results have one attempt, and serde makes room for four: that is a sixth of the memory that many take.
        self.attempts.shrink_to_fit();
        self.rows.iter_mut().flatten().for_each(|rows| rows.rows.shrink_to_fit());
        Outcome {
            index,
            name: (*self.name).into(),
            place: self.place.filter(|place| !place.is_empty()),
            url: (*self.url).into(),
            final_url: self.final_url,
            status: self.status,
            attempts: self.attempts,
            requests: self.requests,
            timings: self.timings_ms,
            waits: self.waits_ms,
            content_type: self.content_type,
            body_bytes: self.body_bytes,
            body: body.map(Into::into),
            body_file: self.body_file.map(Into::into),
            body_truncated: self.body_truncated,
            data: self.data,
            table: self.table,
            rows: self.rows.unwrap_or_default(),
            error: self.error,
            stale: self.stale,
            worker: self.worker,
            ..Outcome::default()
        }
    }

    /// The content as the server may have written it: what stands as JSON stays JSON, and is content in JSON again.
    fn body(&self) -> Option<Vec<u8>> {
        if let Some(bytes) = self.body_base64.as_deref() {
            return STANDARD.decode(bytes).ok();
        }
        let json = self.body.as_deref()?.get();
        match serde_json::from_str::<Value>(json) {
            Ok(Value::String(text)) if !is_json(self.content_type.as_deref().unwrap_or_default()) => Some(text.into()),
            _ => Some(json.into()),
        }
    }
}
