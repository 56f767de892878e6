//! Texts on their way through Redis: in JSON, each value of a secret stands as a mark with its name.
//!
//! Who reads it has values of its own for the names. A mark says in which form the value stood there, because a URL, a form
//! and a JSON string have it in other letters:
//!
//! ```text
//! NUL form NAME NUL      the value in one form
//! NUL z NUL              a NUL that stood there
//! NUL B ...              the rest was in base64, behind "Basic "
//! ```

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::error::{Error, Kind, Result};
use crate::http::percent::{COMPONENT, encode};
use crate::redact::Redactor;
use crate::secret_forms::escaped;
use crate::secrets::Secrets;

const NUL: char = '\0';

/// What stands before the base64 of a user and a password (RFC 7617).
const BASIC: &str = "Basic ";

/// The longest that strings with secrets in place of marks may be together.
const MAX_SHOWN: usize = 32 << 20;

/// Secrets by the forms in which they are found.
#[derive(Debug, Default)]
pub(super) struct SecretText {
    secrets: Secrets,
    redactor: Redactor,
    /// Form, name and the text that it is replaced for; the longest first.
    forms: Vec<(char, Box<str>, Box<str>)>,
}

/// The forms in which a value stands in what is sent, each with its letter. The order is the same for all values.
fn forms_of(value: &str) -> Vec<(char, String)> {
    let component = encode(value.as_bytes(), COMPONENT);
    let mut forms = vec![('r', value.to_owned()), ('t', value.trim().to_owned())];
    forms.extend(escaped(value).map(|text| ('j', text.into())));
    forms.push(('f', component.replace("%20", "+")));
    forms.push(('c', component));
    // In a path, in a query and before the host, the URL standard leaves some characters as they are.
    if let Ok(mut url) = url::Url::parse("http://h/") {
        url.set_path(value);
        url.set_query(Some(value));
        forms.push(('p', url.path().trim_start_matches('/').to_owned()));
        forms.extend(url.query().map(|query| ('q', query.to_owned())));
        if url.set_password(Some(value)).is_ok() {
            forms.extend(url.password().map(|password| ('u', password.to_owned())));
        }
    }
    forms
}

impl SecretText {
    pub(super) fn new(secrets: &Secrets) -> SecretText {
        let mut forms: Vec<(char, Box<str>, Box<str>)> = Vec::new();
        for (name, value) in secrets.iter() {
            for (form, text) in forms_of(value) {
                if !text.is_empty() && forms.iter().all(|(_, _, known)| **known != *text) {
                    forms.push((form, name.into(), text.into()));
                }
            }
        }
        // A secret that holds another one goes whole. The sort is stable: of equal lengths, the first stays first.
        forms.sort_by_key(|(_, _, text)| std::cmp::Reverse(text.len()));
        let redactor = Redactor::new(secrets.iter().map(|(_, value)| value.to_owned()));
        SecretText { secrets: secrets.clone(), redactor, forms }
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Names of the secrets that this text has marks of, which [`hidden`](Self::hidden) made.
    pub(super) fn names_in<'a>(&'a self, text: &str) -> Vec<&'a str> {
        let has = |form: char, name: &str| text.contains(&format!("\\u0000{form}{name}\\u0000"));
        let mut names: Vec<&str> =
            self.forms.iter().filter(|(form, name, _)| has(*form, name)).map(|(_, name, _)| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// JSON with marks in place of the secrets in its strings, and of each NUL; those in forms that have no mark are hidden for
    /// good.
    pub(super) fn hidden(&self, json: &str) -> String {
        if self.secrets.is_empty() {
            return without_nuls(json);
        }
        map_strings(json, |text| {
            let marked = self.marked(text);
            let redacted = match self.redactor.redact_received(&marked) {
                Cow::Owned(redacted) => Some(redacted),
                Cow::Borrowed(_) => None,
            };
            redacted.unwrap_or(marked)
        })
    }

    /// Whether a secret is left in what was [`hidden`](Self::hidden): in a number, or in a form without a mark.
    pub(super) fn is_left(&self, hidden: &str) -> bool {
        hidden.contains(crate::http::REDACTED) || matches!(self.redactor.redact_received(hidden), Cow::Owned(_))
    }

    /// A text with marks.
    fn marked(&self, text: &str) -> String {
        if let Some((before, pair)) = text.split_once(BASIC).and_then(|(before, rest)| Some((before, pair_of(rest)?))) {
            let marked = self.marked_plain(&pair);
            if marked.contains(NUL) {
                return format!("{}{NUL}B{marked}", self.marked_plain(before));
            }
        }
        self.marked_plain(text)
    }

    fn marked_plain(&self, text: &str) -> String {
        // Where each form comes next; a text is gone through once for each, however many of them it has.
        let mut next: Vec<Option<usize>> = self.forms.iter().map(|(_, _, value)| text.find(&**value)).collect();
        let mut next_nul = text.find(NUL);
        let mut marked = String::with_capacity(text.len());
        let mut from = 0;
        loop {
            // Of several that begin at one place the first in the list, which is the longest.
            let first = next.iter().enumerate().filter_map(|(number, at)| Some(((*at)?, number))).min();
            let end = match (first, next_nul) {
                (Some((at, number)), nul) if nul.is_none_or(|nul| at <= nul) => {
                    let (form, name, value) = &self.forms[number];
                    marked.push_str(&text[from..at]);
                    marked.extend([NUL, *form]);
                    marked.push_str(name);
                    marked.push(NUL);
                    at + value.len()
                }
                (_, Some(nul)) => {
                    marked.push_str(&text[from..nul]);
                    marked.extend([NUL, 'z', NUL]);
                    nul + 1
                }
                _ => break,
            };
            for (at, (_, _, value)) in next.iter_mut().zip(&self.forms) {
                if at.is_some_and(|at| at < end) {
                    *at = text[end..].find(&**value).map(|at| end + at);
                }
            }
            if next_nul.is_some_and(|nul| nul < end) {
                next_nul = text[end..].find(NUL).map(|at| end + at);
            }
            from = end;
        }
        marked.push_str(&text[from..]);
        marked
    }
}

/// JSON with marks in place of each NUL in its strings, so that none is taken for the begin of another mark. Whatever has no
/// secrets, or is put into a text that has its marks, needs it.
pub(super) fn without_nuls(json: &str) -> String {
    match json.contains("\\u0000") {
        true => map_strings(json, |text| text.replace(NUL, "\0z\0")),
        false => json.to_owned(),
    }
}

/// The user and password of a field for Basic.
fn pair_of(base64: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(base64).ok()?).ok()
}

