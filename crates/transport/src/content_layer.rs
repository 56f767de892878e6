//! A layer of the content of a response: as it comes over the wire, or with one coding undone.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::yield_meter::YieldMeter;

/// One layer; each reads from the one below it. None of them is the outermost reader: see [`YieldMeter`].
pub(super) trait ContentLayer: fmt::Debug + Send + Sync {
    /// Reads on; resolves to how many bytes of content are at the front of [`ContentLayer::available`], 0 at the end.
    fn poll_available(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// What was read and not consumed; the content is at its front.
    fn available(&self) -> &[u8];

    /// Takes the first `n` of the available bytes of content.
    fn consume(&mut self, n: usize);

    /// The meter of the connection, until that is gone.
    fn meter(&self) -> Option<&Arc<YieldMeter>>;

    /// The content as it comes over the wire, if nothing of it was read yet.
    fn into_wire(self: Box<Self>) -> Option<Box<dyn ContentLayer>>;
}
