//! TLS: who is trusted, what a cut means, and that sessions are resumed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roundup::transport::{PoolLimits, Roots, TransportBuilder};
use roundup::{Kind, Phase, Transport};
use surf::Client;

use super::{fetch, get, run, with_options};
use crate::common::{Authority, Leaf, Reply, Server};

fn trusting(authority: &Authority) -> Client {
    let roots = Roots::File(authority.ca_file().to_owned());
    roundup::surf::client(Transport::builder().roots(roots).build().expect("a good file"))
}

fn no_pool() -> PoolLimits {
    PoolLimits { per_origin: 0, ..PoolLimits::default() }
}

#[test]
fn a_known_authority_is_trusted_by_name_and_by_address() {
    let authority = Authority::new();
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let server = Server::builder().tls(authority.server_with(Leaf::Good, versions)).start(|request| {
            if request.path() == "/long" { Reply::text("x".repeat(1 << 20)) } else { Reply::text("x") }
        });
        let client = trusting(&authority);
        run(async {
            for host in ["127.0.0.1", "localhost"] {
                for nth in 0..3 {
                    let (request, progress) = with_options(get(&server.url_at(host, "/")), |_| {});
                    assert_eq!(fetch(&client, request).await.expect(host).1, b"x");
                    assert_eq!(progress.snapshot().tls.is_some(), nth == 0);
                }
                assert_eq!(fetch(&client, get(&server.url_at(host, "/long"))).await.expect(host).1.len(), 1 << 20);
            }
        });
        let stats = server.stats();
        // The name is sent, an address is not (RFC 6066, section 3).
        let names: Vec<Option<&str>> = stats.seen.iter().map(|request| request.sni.as_deref()).collect();
        assert_eq!(names, [[None; 4], [Some("localhost"); 4]].concat());
        assert_eq!(stats.connections, 2);
    }
}

#[test]
fn each_way_of_not_being_trusted_is_named() {
    let authority = Authority::new();
    let other = Authority::new();
    for (leaf, trusted, text) in [
        // Both authorities have the same name, so it is the signature that gives the other one away.
        (
            Leaf::Good,
            &other,
            "is not signed by the authority that it names, or that has an RSA key of less than 2048 bits: give the right",
        ),
        (Leaf::SelfSigned, &authority, "is signed by itself: give it with --cacert"),
        (Leaf::SelfSignedAuthority, &authority, "is signed by itself: give it with --cacert"),
        (Leaf::Expired, &authority, "has expired: its owner has to renew it"),
        (Leaf::NotYetValid, &authority, "is not valid yet: is the system clock right?"),
        (Leaf::OtherHost, &authority, "is not for localhost: ask for a host that it names"),
        (Leaf::ChainCut, &authority, "no intermediate certificate came with it: the server has to send its whole"),
    ] {
        let server = Server::builder().tls(authority.server(leaf)).start(|_| Reply::text("secret"));
        let error = run(fetch(&trusting(trusted), get(&server.url_at("localhost", "/")))).expect_err(text);
        assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)), "{}", error.one_line());
        // A clock that is wrong is named instead; this machine's may be.
        assert!(error.one_line().contains(text) || error.one_line().contains("clock"), "{}", error.one_line());
        assert_eq!(server.stats().requests, 0);
        // Nothing of rustls's own wording is needed to know it.
        assert!(error.to_string().contains("of localhost ") || error.to_string().contains("for localhost"), "{error}");
        let trusting_all = Transport::builder().danger_accept_invalid_certs(true).build().expect("good settings");
        let got = run(fetch(&roundup::surf::client(trusting_all), get(&server.url_at("localhost", "/"))));
        assert_eq!(got.expect("whoever it is").1, b"secret");
    }
}

#[test]
fn an_authority_that_is_not_known_is_named_with_its_remedy() {
    // The system's store and the bundled one know nothing of an authority made for a test.
    let authority = Authority::new();
    let server = Server::builder().tls(authority.server(Leaf::Chain)).start(|_| Reply::text("whole"));
    let bundled = Transport::builder().roots(Roots::Bundled).build().expect("no file is needed");
    let error = run(fetch(&roundup::surf::client(bundled), get(&server.url("/")))).expect_err("not known");
    let text = "the certificate of 127.0.0.1 is by an unknown issuer: give its authority with --cacert";
    assert!(error.one_line().starts_with(text), "{}", error.one_line());
    assert_eq!(run(fetch(&trusting(&authority), get(&server.url("/")))).expect("the chain is whole").1, b"whole");
}

