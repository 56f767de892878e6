//! Proxies over real sockets: what they are told, what the origin behind them is told, and what becomes of their refusals.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use roundup::event_loop::EventLoop;
use roundup::transport::{Proxies, Proxy, Roots, Transport, TransportBuilder};
use roundup::{Error, Kind, Phase};

/// What bounds a test that has failed; none waits so long that passes.
const PATIENCE: Duration = Duration::from_secs(20);

const USER: &str = "walter";
const PASSWORD: &str = "hunter2";
/// Of `walter:hunter2`.
const BASIC: &str = "d2FsdGVyOmh1bnRlcjI=";

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A server for one connection, on a thread of its own.
struct Fake<T> {
    port: u16,
    result: Receiver<T>,
}

impl<T: Send + 'static> Fake<T> {
    fn new(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> Fake<T> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let (sender, result) = channel();
        thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a connection");
            // One only: whoever comes again is refused.
            drop(listener);
            stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
            stream.set_nodelay(true).expect("a socket");
            let _ = sender.send(serve(stream));
        });
        Fake { port, result }
    }

    fn proxy(&self, scheme: &str, user_info: &str) -> Proxy {
        format!("{scheme}://{user_info}127.0.0.1:{}", self.port).parse().expect("a proxy")
    }

    /// What the server made of the connection that it must have had.
    fn finish(self) -> T {
        self.result.recv_timeout(PATIENCE).expect("the server was used and did not panic")
    }
}

/// Reads up to an empty line, and not a byte beyond.
fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

fn read_bytes<const N: usize>(stream: &mut impl Read) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).expect("so many bytes");
    bytes
}

/// Every byte in a packet of its own.
fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        stream.write_all(&[*byte]).expect("the client reads");
    }
}

fn fields<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let pairs = head.lines().filter_map(|line| line.split_once(": "));
    pairs.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

fn through(proxy: Proxy) -> TransportBuilder {
    Transport::builder().proxies(Proxies::single(proxy))
}

/// GETs these URLs one after the other and gives the last text.
fn get(transport: TransportBuilder, urls: &[&str]) -> Result<String, Error> {
    let client = roundup::surf::client(transport.build().expect("good settings"));
    let last = EventLoop::new().run(async {
        let mut text = String::new();
        for url in urls {
            let request = surf::Request::new(surf::http::Method::Get, url.parse().expect("a URL"));
            text = client.recv_string(request).await?;
        }
        Ok::<_, surf::Error>(text)
    });
    last.map_err(|error| error.downcast::<Error>().expect("every error is one of roundup's"))
}

/// Everything that an error can show, to look for secrets in.
fn shown(error: &Error) -> String {
    let mut shown = error.one_line();
    write!(shown, " {error} {error:?}").expect("a string takes all");
    shown
}

