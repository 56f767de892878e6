//! A modern backend for surf: HTTP/1.1 over async-io, with TLS by rustls.
//!
//! [`Transport`] implements surf's [`HttpClient`](trait@surf::HttpClient). It resolves names off the loop, tries several
//! addresses as RFC 8305 says, keeps connections for the next request, and frames messages strictly after RFC 9112: a
//! response that was cut short is an error and never a short success.
//!
//! ```no_run
//! # roundup::event_loop::EventLoop::new().run(async {
//! let client = surf::Client::with_http_client(roundup::Transport::new());
//! let text = client.recv_string(surf::Request::new(surf::http::Method::Get, "https://example.com".parse()?)).await?;
//! # Ok::<_, surf::Error>(text) });
//! ```
//!
//! What the types of http-types cannot carry travels in the response's `ext`, as one [`WireHead`].

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_io::Async;
use http_client::http_types;
use http_client::{Config, HttpClient};

use self::connection::{Connection, Stream};
use self::deadline::Deadline;
use self::directions::Directions;
use self::message::take_content;
pub(crate) use self::peer::Peer;
use self::pool::Pool;
use self::resolve::Resolver;
use self::route::{Hashed, Route, Routes};
use self::socket::Socket;
use self::tls::{Asked, Tls, TlsSettings};
use crate::error::{Error, Kind, Phase, Result};
use crate::job::Field;
use crate::origin::{Scheme, check_socket_path, path_and_query};

mod body;
mod connect;
mod connection;
mod convert;
mod deadline;
mod directions;
mod exchange;
pub mod h1;
mod interface;
mod message;
mod peer;
mod pool;
#[cfg(feature = "proxy")]
mod proxy;
mod resolve;
mod route;
mod socket;
mod tls;
mod trace;
mod turn;
#[cfg(not(feature = "proxy"))]
mod without_proxy;

pub use self::body::body_error;
pub(crate) use self::convert::Received;
pub use self::convert::{WireHead, into_surf};
pub use self::directions::{ConnectTo, Family, Resolve};
pub use self::interface::Interface;
pub(crate) use self::message::{Message, Outgoing};
pub use self::pool::PoolLimits;
#[cfg(feature = "proxy")]
pub use self::proxy::{Proxies, Proxy};
pub use self::tls::{PublicKeyPins, Roots};
pub use self::trace::{Progress, Trace};
#[cfg(not(feature = "proxy"))]
pub use self::without_proxy::{Proxies, Proxy};
#[cfg(feature = "fetcher")]
pub(crate) use self::{deadline::timed_out, h1::Head, message::Outbound};

/// What a request says of its sender where it does not say it itself.
pub const DEFAULT_USER_AGENT: &str = concat!("roundup/", env!("CARGO_PKG_VERSION"));

/// How long resolving, connecting, proxy and TLS handshake may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long content waits to be asked for: curl's default.
const EXPECT100_TIMEOUT: Duration = Duration::from_secs(1);

/// A backend for surf on async-io sockets. Cheap to clone; clones share connections, names and TLS sessions.
///
/// A transport has one setting for TLS, and its pool is its own: no connection made with other roots, another client
/// certificate or other pins can serve its requests. Who needs two settings makes two transports.
#[derive(Clone, Debug)]
pub struct Transport {
    shared: Arc<Shared>,
    config: Config,
}

impl Transport {
    /// A transport with the documented defaults, without a proxy.
    pub fn new() -> Transport {
        // The defaults name no file, so there is nothing that could fail.
        TransportBuilder::default().assemble()
    }

    /// Sets what differs from the defaults.
    pub fn builder() -> TransportBuilder {
        TransportBuilder::default()
    }
}

#[cfg(feature = "fetcher")]
impl Transport {
    /// Makes a message of a request. That is not part of [`fetch`](Self::fetch), whose future would hold both.
    pub(crate) fn prepare<'a>(&self, outgoing: Outgoing<'a>, raw: bool) -> Result<Message<'a>> {
        self.shared.prepare(outgoing, raw)
    }

    /// Sends a message and receives the head of the response, without the types of http-types: what the fetcher does. The
    /// caller bounds the time.
    pub(crate) fn fetch<'a>(
        &'a self,
        message: &'a mut Message<'_>,
        connect_timeout: Option<Duration>,
        trace: &'a Arc<Trace>,
    ) -> impl Future<Output = Result<Received>> + 'a {
        self.shared.fetch(message, connect_timeout, Deadline::never(), trace)
    }
}

