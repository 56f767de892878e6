//! Sockets: on their way to somewhere, and read without asking in vain.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::Async;
use futures_lite::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};
#[cfg(unix)]
use rustix::net::{SendFlags, sendmsg};

use super::interface::Local;

/// A connected socket that need not be read where nothing can be there, which would be a system call in vain.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Async<TcpStream>,
    seen: Seen,
}

/// What is known of what can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Nothing.
    Unknown,
    /// There cannot be anything yet.
    Nothing,
    /// The reactor was asked to tell when there is.
    Asked,
}

impl Socket {
    /// Of a connection on which nothing was said.
    pub(super) fn new(stream: Async<TcpStream>) -> Socket {
        Socket { stream, seen: Seen::Nothing }
    }

    pub(super) fn get_ref(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// There cannot be anything to read: the peer was told something a moment ago, and all before was read.
    pub(super) fn expect_nothing_yet(&mut self) {
        self.seen = Seen::Nothing;
    }

    /// Something was seen to be there to read, whatever was expected.
    pub(super) fn expect_something(&mut self) {
        self.seen = Seen::Unknown;
    }

    /// Ready where there may be something to read.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.seen {
            Seen::Unknown => {}
            Seen::Nothing => {
                // Once: where the reactor is driven by another thread, as under a host's loop, async-io may take what it
                // has just seen for old, each time anew. A read that is tried is never wrong.
                self.seen = Seen::Asked;
                ready!(self.stream.poll_readable(cx))?;
            }
            // What async-io has seen is taken note of, or it would be told again before there is more.
            Seen::Asked => {
                let _ = self.stream.poll_readable(cx)?;
            }
        }
        self.seen = Seen::Unknown;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_wait(cx))?;
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending() {
            // The reactor was asked by that.
            self.seen = Seen::Asked;
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
        // By what TLS sends. The standard library has writev for it, which raises SIGPIPE where the peer is gone, and that
        // ends a host in C that does not ignore it.
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

/// Connects, from `local` where that is given. Dropped, it gives up.
pub(super) async fn connect(address: SocketAddr, local: Option<&Local>) -> io::Result<Async<TcpStream>> {
    // Where that was measured; async-io does the same elsewhere, with a wait.
    let within = cfg!(target_os = "linux") && address.ip().is_loopback();
    if local.is_none() && !within {
        return Async::<TcpStream>::connect(address).await;
    }
    let stream = Async::new_nonblocking(start(address, local)?)?;
    // Within this machine the handshake is over when the call returns: to ask is less than to be told.
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
fn start(address: SocketAddr, local: Option<&Local>) -> io::Result<TcpStream> {
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

/// What the system can be told at once.
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

    /// An idle connection with a farewell on it was taken for a good one, where the last answer had come without a read of
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

    /// What TLS sent to a peer that was gone raised SIGPIPE.
    #[test]
    #[cfg(target_os = "linux")]
    fn writing_to_a_peer_that_is_gone_raises_no_signal() {
        use nix::sys::signal::{SigSet, Signal};

        // Blocked in this thread, it stays to be seen, also where it is ignored.
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
