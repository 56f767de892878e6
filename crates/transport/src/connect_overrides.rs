//! Connections that lead elsewhere than their URLs say: addresses given by hand, other hosts, one family of addresses, a
//! socket of this machine; and what they are made from.

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use url::{Host, Url};

use super::interface::LocalEndpoint;
use crate::error::{Error, Kind, Phase, Result};
use crate::origin::Origin;

/// All of it.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectOverrides {
    pub(super) resolve: Vec<Resolve>,
    pub(super) connect_to: Vec<ConnectTo>,
    pub(super) family: Family,
    pub(super) unix_socket: Option<Arc<Path>>,
    pub(super) local: Option<LocalEndpoint>,
}

impl ConnectOverrides {
    /// The addresses that were given for this host and port. One that names the host goes before `*`, of several the last
    /// counts.
    pub(super) fn addresses(&self, host: &str, port: u16) -> Option<Arc<[IpAddr]>> {
        let at = |entry: &&Resolve| entry.port == port && entry.host.as_deref() == Some(host);
        let any = |entry: &&Resolve| entry.port == port && entry.host.is_none();
        let found = self.resolve.iter().rev().find(at).or_else(|| self.resolve.iter().rev().find(any))?;
        Some(found.addresses.clone())
    }

    /// Where to go in place of this origin. The first that matches counts.
    pub(super) fn target(&self, origin: &Origin) -> Result<Option<Origin>> {
        self.connect_to.iter().find(|entry| entry.matches(origin)).map(|entry| entry.target(origin)).transpose()
    }

    /// The addresses of the family that is asked for.
    pub(super) fn of_family(&self, host: &str, addresses: Arc<[IpAddr]>) -> Result<Arc<[IpAddr]>> {
        let (wanted, name): (fn(&IpAddr) -> bool, _) = match self.family {
            Family::Any => return Ok(addresses),
            Family::V4 => (IpAddr::is_ipv4, "IPv4"),
            Family::V6 => (IpAddr::is_ipv6, "IPv6"),
        };
        let kept: Arc<[IpAddr]> = addresses.iter().copied().filter(wanted).collect();
        if kept.is_empty() {
            let list: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            let text =
                format!("\"{host}\" has no {name} address, and no other may be used: it has {}", list.join(", "));
            return Err(Error::new(Kind::Dns, text).in_phase(Phase::Dns));
        }
        Ok(kept)
    }

    /// The addresses that can be connected to from where connections are to be made from.
    pub(super) fn within_reach(&self, host: &str, addresses: Arc<[IpAddr]>) -> Result<Arc<[IpAddr]>> {
        let Some(local) = &self.local else { return Ok(addresses) };
        let kept: Arc<[IpAddr]> = addresses.iter().copied().filter(|address| local.can_reach(*address)).collect();
        if kept.is_empty() {
            let list: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            let text = format!("\"{host}\" has no address of the family of {local}: it has {}", list.join(", "));
            return Err(Error::new(Kind::Dns, text).in_phase(Phase::Dns));
        }
        Ok(kept)
    }
}

/// Which addresses connections are made to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// Those of both families, in turns (RFC 8305). The default.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// The addresses of a host for connections to one port, in place of those that a look-up would give.
///
/// Written as curl's `--resolve`: `HOST:PORT:ADDRESS[,ADDRESS]...`, where HOST `*` is every host. IPv6 addresses may stand
/// in brackets.
///
/// ```
/// use roundup_transport::Resolve;
///
/// assert!("api.example.com:443:127.0.0.1,[::1]".parse::<Resolve>().is_ok());
/// assert!("api.example.com:127.0.0.1".parse::<Resolve>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// None for all.
    host: Option<Box<str>>,
    port: u16,
    addresses: Arc<[IpAddr]>,
}

impl FromStr for Resolve {
    type Err = Error;

