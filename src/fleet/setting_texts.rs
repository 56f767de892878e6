//! The settings of a job as they go through Redis: those that are not as by default, each by its name.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::settings::Settings;

/// Settings to be written.
pub(super) struct WrittenSettings<'a>(pub(super) &'a Settings);

/// Settings that were read.
#[derive(Default)]
pub(super) struct ReadSettings(pub(super) Settings);

/// Writes and reads each of these settings in one way. A new setting has to be here, or among those that stay here.
macro_rules! settings {
    ($($name:ident)*) => {
        impl Serialize for WrittenSettings<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                // Of one machine, so that a job that has them does not come here: see `obstacle`.
                let Settings {
                    cookies: _, cache: _, insecure: _, auth: _, stale_if_error: _,
                    proxy: _, cacert: _, cert: _, cert_key: _,
                    data, $($name,)*
                } = self.0;
                let default = Settings::default();
                let mut members = serializer.serialize_map(None)?;
                $(if *$name != default.$name {
                    members.serialize_entry(stringify!($name), $name)?;
                })*
                match data.as_deref().map(|data| (data, std::str::from_utf8(data))) {
                    Some((_, Ok(data))) => members.serialize_entry("data", data)?,
                    Some((data, Err(_))) => members.serialize_entry(DATA_BYTES, &BASE64_STANDARD.encode(data))?,
                    None => {}
                }
                members.end()
            }
        }

        impl<'de> Visitor<'de> for ReadSettings {
            type Value = ReadSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ReadSettings, A::Error> {
                let ReadSettings(mut settings) = self;
                while let Some(name) = members.next_key::<Cow<'de, str>>()? {
                    match &*name {
                        $(stringify!($name) => settings.$name = members.next_value()?,)*
                        "data" => settings.data = Some(members.next_value::<String>()?.into_bytes().into()),
                        DATA_BYTES => {
                            let data = BASE64_STANDARD.decode(members.next_value::<String>()?);
                            settings.data = Some(data.map_err(A::Error::custom)?.into());
                        }
                        _ => return Err(A::Error::custom(format_args!("it has a setting {name:?}"))),
                    }
                }
                Ok(ReadSettings(settings))
            }
        }
    };
}

settings! {
    method timeout connect_timeout retries retry_unsafe retry_after_max follow accept priority raw capture select format
    max_rows rows table pages poll max_body retry_on job_timeout headers expect
}

impl<'de> Deserialize<'de> for ReadSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ReadSettings, D::Error> {
        deserializer.deserialize_map(ReadSettings::default())
    }
}

/// Content that is no text.
const DATA_BYTES: &str = "data_base64";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::expectations::Expect;
    use crate::follow_up::{AnswerPlace, PageRule, Pages, Poll};
    use crate::http::Method;
    use crate::rows::ContentFormat;

    fn written(settings: &Settings) -> String {
        serde_json::to_string(&WrittenSettings(settings)).expect("plain data")
    }

    fn read(json: &str) -> serde_json::Result<Settings> {
        serde_json::from_str(json).map(|ReadSettings(settings)| settings)
    }

    #[test]
    fn settings_that_are_not_as_by_default_come_back() {
        assert_eq!(written(&Settings::default()), "{}");
        let ten = Duration::from_millis(10);
        let settings = Settings {
            method: Method::HEAD,
            timeout: ten,
            accept: "201".parse().expect("good"),
            priority: -3,
            capture: vec![AnswerPlace::Header("a".into())],
            select: vec![("a".to_owned(), "/a".parse().expect("good"))],
            format: ContentFormat { delimiter: Some(';'), ..ContentFormat::default() },
            rows: Some("/r".parse().expect("good")),
            table: Some("t".into()),
            pages: Some(Pages::by(PageRule::Link)),
            poll: Some(Poll { until: Vec::new(), fail: Vec::new(), every: ten, within: ten }),
            data: Some(b"a \"text\"\n".as_slice().into()),
            max_body: Some(9),
            retry_on: Some("expectation".parse().expect("good")),
            job_timeout: Some(ten),
            headers: vec!["A: b".parse().expect("good")],
            expect: Expect { max_ms: Some(5), absent: vec!["/e".parse().expect("good")], ..Expect::default() },
            ..Settings::default()
        };
        assert_eq!(read(&written(&settings)).expect("just written"), settings);
        let bytes = Settings { data: Some(b"\xff\0".as_slice().into()), ..Settings::default() };
        assert_eq!(written(&bytes), r#"{"data_base64":"/wA="}"#);
        assert_eq!(read(&written(&bytes)).expect("just written"), bytes);
        for name in ["insecure", "proxy", "cert", "x"] {
            let error = read(&format!("{{\"{name}\":true}}")).expect_err(name).to_string();
            assert!(error.starts_with(&format!("it has a setting \"{name}\"")), "{error}");
        }
    }
}