/// JSON with the values of secrets in place of their marks.
///
/// # Errors
/// [`Kind::Config`]: a mark names a secret without a value, or is none.
pub(super) fn shown(json: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    // Most have no mark, and then nothing need be looked at.
    if !json.contains("\\u0000") {
        return Ok(json.to_owned());
    }
    let mut wrong = None;
    let mut bytes = 0;
    let text = map_strings(json, |text| {
        let shown = if wrong.is_none() { unmarked(text, value, true) } else { Ok(String::new()) };
        let shown = shown.and_then(|shown| {
            bytes += shown.len();
            if bytes > MAX_SHOWN { Err(too_long()) } else { Ok(shown) }
        });
        shown.unwrap_or_else(|error| {
            wrong.get_or_insert(error);
            String::new()
        })
    });
    wrong.map_or(Ok(text), Err)
}

fn too_long() -> Error {
    Error::new(Kind::Config, format!("it is longer than {} MiB with its secrets in place", MAX_SHOWN >> 20))
}

/// A text with values in place of marks. A pair for Basic holds no other one.
fn unmarked(text: &str, value: &dyn Fn(&str) -> Option<String>, may_be_basic: bool) -> Result<String> {
    let broken = || Error::new(Kind::Config, "a mark of a secret is broken");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NUL) {
        out.push_str(&rest[..at]);
        let mark = &rest[at + 1..];
        let form = mark.chars().next().ok_or_else(broken)?;
        let behind = &mark[form.len_utf8()..];
        if out.len() > MAX_SHOWN {
            return Err(too_long());
        }
        if form == 'B' && may_be_basic {
            let pair = unmarked(behind, value, false)?;
            out.push_str(BASIC);
            out.push_str(&BASE64_STANDARD.encode(pair));
            return Ok(out);
        }
        let (name, behind) = behind.split_once(NUL).ok_or_else(broken)?;
        if form == 'B' {
            return Err(broken());
        }
        if form == 'z' {
            out.push(NUL);
        } else {
            let secret = value(name)
                .ok_or_else(|| Error::new(Kind::Config, format!("there is no value for ${{{name}}} here")))?;
            let written = forms_of(&secret).into_iter().find(|(known, _)| *known == form);
            // A value that needs no escapes has no form of its own with them.
            out.push_str(&written.map_or(secret, |(_, written)| written));
        }
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// JSON with other texts in its strings; numbers, and strings that stay what they are, keep their letters.
fn map_strings(json: &str, mut change: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(json.len() + 64);
    let mut rest = json;
    while let Some(begin) = rest.find('"') {
        let literal = literal_at(&rest[begin..]);
        out.push_str(&rest[..begin]);
        match serde_json::from_str::<Cow<'_, str>>(literal) {
            Ok(text) => {
                let changed = change(&text);
                if *changed == *text {
                    out.push_str(literal);
                } else {
                    out.push_str(&serde_json::to_string(&changed).unwrap_or_default());
                }
            }
            Err(_) => out.push_str(literal),
        }
        rest = &rest[begin + literal.len()..];
    }
    out.push_str(rest);
    out
}

