//! Limits of time, and what is said of where it went. The limits are short, what they are measured against is endless.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_lite::io::Cursor;
use roundup::event_loop::sleep;
use roundup::{Kind, Phase, Transport};
use surf::Body;
use surf::http::Method;

use super::{client, configured, content, fetch, get, head, request, run, with_options};
use crate::common::{Authority, Leaf, Reply, Server};

const SHORT: Duration = Duration::from_millis(300);
/// Long enough for a head to come over loopback on a busy machine.
const LONGER: Duration = Duration::from_secs(2);

fn drip() -> Reply {
    Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        .pieces(vec!["x"; 100_000], Duration::from_millis(20))
}

#[test]
fn the_limit_holds_in_every_phase_and_names_it() {
    let server = Server::builder().on_head(|r| (r.path() == "/send").then(Reply::stall)).start(|request| match request
        .path()
    {
        "/never" => Reply::hang(),
        "/half-head" => Reply::raw("HTTP/1.1 200 OK\r\nContent-").and_hang(),
        "/interim" => Reply::status(102).and_hang(),
        "/drip" => drip(),
        "/half" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").and_hang(),
        "/no-last-chunk" => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n").and_hang(),
        _ => Reply::raw("HTTP/1.1 200 OK\r\n\r\nhalf").and_hang(),
    });
    for (path, phase, limit) in [
        ("/never", Phase::Head, SHORT),
        ("/half-head", Phase::Head, SHORT),
        ("/interim", Phase::Head, SHORT),
        ("/send", Phase::Send, LONGER),
        ("/drip", Phase::Body, LONGER),
        ("/half", Phase::Body, LONGER),
        ("/no-last-chunk", Phase::Body, LONGER),
        ("/until-close", Phase::Body, LONGER),
    ] {
        let upload = path == "/send";
        let mut request = request(if upload { Method::Post } else { Method::Get }, &server.url(path));
        if upload {
            request.set_body(Body::from_reader(Cursor::new(vec![0; 64 << 20]), None));
        }
        let started = Instant::now();
        let (request, progress) = with_options(request, |options| options.deadline = Some((started + limit, limit)));
        let error = run(fetch(&client(), request)).expect_err(path);
        assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(phase)), "{path}: {}", error.one_line());
        assert!(started.elapsed() >= limit, "{path}");
        assert_eq!(progress.snapshot().phase, phase, "{path}");
        let text = format!("timed out after {}ms while {}", limit.as_millis(), phase.doing()).replace("2000ms", "2s");
        assert!(error.one_line().starts_with(&text), "{path}: {}", error.one_line());
    }
}

#[test]
fn a_body_that_is_read_too_late_is_an_error_though_it_is_there() {
    let server = Server::start(|_| Reply::status(200).body(vec![b'x'; 1 << 20]));
    let at = Instant::now() + LONGER;
    let (request, _) = with_options(get(&server.url("/")), |options| options.deadline = Some((at, LONGER)));
    run(async {
        let mut response = head(&client(), request).await.expect("in good time");
        sleep(at.saturating_duration_since(Instant::now())).await;
        // Each read finds something at once: no timer has its turn, and the limit holds all the same.
        let error = content(&mut response).await.expect_err("too late");
        assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(Phase::Body)));
    });
}

#[test]
fn a_tls_handshake_that_never_comes_is_a_connect_timeout() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(authority.server(Leaf::Good))
        .on_connect(|_| Some(Reply::stall()))
        .start(|_| Reply::hang());
    let transport = Transport::builder().connect_timeout(SHORT).build().expect("good settings");
    let error = run(fetch(&roundup::surf::client(transport), get(&server.url("/")))).expect_err("no handshake");
    assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(Phase::Tls)), "{}", error.one_line());
    // A request may set its own.
    let (request, _) = with_options(get(&server.url("/")), |options| options.connect_timeout = Some(SHORT));
    let error = run(fetch(&client(), request)).expect_err("no handshake");
    assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(Phase::Tls)), "{}", error.one_line());
}

#[test]
fn the_connect_limit_ends_with_the_connection() {
    let server = Server::start(|_| Reply::text("late").late(SHORT * 3));
    let (request, _) = with_options(get(&server.url("/")), |options| options.connect_timeout = Some(SHORT));
    assert_eq!(run(fetch(&client(), request)).expect("it answers").1, b"late");
}

/// A port whose queue of connections is full: the next one is neither accepted nor refused.
#[cfg(target_os = "linux")]
pub(super) fn full_port() -> (TcpListener, Vec<std::net::TcpStream>) {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
    let raw = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    bind(&raw, &any).expect("a free port");
    listen(&raw, 0).expect("it is bound");
    let listener = TcpListener::from(raw);
    let address = listener.local_addr().expect("bound");
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, SHORT) {
        queued.push(stream);
        assert!(queued.len() < 1000, "the queue is never full");
    }
    (listener, queued)
}

#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_is_never_accepted_is_a_connect_timeout() {
    let (listener, _queued) = full_port();
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let (request, progress) = with_options(get(&url), |options| options.connect_timeout = Some(SHORT));
    let error = run(fetch(&client(), request)).expect_err("nobody accepts");
    assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(Phase::Connect)), "{}", error.one_line());
    assert_eq!(progress.snapshot().address, listener.local_addr().ok());
}

#[test]
fn limits_without_end_are_no_limits() {
    let server = Server::start(|_| Reply::text("x"));
    let transport = Transport::builder().connect_timeout(Duration::MAX).build().expect("good settings");
    let client = configured(transport, |config| config.set_timeout(Some(Duration::MAX)));
    run(async {
        let (request, _) = with_options(get(&server.url("/")), |options| options.connect_timeout = Some(Duration::MAX));
        assert_eq!(fetch(&client, request).await.expect("it answers").1, b"x");
        assert_eq!(fetch(&client, get(&server.url("/"))).await.expect("it answers").1, b"x");
    });
}
