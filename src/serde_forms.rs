//! How values that serde does not know, or knows in another form, are written and read back.

/// What has a text that is read back: by `Display` and `FromStr`.
pub(crate) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Text that is shared.
pub(crate) mod shared_text {
    use std::sync::Arc;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

/// Text that is shared and may be absent.
pub(crate) mod optional_shared_text {
    use std::sync::Arc;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
        text.as_deref().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<str>>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(Arc::from))
    }
}

/// What is shared, as what it holds.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        (**value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Arc<T>, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        T::deserialize(deserializer).map(Arc::new)
    }
}

/// Bytes that are mostly text: a string if they are UTF-8, otherwise `{"base64": "..."}`.
pub(crate) mod bytes {
    use serde::de::{Deserializer, Error};
    use serde::ser::Serializer;

    pub(crate) fn serialize<B: AsRef<[u8]>, S: Serializer>(bytes: &B, serializer: S) -> Result<S::Ok, S::Error> {
        super::optional_bytes::serialize(&Some(bytes), serializer)
    }

    pub(crate) fn deserialize<'de, B: From<Vec<u8>>, D: Deserializer<'de>>(deserializer: D) -> Result<B, D::Error> {
        super::optional_bytes::deserialize(deserializer)?.ok_or_else(|| D::Error::custom("expected text or bytes"))
    }
}

/// The same, absent being null.
pub(crate) mod optional_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::{Deserializer, Error};
    use serde::ser::Serializer;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Form<T> {
        Text(T),
        Base64 { base64: String },
    }

    pub(crate) fn serialize<B: AsRef<[u8]>, S: Serializer>(
        bytes: &Option<B>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let form = |bytes| match std::str::from_utf8(bytes) {
            Ok(text) => Form::Text(text),
            Err(_) => Form::Base64 { base64: STANDARD.encode(bytes) },
        };
        bytes.as_ref().map(|bytes| form(bytes.as_ref())).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, B: From<Vec<u8>>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<B>, D::Error> {
        let bytes = match Option::<Form<String>>::deserialize(deserializer)? {
            Some(Form::Text(text)) => text.into_bytes(),
            Some(Form::Base64 { base64 }) => STANDARD.decode(base64).map_err(D::Error::custom)?,
            None => return Ok(None),
        };
        Ok(Some(bytes.into()))
    }
}

/// A path that may be absent. On Unix a path that is not UTF-8 is `{"base64": "..."}`; elsewhere it cannot be written.
pub(crate) mod optional_path {
    use std::path::PathBuf;

    use serde::de::{Deserializer, Error as _};
    use serde::ser::{Error as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = path.as_ref().map(|path| to_bytes(path).ok_or_else(|| S::Error::custom("the path is not Unicode")));
        super::optional_bytes::serialize(&bytes.transpose()?, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
        let bytes: Option<Vec<u8>> = super::optional_bytes::deserialize(deserializer)?;
        bytes.map(|bytes| from_bytes(bytes).ok_or_else(|| D::Error::custom("the path is not Unicode"))).transpose()
    }

    #[cfg(unix)]
    fn to_bytes(path: &std::path::Path) -> Option<&[u8]> {
        use std::os::unix::ffi::OsStrExt;
        Some(path.as_os_str().as_bytes())
    }

    #[cfg(not(unix))]
    fn to_bytes(path: &std::path::Path) -> Option<&[u8]> {
        path.to_str().map(str::as_bytes)
    }

    #[cfg(unix)]
    fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        Some(std::ffi::OsString::from_vec(bytes).into())
    }

    #[cfg(not(unix))]
    fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
        String::from_utf8(bytes).ok().map(PathBuf::from)
    }
}

/// Milliseconds with three decimals. Durations of whole microseconds come back as they were.
pub(crate) mod ms {
    use std::time::Duration;

    use serde::de::{Deserialize, Deserializer, Error, Unexpected};
    use serde::ser::Serializer;

    use crate::milliseconds::fractional_ms;

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(fractional_ms(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let ms = f64::deserialize(deserializer)?;
        // Half a million years, and what an f64 of microseconds is exact for by far.
        if !(0.0..1.6e16).contains(&ms) {
            return Err(D::Error::invalid_value(Unexpected::Float(ms), &"milliseconds from 0"));
        }
        Ok(Duration::from_micros((ms * 1000.0).round() as u64))
    }
}

/// The same, absent being null.
pub(crate) mod optional_ms {
    use std::time::Duration;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::ms::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        #[derive(serde::Deserialize)]
        struct Ms(#[serde(with = "super::ms")] Duration);
        Ok(Option::<Ms>::deserialize(deserializer)?.map(|Ms(duration)| duration))
    }
}
