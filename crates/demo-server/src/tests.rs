//! The server as clients see it: blocking ones, each on a thread of its own where several are needed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use roundup_event_loop::EventLoop;
use serde_json::Value;

use super::state::Bounds;
use super::{Server, demo_urls};

#[test]
fn every_api_of_the_demo_answers_and_those_that_fail_do_so_twice() {
    let server = start();
    let urls = demo_urls(server.address());
    assert_eq!(urls.len(), 50);
    let prefix = format!("http://{}", server.address());
    let clients = Vec::from_iter(urls.into_iter().map(|(name, url)| {
        let path = url.strip_prefix(&prefix).expect("the server's address").to_owned();
        let address = server.address();
        // Not all at once, or the limited group would answer 429.
        let limited = path.starts_with("/limited/");
        let client = move || {
            let mut client = Client::new(address);
            let mut statuses = Vec::new();
            loop {
                let answer = client.get(&path);
                statuses.push(answer.status);
                assert_eq!(answer.field("content-type"), Some("application/json"), "{name}");
                httpdate::parse_http_date(answer.field("date").expect("a date")).expect("a valid date");
                if statuses.len() == 4 || answer.status == 200 {
                    assert!(answer.json().is_object(), "{name}");
                    return (name, statuses);
                }
            }
        };
        if limited { Err(client) } else { Ok(thread::spawn(client)) }
    }));
    let mut unsteady = 0;
    for client in clients {
        let (name, statuses) = client.map_or_else(|client| client(), |thread| thread.join().expect("it answered"));
        if name.starts_with("trains-") {
            unsteady += 1;
            assert_eq!(statuses, [503, 503, 200], "{name}");
        } else {
            assert_eq!(statuses, [200], "{name}");
        }
    }
    assert_eq!(unsteady, 6);
    let stats = server.stats();
    assert_eq!((stats.connections, stats.requests, stats.throttled), (50, 62, 0));
    assert!((2..=38).contains(&stats.peak_in_flight), "{stats:?}");
}

#[test]
fn failures_are_counted_apart_for_each_run() {
    let server = start();
    let mut client = Client::new(server.address());
    let mut status = |path: &str| client.get(path).status;
    assert_eq!([status("/flaky/1?run=a"), status("/flaky/1?x=y&run=b"), status("/flaky/1")], [503; 3]);
    assert_eq!([status("/flaky/1?run=a"), status("/flaky/1?run=b"), status("/flaky/1")], [200; 3]);
    assert_eq!([status("/flaky/1"), status("/flaky/1"), status("/flaky/1")], [503, 200, 503]);
    let path = "/v1/trains/basel";
    assert_eq!(client.get(&format!("{path}?run=a")).field("retry-after"), Some("0"));
    assert_eq!(client.get(path).status, 503);
    assert_eq!(client.get(&format!("{path}?run=a")).status, 503);
    assert_eq!(client.get(&format!("{path}?run=a")).status, 200);
    assert_eq!(client.get(&format!("{path}?run={}", "a".repeat(65))).status, 400);
}

#[test]
fn the_limited_group_takes_ten_at_a_time() {
    let server = start();
    let mut clients = Vec::from_iter((0..14).map(|_| Client::new(server.address())));
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&format!("GET /limited/{n} HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    let answers = Vec::from_iter(clients.iter_mut().map(|client| client.receive(false)));
    let busy = Vec::from_iter(answers.iter().filter(|answer| answer.status == 429));
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10);
    assert_eq!(busy.len(), 4);
    assert!(busy.iter().all(|answer| answer.field("retry-after") == Some("1")));
    // The places have been given back.
    assert_eq!(clients[0].get("/limited/0").status, 200);
    assert_eq!(server.stats().throttled, 4);
}

