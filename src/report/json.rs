//! The report as one JSON document, a result a line. `docs/report.schema.json` describes it.
//!
//! ```text
//! {"roundup":"0.1.0","started":"2026-01-31T12:00:00.000Z","elapsed_ms":1012,"interrupted":false,"summary":{..},"results":[
//! {"name":"weather[oslo]",..},
//! {"name":"weather[berlin]",..}
//! ]}
//! ```
//!
//! Every key is always there; what is absent is null. Nothing is gathered before it is written: content goes from the
//! outcome to the writer.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use serde::Serialize;

use super::content::{Content, classify};
use super::escape::{self, Pieces, in_pieces};
use super::{Run, embed, masked};
use crate::outcome::{Outcome, Summary, whole_ms};
use crate::redact::Redactor;
use crate::rfc3339::rfc3339;

/// Writes the document, results in the order given. Ends with a line feed; use a buffered writer.
///
/// # Errors
/// What `out` returns.
pub fn write<'a, I>(out: &mut dyn Write, run: &Run, outcomes: I) -> io::Result<()>
where
    I: IntoIterator<Item = &'a Outcome, IntoIter: Clone>,
{
    let outcomes = outcomes.into_iter();
    in_pieces(out, |out| {
        let mut document = Object::open(out)?;
        head(&mut document, run)?;
        let mut summary = Object::open(document.key("summary")?)?;
        totals(&mut summary, &run.summary(outcomes.clone()))?;
        summary.close()?;
        let out = document.key("results")?;
        out.write_all(b"[")?;
        let mut separator: &[u8] = b"\n";
        for outcome in outcomes {
            out.write_all(separator)?;
            let mut object = Object::open(out)?;
            result(&mut object, &run.redactor, outcome)?;
            object.close()?;
            separator = b",\n";
        }
        out.write_all(b"\n]}\n")
    })
}

/// Writes what the run adds: the version, when, how long, and whether it was interrupted.
pub(super) fn head(object: &mut Object<'_, '_>, run: &Run) -> io::Result<()> {
    object.field("roundup", env!("CARGO_PKG_VERSION"))?;
    object.field("started", &rfc3339(run.started))?;
    object.field("elapsed_ms", &whole_ms(run.elapsed))?;
    object.field("interrupted", &run.interrupted)
}

/// Writes the totals as members of this object.
pub(super) fn totals(object: &mut Object<'_, '_>, summary: &Summary) -> io::Result<()> {
    let Summary { total, ok, failed, retried, attempts, bytes, slowest_ms, tax_ms } = summary;
    for (key, count) in [("total", total), ("ok", ok), ("failed", failed), ("retried", retried), ("attempts", attempts)]
    {
        object.field(key, count)?;
    }
    for (key, amount) in [("bytes", bytes), ("slowest_ms", slowest_ms), ("tax_ms", tax_ms)] {
        object.field(key, amount)?;
    }
    Ok(())
}

/// Writes the members of one result.
pub(super) fn result(object: &mut Object<'_, '_>, redactor: &Redactor, outcome: &Outcome) -> io::Result<()> {
    let text = |text| masked::text(redactor, text);
    let attempts: Vec<_> = outcome.attempts.iter().map(|attempt| masked::attempt(redactor, attempt)).collect();
    object.text("name", &text(&outcome.name))?;
    object.text("url", &text(&outcome.url))?;
    object.field("final_url", &outcome.final_url.as_deref().map(text))?;
    object.field("ok", &outcome.ok())?;
    object.field("status", &outcome.status)?;
    object.field("attempts", &attempts)?;
    object.field("timings_ms", &outcome.timings)?;
    object.field("content_type", &outcome.content_type.as_deref().map(text))?;
    object.field("body_bytes", &outcome.body_bytes)?;
    body(object, redactor, outcome)?;
    let file = outcome.body_file.as_deref().map(portable);
    object.field("body_file", &file.as_deref().map(|file| redactor.redact(file)))?;
    object.field("body_truncated", &outcome.body_truncated)?;
    object.field("data", &outcome.data.as_ref().map(|members| masked::Data { redactor, members }))?;
    object.field("error", &outcome.error.as_ref().map(|error| masked::failure(redactor, error)))
}

/// Writes `body` and `body_base64`, one of which at least is null.
fn body(object: &mut Object<'_, '_>, redactor: &Redactor, outcome: &Outcome) -> io::Result<()> {
    let bytes = outcome.body.as_deref().map(|body| redactor.redact_bytes(body));
    match bytes.as_deref().map(|bytes| classify(outcome.content_type.as_deref(), bytes)) {
        Some(Content::Json(json)) => embed::write_compact(object.key("body")?, redactor, json)?,
        // Decoding may bring secrets to light that were not UTF-8 before.
        Some(Content::Text(Cow::Owned(text))) => object.text("body", &redactor.redact(&text))?,
        Some(Content::Text(Cow::Borrowed(text))) => object.text("body", text)?,
        Some(Content::Bytes(bytes)) => {
            object.field("body", &())?;
            let out = object.key("body_base64")?;
            out.write_all(b"\"")?;
            let mut encoder = EncoderWriter::new(&mut *out, &STANDARD);
            encoder.write_all(bytes)?;
            encoder.finish()?;
            drop(encoder);
            return out.write_all(b"\"");
        }
        None => object.field("body", &())?,
    }
    object.field("body_base64", &())
}

/// The path with `/` between its parts on every system.
pub(super) fn portable(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { text } else { text.replace(std::path::MAIN_SEPARATOR, "/").into() }
}

/// A JSON object that is written as its members come.
pub(super) struct Object<'w, 'o> {
    out: &'w mut Pieces<'o>,
    empty: bool,
}

impl<'w, 'o> Object<'w, 'o> {
    pub(super) fn open(out: &'w mut Pieces<'o>) -> io::Result<Object<'w, 'o>> {
        out.write_all(b"{")?;
        Ok(Object { out, empty: true })
    }

    pub(super) fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> io::Result<()> {
        escape::json(self.key(key)?, value)
    }

    fn text(&mut self, key: &'static str, text: &str) -> io::Result<()> {
        escape::string(self.key(key)?, text)
    }

    /// Writes the key; the caller writes the value. Keys are plain words.
    fn key(&mut self, key: &'static str) -> io::Result<&mut Pieces<'o>> {
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
