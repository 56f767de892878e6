//! Jobs and outcomes are read back from what serde wrote.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_lite::StreamExt;
use roundup::rows::{
    Cell, Columns, Condition, ContentForm, ContentFormat, Conversion, Record, Rows, ValueBounds, ValueSource, ValueType,
};
use roundup::{
    AnswerPlace, Attempt, CacheUse, EventLoop, Expect, Failure, Fetcher, Field, Job, JobDigest, Kind, Method, Missing,
    Outcome, PageRule, Pages, Phase, PhaseTimes, Poll, ProxyUrl, ResponseField, RowCount, Secrets, Selection, Settings,
    Stale, Timings, WaitCause, WaitTimes,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How many of each are written and read.
const ROUNDS: usize = 2_000;

#[test]
fn jobs_that_are_read_back_are_equal() {
    let mut rng = Rng::with_seed(14);
    for _ in 0..ROUNDS {
        let job = some_job(&mut rng);
        let again: Job = read_back(&job);
        assert_eq!(again.id(), job.id());
        assert_eq!(read_back(&job.id()), job.id());
    }
}

#[test]
fn outcomes_that_are_read_back_are_equal() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..ROUNDS {
        read_back(&some_outcome(&mut rng));
    }
}

/// What the fetcher gives is no finer than what is written.
#[test]
fn outcomes_of_a_run_are_read_back() {
    let event_loop = EventLoop::new();
    let fetcher = Fetcher::new().digests(true);
    let job = super::once("http://127.0.0.1:9/").named("a \"name\"").at(7);
    let outcomes = event_loop.run(fetcher.run(&event_loop, [job.clone()]).collect::<Vec<_>>());
    let outcome: Outcome = read_back(&outcomes[0]);
    assert_eq!(outcome.attempts.len(), 1);
    assert_eq!(outcome.id(), Some(job.id()));
}

#[test]
fn a_digest_is_read_from_its_text() {
    let digest = super::job("http://h/").with(|settings| settings.method = Method::HEAD).digest();
    assert_eq!(digest.to_string().parse::<JobDigest>().ok(), Some(digest));
    assert_eq!(read_back(&digest), digest);
}

#[test]
fn a_rotated_token_of_a_plan_leaves_its_jobs_what_they_are() {
    let text = r#"
        [[job]]
        url = "https://h/?key=${TOKEN}"
        headers = { Authorization = "Bearer ${TOKEN}" }
        json = { token = "${TOKEN}" }
    "#;
    let digest = |token: &str| {
        let plan = roundup::plan::parse("plan.toml", text, &|_| Some(token.to_owned())).expect("a good plan");
        plan.jobs[0].digest()
    };
    assert_eq!(digest("first"), digest("sec\"ond "));
}

#[test]
fn what_is_unknown_or_cannot_be_sent_is_refused() {
    let written = serde_json::to_value(super::job("http://h/")).expect("plain data");
    let with = |pointer: &str, key: &str, value: Value| {
        let mut written = written.clone();
        written.pointer_mut(pointer).and_then(Value::as_object_mut).expect(pointer).insert(key.into(), value);
        serde_json::from_value::<Job>(written).map_err(|error| error.to_string())
    };
    assert!(with("", "name", json!("other")).is_ok());
    for (pointer, key, value, said) in [
        ("", "more", json!(1), "unknown field"),
        ("", "url", json!("ftp://h/"), "scheme"),
        ("/settings", "shiny", json!(true), "unknown field"),
        ("/settings", "method", json!("CONNECT"), "not a method"),
        ("/settings", "headers", json!([["A", "b\r\nC: d"]]), "line break"),
        ("/settings", "accept", json!("2"), "not a status set"),
        ("/settings", "select", json!([["a", { "from": { "row": "b" }, "missing": "fails" }]]), "not a JSON Pointer"),
    ] {
        let error = with(pointer, key, value).expect_err(key);
        assert!(error.contains(said), "{key}: {error}");
    }
}

