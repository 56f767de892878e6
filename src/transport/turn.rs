//! Tasks take turns: content that is there at once does not keep the loop for itself.

use std::task::{Context, Poll};

/// How much content is handed out at a stretch: a fast server, or a few bytes that decode to gigabytes, could otherwise
/// keep one reader busy while every other task, and every timer, waits.
const STRETCH: usize = 1 << 20;

/// What the smallest piece counts for: chunks of one byte take time too.
const LEAST: usize = 64;

/// What a reader has had of its turn.
#[derive(Debug, Default)]
pub(super) struct Turn(usize);

impl Turn {
    /// Ready while something is left of the turn; else the others come first and the task is woken for its next one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 < STRETCH {
            return Poll::Ready(());
        }
        self.0 = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Counts content that was taken.
    pub(super) fn took(&mut self, n: usize) {
        self.0 = self.0.saturating_add(n.max(LEAST));
    }
}
