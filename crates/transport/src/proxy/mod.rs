//! Proxies: which origin goes through which, and how to ask one for a tunnel.
//!
//! ```text
//! Proxies::of(origin) ──> no proxy: straight to the origin
//!                    └──> Proxy ──> http proxy, http origin:  requests in absolute form, no tunnel
//!                             ├──> http proxy, https origin: CONNECT (connect.rs)
//!                             └──> SOCKS5, any origin:       RFC 1928 (socks5.rs)
//! ```

use std::fmt;
use std::net::{IpAddr, TcpStream};
use std::str::FromStr;

use async_io::Async;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::Host;

use crate::error::{Error, Kind, Phase, Result};
use crate::http::percent;
use crate::origin::{Origin, Scheme};

mod connect;
mod credentials;
mod env;
mod failure;
mod no_proxy;
mod socks5;

pub use self::env::Proxies;

use self::credentials::{MAX_SOCKS5_TEXT, ProxyCredentials};

/// The port of a proxy that is written without one: curl's choice for http and SOCKS proxies alike, so that a variable
/// which works there means the same here.
const DEFAULT_PORT: u16 = 1080;

/// A proxy: its protocol, host and port, and the user and password it asks for, if any.
///
/// Written as `[http://|socks5://|socks5h://][USER[:PASSWORD]@]HOST[:PORT]`, as for curl:
///
/// - Without a scheme it is an http proxy; without a port, the port is 1080.
/// - Through `socks5://` as through `socks5h://`, the proxy resolves the names of origins: none is looked up here.
/// - USER and PASSWORD are percent-decoded. `/`, `?`, `#` and `@` in them must be percent-encoded, as must a `:` in USER.
/// - IPv6 addresses stand in brackets.
///
/// `Display` and `Debug` show neither user nor password, and neither do errors.
///
/// ```
/// use roundup_transport::Proxy;
///
/// let proxy: Proxy = "socks5://me:secret@localhost".parse()?;
/// assert_eq!(proxy.to_string(), "socks5://localhost:1080");
/// assert!("https://localhost:3128".parse::<Proxy>().is_err());
/// # Ok::<(), roundup_http::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Proxy {
    protocol: ProxyProtocol,
    /// Normalized as in a URL; IPv6 addresses without brackets.
    host: Box<str>,
    port: u16,
    credentials: Option<ProxyCredentials>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum ProxyProtocol {
    Http,
    Socks5,
}

impl Proxy {
    /// The host as a resolver names it: without brackets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Whether requests to origins of this scheme go to the proxy itself, in absolute form, and not through a tunnel.
    pub(super) fn forwards(&self, scheme: Scheme) -> bool {
        self.protocol == ProxyProtocol::Http && scheme == Scheme::Http
    }

    /// The value of Proxy-Authorization (RFC 9110, section 11.7.2, and RFC 7617); `None` if there is nothing to send.
    pub(super) fn authorization(&self) -> Option<String> {
        let credentials = self.credentials.as_ref().filter(|_| self.protocol == ProxyProtocol::Http)?;
        let pair = [&credentials.user[..], b":", &credentials.password[..]].concat();
        Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }

    /// Whether a user and a password are sent to it.
    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// What must not be shown: the password, and the pair as it is sent.
    pub(super) fn secrets(&self) -> Vec<String> {
        let Some(credentials) = &self.credentials else { return Vec::new() };
        let pair = [&credentials.user[..], b":", &credentials.password[..]].concat();
        vec![String::from_utf8_lossy(&credentials.password).into_owned(), BASE64_STANDARD.encode(pair)]
    }

    /// Asks the proxy for a connection to this origin. Every byte that comes out of the stream afterwards is the origin's.
    ///
    /// # Errors
    /// [`Kind::Connect`] if the proxy refuses or cannot reach the origin, or closes before it has answered;
    /// [`Kind::Protocol`] if it does not speak its protocol. The phase is [`Phase::Proxy`].
    pub(super) async fn tunnel(&self, origin: &Origin, mut stream: Async<TcpStream>) -> Result<Async<TcpStream>> {
        let opened = match self.protocol {
            ProxyProtocol::Http => connect::open(&mut stream, origin, self.authorization().as_deref()).await,
            ProxyProtocol::Socks5 => socks5::open(&mut stream, origin, self.credentials.as_ref()).await,
        };
        match opened {
            Ok(()) => Ok(stream),
            Err(error) => {
                let text = format!("no tunnel to {}:{} through the proxy {self}", origin.host(), origin.port());
                Err(Error::new(error.kind(), text).in_phase(Phase::Proxy).with_source(error))
            }
        }
    }
}