#[track_caller]
fn read_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("it can be written");
    let from_text: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&from_text, value, "{text}");
    let from_value: T = serde_json::from_value(serde_json::to_value(value).expect("it can be written")).expect(&text);
    assert_eq!(&from_value, value, "{text}");
    from_text
}

fn some_job(rng: &mut Rng) -> Job {
    let url = [
        "http://h/",
        "https://me:p%40ss@m\u{fc}nchen.example:8443/a b?q=\u{e9}#f",
        "http://[::1]:81/?",
        "HTTP://127.1/%2e/x",
        #[cfg(unix)]
        "http+unix://%2Frun%2Fa%20b/v1",
    ];
    let mut job = Job::new(rng.choice(url).expect("some"), Arc::new(some_settings(rng))).expect("a good URL");
    if rng.bool() {
        job = job.named(text(rng));
    }
    if rng.bool() {
        job = job.written_as("http://${HOST}/");
    }
    if rng.bool() {
        job = job.at(rng.usize(..));
    }
    if rng.bool() {
        job = job.saved_to(path(rng));
    }
    if rng.bool() {
        job = job.with_values(some_record(rng));
    }
    if rng.bool() {
        job = job.with_secrets(Secrets::new([("TOKEN", text(rng)), ("OTHER", text(rng))]));
    }
    job
}

fn some_settings(rng: &mut Rng) -> Settings {
    let methods = ["GET", "HEAD", "POST", "PROPFIND"];
    let statuses = |rng: &mut Rng| rng.choice(["200", "2xx,404", "200-399"]).and_then(|set| set.parse().ok());
    let pointer = |rng: &mut Rng| rng.choice(["", "/a~1b/0"]).expect("some").parse().expect("a pointer");
    Settings {
        method: rng.choice(methods).expect("some").parse().expect("a method"),
        headers: list(rng, some_field),
        data: option(rng, |rng| bytes(rng).into()),
        timeout: Duration::new(rng.u64(..), rng.u32(..1_000_000_000)),
        connect_timeout: Duration::from_nanos(rng.u64(..)),
        retries: rng.u32(..),
        retry_unsafe: rng.bool(),
        retry_after_max: Duration::from_millis(rng.u64(..)),
        follow: rng.u32(..),
        max_body: option(rng, |rng| rng.u64(..)),
        accept: statuses(rng).unwrap_or_default(),
        priority: rng.i8(..),
        retry_on: rng.choice(["500-504", "expectation", "429,expectation"]).and_then(|on| on.parse().ok()),
        job_timeout: option(rng, |rng| Duration::from_millis(rng.u64(..))),
        stale_if_error: option(rng, |rng| Duration::from_millis(rng.u64(..))),
        cookies: rng.bool(),
        insecure: rng.bool(),
        proxy: option(rng, |rng| ProxyUrl::new(&text(rng))),
        cacert: option(rng, |rng| text(rng).into()),
        cert: option(rng, |rng| text(rng).into()),
        cert_key: option(rng, |rng| text(rng).into()),
        cache: rng.bool(),
        raw: rng.bool(),
        capture: list(rng, |rng| AnswerPlace::Header(text(rng).into())),
        auth: option(rng, |rng| text(rng).into()),
        pages: option(rng, |rng| Pages { by: PageRule::Link, max: rng.u32(..) }),
        poll: option(rng, |rng| Poll {
            until: list(rng, |rng| (pointer(rng), Condition::Equals(Cell::from(&some_json(rng, 2))))),
            fail: Vec::new(),
            every: Duration::from_nanos(rng.u64(..)),
            within: Duration::from_nanos(rng.u64(..)),
        }),
        select: list(rng, |rng| {
            let missing = match rng.usize(0..3) {
                0 => Missing::Fails,
                1 => Missing::Null,
                _ => Missing::Default(some_json(rng, 2).into()),
            };
            let from = some_source(rng);
            let conversion = option(rng, some_conversion);
            (text(rng), Selection { from, missing, conversion })
        }),
        expect: Expect {
            status: option(rng, statuses).flatten(),
            json: list(rng, |rng| (pointer(rng), some_condition(rng))),
            absent: list(rng, pointer),
            present: list(rng, pointer),
            text: option(rng, |rng| text(rng).into()),
            matches: option(rng, |_| "a(b|c)*".parse().expect("an expression")),
            header: list(rng, |rng| (text(rng).into(), text(rng).into())),
            rows: option(rng, |rng| RowCount {
                min: option(rng, |rng| rng.u64(..)),
                max: option(rng, |rng| rng.u64(..)),
            }),
            max_ms: option(rng, |rng| rng.u64(..)),
        },
        format: ContentFormat {
            form: rng.choice(ContentForm::ALL).expect("some"),
            delimiter: option(rng, |rng| rng.char(..)),
            charset: option(rng, |rng| text(rng).into()),
        },
        rows: option(rng, pointer),
        table: option(rng, |rng| text(rng).into()),
        max_rows: rng.u32(..),
    }
}

