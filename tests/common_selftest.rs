//! The test server and its friends, tested with plain std clients.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::common::{
    Authority, Dir, Leaf, PATIENCE, Reply, Server, TestCommand, client_config, gzip, is_read_by_roundup,
    limited_server, limited_server_with, refusing_port,
};

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn get_once(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

fn connect(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(server.addr()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends, and reads to the end.
fn ask(server: &Server, request: &str) -> String {
    let mut socket = connect(server);
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Reads until this has come.
fn read_until(stream: &mut impl Read, end: &str) -> String {
    let mut got = Vec::new();
    while !got.ends_with(end.as_bytes()) {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "the end after {:?}", got.escape_ascii().to_string());
        got.push(byte[0]);
    }
    String::from_utf8(got).unwrap()
}

fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|s| (*s).into())).unwrap()
}

#[test]
fn keeps_a_connection_and_numbers_its_requests() {
    let server = Server::start(|request| Reply::text(format!("{}.{}.", request.connection, request.nth)));
    let mut socket = connect(&server);
    for nth in 1..=3 {
        socket.write_all(get("/a?b=c").as_bytes()).unwrap();
        let answer = read_until(&mut socket, &format!("\r\n\r\n1.{nth}."));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("Content-Length: 4\r\n"), "{answer}");
    }
    assert!(ask(&server, &get_once("/d")).ends_with("\r\n\r\n2.1."));
    drop(socket);
    let stats = server.wait_for(|stats| stats.open == 0);
    assert_eq!((stats.requests, stats.connections, stats.in_flight, stats.peak_in_flight), (4, 2, 0, 1));
    assert_eq!(stats.lines(), ["GET /a?b=c", "GET /a?b=c", "GET /a?b=c", "GET /d"]);
    assert_eq!(stats.hosts()["a"], 4);
    let first = &server.requests()[0];
    assert_eq!((first.path(), first.query(), first.header("HOST")), ("/a", Some("b=c"), Some("a")));
}

#[test]
fn reads_bodies_with_a_length_and_in_chunks() {
    let server = Server::start(|request| Reply::text(request.text()));
    let length = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    assert!(ask(&server, length).ends_with("\r\n\r\nhello"));
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                  3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
    assert!(ask(&server, chunks).ends_with("\r\n\r\nhello"));
}

#[test]
fn counts_what_is_in_flight() {
    let server = Server::start(|request| match request.path() {
        "/slow/hang" => Reply::hang(),
        _ => Reply::text("x"),
    });
    let mut hanging: Vec<TcpStream> = (0..5).map(|_| connect(&server)).collect();
    for socket in &mut hanging {
        socket.write_all(get("/slow/hang").as_bytes()).unwrap();
    }
    server.wait_for(|stats| stats.in_flight == 5);
    assert!(ask(&server, &get_once("/fast")).ends_with("x"));
    hanging.truncate(2);
    let stats = server.wait_for(|stats| stats.in_flight == 2 && stats.open == 2);
    assert_eq!((stats.peak_in_flight, stats.peak_open), (6, 6));
    assert_eq!((stats.peak_under("/slow"), stats.peak_under("/fast"), stats.peak_under("/none")), (5, 1, 0));
    assert_eq!((stats.requests_under("/slow"), stats.requests_under("/")), (5, 6));
}

#[test]
fn a_client_that_keeps_to_a_limit_never_seems_to_exceed_it() {
    let server = Server::start(|_| Reply::json("{}"));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut socket = connect(&server);
                for _ in 0..200 {
                    socket.write_all(get("/").as_bytes()).unwrap();
                    read_until(&mut socket, "\r\n\r\n{}");
                }
            });
        }
    });
    let stats = server.stats();
    assert_eq!((stats.requests, stats.in_flight), (600, 0));
    assert!(stats.peak_in_flight <= 3, "{}", stats.peak_in_flight);
}

