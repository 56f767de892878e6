//! Writes responses to a connection.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use async_io::Async;
use futures_lite::{AsyncWriteExt, future};
use roundup_event_loop::timeout;
use serde_json::json;

use super::request::ReplyTo;

/// How long a client may accept no bytes.
const STALLED: Duration = Duration::from_secs(60);

/// How much is made and sent at once of a content that is streamed.
const PIECE: usize = 16 * 1024;

/// A response.
#[derive(Debug)]
pub(super) struct ServerResponse {
    status: u16,
    fields: Vec<(&'static str, String)>,
    content: ReplyContent,
}

#[derive(Debug)]
enum ReplyContent {
    Whole(Vec<u8>),
    /// This many bytes of filler, made while they are sent.
    Filler(u64),
    /// This many lines of JSON, each a chunk, made while they are sent.
    Lines(u64),
}

impl ServerResponse {
    pub(super) fn json(status: u16, value: &serde_json::Value) -> ServerResponse {
        ServerResponse::new(status, "application/json", ReplyContent::Whole(value.to_string().into_bytes()))
    }

    pub(super) fn text(status: u16, text: impl Into<String>) -> ServerResponse {
        ServerResponse::new(status, "text/plain; charset=utf-8", ReplyContent::Whole((text.into() + "\n").into_bytes()))
    }

    /// A content of so many bytes: the digits from 0 to 9 again and again.
    pub(super) fn filler(length: u64) -> ServerResponse {
        ServerResponse::new(200, "application/octet-stream", ReplyContent::Filler(length))
    }

    /// A content of unknown length: so many lines of JSON.
    pub(super) fn lines(count: u64) -> ServerResponse {
        ServerResponse::new(200, "application/x-ndjson", ReplyContent::Lines(count))
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> ServerResponse {
        self.fields.push((name, value.into()));
        self
    }

    fn new(status: u16, content_type: &str, content: ReplyContent) -> ServerResponse {
        ServerResponse { status, fields: vec![("Content-Type", content_type.to_owned())], content }
    }

    /// Sends it. Returns whether the connection can be used again.
    pub(super) async fn send(self, mut socket: &Async<TcpStream>, to: ReplyTo) -> io::Result<bool> {
        // RFC 9110, section 8.6: neither has a content, and 204 not even a length.
        let bodiless = matches!(self.status, 204 | 304);
        let chunked = matches!(self.content, ReplyContent::Lines(_)) && !to.old;
        let length = match &self.content {
            ReplyContent::Whole(bytes) => Some(bytes.len() as u64),
            ReplyContent::Filler(length) => Some(*length),
            ReplyContent::Lines(_) => None,
        };
        // Without a length or chunks, the content ends with the connection.
        let keep_alive = to.keep_alive && (length.is_some() || chunked);

        let mut out = Vec::with_capacity(512);
        write!(out, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status))?;
        write!(out, "Date: {}\r\n", httpdate::fmt_http_date(SystemTime::now()))?;
        for (name, value) in self.fields.iter().filter(|field| !bodiless || field.0 != "Content-Type") {
            write!(out, "{name}: {value}\r\n")?;
        }
        match length {
            _ if bodiless => {}
            Some(length) => write!(out, "Content-Length: {length}\r\n")?,
            None if chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            None => {}
        }
        match (keep_alive, to.old) {
            (false, _) => out.extend_from_slice(b"Connection: close\r\n"),
            (true, true) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            (true, false) => {}
        }
        out.extend_from_slice(b"\r\n");

        match self.content {
            _ if bodiless || to.head_only => {}
            ReplyContent::Whole(bytes) => out.extend_from_slice(&bytes),
            ReplyContent::Filler(length) => filler(&mut out, length, socket).await?,
            ReplyContent::Lines(count) => lines(&mut out, count, chunked, socket).await?,
        }
        flush(&mut out, socket).await?;
        socket.flush().await?;
        Ok(keep_alive)
    }
}

async fn filler(out: &mut Vec<u8>, length: u64, socket: &Async<TcpStream>) -> io::Result<()> {
    let digits = b"0123456789".repeat(PIECE / 10);
    let mut left = length;
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(usize::MAX).min(digits.len());
        out.extend_from_slice(&digits[..piece]);
        left -= piece as u64;
        flush(out, socket).await?;
    }
    Ok(())
}

async fn lines(out: &mut Vec<u8>, count: u64, chunked: bool, socket: &Async<TcpStream>) -> io::Result<()> {
    for n in 0..count {
        let line = json!({"line": n, "of": count, "square": u128::from(n).pow(2).to_string()}).to_string();
        if chunked {
            write!(out, "{:x}\r\n{line}\n\r\n", line.len() + 1)?;
        } else {
            writeln!(out, "{line}")?;
        }
        if out.len() >= PIECE {
            flush(out, socket).await?;
        }
    }
    if chunked {
        out.extend_from_slice(b"0\r\n\r\n");
    }
    Ok(())
}

/// Sends a piece, then yields: this task would never wait if the socket took everything.
async fn flush(out: &mut Vec<u8>, mut socket: &Async<TcpStream>) -> io::Result<()> {
    let sent = timeout(STALLED, socket.write_all(out)).await;
    sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    out.clear();
    future::yield_now().await;
    Ok(())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No ReplyContent",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "ReplyContent Too Large",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        // RFC 9112, section 4: a reason may be empty.
        _ => "",
    }
}
