//! Outcomes that look like real ones.

use std::time::{Duration, UNIX_EPOCH};

use roundup::report::Run;
use roundup::{Attempt, Failure, Kind, Outcome, Phase, Redactor, Timings};

/// The kinds of the report page, in its order.
pub(super) const KINDS: [Kind; 14] = [
    Kind::Url,
    Kind::Dns,
    Kind::Connect,
    Kind::Tls,
    Kind::Timeout,
    Kind::Protocol,
    Kind::Body,
    Kind::Status,
    Kind::TooLarge,
    Kind::Redirect,
    Kind::Io,
    Kind::Cancelled,
    Kind::Skipped,
    Kind::Expectation,
];

pub(super) const SECRET: &str = "tok-5ecret/9 9";

pub(super) fn run() -> Run {
    Run {
        started: UNIX_EPOCH + Duration::from_millis(1_769_860_800_000),
        elapsed: Duration::from_micros(1_012_345),
        interrupted: false,
        redactor: Redactor::new([SECRET.to_owned()]),
    }
}

pub(super) fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}

/// A success with this content.
pub(super) fn ok(index: usize, name: &str, content_type: &str, body: &[u8]) -> Outcome {
    let timings = Timings {
        queue: ms(0.1),
        dns: Some(ms(0.3)),
        connect: Some(ms(0.2)),
        tls: None,
        first_byte: Some(ms(1001.2)),
        body: Some(ms(0.1)),
        total: ms(1001.8 + index as f64),
    };
    let attempt = Attempt {
        started: ms(0.1),
        total: ms(1001.8),
        status: Some(200),
        address: Some("192.0.2.1:443".into()),
        reused: index % 2 == 1,
        waited: None,
        error: None,
    };
    Outcome {
        index,
        name: name.into(),
        url: format!("https://api.example.com/v1/{index}").into(),
        final_url: None,
        status: Some(200),
        attempts: vec![attempt],
        timings,
        content_type: (!content_type.is_empty()).then(|| content_type.into()),
        body_bytes: Some(body.len() as u64),
        body: Some(body.to_vec()),
        body_file: None,
        body_truncated: false,
        data: None,
        error: None,
    }
}

pub(super) fn failure(kind: Kind, phase: Option<Phase>, message: &str) -> Failure {
    Failure { kind, phase, message: message.into(), retry_at: None }
}

/// A failure before any response.
pub(super) fn failed(index: usize, name: &str, kind: Kind, phase: Option<Phase>, message: &str) -> Outcome {
    let error = failure(kind, phase, message);
    let mut outcome = ok(index, name, "", b"");
    outcome.status = None;
    outcome.timings = Timings { queue: ms(2.0), total: ms(500.0), ..Timings::default() };
    (outcome.body, outcome.body_bytes) = (None, None);
    outcome.attempts[0] = Attempt {
        status: None,
        address: None,
        reused: false,
        error: Some(error.clone()),
        ..outcome.attempts[0].clone()
    };
    if kind == Kind::Skipped {
        outcome.attempts.clear();
        outcome.timings = Timings { queue: ms(1012.0), ..Timings::default() };
    }
    outcome.error = Some(error);
    outcome
}

/// One of each sort that a reader should know how to handle.
pub(super) fn assorted() -> Vec<Outcome> {
    let mut selected = ok(0, "weather[oslo]", "application/json", b"{ \"current\" : { \"temp\" : 3.50 } }\n");
    selected.data =
        Some([("temp".to_owned(), 3.5.into()), ("wind".to_owned(), serde_json::Value::Null)].into_iter().collect());
    let text = ok(1, "motd", "text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe\n");
    let mut image = ok(2, "天気[東京]", "image/png", b"\x89PNG\r\n\x1a\n");
    image.final_url = Some("https://cdn.example.com/2.png?key=tok-5ecret%2F9%209".into());
    let mut saved = ok(3, "archive", "application/zip", b"");
    (saved.body, saved.body_bytes, saved.body_file) = (None, Some(48 << 20), Some("archive/2026.zip".into()));
    saved.timings.total = ms(1004.2);
    let mut large = ok(4, "firehose", "application/json", b"");
    (large.body, large.body_bytes, large.body_truncated) = (None, Some(16 << 20), true);
    let failure_of = |outcome: &mut Outcome, error: Failure| {
        outcome.attempts.last_mut().expect("it was tried").error = Some(error.clone());
        outcome.error = Some(error);
    };
    failure_of(&mut large, failure(Kind::TooLarge, Some(Phase::Body), "the body is larger than 16 MiB"));
    let mut busy = ok(5, "quota", "application/problem+json", br#"{"title":"slow down"}"#);
    busy.status = Some(429);
    let first = Attempt {
        status: Some(503),
        error: Some(failure(Kind::Status, Some(Phase::Head), "status 503")),
        ..busy.attempts[0].clone()
    };
    busy.attempts.insert(0, first);
    (busy.attempts[1].waited, busy.attempts[1].status) = (Some(ms(412.5)), Some(429));
    let later = Some("2026-01-31T13:00:00.000Z".into());
    failure_of(&mut busy, Failure { retry_at: later, ..failure(Kind::Status, Some(Phase::Head), "status 429") });
    vec![
        selected,
        text,
        image,
        saved,
        large,
        busy,
        failed(6, "db", Kind::Connect, Some(Phase::Connect), "cannot connect to 192.0.2.7:443: connection refused"),
        failed(7, "cert", Kind::Tls, Some(Phase::Tls), &format!("certificate of host {SECRET} expired 3 days ago")),
        failed(8, "slow", Kind::Cancelled, Some(Phase::Head), "the run was interrupted"),
        failed(9, "never", Kind::Skipped, Some(Phase::Queue), "the run was interrupted before this job began"),
    ]
}