fn assert_no_secret(error: &Error) {
    let shown = shown(error);
    for secret in [USER, PASSWORD, BASIC] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn plain_requests_go_to_an_http_proxy_whole() {
    let fake = Fake::new(|mut stream| {
        let head = read_head(&mut stream);
        stream.write_all(OK).expect("the client reads");
        head
    });
    // RFC 6761 says that the name does not exist: only the proxy could resolve it.
    let proxy = fake.proxy("http", "walter:hunter2@");
    let text = get(through(proxy), &["http://no-such-host.invalid:8080/a%20b?c=d#e"]).expect("an answer");
    assert_eq!(text, "hello");
    let head = fake.finish();
    assert!(head.starts_with("GET http://no-such-host.invalid:8080/a%20b?c=d HTTP/1.1\r\n"), "{head}");
    assert_eq!(fields(&head, "host"), ["no-such-host.invalid:8080"]);
    assert_eq!(fields(&head, "proxy-authorization"), [format!("Basic {BASIC}")]);
}

#[test]
fn encrypted_requests_go_through_a_tunnel_that_keeps_the_password_to_itself() {
    let key = rcgen::generate_simple_self_signed(["no-such-host.invalid".to_owned()]).expect("a name");
    let roots = concat!(env!("CARGO_TARGET_TMPDIR"), "/proxy-tunnel.pem");
    std::fs::write(roots, key.cert.pem()).expect("a folder for tests");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()).into(),
        )
        .expect("they belong together");
    let fake = Fake::new(move |mut stream| {
        let asked = read_head(&mut stream);
        drip(&mut stream, b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nVia: x\r\nContent-Length: 9\r\n\r\n");
        let connection = rustls::ServerConnection::new(Arc::new(config)).expect("a good configuration");
        let mut stream = rustls::StreamOwned::new(connection, stream);
        let requests = [(); 2].map(|()| {
            let request = read_head(&mut stream);
            stream.write_all(OK).expect("the client reads");
            request
        });
        (asked, requests)
    });
    let transport = through(fake.proxy("http", "walter:hunter2@")).roots(Roots::File(roots.into()));
    let text = get(transport, &["https://no-such-host.invalid/one", "https://no-such-host.invalid/two"]);
    assert_eq!(text.expect("one tunnel for both"), "hello");
    let (asked, requests) = fake.finish();
    assert!(asked.starts_with("CONNECT no-such-host.invalid:443 HTTP/1.1\r\n"), "{asked}");
    assert_eq!(fields(&asked, "host"), ["no-such-host.invalid:443"]);
    assert_eq!(fields(&asked, "proxy-authorization"), [format!("Basic {BASIC}")]);
    for (request, path) in requests.iter().zip(["/one", "/two"]) {
        assert!(request.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{request}");
        assert_eq!(fields(request, "host"), ["no-such-host.invalid"]);
        assert!(fields(request, "proxy-authorization").is_empty(), "{request}");
    }
}

#[test]
fn what_a_proxy_answers_instead_of_a_tunnel() {
    for (answer, kind, part) in [
        ("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\nwho?", Kind::Connect, "does not accept this user"),
        ("HTTP/1.0 403 walter:hunter2\r\n\r\n", Kind::Connect, "status 403"),
        ("HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", Kind::Connect, "could not reach the host (status 502)"),
        ("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x", Kind::Protocol, "9 bytes behind its answer"),
        ("HTTP/1.1 101 Switching\r\n\r\n", Kind::Protocol, "101"),
        ("SSH-2.0-OpenSSH_9.9\r\n", Kind::Protocol, "does not answer CONNECT as HTTP/1.1"),
        ("\x05\u{7f}", Kind::Protocol, "write socks5://"),
        ("", Kind::Connect, "closed the connection before it had answered"),
        ("HTTP/1.1 200 OK\r\nVia: ", Kind::Connect, "closed the connection inside its answer"),
    ] {
        let fake = Fake::new(move |mut stream| {
            read_head(&mut stream);
            stream.write_all(answer.as_bytes()).expect("the client reads");
        });
        let proxy = fake.proxy("http", "walter:hunter2@");
        let address = proxy.to_string().trim_start_matches("http://").to_owned();
        let name = format!("no tunnel to no-such-host.invalid:443 through the proxy {proxy} ({address}): ");
        let error = get(through(proxy), &["https://no-such-host.invalid/"]).expect_err(answer);
        fake.finish();
        assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Proxy)), "{answer}: {}", error.one_line());
        assert!(error.one_line().starts_with(&name) && error.one_line().contains(part), "{}", error.one_line());
        assert_no_secret(&error);
    }
}

#[test]
fn a_proxy_that_repeats_what_it_hears_or_never_ends() {
    let echo = Fake::new(|mut stream| {
        let head = read_head(&mut stream);
        stream.write_all(head.as_bytes()).expect("the client reads");
    });
    let error = get(through(echo.proxy("http", "walter:hunter2@")), &["https://a/"]).expect_err("no answer");
    assert_eq!((error.kind(), error.phase()), (Kind::Protocol, Some(Phase::Proxy)));
    assert_no_secret(&error);
    echo.finish();

    let endless = Fake::new(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n").expect("the client reads");
        let mut sent = 0_u64;
        while stream.write_all(b"X-Field: again and again\r\n").is_ok() {
            sent += 1;
        }
        sent
    });
    let error = get(through(endless.proxy("http", "")), &["https://a/"]).expect_err("no answer");
    assert_eq!((error.kind(), error.phase()), (Kind::Protocol, Some(Phase::Proxy)));
    assert!(error.one_line().contains("over its limit of"), "{}", error.one_line());
    assert!(endless.finish() > 0);
}

