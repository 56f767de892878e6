//! How often a reader gives way: counted by polls, outside of a loop, where there is no time that a task has.

use std::future::poll_fn;
use std::pin::pin;

use futures_lite::future::block_on;
use roundup::Transport;
use roundup::transport::Roots;

use super::{client, fetch, get};
use crate::common::{Authority, Leaf, Reply, Server, gzip};

/// The result of this future and how often it was polled.
fn counted<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let mut polls = 0;
    let output = block_on(poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    }));
    (output, polls)
}

/// A decoder yielded once in 128 KiB that it took, and not even then if it had made a byte.
#[test]
fn readers_yield_by_what_they_take() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    let members = [gzip("").repeat(300), gzip("x")].concat().repeat(30);
    let blocks = [&[0x02, 0x08, 0x20, 0x80, 0x00].repeat(10_000)[..], &[3, 0]].concat();
    let chunks = ["1\r\nx\r\n".repeat(20_000), "0\r\n\r\n".to_owned()].concat();
    let extended = format!("400;{}\r\n{}\r\n", "x".repeat(1000), "y".repeat(1024));
    let extensions = [extended.repeat(1000), "0\r\n\r\n".to_owned()].concat();
    let coded = |coding: &str, bytes: &[u8]| {
        let head = format!("{OK}Content-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", bytes.len());
        [head.as_bytes(), bytes].concat()
    };
    let chunked = |bytes: &str| format!("{OK}Transfer-Encoding: chunked\r\n\r\n{bytes}").into_bytes();
    for (name, reply, length, polls) in [
        // 256 bytes in a turn.
        ("empty gzip members", coded("gzip", &members), 30, members.len() / 256),
        ("empty deflate blocks", coded("deflate", &blocks), 0, blocks.len() / 256),
        // 64 chunks in a turn.
        ("chunks of one byte", chunked(&chunks), 20_000, 20_000 / 64),
        // Framing of 8 KiB in a turn.
        ("extensions", chunked(&extensions), 1024 * 1000, 1000 * 1000 / 8192),
    ] {
        let server = Server::start(move |_| Reply::raw(reply.clone()));
        let (got, polled) = counted(fetch(&client(), get(&server.url("/"))));
        assert_eq!(got.expect(name).1.len(), length, "{name}");
        assert!(polled >= polls, "{name}: {polled} polls, where at least {polls} are right");
    }
}

/// A handshake, TLS records and content are counted with one meter: a yield that is due and that nobody has taken would
/// keep the connection for ever.
#[test]
fn tls_goes_on_after_each_yield() {
    let authority = Authority::new();
    let text = "all is well that ends well ".repeat(100_000);
    let reply = text.clone();
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(move |request| match request.path() {
        "/gzip" => Reply::text(reply.clone()).gzip(),
        _ => Reply::text(reply.clone()).chunked(100),
    });
    let transport = Transport::builder().roots(Roots::File(authority.ca_file().into()));
    let client = roundup::surf::client(transport.build().expect("a good file"));
    for path in ["/gzip", "/chunks", "/gzip"] {
        let (got, polls) = counted(fetch(&client, get(&server.url(path))));
        assert_eq!(got.expect(path).1, text.as_bytes());
        assert!(polls > 20, "{path}: {polls}");
    }
    assert_eq!(server.stats().connections, 1);
}