fn some_source(rng: &mut Rng) -> ValueSource {
    let place = |rng: &mut Rng| rng.choice(["", "/a~1b/0"]).expect("some").parse().expect("a pointer");
    match rng.usize(0..6) {
        0 => ValueSource::Row(place(rng)),
        1 => ValueSource::Document(place(rng)),
        2 => ValueSource::Header(text(rng).into()),
        3 => ValueSource::Status,
        4 => ValueSource::Text("id=([0-9]+)".parse().expect("an expression")),
        _ => ValueSource::Constant(some_json(rng, 2).into()),
    }
}

fn some_conversion(rng: &mut Rng) -> Conversion {
    let (to, format) = rng
        .choice([(ValueType::Number, Some("1.234,50")), (ValueType::Time, Some("%d.%m.%Y")), (ValueType::Text, None)])
        .expect("some");
    Conversion::new(to, format).expect("a conversion")
}

fn some_condition(rng: &mut Rng) -> Condition {
    let cell = |rng: &mut Rng| Cell::from(some_json(rng, 2));
    if rng.bool() {
        return cell(rng).into();
    }
    // null is no bound.
    let bound = |rng: &mut Rng| option(rng, cell).filter(|cell| !cell.is_null());
    let (min, max) = (bound(rng), bound(rng));
    Condition::Within(ValueBounds {
        min,
        max,
        one_of: option(rng, |rng| list(rng, cell)),
        is: Some(ValueType::Integer),
    })
}

fn some_field(rng: &mut Rng) -> Field {
    let value: Vec<u8> = bytes(rng).into_iter().filter(|byte| *byte >= 0x20 && *byte != 0x7f).collect();
    Field::new(rng.choice(["Authorization", "X-A"]).expect("some"), value).expect("a good field")
}

fn some_outcome(rng: &mut Rng) -> Outcome {
    Outcome {
        redirects: None,
        place: rng.bool().then(|| [1, 2, 3].into()),
        index: rng.usize(..),
        digest: option(rng, |rng| some_job(rng).digest()),
        name: text(rng).into(),
        url: text(rng).into(),
        table: option(rng, |rng| text(rng).into()),
        method: option(rng, |rng| rng.choice([Method::GET, Method::POST]).expect("some")),
        final_url: option(rng, |rng| text(rng).into()),
        status: option(rng, |rng| rng.u16(100..1000)),
        fields: option(rng, |rng| list(rng, |rng| ResponseField { name: text(rng).into(), value: bytes(rng).into() })),
        attempts: list(rng, some_attempt),
        timings: Timings {
            queue: duration(rng),
            dns: option(rng, duration),
            connect: option(rng, duration),
            tls: option(rng, duration),
            first_byte: option(rng, duration),
            body: option(rng, duration),
            total: duration(rng),
        },
        waits: option(rng, |rng| some_waits(rng).into()),
        content_type: option(rng, |rng| text(rng).into()),
        body_bytes: option(rng, |rng| rng.u64(..)),
        body: option(rng, bytes).map(roundup::Body::from),
        body_file: option(rng, path),
        body_truncated: rng.bool(),
        rows: list(rng, some_rows),
        data: option(rng, some_record),
        captured: list(rng, |rng| Cell::from(&some_json(rng, 2))),
        requests: option(rng, |rng| rng.u32(..)),
        error: option(rng, some_failure),
        worker: option(rng, |rng| text(rng).into()),
        stale: option(rng, |rng| Stale { age_s: rng.u64(..), error: some_failure(rng) }),
        held: Default::default(),
    }
}

