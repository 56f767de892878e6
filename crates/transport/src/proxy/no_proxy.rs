//! The list of origins that are reached without a proxy.

use std::net::IpAddr;

use url::Host;

use super::port_number;
use crate::origin::Origin;

/// What no_proxy says; see [`Proxies`](super::Proxies) for what may stand in it.
#[derive(Clone, Debug, Default)]
pub(super) struct NoProxy {
    entries: Vec<NoProxyEntry>,
}

#[derive(Clone, Debug)]
struct NoProxyEntry {
    hosts: Hosts,
    /// `None` for any.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    /// A name, as a URL normalizes it, and all names below it.
    Below(Box<str>),
    /// The addresses that share so many leading bits.
    Network(IpAddr, u32),
}

impl NoProxy {
    /// An entry that is not understood matches nothing: curl reads the same variable and does not fail on it either.
    pub(super) fn parse(list: &str) -> NoProxy {
        let words: Vec<&str> =
            list.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
        if words == ["*"] {
            return NoProxy { entries: vec![NoProxyEntry { hosts: Hosts::All, port: None }] };
        }
        let mut entries = Vec::with_capacity(words.len());
        for (at, word) in words.iter().enumerate() {
            match NoProxyEntry::parse(word) {
                Some(entry) => entries.push(entry),
                // By its number: a value that was meant for another variable may hold a password.
                None => log::warn!("entry {} of no_proxy is neither a name nor an address: it has no effect", at + 1),
            }
        }
        NoProxy { entries }
    }

    pub(super) fn matches(&self, origin: &Origin) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let name = origin.host_name().trim_end_matches('.');
        let address = name.parse::<IpAddr>().ok();
        self.entries.iter().any(|entry| {
            let host_matches = match (&entry.hosts, address) {
                (Hosts::All, _) => true,
                (Hosts::Below(top), None) => is_below(name, top),
                (Hosts::Network(network, bits), Some(address)) => share_bits(*network, address, *bits),
                (Hosts::Below(_), Some(_)) | (Hosts::Network(..), None) => false,
            };
            host_matches && entry.port.is_none_or(|port| port == origin.port())
        })
    }
}

impl NoProxyEntry {
    fn parse(word: &str) -> Option<NoProxyEntry> {
        // What follows the host begins with "/" (a network) or ":" (a port); without brackets, several colons are an
        // address of IPv6.
        let (host, tail) = match word.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => {
                let colons = word.bytes().filter(|b| *b == b':').count();
                let end = if colons > 1 { word.find('/') } else { word.find(['/', ':']) };
                word.split_at(end.unwrap_or(word.len()))
            }
        };
        let (bits, port) = tail.split_at(tail.find(':').unwrap_or(tail.len()));
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(port_number(digits)?),
            None => None,
        };
        let bits = match bits.strip_prefix('/') {
            None if !bits.is_empty() => return None,
            digits => digits,
        };
        let bracketed = word.starts_with('[');
        let hosts = match host.parse::<IpAddr>() {
            Ok(address) if address.is_ipv6() || !bracketed => Hosts::Network(address, prefix_bits(bits, address)?),
            Err(_) if !bracketed && bits.is_none() => by_name(host)?,
            _ => return None,
        };
        Some(NoProxyEntry { hosts, port })
    }
}

fn by_name(host: &str) -> Option<Hosts> {
    let host = host.strip_prefix("*.").or_else(|| host.strip_prefix('.')).unwrap_or(host).trim_end_matches('.');
    // As the URLs are that it is compared with: lower-case, IDNA-encoded, "127.1" an address.
    match Host::parse(host).ok()? {
        Host::Domain(name) if name.is_empty() || name.contains('*') => None,
        Host::Domain(name) => Some(Hosts::Below(name.into())),
        Host::Ipv4(address) => Some(Hosts::Network(address.into(), 32)),
        Host::Ipv6(address) => Some(Hosts::Network(address.into(), 128)),
    }
}

/// How many leading bits count: digits only, not more than the address has; all if nothing is written.
fn prefix_bits(digits: Option<&str>, address: IpAddr) -> Option<u32> {
    let most = if address.is_ipv4() { 32 } else { 128 };
    let Some(digits) = digits else { return Some(most) };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|bits| *bits <= most)
}

