//! A loopback HTTP server with 50 APIs, some of them slow, some flaky, some rate-limited: what `roundup demo` and
//! `roundup serve` start.
//!
//! It runs in an event loop of its own on a thread of its own, so that its tasks and those of the client do not take
//! turns and a client is measured as it would be against another process.
//!
//! ```
//! use roundup_demo_server::{Server, demo_urls};
//!
//! let server = Server::start(0)?;
//! let urls = demo_urls(server.address());
//! assert_eq!(urls.len(), 50);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_io::Async;
use futures_lite::{AsyncReadExt, FutureExt};
use roundup_event_loop::{EventLoop, Handle, sleep, timeout};

mod apis;
mod bench;
mod content;
mod flaky;
mod request;
mod response;
mod state;
mod stats;
mod suppliers;
#[cfg(test)]
mod tests;

use self::request::{MAX_CONTENT, ReplyTo, RequestReader, Unread};
use self::response::ServerResponse;
use self::state::{Bounds, ServerState};
use self::stats::Counters;

pub use self::apis::demo_urls;
pub use self::stats::Stats;

/// How many connections beyond [`Bounds::connections`] get a 503 before they are closed. Further ones are closed at once.
const MAX_REFUSALS: u64 = 64;

/// How long to wait if a connection cannot be accepted, for instance because the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long to wait for a client to close its side after the last response.
const LINGER: Duration = Duration::from_secs(1);

/// A running server. Dropping it closes all its connections, whatever they are doing, and ends its thread.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    counters: Counters,
    /// Dropped to stop the server.
    stop: Option<Sender<()>>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server on this port of 127.0.0.1; 0 stands for any free port. It accepts connections when this returns.
    ///
    /// # Errors
    /// If the port is taken ([`io::ErrorKind::AddrInUse`]) or not allowed ([`io::ErrorKind::PermissionDenied`]), or if the
    /// system gives no socket or no thread.
    pub fn start(port: u16) -> io::Result<Server> {
        Server::start_within(Bounds::default(), port)
    }

    fn start_within(bounds: Bounds, port: u16) -> io::Result<Server> {
        let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
            let text = match error.kind() {
                io::ErrorKind::AddrInUse => format!("port {port} is in use"),
                io::ErrorKind::PermissionDenied => format!("port {port} is not open to this user"),
                _ => format!("cannot listen on port {port}: {error}"),
            };
            io::Error::new(error.kind(), text)
        })?;
        let address = listener.get_ref().local_addr()?;
        let counters = Counters::default();
        let (stop, stopped) = async_channel::bounded(1);
        let (ending, ended) = async_channel::bounded(1);
        let shared = counters.clone();
        let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            let _ending: Sender<()> = ending;
            run(&listener, &stopped, ServerState { bounds, counters: shared, ..ServerState::default() });
        })?;
        Ok(Server { address, counters, stop: Some(stop), ended, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its counters now.
    pub fn stats(&self) -> Stats {
        self.counters.now()
    }

    /// Waits for `stop`, and stops the server then; resolves to what `stop` did, and to the last counters.
    ///
    /// # Errors
    /// If the server ended before that, which it does only by a panic.
    pub async fn run_until<T>(self, stop: impl Future<Output = T>) -> io::Result<(T, Stats)> {
        let ended = async {
            // Nothing is ever sent: this resolves when the thread drops its side.
            let _ = self.ended.recv().await;
            Err(io::Error::other("the server stopped by itself"))
        };
        let stopped = async { Ok(stop.await) }.or(ended).await?;
        Ok((stopped, self.stats()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the server was printed when it happened, and drop cannot return it.
            let _ = thread.join();
        }
    }
}

fn run(listener: &Async<TcpListener>, stopped: &Receiver<()>, state: ServerState) {
    let event_loop = EventLoop::new();
    let state = Rc::new(state);
    let handle = event_loop.handle();
    let stop = async {
        // Nothing is ever sent: this resolves when the handle drops its side.
        let _ = stopped.recv().await;
    };
    event_loop.run(stop.or(accept(listener, &handle, &state)));
    // Dropping the loop drops its tasks, and with them the connections.
}

async fn accept(listener: &Async<TcpListener>, handle: &Handle, state: &Rc<ServerState>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let open = state.counters.now().open_connections;
        let most = state.bounds.connections;
        if open >= most {
            state.counters.count(|stats| stats.refused_connections += 1);
        }
        let counted = state.counters.connection();
        if open >= most + MAX_REFUSALS {
            continue;
        }
        let state = state.clone();
        let task = handle.spawn(async move {
            let _counted = counted;
            // Best effort: without it, a small response would wait for the client's acknowledgement.
            let _ = socket.get_ref().set_nodelay(true);
            if open < most {
                serve(&socket, &state).await;
            } else {
                let busy = ServerResponse::text(503, format!("{most} connections are open, and no more are served"));
                // Best effort: the client may have gone.
                let _ = busy.send(&socket, ReplyTo::REFUSAL).await;
            }
            linger(&socket).await;
        });
        // Spawning fails only if the loop is gone, and it runs this task.
        if let Ok(task) = task {
            task.detach();
        }
    }
}

/// Answers the requests of a connection until one side wants no more.
async fn serve(socket: &Async<TcpStream>, state: &ServerState) {
    let mut reader = RequestReader::new(socket, state.bounds.idle);
    loop {
        let sent = match reader.next().await {
            Ok(request) => {
                let _counted = state.counters.request();
                bench::answer(&request, state).await.send(socket, request.reply).await
            }
            Err(Unread::Refused(status, why)) => ServerResponse::text(status, why).send(socket, ReplyTo::REFUSAL).await,
            Err(Unread::Gone) => return,
        };
        // The only errors are of clients that have gone.
        if !matches!(sent, Ok(true)) {
            return;
        }
    }
}

/// Closes this side and reads on for a moment: closing on unread bytes would reset the connection, and the client might
/// lose the response (RFC 9112, section 9.6).
async fn linger(mut socket: &Async<TcpStream>) {
    if socket.get_ref().shutdown(Shutdown::Write).is_err() {
        return;
    }
    let drain = async {
        let mut scrap = [0; 4096];
        let mut left = MAX_CONTENT;
        while let Ok(length @ 1..) = socket.read(&mut scrap).await {
            left = left.saturating_sub(length);
            if left == 0 {
                return;
            }
        }
    };
    // Best effort: the connection is closed afterwards in any case.
    let _ = timeout(LINGER, drain).await;
}