impl Default for Transport {
    fn default() -> Transport {
        Transport::new()
    }
}

impl HttpClient for Transport {
    // What async_trait makes of an `async fn`, but that the request stands in the future once.
    fn send<'a, 'b>(&'a self, request: http_types::Request) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        self.shared.send(request, &self.config)
    }

    /// `timeout` bounds a whole exchange, from the call to the last byte of content. `max_connections_per_host` bounds the
    /// idle connections that are kept (0: none), and `http_keep_alive` says whether any are. Connections are always made
    /// with TCP_NODELAY.
    fn set_config(&mut self, config: Config) -> http_types::Result<()> {
        let limits = PoolLimits {
            per_origin: if config.http_keep_alive { config.max_connections_per_host } else { 0 },
            ..self.shared.settings.pool
        };
        let settings = Settings { pool: limits, ..self.shared.settings.clone() };
        self.shared = Arc::new(Shared::new(settings));
        self.config = config;
        Ok(())
    }

    fn config(&self) -> &Config {
        &self.config
    }
}

/// What [`HttpClient::send`] returns.
type Sending<'a> = Pin<Box<dyn Future<Output = Result<http_types::Response, http_types::Error>> + Send + 'a>>;

/// Makes a [`Transport`].
#[derive(Clone, Debug, Default)]
pub struct TransportBuilder {
    settings: Settings,
    tls: TlsSettings,
    interface: Option<Interface>,
}

impl TransportBuilder {
    /// How long resolving, connecting, proxy and TLS handshake may take together; 10 s by default.
    pub fn connect_timeout(mut self, limit: Duration) -> TransportBuilder {
        self.settings.connect_timeout = limit;
        self
    }

    /// How long the content of a request with the field `Expect: 100-continue` waits for the server to ask for it; 1 s by
    /// default.
    ///
    /// The content follows a 100 (Continue) at once, and silence after this time, for not every server knows of such
    /// questions. A final status takes its place: then the content is not sent, and the connection is closed once the
    /// response is read. After a 417 (Expectation Failed) the request is sent once more without the field. Requests without
    /// content are sent without it (RFC 9110, section 10.1.1).
    pub fn expect100_timeout(mut self, limit: Duration) -> TransportBuilder {
        self.settings.expect100_timeout = limit;
        self
    }

    /// How many idle connections are kept, and how long.
    pub fn pool(mut self, limits: PoolLimits) -> TransportBuilder {
        self.settings.pool = limits;
        self
    }

    /// How large the head of a response may be; 128 KiB and 256 fields by default.
    pub fn head_limits(mut self, limits: h1::HeadLimits) -> TransportBuilder {
        self.settings.head_limits = limits;
        self
    }

    /// The User-Agent of requests that have none; [`DEFAULT_USER_AGENT`] by default, empty for none at all.
    pub fn user_agent(mut self, product: impl Into<String>) -> TransportBuilder {
        self.settings.user_agent = product.into().into();
        self
    }

    /// Which proxy to take for which origin; none by default.
    pub fn proxies(mut self, proxies: Proxies) -> TransportBuilder {
        self.settings.proxies = proxies;
        self
    }

    /// Gives the addresses of a host by hand; may be called several times, and then the last for a host counts.
    pub fn resolve(mut self, addresses: Resolve) -> TransportBuilder {
        self.directions_mut().resolve.push(addresses);
        self
    }

    /// Connects elsewhere than a URL says; may be called several times, and then the first that matches counts.
    pub fn connect_to(mut self, elsewhere: ConnectTo) -> TransportBuilder {
        self.directions_mut().connect_to.push(elsewhere);
        self
    }

