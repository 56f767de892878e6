//! Content: where it ends, what undoes its coding, and that half of it is never taken for all.

use std::cell::Cell;
use std::future::{Future as _, poll_fn};
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use futures_lite::AsyncReadExt;
use roundup::transport::body_error;
use roundup::{Kind, Phase};
use surf::http::Method;

use super::{client, content, fetch, get, head, request, run, wire, with_options};
use crate::common::{Reply, Server, gzip};

/// Bytes that no compressor makes small and no shift leaves equal.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything")
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything")
}

#[test]
fn content_of_every_framing_comes_whole() {
    for length in [0, 1, 1024, 16 * 1024, 16 * 1024 + 1, 10 << 20] {
        let server = Server::start(move |request| {
            let body = noise(length);
            match request.path() {
                "/length" => Reply::status(200).body(body),
                "/chunks" => Reply::status(200).body(body).chunked(1000),
                "/big-chunks" => Reply::status(200).body(body).chunked(1 << 20),
                "/close" => Reply::status(200).header("Connection", "close").body(body),
                _ => Reply::raw([b"HTTP/1.0 200 OK\r\nServer: SimpleHTTP\r\n\r\n".to_vec(), body].concat()).close(),
            }
        });
        let client = client();
        run(async {
            for path in ["/length", "/chunks", "/big-chunks", "/close", "/http10"] {
                let (status, content) = fetch(&client, get(&server.url(path))).await.expect(path);
                assert!(status == 200 && content == noise(length), "{path} with {length}: {}", content.len());
            }
        });
        // The first four shared one: the fourth closed it.
        assert_eq!(server.stats().connections, 2, "{length}");
    }
}

#[test]
fn a_body_in_single_bytes_comes_whole() {
    let server = Server::start(|request| {
        let reply = Reply::text("hello world");
        let reply = if request.path() == "/chunked" { reply.chunked(3) } else { reply };
        reply.in_pieces(1, Duration::ZERO)
    });
    let client = client();
    run(async {
        for path in ["/length", "/chunked", "/length"] {
            assert_eq!(fetch(&client, get(&server.url(path))).await.expect(path), (200, b"hello world".to_vec()));
        }
    });
    assert_eq!(server.stats().connections, 1);
}

