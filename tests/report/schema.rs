//! The schema against what is really written, and against what must not be.

use boon::{Compiler, SchemaIndex, Schemas};
use roundup::report::{JsonLines, Report, RunInfo, Style};
use roundup::{Outcome, Phase};
use serde_json::{Value, json};

use super::samples::{KINDS, assorted, failed, ok, run};
use super::{written, written_of};

pub(crate) struct Schema {
    schemas: Schemas,
    document: SchemaIndex,
    line: SchemaIndex,
}

impl Schema {
    pub(crate) fn load() -> Schema {
        let schema = serde_json::from_str(include_str!("../../docs/report.schema.json")).expect("the schema is JSON");
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.enable_content_assertions();
        compiler.add_resource("file:///report.schema.json", schema).expect("a name that can be one");
        let mut schemas = Schemas::new();
        let mut compile = |name: &str| compiler.compile(name, &mut schemas).expect("the schema is a schema");
        let document = compile("file:///report.schema.json");
        let line = compile("file:///report.schema.json#/$defs/line");
        Schema { schemas, document, line }
    }

    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.schemas.validate(value, self.document).map_err(|error| error.to_string())
    }

    pub(crate) fn check_line(&self, value: &Value) -> Result<(), String> {
        self.schemas.validate(value, self.line).map_err(|error| error.to_string())
    }

    fn check_report(&self, outcomes: &[Outcome]) {
        let document = written("json", &Style::default(), outcomes);
        let document = serde_json::from_str(&document).expect("JSON");
        self.check(&document).unwrap_or_else(|error| panic!("{error}\n{document:#}"));
        for line in written("jsonl", &Style::default(), outcomes).lines() {
            let line = serde_json::from_str(line).expect("JSON");
            self.check_line(&line).unwrap_or_else(|error| panic!("{error}\n{line:#}"));
        }
    }
}

#[test]
fn what_is_written_is_valid() {
    let schema = Schema::load();
    schema.check_report(&[]);
    schema.check_report(&assorted());
    for kind in KINDS {
        let outcomes = Vec::from_iter(
            [None]
                .into_iter()
                .chain(Phase::ALL.map(Some))
                .enumerate()
                .map(|(index, phase)| failed(index, kind.as_str(), kind, phase, "it went wrong")),
        );
        schema.check_report(&outcomes);
    }
    let bodies: [&[u8]; 9] = [b"", b"null", b"[", b"{}", b"\"text\"", b"-0", b"\xff", b"\xef\xbb\xbf1", b"\0"];
    let types = ["", "application/json", "text/plain; charset=latin1", "text/plain; charset=utf-16", "a/b+json"];
    let all = types.iter().flat_map(|kind| bodies.iter().map(|body| ok(0, "n", kind, body)));
    schema.check_report(&Vec::from_iter(all));
}

#[test]
fn an_interrupted_run_is_valid() {
    let run = RunInfo { interrupted: true, started: std::time::UNIX_EPOCH, ..run() };
    let text = written_of(&run, "json", &Style::default(), &assorted());
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["interrupted"], true);
    Schema::load().check(&document).expect("valid");
}

#[test]
fn a_part_of_a_plan_is_valid() {
    let plan = roundup::plan_digest(["a", "http://h/a"]);
    let shard = roundup::ShardRun { shard: "3/8".parse().expect("a shard"), plan: Some(plan) };
    let run = RunInfo { shard: Some(shard), ..run() };
    let schema = Schema::load();
    let text = written_of(&run, "json", &Style::default(), &assorted());
    schema.check(&serde_json::from_str(&text).expect("JSON")).expect("valid");
    let mut line = Vec::new();
    JsonLines.shard(&mut line, &shard).expect("memory");
    let line: Value = serde_json::from_slice(&line).expect("JSON");
    schema.check_line(&line).expect("valid");
    assert_eq!(line["shard"], "3/8");
}

