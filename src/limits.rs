//! How much at once, and how fast: for the whole run and for one host.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;

use crate::error::{Error, Kind, Result};
use crate::http::percent;
use crate::origin::Origin;
use crate::units::Rate;

/// The default of [`Limits::concurrency`]: fifty APIs on fifty hosts take no longer than the slowest of them.
pub const DEFAULT_CONCURRENCY: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// The default of [`Limits::per_host`]: no host gets more requests at once than this unless they are allowed.
pub const DEFAULT_PER_HOST: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// The default of [`Limits::max_memory`] where there is more than 1 GiB of memory.
pub const DEFAULT_MAX_MEMORY: u64 = 256 << 20;

/// Limits of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many jobs are under way at once; 100 by default.
    pub concurrency: NonZeroU32,
    /// How many requests are under way at once at one host (scheme, name and port), redirects included; 10 by default.
    /// `None` is no limit.
    pub per_host: Option<NonZeroU32>,
    /// How many requests may start in any stretch of this time, over all hosts, redirects included; no limit by default.
    pub rate: Option<Rate>,
    /// The bytes that contents, values and rows may take in memory together. Half is for contents, those under way included:
    /// what is beyond goes to a temporary file and is read back when it is needed. Half, and at least 16 MiB, is for the
    /// values and rows that are taken out of them; a source that finds no room for its own fails. `None`, the default, is [`DEFAULT_MAX_MEMORY`], or a quarter of the memory
    /// that the process may use if that is less.
    pub max_memory: Option<u64>,
    /// Whether each host gets as many requests at once as it is found to take, from its refusals and its latency, within
    /// the other limits; no by default.
    pub adaptive: bool,
    /// What differs for certain hosts.
    pub hosts: BTreeMap<HostKey, HostLimits>,
}

impl Default for Limits {
    fn default() -> Limits {
        let (concurrency, per_host) = (DEFAULT_CONCURRENCY, Some(DEFAULT_PER_HOST));
        Limits { concurrency, per_host, rate: None, adaptive: false, max_memory: None, hosts: BTreeMap::new() }
    }
}

impl Limits {
    /// The limits of this origin: for each, what the closest of the `[hosts]` entries that fit it says, and the run's own
    /// `per_host` if none does.
    pub fn of(&self, origin: &Origin) -> HostLimits {
        let mut found = HostLimits::default();
        if !self.hosts.is_empty() {
            for limits in HostKey::fitting(origin).filter_map(|key| self.hosts.get(&key)) {
                found.per_host = found.per_host.or(limits.per_host);
                found.rate = found.rate.or(limits.rate);
            }
        }
        HostLimits { per_host: found.per_host.or(self.per_host), ..found }
    }
}

/// Limits of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostLimits {
    /// How many requests are under way at once.
    pub per_host: Option<NonZeroU32>,
    /// How many requests may start in any stretch of this time.
    pub rate: Option<Rate>,
}

/// The name of a host in a plan: `api.example.com`, or `api.example.com:8443` for one port of it; for a unix-domain socket
/// its path, `/run/docker.sock`, or as it stands in a URL, `%2Frun%2Fdocker.sock`. `*.example.com` names all hosts below
/// `example.com`, at any depth and without itself, and `*` all there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostKey(Box<str>);

impl HostKey {
    /// Reads the name; it is normalized as the host of a URL is.
    ///
    /// # Errors
    /// [`Kind::Config`] if it is no host name, or has a scheme or a path.
    pub fn new(text: &str) -> Result<HostKey> {
        if text == "*" {
            return Ok(HostKey(text.into()));
        }
        if let Some(below) = text.strip_prefix("*.") {
            let below = HostKey::new(below).ok().filter(|key| !key.0.contains(['*', ':', '%']));
            let invalid = || Error::new(Kind::Config, format!("\"{text}\" is not a host: write *.example.com or *"));
            return Ok(HostKey(format!("*.{}", below.ok_or_else(invalid)?.0).into()));
        }
        let written = text.strip_prefix("http+unix://").or_else(|| text.starts_with('%').then_some(text));
        let socket = match written {
            Some(host) if !host.contains(['/', '@', ':', '?', '#']) => Some(percent::decode(host.as_bytes())),
            _ => text.starts_with('/').then(|| text.as_bytes().to_vec()),
        };
        if let Some(path) = socket.filter(|path| !path.is_empty()) {
            return Ok(HostKey(percent::encode(&path, percent::COMPONENT).into()));
        }
        let invalid = || {
            let right = "write api.example.com, api.example.com:8443 or *.example.com";
            Error::new(Kind::Config, format!("\"{text}\" is not a host: {right}"))
        };
        if text.contains(['/', '@', '?', '#', '\\', '*']) || text.trim() != text {
            return Err(invalid());
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(Error::new(Kind::Config, format!("\"{text}\" is not a host: write [{text}]")));
        }
        let url = crate::origin::parse_url(&format!("http://{text}/")).map_err(|_| invalid())?;
        let host = url.host_str().map(without_final_dot).filter(|host| !host.is_empty()).ok_or_else(invalid)?;
        // The parser drops the scheme's own port; the user wrote it and means it.
        let after_host = text.rsplit_once(']').map_or(text, |(_, rest)| rest);
        match after_host.rsplit_once(':') {
            Some((_, port)) => Ok(HostKey(format!("{host}:{}", port.parse::<u16>().map_err(|_| invalid())?).into())),
            None => Ok(HostKey(host.into())),
        }
    }

