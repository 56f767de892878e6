//! The credentials that a job sends: what must not be shown, wherever it was given.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roundup_http::percent::decode;

use crate::http::is_credential;
use crate::job::Job;
use crate::proxy_url::ProxyUrl;
use crate::redact::Redactor;

/// The most passwords of URLs that are looked for in texts. Beyond that they are hidden where they stand alone: each one
/// is looked for in every text.
const MOST_FROM_URLS: usize = 1000;

impl Job {
    /// The secret parts of the request, in the forms in which they are sent: values of fields such as Authorization,
    /// Cookie and X-Api-Key, and the passwords of the URL and of the job's proxy. Secrets of the plan are beside these.
    pub fn credentials(&self) -> impl Iterator<Item = String> {
        self.field_credentials().chain(self.url_credentials())
    }

    pub(crate) fn field_credentials(&self) -> impl Iterator<Item = String> {
        let fields = self.settings().headers.iter().filter(|field| is_credential(field.name()));
        let fields = fields.flat_map(|field| {
            let value = String::from_utf8_lossy(field.value()).into_owned();
            if field.name().eq_ignore_ascii_case("cookie") { cookies(&value) } else { authorization(&value) }
        });
        fields.chain(self.settings().proxy.iter().flat_map(ProxyUrl::secrets))
    }

    pub(crate) fn url_credentials(&self) -> impl Iterator<Item = String> {
        let url = self.origin_url();
        let user = decode(url.username().as_bytes());
        let is_named = self.settings().headers.iter().any(|field| field.name().eq_ignore_ascii_case("authorization"));
        let secrets = match url.password() {
            Some(password) => {
                let password = decode(password.as_bytes());
                let pair = BASE64_STANDARD.encode([&user[..], b":", &password[..]].concat());
                vec![String::from_utf8_lossy(&password).into_owned(), pair]
            }
            // A user alone may be a token, unless it has been found in the netrc file.
            None if !user.is_empty() && !is_named => {
                let pair = BASE64_STANDARD.encode([&user[..], b":"].concat());
                vec![String::from_utf8_lossy(&user).into_owned(), pair]
            }
            None => Vec::new(),
        };
        secrets.into_iter()
    }
}

impl Redactor {
    /// Hides the credentials that jobs send: see [`Job::credentials`].
    pub fn for_jobs<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Redactor {
        let mut values = BTreeSet::new();
        let mut from_urls = 0;
        let mut last = None;
        for job in jobs {
            let settings = Arc::as_ptr(job.settings());
            // Most jobs share their settings with the one before.
            if last.replace(settings) != Some(settings) {
                values.extend(job.field_credentials());
            }
            if from_urls < MOST_FROM_URLS {
                let before = values.len();
                values.extend(job.url_credentials());
                from_urls += values.len() - before;
            }
        }
        Redactor::new(values)
    }
}

/// The value of an Authorization field or of one like it: what follows the scheme (RFC 9110, section 11.4), and for Basic
/// the password in it (RFC 7617).
fn authorization(value: &str) -> Vec<String> {
    let value = value.trim();
    let Some((scheme, token)) = value.split_once(' ') else { return vec![value.to_owned()] };
    let token = token.trim();
    let mut secrets = vec![token.to_owned()];
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = BASE64_STANDARD.decode(token).unwrap_or_default();
        let pair = String::from_utf8_lossy(&pair).into_owned();
        secrets.extend(pair.split_once(':').map(|(_, password)| password.to_owned()));
    }
    secrets
}

/// The values of cookies (RFC 6265, section 4.2.1).
fn cookies(value: &str) -> Vec<String> {
    let pairs = value.split(';').map(str::trim);
    pairs.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value).trim_matches('"').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Field;

    #[test]
    fn credentials_are_found_wherever_they_were_given() {
        let job = Job::get("http://me:p%40ss-word@h/").expect("a URL").with(|settings| {
            for text in [
                "Authorization: Bearer t0ken-one",
                "Proxy-Authorization: Basic bWU6czNjcmV0",
                "Cookie: a=cookie-one; b=\"cookie two\"",
                "X-Api-Key: key-one",
                "Accept: text/plain",
                "Idempotency-Key: not-a-secret",
            ] {
                settings.headers.push(text.parse::<Field>().expect(text));
            }
        });
        let found: Vec<String> = job.credentials().collect();
        let expected = [
            "t0ken-one",
            "bWU6czNjcmV0",
            "s3cret",
            "cookie-one",
            "cookie two",
            "key-one",
            "p@ss-word",
            "bWU6cEBzcy13b3Jk",
        ];
        assert_eq!(found, expected);
    }
}
