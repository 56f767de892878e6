//! Tasks take turns: content that is there at once does not keep the loop for itself.

use std::task::{Context, Poll};

use crate::event_loop::turn_is_over;

/// After so much content it is asked whether the turn is over: a fast server, or a few bytes that decode to gigabytes,
/// could otherwise keep one reader busy while every other task, and every timer, waits.
const STRETCH: usize = 128 * 1024;

/// After so many stretches it is over, whatever the clock says.
const MOST: u32 = 32;

/// What the smallest piece counts for: chunks of one byte take time too.
const LEAST: usize = 64;

/// What a reader has had of its turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    stretches: u32,
    /// What was handed out of this one.
    taken: usize,
}

impl Turn {
    /// Ready while something is left of the turn; else the others come first and the task is woken for its next one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.taken < STRETCH {
            return Poll::Ready(());
        }
        self.taken = 0;
        self.stretches += 1;
        if self.stretches < MOST && !turn_is_over() {
            return Poll::Ready(());
        }
        self.stretches = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Counts content that was taken.
    pub(super) fn took(&mut self, n: usize) {
        self.taken = self.taken.saturating_add(n.max(LEAST));
    }
}
