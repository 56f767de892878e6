//! The report read back with every key known, so that none is added, lost or renamed unseen.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use roundup::report::Style;

use super::samples::{assorted, ok, run};
use super::{written, written_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    roundup: String,
    started: String,
    elapsed_ms: u64,
    interrupted: bool,
    #[serde(deserialize_with = "present")]
    shard: Option<String>,
    #[serde(deserialize_with = "present")]
    plan: Option<String>,
    hosts: Vec<SettledHost>,
    summary: Summary,
    results: Vec<Outcome>,
    #[serde(deserialize_with = "present")]
    title: Option<String>,
    tables: Vec<Table>,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    #[serde(deserialize_with = "present")]
    title: Option<String>,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
    notes: Vec<String>,
    charts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettledHost {
    host: String,
    at_once: u32,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Summary {
    total: usize,
    ok: usize,
    failed: usize,
    cancelled: usize,
    skipped: usize,
    stale: usize,
    truncated: usize,
    retried: usize,
    attempts: usize,
    bytes: u64,
    slowest_ms: u64,
    tax_ms: u64,
}

// serde takes a missing Option for null unless it is told how to read it.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer)
}

macro_rules! outcome {
    ($(#[$attribute:meta])* $name:ident { $($extra:ident: $type:ty),* }) => {
        $(#[$attribute])*
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "that it can be read is the point")]
        struct $name {
            $($extra: $type,)*
            name: String,
            place: Vec<u32>,
            url: String,
            #[serde(deserialize_with = "present")]
            final_url: Option<String>,
            ok: bool,
            #[serde(deserialize_with = "present")]
            status: Option<u16>,
            attempts: Vec<Attempt>,
            #[serde(deserialize_with = "present")]
            requests: Option<u32>,
            timings_ms: Timings,
            #[serde(deserialize_with = "present")]
            waits_ms: Option<Waits>,
            #[serde(deserialize_with = "present")]
            content_type: Option<String>,
            #[serde(deserialize_with = "present")]
            body_bytes: Option<u64>,
            #[serde(deserialize_with = "present")]
            body: Value,
            #[serde(deserialize_with = "present")]
            body_base64: Option<String>,
            #[serde(deserialize_with = "present")]
            body_omitted: Option<String>,
            #[serde(deserialize_with = "present")]
            body_file: Option<String>,
            body_truncated: bool,
            #[serde(deserialize_with = "present")]
            data: Option<BTreeMap<String, Value>>,
            #[serde(deserialize_with = "present")]
            table: Option<String>,
            #[serde(deserialize_with = "present")]
            rows: Option<Vec<SourceRows>>,
            #[serde(deserialize_with = "present")]
            error: Option<Failure>,
            #[serde(deserialize_with = "present")]
            stale: Option<Stale>,
            /// Only if a fleet fetched it.
            worker: Option<String>,
        }
    };
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is the point")]
struct Waits {
    #[serde(deserialize_with = "present")]
    run: Option<f64>,
    #[serde(deserialize_with = "present")]
    host: Option<f64>,
    #[serde(deserialize_with = "present")]
    rate: Option<f64>,
    #[serde(deserialize_with = "present")]
    pause: Option<f64>,
    #[serde(deserialize_with = "present")]
    breaker: Option<f64>,
    #[serde(deserialize_with = "present")]
    retry: Option<f64>,
    #[serde(deserialize_with = "present")]
    budget: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceRows {
    table: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

outcome!(Outcome {});

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Result(Box<LineOutcome>),
    Summary(Box<LineSummary>),
}

outcome!(LineOutcome { index: usize });

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is the point")]
struct LineSummary {
    hosts: Vec<SettledHost>,
    roundup: String,
    started: String,
    elapsed_ms: u64,
    interrupted: bool,
    #[serde(deserialize_with = "present")]
    shard: Option<String>,
    #[serde(deserialize_with = "present")]
    plan: Option<String>,
    #[serde(deserialize_with = "present")]
    title: Option<String>,
    total: usize,
    ok: usize,
    failed: usize,
    cancelled: usize,
    skipped: usize,
    stale: usize,
    truncated: usize,
    retried: usize,
    attempts: usize,
    bytes: u64,
    slowest_ms: u64,
    tax_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is the point")]
struct Stale {
    age_s: u64,
    error: Failure,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is the point")]
struct Attempt {
    started_ms: f64,
    total_ms: f64,
    #[serde(deserialize_with = "present")]
    status: Option<u16>,
    #[serde(deserialize_with = "present")]
    address: Option<String>,
    reused: bool,
    url: Option<String>,
    #[serde(deserialize_with = "present")]
    waited_ms: Option<f64>,
    #[serde(deserialize_with = "present")]
    cache: Option<String>,
    #[serde(deserialize_with = "present")]
    phases_ms: Option<Phases>,
    #[serde(deserialize_with = "present")]
    error: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is the point")]
struct Phases {
    #[serde(deserialize_with = "present")]
    dns: Option<f64>,
    #[serde(deserialize_with = "present")]
    connect: Option<f64>,
    #[serde(deserialize_with = "present")]
    tls: Option<f64>,
    #[serde(deserialize_with = "present")]
    first_byte: Option<f64>,
    #[serde(deserialize_with = "present")]
    body: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is the point")]
struct Timings {
    queue: f64,
    #[serde(deserialize_with = "present")]
    dns: Option<f64>,
    #[serde(deserialize_with = "present")]
    connect: Option<f64>,
    #[serde(deserialize_with = "present")]
    tls: Option<f64>,
    #[serde(deserialize_with = "present")]
    first_byte: Option<f64>,
    #[serde(deserialize_with = "present")]
    body: Option<f64>,
    total: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    kind: String,
    #[serde(deserialize_with = "present")]
    phase: Option<String>,
    message: String,
    #[serde(deserialize_with = "present")]
    retry_at: Option<String>,
}

#[test]
fn the_document_is_read_back() {
    let outcomes = assorted();
    let text = written("json", &Style::default(), &outcomes);
    let document: Document = serde_json::from_str(&text).expect("every key is known");
    assert_eq!(document.roundup, env!("CARGO_PKG_VERSION"));
    assert_eq!(document.started, "2026-01-31T12:00:00.000Z");
    assert_eq!((document.elapsed_ms, document.interrupted), (1012, false));
    assert_eq!((document.shard, document.plan), (None, None));
    assert_eq!((&*document.hosts[0].host, document.hosts[0].at_once), ("https://api.example.com", 12));
    let bytes = outcomes.iter().filter_map(|outcome| outcome.body_bytes).sum();
    let expected = Summary {
        total: 10,
        ok: 4,
        failed: 6,
        cancelled: 1,
        skipped: 1,
        stale: 0,
        truncated: 1,
        retried: 1,
        attempts: 10,
        bytes,
        slowest_ms: 1007,
        tax_ms: 5,
    };
    assert_eq!(document.summary, expected);
    for (result, outcome) in document.results.iter().zip(&outcomes) {
        assert_eq!(result.name, &*outcome.name);
        assert_eq!(result.ok, outcome.ok());
        assert_eq!(result.status, outcome.status);
        assert_eq!(result.attempts.len(), outcome.attempts.len());
        assert_eq!(result.timings_ms.total, roundup::fractional_ms(outcome.timings.total));
        let kind = outcome.error.as_ref().map(|error| error.kind.as_str());
        assert_eq!(result.error.as_ref().map(|error| &*error.kind), kind);
    }
    assert_eq!(document.results.len(), outcomes.len());
    assert_eq!((document.title, document.tables), (None, Vec::new()));
    let rows = document.results.iter().flat_map(|result| result.rows.iter().flatten());
    let rows: Vec<_> = rows.map(|rows| (&*rows.table, &rows.columns[..], &rows.rows[..])).collect();
    let (columns, cells) = (["sku".to_owned(), "price".to_owned()], [vec![Value::from("a"), Value::from(1.5)]]);
    assert_eq!(rows, [("prices", &columns[..], &cells[..])]);
    let results = &document.results;
    assert_eq!(results[0].body, serde_json::json!({"current": {"temp": 3.5}}));
    assert_eq!(
        results[0].data.as_ref().map(|data| (data["temp"].as_f64(), data["wind"].is_null())),
        Some((Some(3.5), true))
    );
    assert_eq!(results[1].body, "Grüße\n");
    assert_eq!((results[2].body.is_null(), results[2].body_base64.as_deref()), (true, Some("iVBORw0KGgo=")));
    assert_eq!(results[3].body_file.as_deref(), Some("archive/2026.zip"));
    assert!(results[4].body_truncated && results[4].body.is_null());
    let error = results[5].error.as_ref().expect("429 is a failure");
    assert_eq!((error.phase.as_deref(), error.message.as_str()), (Some("head"), "status 429"));
    assert_eq!(error.retry_at.as_deref(), Some("2026-01-31T13:00:00.000Z"));
}

#[test]
fn the_lines_are_read_back() {
    let mut outcomes = assorted();
    outcomes.reverse();
    let text = written("jsonl", &Style::default(), &outcomes);
    let lines: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).expect("every key is known")).collect();
    let mut indices = Vec::new();
    for line in &lines[..10] {
        let Line::Result(result) = line else { panic!("a summary before the end") };
        indices.push(result.index);
    }
    assert_eq!(indices, Vec::from_iter((0..10).rev()));
    let [Line::Summary(summary)] = &lines[10..] else { panic!("one summary, at the end") };
    assert_eq!((summary.total, summary.attempts, summary.tax_ms), (10, 10, 5));
    assert!(text.ends_with("}\n"));
}

#[test]
fn a_line_is_the_result_of_the_document() {
    let outcomes = assorted();
    let document = written("json", &Style::default(), &outcomes);
    let lines = written("jsonl", &Style::default(), &outcomes);
    for (index, (result, line)) in document.lines().skip(1).zip(lines.lines().take(10)).enumerate() {
        let result = result.strip_suffix(',').unwrap_or(result).strip_prefix('{').expect("an object a line");
        assert_eq!(line, format!("{{\"type\":\"result\",\"index\":{index},{result}"));
    }
}

#[test]
fn digits_order_and_double_keys_survive() {
    let body = r#"{"z":0.10000000000000000000000000000001,"a":123456789012345678901234567890,"z":-0,"e":1E+30}"#;
    let text = written("json", &Style::default(), &[ok(0, "n", "application/json", body.as_bytes())]);
    assert!(text.contains(&format!("\"body\":{body},")), "{text}");
}

#[test]
fn nothing_makes_a_whole_document_too() {
    let document = written("json", &Style::default(), &[]);
    let document: Document = serde_json::from_str(&document).expect("valid");
    assert!(document.results.is_empty());
    assert_eq!((document.summary.total, document.summary.tax_ms), (0, 1012));
    assert_eq!(written("jsonl", &Style::default(), &[]).lines().count(), 1);
    let table = written("table", &Style::default(), &[]);
    let totals = "0 sources: 0 ok, 0 failed, 0 retries, 0 attempts, 0 B in 1.012 s (slowest 0 ms, tax 1.012 s)\n";
    assert_eq!(table, format!("https://api.example.com takes 12 at once\n{totals}"));
}

#[test]
fn an_interrupted_run_says_so_everywhere() {
    let run = roundup::report::RunInfo { interrupted: true, ..run() };
    let outcomes = assorted();
    for (format, sign) in
        [("json", "\"interrupted\":true"), ("jsonl", "\"interrupted\":true"), ("table", "\ninterrupted; 10 sources: ")]
    {
        assert!(written_of(&run, format, &Style::default(), &outcomes).contains(sign), "{format}");
    }
}
