//! Secret values, kept out of everything that people may read.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use memchr::memmem::Finder;
use roundup_http::REDACTED;

use crate::secret_table::{MIN_LEN, SecretTable, Wanted};
use crate::telling_names::without_told_secrets;
use crate::text_views::{find_behind_escapes, merged};

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
    /// Whether there are any.
    has_values: AtomicBool,
    /// Whether a number was hidden.
    hid_number: AtomicBool,
}

/// Values that are hidden, in tables of which each is more than twice as large as the next: to add one to any number of
/// values makes few of them anew.
#[derive(Clone, Default)]
struct Values {
    tables: Vec<Arc<SecretTable>>,
}

impl Values {
    fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    fn contains(&self, value: &str) -> bool {
        self.tables.iter().any(|table| table.values().contains(value))
    }

    /// Adds those that are not there. Whether there were any.
    fn add(&mut self, values: impl IntoIterator<Item = Box<str>>) -> bool {
        let mut new: BTreeSet<Box<str>> =
            values.into_iter().filter(|value| value.len() >= MIN_LEN && !self.contains(value)).collect();
        if new.is_empty() {
            return false;
        }
        while self.tables.last().is_some_and(|last| last.values().len() <= 2 * new.len()) {
            new.extend(self.tables.pop().iter().flat_map(|last| last.values()).cloned());
        }
        self.tables.push(Arc::new(SecretTable::of(new)));
        true
    }

    /// The bytes with every form replaced; `None` if there was none.
    fn hide(&self, bytes: &[u8], in_received: bool) -> Option<Vec<u8>> {
        let places = self.places(bytes, in_received);
        (!places.is_empty()).then(|| replaced_at(bytes, &places))
    }

    /// Where values stand, also those of which some characters are escaped.
    fn places(&self, text: &[u8], in_received: bool) -> Vec<Range<usize>> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut places = find_behind_escapes(text, &|said, places| {
            let wanted = Wanted { in_received, is_undone: true };
            self.tables.iter().for_each(|table| table.find(said, wanted, places));
        });
        let wanted = Wanted { in_received, is_undone: false };
        self.tables.iter().for_each(|table| table.find(text, wanted, &mut places));
        merged(places)
    }
}

