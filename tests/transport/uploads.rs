//! Requests with content, and servers that answer before they have it all.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::io::Cursor;
use futures_lite::{AsyncBufRead, AsyncRead};
use roundup::{Kind, Phase};
use surf::Body;
use surf::http::Method;

use super::{client, fetch, get, request, run};
use crate::common::{Reply, Server};

/// More than all buffers on the way hold.
const LARGE: usize = 32 << 20;

fn post(url: &str, body: impl Into<Body>) -> surf::Request {
    let mut request = request(Method::Post, url);
    request.set_body(body);
    request
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n / 7) as u8).collect()
}

/// Of no known length.
fn stream(length: usize) -> Body {
    Body::from_reader(Cursor::new(bytes(length)), None)
}

#[test]
fn content_arrives_whole_by_length_and_in_chunks() {
    let server = Server::start(|request| Reply::text(request.body.len().to_string()));
    let client = client();
    for length in [0, 1, 32 * 1024, 256 * 1024, 256 * 1024 + 1, 3_000_000] {
        run(async {
            for streamed in [false, true] {
                let body = if streamed { stream(length) } else { Body::from(bytes(length)) };
                let got = fetch(&client, post(&server.url("/"), body)).await.expect("it answers");
                assert_eq!(got, (200, length.to_string().into_bytes()));
                let seen = server.requests().pop().expect("it came");
                assert!(seen.body == bytes(length));
                let expected = if streamed { None } else { Some(length.to_string()) };
                assert_eq!(seen.header("content-length"), expected.as_deref());
                assert_eq!(seen.header("transfer-encoding"), streamed.then_some("chunked"));
                assert_eq!(seen.header("content-type"), Some("application/octet-stream"));
            }
        });
    }
    assert_eq!(server.stats().connections, 1);
}

#[test]
fn an_early_refusal_ends_the_upload() {
    let server = Server::builder()
        .on_head(|request| match request.path() {
            "/stall" => Some(Reply::status(413).body("too large").then(Reply::stall())),
            "/close" => Some(Reply::status(413).header("Connection", "close").body("too large")),
            _ => None,
        })
        .start(|_| Reply::text("right"));
    let client = client();
    for path in ["/stall", "/close"] {
        for body in [Body::from(bytes(LARGE)), stream(LARGE)] {
            run(async {
                let got = fetch(&client, post(&server.url(path), body)).await.expect(path);
                assert_eq!(got, (413, b"too large".to_vec()), "{path}");
                // What was left unsent must not be sent before the next request.
                assert_eq!(fetch(&client, get(&server.url("/next"))).await.expect(path).1, b"right");
            });
        }
    }
}

#[test]
fn an_interim_response_does_not_end_the_upload() {
    let server = Server::start(|request| Reply::text(request.body.len().to_string()));
    // The server's own hooks answer and then do not read: a few lines of our own do both.
    drop(run(fetch(&client(), get(&server.url("/")))));
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let interim = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut socket, _) = listener.accept().expect("a client");
        let mut piece = vec![0; 1 << 16];
        let mut total = socket.read(&mut piece).expect("the head");
        // The client's buffers are full by now or soon; both must be borne.
        socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n").expect("it listens");
        std::thread::sleep(Duration::from_millis(50));
        while total < LARGE {
            total += socket.read(&mut piece).expect("the content");
        }
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").expect("it listens");
        // Until the client closes.
        while !matches!(socket.read(&mut piece), Ok(0) | Err(_)) {}
    });
    let got = run(fetch(&client(), post(&url, Body::from(bytes(LARGE))))).expect("it answers");
    assert_eq!(got, (200, b"done".to_vec()));
    interim.join().expect("it got the whole content");
}

#[test]
fn a_server_that_accepts_early_still_gets_all() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let early = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut socket, _) = listener.accept().expect("a client");
        let mut piece = vec![0; 1 << 16];
        let mut total = socket.read(&mut piece).expect("the head");
        socket.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nearly").expect("it listens");
        std::thread::sleep(Duration::from_millis(50));
        while let Ok(n @ 1..) = socket.read(&mut piece) {
            total += n;
            if total > LARGE {
                break;
            }
        }
        total
    });
    let got = run(fetch(&client(), post(&url, Body::from(bytes(LARGE))))).expect("it answers");
    assert_eq!(got, (200, b"early".to_vec()));
    assert!(early.join().expect("no panic") > LARGE);
}

#[test]
fn content_that_is_shorter_than_its_length_is_never_sent_as_whole() {
    let server = Server::builder().malformed_ok().start(|_| Reply::json("{}"));
    let client = client();
    for length in [1000, 3_000_000] {
        let body = Body::from_reader(Cursor::new(bytes(length - 1)), Some(length));
        let error = run(fetch(&client, post(&server.url("/"), body))).expect_err("a byte is missing");
        assert_eq!((error.kind(), error.phase()), (Kind::Io, Some(Phase::Send)), "{}", error.one_line());
    }
    // So that the server was used at all.
    run(fetch(&client, get(&server.url("/")))).expect("it answers");
    assert_eq!(server.requests().len(), 1);
}

/// Fails in the middle.
struct Failing(usize);

impl AsyncRead for Failing {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0 += 1;
        if self.0 > 3 { Poll::Ready(Err(io::Error::other("the disk is gone"))) } else { Poll::Ready(Ok(out.len())) }
    }
}

impl AsyncBufRead for Failing {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        unreachable!("an upload is read, not peeked at")
    }
    fn consume(self: Pin<&mut Self>, _: usize) {}
}

#[test]
fn content_that_cannot_be_read_is_an_error_of_ours() {
    // It may be over before the server has noticed that there was a connection.
    let server = Server::builder().unused_ok().start(|_| Reply::json("{}"));
    let body = Body::from_reader(Failing(0), None);
    let error = run(fetch(&client(), post(&server.url("/"), body))).expect_err("it fails");
    assert_eq!((error.kind(), error.phase()), (Kind::Io, Some(Phase::Send)));
    assert!(error.one_line().ends_with("the disk is gone"), "{}", error.one_line());
}

#[test]
fn a_server_that_resets_in_the_upload_is_an_error_and_not_a_hang() {
    let server = Server::builder().on_head(|_| Some(Reply::empty().reset())).start(|_| unreachable!("on_head answers"));
    let error = run(fetch(&client(), post(&server.url("/"), Body::from(bytes(LARGE))))).expect_err("no answer");
    assert_eq!((error.kind(), error.phase()), (Kind::Io, Some(Phase::Send)), "{}", error.one_line());
    let said = format!("the connection ended before the request was sent whole ({})", server.addr());
    assert!(error.one_line().starts_with(&said), "{}", error.one_line());
}

#[test]
fn a_server_that_closes_its_side_in_the_upload_is_an_error_and_not_a_hang() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (done, until_done) = std::sync::mpsc::channel::<()>();
    let closing = std::thread::spawn(move || {
        let (socket, _) = listener.accept().expect("a client");
        socket.shutdown(std::net::Shutdown::Write).expect("it is open");
        // It goes on not to read.
        let _ = until_done.recv();
    });
    let url = format!("http://{address}/");
    let error = run(fetch(&client(), post(&url, Body::from(bytes(LARGE))))).expect_err("no answer");
    assert_eq!((error.kind(), error.phase()), (Kind::Protocol, Some(Phase::Send)), "{}", error.one_line());
    assert!(
        error.one_line().contains(&format!("sent whole ({address}): the connection was closed")),
        "{}",
        error.one_line()
    );
    drop(done);
    closing.join().expect("no panic");
}
