//! The faults of surf's stock backends, each shown absent here by name. Those whose test stands elsewhere: bodies that
//! end with the connection, HTTP/1.0 and HEAD in `bodies`, leftover bytes in `connections`.

use std::sync::Arc;
use std::time::Duration;

use roundup::event_loop::{EventLoop, sleep};
use roundup::transport::Roots;
use roundup::{Kind, Phase, Transport};
use surf::http::Method;

use super::{client, configured, content, fetch, get, head, request, run, with_options};
use crate::common::{Authority, Leaf, Reply, Server};

/// http-client resolves names on the loop's thread, so one slow name stops everybody.
#[test]
fn resolving_does_not_stop_the_loop() {
    let event_loop = EventLoop::new();
    event_loop.run(async {
        let ticks = event_loop.spawn(async {
            let mut ticks = 0u32;
            loop {
                sleep(Duration::ZERO).await;
                ticks += 1;
                if ticks == 3 {
                    return ticks;
                }
            }
        });
        let (request, progress) = with_options(get("http://no-such-host.invalid/"), |_| {});
        let client = client();
        let mut resolving = Box::pin(fetch(&client, request));
        // The first poll starts the look-up and comes back at once: it is another thread that waits.
        let first = futures_lite::future::poll_once(&mut resolving).await;
        assert!(first.is_none() && progress.snapshot().phase == Phase::Dns);
        assert_eq!(ticks.await, 3);
        assert_eq!(resolving.await.expect_err("RFC 6761 says it does not exist").kind(), Kind::Dns);
    });
}

/// http-client's timeout ends with the head: a body may drip for ever.
#[test]
fn the_configured_timeout_covers_the_body() {
    let server = Server::start(|_| Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").and_hang());
    let client = configured(Transport::new(), |config| config.set_timeout(Some(Duration::from_secs(1))));
    let error = run(fetch(&client, get(&server.url("/")))).expect_err("it never ends");
    assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(Phase::Body)));
}

/// http-client's timeout begins after the connection is made.
#[test]
fn the_configured_timeout_covers_the_handshake() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(authority.server(Leaf::Good))
        .on_connect(|_| Some(Reply::stall()))
        .start(|_| Reply::hang());
    let limit = Some(Duration::from_millis(300));
    let client = configured(Transport::new(), |config| config.set_timeout(limit));
    let error = run(fetch(&client, get(&server.url("/")))).expect_err("no handshake");
    assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(Phase::Tls)));
}

/// http-client keys TLS connections by address: two hosts behind one address share one, with the first one's name.
#[test]
fn two_hosts_at_one_address_have_connections_of_their_own() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(authority.server(Leaf::Good))
        .start(|request| Reply::text(request.sni.clone().unwrap_or_default()));
    let roots = Roots::File(authority.ca_file().to_owned());
    let client = roundup::surf::client(Transport::builder().roots(roots).build().expect("a good file"));
    run(async {
        for (host, sni) in [("localhost", "localhost"), ("127.0.0.1", ""), ("localhost", "localhost")] {
            let got = fetch(&client, get(&server.url_at(host, "/"))).await.expect(host);
            assert_eq!(String::from_utf8_lossy(&got.1), sni);
        }
    });
    assert_eq!(server.stats().connections, 2);
}

/// http-client's `max_connections_per_host` of 0 waits for ever.
#[test]
fn a_pool_of_no_connections_is_no_deadlock() {
    let server = Server::start(|_| Reply::text("x"));
    let client = configured(Transport::new(), |config| config.set_max_connections_per_host(0));
    run(async {
        for _ in 0..2 {
            fetch(&client, get(&server.url("/"))).await.expect("it answers");
        }
    });
    assert_eq!(server.stats().connections, 2);
}

/// http-types' headers panic where a value that came over the wire is not ASCII; async-h1 walks into it.
#[test]
fn a_header_beyond_ascii_does_not_panic() {
    let server = Server::start(|_| {
        let names = ["X-Any", "Date", "Content-Type", "Set-Cookie", "Location", "Retry-After", "Connection"];
        names.iter().fold(Reply::text("x"), |reply, name| reply.header(name, "caf\u{e9}\u{ff}"))
    });
    assert_eq!(run(fetch(&client(), get(&server.url("/")))).expect("it answers").1, b"x");
}

/// http-types' `Response::new(522)` panics, and its `StatusCode` knows no such status.
#[test]
fn a_status_of_a_cdn_does_not_panic() {
    let server = Server::start(|_| Reply::status(522));
    assert_eq!(run(fetch(&client(), get(&server.url("/")))).expect("it answers").0, 522);
}

/// http-types' `Body::into_string` reserves what Content-Length says, whatever that is: an allocation that fails ends
/// the process.
#[test]
fn an_announced_length_reserves_nothing() {
    for length in [u64::MAX, u64::MAX / 2, 1 << 46] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhalf");
        let server = Server::start(move |_| Reply::raw(head.clone()).close());
        let error = run(client().recv_string(get(&server.url("/")))).expect_err("it is cut short");
        assert!(error.to_string().contains("bytes before the end") || format!("{error:?}").contains("before the end"));
    }
}

/// async-h1 makes up a Date where the server's is malformed.
#[test]
fn a_malformed_date_stays_as_it_is() {
    let server = Server::start(|_| Reply::text("x").header("Date", "yesterday"));
    let response = run(head(&client(), get(&server.url("/")))).expect("it answers");
    assert_eq!(response.header("date").map(|values| values.last().as_str()), Some("yesterday"));
    let server = Server::start(|_| Reply::text("x"));
    assert!(run(head(&client(), get(&server.url("/")))).expect("it answers").header("date").is_none());
}

/// async-h1 takes no head above 8 kB.
#[test]
fn a_head_of_a_hundred_kilobytes_is_read() {
    let server =
        Server::start(|_| (0..100).fold(Reply::text("x"), |r, n| r.header(&format!("X-{n}"), "y".repeat(1000))));
    let mut response = run(head(&client(), get(&server.url("/")))).expect("it answers");
    assert_eq!(response.iter().count(), 102);
    assert_eq!(run(content(&mut response)).expect("whole"), b"x");
}

/// surf's own backends leave `config` of a wrapped client unimplemented, which panics.
#[test]
fn the_client_has_a_config() {
    use http_client::HttpClient;
    let mut transport = roundup::surf::Backend::new(Transport::new());
    assert_eq!(transport.config().timeout, None);
    transport.set_config(http_client::Config::new().set_timeout(Some(Duration::from_secs(7)))).expect("all is taken");
    assert_eq!(transport.config().timeout, Some(Duration::from_secs(7)));
}

/// A backend must not hold the reading of one response against another request.
#[test]
fn responses_can_be_read_in_any_order() {
    let server = Arc::new(Server::start(|request| Reply::text(request.path().repeat(100_000))));
    let client = client();
    run(async {
        let mut first = head(&client, get(&server.url("/a"))).await.expect("it answers");
        let mut second = head(&client, request(Method::Get, &server.url("/b"))).await.expect("it answers");
        assert!(content(&mut second).await.expect("whole").starts_with(b"/b/b"));
        assert!(content(&mut first).await.expect("whole").starts_with(b"/a/a"));
    });
    assert_eq!(server.stats().connections, 2);
}
