//! Connections for protocols other than HTTP, made as those for requests are: names, addresses and TLS are the transport's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncWrite};

use crate::connection::Stream;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::http::Origin;
use crate::progress::Progress;
use crate::route::Route;
use crate::shared::Shared;
use crate::tls;
use crate::yield_meter::YieldMeter;

/// A connection that carries any bytes. Made by [`Transport::open_stream`](crate::Transport::open_stream).
///
/// What it reads is counted, so that a peer that sends without end does not keep the loop for itself.
#[derive(Debug)]
pub struct ByteStream(Stream);

impl Shared {
    /// A new connection to this origin, encrypted if its scheme is https.
    pub(crate) async fn stream(&self, origin: Origin, limit: Duration) -> Result<ByteStream> {
        tls::can_reach(&origin)?;
        let progress = Arc::<Progress>::default();
        let route = Route::direct(origin);
        let opened = Deadline::after(limit).watch(&progress, Box::pin(self.open(&route, &[], &progress))).await;
        Ok(ByteStream(opened?.into_stream()))
    }
}

impl ByteStream {
    fn meter(&self) -> Arc<YieldMeter> {
        match &self.0 {
            Stream::Plain(socket) => socket.meter().clone(),
            Stream::Tls(stream) => tls::socket(stream).meter().clone(),
        }
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let meter = self.meter();
        ready!(meter.poll_outermost(cx));
        let read = match &mut self.0 {
            Stream::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer).map_err(tls::described),
        };
        if read.is_pending() {
            meter.yielded();
        }
        read
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes).map_err(tls::described),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(socket) => Pin::new(socket).poll_close(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
