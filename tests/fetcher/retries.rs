//! What is tried again, how often, and what a server can ask for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roundup::transport::{Proxies, Proxy, Roots};
use roundup::{Fetcher, Job, Kind, Outcome, Phase, Transport};

use super::{assert_failed, at_once, collect, failure, job, once, one};
use crate::common::{Authority, Leaf, Reply, Server, refusing_port};

/// Plays these replies one after the other, and the last for ever.
fn playing(replies: &'static [fn() -> Reply]) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_| replies[next.fetch_add(1, Ordering::SeqCst).min(replies.len() - 1)]())
}

fn method(job: Job, method: &str) -> Job {
    job.with(|settings| settings.method = method.parse().expect(method))
}

#[test]
fn flaky_twice_and_then_well() {
    for first in [
        || Reply::status(503),
        || Reply::empty().close(),
        || Reply::empty().reset(),
        || Reply::status(500).body("oops").header("Connection", "close"),
        || Reply::status(522),
    ] {
        let next = AtomicUsize::new(0);
        let server =
            Server::start(
                move |_| {
                    if next.fetch_add(1, Ordering::SeqCst) < 2 { first() } else { Reply::json("{\"a\":1}") }
                },
            );
        let outcome = one(job(server.url("/")));
        assert!(outcome.ok(), "{outcome:?}");
        assert_eq!(
            (outcome.status, outcome.retries(), outcome.body.as_ref().and_then(roundup::Body::in_memory)),
            (Some(200), 2, Some(&b"{\"a\":1}"[..]))
        );
        assert_eq!(server.stats().requests, 3);
        let errors: Vec<bool> = outcome.attempts.iter().map(|attempt| attempt.error.is_some()).collect();
        assert_eq!(errors, [true, true, false]);
        let waits: Vec<bool> = outcome.attempts.iter().map(|attempt| attempt.waited.is_some()).collect();
        assert_eq!(waits, [false, true, true]);
        for pair in outcome.attempts.windows(2) {
            assert!(pair[1].started >= pair[0].started + pair[0].total + pair[1].waited.unwrap_or_default());
        }
        let sum: Duration = outcome.attempts.iter().map(|attempt| attempt.total).sum();
        assert!(outcome.timings.total >= sum);
    }
}

/// Retries went by the kind of the error, so that a lost handshake was not tried again and a refused password was.
#[test]
fn a_handshake_that_is_reset_is_tried_again() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(authority.server(Leaf::Good))
        .on_connect(|nth| (nth == 1).then(|| Reply::empty().reset()))
        .start(|_| Reply::text("x"));
    let roots = Roots::File(authority.ca_file().to_owned());
    let transport = Transport::builder().roots(roots).build().expect("a good file");
    let outcome = with(transport, job(server.url("/")));
    assert!(outcome.ok(), "{outcome:?}");
    assert_eq!(outcome.retries(), 1);
    // A certificate that is refused does not get better.
    let outcome = with(Transport::builder().roots(Roots::Bundled).build().expect("no file"), job(server.url("/")));
    assert_eq!((failure(&outcome).kind, outcome.attempts.len()), (Kind::Tls, 1));
}

#[test]
fn a_proxy_that_refuses_is_asked_once_and_one_that_failed_again() {
    for (status, attempts) in [(407, 1), (403, 1), (405, 1), (502, 3)] {
        let proxy = Server::start(move |_| Reply::status(status).close());
        let through: Proxy = format!("http://me:wrong@{}", proxy.addr()).parse().expect("a proxy");
        let transport = Transport::builder().proxies(Proxies::single(through)).build().expect("good settings");
        let outcome = with(transport, job("https://a.example/"));
        assert_eq!((failure(&outcome).kind, outcome.attempts.len()), (Kind::Connect, attempts), "{status}");
        assert_eq!(proxy.stats().requests, attempts, "{status}");
    }
}

/// The outcome of one job over this transport.
fn with(transport: Transport, job: Job) -> Outcome {
    collect(&Fetcher::with_transport(transport), vec![job]).remove(0)
}