/// Each value of a document in turn: left out, turned into another type, and with an unknown key beside it.
#[test]
fn broken_documents_are_refused() {
    let schema = Schema::load();
    let document: Value = serde_json::from_str(&written("json", &Style::default(), &assorted())).expect("JSON");
    let mut pointers = Vec::new();
    collect(&document, String::new(), &mut pointers);
    assert!(pointers.len() > 200, "{}", pointers.len());
    for pointer in &pointers {
        let (parent, key) = pointer.rsplit_once('/').expect("not the root");
        let mut broken = document.clone();
        let parent = broken.pointer_mut(parent).expect("collected there");
        if let Some(members) = parent.as_object_mut() {
            members.remove(key);
            assert!(schema.check(&broken).is_err(), "without {pointer}");
        }
        let mut broken = document.clone();
        *broken.pointer_mut(pointer).expect("collected there") = json!([[]]);
        let anything = is_content(pointer);
        // Any JSON may be a body, but where another key has the content there is none.
        let elsewhere = ["/results/2/", "/results/3/", "/results/4/"].iter().any(|part| pointer.starts_with(part));
        assert_eq!(schema.check(&broken).is_err(), !anything || elsewhere, "{pointer} turned into an array");
        if anything || pointer.ends_with("/data") {
            continue;
        }
        let mut broken = document.clone();
        if let Some(members) = broken.pointer_mut(pointer).and_then(Value::as_object_mut) {
            members.insert("unknown".to_owned(), json!(1));
            assert!(schema.check(&broken).is_err(), "{pointer} with a key too many");
        }
    }
}

#[test]
fn single_faults_are_refused() {
    let schema = Schema::load();
    let document: Value = serde_json::from_str(&written("json", &Style::default(), &assorted())).expect("JSON");
    for (pointer, value) in [
        ("/started", json!("2026-01-31T12:00:00Z")),
        ("/started", json!("2026-02-31T12:00:00.000Z")),
        ("/started", json!("2026-01-31T12:00:00.000+01:00")),
        ("/elapsed_ms", json!(1.5)),
        ("/elapsed_ms", json!(-1)),
        ("/summary/ok", json!(null)),
        ("/results/0/ok", json!(false)),
        ("/results/4/ok", json!(true)),
        ("/results/0/status", json!(99)),
        ("/results/0/status", json!("200")),
        ("/results/0/attempts", json!([])),
        ("/results/0/timings_ms/total", json!(null)),
        ("/results/0/timings_ms/dns", json!(-0.1)),
        ("/results/5/waits_ms/host", json!(-0.1)),
        ("/results/5/waits_ms", json!({})),
        ("/results/2/body", json!("text beside base64")),
        ("/results/2/body_base64", json!("not base64!")),
        ("/results/2/body_omitted", json!("lost")),
        ("/results/0/body_omitted", json!("interrupted")),
        ("/results/2/body_base64", json!("iVBORw0KGg")),
        ("/results/3/body", json!({"beside": "a file"})),
        ("/results/4/body", json!("part of it")),
        ("/results/5/error/kind", json!("config")),
        ("/results/5/error/kind", json!("Status")),
        ("/results/5/error/phase", json!("tcp")),
        ("/results/5/error/retry_at", json!("tomorrow")),
        ("/results/5/attempts/0/error/message", json!(null)),
    ] {
        let mut broken = document.clone();
        *broken.pointer_mut(pointer).expect("the samples have it") = value;
        assert!(schema.check(&broken).is_err(), "{pointer}");
    }
    assert!(schema.check(&document).is_ok());
}

#[test]
fn broken_lines_are_refused() {
    let schema = Schema::load();
    let text = written("jsonl", &Style::default(), &assorted());
    for line in [text.lines().next(), text.lines().last()] {
        let line: Value = serde_json::from_str(line.expect("lines of both kinds")).expect("JSON");
        for key in line.as_object().expect("an object a line").keys() {
            let mut broken = line.clone();
            broken.as_object_mut().expect("as above").remove(key);
            assert!(schema.check_line(&broken).is_err(), "without {key}");
        }
        for (key, value) in [("unknown", json!(1)), ("type", json!("other"))] {
            let mut broken = line.clone();
            broken[key] = value;
            assert!(schema.check_line(&broken).is_err(), "{key}");
        }
    }
}

/// Pointers to all values that the schema describes; the inside of content and of selected data is anything.
fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    if !at.is_empty() {
        pointers.push(at.clone());
    }
    if at.ends_with("/data") || is_content(&at) {
        return;
    }
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| collect(item, format!("{at}/{index}"), pointers));
        }
        Value::Object(members) => members.iter().for_each(|(key, item)| collect(item, format!("{at}/{key}"), pointers)),
        _ => {}
    }
}

/// Whether this is the content of a result, and not the time that it took.
fn is_content(pointer: &str) -> bool {
    let is_body = pointer.ends_with("/body") && !pointer.contains("timings_ms");
    // The cells of a row may be anything, too, and an empty row fits where the content of a schema cannot count columns.
    is_body || pointer.ends_with("/rows/0/rows")
}
