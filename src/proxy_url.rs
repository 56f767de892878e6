//! A proxy as a job names it.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roundup_http::percent::decode;
use serde::{Deserialize, Serialize};

/// A proxy, written as `[http://|socks5://][USER[:PASSWORD]@]HOST[:PORT]`. `Debug` does not show it: it may hold a password.
///
/// It is only text here, and read when a job is sent: what is no proxy makes it fail.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProxyUrl(Box<str>);

impl ProxyUrl {
    /// A proxy as it is written.
    pub fn new(text: &str) -> ProxyUrl {
        ProxyUrl(text.into())
    }

    /// The text, with its password.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What must not be shown: the password, and the pair as it is sent.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let Some((user_info, _)) = self.0.rsplit_once('@') else { return Vec::new() };
        let user_info = user_info.split_once("://").map_or(user_info, |(_, user_info)| user_info);
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let (user, password) = (decode(user.as_bytes()), decode(password.as_bytes()));
        let pair = BASE64_STANDARD.encode([&user[..], b":", &password[..]].concat());
        [String::from_utf8_lossy(&password).into_owned(), pair]
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .collect()
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_proxy_is_a_secret_and_not_shown() {
        let secrets = |text: &str| ProxyUrl::new(text).secrets();
        assert_eq!(secrets("http://me:p%40ss@proxy:3128"), ["p@ss", "bWU6cEBzcw=="]);
        assert_eq!(secrets("me:secret@proxy"), ["secret", "bWU6c2VjcmV0"]);
        assert!(secrets("socks5://proxy:1080").is_empty());
        assert_eq!(format!("{:?}", ProxyUrl::new("me:secret@proxy")), "ProxyUrl(..)");
    }
}
