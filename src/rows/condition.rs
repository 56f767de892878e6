//! What a value must be.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::cell::Cell;
use super::decimal::Decimal;

/// What a value of a response must be. A value that is not there fulfils no condition.
///
/// Numbers are compared by all their digits: 1 and 1.0 are one number, 9007199254740993 and 9007199254740992 are two. The
/// order of the keys of an object makes no difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It is this value.
    Equals(Cell),
    /// It is within all of these bounds.
    Within(ValueBounds),
}

/// ValueBounds of a value; those that are not set do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValueBounds {
    /// The smallest number, or the first text in the order of Unicode.
    pub min: Option<Cell>,
    /// The largest number, or the last text.
    pub max: Option<Cell>,
    /// The values of which it is one.
    pub one_of: Option<Vec<Cell>>,
    /// Its type.
    pub is: Option<ValueType>,
}

/// A type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// A number.
    Number,
    /// A number with nothing behind its point.
    Integer,
    /// A text.
    Text,
    /// A point in time, which is a text: `2026-01-31T12:00:00Z`.
    Time,
    /// true or false.
    Boolean,
    /// An array.
    Array,
    /// An object.
    Object,
    /// null.
    Null,
}

impl ValueType {
    /// All types.
    pub const ALL: [ValueType; 8] = [
        ValueType::Number,
        ValueType::Integer,
        ValueType::Text,
        ValueType::Time,
        ValueType::Boolean,
        ValueType::Array,
        ValueType::Object,
        ValueType::Null,
    ];

    /// Its name in a plan.
    pub fn as_str(self) -> &'static str {
        match self {
            ValueType::Number => "number",
            ValueType::Integer => "integer",
            ValueType::Text => "text",
            ValueType::Time => "time",
            ValueType::Boolean => "boolean",
            ValueType::Array => "array",
            ValueType::Object => "object",
            ValueType::Null => "null",
        }
    }

    fn fits(self, cell: &Cell) -> bool {
        match (self, cell) {
            (ValueType::Number, Cell::Number(_)) | (ValueType::Text, Cell::Text(_)) => true,
            (ValueType::Integer, Cell::Number(number)) => {
                Decimal::parse(number).is_some_and(|number| number.is_whole())
            }
            (ValueType::Time, Cell::Text(text)) => super::time::parse_rfc3339(text).is_some(),
            (ValueType::Boolean, Cell::Bool(_)) | (ValueType::Null, Cell::Null) => true,
            (ValueType::Array, Cell::Json(json)) => json.starts_with('['),
            (ValueType::Object, Cell::Json(json)) => json.starts_with('{'),
            _ => false,
        }
    }
}

/// It is this value.
impl<V: Into<Cell>> From<V> for Condition {
    fn from(value: V) -> Condition {
        Condition::Equals(value.into())
    }
}

impl Condition {
    /// Whether a value is as it must be.
    pub fn is_met_by(&self, found: &Cell) -> bool {
        match self {
            Condition::Equals(expected) => is_same(found, expected),
            Condition::Within(ValueBounds { min, max, one_of, is }) => {
                min.as_ref().is_none_or(|min| is_in_order(min, found))
                    && max.as_ref().is_none_or(|max| is_in_order(found, max))
                    && one_of.as_ref().is_none_or(|list| list.iter().any(|one| is_same(found, one)))
                    && is.is_none_or(|is| is.fits(found))
            }
        }
    }
}

/// What is expected, for messages: `3`, `at least 1`, `one of "a", "b"`, `an integer`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ValueBounds { min, max, one_of, is } = match self {
            Condition::Equals(expected) => return f.write_str(&shorten(&expected.to_json())),
            Condition::Within(bounds) => bounds,
        };
        let list = |list: &Vec<Cell>| {
            let shown: Vec<String> = list.iter().map(|one| one.to_json().into_owned()).collect();
            format!("one of {}", shorten(&shown.join(", ")))
        };
        let parts = [
            is.map(|is| format!("of type {}", is.as_str())),
            min.as_ref().map(|min| format!("at least {}", shorten(&min.to_json()))),
            max.as_ref().map(|max| format!("at most {}", shorten(&max.to_json()))),
            one_of.as_ref().map(list),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(" and "))
    }
}