#[test]
fn responses_without_content_leave_the_connection_in_order() {
    let server = Server::start(|request| match request.path() {
        "/204" => Reply::status(204),
        "/304" => Reply::raw("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"a\"\r\n\r\n"),
        "/chunked" => Reply::raw("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
        _ => Reply::text("x".repeat(1000)),
    });
    let client = client();
    run(async {
        for (method, path, status) in [
            (Method::Head, "/", 200),
            (Method::Get, "/204", 204),
            (Method::Get, "/304", 304),
            (Method::Get, "/chunked", 304),
            (Method::Head, "/", 200),
        ] {
            let got = fetch(&client, request(method, &server.url(path))).await.expect(path);
            assert_eq!(got, (status, Vec::new()), "{method} {path}");
        }
        assert_eq!(fetch(&client, get(&server.url("/"))).await.expect("whole").1.len(), 1000);
    });
    assert_eq!(server.stats().connections, 1);
}

#[test]
fn codings_are_undone() {
    let text = || "round and round the ragged rascal ran ".repeat(5000).into_bytes();
    let halves = move || [gzip(&text()[..1234]), gzip(&text()[1234..])].concat();
    type Coded = (&'static str, fn(&[u8]) -> Vec<u8>);
    let table: [Coded; 6] = [
        ("gzip", |bytes| gzip(bytes)),
        ("x-gzip", |bytes| gzip(bytes)),
        ("GZIP", |bytes| gzip(bytes)),
        ("deflate", zlib),
        ("deflate", deflate),
        ("identity", <[u8]>::to_vec),
    ];
    for (coding, code) in table {
        for framing in ["length", "chunked", "close"] {
            let server = Server::start(move |_| {
                let reply = Reply::status(200).header("Content-Encoding", coding).body(code(&text()));
                match framing {
                    "length" => reply,
                    "chunked" => reply.chunked(999),
                    _ => reply.header("Connection", "close"),
                }
            });
            let client = client();
            run(async {
                for _ in 0..2 {
                    let mut response = head(&client, get(&server.url("/"))).await.expect(coding);
                    assert_eq!(wire(&response).decoded(), coding != "identity");
                    assert_eq!(
                        response.header("content-length").is_some(),
                        coding == "identity" && framing == "length"
                    );
                    assert!(content(&mut response).await.expect(coding) == text(), "{coding} {framing}");
                }
            });
            let connections = if framing == "close" { 2 } else { 1 };
            assert_eq!(server.stats().connections, connections, "{coding} {framing}");
        }
    }
    let server = Server::start(move |_| Reply::status(200).header("Content-Encoding", "gzip").body(halves()));
    let (_, content) = run(fetch(&client(), get(&server.url("/")))).expect("two members are one stream");
    assert!(content == text());
}

#[test]
fn coded_content_of_no_bytes_is_empty() {
    for coding in ["gzip", "deflate"] {
        let server = Server::start(move |request| {
            let reply = Reply::status(200).header("Content-Encoding", coding);
            if request.path() == "/chunked" { reply.chunked(1) } else { reply }
        });
        run(async {
            for path in ["/chunked", "/length"] {
                assert_eq!(fetch(&client(), get(&server.url(path))).await.expect(coding), (200, Vec::new()));
            }
        });
    }
}

#[test]
fn raw_neither_asks_for_codings_nor_undoes_them() {
    let server = Server::start(|_| Reply::text("hello").gzip());
    run(async {
        let client = client();
        let (request, _) = with_options(get(&server.url("/")), |options| options.raw = true);
        assert_eq!(fetch(&client, request).await.expect("raw").1, gzip("hello"));
        let mut own = get(&server.url("/"));
        own.insert_header("accept-encoding", "gzip, br");
        let mut response = head(&client, own).await.expect("who asks for codings himself gets them");
        assert!(!wire(&response).decoded());
        assert_eq!(response.header("content-encoding").map(|values| values.last().as_str()), Some("gzip"));
        assert_eq!(content(&mut response).await.expect("raw"), gzip("hello"));
    });
    let asked: Vec<Option<String>> =
        server.requests().iter().map(|request| request.header("accept-encoding").map(str::to_owned)).collect();
    assert_eq!(asked, [None, Some("gzip, br".to_owned())]);
}

/// Each of these has lost its end, or is not what it says.
fn broken(path: &str) -> Reply {
    let coded = |coding: &str, bytes: Vec<u8>| Reply::status(200).header("Content-Encoding", coding).body(bytes);
    let text = "all is well that ends well ".repeat(100);
    let without_end = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - 10);
        bytes
    };
    let flipped = |mut bytes: Vec<u8>| {
        let last = bytes.len() - 6;
        bytes[last] ^= 0xff;
        bytes
    };
    let head = "HTTP/1.1 200 OK\r\n";
    match path {
        "/short" => Reply::raw(format!("{head}Content-Length: 100\r\n\r\nhalf")).close(),
        "/nothing" => Reply::raw(format!("{head}Content-Length: 100\r\n\r\n")).close(),
        "/no-last-chunk" => Reply::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")).close(),
        "/in-a-chunk" => Reply::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\nff\r\nhalf")).close(),
        "/in-a-size" => Reply::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n4")).close(),
        "/reset" => {
            Reply::raw(format!("{head}Content-Length: 100\r\n\r\nhalf")).pause(Duration::from_millis(20)).reset()
        }
        "/reset-close" => Reply::raw(format!("{head}\r\nhalf")).pause(Duration::from_millis(20)).reset(),
        "/gzip-cut" => coded("gzip", without_end(gzip(&text))),
        "/gzip-cut-head" => coded("gzip", gzip(&text)[..5].to_vec()),
        "/gzip-checksum" => coded("gzip", flipped(gzip(&text))),
        "/gzip-not" => coded("gzip", text.into_bytes()),
        "/zlib-cut" => coded("deflate", without_end(zlib(text.as_bytes()))),
        "/deflate-cut" => coded("deflate", without_end(deflate(text.as_bytes()))),
        "/deflate-garbage" => coded("deflate", vec![0xff; 100]),
        // The compressed stream is whole, what carries it is not.
        "/gzip-no-last-chunk" | "/zlib-no-last-chunk" | "/deflate-no-last-chunk" => {
            let coding = if path.starts_with("/gzip") { "gzip" } else { "deflate" };
            let body = match path {
                "/gzip-no-last-chunk" => gzip(&text),
                "/zlib-no-last-chunk" => zlib(text.as_bytes()),
                _ => deflate(text.as_bytes()),
            };
            let head = format!("{head}Content-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n");
            Reply::raw(head).bytes(format!("{:x}\r\n", body.len())).bytes(body).bytes("\r\n").close()
        }
        "/zlib-and-more" => coded("deflate", [zlib(text.as_bytes()), b"more".to_vec()].concat()),
        _ => unreachable!("{path}"),
    }
}

