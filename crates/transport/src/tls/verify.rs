//! What is asked of a server's certificate beyond rustls's own verification, and why it was not accepted.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use webpki::EndEntityCert;

use crate::error::{Error, Kind};

/// The public keys that servers may have, by the SHA-256 of their SubjectPublicKeyInfo (RFC 7469, section 2.4).
///
/// Written as curl does: `sha256//` and 44 characters of base64, several with `;` between. One that fits is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeyPins(Vec<[u8; 32]>);

impl PublicKeyPins {
    /// Whether the key of this certificate is among them.
    fn fit(&self, certificate: &CertificateDer<'_>) -> bool {
        let Ok(parsed) = EndEntityCert::try_from(certificate) else { return false };
        let digest = ring::digest::digest(&ring::digest::SHA256, &parsed.subject_public_key_info());
        self.0.iter().any(|pin| pin == digest.as_ref())
    }
}

impl FromStr for PublicKeyPins {
    type Err = Error;

    fn from_str(text: &str) -> Result<PublicKeyPins, Error> {
        let pin = |pin: &str| {
            let digest = pin.trim().strip_prefix("sha256//").and_then(|base64| STANDARD.decode(base64).ok());
            digest.and_then(|digest| digest.try_into().ok()).ok_or_else(|| {
                let allowed = "write sha256// and the base64 of a SHA-256 digest, several with ; between";
                Error::new(Kind::Config, format!("\"{pin}\" is not the pin of a public key: {allowed}"))
            })
        };
        text.split(';').map(pin).collect::<Result<_, _>>().map(PublicKeyPins)
    }
}

/// What rustls's own errors do not tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untrusted {
    /// The certificate is its own issuer.
    SelfSigned,
    /// The issuer is unknown, and the server sent nothing that would lead to one that is known.
    NoIntermediates,
    /// The key is none of those that are pinned.
    OtherKey,
    /// The server's signature in the handshake is not by the key of its certificate, or that is too short.
    KeyNotProven,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Untrusted::SelfSigned => "self-signed certificate",
            Untrusted::NoIntermediates => "no path to a trusted authority from a single certificate",
            Untrusted::OtherKey => "public key not pinned",
            Untrusted::KeyNotProven => "signature that does not fit the certificate's key",
        })
    }
}

impl std::error::Error for Untrusted {}

impl From<Untrusted> for rustls::Error {
    fn from(why: Untrusted) -> rustls::Error {
        CertificateError::Other(OtherError(Arc::new(why))).into()
    }
}

/// The certificates that are trusted, as authorities and each for itself.
#[derive(Debug)]
pub(super) struct TrustedCertificates {
    pub(super) roots: RootCertStore,
    /// The SHA-256 of each certificate. A server may show one of them as its own: `openssl req -x509` makes certificates
    /// of authorities, which webpki does not accept from a server, and curl accepts this very one.
    digests: HashSet<[u8; 32]>,
}

impl TrustedCertificates {
    pub(super) fn none() -> TrustedCertificates {
        TrustedCertificates { roots: RootCertStore::empty(), digests: HashSet::new() }
    }

    /// # Errors
    /// That of rustls if this is no certificate.
    pub(super) fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), rustls::Error> {
        let digest = sha256(&certificate);
        self.roots.add(certificate)?;
        self.digests.extend(digest);
        Ok(())
    }

    fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        sha256(certificate).is_some_and(|digest| self.digests.contains(&digest))
    }
}

fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().try_into().ok()
}

/// Verifies as rustls's own verifier does, says more if it refuses, and checks pins if it does not.
///
/// rustls's own is not used, because it brings support for lists of revoked certificates, which is never used here and takes
/// 20 KB in a small binary.
#[derive(Debug)]
pub(super) struct Verifier {
    /// The authorities that are trusted. With `None` any certificate is accepted.
    pub(super) roots: Option<TrustedCertificates>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) pins: Option<PublicKeyPins>,
}

impl Verifier {
    fn verify(
        &self,
        trusted: &TrustedCertificates,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let roots = &trusted.roots;
        match verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, self.algorithms.all) {
            // webpki has checked before this that it is valid now.
            Err(error) if has_no_trusted_issuer(&error) && trusted.contains(end_entity) => {}
            result => result?,
        }
        verify_server_name(&parsed, server_name)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::Error::InvalidCertificate;
        if let Some(roots) = &self.roots {
            self.verify(roots, end_entity, intermediates, server_name, now).map_err(|error| match &error {
                // A certificate of an authority, shown as a server's, is `Other`: most self-signed ones are such.
                InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
                    if is_self_signed(end_entity) =>
                {
                    Untrusted::SelfSigned.into()
                }
                InvalidCertificate(CertificateError::UnknownIssuer) if intermediates.is_empty() => {
                    Untrusted::NoIntermediates.into()
                }
                _ => error,
            })?;
        }
        match &self.pins {
            Some(pins) if !pins.fit(end_entity) => Err(Untrusted::OtherKey.into()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    // Signatures are checked for any certificate, so that the peer at least holds the key of the one that it shows.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms).map_err(signature_error)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms).map_err(signature_error)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether all that is wrong with a certificate is its way to an authority: its issuer is not trusted, or it is an
/// authority itself.
fn has_no_trusted_issuer(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(why))) => {
            matches!(why.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

/// The error of a signature in the handshake: of a bad one rustls says the same as of a bad one in a certificate.
fn signature_error(error: rustls::Error) -> rustls::Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => Untrusted::KeyNotProven.into(),
        other => other,
    }
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate).is_ok_and(|parsed| parsed.issuer() == parsed.subject())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_as_curl_writes_them() {
        let pin = |byte: u8| format!("sha256//{}", STANDARD.encode([byte; 32]));
        let pins = |text: &str| text.parse::<PublicKeyPins>();
        assert_eq!(pins(&pin(1)).expect("one"), PublicKeyPins(vec![[1; 32]]));
        let two = pins(&format!("{};{}", pin(1), pin(2))).expect("two");
        assert_eq!(two, PublicKeyPins(vec![[1; 32], [2; 32]]));
        for wrong in ["", "key.pem", "sha256//", "sha256//AAAA", "sha1//AAAA", &pin(1)[1..], &format!("{};", pin(1))] {
            let error = pins(wrong).expect_err(wrong);
            assert!(
                error.one_line().contains("is not the pin of a public key: write sha256//"),
                "{}",
                error.one_line()
            );
        }
    }
}
