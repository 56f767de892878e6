//! Where connections are made to, other than URLs say: from options to the transport; and how long they wait to be asked for content.

use roundup::Result;
use roundup::Transport;
use roundup::transport::{Family, Interface, Proxies, TransportBuilder};
use roundup::units::parse_duration;

use crate::manner::exclusive;
use crate::options::Options;

/// Sets what the options say of connections; `proxies` are used unless all goes through one socket.
pub(crate) fn directed(
    options: &Options,
    proxies: Proxies,
    mut transport: TransportBuilder,
) -> Result<TransportBuilder> {
    transport = transport.proxies(proxies);
    for given in options.all("resolve") {
        transport = transport.resolve(given.parse(str::parse)?);
    }
    for given in options.all("connect-to") {
        transport = transport.connect_to(given.parse(str::parse)?);
    }
    transport = transport.family(family(options)?);
    if let Some(limit) = options.parsed("expect100-timeout", parse_duration)? {
        transport = transport.expect100_timeout(limit);
    }
    // What is typed counts more than what the environment says to the contrary.
    match (options.one("unix-socket"), options.one("interface")) {
        (Some(socket), Some(interface)) if socket.typed == interface.typed => {
            return Err(exclusive("--unix-socket and --interface", "a socket is on this machine and has no interface"));
        }
        (Some(socket), Some(_)) if socket.typed => {}
        (_, Some(given)) => {
            // Built here once, so that the error names the option.
            let interface = given.parse(|text| {
                let interface: Interface = text.parse()?;
                Transport::builder().interface(interface.clone()).build().map(|_| interface)
            })?;
            transport = transport.interface(interface);
            if options.one("unix-socket").is_some() {
                return Ok(transport);
            }
        }
        (_, None) => {}
    }
    match (options.one("unix-socket"), options.one("proxy")) {
        (Some(socket), Some(proxy)) if socket.typed == proxy.typed => {
            Err(exclusive("--unix-socket and --proxy", "connections go through one or the other"))
        }
        (Some(socket), Some(_)) if !socket.typed => Ok(transport),
        (Some(socket), _) => {
            // Built here once, so that the error names the option.
            let transport = transport.unix_socket(&socket.text);
            socket.parse(|_| transport.clone().build())?;
            Ok(transport)
        }
        (None, _) => Ok(transport),
    }
}

fn family(options: &Options) -> Result<Family> {
    let typed = |name| options.typed(name).is_some();
    match (options.on("ipv4")?, options.on("ipv6")?) {
        (true, true) if typed("ipv4") == typed("ipv6") => {
            Err(exclusive("--ipv4 and --ipv6", "connections are made to both families without them"))
        }
        (true, true) => Ok(if typed("ipv4") { Family::V4 } else { Family::V6 }),
        (true, false) => Ok(Family::V4),
        (false, true) => Ok(Family::V6),
        (false, false) => Ok(Family::Any),
    }
}
