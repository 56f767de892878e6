//! Which connection a request goes over: reuse, staleness, leftovers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_lite::{AsyncReadExt, StreamExt, stream};
use roundup::transport::PoolLimits;
use roundup::{Kind, Transport};
use surf::http::Method;

use super::{client, configured, content, fetch, get, head, request, run, wait_for, with_options};
use crate::common::{Reply, Server, gzip, refusing_port};

#[test]
fn one_connection_serves_many_requests() {
    let server = Server::start(|_| Reply::json("{}"));
    let client = client();
    run(async {
        for nth in 0..10 {
            let (request, progress) = with_options(get(&server.url("/")), |_| {});
            assert_eq!(fetch(&client, request).await.expect("it answers").0, 200);
            let snapshot = progress.snapshot();
            assert_eq!((snapshot.reused, snapshot.connect.is_none()), (nth > 0, nth > 0));
            assert_eq!(snapshot.address, Some(server.addr()));
            assert!(snapshot.first_byte.is_some() && snapshot.head_at.is_some() && snapshot.dns.is_none());
        }
    });
    let stats = server.stats();
    assert_eq!((stats.requests, stats.connections), (10, 1));
}

#[test]
fn requests_at_once_have_connections_of_their_own_which_are_kept() {
    let server = Server::start(|_| Reply::json("{}").late(Duration::from_millis(50)));
    let client = client();
    run(async {
        for _ in 0..2 {
            let all = stream::iter(0..8).map(|_| fetch(&client, get(&server.url("/"))));
            let mut running: Vec<_> = all.map(Box::pin).collect().await;
            for one in &mut running {
                // Polls each once: all are sent before the first is awaited.
                let _ = futures_lite::future::poll_once(one).await;
            }
            for one in running {
                one.await.expect("it answers");
            }
        }
    });
    let stats = server.stats();
    assert!(stats.requests == 16 && stats.connections <= 8, "{} connections", stats.connections);
}

#[test]
fn origins_do_not_share_connections() {
    let server = Server::start(|_| Reply::json("{}"));
    let client = client();
    run(async {
        for host in ["127.0.0.1", "localhost", "127.0.0.1", "localhost"] {
            fetch(&client, get(&server.url_at(host, "/"))).await.expect(host);
        }
    });
    assert_eq!(server.stats().connections, 2);
    assert_eq!(server.stats().hosts().len(), 2);
}

#[test]
fn what_the_server_closes_is_not_used_again() {
    let server = Server::start(|request| match request.path() {
        "/close" => Reply::json("{}").header("Connection", "close").header("Content-Length", "2"),
        "/http10" => Reply::raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        "/http10-kept" => Reply::raw("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}"),
        "/both" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        _ => Reply::json("{}"),
    });
    for (path, connections) in [("/close", 2), ("/http10", 2), ("/http10-kept", 1), ("/both", 2), ("/", 1)] {
        let before = server.stats().connections;
        let client = client();
        run(async {
            fetch(&client, get(&server.url(path))).await.expect(path);
            fetch(&client, get(&server.url("/"))).await.expect(path);
        });
        assert_eq!(server.stats().connections - before, connections, "{path}");
    }
}

#[test]
fn keep_alive_can_be_switched_off() {
    let server = Server::start(|_| Reply::json("{}"));
    let off = PoolLimits { per_origin: 0, ..PoolLimits::default() };
    let no_pool = Transport::builder().pool(off).build().expect("good settings");
    let configured = configured(Transport::new(), |config| config.set_http_keep_alive(false));
    run(async {
        for client in [roundup::surf::client(no_pool), configured] {
            for _ in 0..3 {
                fetch(&client, get(&server.url("/"))).await.expect("it answers");
            }
        }
    });
    let stats = server.stats();
    assert_eq!((stats.requests, stats.connections), (6, 6));
}

/// Answers the first request of a connection and closes it at the second, before a byte of an answer.
fn forgetful() -> Server {
    Server::start(|request| if request.nth == 1 { Reply::json("{}") } else { Reply::empty().close() })
}

#[test]
fn a_request_on_a_stale_connection_is_sent_once_more_on_a_new_one() {
    let server = forgetful();
    let client = client();
    run(async {
        for _ in 0..3 {
            assert_eq!(fetch(&client, get(&server.url("/"))).await.expect("the repetition succeeds").0, 200);
        }
    });
    // The second and the third came twice each.
    assert_eq!((server.stats().requests, server.stats().connections), (5, 3));
}

#[test]
fn a_post_on_a_stale_connection_is_not_repeated() {
    let server = forgetful();
    let client = client();
    run(async {
        fetch(&client, get(&server.url("/"))).await.expect("it answers");
        let mut post = request(Method::Post, &server.url("/"));
        post.set_body("once");
        let error = fetch(&client, post).await.expect_err("it may have been acted on");
        assert!(matches!(error.kind(), Kind::Protocol | Kind::Io), "{}", error.one_line());
    });
    assert_eq!(server.stats().lines(), ["GET /", "POST /"]);
}

#[test]
fn a_new_connection_that_dies_is_not_tried_again() {
    let server = Server::start(|_| Reply::empty().close());
    let error = run(fetch(&client(), get(&server.url("/")))).expect_err("no answer");
    assert!(error.one_line().contains("before any byte"), "{}", error.one_line());
    assert_eq!(server.stats().requests, 1);
}

