//! Secret values, kept out of everything that people may read.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use memchr::memmem::Finder;
use roundup_http::REDACTED;

use crate::secret_forms::{Forms, forms_of};
use crate::text_views::find_behind_escapes;

/// Values shorter than this many bytes are not looked for in any text: to replace every "a" would destroy it and hide
/// nothing. URLs and fields that hold one are shown as they were written all the same.
const MIN_LEN: usize = 4;

/// Values shorter than this are not looked for in what servers sent: four digits of a PIN stand in many numbers.
const MIN_LEN_RECEIVED: usize = 8;

/// Replaces secret values in text that goes to a log, an error or a report. Cheap to clone; `Debug` shows only how many.
///
/// A value is found as it is, in JSON strings, percent-encoded, as a form has it, with the entities of HTML, whichever of its
/// characters are escaped, in hexadecimal digits, within base64, and in UTF-16 and UTF-32. What is found is replaced by
/// [`REDACTED`].
///
/// Clones share what is [learned](Self::learn) later.
#[derive(Clone, Default)]
pub struct Redactor(Arc<SharedValues>);

#[derive(Default)]
struct SharedValues {
    values: RwLock<Arc<Values>>,
    /// Whether a number was hidden.
    hid_number: AtomicBool,
}

#[derive(Default)]
struct Values {
    values: BTreeSet<Box<str>>,
    /// What is looked for, the longest first, so that a secret that contains another one goes whole.
    forms: Vec<SecretForm>,
}

/// A value as it may stand in a text.
struct SecretForm {
    bytes: Box<[u8]>,
    /// Finds it: this is prepared once, and the texts are many.
    finder: Finder<'static>,
    /// Whether it is looked for in what servers sent, too.
    in_received: bool,
    /// Whether it is looked for behind escapes, too.
    is_plain: bool,
}

impl Values {
    fn of(values: BTreeSet<Box<str>>) -> Values {
        let mut forms: Vec<SecretForm> = Vec::new();
        for value in &values {
            let in_received = value.trim().len() >= MIN_LEN_RECEIVED;
            let Forms { plain, escaped } = forms_of(value);
            let all = plain.into_iter().map(|form| (form, true)).chain(escaped.into_iter().map(|form| (form, false)));
            forms.extend(all.filter(|(form, _)| form.len() >= MIN_LEN).map(|(form, is_plain)| SecretForm {
                finder: Finder::new(&form).into_owned(),
                bytes: form.into(),
                in_received,
                is_plain,
            }));
        }
        // The same text may come of two values; then it is hidden in all places if it is in one of them.
        forms.sort_by(|a, b| b.bytes.len().cmp(&a.bytes.len()).then_with(|| b.bytes.cmp(&a.bytes)));
        forms.dedup_by(|next, kept| {
            let is_same = next.bytes == kept.bytes;
            kept.in_received |= is_same && next.in_received;
            kept.is_plain |= is_same && next.is_plain;
            is_same
        });
        Values { values, forms }
    }

    /// The bytes with every form replaced; `None` if there was none.
    fn hide(&self, bytes: &[u8], is_received: bool) -> Option<Vec<u8>> {
        let mut hidden: Option<Vec<u8>> = None;
        for form in self.wanted(is_received) {
            hidden = replace_found(hidden.as_deref().unwrap_or(bytes), &form.finder, REDACTED).or(hidden);
        }
        let text = hidden.as_deref().unwrap_or(bytes);
        let places = self.behind_escapes(text, is_received);
        if places.is_empty() { hidden } else { Some(replaced_at(text, &places)) }
    }

    /// Whether there is anything to hide.
    #[cfg(any(feature = "report", feature = "sql"))]
    fn is_in(&self, bytes: &[u8], is_received: bool) -> bool {
        self.wanted(is_received).any(|form| form.finder.find(bytes).is_some())
            || !self.behind_escapes(bytes, is_received).is_empty()
    }

    /// Where values stand of which some characters are escaped.
    fn behind_escapes(&self, text: &[u8], is_received: bool) -> Vec<Range<usize>> {
        if self.wanted(is_received).next().is_none() {
            return Vec::new();
        }
        find_behind_escapes(text, &|said, places| {
            for form in self.wanted(is_received).filter(|form| form.is_plain) {
                places.extend(form.finder.find_iter(said).map(|at| at..at + form.bytes.len()));
            }
        })
    }

