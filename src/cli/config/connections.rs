//! From flags to the transport: proxies, addresses, sockets.

use roundup::transport::{Family, Interface, Proxies, TransportBuilder};
use roundup::{Result, Settings, Transport};

use crate::cli::flags::Flags;

/// What flags say of connections goes before what the jobs of a plan say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenConnections {
    proxy: bool,
    roots: bool,
    certificate: bool,
}

impl GivenConnections {
    pub(super) fn new(flags: &Flags) -> GivenConnections {
        let is_given = |name: &'static str| flags.one(name).is_some();
        let (roots, certificate) = (is_given("cacert") || is_given("roots"), is_given("cert") || is_given("key"));
        GivenConnections { proxy: is_given("proxy"), roots, certificate }
    }

    /// Settings without what flags have said.
    pub(crate) fn over(self, mut settings: Settings) -> Settings {
        if self.proxy {
            settings.proxy = None;
        }
        if self.roots {
            settings.cacert = None;
        }
        if self.certificate {
            (settings.cert, settings.cert_key) = (None, None);
        }
        settings
    }
}

/// A transport with what flags and environment say of connections.
pub(super) fn transport(flags: &Flags) -> Result<TransportBuilder> {
    let variable = |name: &str| std::env::var(name).ok();
    let proxies = match flags.parsed("proxy", str::parse)? {
        // All requests go through it but those to hosts that no_proxy names.
        Some(proxy) => Proxies::explicit(proxy, variable),
        None => Proxies::from_environment(variable)?,
    };
    connected(flags, proxies)
}

/// The same without the environment's proxies.
#[cfg(feature = "demo")]
pub(super) fn local_transport(flags: &Flags) -> Result<TransportBuilder> {
    match flags.one("proxy") {
        Some(_) => transport(flags),
        None => connected(flags, Proxies::none()),
    }
}

fn connected(flags: &Flags, proxies: Proxies) -> Result<TransportBuilder> {
    let mut transport = Transport::builder().proxies(proxies).family(family(flags)?);
    for entry in flags.all("resolve") {
        transport = transport.resolve(entry.parse(str::parse)?);
    }
    for entry in flags.all("connect_to") {
        transport = transport.connect_to(entry.parse(str::parse)?);
    }
    if let Some(limit) = flags.time("expect100_timeout")? {
        transport = transport.expect100_timeout(limit);
    }
    if let Some(name) = flags.one("user_agent") {
        name.parse(|text| roundup::Field::new("User-Agent", text))?;
        transport = transport.user_agent(name.text);
    }
    let socket = ("unix_socket", flags.one("unix_socket"));
    let interface = ("interface", flags.one("interface"));
    let why = "a socket is on this machine and has no interface";
    let (socket, interface) = flags.exclusive(socket, interface, why)?;
    if let Some(name) = interface {
        // Built here once, so that the error names the option.
        let interface = name.parse(|text| {
            let interface: Interface = text.parse()?;
            Transport::builder().interface(interface.clone()).build().map(|_| interface)
        })?;
        transport = transport.interface(interface);
    }
    // With a socket, the transport asks no proxy.
    let proxy = ("proxy", flags.one("proxy"));
    let (socket, _) = flags.exclusive(("unix_socket", socket), proxy, "connections go through one or the other")?;
    if let Some(path) = socket {
        transport = transport.unix_socket(&path.text);
        // Built here once, so that the error names the option.
        path.parse(|_| transport.clone().build())?;
    }
    Ok(transport)
}

fn family(flags: &Flags) -> Result<Family> {
    let ipv4 = ("ipv4", flags.on("ipv4")?.then_some(Family::V4));
    let ipv6 = ("ipv6", flags.on("ipv6")?.then_some(Family::V6));
    let (ipv4, ipv6) = flags.exclusive(ipv4, ipv6, "connections are made to both families without them")?;
    Ok(ipv4.or(ipv6).unwrap_or(Family::Any))
}
