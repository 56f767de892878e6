//! What failed in TLS, said so that one can mend it.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError, PeerIncompatible};

use super::CertRequest;
use super::alerts;
use super::verify::Untrusted;
use crate::error::{Error, Kind, Phase};
use crate::http::printable;
use crate::origin::Origin;

/// Why there was no handshake, at this time of the clock that certificates are held against.
pub(super) fn handshake(origin: &Origin, error: io::Error, asked: CertRequest, now: SystemTime) -> Error {
    let host = origin.host_name();
    let text = match rustls_error(&error) {
        Some(rustls::Error::InvalidCertificate(problem)) => certificate(host, problem, now),
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        )) => {
            format!("{origin} does not answer in TLS: is it plain http?")
        }
        Some(
            rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
            | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
        ) => format!("{host} offers only TLS 1.1 or older, which is broken: it has to offer TLS 1.2 or 1.3"),
        Some(rustls::Error::AlertReceived(AlertDescription::UnrecognisedName)) => {
            format!("the server at {host} does not know this name: is it spelled rightly?")
        }
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            format!("{host} does not offer HTTP/1.1: it has to, or ask for another address")
        }
        Some(rustls::Error::AlertReceived(alert)) => match refusal(*alert, asked) {
            Some(text) => format!("{host}: {text}"),
            None if *alert == AlertDescription::HandshakeFailure => {
                format!(
                    "{host} shares no cipher and key exchange with TLS 1.2 or 1.3 as it is done here: it has to offer more"
                )
            }
            None => {
                let (name, meaning) = (alert_name(*alert), alerts::meaning(*alert));
                format!("{host} refused the TLS handshake with the alert {name}: {meaning}")
            }
        },
        Some(other) => format!("the TLS handshake with {host} failed: {}", describe(other)),
        None => return lost(host, error, asked),
    };
    Error::new(Kind::Tls, text).in_phase(Phase::Tls)
}

/// The connection ended in the handshake. That may pass, unless it may be the answer to a certificate.
fn lost(host: &str, error: io::Error, asked: CertRequest) -> Error {
    let hint = without_certificate(asked);
    let ended = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::TimedOut
    );
    let lost = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::new(Kind::Tls, format!("{host} closed the connection in the TLS handshake{hint}"))
        }
        _ => Error::new(Kind::Tls, format!("the TLS handshake with {host} failed{hint}")).with_source(error),
    };
    lost.in_phase(Phase::Tls).passing(ended && asked == CertRequest::None)
}

/// An error of rustls whose text is for people: rustls prints most of its own with `Debug`.
#[derive(Debug)]
struct Described(rustls::Error);

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(&self.0))
    }
}

impl std::error::Error for Described {}

/// The same error; one of rustls gets a text for people.
pub(crate) fn described(error: io::Error) -> io::Error {
    match rustls_error(&error).cloned() {
        Some(inner) => io::Error::new(error.kind(), Described(inner)),
        None => error,
    }
}

