//! Says what is wrong with a head, once it is known that something is: nothing here runs on a good response.
//!
//! Values are never shown: they may be secret.

use super::{is_token, is_value};
use crate::error::{Error, Kind, Phase, Result};

/// What other protocols send first, by their first four bytes.
const OTHER_PROTOCOLS: [(&[u8], &str); 17] = [
    (b"\x15\x03", "TLS is spoken on this port, use https"),
    (b"\x16\x03", "TLS is spoken on this port, use https"),
    (b"SSH-", "this is an SSH server"),
    (b"220 ", "this is an FTP or a mail server"),
    (b"220-", "this is an FTP or a mail server"),
    (b"+OK ", "this is a POP3 server"),
    (b"* OK", "this is an IMAP server"),
    (b"ICY ", "this is a SHOUTcast stream, not HTTP"),
    (b"RTSP", "this is an RTSP server"),
    (b"RFB ", "this is a VNC server"),
    (b"-ERR", "this is a Redis or a POP3 server"),
    (b"\x00\x00", "the server speaks HTTP/2 only"),
    (b"<", "content came without a head, as in HTTP/0.9"),
    (b"{", "content came without a head, as in HTTP/0.9"),
    (b"[", "content came without a head, as in HTTP/0.9"),
    (b"\x1f\x8b", "content came without a head, as in HTTP/0.9"),
    (b"\xef\xbb\xbf", "content came without a head, as in HTTP/0.9"),
];

/// Bytes that tell one foreign protocol from another. With fewer the verdict waits, so that it does not depend on how
/// the bytes were cut into reads.
const ENOUGH: usize = 4;

/// Whether the bytes start like a response in HTTP/1.x: `false` where they are too few to tell.
///
/// # Errors
/// [`Kind::Protocol`] as soon as they cannot be one any more: a server of another protocol may wait for us to speak.
pub(super) fn speaks_http1(rest: &[u8]) -> Result<bool> {
    match rest {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', ..] => Ok(true),
        _ => not_yet(rest, ENOUGH),
    }
}

/// The same where no more bytes will come.
///
/// # Errors
/// [`Kind::Protocol`] where the bytes do not start like HTTP/1.x.
pub(super) fn speaks_http1_at_end(rest: &[u8]) -> Result<bool> {
    match rest {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', ..] => Ok(true),
        _ => not_yet(rest, 0),
    }
}

fn not_yet(rest: &[u8], enough: usize) -> Result<bool> {
    const NAME: &[u8] = b"HTTP/";
    let common = rest.len().min(NAME.len());
    if rest[..common] != NAME[..common] {
        if rest.len() < enough {
            return Ok(false);
        }
        let start = &rest[..rest.len().min(ENOUGH)];
        let hint = OTHER_PROTOCOLS.iter().find(|(first, _)| start.starts_with(first));
        let hint = hint.map_or(String::new(), |(_, hint)| format!(": {hint}"));
        return Err(refuse(format!("the response starts with \"{}\", not with HTTP/1.1{hint}", shown(start))));
    }
    // A whole version is eight bytes, or fewer where a space or a line end follows it, as in `HTTP/2 200`.
    let version = &rest[common..rest.len().min(8)];
    let end = version.iter().position(|b| b.is_ascii_whitespace());
    if rest.len() < 8 && end.is_none() {
        return Ok(false);
    }
    let version = &version[..end.unwrap_or(version.len())];
    Err(refuse(format!("the response is in HTTP version \"{}\", only 1.0 and 1.1 are understood", shown(version))))
}

/// Says where a head is malformed that httparse has refused.
pub(super) fn malformed(bytes: &[u8], error: httparse::Error) -> Error {
    let found = match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue | httparse::Error::NewLine => field_lines(bytes),
        httparse::Error::Version => Some("a space has to follow the version in the status line".to_owned()),
        httparse::Error::Status => Some(status_line(bytes).to_owned()),
        _ => None,
    };
    refuse(found.unwrap_or_else(|| format!("the response's head is malformed: {error}")))
}

fn status_line(bytes: &[u8]) -> &'static str {
    let code = bytes.get(9..).unwrap_or_default();
    let digits = code.iter().take_while(|b| b.is_ascii_digit()).count();
    match (digits, code.get(digits)) {
        (3, Some(b' ')) => "the reason phrase holds a control character",
        (3, Some(b'\r')) => "a CR without LF stands in the status line",
        _ => "the status in the status line is not three digits",
    }
}

/// Names the first field line that is malformed, counted from 1, and the byte in it.
fn field_lines(bytes: &[u8]) -> Option<String> {
    let mut lines = bytes.split_inclusive(|b| *b == b'\n').skip(1).enumerate();
    lines.find_map(|(index, line)| {
        let fault = match index {
            0 if line.starts_with(b" ") || line.starts_with(b"\t") => Some("starts with white space".to_owned()),
            _ => field_line(line),
        };
        fault.map(|fault| format!("field line {} of the response's head {fault}", index + 1))
    })
}

fn field_line(line: &[u8]) -> Option<String> {
    let content = line.strip_suffix(b"\n").map_or(line, |content| content.strip_suffix(b"\r").unwrap_or(content));
    // A line that continues the one before has no name.
    let folded = matches!(content.first(), Some(b' ' | b'\t'));
    let name = if folded { 0 } else { content.iter().take_while(|b| is_token(**b)).count() };
    let shown_name = shown(&content[..name]);
    match content.get(name) {
        _ if folded => {}
        Some(b':') if name == 0 => return Some("has no name before its colon".to_owned()),
        Some(b':') => {}
        Some(b' ' | b'\t') => {
            return Some(format!("has white space after \"{shown_name}\", where a colon has to follow"));
        }
        Some(byte) => {
            return Some(format!("has the byte {byte:#04x} after \"{shown_name}\", where a colon has to follow"));
        }
        None if name > 0 => return Some(format!("has no colon after \"{shown_name}\"")),
        None => return None,
    }
    let value = content.get(name + 1..).unwrap_or_default();
    match value.iter().find(|b| !is_value(**b)) {
        Some(b'\r') => Some(format!("(\"{shown_name}\") has a CR without LF")),
        Some(byte) => Some(format!("(\"{shown_name}\") has the byte {byte:#04x} in its value")),
        None => None,
    }
}

/// Bytes of a server in a message: printable, and not more than fit in a line.
pub(super) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 40;
    let cut = &bytes[..bytes.len().min(MOST)];
    let dots = if cut.len() < bytes.len() { "..." } else { "" };
    format!("{}{dots}", cut.escape_ascii())
}

fn refuse(message: String) -> Error {
    Error::new(Kind::Protocol, message).in_phase(Phase::Head)
}
