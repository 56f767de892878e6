//! The near end of connections: an interface or an address of this machine that they are made from.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

/// What connections are made from, as curl's `--interface`:
///
/// - `eth0` or `if!eth0`: an interface. On Linux the connection is bound to it (SO_BINDTODEVICE); if that is not
///   permitted, and on other Unix systems, it is made from the interface's address of the family that is connected to. Not
///   on Windows.
/// - `192.0.2.7`, `2001:db8::7`, `host!NAME`: an address of this machine, or a name that has one. A name is looked up once,
///   when the transport is built.
/// - `ifhost!eth0!192.0.2.7`: both.
///
/// Without a prefix, a word that is neither an address nor an interface is taken for a name.
///
/// ```
/// use roundup_transport::Interface;
///
/// assert!("127.0.0.1".parse::<Interface>().is_ok());
/// assert!("if!".parse::<Interface>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    device: Option<Box<str>>,
    host: Option<Box<str>>,
    /// It was not said which of both it is: they are the same word.
    either: bool,
}

/// The longest name of an interface: IFNAMSIZ is 16, with a NUL at the end.
const MAX_DEVICE: usize = 15;

impl FromStr for Interface {
    type Err = Error;

    /// # Errors
    /// [`Kind::Config`], naming what would be right.
    fn from_str(text: &str) -> Result<Interface> {
        let some = |name: &str| {
            let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
            if name.is_empty() || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
                let right = "write the name of an interface, an address of this machine, or if!NAME or host!NAME";
                return Err(Error::new(Kind::Config, format!("{text:?} names nothing to connect from: {right}")));
            }
            Ok(Some(Box::<str>::from(name)))
        };
        if let Some(both) = text.strip_prefix("ifhost!") {
            let (device, host) = both.split_once('!').unwrap_or((both, ""));
            return Ok(Interface { device: some(device)?, host: some(host)?, either: false });
        }
        if let Some(device) = text.strip_prefix("if!") {
            return Ok(Interface { device: some(device)?, host: None, either: false });
        }
        if let Some(host) = text.strip_prefix("host!") {
            return Ok(Interface { device: None, host: some(host)?, either: false });
        }
        let word = some(text)?;
        let is_address = word.as_deref().is_some_and(|word| word.parse::<IpAddr>().is_ok());
        Ok(Interface { device: word.clone().filter(|_| !is_address), host: word, either: !is_address })
    }
}

impl Interface {
    /// What it is on this machine, now.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is no such interface or address, naming those that there are.
    pub(super) fn local(&self) -> Result<LocalEndpoint> {
        let mut device = self.device.clone();
        if let Some(name) = &self.device {
            let interfaces = sys::interfaces();
            let known = name.len() <= MAX_DEVICE && interfaces.iter().any(|(known, _)| *known == **name);
            match (known, &self.host) {
                (true, Some(_)) if self.either => return Ok(LocalEndpoint { device, v4: None, v6: None }),
                (true, None) => return Ok(LocalEndpoint { device, v4: None, v6: None }),
                (true, Some(_)) => {}
                (false, _) if self.either && cfg!(unix) => device = None,
                (false, _) => return Err(no_device(name, &interfaces)),
            }
        }
        let host = self.host.as_deref().unwrap_or_default();
        let (v4, v6) = addresses_of(host).map_err(|error| {
            if self.either { no_device(host, &sys::interfaces()).with_source(error) } else { error }
        })?;
        Ok(LocalEndpoint { device, v4, v6 })
    }
}

fn no_device(name: &str, interfaces: &[(String, Vec<SocketAddr>)]) -> Error {
    if cfg!(not(unix)) {
        let text = format!("\"{name}\" is not an address, and only Unix can connect from an interface by its name");
        return Error::new(Kind::Config, format!("{text}: write one of its addresses"));
    }
    let mut names: Vec<&str> = interfaces.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    let text = format!("\"{name}\" is not an interface of this machine: write one of {}", names.join(", "));
    Error::new(Kind::Config, format!("{text}, or an address"))
}

/// The first address of each family that this host has and connections can be made from.
fn addresses_of(host: &str) -> Result<(Option<SocketAddr>, Option<SocketAddr>)> {
    let wrong = |text: String| Error::new(Kind::Config, text);
    let found = (host, 0).to_socket_addrs().map_err(|error| {
        wrong(format!("\"{host}\" cannot be resolved to an address to connect from")).with_source(error)
    })?;
    let mut all = Vec::new();
    let (mut v4, mut v6) = (None, None);
    for address in found {
        all.push(address.ip().to_string());
        // Whether it is one of this machine's, without an unconnected TCP socket that would hold its port for a while.
        let place = if address.is_ipv4() { &mut v4 } else { &mut v6 };
        if place.is_none() && UdpSocket::bind(address).is_ok() {
            *place = Some(address);
        }
    }
    if v4.is_none() && v6.is_none() {
        let all = all.join(", ");
        let shown = if all == host { format!("\"{host}\"") } else { format!("\"{host}\" ({all})") };
        return Err(wrong(format!("{shown} is not an address of this machine: nothing can be connected from it")));
    }
    Ok((v4, v6))
}