impl FromStr for Proxy {
    type Err = Error;

    /// # Errors
    /// [`Kind::Config`], with what would be right. No part of the text is repeated: any of it may be a password.
    fn from_str(text: &str) -> Result<Proxy> {
        let (scheme, rest) = split_scheme(text.trim());
        let protocol = protocol(scheme)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !matches!(path, "" | "/") {
            return Err(refuse(
                "a proxy is a host and a port without a path: percent-encode \"/\", \"?\" and \"#\" in its password",
            ));
        }
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((user_info, host_port)) => (Some(user_info), host_port),
            None => (None, authority),
        };
        let credentials = user_info.map_or(Ok(None), |text| credentials(protocol, text))?;
        let (host, port) = split_port(host_port)?;
        Ok(Proxy { protocol, host: parse_host(host)?, port: parse_port(port)?, credentials })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            ProxyProtocol::Http => "http",
            ProxyProtocol::Socks5 => "socks5",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

fn split_scheme(text: &str) -> (Option<&str>, &str) {
    match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['@', ':', '/', '?', '#']) => (Some(scheme), rest),
        _ => (None, text),
    }
}

fn protocol(scheme: Option<&str>) -> Result<ProxyProtocol> {
    let Some(scheme) = scheme else { return Ok(ProxyProtocol::Http) };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(ProxyProtocol::Http),
        "socks5" | "socks5h" => Ok(ProxyProtocol::Socks5),
        "https" => Err(refuse(
            "a proxy that is itself reached over TLS (https://) cannot be used: write http:// or socks5://, \
             https origins are encrypted through those as well",
        )),
        "socks" | "socks4" | "socks4a" => {
            Err(refuse("a SOCKS4 proxy cannot be used: write socks5:// if it speaks version 5"))
        }
        _ => Err(refuse("the scheme of the proxy is not known: write http://, socks5:// or socks5h://")),
    }
}

fn credentials(protocol: ProxyProtocol, user_info: &str) -> Result<Option<ProxyCredentials>> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (user, password) = (percent::decode(user.as_bytes()), percent::decode(password.as_bytes()));
    if user.is_empty() && password.is_empty() {
        return Ok(None);
    }
    match protocol {
        ProxyProtocol::Http if user.contains(&b':') => {
            return Err(refuse("a user of an http proxy cannot contain a colon (RFC 7617, section 2)"));
        }
        ProxyProtocol::Socks5 if user.is_empty() => {
            return Err(refuse("a password for a SOCKS5 proxy needs a user: write USER:PASSWORD@"));
        }
        ProxyProtocol::Socks5 if user.len() > MAX_SOCKS5_TEXT || password.len() > MAX_SOCKS5_TEXT => {
            return Err(refuse("user and password for a SOCKS5 proxy have at most 255 bytes each (RFC 1929)"));
        }
        _ => {}
    }
    Ok(Some(ProxyCredentials { user: user.into(), password: password.into() }))
}

/// The host, brackets included, and the port, empty if there is none.
fn split_port(text: &str) -> Result<(&str, &str)> {
    let end = match text.find(']') {
        Some(at) if text.starts_with('[') => at + 1,
        _ => text.find(':').unwrap_or(text.len()),
    };
    let (host, tail) = text.split_at(end);
    match tail.strip_prefix(':') {
        _ if tail.is_empty() => Ok((host, "")),
        Some(port) if port.contains(':') => {
            Err(refuse("a proxy is written HOST:PORT, an IPv6 address in brackets: [::1]:3128"))
        }
        Some(port) => Ok((host, port)),
        None => Err(refuse("after the bracket of an IPv6 address comes a colon and the port: [::1]:3128")),
    }
}

fn parse_host(text: &str) -> Result<Box<str>> {
    if text.is_empty() {
        return Err(refuse("the proxy names no host: write HOST:PORT or http://HOST:PORT"));
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Ok(name.into()),
        Ok(Host::Ipv4(address)) => Ok(IpAddr::from(address).to_string().into()),
        Ok(Host::Ipv6(address)) => Ok(IpAddr::from(address).to_string().into()),
        Err(_) => Err(refuse("the host of the proxy is neither a name nor an address: write HOST:PORT")),
    }
}

fn parse_port(text: &str) -> Result<u16> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    port_number(text).ok_or_else(|| refuse("the port of the proxy has to be a number from 1 to 65535"))
}

/// Digits only: `parse` alone would accept a sign.
fn port_number(text: &str) -> Option<u16> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|port| *port != 0)
}

