//! `Expect: 100-continue` (RFC 9110, section 10.1.1): content that waits until the server asks for it.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_lite::{AsyncBufRead, AsyncRead};
use roundup::{Kind, Phase, Transport};
use surf::http::Method;
use surf::{Body, Client, Request};

use super::{fetch, get, request, run, with_options};
use crate::common::PATIENCE;

/// Longer than any test: what happens with it does not happen by the clock.
const NEVER: Duration = Duration::from_secs(3600);

/// More than is kept to be sent again.
const LARGE: usize = 1 << 20;

fn client(patience: Duration) -> Client {
    roundup::surf::client(Transport::builder().expect100_timeout(patience).build().expect("good settings"))
}

fn post(url: &str, body: impl Into<Body>) -> Request {
    let mut request = request(Method::Post, url);
    request.set_body(body);
    request.insert_header("Expect", "100-Continue");
    request
}

/// Content that notes when it is first read, and whether it might be.
struct Content {
    left: usize,
    allowed: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
}

impl Content {
    fn new(length: usize, allowed: &Arc<AtomicBool>) -> Content {
        Content { left: length, allowed: allowed.clone(), reads: Arc::default() }
    }

    fn with_length(self) -> Body {
        let length = self.left;
        Body::from_reader(self, Some(length))
    }

    fn in_chunks(self) -> Body {
        Body::from_reader(self, None)
    }
}

impl AsyncRead for Content {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if !self.allowed.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::Error::other("the content was read before it was asked for")));
        }
        let n = self.left.min(out.len());
        out[..n].fill(b'x');
        self.left -= n;
        Poll::Ready(Ok(n))
    }
}

impl AsyncBufRead for Content {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        unreachable!("content is read, not peeked at")
    }
    fn consume(self: Pin<&mut Self>, _: usize) {}
}

/// A server that does what this says with its listener.
fn server(script: impl FnOnce(&TcpListener) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    (url, thread::spawn(move || script(&listener)))
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (socket, _) = listener.accept().expect("a client");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket
}

/// Reads a head and not a byte more.
fn head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII").to_ascii_lowercase()
}

/// Whether nothing has come behind the head, which was sent in one write with whatever followed it.
fn is_alone(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).expect("a socket");
    let peeked = socket.peek(&mut [0]);
    socket.set_nonblocking(false).expect("a socket");
    matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn expects(head: &str) -> bool {
    head.contains("\r\nexpect: 100-continue\r\n")
}

fn exactly(socket: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut content = vec![0; length];
    socket.read_exact(&mut content).expect("the whole content");
    content
}

fn chunked(socket: &mut TcpStream) -> usize {
    let mut content = Vec::new();
    while !content.ends_with(b"\r\n0\r\n\r\n") {
        let mut piece = [0; 4096];
        let read = socket.read(&mut piece).expect("the whole content");
        assert!(read > 0, "the last chunk is missing");
        content.extend_from_slice(&piece[..read]);
    }
    content.iter().filter(|byte| **byte == b'x').count()
}

fn say(socket: &mut TcpStream, text: &str) {
    socket.write_all(text.as_bytes()).expect("the client listens");
}

