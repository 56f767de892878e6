//! The report as an HTTP Archive (HAR 1.2, <http://www.softwareishard.com/blog/har-12-spec/>), for the viewers of browsers:
//! an entry an attempt, the last of a source with its content. A content that is not new has an entry of its own behind
//! them, `_fromCache` and `_stale` in it.
//!
//! What roundup does not know is -1 or empty, as the format has it. A request without a response has the status 0 and
//! `_error`.

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::body::{LoadedBody, ReportBody};
use super::escape::{self, JsonBuffer, buffered};
use super::format::{Needs, Report};
use super::run_info::RunInfo;
use super::{redacted, shown};
use crate::http::{REDACTED, is_credential};
use crate::milliseconds::fractional_ms;
use crate::outcome::{Attempt, CacheUse, Outcome, Summary, Timings};
use crate::rfc3339::rfc3339;

/// An HTTP Archive: an entry an attempt, with the fields and the content of each source's last response.
#[derive(Clone, Copy, Debug)]
pub struct Har;

impl Report for Har {
    fn needs(&self) -> Needs {
        Needs { contents: true, fields: true, ..Needs::default() }
    }

    fn finish(&mut self, out: &mut dyn Write, run: &RunInfo, _: &Summary, outcomes: &[Outcome]) -> io::Result<()> {
        buffered(out, |out| {
            let version = env!("CARGO_PKG_VERSION");
            write!(
                out,
                "{{\"log\":{{\"version\":\"1.2\",\"creator\":{{\"name\":\"roundup\",\"version\":\"{version}\"}}"
            )?;
            out.write_all(b",\"pages\":[],\"entries\":[")?;
            let mut separator: &[u8] = b"\n";
            for outcome in outcomes {
                let stale = outcome.stale.as_ref().map(|_| from_cache(outcome));
                let attempts: Vec<&Attempt> = outcome.attempts.iter().chain(&stale).collect();
                for (at, attempt) in attempts.iter().enumerate() {
                    out.write_all(separator)?;
                    entry(out, run, outcome, attempt, at + 1 == attempts.len())?;
                    separator = b",\n";
                }
            }
            out.write_all(b"\n]}}\n")
        })
    }
}

/// The entry of a content that is not new, behind those of the attempts that have failed.
fn from_cache(outcome: &Outcome) -> Attempt {
    let started = outcome.attempts.last().map_or(Duration::ZERO, |last| last.started + last.total);
    Attempt {
        started,
        total: Duration::ZERO,
        status: outcome.status,
        address: None,
        reused: false,
        url: outcome.final_url.clone(),
        waited: None,
        cache: Some(CacheUse::Stale),
        phases: None,
        error: None,
    }
}

fn entry(
    out: &mut JsonBuffer<'_>,
    run: &RunInfo,
    outcome: &Outcome,
    attempt: &Attempt,
    is_last: bool,
) -> io::Result<()> {
    let redactor = &run.redactor;
    let text = |text| redacted::text(redactor, text);
    // What older versions wrote knows of the last one alone where it came from.
    let of_last =
        outcome.final_url.as_deref().filter(|_| is_last && outcome.requests.is_none_or(|requests| requests == 1));
    let url = text(attempt.url.as_deref().or(of_last).unwrap_or(&outcome.url));
    let mut entry = json!({
        "startedDateTime": rfc3339(run.started + attempt.started),
        "time": fractional_ms(attempt.total),
        "request": {
            "method": outcome.method.as_ref().map_or("GET", |method| method.as_str()),
            "url": url,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "queryString": query(&url),
            "headersSize": -1,
            "bodySize": -1,
        },
        "response": response(run, outcome, attempt, is_last),
        "cache": {},
        "timings": timings(if is_last { Some(&outcome.timings) } else { None }, attempt.total),
        "comment": text(&outcome.name),
    });
    if let Some(address) = attempt.address.as_deref().and_then(|address| address.rsplit_once(':')) {
        entry["serverIPAddress"] = text(address.0.trim_matches(['[', ']'])).into();
    }
    if let Some(error) = &attempt.error {
        entry["response"]["_error"] = text(&error.message).into();
    }
    if let Some(used) = attempt.cache {
        entry["_fromCache"] = used.as_str().into();
    }
    if let Some(stale) = outcome.stale.as_ref().filter(|_| is_last) {
        let stale = redacted::stale(redactor, stale);
        entry["_stale"] = json!({"age_s": stale.age_s, "error": stale.error.message});
    }
    escape::json(out, &entry)
}

fn response(run: &RunInfo, outcome: &Outcome, attempt: &Attempt, is_last: bool) -> Value {
    let redactor = &run.redactor;
    let fields = outcome.fields.as_deref().filter(|_| is_last).unwrap_or_default();
    let headers: Vec<Value> = fields
        .iter()
        .map(|field| {
            let value = String::from_utf8_lossy(&field.value);
            let value = if is_credential(&field.name) { REDACTED.into() } else { redactor.redact_received(&value) };
            json!({"name": redactor.redact_received(&field.name), "value": value})
        })
        .collect();
    let mut content = json!({
        "size": if is_last { outcome.body_bytes.map_or(-1, |bytes| bytes as i64) } else { -1 },
        "mimeType": redactor.redact_received(outcome.content_type.as_deref().unwrap_or_default()),
    });
    if is_last {
        content_text(&mut content, run, outcome);
    }
    json!({
        "status": attempt.status.unwrap_or(0),
        "statusText": "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
    })
}

fn content_text(content: &mut Value, run: &RunInfo, outcome: &Outcome) {
    let redactor = &run.redactor;
    let loaded = LoadedBody::of(outcome, &run.cutoff);
    if let Some(why) = loaded.omitted {
        content["comment"] = why.into();
    }
    match loaded.classify(outcome.content_type.as_deref()) {
        // As it came, if there is nothing to hide.
        Some(ReportBody::Json(text)) if !redactor.is_in_received(text) => content["text"] = text.into(),
        Some(ReportBody::Json(text)) => content["text"] = shown::json(redactor, text).unwrap_or_default().into(),
        Some(ReportBody::Text(text)) => content["text"] = redactor.redact_received(&text).into(),
        Some(ReportBody::Bytes(bytes)) => {
            content["text"] = BASE64_STANDARD.encode(redactor.redact_bytes(bytes)).into();
            content["encoding"] = "base64".into();
        }
        None => {}
    }
}

/// Names and values of the query, as the URL has them when its encoding is undone.
fn query(url: &str) -> Vec<Value> {
    let query = url.split('#').next().and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| json!({"name": name, "value": value})).collect()
}

/// Milliseconds, -1 for a phase that there was not. `connect` has `ssl` in it, and sending is too short to be measured.
fn timings(timings: Option<&Timings>, total: Duration) -> Value {
    let Some(timings) = timings else {
        return json!({"send": 0, "wait": fractional_ms(total), "receive": 0});
    };
    let ms = |time: Option<Duration>| time.map_or(-1.0, fractional_ms);
    let connect = match (timings.connect, timings.tls) {
        (Some(connect), Some(tls)) => Some(connect + tls),
        (connect, tls) => connect.or(tls),
    };
    json!({
        "blocked": fractional_ms(timings.queue),
        "dns": ms(timings.dns),
        "connect": ms(connect),
        "ssl": ms(timings.tls),
        "send": 0,
        "wait": fractional_ms(timings.first_byte.unwrap_or_default()),
        "receive": fractional_ms(timings.body.unwrap_or_default()),
    })
}
