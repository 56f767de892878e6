//! One connection, and the bytes that were read from it and not consumed yet.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_lite::{AsyncRead, AsyncWrite};

use super::descriptors::OpenGuard;
use super::peer::Peer;
use super::socket::Socket;
use super::tls::{self, CertRequest, TlsStream};
use super::yield_meter::YieldMeter;

/// What a connection reads into at first: enough for most responses of an API.
const BUFFER: usize = 4 * 1024;

/// What it reads into if there is much to read: a TLS record's worth.
const LARGE: usize = 16 * 1024;

/// Plain or encrypted.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

/// A connection to an origin or a proxy. Its buffer stays with it from one request to the next and is never zeroed again;
/// there is none before the first response comes.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    /// How much of the first message was sent when the connection was made.
    ahead: usize,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the last read took all the room that there was: there is probably more to come.
    filled: bool,
    /// What is known of the response to what was sent last.
    wait: ResponseWait,
    /// Decides whether to look for a response before the reactor reports it.
    early_looks: EarlyLooks,
    pub(super) peer: Peer,
    /// When its last bytes came, if the clock was read since.
    pub(super) heard_at: Option<Instant>,
    /// Whether the server asked for a client certificate.
    pub(super) cert_request: CertRequest,
    /// How many requests it has served.
    pub(super) served: u64,
    /// Counts it among those that hold a descriptor. After the stream, so that it is dropped when that is closed.
    pub(super) open: Option<OpenGuard>,
}

impl Connection {
    pub(super) fn new(stream: Stream, peer: Peer, ahead: usize) -> Connection {
        Connection {
            stream,
            ahead,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            filled: false,
            wait: ResponseWait::None,
            early_looks: EarlyLooks::default(),
            peer,
            heard_at: None,
            cert_request: CertRequest::None,
            served: 0,
            open: None,
        }
    }

    /// What it runs on. Nothing has been read from it yet.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// What was read and not consumed.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Drops the first `n` of the buffered bytes.
    pub(super) fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }

    /// Reads more; resolves to how many bytes came, 0 if the peer has closed. This is not the outermost reader: see
    /// [`YieldMeter`].
    ///
    /// The buffer grows if a read has filled it, up to [`LARGE`], and beyond that if it is full of bytes that cannot be
    /// consumed yet: only a head does that, and its parser refuses one that is too long.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let wait = std::mem::replace(&mut self.wait, ResponseWait::None);
        if wait == ResponseWait::Sent {
            // Not on the first request of a connection, which may well be the only one.
            if self.served > 0 && self.early_looks.is_due() {
                self.wait = ResponseWait::Yielded;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.socket_mut().expect_nothing_yet();
        }
        // The buffer is made only once there is something to read. Under TLS that may be while the socket has nothing.
        if let Stream::Plain(socket) = &mut self.stream {
            ready!(socket.poll_wait(cx))?;
        }
        self.make_room();
        let free = &mut self.buffer[self.end..];
        let room = free.len();
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, free),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, free).map_err(tls::described),
        };
        if wait == ResponseWait::Yielded {
            self.early_looks.note(read.is_ready());
        }
        let read = ready!(read)?;
        self.filled = read == room;
        self.end += read;
        self.heard_at = None;
        Poll::Ready(Ok(read))
    }

    /// Makes room behind what was read and not consumed.
    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            let size = if self.filled { (self.buffer.len() * 2).clamp(BUFFER, LARGE) } else { BUFFER };
            if self.buffer.len() < size {
                // Nothing in it is of use, so nothing need be moved.
                self.buffer = vec![0; size];
            }
        } else if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            } else {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
    }

    /// Reads more; see [`Connection::poll_fill`].
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_outermost(cx, Connection::poll_fill)).await
    }

    /// What counts the work of the task that uses the connection.
    pub(super) fn meter(&self) -> &Arc<YieldMeter> {
        match &self.stream {
            Stream::Plain(socket) => socket.meter(),
            Stream::Tls(stream) => tls::socket(stream).meter(),
        }
    }

    fn poll_outermost<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Connection, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        ready!(self.meter().poll_outermost(cx));
        let polled = poll(self, cx);
        if polled.is_pending() {
            self.meter().yielded();
        }
        polled
    }

    /// Writes the bytes from `written` on, and moves `written` along. With `listen` it stops if the peer says
    /// something before it has taken all of them; what it said is in the buffer, and the call can be repeated.
    ///
    /// # Errors
    /// What the socket said; bytes that came before the failure can still be read.
    pub(super) async fn write(&mut self, bytes: &[u8], written: &mut usize, listen: bool) -> io::Result<WriteEnd> {
        let mut poll = |connection: &mut Connection, cx: &mut Context<'_>| {
            match connection.poll_write_all(cx, bytes, written) {
                Poll::Ready(result) => return Poll::Ready(result.map(|()| WriteEnd::All)),
                Poll::Pending if !listen => return Poll::Pending,
                Poll::Pending => {}
            }
            // A server that refuses a long request says so early, and may never read the rest.
            let read = ready!(connection.poll_fill(cx))?;
            Poll::Ready(Ok(if read == 0 { WriteEnd::Closed } else { WriteEnd::Interrupted }))
        };
        poll_fn(|cx| self.poll_outermost(cx, &mut poll)).await
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>, bytes: &[u8], written: &mut usize) -> Poll<io::Result<()>> {
        *written += std::mem::take(&mut self.ahead);
        while *written < bytes.len() {
            ready!(self.meter().poll_ready(cx));
            match ready!(self.poll_write(cx, &bytes[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => {
                    self.meter().add(n);
                    *written += n;
                }
            }
        }
        ready!(self.poll_flush(cx))?;
        self.wait = ResponseWait::Sent;
        Poll::Ready(Ok(()))
    }

    /// Whether an idle connection was closed by the peer, or sent something without being asked. One system call.
    pub(super) fn is_stale(&mut self) -> bool {
        if self.start != self.end {
            return true;
        }
        match self.socket_mut().get_ref().peek(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            // After a TLS handshake the server may send session tickets; only TLS itself can tell them from a farewell.
            Ok(n) if n > 0 && matches!(self.stream, Stream::Tls(_)) => {
                self.socket_mut().expect_something();
                let mut cx = Context::from_waker(std::task::Waker::noop());
                // Tickets are few. If a server has sent so much unasked that a yield is due, the connection is given up.
                self.poll_fill(&mut cx).is_ready() || self.meter().is_due()
            }
            _ => true,
        }
    }

    /// Prepares the connection to wait for its next request.
    pub(super) fn rest(&mut self) {
        self.served += 1;
        if self.buffer.len() > LARGE {
            // Otherwise one long head would take memory for as long as the connection is pooled.
            self.buffer = Vec::new();
        }
        (self.start, self.end, self.wait) = (0, 0, ResponseWait::None);
        self.socket_mut().renew_meter();
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match &mut self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => tls::socket_mut(stream),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes).map_err(tls::described),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }
}