/// What an error of rustls means and what helps, if it is not about a certificate. One of rustls's own words that stands
/// here as it is in its source says what to look for.
fn describe(error: &rustls::Error) -> String {
    use rustls::Error as E;
    match error {
        E::AlertReceived(alert) => {
            let (name, meaning) = (alert_name(*alert), alerts::meaning(*alert));
            format!("the server ended it with the TLS alert {name}: {meaning}")
        }
        E::InvalidCertificate(problem) => certificate("the server", problem, SystemTime::now()),
        E::InvalidMessage(why) => {
            format!("the server sent malformed TLS ({}): something between may have changed it", words(why))
        }
        E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            "the server sent a TLS message out of turn: it has to be mended or brought up to date".to_owned()
        }
        E::PeerMisbehaved(why) => {
            format!("the server breaks the rules of TLS ({}): it has to be mended or brought up to date", words(why))
        }
        E::PeerIncompatible(why) => {
            format!("the server offers nothing that can be used here ({}): it has to offer more", words(why))
        }
        E::PeerSentOversizedRecord => {
            "the server sent a TLS record that is too long: it has to be mended or brought up to date".to_owned()
        }
        E::DecryptError => {
            "what the server sent cannot be decrypted: something between may have changed it, try again".to_owned()
        }
        E::NoCertificatesPresented => "the server sent no certificate: it has to have one".to_owned(),
        E::NoApplicationProtocol => {
            "the server does not offer HTTP/1.1: it has to, or ask for another address".to_owned()
        }
        E::UnsupportedNameType => "the host cannot be the name in a certificate: ask for another".to_owned(),
        E::FailedToGetCurrentTime => "the system does not say what time it is: set the clock".to_owned(),
        E::FailedToGetRandomBytes => {
            "the system gives no random bytes, which TLS cannot do without: let the process have /dev/urandom"
                .to_owned()
        }
        E::General(text) => format!("TLS failed: {}; try again, and report it if it stays", shown(text)),
        E::Other(OtherError(why)) => {
            format!("TLS failed: {}; try again, and report it if it stays", shown(&why.to_string()))
        }
        other => format!("TLS failed ({}), which is a mistake here: please report it", words(other)),
    }
}

/// The name of an alert as RFC 8446, section 6, spells it, or its number.
fn alert_name(alert: AlertDescription) -> String {
    match alert.as_str() {
        Some(name) => words(&format_args!("{name}")).replace(' ', "_"),
        None => u8::from(alert).to_string(),
    }
}

/// The name of a variant in words: `InvalidKeyUpdate` is "invalid key update". What stands behind the name is left out.
fn words(variant: &dyn fmt::Debug) -> String {
    let name = format!("{variant:?}");
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut words = String::with_capacity(name.len() + 8);
    let letters: Vec<char> = name.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let starts = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                !before.is_ascii_uppercase() || letters.get(at + 1).is_some_and(char::is_ascii_lowercase)
            });
        if starts {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// Text of another crate, on one line and not without end.
fn shown(text: &str) -> String {
    let text: String = text.chars().take(200).collect();
    printable(&text, &[]).into_owned()
}

/// What a server said in place of an answer. In TLS 1.3 the client is done first, so a server that refuses its
/// certificate, or the lack of one, is heard only when the answer is read.
pub(crate) fn late(error: &io::Error, asked: CertRequest) -> Option<&'static str> {
    match rustls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => refusal(*alert, asked),
        _ => None,
    }
}

/// A hint for a connection that ended without an alert; empty if no certificate was asked for.
pub(crate) fn without_certificate(asked: CertRequest) -> &'static str {
    match asked {
        CertRequest::Unanswered => {
            ", after it asked for a client certificate and got none: perhaps it wants one, see --cert"
        }
        CertRequest::None | CertRequest::Answered => "",
    }
}

