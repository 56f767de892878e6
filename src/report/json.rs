//! The report as one JSON document, a result a line. `docs/report.schema.json` describes it.
//!
//! ```text
//! {"roundup":"0.1.0","started":"2026-01-31T12:00:00.000Z","elapsed_ms":1012,"interrupted":false,"summary":{..},"results":[
//! {"name":"weather[oslo]",..},
//! {"name":"weather[berlin]",..}
//! ],"tables":[]}
//! ```
//!
//! Every key is always there; what is absent is null. Nothing is copied before it is written: content goes from the
//! outcome to the writer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use serde::Serialize;

use super::body::{LoadedBody, ReportBody};
use super::cutoff::Cutoff;
use super::escape::{self, JsonBuffer, buffered};
use super::format::{Needs, Report};
use super::run_info::RunInfo;
use super::{cells, embed, redacted, shown};
use crate::milliseconds::whole_ms;
use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;
use crate::rows::DataTable;
use crate::shard::ShardRun;

/// One JSON document with everything, contents included. `docs/report.schema.json` describes it.
#[derive(Clone, Copy, Debug)]
pub struct JsonDocument;

impl Report for JsonDocument {
    fn needs(&self) -> Needs {
        Needs { contents: true, ..Needs::default() }
    }

    fn finish(
        &mut self,
        out: &mut dyn Write,
        run: &RunInfo,
        summary: &Summary,
        outcomes: &[Outcome],
    ) -> io::Result<()> {
        buffered(out, |out| {
            let mut document = Object::open(out)?;
            head(&mut document, run)?;
            let mut object = Object::open(document.key("summary")?)?;
            totals(&mut object, summary)?;
            object.close()?;
            let out = document.key("results")?;
            out.write_all(b"[")?;
            let mut separator: &[u8] = b"\n";
            for outcome in outcomes {
                out.write_all(separator)?;
                let mut object = Object::open(out)?;
                result(&mut object, &run.redactor, outcome, &run.cutoff)?;
                object.close()?;
                separator = b",\n";
            }
            out.write_all(b"\n]")?;
            let out = document.key("tables")?;
            out.write_all(b"[")?;
            let mut separator: &[u8] = b"\n";
            for one in &run.tables {
                out.write_all(separator)?;
                let mut object = Object::open(out)?;
                table(&mut object, &run.redactor, one)?;
                object.close()?;
                separator = b",\n";
            }
            out.write_all(if run.tables.is_empty() { b"]}\n" } else { b"\n]}\n" })
        })
    }
}

/// Writes what the run adds: the version, when, how long, and whether it was interrupted.
pub(super) fn head(object: &mut Object<'_, '_>, run: &RunInfo) -> io::Result<()> {
    object.field("roundup", env!("CARGO_PKG_VERSION"))?;
    object.field("started", &run.start_text())?;
    object.field("elapsed_ms", &whole_ms(run.elapsed))?;
    object.field("interrupted", &run.interrupted)?;
    shard(object, run.shard.as_ref())?;
    object.field("hosts", &run.hosts)?;
    object.field("title", &run.title.as_deref().map(|title| redacted::text(&run.redactor, title)))
}

/// Writes which part of which plan it is, if it is one.
pub(super) fn shard(object: &mut Object<'_, '_>, run: Option<&ShardRun>) -> io::Result<()> {
    object.field("shard", &run.map(|run| run.shard.to_string()))?;
    object.field("plan", &run.and_then(|run| run.plan).map(|plan| plan.to_string()))
}

/// Writes the members of one table.
pub(super) fn table(object: &mut Object<'_, '_>, redactor: &Redactor, table: &DataTable) -> io::Result<()> {
    let text = |text| redacted::text(redactor, text);
    object.text("name", &text(&table.name))?;
    object.field("title", &table.title.as_deref().map(text))?;
    object.field("columns", &table.columns.iter().map(|column| text(column)).collect::<Vec<_>>())?;
    let out = object.key("rows")?;
    out.write_all(b"[")?;
    for (at, row) in table.rows.iter().enumerate() {
        out.write_all(if at == 0 { b"[" } else { b",[" })?;
        for (at, cell) in row.iter().enumerate() {
            out.write_all(if at == 0 { b"" } else { b"," })?;
            shown::write_json(out, redactor, cell, redacted::MAX_NESTING - 2)?;
        }
        out.write_all(b"]")?;
    }
    out.write_all(b"]")?;
    object.field("notes", &table.notes.iter().map(|note| text(note)).collect::<Vec<_>>())?;
    let charts: BTreeMap<_, _> = table.charts.iter().map(|(column, chart)| (text(column), chart.as_str())).collect();
    object.field("charts", &charts)
}

