//! Every way in which a request fails: class, phase, the address that was tried, and the hint.

use std::io::Write;
use std::time::{Duration, Instant};

use roundup::transport::{Family, Proxies, TransportBuilder};
use roundup::{Kind, Phase, Transport};

use super::{fetch, get, run, with_options};
use crate::common::{Reply, Server, gzip, refusing_port};

fn server() -> Server {
    Server::builder().malformed_ok().start(|request| match request.path() {
        "/close" => Reply::raw("").close(),
        "/reset" => Reply::raw("").reset(),
        "/junk" => Reply::raw("SSH-2.0-OpenSSH\r\n").close(),
        "/lengths" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx").close(),
        "/half-head" => Reply::raw("HTTP/1.1 200 OK\r\nA: ").close(),
        "/hang" => Reply::hang(),
        "/long-head" => Reply::raw(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(200_000))).close(),
        "/short" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").close(),
        "/chunk" => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").close(),
        "/reset-body" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").reset(),
        "/cut-chunk" => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").close(),
        "/corrupt" => coded("gzip", b"this is no gzip at all"),
        "/cut-gzip" => coded("gzip", &gzip(b"hello, hello")[..20]),
        "/short-gzip" => {
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n\x1f").close()
        }
        "/more-gzip" => coded("gzip", &[&gzip(b"hello")[..], b"more"].concat()),
        "/more-deflate" => coded("deflate", &[&zlib(b"hello")[..], b"more"].concat()),
        "/hang-body" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").and_hang(),
        _ => Reply::status(403),
    })
}

fn coded(coding: &str, content: &[u8]) -> Reply {
    Reply::status(200).header("Content-Encoding", coding).body(content)
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes everything")
}

#[test]
fn each_failure_says_class_phase_peer_and_cause() {
    let server = server();
    let address = server.addr().to_string();
    let nobody = format!("127.0.0.1:{}", refusing_port());
    let through = |address: &str| {
        let proxy = format!("http://me:hunter2@{address}").parse().expect("a proxy");
        Transport::builder().proxies(Proxies::single(proxy))
    };
    let plain = Transport::builder;
    let at = |path: &str| server.url(path);
    let tls = server.url("/").replace("http:", "https:");
    let table: Vec<(TransportBuilder, String, Kind, Phase, &str, &str)> = vec![
        (plain(), "http://no-such-host.invalid/".into(), Kind::Dns, Phase::Dns, "no-such-host.invalid", "resolved"),
        (plain().family(Family::V6), at("/"), Kind::Dns, Phase::Dns, "127.0.0.1", "no IPv6 address"),
        (plain(), format!("http://{nobody}/"), Kind::Connect, Phase::Connect, &nobody, "refused"),
        (through(&nobody), at("/"), Kind::Connect, Phase::Connect, &nobody, "the proxy"),
        (through(&address), "https://h.invalid/".into(), Kind::Connect, Phase::Proxy, &address, "status 403"),
        (plain(), tls, Kind::Tls, Phase::Tls, &address, "is it plain http?"),
        (plain(), at("/close"), Kind::Protocol, Phase::Head, &address, "closed"),
        (plain(), at("/reset"), Kind::Io, Phase::Head, &address, "reset"),
        (plain(), at("/junk"), Kind::Protocol, Phase::Head, &address, "this is an SSH server"),
        (plain(), at("/lengths"), Kind::Protocol, Phase::Head, &address, "Content-Length"),
        (plain(), at("/half-head"), Kind::Protocol, Phase::Head, &address, "head"),
        (plain(), at("/long-head"), Kind::TooLarge, Phase::Head, &address, "131072"),
        (plain(), at("/hang"), Kind::Timeout, Phase::Head, &address, "timed out after 1s"),
        (plain(), at("/hang-body"), Kind::Timeout, Phase::Body, &address, "timed out after 1s"),
        (plain(), at("/short"), Kind::Body, Phase::Body, &address, "4 of 10 bytes"),
        (plain(), at("/chunk"), Kind::Protocol, Phase::Body, &address, "chunk"),
        (plain(), at("/cut-chunk"), Kind::Body, Phase::Body, &address, "chunk"),
        (plain(), at("/reset-body"), Kind::Body, Phase::Body, &address, "reset"),
        (plain(), at("/corrupt"), Kind::Body, Phase::Body, &address, "the compressed content is corrupt"),
        (plain(), at("/cut-gzip"), Kind::Body, Phase::Body, &address, "the compressed content is cut short"),
        (plain(), at("/short-gzip"), Kind::Body, Phase::Body, &address, "before the end of the content"),
        (plain(), at("/more-gzip"), Kind::Body, Phase::Body, &address, "corrupt"),
        (plain(), at("/more-deflate"), Kind::Body, Phase::Body, &address, "followed by other bytes"),
    ];
    let mut wrong = Vec::new();
    for (transport, url, kind, phase, peer, cause) in table {
        let client = roundup::surf::client(transport.build().expect("good settings"));
        let limit = Duration::from_secs(1);
        let hangs = url.contains("/hang");
        let (request, _) = with_options(get(&url), |options| {
            options.deadline = hangs.then(|| (Instant::now() + limit, limit));
        });
        let error = run(fetch(&client, request)).expect_err(&url);
        let line = error.one_line();
        let told = (error.kind(), error.phase());
        let named = line.contains(peer) && line.contains(cause);
        if told != (kind, Some(phase)) || !named || line.contains("hunter2") || line.contains('\n') {
            wrong.push(format!("{url}: {told:?}, not {kind} {phase} with {peer:?} and {cause:?}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