    /// Which addresses to connect to, of origins and of proxies; [`Family::Any`] by default.
    pub fn family(mut self, family: Family) -> TransportBuilder {
        self.directions_mut().family = family;
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
        self.directions_mut().unix_socket = Some(path.into().into());
        self
    }

    fn directions_mut(&mut self) -> &mut Directions {
        Arc::make_mut(&mut self.settings.directions)
    }

    /// Which authorities are trusted to sign certificates; [`Roots::Auto`] by default.
    pub fn roots(mut self, roots: Roots) -> TransportBuilder {
        self.tls.roots = roots;
        self
    }

    /// Accepts certificates of any issuer, for any host, of any time. Everything sent can then be read and changed by
    /// whoever sits between; for tests only.
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> TransportBuilder {
        self.tls.danger_accept_invalid_certs = accept;
        self
    }

    /// The certificate to show to servers that ask for one, a PEM file with the certificates between it and the authority
    /// after it, and the file with its key; none by default. The key may stand in the same file: then `key` is `None`. It
    /// must not be encrypted.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: Option<PathBuf>) -> TransportBuilder {
        self.tls.identity = Some(tls::Identity { certificate: certificate.into(), key });
        self
    }

    /// The public keys that servers may have; any by default. Asked of the server's own certificate, beside the verification
    /// and not in its place, and even where [`danger_accept_invalid_certs`](Self::danger_accept_invalid_certs) leaves that
    /// out.
    pub fn pinned_public_keys(mut self, pins: PublicKeyPins) -> TransportBuilder {
        self.tls.pins = Some(pins);
        self
    }

    /// Appends the secrets of TLS sessions to the file that SSLKEYLOGFILE names; off by default, whatever that says. Whoever
    /// has them can read all that was sent.
    pub fn danger_key_log(mut self, on: bool) -> TransportBuilder {
        self.tls.danger_key_log = on;
        self
    }

    /// The transport.
    ///
    /// # Errors
    /// [`Kind::Config`] where a file with certificates or keys cannot be used, SSLKEYLOGFILE is asked for and names no file
    /// that can be written, the User-Agent cannot be sent, there is no such interface or address to connect from, or a
    /// unix-domain socket is asked for on another system or has too long a path.
    pub fn build(mut self) -> Result<Transport> {
        tls::check(&self.tls)?;
        if let Some(interface) = &self.interface {
            self.directions_mut().local = Some(interface.local()?);
        }
        Field::new("User-Agent", self.settings.user_agent.as_bytes())?;
        if let Some(path) = &self.settings.directions.unix_socket {
            check_socket_path(path).map_err(|why| {
                let shown: String = path.display().to_string().chars().take(200).collect();
                Error::new(Kind::Config, format!("{shown:?} {why}"))
            })?;
        }
        Ok(self.assemble())
    }

    fn assemble(mut self) -> Transport {
        self.settings.tls = Arc::new(Tls::new(self.tls));
        // The caller's timeout decides, and where there is none there is none: a transport is not the place to guess.
        let config = Config::new().set_timeout(None).set_tcp_no_delay(true);
        Transport { shared: Arc::new(Shared::new(self.settings)), config }
    }
}

/// What one request may ask of a [`Transport`], put into its `ext` by whoever sends it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RequestOptions {
    /// When the exchange must be done, to the last byte of content, and the limit to name where it is not.
    pub deadline: Option<(Instant, Duration)>,
    /// How long making a connection may take; the transport's own limit where it is `None`.
    pub connect_timeout: Option<Duration>,
    /// Where to note how far the request has come.
    pub trace: Option<Arc<Trace>>,
    /// Fields whose values http-types cannot carry, for they are not ASCII. Sent beside the request's own.
    pub fields: Vec<Field>,
    /// Neither ask for nor undo content codings.
    pub raw: bool,
    /// Leave the head in [`WireHead`] alone and do not convert its fields into those of http-types.
    pub raw_head: bool,
}

/// The statuses whose Location is to be followed (RFC 9110, section 15.4).
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// What all clones of a transport share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    resolver: Resolver,
    routes: Routes,
    pool: Mutex<Pool<Arc<Route>, Box<Connection>, Hashed>>,
}

