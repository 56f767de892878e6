//! The values that jobs give to those that need them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::rows::Cell;

/// A value that a job took out of its response.
#[derive(Clone, PartialEq, Eq)]
pub struct JobValue {
    /// The value.
    pub cell: Cell,
    /// The URL of the response that it came from: a value that begins a URL and is relative is resolved against it.
    pub base: Option<Arc<str>>,
    /// Whether it must not be shown.
    pub secret: bool,
}

/// Shows no secret.
impl fmt::Debug for JobValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secret {
            true => f.write_str("JobValue([redacted])"),
            false => f.debug_tuple("JobValue").field(&self.cell).finish(),
        }
    }
}

/// The values that a job is made with: `login.token` for the value `token` of the job `login`, and for a job that is made
/// for each row of `items`, the fields of its row, as `items.id`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobValues(Vec<(Arc<str>, JobValue)>);

impl JobValues {
    /// The value of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<&JobValue> {
        self.0.iter().find(|(own, _)| **own == *name).map(|(_, value)| value)
    }

    /// The value of this name as text.
    ///
    /// # Errors
    /// [`Kind::Config`]: there is none of this name, or it is null.
    pub fn text(&self, name: &str) -> Result<Cow<'_, str>> {
        match self.get(name) {
            Some(value) if !value.cell.is_null() => Ok(value.cell.as_text()),
            Some(_) => Err(Error::new(Kind::Config, format!("{{{name}}} is null, which is no text"))),
            None => Err(Error::new(Kind::Config, format!("{{{name}}} has no value"))),
        }
    }

    /// All values with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &JobValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Adds a value; one that is there already stays.
    pub(super) fn add(&mut self, name: Arc<str>, value: JobValue) {
        if self.get(&name).is_none() {
            self.0.push((name, value));
        }
    }
}
