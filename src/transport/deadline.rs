//! When a request must be done, and what to say where it is not.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::trace::Trace;
use crate::error::{Error, Kind, Phase};
use crate::event_loop::{Sleep, sleep_until};
use crate::units::DisplayDuration;

/// One timer that goes with a request from its start to the last byte of the response.
///
/// In a box, for it is moved often, and mostly the caller sees to the time.
#[derive(Debug)]
pub(super) struct Deadline(Option<Box<Timer>>);

#[derive(Debug)]
struct Timer {
    sleep: Sleep,
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// This long from now; never, where that is beyond what the clock can say.
    pub(super) fn after(limit: Duration) -> Deadline {
        Deadline::new(Instant::now().checked_add(limit), limit)
    }

    /// For those whose callers see to it.
    pub(super) fn never() -> Deadline {
        Deadline(None)
    }

    /// At `at`, or never. `limit` is what the user set, for the message.
    pub(super) fn new(at: Option<Instant>, limit: Duration) -> Deadline {
        Deadline(at.map(|at| Box::new(Timer { sleep: sleep_until(at), at, limit })))
    }

    /// Ready when the time is over: with the error that says in which phase.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, trace: &Trace) -> Poll<Error> {
        let Some(timer) = &mut self.0 else { return Poll::Pending };
        Pin::new(&mut timer.sleep).poll(cx).map(|()| timed_out(timer.limit, trace))
    }

    /// The error where the time is over. For those who are never made to wait, and so never poll.
    pub(super) fn check(&self, trace: &Trace) -> Result<(), Error> {
        match &self.0 {
            Some(timer) if Instant::now() >= timer.at => Err(timed_out(timer.limit, trace)),
            _ => Ok(()),
        }
    }

    /// The future's result, or the error where the time is over before it is there.
    pub(super) fn watch<'a, F>(&'a mut self, trace: &'a Trace, future: F) -> Watch<'a, F> {
        Watch { deadline: self, trace, future }
    }
}

pin_project_lite::pin_project! {
    /// See [`Deadline::watch`]. A type of its own, for an `async fn` would hold the future twice.
    pub(super) struct Watch<'a, F> {
        deadline: &'a mut Deadline,
        trace: &'a Trace,
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
            Poll::Pending => this.deadline.poll(cx, this.trace).map(Err),
        }
    }
}

/// What to say of a request that was not done within its time.
pub(crate) fn timed_out(limit: Duration, trace: &Trace) -> Error {
    let progress = trace.progress();
    let text = format!("timed out after {} while {}", DisplayDuration(limit), progress.phase.doing());
    let error = Error::new(Kind::Timeout, text).in_phase(progress.phase);
    match trace.peer() {
        // Before that, a peer is that of another request of the same trace.
        Some(peer) if progress.phase >= Phase::Connect => error.with_peer(peer),
        _ => error,
    }
}
