//! Secret values and the names that a plan has for them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "fetcher")]
use roundup_http::percent::{COMPONENT, encode};
use serde::{Deserialize, Serialize};

use crate::redact::replace;
use crate::secret_forms::escaped;

/// Values shorter than this many bytes are found in contents and fields only if no letter or digit is beside them: they
/// are within many others.
#[cfg(feature = "fetcher")]
const MIN_LEN: usize = 4;

/// Secret values with the names that a plan writes for them: `${NAME}`. Cheap to clone; `Debug` shows only how many.
///
/// A job that has them is known by its names and not by its values; see [`Job::digest`](crate::Job::digest).
///
/// serde writes the values too.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(Box<str>, Box<str>)>", from = "Vec<(Box<str>, Box<str>)>")]
pub struct Secrets(Arc<[(Box<str>, Box<str>)]>);

impl Secrets {
    /// These names and values. Empty values are left out.
    pub fn new<N: Into<Box<str>>, V: Into<Box<str>>>(secrets: impl IntoIterator<Item = (N, V)>) -> Secrets {
        let secrets = secrets.into_iter().map(|(name, value)| (name.into(), value.into()));
        let mut secrets: Vec<(Box<str>, Box<str>)> =
            secrets.filter(|(_, value): &(_, Box<str>)| !value.is_empty()).collect();
        // Longest value first, so that a secret that contains another one goes whole.
        secrets.sort_by(|(a_name, a), (b_name, b)| b.len().cmp(&a.len()).then(a.cmp(b)).then(a_name.cmp(b_name)));
        secrets.dedup();
        Secrets(secrets.into())
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether one of the values is in these bytes: as it is, in a JSON string, or as a form has it.
    #[cfg(feature = "fetcher")]
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        self.iter().any(|(_, value)| {
            let alone = value.len() < MIN_LEN;
            let is_in = |form: &str| stands_in(bytes, form.as_bytes(), alone);
            let encoded = encode(value.as_bytes(), COMPONENT);
            is_in(value)
                || is_in(value.trim())
                || escaped(value).is_some_and(|form| is_in(&form))
                || is_in(&encoded)
                || is_in(&encoded.replace("%20", "+"))
        })
    }

    /// The bytes with `${NAME}` in place of each value, also as part of a JSON string or without the blanks around it, which
    /// a field does not keep.
    pub(crate) fn as_written<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut bytes = Cow::Borrowed(bytes);
        for (name, value) in self.iter() {
            let written = format!("${{{name}}}");
            let trimmed = Some(value.trim()).filter(|trimmed| !trimmed.is_empty()).map(Box::from);
            for value in [Some(value.into()), escaped(value), trimmed].into_iter().flatten() {
                let value: &str = &value;
                if let Some(replaced) = replace(&bytes, value.as_bytes(), &written) {
                    bytes = Cow::Owned(replaced);
                }
            }
        }
        bytes
    }
}

/// Whether this is in the bytes; if it must be alone, with no letter or digit beside it.
#[cfg(feature = "fetcher")]
fn stands_in(bytes: &[u8], form: &[u8], alone: bool) -> bool {
    let is_word = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    !form.is_empty()
        && memchr::memmem::find_iter(bytes, form)
            .any(|at| !(alone && (is_word(at.checked_sub(1)) || is_word(Some(at + form.len())))))
}

impl From<Secrets> for Vec<(Box<str>, Box<str>)> {
    fn from(secrets: Secrets) -> Self {
        secrets.0.to_vec()
    }
}

impl From<Vec<(Box<str>, Box<str>)>> for Secrets {
    fn from(secrets: Vec<(Box<str>, Box<str>)>) -> Secrets {
        Secrets::new(secrets)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} values)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_written_by_their_names() {
        let secrets = Secrets::new([("A", "to\"ken"), ("LONG", "to\"ken-2"), ("NONE", "")]);
        let written = |text: &str| String::from_utf8(secrets.as_written(text.as_bytes()).into_owned()).expect("text");
        assert_eq!(written(r#"x to"ken-2 to"ken y"#), "x ${LONG} ${A} y");
        assert_eq!(written(r#"{"a":"to\"ken"}"#), r#"{"a":"${A}"}"#);
        assert_eq!(format!("{secrets:?}"), "Secrets(2 values)");
    }

    #[cfg(feature = "fetcher")]
    #[test]
    fn secrets_are_found_in_contents_in_the_forms_they_take_there() {
        let secrets = Secrets::new([("A", "to\"k n"), ("PIN", "123")]);
        for content in [r#"x to"k n"#, r#"{"a":"to\"k n"}"#, "a=to%22k%20n&b", "a=to%22k+n"] {
            assert!(secrets.is_in(content.as_bytes()), "{content}");
        }
        for content in ["123", "pin=123&x", r#"{"pin":"123"}"#, "51234 123"] {
            assert!(secrets.is_in(content.as_bytes()), "{content}");
        }
        for content in ["to\"k", "51234", "a123", "123b", ""] {
            assert!(!secrets.is_in(content.as_bytes()), "{content}");
        }
    }
}
