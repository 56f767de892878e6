//! Waiting for time to pass, or no longer than that.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::FutureExt;

use super::current;
use super::timers::{Armed, Fired};

/// Resolves after this long. Other tasks run meanwhile, which they would not under [`std::thread::sleep`].
///
/// Accurate to about a millisecond, never early. Always gives way once; where the duration is zero, to all tasks that are
/// ready, as `asyncio.sleep(0)` does. A duration that reaches beyond what the clock can say never ends. Costs an entry in a
/// heap of this loop.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use roundup::event_loop::{EventLoop, sleep};
/// let start = Instant::now();
/// EventLoop::new().run(sleep(Duration::from_millis(5)));
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    let state = if duration.is_zero() { State::GiveWay } else { State::New };
    Sleep { at: Instant::now().checked_add(duration), state }
}

/// Resolves at this time, or at once, after the other tasks have had a turn, where it is over.
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep { at: Some(at), state: State::New }
}

/// Resolves when its time has come. Made by [`sleep`] and [`sleep_until`].
///
/// Works on any thread and under any executor: outside of a running [`EventLoop`](super::EventLoop) it is a timer of
/// async-io. After it has resolved it stays resolved.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    /// None: never.
    at: Option<Instant>,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    /// No time at all, but a turn for the others.
    GiveWay,
    GaveWay,
    /// Among the timers of the thread whose loop polled it.
    Armed(Armed),
    /// Among those of async-io.
    Reactor(Timer),
    Over,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        match &mut self.state {
            // The clock is not asked: one that is due already fires when the others have had their turn.
            State::New => {}
            State::GiveWay => {
                self.state = State::GaveWay;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            State::GaveWay | State::Over => {
                self.state = State::Over;
                return Poll::Ready(());
            }
            // Where no loop runs on this thread, nobody would fire it.
            State::Armed(armed) if current::is_running() => match armed.poll(cx.waker()) {
                Fired::NotYet => return Poll::Pending,
                Fired::Yes => {
                    self.state = State::Over;
                    return Poll::Ready(());
                }
                Fired::Elsewhere => {}
            },
            State::Armed(_) => {}
            State::Reactor(timer) => {
                if timer.poll(cx).is_ready() {
                    self.state = State::Over;
                    return Poll::Ready(());
                }
                return Poll::Pending;
            }
        }
        if current::is_running() {
            if let Some(armed) = Armed::new(at, cx.waker()) {
                self.state = State::Armed(armed);
                return Poll::Pending;
            }
        }
        let mut timer = Timer::at(at);
        if timer.poll(cx).is_ready() {
            self.state = State::Over;
            return Poll::Ready(());
        }
        self.state = State::Reactor(timer);
        Poll::Pending
    }
}

/// What `future` resolves to, or [`Elapsed`] where it takes longer than `limit`; it is dropped then, and so cancelled. The
/// time runs from the first poll.
///
/// # Errors
/// [`Elapsed`] when the time is over. A future that is ready when it is first polled always wins.
///
/// ```
/// # use std::time::Duration;
/// # use roundup::event_loop::{EventLoop, sleep, timeout};
/// EventLoop::new().run(async {
///     assert_eq!(timeout(Duration::from_secs(9), async { 7 }).await, Ok(7));
///     assert!(timeout(Duration::from_millis(5), sleep(Duration::from_secs(9))).await.is_err());
/// });
/// ```
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { limit, sleep: None, future }
}

/// The same, the time running from `start` on, which the caller knows already.
#[cfg(feature = "fetcher")]
pub(crate) fn timeout_from<F: Future>(start: Instant, limit: Duration, future: F) -> Timeout<F> {
    Timeout { limit, sleep: Some(Sleep { at: start.checked_add(limit), state: State::New }), future }
}

pin_project_lite::pin_project! {
    /// A future that is given up when its time is over. Made by [`timeout`].
    ///
    /// A type of its own, for an `async fn` keeps what it is given twice: the futures of a request would double with each
    /// limit around them, and they are moved a few times before they first run.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Timeout<F> {
        limit: Duration,
        sleep: Option<Sleep>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let sleep = this.sleep.get_or_insert_with(|| sleep(*this.limit));
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(sleep).poll(cx).map(|()| Err(Elapsed(*this.limit)))
    }
}

