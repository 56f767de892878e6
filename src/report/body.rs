//! The form in which the content of a response stands in a report: JSON, text, or bytes.

use std::borrow::Cow;
use std::time::Instant;

use super::cutoff::Cutoff;
use super::redacted::MAX_NESTING;
use super::{embed, escape};
use crate::charset;
use crate::http::is_printable;
use crate::outcome::Outcome;

/// The content of an outcome, read back if it lies in a file.
pub(super) struct LoadedBody<'a> {
    bytes: Option<Cow<'a, [u8]>>,
    /// Whether it is known to be JSON.
    is_json: bool,
    /// Why there is none although the outcome has one, in the word of the report.
    pub(super) omitted: Option<&'static str>,
}

impl LoadedBody<'_> {
    /// Loads it, unless this moment has come. May block.
    pub(super) fn of<'a>(outcome: &'a Outcome, cutoff: &Cutoff) -> LoadedBody<'a> {
        let Some(body) = &outcome.body else { return LoadedBody::without(None) };
        if cutoff.has_come(Instant::now()) {
            cutoff.omit();
            return LoadedBody::without(Some("interrupted"));
        }
        match body.read() {
            Ok(bytes) => LoadedBody { bytes: Some(bytes), is_json: body.is_known_json(), omitted: None },
            Err(_) => {
                cutoff.omit();
                LoadedBody::without(Some("unreadable"))
            }
        }
    }

    fn without(omitted: Option<&'static str>) -> LoadedBody<'static> {
        LoadedBody { bytes: None, is_json: false, omitted }
    }

    /// The form in which a report can hold it, as [`classify`] tells it.
    pub(super) fn classify(&self, content_type: Option<&str>) -> Option<ReportBody<'_>> {
        Some(classify(content_type, self.bytes.as_deref()?, self.is_json))
    }
}

/// Content in the form in which a report can hold it. None of it is lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReportBody<'a> {
    /// JSON that can be embedded as it is.
    Json(&'a str),
    /// Text.
    Text(Cow<'a, str>),
    /// Neither.
    Bytes(&'a [u8]),
}

/// Tells the form by what the server calls the content and by what it is.
///
/// It is JSON if Content-Type says so and every reader can take it. It is text if it is UTF-8 and no other charset is
/// named, or if it is in a charset that is known here: ISO 8859-1, ASCII, and with the feature `charset` those of the web.
/// Everything else is bytes, and so is text that [is not for reading](is_readable).
///
/// What is known to be JSON is not read once more to find out.
pub(super) fn classify<'a>(content_type: Option<&str>, bytes: &'a [u8], is_known_json: bool) -> ReportBody<'a> {
    let content_type = content_type.unwrap_or_default();
    if is_json(content_type) {
        let without_bom = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        // JSON is UTF-8 whatever a charset parameter says: RFC 8259, section 11, does not define one.
        let is_portable = |text: &&str| match is_known_json {
            true => embed::is_within_limits(text, MAX_NESTING),
            false => embed::is_portable_json(text, MAX_NESTING),
        };
        if let Some(text) = std::str::from_utf8(without_bom).ok().filter(is_portable) {
            return if is_readable(text) { ReportBody::Json(text) } else { ReportBody::Bytes(bytes) };
        }
    }
    let text = charset::decode(Some(content_type), bytes).filter(|text| is_readable(text));
    text.map_or(ReportBody::Bytes(bytes), ReportBody::Text)
}

/// Escapes may always add so much, so that a short text with a few marks of direction stays text.
const ESCAPES_THAT_FIT: usize = 1024;

/// Whether the text has no control characters that are for machines (a binary data byte of WHATWG's MIME Sniffing, such as
/// NUL), and is not mostly made of what a JSON string of ours has to escape in six bytes. 16 MiB of NULs that came as 16 KB
/// of gzip would otherwise take 100 MB in a report.
fn is_readable(text: &str) -> bool {
    // Most contents are ASCII, which is looked at without a stop at each quotation mark.
    if text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')) {
        return true;
    }
    let mut added = 0;
    let mut rest = text;
    loop {
        rest = &rest[escape::plain_len(rest.as_bytes())..];
        let mut chars = rest.chars();
        match chars.next() {
            None => return added <= text.len() + ESCAPES_THAT_FIT,
            Some('\t' | '\n' | '\r' | '\x0c' | '"' | '\\') => {}
            Some('\0'..='\x1a' | '\x1c'..='\x1f') => return false,
            Some(c) if !is_printable(c) => added += 6 - c.len_utf8().min(6),
            Some(_) => {}
        }
        rest = chars.as_str();
    }
}