/// What is known of a response before the first read after the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResponseWait {
    /// No request was sent, or reading has begun.
    None,
    /// The request was sent.
    Sent,
    /// The other tasks have had their turn since.
    Yielded,
}

/// Predicts whether a response is there as soon as the other tasks have had their turn, as those of servers nearby are if
/// many requests run at once. Looking then saves the reactor, a system call and a wake-up; a look that finds nothing costs
/// as much. So the results of the last looks decide whether there is another, as in a branch predictor.
#[derive(Debug, Default)]
struct EarlyLooks {
    /// How many more looks found nothing than something: 0 to [`EarlyLooks::MOST`].
    misses: u32,
    /// How many responses until the next look.
    wait: u32,
}

impl EarlyLooks {
    /// With this many misses looks get rare.
    const TOO_MANY: u32 = 2;
    /// Looks are at least one in `1 << (MOST - 1)`.
    const MOST: u32 = 7;

    /// Whether to look for the next response.
    fn is_due(&mut self) -> bool {
        self.wait = self.wait.saturating_sub(1);
        self.wait == 0
    }

    fn note(&mut self, there: bool) {
        self.misses = match there {
            true => self.misses.saturating_sub(1).min(EarlyLooks::TOO_MANY),
            false => (self.misses + 1).min(EarlyLooks::MOST),
        };
        self.wait = if self.misses < EarlyLooks::TOO_MANY { 1 } else { 1 << (self.misses - 1) };
    }
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteEnd {
    /// All bytes are on their way.
    All,
    /// The peer said something before that.
    Interrupted,
    /// The peer closed before that.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_get_rare_if_nothing_is_there_and_frequent_again() {
        let mut early_looks = EarlyLooks::default();
        let mut looks = |there: bool| {
            let mut looks = Vec::new();
            for n in 0..200 {
                if early_looks.is_due() {
                    looks.push(n);
                    early_looks.note(there);
                }
            }
            looks
        };
        assert_eq!(looks(false), [0, 1, 3, 7, 15, 31, 63, 127, 191]);
        assert_eq!(looks(true)[..4], [55, 57, 58, 59]);
        assert_eq!(looks(false)[..4], [0, 1, 3, 7]);
    }
}
