//! Where the content ends and whether the connection lives on: RFC 9112, sections 6.3 and 9.3.

use super::diagnose::shown;
use super::head::{Head, Version};
use crate::error::{Error, Kind, Phase, Result};

/// How the end of the content is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no content, whatever the fields say: HEAD, 204, 304, a successful CONNECT.
    Empty,
    /// So many bytes.
    Length(u64),
    /// Chunks, of which the last says that it is (RFC 9112, section 7.1).
    Chunked,
    /// Until the server closes the connection.
    UntilClose,
}

/// The method of the request, as far as the framing of the response depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MethodKind {
    Head,
    Connect,
    Other,
}

impl MethodKind {
    /// Methods are case-sensitive (RFC 9110, section 9.1).
    pub(super) fn of(method: &str) -> MethodKind {
        match method {
            "HEAD" => MethodKind::Head,
            "CONNECT" => MethodKind::Connect,
            _ => MethodKind::Other,
        }
    }
}

/// Decides on the framing and notes in the head whether the connection may be used again.
///
/// # Errors
/// [`Kind::Protocol`] if the fields contradict themselves or name a transfer coding other than chunked.
pub(super) fn decide(method: MethodKind, head: &mut Head, fields: FramingFields) -> Result<Framing> {
    let empty = match head.status() {
        204 | 304 => true,
        200..=299 if method == MethodKind::Connect => true,
        _ => method == MethodKind::Head,
    };
    let has_codings = !matches!(fields.codings, TransferCodings::None);
    let has_length = !matches!(fields.length, DeclaredLength::None);
    let announces_content = !matches!(fields.length, DeclaredLength::None | DeclaredLength::Length(0));
    let framing = match (fields.codings, fields.length) {
        _ if empty => Framing::Empty,
        (TransferCodings::Refused(error), _) => return Err(error),
        (TransferCodings::Chunked, _) => Framing::Chunked,
        (TransferCodings::None, DeclaredLength::Refused(error)) => return Err(error),
        (TransferCodings::None, DeclaredLength::Length(length)) => Framing::Length(length),
        (TransferCodings::None, DeclaredLength::None) => Framing::UntilClose,
    };
    let http10 = head.version() == Version::Http10;
    let persistent = !fields.close && (!http10 || fields.keep_alive);
    // Both fields at once, or a coding in HTTP/1.0, are how responses are smuggled (RFC 9112, section 6.1).
    let doubtful = has_codings && (has_length || http10);
    // A server that announces content with a 204 may well send it.
    let stray = head.status() == 204 && (has_codings || announces_content);
    head.set_keep_alive(persistent && !doubtful && !stray && framing != Framing::UntilClose);
    Ok(framing)
}

enum TransferCodings {
    None,
    Chunked,
    Refused(Error),
}

enum DeclaredLength {
    None,
    Length(u64),
    Refused(Error),
}

/// What the fields of a head say about framing and the connection.
pub(super) struct FramingFields {
    close: bool,
    keep_alive: bool,
    codings: TransferCodings,
    length: DeclaredLength,
}

impl FramingFields {
    pub(super) const fn new() -> FramingFields {
        FramingFields { close: false, keep_alive: false, codings: TransferCodings::None, length: DeclaredLength::None }
    }

    /// Takes note of a field.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"Connection") {
            self.connection(value);
        } else if name.eq_ignore_ascii_case(b"Content-Length") {
            self.content_length(value);
        } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
            self.transfer_encoding(value);
        }
    }

    fn connection(&mut self, value: &[u8]) {
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
            return;
        }
        for option in elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Equal values are one value, in a list or in several fields; empty list elements are not digits.
    fn content_length(&mut self, value: &[u8]) {
        if let (DeclaredLength::None, Some(length)) = (&self.length, decimal(value)) {
            self.length = DeclaredLength::Length(length);
            return;
        }
        for element in elements(value) {
            self.length = match (decimal(element), &self.length) {
                (_, DeclaredLength::Refused(_)) => return,
                (None, _) => DeclaredLength::Refused(refuse(format!(
                    "Content-Length is \"{}\", not plain digits of a number within 64 bits",
                    shown(element)
                ))),
                (Some(new), DeclaredLength::Length(old)) if new != *old => DeclaredLength::Refused(refuse(format!(
                    "two different Content-Length values, {old} and {new}, where one is right"
                ))),
                (Some(new), _) => DeclaredLength::Length(new),
            };
        }
    }

    /// Empty elements of the list are skipped (RFC 9110, section 5.6.1.2), but there must be one coding.
    fn transfer_encoding(&mut self, value: &[u8]) {
        let mut codings = elements(value).filter(|coding| !coding.is_empty()).peekable();
        if codings.peek().is_none() {
            self.codings =
                TransferCodings::Refused(refuse("Transfer-Encoding is empty, only chunked is understood".into()));
        }
        for coding in codings {
            self.codings = match (&self.codings, coding.eq_ignore_ascii_case(b"chunked")) {
                (TransferCodings::Refused(_), _) => return,
                (TransferCodings::None, true) => TransferCodings::Chunked,
                (TransferCodings::Chunked, true) => TransferCodings::Refused(refuse(
                    "Transfer-Encoding names chunked twice, where once is right".into(),
                )),
                (_, false) => TransferCodings::Refused(refuse(format!(
                    "Transfer-Encoding \"{}\" is not understood, only chunked alone is",
                    shown(coding)
                ))),
            };
        }
    }
}

fn refuse(message: String) -> Error {
    Error::new(Kind::Protocol, message).in_phase(Phase::Head)
}

/// The elements of a comma-separated list without the white space around them.
fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|b| *b == b',').map(<[u8]>::trim_ascii)
}

/// Digits only, at least one: no sign, no space, no value over `u64::MAX` (RFC 9110, section 8.6).
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_digits_within_u64() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"018446744073709551615"), Some(u64::MAX));
        for wrong in
            ["", "18446744073709551616", "99999999999999999999", "+5", "-5", "5 5", "0x5", "5.0", "1e3", "\u{665}"]
        {
            assert_eq!(decimal(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn lists_are_split_and_trimmed() {
        let list = |text: &'static str| elements(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(list("a, b\t,c"), [b"a", b"b", b"c"]);
        assert_eq!(list(""), [b""]);
        assert_eq!(list("a,"), [&b"a"[..], b""]);
    }
}
