//! What a server says of a failure, in the content of its response: a few words for people.

use serde_json::Value;

use crate::charset;

/// The members of a JSON error that say most, the best first: OAuth (RFC 6749, section 5.2), RFC 9457, and what many APIs
/// do without a standard. A member that is an object or a list is looked into in the same way.
const MEMBERS: [&str; 8] = ["message", "error_description", "detail", "error", "errors", "msg", "reason", "title"];

/// The elements of XML and HTML that say most: of S3 and its kin, of SOAP, of error pages.
const ELEMENTS: [&str; 3] = ["message", "faultstring", "title"];

/// How deep a JSON error is looked into: `errors[0].error.message`.
const DEPTH: u32 = 4;

/// The most characters that are taken.
const MAX_CHARS: usize = 200;

/// The server's own words on one line, if the content has any.
///
/// A longer text is cut, with `…` at its end, by which a [`Redactor`](crate::Redactor) finds a secret that was cut.
pub(super) fn find(status: u16, content_type: Option<&str>, content: &[u8]) -> Option<Box<str>> {
    let text = match std::str::from_utf8(content) {
        Ok(text) => text.into(),
        // Content that was cut may end within a character.
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&content[..error.valid_up_to()]),
        Err(_) => charset::decode(content_type, content)?,
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    let said = match text.bytes().next()? {
        b'{' | b'[' | b'"' => match serde_json::from_str::<Value>(text) {
            Ok(document) => in_json(&document, DEPTH)?.to_owned(),
            Err(_) => first_line(text).to_owned(),
        },
        b'<' => unescaped(in_markup(text)?),
        _ => first_line(text).to_owned(),
    };
    // Error pages are titled `404 Not Found`, and the status stands before this.
    let said = said.trim();
    let said = said.strip_prefix(&status.to_string()).unwrap_or(said).trim_start_matches([' ', ':', '-', '\u{2013}']);
    on_one_line(said)
}

fn in_json(value: &Value, depth: u32) -> Option<&str> {
    match value {
        Value::String(text) => Some(text).map(|text| text.trim()).filter(|text| !text.is_empty()),
        Value::Array(items) if depth > 0 => in_json(items.first()?, depth - 1),
        Value::Object(members) if depth > 0 => MEMBERS.iter().find_map(|name| in_json(members.get(*name)?, depth - 1)),
        _ => None,
    }
}

/// The text of the first of [`ELEMENTS`] that there is.
fn in_markup(text: &str) -> Option<&str> {
    // ASCII alone changes, so that places in both are the same.
    let lower = text.to_ascii_lowercase();
    ELEMENTS.iter().find_map(|name| {
        let opened = lower.match_indices(name).find(|(at, _)| {
            let after = lower[at + name.len()..].bytes().next();
            lower[..*at].ends_with(['<', ':']) && after.is_some_and(|byte| byte == b'>' || byte.is_ascii_whitespace())
        });
        let from = opened?.0 + lower[opened?.0..].find('>')? + 1;
        let end = from + lower[from..].find('<')?;
        Some(text[from..end].trim()).filter(|text| !text.is_empty())
    })
}

/// The text with the entities that every document may use replaced.
fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The words with single spaces between them, cut to [`MAX_CHARS`].
fn on_one_line(text: &str) -> Option<Box<str>> {
    let mut line = String::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next().filter(|_| line.len() <= 4 * MAX_CHARS) {
        line.extend((!line.is_empty()).then_some(' '));
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(MAX_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    (!line.is_empty()).then(|| line.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_the_places_that_apis_use() {
        for (content, said) in [
            (r#"{"error":"invalid api key"}"#, "invalid api key"),
            (r#"{"message":"Bad credentials","documentation_url":"https://x"}"#, "Bad credentials"),
            (r#"{"error":"invalid_client","error_description":"Unknown client"}"#, "Unknown client"),
            (
                r#"{"type":"about:blank","title":"Out of credit","detail":"30 are left, 50 needed"}"#,
                "30 are left, 50 needed",
            ),
            (r#"{"type":"about:blank","title":"Out of credit"}"#, "Out of credit"),
            (r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#, "Rate limit exceeded"),
            (r#"{"errors":["one","two"]}"#, "one"),
            (r#"{"error":{"type":"x","message":"The model is overloaded"}}"#, "The model is overloaded"),
            (r#"{"detail":[{"loc":["q"],"msg":"field required"}]}"#, "field required"),
            (r#"[{"message":"Session expired","errorCode":"INVALID"}]"#, "Session expired"),
            (r#"{"error":true,"message":"  "}"#, ""),
            (r#"{"ok":false}"#, ""),
            (r#""plain string""#, "plain string"),
            ("{not json\nmore", "{not json"),
            ("invalid api key\r\nsecond line", "invalid api key"),
            ("\n\n  late\tline  ", "late line"),
            ("<html>\n<head><TITLE lang=en>403 Forbidden</TITLE></head>", "Forbidden"),
            (
                "<?xml version=\"1.0\"?><Error><Code>A</Code><Message>Access &amp; Denied</Message></Error>",
                "Access & Denied",
            ),
            ("<s:Envelope><s:Body><s:Fault><faultstring>no</faultstring>", "no"),
            ("<html><body>no title</body></html>", ""),
            ("403: nope", "nope"),
            ("403", ""),
            ("", ""),
            ("\u{feff}marked", "marked"),
        ] {
            let found = find(403, None, content.as_bytes());
            assert_eq!(found.as_deref().unwrap_or_default(), said, "{content}");
        }
    }

    #[test]
    fn what_is_no_text_says_nothing_and_a_long_text_is_cut() {
        assert_eq!(find(500, None, b"\x00\xff\xfe\x01"), None);
        assert_eq!(find(500, Some("text/plain; charset=iso-8859-1"), b"ung\xfcltig").as_deref(), Some("ungültig"));
        let long = find(500, None, "ü ".repeat(70_000).as_bytes()).expect("text");
        assert_eq!(long.chars().count(), MAX_CHARS + 1);
        assert!(long.ends_with('…'));
        assert_eq!(find(500, None, "{".repeat(60_000).as_bytes()).expect("text").chars().count(), MAX_CHARS + 1);
        assert_eq!(find(500, None, &"aü".as_bytes()[..2]).as_deref(), Some("a"));
    }
}
