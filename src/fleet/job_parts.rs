//! Parts of a job in JSON, as they are put together and taken apart.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::secret_text::without_nuls;
use crate::error::{Error, Kind, Result};

/// Adds a member to an object of JSON.
pub(super) fn add_member<T: Serialize + ?Sized>(object: &mut String, name: &str, value: &T) {
    add_json(object, name, &serde_json::to_string(value).unwrap_or_default());
}

/// Adds a member whose value is JSON already.
fn add_json(object: &mut String, name: &str, json: &str) {
    if object.pop() == Some('}') {
        let comma = if object.ends_with('{') { "" } else { "," };
        object.push_str(&format!("{comma}\"{name}\":{json}}}"));
    }
}

/// Adds a member to an object of JSON that has its marks.
pub(super) fn add_marked(object: &mut String, name: &str, value: &impl Serialize) {
    add_json(object, name, &without_nuls(&serde_json::to_string(value).unwrap_or_default()));
}

/// A part of a job, out of its JSON.
pub(super) fn part_of<'t, T: Deserialize<'t>>(json: &'t str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| unreadable(&error))
}

/// A part that may not be there.
pub(super) fn optional_part<'t, T: Deserialize<'t>>(json: Option<&'t str>) -> Result<Option<T>> {
    json.map(part_of).transpose()
}

pub(super) fn unreadable(why: &dyn fmt::Display) -> Error {
    Error::new(Kind::Config, format!("the job cannot be read: {why}"))
}
