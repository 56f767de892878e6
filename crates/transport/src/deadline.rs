//! When a request must be done, and the error if it is not.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::progress::Progress;
use crate::error::{Error, Kind, Phase};
use crate::event_loop::{Sleep, sleep_until};
use crate::units::DisplayDuration;

/// One timer that goes with a request from its start to the last byte of the response.
///
/// Boxed, because it is moved often and mostly empty: the caller keeps the time.
#[derive(Debug)]
pub(super) struct Deadline(Option<Box<Timer>>);

#[derive(Debug)]
struct Timer {
    sleep: Sleep,
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// This long from now; never, if that is beyond what the clock can say.
    pub(super) fn after(limit: Duration) -> Deadline {
        Deadline::new(Instant::now().checked_add(limit), limit)
    }

    /// No deadline: the caller keeps the time.
    pub(super) fn never() -> Deadline {
        Deadline(None)
    }

    /// At `at`, or never. `limit` is what the user set, for the message.
    pub(super) fn new(at: Option<Instant>, limit: Duration) -> Deadline {
        Deadline(at.map(|at| Box::new(Timer { sleep: sleep_until(at), at, limit })))
    }

    /// Ready when the time is over: with the error that says in which phase.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, progress: &Progress) -> Poll<Error> {
        let Some(timer) = &mut self.0 else { return Poll::Pending };
        Pin::new(&mut timer.sleep).poll(cx).map(|()| timed_out(timer.limit, progress))
    }

    /// The error if the time is over. For readers that always find data, and so never poll the timer.
    pub(super) fn check(&self, progress: &Progress) -> Result<(), Error> {
        match &self.0 {
            Some(timer) if Instant::now() >= timer.at => Err(timed_out(timer.limit, progress)),
            _ => Ok(()),
        }
    }

    /// The future's result, or the error if the time is over before.
    pub(super) fn watch<'a, F>(&'a mut self, progress: &'a Progress, future: F) -> Watch<'a, F> {
        Watch { deadline: self, progress, future }
    }
}

pin_project_lite::pin_project! {
    /// See [`Deadline::watch`]. A type of its own, because an `async fn` would hold the future twice.
    pub(super) struct Watch<'a, F> {
        deadline: &'a mut Deadline,
        progress: &'a Progress,
        #[pin]
        future: F,
    }
}

impl<T, F: Future<Output = Result<T, Error>>> Future for Watch<'_, F> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.future.poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => this.deadline.poll(cx, this.progress).map(Err),
        }
    }
}

/// The error of a request that was not done within its time.
pub fn timed_out(limit: Duration, progress: &Progress) -> Error {
    let snapshot = progress.snapshot();
    let text = format!("timed out after {} while {}", DisplayDuration(limit), snapshot.phase.doing());
    let error = Error::new(Kind::Timeout, text).in_phase(snapshot.phase);
    match progress.peer() {
        // Before that phase, the peer is that of an earlier request in a chain of redirects.
        Some(peer) if snapshot.phase >= Phase::Connect => error.with_peer(peer),
        _ => error,
    }
}
