//! Text in the charset that Content-Type names (RFC 9110, section 8.3.2).

use std::borrow::Cow;

/// The charset parameter in lower case, without quotes.
fn named(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| value.to_ascii_lowercase())
    })
}

/// The text, or `None` if it is not text in the charset that Content-Type names, or that is not known here.
pub(crate) fn decode<'a>(content_type: Option<&str>, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    decode_as(&content_type.and_then(named).unwrap_or_default(), bytes)
}

/// The text of content that is looked into, without a byte order mark: in this charset, or else in UTF-8 if it is that, or
/// else in the charset that Content-Type names.
///
/// # Errors
/// What is wrong, and what would be right.
#[cfg(feature = "fetcher")]
pub(crate) fn decode_content<'a>(
    charset: Option<&str>,
    content_type: Option<&str>,
    bytes: &'a [u8],
) -> Result<Cow<'a, str>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(charset) = charset {
        return decode_as(&charset.to_ascii_lowercase(), bytes).ok_or_else(|| {
            format!("the content is no text in {charset}, which \"format\" gives as its charset{HINT}")
        });
    }
    // JSON is UTF-8, whatever is said of it (RFC 8259, section 8.1).
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let own = if content_type.and_then(named).is_none() { declared_by_xml(bytes) } else { None };
    let decoded = match &own {
        Some(charset) => decode_as(charset, bytes),
        None => decode(content_type, bytes),
    };
    decoded.ok_or_else(|| match content_type.and_then(named).or(own) {
        Some(charset) => format!("the content is no text in {charset}, as the server has it{HINT}"),
        None => {
            "the content is not UTF-8, and its Content-Type names no charset: write format = { charset = \"latin1\" }"
                .to_owned()
        }
    })
}

/// The charset that an XML declaration names, in lower case (RFC 7303, section 3: what Content-Type says goes before it).
#[cfg(feature = "fetcher")]
fn declared_by_xml(bytes: &[u8]) -> Option<String> {
    let end = bytes.strip_prefix(b"<?xml")?.windows(2).take(256).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(bytes.get(5..5 + end)?).ok()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (name, _) = value[1..].split_once(quote)?;
    Some(name.to_ascii_lowercase())
}

fn decode_as<'a>(charset: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    let utf8 = || std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    match charset {
        // Some servers say ASCII and send UTF-8.
        "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => utf8(),
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "l1" => {
            // The first 256 characters of Unicode are those of ISO 8859-1, so nothing is lost.
            if bytes.is_ascii() { utf8() } else { Some(bytes.iter().copied().map(char::from).collect()) }
        }
        other => decode_rarer(other, bytes),
    }
}

/// Whether texts in this charset can be read.
#[cfg(feature = "plan")]
pub(crate) fn is_known(charset: &str) -> bool {
    decode_as(&charset.to_ascii_lowercase(), b"").is_some()
}

/// The text in one of the charsets of the web (the WHATWG's Encoding Standard).
#[cfg(feature = "charset")]
fn decode_rarer<'a>(charset: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    let encoding = encoding_rs::Encoding::for_label(charset.as_bytes())?;
    let (text, had_errors) = encoding.decode_with_bom_removal(bytes);
    (!had_errors).then_some(text)
}

/// The text if it is ASCII, in a charset that extends that.
#[cfg(not(feature = "charset"))]
fn decode_rarer<'a>(charset: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    let extends_ascii = charset.starts_with("iso-8859-") || charset.starts_with("windows-125");
    if extends_ascii && bytes.is_ascii() { std::str::from_utf8(bytes).ok().map(Cow::Borrowed) } else { None }
}

/// What is said behind the name of a charset that is not known.
#[cfg(feature = "fetcher")]
const HINT: &str = if cfg!(feature = "charset") {
    ""
} else {
    "; this build has no other charsets than Latin-1: it lacks the feature charset"
};