    /// What is looked for, in texts of servers or in others.
    fn wanted(&self, is_received: bool) -> impl Iterator<Item = &SecretForm> {
        self.forms.iter().filter(move |form| form.in_received || !is_received)
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
            *self.0.values.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(all);
        }
    }

    fn of(values: BTreeSet<Box<str>>) -> Redactor {
        Redactor(Arc::new(SharedValues {
            values: RwLock::new(Arc::new(Values::of(values))),
            ..SharedValues::default()
        }))
    }

    fn values(&self) -> Arc<Values> {
        self.0.values.read().unwrap_or_else(PoisonError::into_inner).clone()
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
        let mut text = as_text(text, values.hide(text.as_bytes(), false));
        for ellipsis in ["\u{2026}", "..."] {
            let mut from = 0;
            while let Some(at) = text[from..].find(ellipsis).map(|at| from + at) {
                let cut = values.forms.iter().filter_map(|form| cut_form(&text[..at], &form.bytes)).max();
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
        as_text(text, self.values().hide(text.as_bytes(), true))
    }

    /// The same for bytes that a server sent and that need not be text.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.values().hide(bytes, true).map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// Whether text that a server sent holds a secret.
    #[cfg(feature = "report")]
    pub(crate) fn is_in_received(&self, text: &str) -> bool {
        self.values().is_in(text.as_bytes(), true)
    }

    /// Whether one of the values may stand in a number in more ways than one.
    #[cfg(feature = "report")]
    pub(crate) fn has_numbers(&self) -> bool {
        let is_number = |form: &SecretForm| form.bytes.iter().all(u8::is_ascii_digit);
        self.values().wanted(true).any(is_number)
    }

    /// Whether a number that a server sent shows a secret: its digits are those of one, wherever its point is, or they are
    /// among its digits. It is to be shown as 0 then, because what was a number stays one.
    ///
    /// A longer number is another one, and mostly has the digits by chance. But it may as well be made of the secret, as the
    /// number of an account within a longer one, and nobody can take back what was shown; so it is hidden as a text would be,
    /// and [`hid_numbers`](Self::hid_numbers) makes sure that nobody takes the 0 for what the server sent.
    #[cfg(any(feature = "report", feature = "sql"))]
    pub(crate) fn hides_number(&self, number: &str) -> bool {
        let values = self.values();
        if values.forms.is_empty() {
            return false;
        }
        // Java writes 12345678 as 1.2345678E7.
        let digits = || number.split(['e', 'E']).next().unwrap_or_default().replace('.', "");
        let is_hidden = values.is_in(number.as_bytes(), true)
            || number.contains(['e', 'E']) && values.is_in(digits().as_bytes(), true);
        if is_hidden {
            self.0.hid_number.store(true, Ordering::Relaxed);
        }
        is_hidden
    }

    /// Whether a number that held the digits of a secret was written as 0.
    pub fn hid_numbers(&self) -> bool {
        self.0.hid_number.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.values().values.len())
    }
}

/// The text, or what was made of its bytes: cuts are between characters, because a form begins and ends with one.
fn as_text(text: &str, hidden: Option<Vec<u8>>) -> Cow<'_, str> {
    match hidden.map(String::from_utf8) {
        None => Cow::Borrowed(text),
        Some(Ok(hidden)) => Cow::Owned(hidden),
        Some(Err(error)) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// How many bytes at the end of the text are the beginning of a form that goes on, if they are enough to tell.
fn cut_form(text: &str, form: &[u8]) -> Option<usize> {
    let longest = text.len().min(form.len() - 1);
    let is_cut =
        |length: &usize| text.is_char_boundary(text.len() - length) && text.as_bytes().ends_with(&form[..*length]);
    (MIN_LEN..=longest).rev().find(is_cut)
}

/// The bytes with [`REDACTED`] in these places, which are in order.
fn replaced_at(bytes: &[u8], places: &[Range<usize>]) -> Vec<u8> {
    let (mut out, mut copied) = (Vec::with_capacity(bytes.len()), 0);
    for place in places {
        out.extend_from_slice(&bytes[copied..place.start]);
        out.extend_from_slice(REDACTED.as_bytes());
        copied = place.end;
    }
    out.extend_from_slice(&bytes[copied..]);
    out
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
