//! JSON that a server sent, embedded in a report without loss: RFC 8259, as narrow as every reader takes it.
//!
//! Values are never turned into numbers or maps, so digits, the order of keys and double keys stay as they were sent.

use std::borrow::Cow;
use std::io::{self, Write};

use memchr::memchr2;
use serde::de::IgnoredAny;

use super::escape::{self, JsonBuffer};
use crate::redact::Redactor;

/// Whether the text is one JSON value that every reader takes, nested at most `levels` deep.
///
/// serde_json knows the grammar, but what it passes over without making values of it, [`RawValue`] included, may still be
/// nested without end, hold half a surrogate pair (RFC 8259, section 8.2) and numbers that overflow a double (section 6).
///
/// [`RawValue`]: serde_json::value::RawValue
pub(super) fn is_portable_json(text: &str, levels: u32) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok() && is_within_limits(text, levels)
}

/// Whether valid JSON is nested at most `levels` deep and all its strings and numbers can be read.
pub(super) fn is_within_limits(text: &str, levels: u32) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        let mut length = 1;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > levels {
                    return false;
                }
            }
            b']' | b'}' => depth -= 1,
            b'"' => {
                let (measured, escaped) = string_len(&bytes[at..]);
                length = measured;
                let quoted = &text[at..at + length];
                if escaped && quoted.contains("\\u") && serde_json::from_str::<String>(quoted).is_err() {
                    return false;
                }
            }
            b'-' | b'0'..=b'9' => {
                length = number_len(&bytes[at..]);
                let number = &text[at..at + length];
                // A double holds every number of up to 308 digits.
                let may_overflow = length > 308 || number.contains(['e', 'E']);
                if may_overflow && !number.parse::<f64>().is_ok_and(f64::is_finite) {
                    return false;
                }
            }
            _ => {}
        }
        at += length;
    }
    true
}

/// What stands in place of a number that holds a secret: what was a number is one, so that readers find the type that
/// they expect.
const HIDDEN_NUMBER: &[u8] = b"0";

