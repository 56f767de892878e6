//! Who is at the other end of a connection.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Kind};

/// An address or a socket of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Address(SocketAddr),
    /// The path of a unix-domain socket.
    Socket(Arc<Path>),
}

impl Peer {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Peer::Address(address) => Some(*address),
            Peer::Socket(_) => None,
        }
    }

    /// As [`Display`](fmt::Display) has it; without the machinery of `format!` for the most frequent kind.
    #[cfg(feature = "fetcher")]
    pub(crate) fn text(&self) -> Box<str> {
        let Peer::Address(SocketAddr::V4(address)) = self else { return self.to_string().into() };
        let mut text = String::with_capacity("255.255.255.255:65535".len());
        for (octet, after) in address.ip().octets().into_iter().zip(['.', '.', '.', ':']) {
            push_decimal(&mut text, u16::from(octet));
            text.push(after);
        }
        push_decimal(&mut text, address.port());
        text.into()
    }

    /// The error with the peer named behind its text, unless a setting of ours is to blame.
    pub(super) fn blamed_for(&self, error: Error) -> Error {
        if error.kind() == Kind::Config { error } else { error.with_peer(self) }
    }
}

#[cfg(feature = "fetcher")]
fn push_decimal(text: &mut String, number: u16) {
    if number >= 10 {
        push_decimal(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Address(address) => address.fmt(f),
            Peer::Socket(path) => path.display().fmt(f),
        }
    }
}

#[cfg(all(test, feature = "fetcher"))]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_the_standard_library_writes_them() {
        for text in
            ["0.0.0.0:0", "127.0.0.1:80", "255.255.255.255:65535", "10.100.9.109:10000", "[::1]:443", "[fe80::1%2]:9"]
        {
            let address: SocketAddr = text.parse().expect(text);
            assert_eq!(&*Peer::Address(address).text(), text);
        }
    }
}
