//! Values by their names.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cell::Cell;

/// Values by their names, in the order in which they were asked for. serde writes and reads it as a map.
///
/// ```
/// use roundup::rows::{Cell, Record};
///
/// let record: Record = serde_json::from_str(r#"{"n": 1000000000000000000001, "a": null}"#)?;
/// assert_eq!(record.get("n").map(Cell::to_json).as_deref(), Some("1000000000000000000001"));
/// assert_eq!(record.names().collect::<Vec<_>>(), ["n", "a"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(Vec<(Box<str>, Cell)>);

impl Record {
    /// Adds a value behind the others; one of the same name is replaced in its place.
    pub fn set(&mut self, name: impl Into<Box<str>>, value: Cell) {
        let name = name.into();
        match self.0.iter_mut().find(|(own, _)| *own == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<&Cell> {
        self.0.iter().find(|(own, _)| &**own == name).map(|(_, value)| value)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Cell)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How much memory it takes beside itself, in bytes.
    pub fn heap_bytes(&self) -> usize {
        let one =
            |(name, value): &(Box<str>, Cell)| size_of_val(name) + name.len() + size_of_val(value) + value.heap_bytes();
        self.0.iter().map(one).sum()
    }
}

impl<N: Into<Box<str>>, V: Into<Cell>> FromIterator<(N, V)> for Record {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Record {
        let mut record = Record::default();
        values.into_iter().for_each(|(name, value)| record.set(name, value.into()));
        record
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Record, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Record, A::Error> {
                let mut values = Vec::new();
                while let Some(entry) = members.next_entry::<Box<str>, Cell>()? {
                    values.push(entry);
                }
                Ok(Record(values))
            }
        }

        deserializer.deserialize_map(Members)
    }
}
