//! The content of a response as it comes over the wire, without its framing. When the last byte is taken, the connection
//! goes back to the pool.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::connection::Connection;
use super::content_layer::ContentLayer;
use super::deadline::Deadline;
use super::h1::{BodyDecoder, BodyEvent};
use super::progress::Progress;
use super::route::Route;
use super::yield_meter::{PER_FRAMING_BYTE, YieldMeter};
use crate::error::{Error, Kind, Phase};
use crate::idle::IdleConnections;

/// Content without its framing. Errors are [`Error`]s inside [`io::Error`]s; see [`body_error`].
#[derive(Debug)]
pub(crate) struct WireBody {
    /// Gone when the last byte was taken or something failed.
    connection: Option<Box<Connection>>,
    decoder: BodyDecoder,
    deadline: Deadline,
    progress: Arc<Progress>,
    /// Where the connection goes afterwards; `None` where it must be closed.
    home: Option<(IdleConnections, Arc<Route>)>,
    failed: bool,
}

impl WireBody {
    pub(super) fn new(
        connection: Box<Connection>,
        decoder: BodyDecoder,
        deadline: Deadline,
        progress: Arc<Progress>,
        home: Option<(IdleConnections, Arc<Route>)>,
    ) -> WireBody {
        let mut body = WireBody { connection: Some(connection), decoder, deadline, progress, home, failed: false };
        body.release_if_done();
        body
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        if self.failed {
            return Poll::Ready(Err(failed_before()));
        }
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(0)) };
        ready!(connection.meter().poll_ready(cx));
        loop {
            match self.decoder.poll(connection.buffered())? {
                BodyEvent::Framing(n) => {
                    connection.meter().add(n * PER_FRAMING_BYTE);
                    connection.consume(n);
                }
                BodyEvent::Content(n) => return Poll::Ready(Ok(n)),
                BodyEvent::End => return Poll::Ready(Ok(0)),
                BodyEvent::NeedMore => match connection.poll_fill(cx) {
                    Poll::Ready(Ok(0)) => self.decoder.end_of_input()?,
                    // A server that always has more to say never lets the timer have its turn.
                    Poll::Ready(Ok(_)) => self.deadline.check(&self.progress)?,
                    // TLS without close_notify, or a reset: nothing that matters was cut off.
                    Poll::Ready(Err(_)) if self.decoder.has_all_content() => {
                        self.home = None;
                        self.decoder.end_of_input()?;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(read_error(error))),
                    Poll::Pending => return self.deadline.poll(cx, &self.progress).map(Err),
                },
            }
        }
    }

    /// The error with the peer named, which timeouts do themselves.
    pub(super) fn blame(&self, error: Error) -> io::Error {
        io::Error::other(if error.kind() == Kind::Timeout { error } else { self.progress.blames(error) })
    }

    fn release_if_done(&mut self) {
        if !self.decoder.is_done() {
            return;
        }
        if let (Some(connection), Some((idle, route))) = (self.connection.take(), self.home.take()) {
            idle.put(&route, connection);
        }
    }
}

impl ContentLayer for WireBody {
    fn poll_available(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match ready!(self.poll_content(cx)) {
            Ok(0) => {
                self.release_if_done();
                Poll::Ready(Ok(0))
            }
            Ok(n) => Poll::Ready(Ok(n)),
            Err(error) => {
                (self.connection, self.home, self.failed) = (None, None, true);
                Poll::Ready(Err(self.blame(error)))
            }
        }
    }

    fn available(&self) -> &[u8] {
        self.connection.as_ref().map_or(&[], |connection| connection.buffered())
    }

    fn consume(&mut self, n: usize) {
        if let Some(connection) = &mut self.connection {
            connection.meter().add(n);
            connection.consume(n);
            self.decoder.consume_content(n);
            // Readers that know the length never ask for the end.
            self.release_if_done();
        }
    }

    fn meter(&self) -> Option<&Arc<YieldMeter>> {
        self.connection.as_ref().map(|connection| connection.meter())
    }

    fn into_wire(self: Box<Self>) -> Option<Box<dyn ContentLayer>> {
        Some(self)
    }
}

/// For readers that go on after an error: it must not look like the end.
pub(super) fn failed_before() -> Error {
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
