//! An outcome as a state writes it: what no other column has, without what is absent, as JSON. A file holds one for each
//! source of each run, and each byte of it is written twice, to `-wal` and to its place.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::http::Method;
use crate::job_id::JobDigest;
use crate::outcome::{Attempt, Failure, Outcome, ResponseField, Stale, Timings};
use crate::rows::{Cell, Record};
use crate::serde_forms::{bytes, ms, optional_ms, optional_path};
use crate::wait_times::WaitTimes;
use crate::written_outcome::{attempts, waits};

/// Place and name have columns, and mostly the name is the URL. Contents and rows have tables.
#[derive(Serialize)]
struct StoredRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a [u32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<JobDigest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Method>,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "pairs")]
    fields: Option<&'a [ResponseField]>,
    #[serde(serialize_with = "attempts")]
    attempts: &'a [Attempt],
    timings: StoredTimings,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "waits")]
    waits: &'a Option<Box<WaitTimes>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_path::serialize")]
    body_file: &'a Option<PathBuf>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    body_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Cell]>::is_empty")]
    captured: &'a [Cell],
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<&'a Stale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a str>,
}

#[derive(Serialize)]
struct StoredTimings {
    #[serde(serialize_with = "ms::serialize")]
    queue: Duration,
    #[serde(serialize_with = "optional_ms::serialize", skip_serializing_if = "Option::is_none")]
    dns: Option<Duration>,
    #[serde(serialize_with = "optional_ms::serialize", skip_serializing_if = "Option::is_none")]
    connect: Option<Duration>,
    #[serde(serialize_with = "optional_ms::serialize", skip_serializing_if = "Option::is_none")]
    tls: Option<Duration>,
    #[serde(serialize_with = "optional_ms::serialize", skip_serializing_if = "Option::is_none")]
    first_byte: Option<Duration>,
    #[serde(serialize_with = "optional_ms::serialize", skip_serializing_if = "Option::is_none")]
    body: Option<Duration>,
    #[serde(serialize_with = "ms::serialize")]
    total: Duration,
}

/// The record of an outcome. Reading it back, serde takes an [`Outcome`], and index, name and URL come from columns.
pub(super) fn record_text(outcome: &Outcome) -> String {
    // All of them by name, so that what is added to an outcome is not forgotten here.
    #[rustfmt::skip]
    let Outcome {
        index: _, place, digest, name, url, method, final_url, status, fields, redirects: _, attempts, timings, waits,
        content_type, body_bytes, body: _, body_file, body_truncated, data, table, rows: _, captured, requests, error,
        stale, worker, held: _,
    } = outcome;
    let Timings { queue, dns, connect, tls, first_byte, body, total } = *timings;
    let record = StoredRecord {
        url: (url != name).then_some(url),
        place: place.as_deref(),
        digest: *digest,
        method: *method,
        final_url: final_url.as_deref(),
        status: *status,
        fields: fields.as_deref(),
        attempts,
        timings: StoredTimings { queue, dns, connect, tls, first_byte, body, total },
        waits,
        content_type: content_type.as_deref(),
        body_bytes: *body_bytes,
        body_file,
        body_truncated: *body_truncated,
        data: data.as_ref(),
        table: table.as_deref(),
        captured,
        requests: *requests,
        error: error.as_ref(),
        stale: stale.as_ref(),
        worker: worker.as_deref(),
    };
    // Room for most records: serde_json begins with 128 bytes, and a text that grows is moved each time.
    let mut text = Vec::with_capacity(1024);
    let written = serde_json::to_writer(&mut text, &record);
    written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_else(|| "null".to_owned())
}

/// Fields as pairs of name and value: with a key for each of the two, the keys would be most of it.
fn pairs<S: Serializer>(fields: &Option<&[ResponseField]>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Pair<'a>(&'a str, #[serde(serialize_with = "bytes::serialize")] &'a [u8]);
    let fields = fields.unwrap_or_default();
    serializer.collect_seq(fields.iter().map(|ResponseField { name, value }| Pair(name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_what_no_column_has_and_is_read_back() {
        let field = |name: &str, value: &[u8]| ResponseField { name: name.into(), value: value.into() };
        let outcome = Outcome {
            name: "a".into(),
            url: "a".into(),
            status: Some(200),
            fields: Some(vec![field("A", b"1"), field("A", b"\xff")]),
            timings: Timings { tls: Some(Duration::from_millis(1)), ..Timings::default() },
            body_file: Some("b".into()),
            ..Outcome::default()
        };
        let text = record_text(&outcome);
        let expected = r#"{"status":200,"fields":[["A","1"],["A",{"base64":"/w=="}]],"attempts":[],"#.to_owned()
            + r#""timings":{"queue":0.0,"tls":1.0,"total":0.0},"body_file":"b"}"#;
        assert_eq!(text, expected);
        let read: Outcome = serde_json::from_str(&text).expect("as it was written");
        assert_eq!(Outcome { name: "a".into(), url: "a".into(), ..read }, outcome);
        let other = Outcome { url: "b".into(), body_truncated: true, ..outcome };
        let read: Outcome = serde_json::from_str(&record_text(&other)).expect("as it was written");
        assert_eq!(Outcome { name: "a".into(), ..read }, other);
    }
}
