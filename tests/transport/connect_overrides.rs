//! Connections that lead other than the URLs say.

use roundup::transport::{Family, Proxies};
use roundup::{Kind, Phase, Transport};

use super::{client, fetch, get, run, with_options};
use crate::common::{Authority, Leaf, Reply, Server, refusing_port};

#[test]
fn addresses_are_given_by_hand() {
    let server = Server::start(|_| Reply::json("1"));
    let port = server.port();
    let resolve = |text: String| text.parse().expect("well-formed");
    let transport = Transport::builder()
        .resolve(resolve(format!("api.invalid:{port}:127.0.0.1")))
        .resolve(resolve(format!("two.invalid:{port}:127.0.0.9,[::1],127.0.0.1")))
        .build();
    let client = roundup::surf::client(transport.expect("good settings"));
    run(async {
        for host in ["api.invalid", "API.invalid", "two.invalid"] {
            let (request, progress) = with_options(get(&server.url_at(host, "/")), |_| {});
            assert_eq!(fetch(&client, request).await.expect(host).0, 200);
            assert_eq!((progress.snapshot().address, progress.snapshot().dns), (Some(server.addr()), None));
        }
        let error = fetch(&client, get(&server.url_at("other.invalid", "/"))).await.expect_err("it is not given");
        assert_eq!((error.kind(), error.phase()), (Kind::Dns, Some(Phase::Dns)));
    });
    let hosts: Vec<_> = server.requests().iter().map(|r| r.header("host").unwrap_or_default().to_owned()).collect();
    let host = |name: &str| format!("{name}:{port}");
    assert_eq!(hosts, [host("api.invalid"), host("api.invalid"), host("two.invalid")]);
}

#[test]
fn another_place_keeps_host_and_certificate_of_the_url() {
    let authority = Authority::new();
    let plain = Server::start(|_| Reply::text("plain"));
    let secure = Server::builder().tls(authority.server(Leaf::Good)).start(|_| Reply::text("secure"));
    let transport = Transport::builder()
        .roots(roundup::transport::Roots::File(authority.ca_file().into()))
        .connect_to(format!("plain.invalid:80:127.0.0.1:{}", plain.port()).parse().expect("well-formed"))
        .connect_to(format!("localhost:443:127.0.0.1:{}", secure.port()).parse().expect("well-formed"))
        .connect_to(format!("bad.invalid::localhost:{}", secure.port()).parse().expect("well-formed"))
        .build();
    let client = roundup::surf::client(transport.expect("good settings"));
    run(async {
        assert_eq!(fetch(&client, get("http://plain.invalid/")).await.expect("plain").1, b"plain");
        assert_eq!(fetch(&client, get("https://localhost/")).await.expect("secure").1, b"secure");
        let error = fetch(&client, get("https://bad.invalid/")).await.expect_err("the certificate is for localhost");
        assert_eq!(error.kind(), Kind::Tls, "{}", error.one_line());
    });
    assert_eq!(plain.requests()[0].header("host"), Some("plain.invalid"));
    assert_eq!(secure.requests()[0].header("host"), Some("localhost"));
}

#[test]
fn through_a_proxy_another_place_is_a_tunnel() {
    let server = Server::start(|_| Reply::text("origin"));
    let port = server.port();
    let proxy = Server::start(move |request| match &*request.method {
        "CONNECT" => Reply::status(200).tunnel(port),
        other => panic!("{other}"),
    });
    let proxies = Proxies::single(format!("http://127.0.0.1:{}", proxy.port()).parse().expect("a proxy"));
    let elsewhere = "a.invalid:80:b.invalid:81".parse().expect("well-formed");
    let client = roundup::surf::client(
        Transport::builder().proxies(proxies).connect_to(elsewhere).build().expect("good settings"),
    );
    run(async { assert_eq!(fetch(&client, get("http://a.invalid/")).await.expect("it answers").1, b"origin") });
    assert_eq!(proxy.requests()[0].target, "b.invalid:81");
    assert_eq!(server.requests()[0].header("host"), Some("a.invalid"));
}