fn is_below(name: &str, top: &str) -> bool {
    name.strip_suffix(top).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether both are of one family and agree in so many leading bits.
fn share_bits(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    // Shifted by its whole width, a number would not change: there `checked_shr` gives `None` on both sides.
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u32::from(a).checked_shr(32 - bits) == u32::from(b).checked_shr(32 - bits),
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            u128::from(a).checked_shr(128 - bits) == u128::from(b).checked_shr(128 - bits)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::parse_url;

    #[test]
    fn the_matrix() {
        let mut wrong = Vec::new();
        for (list, url, exempt) in [
            // Nothing is exempt by itself.
            ("", "http://localhost/", false),
            ("", "http://127.0.0.1/", false),
            (" , ,", "http://a.example/", false),
            // All.
            ("*", "http://a.example/", true),
            (" * ", "https://[::1]:8080/", true),
            ("*,b.example", "http://a.example/", false),
            // Names and what is below them.
            ("example.com", "http://example.com/", true),
            ("example.com", "https://www.example.com:8443/", true),
            ("example.com", "http://a.b.example.com/", true),
            ("example.com", "http://notexample.com/", false),
            ("example.com", "http://example.com.evil.test/", false),
            ("example.com", "http://com/", false),
            ("www.example.com", "http://example.com/", false),
            (".example.com", "http://example.com/", true),
            (".example.com", "http://www.example.com/", true),
            (".example.com", "http://notexample.com/", false),
            ("*.example.com", "http://www.example.com/", true),
            ("w*.example.com", "http://www.example.com/", false),
            ("com", "http://example.com/", true),
            ("localhost", "http://localhost:8080/", true),
            (".", "http://example.com/", false),
            // Case, trailing dots, other alphabets.
            ("EXAMPLE.com", "http://www.Example.COM/", true),
            ("example.com.", "http://example.com/", true),
            ("example.com", "http://example.com./", true),
            (".example.com.", "http://www.example.com./", true),
            ("b\u{fc}cher.example", "http://xn--bcher-kva.example/", true),
            ("xn--bcher-kva.example", "http://B\u{dc}CHER.example/", true),
            ("foo_bar.example", "http://foo_bar.example/", true),
            // Separators.
            ("a.example,b.example", "http://b.example/", true),
            ("a.example b.example", "http://b.example/", true),
            ("a.example ,\t b.example,", "http://b.example/", true),
            ("a.example;b.example", "http://b.example/", false),
            // Ports.
            ("example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://www.example.com:8080/", true),
            ("example.com:8080", "http://example.com/", false),
            ("example.com:80", "http://example.com/", true),
            ("example.com:443", "http://example.com/", false),
            ("example.com:443", "https://example.com/", true),
            ("example.com:", "http://example.com/", false),
            ("example.com:+80", "http://example.com/", false),
            ("example.com:http", "http://example.com/", false),
            ("127.0.0.1:8080", "http://127.0.0.1:8080/", true),
            ("127.0.0.1:8080", "http://127.0.0.1:8081/", false),
            ("[::1]:8080", "http://[::1]:8080/", true),
            ("[::1]:8080", "http://[::1]/", false),
            ("10.0.0.0/8:80", "http://10.1.2.3/", true),
            ("10.0.0.0/8:80", "https://10.1.2.3/", false),
            // Addresses are not names, and names not addresses.
            ("127.0.0.1", "http://127.0.0.1/", true),
            ("127.0.0.1", "http://127.1/", true),
            ("127.1", "http://127.0.0.1/", true),
            ("0.0.1", "http://127.0.0.1/", false),
            ("27.0.0.1", "http://127.0.0.1/", false),
            ("127.0.0.1", "http://localhost/", false),
            ("localhost", "http://127.0.0.1/", false),
            ("127.0.0.1.", "http://127.0.0.1./", true),
            ("::1", "http://[::1]/", true),
            ("[::1]", "http://[::1]/", true),
            ("0:0:0:0:0:0:0:1", "http://[::1]:99/", true),
            ("::1", "http://[::2]/", false),
            ("[127.0.0.1]", "http://127.0.0.1/", false),
            ("[localhost]", "http://localhost/", false),
            ("[::1", "http://[::1]/", false),
            ("[::1]x", "http://[::1]/", false),
            // Networks.
            ("10.0.0.0/8", "http://10.255.0.1/", true),
            ("10.0.0.0/8", "http://11.0.0.1/", false),
            ("10.9.9.9/8", "http://10.1.1.1/", true),
            ("192.168.16.0/20", "http://192.168.31.255/", true),
            ("192.168.16.0/20", "http://192.168.32.0/", false),
            ("192.168.1.1/32", "http://192.168.1.1/", true),
            ("192.168.1.1/32", "http://192.168.1.2/", false),
            ("0.0.0.0/0", "http://8.8.8.8/", true),
            ("0.0.0.0/0", "http://[::1]/", false),
            ("10.0.0.0/33", "http://10.0.0.0/", false),
            ("10.0.0.0/", "http://10.0.0.0/", false),
            ("10.0.0.0/+8", "http://10.0.0.0/", false),
            ("10.0.0.0/8/8", "http://10.0.0.0/", false),
            ("10.0.0.0/8", "http://ten.example/", false),
            ("example.com/8", "http://example.com/", false),
            ("fd00::/8", "http://[fd12:3456::1]/", true),
            ("[fd00::]/8", "http://[fd12:3456::1]/", true),
            ("[fd00::]/8:80", "http://[fd12:3456::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
            ("2001:db8::/33", "http://[2001:db8:7fff::1]/", true),
            ("2001:db8::/33", "http://[2001:db8:8000::1]/", false),
            ("::/0", "http://[2001:db8::1]/", true),
            ("::/0", "http://10.0.0.1/", false),
            ("::1/128", "http://[::1]/", true),
            ("::1/129", "http://[::1]/", false),
        ] {
            let origin = Origin::of(&parse_url(url).expect(url)).expect(url);
            if NoProxy::parse(list).matches(&origin) != exempt {
                wrong.push(format!("{list:?} {url} is not {exempt}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