/// Writes the totals as members of this object.
pub(super) fn totals(object: &mut Object<'_, '_>, summary: &Summary) -> io::Result<()> {
    let Summary {
        total,
        ok,
        failed,
        cancelled,
        skipped,
        stale,
        truncated,
        retried,
        attempts,
        bytes,
        slowest_ms,
        tax_ms,
    } = summary;
    for (key, count) in [
        ("total", total),
        ("ok", ok),
        ("failed", failed),
        ("cancelled", cancelled),
        ("skipped", skipped),
        ("stale", stale),
        ("truncated", truncated),
        ("retried", retried),
        ("attempts", attempts),
    ] {
        object.field(key, count)?;
    }
    for (key, amount) in [("bytes", bytes), ("slowest_ms", slowest_ms), ("tax_ms", tax_ms)] {
        object.field(key, amount)?;
    }
    Ok(())
}

/// Writes the members of one result.
pub(super) fn result(
    object: &mut Object<'_, '_>,
    redactor: &Redactor,
    outcome: &Outcome,
    cutoff: &Cutoff,
) -> io::Result<()> {
    let text = |text| redacted::text(redactor, text);
    let attempts: Vec<_> = outcome.attempts.iter().map(|attempt| redacted::attempt(redactor, attempt)).collect();
    object.text("name", &text(&outcome.name))?;
    outcome.with_place(|place| object.field("place", place))?;
    object.text("url", &text(&outcome.url))?;
    object.field("final_url", &outcome.final_url.as_deref().map(text))?;
    object.field("ok", &outcome.ok())?;
    object.field("status", &outcome.status)?;
    object.field("attempts", &attempts)?;
    object.field("requests", &outcome.requests)?;
    object.field("timings_ms", &outcome.timings)?;
    object.field("waits_ms", &outcome.waits)?;
    object.field("content_type", &outcome.content_type.as_deref().map(|text| redactor.redact_received(text)))?;
    object.field("body_bytes", &outcome.body_bytes)?;
    body(object, redactor, outcome, cutoff)?;
    let file = outcome.body_file.as_deref().map(portable_path);
    object.field("body_file", &file.as_deref().map(|file| redactor.redact(file)))?;
    object.field("body_truncated", &outcome.body_truncated)?;
    match &outcome.data {
        Some(data) => cells::write_record(object.key("data")?, redactor, data)?,
        None => object.field("data", &())?,
    }
    object.field("table", &outcome.table.as_deref().map(text))?;
    match &outcome.rows[..] {
        [] => object.field("rows", &())?,
        rows => cells::write_rows(object.key("rows")?, redactor, rows)?,
    }
    object.field("error", &outcome.error.as_ref().map(|error| redacted::failure(redactor, error)))?;
    object.field("stale", &outcome.stale.as_ref().map(|stale| redacted::stale(redactor, stale)))?;
    match &outcome.worker {
        Some(worker) => object.text("worker", &text(worker)),
        None => Ok(()),
    }
}

/// Writes `body`, `body_base64` and `body_omitted`, of which at most one is not null.
fn body(object: &mut Object<'_, '_>, redactor: &Redactor, outcome: &Outcome, cutoff: &Cutoff) -> io::Result<()> {
    let loaded = LoadedBody::of(outcome, cutoff);
    let content = loaded.classify(outcome.content_type.as_deref());
    match &content {
        Some(ReportBody::Json(json)) => embed::write_compact(object.key("body")?, redactor, json)?,
        Some(ReportBody::Text(text)) => object.text("body", &redactor.redact_received(text))?,
        Some(ReportBody::Bytes(_)) | None => object.field("body", &())?,
    }
    match content {
        Some(ReportBody::Bytes(bytes)) => {
            let out = object.key("body_base64")?;
            out.write_all(b"\"")?;
            let mut encoder = EncoderWriter::new(&mut *out, &STANDARD);
            encoder.write_all(&redactor.redact_bytes(bytes))?;
            encoder.finish()?;
            drop(encoder);
            out.write_all(b"\"")?;
        }
        _ => object.field("body_base64", &())?,
    }
    object.field("body_omitted", &loaded.omitted)
}

/// The path with `/` between its parts on every system.
pub(super) fn portable_path(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { text } else { text.replace(std::path::MAIN_SEPARATOR, "/").into() }
}

/// A JSON object that is written member by member.
pub(super) struct Object<'w, 'o> {
    out: &'w mut JsonBuffer<'o>,
    empty: bool,
}

impl<'w, 'o> Object<'w, 'o> {
    pub(super) fn open(out: &'w mut JsonBuffer<'o>) -> io::Result<Object<'w, 'o>> {
        out.write_all(b"{")?;
        Ok(Object { out, empty: true })
    }

    pub(super) fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> io::Result<()> {
        escape::json(self.key(key)?, value)
    }

    pub(super) fn text(&mut self, key: &'static str, text: &str) -> io::Result<()> {
        escape::string(self.key(key)?, text)
    }

    /// Writes the key; the caller writes the value. Keys are plain words.
    pub(super) fn key(&mut self, key: &'static str) -> io::Result<&mut JsonBuffer<'o>> {
        let before: &[u8] = if std::mem::take(&mut self.empty) { b"\"" } else { b",\"" };
        for part in [before, key.as_bytes(), b"\":"] {
            self.out.write_all(part)?;
        }
        Ok(&mut *self.out)
    }

    pub(super) fn close(self) -> io::Result<()> {
        self.out.write_all(b"}")
    }
}
