//! Regular expressions.

use std::fmt;
use std::str::FromStr;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind, Result};

/// A regular expression, as the crate `regex-lite` reads it. Its time grows with its length times that of the text, whatever
/// is in them.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Whether it is found somewhere in the text.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// What its first group, or all of it if there is none, has found first; `None` if nothing was found.
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let found = self.0.captures(text)?;
        found.get(usize::from(found.len() > 1)).map(|group| group.as_str())
    }
}

/// The expression.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.0.as_str()).finish()
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pattern> {
        // A megabyte is some thousand characters with bounded repetitions.
        RegexBuilder::new(text)
            .size_limit(1 << 20)
            .build()
            .map(Pattern)
            .map_err(|error| Error::new(Kind::Config, format!("\"{text}\" is not a regular expression: {error}")))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        crate::serde_forms::text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Pattern, D::Error> {
        crate::serde_forms::text::deserialize(deserializer)
    }
}
