//! Limits that hold for every request that leaves, refusals that are obeyed, and hosts that are left alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use roundup::fetcher::{RunStatus, Stopper, WaitReason};
use roundup::{EventLoop, Fetcher, Job, Kind, Limits, Outcome, WaitCause};

use super::waits::waited;
use super::{at_once, collect, failure, job, once, per_host};
use crate::common::{Authority, Leaf, Reply, Server, refusing_port};

/// A server at which every path leads to the same path of another.
fn leading_to(target: &Server) -> Server {
    let base = target.url("/");
    Server::start(move |request| Reply::redirect(302, &format!("{}{}", base.trim_end_matches('/'), request.path())))
}

/// Forty came at once where two were allowed: a redirect was counted against the host that it came from.
#[test]
fn what_a_redirect_leads_to_is_counted_against_its_own_host() {
    let target = Server::start(|_| Reply::json("{}").late(Duration::from_millis(10)));
    let sources = [(); 4].map(|()| leading_to(&target));
    let jobs = (0..40).map(|n| job(sources[n % 4].url(&format!("/{n}")))).collect();
    let outcomes = collect(&Fetcher::new().limits(per_host(2)), jobs);
    assert!(outcomes.iter().all(Outcome::ok));
    assert_eq!((target.stats().requests, target.stats().peak_in_flight), (40, 2));
    assert!(sources.iter().all(|source| source.stats().peak_in_flight <= 2));
}

/// One permit for all, and redirects within a host that takes one request: each hop gives back what the next one needs.
#[test]
fn redirects_within_a_full_host_are_no_deadlock() {
    let server = Server::start(|request| match request.path().rsplit_once('/') {
        Some((_, "0")) => Reply::json("{}"),
        Some((start, left)) => Reply::redirect(302, &format!("{start}/{}", left.parse::<u32>().expect("a number") - 1)),
        None => Reply::status(400),
    });
    let jobs = (0..20).map(|n| job(server.url(&format!("/{n}/4")))).collect();
    let limits = Limits { per_host: 1.try_into().ok(), ..at_once(1) };
    let outcomes = collect(&Fetcher::new().limits(limits), jobs);
    assert!(outcomes.iter().all(|outcome| outcome.ok() && outcome.attempts.len() == 1));
    assert_eq!((server.stats().requests, server.stats().peak_in_flight), (100, 1));
}

#[test]
fn redirects_keep_to_the_rate() {
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let noted = arrivals.clone();
    let server = Server::start(move |request| {
        noted.lock().expect("no panic").push(Instant::now());
        if request.path() == "/to" { Reply::json("{}") } else { Reply::redirect(302, "/to") }
    });
    let limits = Limits { rate: "20/s".parse().ok(), ..Limits::default() };
    let began = Instant::now();
    let outcomes = collect(&Fetcher::new().limits(limits), (0..5).map(|_| job(server.url("/from"))).collect());
    assert!(outcomes.iter().all(Outcome::ok));
    // A busy machine may deliver late and close together, but never before they were due.
    let arrivals = arrivals.lock().expect("no panic").clone();
    for (n, arrival) in arrivals.iter().enumerate() {
        assert!(*arrival - began >= Duration::from_millis(50) * n as u32, "{n}: {arrivals:?}");
    }
    assert_eq!(arrivals.len(), 10);
}

/// The innocent host was paused.
#[test]
fn a_refusal_of_a_redirects_target_pauses_the_target_alone() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let asked = AtomicUsize::new(0);
    let noted = log.clone();
    let target = Server::start(move |request| {
        noted.lock().expect("no panic").push(format!("target{}", request.path()));
        match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::status(429).header("Retry-After", "1"),
            _ => Reply::json("{}"),
        }
    });
    let (to, noted) = (target.url("/x"), log.clone());
    let first = Server::start(move |request| {
        noted.lock().expect("no panic").push(format!("first{}", request.path()));
        if request.path() == "/led" { Reply::redirect(302, &to) } else { Reply::json("{}") }
    });
    let jobs = [first.url("/led"), first.url("/own")].map(job).to_vec();
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), jobs);
    assert!(outcomes.iter().all(Outcome::ok));
    let log = log.lock().expect("no panic").clone();
    assert_eq!(log, ["first/led", "target/x", "first/own", "first/led", "target/x"]);
}

