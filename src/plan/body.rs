//! JSON written as TOML, with templates in its strings.

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::reader::{Place, Reader, entries, scalar};
use super::template::{EachValue, Into, Show, Template};

/// A JSON value whose strings may hold `${NAME}` and `{value}`; keys are taken as they are.
#[derive(Clone)]
pub(super) enum Json {
    Fixed(Value),
    Text(Template),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a TOML value; dates become strings. TOML has no null of its own, and JSON no inf and no nan.
    pub(super) fn read(reader: &mut Reader<'_>, place: &Place, value: &DeValue<'_>) -> Option<Json> {
        match value {
            DeValue::String(_) => reader.string(place, value, "a string").map(Json::Text),
            DeValue::Array(array) => {
                let mut items = Vec::with_capacity(array.len());
                for (i, item) in array.iter().enumerate() {
                    let place = Place { at: item.span().start, path: format!("{}[{}]", place.path, i + 1) };
                    items.push(Json::read(reader, &place, item.get_ref()));
                }
                items.into_iter().collect::<Option<_>>().map(Json::Array)
            }
            DeValue::Table(table) => {
                let mut members = Vec::with_capacity(table.len());
                for entry in entries(place, table) {
                    let json = Json::read(reader, &entry.place, entry.value);
                    members.push(json.map(|json| (entry.key.to_owned(), json)));
                }
                members.into_iter().collect::<Option<_>>().map(Json::Object)
            }
            DeValue::Integer(number) => {
                Json::number(reader, place, value, &number.to_string(), "a whole number of 64 bits")
            }
            DeValue::Float(number) => Json::number(reader, place, value, &number.to_string(), "a number of JSON"),
            null if reader.is_null(null) => Some(Json::Fixed(Value::Null)),
            DeValue::Boolean(_) | DeValue::Datetime(_) => scalar(value).map(Json::Fixed),
        }
    }

    fn number(reader: &mut Reader<'_>, place: &Place, value: &DeValue<'_>, written: &str, what: &str) -> Option<Json> {
        let number = scalar(value);
        if number.is_none() {
            reader.error(place, format!("{written} is not {what}"));
        }
        number.map(Json::Fixed)
    }

    /// Calls `change` with every template.
    pub(super) fn for_each(&mut self, change: &mut dyn FnMut(&mut Template)) {
        match self {
            Json::Fixed(_) => {}
            Json::Text(template) => change(template),
            Json::Array(items) => items.iter_mut().for_each(|item| item.for_each(change)),
            Json::Object(members) => members.iter_mut().for_each(|(_, member)| member.for_each(change)),
        }
    }

    pub(super) fn has_each(&self) -> bool {
        match self {
            Json::Fixed(_) => false,
            Json::Text(template) => template.has_each(),
            Json::Array(items) => items.iter().any(Json::has_each),
            Json::Object(members) => members.iter().any(|(_, member)| member.has_each()),
        }
    }

    /// The value with everything in place. A string that is one `{name}` and nothing else takes the value with its
    /// type: there is no other way to write a number there.
    pub(super) fn value(&self, row: &[&EachValue]) -> Value {
        match self {
            Json::Fixed(value) => value.clone(),
            Json::Text(template) => template
                .whole_value(row)
                .cloned()
                .unwrap_or_else(|| Value::String(template.render(row, Show::Values, Into::Text))),
            Json::Array(items) => items.iter().map(|item| item.value(row)).collect(),
            Json::Object(members) => Value::Object(
                members.iter().map(|(key, member)| (key.clone(), member.value(row))).collect::<Map<_, _>>(),
            ),
        }
    }

    /// About how many bytes [`Json::value`] takes at most.
    pub(super) fn max_len(&self, row: &[&EachValue]) -> u64 {
        const PER_VALUE: u64 = 32;
        PER_VALUE
            + match self {
                Json::Fixed(_) => 0,
                Json::Text(template) => template.max_len(row),
                Json::Array(items) => items.iter().map(|item| item.max_len(row)).sum(),
                Json::Object(members) => members.iter().map(|(key, m)| key.len() as u64 + m.max_len(row)).sum(),
            }
    }
}
