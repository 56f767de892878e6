//! Content on its way out, connections that are used again, redirects, TLS.

use roundup::{Kind as K, Phase as P};

use super::super::Ask::{AfterClose, Again, Get, Stream, Upload};
use super::super::Does::{BeforeTls, Early, HttpOnTls, Https, Plays, Shows, TlsOnHttp};
use super::super::play::BRIEF;
use super::super::{Row, Then, fails, ok, row};
use super::{close, reset};
use crate::common::{Leaf, Reply, Request};

/// All rows of this part.
pub(super) fn rows() -> Vec<Row> {
    [uploads(), second_requests(), redirects(), tls()].concat()
}

#[rustfmt::skip]
fn uploads() -> Vec<Row> {
    vec![
        row("refuses an upload and stops reading", Upload,
            Early(|_| Reply::status(413).body("no").then(Reply::stall())),
            ok(413, "no")).stalled(),
        row("refuses a stream and stops reading", Stream, Early(|_| Reply::status(413).body("no").then(Reply::stall())),
            ok(413, "no")).stalled(),
        row("refuses an upload and closes", Upload, Early(|_| last(413).close()), ok(413, "no")),
        row("refuses an upload and reads it", Upload, Early(|_| last(401).and_hang()), ok(401, "no")),
        row("refuses a stream and reads it", Stream, Early(|_| last(401).and_hang()), ok(401, "no")),
        row("accepts an upload early and reads it", Upload, Early(|_| last(200).and_hang()), ok(200, "no")),
        row("accepts an upload early and stops reading", Upload,
            Early(|_| Reply::status(200).body("yes").then(Reply::stall())),
            fails(K::Timeout, P::Send, "sending")).stalled(),
        row("continues an upload unasked", Upload, Early(|_| Reply::status(100).then(last(413)).close()),
            ok(413, "no")),
        row("never reads an upload", Upload, Early(|_| Reply::stall()),
            fails(K::Timeout, P::Send, "sending")).stalled(),
        row("never reads a stream", Stream, Early(|_| Reply::stall()), fails(K::Timeout, P::Send, "sending")).stalled(),
        row("resets in an upload", Upload, Early(|_| reset()), fails(K::Io, P::Send, "reset")),
        row("resets in a stream", Stream, Early(|_| reset()), fails(K::Io, P::Send, "reset")),
        row("closes in an upload", Upload, Early(|_| close()), fails(K::Protocol, P::Send, "before any byte"))
            .or(K::Protocol, P::Head),
        row("answers an upload with noise", Upload, Early(|_| Reply::raw("SSH-2.0-x\r\n").and_hang()),
            fails(K::Protocol, P::Head, "SSH")),
        row("switches protocols in an upload", Upload, Early(|_| Reply::status(101).and_hang()),
            fails(K::Protocol, P::Head, "101")),
        row("closes in its answer to an upload", Upload, Early(|_| Reply::raw("HTTP/1.1 413 To").close()),
            fails(K::Protocol, P::Send, "inside")).or(K::Protocol, P::Head),
        row("refuses an upload with less than its length", Upload,
            Early(|_| Reply::raw("HTTP/1.1 413 \r\nContent-Length: 9\r\n\r\nhalf").close()),
            fails(K::Body, P::Body, "4 of 9")),
        row("sends interim responses to an upload without end", Upload,
            Early(|_| Reply::empty().forever("HTTP/1.1 102 \r\n\r\n")),
            fails(K::Protocol, P::Head, "32 interim")),
    ]
}