#[test]
fn what_does_not_pass_with_time_is_not_tried_again() {
    let server = Server::start(|request| match request.path() {
        "/404" => Reply::status(404).body("not here"),
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").close(),
        _ => Reply::redirect(302, "ftp://a/"),
    });
    for (path, kind, phase, status) in [
        ("/404", Kind::Status, Phase::Head, Some(404)),
        ("/cut", Kind::Body, Phase::Body, Some(200)),
        ("/ftp", Kind::Redirect, Phase::Head, None),
    ] {
        let before = server.stats().requests;
        let outcome = one(job(server.url(path)));
        assert_failed(&outcome, kind, phase);
        assert_eq!((outcome.status, outcome.attempts.len(), server.stats().requests - before), (status, 1, 1));
    }
}

#[test]
fn it_is_tried_as_often_as_allowed_and_each_try_is_listed() {
    let server = Server::start(|_| Reply::status(503).body("later"));
    for retries in [0, 1, 2] {
        let before = server.stats().requests;
        let outcome = one(job(server.url("/")).with(|settings| settings.retries = retries));
        assert_failed(&outcome, Kind::Status, Phase::Head);
        assert_eq!(outcome.retries(), retries as usize);
        assert_eq!(server.stats().requests - before, retries as usize + 1);
        // What the server said with it is kept: it often says why.
        assert_eq!(outcome.body.as_ref().and_then(roundup::Body::in_memory), Some(&b"later"[..]));
        assert!(outcome.attempts.iter().all(|attempt| attempt.status == Some(503) && attempt.address.is_some()));
    }
}

#[test]
fn a_port_that_refuses_is_tried_again() {
    let outcome = one(job(format!("http://127.0.0.1:{}/", refusing_port())).with(|settings| settings.retries = 1));
    assert_failed(&outcome, Kind::Connect, Phase::Connect);
    assert_eq!((outcome.attempts.len(), outcome.status, outcome.timings.first_byte), (2, None, None));
}

#[test]
fn a_post_is_sent_once_unless_it_may_be_repeated() {
    let server = Server::start(|_| Reply::status(503));
    for (name, unsafe_too, requests) in
        [("POST", false, 1), ("PATCH", false, 1), ("PUT", false, 2), ("DELETE", false, 2), ("POST", true, 2)]
    {
        let before = server.stats().requests;
        let outcome = one(method(job(server.url("/")), name).with(|settings| {
            (settings.retry_unsafe, settings.retries, settings.data) = (unsafe_too, 1, Some(Arc::from(*b"x=1")));
        }));
        assert_failed(&outcome, Kind::Status, Phase::Head);
        assert_eq!(server.stats().requests - before, requests, "{name}");
    }
    assert!(server.requests().iter().all(|request| {
        request.body == b"x=1" && request.header("content-type") == Some("application/x-www-form-urlencoded")
    }));
}

#[test]
fn a_reset_after_a_redirect_is_a_reset_before_a_response() {
    let met = AtomicUsize::new(0);
    let server = Server::start(move |request| match request.path() {
        "/from" => Reply::redirect(302, "/to"),
        _ if met.fetch_add(1, Ordering::SeqCst) == 0 => Reply::empty().reset(),
        _ => Reply::text("there"),
    });
    // The connection is new, so that the transport itself does not repeat it.
    let from = job(server.url("/from")).with(|settings| settings.method = "GET".parse().expect("GET"));
    let outcome = one(from);
    assert!(outcome.ok(), "{outcome:?}");
    assert_eq!(outcome.final_url.as_deref(), Some(server.url("/to").as_str()));
}

#[test]
fn a_server_that_asks_to_wait_is_left_alone_while_others_go_on() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let noted = log.clone();
    let asked = AtomicUsize::new(0);
    let busy = Server::start(move |request| {
        noted.lock().expect("no panic").push(request.path().to_owned());
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            Reply::status(503).header("Retry-After", "2")
        } else {
            Reply::json("{}")
        }
    });
    let noted = log.clone();
    let free = Server::start(move |request| {
        noted.lock().expect("no panic").push(request.path().to_owned());
        Reply::json("{}")
    });
    let jobs = [busy.url("/busy/0"), busy.url("/busy/1"), free.url("/free/0"), free.url("/free/1")].map(job);
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), jobs.into());
    assert!(outcomes.iter().all(roundup::Outcome::ok));
    let log = log.lock().expect("no panic").clone();
    assert_eq!(log[..3], ["/busy/0", "/free/0", "/free/1"]);
    assert_eq!(log.len(), 5);
    let waited = outcomes[0].attempts[1].waited.expect("it was tried again");
    assert!(waited >= Duration::from_secs(2) && outcomes[1].retries() == 0);
    assert!(outcomes[1].attempts[0].started >= Duration::from_secs(2), "the whole host is paused");
}