/// Whether the media type is JSON or built on it (RFC 6839, section 3.1).
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is = |one: &str| essence.eq_ignore_ascii_case(one);
    let suffix =
        || essence.rsplit_once('+').is_some_and(|(before, it)| before.contains('/') && it.eq_ignore_ascii_case("json"));
    is("application/json") || is("text/json") || suffix()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify<'a>(content_type: Option<&str>, bytes: &'a [u8]) -> ReportBody<'a> {
        super::classify(content_type, bytes, false)
    }

    fn text(text: &str) -> ReportBody<'_> {
        ReportBody::Text(Cow::Borrowed(text))
    }

    #[test]
    fn media_types_of_json() {
        for yes in [
            "application/json",
            "Application/JSON; charset=latin1",
            "text/json ;x=y",
            "application/problem+json",
            "application/vnd.api+JSON",
        ] {
            assert_eq!(classify(Some(yes), b"[1]"), ReportBody::Json("[1]"), "{yes}");
        }
        for no in
            ["", "text/plain", "application/jsonp", "application/x-ndjson", "+json", "text/plain; a=application/json"]
        {
            assert_eq!(classify(Some(no), b"[1]"), text("[1]"), "{no}");
        }
        assert_eq!(classify(None, b"[1]"), text("[1]"));
    }

    #[test]
    fn json_that_is_none_is_text_or_bytes() {
        let json = Some("application/json");
        assert_eq!(classify(json, b"\xef\xbb\xbf{}"), ReportBody::Json("{}"));
        assert_eq!(classify(json, b""), text(""));
        assert_eq!(classify(json, b"{\"a\":1e999}"), text("{\"a\":1e999}"));
        assert_eq!(classify(json, b"<html>"), text("<html>"));
        assert_eq!(classify(json, b"\"\xff\""), ReportBody::Bytes(b"\"\xff\""));
        assert_eq!(classify(Some("application/json; charset=latin1"), b"\"\xe9\""), text("\"é\""));
        assert_eq!(classify(json, b"\xef\xbb\xbfno"), text("\u{feff}no"));
    }

    #[test]
    fn charsets() {
        assert_eq!(classify(Some("text/plain; charset=\"UTF-8\""), "é\x7f".as_bytes()), text("é\x7f"));
        assert_eq!(classify(Some("text/plain; charset=utf-8"), b"\xe9"), ReportBody::Bytes(b"\xe9"));
        assert_eq!(classify(Some("text/plain;x=1; Charset = ISO-8859-1"), b"\xe9\x80"), text("é\u{80}"));
        assert_eq!(classify(Some("text/plain; charset=latin1"), "é".as_bytes()), text("Ã©"));
        assert_eq!(classify(Some("text/plain; charset=us-ascii"), b"\xe9"), ReportBody::Bytes(b"\xe9"));
        assert_eq!(classify(Some("text/plain; charset=windows-1252"), b"a"), text("a"));
        let rarer = |known, bytes| if cfg!(feature = "charset") { text(known) } else { ReportBody::Bytes(bytes) };
        assert_eq!(classify(Some("text/plain; charset=windows-1252"), b"\x80"), rarer("\u{20ac}", b"\x80"));
        assert_eq!(classify(Some("text/plain; charset=Shift_JIS"), b"\x93\xfa"), rarer("\u{65e5}", b"\x93\xfa"));
        // UTF-16 of ASCII is valid UTF-8 full of NULs.
        assert_eq!(classify(Some("text/plain; charset=utf-16"), b"a\0"), rarer("a", b"a\0"));
        let broken = b"\x93";
        assert_eq!(classify(Some("text/plain; charset=Shift_JIS"), broken), ReportBody::Bytes(broken));
        assert_eq!(classify(Some("application/octet-stream"), b"plain"), text("plain"));
        assert_eq!(classify(None, b"\x89PNG"), ReportBody::Bytes(b"\x89PNG"));
    }

    #[test]
    fn what_is_not_for_reading_is_bytes_whatever_it_is_called() {
        let plain = Some("text/plain");
        for control in ["\0", "\x08", "\x0b", "\x0e", "\x1f"] {
            let content = format!("some text{control}");
            assert_eq!(classify(plain, content.as_bytes()), ReportBody::Bytes(content.as_bytes()), "{control:?}");
        }
        // What is in texts: colours of a terminal, pages of a printer, marks of direction.
        for fine in ["\x1b[31mred\x1b[0m\n", "a\tb\r\n\x0c", "\u{200f}\u{202e}", "\u{feff}"] {
            assert_eq!(classify(plain, fine.as_bytes()), text(fine), "{fine:?}");
        }
        // Many of one character that is escaped would make a report several times as large as the content.
        let many = |c: &str| c.repeat(10_000);
        for (content_type, content) in [
            ("text/plain", many("\x7f").into_bytes()),
            ("text/plain", many("\x1b").into_bytes()),
            ("text/plain; charset=latin1", vec![0x80; 10_000]),
            ("application/json", format!("\"{}\"", many("\x7f")).into_bytes()),
        ] {
            assert_eq!(classify(Some(content_type), &content), ReportBody::Bytes(&content), "{content_type}");
        }
        let long = many("\"\\\n");
        assert_eq!(classify(plain, long.as_bytes()), text(&long));
        let long = many("\u{200b}");
        assert_eq!(classify(plain, long.as_bytes()), text(&long));
    }

    #[test]
    fn all_of_latin_1_can_be_turned_back() {
        let bytes = Vec::from_iter(32..=255u8);
        let ReportBody::Text(text) = classify(Some("text/plain; charset=latin1"), &bytes) else { panic!("not text") };
        assert_eq!(text.chars().map(|c| c as u8).collect::<Vec<u8>>(), bytes);
    }
}