#[test]
fn a_server_of_old_versions_alone_is_named() {
    // A ServerHello of TLS 1.0 and 1.1 with TLS_RSA_WITH_AES_128_CBC_SHA, and the alert protocol_version.
    let hello = |minor: u8| [&[22, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    for answer in [hello(1), hello(2), vec![21, 3, 1, 0, 2, 2, 70]] {
        let server = Server::builder().on_connect(move |_| Some(Reply::raw(answer.clone()).and_hang()));
        let server = server.start(|_| Reply::status(500));
        let url = server.url("/").replace("http:", "https:");
        let error = run(fetch(&super::client(), get(&url))).expect_err("too old");
        assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)));
        let text = "127.0.0.1 offers only TLS 1.1 or older, which is broken: it has to offer TLS 1.2 or 1.3";
        assert!(error.one_line().starts_with(text), "{}", error.one_line());
    }
}

#[test]
fn a_client_shows_its_certificate_to_who_asks() {
    let (authority, other) = (Authority::new(), Authority::named("another root"));
    let builder = || Transport::builder().roots(Roots::File(authority.ca_file().to_owned()));
    let with = |builder: TransportBuilder| roundup::surf::client(builder.build().expect("good files"));
    let (known, foreign) = (authority.client(), other.client());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = Server::builder().tls(authority.server_for_clients(&[version])).start(|_| Reply::text("you"));
        for client in [
            with(builder().client_certificate(&known.certificate, Some(known.key.clone()))),
            with(builder().client_certificate(&known.both, None)),
        ] {
            assert_eq!(run(fetch(&client, get(&server.url("/")))).expect("it is known").1, b"you");
        }
        for (client, text) in [
            (with(builder()), "the server wants a client certificate: give one with --cert"),
            (
                with(builder().client_certificate(&foreign.both, None)),
                "the server does not accept the client certificate: is it the one it asks for?",
            ),
        ] {
            let error = run(fetch(&client, get(&server.url("/")))).expect_err(text);
            assert_eq!(error.kind(), Kind::Tls, "{}", error.one_line());
            assert!(error.one_line().contains(text), "{}", error.one_line());
        }
        // The client may hear of a refusal before the server has counted it.
        let stats = server.wait_for(|stats| stats.failed_handshakes.len() == 2);
        assert_eq!(stats.requests, 2);
    }
}

/// A server of TLS 1.2 that asks for a certificate, reads what it gets, and ends with these bytes in plain: before its own
/// Finished nothing of it is encrypted.
fn asking_server(authority: &Authority, last: &'static [u8]) -> (String, std::thread::JoinHandle<()>) {
    use std::io::{Read, Write};

    let config = authority.server_for_clients(&[&rustls::version::TLS12]);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("https://{}/", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        let mut connection = rustls::ServerConnection::new(config).expect("good settings");
        while connection.wants_read() && !connection.wants_write() {
            connection.read_tls(&mut socket).expect("a ClientHello");
            connection.process_new_packets().expect("a ClientHello");
        }
        while connection.wants_write() {
            connection.write_tls(&mut socket).expect("the client reads");
        }
        let mut flight = [0; 4096];
        assert!(socket.read(&mut flight).expect("the client goes on") > 0);
        socket.write_all(last).expect("the client reads");
        socket.shutdown(std::net::Shutdown::Write).expect("it is open");
        while !matches!(socket.read(&mut flight), Ok(0) | Err(_)) {}
    });
    (url, server)
}

