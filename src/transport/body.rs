//! The content of a response as a reader; when the last byte is taken, the connection goes back to the pool.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

#[cfg(feature = "brotli")]
use async_compression::futures::bufread::BrotliDecoder;
#[cfg(feature = "zstd")]
use async_compression::futures::bufread::ZstdDecoder;
#[cfg(feature = "gzip")]
use async_compression::futures::bufread::{DeflateDecoder, GzipDecoder, ZlibDecoder};
#[cfg(feature = "zstd")]
use async_compression::zstd::DParameter;
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufRead, AsyncRead};

use super::connection::Connection;
use super::deadline::Deadline;
use super::h1::{BodyDecoder, BodyEvent};
use super::trace::Trace;
use super::turn::Turn;
use super::{Route, Shared};
use crate::error::{Error, Kind, Phase};

/// Content without its framing. Errors are [`Error`]s inside [`io::Error`]s; see [`body_error`].
#[derive(Debug)]
pub(crate) struct WireBody {
    /// Gone when the last byte was taken or something failed.
    connection: Option<Box<Connection>>,
    decoder: BodyDecoder,
    deadline: Deadline,
    trace: Arc<Trace>,
    /// Where the connection goes afterwards; `None` where it must be closed.
    home: Option<(Arc<Shared>, Arc<Route>)>,
    failed: bool,
    turn: Turn,
}

impl WireBody {
    pub(super) fn new(
        connection: Box<Connection>,
        decoder: BodyDecoder,
        deadline: Deadline,
        trace: Arc<Trace>,
        home: Option<(Arc<Shared>, Arc<Route>)>,
    ) -> WireBody {
        let mut body = WireBody {
            connection: Some(connection),
            decoder,
            deadline,
            trace,
            home,
            failed: false,
            turn: Turn::default(),
        };
        body.release_if_done();
        body
    }

    /// Brings content into the connection's buffer; resolves to how many bytes of it stand there, 0 at the end.
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        if self.failed {
            return Poll::Ready(Err(failed_before()));
        }
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(0)) };
        loop {
            match self.decoder.poll(connection.buffered())? {
                BodyEvent::Framing(n) => connection.consume(n),
                BodyEvent::Content(n) => return Poll::Ready(Ok(n)),
                BodyEvent::End => return Poll::Ready(Ok(0)),
                BodyEvent::NeedMore => match connection.poll_fill(cx) {
                    Poll::Ready(Ok(0)) => self.decoder.end_of_input()?,
                    // A server that always has more to say never lets the timer have its turn.
                    Poll::Ready(Ok(_)) => self.deadline.check(&self.trace)?,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(read_error(error))),
                    Poll::Pending => return self.deadline.poll(cx, &self.trace).map(Err),
                },
            }
        }
    }

    /// The error with the peer named, which timeouts do themselves.
    fn blamed(&self, error: Error) -> io::Error {
        io::Error::other(if error.kind() == Kind::Timeout { error } else { self.trace.blames(error) })
    }

    fn release_if_done(&mut self) {
        if !self.decoder.is_done() {
            return;
        }
        if let (Some(connection), Some((shared, route))) = (self.connection.take(), self.home.take()) {
            shared.release(&route, connection);
        }
    }
}

impl AsyncBufRead for WireBody {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.turn.poll(cx));
        match ready!(this.poll_content(cx)) {
            Ok(0) => {
                this.release_if_done();
                Poll::Ready(Ok(&[]))
            }
            Ok(n) => Poll::Ready(Ok(this.connection.as_ref().map_or(&[], |connection| &connection.buffered()[..n]))),
            Err(error) => {
                (this.connection, this.home, this.failed) = (None, None, true);
                Poll::Ready(Err(this.blamed(error)))
            }
        }
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let this = self.get_mut();
        this.turn.took(n);
        if let Some(connection) = &mut this.connection {
            connection.consume(n);
            this.decoder.consume_content(n);
            // Readers that know the length never ask for the end.
            this.release_if_done();
        }
    }
}

impl AsyncRead for WireBody {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_copy(self, cx, out)
    }
}

/// The content of a response, its coding undone where it has one that was asked for.
#[allow(clippy::large_enum_variant, reason = "nearly all contents are of the larger one, and live in one box already")]
#[derive(Debug)]
pub(crate) enum Content {
    Wire(WireBody),
    Decoded(DecodedBody),
}

impl AsyncBufRead for Content {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        match self.get_mut() {
            Content::Wire(body) => Pin::new(body).poll_fill_buf(cx),
            Content::Decoded(body) => Pin::new(body).poll_fill_buf(cx),
        }
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        match self.get_mut() {
            Content::Wire(body) => Pin::new(body).consume(n),
            Content::Decoded(body) => Pin::new(body).consume(n),
        }
    }
}

