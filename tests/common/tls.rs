//! Certificates made for one test, and the TLS settings around them. The provider is always named: nothing is
//! installed for the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, date_time_ymd,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::Dir;

/// A certificate authority of one test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    file: PathBuf,
    _dir: Dir,
}

/// What is the matter with the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// Nothing: it is for `localhost`, 127.0.0.1 and ::1, from 1975 to 4096.
    Good,
    /// It ended in 2001.
    Expired,
    /// It begins in 4000.
    NotYetValid,
    /// It is for `other.example`.
    OtherHost,
    /// It is signed by itself.
    SelfSigned,
    /// The same, with the marks of an authority, as `openssl req -x509` makes it.
    SelfSignedAuthority,
    /// An authority between signed it, whose certificate comes with it.
    Chain,
    /// An authority between signed it, and the server does not send its certificate.
    ChainCut,
}

/// A certificate and its key as PEM files. They go with it.
pub(crate) struct PemFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one.
    pub(crate) both: PathBuf,
    _dir: Dir,
}

impl PemFiles {
    fn write(certificate: &str, key: &KeyPair) -> PemFiles {
        let dir = Dir::new();
        PemFiles {
            both: dir.write("both.pem", format!("{certificate}{}", key.serialize_pem())),
            key: dir.write("key.pem", key.serialize_pem()),
            certificate: dir.write("certificate.pem", certificate),
            _dir: dir,
        }
    }
}

impl Authority {
    /// Authorities made by this all have the same name.
    pub(crate) fn new() -> Authority {
        Authority::named("a root for one test")
    }

    pub(crate) fn named(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a root certificate");
        let dir = Dir::new();
        let file = dir.write("ca.pem", certificate.pem());
        Authority { issuer: Issuer::new(params, key), root: certificate.der().clone(), file, _dir: dir }
    }

    /// The root as a PEM file, for `--cacert`. It goes with the authority.
    pub(crate) fn ca_file(&self) -> &Path {
        &self.file
    }

    /// The root alone.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root certificate");
        roots
    }

    /// The settings of a server with TLS 1.2 and 1.3.
    pub(crate) fn server(&self, leaf: Leaf) -> Arc<ServerConfig> {
        self.server_with(leaf, rustls::ALL_VERSIONS)
    }

    /// The settings of a server with these versions alone, as `&[&rustls::version::TLS12]`.
    pub(crate) fn server_with(&self, leaf: Leaf, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        self.server_keyed(leaf, versions).0
    }

    /// The same, and the SubjectPublicKeyInfo of its key.
    pub(crate) fn server_keyed(
        &self,
        leaf: Leaf,
        versions: &[&'static SupportedProtocolVersion],
    ) -> (Arc<ServerConfig>, Vec<u8>) {
        let (chain, key) = self.leaf(leaf);
        let spki = key.subject_public_key_info();
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("ring knows all versions")
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .expect("the key of the certificate");
        (Arc::new(config), spki)
    }

    /// The settings of a server that asks for a certificate of this authority.
    pub(crate) fn server_for_clients(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        let (chain, key) = self.leaf(Leaf::Good);
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider());
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("ring knows all versions")
            .with_client_cert_verifier(verifier.build().expect("there is a root"))
            .with_single_cert(chain, key.into())
            .expect("the key of the certificate");
        Arc::new(config)
    }

    /// A client that this authority vouches for.
    pub(crate) fn client(&self) -> PemFiles {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
        params.distinguished_name.push(DnType::CommonName, "a client for one test");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        PemFiles::write(&params.signed_by(&key, &self.issuer).expect("a certificate").pem(), &key)
    }

    /// The certificate and the key of a server that is a program of its own.
    pub(crate) fn server_files(&self, leaf: Leaf) -> PemFiles {
        let (chain, key) = self.leaf(leaf);
        let encoded = chain.iter().map(|certificate| {
            let lines = STANDARD.encode(certificate).into_bytes();
            let lines = lines.chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect::<String>();
            format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
        });
        PemFiles::write(&encoded.collect::<String>(), &key)
    }

    fn leaf(&self, leaf: Leaf) -> (Vec<CertificateDer<'static>>, KeyPair) {
        let names: &[&str] = match leaf {
            Leaf::OtherHost => &["other.example"],
            _ => &["localhost", "127.0.0.1", "::1"],
        };
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let mut params = CertificateParams::new(names).expect("valid names");
        match leaf {
            Leaf::Expired => {
                params.not_before = date_time_ymd(2000, 1, 1);
                params.not_after = date_time_ymd(2001, 1, 1);
            }
            Leaf::NotYetValid => params.not_before = date_time_ymd(4000, 1, 1),
            Leaf::SelfSignedAuthority => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Leaf::Good | Leaf::OtherHost | Leaf::SelfSigned | Leaf::Chain | Leaf::ChainCut => {}
        }
        // Else it would have the same name as the authority.
        params.distinguished_name.push(DnType::CommonName, "a server for one test");
        let key = KeyPair::generate().expect("a key");
        let certificate = match leaf {
            Leaf::SelfSigned | Leaf::SelfSignedAuthority => params.self_signed(&key),
            Leaf::Chain | Leaf::ChainCut => {
                let (between, between_der) = self.intermediate();
                let certificate = params.signed_by(&key, &between).expect("a certificate").der().clone();
                let chain = if leaf == Leaf::Chain { vec![certificate, between_der] } else { vec![certificate] };
                return (chain, key);
            }
            _ => params.signed_by(&key, &self.issuer),
        };
        (vec![certificate.expect("a certificate").der().clone()], key)
    }

    fn intermediate(&self) -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
        params.distinguished_name.push(DnType::CommonName, "an authority between for one test");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let der = params.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        (Issuer::new(params, key), der)
    }
}

/// The settings of a client that trusts this authority alone. Sessions are resumed between connections of one config.
pub(crate) fn client_config(authority: &Authority) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows all versions")
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
