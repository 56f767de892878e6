//! What is kept of a response, and which responses are.

use super::directives::Directives;
use super::freshness::Freshness;
use super::key::CacheKey;
use crate::body::Body;
use crate::outcome::ResponseField;

/// The largest content that is kept.
pub const MAX_KEPT_CONTENT: u64 = 16 << 20;

/// The largest head that is kept, in bytes of names and values: many are looked up at once.
const MAX_KEPT_HEAD: usize = 16 << 10;

/// Statuses that may be kept without a word of the server for how long (RFC 9110, section 15.1), but for 206, which is a
/// part.
const KEPT_BY_DEFAULT: [u16; 10] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 501];

/// Fields that are not kept: of one connection, of one exchange with a proxy (RFC 9111, section 3.1), or with what lets
/// others in.
const NOT_KEPT: [&str; 13] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authentication-info",
    "authentication-info",
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
];

/// Fields that describe the content that is kept, which a 304 has not (RFC 9111, section 3.2).
const OF_CONTENT: [&str; 4] = ["content-length", "content-encoding", "content-range", "content-type"];

/// A response that is to be kept.
#[derive(Clone, Debug)]
pub struct NewResponse {
    /// What it was asked for by.
    pub key: CacheKey,
    /// What tells it from others of this key.
    pub variant: CacheKey,
    /// The names of the fields that do.
    pub vary: Option<Box<str>>,
    /// The URL as it may be shown.
    pub url: Box<str>,
    /// Its status.
    pub status: u16,
    /// The fields that are kept of its head.
    pub fields: Vec<ResponseField>,
    /// For how long it is fresh.
    pub freshness: Freshness,
    /// Its content, codings undone.
    pub body: Body,
}

/// Whether a response may be kept at all: by its method, its status, and what request and response say. `last_good` says
/// whether it is to be there when the server is not: then one that is never fresh and cannot be asked about is kept, too.
pub fn may_be_kept<'a>(
    method: &str,
    request: &Directives,
    status: u16,
    fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    last_good: bool,
) -> bool {
    let response = Directives::read(fields.clone());
    let has = |name: &str| fields.clone().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let is_fresh_for_a_time = response.max_age.is_some_and(|seconds| seconds > 0) || has("expires");
    let is_final = status >= 200 && !matches!(status, 206 | 304);
    matches!(method, "GET" | "HEAD")
        && !request.no_store
        && !response.no_store
        && is_final
        && (is_fresh_for_a_time || KEPT_BY_DEFAULT.contains(&status))
        && (is_fresh_for_a_time || last_good || has("etag") || has("last-modified"))
}

/// The fields of a head that are kept; `None` if they are too many.
pub fn kept_fields<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Option<Vec<ResponseField>> {
    let named = fields.clone().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    // What Connection names is of this connection, too.
    let of_connection: Vec<&[u8]> =
        named.flat_map(|(_, value)| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
    let is_kept = |(name, _): &(&str, &[u8])| {
        !NOT_KEPT.iter().any(|other| name.eq_ignore_ascii_case(other))
            && !of_connection.iter().any(|other| other.eq_ignore_ascii_case(name.as_bytes()))
    };
    let mut size = 0;
    let mut kept = Vec::new();
    for (name, value) in fields.filter(is_kept) {
        size += name.len() + value.len();
        if size > MAX_KEPT_HEAD {
            return None;
        }
        kept.push(ResponseField { name: name.into(), value: value.into() });
    }
    Some(kept)
}

/// The kept fields with those of a 304 in place of all of the same names (RFC 9111, section 3.2).
pub fn merged_fields<'a>(
    kept: Vec<ResponseField>,
    newer: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
) -> Vec<ResponseField> {
    let mut newer = kept_fields(newer).unwrap_or_default();
    newer.retain(|field| !OF_CONTENT.iter().any(|name| field.name.eq_ignore_ascii_case(name)));
    // When the older head came and how old it was then is over, also if the newer does not say it.
    let is_replaced = |old: &ResponseField| {
        let is_over = ["age", "date"].iter().any(|name| old.name.eq_ignore_ascii_case(name));
        is_over || newer.iter().any(|new| new.name.eq_ignore_ascii_case(&old.name))
    };
    let mut merged: Vec<ResponseField> = kept.into_iter().filter(|old| !is_replaced(old)).collect();
    merged.append(&mut newer);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs<'a>(fields: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone {
        fields.iter().map(|(name, value)| (*name, value.as_bytes()))
    }

    #[test]
    fn which_responses_are_kept() {
        let none = Directives::default();
        let kept = |method, status, fields: &[(&str, &str)]| may_be_kept(method, &none, status, pairs(fields), false);
        let etag = ("ETag", "\"a\"");
        let max_age = ("Cache-Control", "max-age=60");
        assert!(kept("GET", 200, &[etag]) && kept("HEAD", 200, &[etag]) && kept("GET", 200, &[max_age]));
        assert!(kept("GET", 200, &[("Last-Modified", "x")]) && kept("GET", 200, &[("Expires", "x")]));
        assert!(kept("GET", 404, &[etag]) && kept("GET", 302, &[max_age]));
        assert!(!kept("POST", 200, &[max_age]) && !kept("get", 200, &[max_age]));
        assert!(!kept("GET", 200, &[]) && !kept("GET", 302, &[etag]) && !kept("GET", 500, &[etag]));
        assert!(!kept("GET", 206, &[max_age]) && !kept("GET", 304, &[max_age]));
        assert!(!kept("GET", 200, &[etag, ("Cache-Control", "No-Store, max-age=60")]));
        assert!(!may_be_kept("GET", &Directives { no_store: true, ..none }, 200, pairs(&[etag]), true));
        assert!(may_be_kept("GET", &none, 200, pairs(&[]), true) && !may_be_kept("GET", &none, 500, pairs(&[]), true));
    }

    #[test]
    fn a_304_renews_the_head_but_not_what_describes_the_content() {
        let head = [
            ("Content-Type", "application/json"),
            ("Connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("Set-Cookie", "id=1"),
            ("Age", "7"),
            ("ETag", "\"a\""),
            ("Link", "1"),
            ("Link", "2"),
        ];
        let kept = kept_fields(pairs(&head)).expect("small");
        let newer = [("content-type", "text/html"), ("Content-Length", "0"), ("link", "3"), ("Date", "now")];
        let merged = merged_fields(kept, pairs(&newer));
        let shown: Vec<_> = merged.iter().map(|field| (&*field.name, &*field.value)).collect();
        let expected: [(&str, &[u8]); 4] =
            [("Content-Type", b"application/json"), ("ETag", b"\"a\""), ("link", b"3"), ("Date", b"now")];
        assert_eq!(shown, expected);
        let large = "x".repeat(MAX_KEPT_HEAD);
        assert!(kept_fields(pairs(&[("A", &large)])).is_none());
    }
}
