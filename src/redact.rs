//! Secret values, kept out of everything that people may read.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use memchr::memmem::Finder;
use roundup_http::REDACTED;

use crate::secret_forms::forms_of;

/// Values shorter than this many bytes are not looked for in any text: to replace every "a" would destroy it and hide
/// nothing. URLs and fields that hold one are shown as they were written all the same.
const MIN_LEN: usize = 4;

/// Values shorter than this are not looked for in what servers sent: four digits of a PIN stand in many numbers.
const MIN_LEN_RECEIVED: usize = 8;

/// Replaces secret values in text that goes to a log, an error or a report. Cheap to clone; `Debug` shows only how many.
///
/// A value is found as it is, in JSON strings, percent-encoded, as a form has it, with the entities of HTML, in hexadecimal
/// digits, within base64, and in UTF-16. What is found is replaced by [`REDACTED`].
///
/// Clones share what is [learned](Self::learn) later.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Arc<Values>>>);

#[derive(Default)]
struct Values {
    values: BTreeSet<Box<str>>,
    /// What is looked for, the longest first, so that a secret that contains another one goes whole.
    forms: Vec<SecretForm>,
}

/// A value as it may stand in a text.
struct SecretForm {
    text: Box<str>,
    /// Finds it: this is prepared once, and the texts are many.
    finder: Finder<'static>,
    /// Whether it is looked for in what servers sent, too.
    in_received: bool,
}

impl Values {
    fn of(values: BTreeSet<Box<str>>) -> Values {
        let mut forms: Vec<SecretForm> = Vec::new();
        for value in &values {
            let in_received = value.trim().len() >= MIN_LEN_RECEIVED;
            let texts = forms_of(value).into_iter().filter(|text| text.len() >= MIN_LEN);
            forms.extend(texts.map(|text| SecretForm {
                finder: Finder::new(text.as_bytes()).into_owned(),
                text: text.into(),
                in_received,
            }));
        }
        // The same text may come of two values; then it is hidden in all places if it is in one of them.
        forms.sort_by(|a, b| {
            b.text.len().cmp(&a.text.len()).then(b.text.cmp(&a.text)).then(b.in_received.cmp(&a.in_received))
        });
        forms.dedup_by(|next, kept| next.text == kept.text);
        Values { values, forms }
    }

    /// What is looked for in texts of servers.
    fn received(&self) -> impl Iterator<Item = &SecretForm> {
        self.forms.iter().filter(|form| form.in_received)
    }
}

impl Redactor {
    /// Hides these values. Those shorter than four bytes are left out, and those shorter than eight are left in what
    /// servers sent.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Redactor {
        Redactor::of(secrets.into_iter().filter(|secret| secret.len() >= MIN_LEN).map(Box::from).collect())
    }

    /// Both lists in one.
    pub fn and(&self, other: &Redactor) -> Redactor {
        let (ours, others) = (self.values(), other.values());
        if others.values.is_subset(&ours.values) {
            return self.clone();
        }
        Redactor::of(ours.values.union(&others.values).cloned().collect())
    }

    /// Hides these values from now on, too, also in all clones: secrets that come up in a run, such as a token that was
    /// fetched.
    pub fn learn(&self, secrets: impl IntoIterator<Item = String>) {
        let ours = self.values();
        let new: BTreeSet<Box<str>> = secrets
            .into_iter()
            .filter(|secret| secret.len() >= MIN_LEN && !ours.values.contains(&**secret))
            .map(Box::from)
            .collect();
        if !new.is_empty() {
            let all = Values::of(ours.values.union(&new).cloned().collect());
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(all);
        }
    }

    fn of(values: BTreeSet<Box<str>>) -> Redactor {
        Redactor(Arc::new(RwLock::new(Arc::new(Values::of(values)))))
    }

    fn values(&self) -> Arc<Values> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.values().forms.is_empty()
    }

    /// Text of our own with every secret replaced by [`REDACTED`]; borrowed if there was none. A part of a secret is found,
    /// too, if the text was cut within it: before `…` or `...`.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let values = self.values();
        // Most runs have no secrets, and then there is nothing to look for.
        if values.forms.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut text = replaced(text, values.forms.iter());
        for ellipsis in ["\u{2026}", "..."] {
            let mut from = 0;
            while let Some(at) = text[from..].find(ellipsis).map(|at| from + at) {
                let cut = values.forms.iter().filter_map(|form| cut_form(&text[..at], &form.text)).max();
                from = at + ellipsis.len();
                if let Some(length) = cut {
                    text.to_mut().replace_range(at - length..at, REDACTED);
                    from = at - length + REDACTED.len() + ellipsis.len();
                }
            }
        }
        text
    }

    /// The same for text that a server sent: values shorter than eight bytes are left in it.
    pub fn redact_received<'a>(&self, text: &'a str) -> Cow<'a, str> {
        replaced(text, self.values().received())
    }

    /// The same for bytes that a server sent and that need not be text.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut bytes = Cow::Borrowed(bytes);
        for form in self.values().received() {
            if let Some(replaced) = replace_found(&bytes, &form.finder, REDACTED) {
                bytes = Cow::Owned(replaced);
            }
        }
        bytes
    }

    /// Whether text that a server sent holds a secret as it stands. Strings of JSON may hold one that shows only when their
    /// escapes are undone.
    #[cfg(feature = "report")]
    pub(crate) fn is_in_received(&self, text: &str) -> bool {
        self.values().received().any(|form| form.finder.find(text.as_bytes()).is_some())
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.values().values.len())
    }
}

