//! From flags to the content of requests: `--data` and its kin, as in curl.

use std::sync::Arc;

use roundup::{Error, Field, Kind, Result};
use roundup_http::percent;

use crate::cli::flags::Flags;
use crate::cli::input;

/// The options that give content.
const OPTIONS: [&str; 5] = ["data", "data_binary", "data_raw", "data_urlencode", "json"];

/// What they give, in the order in which they were typed: joined by `&`, JSON without.
pub(super) fn content(flags: &Flags) -> Result<Option<Arc<[u8]>>> {
    let mut content: Option<Vec<u8>> = None;
    for (name, value) in flags.in_order(&OPTIONS) {
        let piece = value.parse(|text| match name {
            "data_raw" => Ok(text.as_bytes().to_vec()),
            "data_urlencode" => encoded(text),
            "data" if text.starts_with('@') => read(text).and_then(joined_lines),
            _ => read(text),
        })?;
        match &mut content {
            None => content = Some(piece),
            Some(content) => {
                if name != "json" {
                    content.push(b'&');
                }
                content.extend(piece);
            }
        }
    }
    Ok(content.map(Arc::from))
}

/// The header fields that `--json` adds, unless others of their names were given.
pub(super) fn json_fields(flags: &Flags, given: &[Field]) -> Result<Vec<Field>> {
    if flags.one("json").is_none() {
        return Ok(Vec::new());
    }
    let is_given = |name: &str| given.iter().any(|field| field.name().eq_ignore_ascii_case(name));
    let missing = ["Content-Type", "Accept"].into_iter().filter(|name| !is_given(name));
    missing.map(|name| Field::new(name, "application/json")).collect()
}

/// The text itself, or the content of the file behind an `@`.
fn read(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix('@') {
        Some(file) => input::bytes(file, "the content"),
        None => Ok(text.as_bytes().to_vec()),
    }
}

/// The text of a file without its line breaks, as curl's `--data` sends it. What is no text would be destroyed by that.
fn joined_lines(content: Vec<u8>) -> Result<Vec<u8>> {
    if content.contains(&0) || std::str::from_utf8(&content).is_err() {
        let text = "the file is no text, and --data leaves out line breaks, as curl does: write --data-binary @FILE";
        return Err(Error::new(Kind::Config, text));
    }
    Ok(content.into_iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect())
}

/// `TEXT`, `=TEXT`, `NAME=TEXT`, `@FILE` or `NAME@FILE`, percent-encoded but for the name.
fn encoded(text: &str) -> Result<Vec<u8>> {
    let (name, content) = match text.find(['=', '@']) {
        None => ("", text.as_bytes().to_vec()),
        Some(at) if text.as_bytes()[at] == b'=' => (&text[..at], text.as_bytes()[at + 1..].to_vec()),
        Some(at) => (&text[..at], input::bytes(&text[at + 1..], "the content")?),
    };
    // As forms have it, and curl.
    let encoded = percent::encode(&content, percent::COMPONENT).replace("%20", "+");
    Ok(if name.is_empty() { encoded } else { format!("{name}={encoded}") }.into_bytes())
}

/// Puts content into the query of a URL, as `--get` does.
pub(super) fn query(content: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(content);
    text.map(str::to_owned)
        .map_err(|_| Error::new(Kind::Config, "--get: the content is not text, as a query has to be"))
}
