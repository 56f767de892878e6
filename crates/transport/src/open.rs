//! From a route to a connection: an idle one, or a new one by name look-up, TCP, proxy and TLS.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_io::Async;

use crate::connect;
use crate::connection::{Connection, Stream};
use crate::deadline::Deadline;
use crate::descriptors::is_lack_of_descriptors;
use crate::error::{Error, Phase, Result};
use crate::message::Message;
use crate::origin::Scheme;
use crate::peer::Peer;
use crate::progress::{Progress, add};
use crate::resolve::is_loopback_name;
use crate::route::Route;
use crate::shared::Shared;
use crate::socket::Socket;
use crate::tls::CertRequest;

impl Shared {
    /// An idle connection that is still good, or a new one, and when it was there.
    pub(crate) async fn connection(
        &self,
        message: &Message<'_>,
        fresh: bool,
        connect_timeout: Option<Duration>,
        progress: &Progress,
    ) -> Result<(Box<Connection>, Instant)> {
        let limit = connect_timeout.unwrap_or(self.config.connect_timeout);
        loop {
            let now = Instant::now();
            if let Some(connection) = if fresh { None } else { self.idle.take(&message.route, now) } {
                return Ok((connection, now));
            }
            progress.update(|snapshot| snapshot.reused = false);
            let open = self.descriptors.count();
            // Boxed, because the future that opens a connection is large, and most requests find one that is open.
            let opened = Deadline::after(limit)
                .watch(progress, Box::pin(self.open(&message.route, message.ahead(), progress)))
                .await;
            match opened {
                Ok(mut connection) => {
                    connection.open = Some(open);
                    return Ok((connection, Instant::now()));
                }
                // The time to connect starts anew, the request's own goes on.
                Err(error) if is_lack_of_descriptors(&error) => {
                    drop(open);
                    log::debug!("{}: no descriptor is left, the request waits for one", message.route.origin);
                    progress.enter(Phase::Queue);
                    if !Box::pin(self.descriptors.wait(|| self.idle.close_oldest())).await {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A new connection. If it is encrypted, `ahead` has been sent on it already.
    pub(crate) async fn open(&self, route: &Route, ahead: &[u8], progress: &Progress) -> Result<Box<Connection>> {
        let started = Instant::now();
        // A URL of a socket means that socket, whatever is set for all URLs.
        let socket = route.origin.socket().map(Arc::from).or_else(|| self.config.overrides.unix_socket.clone());
        let (mut stream, peer, resolved) = match socket {
            Some(path) => {
                progress.enter(Phase::Connect);
                let peer = Peer::socket(&path);
                progress.tries(&peer);
                (Box::pin(connect::connect_unix(&path)).await?, peer, started)
            }
            None => {
                let opened = self.connect(route, started, progress).await.map_err(|error| match &route.proxy {
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
            progress.enter(Phase::Proxy);
            // Boxed, as is the handshake: they are large, and a connection that needs neither is not larger for them.
            let tunnel = Box::pin(proxy.tunnel(route.target(), stream));
            stream = tunnel.await.map_err(|error| peer.blamed_for(error))?;
        }
        let connected = Instant::now();
        progress.update(|snapshot| add(&mut snapshot.connect, connected - resolved));
        let (stream, cert_request) = match route.origin.scheme() {
            Scheme::Http | Scheme::HttpUnix => (Stream::Plain(Socket::new(stream)), CertRequest::None),
            Scheme::Https => {
                progress.enter(Phase::Tls);
                let handshake = Box::pin(self.config.tls.connect(&route.origin, stream, ahead));
                let (stream, cert_request) = handshake.await.map_err(|error| peer.blamed_for(error))?;
                progress.update(|snapshot| add(&mut snapshot.tls, connected.elapsed()));
                (Stream::Tls(Box::new(stream)), cert_request)
            }
        };
        let ahead = if matches!(stream, Stream::Tls(_)) { ahead.len() } else { 0 };
        let mut connection = Box::new(Connection::new(stream, peer, ahead));
        connection.cert_request = cert_request;
        Ok(connection)
    }

    /// A connection to the proxy or, without one, to the target, its address, and when the addresses were known.
    async fn connect(
        &self,
        route: &Route,
        started: Instant,
        progress: &Progress,
    ) -> Result<(Async<TcpStream>, SocketAddr, Instant)> {
        let overrides = &self.config.overrides;
        let (host, port) = match &route.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (route.target().host_name(), route.target().port()),
        };
        progress.enter(Phase::Dns);
        let given = overrides.addresses(host, port);
        let looked_up = given.is_none() && host.parse::<std::net::IpAddr>().is_err() && !is_loopback_name(host);
        let addresses = match given {
            Some(addresses) => addresses,
            None => self.resolver.resolve(host, started).await?,
        };
        // The proxy was chosen with the transport, and not by the request.
        let addresses = if route.proxy.is_some() { addresses } else { self.config.reach.public(host, addresses)? };
        let addresses = overrides.within_reach(host, overrides.of_family(host, addresses)?)?;
        let resolved = Instant::now();
        if looked_up {
            progress.update(|snapshot| add(&mut snapshot.dns, resolved - started));
        }
        progress.enter(Phase::Connect);
        let (stream, address) = connect::connect(&addresses, port, overrides.local.as_ref(), progress).await?;
        Ok((stream, address, resolved))
    }
}