fn some_waits(rng: &mut Rng) -> WaitTimes {
    let mut waits = WaitTimes::default();
    WaitCause::ALL.into_iter().for_each(|cause| waits.add(cause, duration(rng)));
    waits
}

fn some_record(rng: &mut Rng) -> Record {
    let mut names = list(rng, text);
    // serde_json's map of values is sorted; text keeps the order.
    names.sort();
    names.into_iter().map(|name| (name, some_json(rng, 2))).collect()
}

fn some_rows(rng: &mut Rng) -> Rows {
    let columns: Columns = list(rng, |rng| text(rng).into());
    let row = |rng: &mut Rng| columns.iter().map(|_| Cell::from(&some_json(rng, 2))).collect();
    Rows { table: text(rng).into(), rows: list(rng, row), columns: columns.into() }
}

fn some_attempt(rng: &mut Rng) -> Attempt {
    Attempt {
        started: duration(rng),
        total: duration(rng),
        status: option(rng, |rng| rng.u16(100..1000)),
        address: option(rng, |rng| text(rng).into()),
        reused: rng.bool(),
        url: rng.bool().then(|| "http://h/2".into()),
        waited: option(rng, duration),
        cache: option(rng, |rng| rng.choice([CacheUse::Hit, CacheUse::Revalidated, CacheUse::Stale]).expect("some")),
        phases: option(rng, |rng| {
            let [dns, connect, tls, first_byte, body] = std::array::from_fn(|_| option(rng, duration));
            Box::new(PhaseTimes { dns, connect, tls, first_byte, body })
        }),
        error: option(rng, some_failure),
    }
}

fn some_failure(rng: &mut Rng) -> Failure {
    Failure {
        kind: rng.choice(Kind::ALL).expect("some"),
        phase: option(rng, |rng| rng.choice(Phase::ALL).expect("some")),
        message: text(rng).into(),
        retry_at: option(rng, |rng| text(rng).into()),
    }
}

fn some_json(rng: &mut Rng, depth: u32) -> Value {
    match rng.u32(0..if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i64(..).into(),
        3 => rng.u64(..).into(),
        4 => f64::from_bits(rng.u64(..)).into(),
        5 => text(rng).into(),
        6 => list(rng, |rng| some_json(rng, depth - 1)).into(),
        _ => Value::Object((0..rng.usize(0..4)).map(|_| (text(rng), some_json(rng, depth - 1))).collect()),
    }
}

/// Up to ten years, in whole microseconds.
fn duration(rng: &mut Rng) -> Duration {
    Duration::from_micros(rng.u64(..10 * 366 * 24 * 3600 * 1_000_000))
}

fn option<T>(rng: &mut Rng, some: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    rng.bool().then(|| some(rng))
}

fn list<T>(rng: &mut Rng, mut one: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.usize(0..4)).map(|_| one(rng)).collect()
}

fn text(rng: &mut Rng) -> String {
    (0..rng.usize(0..12)).map(|_| if rng.bool() { rng.char(' '..='~') } else { rng.char(..) }).collect()
}

fn bytes(rng: &mut Rng) -> Vec<u8> {
    if rng.bool() { text(rng).into_bytes() } else { (0..rng.usize(0..40)).map(|_| rng.u8(..)).collect() }
}

fn path(rng: &mut Rng) -> PathBuf {
    #[cfg(unix)]
    if rng.bool() {
        use std::os::unix::ffi::OsStringExt;
        return std::ffi::OsString::from_vec(bytes(rng)).into();
    }
    text(rng).into()
}
