//! JSON that came in, carried over into a report without loss: RFC 8259, as narrow as every reader takes it.
//!
//! Values are never turned into numbers or maps, so digits, the order of keys and double keys stay as they were sent.

use std::borrow::Cow;
use std::io::{self, Write};

use super::escape::{self, Pieces};
use super::masked::MAX_NESTING;
use crate::redact::Redactor;

/// Whether the text is one JSON value that every reader takes.
///
/// Beyond the grammar: nested at most [`MAX_NESTING`] deep, no escape of half a surrogate pair (RFC 8259, section 8.2),
/// and no number that overflows a double (section 6). Takes no memory and does not recurse.
pub(super) fn is_strict(text: &str) -> bool {
    Scanner { bytes: text.as_bytes(), at: 0 }.document().is_some()
}

/// Writes JSON that [`is_strict`] without whitespace, on one line, with commands escaped and secrets hidden that only
/// show once the escapes of their string are undone, as in `"s\/ecret"`. All others must be hidden before.
pub(super) fn write_compact(out: &mut Pieces<'_>, redactor: &Redactor, text: &str) -> io::Result<()> {
    let bytes = text.as_bytes();
    // What is written as it stands is written at once: from here to where it ends.
    let (mut from, mut at) = (0, 0);
    // All that is cut at is ASCII, so every cut is between characters.
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let (length, plain) = measure_string(&bytes[at..]);
                if !plain {
                    out.write_all(&bytes[from..at])?;
                    write_string(out, redactor, &text[at..at + length])?;
                    from = at + length;
                }
                at += length;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.write_all(&bytes[from..at])?;
                at += bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
                from = at;
            }
            _ => at += 1,
        }
    }
    out.write_all(&bytes[from..])
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

fn write_string(out: &mut Pieces<'_>, redactor: &Redactor, quoted: &str) -> io::Result<()> {
    if !redactor.is_empty() && quoted.contains('\\') {
        if let Ok(string) = serde_json::from_str::<String>(quoted) {
            if let Cow::Owned(hidden) = redactor.redact(&string) {
                return escape::json(out, &hidden);
            }
        }
    }
    escape::fragment(out, quoted)
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Option<()> {
        // A bit for each open container, the innermost lowest: 1 is an object.
        let mut open: u128 = 0;
        let mut depth = 0;
        loop {
            self.whitespace();
            let container = match self.peek()? {
                b'{' => Some((1, b'}')),
                b'[' => Some((0, b']')),
                _ => None,
            };
            if let Some((bit, close)) = container {
                self.at += 1;
                self.whitespace();
                if depth == MAX_NESTING {
                    return None;
                }
                if self.peek()? == close {
                    self.at += 1;
                } else {
                    open = open << 1 | bit;
                    depth += 1;
                    if bit == 1 {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // After a value: close what ends here, then go on to the next value.
            loop {
                self.whitespace();
                if depth == 0 {
                    return (self.at == self.bytes.len()).then_some(());
                }
                let object = open & 1 == 1;
                match (self.next()?, object) {
                    (b',', true) => {
                        self.whitespace();
                        self.key()?;
                        break;
                    }
                    (b',', false) => break,
                    (b'}', true) | (b']', false) => {
                        open >>= 1;
                        depth -= 1;
                    }
                    _ => return None,
                }
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.whitespace();
        (self.next()? == b':').then_some(())
    }

    fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn string(&mut self) -> Option<()> {
        if self.next()? != b'"' {
            return None;
        }
        loop {
            self.at += escape::plain_len(&self.bytes[self.at..]);
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                0..0x20 => return None,
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.hex4()? {
                0xd800..=0xdbff => {
                    let low = self.next()? == b'\\' && self.next()? == b'u';
                    (low && matches!(self.hex4()?, 0xdc00..=0xdfff)).then_some(())
                }
                0xdc00..=0xdfff => None,
                _ => Some(()),
            },
            _ => None,
        }
    }

    fn hex4(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |code, _| Some(code << 4 | char::from(self.next()?).to_digit(16)?))
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.next()? {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        let mut exponent = false;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            exponent = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let text = &self.bytes[start..self.at];
        // A double holds every number of up to 308 digits.
        if !exponent && text.len() <= 308 {
            return Some(());
        }
        std::str::from_utf8(text).ok()?.parse::<f64>().ok()?.is_finite().then_some(())
    }

    fn some_digits(&mut self) -> Option<()> {
        let start = self.at;
        self.digits();
        (self.at > start).then_some(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        escape::in_pieces(&mut out, |out| write_compact(out, redactor, text)).expect("a Vec takes everything");
        String::from_utf8(out).expect("UTF-8 in, UTF-8 out")
    }

    #[test]
    fn good_and_bad_and_what_serde_json_says() {
        for text in GOOD {
            assert!(is_strict(text), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
        for text in BAD {
            assert!(!is_strict(text), "{text}");
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
            assert_eq!(is_strict(text), serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(is_strict(&nested(124)));
        assert!(!is_strict(&nested(125)));
        assert!(!is_strict(&nested(10_000)));
        assert!(!is_strict(&"[".repeat(10_000)));
        assert!(!is_strict(&"{\"a\":".repeat(10_000)));
    }

    #[test]
    fn numbers_that_overflow_are_refused_however_they_are_written() {
        assert!(is_strict(&"9".repeat(308)));
        assert!(!is_strict(&"9".repeat(400)));
        assert!(is_strict(&format!("0.{}", "0".repeat(5000))));
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

    #[test]
    fn secrets_behind_escapes_are_hidden() {
        let redactor = Redactor::new(["hunt/er2".to_owned()]);
        assert_eq!(compact(r#"{"k":"a \"hunt\/er\u0032\" b\n"}"#, &redactor), r#"{"k":"a \"[redacted]\" b\n"}"#);
        assert_eq!(compact(r#"["\/"]"#, &redactor), r#"["\/"]"#);
    }
}
