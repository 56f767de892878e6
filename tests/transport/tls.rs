//! TLS: who is trusted, what a cut means, and that sessions are resumed.

use roundup::transport::{PoolLimits, Roots};
use roundup::{Kind, Phase, Transport};
use surf::Client;

use super::{fetch, get, run, with_options};
use crate::common::{Authority, Leaf, Reply, Server};

fn trusting(authority: &Authority) -> Client {
    let roots = Roots::File(authority.ca_file().to_owned());
    Client::with_http_client(Transport::builder().roots(roots).build().expect("a good file"))
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
                    let (request, trace) = with_options(get(&server.url_at(host, "/")), |_| {});
                    assert_eq!(fetch(&client, request).await.expect(host).1, b"x");
                    assert_eq!(trace.progress().tls.is_some(), nth == 0);
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
        (Leaf::Good, &other, "not accepted"),
        (Leaf::SelfSigned, &authority, "unknown issuer"),
        (Leaf::Expired, &authority, "expired"),
        (Leaf::NotYetValid, &authority, "not valid yet"),
        (Leaf::OtherHost, &authority, "not for localhost"),
    ] {
        let server = Server::builder().tls(authority.server(leaf)).start(|_| Reply::text("secret"));
        let error = run(fetch(&trusting(trusted), get(&server.url_at("localhost", "/")))).expect_err(text);
        assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)), "{}", error.one_line());
        // A clock that is wrong is named instead; this machine's may be.
        assert!(error.one_line().contains(text) || error.one_line().contains("clock"), "{}", error.one_line());
        assert_eq!(server.stats().requests, 0);
        let trusting_all = Transport::builder().danger_accept_invalid_certs(true).build().expect("good settings");
        let got = run(fetch(&Client::with_http_client(trusting_all), get(&server.url_at("localhost", "/"))));
        assert_eq!(got.expect("whoever it is").1, b"secret");
    }
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
            _ => Reply::empty().cut(),
        }
    });
    let client = trusting(&authority);
    run(async {
        let whole = fetch(&client, get(&server.url("/closed"))).await.expect("it ended well");
        assert_eq!(whole.1, b"all of it, or not");
        for path in ["/cut-after-length", "/cut-after-chunks"] {
            assert_eq!(fetch(&client, get(&server.url(path))).await.expect("all was there").1, b"all");
        }
        for path in ["/cut", "/cut-in-length"] {
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
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(|_| Reply::text("x"));
    let roots = Roots::File(authority.ca_file().to_owned());
    let transport = Transport::builder().roots(roots).pool(no_pool()).build().expect("good settings");
    let client = Client::with_http_client(transport);
    run(async {
        for _ in 0..5 {
            fetch(&client, get(&server.url("/"))).await.expect("it answers");
        }
    });
    let stats = server.stats();
    assert_eq!((stats.connections, stats.full_handshakes, stats.resumed_handshakes), (5, 1, 4));
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
