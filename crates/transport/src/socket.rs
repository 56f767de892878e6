//! Sockets: how they connect, and how reads that cannot find anything are avoided.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_io::Async;
use futures_lite::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};
#[cfg(unix)]
use rustix::net::{SendFlags, sendmsg};

use super::interface::LocalEndpoint;
#[cfg(any(feature = "tls", test))]
use super::yield_meter::PER_TLS_BYTE;
use super::yield_meter::YieldMeter;

/// A connected socket. It is not read while nothing can have come yet, which saves a system call.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Async<TcpStream>,
    readiness: Readiness,
    /// Counts what is read. It is here because this is below TLS, which reads again and again if nothing comes of it.
    meter: Arc<YieldMeter>,
    /// What a byte counts for.
    per_byte: usize,
}

/// Whether there may be something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    /// Not known: a read tells.
    Unknown,
    /// There cannot be anything yet.
    NothingYet,
    /// The reactor reports when there is.
    Registered,
}

impl Socket {
    /// The socket of a connection on which nothing was sent yet.
    pub(super) fn new(stream: Async<TcpStream>) -> Socket {
        Socket { stream, readiness: Readiness::NothingYet, meter: Arc::default(), per_byte: 1 }
    }

    /// The socket of a connection that TLS will run on.
    #[cfg(feature = "tls")]
    pub(super) fn below_tls(stream: Async<TcpStream>) -> Socket {
        Socket { per_byte: PER_TLS_BYTE, ..Socket::new(stream) }
    }

    /// The meter of the task that uses the connection.
    pub(super) fn meter(&self) -> &Arc<YieldMeter> {
        &self.meter
    }

    /// Gives the connection a meter of its own if the reader of its last content still has this one.
    pub(super) fn renew_meter(&mut self) {
        match Arc::get_mut(&mut self.meter) {
            Some(meter) => *meter = YieldMeter::default(),
            None => self.meter = Arc::default(),
        }
    }