fn refuse(text: &str) -> Error {
    Error::new(Kind::Config, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(text: &str) -> Proxy {
        text.parse().expect(text)
    }

    #[test]
    fn proxies_as_people_write_them() {
        for (text, shown) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("HTTP://Proxy.Example:3128/", "http://proxy.example:3128"),
            ("proxy.example:3128", "http://proxy.example:3128"),
            (" proxy.example ", "http://proxy.example:1080"),
            ("http://proxy.example:", "http://proxy.example:1080"),
            ("localhost:8080", "http://localhost:8080"),
            ("127.0.0.1:65535", "http://127.0.0.1:65535"),
            ("[::1]:3128", "http://[::1]:3128"),
            ("http://[2001:DB8::0:1]", "http://[2001:db8::1]:1080"),
            ("socks5://h", "socks5://h:1080"),
            ("SOCKS5H://h:9050", "socks5://h:9050"),
            ("http://b\u{fc}cher.example", "http://xn--bcher-kva.example:1080"),
            ("me:pass@h:1", "http://h:1"),
            ("socks5://me:p%40ss@[::1]:1", "socks5://[::1]:1"),
        ] {
            assert_eq!(proxy(text).to_string(), shown, "{text}");
            assert_eq!(proxy(shown).to_string(), shown);
        }
        assert_eq!(proxy("[::1]:3128").host(), "::1");
    }

    #[test]
    fn what_is_no_proxy_says_what_would_be_right_and_no_secret() {
        for (text, part) in [
            ("", "names no host"),
            ("http://", "names no host"),
            ("http://me:hunter2@", "names no host"),
            ("http://me:hunter2@:80", "names no host"),
            ("//me:hunter2@h", "without a path"),
            ("https://me:hunter2@h:1", "over TLS"),
            ("socks4://me:hunter2@h:1", "write socks5://"),
            ("socks4a://me:hunter2@h:1", "write socks5://"),
            ("socks://me:hunter2@h:1", "write socks5://"),
            ("hunter2://me@h:1", "write http://, socks5:// or socks5h://"),
            ("http://me:hunter2@h/path", "without a path"),
            ("http://me:hunter2/hunter2@h:1", "without a path"),
            ("http://me:hunter2#@h:1", "without a path"),
            ("http://me:hunter2", "from 1 to 65535"),
            ("http:me:hunter2", "in brackets"),
            ("me:hunter2@h:0", "from 1 to 65535"),
            ("me:hunter2@h:65536", "from 1 to 65535"),
            ("me:hunter2@h:+1", "from 1 to 65535"),
            ("me:hunter2@::1", "in brackets"),
            ("me:hunter2@[::1]hunter2", "after the bracket"),
            ("me:hunter2@[::1", "in brackets"),
            ("me:hunter2@[h]", "neither a name nor an address"),
            ("me:hunter2@a b:1", "neither a name nor an address"),
            ("me:hunter2@a\r\nb:1", "neither a name nor an address"),
            ("http://hunter2%3a:x@h:1", "colon"),
            ("socks5://:hunter2@h:1", "needs a user"),
        ] {
            let error = text.parse::<Proxy>().expect_err(text);
            assert_eq!(error.kind(), Kind::Config);
            let line = error.one_line();
            assert!(line.contains(part), "{text}: {line}");
            assert!(!line.contains("hunter2") && !line.contains("me:"), "{text}: {line}");
        }
        let long = format!("socks5://{}:x@h", "u".repeat(256));
        assert!(long.parse::<Proxy>().expect_err("too long").one_line().contains("at most 255 bytes"));
    }

    #[test]
    fn credentials_are_decoded_sent_and_never_shown() {
        // The example of RFC 7617, section 2.
        let with = proxy("http://Aladdin:open%20sesame@h:1");
        assert_eq!(with.authorization().as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(format!("{with} {with:?}"), "http://h:1 Proxy(http://h:1)");
        assert_eq!(proxy("http://:@h:1").authorization(), None);
        assert_eq!(proxy("http://@h:1"), proxy("http://h:1"));
        assert_eq!(proxy("me@h").authorization().as_deref(), Some("Basic bWU6"));
        assert_eq!(proxy("socks5://me:x@h").authorization(), None, "SOCKS has its own way");
        assert_ne!(proxy("me:x@h"), proxy("me:y@h"), "connections of one user are not another's");
    }

    #[test]
    fn only_http_through_http_goes_without_a_tunnel() {
        let (http, socks) = (proxy("http://h"), proxy("socks5://h"));
        let forwards = |proxy: &Proxy| (proxy.forwards(Scheme::Http), proxy.forwards(Scheme::Https));
        assert_eq!((forwards(&http), forwards(&socks)), ((true, false), (false, false)));
    }
}