fn replaced<'a, 'f>(text: &'a str, forms: impl Iterator<Item = &'f SecretForm>) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for form in forms {
        if form.finder.find(text.as_bytes()).is_some() {
            text = Cow::Owned(text.replace(&*form.text, REDACTED));
        }
    }
    text
}

/// How many bytes at the end of the text are the beginning of a form that goes on, if they are enough to tell.
fn cut_form(text: &str, form: &str) -> Option<usize> {
    let longest = text.len().min(form.len() - 1);
    (MIN_LEN..=longest).rev().find(|length| form.is_char_boundary(*length) && text.ends_with(&form[..*length]))
}

/// `bytes` with `needle` replaced, or `None` if it does not occur.
pub(crate) fn replace(bytes: &[u8], needle: &[u8], with: &str) -> Option<Vec<u8>> {
    replace_found(bytes, &Finder::new(needle), with)
}

fn replace_found(bytes: &[u8], finder: &Finder<'_>, with: &str) -> Option<Vec<u8>> {
    let mut found = finder.find_iter(bytes).peekable();
    found.peek()?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for at in found {
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(with.as_bytes());
        copied = at + finder.needle().len();
    }
    out.extend_from_slice(&bytes[copied..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::new(secrets.iter().map(|secret| (*secret).to_owned()))
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let redactor = redactor(&["hunter2", "hunter2-long", "abc", "qu\"ote"]);
        assert_eq!(redactor.redact("x hunter2-long y hunter2 abc"), "x [redacted] y [redacted] abc");
        assert_eq!(redactor.redact(r#"{"a":"qu\"ote"}"#), r#"{"a":"[redacted]"}"#);
        assert!(matches!(redactor.redact("nothing"), Cow::Borrowed(_)));
        assert_eq!(format!("{redactor:?}"), "Redactor(3 values)");
    }

    #[test]
    fn a_secret_is_found_in_all_its_forms() {
        let redactor = redactor(&["s3/cr t=%", " blanks-around "]);
        for text in [
            "s3/cr t=%",
            "s3%2Fcr%20t%3D%25",
            "s3%2fcr%20t%3d%25",
            "s3%2Fcr+t%3D%25",
            "s3%2fcr+t%3d%25",
            "s3/cr%20t=%",
            "blanks-around",
        ] {
            assert_eq!(redactor.redact(&format!("a,{text},b")), "a,[redacted],b", "{text}");
            assert_eq!(redactor.redact_received(&format!("a,{text},b")), "a,[redacted],b", "{text}");
        }
    }

    /// What servers sent is data: a year in it is no secret only because a secret is that year.
    #[test]
    fn short_secrets_are_left_in_what_servers_sent() {
        let redactor = redactor(&["2026", "12345678"]);
        assert_eq!(redactor.redact_received("20261 and 12345678"), "20261 and [redacted]");
        assert_eq!(&*redactor.redact_bytes(b"\xff20261 12345678\xfe"), b"\xff20261 [redacted]\xfe");
        assert_eq!(redactor.redact("2026 and 12345678"), "[redacted] and [redacted]");
    }

    /// A message that was cut to a width showed 9 of 16 characters.
    #[test]
    fn a_secret_that_was_cut_is_hidden() {
        let redactor = redactor(&["t0ps3cret-t0ken-16"]);
        assert_eq!(redactor.redact("got \"t0ps3cret\u{2026} there"), "got \"[redacted]\u{2026} there");
        assert_eq!(redactor.redact("t0ps3cret-t0... and t0ps..."), "[redacted]... and [redacted]...");
        assert_eq!(redactor.redact("to t0p\u{2026}"), "to t0p\u{2026}");
        assert_eq!(redactor.redact("...t0ps3cret"), "...t0ps3cret");
    }

    /// A token that comes up in a run is hidden in the texts of those who had the redactor before.
    #[test]
    fn clones_share_what_is_learned() {
        let redactor = redactor(&["hunter2"]);
        let clone = redactor.clone();
        redactor.learn(["t0ken".to_owned(), "abc".to_owned(), "hunter2".to_owned()]);
        assert_eq!(clone.redact("hunter2 t0ken abc"), "[redacted] [redacted] abc");
        assert_eq!(format!("{clone:?}"), "Redactor(2 values)");
    }

    /// Derived forms were derived again with each call, and doubled every time.
    #[test]
    fn joining_the_same_lists_again_does_not_grow_them() {
        let one = redactor(&["qu\"ote\\s", "b/c d"]);
        let mut all = one.clone();
        for _ in 0..20 {
            all = all.and(&redactor(&["qu\"ote\\s"])).and(&one);
        }
        assert_eq!(all.values().forms.len(), one.values().forms.len());
        assert_eq!(all.and(&redactor(&["other"])).values().values.len(), 3);
    }
}
