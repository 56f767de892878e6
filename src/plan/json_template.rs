//! JSON as a plan writes it, with templates in its strings.

use super::node_reader::{NodeReader, Place, entries};
use super::template::{Row, Show, Template, json_string};
use super::tree::{Node, Tree};
use crate::rows::Cell;

/// A JSON value whose strings may hold `${NAME}` and `{name}`; keys are taken as they are. What was written keeps its
/// order and its digits.
#[derive(Clone)]
pub(super) enum JsonTemplate {
    /// A number, a boolean, null or a date, as JSON.
    Scalar(Box<str>),
    Text(Template),
    Array(Vec<JsonTemplate>),
    Object(Vec<(Box<str>, JsonTemplate)>),
}

impl JsonTemplate {
    /// Reads a value; dates become strings. JSON has no inf and no nan.
    pub(super) fn read(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<JsonTemplate> {
        match &node.value {
            Tree::String(_) => reader.string(place, node, "a string").map(JsonTemplate::Text),
            Tree::Array(items) => {
                let mut read = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    let place = Place { at: item.at, path: format!("{}[{}]", place.path, i + 1) };
                    read.push(JsonTemplate::read(reader, &place, item));
                }
                read.into_iter().collect::<Option<_>>().map(JsonTemplate::Array)
            }
            Tree::Table(members) => {
                let mut read = Vec::with_capacity(members.len());
                for entry in entries(place, members) {
                    let json = JsonTemplate::read(reader, &entry.place, entry.node);
                    read.push(json.map(|json| (entry.key.into(), json)));
                }
                read.into_iter().collect::<Option<_>>().map(JsonTemplate::Object)
            }
            scalar => {
                let json = scalar.scalar_as_json();
                if let (None, Tree::Integer(text) | Tree::Float(text)) = (&json, scalar) {
                    reader.error(place, format!("{text} is not a number of JSON"));
                }
                json.map(|json| JsonTemplate::Scalar(json.into()))
            }
        }
    }

    /// Calls `look` with every template.
    pub(super) fn for_each<'t>(&'t self, look: &mut dyn FnMut(&'t Template)) {
        match self {
            JsonTemplate::Scalar(_) => {}
            JsonTemplate::Text(template) => look(template),
            JsonTemplate::Array(items) => items.iter().for_each(|item| item.for_each(look)),
            JsonTemplate::Object(members) => members.iter().for_each(|(_, member)| member.for_each(look)),
        }
    }

    /// The JSON text with everything in place. A string that is one `{name}` and nothing else takes the value with its
    /// type, because there is no other way to write a number there.
    pub(super) fn fill(&self, row: &Row<'_>) -> String {
        let mut out = String::new();
        self.write(row, &mut out);
        out
    }

    fn write(&self, row: &Row<'_>, out: &mut String) {
        match self {
            JsonTemplate::Scalar(json) => out.push_str(json),
            JsonTemplate::Text(template) => match template.sole_value(row) {
                Some(value) => out.push_str(&value.json()),
                None => out.push_str(&json_string(&template.fill(row, Show::Values))),
            },
            JsonTemplate::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    out.push(if i == 0 { '[' } else { ',' });
                    item.write(row, out);
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            JsonTemplate::Object(members) => {
                for (i, (key, member)) in members.iter().enumerate() {
                    out.push(if i == 0 { '{' } else { ',' });
                    out.push_str(&json_string(key));
                    out.push(':');
                    member.write(row, out);
                }
                out.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// The value with everything in place.
    pub(super) fn cell(&self, row: &Row<'_>) -> Cell {
        // What is filled is always JSON.
        Cell::from_json(&self.fill(row)).unwrap_or_default()
    }

    /// About how many bytes [`JsonTemplate::fill`] or the value takes at most.
    pub(super) fn max_len(&self, row: &Row<'_>) -> u64 {
        const PER_VALUE: u64 = 32;
        PER_VALUE
            + match self {
                JsonTemplate::Scalar(json) => json.len() as u64,
                JsonTemplate::Text(template) => template.max_len(row, 1),
                JsonTemplate::Array(items) => items.iter().map(|item| item.max_len(row)).sum(),
                JsonTemplate::Object(members) => members.iter().map(|(key, m)| key.len() as u64 + m.max_len(row)).sum(),
            }
    }
}