/// Writes JSON that [`is_within_limits`] without whitespace, on one line, with commands escaped and secrets hidden: in strings,
/// also if they show only once its escapes are undone, as in `"s\/ecret"`, and in numbers.
pub(super) fn write_compact(out: &mut JsonBuffer<'_>, redactor: &Redactor, text: &str) -> io::Result<()> {
    // Most contents hold no secret, and one look at the whole tells, unless a string may hide one behind its escapes, or a
    // number behind its point. To ask
    // a redactor takes a lock, which for each string and digit would take most of the time of a report.
    let may_hide =
        !redactor.is_empty() && (text.contains('\\') || redactor.has_numbers() || redactor.is_in_received(text));
    let redactor = may_hide.then_some(redactor);
    let bytes = text.as_bytes();
    // What needs no change is written in one piece that begins at `from`.
    let (mut from, mut at) = (0, 0);
    // Pieces end at ASCII characters, so every cut is between characters.
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let (length, plain) = measure_string(&bytes[at..]);
                if !plain || redactor.is_some() {
                    out.write_all(&bytes[from..at])?;
                    write_string(out, redactor, &text[at..at + length], plain)?;
                    from = at + length;
                }
                at += length;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.write_all(&bytes[from..at])?;
                at += bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
                from = at;
            }
            b'-' | b'0'..=b'9' if redactor.is_some() => {
                let length = number_len(&bytes[at..]);
                if redactor.is_some_and(|redactor| redactor.hides_number(&text[at..at + length])) {
                    out.write_all(&bytes[from..at])?;
                    out.write_all(HIDDEN_NUMBER)?;
                    from = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    out.write_all(&bytes[from..])
}

/// A string of JSON with its control characters escaped.
fn with_escaped_controls(quoted: &str) -> String {
    let mut escaped = String::new();
    for c in quoted.chars() {
        match c {
            '\0'..='\x1f' => escaped += &format!("\\u{:04x}", u32::from(c)),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The length of the number that these bytes start with.
fn number_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count()
}

/// The length of the string, quotes included, that these bytes start with, and whether there are escapes in it.
fn string_len(bytes: &[u8]) -> (usize, bool) {
    let (mut at, mut escaped) = (1, false);
    while let Some(next) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += next;
        if bytes[at] == b'"' {
            return (at + 1, escaped);
        }
        (at, escaped) = (at + 2, true);
    }
    (bytes.len(), escaped)
}

/// The length of the string, quotes included, that these bytes start with, and whether all in it stands for itself.
fn measure_string(bytes: &[u8]) -> (usize, bool) {
    let (mut at, mut plain) = (1, true);
    loop {
        at += escape::plain_len(bytes.get(at..).unwrap_or_default());
        at += match bytes.get(at) {
            Some(b'"') => return (at + 1, plain),
            Some(b'\\') => 2,
            Some(_) => 1,
            None => return (bytes.len(), plain),
        };
        plain = false;
    }
}

fn write_string(out: &mut JsonBuffer<'_>, redactor: Option<&Redactor>, quoted: &str, plain: bool) -> io::Result<()> {
    if let Some(redactor) = redactor {
        let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        // A key that was picked by may hold control characters, which are no JSON as they are.
        let read =
            || serde_json::from_str::<String>(quoted).or_else(|_| serde_json::from_str(&with_escaped_controls(quoted)));
        let string = if plain { Cow::Borrowed(inner) } else { read().unwrap_or_default().into() };
        if let Cow::Owned(hidden) = redactor.redact_received(&string) {
            return escape::json(out, &hidden);
        }
    }
    escape::fragment(out, quoted)
}

#[cfg(test)]
mod tests {
    use super::super::redacted::MAX_NESTING;
    use super::*;

    fn is_portable(text: &str) -> bool {
        is_portable_json(text, MAX_NESTING)
    }

    const GOOD: &[&str] = &[
        "null",
        " true ",
        "-0",
        "0.0e-0",
        "1E+2",
        "123456789012345678901234567890",
        "0.1234567890123456789012345678901234567890",
        "1e-999",
        "[]",
        "{ }",
        "[ [] , {} ]",
        r#"{"b":1,"a":[1,2,{"b":"x"}],"b":2}"#,
        r#""\ud83d\ude00 \u0000 \/ \\""#,
        "\"\u{2028}\u{7f}é\"",
        "\t[\r\n1 ,\n 2 ] \n",
    ];

    const BAD: &[&str] = &[
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "NaN",
        "Infinity",
        "+1",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1e999",
        "-1e999",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1]",
        "{'a':1}",
        "{} {}",
        "[] // x",
        "\"",
        "\"\n\"",
        "\"\0\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\u+123""#,
        r#""\ud800""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\ud800""#,
        r#""\udc00""#,
        "\u{feff}1",
    ];

    fn compact(text: &str, redactor: &Redactor) -> String {
        let mut out = Vec::new();
        escape::buffered(&mut out, |out| write_compact(out, redactor, text)).expect("a Vec takes everything");
        String::from_utf8(out).expect("UTF-8 in, UTF-8 out")
    }

    #[test]
    fn good_and_bad_and_what_serde_json_says() {
        for text in GOOD {
            assert!(is_portable(text), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
        for text in BAD {
            assert!(!is_portable(text), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_mutation_is_judged_as_serde_json_does() {
        let alphabet = br#"{}[]",:\ 019-+.eEtrufalsn/d8c"#;
        let mut rng = fastrand::Rng::with_seed(9112);
        for _ in 0..60_000 {
            let mut bytes = GOOD[rng.usize(..GOOD.len())].as_bytes().to_vec();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len());
                bytes[at] = alphabet[rng.usize(..alphabet.len())];
            }
            let Ok(text) = std::str::from_utf8(&bytes) else { continue };
            assert_eq!(is_portable(text), serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(is_portable(&nested(124)));
        assert!(!is_portable(&nested(125)));
        assert!(!is_portable(&nested(10_000)));
        assert!(!is_portable(&"[".repeat(10_000)));
        assert!(!is_portable(&"{\"a\":".repeat(10_000)));
    }

    #[test]
    fn numbers_that_overflow_are_refused_however_they_are_written() {
        assert!(is_portable(&"9".repeat(308)));
        assert!(!is_portable(&"9".repeat(400)));
        assert!(is_portable(&format!("0.{}", "0".repeat(5000))));
    }

    #[test]
    fn compact_keeps_everything_but_whitespace() {
        let none = Redactor::default();
        assert_eq!(
            compact(
                "{ \"b\" : -0 ,\r\n\t\"a b\" : [ 1.10 , 123456789012345678901234567890 ] , \"b\":\"\\\" \" } \n",
                &none
            ),
            r#"{"b":-0,"a b":[1.10,123456789012345678901234567890],"b":"\" "}"#
        );
        assert_eq!(compact("\"\u{2028}é\u{9b}\u{7f}\"", &none), r#""\u2028é\u009b\u007f""#);
        for text in GOOD {
            let written = compact(text, &none);
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("good");
            assert_eq!(value(text), value(&written));
            assert_eq!(compact(&written, &none), written);
        }
    }

    /// serde_json takes control characters in keys when it reads them as bytes, as `select` does.
    #[test]
    fn control_characters_in_keys_are_escaped_and_hide_nothing() {
        let redactor = Redactor::new(["hunter22".to_owned()]);
        assert_eq!(compact("{\"a\u{1}hunter22\n\":1}", &redactor), r#"{"a\u0001[redacted]\n":1}"#);
        assert_eq!(compact("{\"a\u{1}\n\":1}", &Redactor::default()), r#"{"a\u0001\u000a":1}"#);
        assert_eq!(
            compact("{\"\thunt\\/er22 \\\" \\n\":1}", &Redactor::new(["hunt/er22".to_owned()])),
            r#"{"\t[redacted] \" \n":1}"#
        );
    }

    #[test]
    fn secrets_behind_escapes_are_hidden() {
        let redactor = Redactor::new(["hunt/er2".to_owned()]);
        assert_eq!(compact(r#"{"k":"a \"hunt\/er\u0032\" b\n"}"#, &redactor), r#"{"k":"a \"[redacted]\" b\n"}"#);
        assert_eq!(compact(r#"["\/"]"#, &redactor), r#"["\/"]"#);
        // What was hidden in a number or a key leaves it what it was.
        let redactor = Redactor::new(["2026", "12345678"].map(String::from));
        let json = r#"{"12345678":[12345678,-1.2345678,20261,"12345678","2026"],"a":{"b":112345678e1}}"#;
        let hidden = r#"{"[redacted]":[0,-1.2345678,20261,"[redacted]","2026"],"a":{"b":0}}"#;
        assert!(!redactor.hid_numbers());
        assert_eq!(compact(json, &redactor), hidden);
        assert!(redactor.hid_numbers());
        // As Java writes it.
        assert_eq!(compact("[1.2345678E7,1.2345679E7]", &redactor), "[0,1.2345679E7]");
    }
}
