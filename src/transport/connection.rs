//! One connection and the bytes read from it that nobody has taken yet.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_lite::{AsyncRead, AsyncWrite};

use super::peer::Peer;
use super::socket::Socket;
use super::tls::{self, Asked, TlsStream};

/// What a connection reads into at first: enough for most answers of an API.
const BUFFER: usize = 4 * 1024;

/// What it reads into where there is much to read: a TLS record's worth.
const LARGE: usize = 16 * 1024;

/// Plain or encrypted.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

/// A connection to an origin or a proxy. Its buffer stays with it from one request to the next and is never zeroed again;
/// there is none before the first answer comes.
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
    /// What is known of the answer to what was sent last.
    answer: Answer,
    /// Whether it is worth looking for without being told.
    prompt: Prompt,
    pub(super) peer: Peer,
    /// When its last bytes came, where somebody has asked the clock since.
    pub(super) heard_at: Option<Instant>,
    /// Whether the server asked for a client certificate.
    pub(super) asked: Asked,
    /// How many requests it has served.
    pub(super) served: u64,
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
            answer: Answer::Unasked,
            prompt: Prompt::default(),
            peer,
            heard_at: None,
            asked: Asked::No,
            served: 0,
        }
    }

    /// What was read and not taken.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes the first `n` of the buffered bytes.
    pub(super) fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }

    /// Reads more; resolves to how many bytes came, 0 where the peer has closed.
    ///
    /// The buffer grows where a read has filled it, up to [`LARGE`], and beyond where it is full of bytes that nobody could
    /// take yet: only a head does that, and its parser refuses one that is too long.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let answer = std::mem::replace(&mut self.answer, Answer::Unasked);
        if answer == Answer::Due {
            // The first may well be the only one.
            if self.served > 0 && self.prompt.expects() {
                self.answer = Answer::GaveWay;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.socket_mut().expect_nothing_yet();
        }
        // What waits needs no room. Under TLS there may be something where the socket has nothing.
        if let Stream::Plain(socket) = &mut self.stream {
            ready!(socket.poll_wait(cx))?;
        }
        self.make_room();
        let free = &mut self.buffer[self.end..];
        let room = free.len();
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, free),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, free),
        };
        if answer == Answer::GaveWay {
            self.prompt.note(read.is_ready());
        }
        let read = ready!(read)?;
        self.filled = read == room;
        self.end += read;
        self.heard_at = None;
        Poll::Ready(Ok(read))
    }

    /// Sees to it that there is room behind what was read and not taken.
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
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Writes the bytes from `written` on, and moves `written` along. With `listen` it stops where the peer says
    /// something before it has taken all of them; what it said is in the buffer, and the call can be repeated.
    ///
    /// # Errors
    /// What the socket said; bytes that came before the failure can still be read.
    pub(super) async fn write(&mut self, bytes: &[u8], written: &mut usize, listen: bool) -> io::Result<Written> {
        poll_fn(|cx| {
            match self.poll_write_all(cx, bytes, written) {
                Poll::Ready(result) => return Poll::Ready(result.map(|()| Written::All)),
                Poll::Pending if !listen => return Poll::Pending,
                Poll::Pending => {}
            }
            // A server that refuses a long request says so early, and may never read the rest.
            let read = ready!(self.poll_fill(cx))?;
            Poll::Ready(Ok(if read == 0 { Written::Closed } else { Written::Interrupted }))
        })
        .await
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>, bytes: &[u8], written: &mut usize) -> Poll<io::Result<()>> {
        *written += std::mem::take(&mut self.ahead);
        while *written < bytes.len() {
            match ready!(self.poll_write(cx, &bytes[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *written += n,
            }
        }
        ready!(self.poll_flush(cx))?;
        self.answer = Answer::Due;
        Poll::Ready(Ok(()))
    }

    /// Whether an idle connection was closed by the peer, or sent something nobody asked for. One system call.
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
                self.poll_fill(&mut cx).is_ready()
            }
            _ => true,
        }
    }

    /// Makes the connection fit to wait for its next request.
    pub(super) fn rest(&mut self) {
        self.served += 1;
        if self.buffer.len() > LARGE {
            // One long head must not weigh on the pool for ever.
            self.buffer = Vec::new();
        }
        (self.start, self.end, self.answer) = (0, 0, Answer::Unasked);
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
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }
}

/// What is known of the answer before the first read after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing was asked, or reading has begun.
    Unasked,
    /// The request is on its way.
    Due,
    /// The other tasks had their turn since.
    GaveWay,
}

/// Whether answers come so soon that they are there when the other tasks have had their turn, as those of servers nearby
/// do where many are asked at once. To look then spares the reactor, a system call and a wake-up; to look in vain costs as
/// much. So the last looks say whether there is another, as the branches taken say which is fetched.
#[derive(Debug, Default)]
struct Prompt {
    /// How many more looks in vain than others there were: 0 to [`Prompt::MOST`].
    misses: u32,
    /// How many answers until the next look.
    wait: u32,
}

impl Prompt {
    /// With so many misses looks get rare.
    const TOO_MANY: u32 = 2;
    /// Looks are at least one in `1 << (MOST - 1)`.
    const MOST: u32 = 7;

    /// Whether to look for the next answer.
    fn expects(&mut self) -> bool {
        self.wait = self.wait.saturating_sub(1);
        self.wait == 0
    }

    fn note(&mut self, there: bool) {
        self.misses = match there {
            true => self.misses.saturating_sub(1).min(Prompt::TOO_MANY),
            false => (self.misses + 1).min(Prompt::MOST),
        };
        self.wait = if self.misses < Prompt::TOO_MANY { 1 } else { 1 << (self.misses - 1) };
    }
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
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
    fn looks_get_rare_where_nothing_is_there_and_frequent_again() {
        let mut prompt = Prompt::default();
        let mut looks = |there: bool| {
            let mut looks = Vec::new();
            for n in 0..200 {
                if prompt.expects() {
                    looks.push(n);
                    prompt.note(there);
                }
            }
            looks
        };
        assert_eq!(looks(false), [0, 1, 3, 7, 15, 31, 63, 127, 191]);
        assert_eq!(looks(true)[..4], [55, 57, 58, 59]);
        assert_eq!(looks(false)[..4], [0, 1, 3, 7]);
    }
}
