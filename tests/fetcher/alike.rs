//! The fetcher sends through its own transport or through a client that it is given. With a client of surf over the same
//! transport, requests on the wire and outcomes must be the same.

use std::time::Duration;

use roundup::surf::Redirect;
use roundup::{Fetcher, Field, Job, Method, Outcome, Transport};

use super::{at_once, collect, once};
use crate::common::{Reply, Request, Server, refusing_port};

/// What is compared: outcomes, and the requests that two servers saw.
fn play(fetcher: &Fetcher, refusing: u16) -> Vec<String> {
    let there = Server::builder().unused_ok().start(|_| Reply::text("elsewhere"));
    let elsewhere = there.url("/there");
    let server = Server::start(move |request| answer(request, &elsewhere));
    let outcomes = collect(&fetcher.clone().limits(at_once(1)), jobs(&server, refusing));
    let ports = [server.port().to_string(), there.port().to_string()];
    let shown = outcomes.iter().map(show_outcome);
    let seen = [&server, &there].map(|server| server.stats().seen);
    let seen = seen.iter().flatten().map(|request| show_request(request));
    shown.chain(seen).map(|line| line.replace(&ports[0], "HERE").replace(&ports[1], "THERE")).collect()
}

fn answer(request: &Request, elsewhere: &str) -> Reply {
    match request.path().strip_prefix('/').unwrap_or_default() {
        "json" => Reply::json(r#"{"a": 1}"#),
        "gzip" => Reply::text("text that is coded").gzip(),
        "chunks" => Reply::text("a text in chunks").chunked(3),
        "404" => Reply::status(404).body("not here"),
        "204" => Reply::status(204),
        "522" => Reply::status(522).body("no origin"),
        "301" => Reply::redirect(301, "/json?a=b#c").body("moved"),
        "303" => Reply::redirect(303, "json"),
        "307" => Reply::redirect(307, "/echo"),
        "echo" => Reply::text(request.text()),
        "away" => Reply::redirect(308, elsewhere),
        "circle" => Reply::redirect(302, "/circle"),
        "ftp" => Reply::redirect(302, "ftp://example.com/"),
        "no-url" => Reply::redirect(302, "http://["),
        "nowhere" => Reply::status(302),
        "hang" => Reply::hang(),
        "half" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").close(),
        "half-hang" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").and_hang(),
        "noise" => Reply::raw("SSH-2.0-x\r\n").close(),
        "later" => Reply::status(503).header("Retry-After", "7"),
        _ => Reply::status(400),
    }
}

fn jobs(server: &Server, refusing: u16) -> Vec<Job> {
    let get = |path: &str| once(server.url(path));
    let with = |path: &str, method: Method, data: &[u8]| {
        get(path).with(|settings| {
            settings.method = method;
            settings.data = (!data.is_empty()).then(|| data.to_vec().into());
        })
    };
    let fields = |job: Job, fields: &[(&str, &[u8])]| {
        job.with(|settings| {
            settings.headers = fields.iter().map(|(name, value)| Field::new(name, value).expect("a field")).collect();
        })
    };
    let brief = |job: Job| job.with(|settings| settings.timeout = Duration::from_millis(300));
    let own: &[(&str, &[u8])] = &[
        ("X-Mine", b"1"),
        ("x-mine", b"2"),
        ("Authorization", b"Bearer x"),
        ("Cookie", b"a=b"),
        ("X-Beyond", "caf\u{e9}".as_bytes()),
        ("Accept", b"application/json"),
    ];
    let mut jobs = vec![
        get("/json"),
        get("/gzip"),
        get("/gzip").with(|settings| settings.raw = true),
        get("/chunks"),
        get("/404"),
        get("/204"),
        get("/522"),
        get("/circle"),
        get("/ftp"),
        get("/no-url"),
        get("/nowhere"),
        get("/half"),
        get("/noise"),
        get("/301").with(|settings| settings.follow = 0),
        get("/json").with(|settings| settings.max_body = Some(3)),
        brief(get("/hang")),
        brief(get("/half-hang")),
        with("/json", Method::HEAD, b""),
        fields(get("/json"), own),
        fields(get("/301"), own),
        fields(get("/away"), own),
        fields(with("/307", Method::POST, b"[1]"), &[("content-type", b"application/json")]),
        fields(with("/echo", Method::POST, b"{}"), &[("Content-Type", b"application/json"), ("Expect", b"x")]),
        once(server.url("/json").replace("http://", "http://me:pass%20word@")),
        once(server.url("/301").replace("http://", "http://me:secret@")),
        once(format!("http://127.0.0.1:{refusing}/")),
    ];
    for method in [Method::GET, Method::POST, "PUT".parse().expect("a method")] {
        for path in ["/301", "/303", "/307", "/echo"] {
            let data: &[u8] = if method == Method::GET { b"" } else { b"a=b&c=d" };
            jobs.push(with(path, method, data));
        }
    }
    // The last, for its host is left alone for a while.
    jobs.push(get("/later"));
    jobs
}

fn show_outcome(outcome: &Outcome) -> String {
    let failure = outcome.error.as_ref().map(|failure| (failure.kind, failure.phase, failure.message.clone()));
    let body = outcome.body.as_ref().and_then(roundup::Body::in_memory).map(String::from_utf8_lossy);
    let text = format!(
        "{} -> {:?} {:?} {:?} {:?} {body:?} {} {} attempts {failure:?}",
        outcome.url,
        outcome.final_url,
        outcome.status,
        outcome.content_type,
        outcome.body_bytes,
        outcome.body_truncated,
        outcome.attempts.len(),
    );
    let [attempt] = &outcome.attempts[..] else { return text };
    format!("{text} {:?} reused {}", attempt.address, attempt.reused)
}

/// http-types knows names in lower case alone, in an order of its own.
fn show_request(request: &Request) -> String {
    let mut fields: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase())).collect();
    fields[1..].sort();
    format!("{} {} {fields:?} {}", request.method, request.target, request.text())
}