/// A paused host must not hold permits that others need.
#[test]
fn a_redirect_to_a_paused_host_waits_without_a_permit() {
    let asked = AtomicUsize::new(0);
    let paused = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::json("{}").header("RateLimit", r#""all";r=0;t=1"#),
        _ => Reply::json("{}"),
    });
    let leading = leading_to(&paused);
    let free = Server::start(|_| Reply::json("{}"));
    let jobs = [paused.url("/1"), leading.url("/2"), free.url("/3"), free.url("/4")].map(job).to_vec();
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), jobs);
    assert!(outcomes.iter().all(Outcome::ok));
    let ended = |n: usize| outcomes[n].attempts[0].started + outcomes[n].attempts[0].total;
    assert!(ended(1) >= Duration::from_secs(1), "{:?}", outcomes[1]);
    assert!(ended(2) < ended(1) && ended(3) < ended(1));
}

/// Two thousand requests went out to a host that had asked for an hour.
#[test]
fn a_wait_beyond_the_limit_ends_what_is_left_of_its_host_unsent() {
    for refusal in [
        || Reply::status(429).header("Retry-After", "3600"),
        || Reply::status(503).header("Retry-After", "3600"),
        || Reply::status(403).header("X-RateLimit-Remaining", "0").header("X-RateLimit-Reset", "3600"),
        || {
            let reset = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
            Reply::status(403).header("X-RateLimit-Remaining", "0").header("X-RateLimit-Reset", reset.to_string())
        },
    ] {
        let server = Server::start(move |_| refusal());
        let other = Server::start(|_| Reply::json("{}"));
        let mut jobs: Vec<Job> = (0..50).map(|n| job(server.url(&format!("/{n}")))).collect();
        jobs.extend((0..5).map(|_| job(other.url("/"))));
        let outcomes = collect(&Fetcher::new().limits(per_host(1)), jobs);
        assert_eq!(server.stats().requests, 1);
        assert_eq!(failure(&outcomes[0]).kind, Kind::Status);
        for outcome in &outcomes[1..50] {
            let failure = failure(outcome);
            assert_eq!((failure.kind, outcome.attempts.len()), (Kind::Skipped, 0), "{}", failure.message);
            assert!(failure.message.contains("asks to be left alone until 2"), "{}", failure.message);
        }
        assert!(outcomes[..50].iter().all(|outcome| failure(outcome).retry_at.is_some()));
        assert!(outcomes[50..].iter().all(Outcome::ok));
    }
}

#[test]
fn a_job_that_waits_longer_than_others_is_sent_all_the_same() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(429).header("Retry-After", "1"),
        _ => Reply::json("{}"),
    });
    let short = |url: String| job(url).with(|settings| settings.retry_after_max = Duration::from_millis(500));
    let jobs = vec![short(server.url("/0")), job(server.url("/1")), short(server.url("/2"))];
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), jobs);
    assert_eq!(outcomes.iter().map(Outcome::ok).collect::<Vec<_>>(), [false, true, false]);
    assert!(outcomes[1].attempts[0].started >= Duration::from_secs(1));
    assert_eq!(server.stats().requests, 2);
}

