//! An HTTP/1.1 server on std threads that plays scripts and counts.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::PATIENCE;
use super::connection::{Open, serve};
use super::reply::Reply;
use super::request::Request;
use super::stats::Stats;

type Handler = Box<dyn Fn(&Request) -> Reply + Send + Sync>;
type HeadHook = Box<dyn Fn(&Request) -> Option<Reply> + Send + Sync>;
type ConnectHook = Box<dyn Fn(usize) -> Option<Reply> + Send + Sync>;

/// A server on a free port of 127.0.0.1, until it is dropped.
///
/// On drop it ends at once, whatever its scripts are doing, and fails the test where it was never used, where a
/// client sent what is not HTTP, or where a handler panicked.
pub(crate) struct Server {
    shared: Arc<Shared>,
    addr: SocketAddr,
    tls: bool,
    acceptor: Option<JoinHandle<()>>,
    unused_ok: bool,
    malformed_ok: bool,
}

/// What is out of the ordinary about a server.
#[derive(Default)]
pub(crate) struct Builder {
    tls: Option<Arc<ServerConfig>>,
    on_connect: Option<ConnectHook>,
    on_head: Option<HeadHook>,
    unused_ok: bool,
    malformed_ok: bool,
}

impl Builder {
    /// Speaks TLS; see [`Authority`](super::Authority).
    pub(crate) fn tls(mut self, config: Arc<ServerConfig>) -> Builder {
        self.tls = Some(config);
        self
    }

    /// What to do with a new connection, by its number from 1, before anything is read and before TLS. Unless it
    /// closes the connection, things go on as usual afterwards.
    pub(crate) fn on_connect(mut self, hook: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static) -> Builder {
        self.on_connect = Some(Box::new(hook));
        self
    }

    /// What to answer before the body is read. With an answer here the body is not read and the connection is closed
    /// after it, unless the request has none.
    pub(crate) fn on_head(mut self, hook: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Builder {
        self.on_head = Some(Box::new(hook));
        self
    }

    /// That no connection comes is fine.
    pub(crate) fn unused_ok(mut self) -> Builder {
        self.unused_ok = true;
        self
    }

    /// That a client sends what is not HTTP is fine.
    pub(crate) fn malformed_ok(mut self) -> Builder {
        self.malformed_ok = true;
        self
    }

    /// Listens.
    pub(crate) fn start(self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        self.start_boxed(Box::new(handler))
    }

    fn start_boxed(self, handler: Handler) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of 127.0.0.1");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            handler,
            on_connect: self.on_connect,
            on_head: self.on_head,
        });
        let tls = self.tls.is_some();
        let acceptor = thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared, self.tls.as_ref())
        });
        let (unused_ok, malformed_ok) = (self.unused_ok, self.malformed_ok);
        Server { shared, addr, tls, acceptor: Some(acceptor), unused_ok, malformed_ok }
    }
}