#[test]
fn a_server_that_asked_for_a_certificate_and_refuses_is_understood() {
    let authority = Authority::new();
    let own = authority.client();
    let got_none = "127.0.0.1: the server asked for a client certificate, got none and refused: give one with --cert (";
    let not_that = "127.0.0.1: the server does not accept the client certificate: is it the one it asks for? (";
    let closed = "127.0.0.1 closed the connection in the TLS handshake";
    for (last, without, with) in [
        // handshake_failure as OpenSSL, bad_certificate as Go and Java, and no word at all.
        (&[21, 3, 3, 0, 2, 2, 40][..], got_none.to_owned(), not_that.to_owned()),
        (&[21, 3, 3, 0, 2, 2, 42], got_none.to_owned(), not_that.to_owned()),
        (
            &[],
            format!("{closed}, after it asked for a client certificate and got none: perhaps"),
            format!("{closed} ("),
        ),
    ] {
        for (shown, text) in [(false, without), (true, with)] {
            let (url, server) = asking_server(&authority, last);
            let mut builder = Transport::builder().roots(Roots::File(authority.ca_file().to_owned()));
            if shown {
                builder = builder.client_certificate(&own.both, None);
            }
            let client = roundup::surf::client(builder.build().expect("good files"));
            let error = run(fetch(&client, get(&url))).expect_err("it refuses");
            assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)), "{}", error.one_line());
            assert!(error.one_line().starts_with(&text), "{}", error.one_line());
            server.join().expect("all went as written");
        }
    }
}

/// A server of TLS 1.3 that looks at what comes with the end of the handshake, answers, and says what it saw.
fn looking_server(authority: &Authority, leaf: Leaf) -> (String, std::thread::JoinHandle<(bool, String)>) {
    use std::io::{Read, Write};

    let config = authority.server_with(leaf, &[&rustls::version::TLS13]);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("https://localhost:{}/", listener.local_addr().expect("bound").port());
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        let mut connection = rustls::ServerConnection::new(config).expect("good settings");
        let mut seen = 0;
        while connection.is_handshaking() {
            while connection.wants_write() {
                connection.write_tls(&mut socket).expect("the client reads");
            }
            if connection.read_tls(&mut socket).expect("it goes on") == 0 {
                return (false, String::new());
            }
            match connection.process_new_packets() {
                Ok(state) => seen = state.plaintext_bytes_to_read(),
                Err(_) => return (false, String::new()),
            }
        }
        let mut request = vec![0; seen];
        connection.reader().read_exact(&mut request).expect("it was seen");
        connection.writer().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").expect("there is room");
        while connection.wants_write() {
            connection.write_tls(&mut socket).expect("the client reads");
        }
        (seen > 0, String::from_utf8(request).expect("a request"))
    });
    (url, server)
}

/// It took a packet and a system call of its own.
#[test]
fn the_first_request_goes_with_the_end_of_the_handshake() {
    let authority = Authority::new();
    let (url, server) = looking_server(&authority, Leaf::Good);
    assert_eq!(run(fetch(&trusting(&authority), get(&url))).expect("it answers").1, b"x");
    let (with_it, request) = server.join().expect("all went as written");
    assert!(with_it && request.starts_with("GET / HTTP/1.1\r\n") && request.ends_with("\r\n\r\n"), "{request:?}");
}

#[test]
fn a_server_that_is_not_trusted_gets_nothing_of_the_request() {
    let authority = Authority::new();
    for leaf in [Leaf::OtherHost, Leaf::Expired, Leaf::SelfSigned] {
        let (url, server) = looking_server(&authority, leaf);
        let error = run(fetch(&trusting(&authority), get(&url))).expect_err("it is not trusted");
        assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)), "{}", error.one_line());
        assert_eq!(server.join().expect("all went as written"), (false, String::new()));
    }
}

#[test]
fn handshakes_at_once_do_not_answer_for_each_other() {
    let authority = Authority::new();
    let asking = Server::builder().tls(authority.server_for_clients(rustls::ALL_VERSIONS)).start(|_| Reply::text("x"));
    // It does not ask, and refuses all the same.
    let refuse = |_| Some(Reply::raw([21, 3, 3, 0, 2, 2, 40]).and_hang());
    let other = Server::builder().on_connect(refuse).start(|_| Reply::status(500));
    let client = trusting(&authority);
    let url = other.url("/").replace("http:", "https:");
    run(async {
        let both = futures_lite::future::zip(fetch(&client, get(&asking.url("/"))), fetch(&client, get(&url))).await;
        let (asked, not_asked) = (both.0.expect_err("it wants one"), both.1.expect_err("it refuses"));
        assert!(asked.one_line().contains("give one with --cert"), "{}", asked.one_line());
        assert!(not_asked.one_line().contains("shares no cipher"), "{}", not_asked.one_line());
    });
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_found_when_the_transport_is_built() {
    let (one, other) = (Authority::new().client(), Authority::new().client());
    for (certificate, key, text) in [
        (&one.certificate, Some(&other.key), "is not that of the certificate in"),
        (&one.certificate, None, "a PEM file with a key that is not encrypted is needed"),
        (&one.key, None, "BEGIN CERTIFICATE"),
    ] {
        let error = Transport::builder().client_certificate(certificate, key.cloned()).build().expect_err(text);
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.one_line().contains(text), "{}", error.one_line());
    }
}

