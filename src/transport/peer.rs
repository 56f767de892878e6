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

    /// The error with the peer named behind its text, unless a setting of ours is to blame.
    pub(super) fn blamed_for(&self, error: Error) -> Error {
        if error.kind() == Kind::Config { error } else { error.with_peer(self) }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Address(address) => address.fmt(f),
            Peer::Socket(path) => path.display().fmt(f),
        }
    }
}