#[rustfmt::skip]
fn second_requests() -> Vec<Row> {
    vec![
        row("closes an idle connection", AfterClose(Then::Get), Plays(|_| Reply::text("first").close()),
            ok(200, "first")),
        row("closes an idle connection, then a POST", AfterClose(Then::Post), Plays(|_| Reply::text("first").close()),
            ok(200, "first")),
        row("resets an idle connection, then a POST", AfterClose(Then::Post),
            Plays(|_| Reply::text("first").pause(BRIEF).reset()),
            ok(200, "first")),
        row("sends junk over an idle connection", AfterClose(Then::Get), Plays(|r| idle(r, "junk")),
            ok(200, "fresh")).kept(),
        row("sends 408 over an idle connection", AfterClose(Then::Post), Plays(|r| idle(r, "HTTP/1.1 408 \r\n\r\n")),
            ok(200, "fresh")).kept(),
        row("sends a response over an idle connection", AfterClose(Then::Post),
            Plays(|r| idle(r, "HTTP/1.1 200 \r\nContent-Length: 6\r\n\r\nforged")),
            ok(200, "fresh")).kept(),
        row("closes at a second GET", Again(Then::Get), Plays(|r| second(r, close)), ok(200, "first")).kept(),
        row("resets at a second GET", Again(Then::Get), Plays(|r| second(r, reset)), ok(200, "first")).kept(),
        row("closes at a POST on a used connection", Again(Then::Post), Plays(|r| second(r, close)),
            fails(K::Protocol, P::Head, "before any byte")),
        row("resets at a POST on a used connection", Again(Then::Post), Plays(|r| second(r, reset)),
            fails(K::Io, P::Head, "reset")),
        row("sends half a head to a second GET", Again(Then::Get),
            Plays(|r| second(r, || Reply::raw("HTTP/1.1 200 OK\r\nA").close())),
            fails(K::Protocol, P::Head, "inside")),
        row("resets in the head of a second response", Again(Then::Get),
            Plays(|r| second(r, || Reply::raw("HTTP/1.1 200").pause(BRIEF).reset())),
            fails(K::Io, P::Head, "reset")),
        row("sends half a body to a second GET", Again(Then::Get),
            Plays(|r| second(r, || Reply::raw(ok200!("Content-Length: 9\r\n\r\nhalf")).close())),
            fails(K::Body, P::Body, "4 of 9")),
        row("closes after an interim to a second GET", Again(Then::Get),
            Plays(|r| second(r, || Reply::status(102).close())),
            fails(K::Protocol, P::Head, "closed")),
        row("sends noise to a second GET", Again(Then::Get), Plays(|r| second(r, || Reply::raw("noise").close())),
            fails(K::Protocol, P::Head, "nois")),
        row("is silent to a second GET", Again(Then::Get), Plays(|r| second(r, Reply::hang)),
            fails(K::Timeout, P::Head, "waiting")),
        row("is silent to a second POST", Again(Then::Post), Plays(|r| second(r, Reply::hang)),
            fails(K::Timeout, P::Head, "waiting")),
    ]
}

#[rustfmt::skip]
fn redirects() -> Vec<Row> {
    vec![
        row("redirects to itself", Get, Plays(|_| Reply::redirect(302, "/")),
            fails(K::Redirect, P::Head, "in a circle")).kept(),
        row("redirects to and fro", Get, Plays(|r| Reply::redirect(301, if r.path() == "/" { "/a" } else { "/" })),
            fails(K::Redirect, P::Head, "in a circle")).kept(),
        row("redirects without end", Get, Plays(|r| Reply::redirect(307, &format!("{}x", r.target))),
            fails(K::Redirect, P::Head, "more than 10")).kept(),
        row("redirects to a file", Get, Plays(|_| Reply::redirect(302, "file:///etc/passwd")),
            fails(K::Redirect, P::Head, "out of http")).kept(),
        row("redirects to a script", Get, Plays(|_| Reply::redirect(302, "javascript:alert(1)")),
            fails(K::Redirect, P::Head, "out of http")).kept(),
        row("redirects to what is no URL", Get, Plays(|_| Reply::redirect(302, "http://[")),
            fails(K::Redirect, P::Head, "not a URL")).kept(),
        row("redirects to no host", Get, Plays(|_| Reply::redirect(302, "http://")),
            fails(K::Redirect, P::Head, "not a URL")).kept(),
        row("redirects to where nobody is", Get, Plays(|_| Reply::redirect(302, "http://127.0.0.1:1/")),
            fails(K::Connect, P::Connect, "127.0.0.1:1: ")).kept().elsewhere(),
        row("redirects to nowhere", Get, Plays(|_| Reply::status(302).body("lost")), ok(302, "lost")).kept(),
        row("redirects with content without end", Get,
            Plays(|r| moved(r, || Reply::redirect(302, "/to").header("Connection", "close").forever("x"))),
            ok(200, "there")).kept(),
        row("redirects with less than its length", Get,
            Plays(|r| moved(r, || Reply::redirect(302, "/to").header("Content-Length", "9").body("half").close())),
            ok(200, "there")).kept(),
        row("redirects a stream that is gone", Stream, Early(|_| last(307).header("Location", "/to")),
            fails(K::Redirect, P::Head, "is gone")),
        row("redirects from https to http", Get, Https(|_| Reply::redirect(301, "http://127.0.0.1:1/")),
            fails(K::Redirect, P::Head, "from https to http")).kept(),
    ]
}