/// Seven of twelve answers of GitHub were lost.
#[test]
fn nothing_remaining_is_waited_for() {
    for (status, name, value) in [
        (403, "X-RateLimit-Reset", "1"),
        (503, "X-RateLimit-Reset", "1"),
        (429, "RateLimit", "limit=10, remaining=0, reset=1"),
        (404, "Retry-After", "1"),
        (500, "Retry-After", "0.9"),
    ] {
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::status(status).header("X-RateLimit-Remaining", "0").header(name, value),
            _ => Reply::json("{}"),
        });
        let outcome = collect(&Fetcher::new(), vec![job(server.url("/"))]).remove(0);
        assert!(outcome.ok(), "{status} {name}: {outcome:?}");
        assert!(outcome.attempts[1].waited.is_some_and(|waited| waited >= Duration::from_millis(900)), "{outcome:?}");
    }
}

#[test]
fn the_second_member_of_a_list_pauses_the_host() {
    let server = Server::start(|_| Reply::json("{}").header("RateLimit", r#""a";r=5;t=60, "b";r=0;t=1"#));
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), vec![job(server.url("/")), job(server.url("/"))]);
    assert!(outcomes.iter().all(Outcome::ok));
    assert!(outcomes[1].attempts[0].started >= Duration::from_secs(1));
}

/// Half of the sources are ill for ever: trying each three times would have made a hundred requests of fifty jobs.
#[test]
fn retries_of_a_run_are_at_most_a_fifth_of_its_requests() {
    let server = Server::start(|request| if request.path() == "/ill" { Reply::status(500) } else { Reply::json("{}") });
    let jobs = (0..100).map(|n| job(server.url(if n % 2 == 0 { "/ill" } else { "/well" }))).collect();
    let outcomes = collect(&Fetcher::new(), jobs);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.ok()).count(), 50);
    let retries: usize = outcomes.iter().map(Outcome::retries).sum();
    assert_eq!((retries, server.stats().requests), (20, 120));
    let out_of_budget = |outcome: &&Outcome| failure(outcome).message.contains("as many retries as it may");
    assert!(outcomes.iter().filter(|outcome| !outcome.ok()).filter(out_of_budget).count() >= 30);
}

/// A refusal names its own wait: that does not draw on the budget, otherwise a limit of one could not be kept to.
#[test]
fn refusals_do_not_draw_on_the_budget() {
    let asked = Mutex::new(std::collections::HashSet::new());
    let server =
        Server::start(move |request| match asked.lock().expect("no panic").insert(request.path().to_owned()) {
            true => Reply::status(429).header("Retry-After", "0"),
            false => Reply::json("{}"),
        });
    let outcomes = collect(&Fetcher::new(), (0..20).map(|n| job(server.url(&format!("/{n}")))).collect());
    let ok = outcomes.iter().filter(|outcome| outcome.ok()).count();
    assert_eq!((ok, server.stats().requests), (20, 40));
}

/// A server that cuts connections before TLS, which is no connection for any source, as it says for each by its number; and
/// what trusts it.
fn cutting(is_cut: impl Fn(usize) -> bool + Send + Sync + 'static) -> (Server, roundup::Transport, Authority) {
    let authority = Authority::new();
    let connections = AtomicUsize::new(0);
    let server = Server::builder()
        .tls(authority.server(Leaf::Good))
        .on_connect(move |_| is_cut(connections.fetch_add(1, Ordering::SeqCst)).then(|| Reply::empty().reset()))
        .start(|_| Reply::json("{}"));
    let roots = roundup::transport::Roots::File(authority.ca_file().to_owned());
    let transport = roundup::Transport::builder().roots(roots).build().expect("a good file");
    // Its file is read when the first connection is made.
    (server, transport, authority)
}

#[test]
fn a_host_that_is_back_after_an_outage_costs_no_source() {
    let since = OnceLock::new();
    let (server, transport, _authority) =
        cutting(move |_: usize| since.get_or_init(Instant::now).elapsed() < Duration::from_secs(2));
    let jobs = (0..30).map(|n| job(server.url(&format!("/{n}")))).collect();
    let outcomes = collect(&Fetcher::with_transport(transport).limits(per_host(5)), jobs);
    assert!(outcomes.iter().all(Outcome::ok));
    // What had not started when the breaker opened waited for the probe, and says so.
    assert!(waited(&outcomes[29], WaitCause::Breaker) >= 4000, "{:?}", outcomes[29].waits);
    assert!(outcomes[29].attempts[0].started >= Duration::from_secs(4), "{:?}", outcomes[29].attempts[0].started);
}

