//! From bytes to the head of the final response.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::HeadLimits;
use super::diagnose;
use super::framing::{Framing, FramingFields, MethodKind, decide};
use super::head::{Head, Version};
use crate::error::{Error, Kind, Phase, Result};

/// Empty lines skipped before a status line: some servers end a message with one line end too many (RFC 9112,
/// section 2.2).
const MAX_EMPTY_LINES: usize = 4;

/// Fields for which there is room on the stack; heads with more are parsed again with room on the heap.
const STACK_FIELDS: usize = 64;

/// `HTTP/1.1`: with so many bytes the version is known.
const VERSION_LEN: usize = 8;

/// Reads the responses to one request up to the head of the final one.
///
/// Give it all bytes read so far; what it says to have `consumed` is to be dropped before the next call. Called again
/// with more bytes it goes on where it stopped, so that a head that comes byte by byte is searched once.
#[derive(Debug)]
pub struct ResponseParser {
    method: MethodKind,
    limits: HeadLimits,
    /// Interim responses so far.
    interim: u32,
    /// Bytes after the empty lines that were searched for the head's end; 0 before the first try.
    searched: usize,
}

/// What [`ResponseParser::parse`] found.
#[derive(Debug)]
pub enum Parsed {
    /// The head is not complete: read more and call again with all of it.
    Partial,
    /// An interim response (RFC 9110, section 15.2): drop these bytes and go on.
    Interim {
        /// Bytes to drop from the front of the input.
        consumed: usize,
        /// 100 to 199, never 101.
        status: u16,
    },
    /// The head of the final response. What follows belongs to a [`BodyDecoder`](super::BodyDecoder).
    Final {
        /// Bytes to drop from the front of the input.
        consumed: usize,
        /// Status and fields.
        head: Head,
        /// Where the content ends.
        framing: Framing,
    },
}

/// A head that httparse understood.
struct ParsedHead {
    len: usize,
    status: u16,
    /// `None` for interim responses, of which nothing but the status is kept.
    head: Option<Head>,
    framing: Result<Framing>,
}

impl ResponseParser {
    /// Waits for the response to a request of this method, spelled as it was sent.
    pub fn new(method: &str, limits: HeadLimits) -> ResponseParser {
        // Offsets within a head are 32 bits.
        let max_bytes = limits.max_bytes.min(u32::MAX as usize);
        ResponseParser {
            method: MethodKind::of(method),
            limits: HeadLimits { max_bytes, ..limits },
            interim: 0,
            searched: 0,
        }
    }

    /// Looks for a complete head at the front of `input`.
    ///
    /// # Errors
    /// [`Kind::Protocol`] if this is not HTTP/1.x, or not such that one reading of it is certain;
    /// [`Kind::TooLarge`] for a head over its limits. The connection is of no further use then.
    pub fn parse(&mut self, input: &[u8]) -> Result<Parsed> {
        let Some(start) = empty_lines(input)? else { return Ok(Parsed::Partial) };
        let rest = &input[start..];
        if !diagnose::speaks_http1(rest)? {
            return Ok(Parsed::Partial);
        }
        let bounded = &rest[..rest.len().min(self.limits.max_bytes)];
        // Mostly the first read holds the whole head, and httparse finds its end itself. The end is searched for only if it
        // does not, so that a head in many pieces costs a second parse and not one per piece.
        let candidate = if self.searched == 0 { Some(bounded) } else { self.complete_head(bounded) };
        self.searched = bounded.len();
        let parsed = match candidate {
            Some(bytes) => self.parse_head(bytes)?,
            None => None,
        };
        let Some(parsed) = parsed else {
            if rest.len() < self.limits.max_bytes {
                return Ok(Parsed::Partial);
            }
            // A malformed head is reported as that, however it was cut into reads.
            return match self.parse_head(bounded) {
                Err(error) => Err(error),
                Ok(_) => Err(too_large(format!("the response's head is over its limit of {} bytes", bounded.len()))),
            };
        };
        self.searched = 0;
        self.accept(start + parsed.len, parsed)
    }

    /// What it means that the peer closed the connection after `input`, the bytes not yet consumed.
    ///
    /// [`Kind::Protocol`] in any case, which may pass unless the bytes are none of a response. If [`ResponseParser::nothing_came`], a reused connection has probably been
    /// closed before the request reached the server.
    pub fn end_of_input(&self, input: &[u8]) -> Error {
        if self.nothing_came(input) {
            return refuse("the connection was closed before any byte of the response".into()).passing(true);
        }
        let start = match empty_lines(input) {
            Ok(start) => start.unwrap_or(input.len()),
            Err(error) => return error,
        };
        let rest = &input[start..];
        if rest.is_empty() {
            return refuse("the connection was closed before the response's head".into()).passing(true);
        }
        if let Err(error) = diagnose::speaks_http1_at_end(rest) {
            return error;
        }
        match self.parse_head(&rest[..rest.len().min(self.limits.max_bytes)]) {
            Err(error) => error,
            Ok(_) => {
                let text = format!("the connection was closed inside the response's head, after {} bytes", rest.len());
                refuse(text).passing(true)
            }
        }
    }

    /// Whether no byte of any response to this request has come, given the bytes not yet consumed.
    pub fn nothing_came(&self, input: &[u8]) -> bool {
        self.interim == 0 && input.is_empty()
    }

    fn accept(&mut self, consumed: usize, parsed: ParsedHead) -> Result<Parsed> {
        if let Some(head) = parsed.head {
            return Ok(Parsed::Final { consumed, head, framing: parsed.framing? });
        }
        if parsed.status == 101 {
            return Err(refuse("the server switches protocols (101), which was not asked for".into()));
        }
        self.interim += 1;
        if self.interim > self.limits.max_interim {
            let limit = self.limits.max_interim;
            return Err(refuse(format!("over {limit} interim responses (1xx) came, and no final one")));
        }
        Ok(Parsed::Interim { consumed, status: parsed.status })
    }

