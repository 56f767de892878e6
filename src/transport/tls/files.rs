//! Certificates and keys from files and from the system's store.

use std::path::Path;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::sign::CertifiedKey;

use super::{Identity, Roots, TlsSettings};
use crate::error::{Error, Kind, Result};

/// The authorities that these settings trust.
pub(super) fn root_store(settings: &TlsSettings) -> Result<RootCertStore> {
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
    Ok(store)
}

/// Adds what the system trusts; returns what went wrong, to be shown where nothing was found.
fn add_system_roots(store: &mut RootCertStore) -> String {
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default()
}

/// Adds the certificates in a file.
pub(super) fn add_file(store: &mut RootCertStore, file: &Path) -> Result<()> {
    for certificate in certificates(file)? {
        store
            .add(certificate)
            .map_err(|error| bad(format!("a certificate in {} is not valid", file.display())).with_source(error))?;
    }
    Ok(())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = file.display();
    let certificates =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|error| {
            bad(format!("certificates cannot be read from {shown}: a PEM file is needed")).with_source(error)
        })?;
    if certificates.is_empty() {
        return Err(bad(format!("{shown} holds no certificate: it must have a BEGIN CERTIFICATE line")));
    }
    Ok(certificates)
}

/// The client's certificate with its key.
pub(super) fn certified_key(identity: &Identity, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let chain = certificates(&identity.certificate)?;
    let file = identity.key.as_ref().unwrap_or(&identity.certificate);
    let shown = file.display();
    let key = PrivateKeyDer::from_pem_file(file).map_err(|error| {
        bad(format!("no key can be read from {shown}: a PEM file with a key that is not encrypted is needed"))
            .with_source(error)
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            bad(format!("the key in {shown} is not that of the certificate in {}", identity.certificate.display()))
        }
        _ => bad(format!("the key in {shown} cannot be used: RSA, ECDSA P-256 or P-384, or Ed25519 is needed"))
            .with_source(error),
    })
}

fn bad(text: String) -> Error {
    Error::new(Kind::Config, text)
}
