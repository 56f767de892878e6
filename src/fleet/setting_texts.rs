//! The settings of a job as they go through Redis: those that are not as by default, each by its name.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Serialize;

use super::job_parts::add_member;
use crate::settings::Settings;

/// Writes and reads each of these settings in one way. A new setting has to be here, or among those that stay here.
macro_rules! settings {
    ($($name:ident)*) => {
        /// The settings as an object of JSON.
        pub(super) fn written(settings: &Settings) -> String {
            // Of one machine, so that a job that has them does not come here: see `obstacle`.
            let Settings {
                cookies: _, cache: _, insecure: _, auth: _, stale_if_error: _,
                proxy: _, cacert: _, cert: _, cert_key: _,
                data, $($name,)*
            } = settings;
            let default = Settings::default();
            let mut text = "{}".to_owned();
            $(add_changed(&mut text, stringify!($name), $name, &default.$name);)*
            match data.as_deref().map(|data| (data, std::str::from_utf8(data))) {
                Some((_, Ok(data))) => add_member(&mut text, "data", data),
                Some((data, Err(_))) => add_member(&mut text, DATA_BYTES, &BASE64_STANDARD.encode(data)),
                None => {}
            }
            text
        }

        /// Takes one in; whether it is known.
        pub(super) fn read(settings: &mut Settings, name: &str, json: &str) -> serde_json::Result<bool> {
            match name {
                $(stringify!($name) => set(&mut settings.$name, json)?,)*
                "data" => settings.data = Some(serde_json::from_str::<String>(json)?.into_bytes().into()),
                DATA_BYTES => {
                    let base64 = serde_json::from_str::<String>(json)?;
                    settings.data = Some(BASE64_STANDARD.decode(base64).map_err(serde_json::Error::custom)?.into());
                }
                _ => return Ok(false),
            }
            Ok(true)
        }
    };
}

settings! {
    method timeout connect_timeout retries retry_unsafe retry_after_max follow accept priority raw capture select format
    max_rows rows table pages poll max_body retry_on job_timeout headers expect
}

/// Content that is no text.
const DATA_BYTES: &str = "data_base64";

fn set<T: DeserializeOwned>(place: &mut T, json: &str) -> serde_json::Result<()> {
    *place = serde_json::from_str(json)?;
    Ok(())
}

fn add_changed<T: Serialize + PartialEq>(object: &mut String, name: &str, value: &T, default: &T) {
    if value != default {
        add_member(object, name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::value::RawValue;

    use super::*;
    use crate::expectations::Expect;
    use crate::follow_up::{AnswerPlace, PageRule, Pages, Poll};
    use crate::http::Method;
    use crate::json_members::RawMembers;
    use crate::rows::ContentFormat;

    fn read_all(json: &str) -> Settings {
        let mut settings = Settings::default();
        let RawMembers(members) = serde_json::from_str(json).expect("an object");
        for (name, value) in members {
            let name = RawValue::get(name).trim_matches('"');
            assert!(read(&mut settings, name, value.get()).expect("just written"), "{name} is known");
        }
        settings
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
        assert_eq!(read_all(&written(&settings)), settings);
        let bytes = Settings { data: Some(b"\xff\0".as_slice().into()), ..Settings::default() };
        assert_eq!(written(&bytes), r#"{"data_base64":"/wA="}"#);
        assert_eq!(read_all(&written(&bytes)), bytes);
        for name in ["insecure", "proxy", "cert", "x"] {
            assert!(!read(&mut Settings::default(), name, "true").expect("it is not looked at"), "{name}");
        }
    }
}