/// A server that is starting often takes connections and ends them.
#[test]
fn a_host_that_ends_connections_for_two_seconds_costs_no_source() {
    for reset in [true, false] {
        let since = OnceLock::new();
        let server = Server::builder()
            .on_connect(move |_| {
                let is_out = since.get_or_init(Instant::now).elapsed() < Duration::from_secs(2);
                is_out.then(|| if reset { Reply::empty().reset() } else { Reply::empty().cut() })
            })
            .start(|_| Reply::json("{}"));
        let jobs = (0..30).map(|n| job(server.url(&format!("/{n}")))).collect();
        let outcomes = collect(&Fetcher::new().limits(per_host(5)), jobs);
        assert_eq!(outcomes.iter().filter(|outcome| outcome.ok()).count(), 30, "reset: {reset}");
        assert!(waited(&outcomes[29], WaitCause::Breaker) >= 4000, "{:?}", outcomes[29].waits);
    }
}

/// A request that is sent once more, because its kept connection had ended, is one more request for the host's rate.
#[test]
fn a_request_that_is_sent_once_more_waits_for_its_turn() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let moments = asked.clone();
    // Each connection ends with its second request.
    let server = Server::start(move |request| {
        moments.lock().expect("no panic").push(Instant::now());
        if request.nth == 1 { Reply::json("{}") } else { Reply::empty().reset() }
    });
    let limits = Limits { rate: "20/s".parse().ok(), ..Limits::default() };
    let jobs = (0..20).map(|n| job(server.url(&format!("/{n}")))).collect();
    let outcomes = collect(&Fetcher::new().limits(limits), jobs);
    assert!(outcomes.iter().all(|outcome| outcome.ok() && outcome.attempts.len() == 1));
    let asked = asked.lock().expect("no panic");
    let second = Duration::from_secs(1);
    let within =
        asked.iter().map(|from| asked.iter().filter(|at| **at >= *from && **at - *from < second).count()).max();
    // What leaves evenly arrives closer together on a busy machine; it was 40.
    assert!(within <= Some(24), "{within:?} in a second");
}

/// No server acts on a request that it has not had whole, whatever its method, and content in memory can be read again.
#[test]
fn a_long_post_whose_kept_connection_ends_under_it_is_sent_again() {
    let server = Server::builder()
        .on_head(|request| (request.nth == 2).then(|| Reply::empty().reset()))
        .start(|_| Reply::json("{}"));
    let post = job(server.url("/post")).with(|settings| {
        (settings.method, settings.data) = ("POST".parse().expect("POST"), Some(vec![b'x'; 5 << 20].into()));
    });
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), vec![job(server.url("/")), post]);
    assert!(outcomes[1].ok() && outcomes[1].attempts.len() == 1, "{:?}", outcomes[1]);
}

/// The budget of retries ended forty of fifty sources whose server was restarted.
#[test]
fn retries_that_found_no_connection_do_not_draw_on_the_budget() {
    let (server, transport, _authority) = cutting(|number: usize| number < 20);
    let jobs = (0..20).map(|n| job(server.url(&format!("/{n}")))).collect();
    let outcomes = collect(&Fetcher::with_transport(transport).limits(per_host(20)), jobs);
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.error.as_ref()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(outcomes.iter().map(Outcome::retries).sum::<usize>(), 20);
}

#[test]
fn jobs_without_retries_are_not_tried_again_and_open_the_breaker() {
    let port = refusing_port();
    let jobs = (0..5).map(|n| once(format!("http://127.0.0.1:{port}/{n}"))).collect();
    let outcomes = collect(&Fetcher::new(), jobs);
    assert!(outcomes.iter().all(|outcome| failure(outcome).kind == Kind::Connect && outcome.attempts.len() == 1));
}