/// What these alerts say of the client's certificate (RFC 8446, section 6.2). Before TLS 1.3 there was none for a
/// certificate that is missing: `handshake_failure` and `bad_certificate` were used, and still are.
fn refusal(alert: AlertDescription, asked: CertRequest) -> Option<&'static str> {
    use AlertDescription as A;
    match (alert, asked) {
        (A::CertificateRequired, _) => Some("the server wants a client certificate: give one with --cert"),
        (
            A::HandshakeFailure | A::BadCertificate | A::CertificateUnknown | A::AccessDenied,
            CertRequest::Unanswered,
        ) => Some("the server asked for a client certificate, got none and refused: give one with --cert"),
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
            CertRequest::Answered,
        ) => Some("the server does not accept the client certificate: is it the one it asks for?"),
        _ => None,
    }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| inner.downcast_ref().map(|Described(inner)| inner))
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
        E::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "names no host in its subjectAltName, and its common name does not count: its owner has to replace it"
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            return format!("the certificate is not for {host}: ask for a host that it names");
        }
        E::UnknownIssuer => "is by an unknown issuer: give its authority with --cacert, if you trust it",
        // Another authority of the same name, or one whose key is too short to be accepted.
        E::BadSignature => {
            "is not signed by the authority that it names, or that has an RSA key of less than 2048 bits: give the right \
             one with --cacert"
        }
        E::BadEncoding => "is malformed: its owner has to replace it",
        E::Revoked => "was revoked: its owner has to replace it",
        E::UnhandledCriticalExtension => {
            "has an extension that is marked critical and not known here: its owner has to replace it"
        }
        E::UnsupportedSignatureAlgorithmContext { .. } | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "has a signature or key that is not accepted, such as SHA-1, DSA or P-521: its owner has to replace it"
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "is not for servers (serverAuth is not in its extended key usage): its owner has to replace it"
        }
        E::Other(OtherError(why)) => match (why.downcast_ref(), why.downcast_ref()) {
            (Some(untrusted), _) => distrust(*untrusted),
            (_, Some(problem)) => return format!("the certificate of {host} {}", chain(problem)),
            (None, None) => "is not accepted: its owner has to replace it",
        },
        E::UnknownRevocationStatus | E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            "cannot be held against a list of those that were revoked: its authority has to renew the list"
        }
        other => {
            let why = words(other);
            return format!("the certificate of {host} is not accepted ({why}): its owner has to replace it");
        }
    };
    format!("the certificate of {host} {is}")
}

fn distrust(why: Untrusted) -> &'static str {
    match why {
        Untrusted::SelfSigned => "is signed by itself: give it with --cacert, if you trust it",
        Untrusted::NoIntermediates => {
            "is by an unknown issuer, and no intermediate certificate came with it: the server has to send its whole \
             chain, or give its authority with --cacert, if you trust it"
        }
        Untrusted::OtherKey => "has a public key that is not pinned: is it still the same server?",
        Untrusted::KeyNotProven => {
            "has a key that does not fit what the server signed, or an RSA key of less than 2048 bits: its owner has to \
             replace it"
        }
    }
}

