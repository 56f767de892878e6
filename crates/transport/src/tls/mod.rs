//! TLS by rustls, with ring as the provider that is passed explicitly: no process-wide state.

use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

#[cfg(feature = "tls")]
mod alerts;
#[cfg(feature = "tls")]
mod cert_request;
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
pub(crate) use self::imp::{
    Tls, TlsStream, can_reach, check, described, late, socket, socket_mut, without_certificate,
};

/// Where the certificates of the authorities that are trusted come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// The system's store, and the bundled ones if that is empty or missing. The default.
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
pub(crate) struct TlsConfig {
    pub(crate) roots: Roots,
    pub(crate) danger_accept_invalid_certs: bool,
    /// The client's certificate, for servers that ask for one.
    pub(crate) identity: Option<Identity>,
    pub(crate) pins: Option<PublicKeyPins>,
    /// Whether session secrets go to the file that SSLKEYLOGFILE names.
    pub(crate) danger_key_log: bool,
    /// What time it is for the validity of certificates.
    #[cfg(feature = "tls")]
    clock: self::clock::Clock,
}

/// The most that can be sent with the end of a handshake. rustls takes 64 KiB unless told otherwise.
pub(crate) const AHEAD: usize = 16 * 1024;

/// A certificate and its key, in PEM files.
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "that there is one is all that is asked"))]
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    /// Where the key is; in the certificate's file if it is `None`.
    pub(crate) key: Option<PathBuf>,
}

/// What a server asked for in a handshake (CertificateRequest; RFC 8446, section 4.3.2, and RFC 5246, section 7.4.4).
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "no server is asked"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CertRequest {
    /// No certificate.
    #[default]
    None,
    /// A certificate, and there was none to show.
    Unanswered,
    /// A certificate, and it was shown.
    Answered,
}
