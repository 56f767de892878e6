//! What becomes of the content: kept, saved, counted, looked into.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::StreamExt;
use roundup::rows::Cell;
use roundup::{EventLoop, Fetcher, Job, Kind, Missing, Outcome, Phase, Selection};
use serde_json::json;

use super::{assert_failed, collect, failure, job, one};
use crate::common::{Dir, Reply, Server};
use crate::transport::wait_for;

fn at_most(job: Job, bytes: u64) -> Job {
    job.with(|settings| settings.max_body = Some(bytes))
}

#[test]
fn an_outcome_says_what_came() {
    let server = Server::start(|request| match request.path() {
        "/from" => Reply::redirect(302, "/to"),
        _ => Reply::json("{\"a\":1}").gzip(),
    });
    let outcome = one(job(server.url("/from")).named("one"));
    assert!(outcome.ok());
    assert_eq!((&*outcome.name, &*outcome.url), ("one", server.url("/from").as_str()));
    assert_eq!(outcome.final_url.as_deref(), Some(server.url("/to").as_str()));
    assert_eq!((outcome.status, outcome.content_type.as_deref()), (Some(200), Some("application/json")));
    assert_eq!(
        (outcome.body.as_ref().and_then(roundup::Body::in_memory), outcome.body_bytes),
        (Some(&b"{\"a\":1}"[..]), Some(7))
    );
    assert!(!outcome.body_truncated && outcome.body_file.is_none() && outcome.data.is_none());
    let timings = outcome.timings;
    assert!(timings.connect.is_some() && timings.first_byte.is_some() && timings.body.is_some());
    assert!(timings.dns.is_none() && timings.tls.is_none());
}

#[test]
fn fields_are_kept_if_that_is_asked_for() {
    let server = Server::start(|request| match request.path() {
        "/from" => Reply::redirect(302, "/to").header("X-First", "1"),
        _ => Reply::status(404).header("Set-Cookie", "a=b").header("set-cookie", "c=d"),
    });
    let jobs = || vec![job(server.url("/from"))];
    let outcome = collect(&Fetcher::new().keep_fields(true), jobs()).remove(0);
    let fields = outcome.fields.expect("they are asked for");
    let cookies: Vec<(&str, &[u8])> = fields.iter().map(|field| (&*field.name, &*field.value)).collect();
    assert!(cookies.contains(&("Set-Cookie", b"a=b")) && cookies.contains(&("set-cookie", b"c=d")), "{fields:?}");
    assert!(!cookies.iter().any(|(name, _)| *name == "X-First"), "of the last response alone: {fields:?}");
    assert_eq!(collect(&Fetcher::new(), jobs()).remove(0).fields, None);
}

#[test]
fn a_job_that_has_a_place_keeps_it() {
    let server = Server::start(|_| Reply::text("x"));
    let event_loop = EventLoop::new();
    let (intake, outcomes) = Fetcher::new().open(&event_loop);
    let given = [Some(7), None, Some(3)];
    let jobs = given.map(|at| at.map_or(job(server.url("/")), |index| job(server.url("/")).at(index)));
    let indices = jobs.map(|job| intake.add(job).expect("it is open"));
    drop(intake);
    let mut found: Vec<usize> = event_loop.run(outcomes.map(|outcome| outcome.index).collect());
    found.sort_unstable();
    assert_eq!((indices, found), ([7, 1, 3], vec![1, 3, 7]));
}

#[test]
fn content_that_is_too_large_is_not_read_on() {
    let server = Arc::new(Server::start(|request| match request.path() {
        // The content never comes: its length alone must do.
        "/length" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n").and_hang(),
        "/chunked" => Reply::status(200).body(vec![b'x'; 1 << 20]).chunked(1000).and_hang(),
        "/close" => Reply::raw([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1 << 20]].concat()).and_hang(),
        "/bomb" => Reply::status(200).body(vec![0; 64 << 20]).gzip().and_hang(),
        _ => Reply::text("x".repeat(1000)),
    }));
    for path in ["/length", "/chunked", "/close", "/bomb"] {
        let outcome = one(at_most(job(server.url(path)), 1000));
        assert_failed(&outcome, Kind::TooLarge, Phase::Body);
        assert!(outcome.body.is_none() && outcome.body_truncated, "{path}");
        assert_eq!(outcome.attempts.len(), 1, "{path}");
        assert!(outcome.body_bytes.is_none_or(|bytes| bytes < 1 << 20), "{path}: {:?}", outcome.body_bytes);
        assert!(failure(&outcome).message.contains("1000 B"), "{}", failure(&outcome).message);
    }
    let outcome = one(at_most(job(server.url("/exact")), 1000));
    assert_eq!((outcome.ok(), outcome.body_bytes), (true, Some(1000)));
    server.wait_for(|stats| stats.open == 0);
}