#[test]
fn paths_of_the_test_bench() {
    let server = start();
    let mut client = Client::new(server.address());
    let index = client.get("/").text();
    assert!(index.contains("/delay/SECONDS") && index.contains("/v1/weather/oslo"), "{index}");

    let before = Instant::now();
    assert_eq!(client.get("/delay/0.05").json()["delay_s"], 0.05);
    assert!(before.elapsed() >= Duration::from_millis(50));

    for status in [200, 204, 304, 404, 418, 503, 599] {
        let answer = client.get(&format!("/status/{status}"));
        assert_eq!(answer.status, status);
        assert_eq!(answer.content.is_empty(), status == 204 || status == 304, "{status}");
    }
    assert!(client.get("/status/401").field("www-authenticate").is_some());

    for length in [0, 1, 9, 16_380, 16_381, 1_000_003] {
        let answer = client.get(&format!("/bytes/{length}"));
        assert_eq!(answer.content.len(), length);
        assert!(answer.content.iter().zip((0..10).cycle()).all(|(byte, digit)| *byte == b'0' + digit));
    }

    let answer = client.get("/stream/1000");
    assert_eq!(answer.field("transfer-encoding"), Some("chunked"));
    let text = answer.text();
    assert_eq!(text.lines().count(), 1000);
    for (n, line) in text.lines().enumerate() {
        let value: Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(value["line"], n);
    }
    assert_eq!(client.get("/stream/0").content, b"");

    let mut path = "/redirect/3".to_owned();
    let mut hops = 0;
    let answer = loop {
        let answer = client.get(&path);
        match answer.field("location") {
            Some(location) => path = location.to_owned(),
            None => break answer,
        }
        hops += 1;
    };
    assert_eq!((answer.status, hops), (200, 3));

    let stats = client.get("/stats").json();
    assert_eq!((&stats["connections"], &stats["in_flight"]), (&1.into(), &1.into()));
}

