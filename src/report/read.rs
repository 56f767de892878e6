//! Results read back from a report in JSON or JSON Lines, to be written in other formats or compared.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::body::is_json;
use super::run_info::RunInfo;
use crate::error::{Error, Kind, Result};
use crate::outcome::{Attempt, Failure, Outcome, Stale, Timings};
use crate::rows::{Cell, Chart, DataTable, Record, Rows, parse_rfc3339};

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
    let document = serde_json::from_str::<Document>(text);
    match document {
        Ok(Document { head, results, tables }) => {
            let outcomes = results.into_iter().enumerate().map(|(index, result)| result.outcome(index)).collect();
            Ok((head.run(tables)?, outcomes))
        }
        // A document that is broken in its middle has no first line that is whole.
        Err(error) => {
            let first = text.lines().next().unwrap_or_default();
            if serde_json::from_str::<LineType>(first).is_ok() {
                read_lines(text)
            } else {
                Err(unreadable(&error.to_string()))
            }
        }
    }
}

fn read_lines(text: &str) -> Result<(RunInfo, Vec<Outcome>)> {
    let (mut outcomes, mut tables, mut head) = (Vec::new(), Vec::new(), None);
    // What a killed run has written of its last line tells nothing.
    let is_cut = |line: &str| {
        text.ends_with(line) && serde_json::from_str::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
    };
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |error| unreadable(&format!("line {}: {error}", number + 1));
        if is_cut(line) {
            break;
        }
        match &*serde_json::from_str::<LineType>(line).map_err(wrong)?.name {
            "result" => {
                let result: ReadResult = serde_json::from_str(line).map_err(wrong)?;
                let index = result.index.unwrap_or(outcomes.len());
                outcomes.push(result.outcome(index));
            }
            "table" => tables.push(serde_json::from_str(line).map_err(wrong)?),
            "summary" => head = Some(serde_json::from_str::<Head>(line).map_err(wrong)?),
            // Lines of another kind tell of what these have as well.
            _ => {}
        }
    }
    outcomes.sort_by_key(|outcome| outcome.index);
    let run = match head {
        Some(head) => head.run(tables)?,
        None => {
            let attempts = outcomes.iter().flat_map(|outcome| &outcome.attempts);
            let elapsed = attempts.map(|attempt| attempt.started + attempt.total).max().unwrap_or_default();
            RunInfo { interrupted: true, elapsed, ..RunInfo::default() }
        }
    };
    Ok((run, outcomes))
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

/// What a line is. The rest is read once that is known, because what serde has to keep meanwhile loses digits.
#[derive(Deserialize)]
struct LineType {
    #[serde(rename = "type")]
    name: String,
}

#[derive(Deserialize)]
struct Head {
    started: Option<String>,
    elapsed_ms: u64,
    interrupted: bool,
    #[serde(default)]
    title: Option<Box<str>>,
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
        Ok(RunInfo { started, elapsed, interrupted: self.interrupted, title: self.title, tables, ..RunInfo::default() })
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
    url: Box<str>,
    final_url: Option<Box<str>>,
    status: Option<u16>,
    attempts: Vec<Attempt>,
    timings_ms: Timings,
    content_type: Option<Box<str>>,
    body_bytes: Option<u64>,
    body: Option<Box<RawValue>>,
    body_base64: Option<String>,
    body_file: Option<String>,
    #[serde(default)]
    body_truncated: bool,
    data: Option<Record>,
    #[serde(default)]
    rows: Option<Vec<Rows>>,
    error: Option<Failure>,
    #[serde(default)]
    stale: Option<Stale>,
}

impl ReadResult {
    fn outcome(self, index: usize) -> Outcome {
        let body = self.body();
        Outcome {
            index,
            name: (*self.name).into(),
            url: (*self.url).into(),
            final_url: self.final_url,
            status: self.status,
            attempts: self.attempts,
            timings: self.timings_ms,
            content_type: self.content_type,
            body_bytes: self.body_bytes,
            body: body.map(Into::into),
            body_file: self.body_file.map(Into::into),
            body_truncated: self.body_truncated,
            data: self.data,
            rows: self.rows.unwrap_or_default(),
            error: self.error,
            stale: self.stale,
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
