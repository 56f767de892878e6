//! Outcomes that look like real ones.

use std::time::{Duration, UNIX_EPOCH};

use roundup::report::{RunInfo, SettledHost};
use roundup::rows::{Cell, Chart, DataTable, Rows};
use roundup::{
    Attempt, Failure, Kind, Outcome, Phase, PhaseTimes, Redactor, ResponseField, Timings, WaitCause, WaitTimes,
};

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

pub(super) fn run() -> RunInfo {
    RunInfo {
        started: UNIX_EPOCH + Duration::from_millis(1_769_860_800_000),
        elapsed: Duration::from_micros(1_012_345),
        interrupted: false,
        redactor: Redactor::new([SECRET.to_owned()]),
        hosts: vec![SettledHost { host: "https://api.example.com".into(), at_once: 12 }],
        ..RunInfo::default()
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
        url: None,
        waited: None,
        cache: None,
        phases: None,
        error: None,
    };
    Outcome {
        index,
        name: name.into(),
        url: format!("https://api.example.com/v1/{index}").into(),
        status: Some(200),
        attempts: vec![attempt],
        timings,
        content_type: (!content_type.is_empty()).then(|| content_type.into()),
        body_bytes: Some(body.len() as u64),
        body: Some(body.to_vec().into()),
        ..Outcome::default()
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
        url: None,
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

/// Outcomes and tables that hold everything that could break a format.
pub(super) fn oddities() -> (RunInfo, Vec<Outcome>) {
    let number = |digits: &str| Cell::Number(digits.into());
    let odd = [
        "</script><script>alert(1)</script>",
        "=cmd()|' /C calc'!A0",
        "a|b\\|c `code` *bold* [link](javascript:x) <!-- --> & &amp;",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}evil\u{202c} \u{645}\u{631}\u{62d}\u{628}\u{627}",
        "nul\0 bell\x07 esc\x1b[31m",
        "two\r\nlines\tand a tab, \"quoted\"",
        "\u{5929}\u{6c17} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} e\u{301} \u{fffe}",
        " ",
        SECRET,
    ];
    let long = "x".repeat(1 << 20);
    let digits = ["123456789012345678901234567890", "-0", "1e999", "0.10", "9.5", "-17", "3", "0", "tok"];
    let rows = odd.iter().zip(digits).map(|(text, digits)| {
        let price = if digits == "tok" { Cell::Null } else { number(digits) };
        vec![Cell::from(*text), price, Cell::Json(r#"{"b":[1.0],"a":"</script>"}"#.into()), Cell::Bool(true)]
    });
    let mut prices = DataTable {
        name: "prices".into(),
        title: Some("Prices <of> everything | \u{5e9}\u{5dc}".into()),
        columns: ["text", "price", "select", "=is it?"].map(Box::from).into(),
        rows: rows.collect(),
        notes: vec!["48 of 50 sources; missing: cargo-eu, 401: <b>invalid</b> api key | tok-5ecret/9 9".into()],
        charts: vec![("price".into(), Chart::Bar)],
    };
    prices.rows.push(vec![Cell::from(&*long), Cell::Null, Cell::Null, Cell::Bool(false)]);
    let empty = DataTable { name: "empty".into(), columns: vec!["a".into()], ..DataTable::default() };
    let mut outcomes = assorted();
    for (index, text) in (outcomes.len()..).zip(odd) {
        let mut outcome = ok(index, text, "text/html; charset=utf-8", format!("{text}{}", &long[..200]).as_bytes());
        outcome.data = Some(
            [(text.to_owned(), text.into()), ("list".to_owned(), serde_json::json!([text]))].into_iter().collect(),
        );
        outcome.fields = Some(vec![ResponseField { name: "X-Odd".into(), value: text.as_bytes().into() }]);
        outcomes.push(outcome);
    }
    let mut tired =
        failed(outcomes.len(), "tired", Kind::Status, Some(Phase::Head), "522: <h1>origin down</h1> | =1+1");
    tired.status = Some(522);
    let last = tired.attempts[0].clone();
    let again = |n: u32| Attempt {
        started: ms(100.0 * f64::from(n)),
        waited: (n > 0).then(|| ms(60.0)),
        total: ms(40.0),
        phases: (n > 0).then(|| Box::new(PhaseTimes { connect: Some(ms(3.5)), ..PhaseTimes::default() })),
        status: Some(if n % 2 == 0 { 522 } else { 429 }),
        ..last.clone()
    };
    tired.attempts = (0..10).map(again).collect();
    outcomes.push(tired);
    let title = Some("Odd <things> & \u{202e}others, tok-5ecret/9 9".into());
    (RunInfo { title, tables: vec![prices, empty], ..run() }, outcomes)
}

/// Waits of so many milliseconds.
fn waits(of: &[(WaitCause, f64)]) -> Box<WaitTimes> {
    let mut waits = WaitTimes::default();
    of.iter().for_each(|(cause, time)| waits.add(*cause, ms(*time)));
    waits.into()
}

/// One of each sort that a reader should know how to handle.
pub(super) fn assorted() -> Vec<Outcome> {
    let mut selected = ok(0, "weather[oslo]", "application/json", b"{ \"current\" : { \"temp\" : 3.50 } }\n");
    selected.data =
        Some([("temp".to_owned(), 3.5.into()), ("wind".to_owned(), serde_json::Value::Null)].into_iter().collect());
    selected.rows = vec![Rows {
        table: "prices".into(),
        columns: vec!["sku".into(), "price".into()].into(),
        rows: vec![vec!["a".into(), Cell::Number("1.50".into())]],
    }];
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
    busy.waits = Some(waits(&[(WaitCause::Host, 90.25), (WaitCause::Retry, 412.5)]));
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
