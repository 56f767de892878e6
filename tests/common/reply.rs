//! What the server does in answer: a script of steps.

use std::any::Any;
use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A script. Most tests need [`Reply::json`] or [`Reply::status`]; the rest is for servers that misbehave.
///
/// ```ignore
/// Reply::status(200).header("X-A", "b").body("hello").late(Duration::from_millis(20))
/// Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").reset()
/// Reply::status(103).header("Link", "</a>").then(Reply::json("{}"))
/// ```
///
/// After the last step the connection is kept or closed as HTTP says. It ends at once after `close`, `cut` and `reset`.
#[derive(Default)]
#[must_use]
pub(crate) struct Reply {
    pub(super) steps: Vec<Step>,
    /// Dropped when the request counts as done.
    pub(super) permit: Option<Box<dyn Any + Send>>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Step {
    Response(Response),
    Bytes(Vec<u8>),
    /// Write this again and again until the client or the test goes.
    Forever(Vec<u8>),
    /// Write this past TLS; the same as `Bytes` without TLS.
    Naked(Vec<u8>),
    Pause(Duration),
    /// Close as one should: with close_notify over TLS.
    Close,
    /// Close TCP without close_notify; the same as `Close` without TLS.
    Cut,
    /// Close with RST.
    Reset,
    /// Answer nothing more and discard what comes, until the client or the test goes.
    Hang,
    /// Answer nothing more and read nothing, until the test goes.
    Stall,
    /// Carry bytes both ways between the client and this port of 127.0.0.1.
    Tunnel(u16),
}

impl Step {
    fn is_write(&self) -> bool {
        matches!(self, Step::Response(_) | Step::Bytes(_))
    }

    fn is_end(&self) -> bool {
        matches!(self, Step::Close | Step::Cut | Step::Reset)
    }
}

/// The step from which on a client may take the answer for complete: the last write where nothing but a close
/// follows or where it ends by itself, else the close. Past the steps where there is none.
pub(super) fn last_deed(steps: &[Step]) -> usize {
    let end = steps.iter().position(Step::is_end).unwrap_or(steps.len());
    match steps[..end].iter().rposition(Step::is_write) {
        Some(write) if write + 1 == end => write,
        Some(write) if matches!(&steps[write], Step::Response(response) if response.keeps_alive()) => write,
        _ => end,
    }
}

/// A well-formed response. Its length is added unless a field says how it ends.
#[derive(Debug)]
pub(super) struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunk: Option<usize>,
}

impl Response {
    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    /// Whether another request can follow: the end of the body is not the end of the connection.
    pub(super) fn keeps_alive(&self) -> bool {
        let connection = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("connection"));
        !super::request::has_token(connection.map(|(_, v)| v.as_str()), "close")
    }

    /// The bytes. `bodiless` is for HEAD: the same head and no content (RFC 9110, 9.3.2).
    pub(super) fn bytes(&self, bodiless: bool) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).into_bytes();
        for (name, value) in &self.headers {
            out.extend(name.as_bytes());
            out.extend(b": ");
            // Latin-1, as in requests.
            out.extend(value.chars().map(|c| u8::try_from(c).expect("a header value in Latin-1")));
            out.extend(b"\r\n");
        }
        // RFC 9110, 6.4.1 and 8.6: these never have content or a length.
        let contentless = self.status < 200 || self.status == 204 || self.status == 304;
        if self.chunk.is_some() {
            out.extend(b"Transfer-Encoding: chunked\r\n");
        } else if !contentless && self.keeps_alive() && !self.has("content-length") && !self.has("transfer-encoding") {
            out.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
        }
        out.extend(b"\r\n");
        if bodiless || contentless {
            return out;
        }
        match self.chunk {
            Some(size) => {
                for piece in self.body.chunks(size) {
                    out.extend(format!("{:x}\r\n", piece.len()).bytes());
                    out.extend(piece);
                    out.extend(b"\r\n");
                }
                out.extend(b"0\r\n\r\n");
            }
            None => out.extend(&self.body),
        }
        out
    }
}

impl Reply {
    /// Nothing yet: append steps.
    pub(crate) fn empty() -> Reply {
        Reply::default()
    }

    /// A response with no content.
    pub(crate) fn status(status: u16) -> Reply {
        let response = Response { status, headers: Vec::new(), body: Vec::new(), chunk: None };
        Reply { steps: vec![Step::Response(response)], permit: None }
    }

    /// 200 with this JSON text.
    pub(crate) fn json(text: impl Into<String>) -> Reply {
        Reply::status(200).header("Content-Type", "application/json").body(text.into())
    }

    /// 200 with this text.
    pub(crate) fn text(text: impl Into<String>) -> Reply {
        Reply::status(200).header("Content-Type", "text/plain; charset=utf-8").body(text.into())
    }