#[test]
fn the_defaults_differ_for_memory_and_for_files() {
    let dir = Dir::new();
    let server = Server::start(|_| Reply::status(200).body(vec![b'x'; (16 << 20) + 1]));
    assert_failed(&one(job(server.url("/"))), Kind::TooLarge, Phase::Body);
    let outcome = one(job(server.url("/")).saved_to(dir.join("body")));
    assert!(outcome.ok() && outcome.body.is_none());
    assert_eq!(dir.join("body").metadata().map(|data| data.len()).ok(), Some((16 << 20) + 1));
}

#[test]
fn content_that_is_not_kept_is_counted() {
    let server = Server::start(|_| Reply::json("{\"a\":[1,2]}"));
    let select = |job: Job| job.with(|settings| settings.select = vec![("b".into(), "/a/1".parse().expect("good"))]);
    let fetcher = Fetcher::new().keep_bodies(false);
    let outcomes = collect(&fetcher, vec![job(server.url("/")), select(job(server.url("/")))]);
    assert_eq!((outcomes[0].body.is_none(), outcomes[0].body_bytes), (true, Some(11)));
    assert_eq!(outcomes[1].data.as_ref().map(|data| json!(data)), Some(json!({"b": 2})));
}

fn must_be_at(at: &str) -> Selection {
    at.parse().expect(at)
}

