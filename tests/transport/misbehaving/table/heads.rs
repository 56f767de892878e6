//! Up to the end of the head.

use std::time::Duration;

use roundup::{Kind as K, Phase as P};

use super::super::Ask::{Get, Head, Post};
#[cfg(target_os = "linux")]
use super::super::Does::Full;
use super::super::Does::{Accepts, Nobody, Plays, Says};
use super::super::Ends::{Closes, Resets, Waits};
use super::super::{Row, fails, ok, row};
use super::{close, reset};
use crate::common::{Reply, Request};

/// All rows of this part.
pub(super) fn rows() -> Vec<Row> {
    [connecting(), other_protocols(), status_lines(), fields(), interim()].concat()
}

#[rustfmt::skip]
fn connecting() -> Vec<Row> {
    vec![
        row("refuses connections", Get, Nobody, fails(K::Connect, P::Connect, "refused")),
        #[cfg(target_os = "linux")]
        row("never accepts", Get, Full, fails(K::Timeout, P::Connect, "while connecting")),
        row("accepts and closes", Get, Accepts(close), fails(K::Protocol, P::Head, "before any byte")),
        // It can be there before the first byte is sent.
        row("accepts and resets", Get, Accepts(reset), fails(K::Io, P::Head, "reset")).or(K::Connect, P::Connect)
            .or(K::Io, P::Send),
        row("accepts and closes, with a POST", Post, Accepts(close), fails(K::Protocol, P::Head, "before any byte")),
        row("accepts and is silent", Get, Accepts(Reply::hang),
            fails(K::Timeout, P::Head, "waiting for the response's")),
        row("reads the request and closes", Get, Says(b"", Closes), fails(K::Protocol, P::Head, "before any byte")),
        row("reads the request and resets", Get, Says(b"", Resets), fails(K::Io, P::Head, "reset")),
        row("reads the request and is silent", Get, Says(b"", Waits), fails(K::Timeout, P::Head, "waiting for the")),
        row("is silent to HEAD", Head, Says(b"", Waits), fails(K::Timeout, P::Head, "waiting for the response's head")),
    ]
}

