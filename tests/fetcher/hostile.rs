//! Servers that keep their reader busy, beside servers that behave.

use std::sync::Arc;
use std::time::Duration;

use roundup::{EventLoop, Fetcher, Kind, Phase};

use futures_lite::StreamExt;

use super::{assert_failed, once};
use crate::common::{Reply, Request, Server, gzip};

const OK: &str = "HTTP/1.1 200 OK\r\n";

/// Contents without end. Each takes work and makes nothing, or next to nothing.
fn endless(request: &Request) -> Reply {
    let coded = |coding: &str| Reply::raw(format!("{OK}Content-Encoding: {coding}\r\n\r\n"));
    match request.path() {
        "/members" => coded("gzip").forever(gzip("").repeat(800)),
        "/members-and-bytes" => coded("gzip").forever([gzip("").repeat(300), gzip("x")].concat()),
        "/members-in-gzip" => coded("gzip, gzip").forever(gzip(gzip("").repeat(50_000))),
        "/fixed-blocks" => coded("deflate").forever([0x02, 0x08, 0x20, 0x80, 0x00].repeat(3000)),
        "/stored-blocks" => coded("deflate").forever([0, 0, 0, 0xff, 0xff].repeat(3000)),
        "/extensions" => {
            let chunk = format!("400;{}\r\n{}\r\n", "x".repeat(1000), "y".repeat(1024));
            Reply::raw(format!("{OK}Transfer-Encoding: chunked\r\n\r\n")).forever(chunk.repeat(8))
        }
        "/small-chunks" => {
            Reply::raw(format!("{OK}Transfer-Encoding: chunked\r\n\r\n")).forever("1\r\nx\r\n".repeat(3000))
        }
        "/br" => coded("br").bytes([0x0c]).forever([0x06].repeat(16_000)),
        "/zstd" => coded("zstd").forever([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].repeat(2000)),
        other => unreachable!("{other}"),
    }
}

/// One stream of empty gzip members with a byte now and then held all sources until it ended: they were done after it, as
/// was the timeout of its own source.
#[test]
fn a_source_that_keeps_its_reader_busy_does_not_hold_back_others_and_ends_by_its_timeout() {
    let busy = Arc::new(Server::start(endless));
    let good = Server::start(|_| Reply::text("good").late(Duration::from_millis(100)));
    let mut paths = vec!["/members", "/members-and-bytes", "/members-in-gzip", "/fixed-blocks", "/stored-blocks"];
    paths.extend(["/extensions", "/small-chunks"]);
    paths.extend(cfg!(feature = "brotli").then_some("/br"));
    paths.extend(cfg!(feature = "zstd").then_some("/zstd"));
    for path in paths {
        let mut jobs = vec![once(busy.url(path)).with(|settings| {
            settings.timeout = Duration::from_secs(2);
            settings.max_body = Some(1 << 40);
        })];
        jobs.extend((0..5).map(|n| once(good.url(&format!("/{n}")))));
        let event_loop = EventLoop::new();
        // What is kept of it is not what this is about.
        let fetcher = Fetcher::new().keep_bodies(false);
        let outcomes = event_loop.run(fetcher.run(&event_loop, jobs).collect::<Vec<_>>());
        let (last, others) = outcomes.split_last().expect("six outcomes");
        assert_eq!(last.index, 0, "{path}: it was done before the others");
        assert_failed(last, Kind::Timeout, Phase::Body);
        assert!(others.iter().all(roundup::Outcome::ok), "{path}: {others:?}");
        // A busy machine has a second to spare.
        let slowest = others.iter().map(|outcome| outcome.timings.total).max();
        assert!(slowest < Some(Duration::from_secs(1)), "{path}: {slowest:?}");
    }
}

/// The rest of a redirect's content is read as it comes, and not much of it.
#[test]
fn a_redirect_with_content_without_end_is_followed() {
    let server = Arc::new(Server::start(|request| match request.path() {
        "/done" => Reply::text("done"),
        path => {
            let coding = &path[1..];
            let head = format!("HTTP/1.1 302 Found\r\nLocation: /done\r\nContent-Encoding: {coding}\r\n\r\n");
            Reply::raw(head).forever(gzip("").repeat(500))
        }
    }));
    for coding in ["gzip", "deflate", "identity", "compress"] {
        let outcome = super::one(once(server.url(&format!("/{coding}"))));
        assert_eq!(
            outcome.body.as_ref().and_then(roundup::Body::in_memory),
            Some(&b"done"[..]),
            "{coding}: {outcome:?}"
        );
    }
}
