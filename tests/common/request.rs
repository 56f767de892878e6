//! A request as the server read it, and the reader. Stricter than a server need be: it judges the client.

use std::io::{self, Read};

/// A head longer than this is refused.
const MAX_HEAD: usize = 256 * 1024;
/// A body longer than this is refused.
const MAX_BODY: u64 = 64 * 1024 * 1024;
const MAX_FIELDS: usize = 256;

/// One request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// As sent: `GET`.
    pub(crate) method: String,
    /// As sent: `/path?query`, an absolute URL towards a proxy, or `host:port` with CONNECT.
    pub(crate) target: String,
    /// The minor version: 1 is HTTP/1.1.
    pub(crate) version: u8,
    /// Names as sent, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    /// Without its framing; empty while [`on_head`](super::Builder::on_head) looks at it.
    pub(crate) body: Vec<u8>,
    /// Which connection it came on; the first has 1.
    pub(crate) connection: usize,
    /// Which request on this connection it is; the first has 1.
    pub(crate) nth: usize,
    /// How many requests were in flight when its head was read, itself among them.
    pub(crate) in_flight: usize,
    /// The name the client asked for in the TLS handshake.
    pub(crate) sni: Option<String>,
}

impl Request {
    /// The value of the first field of this name, in any case of letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The values of all fields of this name.
    pub(crate) fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// What follows the `?`.
    pub(crate) fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether another request may follow on the connection (RFC 9112, 9.3).
    pub(crate) fn keeps_alive(&self) -> bool {
        self.version == 1 && !has_token(self.headers_named("connection"), "close")
    }

    pub(super) fn framing(&self) -> Result<Framing, Problem> {
        let lengths: Vec<&str> = self.headers_named("content-length").collect();
        let codings: Vec<&str> = self.headers_named("transfer-encoding").collect();
        match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => Ok(Framing::Length(0)),
            ([], ["chunked"]) => Ok(Framing::Chunked),
            ([text], []) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => match text.parse::<u64>() {
                Ok(length) if length <= MAX_BODY => Ok(Framing::Length(length)),
                _ => Err(Problem::Malformed(format!("content-length {text} is over {MAX_BODY}"))),
            },
            _ => Err(Problem::Malformed(format!("content-length {lengths:?} with transfer-encoding {codings:?}"))),
        }
    }
}

/// Whether a comma-separated list has this token.
pub(super) fn has_token<'a>(mut values: impl Iterator<Item = &'a str>, token: &str) -> bool {
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

/// How a body ends.
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

impl Framing {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Framing::Length(0))
    }
}

/// Why no request could be read.
#[derive(Debug)]
pub(super) enum Problem {
    /// The client went away: before a request, or within one.
    Gone,
    /// The client sent what is not a request: the test fails.
    Malformed(String),
}

impl From<io::Error> for Problem {
    fn from(_: io::Error) -> Problem {
        Problem::Gone
    }
}

/// Reads requests off a connection; keeps what was read too far.
#[derive(Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// Whether the client sent more than was read as requests.
    pub(super) fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Reads one head.
    pub(super) fn head(&mut self, wire: &mut impl Read) -> Result<Request, Problem> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
            let mut parsed = httparse::Request::new(&mut fields);
            match parsed.parse(&self.buffer) {
                Ok(httparse::Status::Complete(length)) => {
                    let request = taken(&parsed)?;
                    self.buffer.drain(..length);
                    return Ok(request);
                }
                Ok(httparse::Status::Partial) if self.buffer.len() > MAX_HEAD => {
                    return Err(Problem::Malformed(format!("a head of more than {MAX_HEAD} bytes")));
                }
                Ok(httparse::Status::Partial) => self.fill(wire)?,
                Err(error) => {
                    let start = &self.buffer[..self.buffer.len().min(200)];
                    return Err(Problem::Malformed(format!("{error}: {}", start.escape_ascii())));
                }
            }
        }
    }

    /// Reads one body.
    pub(super) fn body(&mut self, wire: &mut impl Read, framing: &Framing) -> Result<Vec<u8>, Problem> {
        match framing {
            Framing::Length(length) => {
                self.exactly(wire, usize::try_from(*length).expect("at most MAX_BODY, which fits any usize"))
            }
            Framing::Chunked => self.chunked(wire),
        }
    }

    fn chunked(&mut self, wire: &mut impl Read) -> Result<Vec<u8>, Problem> {
        let mut body = Vec::new();
        loop {
            let line = self.line(wire)?;
            let digits = line.split(';').next().unwrap_or_default();
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(Problem::Malformed(format!("{line:?} as the size of a chunk")));
            }
            let size = u64::from_str_radix(digits, 16)
                .ok()
                .filter(|size| *size <= MAX_BODY - body.len() as u64)
                .ok_or_else(|| Problem::Malformed(format!("a chunked body of more than {MAX_BODY} bytes")))?;
            if size == 0 {
                while !self.line(wire)?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exactly(wire, usize::try_from(size).expect("at most MAX_BODY"))?);
            if !self.line(wire)?.is_empty() {
                return Err(Problem::Malformed("a chunk that is longer than its size".into()));
            }
        }
    }

    fn line(&mut self, wire: &mut impl Read) -> Result<String, Problem> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| Problem::Malformed("a line that is not text".into()));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Problem::Malformed("a line without an end".into()));
            }
            self.fill(wire)?;
        }
    }

    fn exactly(&mut self, wire: &mut impl Read, length: usize) -> Result<Vec<u8>, Problem> {
        while self.buffer.len() < length {
            self.fill(wire)?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn fill(&mut self, wire: &mut impl Read) -> Result<(), Problem> {
        let mut piece = [0; 16 * 1024];
        loop {
            match wire.read(&mut piece) {
                Ok(0) => return Err(Problem::Gone),
                Ok(n) => {
                    self.buffer.extend_from_slice(&piece[..n]);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn taken(parsed: &httparse::Request<'_, '_>) -> Result<Request, Problem> {
    let mut request = Request {
        method: parsed.method.unwrap_or_default().into(),
        target: parsed.path.unwrap_or_default().into(),
        version: parsed.version.unwrap_or_default(),
        ..Request::default()
    };
    for field in parsed.headers.iter() {
        // Latin-1, so that every byte the client sent can be asserted on.
        let value = field.value.iter().map(|b| char::from(*b)).collect();
        request.headers.push((field.name.into(), value));
    }
    // RFC 9112, 3.2: exactly one, or a server must answer 400.
    if request.version == 1 && request.headers_named("host").count() != 1 {
        return Err(Problem::Malformed(format!("not one host field: {request:?}")));
    }
    Ok(request)
}