/// An [`Interface`] as it was found on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalEndpoint {
    device: Option<Box<str>>,
    v4: Option<SocketAddr>,
    v6: Option<SocketAddr>,
}

impl LocalEndpoint {
    /// Whether an address of this family can be connected to at all.
    pub(super) fn can_reach(&self, address: IpAddr) -> bool {
        // What an interface has is seen only when it is used.
        let own = if address.is_ipv4() { self.v4 } else { self.v6 };
        own.is_some() || (self.v4.is_none() && self.v6.is_none())
    }

    /// Has a socket connect from here.
    pub(super) fn bind(&self, socket: &TcpStream, ipv4: bool) -> io::Result<()> {
        let bound = match &self.device {
            Some(device) => sys::bind_to_device(socket, device),
            None => Ok(false),
        };
        let address = bound.and_then(|bound| self.address(ipv4, bound)).map_err(|error| self.unbound(error))?;
        match address {
            Some(address) => rustix::net::bind(socket, &address).map_err(|error| self.unbound(error.into())),
            None => Ok(()),
        }
    }

    /// The address to bind to, of this family; that of the interface if the socket could not be bound to it.
    fn address(&self, ipv4: bool, bound: bool) -> io::Result<Option<SocketAddr>> {
        let own = if ipv4 { self.v4 } else { self.v6 };
        match &self.device {
            Some(device) if own.is_none() && !bound => address_of(device, ipv4).map(Some),
            _ => Ok(own),
        }
    }

    /// The error with what could not be bound to.
    fn unbound(&self, error: io::Error) -> io::Error {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        io::Error::new(error.kind(), format!("no socket can be bound to {self}: {text}"))
    }
}

impl fmt::Display for LocalEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.v4.iter().chain(&self.v6).map(|address| address.ip().to_string());
        let parts: Vec<String> = self.device.iter().map(|device| device.to_string()).chain(addresses).collect();
        f.write_str(&parts.join(" and "))
    }
}

/// The address of this family that an interface has.
fn address_of(device: &str, ipv4: bool) -> io::Result<SocketAddr> {
    let own = sys::interfaces().into_iter().filter(|(name, _)| name == device).flat_map(|(_, addresses)| addresses);
    let mut own: Vec<SocketAddr> = own.filter(|address| address.is_ipv4() == ipv4).collect();
    // One of the link alone leads nowhere else.
    own.sort_by_key(|address| matches!(address.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local()));
    own.into_iter().next().ok_or_else(|| {
        let family = if ipv4 { "IPv4" } else { "IPv6" };
        io::Error::new(io::ErrorKind::AddrNotAvailable, format!("it has no {family} address"))
    })
}