/// Whatever waits, and for whatever: the time for all attempts counts.
#[test]
fn all_attempts_together_have_a_limit() {
    let server = Server::start(|request| match request.path() {
        "/ill" => Reply::status(503),
        "/hang" => Reply::hang(),
        "/later" => Reply::status(503).header("Retry-After", "30"),
        _ => Reply::redirect(302, "/later"),
    });
    let within = |path: &str, limit: u64| {
        job(server.url(path)).with(|settings| {
            (settings.retries, settings.job_timeout) = (50, Some(Duration::from_millis(limit)));
        })
    };
    let outcome = collect(&Fetcher::new(), vec![within("/ill", 1500)]).remove(0);
    assert_eq!((failure(&outcome).kind, outcome.status), (Kind::Status, Some(503)), "{outcome:?}");
    assert!(outcome.attempts.len() >= 2 && outcome.attempts.len() < 40, "{outcome:?}");
    let outcome = collect(&Fetcher::new(), vec![within("/hang", 300)]).remove(0);
    assert_eq!((failure(&outcome).kind, outcome.attempts.len()), (Kind::Timeout, 1));
    assert!(failure(&outcome).message.contains("the time for all attempts, 300ms, was over while"), "{outcome:?}");
    // A wait that the server asks for and that is longer than what is left is not begun.
    let outcome = collect(&Fetcher::new(), vec![within("/later", 5000)]).remove(0);
    assert_eq!((failure(&outcome).kind, outcome.attempts.len()), (Kind::Status, 1));
    assert!(failure(&outcome).retry_at.is_some());
    // Another job has paused the host, to which a redirect leads.
    let slow = Server::start(|_| Reply::status(429).header("Retry-After", "20"));
    let to = slow.url("/");
    let leading = Server::start(move |_| Reply::redirect(302, &to));
    let jobs = vec![
        once(slow.url("/")),
        job(leading.url("/")).with(|settings| {
            settings.job_timeout = Some(Duration::from_millis(500));
        }),
    ];
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), jobs);
    assert_eq!(failure(&outcomes[1]).kind, Kind::Timeout, "{:?}", outcomes[1]);
    assert_eq!(slow.stats().requests, 1);
}

#[test]
fn what_is_tried_again_can_be_listed() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Reply::json("{\"state\":\"busy\"}"),
        _ => Reply::json("{\"state\":\"done\"}"),
    });
    let done = |retry_on: Option<&str>| {
        let on = retry_on.map(|on| on.parse().expect(on));
        let done = ("/state".parse().expect("a pointer"), "done".into());
        job(server.url("/")).with(|settings| (settings.retry_on, settings.expect.json) = (on, vec![done]))
    };
    let outcome = collect(&Fetcher::new(), vec![done(Some("500,expectation"))]).remove(0);
    assert_eq!((outcome.ok(), outcome.retries()), (true, 1));
    let outcome = collect(&Fetcher::new(), vec![done(None)]).remove(0);
    assert_eq!((failure(&outcome).kind, outcome.retries()), (Kind::Expectation, 0));
}

#[test]
fn a_post_that_is_repeated_has_one_key_for_all_its_attempts() {
    let server = Server::start(|_| Reply::status(503));
    let post = |unsafe_too: bool, header: Option<&str>| {
        job(server.url("/")).with(|settings| {
            (settings.method, settings.retry_unsafe) = ("POST".parse().expect("POST"), unsafe_too);
            settings.headers.extend(header.map(|header| header.parse().expect("a header")));
        })
    };
    let jobs = vec![post(true, None), post(true, None), post(true, Some("idempotency-key: mine")), post(false, None)];
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), jobs);
    assert!(outcomes.iter().all(|outcome| !outcome.ok()));
    let mut keys = std::collections::BTreeMap::new();
    for request in server.requests() {
        *keys.entry(request.header("idempotency-key").map(str::to_owned)).or_insert(0) += 1;
    }
    let made = keys.iter().filter(|(key, _)| key.as_ref().is_some_and(|key| key.len() > 30 && key.starts_with('"')));
    assert_eq!(made.map(|(_, times)| *times).collect::<Vec<_>>(), [3, 3], "{keys:?}");
    assert_eq!((keys.get(&Some("mine".to_owned())), keys.get(&None)), (Some(&3), Some(&1)), "{keys:?}");
}