/// The string in quotes with which this begins.
fn literal_at(json: &str) -> &str {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &json[..=at],
            _ => {}
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new([("TOKEN", "s3/cr t&\"\u{fc}-12"), ("LONG", "s3/cr t&\"\u{fc}-12-and-more"), ("PIN", "1234")])
    }

    fn value(name: &str) -> Option<String> {
        secrets().iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }

    #[test]
    fn secrets_go_as_marks_and_come_back() {
        let text = SecretText::new(&secrets());
        let token = "s3/cr t&\"\u{fc}-12";
        let pair = BASE64_STANDARD.encode(format!("me:{token}"));
        let mut url = url::Url::parse("http://h/").expect("a URL");
        url.set_path(token);
        url.set_query(Some(token));
        url.set_password(Some(token)).expect("it has a host");
        for leaf in [
            token.to_owned(),
            format!("{token}-and-more"),
            format!("Authorization: Basic {pair}"),
            format!("Bearer {token}, {token}"),
            serde_json::json!({"a": token}).to_string(),
            url.to_string(),
            format!("a={}", encode(token.as_bytes(), COMPONENT)),
            format!("a={}", encode(token.as_bytes(), COMPONENT).replace("%20", "+")),
            format!("{token}\0\0x"),
            "1234512345".to_owned(),
        ] {
            let json = serde_json::json!({"n": 1.50, "leaf": &leaf, "other": "\u{e9}"}).to_string();
            let hidden = text.hidden(&json);
            assert!(!text.is_left(&hidden) && !hidden.contains("1234"), "{hidden}");
            assert!(!hidden.contains("s3/cr") && !hidden.contains("s3%2"), "{hidden}");
            assert_eq!(shown(&hidden, &value).expect("all are known"), json, "{leaf}");
            assert!(!text.names_in(&hidden).is_empty());
        }
    }

    #[test]
    fn another_value_takes_the_same_form() {
        let text = SecretText::new(&Secrets::new([("A", "one")]));
        let hidden = text.hidden(r#"["http://h/one?q=one", {"one": 1}]"#);
        let other = shown(&hidden, &|_| Some("a b&".to_owned())).expect("known");
        assert_eq!(other, r#"["http://h/a b&?q=a b&", {"a b&": 1}]"#);
        assert_eq!(shown(&hidden, &|_| None).expect_err("unknown").one_line(), "there is no value for ${A} here");
        for broken in [r#""\u0000""#, r#""\u0000r""#, r#""\u0000rA""#, r#""\u0000B\u0000Bx""#] {
            assert_eq!(shown(broken, &value).expect_err(broken).one_line(), "a mark of a secret is broken");
        }
    }

    /// Each `B` made base64 of what the next one had made: eighty of them are 195 GB.
    #[test]
    fn marks_cannot_make_much_of_little() {
        let many = format!("\"{}\"", "\\u0000B".repeat(100_000));
        assert_eq!(shown(&many, &value).expect_err("nested").one_line(), "a mark of a secret is broken");
        let long = |_: &str| Some("x".repeat(1 << 20));
        let line = shown(&format!("\"{}\"", "\\u0000rA\\u0000".repeat(1000)), &long).expect_err("1 GB").one_line();
        assert_eq!(line, "it is longer than 32 MiB with its secrets in place");
        // A server may send as many NULs as a content has bytes.
        let text = SecretText::new(&Secrets::new([("A", "a-long-secret")]));
        let hidden = text.hidden(&format!("\"{}a-long-secret\"", "\\u0000".repeat(300_000)));
        assert!(hidden.ends_with("\\u0000rA\\u0000\"") && !hidden.contains("long"));
    }

    /// Any server may send one.
    #[test]
    fn a_nul_comes_back_also_where_there_are_no_secrets() {
        let json = serde_json::json!({"a\0": "\0", "b": "abc\0def\0rA\0", "c": "\\u0000"}).to_string();
        for secrets in [Secrets::default(), secrets()] {
            let hidden = SecretText::new(&secrets).hidden(&json);
            assert_eq!(shown(&hidden, &value).expect("no mark but those of NUL"), json);
        }
    }

    #[test]
    fn what_has_no_mark_is_hidden_for_good() {
        let text = SecretText::new(&Secrets::new([("A", "a-long-secret")]));
        let hex: String = "a-long-secret".bytes().map(|byte| format!("{byte:02x}")).collect();
        let hidden = text.hidden(&format!("[\"{hex}\", 12]"));
        assert_eq!(hidden, "[\"[redacted]\", 12]");
        assert!(text.is_left(&hidden));
        let number = SecretText::new(&Secrets::new([("N", "1234567890")]));
        assert!(number.is_left(&number.hidden("[1234567890]")));
    }
}
