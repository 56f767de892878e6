//! Where secrets stand in a query and in content, by the names that tell so.

use std::ops::Range;

use crate::http::percent::decode;
use crate::telling_names::{is_key, is_secret_name};

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretPlace {
    /// What it is called there.
    pub(super) name: String,
    pub(super) range: Range<usize>,
}

impl SecretPlace {
    /// The values of secret names in `name=value&name=value`.
    pub(super) fn in_pairs(text: &str) -> Vec<SecretPlace> {
        let mut places = Vec::new();
        let mut start = 0;
        for pair in text.split('&') {
            if let Some((name, value)) = pair.split_once('=') {
                if is_secret_name(name, true) || is_key(value) {
                    let range = start + name.len() + 1..start + pair.len();
                    let name = String::from_utf8_lossy(&decode(name.as_bytes())).into_owned();
                    places.push(SecretPlace { name, range });
                }
            }
            start += pair.len() + 1;
        }
        places
    }

    /// The values of secret names in JSON, as they stand between their quotes.
    pub(super) fn in_json(text: &str) -> Vec<SecretPlace> {
        let mut places = Vec::new();
        let mut name: Option<String> = None;
        let mut from = 0;
        while let Some(quote) = text[from..].find('"').map(|at| from + at) {
            let start = quote + 1;
            let mut escaped = false;
            let len = text[start..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let Some(len) = len else { break };
            let (value, after) = (&text[start..start + len], &text[start + len + 1..]);
            if after.trim_start().starts_with(':') {
                name = Some(value.to_owned());
            } else {
                // A name holds for the value behind its colon and for no other.
                let is_its_value = text[from..quote].trim_end().ends_with(':');
                let own = name.take().filter(|name| is_its_value && is_secret_name(name, false));
                let name = own.or_else(|| is_key(value).then(|| "key".to_owned()));
                places.extend(name.map(|name| SecretPlace { name, range: start..start + len }));
            }
            from = start + len + 1;
        }
        places
    }

    /// The same in content of this type, if it is JSON or a form.
    pub(super) fn in_content(text: &str, content_type: Option<&str>) -> Vec<SecretPlace> {
        let is_json =
            text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        match content_type {
            _ if is_json => SecretPlace::in_json(text),
            Some(other) if !other.contains("x-www-form-urlencoded") => Vec::new(),
            _ => SecretPlace::in_pairs(text),
        }
    }
}
