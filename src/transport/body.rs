//! The content of a response as a reader; when the last byte is taken, the connection goes back to the pool.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_compression::futures::bufread::{DeflateDecoder, GzipDecoder, ZlibDecoder};
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufRead, AsyncRead};

use super::connection::Connection;
use super::deadline::Deadline;
use super::h1::{BodyDecoder, BodyEvent};
use super::trace::Trace;
use super::{Route, Shared};
use crate::error::{Error, Kind, Phase};

/// Content without its framing. Errors are [`Error`]s inside [`io::Error`]s; see [`body_error`].
#[derive(Debug)]
pub(super) struct WireBody {
    /// Gone when the last byte was taken or something failed.
    connection: Option<Connection>,
    decoder: BodyDecoder,
    deadline: Deadline,
    trace: Arc<Trace>,
    /// Where the connection goes afterwards; `None` where it must be closed.
    home: Option<(Arc<Shared>, Route)>,
}

impl WireBody {
    pub(super) fn new(
        connection: Connection,
        decoder: BodyDecoder,
        deadline: Deadline,
        trace: Arc<Trace>,
        home: Option<(Arc<Shared>, Route)>,
    ) -> WireBody {
        let mut body = WireBody { connection: Some(connection), decoder, deadline, trace, home };
        body.release_if_done();
        body
    }

    /// Brings content into the connection's buffer; resolves to how many bytes of it stand there, 0 at the end.
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(0)) };
        loop {
            match self.decoder.poll(connection.buffered())? {
                BodyEvent::Framing(n) => connection.consume(n),
                BodyEvent::Content(n) => return Poll::Ready(Ok(n)),
                BodyEvent::End => return Poll::Ready(Ok(0)),
                BodyEvent::NeedMore => match connection.poll_fill(cx) {
                    Poll::Ready(Ok(0)) => self.decoder.end_of_input()?,
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(read_error(error))),
                    Poll::Pending => return self.deadline.poll(cx, &self.trace).map(Err),
                },
            }
        }
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
        match ready!(this.poll_content(cx)) {
            Ok(0) => {
                this.release_if_done();
                Poll::Ready(Ok(&[]))
            }
            Ok(n) => Poll::Ready(Ok(this.connection.as_ref().map_or(&[], |connection| &connection.buffered()[..n]))),
            Err(error) => {
                this.connection = None;
                this.home = None;
                Poll::Ready(Err(io::Error::other(error)))
            }
        }
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let this = self.get_mut();
        if let Some(connection) = &mut this.connection {
            connection.consume(n);
            this.decoder.consume_content(n);
            // Readers that know the length never ask for the end.
            this.release_if_done();
        }
    }
}

impl AsyncRead for WireBody {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let content = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = content.len().min(out.len());
        out[..n].copy_from_slice(&content[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

/// A content coding that can be undone (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// The coding that this value of Content-Encoding names; `None` for none, several, or one that is not known: such
    /// content is handed on as it came.
    pub(super) fn of(value: &[u8]) -> Option<Coding> {
        let value = value.trim_ascii();
        if value.eq_ignore_ascii_case(b"gzip") || value.eq_ignore_ascii_case(b"x-gzip") {
            Some(Coding::Gzip)
        } else if value.eq_ignore_ascii_case(b"deflate") {
            Some(Coding::Deflate)
        } else {
            None
        }
    }

    /// Undoes the coding. Several gzip members in a row are one stream (RFC 1952, section 2.2).
    pub(super) fn decode(self, body: WireBody) -> Box<dyn AsyncBufRead + Unpin + Send + Sync> {
        match self {
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(body);
                decoder.multiple_members(true);
                Box::new(BufReader::new(decoder))
            }
            Coding::Deflate => Box::new(DeflateBody::Unknown(Some(body))),
        }
    }
}

/// "deflate" is the zlib format, but some servers send it bare; the first bytes tell (RFC 1950, section 2.2).
enum DeflateBody {
    Unknown(Option<WireBody>),
    Known(Box<dyn AsyncBufRead + Unpin + Send + Sync>),
}

impl AsyncBufRead for DeflateBody {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if let DeflateBody::Unknown(body) = this {
            if let Some(unread) = body {
                let first = ready!(Pin::new(unread).poll_fill_buf(cx))?.first().copied();
                // Deflate's method in the low four bits and a window of at most 32 KiB in the high ones; as the start of a
                // bare stream this would be a stored block that is not the last, which no encoder begins with.
                let zlib = first.is_none_or(|byte| byte & 0x0f == 8 && byte >> 4 <= 7);
                if let Some(body) = body.take() {
                    *this = DeflateBody::Known(match (first, zlib) {
                        (None, _) => Box::new(body),
                        (_, true) => Box::new(BufReader::new(ZlibDecoder::new(body))),
                        (_, false) => Box::new(BufReader::new(DeflateDecoder::new(body))),
                    });
                }
            }
        }
        match this {
            DeflateBody::Known(reader) => Pin::new(reader).poll_fill_buf(cx),
            DeflateBody::Unknown(_) => Poll::Ready(Ok(&[])),
        }
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        if let DeflateBody::Known(reader) = self.get_mut() {
            Pin::new(reader).consume(n);
        }
    }
}

impl AsyncRead for DeflateBody {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let content = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = content.len().min(out.len());
        out[..n].copy_from_slice(&content[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

/// What an error met while reading a body means: the [`Error`] that travelled inside it, or that of a content coding.
pub fn body_error(error: io::Error) -> Error {
    let kind = error.kind();
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(error) if kind == io::ErrorKind::UnexpectedEof => {
            Error::new(Kind::Body, "the compressed content is cut short").in_phase(Phase::Body).with_source(error)
        }
        Err(error)
            if matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other) =>
        {
            Error::new(Kind::Body, "the compressed content is corrupt").in_phase(Phase::Body).with_source(error)
        }
        Err(error) => Error::new(Kind::Io, "the content cannot be read").in_phase(Phase::Body).with_source(error),
    }
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
