//! Makes a [`Transport`] with what differs from the defaults.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::connect_overrides::{ConnectOverrides, ConnectTo, Family, Resolve};
use crate::error::{Error, Kind, Result};
use crate::h1::HeadLimits;
use crate::http::{Field, Origin};
use crate::interface::Interface;
use crate::origin::check_socket_path;
use crate::pool::PoolLimits;
use crate::proxy::{Proxies, Proxy};
use crate::tls::{self, Identity, PublicKeyPins, Roots, Tls, TlsConfig};
use crate::transport::Transport;

impl Transport {
    /// A transport with the documented defaults, without a proxy.
    pub fn new() -> Transport {
        // The defaults name no file, so there is nothing that could fail.
        TransportBuilder::default().assemble()
    }

    /// A builder with all that this transport was made with, for another that differs in some of it. It shares no
    /// connections with this one.
    pub fn to_builder(&self) -> TransportBuilder {
        let config = self.config().clone();
        TransportBuilder { tls: config.tls_settings.clone(), config, interface: None }
    }

    /// Sets what differs from the defaults.
    pub fn builder() -> TransportBuilder {
        TransportBuilder::default()
    }
}

impl Default for Transport {
    fn default() -> Transport {
        Transport::new()
    }
}

/// Makes a [`Transport`].
#[derive(Clone, Debug, Default)]
pub struct TransportBuilder {
    config: Config,
    tls: TlsConfig,
    interface: Option<Interface>,
}

impl TransportBuilder {
    /// How long resolving, connecting, proxy and TLS handshake may take together; 10 s by default.
    pub fn connect_timeout(mut self, limit: Duration) -> TransportBuilder {
        self.config.connect_timeout = limit;
        self
    }

    /// How long the content of a request with the field `Expect: 100-continue` waits for the server to ask for it; 1 s by
    /// default.
    ///
    /// The content follows a 100 (Continue) at once, and silence after this time, because not every server knows of such
    /// questions. A final status takes its place: then the content is not sent, and the connection is closed once the
    /// response is read. After a 417 (Expectation Failed) the request is sent once more without the field. Requests without
    /// content are sent without it (RFC 9110, section 10.1.1).
    pub fn expect100_timeout(mut self, limit: Duration) -> TransportBuilder {
        self.config.expect100_timeout = limit;
        self
    }

    /// How many idle connections are kept, and how long.
    pub fn pool(mut self, limits: PoolLimits) -> TransportBuilder {
        self.config.pool = limits;
        self
    }

    /// How large the head of a response may be; 128 KiB and 256 fields by default.
    pub fn head_limits(mut self, limits: HeadLimits) -> TransportBuilder {
        self.config.head_limits = limits;
        self
    }

    /// The User-Agent of requests that have none; [`DEFAULT_USER_AGENT`](crate::DEFAULT_USER_AGENT) by default, empty for none at all.
    pub fn user_agent(mut self, product: impl Into<String>) -> TransportBuilder {
        self.config.user_agent = product.into().into();
        self
    }

    /// Which proxy to take for which origin; none by default.
    pub fn proxies(mut self, proxies: Proxies) -> TransportBuilder {
        self.config.proxies = proxies;
        self
    }

    /// This proxy for every origin but those that are exempt already.
    pub fn proxy(mut self, proxy: Proxy) -> TransportBuilder {
        self.config.proxies = self.config.proxies.through(proxy);
        self
    }

    /// The secret parts of what is sent to proxies, in the forms in which they are sent: what a report must not show.
    pub fn secrets(&self) -> Vec<String> {
        self.config.proxies.secrets()
    }

    /// Gives the addresses of a host by hand; may be called several times, and then the last for a host counts.
    pub fn resolve(mut self, addresses: Resolve) -> TransportBuilder {
        self.overrides_mut().resolve.push(addresses);
        self
    }

    /// Connects elsewhere than a URL says; may be called several times, and then the first that matches counts.
    pub fn connect_to(mut self, elsewhere: ConnectTo) -> TransportBuilder {
        self.overrides_mut().connect_to.push(elsewhere);
        self
    }

