//! Secret values, kept out of all that people may read.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Secrets shorter than this are hidden in nothing but the header they were written for: replacing every "a" would
/// destroy a report and hide nothing.
const MIN_LEN: usize = 4;

/// Replaces secret values in text that goes to a log, an error or a report. Cheap to clone; `Debug` shows only how many.
#[derive(Clone, Default)]
pub struct Redactor(Arc<[Box<str>]>);

impl Redactor {
    /// Hides these values. Those shorter than four bytes are left out.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Redactor {
        let mut secrets: Vec<Box<str>> =
            Vec::from_iter(secrets.into_iter().filter(|s| s.len() >= MIN_LEN).map(Box::from));
        // A JSON writer escapes some characters; the escaped form is the same secret.
        let escaped: Vec<Box<str>> = secrets.iter().filter_map(|secret| escaped(secret)).collect();
        secrets.extend(escaped);
        // Longest first, so that a secret that contains another one goes whole.
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        secrets.dedup();
        Redactor(secrets.into())
    }

    /// Both lists in one.
    pub fn and(&self, other: &Redactor) -> Redactor {
        Redactor::new(self.0.iter().chain(other.0.iter()).map(|secret| secret.to_string()))
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with every secret replaced by [`REDACTED`]; borrowed where there was none.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.iter() {
            if text.contains(&**secret) {
                text = Cow::Owned(text.replace(&**secret, REDACTED));
            }
        }
        text
    }

    /// The same for bytes that need not be text.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut bytes = Cow::Borrowed(bytes);
        for secret in self.0.iter() {
            if let Some(replaced) = replace(&bytes, secret.as_bytes()) {
                bytes = Cow::Owned(replaced);
            }
        }
        bytes
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.0.len())
    }
}

/// The secret as it stands inside a JSON string, where that differs.
fn escaped(secret: &str) -> Option<Box<str>> {
    let quoted = serde_json::to_string(secret).ok()?;
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    (inner != secret).then(|| inner.into())
}

/// `bytes` with `needle` replaced, or `None` where it does not occur.
fn replace(bytes: &[u8], needle: &[u8]) -> Option<Vec<u8>> {
    let find =
        |from: usize| bytes[from..].windows(needle.len()).position(|window| window == needle).map(|at| from + at);
    let mut next = find(0)?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    loop {
        out.extend_from_slice(&bytes[copied..next]);
        out.extend_from_slice(REDACTED.as_bytes());
        copied = next + needle.len();
        match find(copied) {
            Some(at) => next = at,
            None => break,
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let redactor =
            Redactor::new(["hunter2".to_owned(), "hunter2-long".to_owned(), "abc".to_owned(), "qu\"ote".to_owned()]);
        assert_eq!(redactor.redact("x hunter2-long y hunter2 abc"), "x [redacted] y [redacted] abc");
        assert_eq!(redactor.redact(r#"{"a":"qu\"ote"}"#), r#"{"a":"[redacted]"}"#);
        assert_eq!(&*redactor.redact_bytes(b"\xffhunter2hunter2\xfe"), b"\xff[redacted][redacted]\xfe");
        assert!(matches!(redactor.redact("nothing"), Cow::Borrowed(_)));
        assert_eq!(format!("{redactor:?}"), "Redactor(4 values)");
    }
}