#[rustfmt::skip]
fn tls() -> Vec<Row> {
    vec![
        row("speaks TLS where http is asked for", Get, TlsOnHttp, fails(K::Protocol, P::Head, "use https")),
        row("speaks http where TLS is asked for", Get, HttpOnTls, fails(K::Tls, P::Tls, "plain http")),
        row("closes before the handshake", Get, BeforeTls(close), fails(K::Tls, P::Tls, "closed the connection")),
        row("resets before the handshake", Get, BeforeTls(reset),
            fails(K::Tls, P::Tls, "reset")).or(K::Connect, P::Connect),
        row("is silent in the handshake", Get, BeforeTls(Reply::hang),
            fails(K::Timeout, P::Tls, "in the TLS handshake")),
        row("sends noise in the handshake", Get, BeforeTls(|| Reply::empty().forever(b"\xff\0\x7f")),
            fails(K::Tls, P::Tls, "TLS")),
        row("sends half a record and closes", Get, BeforeTls(|| Reply::raw(b"\x16\x03\x03\0\x40\x02").close()),
            fails(K::Tls, P::Tls, "closed the connection")),
        row("refuses the handshake", Get, BeforeTls(|| Reply::raw(b"\x15\x03\x03\0\x02\x02\x50").close()),
            fails(K::Tls, P::Tls, "refused")),
        row("shows a certificate that has expired", Get, Shows(Leaf::Expired), fails(K::Tls, P::Tls, "")),
        row("shows a certificate for another host", Get, Shows(Leaf::OtherHost),
            fails(K::Tls, P::Tls, "is not for 127.0.0.1")),
        row("shows a certificate it signed itself", Get, Shows(Leaf::SelfSigned),
            fails(K::Tls, P::Tls, "signed by itself")),
        row("cuts TLS before the answer", Get, Https(|_| Reply::empty().cut()),
            fails(K::Io, P::Head, "cut the TLS connection")),
        row("closes TLS before the answer", Get, Https(|_| close()), fails(K::Protocol, P::Head, "before any byte")),
        row("resets TLS before the answer", Get, Https(|_| reset()), fails(K::Io, P::Head, "reset")),
        row("cuts TLS in the head", Get, Https(|_| Reply::raw(ok200!("A: b")).cut()),
            fails(K::Io, P::Head, "cut the TLS connection")),
        row("cuts TLS within its length", Get, Https(|_| Reply::raw(ok200!("Content-Length: 9\r\n\r\nhalf")).cut()),
            fails(K::Body, P::Body, "close_notify")),
        row("closes TLS within its length", Get, Https(|_| Reply::raw(ok200!("Content-Length: 9\r\n\r\nhalf")).close()),
            fails(K::Body, P::Body, "4 of 9")),
        row("cuts TLS in chunks", Get, Https(|_| Reply::raw(chunked!("2\r\nhi\r\n")).cut()),
            fails(K::Body, P::Body, "close_notify")),
        row("ends content over TLS by closing", Get, Https(|_| Reply::raw(ok200!("\r\nhi")).close()), ok(200, "hi")),
        row("ends content over TLS by a cut", Get, Https(|_| Reply::raw(ok200!("\r\nhi")).cut()),
            fails(K::Body, P::Body, "close_notify")),
        row("ends content over TLS by a reset", Get, Https(|_| Reply::raw(ok200!("\r\nhi")).pause(BRIEF).reset()),
            fails(K::Body, P::Body, "reset")),
        row("cuts TLS after its length", AfterClose(Then::Get), Https(|_| Reply::text("first").cut()),
            ok(200, "first")),
        row("sends noise past TLS in the body", Get,
            Https(|_| Reply::raw(ok200!("Content-Length: 9\r\n\r\nhalf")).pause(BRIEF).naked(b"noise, not TLS")),
            fails(K::Body, P::Body, "")).or(K::Io, P::Head),
        row("sends noise past TLS in the head", Get,
            Https(|_| Reply::raw(ok200!("A: b")).pause(BRIEF).naked(b"noise, not TLS")),
            fails(K::Io, P::Head, "")),
        row("sends a second response over TLS", Get,
            Https(|_| Reply::raw(with_forged!("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi"))),
            ok(200, "hi")),
        row("closes TLS at a second GET", Again(Then::Get), Https(|r| second(r, close)), ok(200, "first")).kept(),
        row("cuts TLS at a second GET", Again(Then::Get), Https(|r| second(r, || Reply::empty().cut())),
            ok(200, "first")).kept(),
        row("cuts TLS at a POST on a used connection", Again(Then::Post), Https(|r| second(r, || Reply::empty().cut())),
            fails(K::Io, P::Head, "cut the TLS connection")),
        row("sends content over TLS without end", Get, Https(|_| Reply::raw(ok200!("\r\n")).forever("x")),
            fails(K::Timeout, P::Body, "reading")),
    ]
}

/// An answer after which the connection is to be closed, however much of the request was sent by then.
fn last(status: u16) -> Reply {
    Reply::status(status).header("Connection", "close").header("Content-Length", "2").body("no")
}

/// Answers the first request of a connection well, and plays this at the second.
fn second(request: &Request, play: fn() -> Reply) -> Reply {
    if request.nth == 1 { Reply::text("first") } else { play() }
}

/// Says something unasked on its first connection, and closes it.
fn idle(request: &Request, unasked: &'static str) -> Reply {
    // In a write of its own: the client may have the connection in its pool by then.
    if request.connection == 1 { Reply::text("first").bytes(unasked).close() } else { Reply::text("fresh") }
}

/// Plays this, and answers well where it leads to.
fn moved(request: &Request, play: fn() -> Reply) -> Reply {
    if request.path() == "/" { play() } else { Reply::text("there") }
}