    /// Sends requests to those origins alone of which this is true, also where redirects lead; to all by default. For requests
    /// that come from others.
    pub fn reach(mut self, is_allowed: impl Fn(&Origin) -> bool + Send + Sync + 'static) -> TransportBuilder {
        self.config.reach.is_allowed = Some(Arc::new(is_allowed));
        self
    }

    /// Connects to addresses of the internet alone: not to this machine, not to networks of their own, whatever name leads
    /// there; no by default. Through a proxy nothing is sent then, because only that knows the address.
    pub fn no_private(mut self, on: bool) -> TransportBuilder {
        self.config.reach.no_private = on;
        self
    }

    /// Which addresses to connect to, of origins and of proxies; [`Family::Any`] by default.
    pub fn family(mut self, family: Family) -> TransportBuilder {
        self.overrides_mut().family = family;
        self
    }

    /// What connections are made from, to origins and to proxies; whatever the system chooses by default. Not for
    /// unix-domain sockets.
    pub fn interface(mut self, interface: Interface) -> TransportBuilder {
        self.interface = Some(interface);
        self
    }

    /// Makes every connection to this socket of the machine (unix-domain, stream), whatever the host of the URL: no name
    /// is looked up and no proxy is used. A URL of a socket (`http+unix://%2Frun%2Fdocker.sock/v1/info`) leads to its own
    /// all the same. On Unix only.
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> TransportBuilder {
        self.overrides_mut().unix_socket = Some(path.into().into());
        self
    }

    fn overrides_mut(&mut self) -> &mut ConnectOverrides {
        Arc::make_mut(&mut self.config.overrides)
    }

    /// Which authorities are trusted to sign certificates; [`Roots::Auto`] by default.
    pub fn roots(mut self, roots: Roots) -> TransportBuilder {
        self.tls.roots = roots;
        self
    }

    /// Accepts certificates of any issuer, for any host, of any time. Everything sent can then be read and changed on
    /// its way; for tests only.
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> TransportBuilder {
        self.tls.danger_accept_invalid_certs = accept;
        self
    }

    /// The certificate to show to servers that ask for one, a PEM file with the certificates between it and the authority
    /// after it, and the file with its key; none by default. The key may stand in the same file: then `key` is `None`. It
    /// must not be encrypted.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: Option<PathBuf>) -> TransportBuilder {
        self.tls.identity = Some(Identity { certificate: certificate.into(), key });
        self
    }

    /// The public keys that servers may have; any by default. The key of the server's own certificate is compared, beside the
    /// verification and not in its place, and even if [`danger_accept_invalid_certs`](Self::danger_accept_invalid_certs) leaves that
    /// out.
    pub fn pinned_public_keys(mut self, pins: PublicKeyPins) -> TransportBuilder {
        self.tls.pins = Some(pins);
        self
    }

    /// Appends the secrets of TLS sessions to the file that SSLKEYLOGFILE names; off by default, even if that is set. With
    /// them all that was sent can be read.
    pub fn danger_key_log(mut self, on: bool) -> TransportBuilder {
        self.tls.danger_key_log = on;
        self
    }

    /// The transport.
    ///
    /// # Errors
    /// [`Kind::Config`] if a file with certificates or keys cannot be used, SSLKEYLOGFILE is asked for and names no file
    /// that can be written, the User-Agent cannot be sent, there is no such interface or address to connect from, or a
    /// unix-domain socket is asked for on another system or has too long a path.
    pub fn build(mut self) -> Result<Transport> {
        tls::check(&self.tls)?;
        if let Some(interface) = &self.interface {
            self.overrides_mut().local = Some(interface.local()?);
        }
        Field::new("User-Agent", self.config.user_agent.as_bytes())?;
        if let Some(path) = &self.config.overrides.unix_socket {
            check_socket_path(path).map_err(|why| {
                let shown: String = path.display().to_string().chars().take(200).collect();
                Error::new(Kind::Config, format!("{shown:?} {why}"))
            })?;
        }
        Ok(self.assemble())
    }

    fn assemble(mut self) -> Transport {
        self.config.tls = Arc::new(Tls::new(self.tls.clone()));
        self.config.tls_settings = self.tls;
        Transport::with_config(self.config)
    }
}
