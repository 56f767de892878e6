//! Without the cargo feature `proxy`: the same types, which say so.

use std::fmt;
use std::net::TcpStream;
use std::str::FromStr;
use std::sync::Arc;

use async_io::Async;

use crate::error::{Error, Kind, Result};
use crate::origin::{Origin, Scheme};

/// A proxy; none can be named without the cargo feature `proxy`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Proxy(Never);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Never {}

impl Proxy {
    pub(super) fn host(&self) -> &str {
        match self.0 {}
    }

    pub(super) fn port(&self) -> u16 {
        match self.0 {}
    }

    pub(super) fn forwards(&self, _: Scheme) -> bool {
        match self.0 {}
    }

    pub(super) fn authorization(&self) -> Option<String> {
        match self.0 {}
    }

    pub(super) fn has_credentials(&self) -> bool {
        match self.0 {}
    }

    pub(super) async fn tunnel(&self, _: &Origin, _: Async<TcpStream>) -> Result<Async<TcpStream>> {
        match self.0 {}
    }
}

impl FromStr for Proxy {
    type Err = Error;

    /// # Errors
    /// [`Kind::Config`], always.
    fn from_str(_: &str) -> Result<Proxy> {
        Err(left_out("no proxy can be used"))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

/// Which proxy to take for which origin: none for any.
#[derive(Clone, Debug, Default)]
pub struct Proxies(());

impl Proxies {
    /// Straight to every origin.
    pub fn none() -> Proxies {
        Proxies::default()
    }

    /// There are none to be kept from reports.
    pub(crate) fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// This proxy for every origin.
    pub fn single(proxy: Proxy) -> Proxies {
        match proxy.0 {}
    }

    pub(crate) fn through(&self, proxy: Proxy) -> Proxies {
        match proxy.0 {}
    }

    /// This proxy for every origin but those that the environment exempts.
    pub fn explicit(proxy: Proxy, _: impl Fn(&str) -> Option<String>) -> Proxies {
        match proxy.0 {}
    }

    /// None, if the environment names none.
    ///
    /// # Errors
    /// [`Kind::Config`] if a variable names a proxy, with the variable: going round it unasked may be what a network
    /// forbids.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Proxies> {
        const NAMES: [&str; 5] = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        match NAMES.iter().find(|name| get(name).is_some_and(|value| !value.trim().is_empty())) {
            Some(name) => Err(left_out(&format!("the proxy that {name} names cannot be used: unset it"))),
            None => Ok(Proxies::none()),
        }
    }

    /// Goes straight to these origins, as to all.
    pub fn except(self, _: &str) -> Proxies {
        self
    }

    pub(super) fn of(&self, _: &Origin) -> Option<&Arc<Proxy>> {
        None
    }
}

fn left_out(what: &str) -> Error {
    let text = format!("{what}; this build was made without proxies, take one with the cargo feature \"proxy\"");
    Error::new(Kind::Config, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_refused_wherever_it_is_named() {
        assert!("http://a:1".parse::<Proxy>().expect_err("none").one_line().contains("feature \"proxy\""));
        assert!(Proxies::from_environment(|_| None).is_ok());
        assert!(Proxies::from_environment(|name| (name == "no_proxy").then(|| "*".to_owned())).is_ok());
        let error = Proxies::from_environment(|name| (name == "all_proxy").then(|| "me:secret@a:1".to_owned()));
        let line = error.expect_err("a proxy").one_line();
        assert!(line.contains("all_proxy") && !line.contains("secret"), "{line}");
    }
}
