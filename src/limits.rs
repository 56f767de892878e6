//! How much at once, and how fast: for the whole run and for one host.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::error::{Error, Kind, Result};
use crate::origin::{Origin, encode_socket, percent_decode};
use crate::units::Rate;

/// How many jobs are under way at once unless said otherwise.
pub const DEFAULT_CONCURRENCY: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// Limits of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many jobs are under way at once; 10 by default.
    pub concurrency: NonZeroU32,
    /// The same for one host (scheme, name and port); none by default.
    pub per_host: Option<NonZeroU32>,
    /// How many requests may start in a stretch of time, over all hosts; none by default.
    pub rate: Option<Rate>,
    /// What differs for certain hosts.
    pub hosts: BTreeMap<HostKey, HostLimits>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { concurrency: DEFAULT_CONCURRENCY, per_host: None, rate: None, hosts: BTreeMap::new() }
    }
}

impl Limits {
    /// The limits of this origin: those of its `[hosts]` entry, `host:port` before `host`, the run's own where it is silent.
    pub fn of(&self, origin: &Origin) -> HostLimits {
        let named = |key: String| self.hosts.get(&HostKey(key.into()));
        let special = named(format!("{}:{}", origin.host(), origin.port())).or_else(|| named(origin.host().to_owned()));
        let special = special.copied().unwrap_or_default();
        HostLimits { per_host: special.per_host.or(self.per_host), rate: special.rate }
    }
}

/// Limits of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostLimits {
    /// How many jobs are under way at once.
    pub per_host: Option<NonZeroU32>,
    /// How many requests may start in a stretch of time.
    pub rate: Option<Rate>,
}

/// The name of a host in a plan: `api.example.com`, or `api.example.com:8443` for one port of it; for a unix-domain socket
/// its path, `/run/docker.sock`, or as it stands in a URL, `%2Frun%2Fdocker.sock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostKey(Box<str>);

impl HostKey {
    /// Reads the name; it is normalized as the host of a URL is.
    ///
    /// # Errors
    /// [`Kind::Config`] where it is no host name, or has a scheme or a path.
    pub fn new(text: &str) -> Result<HostKey> {
        let written = text.strip_prefix("http+unix://").or_else(|| text.starts_with('%').then_some(text));
        let socket = match written {
            Some(host) if !host.contains(['/', '@', ':', '?', '#']) => Some(percent_decode(host.as_bytes())),
            _ => text.starts_with('/').then(|| text.as_bytes().to_vec()),
        };
        if let Some(path) = socket.filter(|path| !path.is_empty()) {
            return Ok(HostKey(encode_socket(&path)));
        }
        let invalid = || {
            Error::new(Kind::Config, format!("\"{text}\" is not a host: write api.example.com or api.example.com:8443"))
        };
        if text.contains(['/', '@', '?', '#', '\\']) || text.trim() != text {
            return Err(invalid());
        }
        let url = crate::origin::parse_url(&format!("http://{text}/")).map_err(|_| invalid())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(invalid)?;
        // The parser drops the scheme's own port; the user wrote it and means it.
        let after_host = text.rsplit_once(']').map_or(text, |(_, rest)| rest);
        match after_host.rsplit_once(':') {
            Some((_, port)) => Ok(HostKey(format!("{host}:{}", port.parse::<u16>().map_err(|_| invalid())?).into())),
            None => Ok(HostKey(host.into())),
        }
    }

    /// Whether this key names the host of the URL, with its port where the key has one.
    pub fn matches(&self, origin: &Origin) -> bool {
        *self.0 == *origin.host() || *self.0 == format!("{}:{}", origin.host(), origin.port())
    }

    /// The normalized name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
    fn host_keys() {
        assert_eq!(HostKey::new("[::1]:80").map(|k| k.as_str().to_owned()).ok(), Some("[::1]:80".into()));
        assert_eq!(HostKey::new("a:80").map(|k| k.as_str().to_owned()).ok(), Some("a:80".into()));
        for socket in ["/run/a b", "%2Frun%2Fa%20b", "%2frun%2F%61%20b", "http+unix://%2Frun%2Fa%20b"] {
            assert_eq!(HostKey::new(socket).map(|k| k.as_str().to_owned()).ok(), Some("%2Frun%2Fa%20b".into()));
        }
        for bad in ["http+unix://", "http+unix://%2Fa/", "", "http://a", "a/b", "a b", "a:x", "a:", "me@a"] {
            assert!(HostKey::new(bad).is_err(), "{bad}");
        }
    }
}