#[test]
fn one_family_alone_is_used() {
    let server = Server::start(|_| Reply::json("1"));
    let both = |family| {
        let given = format!("two.invalid:{}:[::1],127.0.0.1", server.port()).parse().expect("well-formed");
        let transport = Transport::builder().resolve(given).family(family).build();
        roundup::surf::client(transport.expect("good settings"))
    };
    run(async {
        let (request, progress) = with_options(get(&server.url_at("two.invalid", "/")), |_| {});
        fetch(&both(Family::V4), request).await.expect("there is an IPv4 address");
        assert_eq!(progress.snapshot().address, Some(server.addr()));
        let error = fetch(&both(Family::V6), get(&server.url("/"))).await.expect_err("there is no IPv6 address");
        assert_eq!((error.kind(), error.phase()), (Kind::Dns, Some(Phase::Dns)));
        assert!(error.one_line().contains("\"127.0.0.1\" has no IPv6 address"), "{}", error.one_line());
        let url = format!("http://two.invalid:{}/", server.port());
        // Nothing listens at ::1, or there is no IPv6 at all.
        let error = fetch(&both(Family::V6), get(&url)).await.expect_err("nothing listens there");
        let said = error.one_line();
        assert!(error.kind() == Kind::Connect && said.contains("[::1]") && !said.contains("127.0.0.1"), "{said}");
    });
}

#[cfg(unix)]
mod unix {
    use super::super::sockets::socket_to;
    use super::*;
    use crate::common::Dir;

    #[test]
    fn all_goes_through_one_socket_plain_and_encrypted() {
        let authority = Authority::new();
        let dir = Dir::new();
        let plain = Server::start(|_| Reply::text("plain"));
        let secure = Server::builder().tls(authority.server(Leaf::Good)).start(|_| Reply::text("secure"));
        for (server, urls, text) in [
            (&plain, ["http://plain.invalid/", "http://127.0.0.1:1/"], "plain"),
            (&secure, ["https://localhost/", "https://localhost:1/"], "secure"),
        ] {
            let path = socket_to(server);
            let proxies = Proxies::single(format!("http://127.0.0.1:{}", refusing_port()).parse().expect("a proxy"));
            let transport = Transport::builder()
                .roots(roundup::transport::Roots::File(authority.ca_file().into()))
                .proxies(proxies)
                .unix_socket(path.path())
                .build();
            let client = roundup::surf::client(transport.expect("good settings"));
            run(async {
                for url in urls.iter().chain(&urls) {
                    let (request, progress) = with_options(get(url), |_| {});
                    assert_eq!(fetch(&client, request).await.expect(url).1, text.as_bytes());
                    assert_eq!((progress.snapshot().address, progress.snapshot().dns), (None, None));
                }
            });
            // Every origin has a connection of its own, and keeps it.
            assert_eq!((server.stats().requests, server.stats().connections), (4, 2));
            drop(path);
        }
        let long = Transport::builder().unix_socket("x".repeat(200)).build().expect_err("it cannot be");
        assert_eq!(long.kind(), Kind::Config);
        assert!(long.one_line().contains("has a socket whose path is 200 bytes long: at most"), "{}", long.one_line());
        let gone = dir.join("gone");
        let client = roundup::surf::client(Transport::builder().unix_socket(&gone).build().expect("good settings"));
        let error = run(fetch(&client, get("http://h/"))).expect_err("there is no such socket");
        assert_eq!((error.kind(), error.phase()), (Kind::Connect, Some(Phase::Connect)));
        let expected = format!("cannot connect to the socket {}: no such file or directory", gone.display());
        assert_eq!(error.one_line(), expected);
    }
}

#[test]
fn without_directions_nothing_changes() {
    let port = refusing_port();
    let error = run(fetch(&client(), get(&format!("http://127.0.0.1:{port}/")))).expect_err("nobody listens");
    assert_eq!(error.one_line(), format!("cannot connect to 127.0.0.1:{port}: connection refused"));
}