#[test]
fn what_was_cut_short_is_an_error_and_stays_one() {
    let server = Server::start(|request| broken(request.path()));
    let client = client();
    for path in [
        "/short",
        "/nothing",
        "/no-last-chunk",
        "/in-a-chunk",
        "/in-a-size",
        "/reset",
        "/reset-close",
        "/gzip-cut",
        "/gzip-cut-head",
        "/gzip-checksum",
        "/gzip-not",
        "/zlib-cut",
        "/deflate-cut",
        "/deflate-garbage",
        "/gzip-no-last-chunk",
        "/zlib-no-last-chunk",
        "/deflate-no-last-chunk",
        "/zlib-and-more",
    ] {
        run(async {
            let mut response = head(&client, get(&server.url(path))).await.expect(path);
            let mut body = response.take_body();
            let mut content = Vec::new();
            let error = body.read_to_end(&mut content).await.map(|_| ()).map_err(body_error).expect_err(path);
            assert_eq!((error.kind(), error.phase()), (Kind::Body, Some(Phase::Body)), "{path}: {}", error.one_line());
            // Who asks once more must not be told that this was the end.
            assert!(body.read(&mut [0; 100]).await.is_err(), "{path}: the second read ends well");
        });
    }
}

#[test]
fn malformed_chunks_are_a_breach_of_the_protocol() {
    let server = Server::start(|request| {
        let chunk = match request.path() {
            "/sign" => "+4\r\nhalf\r\n0\r\n\r\n",
            "/overflow" => "fffffffffffffffff\r\nhalf\r\n0\r\n\r\n",
            _ => "4\r\nhalfmore\r\n0\r\n\r\n",
        };
        Reply::raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"))
    });
    let client = client();
    for path in ["/sign", "/overflow", "/longer"] {
        let error = run(fetch(&client, get(&server.url(path)))).expect_err(path);
        assert_eq!((error.kind(), error.phase()), (Kind::Protocol, Some(Phase::Body)), "{path}: {}", error.one_line());
    }
    assert_eq!(server.stats().connections, 3);
}

#[test]
fn content_that_is_there_at_once_leaves_others_their_turn() {
    const MANY: usize = 64 << 20;
    let server = Server::start(|request| {
        let zeros = Reply::status(200).body(vec![0; MANY]);
        // 64 KiB that hold as much: they come in one read or two.
        if request.path() == "/gzip" { zeros.gzip() } else { zeros }
    });
    let client = client();
    for path in ["/plain", "/gzip"] {
        let (total, mut most) = (Cell::new(0), 0);
        run(async {
            let mut body = head(&client, get(&server.url(path))).await.expect(path).take_body();
            let mut reading = pin!(async {
                let mut piece = vec![0; 64 * 1024];
                while let n @ 1.. = body.read(&mut piece).await.map_err(body_error).expect(path) {
                    total.set(total.get() + n);
                }
            });
            poll_fn(|cx| {
                let before = total.get();
                let polled = reading.as_mut().poll(cx);
                most = most.max(total.get() - before);
                polled
            })
            .await;
        });
        assert_eq!(total.get(), MANY, "{path}");
        // Mostly less, for it is over by the clock.
        assert!(most <= (4 << 20) + 64 * 1024, "{path}: {most} bytes at a stretch");
    }
}