#[test]
fn with_and_without_surf_between_it_is_the_same() {
    let refusing = refusing_port();
    let own = play(&Fetcher::with_transport(Transport::new()), refusing);
    let client = roundup::surf::client(Transport::new()).with(Redirect::default());
    let brought = play(&Fetcher::with_client(client), refusing);
    for (own, brought) in own.iter().zip(&brought) {
        assert_eq!(own, brought);
    }
    assert_eq!(own.len(), brought.len());
}

#[test]
fn fields_are_sent_as_they_were_given() {
    let server = Server::start(|_| Reply::text("there"));
    let names = ["X-Zebra", "x-ant", "X-Bee"];
    let job = once(server.url("/")).with(|settings| {
        settings.headers = names.iter().map(|name| Field::new(name, b"1".as_slice()).expect("a field")).collect();
    });
    assert!(super::one(job).ok());
    let seen = &server.requests()[0].headers;
    let given: Vec<&str> = seen.iter().map(|(name, _)| &**name).filter(|name| names.contains(name)).collect();
    assert_eq!((&*seen[0].0, given), ("Host", names.to_vec()));
}

/// In memory it is all there, whatever a stream of a client would have of it.
#[test]
fn large_content_can_be_sent_again_if_a_redirect_asks_for_it() {
    let server = Server::start(|request| match request.path() {
        "/from" => Reply::redirect(307, "/to"),
        _ => Reply::text(request.body.len().to_string()),
    });
    let job = once(server.url("/from")).with(|settings| {
        settings.method = Method::POST;
        settings.data = Some(vec![b'x'; 1 << 20].into());
    });
    assert_eq!(super::one(job).body.as_ref().and_then(roundup::Body::in_memory), Some(&b"1048576"[..]));
}
