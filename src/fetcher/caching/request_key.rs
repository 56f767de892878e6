//! What a request is known by in a cache: method, URL and credentials, hashed with the key of the store.

use url::{Position, Url};

use crate::cache::{CacheKey, CacheStore, Candidate, Directives};
use crate::http::is_credential;
use crate::transport::{Request, SecretTest};

/// Fields with which a request asks for a part, or asks under conditions of its own: such a request passes the cache by.
const PASSING_BY: [&str; 6] =
    ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

/// A request, as far as a cache looks at it.
pub(in crate::fetcher) struct CacheRequest<'a> {
    pub(in crate::fetcher) method: &'a str,
    pub(in crate::fetcher) url: &'a Url,
    pub(in crate::fetcher) fields: &'a [(&'a str, &'a [u8])],
    /// The names of fields that are left out though they are sent otherwise.
    pub(in crate::fetcher) omitted: &'a [&'a str],
    pub(in crate::fetcher) raw: bool,
    pub(in crate::fetcher) is_secret: SecretTest<'a>,
}

impl CacheRequest<'_> {
    /// What the request says of caches; `None` if it is none for them.
    pub(in crate::fetcher) fn directives(&self) -> Option<Directives> {
        let passes_by = |(name, _): &(&str, &[u8])| PASSING_BY.iter().any(|other| name.eq_ignore_ascii_case(other));
        let is_for_it = matches!(self.method, "GET" | "HEAD") && !self.fields.iter().any(passes_by);
        let directives = Directives::read(self.fields.iter().copied());
        Some(directives).filter(|directives| is_for_it && !directives.no_store)
    }

    /// What its responses are kept by.
    pub(in crate::fetcher) fn key(&self, store: &dyn CacheStore) -> CacheKey {
        let raw: &[u8] = if self.raw { b"raw" } else { b"" };
        let first = [self.method.as_bytes(), self.url[..Position::AfterQuery].as_bytes(), raw];
        // Also what asks for a coding, because many servers do not say that they heed it.
        let counts = |(name, value): &(&str, &[u8])| {
            is_credential(name) || name.eq_ignore_ascii_case("accept-encoding") || (self.is_secret)(value)
        };
        let names: Vec<String> = self.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let counted = self.fields.iter().zip(&names).filter(|(field, _)| counts(field));
        let counted = counted.flat_map(|((_, value), name)| [name.as_bytes(), *value]);
        let omitted = self.omitted.iter().map(|name| name.as_bytes());
        store.key(&mut first.into_iter().chain(counted).chain(omitted))
    }

    /// What tells the request from others of its key, if responses depend on these fields.
    pub(in crate::fetcher) fn variant(&self, store: &dyn CacheStore, vary: Option<&str>) -> CacheKey {
        if vary.is_none() {
            return CacheKey([0; 16]);
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for name in vary.into_iter().flat_map(|names| names.split(',')) {
            parts.push(name.as_bytes());
            let before = parts.len();
            let own = self.fields.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
            parts.extend(own.map(|(_, value)| value.trim_ascii()));
            let is_omitted = self.omitted.iter().any(|own| own.eq_ignore_ascii_case(name));
            if parts.len() == before && !is_omitted {
                parts.extend(store.implied_field(name));
            }
            // No name is empty: here the values end.
            parts.push(b"");
        }
        store.key(&mut parts.into_iter())
    }

    /// The newest of these that serves this request.
    pub(in crate::fetcher) fn choose(&self, store: &dyn CacheStore, candidates: Vec<Candidate>) -> Option<Candidate> {
        let serves = |kept: &Candidate| self.variant(store, kept.vary.as_deref()) == kept.variant;
        candidates.into_iter().filter(serves).max_by_key(|kept| (kept.freshness.received_ms, kept.id))
    }
}

impl<'a> CacheRequest<'a> {
    pub(in crate::fetcher) fn of(request: &Request<'a>, is_secret: SecretTest<'a>) -> CacheRequest<'a> {
        let Request { method, url, fields, omitted, raw, .. } = *request;
        CacheRequest { method, url, fields, omitted, raw, is_secret }
    }
}