#[derive(Clone, Debug)]
struct Settings {
    connect_timeout: Duration,
    expect100_timeout: Duration,
    pool: PoolLimits,
    head_limits: h1::HeadLimits,
    user_agent: Box<str>,
    proxies: Proxies,
    directions: Arc<Directions>,
    tls: Arc<Tls>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            connect_timeout: CONNECT_TIMEOUT,
            expect100_timeout: EXPECT100_TIMEOUT,
            pool: PoolLimits::default(),
            head_limits: h1::HeadLimits::default(),
            user_agent: DEFAULT_USER_AGENT.into(),
            proxies: Proxies::none(),
            directions: Arc::default(),
            tls: Arc::new(Tls::new(TlsSettings::default())),
        }
    }
}

impl Shared {
    fn new(settings: Settings) -> Shared {
        let pool = Mutex::new(Pool::new(settings.pool));
        Shared { settings, resolver: Resolver::new(), routes: Routes::default(), pool }
    }

    fn send<'a>(self: &'a Arc<Shared>, mut request: http_types::Request, config: &'a Config) -> Sending<'a> {
        let mut options = request.ext_mut().remove::<RequestOptions>().unwrap_or_default();
        Box::pin(async move {
            let trace = options.trace.take().unwrap_or_default();
            let deadline = match (options.deadline, config.timeout) {
                (Some((at, limit)), _) => Deadline::new(Some(at), limit),
                (None, Some(limit)) => Deadline::after(limit),
                (None, None) => Deadline::never(),
            };
            let content = take_content(&mut request);
            let method = request.method();
            let outgoing = Outgoing {
                method: method.as_ref(),
                url: request.url(),
                target: path_and_query(request.url()),
                fields: &message::fields(&request, &options.fields),
                content,
            };
            let mut message = self.prepare(outgoing, options.raw).map_err(into_surf)?;
            let received = self.fetch(&mut message, options.connect_timeout, deadline, &trace).await;
            Ok(received.map_err(into_surf)?.into_response(options.raw_head, trace.peer().as_ref()))
        })
    }

