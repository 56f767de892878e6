//! How much at once, and how fast.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::StreamExt;
use roundup::{EventLoop, Fetcher, HostKey, HostLimits, Job, Limits, Transport};

use super::{Gate, at_once, collect, job};
use crate::common::{Reply, Server, limited_server};
use crate::transport::wait_for;

#[test]
fn as_many_as_allowed_and_never_one_more() {
    for (limits, expected) in [(Limits::default(), 10), (at_once(3), 3), (at_once(50), 40)] {
        let gate = Gate::default();
        let server = Server::start(move |_| {
            gate.wait_for(expected);
            Reply::json("{}").late(Duration::from_millis(5))
        });
        let jobs = (0..40).map(|n| job(server.url(&format!("/{n}")))).collect();
        let outcomes = collect(&Fetcher::new().limits(limits), jobs);
        assert!(outcomes.iter().all(|outcome| outcome.ok() && outcome.retries() == 0));
        let stats = server.stats();
        assert_eq!((stats.requests, stats.peak_in_flight), (40, expected));
        assert!(stats.connections <= expected, "{} connections for {expected} at once", stats.connections);
    }
}

#[test]
fn no_more_on_one_host_than_allowed_and_all_hosts_at_once() {
    let gates = [Gate::default(), Gate::default(), Gate::default()];
    let handler = move |request: &crate::common::Request| {
        let host: usize = request.path()[1..2].parse().expect("the host's number");
        gates[host].wait_for(2);
        Reply::json("{}").late(Duration::from_millis(5))
    };
    let handler = Arc::new(handler);
    let [one, two] = [handler.clone(), handler].map(|handler| Server::start(move |request| handler(request)));
    let jobs: Vec<Job> =
        (0..30).flat_map(|_| [one.url("/0"), one.url_at("localhost", "/1"), two.url("/2")]).map(job).collect();
    let limits = Limits { per_host: 2.try_into().ok(), ..at_once(50) };
    let outcomes = collect(&Fetcher::new().limits(limits), jobs);
    assert!(outcomes.iter().all(roundup::Outcome::ok));
    for (server, path) in [(&one, "/0"), (&one, "/1"), (&two, "/2")] {
        let stats = server.stats();
        assert_eq!((stats.requests_under(path), stats.peak_under(path)), (30, 2), "{path}");
    }
}

/// All were started first, and then their requests came in one burst: 1,000 that take 2 s took 2.10 and not 2.08.
#[test]
fn the_first_are_connected_before_the_last_are_started() {
    let servers = [(); 4].map(|()| Server::start(|_| Reply::json("{}")));
    let jobs = (0..240).map(|n| job(servers[n % 4].url("/"))).collect();
    let outcomes = collect(&Fetcher::new().limits(at_once(240)), jobs);
    assert!(outcomes.iter().all(roundup::Outcome::ok));
    let (first, last) = (&outcomes[0], &outcomes[239]);
    let connected = first.attempts[0].started + first.timings.connect.expect("a new connection");
    assert!(connected < last.attempts[0].started, "{connected:?} {:?}", last.attempts[0].started);
}

#[test]
fn a_host_may_have_limits_of_its_own() {
    let server = Server::start(|_| Reply::json("{}").late(Duration::from_millis(5)));
    let key = HostKey::new(&format!("127.0.0.1:{}", server.port())).expect("a host");
    let hosts = [(key, HostLimits { per_host: 1.try_into().ok(), rate: None })].into();
    let jobs = (0..10).map(|_| job(server.url("/"))).collect();
    let outcomes = collect(&Fetcher::new().limits(Limits { hosts, ..Limits::default() }), jobs);
    assert!(outcomes.iter().all(roundup::Outcome::ok));
    assert_eq!((server.stats().peak_in_flight, server.stats().connections), (1, 1));
}

/// It had limits of its own, and none of those of a plan.
#[test]
fn a_name_that_ends_in_a_dot_is_that_of_the_same_host() {
    let server = Server::start(|_| Reply::json("{}").late(Duration::from_millis(20)));
    let given = ["api.invalid", "api.invalid."].map(|host| format!("{host}:{}:127.0.0.1", server.port()));
    let transport =
        given.iter().fold(Transport::builder(), |builder, text| builder.resolve(text.parse().expect("well-formed")));
    let fetcher = Fetcher::with_transport(transport.build().expect("good settings"));
    let hosts = [(HostKey::new("*.invalid").expect("a host"), HostLimits { per_host: 1.try_into().ok(), rate: None })];
    let limits = Limits { hosts: hosts.into(), ..Limits::default() };
    let jobs = (0..10).map(|n| job(server.url_at(["api.invalid", "api.invalid."][n % 2], "/"))).collect();
    let outcomes = collect(&fetcher.limits(limits), jobs);
    assert!(outcomes.iter().all(roundup::Outcome::ok), "{outcomes:?}");
    assert_eq!(server.stats().peak_in_flight, 1);
}

#[test]
fn starts_are_spaced_by_the_rate() {
    let server = Server::start(|_| Reply::json("{}"));
    let limits = Limits { rate: "20/s".parse().ok(), ..Limits::default() };
    let outcomes = collect(&Fetcher::new().limits(limits), (0..8).map(|_| job(server.url("/"))).collect());
    let mut starts: Vec<Duration> = outcomes.iter().map(|outcome| outcome.attempts[0].started).collect();
    starts.sort();
    // Late is possible on a busy machine, early never is; lateness is made up for, so the first counts.
    for (n, start) in starts.iter().enumerate() {
        assert!(*start >= Duration::from_millis(50) * n as u32, "{n}: {starts:?}");
    }
}

#[test]
fn fifty_jobs_on_a_server_that_takes_ten() {
    let server = limited_server(10, 1);
    let jobs = (0..50).map(|n| job(server.url(&format!("/{n}")))).collect();
    let outcomes = collect(&Fetcher::new().limits(at_once(50)), jobs);
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.error.as_ref()).collect();
    assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
    assert!(outcomes.iter().any(|outcome| outcome.retries() > 0), "the server refused no request");
    for outcome in outcomes.iter().filter(|outcome| outcome.retries() > 0) {
        assert_eq!(outcome.attempts[0].status, Some(429));
        assert!(outcome.attempts[1].waited.is_some_and(|waited| waited >= Duration::from_secs(1)));
    }
}

#[test]
fn outcomes_that_are_not_taken_hold_the_run_up() {
    let server = Arc::new(Server::start(|_| Reply::json("{}")));
    let event_loop = EventLoop::new();
    let mut outcomes = Fetcher::new().limits(at_once(3)).run(&event_loop, (0..12).map(|_| job(server.url("/"))));
    event_loop.run(async {
        for taken in 0..12usize {
            // Those that may start do so, and end.
            let expected = (taken + 3).min(12);
            wait_for(&server, move |stats| stats.requests == expected && stats.in_flight == 0).await;
            let status = outcomes.stopper().status().expect("the stream is there");
            assert!(status.in_flight + status.done <= taken + 3, "{taken} taken: {status:?}");
            assert_eq!(server.stats().requests, expected, "{taken} taken");
            assert!(outcomes.next().await.expect("twelve jobs").ok());
        }
        assert!(outcomes.next().await.is_none() && outcomes.next().await.is_none());
    });
}

#[test]
fn no_jobs_are_no_outcomes() {
    assert!(collect(&Fetcher::new(), Vec::new()).is_empty());
}
