//! Files with certificates that are trusted: what is accepted for them, and what they may look like.

use roundup::transport::Roots;
use roundup::{Kind, Transport};
use surf::Client;

use super::{fetch, get, run};
use crate::common::{Dir, Reply, Server};

/// A server with this certificate, and a client that trusts what is in this PEM text.
fn server_and_client(certificate: &rcgen::Certificate, key: rcgen::KeyPair, trusted: &str) -> (Server, Client, Dir) {
    let dir = Dir::new();
    let file = dir.write("trusted.pem", trusted);
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring knows all versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("its own key");
    let server = Server::builder().tls(config.into()).start(|_| Reply::text("x"));
    let transport = Transport::builder().roots(Roots::File(file)).build().expect("a good file");
    (server, roundup::surf::client(transport), dir)
}

fn params(host: &str, is_ca: rcgen::IsCa) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(vec![host.into()]).expect("a valid name");
    params.distinguished_name.push(rcgen::DnType::CommonName, "a server on its own");
    params.is_ca = is_ca;
    params
}

/// `openssl req -x509` makes a certificate of an authority, which was refused with the advice to give it with --cacert.
#[test]
fn the_very_certificate_that_is_trusted_is_accepted_as_the_hint_says() {
    use rcgen::{BasicConstraints, IsCa};
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params("localhost", is_ca).self_signed(&key).expect("a certificate");
        let (server, client, _dir) = server_and_client(&certificate, key, &certificate.pem());
        assert_eq!(run(fetch(&client, get(&server.url_at("localhost", "/")))).expect("it is trusted").1, b"x");
        // The name is checked all the same.
        let error = run(fetch(&client, get(&server.url_at("127.0.0.1", "/")))).expect_err("another name").one_line();
        assert!(error.contains("is not for 127.0.0.1: ask for a host that it names"), "{error}");
    }
    // So is one that an authority has signed which is not given itself.
    let authority = params("localhost", IsCa::Ca(BasicConstraints::Unconstrained));
    let issuer = rcgen::Issuer::new(authority, rcgen::KeyPair::generate().expect("a key"));
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut leaf = params("localhost", IsCa::NoCa);
    leaf.distinguished_name.push(rcgen::DnType::OrganizationName, "the leaf");
    let certificate = leaf.signed_by(&key, &issuer).expect("a certificate");
    let (server, client, _dir) = server_and_client(&certificate, key, &certificate.pem());
    assert_eq!(run(fetch(&client, get(&server.url_at("localhost", "/")))).expect("it is trusted").1, b"x");
}

#[test]
fn the_very_certificate_is_refused_if_it_has_expired_or_is_another() {
    use rcgen::{BasicConstraints, IsCa};
    let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut expired = params("localhost", ca());
    (expired.not_before, expired.not_after) = (rcgen::date_time_ymd(2001, 1, 1), rcgen::date_time_ymd(2002, 1, 1));
    let certificate = expired.self_signed(&key).expect("a certificate");
    let (server, client, _dir) = server_and_client(&certificate, key, &certificate.pem());
    let error = run(fetch(&client, get(&server.url_at("localhost", "/")))).expect_err("it has expired").one_line();
    assert!(error.contains("has expired") || error.contains("clock"), "{error}");
    // One with the same key and the same names is not the very one.
    let key = rcgen::KeyPair::generate().expect("a key");
    let given = params("localhost", ca()).self_signed(&key).expect("a certificate");
    let mut other = params("localhost", ca());
    other.serial_number = Some(7_u64.into());
    let other = other.self_signed(&key).expect("a certificate");
    let (server, client, _dir) = server_and_client(&other, key, &given.pem());
    let error = run(fetch(&client, get(&server.url_at("localhost", "/")))).expect_err("another").one_line();
    assert!(error.contains("is signed by itself: give it with --cacert"), "{error}");
}

/// A mark before the first line, which editors of Windows write, hid the first certificate.
#[test]
fn certificates_are_found_in_whatever_stands_around_them() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params("localhost", rcgen::IsCa::NoCa).self_signed(&key).expect("a certificate");
    let pem = certificate.pem();
    for text in [
        format!("\u{feff}{pem}"),
        format!("\u{feff}{}", pem.replace("\r\n", "\n").replace('\n', "\r\n")),
        format!("subject=CN = localhost\n\n{pem}issuer=\u{e9}\n"),
        format!("{}{pem}", key.serialize_pem()),
        pem.trim_end().to_owned(),
    ] {
        let key = rcgen::KeyPair::from_pem(&key.serialize_pem()).expect("its own text");
        let (server, client, _dir) = server_and_client(&certificate, key, &text);
        assert_eq!(run(fetch(&client, get(&server.url_at("localhost", "/")))).expect(&text).1, b"x");
    }
}

#[test]
fn a_file_without_a_certificate_is_refused_in_true_words() {
    let dir = Dir::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params("localhost", rcgen::IsCa::NoCa).self_signed(&key).expect("a certificate");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(certificate.pem().bytes().flat_map(|b| [b, 0])).collect();
    let cut = certificate.pem().replace("-----END CERTIFICATE-----", "");
    for (name, bytes, text) in [
        ("empty", Vec::new(), "it is empty"),
        (
            "key",
            key.serialize_pem().into_bytes(),
            "holds a key and no certificate: it must have a BEGIN CERTIFICATE line",
        ),
        ("text", b"hello".to_vec(), "holds no certificate: it must have a BEGIN CERTIFICATE line"),
        ("utf16", utf16, "it is in UTF-16: save it as UTF-8"),
        ("der", certificate.der().to_vec(), "it is in DER: write it as PEM, with openssl x509 -inform der"),
        ("cut", cut.into_bytes(), "an END line is missing"),
        ("letters", certificate.pem().replace("MII", "M*I").into_bytes(), "is not base64"),
        (
            "inside",
            b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n".to_vec(),
            "is malformed: write it anew",
        ),
    ] {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).expect("a folder for that");
        let error = Transport::builder().roots(Roots::File(file)).build().expect_err(name);
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.one_line().contains(text), "{name}: {}", error.one_line());
    }
}
