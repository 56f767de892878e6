//! TLS connections, if the cargo feature `tls` is on.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use async_io::Async;
use async_lock::OnceCell;
use futures_rustls::TlsConnector;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{CipherSuite, ClientConfig, ClientConnection, KeyLogFile, SupportedCipherSuite};

use super::cert_request::{RecordingResolver, with_cert_request};
use super::verify::{TrustedCertificates, Verifier};
use super::{CertRequest, Roots, TlsConfig, failure, files};
use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop::unblock;
use crate::origin::Origin;
use crate::socket::Socket;

pub(crate) use super::failure::{described, late, without_certificate};
pub use super::verify::PublicKeyPins;

/// A connection that is encrypted.
pub(crate) type TlsStream = futures_rustls::client::TlsStream<Socket>;

/// The socket below.
pub(crate) fn socket_mut(stream: &mut TlsStream) -> &mut Socket {
    stream.get_mut().0
}

pub(crate) fn socket(stream: &TlsStream) -> &Socket {
    stream.get_ref().0
}

/// Whether connections to this origin can be made at all: always.
pub(crate) fn can_reach(_: &Origin) -> Result<()> {
    Ok(())
}

/// Makes TLS connections. The roots are read when the first is made, off the loop: a plan without https never pays.
#[derive(Debug)]
pub(crate) struct Tls {
    settings: TlsConfig,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(settings: TlsConfig) -> Tls {
        Tls { settings, config: OnceCell::new() }
    }

    /// The handshake with a server that must prove to be this origin's, and whether it asked for the same in return. When
    /// it has, `ahead` is sent with our last words: to send it afterwards takes a packet more. At most [`AHEAD`] bytes.
    pub(crate) async fn connect(
        &self,
        origin: &Origin,
        stream: Async<TcpStream>,
        ahead: &[u8],
    ) -> Result<(TlsStream, CertRequest)> {
        let config = self.config.get_or_try_init(|| {
            let settings = self.settings.clone();
            unblock(move || client_config(&settings).map(Arc::new))
        });
        let config = config.await.map_err(|error| error.in_phase(Phase::Tls))?.clone();
        let name = ServerName::try_from(origin.host_name().to_owned()).map_err(|_| {
            let text = format!("\"{}\" cannot be the name in a certificate", origin.host_name());
            Error::new(Kind::Tls, text).in_phase(Phase::Tls)
        })?;
        // rustls keeps what is written before the handshake is over, the proof seen, and takes as much as AHEAD.
        let wait = |session: &mut ClientConnection| drop(session.writer().write_all(ahead));
        let socket = Socket::below_tls(stream);
        let meter = socket.meter().clone();
        let handshake = TlsConnector::from(config).connect_with(name, socket, wait);
        let (connected, asked) = with_cert_request(meter.run(handshake)).await;
        let stream = connected.map_err(|error| failure::handshake(origin, error, asked, self.settings.clock.now()))?;
        Ok((stream, asked))
    }
}

fn client_config(settings: &TlsConfig) -> Result<ClientConfig> {
    let provider = provider();
    let unusable = |error| Error::new(Kind::Tls, "TLS cannot be set up").with_source(error);
    // Any certificate is accepted if no authorities are named.
    let roots = (!settings.danger_accept_invalid_certs).then(|| files::trusted_certificates(settings)).transpose()?;
    if roots.as_ref().is_some_and(|trusted| trusted.roots.is_empty()) {
        return Err(Error::new(Kind::Tls, "no authority is trusted: the root store is empty"));
    }
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Verifier { roots, algorithms, pins: settings.pins.clone() };
    let builder = ClientConfig::builder_with_details(provider.clone(), settings.clock.provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let own = settings.identity.as_ref().map(|identity| files::certified_key(identity, &provider)).transpose()?;
    let own = own.map(|key| Arc::new(SingleCertAndKey::from(key)) as Arc<dyn ResolvesClientCert>);
    let mut config = builder.with_client_cert_resolver(Arc::new(RecordingResolver(own)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if settings.danger_key_log {
        config.key_log = Arc::new(KeyLogFile::new());
    }
    Ok(config)
}

/// ring's, with its suites in another order, which servers that have none of their own follow.
///
/// All of them are sound. But AES-256 comes with SHA-384, for which common processors have no instructions as they have
/// for SHA-256, and the key schedule of a handshake is hashing above all: it was a quarter of the instructions of a resumed
/// connection. AES-128 first is what browsers have, too. 32-bit ARM mostly has no instructions for AES either, and ChaCha20
/// needs none.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    let chacha20 = if cfg!(target_arch = "arm") { 0 } else { 2 };
    // Not by their names: those of all suites there are take 17 KB of the smallest binary.
    let cost = |suite: &SupportedCipherSuite| match suite.suite() {
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => chacha20,
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 1,
        _ => 3,
    };
    // TLS 1.3 before 1.2, as it is.
    provider.cipher_suites.sort_by_key(|suite| (suite.tls13().is_none(), cost(suite)));
    Arc::new(provider)
}

/// Reads the files that settings name, to find mistakes in them before anything is sent.
pub(crate) fn check(settings: &TlsConfig) -> Result<()> {
    if let Roots::File(file) = &settings.roots {
        files::add_file(&mut TrustedCertificates::none(), file)?;
    }
    if let Some(identity) = &settings.identity {
        files::certified_key(identity, &provider())?;
    }
    if settings.danger_key_log { check_key_log() } else { Ok(()) }
}

/// rustls only logs what is the matter with the file, and goes on without.
fn check_key_log() -> Result<()> {
    let Some(file) = std::env::var_os("SSLKEYLOGFILE").filter(|file| !file.is_empty()) else {
        return Err(Error::new(
            Kind::Config,
            "SSLKEYLOGFILE is not set: it names the file to write session secrets to",
        ));
    };
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    // Who can read this file can read all that is sent. rustls opens it again, and keeps the permissions that it has.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&file).map(drop).map_err(|error| {
        let text = format!("session secrets cannot be written to {}", PathBuf::from(&file).display());
        Error::new(Kind::Config, text).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Identity;
    use super::*;

    #[test]
    fn suites_that_cost_less_come_first() {
        let mut kinds = ["AES_128", "CHACHA20", "AES_256"];
        if cfg!(target_arch = "arm") {
            kinds.swap(0, 1);
        }
        let suites = provider().cipher_suites.clone();
        let costs = suites.iter().map(|suite| {
            let name = suite.suite().as_str().expect("a name");
            (suite.tls13().is_none(), kinds.iter().position(|kind| name.contains(kind)).expect(name))
        });
        assert!(costs.is_sorted(), "{suites:?}");
    }

    #[test]
    fn bad_files_are_found_early() {
        let roots = |file: &str| TlsConfig { roots: Roots::File(file.into()), ..TlsConfig::default() };
        let identity = |file: &str| TlsConfig {
            identity: Some(Identity { certificate: file.into(), key: None }),
            ..TlsConfig::default()
        };
        let missing = "/no/such/file.pem";
        for settings in [roots(missing), identity(missing)] {
            let error = check(&settings).expect_err("missing").one_line();
            assert!(error.starts_with(&format!("certificates cannot be read from {missing}")), "{error}");
        }
        for settings in [roots("Cargo.toml"), identity("Cargo.toml")] {
            let error = check(&settings).expect_err("no certificate in it").one_line();
            assert!(error.contains("BEGIN CERTIFICATE"), "{error}");
        }
        assert!(check(&TlsConfig::default()).is_ok());
    }
}
