//! Words of HTTP as serde writes them and reads them back.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::{Field, Method, StatusSet};

macro_rules! by_its_text {
    ($($word:ty),*) => {$(
        impl Serialize for $word {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $word {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$word, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

by_its_text!(Method, StatusSet);

/// Name and value. A value that is UTF-8 is a string, any other a list of bytes; null if the field is not to be sent.
#[derive(serde::Serialize, serde::Deserialize)]
struct FieldForm<N, V>(N, FieldValue<V>);

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum FieldValue<V> {
    Text(V),
    Bytes(Vec<u8>),
    Omitted(()),
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = match std::str::from_utf8(self.value()) {
            _ if self.is_omitted() => FieldValue::Omitted(()),
            Ok(text) => FieldValue::Text(text),
            Err(_) => FieldValue::Bytes(self.value().to_vec()),
        };
        FieldForm(self.name(), value).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field, D::Error> {
        let FieldForm::<String, String>(name, value) = FieldForm::deserialize(deserializer)?;
        let value = match value {
            FieldValue::Text(text) => text.into_bytes(),
            FieldValue::Bytes(bytes) => bytes,
            FieldValue::Omitted(()) => return Field::omitted(&name).map_err(D::Error::custom),
        };
        Field::new(&name, value).map_err(D::Error::custom)
    }
}