impl Redactor {
    /// Hides these values. Those shorter than four bytes are left out, and those shorter than eight are left in what
    /// servers sent.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Redactor {
        let mut values = Values::default();
        values.add(secrets.into_iter().map(Box::from));
        Redactor::of(values)
    }

    /// Both lists in one.
    pub fn and(&self, other: &Redactor) -> Redactor {
        let (mut ours, others) = ((*self.values()).clone(), other.values());
        let is_new = ours.add(others.tables.iter().flat_map(|table| table.values()).cloned());
        if is_new { Redactor::of(ours) } else { self.clone() }
    }

    /// Hides these values from now on, too, also in all clones: secrets that come up in a run, such as a token that was
    /// fetched.
    pub fn learn(&self, secrets: impl IntoIterator<Item = String>) {
        let mut ours = (*self.values()).clone();
        if ours.add(secrets.into_iter().map(Box::from)) {
            *self.0.values.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ours);
            self.0.has_values.store(true, Ordering::Release);
        }
    }

    fn of(values: Values) -> Redactor {
        let has_values = AtomicBool::new(!values.is_empty());
        Redactor(Arc::new(SharedValues {
            values: RwLock::new(Arc::new(values)),
            has_values,
            ..SharedValues::default()
        }))
    }

    /// The values, if there are any. Most runs have none, and then no lock is taken: a line of a report asks seven times.
    fn known(&self) -> Option<Arc<Values>> {
        self.0.has_values.load(Ordering::Acquire).then(|| self.values())
    }

    fn values(&self) -> Arc<Values> {
        self.0.values.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.known().is_none()
    }

    /// Text of our own with every secret replaced by [`REDACTED`]; borrowed if there was none. A part of a secret is found,
    /// too, if the text was cut within it: before `…` or `...`. So is, without being known, a value of a URL's query whose name
    /// tells that it is one: `?api_key=...`.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(values) = self.known() else { return without_told_secrets(text) };
        let mut text = as_text(text, values.hide(text.as_bytes(), false));
        for ellipsis in ["\u{2026}", "..."] {
            let mut from = 0;
            while let Some(at) = text[from..].find(ellipsis).map(|at| from + at) {
                let cut = values.tables.iter().filter_map(|table| table.cut(&text[..at])).max();
                from = at + ellipsis.len();
                if let Some(length) = cut {
                    text.to_mut().replace_range(at - length..at, REDACTED);
                    from = at - length + REDACTED.len() + ellipsis.len();
                }
            }
        }
        match without_told_secrets(&text) {
            Cow::Owned(hidden) => hidden.into(),
            Cow::Borrowed(_) => text,
        }
    }

    /// The same for text that a server sent: values shorter than eight bytes are left in it.
    pub fn redact_received<'a>(&self, text: &'a str) -> Cow<'a, str> {
        as_text(text, self.known().and_then(|values| values.hide(text.as_bytes(), true)))
    }

    /// The same for bytes that a server sent and that need not be text.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.known().and_then(|values| values.hide(bytes, true)).map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// Whether text that a server sent holds a secret.
    #[cfg(feature = "report")]
    pub(crate) fn is_in_received(&self, text: &str) -> bool {
        self.known().is_some_and(|values| !values.places(text.as_bytes(), true).is_empty())
    }

    /// Whether one of the values may stand in a number in more ways than one.
    #[cfg(feature = "report")]
    pub(crate) fn has_numbers(&self) -> bool {
        self.known().is_some_and(|values| values.tables.iter().any(|table| table.has_numbers()))
    }

    /// Whether a number that a server sent shows a secret: its digits are those of one, wherever its point is, or they are
    /// among its digits. It is to be shown as 0 then, because what was a number stays one.
    ///
    /// A longer number is another one, and mostly has the digits by chance. But it may as well be made of the secret, as the
    /// number of an account within a longer one, and nobody can take back what was shown; so it is hidden as a text would be,
    /// and [`hid_numbers`](Self::hid_numbers) makes sure that nobody takes the 0 for what the server sent.
    #[cfg(any(feature = "report", feature = "sql"))]
    pub(crate) fn hides_number(&self, number: &str) -> bool {
        let Some(values) = self.known() else { return false };
        // Java writes 12345678 as 1.2345678E7.
        let digits = || number.split(['e', 'E']).next().unwrap_or_default().replace('.', "");
        let is_in = |text: &str| !values.places(text.as_bytes(), true).is_empty();
        let is_hidden = is_in(number) || number.contains(['e', 'E']) && is_in(&digits());
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
        let values = self.values().tables.iter().map(|table| table.values().len()).sum::<usize>();
        write!(f, "Redactor({values} values)")
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
        assert_eq!(format!("{all:?}"), "Redactor(2 values)");
        assert!(Arc::ptr_eq(&all.0, &one.0));
        assert_eq!(format!("{:?}", all.and(&redactor(&["other"]))), "Redactor(3 values)");
    }

    /// With a secret for each job, all were derived anew for each job.
    #[test]
    fn values_that_come_one_by_one_are_in_few_tables() {
        let value = |number: u32| format!("value-{number:06}");
        let all = redactor(&[]);
        let mut joined = redactor(&[]);
        for number in 0..2000 {
            all.learn([value(number)]);
            joined = joined.and(&Redactor::new([value(number)]));
        }
        for redactor in [all, joined] {
            assert!(redactor.values().tables.len() <= 11, "{}", redactor.values().tables.len());
            assert_eq!(
                redactor.redact_received("value-000000 value-001999 value-002000"),
                "[redacted] [redacted] value-002000"
            );
        }
    }
}