/// Some servers say 408 on an idle connection just before they close it (RFC 9110, section 15.5.9).
#[test]
fn a_post_that_met_the_end_of_an_idle_connection_is_sent_again() {
    let server = Server::start(|request| match request.nth {
        1 => Reply::json("{}"),
        _ => Reply::status(408).header("Connection", "close"),
    });
    let post = |path: &str| once(server.url(path)).with(|settings| settings.data = Some(Arc::from(*b"x")));
    let post = |path: &str| post(path).with(|settings| settings.method = "POST".parse().expect("POST"));
    let outcomes = collect(&Fetcher::new().limits(at_once(1)), vec![post("/1"), post("/2"), post("/3")]);
    assert!(outcomes.iter().all(|outcome| outcome.ok() && outcome.attempts.len() == 1), "{outcomes:?}");
    assert_eq!(server.stats().connections, 3);
}

/// Fifty sources sent a hundred and fifty wrong passwords.
#[test]
fn a_proxy_is_asked_once_with_a_password_that_it_refuses() {
    for scheme in ["http", "https"] {
        let proxy = Server::start(|_| Reply::status(407).header("Proxy-Authenticate", "Basic").close());
        let through = format!("http://me:wrong@{}", proxy.addr()).parse().expect("a proxy");
        let proxies = roundup::transport::Proxies::single(through);
        let transport = roundup::Transport::builder().proxies(proxies).build().expect("good settings");
        let jobs = (0..50).map(|n| job(format!("{scheme}://h{n}.example/"))).collect();
        let outcomes = collect(&Fetcher::with_transport(transport), jobs);
        assert!(outcomes.iter().all(|outcome| outcome.attempts.len() == 1), "{scheme}");
        let says_why = |outcome: &&Outcome| failure(outcome).message.contains("does not accept this user and password");
        assert!(outcomes.iter().filter(says_why).count() >= 49, "{:?}", outcomes[49]);
        assert_eq!(proxy.stats().requests, 1, "{scheme}");
    }
}

#[test]
fn a_proxy_that_accepts_the_password_is_no_bottleneck() {
    let gate = super::Gate::default();
    let asked = AtomicUsize::new(0);
    let proxy = Server::start(move |_| {
        // All but the first come at once.
        if asked.fetch_add(1, Ordering::SeqCst) > 0 {
            gate.wait_for(19);
        }
        Reply::json("{}")
    });
    let through = format!("http://me:right@{}", proxy.addr()).parse().expect("a proxy");
    let proxies = roundup::transport::Proxies::single(through);
    let transport = roundup::Transport::builder().proxies(proxies).build().expect("good settings");
    let jobs = (0..20).map(|n| job(format!("http://h{n}.example/"))).collect();
    let outcomes = collect(&Fetcher::with_transport(transport), jobs);
    assert!(outcomes.iter().all(Outcome::ok));
    assert_eq!(proxy.stats().peak_in_flight, 19);
}