#[test]
fn a_rate_limit_that_is_used_up_pauses_its_host() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::json("{}").header("RateLimit-Remaining", "0").header("RateLimit-Reset", "1"),
        _ => Reply::json("{}").header("RateLimit-Remaining", "9").header("RateLimit-Reset", "1000"),
    });
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), vec![job(server.url("/")), job(server.url("/"))]);
    assert!(outcomes.iter().all(|outcome| outcome.ok() && outcome.retries() == 0));
    assert!(outcomes[1].attempts[0].started >= Duration::from_secs(1));
}

#[test]
fn a_wait_that_is_too_long_is_not_waited_for() {
    let server = playing(&[|| Reply::status(429).header("Retry-After", "3600")]);
    let outcome = one(job(server.url("/")));
    assert_failed(&outcome, Kind::Status, Phase::Head);
    assert_eq!(outcome.attempts.len(), 1);
    let at = failure(&outcome).retry_at.as_deref().expect("it says when");
    assert!(at.len() >= 20 && at.ends_with('Z') && at.contains('T'), "{at}");
    // The deadline of the run is such a limit too.
    let server = playing(&[|| Reply::status(503).header("Retry-After", "30")]);
    let fetcher = Fetcher::new().deadline(Some(Duration::from_secs(20)));
    let outcome = collect(&fetcher, vec![job(server.url("/"))]).remove(0);
    assert_failed(&outcome, Kind::Status, Phase::Head);
    assert!(failure(&outcome).retry_at.is_some());
}

/// Jobs of the same host that were left unsent said when they may be; the one that was refused did not.
#[test]
fn what_ends_refused_says_when_it_may_be_tried_again() {
    let hour = || Reply::status(429).header("Retry-After", "3600");
    let second = || Reply::status(404).header("Retry-After", "1");
    let reset = || Reply::status(429).header("X-RateLimit-Reset", "3600");
    for (reply, verb, retries) in [
        (hour as fn() -> Reply, "POST", 2),
        (hour, "GET", 0),
        (second, "POST", 2),
        (second, "GET", 0),
        (second, "GET", 1),
        (reset, "GET", 2),
    ] {
        let server = Server::start(move |_| reply());
        let job = method(job(server.url("/")), verb).with(|settings| settings.retries = retries);
        let outcome = one(job);
        assert_failed(&outcome, Kind::Status, Phase::Head);
        assert!(failure(&outcome).retry_at.is_some(), "{verb} {retries}: {outcome:?}");
    }
    let server = Server::start(|_| Reply::status(429));
    assert_eq!(failure(&one(once(server.url("/")))).retry_at, None, "no wait is named");
}

/// It gave up without a word of why.
#[test]
fn what_is_not_tried_again_for_want_of_time_says_so() {
    let half = Duration::from_millis(500);
    // Nobody listens there, so the next attempt comes after 750 ms or more.
    let closed = format!("http://127.0.0.1:{}/", refusing_port());
    let later = Server::start(|_| Reply::status(503).header("Retry-After", "30"));
    let of_job = "; the next attempt would come after the time for all attempts, 500ms";
    let of_run = "; the next attempt would come after the run's deadline";
    for url in [closed, later.url("/")] {
        let said = |fetcher: Fetcher, job: Job| failure(&collect(&fetcher, vec![job]).remove(0)).message.to_string();
        let limited = job(&url).with(|settings| settings.job_timeout = Some(half));
        let message = said(Fetcher::new(), limited);
        assert!(message.ends_with(of_job), "{message}");
        let message = said(Fetcher::new().deadline(Some(half)), job(&url));
        assert!(message.ends_with(of_run), "{message}");
    }
}

#[test]
fn a_stale_connection_is_not_counted_as_a_try() {
    let server = Server::start(|request| if request.nth == 1 { Reply::json("{}") } else { Reply::empty().close() });
    let jobs = (0..4).map(|_| once(server.url("/"))).collect();
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), jobs);
    assert!(outcomes.iter().all(|outcome| outcome.ok() && outcome.attempts.len() == 1));
    assert_eq!(server.stats().connections, 4);
}
