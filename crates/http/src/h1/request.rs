//! Encoding of requests: RFC 9112, sections 3, 6 and 7.1.

use super::diagnose::shown;
use super::{is_target, is_value};
use crate::error::{Error, Kind, Phase, Result};
use crate::token::is_token;

/// What follows the head of a request, and so which field frames it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// No content. POST, PUT and PATCH say `Content-Length: 0`, because their content is expected (RFC 9110, section 8.6).
    None,
    /// So many bytes, which the caller writes after the head.
    Length(u64),
    /// Chunks, made with [`encode_chunk`] and ended with [`encode_last_chunk`].
    Chunked,
}

/// Appends the head of a request to `out`.
///
/// The fields are written in the order given; the caller sees to `Host`, which should come first. `Content-Length` and
/// `Transfer-Encoding` among them are left out: `body` alone says how the content is framed.
///
/// # Errors
/// [`Kind::Config`] if the method or a name is not a token, the target is not visible ASCII, or a value holds a
/// control character: with CR or LF in them, one request would be read as two. `out` is then as it was before.
pub fn encode_head<'a>(
    out: &mut Vec<u8>,
    method: &str,
    target: &str,
    body: RequestBody,
    fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<()> {
    whole_or_nothing(out, |out| {
        request_line(out, method, target)?;
        fields.into_iter().try_for_each(|(name, value)| field(out, name, value))
    })?;
    end_head(out, method, body);
    Ok(())
}

/// The same without content, and with fields that [`encode_fields`] has written.
pub fn encode_head_with(out: &mut Vec<u8>, method: &str, target: &str, fields: &[u8]) -> Result<()> {
    whole_or_nothing(out, |out| request_line(out, method, target))?;
    out.extend_from_slice(fields);
    end_head(out, method, RequestBody::None);
    Ok(())
}

/// Appends fields to `out`, as [`encode_head`] does.
pub fn encode_fields<'a>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<()> {
    whole_or_nothing(out, |out| fields.into_iter().try_for_each(|(name, value)| field(out, name, value)))
}

fn whole_or_nothing(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let before = out.len();
    write(out).map_err(|error| {
        out.truncate(before);
        error.in_phase(Phase::Send)
    })
}

fn end_head(out: &mut Vec<u8>, method: &str, body: RequestBody) {
    match body {
        RequestBody::None if matches!(method, "POST" | "PUT" | "PATCH") => {
            out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        }
        RequestBody::None => out.extend_from_slice(b"\r\n"),
        RequestBody::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            number(out, length, 10);
            out.extend_from_slice(b"\r\n\r\n");
        }
        RequestBody::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
    }
}

/// Appends a chunk with this content to `out`; nothing if `data` is empty, because an empty chunk is the last one.
pub fn encode_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    number(out, data.len() as u64, 16);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the chunk that ends a chunked body, without trailers.
pub fn encode_last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

fn request_line(out: &mut Vec<u8>, method: &str, target: &str) -> Result<()> {
    if !is_token(method.as_bytes()) {
        return Err(refuse(format!("the method \"{}\" is not a token like GET", shown(method.as_bytes()))));
    }
    // What is wrong with a target is told without showing it: it may hold a secret.
    if target.is_empty() {
        return Err(refuse("the request target is empty, at least / is needed".to_owned()));
    }
    if !is_target(target.as_bytes()) {
        let byte = target.bytes().find(|byte| !byte.is_ascii_graphic()).unwrap_or_default();
        return Err(refuse(format!("the request target holds the byte {byte:#04x}, which has to be percent-encoded")));
    }
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    Ok(())
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<()> {
    if !is_token(name.as_bytes()) {
        return Err(refuse(format!("the field name \"{}\" is not a token like X-Name", shown(name.as_bytes()))));
    }
    // The value stays out of the message: it may be a secret.
    if !is_value(value) {
        return Err(refuse(format!("the value of the field {name} holds a control character, text is right")));
    }
    let own = matches!(name.len(), 14 | 17)
        && (name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding"));
    if own {
        return Ok(());
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends a number to this base, 10 or 16, without the machinery of `format!`.
fn number(out: &mut Vec<u8>, mut number: u64, base: u64) {
    // 20 decimal digits hold any u64.
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(number % base) as usize];
        number /= base;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn refuse(message: String) -> Error {
    Error::new(Kind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, target: &str, body: RequestBody, fields: &[(&str, &[u8])]) -> Result<String> {
        let mut out = b"before ".to_vec();
        let result = encode_head(&mut out, method, target, body, fields.iter().copied());
        let text = String::from_utf8(out).expect("the tests give ASCII");
        let text = text.strip_prefix("before ").expect("what was there stays").to_owned();
        assert!(result.is_ok() || text.is_empty(), "an error leaves nothing behind");
        result.map(|()| text)
    }

    #[test]
    fn content_is_framed_by_the_body_alone() {
        let host: (&str, &[u8]) = ("Host", b"a");
        for (method, body, expected) in [
            ("GET", RequestBody::None, "\r\n"),
            ("DELETE", RequestBody::None, "\r\n"),
            ("POST", RequestBody::None, "Content-Length: 0\r\n\r\n"),
            ("PUT", RequestBody::None, "Content-Length: 0\r\n\r\n"),
            ("PATCH", RequestBody::None, "Content-Length: 0\r\n\r\n"),
            ("POST", RequestBody::Length(u64::MAX), "Content-Length: 18446744073709551615\r\n\r\n"),
            ("GET", RequestBody::Length(0), "Content-Length: 0\r\n\r\n"),
            ("PUT", RequestBody::Chunked, "Transfer-Encoding: chunked\r\n\r\n"),
        ] {
            let fields: [(&str, &[u8]); 3] = [host, ("content-length", b"7"), ("Transfer-encoding", b"gzip")];
            let text = head(method, "/x?y=1", body, &fields).expect("all of it is allowed");
            assert_eq!(text, format!("{method} /x?y=1 HTTP/1.1\r\nHost: a\r\n{expected}"));
        }
    }

    #[test]
    fn what_would_split_a_request_is_refused() {
        for (method, target, name, value) in [
            ("GET /", "/", "A", "b"),
            ("", "/", "A", "b"),
            ("GET", "", "A", "b"),
            ("GET", "/ HTTP/1.1\r\nX: y", "A", "b"),
            ("GET", "/\u{e4}", "A", "b"),
            ("GET", "/", "", "b"),
            ("GET", "/", "A:", "b"),
            ("GET", "/", "A", "b\r\nX: y"),
            ("GET", "/", "A", "b\0"),
        ] {
            let error = head(method, target, RequestBody::None, &[(name, value.as_bytes())]).expect_err("refused");
            assert_eq!((error.kind(), error.phase()), (Kind::Config, Some(Phase::Send)));
            assert!(!error.to_string().contains(['\r', '\n', '\0']), "{error}");
        }
    }

    #[test]
    fn chunks_have_hexadecimal_sizes() {
        let mut out = Vec::new();
        encode_chunk(&mut out, &[b'x'; 26]);
        encode_chunk(&mut out, b"");
        encode_last_chunk(&mut out);
        assert_eq!(out, format!("1a\r\n{}\r\n0\r\n\r\n", "x".repeat(26)).as_bytes());
    }
}