    pub(super) fn get_ref(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Notes that nothing can have come yet: a request was sent a moment ago, and all before it was read.
    pub(super) fn expect_nothing_yet(&mut self) {
        self.readiness = Readiness::NothingYet;
    }

    /// There is something to read, whatever was expected.
    pub(super) fn expect_something(&mut self) {
        self.readiness = Readiness::Unknown;
    }

    /// Ready if there may be something to read.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.readiness {
            Readiness::Unknown => {}
            Readiness::NothingYet => {
                // Only once: if another thread drives the reactor, as under a host's loop, async-io may take what it has
                // just seen for old, each time anew. Trying a read is never wrong.
                self.readiness = Readiness::Registered;
                ready!(self.stream.poll_readable(cx))?;
            }
            // async-io is asked what it has seen, otherwise it would report the same again before there is more.
            Readiness::Registered => {
                let _ = self.stream.poll_readable(cx)?;
            }
        }
        self.readiness = Readiness::Unknown;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.meter.poll_ready(cx));
        ready!(self.poll_wait(cx))?;
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match &read {
            Poll::Ready(Ok(n)) => self.meter.add(n * self.per_byte),
            Poll::Ready(Err(_)) => {}
            // That read has registered it with the reactor.
            Poll::Pending => self.readiness = Readiness::Registered,
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        #[cfg_attr(unix, expect(unused_mut))] mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // TLS sends by this. The standard library uses writev, which raises SIGPIPE if the peer is gone, and that ends a host
        // in C that does not ignore it.
        #[cfg(unix)]
        loop {
            match sendmsg(&self.stream, parts, &mut Default::default(), QUIET) {
                Ok(sent) => return Poll::Ready(Ok(sent)),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => ready!(self.stream.poll_writable(cx))?,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        #[cfg(not(unix))]
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Connects, from `local` if that is given. Dropped, it gives up.
pub(super) async fn connect(address: SocketAddr, local: Option<&LocalEndpoint>) -> io::Result<Async<TcpStream>> {
    // Linux is where this was measured; on other systems async-io does the same, with a wait.
    let within = cfg!(target_os = "linux") && address.ip().is_loopback();
    if local.is_none() && !within {
        return Async::<TcpStream>::connect(address).await;
    }
    let stream = Async::new_nonblocking(start(address, local)?)?;
    // Within this machine the handshake is over when the call returns, and asking costs less than waiting for the reactor.
    if within && stream.get_ref().peer_addr().is_ok() {
        return Ok(stream);
    }
    stream.writable().await?;
    match stream.get_ref().take_error()? {
        None => Ok(stream),
        Some(error) => Err(error),
    }
}

/// A socket that is connecting.
fn start(address: SocketAddr, local: Option<&LocalEndpoint>) -> io::Result<TcpStream> {
    let socket = open(address.is_ipv4())?;
    if let Some(local) = local {
        local.bind(&socket, address.is_ipv4())?;
    }
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        #[cfg(unix)]
        Err(rustix::io::Errno::INPROGRESS) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(socket)
}

/// A socket that does not block and is closed when another program is started.
pub(super) fn open(ipv4: bool) -> io::Result<TcpStream> {
    let family = if ipv4 { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = TcpStream::from(rustix::net::socket_with(family, SocketType::STREAM, FLAGS, Some(ipproto::TCP))?);
    #[cfg(target_vendor = "apple")]
    {
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
    }
    #[cfg(not(target_os = "linux"))]
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The flags that the system can set while it makes the socket.
const FLAGS: SocketFlags = {
    #[cfg(any(target_vendor = "apple", windows))]
    let flags = SocketFlags::empty();
    #[cfg(not(any(target_vendor = "apple", windows)))]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    let flags = flags.union(SocketFlags::NONBLOCK);
    flags
};

/// Apple's sockets have an option for it instead.
#[cfg(unix)]
const QUIET: SendFlags = {
    #[cfg(target_vendor = "apple")]
    let flags = SendFlags::empty();
    #[cfg(not(target_vendor = "apple"))]
    let flags = SendFlags::NOSIGNAL;
    flags
};

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::task::Waker;

    use super::*;

    /// An idle connection with a farewell on it was taken for a good one, if the last answer had come without a read of
    /// the socket.
    #[test]
    fn what_was_seen_is_read_whatever_was_expected() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (mut far, _) = listener.accept().expect("a client");
        far.write_all(b"x").expect("it is open");
        assert_eq!(near.peek(&mut [0]).expect("it comes"), 1);
        let mut socket = Socket::new(Async::new(near).expect("a socket"));
        let mut cx = Context::from_waker(Waker::noop());
        let mut read = |socket: &mut Socket| Pin::new(socket).poll_read(&mut cx, &mut [0; 8]);
        assert!(read(&mut socket).is_pending(), "nothing is expected yet");
        socket.expect_nothing_yet();
        socket.expect_something();
        assert!(matches!(read(&mut socket), Poll::Ready(Ok(1))));
    }

    /// TLS reads again and again if its records make nothing, so reads are counted below it. A head in drops is counted by
    /// its reads.
    #[test]
    fn reads_are_counted_and_end_when_a_yield_is_due() {
        for (below_tls, piece, reads_until_due) in
            [(false, 1, 128), (false, 16 * 1024, 8), (true, 4096, 1), (true, 1, 128)]
        {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
            let (mut far, _) = listener.accept().expect("a client");
            let writer = std::thread::spawn(move || {
                // An error is that the test is over.
                let _ = far.write_all(&vec![b'x'; 400_000]);
            });
            let stream = Async::new(near).expect("a socket");
            let mut socket = Socket::new(stream);
            if below_tls {
                socket.per_byte = PER_TLS_BYTE;
            }
            let mut buffer = vec![0; piece];
            let mut reads = 0;
            let mut cx = Context::from_waker(Waker::noop());
            while !socket.meter.is_due() {
                let _ = futures_lite::future::block_on(socket.stream.readable());
                // All that is asked for is there, or the reads would be more than they need be.
                while socket.get_ref().peek(&mut buffer).is_ok_and(|n| n < piece) {}
                socket.expect_something();
                match Pin::new(&mut socket).poll_read(&mut cx, &mut buffer) {
                    Poll::Ready(read) => {
                        assert_eq!(read.expect("it is open"), piece);
                        reads += 1;
                    }
                    Poll::Pending => {}
                }
            }
            assert_eq!(reads, reads_until_due, "{piece} bytes at once, below TLS: {below_tls}");
            // It stays so until the outermost reader has yielded.
            socket.expect_something();
            assert!(Pin::new(&mut socket).poll_read(&mut cx, &mut buffer).is_pending());
            assert!(socket.meter.poll_outermost(&mut cx).is_pending() && !socket.meter.is_due());
            drop(socket);
            writer.join().expect("it does not panic");
        }
    }

    /// What TLS sent to a peer that was gone raised SIGPIPE.
    #[test]
    #[cfg(target_os = "linux")]
    fn writing_to_a_peer_that_is_gone_raises_no_signal() {
        use nix::sys::signal::{SigSet, Signal};

        // Blocked in this thread, it stays to be seen, even if it is ignored.
        SigSet::from(Signal::SIGPIPE).thread_block().expect("a mask");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        drop(listener.accept().expect("a client"));
        near.shutdown(std::net::Shutdown::Write).expect("it is open");
        let mut socket = Socket::new(Async::new(near).expect("a socket"));
        let mut cx = Context::from_waker(Waker::noop());
        let parts = [io::IoSlice::new(b"x"), io::IoSlice::new(b"y")];
        let pipe = |written: Poll<io::Result<usize>>| match written {
            Poll::Ready(Err(error)) => error.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        };
        assert!(pipe(Pin::new(&mut socket).poll_write_vectored(&mut cx, &parts)));
        assert!(pipe(Pin::new(&mut socket).poll_write(&mut cx, b"x")));
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("procfs");
        let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:")).expect("a line of it").trim();
        assert_eq!(u64::from_str_radix(pending, 16), Ok(0), "SIGPIPE is the bit 0x1000");
    }
}