#[test]
fn a_limited_server_refuses_above_its_limit() {
    let server = limited_server_with(2, 7, || Reply::raw("in").and_hang());
    let mut hanging: Vec<TcpStream> = (0..2).map(|_| connect(&server)).collect();
    for socket in &mut hanging {
        socket.write_all(get("/").as_bytes()).unwrap();
        read_until(socket, "in");
    }
    let refused = ask(&server, &get_once("/"));
    assert!(refused.starts_with("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"), "{refused}");
    drop(hanging);
    server.wait_for(|stats| stats.in_flight == 0);

    let server = limited_server(1, 7);
    for _ in 0..2 {
        assert!(ask(&server, &get_once("/")).starts_with("HTTP/1.1 200 "), "the permit came back");
    }
}

#[test]
fn a_reset_is_a_reset_and_a_close_is_not() {
    let server = Server::start(|request| match request.path() {
        "/reset" => Reply::empty().reset(),
        "/half" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").close(),
        _ => Reply::text("x").close(),
    });
    let mut socket = connect(&server);
    socket.write_all(get("/reset").as_bytes()).unwrap();
    assert_eq!(socket.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(ask(&server, &get("/half")).ends_with("\r\n\r\nhalf"));
    assert!(ask(&server, &get("/close")).ends_with("\r\n\r\nx"));
    server.wait_for(|stats| stats.open == 0);
}

#[test]
fn sends_pieces_chunks_codings_and_several_heads() {
    let pause = Duration::from_millis(1);
    let server = Server::start(move |request| match request.path() {
        "/pieces" => Reply::text("hello").header("Connection", "close").in_pieces(3, pause),
        "/chunks" => Reply::text("hello").chunked(3).late(pause),
        "/gzip" => Reply::text("hello").gzip(),
        "/early" => Reply::status(103).header("Link", "</a>").then(Reply::text("hello")),
        "/lines" => Reply::raw("HTTP/1.0 200\n\n").pieces(["he", "llo"], pause).close(),
        _ => Reply::redirect(302, "/pieces"),
    });
    let pieces = ask(&server, &get("/pieces"));
    assert!(pieces.ends_with("\r\n\r\nhello") && !pieces.contains("Content-Length"), "{pieces}");
    assert!(ask(&server, &get_once("/chunks")).ends_with("\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"));
    let early = ask(&server, &get_once("/early"));
    assert!(early.starts_with("HTTP/1.1 103 \r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"), "{early}");
    assert_eq!(ask(&server, &get("/lines")), "HTTP/1.0 200\n\nhello");
    assert!(ask(&server, &get_once("/")).contains("\r\nLocation: /pieces\r\n"));
    let head = ask(&server, &get_once("/pieces").replace("GET", "HEAD").replace("/pieces", "/gzip"));
    let length = format!("Content-Length: {}\r\n", gzip("hello").len());
    assert!(head.contains(&length) && head.contains("Content-Encoding: gzip\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn answers_before_the_body_and_before_the_request() {
    let server = Server::builder()
        .on_head(|request| (request.path() == "/large").then(|| Reply::status(413)))
        .on_connect(|n| match n {
            1 => Some(Reply::empty().reset()),
            2 => Some(Reply::raw("hello").close()),
            _ => None,
        })
        .start(|_| Reply::status(204));
    assert_eq!(connect(&server).read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(read_until(&mut connect(&server), "hello"), "hello");
    let mut socket = connect(&server);
    socket.write_all(b"PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nstart").unwrap();
    assert!(read_until(&mut socket, "\r\n\r\n").starts_with("HTTP/1.1 413 "));
    // The end, and no reset although most of the body was never read.
    assert_eq!(socket.read(&mut [0; 9]).unwrap(), 0);
    let none = ask(&server, &get_once("/"));
    assert!(none.starts_with("HTTP/1.1 204 No Content\r\n") && !none.contains("Content-Length"), "{none}");
}

#[test]
fn carries_a_tunnel() {
    let target = Server::start(|_| Reply::text("through"));
    let port = target.port();
    let proxy = Server::start(move |request| {
        assert_eq!(request.method, "CONNECT");
        Reply::status(200).tunnel(port)
    });
    let mut socket = connect(&proxy);
    socket.write_all(b"CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n").unwrap();
    read_until(&mut socket, "\r\n\r\n");
    socket.write_all(get("/").as_bytes()).unwrap();
    read_until(&mut socket, "\r\n\r\nthrough");
    assert_eq!(target.requests()[0].header("host"), Some("a"));
}

#[test]
fn ends_at_once_whatever_it_is_doing() {
    let server = Server::start(|request| match request.path() {
        "/hang" => Reply::hang(),
        "/stall" => Reply::stall(),
        "/pause" => Reply::text("x").late(Duration::from_secs(3600)),
        _ => Reply::text("x".repeat(64 << 20)),
    });
    let sockets: Vec<TcpStream> = ["/hang", "/stall", "/pause", "/large"]
        .into_iter()
        .map(|path| {
            let mut socket = connect(&server);
            socket.write_all(get(path).as_bytes()).unwrap();
            socket
        })
        .collect();
    server.wait_for(|stats| stats.in_flight == 4);
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
    drop(sockets);
}

#[test]
fn fails_the_test_where_it_was_not_used_as_meant() {
    let unused = catch_unwind(|| drop(Server::start(|_| Reply::status(200)))).unwrap_err();
    assert!(message(unused).ends_with(" was never used"));
    drop(Server::builder().unused_ok().start(|_| Reply::status(200)));

    for bad in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    ] {
        let server = Server::start(|_| Reply::status(200));
        assert!(ask(&server, bad).starts_with("HTTP/1.1 400 "), "{bad:?}");
        let failed = catch_unwind(AssertUnwindSafe(|| drop(server))).unwrap_err();
        assert!(message(failed).contains("not HTTP"), "{bad:?}");
    }
    let server = Server::builder().malformed_ok().start(|_| Reply::status(200));
    ask(&server, "hello\r\n\r\n");
    assert_eq!(server.stats().malformed.len(), 1);

    let server = Server::start(|request| panic!("did not expect {}", request.target));
    ask(&server, &get("/that"));
    let failed = catch_unwind(AssertUnwindSafe(|| drop(server))).unwrap_err();
    assert!(message(failed).contains("did not expect /that"));
}

#[test]
fn a_refusing_port_refuses() {
    let error = TcpStream::connect(("127.0.0.1", refusing_port())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

fn connect_tls(server: &Server, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(config.clone(), name).unwrap();
    let mut socket = connect(server);
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

#[test]
fn speaks_tls_and_counts_handshakes() {
    let authority = Authority::new();
    let only_12: &[_] = &[&rustls::version::TLS12];
    for versions in [rustls::ALL_VERSIONS, only_12] {
        let server = Server::builder()
            .tls(authority.server_with(Leaf::Good, versions))
            .start(|request| Reply::text(request.sni.clone().unwrap_or_default()).header("Connection", "close"));
        assert!(server.url("/").starts_with("https://127.0.0.1:"));
        let config = client_config(&authority);
        for _ in 0..2 {
            let mut stream = connect_tls(&server, &config).unwrap();
            stream.write_all(get("/").as_bytes()).unwrap();
            let mut answer = String::new();
            // An error where there is no close_notify.
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("\r\n\r\nlocalhost"), "{answer}");
        }
        let stats = server.wait_for(|stats| stats.open == 0);
        assert_eq!((stats.full_handshakes, stats.resumed_handshakes, stats.failed_handshakes.len()), (1, 1, 0));
    }
    let pem = std::fs::read_to_string(authority.ca_file()).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
}

#[test]
fn cuts_and_resets_tls() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(|request| match request.path() {
        "/cut" => Reply::text("cut").header("Connection", "close").cut(),
        _ => Reply::empty().reset(),
    });
    let config = client_config(&authority);
    let mut stream = connect_tls(&server, &config).unwrap();
    stream.write_all(get("/cut").as_bytes()).unwrap();
    read_until(&mut stream, "\r\n\r\ncut");
    assert_eq!(stream.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    let mut stream = connect_tls(&server, &config).unwrap();
    stream.write_all(get("/reset").as_bytes()).unwrap();
    assert_eq!(stream.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn bad_certificates_are_bad() {
    let authority = Authority::new();
    let bad = [
        (Leaf::Expired, "expired"),
        (Leaf::NotYetValid, "not valid yet"),
        (Leaf::OtherHost, "not valid for name"),
        (Leaf::SelfSigned, "UnknownIssuer"),
    ];
    for (leaf, why) in bad {
        let server = Server::builder().tls(authority.server(leaf)).start(|_| Reply::status(200));
        let error = connect_tls(&server, &client_config(&authority)).unwrap_err().to_string();
        assert!(error.contains(why), "{leaf:?}: {error}");
        let stats = server.wait_for(|stats| stats.open == 0);
        assert_eq!((stats.requests, stats.full_handshakes, stats.failed_handshakes.len()), (0, 0, 1));
    }
}

#[test]
fn a_folder_is_gone_with_its_guard() {
    let dir = Dir::new();
    let path = dir.path().to_owned();
    dir.write("b/c", "d");
    dir.write("a", "e");
    assert_eq!((dir.names(), dir.read("b/c")), (vec!["a".to_owned(), "b".to_owned()], "d".to_owned()));
    drop(dir);
    assert!(!path.exists());
}

#[cfg(unix)]
fn sh(script: &str) -> TestCommand {
    TestCommand::program("/bin/sh").args(["-c", script])
}

#[cfg(unix)]
#[test]
fn a_command_gets_its_input_and_place_and_gives_its_output() {
    let dir = Dir::new();
    // More than a pipe holds, both ways at once.
    let input = "0123456789\n".repeat(50_000);
    let output = sh("echo \"$0 $A\" >&2; cat; pwd > here; exit 3")
        .arg("zero")
        .env("A", "a b")
        .stdin(input.clone())
        .inside(&dir)
        .run()
        .expect_code(3);
    assert_eq!((output.stdout(), output.stderr.as_str()), (input.as_str(), "zero a b\n"));
    let here = std::fs::canonicalize(dir.read("here").trim_end()).unwrap();
    assert_eq!(here, std::fs::canonicalize(dir.path()).unwrap());
    assert_eq!(sh("echo '{\"a\":1}'").run().json()["a"], 1);
    // A child that does not read what it is given.
    sh("exit 0").stdin(input).run().expect_code(0);
}

#[cfg(unix)]
#[test]
fn a_hung_command_is_killed_and_shown() {
    let mut running = sh("echo before; exec sleep 1000").spawn();
    running.wait_for_stdout("before");
    running.limit(Duration::from_millis(20));
    let panic = catch_unwind(AssertUnwindSafe(|| running.wait()));
    let text = message(panic.unwrap_err());
    assert!(text.contains("hangs") && text.contains("stdout: before"), "{text}");
    let panic = catch_unwind(|| sh("echo this").spawn().wait_for_stdout("that"));
    let text = message(panic.unwrap_err());
    assert!(text.contains("no \"that\" in \"this\\n\""), "{text}");
}

#[cfg(unix)]
#[test]
fn a_command_can_be_watched_and_signalled() {
    // Not SIGINT: where the tests themselves were started in the background, a shell cannot trap that.
    let mut running = sh("trap 'echo caught >&2; exit 130' TERM; echo ready; while :; do sleep 0.01; done").spawn();
    assert_eq!(running.wait_for_stdout("ready"), "ready\n");
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.wait_for_stderr("caught"), "caught\n");
    running.wait().expect_code(130);
}

#[test]
fn the_callers_settings_do_not_reach_a_command() {
    for name in ["ROUNDUP_RETRIES", "http_proxy", "HTTPS_PROXY", "no_proxy", "NO_COLOR", "TERM", "SSL_CERT_FILE"] {
        assert!(is_read_by_roundup(name), "{name}");
    }
    for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "SystemRoot", "QEMU_LD_PREFIX"] {
        assert!(!is_read_by_roundup(name), "{name}");
    }
}
