//! Parts of an outcome with secrets hidden.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use crate::outcome::{Attempt, Failure};
use crate::redact::Redactor;

/// Deepest nesting of what is embedded in a report.
///
/// serde_json takes 127 levels unless told otherwise, the least of the common readers with a limit above 100; the
/// document, its results, and a result are three of them.
pub(super) const MAX_NESTING: u32 = 127 - 3;

/// Hides secrets in text that may be a URL or hold one, where they may also stand percent-encoded.
///
/// Where a secret shows only after decoding, what is returned is the decoded text: it is for reading, not for fetching.
pub(super) fn text<'a>(redactor: &Redactor, text: &'a str) -> Cow<'a, str> {
    let redacted = redactor.redact(text);
    if redactor.is_empty() || !redacted.contains('%') {
        return redacted;
    }
    let decoded = percent_decode(&redacted);
    match redactor.redact(&decoded) {
        Cow::Owned(found) => Cow::Owned(found),
        Cow::Borrowed(_) => redacted,
    }
}

/// The failure with secrets hidden in its message.
pub(super) fn failure<'a>(redactor: &Redactor, failure: &'a Failure) -> Cow<'a, Failure> {
    match text(redactor, &failure.message) {
        Cow::Borrowed(_) => Cow::Borrowed(failure),
        Cow::Owned(message) => Cow::Owned(Failure { message: message.into(), ..failure.clone() }),
    }
}

/// The attempt with secrets hidden in its address and its error.
pub(super) fn attempt<'a>(redactor: &Redactor, attempt: &'a Attempt) -> Cow<'a, Attempt> {
    let address = attempt.address.as_deref().map(|address| redactor.redact(address));
    let error = attempt.error.as_ref().map(|error| failure(redactor, error));
    if matches!(address, None | Some(Cow::Borrowed(_))) && matches!(error, None | Some(Cow::Borrowed(_))) {
        return Cow::Borrowed(attempt);
    }
    let (address, error) = (address.map(|address| address.into()), error.map(Cow::into_owned));
    Cow::Owned(Attempt { address, error, ..attempt.clone() })
}

/// Selected data with secrets hidden in keys, strings and numbers, and nothing nested too deep.
pub(super) struct Data<'a> {
    pub(super) redactor: &'a Redactor,
    pub(super) members: &'a Map<String, Value>,
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        members(self.redactor, self.members, MAX_NESTING, serializer)
    }
}

/// One selected value with secrets hidden, nothing of it nested too deep.
pub(super) fn part<'a>(redactor: &'a Redactor, value: &'a Value) -> impl Serialize + 'a {
    Part { redactor, value, levels: MAX_NESTING }
}

struct Part<'a> {
    redactor: &'a Redactor,
    value: &'a Value,
    /// How many more levels may be opened, this value's own included.
    levels: u32,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Part { redactor, value, levels } = *self;
        match value {
            Value::Array(_) | Value::Object(_) if levels == 0 => {
                serializer.serialize_str(&redactor.redact(&value.to_string()))
            }
            Value::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    seq.serialize_element(&Part { redactor, value, levels: levels - 1 })?;
                }
                seq.end()
            }
            Value::Object(object) => members(redactor, object, levels, serializer),
            Value::String(string) => serializer.serialize_str(&redactor.redact(string)),
            Value::Number(number) => match redactor.redact(&number.to_string()) {
                Cow::Owned(hidden) => serializer.serialize_str(&hidden),
                Cow::Borrowed(_) => number.serialize(serializer),
            },
            Value::Null | Value::Bool(_) => value.serialize(serializer),
        }
    }
}

fn members<S: Serializer>(
    redactor: &Redactor,
    members: &Map<String, Value>,
    levels: u32,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(members.len()))?;
    for (key, value) in members {
        map.serialize_entry(&redactor.redact(key), &Part { redactor, value, levels: levels - 1 })?;
    }
    map.end()
}

/// Undoes percent-encoding; what is not an escape stays.
fn percent_decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits are at most 255.
                decoded.push((high * 16 + low) as u8);
                bytes = ahead;
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(["s3/cr t".to_owned(), "12345678".to_owned()])
    }

    #[test]
    fn percent_encoded_secrets_are_hidden() {
        let redactor = redactor();
        assert_eq!(text(&redactor, "http://h/?k=s3%2fcr%20t&x=%41"), "http://h/?k=[redacted]&x=A");
        assert_eq!(text(&redactor, "http://h/?x=%41&100%"), "http://h/?x=%41&100%");
        assert!(matches!(text(&Redactor::default(), "%41"), Cow::Borrowed(_)));
    }

    #[test]
    fn data_is_hidden_and_kept_shallow() {
        let redactor = redactor();
        let write = |value: Value| {
            let members = Map::from_iter([("12345678".to_owned(), value)]);
            serde_json::to_value(Data { redactor: &redactor, members: &members }).expect("plain data")
        };
        assert_eq!(
            write(json!([12345678, -12345678.5, 1.5])),
            json!({"[redacted]": ["[redacted]", "-[redacted].5", 1.5]})
        );
        assert_eq!(write(json!({"a": "s3/cr t!", "b": null})), json!({"[redacted]": {"a": "[redacted]!", "b": null}}));
        let deep = |levels: u32| (0..levels).fold(json!("end"), |inner, _| json!([inner]));
        assert_eq!(write(deep(MAX_NESTING - 1)), json!({"[redacted]": deep(MAX_NESTING - 1)}));
        let mut cut = write(deep(MAX_NESTING));
        let mut at = &mut cut["[redacted]"];
        while at.is_array() {
            at = &mut at[0];
        }
        assert_eq!(at, r#"["end"]"#);
    }
}