#[cfg(unix)]
mod sys {
    use std::io;
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, TcpStream};

    use nix::sys::socket::SockaddrStorage;

    /// The interfaces of this machine and their addresses; none if the system does not say.
    pub(super) fn interfaces() -> Vec<(String, Vec<SocketAddr>)> {
        let mut found: Vec<(String, Vec<SocketAddr>)> = Vec::new();
        for entry in nix::ifaddrs::getifaddrs().into_iter().flatten() {
            let address = entry.address.as_ref().and_then(address);
            match found.iter_mut().find(|(name, _)| *name == entry.interface_name) {
                Some((_, addresses)) => addresses.extend(address),
                None => found.push((entry.interface_name, address.into_iter().collect())),
            }
        }
        found
    }

    fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = storage.as_sockaddr_in().map(|v4| SocketAddrV4::new(v4.ip(), 0).into());
        v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddrV6::new(v6.ip(), 0, 0, v6.scope_id()).into()))
    }

    /// Whether the socket is bound to the interface now: not, if only its address can do that.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn bind_to_device(socket: &TcpStream, device: &str) -> io::Result<bool> {
        use nix::errno::Errno;
        use nix::sys::socket::{setsockopt, sockopt};

        match setsockopt(socket, sockopt::BindToDevice, &device.into()) {
            Ok(()) => Ok(true),
            // Before Linux 5.7 it takes CAP_NET_RAW; sandboxes may know nothing of it.
            Err(Errno::EPERM | Errno::EACCES | Errno::ENOPROTOOPT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn bind_to_device(_: &TcpStream, _: &str) -> io::Result<bool> {
        Ok(false)
    }
}

/// Where interfaces have no names that programs know.
#[cfg(not(unix))]
mod sys {
    use std::io;
    use std::net::{SocketAddr, TcpStream};

    pub(super) fn interfaces() -> Vec<(String, Vec<SocketAddr>)> {
        Vec::new()
    }

    pub(super) fn bind_to_device(_: &TcpStream, _: &str) -> io::Result<bool> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(text: &str) -> Interface {
        text.parse().expect(text)
    }

    #[test]
    fn as_curl_writes_them() {
        let of = |text: &str| {
            let Interface { device, host, either } = interface(text);
            (device.unwrap_or_default().to_string(), host.unwrap_or_default().to_string(), either)
        };
        for (text, device, host, either) in [
            ("eth0", "eth0", "eth0", true),
            ("if!eth0", "eth0", "", false),
            ("127.0.0.1", "", "127.0.0.1", false),
            ("[::1]", "", "::1", false),
            ("host!127.0.0.1", "", "127.0.0.1", false),
            ("host!me.example", "", "me.example", false),
            ("ifhost!lo!127.0.0.2", "lo", "127.0.0.2", false),
            ("ifhost!lo![::1]", "lo", "::1", false),
        ] {
            assert_eq!(of(text), (device.to_owned(), host.to_owned(), either), "{text}");
        }
        for text in ["", "if!", "host!", "ifhost!lo", "ifhost!!x", "eth 0", "a\nb", "[]"] {
            let error = text.parse::<Interface>().expect_err(text);
            assert_eq!(error.kind(), Kind::Config);
            assert!(error.one_line().contains("names nothing to connect from: write the name"), "{error}");
        }
    }

    #[test]
    fn what_this_machine_has_not_is_found_out_first() {
        // RFC 5737 keeps it for documentation, RFC 6761 says there is no such name.
        for (text, part) in [
            ("192.0.2.1", "\"192.0.2.1\" is not an address of this machine"),
            ("host!no-such-host.invalid", "\"no-such-host.invalid\" cannot be resolved to an address to connect from"),
            ("if!no-such-if", "\"no-such-if\" is not"),
            ("no-such-if.invalid", "\"no-such-if.invalid\" is not"),
            ("ifhost!no-such-if!127.0.0.1", "\"no-such-if\" is not"),
        ] {
            let error = interface(text).local().expect_err(text);
            assert_eq!(error.kind(), Kind::Config);
            assert!(error.one_line().starts_with(part), "{text}: {}", error.one_line());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn interfaces_are_named_and_have_addresses() {
        let error = interface("if!no-such-if").local().expect_err("there is none").one_line();
        assert!(
            error.contains("write one of ") && error.contains("lo") && error.ends_with(", or an address"),
            "{error}"
        );
        let local = interface("lo").local().expect("every machine has it");
        assert_eq!(local, LocalEndpoint { device: Some("lo".into()), v4: None, v6: None });
        assert_eq!(address_of("lo", true).expect("127.0.0.1"), "127.0.0.1:0".parse().expect("an address"));
        let error = address_of("no-such-if", false).expect_err("there is none");
        assert_eq!(error.to_string(), "it has no IPv6 address");
        let both = interface("ifhost!lo!127.0.0.2").local().expect("both are there");
        assert_eq!(both.to_string(), "lo and 127.0.0.2");
        assert!(both.can_reach(IpAddr::from([1, 1, 1, 1])) && local.can_reach(IpAddr::from([1, 1, 1, 1])));
        assert!(!both.can_reach("::1".parse().expect("an address")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sockets_are_bound_to_the_device_or_else_to_its_address() {
        use nix::sys::socket::{getsockopt, sockopt};

        let socket = || super::super::socket::open(true).expect("a socket");
        let lo = interface("lo").local().expect("every machine has it");
        let bound = socket();
        lo.bind(&bound, true).expect("it can be bound");
        let device = getsockopt(&bound, sockopt::BindToDevice).expect("it can be asked");
        let address = bound.local_addr().expect("a socket has one");
        // As this process is permitted.
        match device.to_string_lossy().trim_end_matches('\0') {
            "lo" => assert!(address.ip().is_unspecified(), "{address}"),
            _ => assert_eq!(address.ip(), IpAddr::from([127, 0, 0, 1])),
        }
        // As another process would be.
        assert_eq!(lo.address(true, false).expect("it has one"), Some("127.0.0.1:0".parse().expect("an address")));
        assert_eq!(lo.address(true, true).expect("none is needed"), None);
        let gone = LocalEndpoint { device: Some("no-such-if".into()), v4: None, v6: None };
        let error = gone.bind(&socket(), true).expect_err("there is none").to_string();
        assert_eq!(error, "no socket can be bound to no-such-if: no such device");
    }
}
