//! Where a connection leads and through which proxy, made once for consecutive requests to one origin.

use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::config::Config;
use crate::error::Result;
use crate::origin::{Origin, Scheme};
use crate::proxy::Proxy;
use crate::tls;

/// Where a connection leads and through which proxy: only requests with the same route may share it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) origin: Origin,
    pub(super) proxy: Option<Arc<Proxy>>,
    /// The host and port to connect to, if they are not the origin's.
    target: Option<Origin>,
}

/// Makes the routes of one transport, and remembers the last.
#[derive(Debug, Default)]
pub(super) struct Routes {
    last: Mutex<Option<Arc<Route>>>,
}

impl Routes {
    /// The route to a URL.
    ///
    /// # Errors
    /// Those of [`Origin::of`]; [`Kind::Config`](crate::Kind::Config) if this build has no TLS and it is asked for.
    pub(super) fn of(&self, url: &Url, config: &Config) -> Result<Arc<Route>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = last.as_ref().filter(|route| route.origin.is_of(url)) {
            return Ok(route.clone());
        }
        let origin = Origin::of(url)?;
        let route = Arc::new(Route::new(origin, config)?);
        *last = Some(route.clone());
        Ok(route)
    }
}

impl Route {
    fn new(origin: Origin, config: &Config) -> Result<Route> {
        tls::can_reach(&origin)?;
        let overrides = &config.overrides;
        config.reach.check(&origin, config.proxies.of(&origin).is_some())?;
        if overrides.unix_socket.is_some() || origin.scheme() == Scheme::HttpUnix {
            return Ok(Route { origin, proxy: None, target: None });
        }
        let (proxy, target) = (config.proxies.of(&origin).cloned(), overrides.target(&origin)?);
        Ok(Route { origin, proxy, target })
    }

    /// A route without a proxy, to the origin itself.
    pub(super) fn direct(origin: Origin) -> Route {
        Route { origin, proxy: None, target: None }
    }

    /// What to connect to, directly or through a tunnel.
    pub(super) fn target(&self) -> &Origin {
        self.target.as_ref().unwrap_or(&self.origin)
    }

    /// Whether requests go to the proxy in absolute form, and not through a tunnel (RFC 9112, section 3.2.2). A request in
    /// absolute form cannot name another host to connect to.
    pub(super) fn is_forwarded(&self) -> bool {
        self.target.is_none() && self.proxy.as_ref().is_some_and(|proxy| proxy.forwards(self.origin.scheme()))
    }
}