impl AsyncRead for Content {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_copy(self, cx, out)
    }
}

/// A content coding that can be undone (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "gzip")]
    Deflate,
    #[cfg(feature = "brotli")]
    Brotli,
    #[cfg(feature = "zstd")]
    Zstd,
}

/// The codings that are asked for: deflate is undone too, but servers disagree on what it is.
pub(super) const ACCEPT_ENCODING: &str =
    match (cfg!(feature = "gzip"), cfg!(feature = "brotli"), cfg!(feature = "zstd")) {
        // The word for none; saying nothing would leave the choice to the server (RFC 9110, section 12.5.3).
        (false, false, false) => "identity",
        (true, false, false) => "gzip",
        (false, true, false) => "br",
        (false, false, true) => "zstd",
        (true, true, false) => "gzip, br",
        (true, false, true) => "gzip, zstd",
        (false, true, true) => "br, zstd",
        (true, true, true) => "gzip, br, zstd",
    };

impl Coding {
    /// The coding that this value of Content-Encoding names; `None` for none, several, or one that is not known: such
    /// content is handed on as it came.
    pub(super) fn of(value: &[u8]) -> Option<Coding> {
        match value.trim_ascii().to_ascii_lowercase().as_slice() {
            #[cfg(feature = "gzip")]
            b"gzip" | b"x-gzip" => Some(Coding::Gzip),
            #[cfg(feature = "gzip")]
            b"deflate" => Some(Coding::Deflate),
            #[cfg(feature = "brotli")]
            b"br" => Some(Coding::Brotli),
            #[cfg(feature = "zstd")]
            b"zstd" => Some(Coding::Zstd),
            _ => None,
        }
    }

    /// Undoes the coding.
    pub(super) fn decode(self, body: WireBody) -> DecodedBody {
        DecodedBody { coding: self, stage: Stage::Start(Some(Box::new(body))), turn: Turn::default() }
    }
}

/// The base-two logarithm of the largest window of zstd that is decoded: 8 MiB.
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// Content with its coding undone. It has ended well only where both have: the coded stream and what carries it.
pub(crate) struct DecodedBody {
    coding: Coding,
    stage: Stage,
    turn: Turn,
}

enum Stage {
    /// Nothing is known of the content yet; `None` only while the stage changes.
    Start(Option<Box<WireBody>>),
    Coded(Box<dyn Undo>),
    Ended,
    Failed,
}

/// A decoder over a [`WireBody`].
trait Undo: AsyncBufRead + Unpin + Send + Sync {
    fn wire(&mut self) -> Pin<&mut WireBody>;
}

#[cfg(feature = "gzip")]
impl Undo for BufReader<GzipDecoder<WireBody>> {
    fn wire(&mut self) -> Pin<&mut WireBody> {
        Pin::new(self.get_mut().get_mut())
    }
}

#[cfg(feature = "gzip")]
impl Undo for BufReader<ZlibDecoder<WireBody>> {
    fn wire(&mut self) -> Pin<&mut WireBody> {
        Pin::new(self.get_mut().get_mut())
    }
}

#[cfg(feature = "gzip")]
impl Undo for BufReader<DeflateDecoder<WireBody>> {
    fn wire(&mut self) -> Pin<&mut WireBody> {
        Pin::new(self.get_mut().get_mut())
    }
}

#[cfg(feature = "brotli")]
impl Undo for BufReader<BrotliDecoder<WireBody>> {
    fn wire(&mut self) -> Pin<&mut WireBody> {
        Pin::new(self.get_mut().get_mut())
    }
}

#[cfg(feature = "zstd")]
impl Undo for BufReader<ZstdDecoder<WireBody>> {
    fn wire(&mut self) -> Pin<&mut WireBody> {
        Pin::new(self.get_mut().get_mut())
    }
}

impl Coding {
    /// The decoder for content that begins with this byte.
    #[cfg_attr(not(feature = "gzip"), allow(unused_variables, reason = "there may be no coding that looks at them"))]
    fn decoder(self, body: WireBody, first: u8) -> Box<dyn Undo> {
        match self {
            #[cfg(feature = "gzip")]
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(body);
                // Several members in a row are one stream (RFC 1952, section 2.2).
                decoder.multiple_members(true);
                Box::new(BufReader::new(decoder))
            }
            // "deflate" is the zlib format, but some servers send it bare; the first byte tells (RFC 1950, section 2.2):
            // deflate's method in the low four bits and a window of at most 32 KiB in the high ones. As the start of a
            // bare stream this would be a stored block that is not the last, which no encoder begins with.
            #[cfg(feature = "gzip")]
            Coding::Deflate if first & 0x0f == 8 && first >> 4 <= 7 => Box::new(BufReader::new(ZlibDecoder::new(body))),
            #[cfg(feature = "gzip")]
            Coding::Deflate => Box::new(BufReader::new(DeflateDecoder::new(body))),
            #[cfg(feature = "brotli")]
            Coding::Brotli => Box::new(BufReader::new(BrotliDecoder::new(body))),
            #[cfg(feature = "zstd")]
            Coding::Zstd => {
                // What a server may not exceed, so that a small machine can always read it (RFC 9659, section 3).
                let mut decoder = ZstdDecoder::with_params(body, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
                // Frames in a row are one stream (RFC 8878, section 3.1).
                decoder.multiple_members(true);
                Box::new(BufReader::new(decoder))
            }
        }
    }
}

