//! Certificates and keys from files and from the system's store.

use std::path::Path;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::verify::TrustedCertificates;
use super::{Identity, Roots, TlsConfig};
use crate::error::{Error, Kind, Result};

/// The certificates that these settings trust.
pub(super) fn trusted_certificates(settings: &TlsConfig) -> Result<TrustedCertificates> {
    let mut trusted = TrustedCertificates::none();
    match &settings.roots {
        Roots::Auto => {
            add_system_roots(&mut trusted);
            if trusted.roots.is_empty() {
                log::info!("no certificate in the system's store: the bundled roots are used");
                trusted.roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
        }
        Roots::Os => {
            let problems = add_system_roots(&mut trusted);
            if trusted.roots.is_empty() {
                let text = format!("the system's store holds no certificate{problems}: try the bundled roots");
                return Err(Error::new(Kind::Tls, text));
            }
        }
        Roots::Bundled => trusted.roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::File(file) => add_file(&mut trusted, file)?,
    }
    Ok(trusted)
}

/// Adds what the system trusts, but for certificates that cannot be read; returns the first problem, to be shown if nothing
/// was found.
fn add_system_roots(trusted: &mut TrustedCertificates) -> String {
    let found = rustls_native_certs::load_native_certs();
    for certificate in found.certs {
        let _ = trusted.add(certificate);
    }
    found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default()
}

/// Adds the certificates in a file.
pub(super) fn add_file(trusted: &mut TrustedCertificates, file: &Path) -> Result<()> {
    for certificate in certificates(file)? {
        let malformed = |_| bad(format!("a certificate in {} is malformed: write it anew", file.display()));
        trusted.add(certificate).map_err(malformed)?;
    }
    Ok(())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = file.display();
    let text = read(file, "certificates")?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates
        .map_err(|error| bad(format!("certificates cannot be read from {shown}: {}", malformed(&error))))?;
    if certificates.is_empty() {
        let holds =
            if PrivateKeyDer::from_pem_slice(&text).is_ok() { "a key and no certificate" } else { "no certificate" };
        return Err(bad(format!("{shown} holds {holds}: it must have a BEGIN CERTIFICATE line")));
    }
    Ok(certificates)
}

/// The text of a PEM file without the mark that editors of Windows write before it.
fn read(file: &Path, what: &str) -> Result<Vec<u8>> {
    let shown = file.display();
    let mut bytes = std::fs::read(file)
        .map_err(|error| bad(format!("{what} cannot be read from {shown}: a PEM file is needed")).with_source(error))?;
    let instead = match bytes[..] {
        [] => "is empty",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "is in UTF-16: save it as UTF-8",
        // How a SEQUENCE of more than 127 bytes begins, which all of these are.
        [0x30, 0x81..=0x84, ..] => {
            "is in DER: write it as PEM, with openssl x509 -inform der or openssl pkey -inform der"
        }
        [0xef, 0xbb, 0xbf, ..] => {
            bytes.drain(..3);
            return Ok(bytes);
        }
        _ => return Ok(bytes),
    };
    Err(bad(format!("{what} cannot be read from {shown}: it {instead}")))
}

/// What is wrong with a PEM file.
fn malformed(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "an END line is missing, or is not that of the BEGIN line before it",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line does not end in five dashes",
        pem::Error::Base64Decode(_) => "what stands between a BEGIN and an END line is not base64",
        pem::Error::SectionTooLarge => "what stands between a BEGIN and an END line is too long",
        _ => "it is not PEM",
    }
}

/// The client's certificate with its key.
pub(super) fn certified_key(identity: &Identity, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let chain = certificates(&identity.certificate)?;
    let file = identity.key.as_ref().unwrap_or(&identity.certificate);
    let shown = file.display();
    let text = read(file, "a key")?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            bad(format!("no key can be read from {shown}: a PEM file with a key that is not encrypted is needed"))
        }
        error => bad(format!("no key can be read from {shown}: {}", malformed(&error))),
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            bad(format!("the key in {shown} is not that of the certificate in {}", identity.certificate.display()))
        }
        _ => bad(format!("the key in {shown} cannot be used: RSA, ECDSA P-256 or P-384, or Ed25519 is needed")),
    })
}

fn bad(text: String) -> Error {
    Error::new(Kind::Config, text)
}