#[test]
fn an_idle_connection_that_was_closed_is_noticed_before_anything_is_sent() {
    let server = Arc::new(Server::start(|request| match request.path() {
        "/bye" => Reply::json("{}").close(),
        _ => Reply::json("{}"),
    }));
    let client = client();
    run(async {
        fetch(&client, get(&server.url("/bye"))).await.expect("it answers");
        wait_for(&server, |stats| stats.open == 0).await;
        let mut post = request(Method::Post, &server.url("/"));
        post.set_body("once");
        assert_eq!(fetch(&client, post).await.expect("on a new one").0, 200);
    });
    assert_eq!((server.stats().requests, server.stats().connections), (2, 2));
}

#[test]
fn bytes_after_a_response_are_never_taken_for_the_next() {
    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    // In one write, so that they are there when the first response is: later ones nobody could tell from an answer.
    let server = Server::start(move |request| match request.path() {
        "/length" => Reply::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine{forged}")),
        "/chunked" => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            Reply::raw(format!("{head}2\r\nmi\r\n2\r\nne\r\n0\r\n\r\n{forged}"))
        }
        "/empty" => Reply::raw(format!("HTTP/1.1 204 No Content\r\n\r\n{forged}")),
        "/gzip" => {
            let content = gzip("mine");
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", content.len());
            Reply::raw([head.as_bytes(), &content, forged.as_bytes()].concat())
        }
        "/stray-204" => Reply::raw("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nstray"),
        "/stray-head" => Reply::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{forged}")),
        _ => Reply::text("right"),
    });
    for (method, path) in [
        (Method::Get, "/length"),
        (Method::Get, "/chunked"),
        (Method::Get, "/empty"),
        (Method::Get, "/gzip"),
        (Method::Get, "/stray-204"),
        (Method::Head, "/stray-head"),
    ] {
        let client = client();
        run(async {
            fetch(&client, request(method, &server.url(path))).await.expect(path);
            let next = fetch(&client, get(&server.url("/next"))).await.expect(path);
            assert_eq!(next.1, b"right", "{path}");
        });
    }
}

#[test]
fn a_response_that_is_not_read_closes_its_connection() {
    let server = Arc::new(Server::start(|request| match request.path() {
        "/long" => Reply::status(200).body(vec![b'x'; 10 << 20]),
        "/hangs" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").and_hang(),
        _ => Reply::text("right"),
    }));
    let client = client();
    run(async {
        for path in ["/long", "/hangs"] {
            drop(head(&client, get(&server.url(path))).await.expect(path));
            wait_for(&server, |stats| stats.open == 0).await;
            let mut half = head(&client, get(&server.url(path))).await.expect(path);
            half.take_body().read(&mut [0; 2]).await.expect("something came");
            wait_for(&server, |stats| stats.open == 0).await;
            assert_eq!(fetch(&client, get(&server.url("/"))).await.expect(path).1, b"right");
        }
    });
}

#[test]
fn dropping_a_request_under_way_closes_its_connection() {
    let server = Arc::new(Server::start(|_| Reply::hang()));
    let client = client();
    run(async {
        let mut waiting = Box::pin(fetch(&client, get(&server.url("/"))));
        while futures_lite::future::poll_once(&mut waiting).await.is_none() && server.stats().in_flight == 0 {
            futures_lite::future::yield_now().await;
        }
        drop(waiting);
        wait_for(&server, |stats| stats.open == 0).await;
    });
}

#[test]
fn content_of_known_length_frees_the_connection_with_its_last_byte() {
    let server = Server::start(|_| Reply::text("hello"));
    let client = client();
    run(async {
        let mut first = head(&client, get(&server.url("/"))).await.expect("it answers");
        let mut body = first.take_body();
        body.read_exact(&mut [0; 5]).await.expect("five bytes");
        // The end was not asked for, and the body is still there.
        fetch(&client, get(&server.url("/"))).await.expect("it answers");
        drop(body);
    });
    assert_eq!(server.stats().connections, 1);
}

#[test]
fn an_idle_connection_is_kept_no_longer_than_allowed() {
    let server = Server::start(|_| Reply::text("hello"));
    let young = PoolLimits { idle_age: Duration::ZERO, ..PoolLimits::default() };
    let client = roundup::surf::client(Transport::builder().pool(young).build().expect("good settings"));
    run(async {
        for _ in 0..2 {
            fetch(&client, get(&server.url("/"))).await.expect("it answers");
        }
    });
    assert_eq!(server.stats().connections, 2);
}

#[test]
fn connections_that_cannot_be_made_say_so() {
    let port = refusing_port();
    let client = client();
    for (url, kind) in [
        (format!("http://127.0.0.1:{port}/"), Kind::Connect),
        (format!("http://localhost:{port}/"), Kind::Connect),
        ("http://no-such-host.invalid/".to_owned(), Kind::Dns),
        ("ftp://127.0.0.1/".to_owned(), Kind::Url),
    ] {
        let error = run(fetch(&client, get(&url))).expect_err(&url);
        assert_eq!(error.kind(), kind, "{url}: {}", error.one_line());
    }
}

#[test]
fn a_long_head_does_not_stay_in_the_pool() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let reply = Reply::text("x");
        if asked.fetch_add(1, Ordering::SeqCst) == 0 { reply.header("X-Long", "y".repeat(100_000)) } else { reply }
    });
    let client = client();
    run(async {
        let mut response = head(&client, get(&server.url("/"))).await.expect("below the limit");
        assert_eq!(response.header("x-long").map(|values| values.last().as_str().len()), Some(100_000));
        content(&mut response).await.expect("whole");
        fetch(&client, get(&server.url("/"))).await.expect("it answers");
    });
    assert_eq!(server.stats().connections, 1);
}