/// How many bytes come until the client closes.
fn until_closed(socket: &mut TcpStream) -> usize {
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the client keeps the connection"),
        _ => rest.len(),
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn content_waits_until_it_is_asked_for() {
    let allowed = Arc::new(AtomicBool::new(false));
    let (url, script) = server({
        let allowed = allowed.clone();
        move |listener| {
            let mut socket = accept(listener);
            for nth in 0..3 {
                let said = head(&mut socket);
                assert!(expects(&said), "{said}");
                assert!(is_alone(&socket), "the content did not wait");
                // Neither of these asks for it.
                say(&mut socket, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
                assert!(is_alone(&socket), "the content did not wait");
                allowed.store(true, Ordering::SeqCst);
                // Twice is once too many, and does no harm.
                say(&mut socket, "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
                match nth {
                    0 => assert_eq!(exactly(&mut socket, 5), b"small"),
                    1 => assert!(exactly(&mut socket, LARGE).iter().all(|byte| *byte == b'x')),
                    _ => assert_eq!(chunked(&mut socket), LARGE),
                }
                allowed.store(false, Ordering::SeqCst);
                say(&mut socket, OK);
            }
            // The connection is as good as before.
            assert!(head(&mut socket).starts_with("get "));
            say(&mut socket, OK);
        }
    });
    let client = client(NEVER);
    run(async {
        for body in [
            Body::from("small"),
            Content::new(LARGE, &allowed).with_length(),
            Content::new(LARGE, &allowed).in_chunks(),
        ] {
            let (request, progress) = with_options(post(&url, body), |_| {});
            assert_eq!(fetch(&client, request).await.expect("it answers"), (200, b"ok".to_vec()));
            assert_eq!(progress.snapshot().phase, Phase::Body);
        }
        assert_eq!(fetch(&client, get(&url)).await.expect("it answers").0, 200);
    });
    script.join().expect("all went as written");
}

#[test]
fn silence_is_waited_out() {
    let (url, script) = server(|listener| {
        let mut socket = accept(listener);
        for _ in 0..2 {
            assert!(expects(&head(&mut socket)));
            assert_eq!(chunked(&mut socket), 3);
            // Late, it says nothing new.
            say(&mut socket, "HTTP/1.1 100 Continue\r\n\r\n");
            say(&mut socket, OK);
        }
    });
    let patience = Duration::from_millis(80);
    let client = client(patience);
    run(async {
        for _ in 0..2 {
            let started = Instant::now();
            let body = Content::new(3, &Arc::new(AtomicBool::new(true))).in_chunks();
            assert_eq!(fetch(&client, post(&url, body)).await.expect("it answers"), (200, b"ok".to_vec()));
            assert!(started.elapsed() >= patience, "it waited for {:?} only", started.elapsed());
        }
    });
    script.join().expect("all went as written");
}

#[test]
fn the_wait_is_a_second_by_default() {
    let (url, script) = server(|listener| {
        let mut socket = accept(listener);
        assert!(expects(&head(&mut socket)) && is_alone(&socket));
        assert_eq!(exactly(&mut socket, 1), b"x");
        say(&mut socket, OK);
    });
    let started = Instant::now();
    assert_eq!(run(fetch(&super::client(), post(&url, "x"))).expect("it answers").0, 200);
    assert!(started.elapsed() >= Duration::from_secs(1), "it waited for {:?} only", started.elapsed());
    script.join().expect("all went as written");
}

#[test]
fn a_final_status_takes_the_place_of_the_content() {
    // Success too: the server needs no content for it.
    for (status, kept) in [(401, true), (413, false), (200, true), (500, true)] {
        let (url, script) = server(move |listener| {
            let mut socket = accept(listener);
            assert!(expects(&head(&mut socket)));
            let close = if kept { "" } else { "Connection: close\r\n" };
            say(&mut socket, &format!("HTTP/1.1 {status} X\r\n{close}Content-Length: 3\r\n\r\nwhy"));
            assert_eq!(until_closed(&mut socket), 0, "content nobody asked for");
            // What comes next must not be taken for that content.
            let mut socket = accept(listener);
            assert!(head(&mut socket).starts_with("get "));
            say(&mut socket, OK);
        });
        let client = client(NEVER);
        let content = Content::new(LARGE, &Arc::default());
        let reads = content.reads.clone();
        run(async {
            let got = fetch(&client, post(&url, content.with_length())).await.expect("it answers");
            assert_eq!(got, (status, b"why".to_vec()));
            assert_eq!(fetch(&client, get(&url)).await.expect("it answers").0, 200);
        });
        assert_eq!(reads.load(Ordering::SeqCst), 0);
        script.join().expect("all went as written");
    }
}

#[test]
fn a_refusal_of_the_expectation_is_answered_without_it_once() {
    for streamed in [false, true] {
        let (url, script) = server(move |listener| {
            for _ in 0..2 {
                let mut socket = accept(listener);
                assert!(expects(&head(&mut socket)));
                say(&mut socket, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
                assert_eq!(until_closed(&mut socket), 0, "content nobody asked for");
                let mut socket = accept(listener);
                let second = head(&mut socket);
                assert!(!second.contains("expect"), "{second}");
                assert!(second.starts_with("post / http/1.1\r\nhost: ") && second.contains("\r\nx-other: 1\r\n"));
                if streamed {
                    assert_eq!(chunked(&mut socket), 7);
                } else {
                    assert!(second.contains("\r\ncontent-length: 7\r\n"));
                    assert_eq!(exactly(&mut socket, 7), b"content");
                }
                // Said again it is an answer like any other.
                say(&mut socket, "HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
            }
        });
        let client = client(NEVER);
        run(async {
            for _ in 0..2 {
                let allowed = Arc::new(AtomicBool::new(true));
                let body = if streamed { Content::new(7, &allowed).in_chunks() } else { Body::from("content") };
                let mut request = post(&url, body);
                request.insert_header("X-Other", "1");
                assert_eq!(fetch(&client, request).await.expect("it answers"), (417, b"no".to_vec()));
            }
        });
        script.join().expect("all went as written");
    }
}

#[test]
fn a_refusal_after_the_content_was_sent_is_final_where_that_is_gone() {
    for (streamed, requests) in [(false, 2), (true, 1)] {
        let (url, script) = server(move |listener| {
            for nth in 0..requests {
                let mut socket = accept(listener);
                assert_eq!(expects(&head(&mut socket)), nth == 0);
                let read = if streamed { chunked(&mut socket) } else { exactly(&mut socket, 3).len() };
                assert_eq!(read, 3);
                let status = if nth == 0 { 417 } else { 200 };
                say(&mut socket, &format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
            }
        });
        let allowed = Arc::new(AtomicBool::new(true));
        let body = if streamed { Content::new(3, &allowed).in_chunks() } else { Body::from("xxx") };
        let got = run(fetch(&client(Duration::ZERO), post(&url, body))).expect("it answers");
        assert_eq!(got.0, if streamed { 417 } else { 200 });
        script.join().expect("all went as written");
    }
}

#[test]
fn a_417_that_no_expectation_led_to_is_an_answer() {
    let (url, script) = server(|listener| {
        let mut socket = accept(listener);
        assert!(!head(&mut socket).contains("expect"));
        say(&mut socket, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
    });
    let mut request = post(&url, "");
    request.insert_header("Expect", "100-continue");
    assert_eq!(run(fetch(&client(NEVER), request)).expect("it answers").0, 417);
    script.join().expect("all went as written");
}

#[test]
fn without_content_nothing_is_expected() {
    let (url, script) = server(|listener| {
        let mut socket = accept(listener);
        for (method, expected) in [("get", ""), ("post", "content-length: 0"), ("put", "expect: other")] {
            let said = head(&mut socket);
            assert!(said.starts_with(method) && said.contains(expected) && !said.contains("100-continue"), "{said}");
            say(&mut socket, OK);
        }
    });
    let client = client(NEVER);
    run(async {
        for (method, expectation) in
            [(Method::Get, "100-continue"), (Method::Post, "100-continue"), (Method::Put, "other")]
        {
            let mut request = request(method, &url);
            request.insert_header("Expect", expectation);
            assert_eq!(fetch(&client, request).await.expect("it answers").0, 200);
        }
    });
    script.join().expect("all went as written");
}

#[test]
fn a_server_that_closes_instead_is_an_error_that_says_so() {
    for reset in [false, true] {
        let (url, script) = server(move |listener| {
            let mut socket = accept(listener);
            let _ = head(&mut socket);
            if reset {
                rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("SO_LINGER");
            }
        });
        let error = run(fetch(&client(NEVER), post(&url, "x"))).expect_err("no answer");
        let (kind, said) = if reset { (Kind::Io, "reset") } else { (Kind::Protocol, "closed before any byte") };
        let line = error.one_line();
        assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Head)), "{line}");
        assert!(
            line.contains(said) && line.contains(url.trim_start_matches("http://").trim_end_matches('/')),
            "{line}"
        );
        script.join().expect("all went as written");
    }
}

#[test]
fn on_an_idle_connection_that_dies_even_a_post_is_sent_again() {
    let (url, script) = server(|listener| {
        for streamed in [false, true] {
            let mut socket = accept(listener);
            assert!(head(&mut socket).starts_with("get "));
            say(&mut socket, OK);
            assert!(expects(&head(&mut socket)));
            drop(socket);
            let mut socket = accept(listener);
            assert!(expects(&head(&mut socket)));
            say(&mut socket, "HTTP/1.1 100 Continue\r\n\r\n");
            let read = if streamed { chunked(&mut socket) } else { exactly(&mut socket, 3).len() };
            assert_eq!(read, 3);
            say(&mut socket, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let client = client(NEVER);
    run(async {
        for streamed in [false, true] {
            assert_eq!(fetch(&client, get(&url)).await.expect("it answers").0, 200);
            let allowed = Arc::new(AtomicBool::new(true));
            let body = if streamed { Content::new(3, &allowed).in_chunks() } else { Body::from("xxx") };
            assert_eq!(fetch(&client, post(&url, body)).await.expect("it is sent again").0, 200);
        }
    });
    script.join().expect("all went as written");
}

#[test]
fn the_deadline_counts_while_content_waits() {
    let (url, script) = server(|listener| {
        let mut socket = accept(listener);
        let _ = head(&mut socket);
        assert_eq!(until_closed(&mut socket), 0);
    });
    let limit = Duration::from_millis(200);
    let (request, _) =
        with_options(post(&url, "x"), |options| options.deadline = Some((Instant::now() + limit, limit)));
    let error = run(fetch(&client(NEVER), request)).expect_err("nobody asks");
    assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(Phase::Head)), "{}", error.one_line());
    script.join().expect("all went as written");
}
