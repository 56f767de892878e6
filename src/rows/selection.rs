//! A value to take out of a response.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::conversion::Conversion;
use super::pattern::Pattern;
use crate::error::{Error, Result};
use crate::pointer::Pointer;

/// A value to take out of a response: where it comes from, what it is if nothing is there, and what it is made into. null
/// that is there is a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Where the value comes from.
    pub from: ValueSource,
    /// What happens if nothing is there.
    #[serde(default)]
    pub missing: Missing,
    /// What it is made into; as it is if there is none.
    #[serde(default)]
    pub conversion: Option<Conversion>,
}

/// Where a selected value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueSource {
    /// A place in each row, or in the document if there are no rows.
    Row(Pointer),
    /// A place in the document, also if there are rows.
    Document(Pointer),
    /// A field of the head, by its name. Several of one name are joined by `, `.
    Header(Box<str>),
    /// The status.
    Status,
    /// What a regular expression finds first in the content: its first group, or all of it.
    Text(Pattern),
    /// This value.
    Constant(Cell),
}

/// What a selected value is if the response has none at its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The source fails, with [`Kind::Expectation`](crate::Kind::Expectation). The default.
    #[default]
    Fails,
    /// null.
    Null,
    /// This value.
    Default(Cell),
}

impl From<ValueSource> for Selection {
    /// A value that must be there, as it is.
    fn from(from: ValueSource) -> Selection {
        Selection { from, missing: Missing::Fails, conversion: None }
    }
}

impl From<Pointer> for Selection {
    /// A value that must be there, as it is.
    fn from(at: Pointer) -> Selection {
        ValueSource::Row(at).into()
    }
}

/// A pointer to a value that must be there; with a `^` before it, in the document and not in a row.
impl FromStr for Selection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Selection> {
        text.parse::<ValueSource>().map(Selection::from)
    }
}

/// A pointer; with a `^` before it, in the document and not in a row.
impl FromStr for ValueSource {
    type Err = Error;

    fn from_str(text: &str) -> Result<ValueSource> {
        match text.strip_prefix('^') {
            Some(rest) => rest.parse().map(ValueSource::Document),
            None => text.parse().map(ValueSource::Row),
        }
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueSource::Row(pointer) => write!(f, "{}", pointer.as_place()),
            ValueSource::Document(pointer) => write!(f, "^{pointer}"),
            ValueSource::Header(name) => write!(f, "the header {name}"),
            ValueSource::Status => f.write_str("the status"),
            ValueSource::Text(pattern) => write!(f, "/{pattern}/ in the text"),
            ValueSource::Constant(value) => f.write_str(&value.to_json()),
        }
    }
}

/// The source, and what is taken if nothing is there: `/note (optional)`, `/price (default 0)`.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.from)?;
        if let Some(conversion) = &self.conversion {
            write!(f, " as {}", conversion.to().as_str())?;
        }
        match &self.missing {
            Missing::Fails => Ok(()),
            Missing::Null => f.write_str(" (optional)"),
            Missing::Default(value) => write!(f, " (default {})", value.to_json()),
        }
    }
}
