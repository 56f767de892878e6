//! Waiting for time to pass, and time limits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::FutureExt;

use crate::current;
use crate::timers::{ArmedTimer, TimerState};

/// Resolves after this time: `asyncio.sleep`. Other tasks run meanwhile, unlike with [`std::thread::sleep`].
///
/// Accurate to about a millisecond, and never early. It always yields at least once; with a duration of zero to all tasks
/// that are ready, as `asyncio.sleep(0)` does. It never ends if the duration reaches beyond what the clock can express.
/// Costs an entry in the heap of this thread's timers.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use roundup_event_loop::{EventLoop, sleep};
/// let start = Instant::now();
/// EventLoop::new().run(sleep(Duration::from_millis(5)));
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    let state = if duration.is_zero() { SleepState::Yield } else { SleepState::New };
    Sleep { at: Instant::now().checked_add(duration), state }
}

/// Resolves at this time. If it has passed already, yields to other tasks once.
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep { at: Some(at), state: SleepState::New }
}

/// The future of [`sleep`] and [`sleep_until`]. After it has resolved it stays resolved.
///
/// Works on any thread and under any executor: outside of a running [`EventLoop`](crate::EventLoop) it is a timer of
/// async-io.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    /// None: never.
    at: Option<Instant>,
    state: SleepState,
}

#[derive(Debug)]
enum SleepState {
    New,
    /// Of no duration, and has not yielded yet.
    Yield,
    Yielded,
    /// A timer of the thread whose loop polled it.
    OnLoop(ArmedTimer),
    /// A timer of async-io.
    OnReactor(Timer),
    Ended,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        match &mut self.state {
            // The clock is not read: a timer that is due already fires after the other tasks have been polled.
            SleepState::New => {}
            SleepState::Yield => {
                self.state = SleepState::Yielded;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            SleepState::Yielded | SleepState::Ended => return self.end(),
            SleepState::OnLoop(timer) if current::is_running() => match timer.poll(cx.waker()) {
                TimerState::Armed => return Poll::Pending,
                TimerState::Fired => return self.end(),
                TimerState::OnOtherThread => {}
            },
            // No loop runs on this thread that would fire it.
            SleepState::OnLoop(_) => {}
            SleepState::OnReactor(timer) => {
                return if timer.poll(cx).is_ready() { self.end() } else { Poll::Pending };
            }
        }
        if current::is_running() {
            if let Some(timer) = ArmedTimer::new(at, cx.waker()) {
                self.state = SleepState::OnLoop(timer);
                return Poll::Pending;
            }
        }
        let mut timer = Timer::at(at);
        if timer.poll(cx).is_ready() {
            return self.end();
        }
        self.state = SleepState::OnReactor(timer);
        Poll::Pending
    }
}

impl Sleep {
    fn end(&mut self) -> Poll<()> {
        self.state = SleepState::Ended;
        Poll::Ready(())
    }
}

/// Resolves to the output of `future`, or to [`Elapsed`] if it takes longer than `limit`: `asyncio.wait_for`. The future is
/// dropped then, and so cancelled. The time runs from the first poll.
///
/// # Errors
/// [`Elapsed`] after the limit. A future that is ready when it is first polled always wins.
///
/// ```
/// # use std::time::Duration;
/// # use roundup_event_loop::{EventLoop, sleep, timeout};
/// EventLoop::new().run(async {
///     assert_eq!(timeout(Duration::from_secs(9), async { 7 }).await, Ok(7));
///     assert!(timeout(Duration::from_millis(5), sleep(Duration::from_secs(9))).await.is_err());
/// });
/// ```
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { limit, sleep: None, future }
}

pin_project_lite::pin_project! {
    /// The future of [`timeout`].
    ///
    /// It is a type and not an `async fn`, because an `async fn` stores its arguments twice: a future would double in size
    /// with each limit around it.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Timeout<F> {
        limit: Duration,
        sleep: Option<Sleep>,
        #[pin]
        future: F,
    }
}

impl<F> Timeout<F> {
    /// Measures the limit from `start` on and not from the first poll, for a limit that several steps share.
    pub fn since(self, start: Instant) -> Timeout<F> {
        let sleep = Sleep { at: start.checked_add(self.limit), state: SleepState::New };
        Timeout { sleep: Some(sleep), ..self }
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

/// The error of [`timeout`]: the future took longer than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(Duration);

impl Elapsed {
    /// The limit.
    pub fn limit(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not done within {:?}", self.0)
    }
}

impl std::error::Error for Elapsed {}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_lite::future::{pending, poll_once};

    use super::*;
    use crate::EventLoop;

    #[test]
    fn a_future_that_is_ready_wins_and_one_that_is_not_is_cancelled() {
        EventLoop::new().run(async {
            assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7));
            let limit = Duration::from_millis(1);
            let never = timeout(limit, pending::<()>()).await;
            assert_eq!(never, Err(Elapsed(limit)));
            assert_eq!(never.expect_err("elapsed").to_string(), "not done within 1ms");
        });
    }

    #[test]
    fn a_limit_that_began_earlier_ends_earlier() {
        EventLoop::new().run(async {
            let limit = Duration::from_millis(5);
            let start = Instant::now().checked_sub(limit).expect("the clock began earlier");
            assert_eq!(timeout(limit, async { 7 }).since(start).await, Ok(7));
            assert_eq!(timeout(limit, pending::<()>()).since(start).await, Err(Elapsed(limit)));
            assert!(poll_once(timeout(Duration::MAX, pending::<()>()).since(start)).await.is_none());
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
    fn a_sleep_of_no_duration_yields_once() {
        EventLoop::new().run(async {
            let mut none = sleep(Duration::ZERO);
            assert!(poll_once(&mut none).await.is_none());
            assert!(poll_once(&mut none).await.is_some());
            assert!(poll_once(&mut none).await.is_some());
            let mut past = sleep_until(Instant::now());
            assert!(poll_once(&mut past).await.is_none());
            past.await;
            assert!(poll_once(sleep(Duration::MAX)).await.is_none());
        });
    }

    /// A timer that was due by the time async-io was told of it was taken for one that would still fire.
    #[test]
    fn no_timer_is_lost_among_many() {
        let event_loop = EventLoop::new();
        let naps = (0..5_000u64).map(|n| sleep(Duration::from_micros(n % 700)));
        assert_eq!(event_loop.run(event_loop.gather(naps)).len(), 5_000);
    }

    #[test]
    fn a_sleep_that_began_in_a_loop_ends_without_it_and_on_another_thread() {
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
    fn dropping_a_timer_may_drop_another_one_that_its_waker_owns() {
        struct Owner(#[allow(dead_code)] std::sync::Mutex<Option<ArmedTimer>>);
        impl std::task::Wake for Owner {
            fn wake(self: std::sync::Arc<Self>) {}
        }
        let at = Instant::now() + Duration::from_secs(60);
        let inner = ArmedTimer::new(at, std::task::Waker::noop());
        let owner = std::task::Waker::from(std::sync::Arc::new(Owner(std::sync::Mutex::new(inner))));
        let outer = ArmedTimer::new(at, &owner).expect("the thread is not ending");
        drop(owner);
        assert!(matches!(outer.poll(std::task::Waker::noop()), TimerState::Armed));
        assert!(crate::timers::earliest().is_some());
        drop(outer);
        assert!(crate::timers::earliest().is_none());
    }
}