#[test]
fn a_proxy_that_is_not_there_or_silent() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("loopback").port();
    for (scheme, url) in [("http", "http://a/"), ("http", "https://a/"), ("socks5", "http://a/")] {
        let proxy: Proxy = format!("{scheme}://walter:hunter2@127.0.0.1:{port}").parse().expect("a proxy");
        let error = get(through(proxy), &[url]).expect_err("nothing listens");
        assert_eq!((error.kind(), error.phase()), (Kind::Connect, Some(Phase::Connect)));
        let part = format!("the proxy {scheme}://127.0.0.1:{port} cannot be reached");
        assert!(error.one_line().starts_with(&part), "{}", error.one_line());
        assert_no_secret(&error);
    }
    for scheme in ["http", "socks5"] {
        let silent = Fake::new(|mut stream| stream.read_to_end(&mut Vec::new()).is_ok());
        let transport = through(silent.proxy(scheme, "walter:hunter2@")).connect_timeout(Duration::from_millis(50));
        let error = get(transport, &["https://a/"]).expect_err("no answer");
        assert_eq!((error.kind(), error.phase()), (Kind::Timeout, Some(Phase::Proxy)));
        assert_no_secret(&error);
        assert!(silent.finish(), "the connection was closed");
    }
}

#[test]
fn socks5_carries_names_unresolved_and_keeps_the_tunnel() {
    let fake = Fake::new(|mut stream| {
        let offer = read_bytes::<3>(&mut stream);
        drip(&mut stream, &[5, 0]);
        let request = read_bytes::<{ 5 + 20 + 2 }>(&mut stream);
        // The answer to the first request in one piece with the reply: a byte read too many would be missing from it.
        stream.write_all(&[b"\x05\x00\x00\x03\x04name\x00\x50", OK].concat()).expect("the client reads");
        let first = read_head(&mut stream);
        let second = read_head(&mut stream);
        drip(&mut stream, OK);
        let requests = [first, second];
        (offer, request, requests)
    });
    let urls = ["http://no-such-host.invalid/one", "http://no-such-host.invalid/two"];
    assert_eq!(get(through(fake.proxy("socks5h", "")), &urls).expect("one tunnel for both"), "hello");
    let (offer, request, requests) = fake.finish();
    assert_eq!(offer, [5, 1, 0]);
    assert_eq!(request.escape_ascii().to_string(), "\\x05\\x01\\x00\\x03\\x14no-such-host.invalid\\x00P");
    assert!(requests[0].starts_with("GET /one HTTP/1.1\r\n"), "the origin's own form: {}", requests[0]);
    assert!(requests[1].starts_with("GET /two HTTP/1.1\r\n"), "{}", requests[1]);
}

#[test]
fn socks5_with_user_and_password() {
    for accepted in [true, false] {
        let fake = Fake::new(move |mut stream| {
            let offer = read_bytes::<4>(&mut stream);
            stream.write_all(&[5, 2]).expect("the client reads");
            let authentication = read_bytes::<{ 3 + 6 + 7 }>(&mut stream);
            if !accepted {
                stream.write_all(&[1, 1]).expect("the client reads");
                return (offer, authentication, String::new());
            }
            stream.write_all(&[1, 0]).expect("the client reads");
            let request = read_bytes::<10>(&mut stream);
            assert_eq!(request, [5, 1, 0, 1, 127, 0, 0, 1, 0, 9], "addresses go as addresses");
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).expect("the client reads");
            let head = read_head(&mut stream);
            stream.write_all(OK).expect("the client reads");
            (offer, authentication, head)
        });
        let result = get(through(fake.proxy("socks5", "walter:hunter2@")), &["http://127.0.0.1:9/"]);
        let (offer, authentication, head) = fake.finish();
        assert_eq!(offer, [5, 2, 0, 2]);
        assert_eq!(authentication.escape_ascii().to_string(), "\\x01\\x06walter\\x07hunter2");
        assert!(!head.to_lowercase().contains("authorization"), "{head}");
        match result {
            Ok(text) => assert!(accepted && text == "hello"),
            Err(error) => {
                assert!(!accepted, "{}", error.one_line());
                assert_eq!((error.kind(), error.phase()), (Kind::Connect, Some(Phase::Proxy)));
                assert!(error.one_line().contains("does not accept this user and password"), "{}", error.one_line());
                assert_no_secret(&error);
            }
        }
    }
}

