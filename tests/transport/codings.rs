//! The content codings that take a feature: asked for, undone, and never half of it taken for all. Built without them,
//! this shows that nothing is asked for and nothing is undone.

use async_compression::futures::bufread::GzipEncoder;
use futures_lite::{AsyncRead, AsyncReadExt, future::block_on};
use roundup::{Kind, Phase};

use super::{client, fetch, get, head, run, with_options};
use crate::common::{Reply, Server};

/// A name of Content-Encoding and what makes such content.
type Coding = (&'static str, fn(&[u8]) -> Vec<u8>);

fn codings() -> Vec<Coding> {
    vec![
        ("gzip", |bytes| encoded(GzipEncoder::new(bytes))),
        #[cfg(feature = "brotli")]
        ("br", |bytes| encoded(async_compression::futures::bufread::BrotliEncoder::new(bytes))),
        #[cfg(feature = "zstd")]
        ("zstd", |bytes| {
            // As `zstd` on the command line does it: so that flipped bits are found.
            let checksum = [async_compression::zstd::CParameter::checksum_flag(true)];
            let level = async_compression::Level::Default;
            encoded(async_compression::futures::bufread::ZstdEncoder::with_quality_and_params(bytes, level, &checksum))
        }),
    ]
}

/// What Accept-Encoding says of them.
pub(super) fn accept_encoding() -> String {
    codings().iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn encoded(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut out = Vec::new();
    block_on(encoder.read_to_end(&mut out)).expect("memory does not fail");
    out
}

fn text() -> Vec<u8> {
    (0..20_000).map(|n| format!("line {n}\n")).collect::<String>().into_bytes()
}

#[test]
fn what_is_asked_for_is_what_is_undone() {
    for (name, encode) in codings() {
        let server = Server::start(move |request| match request.path() {
            "/" => Reply::status(200).header("Content-Encoding", name).body(encode(&text())),
            "/chunks" => Reply::status(200).header("Content-Encoding", name).body(encode(&text())).chunked(7),
            "/upper" => Reply::status(200).header("Content-Encoding", name.to_uppercase()).body(encode(&text())),
            _ => Reply::status(200).header("Content-Encoding", name).body(encode(b"")),
        });
        let client = client();
        run(async {
            for path in ["/", "/chunks", "/upper"] {
                let got = fetch(&client, get(&server.url(path))).await.expect(path);
                assert!(got.1 == text(), "{name} {path}: {}", got.1.len());
            }
            assert_eq!(fetch(&client, get(&server.url("/empty"))).await.expect("nothing is something").1, b"");
        });
        let stats = server.stats();
        assert!(stats.seen.iter().all(|request| request.header("accept-encoding") == Some(&*accept_encoding())));
        assert_eq!(stats.connections, 1);
    }
}

#[test]
fn coded_content_that_is_not_whole_is_an_error() {
    for (name, encode) in codings() {
        let server = Server::start(move |request| {
            let mut coded = encode(&text());
            let middle = coded.len() / 2;
            match request.path() {
                "/cut" => coded.truncate(coded.len() - 1),
                "/half" => coded.truncate(middle),
                "/changed" => coded[middle..middle + 16].iter_mut().for_each(|byte| *byte ^= 0x5a),
                "/more" => coded.extend(b"and more"),
                _ => coded = b"this was never coded".to_vec(),
            }
            Reply::status(200).header("Content-Encoding", name).body(coded)
        });
        let client = client();
        run(async {
            for path in ["/cut", "/half", "/changed", "/more", "/plain"] {
                // Brotli has no checksum: what is changed may be other content.
                let got = fetch(&client, get(&server.url(path))).await;
                if (name, path) == ("br", "/changed") {
                    assert!(got.map_or(true, |(_, content)| content != text()));
                    continue;
                }
                let error = got.expect_err(path);
                assert_eq!((error.kind(), error.phase()), (Kind::Body, Some(Phase::Body)), "{name} {path}: {error}");
            }
        });
    }
}

#[test]
fn a_bomb_is_read_no_further_than_it_is_wanted() {
    for (name, encode) in codings() {
        let bomb = encode(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20, "{name}: {}", bomb.len());
        let server = Server::start(move |_| Reply::status(200).header("Content-Encoding", name).body(bomb.clone()));
        run(async {
            let mut body = head(&client(), get(&server.url("/"))).await.expect("it answers").take_body();
            let mut first = vec![1; 100_000];
            body.read_exact(&mut first).await.expect("there is so much");
            assert!(first.iter().all(|byte| *byte == 0));
        });
    }
}

#[test]
fn a_range_is_not_asked_for_of_coded_content() {
    let server = Server::start(|_| Reply::status(206).header("Content-Encoding", "gzip").body("the middle of it"));
    let mut request = get(&server.url("/"));
    request.insert_header("range", "bytes=100-115");
    assert_eq!(run(fetch(&client(), request)).expect("nothing is undone").1, b"the middle of it");
    assert_eq!(server.requests()[0].header("accept-encoding"), None);
}

#[test]
fn a_coding_without_its_feature_is_an_error_that_names_it() {
    for (name, feature) in [("br", cfg!(feature = "brotli")), ("zstd", cfg!(feature = "zstd")), ("compress", false)] {
        if feature {
            continue;
        }
        let server = Server::start(move |_| Reply::text("as it is").header("Content-Encoding", name));
        let error = run(fetch(&client(), get(&server.url("/")))).expect_err(name);
        assert_eq!((error.kind(), error.phase()), (Kind::Body, Some(Phase::Body)));
        assert!(error.to_string().contains(&format!("coded as \"{name}\"")), "{error}");
    }
}

/// Responses as they came over the wire. Only the first Content-Encoding was read, and only if it named one coding; else
/// the coded bytes were a success.
const LISTS: [(&str, &[u8]); 11] = [
    ("deflate-then-gzip", include_bytes!("../corpus/codings/deflate-then-gzip.http")),
    ("empty-field-then-gzip", include_bytes!("../corpus/codings/empty-field-then-gzip.http")),
    ("gzip-comma", include_bytes!("../corpus/codings/gzip-comma.http")),
    ("gzip-then-deflate-in-one-field", include_bytes!("../corpus/codings/gzip-then-deflate-in-one-field.http")),
    ("gzip-then-identity", include_bytes!("../corpus/codings/gzip-then-identity.http")),
    ("gzip-twice-in-two-fields", include_bytes!("../corpus/codings/gzip-twice-in-two-fields.http")),
    ("only-commas", include_bytes!("../corpus/codings/only-commas.http")),
    ("unknown-below-gzip", include_bytes!("../corpus/codings/unknown-below-gzip.http")),
    ("unknown-beside-identity", include_bytes!("../corpus/codings/unknown-beside-identity.http")),
    ("unknown-coding", include_bytes!("../corpus/codings/unknown-coding.http")),
    ("x-gzip", include_bytes!("../corpus/codings/x-gzip.http")),
];

#[test]
fn codings_in_a_list_are_undone_in_their_order_or_named() {
    let server = Server::start(|request| {
        let (_, response) = LISTS.iter().find(|(name, _)| request.path()[1..] == **name).expect("a name of the table");
        Reply::raw(*response)
    });
    run(async {
        let client = client();
        for (name, response) in LISTS {
            let url = server.url(&format!("/{name}"));
            let got = fetch(&client, get(&url)).await;
            if name.starts_with("unknown") {
                let error = got.expect_err(name);
                assert_eq!((error.kind(), error.phase()), (Kind::Body, Some(Phase::Body)), "{name}: {error}");
                let coding = match name {
                    "unknown-coding" => "\"compress\"",
                    "unknown-below-gzip" => "\"exi\"",
                    _ => "\"dcb\"",
                };
                assert!(error.to_string().contains(coding), "{name}: {error}");
            } else {
                assert_eq!(got.expect(name), (200, b"{\"a\":1}".to_vec()), "{name}");
            }
            let (raw, _) = with_options(get(&url), |options| options.raw = true);
            let content = fetch(&client, raw).await.expect(name).1;
            assert!(response.ends_with(&content) && !content.is_empty(), "{name}: as they came");
        }
    });
}

#[test]
fn a_coding_that_is_not_known_does_not_matter_where_there_is_no_content() {
    let server = Server::start(|request| match request.path() {
        "/204" => Reply::raw("HTTP/1.1 204 No Content\r\nContent-Encoding: compress\r\n\r\n"),
        "/length" => Reply::status(200).header("Content-Encoding", "compress"),
        _ => Reply::status(200).header("Content-Encoding", "compress").chunked(1),
    });
    run(async {
        for path in ["/204", "/length", "/chunks"] {
            assert_eq!(fetch(&client(), get(&server.url(path))).await.expect(path).1, b"");
        }
    });
}