/// The text, cut with `…` if it is long.
pub(crate) fn shorten(text: &str) -> String {
    const MAX: usize = 80;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether these are one value.
pub(crate) fn is_same(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Number(a), Cell::Number(b)) => a == b || Decimal::parse(a) == Decimal::parse(b),
        // Nested at most as deep as what is expected, which a plan bounds.
        (Cell::Json(a), Cell::Json(b)) if a.starts_with('[') => {
            let items = |json| serde_json::from_str::<Vec<&RawValue>>(json);
            let (Ok(a), Ok(b)) = (items(a), items(b)) else { return false };
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| is_same_json(a, b))
        }
        (Cell::Json(a), Cell::Json(b)) => {
            let members = |json| serde_json::from_str::<BTreeMap<String, &RawValue>>(json);
            let (Ok(a), Ok(b)) = (members(a), members(b)) else { return false };
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same_json(a, b)))
        }
        _ => a == b,
    }
}

fn is_same_json(a: &RawValue, b: &RawValue) -> bool {
    matches!((Cell::from_raw(a), Cell::from_raw(b)), (Some(a), Some(b)) if is_same(&a, &b))
}

/// Whether both are numbers or both are texts, and the first is not above the second.
fn is_in_order(low: &Cell, high: &Cell) -> bool {
    match (low, high) {
        (Cell::Number(low), Cell::Number(high)) => Decimal::parse(low) <= Decimal::parse(high),
        (Cell::Text(low), Cell::Text(high)) => low <= high,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str) -> Cell {
        Cell::from_json(json).expect(json)
    }

    /// They were compared as floats, which keep 53 bits.
    #[test]
    fn numbers_are_compared_by_all_their_digits() {
        for (a, b, same) in [
            ("7163309881222824985", "7163309881222824984", false),
            ("7163309881222824985", "7163309881222824985", true),
            ("1000000000000000000001", "1e21", false),
            ("-9007199254740993", "-9007199254740992", false),
            ("[9007199254740993]", "[9007199254740992]", false),
            ("[1.0, {\"a\": 1, \"b\": []}]", "[1,{\"b\":[],\"a\":1e0}]", true),
            ("[1]", "[1, 2]", false),
            ("{\"a\": 1}", "{\"b\": 1}", false),
            ("{\"a\": \"\\u0061\"}", "{\"\\u0061\":\"a\"}", true),
            ("1", "1.0", true),
            ("1e3", "1000", true),
            ("1", "2.0", false),
            ("1", "\"1\"", false),
            ("null", "null", true),
            ("{}", "[]", false),
        ] {
            assert_eq!(is_same(&cell(a), &cell(b)), same, "{a} {b}");
            assert_eq!(is_same(&cell(b), &cell(a)), same, "{b} {a}");
        }
    }

    #[test]
    fn bounds_hold_for_numbers_and_texts() {
        let within = |min: Option<&str>, max: Option<&str>| {
            Condition::Within(ValueBounds { min: min.map(cell), max: max.map(cell), ..ValueBounds::default() })
        };
        let one = within(Some("1"), Some("9007199254740992"));
        for (value, met) in
            [("1", true), ("9007199254740993", false), ("0.99", false), ("\"5\"", false), ("null", false)]
        {
            assert_eq!(one.is_met_by(&cell(value)), met, "{value}");
        }
        assert!(within(Some("\"2026-01-01\""), None).is_met_by(&cell("\"2026-01-31\"")));
        assert_eq!(one.to_string(), "at least 1 and at most 9007199254740992");
        let list =
            Condition::Within(ValueBounds { one_of: Some(vec![cell("\"a\""), cell("1")]), ..ValueBounds::default() });
        assert!(list.is_met_by(&cell("1.0")) && !list.is_met_by(&cell("\"b\"")));
        assert_eq!(list.to_string(), "one of \"a\", 1");
    }

    #[test]
    fn types_fit_their_values() {
        let values = ["1", "1.5", "\"x\"", "\"2026-01-31T12:00:00Z\"", "true", "[]", "{}", "null"];
        for (is, fitting) in [
            (ValueType::Number, &["1", "1.5"][..]),
            (ValueType::Integer, &["1"]),
            (ValueType::Text, &["\"x\"", "\"2026-01-31T12:00:00Z\""]),
            (ValueType::Time, &["\"2026-01-31T12:00:00Z\""]),
            (ValueType::Boolean, &["true"]),
            (ValueType::Array, &["[]"]),
            (ValueType::Object, &["{}"]),
            (ValueType::Null, &["null"]),
        ] {
            let met: Vec<&str> = values.into_iter().filter(|value| is.fits(&cell(value))).collect();
            assert_eq!(met, fitting, "{is:?}");
        }
    }
}