impl fmt::Debug for DecodedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodedBody").field("coding", &self.coding).finish_non_exhaustive()
    }
}

impl DecodedBody {
    /// Whether there is more to read.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            match &mut self.stage {
                Stage::Start(body) => {
                    let Some(unread) = body else { return Poll::Ready(Ok(false)) };
                    let first = ready!(Pin::new(&mut **unread).poll_fill_buf(cx))?.first().copied();
                    self.stage = match (first, body.take()) {
                        (Some(first), Some(body)) => Stage::Coded(self.coding.decoder(*body, first)),
                        // No bytes at all: some servers name a coding of content that they do not send.
                        _ => Stage::Ended,
                    };
                }
                Stage::Coded(decoder) => {
                    match ready!(Pin::new(&mut *decoder).poll_fill_buf(cx)) {
                        Ok([]) => {}
                        Ok(_) => return Poll::Ready(Ok(true)),
                        Err(error) => return Poll::Ready(Err(coding_error(error, &decoder.wire()))),
                    }
                    if !ready!(decoder.wire().poll_fill_buf(cx))?.is_empty() {
                        let error = Error::new(Kind::Body, "the compressed content is followed by other bytes");
                        return Poll::Ready(Err(decoder.wire().blamed(error.in_phase(Phase::Body))));
                    }
                    self.stage = Stage::Ended;
                }
                Stage::Ended => return Poll::Ready(Ok(false)),
                Stage::Failed => return Poll::Ready(Err(io::Error::other(failed_before()))),
            }
        }
    }
}

impl AsyncBufRead for DecodedBody {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.turn.poll(cx));
        match ready!(this.poll_more(cx)) {
            Ok(true) => {}
            Ok(false) => return Poll::Ready(Ok(&[])),
            Err(error) => {
                this.stage = Stage::Failed;
                return Poll::Ready(Err(error));
            }
        }
        match &mut this.stage {
            // It has more in its buffer, so this reads nothing.
            Stage::Coded(decoder) => Pin::new(decoder).poll_fill_buf(cx),
            _ => Poll::Ready(Ok(&[])),
        }
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let this = self.get_mut();
        this.turn.took(n);
        if let Stage::Coded(decoder) = &mut this.stage {
            Pin::new(decoder).consume(n);
        }
    }
}

impl AsyncRead for DecodedBody {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_copy(self, cx, out)
    }
}

/// Reads from what a reader has in its buffer.
fn poll_copy(mut reader: Pin<&mut impl AsyncBufRead>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
    let content = ready!(reader.as_mut().poll_fill_buf(cx))?;
    let n = content.len().min(out.len());
    out[..n].copy_from_slice(&content[..n]);
    reader.consume(n);
    Poll::Ready(Ok(n))
}

/// For readers that go on after an error: it must not look like the end.
fn failed_before() -> Error {
    Error::new(Kind::Body, "reading the content has failed before").in_phase(Phase::Body)
}

/// What an error met while reading a body means: the [`Error`] that travelled inside it, or that of another backend.
pub fn body_error(error: io::Error) -> Error {
    let kind = error.kind();
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(foreign) => {
            let kind = if kind == io::ErrorKind::UnexpectedEof { Kind::Body } else { Kind::Io };
            Error::new(kind, "the content cannot be read").in_phase(Phase::Body).with_source(foreign)
        }
    }
}

/// What a decoder says is wrong, unless it only passes on what the wire said.
fn coding_error(error: io::Error, wire: &WireBody) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return error;
    }
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the compressed content is cut short",
        _ => "the compressed content is corrupt",
    };
    wire.blamed(Error::new(Kind::Body, text).in_phase(Phase::Body).with_source(error))
}

/// What a failed read inside a body means.
fn read_error(error: io::Error) -> Error {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the connection was cut without TLS's close_notify: the content may be incomplete"
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "the connection was reset before the content was complete"
        }
        _ => "reading the content failed",
    };
    Error::new(Kind::Body, text).in_phase(Phase::Body).with_source(error)
}