#[test]
fn pinned_keys_are_asked_for_beside_the_rest() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (config, spki) = authority.server_keyed(Leaf::Good, rustls::ALL_VERSIONS);
    let server = Server::builder().tls(config).start(|_| Reply::text("x"));
    let sha256 = |bytes: &[u8]| STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, bytes));
    let (right, wrong) = (format!("sha256//{}", sha256(&spki)), format!("sha256//{}", sha256(b"another key")));
    let client = |authority: &Authority, pins: &str, any: bool| {
        let roots = Roots::File(authority.ca_file().to_owned());
        let builder = Transport::builder().roots(roots).pinned_public_keys(pins.parse().expect("valid pins"));
        roundup::surf::client(builder.danger_accept_invalid_certs(any).build().expect("a good file"))
    };
    run(async {
        for pins in [right.clone(), format!("{wrong};{right}")] {
            for any in [false, true] {
                let got = fetch(&client(&authority, &pins, any), get(&server.url("/"))).await;
                assert_eq!(got.expect("the key is pinned").1, b"x");
            }
        }
        // A pin does not make up for an authority that is not trusted, nor the other way round.
        for (authority, pins, any, text) in [
            (&other, &right, false, "is not signed by the authority that it names"),
            (&authority, &wrong, false, "has a public key that is not pinned"),
            (&authority, &wrong, true, "has a public key that is not pinned"),
        ] {
            let error = fetch(&client(authority, pins, any), get(&server.url("/"))).await.expect_err(text);
            assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)));
            assert!(error.one_line().contains(text), "{}", error.one_line());
        }
    });
    assert_eq!(server.stats().requests, 4);
}

#[test]
fn http_1_1_is_what_is_asked_for_by_alpn() {
    let authority = Authority::new();
    for (offered, works) in [(vec![b"http/1.1".to_vec()], true), (vec![b"h2".to_vec()], false), (Vec::new(), true)] {
        let mut config = (*authority.server(Leaf::Good)).clone();
        config.alpn_protocols = offered;
        let server = Server::builder().tls(config.into()).start(|_| Reply::text("x"));
        let got = run(fetch(&trusting(&authority), get(&server.url("/"))));
        assert_eq!(got.is_ok(), works, "{got:?}");
        if let Err(error) = got {
            assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)));
        }
    }
}

#[test]
fn what_a_server_says_in_place_of_a_handshake_is_said_in_words() {
    for (alert, text) in [
        (40, "127.0.0.1 shares no cipher and key exchange with TLS 1.2 or 1.3"),
        (80, "127.0.0.1 refused the TLS handshake"),
        (112, "the server at 127.0.0.1 does not know this name"),
        (116, "127.0.0.1: the server wants a client certificate: give one with --cert"),
        (120, "127.0.0.1 does not offer HTTP/1.1"),
    ] {
        let hang = move |_| Some(Reply::raw([21, 3, 3, 0, 2, 2, alert]).and_hang());
        let server = Server::builder().on_connect(hang).start(|_| Reply::status(500));
        let url = server.url("/").replace("http:", "https:");
        let error = run(fetch(&super::client(), get(&url))).expect_err(text);
        assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)));
        assert!(error.one_line().starts_with(text), "{}", error.one_line());
    }
}

