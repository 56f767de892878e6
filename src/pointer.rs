//! Places in JSON documents.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::error::{Error, Kind, Result};

/// A place in a JSON document (RFC 6901): empty for the whole, or `/` before each step, with `~1` for `/` and `~0` for `~`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(Box<str>);

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        crate::serde_forms::text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Pointer, D::Error> {
        crate::serde_forms::text::deserialize(deserializer)
    }
}

impl Pointer {
    /// The value at this place, if there is one.
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0)
    }

    /// The keys and indices on the way to it.
    pub fn steps(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.split('/').skip(1).map(|step| match step.contains('~') {
            true => Cow::Owned(step.replace("~1", "/").replace("~0", "~")),
            false => Cow::Borrowed(step),
        })
    }

    /// The document and every place on the way to this one, which is the last.
    #[cfg(feature = "fetcher")]
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = Pointer> {
        let ends = self.0.match_indices('/').map(|(at, _)| at).chain([self.0.len()]);
        ends.map(|end| Pointer(self.0[..end].into()))
    }

    /// The place that this one leads to from an element of an array.
    #[cfg(feature = "fetcher")]
    pub(crate) fn within(&self, array: &Pointer, index: usize) -> Pointer {
        Pointer(format!("{}/{index}{}", array.0, self.0).into())
    }

    /// Whether it leads to a member of this name, and no further.
    #[cfg(feature = "fetcher")]
    pub(crate) fn is_key(&self, name: &str) -> bool {
        let mut steps = self.steps();
        steps.next().is_some_and(|step| step == name) && steps.next().is_none()
    }

    /// The place in words: `the document` for the whole of it.
    pub(crate) fn as_place(&self) -> &str {
        if self.0.is_empty() { "the document" } else { &self.0 }
    }
}

impl FromStr for Pointer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pointer> {
        let escapes_are_good = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if (text.is_empty() || text.starts_with('/')) && escapes_are_good {
            return Ok(Pointer(text.into()));
        }
        Err(Error::new(
            Kind::Config,
            format!("\"{text}\" is not a JSON Pointer: write it as /current/temp or /items/0"),
        ))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_follow_rfc_6901() {
        let document = serde_json::json!({"a/b": {"m~n": [1, 2]}, "": 3});
        let find = |text: &str| text.parse::<Pointer>().expect("good").find(&document).cloned();
        assert_eq!(find("/a~1b/m~0n/1"), Some(Value::from(2)));
        assert_eq!(find("/"), Some(Value::from(3)));
        assert_eq!(find(""), Some(document.clone()));
        assert_eq!(find("/none"), None);
        for bad in ["a", "/~", "/~2", "$.a"] {
            assert!(bad.parse::<Pointer>().is_err(), "{bad}");
        }
    }
}
