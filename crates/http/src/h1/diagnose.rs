//! Says what is wrong with a head, once it is known that something is: nothing here runs on a good response.
//!
//! Values are never shown: they may be secret.

use super::is_control;
use crate::error::{Error, Kind, Phase, Result};
use crate::token::is_token_byte;

/// Bytes that tell one foreign protocol from another. With fewer the verdict waits, so that it does not depend on how
/// the bytes were cut into reads.
const ENOUGH: usize = 4;

/// Whether the bytes start like a response in HTTP/1.x: `false` if they are too few to tell.
///
/// # Errors
/// [`Kind::Protocol`] as soon as they cannot be one any more: a server of another protocol may wait for us to speak.
pub(super) fn speaks_http1(rest: &[u8]) -> Result<bool> {
    match rest {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', ..] => Ok(true),
        _ => not_yet(rest, ENOUGH),
    }
}

/// The same if no more bytes will come.
///
/// # Errors
/// [`Kind::Protocol`] if the bytes do not start like HTTP/1.x.
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
        let hint = other_protocol(start).map_or(String::new(), |hint| format!(": {hint}"));
        return Err(refuse(format!("the response starts with \"{}\", not with HTTP/1.1{hint}", shown(start))));
    }
    // A whole version is eight bytes, or fewer if a space or a line end follows it, as in `HTTP/2 200`.
    let version = &rest[common..rest.len().min(8)];
    let end = version.iter().position(|b| b.is_ascii_whitespace());
    if rest.len() < 8 && end.is_none() {
        return Ok(false);
    }
    let version = &version[..end.unwrap_or(version.len())];
    Err(refuse(format!("the response is in HTTP version \"{}\", only 1.x is understood", shown(version))))
}

/// What the first four bytes say about the peer's protocol.
fn other_protocol(start: &[u8]) -> Option<&'static str> {
    Some(match start {
        [0x15 | 0x16, 3, ..] => "this port speaks TLS, use https",
        // The SETTINGS frame with which a server starts (RFC 9113, section 3.4).
        [0, 0, _, 4] => "this port speaks HTTP/2 only",
        b"SSH-" => "this is an SSH server",
        b"220 " | b"220-" => "this is an FTP or a mail server",
        b"+OK " => "this is a POP3 server",
        b"* OK" => "this is an IMAP server",
        b"-ERR" => "this is a Redis server",
        b"RTSP" => "this is an RTSP server",
        b"RFB " => "this is a VNC server",
        b"ICY " => "this is a SHOUTcast stream",
        [b'<' | b'{' | b'[', ..] | [0x1f, 0x8b, ..] | [0xef, 0xbb, 0xbf, ..] => {
            "content came without a head, as in HTTP/0.9"
        }
        _ => return None,
    })
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
        (3, _) => "a space or the line end has to follow the status",
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
    // A line that continues the one before is all value.
    if matches!(content.first(), Some(b' ' | b'\t')) {
        return value_fault(content);
    }
    let name = content.iter().take_while(|b| is_token_byte(**b)).count();
    let after = format!("after \"{}\"", shown(&content[..name]));
    match content.get(name) {
        None if name == 0 => None,
        Some(b'\r') if name == 0 => Some("starts with a CR without LF".to_owned()),
        // A CR may be seen before its LF is.
        Some(b'\r') | None => Some(format!("has no colon {after}")),
        Some(b':') if name == 0 => Some("has no name before its colon".to_owned()),
        Some(b':') => value_fault(&content[name + 1..]).map(|fault| format!("{fault}, {after}")),
        Some(b' ' | b'\t') => Some(format!("has white space {after}, where a colon has to follow")),
        Some(byte) => Some(format!("has the byte {byte:#04x} {after}, where a colon has to follow")),
    }
}

fn value_fault(value: &[u8]) -> Option<String> {
    match value.iter().find(|b| is_control(**b))? {
        b'\r' => Some("has a CR without LF in its value".to_owned()),
        byte => Some(format!("has the byte {byte:#04x} in its value")),
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
