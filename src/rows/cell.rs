//! One value of a row.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// One value of a row, as the server wrote it: a JSON value whose numbers keep all their digits and whose
/// objects keep their order.
///
/// Two cells are equal if they are written alike: `1` and `1.0` differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    /// null, or nothing where nothing may be.
    #[default]
    Null,
    /// true or false.
    Bool(bool),
    /// A number as it was written, by the grammar of RFC 8259, section 6.
    Number(Box<str>),
    /// Text.
    Text(Box<str>),
    /// An array or an object, as JSON without blanks around it.
    Json(Box<str>),
}

impl Cell {
    /// The cell that holds this JSON value. `None` if it is not valid JSON, or if it is a string with half a surrogate pair.
    pub fn from_json(json: &str) -> Option<Cell> {
        let json = json.trim_matches([' ', '\t', '\r', '\n']);
        serde_json::from_str::<&RawValue>(json).ok().and_then(Cell::from_raw)
    }

    /// The cell that holds this value.
    pub fn from_raw(json: &RawValue) -> Option<Cell> {
        let text = json.get();
        Some(match text.as_bytes().first()? {
            b'n' => Cell::Null,
            b't' => Cell::Bool(true),
            b'f' => Cell::Bool(false),
            b'"' => Cell::Text(serde_json::from_str::<Cow<'_, str>>(text).ok()?.into()),
            b'[' | b'{' => Cell::Json(text.into()),
            _ => Cell::Number(text.into()),
        })
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Cow<'_, str> {
        match self {
            Cell::Null => "null".into(),
            Cell::Bool(true) => "true".into(),
            Cell::Bool(false) => "false".into(),
            Cell::Number(text) | Cell::Json(text) => Cow::Borrowed(text),
            Cell::Text(text) => Value::from(&**text).to_string().into(),
        }
    }

    /// The value as text for people: nothing for null, text as it is, everything else as JSON.
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Cell::Null => "".into(),
            Cell::Text(text) => Cow::Borrowed(text),
            _ => self.to_json(),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        *self == Cell::Null
    }

    /// The number, if it is one that fits into 64 bits without a fraction or an exponent.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Cell::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The number nearest to it, if it is one. Digits beyond the 17th are lost.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Cell::Number(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }

    /// How much memory it takes beside itself, in bytes.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Cell::Null | Cell::Bool(_) => 0,
            // What the allocator needs for itself counts: many values are short.
            Cell::Number(text) | Cell::Text(text) | Cell::Json(text) => text.len() + 16,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.into())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Cell {
        Cell::Number(number.to_string().into())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Cell {
        Cell::Number(number.to_string().into())
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Cell {
        Cell::from(&value)
    }
}

impl From<&Value> for Cell {
    fn from(value: &Value) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(value) => Cell::Bool(*value),
            Value::Number(number) => Cell::Number(number.to_string().into()),
            Value::String(text) => Cell::Text(text.as_str().into()),
            Value::Array(_) | Value::Object(_) => Cell::Json(value.to_string().into()),
        }
    }
}

impl Serialize for Cell {
    /// As the JSON value that it is. serde_json keeps the digits; other formats get what it makes of them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Null => serializer.serialize_unit(),
            Cell::Bool(value) => serializer.serialize_bool(*value),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::Number(text) | Cell::Json(text) => match serde_json::from_str::<&RawValue>(text) {
                Ok(raw) => raw.serialize(serializer),
                Err(error) => Err(serde::ser::Error::custom(error)),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cell, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Cell::from_raw(&raw).ok_or_else(|| serde::de::Error::custom("a string with half a surrogate pair"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_digits_and_their_order() {
        let written = r#"[null,true,false,1000000000000000000001,1.10,-0,1E+2,"a\"\u00e9",{"b":1.0,"a":[2]}]"#;
        let cells: Vec<Cell> = serde_json::from_str(written).expect("good");
        assert_eq!(cells[3], Cell::Number("1000000000000000000001".into()));
        assert_eq!(cells[8].as_text(), r#"{"b":1.0,"a":[2]}"#);
        assert_eq!(serde_json::to_string(&cells).expect("good"), written.replace("\\u00e9", "\u{e9}"));
        let texts: Vec<_> = cells.iter().map(Cell::as_text).collect();
        assert_eq!(texts[..8], ["", "true", "false", "1000000000000000000001", "1.10", "-0", "1E+2", "a\"\u{e9}"]);
    }

    #[test]
    fn what_is_not_json_is_no_cell() {
        for bad in ["", "nul", "1 2", "01", "\"\\ud800\"", "NaN", "[1,"] {
            assert_eq!(Cell::from_json(bad), None, "{bad}");
        }
        assert_eq!(Cell::from_json(" [ 1 ]\n"), Some(Cell::Json("[ 1 ]".into())));
    }

    #[test]
    fn numbers_are_read_if_they_fit() {
        let number = |text: &str| Cell::Number(text.into());
        assert_eq!(number("-9223372036854775808").as_integer(), Some(i64::MIN));
        assert_eq!(number("9223372036854775808").as_integer(), None);
        assert_eq!(number("1.5").as_float(), Some(1.5));
        assert_eq!(number("1e999").as_float(), None);
        assert_eq!(Cell::from("1").as_integer(), None);
    }
}