#[test]
fn transports_of_different_settings_share_no_connection() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(|_| Reply::text("x"));
    let strict = Transport::builder().roots(Roots::Bundled).build().expect("no file is needed");
    run(async {
        fetch(&trusting(&authority), get(&server.url("/"))).await.expect("trusted");
        let error = fetch(&roundup::surf::client(strict), get(&server.url("/"))).await.expect_err("not trusted");
        assert_eq!(error.kind(), Kind::Tls);
    });
    assert_eq!(server.stats().connections, 2);
}

#[test]
fn plain_http_on_the_other_side_is_named() {
    let server = Server::builder().malformed_ok().start(|_| Reply::text("x"));
    let url = server.url("/").replace("http:", "https:");
    let error = run(fetch(&super::client(), get(&url))).expect_err("no TLS there");
    assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)));
    assert!(error.one_line().contains("is it plain http?"), "{}", error.one_line());
}

#[test]
fn content_that_ends_with_the_connection_needs_close_notify() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(|request| {
        let text = Reply::raw("HTTP/1.1 200 OK\r\n\r\nall of it, or not");
        match request.path() {
            "/closed" => text.close(),
            "/cut" => text.cut(),
            "/cut-in-length" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").cut(),
            "/cut-after-length" => Reply::text("all").cut(),
            "/cut-after-chunks" => Reply::text("all").chunked(1).cut(),
            "/cut-after-last-chunk" => {
                Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n").cut()
            }
            "/cut-in-trailers" => {
                Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\nA: b").cut()
            }
            "/cut-before-last-chunk" => {
                Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n").cut()
            }
            _ => Reply::empty().cut(),
        }
    });
    let client = trusting(&authority);
    run(async {
        let whole = fetch(&client, get(&server.url("/closed"))).await.expect("it ended well");
        assert_eq!(whole.1, b"all of it, or not");
        for path in ["/cut-after-length", "/cut-after-chunks", "/cut-after-last-chunk", "/cut-in-trailers"] {
            assert_eq!(fetch(&client, get(&server.url(path))).await.expect("all was there").1, b"all");
        }
        for path in ["/cut", "/cut-in-length", "/cut-before-last-chunk"] {
            let error = fetch(&client, get(&server.url(path))).await.expect_err(path);
            assert_eq!((error.kind(), error.phase()), (Kind::Body, Some(Phase::Body)), "{}", error.one_line());
        }
        let error = fetch(&client, get(&server.url("/cut-at-once"))).await.expect_err("no answer");
        assert_eq!((error.kind(), error.phase()), (Kind::Io, Some(Phase::Head)), "{}", error.one_line());
    });
}

#[test]
fn sessions_are_resumed() {
    let authority = Authority::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = Server::builder().tls(authority.server_with(Leaf::Good, &[version])).start(|_| Reply::text("x"));
        let roots = Roots::File(authority.ca_file().to_owned());
        let transport = Transport::builder().roots(roots).pool(no_pool()).build().expect("good settings");
        let client = roundup::surf::client(transport);
        run(async {
            for _ in 0..5 {
                fetch(&client, get(&server.url("/"))).await.expect("it answers");
            }
        });
        let stats = server.stats();
        assert_eq!((stats.connections, stats.full_handshakes, stats.resumed_handshakes), (5, 1, 4), "{version:?}");
    }
}

#[test]
fn session_tickets_do_not_make_an_idle_connection_stale() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(authority.server_with(Leaf::Good, &[&rustls::version::TLS13]))
        .start(|_| Reply::status(204));
    let client = trusting(&authority);
    run(async {
        for _ in 0..5 {
            fetch(&client, get(&server.url("/"))).await.expect("it answers");
        }
    });
    assert_eq!(server.stats().connections, 1);
}

#[test]
fn large_uploads_go_through_tls() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(|r| Reply::text(r.body.len().to_string()));
    let mut request = super::request(surf::http::Method::Post, &server.url("/"));
    request.set_body(vec![7; 5 << 20]);
    let got = run(fetch(&trusting(&authority), request)).expect("it answers");
    assert_eq!(got.1, (5 << 20).to_string().into_bytes());
}

#[test]
fn a_file_without_certificates_is_found_when_the_transport_is_built() {
    let roots = Roots::File("Cargo.toml".into());
    let error = Transport::builder().roots(roots).build().expect_err("no certificate in it");
    assert_eq!(error.kind(), Kind::Config);
}
