//! Which hosts a transport may reach, for requests that come from others.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::error::{Error, Kind, Phase, Result};
use crate::origin::{Origin, Scheme};

type IsAllowed = Arc<dyn Fn(&Origin) -> bool + Send + Sync>;

/// What is reached; all by default. Redirects are held to it, too.
#[derive(Clone, Default)]
pub(crate) struct Reach {
    pub(crate) is_allowed: Option<IsAllowed>,
    pub(crate) no_private: bool,
}

impl Reach {
    /// Whether requests may go to this origin, through a proxy or not.
    ///
    /// # Errors
    /// [`Kind::Connect`], with why not.
    pub(crate) fn check(&self, origin: &Origin, through_proxy: bool) -> Result<()> {
        if self.is_allowed.as_ref().is_some_and(|is_allowed| !is_allowed(origin)) {
            return refuse(format!("\"{}\" is not among the hosts that may be asked", origin.host()));
        }
        if self.no_private && origin.scheme() == Scheme::HttpUnix {
            return refuse("a socket of this machine is private, and no private address may be asked".to_owned());
        }
        if self.no_private && through_proxy {
            let host = origin.host();
            return refuse(format!(
                "\"{host}\" would be asked through a proxy, and only that knows whether it is private"
            ));
        }
        Ok(())
    }

    /// The addresses of a host that may be asked.
    ///
    /// # Errors
    /// [`Kind::Connect`]: there is none.
    pub(crate) fn public(&self, host: &str, addresses: Arc<[IpAddr]>) -> Result<Arc<[IpAddr]>> {
        if !self.no_private {
            return Ok(addresses);
        }
        let kept: Arc<[IpAddr]> = addresses.iter().copied().filter(|address| !is_private(*address)).collect();
        if kept.is_empty() {
            let list: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            return refuse(format!(
                "\"{host}\" has private addresses alone, which may not be asked: {}",
                list.join(", ")
            ));
        }
        Ok(kept)
    }
}

fn refuse<T>(text: String) -> Result<T> {
    Err(Error::new(Kind::Connect, text).in_phase(Phase::Connect).passing(false))
}

/// Whether an address is not one of the internet: of this machine, of a network of its own, or for special use (RFC 6890).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // Of this network; of carriers; of protocols; of benchmarks; multicast and what is reserved.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 224
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    // An IPv4 address within: mapped, translated (RFC 6052), of 6to4.
    let embedded = match parts {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some((high, low)),
        [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    if let Some((high, low)) = embedded {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        return is_private_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only 2000::/3 is of the internet; documentation and Teredo, which leads anywhere, are not.
    parts[0] & 0xe000 != 0x2000 || (parts[0] == 0x2001 && (parts[1] == 0xdb8 || parts[1] == 0))
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let only_some = self.is_allowed.is_some();
        f.debug_struct("Reach").field("only_some", &only_some).field("no_private", &self.no_private).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_internet_are_told_from_others() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "64:ff9b:1::1",
        ] {
            assert!(is_private(private.parse().expect(private)), "{private}");
        }
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "2002:101:101::",
        ] {
            assert!(!is_private(public.parse().expect(public)), "{public}");
        }
    }

    #[test]
    fn a_host_with_one_public_address_is_asked_there() {
        let reach = Reach { is_allowed: None, no_private: true };
        let both: Arc<[IpAddr]> = ["10.0.0.1", "1.1.1.1"].map(|text| text.parse().expect(text)).into();
        assert_eq!(reach.public("h", both.clone()).ok().as_deref(), Some(&both[1..]));
        let error = reach.public("h", both[..1].into()).expect_err("none is left");
        assert_eq!(error.one_line(), "\"h\" has private addresses alone, which may not be asked: 10.0.0.1");
        assert_eq!(error.may_pass(), Some(false));
    }
}
