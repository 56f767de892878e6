//! Where a connection leads and by which way, made once for the requests to one origin that follow each other.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use url::Url;

use super::{Proxy, Settings, tls};
use crate::error::Result;
use crate::origin::{Origin, Scheme};

/// Where a connection leads and by which way: only requests with the same route may share it.
pub(super) struct Route {
    pub(super) origin: Origin,
    pub(super) proxy: Option<Arc<Proxy>>,
    /// The host and port to connect to, where they are not the origin's.
    target: Option<Origin>,
    /// Of host and port, by a hasher that nobody outside can foresee: few routes differ in nothing else.
    hash: u64,
    /// See [`Route::plain_fields`].
    plain: OnceLock<Vec<u8>>,
}

/// Without the fields: credentials for a proxy are among them.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Route { origin, proxy, target, .. } = self;
        let mut shown = f.debug_struct("Route");
        shown.field("origin", origin).field("proxy", proxy).field("target", target).finish_non_exhaustive()
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Route) -> bool {
        self.origin == other.origin && self.proxy == other.proxy && self.target == other.target
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// For maps whose keys are routes, which know their hash.
pub(super) type Hashed = BuildHasherDefault<KnownHash>;

#[derive(Debug, Default)]
pub(super) struct KnownHash(u64);

impl Hasher for KnownHash {
    fn write(&mut self, bytes: &[u8]) {
        // Not called by a route, and right for others.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(5) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Makes routes. All are of one transport, whose settings do not change.
#[derive(Debug, Default)]
pub(super) struct Routes {
    last: Mutex<Option<Arc<Route>>>,
    hasher: RandomState,
}

impl Routes {
    /// The route to a URL.
    ///
    /// # Errors
    /// Those of [`Origin::of`]; [`Kind::Config`](crate::Kind::Config) where this build has no TLS and it is asked for.
    pub(super) fn of(&self, url: &Url, settings: &Settings) -> Result<Arc<Route>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = last.as_ref().filter(|route| route.origin.is_of(url)) {
            return Ok(route.clone());
        }
        let origin = Origin::of(url)?;
        let hash = self.hasher.hash_one((origin.host(), origin.port()));
        let route = Arc::new(Route::new(origin, hash, settings)?);
        *last = Some(route.clone());
        Ok(route)
    }
}

impl Route {
    fn new(origin: Origin, hash: u64, settings: &Settings) -> Result<Route> {
        tls::can_reach(&origin)?;
        let directions = &settings.directions;
        if directions.unix_socket.is_some() || origin.scheme() == Scheme::HttpUnix {
            return Ok(Route { origin, proxy: None, target: None, hash, plain: OnceLock::new() });
        }
        let (proxy, target) = (settings.proxies.of(&origin).cloned(), directions.target(&origin)?);
        Ok(Route { origin, proxy, target, hash, plain: OnceLock::new() })
    }

    /// The fields of a request that has none of its own, encoded when the first is sent: they are the same for all of them.
    pub(super) fn plain_fields(&self, encode: impl FnOnce() -> Result<Vec<u8>>) -> Result<&[u8]> {
        match self.plain.get() {
            Some(plain) => Ok(plain),
            None => encode().map(|plain| &**self.plain.get_or_init(|| plain)),
        }
    }

    /// What to connect to, directly or through a tunnel.
    pub(super) fn target(&self) -> &Origin {
        self.target.as_ref().unwrap_or(&self.origin)
    }

    /// Whether requests go to the proxy in absolute form, and not through a tunnel (RFC 9112, section 3.2.2). In absolute
    /// form they could not say where else to go.
    pub(super) fn is_forwarded(&self) -> bool {
        self.target.is_none() && self.proxy.as_ref().is_some_and(|proxy| proxy.forwards(self.origin.scheme()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever logs a transport must not log what it tells a proxy.
    #[test]
    fn fields_are_not_shown() {
        let url = "http://h/".parse().expect("a URL");
        let route = Routes::default().of(&url, &Settings::default()).expect("a route");
        route.plain_fields(|| Ok(b"Proxy-Authorization: s3cret".to_vec())).expect("they are given");
        let shown = format!("{route:?}");
        assert!(shown.contains('h') && !shown.contains("s3cret") && !shown.contains("115, 51"), "{shown}");
    }
}