#[test]
fn values_are_taken_out_and_judged() {
    let server = Server::start(|request| match request.path() {
        "/text" => Reply::text("no JSON"),
        "/bom" => Reply::json("\u{feff}{\"ok\":true}"),
        "/404" => Reply::status(404).body("{\"ok\":true}"),
        _ => Reply::json("{\"ok\":true,\"n\":1.0,\"deep\":{\"list\":[1,{\"x\":null}]}}"),
    });
    type Expected = Option<(Kind, &'static str)>;
    let table: [(&str, &str, serde_json::Value, Expected); 10] = [
        ("/", "/ok", json!(true), None),
        ("/bom", "/ok", json!(true), None),
        ("/", "/n", json!(1), None),
        ("/", "/deep/list/1", json!({"x": null}), None),
        ("/", "/ok", json!(false), Some((Kind::Expectation, "/ok is true where false is expected"))),
        ("/", "/ok", json!("true"), Some((Kind::Expectation, "where \"true\" is expected"))),
        ("/", "/none", json!(null), Some((Kind::Expectation, "/none is nothing where null is expected"))),
        ("/", "", json!({}), Some((Kind::Expectation, "the document is"))),
        ("/text", "/ok", json!(true), Some((Kind::Body, "not the JSON"))),
        ("/404", "/ok", json!(true), Some((Kind::Status, "status 404 is not among the accepted 200-399"))),
    ];
    for (path, pointer, value, expected) in table {
        let outcome = one(job(server.url(path)).with(|settings| {
            settings.expect.json = vec![(pointer.parse().expect(pointer), value.into())];
            let absent = Selection { missing: Missing::Null, ..must_be_at("/no") };
            settings.select = vec![("ok".into(), "/ok".parse().expect("good")), ("no".into(), absent)];
        }));
        match expected {
            None => assert!(outcome.ok(), "{path} {pointer}: {outcome:?}"),
            Some((kind, text)) => {
                assert_eq!(failure(&outcome).kind, kind, "{path} {pointer}");
                assert!(failure(&outcome).message.contains(text), "{}", failure(&outcome).message);
            }
        }
        let selected = matches!(path, "/" | "/bom").then(|| json!({"ok": true, "no": null}));
        assert_eq!(outcome.data.map(|data| json!(data)), selected, "{path} {pointer}");
    }
}

/// A value that was not there was a success with null.
#[test]
fn a_selected_value_that_is_not_there_fails_the_source() {
    let server = Server::start(|request| match request.path() {
        "/empty" => Reply::json(""),
        "/204" => Reply::status(204),
        "/404" => Reply::status(404).body("no"),
        "/latin1" => Reply::status(200)
            .header("Content-Type", "application/json; charset=ISO-8859-1")
            .body(b"{\"a\":\"Z\xfcrich\"}".to_vec()),
        _ => Reply::json(r#"{"a": null, "b": {"x": 1, "y": 2}, "list": [1, 2], "n": 3}"#),
    });
    let select = |path: &str, selection: &[(&str, Missing)]| {
        one(job(server.url(path)).with(|settings| {
            settings.accept = "200-399,404".parse().expect("statuses");
            settings.select = selection
                .iter()
                .map(|(at, missing)| ((*at).to_owned(), Selection { missing: missing.clone(), ..must_be_at(at) }))
                .collect();
        }))
    };
    for (at, said) in [
        ("/b/z", "/b/z is not there, which select takes as \"/b/z\": /b has \"x\", \"y\""),
        ("/z/y", "the document has \"a\", \"b\", \"list\", \"n\""),
        ("/list/2", "/list has 2 items"),
        ("/n/x", "/n is 3"),
        ("/a/x", "/a is null"),
    ] {
        let outcome = select("/", &[("/n", Missing::Fails), (at, Missing::Fails)]);
        assert_eq!(failure(&outcome).kind, Kind::Expectation, "{at}");
        assert!(failure(&outcome).message.contains(said), "{at}: {}", failure(&outcome).message);
        // What was there is kept.
        assert_eq!(outcome.data.and_then(|data| data.get("/n").cloned()), Some(Cell::from(3u64)), "{at}");
    }
    let taken =
        select("/", &[("/a", Missing::Fails), ("/o", Missing::Null), ("/d", Missing::Default(json!([0]).into()))]);
    assert!(taken.ok());
    assert_eq!(json!(taken.data), json!({"/a": null, "/o": null, "/d": [0]}));
    for path in ["/204", "/404"] {
        let outcome = select(path, &[("/a", Missing::Fails)]);
        assert!(outcome.ok() && outcome.data.is_none(), "{path}: {outcome:?}");
        let expecting = one(job(server.url(path)).with(|settings| {
            settings.accept = "200-399,404".parse().expect("statuses");
            settings.expect.json = vec![("/a".parse().expect("a pointer"), json!(1).into())];
        }));
        assert!(!expecting.ok(), "an expectation is not passed over: {path}");
    }
    assert!(failure(&select("/empty", &[("/a", Missing::Fails)])).message.contains("the content is empty"));
    assert_eq!(json!(select("/latin1", &[("/a", Missing::Fails)]).data), json!({"/a": "Z\u{fc}rich"}));
}

#[test]
fn statuses_and_times_are_judged() {
    let server = Server::start(|request| Reply::status(request.path()[1..].parse().expect("a number")));
    let status = |path: &str, accept: &str, expect: Option<&str>| {
        one(job(server.url(path)).with(|settings| {
            settings.retries = 0;
            settings.accept = accept.parse().expect(accept);
            settings.expect.status = expect.map(|set| set.parse().expect(set));
        }))
    };
    assert!(status("/404", "200-399,404", None).ok());
    assert!(status("/522", "2xx", Some("522")).ok());
    assert_failed(&status("/201", "2xx", Some("200")), Kind::Expectation, Phase::Head);
    assert_failed(&status("/302", "200", None), Kind::Status, Phase::Head);
    let late = Server::start(|_| Reply::text("x").late(Duration::from_millis(30)));
    let outcome = one(job(late.url("/")).with(|settings| settings.expect.max_ms = Some(20)));
    assert_failed(&outcome, Kind::Expectation, Phase::Body);
    assert_eq!(outcome.attempts.len(), 1);
}

fn parts(dir: &Dir) -> Vec<String> {
    dir.names().into_iter().filter(|name| name.contains(".part")).collect()
}

#[test]
fn content_is_saved_whole_or_not_at_all() {
    let dir = Dir::new();
    let server = Server::start(|request| match request.path() {
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").close(),
        "/404" => Reply::status(404).body("an error page"),
        "/big" => Reply::status(200).body(vec![b'x'; 1000]).chunked(10),
        _ => Reply::status(200).body((0..1_000_000u32).map(|n| n as u8).collect::<Vec<_>>()).gzip(),
    });
    dir.write("old", "old content");
    let jobs = vec![
        job(server.url("/good")).saved_to(dir.join("sub/folder/good")),
        job(server.url("/cut")).saved_to(dir.join("cut")),
        job(server.url("/404")).saved_to(dir.join("404")),
        at_most(job(server.url("/big")).saved_to(dir.join("big")), 100),
        job(server.url("/good")).saved_to(dir.join("old")),
    ];
    let outcomes = collect(&Fetcher::new(), jobs);
    let saved: Vec<Option<String>> = outcomes.iter().map(saved_name).collect();
    assert_eq!(saved, [Some("good".into()), None, None, None, Some("old".into())]);
    assert_eq!(outcomes[0].body_bytes, Some(1_000_000));
    for name in ["sub/folder/good", "old"] {
        let content = std::fs::read(dir.join(name)).expect(name);
        assert!(content.len() == 1_000_000 && content.iter().enumerate().all(|(n, b)| *b == n as u8), "{name}");
    }
    assert_eq!(dir.names(), ["old", "sub"]);
}

fn saved_name(outcome: &Outcome) -> Option<String> {
    Some(outcome.body_file.as_ref()?.file_name()?.to_string_lossy().into_owned())
}

#[test]
fn a_folder_that_cannot_be_written_costs_no_other_job_its_content() {
    let dir = Dir::new();
    dir.write("file", "no folder");
    let server = Server::start(|_| Reply::text("x"));
    let jobs = vec![
        job(server.url("/")).saved_to(dir.join("file/below")),
        job(server.url("/")).saved_to(dir.join("good")),
        job(server.url("/")),
    ];
    let outcomes = collect(&Fetcher::new(), jobs);
    assert_failed(&outcomes[0], Kind::Io, Phase::Body);
    assert!(failure(&outcomes[0]).message.contains("file/below"), "{}", failure(&outcomes[0]).message);
    assert_eq!((outcomes[0].attempts.len(), outcomes[0].body_file.is_none()), (1, true));
    assert!(outcomes[1].ok() && outcomes[2].ok());
    assert_eq!((dir.names(), dir.read("good")), (vec!["file".to_owned(), "good".to_owned()], "x".to_owned()));
}

#[test]
fn a_save_that_is_cancelled_leaves_nothing_behind() {
    let dir = Dir::new();
    let server = Arc::new(Server::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
        Reply::raw(head).bytes(vec![b'x'; 300_000]).and_hang()
    }));
    let event_loop = EventLoop::new();
    let mut outcomes = Fetcher::new().run(&event_loop, [job(server.url("/")).saved_to(dir.join("body"))]);
    let stopper = outcomes.stopper();
    event_loop.run(async {
        wait_for(&server, |stats| stats.in_flight == 1).await;
        while parts(&dir).is_empty() {
            futures_lite::future::yield_now().await;
        }
        stopper.stop();
        assert_failed(&outcomes.next().await.expect("one job"), Kind::Cancelled, Phase::Body);
        wait_for(&server, |stats| stats.open == 0).await;
        while !parts(&dir).is_empty() {
            futures_lite::future::yield_now().await;
        }
    });
    assert!(dir.names().is_empty());
}

