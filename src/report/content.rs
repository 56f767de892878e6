//! What the content of a response is: JSON, text, or bytes.

use std::borrow::Cow;

use super::embed;

/// Content in the form in which a report can hold it. Nothing that came in is lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// JSON that can be embedded as it is.
    Json(&'a str),
    /// Text.
    Text(Cow<'a, str>),
    /// Neither.
    Bytes(&'a [u8]),
}

/// Judges content by what the server calls it and by what it is.
///
/// It is JSON where Content-Type says so and every reader can take it. It is text where it is UTF-8 and no other charset
/// is named, where it is in a charset named here (ISO 8859-1, or ASCII), and where it is plain ASCII in a charset that
/// extends it. All else is bytes.
pub(super) fn classify<'a>(content_type: Option<&str>, bytes: &'a [u8]) -> Content<'a> {
    let content_type = content_type.unwrap_or_default();
    if is_json(content_type) {
        let without_bom = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        // JSON is UTF-8 whatever a charset says, which RFC 8259, section 11, does not define.
        if let Some(text) = std::str::from_utf8(without_bom).ok().filter(|text| embed::is_strict(text)) {
            return Content::Json(text);
        }
    }
    decode(charset(content_type).as_deref(), bytes).map_or(Content::Bytes(bytes), Content::Text)
}

/// Whether the media type is JSON or built on it (RFC 6839, section 3.1).
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(&*essence, "application/json" | "text/json") || (essence.contains('/') && essence.ends_with("+json"))
}

/// The charset parameter in lower case, without quotes.
fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| value.to_ascii_lowercase())
    })
}

/// The text, or `None` where it is not text in this charset or the charset is not known here.
fn decode<'a>(charset: Option<&str>, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    let utf8 = || std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    match charset.unwrap_or_default() {
        // Servers that say ASCII and send UTF-8 mean it.
        "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => utf8(),
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "l1" => {
            // The first 256 characters of Unicode are those of ISO 8859-1, so nothing is lost.
            if bytes.is_ascii() { utf8() } else { Some(bytes.iter().copied().map(char::from).collect()) }
        }
        other if other.starts_with("iso-8859-") || other.starts_with("windows-125") => {
            if bytes.is_ascii() {
                utf8()
            } else {
                None
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Content<'_> {
        Content::Text(Cow::Borrowed(text))
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
            assert_eq!(classify(Some(yes), b"[1]"), Content::Json("[1]"), "{yes}");
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
        assert_eq!(classify(json, b"\xef\xbb\xbf{}"), Content::Json("{}"));
        assert_eq!(classify(json, b""), text(""));
        assert_eq!(classify(json, b"{\"a\":1e999}"), text("{\"a\":1e999}"));
        assert_eq!(classify(json, b"<html>"), text("<html>"));
        assert_eq!(classify(json, b"\"\xff\""), Content::Bytes(b"\"\xff\""));
        assert_eq!(classify(Some("application/json; charset=latin1"), b"\"\xe9\""), text("\"é\""));
        assert_eq!(classify(json, b"\xef\xbb\xbfno"), text("\u{feff}no"));
    }

    #[test]
    fn charsets() {
        assert_eq!(classify(Some("text/plain; charset=\"UTF-8\""), "é\0".as_bytes()), text("é\0"));
        assert_eq!(classify(Some("text/plain; charset=utf-8"), b"\xe9"), Content::Bytes(b"\xe9"));
        assert_eq!(classify(Some("text/plain;x=1; Charset = ISO-8859-1"), b"\xe9\x80"), text("é\u{80}"));
        assert_eq!(classify(Some("text/plain; charset=latin1"), "é".as_bytes()), text("Ã©"));
        assert_eq!(classify(Some("text/plain; charset=us-ascii"), b"\xe9"), Content::Bytes(b"\xe9"));
        assert_eq!(classify(Some("text/plain; charset=windows-1252"), b"a"), text("a"));
        assert_eq!(classify(Some("text/plain; charset=windows-1252"), b"\x80"), Content::Bytes(b"\x80"));
        // UTF-16 of ASCII is valid UTF-8 full of NULs.
        assert_eq!(classify(Some("text/plain; charset=utf-16"), b"a\0"), Content::Bytes(b"a\0"));
        assert_eq!(classify(Some("application/octet-stream"), b"plain"), text("plain"));
        assert_eq!(classify(None, b"\x89PNG"), Content::Bytes(b"\x89PNG"));
    }

    #[test]
    fn all_of_latin_1_can_be_turned_back() {
        let bytes = Vec::from_iter(0..=255u8);
        let Content::Text(text) = classify(Some("text/plain; charset=latin1"), &bytes) else { panic!("not text") };
        assert_eq!(text.chars().map(|c| c as u8).collect::<Vec<u8>>(), bytes);
    }
}
