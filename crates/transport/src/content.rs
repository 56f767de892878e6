//! The content of a response as its reader sees it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_lite::{AsyncBufRead, AsyncRead};

use super::content_layer::ContentLayer;

/// The content of a response, with its codings undone if they were asked for.
///
/// This is the outermost reader in the sense of [`YieldMeter`](crate::YieldMeter). Errors are [`Error`](crate::error::Error)s inside
/// [`io::Error`]s; see [`body_error`](crate::body_error).
pub struct Content(Source);

enum Source {
    Own(Layers),
    /// Of a sender that is not ours.
    Other(Box<dyn AsyncBufRead + Send + Sync + Unpin>),
}

#[derive(Debug)]
struct Layers {
    outermost: Box<dyn ContentLayer>,
    handed_out: HandedOut,
}

/// What a reader was told last. Told again before it has consumed anything, it has to hear the same: `fill_buf` of
/// futures-lite polls twice and panics if the second poll is `Pending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HandedOut {
    /// This many bytes, 0 if it has consumed them or was told nothing.
    Bytes(usize),
    End,
}

impl Content {
    /// The content of a response that another client has received.
    pub fn from_reader(reader: impl AsyncBufRead + Send + Sync + Unpin + 'static) -> Content {
        Content(Source::Other(Box::new(reader)))
    }

    pub(super) fn new(layer: Box<dyn ContentLayer>) -> Content {
        Content(Source::Own(Layers { outermost: layer, handed_out: HandedOut::Bytes(0) }))
    }

    /// The content as it comes over the wire, if nothing of it was read yet: for readers that do not look at it.
    pub(crate) fn undecoded(self) -> Option<Content> {
        match self.0 {
            Source::Own(layers) => layers.outermost.into_wire().map(Content::new),
            Source::Other(_) => Some(self),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Own(layers) => layers.outermost.fmt(f),
            Source::Other(_) => f.write_str("Content"),
        }
    }
}

impl Layers {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(meter) = self.outermost.meter() {
            ready!(meter.poll_outermost(cx));
        }
        let polled = self.outermost.poll_available(cx);
        if let (Poll::Pending, Some(meter)) = (&polled, self.outermost.meter()) {
            meter.yielded();
        }
        polled
    }
}

impl AsyncBufRead for Content {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let layers = match &mut self.get_mut().0 {
            Source::Own(layers) => layers,
            Source::Other(reader) => return Pin::new(reader).poll_fill_buf(cx),
        };
        if layers.handed_out == HandedOut::Bytes(0) {
            layers.handed_out = match ready!(layers.poll(cx))? {
                0 => HandedOut::End,
                n => HandedOut::Bytes(n),
            };
        }
        let n = if let HandedOut::Bytes(n) = layers.handed_out { n } else { 0 };
        Poll::Ready(Ok(&layers.outermost.available()[..n]))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let layers = match &mut self.get_mut().0 {
            Source::Own(layers) => layers,
            Source::Other(reader) => return Pin::new(reader).consume(n),
        };
        if let HandedOut::Bytes(left) = &mut layers.handed_out {
            let n = n.min(*left);
            *left -= n;
            layers.outermost.consume(n);
        }
    }
}

impl AsyncRead for Content {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let content = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = content.len().min(out.len());
        out[..n].copy_from_slice(&content[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}
