//! Proxies: which origin goes through which, and how to ask one for a tunnel.

use std::fmt;
use std::net::TcpStream;
use std::sync::Arc;

use async_io::Async;

use crate::error::{Error, Kind, Result};
use crate::origin::{Origin, Scheme};

/// Which proxy to take for which origin.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    all: Option<Arc<Proxy>>,
}

impl Proxies {
    /// Straight to every origin.
    pub fn none() -> Proxies {
        Proxies::default()
    }

    /// The proxy for this origin.
    pub(super) fn of(&self, _origin: &Origin) -> Option<&Arc<Proxy>> {
        self.all.as_ref()
    }
}

/// A proxy.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    host: Box<str>,
    port: u16,
}

impl Proxy {
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn forwards(&self, scheme: Scheme) -> bool {
        scheme == Scheme::Http
    }

    pub(super) fn authorization(&self) -> Option<String> {
        None
    }

    pub(super) async fn tunnel(&self, _origin: &Origin, _stream: Async<TcpStream>) -> Result<Async<TcpStream>> {
        Err(Error::new(Kind::Connect, "not yet"))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}