    /// # Errors
    /// [`Kind::Config`], naming what would be right.
    fn from_str(text: &str) -> Result<Resolve> {
        let wrong = |why: &str| refuse(text, why, "HOST:PORT:ADDRESS[,ADDRESS]");
        if text.starts_with(['+', '-']) {
            return Err(wrong("starts with + or -, which has no meaning here"));
        }
        let (host, rest) = split_host(text).ok_or_else(|| wrong("has no port"))?;
        let (port, list) = rest.split_once(':').ok_or_else(|| wrong("has no address"))?;
        let host = match host {
            "*" => None,
            host => Some(parse_host(host).ok_or_else(|| wrong("names no host"))?),
        };
        let port = parse_port(port).ok_or_else(|| wrong("has no port from 1 to 65535"))?;
        let addresses = list.split(',').map(|address| {
            let address = address.trim();
            let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
            bare.parse::<IpAddr>().map_err(|_| wrong("has something other than an address behind its port"))
        });
        let addresses = addresses.collect::<Result<Vec<IpAddr>>>()?.into();
        Ok(Resolve { host: host.map(|host| strip(&host).into()), port, addresses })
    }
}

/// Another host and port to connect to in place of those of a URL. Host field, server name and certificate stay those of
/// the URL.
///
/// Written as curl's `--connect-to`: `HOST1:PORT1:HOST2:PORT2`. If HOST1 or PORT1 is empty, it is any; if HOST2 or
/// PORT2 is empty, it stays. IPv6 addresses stand in brackets. Through a proxy, the proxy is asked for a tunnel there.
///
/// ```
/// use roundup_transport::ConnectTo;
///
/// assert!("api.example.com:443:staging.example.com:8443".parse::<ConnectTo>().is_ok());
/// assert!("::localhost:8080".parse::<ConnectTo>().is_ok());
/// assert!("api.example.com:staging.example.com".parse::<ConnectTo>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    /// As in URLs: IPv6 addresses in brackets.
    from: (Option<Box<str>>, Option<u16>),
    to: (Option<Box<str>>, Option<u16>),
}

impl ConnectTo {
    fn matches(&self, origin: &Origin) -> bool {
        self.from.0.as_deref().is_none_or(|host| host == origin.host())
            && self.from.1.is_none_or(|port| port == origin.port())
    }

    fn target(&self, origin: &Origin) -> Result<Origin> {
        let host = self.to.0.as_deref().unwrap_or(origin.host());
        let port = self.to.1.unwrap_or(origin.port());
        let url = Url::parse(&format!("{}://{host}:{port}/", origin.scheme().as_str()));
        let cannot = |error| Error::new(Kind::Url, format!("\"{host}:{port}\" is no place to go")).with_source(error);
        Origin::of(&url.map_err(cannot)?)
    }
}

impl FromStr for ConnectTo {
    type Err = Error;

    /// # Errors
    /// [`Kind::Config`], naming what would be right.
    fn from_str(text: &str) -> Result<ConnectTo> {
        let wrong = |why: &str| refuse(text, why, "HOST1:PORT1:HOST2:PORT2, where each may be empty");
        let parts = || {
            let (host1, rest) = split_host(text)?;
            let (port1, rest) = rest.split_once(':')?;
            let (host2, port2) = split_host(rest)?;
            Some((host1, port1, host2, port2))
        };
        let (host1, port1, host2, port2) = parts().ok_or_else(|| wrong("has fewer than three colons"))?;
        let host = |text: &str| match text {
            "" => Ok(None),
            text => parse_host(text).map(Some).ok_or_else(|| wrong("has a host that is neither a name nor an address")),
        };
        let port = |text: &str| match text {
            "" => Ok(None),
            text => parse_port(text).map(Some).ok_or_else(|| wrong("has a port that is not from 1 to 65535")),
        };
        Ok(ConnectTo { from: (host(host1)?, port(port1)?), to: (host(host2)?, port(port2)?) })
    }
}

/// The host, brackets included, and what follows the colon behind it.
fn split_host(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':')? };
    Some((&text[..end], text[end..].strip_prefix(':')?))
}

/// As the URL standard normalizes it, because so it stands in an [`Origin`].
fn parse_host(text: &str) -> Option<Box<str>> {
    Host::parse(text).ok().map(|host| host.to_string().into())
}

