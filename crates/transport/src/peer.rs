//! The other end of a connection.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Kind};

/// An address or a socket of this machine, with its text: every attempt reports it, and it is written once a connection.
#[derive(Clone, Debug)]
pub struct Peer {
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

    /// `None` if it is a socket of this machine.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The address as text; `None` if it is a socket of this machine.
    pub fn address_text(&self) -> Option<&str> {
        self.address.map(|_| &*self.text)
    }

    /// As [`Display`](fmt::Display) has it.
    pub fn into_text(self) -> Arc<str> {
        self.text
    }

    /// The error with the peer named behind its text, unless a setting is wrong.
    pub(super) fn blamed_for(&self, error: Error) -> Error {
        if error.kind() == Kind::Config { error } else { error.with_peer(self) }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
