//! What a transport was built with.

use std::sync::Arc;
use std::time::Duration;

use crate::connect_overrides::ConnectOverrides;
use crate::h1::HeadLimits;
use crate::pool::PoolLimits;
use crate::proxy::Proxies;
use crate::reach::Reach;
use crate::tls::{Tls, TlsConfig};

/// What a request says of its sender if it does not say it itself.
pub const DEFAULT_USER_AGENT: &str = concat!("roundup/", env!("CARGO_PKG_VERSION"));

/// How long resolving, connecting, proxy and TLS handshake may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long content waits to be asked for: curl's default.
const EXPECT100_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) connect_timeout: Duration,
    pub(crate) expect100_timeout: Duration,
    pub(crate) pool: PoolLimits,
    pub(crate) head_limits: HeadLimits,
    pub(crate) user_agent: Box<str>,
    pub(crate) proxies: Proxies,
    pub(crate) overrides: Arc<ConnectOverrides>,
    pub(crate) reach: Reach,
    pub(crate) tls: Arc<Tls>,
    /// What `tls` was made of.
    pub(crate) tls_settings: TlsConfig,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            connect_timeout: CONNECT_TIMEOUT,
            expect100_timeout: EXPECT100_TIMEOUT,
            pool: PoolLimits::default(),
            head_limits: HeadLimits::default(),
            user_agent: DEFAULT_USER_AGENT.into(),
            proxies: Proxies::none(),
            overrides: Arc::default(),
            reach: Reach::default(),
            tls: Arc::new(Tls::new(TlsConfig::default())),
            tls_settings: TlsConfig::default(),
        }
    }
}