    fn prepare<'a>(&self, outgoing: Outgoing<'a>, raw: bool) -> Result<Message<'a>> {
        let route = self.routes.of(outgoing.url, &self.settings)?;
        Message::new(outgoing, raw, &self.settings, route)
    }

    /// Sends a message and receives the head of the response.
    async fn fetch(
        self: &Arc<Shared>,
        message: &mut Message<'_>,
        connect_timeout: Option<Duration>,
        mut deadline: Deadline,
        trace: &Arc<Trace>,
    ) -> Result<Received> {
        // With redirects, one trace sees many requests, and this one has not been answered.
        trace.update(|progress| progress.head_at = None);
        let answer = deadline.watch(trace, async {
            message.complete().await?;
            self.exchange(message, connect_timeout, trace).await
        });
        let answer = answer.await?;
        let home = answer.keep.then(|| (self.clone(), message.route.clone()));
        Ok(Received::new(answer, message.decodes, deadline, trace.clone(), home))
    }

    /// An idle connection that is still good, or a new one, and when there was one.
    async fn connection(
        &self,
        message: &Message<'_>,
        fresh: bool,
        connect_timeout: Option<Duration>,
        trace: &Trace,
    ) -> Result<(Box<Connection>, Instant)> {
        let now = Instant::now();
        let idle = || self.pool.lock().unwrap_or_else(PoisonError::into_inner).take(&message.route, now);
        let mut good = std::iter::from_fn(idle).filter_map(|mut connection| {
            let stale = connection.is_stale();
            (!stale).then_some(connection)
        });
        if let Some(connection) = if fresh { None } else { good.next() } {
            return Ok((connection, now));
        }
        trace.update(|progress| progress.reused = false);
        let limit = connect_timeout.unwrap_or(self.settings.connect_timeout);
        // In a box: what it takes to open a connection is large, and most requests find one that is open.
        let connection =
            Deadline::after(limit).watch(trace, Box::pin(self.open(&message.route, message.ahead(), trace))).await?;
        Ok((connection, Instant::now()))
    }

    /// A new connection. Where it is encrypted, `ahead` is sent on it already.
    async fn open(&self, route: &Route, ahead: &[u8], trace: &Trace) -> Result<Box<Connection>> {
        let started = Instant::now();
        // A URL of a socket means that one, whatever is set for the others.
        let socket = route.origin.socket().map(Arc::from).or_else(|| self.settings.directions.unix_socket.clone());
        let (mut stream, peer, resolved) = match socket {
            Some(path) => {
                trace.enter(Phase::Connect);
                let peer = Peer::socket(&path);
                trace.tries(&peer);
                (Box::pin(connect::connect_unix(&path)).await?, peer, started)
            }
            None => {
                let opened = self.connect(route, started, trace).await.map_err(|error| match &route.proxy {
                    Some(proxy) => {
                        let text = format!("the proxy {proxy} cannot be reached");
                        let phase = error.phase().unwrap_or(Phase::Connect);
                        Error::new(error.kind(), text).in_phase(phase).with_source(error)
                    }
                    None => error,
                });
                let (stream, address, resolved) = opened?;
                (stream, Peer::new(address), resolved)
            }
        };
        if let Some(proxy) = route.proxy.as_ref().filter(|_| !route.is_forwarded()) {
            trace.enter(Phase::Proxy);
            // In boxes, this and the handshake: they are large, and a connection that needs neither has no room for them.
            let tunnel = Box::pin(proxy.tunnel(route.target(), stream));
            stream = tunnel.await.map_err(|error| peer.blamed_for(error))?;
        }
        let connected = Instant::now();
        trace.update(|progress| trace::add(&mut progress.connect, connected - resolved));
        let (stream, asked) = match route.origin.scheme() {
            Scheme::Http | Scheme::HttpUnix => (Stream::Plain(Socket::new(stream)), Asked::No),
            Scheme::Https => {
                trace.enter(Phase::Tls);
                let handshake = Box::pin(self.settings.tls.connect(&route.origin, stream, ahead));
                let (stream, asked) = handshake.await.map_err(|error| peer.blamed_for(error))?;
                trace.update(|progress| trace::add(&mut progress.tls, connected.elapsed()));
                (Stream::Tls(Box::new(stream)), asked)
            }
        };
        let ahead = if matches!(stream, Stream::Tls(_)) { ahead.len() } else { 0 };
        let mut connection = Box::new(Connection::new(stream, peer, ahead));
        connection.asked = asked;
        Ok(connection)
    }

    /// A connection to the proxy or else the target, its address, and when that was known.
    async fn connect(
        &self,
        route: &Route,
        started: Instant,
        trace: &Trace,
    ) -> Result<(Async<TcpStream>, SocketAddr, Instant)> {
        let directions = &self.settings.directions;
        let (host, port) = match &route.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (route.target().host_name(), route.target().port()),
        };
        trace.enter(Phase::Dns);
        let given = directions.addresses(host, port);
        let looked_up = given.is_none() && host.parse::<std::net::IpAddr>().is_err();
        let addresses = match given {
            Some(addresses) => addresses,
            None => self.resolver.resolve(host, started).await?,
        };
        let addresses = directions.within_reach(host, directions.of_family(host, addresses)?)?;
        let resolved = Instant::now();
        if looked_up {
            trace.update(|progress| trace::add(&mut progress.dns, resolved - started));
        }
        trace.enter(Phase::Connect);
        let (stream, address) = connect::connect(&addresses, port, directions.local.as_ref(), trace).await?;
        Ok((stream, address, resolved))
    }

    /// Keeps a connection whose last response was read to its end for the next request.
    fn release(&self, route: &Arc<Route>, mut connection: Box<Connection>) {
        if !connection.buffered().is_empty() {
            // Bytes nobody asked for: they must not be taken for the next response.
            return;
        }
        connection.rest();
        // It is idle since the server has sent its last, whenever that was taken.
        let since = connection.heard_at.unwrap_or_else(Instant::now);
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).put(route, connection, since);
    }
}
