//! TLS by rustls, with ring as the provider that is passed explicitly: no process-wide state.

use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_io::Async;
use async_lock::OnceCell;
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop::unblock;
use crate::origin::Origin;

mod danger;

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
    /// Certificates trusted beside the roots.
    pub(super) extra: Vec<PathBuf>,
    pub(super) danger_accept_invalid_certs: bool,
}

/// Makes TLS connections. The roots are read when the first is made, off the loop: a plan without https never pays.
#[derive(Debug)]
pub(super) struct Tls {
    settings: TlsSettings,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub(super) fn new(settings: TlsSettings) -> Tls {
        Tls { settings, config: OnceCell::new() }
    }

    /// The handshake with a server that must prove to be this origin's.
    pub(super) async fn connect(
        &self,
        origin: &Origin,
        stream: Async<TcpStream>,
    ) -> Result<TlsStream<Async<TcpStream>>> {
        let config = self.config.get_or_try_init(|| {
            let settings = self.settings.clone();
            unblock(move || client_config(&settings).map(Arc::new))
        });
        let config = config.await.map_err(|error| error.in_phase(Phase::Tls))?.clone();
        let name = ServerName::try_from(origin.host_name().to_owned()).map_err(|_| {
            let text = format!("\"{}\" cannot be the name in a certificate", origin.host_name());
            Error::new(Kind::Tls, text).in_phase(Phase::Tls)
        })?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|error| handshake_error(origin, error))
    }
}

fn client_config(settings: &TlsSettings) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Kind::Tls, "no TLS version is available").with_source(error))?;
    let mut config = if settings.danger_accept_invalid_certs {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(danger::AcceptAll(provider)))
            .with_no_client_auth()
    } else {
        builder.with_root_certificates(root_store(settings)?).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn root_store(settings: &TlsSettings) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    match &settings.roots {
        Roots::Auto => {
            add_system_roots(&mut store);
            if store.is_empty() {
                log::info!("no certificate in the system's store: the bundled roots are used");
                store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
        }
        Roots::Os => {
            let problems = add_system_roots(&mut store);
            if store.is_empty() {
                let text = format!("the system's store holds no certificate{problems}: try the bundled roots");
                return Err(Error::new(Kind::Tls, text));
            }
        }
        Roots::Bundled => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::File(file) => add_file(&mut store, file)?,
    }
    for file in &settings.extra {
        add_file(&mut store, file)?;
    }
    Ok(store)
}

/// Adds what the system trusts; returns what went wrong, to be shown where nothing was found.
fn add_system_roots(store: &mut RootCertStore) -> String {
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default()
}

fn add_file(store: &mut RootCertStore, file: &std::path::Path) -> Result<()> {
    let bad = |text: String| Error::new(Kind::Config, text);
    let shown = file.display();
    let certificates =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|error| {
            bad(format!("certificates cannot be read from {shown}: a PEM file is needed")).with_source(error)
        })?;
    if certificates.is_empty() {
        return Err(bad(format!("{shown} holds no certificate: it must have a BEGIN CERTIFICATE line")));
    }
    for certificate in certificates {
        store
            .add(certificate)
            .map_err(|error| bad(format!("a certificate in {shown} is not valid")).with_source(error))?;
    }
    Ok(())
}

/// Reads the files that settings name, to find mistakes in them before anything is sent.
pub(super) fn check(settings: &TlsSettings) -> Result<()> {
    let mut store = RootCertStore::empty();
    let file = if let Roots::File(file) = &settings.roots { Some(file) } else { None };
    file.into_iter().chain(&settings.extra).try_for_each(|file| add_file(&mut store, file))
}

fn handshake_error(origin: &Origin, error: io::Error) -> Error {
    let what = |text: String| Error::new(Kind::Tls, text).in_phase(Phase::Tls);
    let host = origin.host_name();
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(problem)) => {
            what(certificate_error(host, problem, SystemTime::now())).with_source(error)
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            what(format!("{origin} does not answer in TLS: is it plain http?")).with_source(error)
        }
        Some(_) => what(format!("the TLS handshake with {host} failed")).with_source(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            what(format!("{host} closed the connection in the TLS handshake"))
        }
        None => what(format!("the TLS handshake with {host} failed")).with_source(error),
    }
}

/// A moment shortly before this version was released; a system clock that is earlier is wrong.
const RELEASED: Duration = Duration::from_secs(1_793_491_200); // 2026-11-01

fn certificate_error(host: &str, problem: &CertificateError, now: SystemTime) -> String {
    use CertificateError as E;
    let clock_is_wrong = now < SystemTime::UNIX_EPOCH + RELEASED;
    match problem {
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } if clock_is_wrong => {
            format!(
                "the certificate of {host} is not valid at the time of the system clock, which looks wrong: set the clock"
            )
        }
        E::Expired | E::ExpiredContext { .. } => format!("the certificate of {host} has expired"),
        E::NotValidYet | E::NotValidYetContext { .. } => format!("the certificate of {host} is not valid yet"),
        E::NotValidForName | E::NotValidForNameContext { .. } => format!("the certificate is not for {host}"),
        E::UnknownIssuer => {
            format!(
                "the certificate of {host} is by an unknown issuer: give its authority with --cacert, if you trust it"
            )
        }
        _ => format!("the certificate of {host} is not accepted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_named() {
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let future = SystemTime::UNIX_EPOCH + RELEASED * 2;
        assert!(certificate_error("h", &CertificateError::NotValidYet, past).contains("clock"));
        assert_eq!(certificate_error("h", &CertificateError::Expired, future), "the certificate of h has expired");
    }

    #[test]
    fn bad_root_files_are_found_early() {
        let settings = |file: &str| TlsSettings { extra: vec![file.into()], ..TlsSettings::default() };
        let missing = check(&settings("/no/such/file.pem")).expect_err("missing");
        assert!(
            missing.one_line().starts_with("certificates cannot be read from /no/such/file.pem"),
            "{}",
            missing.one_line()
        );
        let empty = check(&settings("Cargo.toml")).expect_err("no certificate in it");
        assert!(empty.one_line().contains("BEGIN CERTIFICATE"), "{}", empty.one_line());
        assert!(check(&TlsSettings::default()).is_ok());
    }
}