#[rustfmt::skip]
fn other_protocols() -> Vec<Row> {
    vec![
        row("greets as SSH", Get, Accepts(|| Reply::raw("SSH-2.0-OpenSSH_9.2\r\n").then(Reply::hang())),
            fails(K::Protocol, P::Head, "SSH")),
        row("greets as a mail server", Get, Accepts(|| Reply::raw("220 mx ESMTP\r\n").then(Reply::hang())),
            fails(K::Protocol, P::Head, "mail server")),
        row("is Redis", Get, Says(b"-ERR unknown command 'GET'\r\n", Waits), fails(K::Protocol, P::Head, "Redis")),
        row("answers in HTTP/0.9", Get, Says(b"<html>hello</html>", Closes), fails(K::Protocol, P::Head, "HTTP/0.9")),
        row("answers with no head, in two bytes", Get, Says(b"ok", Closes), fails(K::Protocol, P::Head, "\"ok\"")),
        row("answers in HTTP/2", Get, Says(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", Waits),
            fails(K::Protocol, P::Head, "HTTP/2 only")),
        row("says that it is HTTP/2", Get, Says(b"HTTP/2 200\r\n\r\n", Waits), fails(K::Protocol, P::Head, "\"2\"")),
        row("says that it is HTTP/3.0", Get, Says(b"HTTP/3.0 200 OK\r\n\r\n", Waits),
            fails(K::Protocol, P::Head, "3.0")),
        row("says that it is http/1.1", Get, Says(b"http/1.1 200 OK\r\n\r\n", Waits),
            fails(K::Protocol, P::Head, "http")),
        row("answers with a TLS alert", Get, Says(b"\x15\x03\x01\0\x02\x02\x16", Closes),
            fails(K::Protocol, P::Head, "https")),
        row("sends the request back", Get, Plays(echo), fails(K::Protocol, P::Head, "GET")),
        row("sends noise", Get, Says(b"\x00\xff\x8b\x01\xd0\x7f\x12", Waits),
            fails(K::Protocol, P::Head, "\\x00\\xff")),
        row("sends noise without end", Get, Plays(|_| Reply::empty().forever(b"\xff\x00\x7f")),
            fails(K::Protocol, P::Head, "\\xff\\x00")),
        row("sends blanks without end", Get, Plays(|_| Reply::empty().forever(" ")),
            fails(K::Protocol, P::Head, "    ")),
        row("sends empty lines without end", Get, Plays(|_| Reply::empty().forever("\r\n")),
            fails(K::Protocol, P::Head, "empty lines")),
    ]
}

#[rustfmt::skip]
fn status_lines() -> Vec<Row> {
    vec![
        row("has a status of two digits", Get, Says(b"HTTP/1.1 20 OK\r\n\r\n", Waits),
            fails(K::Protocol, P::Head, "status")),
        row("has a status of four digits", Get, Says(b"HTTP/1.1 2000 OK\r\n\r\n", Waits),
            fails(K::Protocol, P::Head, "status")),
        row("has the status 099", Get, Says(b"HTTP/1.1 099 No\r\n\r\n", Waits), fails(K::Protocol, P::Head, "099")),
        row("has a status of letters", Get, Says(b"HTTP/1.1 2OO OK\r\n\r\n", Waits),
            fails(K::Protocol, P::Head, "status")),
        row("has no status", Get, Says(b"HTTP/1.1 OK\r\n\r\n", Waits), fails(K::Protocol, P::Head, "status")),
        row("has no space before the status", Get, Says(b"HTTP/1.1200 OK\r\n\r\n", Waits),
            fails(K::Protocol, P::Head, "space")),
        row("has NUL in the reason", Get, Says(b"HTTP/1.1 200 O\0K\r\n\r\n", Waits),
            fails(K::Protocol, P::Head, "reason")),
        row("has the status 799", Get, Says(b"HTTP/1.1 799 \r\nContent-Length: 2\r\n\r\nhi", Waits),
            ok(799, "hi")).kept(),
        row("has no reason", Get, Says(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", Waits), ok(200, "hi")).kept(),
        row("sends an empty line first", Get, Says(b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Waits),
            ok(200, "hi")).kept(),
        row("closes in the status line", Get, Says(b"HTTP/1.1 20", Closes), fails(K::Protocol, P::Head, "inside")),
        row("resets in the status line", Get, Says(b"HTTP/1.1 20", Resets), fails(K::Io, P::Head, "reset")),
        row("falls silent in the status line", Get, Says(b"HTTP/1.1 20", Waits), fails(K::Timeout, P::Head, "waiting")),
        row("has a status line without end", Get, Plays(|_| Reply::raw("HTTP/1.1 200 ").forever("so well ")),
            fails(K::TooLarge, P::Head, "131072")),
    ]
}

#[rustfmt::skip]
fn fields() -> Vec<Row> {
    vec![
        row("drips a head byte by byte", Get, Plays(|_| Reply::text("hello").in_pieces(1, Duration::ZERO)),
            ok(200, "hello")).kept(),
        row("drips a head too slowly", Get,
            Plays(|_| Reply::raw("HTTP/1.1 200 OK\r\nA: ").pieces(vec!["x"; 10_000], Duration::from_millis(5))),
            fails(K::Timeout, P::Head, "waiting")),
        row("closes in the head", Get, Says(ok200!("Content-Length: 5\r\n"), Closes),
            fails(K::Protocol, P::Head, "inside")),
        row("resets in the head", Get, Says(ok200!("Content-Length: 5\r\n"), Resets), fails(K::Io, P::Head, "reset")),
        row("falls silent in the head", Get, Says(ok200!("Content-Len"), Waits), fails(K::Timeout, P::Head, "waiting")),
        row("ends lines with a bare LF", Get, Says(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", Waits),
            ok(200, "hi")).kept(),
        row("ends a line with a bare CR", Get, Says(ok200!("A: b\rContent-Length: 2\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "field line 1")),
        row("folds a field line", Get, Says(ok200!("A: b\r\n c\r\nContent-Length: 2\r\n\r\nhi"), Waits),
            ok(200, "hi")).kept(),
        row("folds its length", Get, Says(ok200!("Content-Length:\r\n 2\r\n\r\nhi"), Waits), ok(200, "hi")).kept(),
        row("folds before the first field", Get, Says(ok200!(" A: b\r\n\r\n"), Waits),
            fails(K::Protocol, P::Head, "white")),
        row("has a blank before a colon", Get, Says(ok200!("Content-Length : 2\r\n\r\nhi"), Waits),
            fails(K::Protocol, P::Head, "field line 1")),
        row("has a field without a colon", Get, Says(ok200!("A\r\n\r\n"), Waits),
            fails(K::Protocol, P::Head, "field line 1")),
        row("has a field without a name", Get, Says(ok200!(": a\r\n\r\n"), Waits),
            fails(K::Protocol, P::Head, "field line 1")),
        row("has NUL in a value", Get, Says(ok200!("A: b\0c\r\n\r\n"), Waits),
            fails(K::Protocol, P::Head, "field line 1")),
        row("has bytes over 127 in a value", Get,
            Says(b"HTTP/1.1 200 OK\r\nA: \xe9\xff\r\nContent-Length: 2\r\n\r\nhi", Waits),
            ok(200, "hi")).kept(),
        row("has a field of 200 kB", Get, Plays(|_| Reply::text("x").header("A", "x".repeat(200_000))),
            fails(K::TooLarge, P::Head, "131072 bytes")),
        row("has 300 fields", Get, Plays(|_| (0..300).fold(Reply::text("x"), |reply, _| reply.header("A", "b"))),
            fails(K::TooLarge, P::Head, "256 fields")),
        row("has a field without end", Get, Plays(|_| Reply::raw(ok200!("A: ")).forever("x")),
            fails(K::TooLarge, P::Head, "131072 bytes")),
        row("has fields without end", Get, Plays(|_| Reply::raw(ok200!("")).forever("A: b\r\n")),
            fails(K::TooLarge, P::Head, "256 fields")),
        row("folds without end", Get, Plays(|_| Reply::raw(ok200!("A: b\r\n")).forever(" c\r\n")),
            fails(K::TooLarge, P::Head, "131072 bytes")),
    ]
}

#[rustfmt::skip]
fn interim() -> Vec<Row> {
    vec![
        row("continues unasked", Get, Says(b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", Waits),
            ok(200, "hi")).kept(),
        row("gives hints early, three times", Get,
            Plays(|_| Reply::status(103).header("Link", "</a>").then(Reply::status(103)).then(Reply::status(103))
                .then(Reply::text("hi"))),
            ok(200, "hi")).kept(),
        row("has a length with 100", Get,
            Says(b"HTTP/1.1 100 \r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 \r\n\r\n", Waits),
            ok(204, "")).kept(),
        row("switches protocols unasked", Get, Says(b"HTTP/1.1 101 \r\nUpgrade: websocket\r\n\r\n\x81\x02hi", Waits),
            fails(K::Protocol, P::Head, "101")),
        row("sends 100 interim responses", Get,
            Plays(|_| Reply::raw("HTTP/1.1 102 \r\n\r\n".repeat(100)).then(Reply::text("hi"))),
            fails(K::Protocol, P::Head, "32 interim")),
        row("sends interim responses without end", Get, Plays(|_| Reply::empty().forever("HTTP/1.1 100 \r\n\r\n")),
            fails(K::Protocol, P::Head, "32 interim")),
        row("closes after an interim response", Get, Says(b"HTTP/1.1 102 \r\n\r\n", Closes),
            fails(K::Protocol, P::Head, "closed")),
        row("resets after an interim response", Get, Says(b"HTTP/1.1 102 \r\n\r\n", Resets),
            fails(K::Io, P::Head, "reset")),
        row("falls silent after an interim one", Get, Says(b"HTTP/1.1 102 \r\n\r\n", Waits),
            fails(K::Timeout, P::Head, "waiting")),
    ]
}

fn echo(request: &Request) -> Reply {
    Reply::raw(format!("{} {} HTTP/1.1\r\n\r\n", request.method, request.target))
}
