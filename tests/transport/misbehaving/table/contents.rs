//! Content: its framing and its coding.

use std::time::Duration;

use roundup::{Kind as K, Phase as P};

use super::super::Ask::{Get, Head};
use super::super::Does;
use super::super::Does::{Plays, Says};
use super::super::Ends::{Closes, Resets, Waits};
use super::super::{Comes, Content, Row, fails, ok, row};
use crate::common::{Reply, gzip};

/// All rows of this part.
pub(super) fn rows() -> Vec<Row> {
    [lengths(), chunks(), transfer_codings(), until_close(), no_content(), content_codings(), without_end()].concat()
}

#[rustfmt::skip]
fn lengths() -> Vec<Row> {
    vec![
        row("sends less than its length", Get, Says(ok200!("Content-Length: 9\r\n\r\nhalf"), Closes),
            fails(K::Body, P::Body, "4 of 9")),
        row("sends nothing of its length", Get, Says(ok200!("Content-Length: 9\r\n\r\n"), Closes),
            fails(K::Body, P::Body, "0 of 9")),
        row("resets within its length", Get, Says(ok200!("Content-Length: 9\r\n\r\nhalf"), Resets),
            fails(K::Body, P::Body, "reset")),
        row("falls silent within its length", Get, Says(ok200!("Content-Length: 9\r\n\r\nhalf"), Waits),
            fails(K::Timeout, P::Body, "reading")),
        row("drips a body too slowly", Get,
            Plays(|_| Reply::raw(ok200!("Content-Length: 10000\r\n\r\n"))
                .pieces(vec!["x"; 10_000], Duration::from_millis(5))),
            fails(K::Timeout, P::Body, "reading")),
        row("sends more than its length", Get, Says(ok200!("Content-Length: 2\r\n\r\nhi and more"), Waits),
            ok(200, "hi")),
        row("sends a line end too many", Get, Says(ok200!("Content-Length: 2\r\n\r\nhi\r\n"), Waits), ok(200, "hi")),
        row("sends a second response", Get, Says(with_forged!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), Waits),
            ok(200, "hi")),
        row("sends without end after its length", Get,
            Plays(|_| Reply::raw(ok200!("Content-Length: 2\r\n\r\nhi and")).forever("more")),
            ok(200, "hi")),
        row("has a length of -2", Get, Says(ok200!("Content-Length: -2\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "\"-2\"")),
        row("has a length of +2", Get, Says(ok200!("Content-Length: +2\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "\"+2\"")),
        row("has a length of 0x2", Get, Says(ok200!("Content-Length: 0x2\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "\"0x2\"")),
        row("has a length of 2.0", Get, Says(ok200!("Content-Length: 2.0\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "\"2.0\"")),
        row("has a length of 2 2", Get, Says(ok200!("Content-Length: 2 2\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "\"2 2\"")),
        row("has an empty length", Get, Says(ok200!("Content-Length:\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "\"\"")),
        row("has a length over 64 bits", Get, Says(ok200!("Content-Length: 18446744073709551616\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "64 bits")),
        row("has a length of 64 bits", Get, Says(ok200!("Content-Length: 18446744073709551615\r\n\r\nhi"), Closes),
            fails(K::Body, P::Body, "2 of 1844674407")),
        row("has two lengths", Get, Says(ok200!("Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"), Waits),
            fails(K::Protocol, P::Head, "2 and 3")),
        row("has a list of two lengths", Get, Says(ok200!("Content-Length: 2, 3\r\n\r\nhi!"), Waits),
            fails(K::Protocol, P::Head, "2 and 3")),
        row("has an unfinished list of lengths", Get, Says(ok200!("Content-Length: 2,\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "\"\"")),
        row("has its length twice", Get, Says(ok200!("Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"), Waits),
            ok(200, "hi")).kept(),
        row("has a list of its length twice", Get, Says(ok200!("Content-Length: 2, 02\r\n\r\nhi"), Waits),
            ok(200, "hi")).kept(),
        row("says close and stays", Get, Says(ok200!("Connection: close\r\nContent-Length: 2\r\n\r\nhi"), Waits),
            ok(200, "hi")),
        row("says keep-alive in HTTP/1.0", Get,
            Says(b"HTTP/1.0 200 \r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", Waits),
            ok(200, "hi")).kept(),
        row("stays open in HTTP/1.0", Get, Says(b"HTTP/1.0 200 \r\nContent-Length: 2\r\n\r\nhi", Waits), ok(200, "hi")),
    ]
}

#[rustfmt::skip]
fn chunks() -> Vec<Row> {
    vec![
        row("drips chunks byte by byte", Get,
            Plays(|_| Reply::text("hello world").chunked(3).in_pieces(1, Duration::ZERO)),
            ok(200, "hello world")).kept(),
        row("has a chunk size of letters", Get, Says(chunked!("zz\r\nhi\r\n"), Waits),
            fails(K::Protocol, P::Body, "a chunk size")),
        row("has a chunk size of -2", Get, Says(chunked!("-2\r\nhi\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "a chunk size")),
        row("has a chunk size of +2", Get, Says(chunked!("+2\r\nhi\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "a chunk size")),
        row("has a chunk size of 0x2", Get, Says(chunked!("0x2\r\nhi\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "a chunk size")),
        row("has an empty chunk size", Get, Says(chunked!("\r\nhi\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "a chunk size")),
        row("has a chunk size over 64 bits", Get, Says(chunked!("10000000000000002\r\nhi\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "16 digits")),
        row("has a chunk size of 64 bits", Get, Says(chunked!("ffffffffffffffff\r\nhi"), Closes),
            fails(K::Body, P::Body, "of a chunk")),
        row("has a chunk size without end", Get, Plays(|_| Reply::raw(chunked!("")).forever("0")),
            fails(K::Protocol, P::Body, "16 digits")),
        row("pads a chunk size without end", Get, Plays(|_| Reply::raw(chunked!("2")).forever(" ")),
            fails(K::TooLarge, P::Body, "16384 bytes")),
        row("has a chunk extension without end", Get, Plays(|_| Reply::raw(chunked!("2;")).forever("a=b;")),
            fails(K::TooLarge, P::Body, "16384 bytes")),
        row("has a chunk extension of 100 kB", Get,
            Plays(|_| Reply::raw(chunked!("2;a=")).bytes("x".repeat(100_000)).bytes("\r\nhi\r\n0\r\n\r\n")),
            fails(K::TooLarge, P::Body, "16384 bytes")),
        row("sends more than a chunk's size", Get, Says(chunked!("2\r\nhi!\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "of a chunk")),
        row("sends no line end after a chunk", Get, Says(chunked!("2\r\nhi0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "of a chunk")),
        row("ends a chunk size with a bare LF", Get, Says(chunked!("2\nhi\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "bare LF")),
        row("ends a chunk with a bare LF", Get, Says(chunked!("2\r\nhi\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "bare LF")),
        row("closes without the last chunk", Get, Says(chunked!("2\r\nhi\r\n"), Closes),
            fails(K::Body, P::Body, "last chunk")),
        row("closes before the first chunk", Get, Says(chunked!(""), Closes), fails(K::Body, P::Body, "last chunk")),
        row("closes in a chunk", Get, Says(chunked!("9\r\nhalf"), Closes), fails(K::Body, P::Body, "5 bytes")),
        row("closes in a chunk size", Get, Says(chunked!("2\r\nhi\r\n0"), Closes),
            fails(K::Body, P::Body, "last chunk")),
        row("resets in a chunk", Get, Says(chunked!("9\r\nhalf"), Resets), fails(K::Body, P::Body, "reset")),
        row("falls silent between chunks", Get, Says(chunked!("2\r\nhi\r\n"), Waits),
            fails(K::Timeout, P::Body, "reading")),
        row("falls silent in the trailers", Get, Says(chunked!("2\r\nhi\r\n0\r\nA: b\r\n"), Waits),
            fails(K::Timeout, P::Body, "reading")),
        row("sends chunks without end", Get, Plays(|_| Reply::raw(chunked!("")).forever("2\r\nhi\r\n")),
            fails(K::Timeout, P::Body, "reading")),
        row("sends chunks of one byte without end, which nobody reads", Get,
            Plays(|_| Reply::raw(chunked!("")).forever("1\r\n\0\r\n")),
            Comes::Ok(200, Content::Zeros(1000))).up_to(1000),
        row("closes after the last chunk", Get, Says(chunked!("2\r\nhi\r\n0\r\n"), Closes), ok(200, "hi")),
        row("sends a trailer", Get, Says(chunked!("2\r\nhi\r\n0\r\nA: b\r\n\r\n"), Waits), ok(200, "hi")).kept(),
        row("sends a trailer without a colon", Get, Says(chunked!("2\r\nhi\r\n0\r\nA\r\n\r\n"), Waits),
            fails(K::Protocol, P::Body, "trailer")),
        row("sends 300 trailers", Get,
            Plays(|_| Reply::raw(chunked!("0\r\n")).bytes("A: b\r\n".repeat(300)).bytes("\r\n")),
            fails(K::TooLarge, P::Body, "256 fields")),
        row("sends a trailer without end", Get, Plays(|_| Reply::raw(chunked!("0\r\nA: ")).forever("x")),
            fails(K::TooLarge, P::Body, "131072 bytes")),
        row("sends a second response after chunks", Get,
            Says(with_forged!("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), Waits),
            ok(200, "hi")),
        row("sends junk after chunks", Get, Says(chunked!("2\r\nhi\r\n0\r\n\r\njunk"), Waits), ok(200, "hi")),
        row("smuggles a response as a trailer", Get,
            Says(with_forged!("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"), Waits),
            fails(K::Protocol, P::Body, "trailer")),
    ]
}

#[rustfmt::skip]
fn transfer_codings() -> Vec<Row> {
    vec![
        row("has chunks and a length", Get,
            Says(ok200!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), Waits),
            ok(200, "hi")),
        row("has chunks and a bad length", Get,
            Says(ok200!("Transfer-Encoding: chunked\r\nContent-Length: -1\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), Waits),
            ok(200, "hi")),
        row("has chunks in HTTP/1.0", Get,
            Says(b"HTTP/1.0 200 \r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n", Waits),
            ok(200, "")),
        row("has gzip as transfer coding", Get,
            Says(ok200!("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Head, "\"gzip\"")),
        row("has chunked not as the last coding", Get,
            Says(ok200!("Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Head, "\"gzip\"")),
        row("has chunked twice", Get,
            Says(ok200!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Head, "twice")),
        row("has identity as transfer coding", Get,
            Says(ok200!("Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "\"identity\"")),
        row("has xchunked as transfer coding", Get, Says(ok200!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), Waits),
            fails(K::Protocol, P::Head, "\"xchunked\"")),
        row("has an empty transfer coding", Get,
            Says(ok200!("Transfer-Encoding:\r\nContent-Length: 2\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "is empty")),
    ]
}

#[rustfmt::skip]
fn until_close() -> Vec<Row> {
    vec![
        row("ends content by closing", Get, Says(ok200!("\r\nhi"), Closes), ok(200, "hi")),
        row("ends content by closing, in HTTP/1.0", Get,
            Says(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhi", Closes),
            ok(200, "hi")),
        row("ends content by resetting", Get, Says(ok200!("\r\nhi"), Resets), fails(K::Body, P::Body, "reset")),
        row("falls silent and does not close", Get, Says(ok200!("\r\nhi"), Waits),
            fails(K::Timeout, P::Body, "reading")),
        row("sends content without end", Get, Plays(|_| Reply::raw(ok200!("\r\n")).forever("x")),
            fails(K::Timeout, P::Body, "reading")),
        row("sends content that nobody reads", Get, Plays(|_| Reply::raw(ok200!("\r\n")).forever("\0")),
            Comes::Ok(200, Content::Zeros(1000))).up_to(1000),
        row("sends a response in the content", Get, Says(with_forged!("HTTP/1.1 200 \r\n\r\n"), Closes),
            ok(200, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")),
    ]
}

#[rustfmt::skip]
fn no_content() -> Vec<Row> {
    vec![
        row("sends content with 204", Get, Says(b"HTTP/1.1 204 \r\n\r\nstray", Waits), ok(204, "")),
        row("sends a length with 204", Get, Says(b"HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\nstray", Waits),
            ok(204, "")),
        row("sends chunks with 204", Get, Says(b"HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Waits),
            ok(204, "")),
        row("sends a response after 204", Get, Says(with_forged!("HTTP/1.1 204 \r\n\r\n"), Waits), ok(204, "")),
        row("sends content with 304", Get, Says(b"HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\nstray", Waits),
            ok(304, "")),
        row("sends a length alone with 304", Get, Says(b"HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n", Waits),
            ok(304, "")).kept(),
        row("sends content to HEAD", Head, Says(ok200!("Content-Length: 5\r\n\r\nstray"), Waits), ok(200, "")),
        row("sends chunks to HEAD", Head, Says(chunked!("5\r\nstray\r\n0\r\n\r\n"), Waits), ok(200, "")),
        row("sends a second response to HEAD", Head,
            Says(with_forged!("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n"), Waits),
            ok(200, "")),
        row("sends neither length nor chunks to HEAD", Head, Says(ok200!("\r\n"), Waits), ok(200, "")).kept(),
    ]
}

#[rustfmt::skip]
fn content_codings() -> Vec<Row> {
    vec![
        row("cuts gzip short", Get, Plays(|_| coded("gzip", cut(gzip(text())))),
            fails(K::Body, P::Body, "cut short")).kept(),
        row("cuts gzip in its head", Get, Plays(|_| coded("gzip", gzip(text())[..5].into())),
            fails(K::Body, P::Body, "cut short")).kept(),
        row("flips a byte of gzip", Get, Plays(|_| coded("gzip", flipped(gzip(text()), 20))),
            fails(K::Body, P::Body, "corrupt")).kept(),
        row("flips a byte of gzip's checksum", Get, Plays(|_| coded("gzip", flipped(gzip(text()), 6))),
            fails(K::Body, P::Body, "corrupt")).kept(),
        row("says gzip and sends text", Get, Plays(|_| coded("gzip", text())), fails(K::Body, P::Body, "corrupt")),
        row("says deflate and sends noise", Get, Plays(|_| coded("deflate", vec![0xff; 100])),
            fails(K::Body, P::Body, "corrupt")),
        row("sends junk after gzip", Get, Plays(|_| coded("gzip", [gzip("hi"), b"junk".into()].concat())),
            fails(K::Body, P::Body, "")).kept(),
        row("closes within gzip", Get, Plays(|_| coded("gzip", cut(gzip(text()))).header("Connection", "close")),
            fails(K::Body, P::Body, "cut short")),
        row("closes after gzip, before its length", Get,
            Plays(|_| coded("gzip", gzip("hi")).header("Content-Length", "99").close()),
            fails(K::Body, P::Body, "of 99 bytes")),
        row("sends gzip and no last chunk", Get,
            Plays(|_| Reply::raw(ok200!("Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"))
                .bytes(format!("{:x}\r\n", gzip("hi").len())).bytes(gzip("hi")).bytes("\r\n").close()),
            fails(K::Body, P::Body, "last chunk")),
        row("sends a second response after gzip", Get,
            Plays(|_| Reply::raw([ok200!("Content-Encoding: gzip\r\nContent-Length: 22\r\n\r\n"), &gzip("hi"),
                with_forged!("")].concat())),
            ok(200, "hi")),
        row("says gzip and sends nothing", Get, Plays(|_| coded("gzip", Vec::new())), ok(200, "")).kept(),
        row("names a coding nobody knows", Get, Plays(|_| coded("rot13", b"uv".into())),
            fails(K::Body, P::Body, "coded as \"rot13\"")),
        row("names six codings", Get, Plays(|_| coded("gzip,gzip,gzip,gzip,gzip,gzip", gzip("hi"))),
            fails(K::Body, P::Body, "over 5 codings")),
        row("names two codings and has one", Get, Plays(|_| coded("gzip, gzip", gzip("hi"))),
            fails(K::Body, P::Body, "corrupt")).kept(),
        row("sends 1 GiB in 1 MiB of gzip", Get, Plays(|_| coded("gzip", gzip(vec![0; 1 << 20]).repeat(1024))),
            Comes::Ok(200, Content::Zeros(1 << 20))).up_to(1 << 20),
    ]
}

/// What takes work again and again and makes nothing, or next to nothing.
#[rustfmt::skip]
fn without_end() -> Vec<Row> {
    vec![
        row("sends empty gzip members without end", Get,
            Plays(|_| Reply::raw(ok200!("Content-Encoding: gzip\r\n\r\n")).forever(gzip("").repeat(500))),
            fails(K::Timeout, P::Body, "reading")),
        row("sends a byte among empty gzip members without end", Get,
            Plays(|_| Reply::raw(ok200!("Content-Encoding: gzip\r\n\r\n"))
                .forever([gzip("").repeat(500), gzip("x")].concat())),
            fails(K::Timeout, P::Body, "reading")),
        row("sends empty gzip members in gzip without end", Get,
            Plays(|_| Reply::raw(ok200!("Content-Encoding: gzip, gzip\r\n\r\n"))
                .forever(gzip(gzip("").repeat(50_000)))),
            fails(K::Timeout, P::Body, "reading")),
        row("sends empty deflate blocks without end", Get,
            Plays(|_| Reply::raw(ok200!("Content-Encoding: deflate\r\n\r\n"))
                .forever([0x02, 0x08, 0x20, 0x80, 0x00].repeat(2000))),
            fails(K::Timeout, P::Body, "reading")),
        row("sends empty stored blocks without end", Get,
            Plays(|_| Reply::raw(ok200!("Content-Encoding: deflate\r\n\r\n"))
                .forever([0, 0, 0, 0xff, 0xff].repeat(2000))),
            fails(K::Timeout, P::Body, "reading")),
        row("has a gzip name without end", Get,
            Plays(|_| Reply::raw([ok200!("Content-Encoding: gzip\r\n\r\n"), &[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]].concat())
                .forever("n".repeat(10_000))),
            fails(K::Timeout, P::Body, "reading")),
        #[cfg(feature = "brotli")]
        row("sends brotli metadata without end", Get,
            Plays(|_| Reply::raw([ok200!("Content-Encoding: br\r\n\r\n"), &[0x0c]].concat())
                .forever([0x06].repeat(10_000))),
            fails(K::Timeout, P::Body, "reading")),
        #[cfg(feature = "zstd")]
        row("sends skippable zstd frames without end", Get,
            Plays(|_| Reply::raw(ok200!("Content-Encoding: zstd\r\n\r\n"))
                .forever([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].repeat(1000))),
            fails(K::Timeout, P::Body, "reading")),
        #[cfg(feature = "zstd")]
        row("sends empty zstd frames without end", Get,
            Plays(|_| Reply::raw(ok200!("Content-Encoding: zstd\r\n\r\n"))
                .forever([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0].repeat(1000))),
            fails(K::Timeout, P::Body, "reading")),
        row("sends chunks of one byte without end", Get,
            Plays(|_| Reply::raw(ok200!("Transfer-Encoding: chunked\r\n\r\n")).forever("1\r\nx\r\n".repeat(1000))),
            fails(K::Timeout, P::Body, "reading")),
        row("sends extensions as long as their chunks without end", Get,
            Plays(|_| Reply::raw(ok200!("Transfer-Encoding: chunked\r\n\r\n"))
                .forever(format!("400;{}\r\n{}\r\n", "x".repeat(1000), "y".repeat(1024)))),
            fails(K::Timeout, P::Body, "reading")),
        row("sends TLS records of one byte without end", Get,
            Does::Https(|_| Reply::raw(ok200!("\r\n")).forever("x")), fails(K::Timeout, P::Body, "reading")),
    ]
}

fn text() -> Vec<u8> {
    b"all is well that ends well ".repeat(100)
}

fn coded(coding: &str, bytes: Vec<u8>) -> Reply {
    Reply::status(200).header("Content-Encoding", coding).body(bytes)
}

fn cut(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 10);
    bytes
}

/// With another byte at this place from the end.
fn flipped(mut bytes: Vec<u8>, from_end: usize) -> Vec<u8> {
    let at = bytes.len() - from_end;
    bytes[at] ^= 0xff;
    bytes
}