    /// All keys that fit an origin, the closest first: with its port, without, `*.` and what stands behind one of its
    /// dots, the longest first, and `*`.
    pub fn fitting(origin: &Origin) -> impl Iterator<Item = HostKey> {
        let host = without_final_dot(origin.host());
        let exact = [format!("{host}:{}", origin.port()), host.to_owned()];
        let dots = host.match_indices('.').map(|(at, _)| format!("*{}", &host[at..]));
        exact.into_iter().chain(dots).chain(["*".to_owned()]).map(|key| HostKey(key.into()))
    }

    /// Whether this key fits the origin of a URL.
    pub fn matches(&self, origin: &Origin) -> bool {
        HostKey::fitting(origin).any(|key| key == *self)
    }

    /// The normalized name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name that ends in the dot of the root is that of the same host. Paths of sockets are no names.
fn without_final_dot(host: &str) -> &str {
    host.strip_suffix('.').filter(|_| !host.starts_with('%')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::parse_url;

    #[test]
    fn the_closest_entry_wins() {
        let two = NonZeroU32::new(2);
        let three = NonZeroU32::new(3);
        let key = |text: &str| HostKey::new(text).expect(text);
        let hosts = BTreeMap::from([
            (key("API.example.com"), HostLimits { per_host: two, rate: None }),
            (key("api.example.com:8443"), HostLimits { per_host: three, rate: None }),
        ]);
        let limits = Limits { per_host: NonZeroU32::new(9), hosts, ..Limits::default() };
        let of =
            |url: &str| limits.of(&Origin::of(&parse_url(url).expect(url)).expect(url)).per_host.map(NonZeroU32::get);
        assert_eq!(of("http://api.example.com/"), Some(2));
        assert_eq!(of("https://api.example.com:8443/"), Some(3));
        assert_eq!(of("https://other.example.com/"), Some(9));
    }

    #[test]
    fn wildcards_are_overlaid_key_by_key() {
        let limits = |per_host, rate: Option<&str>| HostLimits {
            per_host: NonZeroU32::new(per_host),
            rate: rate.and_then(|rate| rate.parse().ok()),
        };
        let hosts = [
            ("*", limits(0, Some("9/s"))),
            ("*.example.com", limits(4, None)),
            ("*.eu.example.com", limits(0, Some("2/s"))),
            ("api.eu.example.com", limits(1, None)),
            ("api.eu.example.com:8443", limits(0, Some("1/s"))),
        ];
        let hosts = hosts.map(|(key, limits)| (HostKey::new(key).expect(key), limits)).into();
        let all = Limits { per_host: NonZeroU32::new(7), hosts, ..Limits::default() };
        for (url, per_host, rate) in [
            ("https://api.eu.example.com:8443/", 1, "1/1s"),
            ("https://api.eu.example.com/", 1, "2/1s"),
            ("https://other.eu.example.com/", 4, "2/1s"),
            ("https://a.b.eu.example.com/", 4, "2/1s"),
            ("https://eu.example.com/", 4, "9/1s"),
            ("https://example.com/", 7, "9/1s"),
            ("https://notexample.com/", 7, "9/1s"),
            ("https://api.eu.example.com./", 1, "2/1s"),
            ("https://other.eu.example.com.:8443/", 4, "2/1s"),
            ("http://127.0.0.1/", 7, "9/1s"),
            ("http://[::1]:8080/", 7, "9/1s"),
        ] {
            let found = all.of(&Origin::of(&parse_url(url).expect(url)).expect(url));
            assert_eq!(found.per_host, NonZeroU32::new(per_host), "{url}");
            assert_eq!(found.rate.map(|rate| rate.to_string()).as_deref(), Some(rate), "{url}");
        }
    }

    #[test]
    fn host_keys() {
        assert_eq!(HostKey::new("*.EXAMPLE.com").map(|k| k.as_str().to_owned()).ok(), Some("*.example.com".into()));
        for bad in ["*.", "*.*", "*.*.a", "a.*", "*a", "**", "*:80", "*.a:80", "*./run/x", "*. a"] {
            assert!(HostKey::new(bad).is_err(), "{bad}");
        }
        assert_eq!(HostKey::new("[::1]:80").map(|k| k.as_str().to_owned()).ok(), Some("[::1]:80".into()));
        assert_eq!(HostKey::new("a:80").map(|k| k.as_str().to_owned()).ok(), Some("a:80".into()));
        for socket in ["/run/a b", "%2Frun%2Fa%20b", "%2frun%2F%61%20b", "http+unix://%2Frun%2Fa%20b"] {
            assert_eq!(HostKey::new(socket).map(|k| k.as_str().to_owned()).ok(), Some("%2Frun%2Fa%20b".into()));
        }
        for (dotted, key) in
            [("a.example.", "a.example"), ("A.example.:80", "a.example:80"), ("*.example.", "*.example")]
        {
            assert_eq!(HostKey::new(dotted).map(|k| k.as_str().to_owned()).ok().as_deref(), Some(key), "{dotted}");
        }
        let error = HostKey::new("::1").expect_err("it has no brackets");
        assert!(error.one_line().contains("write [::1]"), "{error}");
        for bad in ["http+unix://", "http+unix://%2Fa/", "", "http://a", "a/b", "a b", "a:x", "a:", "me@a"] {
            assert!(HostKey::new(bad).is_err(), "{bad}");
        }
    }
}