    /// The bytes up to the end of the head: an empty line, ended by CR LF or by a bare LF (RFC 9112, section 2.2).
    fn complete_head<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        // The last two bytes of the search before can be the first two of the end.
        let from = self.searched.min(bytes.len()).saturating_sub(2);
        let tail = &bytes[from..];
        let line_ends = tail.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
        for next in line_ends {
            let end = match tail[next..] {
                [b'\n', ..] => next + 1,
                [b'\r', b'\n', ..] => next + 2,
                _ => continue,
            };
            return Some(&bytes[..from + end]);
        }
        None
    }

    /// `None` where the head is not complete.
    fn parse_head(&self, bytes: &[u8]) -> Result<Option<ParsedHead>> {
        match bytes.get(VERSION_LEN - 1) {
            // httparse knows 1.0 and 1.1; a higher minor version is handled as the highest that is known (RFC 9110,
            // section 6.2).
            Some(b'2'..=b'9') => {
                let mut known = bytes.to_vec();
                known[VERSION_LEN - 1] = b'1';
                self.parse_known(&known)
            }
            _ => self.parse_known(bytes),
        }
    }

    fn parse_known(&self, bytes: &[u8]) -> Result<Option<ParsedHead>> {
        let room = self.limits.max_fields.min(STACK_FIELDS);
        let mut on_stack = [const { MaybeUninit::uninit() }; STACK_FIELDS];
        match with_httparse(self.method, bytes, &mut on_stack[..room]) {
            Err(httparse::Error::TooManyHeaders) if self.limits.max_fields > STACK_FIELDS => {}
            result => return self.explain(bytes, result),
        }
        // A head of so many bytes cannot hold more fields than this, whatever the limit.
        let room = self.limits.max_fields.min(bytes.len() / 2);
        let mut on_heap = Vec::new();
        on_heap.resize_with(room, MaybeUninit::uninit);
        let result = with_httparse(self.method, bytes, &mut on_heap);
        self.explain(bytes, result)
    }

    fn explain(&self, bytes: &[u8], result: httparse::Result<ParsedHead>) -> Result<Option<ParsedHead>> {
        match result {
            Ok(Status::Complete(parsed)) if parsed.status < 100 => {
                Err(refuse(format!("the status {:03} is not one of 100 to 999", parsed.status)))
            }
            Ok(Status::Complete(parsed)) => Ok(Some(parsed)),
            Ok(Status::Partial) => Ok(None),
            Err(httparse::Error::TooManyHeaders) => {
                Err(too_large(format!("the response's head is over its limit of {} fields", self.limits.max_fields)))
            }
            Err(error) => Err(diagnose::malformed(bytes, error)),
        }
    }
}

/// Parses strictly, and again with folded lines allowed only if that fails on a line that starts with white space. So a
/// head without folds is not searched for them.
fn with_httparse<'b>(
    method: MethodKind,
    bytes: &'b [u8],
    room: &mut [MaybeUninit<Header<'b>>],
) -> httparse::Result<ParsedHead> {
    let mut config = ParserConfig::default();
    loop {
        match with_config(method, &config, bytes, room) {
            Err(httparse::Error::HeaderName) if !config.obsolete_multiline_headers_in_responses_are_allowed() => {
                config.allow_obsolete_multiline_headers_in_responses(true);
            }
            result => return result,
        }
    }
}

fn with_config<'b>(
    method: MethodKind,
    config: &ParserConfig,
    bytes: &'b [u8],
    room: &mut [MaybeUninit<Header<'b>>],
) -> httparse::Result<ParsedHead> {
    let mut response = httparse::Response::new(&mut []);
    let len = match config.parse_response_with_uninit_headers(&mut response, bytes, room)? {
        Status::Complete(len) => len,
        Status::Partial => return Ok(Status::Partial),
    };
    let status = response.code.unwrap_or_default();
    let version = if response.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let folded = config.obsolete_multiline_headers_in_responses_are_allowed();
    if status < 200 {
        return Ok(Status::Complete(ParsedHead { len, status, head: None, framing: Ok(Framing::Empty) }));
    }
    // In one pass over the fields.
    let mut fields = FramingFields::new();
    let note = |name: &[u8], value: &[u8]| fields.note(name, value);
    let mut head = Head::copy(&bytes[..len], response.headers, (status, response.reason), version, folded, note);
    let framing = decide(method, &mut head, fields);
    Ok(Status::Complete(ParsedHead { len, status, head: Some(head), framing }))
}

/// Where the status line starts; `None` if only more bytes can tell.
fn empty_lines(input: &[u8]) -> Result<Option<usize>> {
    let mut start = 0;
    for _ in 0..=MAX_EMPTY_LINES {
        match input[start..] {
            [b'\n', ..] => start += 1,
            [b'\r', b'\n', ..] => start += 2,
            [b'\r'] | [] => return Ok(None),
            [b'\r', ..] => return Err(refuse("a CR without LF stands before the status line".into())),
            _ => return Ok(Some(start)),
        }
    }
    Err(refuse(format!("over {MAX_EMPTY_LINES} empty lines stand before the status line")))
}

fn refuse(message: String) -> Error {
    Error::new(Kind::Protocol, message).in_phase(Phase::Head)
}

fn too_large(message: String) -> Error {
    Error::new(Kind::TooLarge, message).in_phase(Phase::Head)
}
