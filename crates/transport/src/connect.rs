//! One connection to whichever address answers first (RFC 8305).

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::FutureExt;

use super::interface::LocalEndpoint;
use super::peer::Peer;
use super::progress::Progress;
use super::resolve::interleave;
use super::socket;
use crate::error::{Error, Kind, Phase, RAISE_DESCRIPTORS, Result, out_of_descriptors};

/// How long one address is given before the next is tried beside it (RFC 8305, section 5: 250 ms).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

type ConnectAttempt<'a> = Pin<Box<dyn Future<Output = (SocketAddr, io::Result<Async<TcpStream>>)> + Send + 'a>>;

/// Connects to the first of these addresses that answers, from `local` if that is given. One that fails makes room for
/// the next at once.
///
/// # Errors
/// [`Kind::Connect`] with every address that was tried and why it failed; [`Kind::Io`] if descriptors ran out.
pub(super) async fn connect(
    addresses: &[IpAddr],
    port: u16,
    local: Option<&LocalEndpoint>,
    progress: &Progress,
) -> Result<(Async<TcpStream>, SocketAddr)> {
    let mut waiting = interleave(addresses).into_iter().map(|address| SocketAddr::new(address, port));
    let mut running: Vec<ConnectAttempt<'_>> = Vec::new();
    let mut failures: Vec<(SocketAddr, io::Error)> = Vec::new();
    loop {
        if let Some(address) = waiting.next() {
            progress.tries(&Peer::new(address));
            running.push(Box::pin(async move { (address, socket::connect(address, local).await) }));
        }
        if running.is_empty() {
            return Err(refused(failures, local));
        }
        let more = waiting.len() > 0;
        let first_done = poll_fn(|cx| {
            for at in 0..running.len() {
                if let Poll::Ready(done) = running[at].poll(cx) {
                    drop(running.swap_remove(at));
                    return Poll::Ready(Some(done));
                }
            }
            Poll::Pending
        });
        let next_is_due = async {
            if !more {
                std::future::pending::<()>().await;
            }
            Timer::after(ATTEMPT_DELAY).await;
            None
        };
        match first_done.or(next_is_due).await {
            Some((address, Ok(stream))) => {
                progress.tries(&Peer::new(address));
                // Requests are written whole: waiting for more to send would only delay them.
                let _ = stream.get_ref().set_nodelay(true);
                return Ok((stream, address));
            }
            Some((address, Err(error))) => failures.push((address, error)),
            None => {}
        }
    }
}

/// Connects to a unix-domain socket.
///
/// # Errors
/// [`Kind::Connect`] with the path and why; [`Kind::Io`] if descriptors ran out.
#[cfg(unix)]
pub(crate) async fn connect_unix(path: &Path) -> Result<Async<TcpStream>> {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    // The standard library's TcpStream is a connected stream socket of whatever family: it is read, peeked at and written
    // with the same calls. All above this can stay as it is, TLS too.
    let connected = async {
        let descriptor = OwnedFd::from(Async::<UnixStream>::connect(path).await?.into_inner()?);
        Async::new(TcpStream::from(descriptor))
    };
    connected.await.map_err(|error| {
        if out_of_descriptors(&error) {
            let text = format!("no descriptor is left to connect to {}: {RAISE_DESCRIPTORS}", path.display());
            return Error::new(Kind::Io, text).in_phase(Phase::Connect).with_source(error);
        }
        let text = format!("cannot connect to the socket {}: {}", path.display(), plain(&error));
        Error::new(Kind::Connect, text).in_phase(Phase::Connect)
    })
}

/// There are none; the builder refuses them.
#[cfg(not(unix))]
pub(crate) async fn connect_unix(path: &Path) -> Result<Async<TcpStream>> {
    let text = format!("cannot connect to the socket {}: unix-domain sockets are for Unix only", path.display());
    Err(Error::new(Kind::Connect, text).in_phase(Phase::Connect))
}

fn refused(failures: Vec<(SocketAddr, io::Error)>, local: Option<&LocalEndpoint>) -> Error {
    if let Some((address, error)) = failures.iter().find(|(_, error)| out_of_descriptors(error)) {
        let text = format!("no descriptor is left to connect to {address}: {RAISE_DESCRIPTORS}");
        return Error::new(Kind::Io, text).in_phase(Phase::Connect).with_source(copy(error));
    }
    let tried: Vec<String> = failures.iter().map(|(address, error)| format!("{address}: {}", plain(error))).collect();
    let from = local.map(|local| format!("from {local} ")).unwrap_or_default();
    Error::new(Kind::Connect, format!("cannot connect {from}to {}", tried.join(", "))).in_phase(Phase::Connect)
}

/// The same error of the system once more.
pub(super) fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// "Connection refused" without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::event_loop::EventLoop;

    #[test]
    fn the_address_that_answers_is_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        // Nothing listens on the first.
        let addresses = [IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 1])];
        let progress = Progress::default();
        let (_, address) = EventLoop::new().run(connect(&addresses, port, None, &progress)).expect("one listens");
        assert_eq!(address.ip(), addresses[1]);
        assert_eq!(progress.snapshot().address, Some(address));
    }

    #[test]
    fn every_refusal_is_named() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("loopback").port();
        let addresses = [IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 1])];
        let error =
            EventLoop::new().run(connect(&addresses, port, None, &Progress::default())).expect_err("none listens");
        let expected =
            format!("cannot connect to 127.0.0.2:{port}: connection refused, 127.0.0.1:{port}: connection refused");
        assert_eq!(error.one_line(), expected);
        assert_eq!(error.kind(), Kind::Connect);
    }
}
