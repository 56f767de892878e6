//! Reads requests from a connection (RFC 9112).

use std::net::TcpStream;
use std::time::Duration;

use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use roundup_event_loop::timeout;

/// The longest head of a request, and the longest chunk header and trailer.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// The longest content of a request.
pub(super) const MAX_CONTENT: usize = 1024 * 1024;

/// How many fields a request may have.
const MAX_FIELDS: usize = 100;

const READ_SIZE: usize = 4096;

/// A request that has come in whole.
#[derive(Debug)]
pub(super) struct ServerRequest {
    pub(super) method: String,
    /// From the first slash to the question mark, as sent.
    pub(super) path: String,
    /// Behind the question mark, as sent.
    pub(super) query: String,
    /// In the order of arrival, names in lower case.
    pub(super) fields: Vec<(String, String)>,
    pub(super) content: Vec<u8>,
    pub(super) reply: ReplyTo,
}

/// What a request says about the form of its response.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplyTo {
    /// The method was HEAD: the response has no content.
    pub(super) head_only: bool,
    /// The client speaks HTTP/1.0, which has no chunks.
    pub(super) old: bool,
    /// The client wants to use the connection again.
    pub(super) keep_alive: bool,
}

impl ReplyTo {
    /// The form of a response to what could not be read as a request.
    pub(super) const REFUSAL: ReplyTo = ReplyTo { head_only: false, old: false, keep_alive: false };
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum Unread {
    /// The client has gone, or said nothing for too long.
    Gone,
    /// This server does not take the request: the status that says so, and why.
    Refused(u16, &'static str),
}

/// Reads the requests of one connection, one after the other, pipelined or not.
#[derive(Debug)]
pub(super) struct RequestReader<'a> {
    socket: &'a Async<TcpStream>,
    idle: Duration,
    /// Bytes that were read and not used yet: at most one read more than the longest head or content.
    buffer: Vec<u8>,
    begun: bool,
}

impl<'a> RequestReader<'a> {
    pub(super) fn new(socket: &'a Async<TcpStream>, idle: Duration) -> RequestReader<'a> {
        RequestReader { socket, idle, buffer: Vec::new(), begun: false }
    }

    /// The next request.
    pub(super) async fn next(&mut self) -> Result<ServerRequest, Unread> {
        self.begun = !self.buffer.is_empty();
        match timeout(self.idle, self.request()).await {
            Ok(result) => result,
            Err(_) if self.begun => Err(Unread::Refused(408, "the request took too long to come in")),
            Err(_) => Err(Unread::Gone),
        }
    }

    async fn request(&mut self) -> Result<ServerRequest, Unread> {
        let head = loop {
            if let Some(head) = parse(&self.buffer)? {
                break head;
            }
            self.fill(MAX_HEAD, Unread::Refused(431, "the head of a request has at most 16 KiB")).await?;
        };
        self.buffer.drain(..head.length);
        let mut request = head.request;
        // Before the client is asked to send it.
        if matches!(head.framing, RequestFraming::Length(length) if length > MAX_CONTENT as u64) {
            return Err(TOO_LARGE);
        }
        if head.expects_continue && self.buffer.is_empty() && !matches!(head.framing, RequestFraming::Length(0)) {
            let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
            self.socket.write_all(interim).await.map_err(|_| Unread::Gone)?;
        }
        request.content = match head.framing {
            RequestFraming::Length(length) => self.plain(length).await?,
            RequestFraming::Chunked => self.chunked().await?,
        };
        Ok(request)
    }

    async fn plain(&mut self, length: u64) -> Result<Vec<u8>, Unread> {
        let length = usize::try_from(length).map_err(|_| TOO_LARGE)?;
        while self.buffer.len() < length {
            self.fill(MAX_CONTENT, TOO_LARGE).await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn chunked(&mut self) -> Result<Vec<u8>, Unread> {
        let mut content = Vec::new();
        loop {
            let size = self.chunk_header().await?;
            let size = usize::try_from(size).ok().filter(|size| *size <= MAX_CONTENT - content.len());
            let size = size.ok_or(TOO_LARGE)?;
            if size == 0 {
                self.trailer().await?;
                return Ok(content);
            }
            while self.buffer.len() < size + 2 {
                self.fill(MAX_CONTENT + 2, TOO_LARGE).await?;
            }
            if &self.buffer[size..size + 2] != b"\r\n" {
                return Err(BAD_CHUNK);
            }
            content.extend_from_slice(&self.buffer[..size]);
            self.buffer.drain(..size + 2);
        }
    }

    async fn chunk_header(&mut self) -> Result<u64, Unread> {
        loop {
            match httparse::parse_chunk_size(&self.buffer) {
                Ok(httparse::Status::Complete((length, size))) => {
                    self.buffer.drain(..length);
                    return Ok(size);
                }
                Ok(httparse::Status::Partial) => self.fill(MAX_HEAD, BAD_CHUNK).await?,
                Err(_) => return Err(BAD_CHUNK),
            }
        }
    }

    async fn trailer(&mut self) -> Result<(), Unread> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
            match httparse::parse_headers(&self.buffer, &mut fields) {
                Ok(httparse::Status::Complete((length, _))) => {
                    self.buffer.drain(..length);
                    return Ok(());
                }
                Ok(httparse::Status::Partial) => self.fill(MAX_HEAD, BAD_CHUNK).await?,
                Err(_) => return Err(BAD_CHUNK),
            }
        }
    }

    /// Reads what there is, if less than `most` is waiting to be used.
    async fn fill(&mut self, most: usize, beyond: Unread) -> Result<(), Unread> {
        if self.buffer.len() >= most {
            return Err(beyond);
        }
        let mut read = [0; READ_SIZE];
        match self.socket.read(&mut read).await {
            Ok(0) | Err(_) => Err(Unread::Gone),
            Ok(length) => {
                self.buffer.extend_from_slice(&read[..length]);
                self.begun = true;
                Ok(())
            }
        }
    }
}

const TOO_LARGE: Unread = Unread::Refused(413, "the content of a request has at most 1 MiB");
const BAD_CHUNK: Unread = Unread::Refused(400, "a chunk of the content is malformed");

/// A head, and what follows from it for the content.
#[derive(Debug)]
struct RequestHead {
    request: ServerRequest,
    length: usize,
    framing: RequestFraming,
    expects_continue: bool,
}

#[derive(Debug)]
enum RequestFraming {
    Length(u64),
    Chunked,
}

/// The head at the start of `bytes`; `None` if it is not complete.
fn parse(bytes: &[u8]) -> Result<Option<RequestHead>, Unread> {
    let mut storage = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut storage);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length > MAX_HEAD => {
            return Err(Unread::Refused(431, "the head of a request has at most 16 KiB"));
        }
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Unread::Refused(431, "a request has at most 100 fields")),
        Err(httparse::Error::Version) => {
            return Err(Unread::Refused(505, "only HTTP/1.0 and HTTP/1.1 are spoken here"));
        }
        Err(_) => return Err(Unread::Refused(400, "this is not an HTTP/1.1 request")),
    };
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Unread::Refused(400, "this is not an HTTP/1.1 request"));
    };
    let fields = Vec::from_iter(
        parsed
            .headers
            .iter()
            .map(|field| (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())),
    );
    let old = minor == 0;
    // RFC 9112, section 3.2.
    if !old && values(&fields, "host").count() != 1 {
        return Err(Unread::Refused(400, "a request has one Host field"));
    }
    let framing = framing(&fields)?;
    let (path, query) = split(target);
    let keep_alive =
        if old { token(&fields, "connection", "keep-alive") } else { !token(&fields, "connection", "close") };
    let reply = ReplyTo { head_only: method == "HEAD", old, keep_alive };
    let expects_continue = !old && token(&fields, "expect", "100-continue");
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let request = ServerRequest { method, path, query, fields, content: Vec::new(), reply };
    Ok(Some(RequestHead { request, length, framing, expects_continue }))
}