#[test]
fn what_is_not_there_or_out_of_bounds() {
    let server = start();
    let mut client = Client::new(server.address());
    for path in ["/nothing", "/v1/weather/atlantis", "/limited/", "/limited", "/echo/x", "//", "*", "/v1/weather/oslo/"]
    {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    for path in [
        "/delay/",
        "/delay/61",
        "/delay/-1",
        "/delay/+1",
        "/delay/inf",
        "/delay/NaN",
        "/delay/1e1",
        "/delay/.",
        "/status/",
        "/status/199",
        "/status/600",
        "/status/+200",
        "/bytes/1073741825",
        "/bytes/x",
        "/stream/1000001",
        "/redirect/101",
        "/flaky/1001",
        "/flaky/99999999999999999999",
    ] {
        assert_eq!(client.get(path).status, 400, "{path}");
    }
}

#[test]
fn echo_shows_what_was_sent() {
    let server = start();
    let mut client = Client::new(server.address());
    client.send("PUT /echo?a=b HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nX-ONE: 2\r\nContent-Length: 5\r\n\r\nhello");
    let answer = client.receive(false).json();
    assert_eq!((&answer["method"], &answer["query"]), (&"PUT".into(), &"a=b".into()));
    assert_eq!(answer["headers"]["x-one"], "1, 2");
    assert_eq!((&answer["content"], &answer["content_bytes"]), (&"hello".into(), &5.into()));

    let chunks = "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n";
    client.send(&format!("POST http://h/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
    assert_eq!(client.receive(false).json()["content"], "hello!");

    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.receive_head().0, 100);
    client.send("ok");
    assert_eq!(client.receive(false).json()["content"], "ok");
    assert_eq!(server.stats().connections, 1);
}

#[test]
fn pipelined_head_and_requests_in_pieces() {
    let server = start();
    let mut client = Client::new(server.address());
    let get = |n: usize| format!("GET /bytes/{n} HTTP/1.1\r\nHost: h\r\n\r\n");
    client.send(&(get(1) + &get(2) + "\r\n" + &get(3)));
    assert_eq!([1, 2, 3].map(|_| client.receive(false).content.len()), [1, 2, 3]);

    client.send("HEAD /bytes/1073741824 HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = client.receive(true);
    assert_eq!((answer.status, answer.field("content-length")), (200, Some("1073741824")));

    for byte in get(7).bytes() {
        client.socket.get_mut().write_all(&[byte]).expect("sent");
    }
    assert_eq!(client.receive(false).content.len(), 7);
}

#[test]
fn http_1_0_and_connection_close() {
    let server = start();
    let closing = |request: &str| {
        let mut client = Client::new(server.address());
        client.send(request);
        let mut all = String::new();
        client.socket.read_to_string(&mut all).expect("closed by the server");
        all
    };
    let all = closing("GET /stream/3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let (head, content) = all.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("chunked") && head.contains("Connection: close"), "{head}");
    assert_eq!(content.lines().count(), 3);
    assert!(closing("GET /bytes/3 HTTP/1.0\r\n\r\n").ends_with("\r\n\r\n012"));
    assert!(closing("GET /bytes/3 HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n").ends_with("\r\n\r\n012"));

    let mut client = Client::new(server.address());
    for _ in 0..2 {
        client.send("GET /bytes/3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.receive(false);
        assert_eq!((answer.content.len(), answer.field("connection")), (3, Some("keep-alive")));
    }
}

#[test]
fn bad_requests_are_told_so_and_the_connection_closed() {
    let server = start();
    let long = "a".repeat(super::request::MAX_HEAD);
    let lengthy = |length: u64| format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let chunked =
        |chunks: &str| format!("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: h\r\nx: {long}"), 431),
        (lengthy(1024 * 1024 + 1), 413),
        (lengthy(u64::MAX), 413),
        (lengthy(u64::MAX).replace("Host", "Expect: 100-continue\r\nHost"), 413),
        (chunked("fffffffffffffff\r\n"), 413),
        (chunked("1\r\nab\r\n"), 400),
        (chunked(&format!("1;{long}")), 400),
        (chunked(&format!("0\r\nx: {long}")), 400),
        (chunked(&format!("100000\r\n{}\r\n1\r\n", "a".repeat(1024 * 1024))), 413),
    ] {
        let mut client = Client::new(server.address());
        client.send(&request);
        let answer = client.receive(false);
        let start = request.get(..40).unwrap_or(&request);
        assert_eq!((answer.status, answer.field("connection")), (status, Some("close")), "{start:?}");
        assert_eq!(client.socket.read(&mut [0]).expect("closed"), 0, "{start:?}");
    }
    let mut client = Client::new(server.address());
    client.send(&(lengthy(1024 * 1024) + &"a".repeat(1024 * 1024)));
    assert_eq!(client.receive(false).json()["content_bytes"], 1024 * 1024);
}

#[test]
fn clients_that_vanish_do_no_harm() {
    let server = start();
    for request in
        ["", "GET", "GET /delay/0.01 HTTP/1.1\r\nHost: h\r\n\r\n", "GET /bytes/1073741824 HTTP/1.1\r\nHost: h\r\n\r\n"]
    {
        let mut client = Client::new(server.address());
        client.send(request);
        if request.contains("/bytes/") {
            // It is in the middle of it.
            assert_eq!(client.receive_head().0, 200);
        }
    }
    // A half-closed connection still gets its answer.
    let mut client = Client::new(server.address());
    client.send("GET /delay/0.05 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.socket.get_ref().shutdown(Shutdown::Write).expect("half closed");
    assert_eq!(client.receive(false).status, 200);
    drop(client);
    wait_until("all have been let go", || {
        let stats = server.stats();
        stats.open_connections == 0 && stats.in_flight == 0
    });
    assert_eq!(server.stats().connections, 5);
}

#[test]
fn too_many_connections_are_refused_and_places_come_free() {
    let server = start_within(Bounds { connections: 3, ..Bounds::default() });
    let mut clients = Vec::from_iter((0..3).map(|_| Client::new(server.address())));
    for client in &mut clients {
        assert_eq!(client.get("/bytes/1").status, 200);
    }
    let mut refused = Client::new(server.address());
    assert_eq!(refused.receive(false).status, 503);
    drop(refused);
    clients.pop();
    wait_until("a place is free", || server.stats().open_connections == 2);
    assert_eq!(Client::new(server.address()).get("/bytes/1").status, 200);
    let stats = server.stats();
    assert_eq!((stats.connections, stats.refused_connections), (5, 1));
}

#[test]
fn idle_connections_are_closed_and_slow_requests_refused() {
    let server = start_within(Bounds { idle: Duration::from_millis(500), ..Bounds::default() });
    let mut client = Client::new(server.address());
    assert_eq!(client.get("/bytes/1").status, 200);
    assert_eq!(client.socket.read(&mut [0]).expect("closed"), 0);
    let mut client = Client::new(server.address());
    client.send("GET / HTTP/1.1\r\n");
    assert_eq!(client.receive(false).status, 408);
    assert_eq!(client.socket.read(&mut [0]).expect("closed"), 0);
}

#[test]
fn dropping_it_stops_it_whatever_its_connections_do() {
    let server = start();
    let address = server.address();
    let mut idle = Client::new(address);
    assert_eq!(idle.get("/bytes/1").status, 200);
    let mut waiting = Client::new(address);
    waiting.send("GET /delay/60 HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut unread = Client::new(address);
    unread.send("GET /bytes/1073741824 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(unread.receive_head().0, 200);
    wait_until("both are in flight", || server.stats().in_flight == 2);
    let before = Instant::now();
    drop(server);
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert!(matches!(waiting.socket.read(&mut [0]), Ok(0) | Err(_)));
    assert!(matches!(idle.socket.read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn a_taken_port_is_named() {
    let server = start();
    let port = server.address().port();
    let error = Server::start(port).expect_err("it is taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(error.to_string(), format!("port {port} is in use"));
    assert!(server.address().ip().is_loopback());
}

#[test]
fn it_runs_until_told_to_stop() {
    let server = start();
    let mut client = Client::new(server.address());
    let stop = async { client.get("/status/418").status };
    assert_eq!(EventLoop::new().run(server.run_until(stop)).expect("stopped as told").0, 418);
    assert!(matches!(client.socket.read(&mut [0]), Ok(0) | Err(_)));
}

fn start() -> Server {
    start_within(Bounds::default())
}

fn start_within(bounds: Bounds) -> Server {
    Server::start_within(bounds, 0).expect("a loopback server")
}

/// Waits for what happens on the server's thread after the client has seen its end of it.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let before = Instant::now();
    while !is_so() {
        assert!(before.elapsed() < Duration::from_secs(10), "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn ten_suppliers_have_prices_that_change_in_the_same_way_each_time() {
    let offers = |supplier: &str, requests: usize| {
        let server = start();
        let mut client = Client::new(server.address());
        let asked = (0..requests).map(|_| client.get(&format!("/suppliers/{supplier}")).json()["offers"].clone());
        asked.collect::<Vec<_>>()
    };
    let acme = offers("acme", 14);
    assert!(acme[0] != acme[1] && acme == offers("acme", 14));
    let prices = acme.iter().flat_map(|offers| offers.as_array().into_iter().flatten());
    assert!(prices.clone().count() == 56 && prices.clone().all(|offer| offer["price"].as_f64() > Some(1.0)));
    let server = start();
    let mut client = Client::new(server.address());
    assert_eq!(client.get("/suppliers/cargo-eu").json()["error"], "invalid api key");
    assert_eq!(client.get("/suppliers/nobody").status, 404);
}

/// A client that keeps its connection.
struct Client {
    socket: BufReader<TcpStream>,
}

struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    content: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr) -> Client {
        let socket = TcpStream::connect(address).expect("connected");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        socket.set_nodelay(true).expect("no delay");
        Client { socket: BufReader::new(socket) }
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        self.receive(false)
    }

    fn send(&mut self, text: &str) {
        self.socket.get_mut().write_all(text.as_bytes()).expect("sent");
    }

    fn receive_head(&mut self) -> (u16, Vec<(String, String)>) {
        let status = self.line();
        let status = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("a status line");
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some((name, value)) => fields.push((name.to_ascii_lowercase(), value.to_owned())),
                None => {
                    assert_eq!(line, "");
                    return (status.parse().expect("a status"), fields);
                }
            }
        }
    }

    fn receive(&mut self, head_only: bool) -> Answer {
        let (status, fields) = self.receive_head();
        let mut answer = Answer { status, fields, content: Vec::new() };
        if head_only {
            return answer;
        }
        if let Some(length) = answer.field("content-length") {
            answer.content = self.exactly(length.parse().expect("a length"));
        } else if answer.field("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&self.line(), 16).expect("a chunk size");
                answer.content.extend(self.exactly(length));
                assert_eq!(self.line(), "");
                if length == 0 {
                    break;
                }
            }
        }
        answer
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut content = vec![0; length];
        self.socket.read_exact(&mut content).expect("the whole content");
        content
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.socket.read_line(&mut line).expect("a line");
        line.strip_suffix("\r\n").expect("a whole line").to_owned()
    }
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }

    fn text(&self) -> String {
        String::from_utf8(self.content.clone()).expect("text")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.content).expect("JSON")
    }
}