/// A handle that is asked while the run goes on.
#[test]
fn why_a_source_waits_can_be_seen() {
    let busy = Server::start(|_| Reply::status(429).header("Retry-After", "30"));
    let slow = Server::start(|_| Reply::hang());
    let mut jobs = vec![job(busy.url("/1")), job(busy.url("/2"))];
    jobs.extend((0..4).map(|n| job(slow.url(&format!("/{n}")))));
    let event_loop = EventLoop::new();
    let outcomes = Fetcher::new().limits(per_host(1)).run(&event_loop, jobs);
    let stopper = outcomes.stopper();
    event_loop.run(async {
        wait_for_status(&stopper, |_| stopper.waiting(9).iter().any(|it| matches!(it.why, WaitReason::Retry(_)))).await;
        assert_eq!(stopper.status().map(|status| status.retried), Some(0), "a retry that waits was not made");
        let waiting = stopper.waiting(100);
        let by_port = |port: u16| waiting.iter().filter(move |source| source.name.contains(&format!(":{port}/")));
        assert!(by_port(busy.port()).any(|source| matches!(source.why, WaitReason::Pause(_))), "{waiting:?}");
        assert!(by_port(busy.port()).any(|source| matches!(source.why, WaitReason::Retry(_))), "{waiting:?}");
        assert_eq!(by_port(slow.port()).filter(|source| source.why == WaitReason::HostFull).count(), 3, "{waiting:?}");
        assert_eq!(stopper.waiting(2).len(), 2);
        let held = stopper.held_hosts();
        assert_eq!((held.len(), held[0].origin.port(), held[0].waiting), (1, busy.port(), 1), "{held:?}");
        assert!(held[0].why.until().is_some());
        stopper.stop();
    });
    let outcomes = event_loop.run(futures_lite::StreamExt::collect::<Vec<_>>(outcomes));
    let said = |part: &str| outcomes.iter().filter(|outcome| failure(outcome).message.contains(part)).count();
    assert_eq!(said("before it was tried again: it waited to be tried again"), 1, "{outcomes:?}");
    assert_eq!(said("before it was started: its host has asked for a pause"), 1, "{outcomes:?}");
    assert_eq!(said("before it was started: as many requests were under way at its host"), 3, "{outcomes:?}");
    assert_eq!(said("while it was waiting for the response's head"), 1, "{outcomes:?}");
}

async fn wait_for_status(stopper: &Stopper, mut is_so: impl FnMut(RunStatus) -> bool) {
    let began = Instant::now();
    while !stopper.status().is_some_and(&mut is_so) {
        assert!(began.elapsed() < crate::common::PATIENCE, "{:?}", stopper.status());
        roundup::event_loop::sleep(Duration::from_millis(1)).await;
    }
}

/// The run of many sources ends as a whole, and each says where it stood.
#[test]
fn a_deadline_is_told_by_each_of_a_thousand_sources() {
    let server = Server::start(|_| Reply::hang());
    let jobs = (0..1000).map(|n| job(server.url(&format!("/{n}")))).collect();
    let outcomes = collect(&Fetcher::new().deadline(Some(Duration::from_millis(300))), jobs);
    let told = |part: &str| outcomes.iter().filter(|outcome| failure(outcome).message.contains(part)).count();
    assert_eq!(told("the run's deadline of 300ms has passed while it was "), 10);
    assert_eq!(told("before it was started: as many requests were under way at its host as may be"), 990);
}

#[test]
fn an_adaptive_host_begins_with_few_and_gets_more() {
    let server = Server::start(|_| Reply::json("{}").late(Duration::from_millis(20)));
    let limits = Limits { adaptive: true, ..per_host(50) };
    let outcomes = collect(&Fetcher::new().limits(limits), (0..60).map(|_| job(server.url("/"))).collect());
    assert!(outcomes.iter().all(Outcome::ok));
    let mut starts: Vec<Duration> = outcomes.iter().map(|outcome| outcome.attempts[0].started).collect();
    let first_end = outcomes.iter().map(|it| it.attempts[0].started + it.attempts[0].total).min().expect("sixty");
    starts.sort();
    assert!(starts[3] < first_end && starts[4] >= first_end, "{starts:?}, {first_end:?}");
}
