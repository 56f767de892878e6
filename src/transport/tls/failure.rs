//! What failed in TLS, said so that one can mend it.

use std::io;
use std::time::{Duration, SystemTime};

use rustls::{AlertDescription, CertificateError, OtherError, PeerIncompatible};

use super::Asked;
use super::verify::Untrusted;
use crate::error::{Error, Kind, Phase};
use crate::origin::Origin;

/// Why there was no handshake, at this time of the clock that certificates are held against.
pub(super) fn handshake(origin: &Origin, error: io::Error, asked: Asked, now: SystemTime) -> Error {
    let host = origin.host_name();
    let text = match rustls_error(&error) {
        Some(rustls::Error::InvalidCertificate(problem)) => certificate(host, problem, now),
        Some(rustls::Error::InvalidMessage(_)) => format!("{origin} does not answer in TLS: is it plain http?"),
        Some(
            rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
            | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
        ) => format!("{host} offers only TLS 1.1 or older, which is broken: it has to offer TLS 1.2 or 1.3"),
        Some(rustls::Error::AlertReceived(AlertDescription::UnrecognisedName)) => {
            format!("the server at {host} does not know this name: is it spelled rightly?")
        }
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            format!("{host} does not offer HTTP/1.1")
        }
        Some(rustls::Error::AlertReceived(alert)) => match refusal(*alert, asked) {
            Some(text) => format!("{host}: {text}"),
            None if *alert == AlertDescription::HandshakeFailure => {
                format!("{host} shares no cipher and key exchange with TLS 1.2 or 1.3 as it is done here")
            }
            None => format!("{host} refused the TLS handshake"),
        },
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            let text = format!("{host} closed the connection in the TLS handshake{}", without_certificate(asked));
            return Error::new(Kind::Tls, text).in_phase(Phase::Tls);
        }
        _ => format!("the TLS handshake with {host} failed{}", without_certificate(asked)),
    };
    Error::new(Kind::Tls, text).in_phase(Phase::Tls).with_source(error)
}

/// What a server said in place of an answer. In TLS 1.3 the client is done first, so a server that refuses its
/// certificate, or the lack of one, is heard only when the answer is read.
pub(in crate::transport) fn late(error: &io::Error, asked: Asked) -> Option<&'static str> {
    match rustls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => refusal(*alert, asked),
        _ => None,
    }
}

/// A hint for those who lost a connection without a word; empty where it is none.
pub(in crate::transport) fn without_certificate(asked: Asked) -> &'static str {
    match asked {
        Asked::InVain => ", after it asked for a client certificate and got none: perhaps it wants one, see --cert",
        Asked::No | Asked::AndSeen => "",
    }
}

/// What these alerts say of the client's certificate (RFC 8446, section 6.2). Before TLS 1.3 there was none for a
/// certificate that is missing: `handshake_failure` and `bad_certificate` were used, and still are.
fn refusal(alert: AlertDescription, asked: Asked) -> Option<&'static str> {
    use AlertDescription as A;
    match (alert, asked) {
        (A::CertificateRequired, _) => Some("the server wants a client certificate: give one with --cert"),
        (A::HandshakeFailure | A::BadCertificate | A::CertificateUnknown | A::AccessDenied, Asked::InVain) => {
            Some("the server asked for a client certificate, got none and refused: give one with --cert")
        }
        (
            A::HandshakeFailure
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::DecryptError
            | A::AccessDenied,
            Asked::AndSeen,
        ) => Some("the server does not accept the client certificate: is it the one it asks for?"),
        _ => None,
    }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// A moment shortly before this version was released; a system clock that is earlier is wrong.
const RELEASED: Duration = Duration::from_secs(1_793_491_200); // 2026-11-01

fn certificate(host: &str, problem: &CertificateError, now: SystemTime) -> String {
    use CertificateError as E;
    let clock_is_wrong = now < SystemTime::UNIX_EPOCH + RELEASED;
    let is = match problem {
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } if clock_is_wrong => {
            "is not valid at the time of the system clock, which looks wrong: set the clock"
        }
        E::Expired | E::ExpiredContext { .. } => "has expired: its owner has to renew it",
        E::NotValidYet | E::NotValidYetContext { .. } => "is not valid yet: is the system clock right?",
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            return format!("the certificate is not for {host}: ask for a host that it names");
        }
        E::UnknownIssuer => "is by an unknown issuer: give its authority with --cacert, if you trust it",
        // Another authority of the same name.
        E::BadSignature => "is not signed by the authority that it names: give the right one with --cacert",
        E::Other(OtherError(why)) => match why.downcast_ref() {
            Some(Untrusted::SelfSigned) => "is signed by itself: give it with --cacert, if you trust it",
            Some(Untrusted::Alone) => {
                "is by an unknown issuer, and no intermediate certificate came with it: the server has to send its \
                 whole chain, or give its authority with --cacert, if you trust it"
            }
            Some(Untrusted::OtherKey) => "has a public key that is not pinned: is it still the same server?",
            None => "is not accepted",
        },
        _ => "is not accepted",
    };
    format!("the certificate of {host} {is}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asked_for_a_certificate_refuses_for_it() {
        use AlertDescription as A;
        let wants = "the server wants a client certificate: give one with --cert";
        let got_none = "the server asked for a client certificate, got none and refused: give one with --cert";
        let not_that = "the server does not accept the client certificate: is it the one it asks for?";
        for (alert, asked, said) in [
            (A::CertificateRequired, Asked::No, Some(wants)),
            (A::CertificateRequired, Asked::InVain, Some(wants)),
            (A::HandshakeFailure, Asked::No, None),
            (A::HandshakeFailure, Asked::InVain, Some(got_none)),
            (A::HandshakeFailure, Asked::AndSeen, Some(not_that)),
            (A::BadCertificate, Asked::No, None),
            (A::BadCertificate, Asked::InVain, Some(got_none)),
            (A::BadCertificate, Asked::AndSeen, Some(not_that)),
            (A::UnknownCA, Asked::AndSeen, Some(not_that)),
            (A::UnknownCA, Asked::InVain, None),
            (A::InternalError, Asked::InVain, None),
        ] {
            assert_eq!(refusal(alert, asked), said, "{alert:?} {asked:?}");
            let error = io::Error::other(rustls::Error::AlertReceived(alert));
            assert_eq!(late(&error, asked), said, "{alert:?} {asked:?}");
        }
        assert_eq!(without_certificate(Asked::No), "");
        assert!(without_certificate(Asked::InVain).contains("see --cert"));
    }

    #[test]
    fn a_wrong_clock_is_named() {
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let future = SystemTime::UNIX_EPOCH + RELEASED * 2;
        for problem in [CertificateError::NotValidYet, CertificateError::Expired] {
            assert!(certificate("h", &problem, past).ends_with("looks wrong: set the clock"));
            assert!(!certificate("h", &problem, future).contains("looks wrong"));
        }
        // No clock makes a name right.
        assert!(!certificate("h", &CertificateError::NotValidForName, past).contains("clock"));
    }
}