/// What webpki says that rustls has no word for: of the certificate, or of one between it and the authority.
fn chain(problem: &webpki::Error) -> String {
    use webpki::Error as E;
    let is = match problem {
        E::CaUsedAsEndEntity => "is one of an authority and not of a server: its owner has to replace it",
        E::EndEntityUsedAsCa => "is signed by a certificate that is not an authority's: its owner has to replace it",
        E::NameConstraintViolation => {
            "is for a name that its authority must not vouch for: its owner has to replace it"
        }
        E::PathLenConstraintViolated => "is further from its authority than that allows: its owner has to replace it",
        E::UnsupportedCertVersion => "is not of version 3 of X.509: its owner has to replace it",
        E::EmptyEkuExtension => "is for no purpose (its extended key usage is empty): its owner has to replace it",
        E::MaximumPathBuildCallsExceeded
        | E::MaximumPathDepthExceeded
        | E::MaximumSignatureChecksExceeded
        | E::MaximumNameConstraintComparisonsExceeded => {
            "came with so many others that the search for its authority was given up: the server has to send its chain \
             alone"
        }
        other => return format!("is not accepted ({}): its owner has to replace it", words(other)),
    };
    is.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn only_a_server_that_asked_for_a_certificate_refuses_for_it() {
        use AlertDescription as A;
        let wants = "the server wants a client certificate: give one with --cert";
        let got_none = "the server asked for a client certificate, got none and refused: give one with --cert";
        let not_that = "the server does not accept the client certificate: is it the one it asks for?";
        for (alert, asked, said) in [
            (A::CertificateRequired, CertRequest::None, Some(wants)),
            (A::CertificateRequired, CertRequest::Unanswered, Some(wants)),
            (A::HandshakeFailure, CertRequest::None, None),
            (A::HandshakeFailure, CertRequest::Unanswered, Some(got_none)),
            (A::HandshakeFailure, CertRequest::Answered, Some(not_that)),
            (A::BadCertificate, CertRequest::None, None),
            (A::BadCertificate, CertRequest::Unanswered, Some(got_none)),
            (A::BadCertificate, CertRequest::Answered, Some(not_that)),
            (A::UnknownCA, CertRequest::Answered, Some(not_that)),
            (A::UnknownCA, CertRequest::Unanswered, None),
            (A::InternalError, CertRequest::Unanswered, None),
        ] {
            assert_eq!(refusal(alert, asked), said, "{alert:?} {asked:?}");
            let error = io::Error::other(rustls::Error::AlertReceived(alert));
            assert_eq!(late(&error, asked), said, "{alert:?} {asked:?}");
        }
        assert_eq!(without_certificate(CertRequest::None), "");
        assert!(without_certificate(CertRequest::Unanswered).contains("see --cert"));
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

    /// Every alert there is, in the handshake and after it, whether or not a certificate was asked for.
    #[test]
    fn every_alert_has_words_and_a_remedy() {
        let origin = Origin::of(&crate::origin::parse_url("https://a.example/").expect("a URL")).expect("an origin");
        let remedies = [": ", "? ", " with --cert"];
        for number in 0..=u8::MAX {
            let error = || io::Error::other(rustls::Error::AlertReceived(AlertDescription::from(number)));
            let mut texts = vec![described(error()).to_string()];
            for asked in [CertRequest::None, CertRequest::Unanswered, CertRequest::Answered] {
                let text = handshake(&origin, error(), asked, SystemTime::now()).one_line();
                texts.push(text.strip_prefix("a.example: ").unwrap_or(&text).to_owned());
            }
            for text in texts {
                assert!(remedies.iter().any(|remedy| text.contains(remedy)), "{number}: {text}");
                assert!(!text.contains(['{', '}', '"', '\n']) && !text.contains("::"), "{number}: {text}");
            }
        }
    }

    /// No text ends in a debug dump, and each has the part that says what can be done or what it was.
    fn assert_in_words(errors: Vec<(rustls::Error, &str)>) {
        let origin = Origin::of(&crate::origin::parse_url("https://a.example/").expect("a URL")).expect("an origin");
        for (error, part) in errors {
            let what = format!("{error:?}");
            let late = described(io::Error::other(error.clone())).to_string();
            let early = handshake(&origin, io::Error::other(error), CertRequest::None, SystemTime::now()).one_line();
            assert!(early.contains(part), "{what}: {early}");
            for text in [early, late] {
                let dumped = text.contains(['{', '}', '"', '\n']) || text.contains("Error") || text.contains("::");
                assert!(!dumped && text.len() > 12, "{what}: {text}");
            }
        }
    }

    #[test]
    fn every_failure_of_a_handshake_has_words() {
        use rustls::{ContentType, HandshakeType, InvalidMessage as M, PeerMisbehaved as P};
        assert_in_words(vec![
            (
                rustls::Error::InappropriateMessage { expect_types: vec![], got_type: ContentType::Alert },
                "a.example failed: the server sent a TLS message out of turn",
            ),
            (
                rustls::Error::InappropriateHandshakeMessage {
                    expect_types: vec![HandshakeType::Finished],
                    got_type: HandshakeType::ServerHello,
                },
                "a.example failed: the server sent a TLS message out of turn",
            ),
            (M::InvalidContentType.into(), "https://a.example does not answer in TLS: is it plain http?"),
            (M::MissingData("ServerHello").into(), "the server sent malformed TLS (missing data): something between"),
            (M::DuplicateExtension(7).into(), "sent malformed TLS (duplicate extension)"),
            (rustls::Error::NoCertificatesPresented, "the server sent no certificate"),
            (rustls::Error::UnsupportedNameType, "the host cannot be the name in a certificate"),
            (rustls::Error::DecryptError, "cannot be decrypted: something between may have changed it"),
            (rustls::Error::EncryptError, "TLS failed (encrypt error), which is a mistake here"),
            (
                PeerIncompatible::NoCipherSuitesInCommon.into(),
                "the server offers nothing that can be used here (no cipher suites in common)",
            ),
            (P::IllegalHelloRetryRequestWithEmptyCookie.into(), "(illegal hello retry request with empty cookie)"),
            (
                rustls::Error::AlertReceived(AlertDescription::InternalError),
                "a.example refused the TLS handshake with the alert internal_error: something failed in the server",
            ),
            (rustls::Error::AlertReceived(AlertDescription::UnknownCA), "with the alert unknown_ca: it refuses for"),
            (rustls::Error::AlertReceived(AlertDescription::Unknown(199)), "with the alert 199: this alert is not"),
            (rustls::Error::HandshakeNotComplete, "TLS failed (handshake not complete), which is a mistake here"),
            (rustls::Error::BadMaxFragmentSize, "TLS failed (bad max fragment size), which is a mistake here"),
            (rustls::InconsistentKeys::KeyMismatch.into(), "(inconsistent keys), which is a mistake here"),
            (
                rustls::CertRevocationListError::ParseError.into(),
                "(invalid cert revocation list), which is a mistake here",
            ),
            (
                rustls::EncryptedClientHelloError::NoCompatibleConfig.into(),
                "(invalid encrypted client hello), which is a mistake here",
            ),
            (rustls::Error::General("no\nline".into()), "TLS failed: no"),
            (rustls::Error::FailedToGetCurrentTime, "set the clock"),
            (rustls::Error::FailedToGetRandomBytes, "no random bytes"),
            (rustls::Error::PeerSentOversizedRecord, "a TLS record that is too long"),
            (rustls::Error::NoApplicationProtocol, "does not offer HTTP/1.1"),
            (rustls::Error::Other(OtherError(Arc::new(io::Error::other("x")))), "TLS failed: x"),
        ]);
    }

    #[test]
    fn every_refusal_of_a_certificate_has_words() {
        let webpki_error = |error: webpki::Error| CertificateError::Other(OtherError(Arc::new(error))).into();
        assert_in_words(vec![
            (CertificateError::BadEncoding.into(), "the certificate of a.example is malformed"),
            (CertificateError::Revoked.into(), "was revoked"),
            (CertificateError::UnhandledCriticalExtension.into(), "marked critical"),
            (CertificateError::BadSignature.into(), "give the right one with --cacert"),
            (CertificateError::InvalidPurpose.into(), "serverAuth"),
            (
                CertificateError::InvalidOcspResponse.into(),
                "is not accepted (invalid ocsp response): its owner has to replace it",
            ),
            (CertificateError::ApplicationVerificationFailure.into(), "(application verification failure): its owner"),
            (CertificateError::UnknownRevocationStatus.into(), "its authority has to renew the list"),
            (CertificateError::ExpiredRevocationList.into(), "its authority has to renew the list"),
            (CertificateError::Other(OtherError(Arc::new(io::Error::other("x")))).into(), "is not accepted: its owner"),
            (CertificateError::NotValidForName.into(), "the certificate is not for a.example"),
            (CertificateError::UnknownIssuer.into(), "--cacert"),
            (Untrusted::KeyNotProven.into(), "does not fit what the server signed"),
            (webpki_error(webpki::Error::CaUsedAsEndEntity), "is one of an authority and not of a server"),
            (webpki_error(webpki::Error::NameConstraintViolation), "must not vouch for"),
            (webpki_error(webpki::Error::UnsupportedCertVersion), "is not of version 3"),
            (webpki_error(webpki::Error::MalformedExtensions), "is not accepted (malformed extensions)"),
        ]);
    }

    #[test]
    fn names_of_variants_are_read_as_words() {
        assert_eq!(words(&format_args!("InvalidKeyUpdate")), "invalid key update");
        assert_eq!(words(&format_args!("ServerDoesNotSupportTls12Or13")), "server does not support tls12 or13");
        assert_eq!(words(&format_args!("UnknownCA")), "unknown ca");
        assert_eq!(words(&format_args!("MissingData(\"x\")")), "missing data");
    }
}