/// The time was over before the future was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(Duration);

impl Elapsed {
    /// The limit that was passed.
    pub fn limit(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not done within {}", crate::units::DisplayDuration(self.0))
    }
}

impl std::error::Error for Elapsed {}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_lite::future::{pending, poll_once};

    use super::*;
    use crate::event_loop::EventLoop;

    #[test]
    fn what_is_ready_wins_and_what_is_not_is_cancelled() {
        EventLoop::new().run(async {
            assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7));
            let limit = Duration::from_millis(1);
            let never = timeout(limit, pending::<()>()).await;
            assert_eq!(never, Err(Elapsed(limit)));
            assert_eq!(never.expect_err("elapsed").to_string(), "not done within 1ms");
        });
    }

    #[test]
    fn sleeps_end_in_the_order_in_which_they_are_due() {
        let event_loop = EventLoop::new();
        let log = std::rc::Rc::new(RefCell::new(Vec::new()));
        let start = Instant::now();
        event_loop.run(event_loop.gather([30u64, 10, 20, 0].map(|ms| {
            let log = log.clone();
            async move {
                sleep(Duration::from_millis(ms)).await;
                assert!(start.elapsed() >= Duration::from_millis(ms));
                log.borrow_mut().push(ms);
            }
        })));
        assert_eq!(*log.borrow(), [0, 10, 20, 30]);
    }

    #[test]
    fn no_time_at_all_still_gives_way_once() {
        EventLoop::new().run(async {
            let mut none = sleep(Duration::ZERO);
            assert!(poll_once(&mut none).await.is_none());
            assert!(poll_once(&mut none).await.is_some());
            assert!(poll_once(&mut none).await.is_some());
            let mut over = sleep_until(Instant::now());
            assert!(poll_once(&mut over).await.is_none());
            over.await;
            assert!(poll_once(sleep(Duration::MAX)).await.is_none());
        });
    }

    /// One that was due when async-io was to be told of it was taken for one that would fire.
    #[test]
    fn no_timer_is_lost_among_many() {
        let event_loop = EventLoop::new();
        let naps = (0..5_000u64).map(|n| sleep(Duration::from_micros(n % 700)));
        assert_eq!(event_loop.run(event_loop.gather(naps)).len(), 5_000);
    }

    #[test]
    fn one_that_was_armed_in_a_loop_goes_on_without_it_and_on_another_thread() {
        for elsewhere in [false, true] {
            let mut sleep = sleep(Duration::from_millis(20));
            let at = sleep.at.expect("a time");
            EventLoop::new().run(async { assert!(poll_once(&mut sleep).await.is_none()) });
            let mut rest = move || {
                futures_lite::future::block_on(&mut sleep);
                assert!(Instant::now() >= at);
            };
            if elsewhere { std::thread::spawn(rest).join().expect("no panic") } else { rest() }
        }
    }

    #[test]
    fn a_timer_whose_waker_owns_another_is_dropped_in_peace() {
        // The waker of the first owns the second: disarming the one drops the other.
        struct Owner(#[allow(dead_code)] std::sync::Mutex<Option<Armed>>);
        impl std::task::Wake for Owner {
            fn wake(self: std::sync::Arc<Self>) {}
        }
        let at = Instant::now() + Duration::from_secs(60);
        let inner = Armed::new(at, std::task::Waker::noop());
        let owner = std::task::Waker::from(std::sync::Arc::new(Owner(std::sync::Mutex::new(inner))));
        let outer = Armed::new(at, &owner).expect("the thread lives");
        drop(owner);
        assert!(matches!(outer.poll(std::task::Waker::noop()), Fired::NotYet));
        assert!(crate::event_loop::timers::next().is_some());
        drop(outer);
        assert!(crate::event_loop::timers::next().is_none());
    }
}
