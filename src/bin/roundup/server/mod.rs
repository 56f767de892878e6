//! The built-in loopback server behind `roundup demo` and `roundup serve`.
//!
//! It runs in an event loop of its own on a thread of its own, so that its tasks and those of the client do not take
//! turns and a client is measured as it would be against another process.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_io::Async;
use futures_lite::{AsyncReadExt, FutureExt};
use roundup::event_loop::{EventLoop, Handle, sleep, timeout};
use smol::channel::{Receiver, Sender};

mod apis;
mod bench;
mod content;
mod request;
mod response;
mod stats;
#[cfg(test)]
mod tests;

use self::apis::Flaky;
use self::request::{MAX_CONTENT, Reader, ReplyTo, Unread};
use self::response::Response;
use self::stats::Counters;

pub(crate) use self::apis::demo_urls;
pub(crate) use self::stats::Stats;

/// How many connections beyond those are told so before they are closed. Further ones are closed at once.
const MAX_REFUSALS: u64 = 64;

/// How long to wait where a connection cannot be accepted, as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long to wait for a client to close its side after the last response.
const LINGER: Duration = Duration::from_secs(1);

/// What a server puts up with.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// How many connections are served at once.
    connections: u64,
    /// How long a connection may be idle, and how long a request may take to come in.
    idle: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { connections: 1024, idle: Duration::from_secs(60) }
    }
}

/// A running server. Dropping it closes all its connections, whatever they are doing, and ends its thread.
#[derive(Debug)]
pub(crate) struct Server {
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
    /// Where the port is taken or not allowed, in words that name `--port`; and where the system gives no socket or no
    /// thread.
    pub(crate) fn start(port: u16) -> io::Result<Server> {
        Server::start_within(Bounds::default(), port)
    }

    fn start_within(bounds: Bounds, port: u16) -> io::Result<Server> {
        let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
            let text = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!("port {port} is in use: choose another with --port, or 0 for any free one")
                }
                io::ErrorKind::PermissionDenied => {
                    format!(
                        "port {port} is not open to this user: choose one above 1023 with --port, or 0 for any free one"
                    )
                }
                _ => format!("cannot listen on port {port}: {error}"),
            };
            io::Error::new(error.kind(), text)
        })?;
        let address = listener.get_ref().local_addr()?;
        let counters = Counters::default();
        let (stop, stopped) = smol::channel::bounded(1);
        let (ending, ended) = smol::channel::bounded(1);
        let shared = counters.clone();
        let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            let _ending: Sender<()> = ending;
            run(&listener, &stopped, State { bounds, counters: shared, ..State::default() });
        })?;
        Ok(Server { address, counters, stop: Some(stop), ended, thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its counters now.
    pub(crate) fn stats(&self) -> Stats {
        self.counters.now()
    }

    /// Waits for `stop`, and stops the server then; resolves to what `stop` did, and to the last counters.
    ///
    /// # Errors
    /// Where the server ended before that, which it does only by a panic.
    pub(crate) async fn run_until<T>(self, stop: impl Future<Output = T>) -> io::Result<(T, Stats)> {
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
            // A panic of the server was printed when it happened; there is nobody here to hand it to.
            let _ = thread.join();
        }
    }
}

/// What the connections share.
#[derive(Debug, Default)]
struct State {
    bounds: Bounds,
    counters: Counters,
    flaky: RefCell<Flaky>,
    /// How many requests of the limited group are in flight.
    limited: Cell<u32>,
}

fn run(listener: &Async<TcpListener>, stopped: &Receiver<()>, state: State) {
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

async fn accept(listener: &Async<TcpListener>, handle: &Handle, state: &Rc<State>) {
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
            // Only costs time: a small response would wait for the client's acknowledgement.
            let _ = socket.get_ref().set_nodelay(true);
            if open < most {
                serve(&socket, &state).await;
            } else {
                let busy = Response::text(503, format!("{most} connections are open, and no more are served"));
                // The client may have gone; there is nobody else to tell.
                let _ = busy.send(&socket, ReplyTo::REFUSAL).await;
            }
            linger(&socket).await;
        });
        // The loop is there, as it runs this.
        if let Ok(task) = task {
            task.detach();
        }
    }
}

/// Answers the requests of a connection until one side wants no more.
async fn serve(socket: &Async<TcpStream>, state: &State) {
    let mut reader = Reader::new(socket, state.bounds.idle);
    loop {
        let sent = match reader.next().await {
            Ok(request) => {
                let _counted = state.counters.request();
                bench::answer(&request, state).await.send(socket, request.reply).await
            }
            Err(Unread::Refused(status, why)) => Response::text(status, why).send(socket, ReplyTo::REFUSAL).await,
            Err(Unread::Gone) => return,
        };
        // An error is a client that has gone.
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
    // Whatever comes of it, the connection is closed after.
    let _ = timeout(LINGER, drain).await;
}
