//! Without the cargo feature `tls`: the same calls, which say so.

use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use async_io::Async;
use futures_lite::{AsyncRead, AsyncWrite};

use super::{CertRequest, Roots, TlsConfig};
use crate::error::{Error, Kind, Phase, Result};
use crate::origin::{Origin, Scheme};
use crate::socket::Socket;

/// The public keys that servers may have; none can be named without the cargo feature `tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeyPins(Never);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Never {}

impl FromStr for PublicKeyPins {
    type Err = Error;

    fn from_str(_: &str) -> Result<PublicKeyPins> {
        Err(left_out("public keys cannot be pinned"))
    }
}

/// A connection that cannot be.
#[derive(Debug)]
pub(crate) struct TlsStream(Never);

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

pub(crate) fn socket_mut(stream: &mut TlsStream) -> &mut Socket {
    match stream.0 {}
}

pub(crate) fn socket(stream: &TlsStream) -> &Socket {
    match stream.0 {}
}

#[derive(Debug)]
pub(crate) struct Tls;

impl Tls {
    pub(crate) fn new(_: TlsConfig) -> Tls {
        Tls
    }

    pub(crate) async fn connect(
        &self,
        origin: &Origin,
        _: Async<TcpStream>,
        _: &[u8],
    ) -> Result<(TlsStream, CertRequest)> {
        Err(unreachable_without(origin))
    }
}

/// Said before anything is looked up or connected to.
///
/// # Errors
/// [`Kind::Tls`] if the origin's scheme is https.
pub(crate) fn can_reach(origin: &Origin) -> Result<()> {
    match origin.scheme() {
        Scheme::Http | Scheme::HttpUnix => Ok(()),
        Scheme::Https => Err(unreachable_without(origin)),
    }
}

fn unreachable_without(origin: &Origin) -> Error {
    let text =
        format!("{origin} needs TLS, which this build was made without: take one with the cargo feature \"tls\"");
    Error::new(Kind::Tls, text).in_phase(Phase::Tls)
}

/// # Errors
/// [`Kind::Config`] if a setting asks for something of TLS: none is ignored.
pub(crate) fn check(settings: &TlsConfig) -> Result<()> {
    let asked = settings.roots != Roots::Auto
        || settings.danger_accept_invalid_certs
        || settings.identity.is_some()
        || settings.pins.is_some()
        || settings.danger_key_log;
    if asked { Err(left_out("certificates, keys and roots have no effect")) } else { Ok(()) }
}

fn left_out(what: &str) -> Error {
    let text = format!("{what}: this build was made without TLS, take one with the cargo feature \"tls\"");
    Error::new(Kind::Config, text)
}

pub(crate) fn described(error: io::Error) -> io::Error {
    error
}

pub(crate) fn late(_: &io::Error, _: CertRequest) -> Option<&'static str> {
    None
}

pub(crate) fn without_certificate(_: CertRequest) -> &'static str {
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::parse_url;

    #[test]
    fn https_and_all_settings_of_tls_are_refused() {
        let origin = |url: &str| Origin::of(&parse_url(url).expect(url)).expect(url);
        assert!(can_reach(&origin("http://a/")).is_ok());
        let error = can_reach(&origin("https://a/")).expect_err("https");
        assert_eq!((error.kind(), error.phase()), (Kind::Tls, Some(Phase::Tls)));
        assert!(error.one_line().starts_with("https://a needs TLS"), "{error}");
        assert!(check(&TlsConfig::default()).is_ok());
        for settings in [
            TlsConfig { roots: Roots::Bundled, ..TlsConfig::default() },
            TlsConfig { danger_accept_invalid_certs: true, ..TlsConfig::default() },
            TlsConfig { danger_key_log: true, ..TlsConfig::default() },
        ] {
            assert_eq!(check(&settings).expect_err("no TLS").kind(), Kind::Config);
        }
        assert!("sha256//".parse::<PublicKeyPins>().expect_err("no TLS").one_line().contains("without TLS"));
    }
}
