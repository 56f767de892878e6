//! What time it is for the validity of certificates: the system's, but in tests.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The time that rustls is given, and that errors are worded by.
#[derive(Clone, Debug)]
pub(super) struct Clock(Arc<dyn TimeProvider>);

impl Default for Clock {
    fn default() -> Clock {
        Clock(Arc::new(SystemClock))
    }
}

impl Clock {
    pub(super) fn provider(&self) -> Arc<dyn TimeProvider> {
        self.0.clone()
    }

    /// The epoch if the clock cannot say.
    pub(super) fn now(&self) -> SystemTime {
        let since = Duration::from_secs(self.0.current_time().map(|now| now.as_secs()).unwrap_or_default());
        SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// The system's clock; rustls's own panics if that stands before 1970.
#[derive(Debug)]
struct SystemClock;

impl TimeProvider for SystemClock {
    fn current_time(&self) -> Option<UnixTime> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(UnixTime::since_unix_epoch(since))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    use async_io::Async;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
    use rustls::{ServerConfig, ServerConnection};

    use super::*;
    use crate::error::{Error, Kind};
    use crate::event_loop::EventLoop;
    use crate::origin::{Origin, parse_url};
    use crate::tls::client::provider;
    use crate::tls::{Roots, Tls, TlsConfig};

    #[derive(Debug)]
    struct FixedClock(u64);

    impl TimeProvider for FixedClock {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
        }
    }

    /// A handshake with a server whose certificate is valid in 2026 alone, at this second since the epoch.
    fn handshake(at: u64) -> Result<(), Error> {
        let named = |name: &str| {
            let mut params = CertificateParams::new(vec!["localhost".into()]).expect("a name");
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut root = named("a root for one test");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().expect("a key");
        let root_pem = root.self_signed(&root_key).expect("a root").pem();
        let mut leaf = named("a server for one test");
        leaf.not_before = date_time_ymd(2026, 1, 1);
        leaf.not_after = date_time_ymd(2026, 12, 31);
        let key = KeyPair::generate().expect("a key");
        let certificate = leaf.signed_by(&key, &Issuer::new(root, root_key)).expect("a certificate").der().clone();
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key.into()))
            .expect("good settings");

        let file = std::env::temp_dir().join(format!("roundup-clock-{}-{at}.pem", std::process::id()));
        std::fs::write(&file, root_pem).expect("a folder for that");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let address = listener.local_addr().expect("bound");
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a client");
            let mut connection = ServerConnection::new(config.into()).expect("good settings");
            // It fails if the client refuses.
            while connection.is_handshaking() && connection.complete_io(&mut socket).is_ok() {}
        });
        let clock = Clock(Arc::new(FixedClock(at)));
        let tls = Tls::new(TlsConfig { roots: Roots::File(file.clone()), clock, ..TlsConfig::default() });
        let origin = Origin::of(&parse_url("https://localhost/").expect("a URL")).expect("an origin");
        let result = EventLoop::new().run(async {
            let stream = Async::<TcpStream>::connect(address).await.expect("it listens");
            tls.connect(&origin, stream, &[]).await.map(drop)
        });
        server.join().expect("no panic");
        std::fs::remove_file(&file).expect("it is still there");
        result
    }

    #[test]
    fn a_certificate_is_held_against_the_clock_and_a_wrong_clock_is_named() {
        const YEAR: u64 = 365 * 86_400;
        let in_2026 = 56 * YEAR + 200 * 86_400;
        handshake(in_2026).expect("it is valid then");
        let wrong = "the certificate of localhost is not valid at the time of the system clock, which looks wrong: set the clock";
        let past = handshake(0).expect_err("not valid in 1970");
        assert_eq!((past.kind(), past.to_string().as_str()), (Kind::Tls, wrong));
        // Expired since, by a clock that may well be right.
        let later = handshake(60 * YEAR).expect_err("not valid in 2030");
        let expired = "the certificate of localhost has expired: its owner has to renew it";
        assert_eq!((later.kind(), later.to_string().as_str()), (Kind::Tls, expired));
    }

    #[test]
    fn the_clock_is_the_systems() {
        let before = SystemTime::now();
        let now = Clock::default().now();
        let near = before.duration_since(now).or_else(|_| now.duration_since(before)).expect("one of both is later");
        assert!(near < Duration::from_secs(60), "{near:?}");
    }
}
