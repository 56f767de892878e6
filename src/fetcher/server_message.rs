//! What a server says of a failure, in the content of its response: a few words for people.

use serde_json::Value;

use crate::charset;

/// The members of a JSON error that say most, the best first: OAuth (RFC 6749, section 5.2), RFC 9457, and what many APIs
/// do without a standard. A member that is an object or a list is looked into in the same way.
/// Upper and lower case are one.
const MEMBERS: [&str; 11] = [
    "message",
    "error_description",
    "error_message",
    "errorMessage",
    "detail",
    "error",
    "errors",
    "msg",
    "reason",
    "title",
    "fault",
];

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
        b'<' => unescaped(in_markup(text)?),
        begin => match serde_json::from_str::<Value>(text) {
            Ok(document) => in_json(&document, DEPTH, false)?,
            Err(_) if matches!(begin, b'{' | b'[') => in_cut_json(text).or_else(|| first_line(text))?,
            Err(_) => first_line(text)?,
        },
    };
    // Error pages are titled `404 Not Found`, and the status stands before this.
    let said = said.trim();
    let said = said.strip_prefix(&status.to_string()).unwrap_or(said).trim_start_matches([' ', ':', '-', '\u{2013}']);
    on_one_line(said)
}

/// The words in this value, which may be `within` a member that holds an error.
fn in_json(value: &Value, depth: u32, within: bool) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        Value::Array(items) if depth > 0 => in_json(items.first()?, depth - 1, within),
        Value::Object(members) if depth > 0 => {
            let member = |name: &&str| {
                let (_, value) = members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
                in_json(value, depth - 1, true)
            };
            // Within an error the names may be those of fields: `{"errors":{"email":["is taken"]}}`.
            let of_field =
                |(name, value): (&String, &Value)| Some(format!("{name}: {}", in_json(value, depth - 1, true)?));
            let fields = members.iter().filter(|_| within);
            MEMBERS.iter().find_map(member).or_else(|| fields.filter_map(of_field).next())
        }
        _ => None,
    }
}

/// The string of the first of [`MEMBERS`] in JSON that was cut, or that is not quite JSON.
fn in_cut_json(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    MEMBERS.iter().find_map(|name| {
        let key = format!("\"{}\"", name.to_ascii_lowercase());
        lower.match_indices(&key).find_map(|(at, _)| {
            let value = text[at + key.len()..].trim_start().strip_prefix(':')?;
            let string = serde_json::Deserializer::from_str(value).into_iter::<String>().next()?.ok()?;
            Some(string).filter(|string| !string.trim().is_empty())
        })
    })
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

/// The first line, unless it is no text for people: one with a NUL, or of which more than a fifth is control characters. A few
/// are colours of a terminal.
fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next()?;
    let controls = line.chars().filter(|c| c.is_control() && *c != '\t').count();
    (!line.contains('\0') && controls * 5 <= line.chars().count()).then(|| line.to_owned())
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
            (r#"{"ok":false,"data":{"name":"x"}}"#, ""),
            (r#"{"Message":"The authorization has been denied"}"#, "The authorization has been denied"),
            (r#"{"__type":"AccessDenied","Message":"not allowed"}"#, "not allowed"),
            (r#"{"error_message":"The provided API key is invalid."}"#, "The provided API key is invalid."),
            (r#"{"errors":{"email":["is taken"],"name":["is short"]}}"#, "email: is taken"),
            (
                r#"{"title":"Invalid","errors":{"Name":["The Name field is required."]}}"#,
                "Name: The Name field is required.",
            ),
            (r#"{"error":{"code":7}}"#, ""),
            (r#"[{"id":"x"}]"#, ""),
            ("null", ""),
            ("true", ""),
            ("17", ""),
            (r#"{"message":"Out of memory","trace":["a","#, "Out of memory"),
            (r#"{"trace":[1],"Message" : "a \"quoted\" word","cut":"here"#, "a \"quoted\" word"),
            ("PK\u{3}\u{4}\u{14}\0\0 text", ""),
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
        let traces = format!("{{\"message\":\"Out of memory\",\"trace\":\"{}", "at line ".repeat(10_000));
        assert_eq!(find(500, None, traces.as_bytes()).as_deref(), Some("Out of memory"));
        assert_eq!(find(500, Some("text/plain; charset=iso-8859-1"), b"ung\xfcltig").as_deref(), Some("ungültig"));
        let long = find(500, None, "ü ".repeat(70_000).as_bytes()).expect("text");
        assert_eq!(long.chars().count(), MAX_CHARS + 1);
        assert!(long.ends_with('…'));
        assert_eq!(find(500, None, "{".repeat(60_000).as_bytes()).expect("text").chars().count(), MAX_CHARS + 1);
        assert_eq!(find(500, None, &"aü".as_bytes()[..2]).as_deref(), Some("a"));
    }
}
