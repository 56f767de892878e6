//! TLS by rustls, with ring as the provider that is passed explicitly: no process-wide state.

use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

#[cfg(feature = "tls")]
mod asked;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod clock;
#[cfg(not(feature = "tls"))]
mod disabled;
#[cfg(feature = "tls")]
mod failure;
#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod verify;

#[cfg(feature = "tls")]
use self::client as imp;
#[cfg(not(feature = "tls"))]
use self::disabled as imp;

pub use self::imp::PublicKeyPins;
pub(super) use self::imp::{Tls, TlsStream, can_reach, check, late, socket_mut, without_certificate};

/// Where the certificates of the authorities that are trusted come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// The system's store, and the bundled ones where that is empty or missing. The default.
    #[default]
    Auto,
    /// The system's store alone. SSL_CERT_FILE and SSL_CERT_DIR name another place for it.
    Os,
    /// Mozilla's, as they were when this version was released.
    Bundled,
    /// The certificates in this PEM file alone.
    File(PathBuf),
}

impl FromStr for Roots {
    type Err = Error;

    fn from_str(text: &str) -> Result<Roots> {
        match text {
            "auto" => Ok(Roots::Auto),
            "os" => Ok(Roots::Os),
            "bundled" => Ok(Roots::Bundled),
            _ => Err(Error::new(Kind::Config, format!("\"{text}\" is not a root store: write auto, os or bundled"))),
        }
    }
}

/// What the TLS side of a transport needs to know.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsSettings {
    pub(super) roots: Roots,
    pub(super) danger_accept_invalid_certs: bool,
    /// Who the client is, to servers that ask.
    pub(super) identity: Option<Identity>,
    pub(super) pins: Option<PublicKeyPins>,
    /// Whether session secrets go to the file that SSLKEYLOGFILE names.
    pub(super) danger_key_log: bool,
    /// What time it is for the validity of certificates.
    #[cfg(feature = "tls")]
    clock: self::clock::Clock,
}

/// The most that can be sent with the end of a handshake. rustls takes 64 KiB unless told otherwise.
pub(super) const AHEAD: usize = 16 * 1024;

/// A certificate and its key, in PEM files.
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "that there is one is all that is asked"))]
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) certificate: PathBuf,
    /// Where the key is; in the certificate's file where it is `None`.
    pub(super) key: Option<PathBuf>,
}

/// What a server asked for in a handshake (CertificateRequest; RFC 8446, section 4.3.2, and RFC 5246, section 7.4.4).
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "no server is asked"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// No certificate.
    #[default]
    No,
    /// One, and there was none to show.
    InVain,
    /// One, and it was shown.
    AndSeen,
}