impl Server {
    /// A plain server that answers every request as `handler` says. It is called on the connection's own thread.
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        Server::builder().start(handler)
    }

    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT/path`, with `https` over TLS.
    pub(crate) fn url(&self, path: &str) -> String {
        self.url_at("127.0.0.1", path)
    }

    /// The same by another name of this machine.
    pub(crate) fn url_at(&self, host: &str, path: &str) -> String {
        assert!(path.starts_with('/'), "{path:?}: a path starts with a slash");
        format!("{}://{host}:{}{path}", if self.tls { "https" } else { "http" }, self.port())
    }

    /// What has happened so far.
    pub(crate) fn stats(&self) -> Stats {
        self.shared.lock().stats.clone()
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Arc<Request>> {
        self.shared.lock().stats.seen.clone()
    }

    /// Waits until the counts are so, and fails the test where they are not in good time.
    pub(crate) fn wait_for(&self, condition: impl Fn(&Stats) -> bool) -> Stats {
        let limit = Instant::now() + PATIENCE;
        let mut state = self.shared.lock();
        while !condition(&state.stats) {
            let left = limit.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited {PATIENCE:?} in vain at {:#?}", state.stats);
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.stats.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop();
        // Wakes the acceptor, which blocks in accept.
        let woken = TcpStream::connect(self.addr);
        let acceptor = self.acceptor.take().map(JoinHandle::join);
        if thread::panicking() {
            return;
        }
        assert!(woken.is_ok() && matches!(acceptor, Some(Ok(()))), "the server did not end well");
        let state = self.shared.lock();
        assert!(state.panics.is_empty(), "in the server: {:?}", state.panics);
        let malformed = &state.stats.malformed;
        assert!(self.malformed_ok || malformed.is_empty(), "the server was sent what is not HTTP: {malformed:?}");
        assert!(self.unused_ok || state.stats.connections > 0, "the server at {} was never used", self.addr);
    }
}

/// A server that allows `limit` requests in flight and answers 429 with `Retry-After` in seconds above that.
/// What it allows takes 50 ms.
pub(crate) fn limited_server(limit: usize, retry_after: u64) -> Server {
    limited_server_with(limit, retry_after, || Reply::json("{\"ok\":true}").late(Duration::from_millis(50)))
}

/// The same with another answer to what it allows.
pub(crate) fn limited_server_with(limit: usize, retry_after: u64, allowed: fn() -> Reply) -> Server {
    struct Permit(Arc<AtomicUsize>);
    impl Drop for Permit {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    // Not the count of requests in flight: a request that is refused must not lead to the next being refused.
    let admitted = Arc::new(AtomicUsize::new(0));
    Server::start(move |_| {
        let one_more = |n| (n < limit).then_some(n + 1);
        match admitted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more) {
            Ok(_) => allowed().holding(Permit(admitted.clone())),
            Err(_) => Reply::status(429).header("Retry-After", retry_after.to_string()),
        }
    })
}

/// A port of 127.0.0.1 that refuses connections: it was free a moment ago.
pub(crate) fn refusing_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of 127.0.0.1");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// What the threads of a server share.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) handler: Handler,
    pub(super) on_connect: Option<ConnectHook>,
    pub(super) on_head: Option<HeadHook>,
}

#[derive(Default)]
struct State {
    stats: Stats,
    stopping: bool,
    /// To be shut down at the end, which wakes the threads that read or write them.
    sockets: HashMap<usize, Arc<TcpStream>>,
    panics: Vec<String>,
}

/// The server is being dropped.
pub(super) struct Stopped;

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Stats) -> T) -> T {
        let result = change(&mut self.lock().stats);
        self.changed.notify_all();
        result
    }

    fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        for socket in state.sockets.values() {
            // Fails where the peer is gone, which is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    /// Leaves the closing of a socket to its connection.
    pub(super) fn forget(&self, n: usize) {
        self.lock().sockets.remove(&n);
    }

    /// Waits, for ever where there is no limit.
    pub(super) fn pause(&self, delay: Option<Duration>) -> Result<(), Stopped> {
        let start = Instant::now();
        let mut state = self.lock();
        while !state.stopping {
            // The clock is asked once: it goes on between two looks.
            let left = delay.map_or(Duration::from_secs(3600), |delay| delay.saturating_sub(start.elapsed()));
            if left.is_zero() {
                return Ok(());
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Err(Stopped)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, tls: Option<&Arc<ServerConfig>>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let accepted = listener.accept();
        let mut state = shared.lock();
        if state.stopping {
            break;
        }
        let Ok((socket, _)) = accepted else { continue };
        let socket = Arc::new(socket);
        state.stats.opened();
        let n = state.stats.connections;
        state.sockets.insert(n, socket.clone());
        drop(state);
        shared.changed.notify_all();
        let (done, running) = threads.into_iter().partition(JoinHandle::is_finished);
        threads = running;
        join(shared, done);
        let (shared, tls) = (shared.clone(), tls.cloned());
        threads.push(thread::spawn(move || {
            let _open = Open::new(&shared, n);
            serve(&shared, n, socket, tls);
        }));
    }
    join(shared, threads);
}

fn join(shared: &Shared, threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if let Err(panic) = thread.join() {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            shared.lock().panics.push(text.unwrap_or("a panic without text").to_owned());
        }
    }
}
