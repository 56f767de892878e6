//! What the alerts mean by which a server ends a handshake or a connection, and what helps (RFC 8446, section 6).

use rustls::AlertDescription;

/// What is wrong, and behind a colon what would be right. What an alert says of the client's certificate is told elsewhere if
/// the server had asked for one.
pub(super) fn meaning(alert: AlertDescription) -> &'static str {
    use AlertDescription as A;
    match alert {
        A::CloseNotify | A::UserCanceled => "it wants no connection now: try again later",
        A::UnexpectedMessage | A::IllegalParameter | A::DecodeError | A::MissingExtension | A::UnsupportedExtension => {
            "it does not understand what it got: it has to be mended or brought up to date, or something between it and \
             here changes what is sent"
        }
        A::BadRecordMac
        | A::DecryptionFailed
        | A::RecordOverflow
        | A::DecompressionFailure
        | A::DecryptError
        | A::BadCertificateHashValue => {
            "what it got was not what was sent: try again, and look for what stands between it and here"
        }
        A::HandshakeFailure | A::InsufficientSecurity | A::ExportRestriction => {
            "it shares no cipher and key exchange with TLS 1.2 or 1.3 as it is done here: it has to offer more"
        }
        A::NoCertificate
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::CertificateUnobtainable
        | A::CertificateRequired => {
            "it refuses for a certificate, although it asked for none: give the one that it wants with --cert"
        }
        A::BadCertificateStatusResponse => {
            "it does not accept a status of its own certificate: its owner has to mend it"
        }
        A::AccessDenied => "it lets not everybody in: give a certificate with --cert, or ask its owner for access",
        A::UnknownPSKIdentity => {
            "it wants a key that was agreed on before, which is not done here: ask for another address"
        }
        A::ProtocolVersion => "it offers neither TLS 1.2 nor 1.3: it has to offer one of them",
        A::InternalError => "something failed in the server: try again later, or tell its owner",
        A::InappropriateFallback => "it takes this for an attempt to weaken the connection: try again",
        A::NoRenegotiation => "it wanted to negotiate anew, which is not done here: it has to do without",
        A::UnrecognisedName => "it does not know this name: is it spelled rightly?",
        A::NoApplicationProtocol => "it does not offer HTTP/1.1: it has to, or ask for another address",
        A::EncryptedClientHelloRequired => {
            "it wants its name encrypted, which is not done here: ask for an address that does without"
        }
        _ => "this alert is not a known one: its owner may know what it means",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_a_meaning_and_a_remedy() {
        for number in 0..=u8::MAX {
            let alert = AlertDescription::from(number);
            let text = meaning(alert);
            assert!(text.contains(": ") && text.len() > 30 && !text.contains('\n'), "{number}: {text}");
            assert_eq!(alert.as_str().is_none(), text.contains("not a known one"), "{number}: {text}");
        }
    }
}
