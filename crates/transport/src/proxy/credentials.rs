//! The user and password that a proxy asks for.

/// The longest name, user or password for SOCKS5: their length is one byte.
pub(super) const MAX_SOCKS5_TEXT: usize = 255;

/// User and password for a proxy, percent-decoded. Has no `Debug`, so that none can be derived around it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ProxyCredentials {
    pub(super) user: Box<[u8]>,
    pub(super) password: Box<[u8]>,
}
