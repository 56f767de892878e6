//! Where the content ends and whether the connection lives on: RFC 9112, sections 6.3 and 9.3.

use super::diagnose::shown;
use super::head::{Head, Version};
use super::is_word;
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

/// What was asked, as far as the framing of the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Head,
    Connect,
    Other,
}

impl Asked {
    /// Methods are case-sensitive (RFC 9110, section 9.1).
    pub(super) fn by(method: &str) -> Asked {
        match method {
            "HEAD" => Asked::Head,
            "CONNECT" => Asked::Connect,
            _ => Asked::Other,
        }
    }
}

/// Decides on the framing and notes in the head whether the connection may be used again.
///
/// # Errors
/// [`Kind::Protocol`] where the fields contradict themselves or name a transfer coding other than chunked.
pub(super) fn decide(asked: Asked, head: &mut Head, signals: Signals) -> Result<Framing> {
    let empty = match head.status() {
        204 | 304 => true,
        200..=299 if asked == Asked::Connect => true,
        _ => asked == Asked::Head,
    };
    let has_codings = !matches!(signals.codings, Codings::None);
    let has_length = !matches!(signals.length, Declared::None);
    let announces_content = !matches!(signals.length, Declared::None | Declared::Length(0));
    let framing = match (signals.codings, signals.length) {
        _ if empty => Framing::Empty,
        (Codings::Refused(error), _) => return Err(error),
        (Codings::Chunked, _) => Framing::Chunked,
        (Codings::None, Declared::Refused(error)) => return Err(error),
        (Codings::None, Declared::Length(length)) => Framing::Length(length),
        (Codings::None, Declared::None) => Framing::UntilClose,
    };
    let http10 = head.version() == Version::Http10;
    let persistent = !signals.close && (!http10 || signals.keep_alive);
    // Both fields at once, or a coding in HTTP/1.0, are how responses are smuggled (RFC 9112, section 6.1).
    let doubtful = has_codings && (has_length || http10);
    // A server that announces content with a 204 may well send it.
    let stray = head.status() == 204 && (has_codings || announces_content);
    head.set_keep_alive(persistent && !doubtful && !stray && framing != Framing::UntilClose);
    Ok(framing)
}

enum Codings {
    None,
    Chunked,
    Refused(Error),
}

enum Declared {
    None,
    Length(u64),
    Refused(Error),
}

/// What the fields of a head say of framing and of the connection.
pub(super) struct Signals {
    close: bool,
    keep_alive: bool,
    codings: Codings,
    length: Declared,
}

impl Signals {
    pub(super) const fn new() -> Signals {
        Signals { close: false, keep_alive: false, codings: Codings::None, length: Declared::None }
    }

    /// Takes note of a field.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) {
        if is_word(name, b"Connection") {
            self.connection(value);
        } else if is_word(name, b"Content-Length") {
            self.content_length(value);
        } else if is_word(name, b"Transfer-Encoding") {
            self.transfer_encoding(value);
        }
    }

    fn connection(&mut self, value: &[u8]) {
        if is_word(value, b"keep-alive") {
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
        if let (Declared::None, Some(length)) = (&self.length, decimal(value)) {
            self.length = Declared::Length(length);
            return;
        }
        for element in elements(value) {
            self.length = match (decimal(element), &self.length) {
                (_, Declared::Refused(_)) => return,
                (None, _) => Declared::Refused(refuse(format!(
                    "Content-Length is \"{}\", not plain digits of a number within 64 bits",
                    shown(element)
                ))),
                (Some(new), Declared::Length(old)) if new != *old => Declared::Refused(refuse(format!(
                    "two different Content-Length values, {old} and {new}, where one is right"
                ))),
                (Some(new), _) => Declared::Length(new),
            };
        }
    }

    /// Empty elements of the list are skipped (RFC 9110, section 5.6.1.2), but one coding there must be.
    fn transfer_encoding(&mut self, value: &[u8]) {
        let mut codings = elements(value).filter(|coding| !coding.is_empty()).peekable();
        if codings.peek().is_none() {
            self.codings = Codings::Refused(refuse("Transfer-Encoding is empty, only chunked is understood".into()));
        }
        for coding in codings {
            self.codings = match (&self.codings, coding.eq_ignore_ascii_case(b"chunked")) {
                (Codings::Refused(_), _) => return,
                (Codings::None, true) => Codings::Chunked,
                (Codings::Chunked, true) => {
                    Codings::Refused(refuse("Transfer-Encoding names chunked twice, where once is right".into()))
                }
                (_, false) => Codings::Refused(refuse(format!(
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
