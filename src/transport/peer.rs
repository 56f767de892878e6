//! Who is at the other end of a connection.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Kind};

/// An address or a socket of this machine, and how it reads: that is said of every attempt, and written once a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    address: Option<SocketAddr>,
    text: Arc<str>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Peer {
        Peer { address: Some(address), text: address.to_string().into() }
    }

    /// A unix-domain socket.
    pub(super) fn socket(path: &Path) -> Peer {
        Peer { address: None, text: path.display().to_string().into() }
    }

    /// None where it is a socket of this machine.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The address as text; none where it is a socket of this machine.
    pub(super) fn address_text(&self) -> Option<&str> {
        self.address.map(|_| &*self.text)
    }

    /// As [`Display`](fmt::Display) has it.
    #[cfg(feature = "fetcher")]
    pub(crate) fn into_text(self) -> Arc<str> {
        self.text
    }

    /// The error with the peer named behind its text, unless a setting of ours is to blame.
    pub(super) fn blamed_for(&self, error: Error) -> Error {
        if error.kind() == Kind::Config { error } else { error.with_peer(self) }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