    /// A redirect.
    pub(crate) fn redirect(status: u16, location: &str) -> Reply {
        Reply::status(status).header("Location", location)
    }

    /// These bytes as they are.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply::empty().bytes(bytes)
    }

    /// No answer, and what the client sends is discarded.
    pub(crate) fn hang() -> Reply {
        Reply::empty().step(Step::Hang)
    }

    /// No answer, and what the client sends stays in the socket.
    pub(crate) fn stall() -> Reply {
        Reply::empty().step(Step::Stall)
    }

    /// Adds a field to the last response.
    ///
    /// With `Connection: close` and no `Content-Length`, the content ends with the connection.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.response().headers.push((name.into(), value.into()));
        self
    }

    /// Sets the content of the last response.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.response().body = body.into();
        self
    }

    /// Codes the content of the last response with gzip.
    pub(crate) fn gzip(mut self) -> Reply {
        let response = self.response();
        response.body = gzip(&response.body);
        self.header("Content-Encoding", "gzip")
    }

    /// Sends the content of the last response in chunks of this size.
    pub(crate) fn chunked(mut self, size: usize) -> Reply {
        self.response().chunk = Some(size);
        self
    }

    /// Turns what is to be sent into pieces of this size with a pause between them. Not for HEAD.
    pub(crate) fn in_pieces(mut self, size: usize, pause: Duration) -> Reply {
        for step in std::mem::take(&mut self.steps) {
            self = match step {
                Step::Response(response) => {
                    let pieces = self.pieces(response.bytes(false).chunks(size), pause);
                    if response.keeps_alive() { pieces } else { pieces.close() }
                }
                Step::Bytes(bytes) => self.pieces(bytes.chunks(size), pause),
                other => self.step(other),
            };
        }
        self
    }

    /// Waits before everything else.
    pub(crate) fn late(mut self, delay: Duration) -> Reply {
        self.steps.insert(0, Step::Pause(delay));
        self
    }

    /// Waits.
    pub(crate) fn pause(self, delay: Duration) -> Reply {
        self.step(Step::Pause(delay))
    }

    /// Sends bytes as they are.
    pub(crate) fn bytes(self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.step(Step::Bytes(bytes.into()))
    }

    /// Goes on with these bytes again and again until the client or the test goes.
    pub(crate) fn forever(self, bytes: impl AsRef<[u8]>) -> Reply {
        // In large pieces: a flood of single bytes would be none.
        let bytes = bytes.as_ref();
        self.step(Step::Forever(bytes.repeat((16 * 1024 / bytes.len()).max(1))))
    }

    /// Sends bytes past TLS, in the middle of it.
    pub(crate) fn naked(self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.step(Step::Naked(bytes.into()))
    }

    /// Sends pieces, each in a write of its own, with a pause between them.
    pub(crate) fn pieces<T: AsRef<[u8]>>(mut self, pieces: impl IntoIterator<Item = T>, pause: Duration) -> Reply {
        for (n, piece) in pieces.into_iter().enumerate() {
            if n > 0 {
                self = self.pause(pause);
            }
            self = self.bytes(piece.as_ref());
        }
        self
    }

    /// Closes the connection.
    pub(crate) fn close(self) -> Reply {
        self.step(Step::Close)
    }

    /// Closes TCP without the close_notify of TLS.
    pub(crate) fn cut(self) -> Reply {
        self.step(Step::Cut)
    }

    /// Closes the connection with RST. What was sent shortly before may be lost on the way, as in real life: put
    /// something that the client's answer proves in between where it matters.
    pub(crate) fn reset(self) -> Reply {
        self.step(Step::Reset)
    }

    /// Becomes a tunnel to this port of 127.0.0.1, as a proxy does after CONNECT.
    pub(crate) fn tunnel(self, port: u16) -> Reply {
        self.step(Step::Tunnel(port))
    }

    /// Goes on with nothing until the client or the test goes.
    pub(crate) fn and_hang(self) -> Reply {
        self.step(Step::Hang)
    }

    /// Goes on with the steps of another.
    pub(crate) fn then(mut self, next: Reply) -> Reply {
        self.steps.extend(next.steps);
        self.permit = self.permit.or(next.permit);
        self
    }

    /// Keeps a value until the request counts as done.
    pub(crate) fn holding(mut self, permit: impl Any + Send) -> Reply {
        self.permit = Some(Box::new(permit));
        self
    }

    fn step(mut self, step: Step) -> Reply {
        self.steps.push(step);
        self
    }

    fn response(&mut self) -> &mut Response {
        let last = self.steps.iter_mut().rev().find_map(|step| match step {
            Step::Response(response) => Some(response),
            _ => None,
        });
        last.expect("a reply with a status to add to")
    }
}

/// One gzip member.
pub(crate) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes.as_ref()).expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything")
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        404 => "Not Found",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        // May be empty (RFC 9112, 4), which clients must bear.
        _ => "",
    }
}
