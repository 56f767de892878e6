//! When a request must be done, and what to say where it is not.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Timer;

use super::trace::Trace;
use crate::error::{Error, Kind, Phase};
use crate::units::DisplayDuration;

/// One timer that goes with a request from its start to the last byte of the response.
#[derive(Debug)]
pub(super) struct Deadline {
    timer: Option<Timer>,
    at: Option<Instant>,
    limit: Duration,
}

impl Deadline {
    /// This long from now; never, where that is beyond what the clock can say.
    pub(super) fn after(limit: Duration) -> Deadline {
        Deadline::new(Instant::now().checked_add(limit), limit)
    }

    /// At `at`, or never. `limit` is what the user set, for the message.
    pub(super) fn new(at: Option<Instant>, limit: Duration) -> Deadline {
        Deadline { timer: at.map(Timer::at), at, limit }
    }

    /// Ready when the time is over: with the error that says in which phase.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, trace: &Trace) -> Poll<Error> {
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        Pin::new(timer).poll(cx).map(|_| timed_out(self.limit, trace))
    }

    /// The error where the time is over. For those who are never made to wait, and so never poll.
    pub(super) fn check(&self, trace: &Trace) -> Result<(), Error> {
        match self.at {
            Some(at) if Instant::now() >= at => Err(timed_out(self.limit, trace)),
            _ => Ok(()),
        }
    }

    /// The future's result, or the error where the time is over before it is there.
    pub(super) async fn watch<T>(
        &mut self,
        trace: &Trace,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll(cx, trace).map(Err),
        })
        .await
    }
}

fn timed_out(limit: Duration, trace: &Trace) -> Error {
    let progress = trace.progress();
    let text = format!("timed out after {} while {}", DisplayDuration(limit), progress.phase.doing());
    let error = Error::new(Kind::Timeout, text).in_phase(progress.phase);
    match trace.peer() {
        // Before that, a peer is that of another request of the same trace.
        Some(peer) if progress.phase >= Phase::Connect => error.with_peer(peer),
        _ => error,
    }
}