/// RFC 9112, section 6.3. What could be read in two ways is refused, because a proxy may have read it the other way.
fn framing(fields: &[(String, String)]) -> Result<RequestFraming, Unread> {
    let mut lengths = values(fields, "content-length");
    let mut codings = values(fields, "transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(RequestFraming::Length(0)),
        (Some(length), None) if lengths.next().is_none() => match number(length, u64::MAX) {
            Some(length) => Ok(RequestFraming::Length(length)),
            None => Err(Unread::Refused(400, "Content-Length is not a number")),
        },
        (None, Some(coding)) if codings.next().is_none() && coding.eq_ignore_ascii_case("chunked") => {
            Ok(RequestFraming::Chunked)
        }
        (None, Some(_)) => Err(Unread::Refused(501, "of the transfer codings only chunked is known here")),
        _ => Err(Unread::Refused(400, "a request has one Content-Length or one Transfer-Encoding")),
    }
}

/// Path and query of a target, which may be a whole URL (RFC 9112, section 3.2.2).
fn split(target: &str) -> (&str, &str) {
    let target = match target.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => {
            rest.find(['/', '?']).map_or("/", |at| &rest[at..])
        }
        _ => target,
    };
    match target.split_once('?') {
        Some(("", query)) => ("/", query),
        Some(parts) => parts,
        None => (target, ""),
    }
}

fn values<'a>(fields: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |field| field.0 == name).map(|field| field.1.as_str())
}

/// Whether a field that is a list has this member.
fn token(fields: &[(String, String)], name: &str, member: &str) -> bool {
    values(fields, name).flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(member))
}

/// A number of digits only, at most `most`.
pub(super) fn number(text: &str, most: u64) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| digits && *value <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_both_forms() {
        assert_eq!(split("/a/b?c=d?e"), ("/a/b", "c=d?e"));
        assert_eq!(split("http://h:1/a?b"), ("/a", "b"));
        assert_eq!(split("HTTP://h"), ("/", ""));
        assert_eq!(split("http://h?x=/"), ("/", "x=/"));
        assert_eq!(split("/x?u=http://h/"), ("/x", "u=http://h/"));
        assert_eq!(split("*"), ("*", ""));
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number("12", 12), Some(12));
        for bad in ["", "+5", "-1", "13", " 5", "99999999999999999999"] {
            assert_eq!(number(bad, 12), None, "{bad:?}");
        }
    }

    #[test]
    fn what_has_no_one_meaning_is_refused() {
        let refused = |text: &str| match parse(text.as_bytes()) {
            Err(Unread::Refused(status, _)) => status,
            other => panic!("{text:?}: {other:?}"),
        };
        assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
        assert_eq!(refused("GET / HTTP/2.0\r\n\r\n"), 505);
        assert_eq!(refused("\x16\x03\x01\x02"), 400);
        let with = |fields: &str| refused(&format!("PUT / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(with("Content-Length: 1\r\nContent-Length: 1\r\n"), 400);
        assert_eq!(with("Content-Length: +1\r\n"), 400);
        assert_eq!(with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400);
        assert_eq!(with("Transfer-Encoding: gzip, chunked\r\n"), 501);
        assert_eq!(with(&"a: b\r\n".repeat(101)), 431);
        assert_eq!(with(&format!("a: {}\r\n", "b".repeat(MAX_HEAD))), 431);
    }
}