#[test]
fn raw_content_stays_coded() {
    let server = Server::start(|_| Reply::text("hello").gzip());
    let outcome = one(job(server.url("/")).with(|settings| settings.raw = true));
    assert_eq!(outcome.body, Some(crate::common::gzip("hello").into()));
}

/// It was a timeout, and tried three times.
#[test]
fn a_failed_response_whose_content_drips_has_its_status_as_the_result() {
    let server = Arc::new(Server::start(|request| {
        let head = "HTTP/1.1 404 Not Found\r\nContent-Length: 100000\r\n\r\n";
        match request.path() {
            "/drips" => Reply::raw(head).pieces(vec!["x"; 100_000], Duration::from_millis(20)),
            "/stops" => Reply::raw(head).and_hang(),
            // Much is sent, and nothing comes of it.
            _ => {
                let empty = crate::common::gzip("").repeat(500);
                Reply::raw("HTTP/1.1 404 Not Found\r\nContent-Encoding: gzip\r\n\r\n").forever(empty)
            }
        }
    }));
    for path in ["/drips", "/stops", "/empty"] {
        // Within the time for such content, and beyond it.
        for limit in [Duration::from_millis(500), Duration::from_secs(60)] {
            let outcome = one(job(server.url(path)).with(|settings| settings.timeout = limit));
            assert_failed(&outcome, Kind::Status, Phase::Head);
            assert_eq!((outcome.status, outcome.attempts.len()), (Some(404), 1), "{path}");
            assert!(outcome.body.is_none() && outcome.body_truncated, "{path}");
        }
    }
}
