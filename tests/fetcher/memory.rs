//! Contents within a budget, and beyond it.

use roundup::{Body, Fetcher, Limits, Selection};
use serde_json::json;

use super::{collect, job, one};
use crate::common::{Reply, Server};

fn within(bytes: u64) -> Fetcher {
    Fetcher::new().limits(Limits { max_memory: Some(bytes), ..Limits::default() })
}

/// A content of this many bytes that no other of these has.
fn content(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * (number + 3) % 251) as u8).collect()
}

#[test]
fn what_is_beyond_the_budget_comes_back_from_a_file() {
    let number =
        |path: &str| path.rsplit('/').next().and_then(|number| number.parse::<usize>().ok()).expect("a number");
    // Some smaller than a block of the file, some that end with one, and some with no length beforehand.
    let length = |number: usize| [1000, 32 << 10, (64 << 10) + 1, 1 << 20][number % 4];
    let server = Server::start(move |request| {
        let number = number(request.path());
        let reply = Reply::status(200).body(content(number, length(number)));
        if number % 3 == 0 { reply.chunked(10_000) } else { reply }
    });
    let jobs = (0..40).map(|number| job(server.url(&format!("/{number}")))).collect();
    let outcomes = collect(&within(2 << 20), jobs);
    for (number, outcome) in outcomes.iter().enumerate() {
        assert!(outcome.ok(), "{outcome:?}");
        let body = outcome.body.as_ref().expect("it is kept");
        assert!(body.read().expect("it is there") == content(number, length(number)), "{number}");
        assert_eq!(outcome, &outcome.clone());
    }
    let in_memory: usize = outcomes.iter().filter_map(|one| one.body.as_ref()?.in_memory()).map(<[u8]>::len).sum();
    let in_file =
        outcomes.iter().filter(|one| one.body.as_ref().is_some_and(|body| body.in_memory().is_none())).count();
    assert!(in_memory <= 2 << 20 && in_file > 5, "{in_memory} bytes in memory, {in_file} contents in the file");
}

#[test]
fn room_that_is_given_back_is_used_again() {
    let server = Server::start(|_| Reply::status(200).body(vec![b'x'; 600 << 10]));
    let event_loop = roundup::EventLoop::new();
    let jobs = (0..20).map(|_| job(server.url("/")));
    let fetcher = Fetcher::new().limits(Limits {
        max_memory: Some(2 << 20),
        concurrency: std::num::NonZeroU32::MIN,
        ..Limits::default()
    });
    let mut outcomes = fetcher.run(&event_loop, jobs);
    event_loop.run(async {
        // Each is dropped before the next is asked for, so that one fits at a time.
        while let Some(outcome) = futures_lite::StreamExt::next(&mut outcomes).await {
            assert!(outcome.body.as_ref().and_then(Body::in_memory).is_some(), "{outcome:?}");
        }
    });
}

#[test]
fn select_looks_into_content_that_is_in_the_file() {
    let server = Server::start(|_| Reply::json(format!("{{\"pad\":\"{}\",\"a\":7}}", "x".repeat(300_000))));
    let select = |name: &str| {
        job(server.url(name)).with(|settings| {
            settings.select = vec![("a".into(), "/a".parse::<Selection>().expect("good"))];
        })
    };
    let outcomes = collect(&within(0).keep_bodies(false), vec![select("/1"), select("/2")]);
    for outcome in &outcomes {
        assert_eq!(outcome.data.as_ref().map(|data| json!(data)), Some(json!({"a": 7})), "{outcome:?}");
        assert!(outcome.body.is_none());
    }
}

#[test]
fn an_error_page_counts_too() {
    let server = Server::start(|_| Reply::status(404).body("gone"));
    let outcome = collect(&within(0), vec![job(server.url("/"))]).remove(0);
    let body = outcome.body.expect("it is kept");
    assert_eq!((body.in_memory(), &*body.read().expect("it is there")), (None, &b"gone"[..]));
    assert!(one(job(server.url("/"))).body.is_some_and(|body| body.in_memory().is_some()));
}
