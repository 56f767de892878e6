//! Counts the work of one task since it last yielded, so that no server keeps the loop for itself.
//!
//! Work is bytes read as well as bytes made: a decoder can take megabytes and make nothing of them, TLS records can be
//! empty, and a chunk can be one byte in kilobytes of framing. Every layer between the socket and the content counts with
//! the same meter. See [`YieldMeter`] for how a yield gets through a layer that is not ours.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::task::{Context, Poll, ready};

use crate::event_loop::should_yield;

/// After this much work the meter looks at the clock. The unit is about what it takes to pass on one byte.
const WORK_UNTIL_LOOK: usize = 128 * 1024;

/// After this many looks the yield is due, whatever the clock says.
const MOST_LOOKS: u32 = 32;

/// The least that one step counts for: a read, a piece of content, a chunk size.
const LEAST: usize = 1024;

/// What a byte counts for that a decoder takes. The worst that is known are empty blocks of deflate with fixed codes: ten
/// bits each, for which miniz_oxide fills its tables anew. That is 1.6 us a byte on a fast machine, and 2 ns for a stored
/// block; an empty gzip member is 0.1 us a byte.
pub(super) const PER_CODED_BYTE: usize = 512;

/// The most that a decoder is given at once: what fits between two looks. It takes all of that before anything else can be
/// done, so it has to be short by itself: 0.4 ms at 1.6 us a byte. Content as it usually is takes 11 % longer to decode in
/// such pieces than in pieces of 16 KiB, which could take 26 ms.
pub(super) const MOST_CODED: usize = WORK_UNTIL_LOOK / PER_CODED_BYTE;

/// What a byte counts for that TLS takes. A change of keys is 27 bytes and takes 5 us. rustls reads 4 KiB at once.
#[cfg(any(feature = "tls", test))]
pub(super) const PER_TLS_BYTE: usize = 32;

/// What a byte of chunk framing counts for, because each is looked at.
pub(super) const PER_FRAMING_BYTE: usize = 16;

/// Counts work and says when to yield.
///
/// Layers count with [`YieldMeter::add`] and ask `poll_ready` before they go on, which is `Pending` if a yield
/// is due. A decoder or a TLS session between them may swallow that `Pending`, because it has made a few bytes before. So a
/// yield stays due, and all layers below are `Pending`, until the outermost reader has yielded: it asks
/// `poll_outermost` at the start of each of its polls, and calls `yielded` when it returns
/// `Pending` for any reason.
///
/// Atomic because contents can be sent to another thread; it is used by one at a time.
#[derive(Debug, Default)]
pub struct YieldMeter {
    /// Since the last look at the clock.
    work: AtomicUsize,
    /// Since the last yield.
    looks: AtomicU32,
    due: AtomicBool,
}

impl YieldMeter {
    /// Counts one step and the work that it was.
    pub fn add(&self, work: usize) {
        self.work.store(self.work.load(Relaxed).saturating_add(work.max(LEAST)), Relaxed);
    }

    /// `Pending` if a yield is due; the task is then woken for its next turn.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_due() && self.has_time(should_yield) {
            return Poll::Ready(());
        }
        self.due.store(true, Relaxed);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// For the outermost reader: `Pending` if a yield is due that something below has swallowed.
    pub(crate) fn poll_outermost(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_due() {
            return Poll::Ready(());
        }
        self.yielded();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// For the outermost reader: it returns `Pending`, so other tasks have their turn.
    pub(crate) fn yielded(&self) {
        self.work.store(0, Relaxed);
        self.looks.store(0, Relaxed);
        self.due.store(false, Relaxed);
    }

    /// Runs a future as the outermost reader of this meter.
    pub(super) async fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            ready!(self.poll_outermost(cx));
            let polled = future.as_mut().poll(cx);
            if polled.is_pending() {
                self.yielded();
            }
            polled
        })
        .await
    }

    /// Yields if that is due, for loops whose reader counts nothing.
    pub async fn yield_if_due(&self) {
        self.run(poll_fn(|cx| self.poll_ready(cx))).await;
    }

    pub(super) fn is_due(&self) -> bool {
        self.due.load(Relaxed)
    }

    fn has_time(&self, turn_is_over: impl FnOnce() -> bool) -> bool {
        if self.work.load(Relaxed) < WORK_UNTIL_LOOK {
            return true;
        }
        self.work.store(0, Relaxed);
        let looks = self.looks.load(Relaxed) + 1;
        self.looks.store(looks, Relaxed);
        looks < MOST_LOOKS && !turn_is_over()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn the_clock_is_asked_by_work_and_is_not_believed_for_ever() {
        let meter = YieldMeter::default();
        let steps_until_a_look = |work: usize| {
            let mut steps = 0;
            let looked = std::cell::Cell::new(false);
            while !looked.get() {
                steps += 1;
                meter.add(work);
                meter.has_time(|| {
                    looked.set(true);
                    false
                });
            }
            steps
        };
        assert_eq!(steps_until_a_look(16 * 1024), 8);
        assert_eq!(steps_until_a_look(1), 128);
        assert_eq!(steps_until_a_look(MOST_CODED * PER_CODED_BYTE), 1);
        meter.yielded();
        let mut looks = 0;
        loop {
            meter.add(WORK_UNTIL_LOOK);
            looks += 1;
            if !meter.has_time(|| false) {
                break;
            }
        }
        assert_eq!(looks, MOST_LOOKS);
    }

    #[test]
    fn a_yield_stays_due_until_the_outermost_reader_has_yielded() {
        let meter = YieldMeter::default();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(meter.poll_ready(&mut cx).is_ready());
        // Outside of a loop it is not known what time the task has had, so it is over at the first look.
        meter.add(WORK_UNTIL_LOOK);
        for _ in 0..3 {
            assert!(meter.poll_ready(&mut cx).is_pending(), "swallowed as often as one likes");
        }
        assert!(meter.poll_outermost(&mut cx).is_pending());
        assert!(meter.poll_outermost(&mut cx).is_ready());
        assert!(meter.poll_ready(&mut cx).is_ready());
    }
}