fn strip(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Digits only: `parse` alone would accept a sign.
fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

fn refuse(text: &str, why: &str, right: &str) -> Error {
    Error::new(Kind::Config, format!("{text:?} {why}: write {right}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::parse_url;

    fn origin(url: &str) -> Origin {
        Origin::of(&parse_url(url).expect(url)).expect(url)
    }

    #[test]
    fn addresses_are_for_one_host_and_port() {
        let entries = ["*:443:9.9.9.9", "Api.Example:443:1.1.1.1", "api.example:443:2.2.2.2,[::2],::3", "[::1]:80:::4"];
        let resolve = entries.map(|text| text.parse().expect(text)).to_vec();
        let directions = ConnectOverrides { resolve, ..ConnectOverrides::default() };
        let of = |host, port| directions.addresses(host, port).map(|a| a.iter().map(IpAddr::to_string).collect());
        let list = |addresses: &[&str]| Some(addresses.iter().map(|address| (*address).to_owned()).collect::<Vec<_>>());
        assert_eq!(of("api.example", 443), list(&["2.2.2.2", "::2", "::3"]));
        assert_eq!(of("other", 443), list(&["9.9.9.9"]));
        assert_eq!(of("api.example", 80), None);
        assert_eq!(of("::1", 80), list(&["::4"]));
    }

    #[test]
    fn the_first_other_place_counts() {
        let entries =
            ["a.example:443:b.example:8443", "[::1]::[::2]:", ":81:c.example:", "d.example:::82", ":8080::80"];
        let connect_to = entries.map(|text| text.parse().expect(text)).to_vec();
        let directions = ConnectOverrides { connect_to, ..ConnectOverrides::default() };
        for (from, to) in [
            ("https://a.example/", Some("https://b.example:8443")),
            ("http://a.example/", None),
            ("http://[::1]:99/", Some("http://[::2]:99")),
            ("http://x.example:81/", Some("http://c.example:81")),
            ("https://d.example/", Some("https://d.example:82")),
            ("http://e.example:8080/", Some("http://e.example")),
        ] {
            let target = directions.target(&origin(from)).expect(from).map(|target| target.to_string());
            assert_eq!(target.as_deref(), to, "{from}");
        }
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        for (text, part) in [
            ("", "has no port"),
            ("a", "has no port"),
            ("a:80", "has no address"),
            (":80:1.1.1.1", "names no host"),
            ("a b:80:1.1.1.1", "names no host"),
            ("a:0:1.1.1.1", "from 1 to 65535"),
            ("a:+80:1.1.1.1", "from 1 to 65535"),
            ("a::1.1.1.1", "from 1 to 65535"),
            ("a:80:", "other than an address"),
            ("a:80:b", "other than an address"),
            ("a:80:1.1.1.1,", "other than an address"),
            ("-a:80", "starts with + or -"),
            ("+a:80:1.1.1.1", "starts with + or -"),
        ] {
            let line = text.parse::<Resolve>().expect_err(text).one_line();
            assert!(line.contains(part) && line.ends_with("write HOST:PORT:ADDRESS[,ADDRESS]"), "{line}");
        }
        for (text, part) in [
            ("", "fewer than three"),
            ("a:1:b", "fewer than three"),
            ("[::1:1:b:2", "fewer than three"),
            ("a b:1:c:2", "neither a name nor an address"),
            ("a:1:b c:2", "neither a name nor an address"),
            ("a:x:b:2", "not from 1 to 65535"),
            ("a:1:b:65536", "not from 1 to 65535"),
            ("a:1:b:2:3", "not from 1 to 65535"),
        ] {
            let error = text.parse::<ConnectTo>().expect_err(text);
            assert!(error.one_line().contains(part) && error.kind() == Kind::Config, "{}", error.one_line());
        }
    }

    #[test]
    fn a_family_that_a_host_lacks_is_named() {
        let both: Arc<[IpAddr]> = ["::1", "127.0.0.1"].map(|text| text.parse().expect(text)).into();
        let only = |family| ConnectOverrides { family, ..ConnectOverrides::default() };
        assert_eq!(only(Family::Any).of_family("h", both.clone()).ok().map(|a| a.len()), Some(2));
        assert_eq!(only(Family::V4).of_family("h", both.clone()).ok().as_deref(), Some(&both[1..]));
        assert_eq!(only(Family::V6).of_family("h", both.clone()).ok().as_deref(), Some(&both[..1]));
        let error = only(Family::V4).of_family("h", both[..1].into()).expect_err("no IPv4");
        assert_eq!(error.one_line(), "\"h\" has no IPv4 address, and no other may be used: it has ::1");
        assert_eq!((error.kind(), error.phase()), (Kind::Dns, Some(Phase::Dns)));
    }
}