#[test]
fn each_refusal_of_socks5_says_which() {
    let mut texts = Vec::new();
    for code in 1..=9 {
        let fake = Fake::new(move |mut stream| {
            read_bytes::<3>(&mut stream);
            stream.write_all(&[5, 0]).expect("the client reads");
            read_bytes::<8>(&mut stream);
            // Some close behind the code, some send the whole reply.
            let reply = [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
            stream.write_all(if code % 2 == 0 { &reply } else { &reply[..2] }).expect("the client reads");
        });
        let error = get(through(fake.proxy("socks5", "")), &["http://a/"]).expect_err("refused");
        fake.finish();
        assert_eq!((error.kind(), error.phase()), (Kind::Connect, Some(Phase::Proxy)));
        let line = error.one_line();
        assert!(line.ends_with(&format!("(SOCKS5 reply {code})")), "{line}");
        let text = line.split(": ").last().and_then(|text| text.split(" (").next()).expect("a text").to_owned();
        assert!(!texts.contains(&text), "{line}");
        texts.push(text);
    }
}

#[test]
fn what_does_not_speak_socks5() {
    for (answer, kind, part) in [
        (&b""[..], Kind::Connect, "closed the connection before it had answered"),
        (b"\x05", Kind::Connect, "closed the connection before it had answered"),
        (b"\x05\x00\x05\x00\x00", Kind::Connect, "closed the connection before it had answered"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Kind::Protocol, "write http://"),
        (b"\x05\x02", Kind::Protocol, "was not offered"),
        (b"\x05\xff", Kind::Connect, "write socks5://USER:PASSWORD@HOST:PORT"),
    ] {
        let fake = Fake::new(move |mut stream| {
            read_bytes::<3>(&mut stream);
            stream.write_all(answer).expect("the client reads");
            // A client that has seen enough may have closed already.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            // What the client still sends is read, so that closing does not reset the answer away.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let error = get(through(fake.proxy("socks5", "")), &["http://a/"]).expect_err(part);
        fake.finish();
        assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Proxy)), "{}", error.one_line());
        assert!(error.one_line().contains(part), "{}", error.one_line());
    }
}

#[test]
fn exceptions_go_straight_to_the_origin() {
    let origin = Fake::new(|mut stream| {
        let head = read_head(&mut stream);
        stream.write_all(OK).expect("the client reads");
        head
    });
    let proxy: Proxy = "http://walter:hunter2@no-such-proxy.invalid:3128".parse().expect("a proxy");
    let environment = |name: &str| (name == "NO_PROXY").then(|| "127.0.0.0/8".to_owned());
    let transport = Transport::builder().proxies(Proxies::explicit(proxy.clone(), environment));
    get(transport, &[&format!("http://127.0.0.1:{}/x", origin.port)]).expect("an answer");
    let head = origin.finish();
    assert!(head.starts_with("GET /x HTTP/1.1\r\n"), "{head}");
    assert!(fields(&head, "proxy-authorization").is_empty(), "{head}");

    // The same origin without the exception: the proxy's name is what cannot be resolved.
    let error = get(through(proxy), &["http://127.0.0.1:9/"]).expect_err("there is no such proxy");
    assert_eq!((error.kind(), error.phase()), (Kind::Dns, Some(Phase::Dns)));
    assert!(error.one_line().contains("the proxy http://no-such-proxy.invalid:3128"), "{}", error.one_line());
    assert_no_secret(&error);
}
