//! The executor, and what is done between two of its tasks: timers are fired, and where nothing is ready, the loop is
//! put to sleep so that whatever comes next wakes it.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::Timer;
use futures_lite::future::yield_now;

use super::signal::{Idle, Main, Signal};
use super::task::Task;
use super::timers;
use super::watch::{TaskName, Tracked, Watch};

/// How many tasks are polled before the main future and the timers have their turn.
const BURST: usize = 61;

/// How many tasks are polled at most before sockets are looked at, which takes some system calls, or 2 us.
const ROUND: usize = 1_000;

/// How long they are polled at most before that: tasks that take their time must not keep the sockets waiting for a
/// thousand of them. Longer, and the other thread comes in between (see [`FIRST_LOOK`]).
const SLICE: Duration = Duration::from_micros(100);

/// How soon sockets are looked at after another thread woke the loop.
///
/// async-io has a thread of its own that waits for sockets wherever nobody else does, and looks for that after 50, 75,
/// 100, 250, 500 us and so on, up to 10 ms, beginning anew whenever it had to. A loop that is busy for longer than these
/// 50 us finds the sockets taken, sleeps, is woken by that thread, and is busy again: every event then costs two switches
/// between threads and the system calls of both. With its first looks in time, the loop has the sockets to itself.
const FIRST_LOOK: Duration = Duration::from_micros(25);

/// For how long looks are hastened: until the other thread comes every 10 ms alone.
const HASTE: Duration = Duration::from_millis(12);

/// What an [`EventLoop`](super::EventLoop) and its handles share.
pub(super) struct Core {
    /// Resolves never; polled where nothing is ready. Before the executor, which it holds on to.
    idle: RefCell<Pin<Box<dyn Future<Output = ()>>>>,
    executor: Rc<LocalExecutor<'static>>,
    /// The timer of async-io that stands for the earliest of ours.
    armed: RefCell<Option<(Instant, Timer)>>,
    pub(super) signal: Arc<Signal>,
    /// When another thread last woke this one, unless that is long ago.
    hastened: Cell<Option<Instant>>,
    /// See [`Core::turn_began`].
    turn: Cell<Option<Instant>>,
    /// The thread that the signal knows to be blocked, for that is looked at in every turn.
    blocked: RefCell<Option<Waker>>,
    idle_signal: Arc<Idle>,
    idle_waker: Waker,
    /// Wakes the task that stands in line for the main future, once it has stood there; set where there is one.
    stand_in: OnceCell<Rc<OnceCell<Waker>>>,
    /// For the timer.
    waker: Waker,
    main: Waker,
    pub(super) watch: Option<Watch>,
}

impl Core {
    pub(super) fn new(watch: Option<Watch>) -> Core {
        let executor = Rc::new(LocalExecutor::new());
        let signal = Signal::new();
        let idle = {
            let executor = executor.clone();
            async move {
                loop {
                    // Leaves a waker with the executor. A task that another thread woke just now is run here; then what
                    // called this is to look again.
                    executor.tick().await;
                    yield_now().await;
                }
            }
        };
        let idle_signal = Idle::new(signal.clone());
        Core {
            idle: RefCell::new(Box::pin(idle)),
            executor,
            armed: RefCell::new(None),
            idle_waker: Waker::from(idle_signal.clone()),
            idle_signal,
            blocked: RefCell::default(),
            stand_in: OnceCell::new(),
            waker: Waker::from(signal.clone()),
            main: Waker::from(Arc::new(Main(signal.clone()))),
            signal,
            hastened: Cell::new(None),
            turn: Cell::new(None),
            watch,
        }
    }

    pub(super) fn spawn<T: 'static>(
        &self,
        name: Option<TaskName>,
        place: &'static Location<'static>,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        let task = match &self.watch {
            None => self.executor.spawn(future),
            Some(watch) => self.executor.spawn(watch.add(name, place).follow(future)),
        };
        Task::new(task, place)
    }

    /// Polls `main` and the tasks until `main` has ended, or nothing is ready, or the sockets are due for a look.
    pub(super) fn poll_until<F: Future>(
        &self,
        mut main: Pin<&mut F>,
        mut tracked: Option<&mut Tracked>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        if !self.blocked.borrow().as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *self.blocked.borrow_mut() = Some(cx.waker().clone());
            self.signal.block(cx.waker());
        }
        self.pause();
        timers::fire();
        let mut polls = 0;
        let began = Instant::now();
        let time = self.haste(began).unwrap_or(SLICE);
        self.turn.set(Some(began));
        let mut pace = Pace::new(began);
        let mut is_time = || {
            let Some(now) = pace.polled(Instant::now) else { return false };
            self.turn.set(Some(now));
            now.saturating_duration_since(began) >= time
        };
        'round: while polls < ROUND {
            self.signal.run();
            if self.signal.take_main() {
                let cx = &mut Context::from_waker(&self.main);
                let polled = match &mut tracked {
                    None => main.as_mut().poll(cx),
                    Some(tracked) => tracked.poll(main.as_mut(), cx),
                };
                if polled.is_ready() {
                    return polled;
                }
                self.line_up_main();
                polls += 1;
                // Mostly it is polled once, and what it has waited for is to be told by the reactor. By a timer or by another
                // thread it may be woken again and again, with no task between that would ask the clock.
                if polls > 1 && is_time() {
                    break;
                }
            }
            let mut burst = 0;
            while burst < BURST && self.executor.try_tick() {
                burst += 1;
                if is_time() {
                    break 'round;
                }
            }
            polls += burst;
            if burst == BURST {
                self.fire();
            } else if self.fall_asleep() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A main future that was woken while it was polled gives way: to all tasks that are ready now, as many as they are and
    /// however long they take, as with `asyncio.sleep(0)`. So its next turn stands in line behind theirs.
    fn line_up_main(&self) {
        if !self.signal.take_main() {
            return;
        }
        if let Some(stand_in) = self.stand_in.get() {
            // One that was never polled is in line already.
            stand_in.get().inspect(|waker| waker.wake_by_ref());
            return;
        }
        let (signal, waker) = (self.signal.clone(), self.stand_in.get_or_init(Rc::default).clone());
        let stand_in = std::future::poll_fn::<(), _>(move |cx| {
            waker.get_or_init(|| cx.waker().clone());
            signal.wake_main();
            Poll::Pending
        });
        self.executor.spawn(stand_in).detach();
    }

    /// No thread is blocked any more.
    pub(super) fn unblock(&self) {
        *self.blocked.borrow_mut() = None;
        self.signal.unblock();
    }

    /// For how long tasks are polled before sockets are looked at, where that is less than usual.
    fn haste(&self, now: Instant) -> Option<Duration> {
        if self.signal.take_elsewhere() {
            self.hastened.set(Some(now));
        }
        let woken = self.hastened.get()?;
        let since = now.saturating_duration_since(woken);
        if since >= HASTE {
            self.hastened.set(None);
            return None;
        }
        // Within the next look of the other thread, which comes after half of the time that has passed or more.
        Some(FIRST_LOOK.max(since / 4).min(SLICE))
    }

    /// Since when the task that is polled now has its turn, as far as the clock was asked; a few short polls may have come
    /// before it.
    #[cfg(feature = "transport")]
    pub(super) fn turn_began(&self) -> Option<Instant> {
        self.turn.get()
    }

    /// Polls tasks until `go_on`, which is asked with the number of polls after each, says no, or nothing is ready. True
    /// where more may be ready.
    pub(super) fn poll_while(&self, mut go_on: impl FnMut(usize) -> bool) -> bool {
        let mut polls = 0;
        // The host has its own idea of time.
        self.turn.set(None);
        self.pause();
        loop {
            self.signal.run();
            self.fire();
            while self.executor.try_tick() {
                polls += 1;
                if !go_on(polls) {
                    return true;
                }
                if polls % BURST == 0 {
                    self.fire();
                }
            }
            if self.fall_asleep() {
                return false;
            }
        }
    }

    /// Sees to it that the host is told when there is something to do, which may be now.
    pub(super) fn hand_over(&self) {
        if self.signal.has_host() {
            self.signal.run();
            if !self.fall_asleep() {
                self.signal.insist();
            }
        }
    }

    /// False where something has become ready meanwhile. Otherwise the next wake-up is passed on.
    fn fall_asleep(&self) -> bool {
        if self.signal.is_notified() || self.fire() {
            return false;
        }
        // The executor still knows whom to wake where it has not done so.
        if self.idle_signal.take_woken() {
            let _ = self.idle.borrow_mut().as_mut().poll(&mut Context::from_waker(&self.idle_waker));
        }
        self.arm(&mut Context::from_waker(&self.waker));
        self.signal.sleep()
    }

    /// Fires timers, and says whether there were any. To fire many takes its time.
    fn fire(&self) -> bool {
        let fired = timers::fire();
        if fired {
            self.pause();
        }
        fired
    }

    /// What the thread does now is no task's doing.
    fn pause(&self) {
        if let Some(watch) = &self.watch {
            watch.pause();
        }
    }

    /// Has async-io wake the loop when the earliest timer is due.
    fn arm(&self, cx: &mut Context<'_>) {
        let mut armed = self.armed.borrow_mut();
        let Some(at) = timers::next() else {
            *armed = None;
            return;
        };
        // One that is due earlier, for a timer that was disarmed since, is left alone: most of them are, and to wake up
        // once too often costs less than to tell the reactor of each.
        if let Some((due, timer)) = &mut *armed {
            if *due <= at && Pin::new(timer).poll(cx).is_pending() {
                return;
            }
        }
        let mut timer = Timer::at(at);
        // One that has fired is never ready again.
        *armed = match Pin::new(&mut timer).poll(cx) {
            Poll::Ready(_) => {
                self.signal.notify();
                None
            }
            Poll::Pending => Some((at, timer)),
        };
    }
}

/// How often the clock is asked: after every poll, for a single one can take long, but where they have been short after
/// up to [`Pace::MOST`] of them.
struct Pace {
    stride: u32,
    left: u32,
    last: Instant,
}

impl Pace {
    const MOST: u32 = 16;
    /// So long a stride is short.
    const SHORT: Duration = Duration::from_micros(5);

    fn new(now: Instant) -> Pace {
        Pace { stride: 1, left: 1, last: now }
    }

    /// After a poll: what time it is, where that was worth a look.
    fn polled(&mut self, clock: impl FnOnce() -> Instant) -> Option<Instant> {
        self.left -= 1;
        if self.left > 0 {
            return None;
        }
        let now = clock();
        let short = now.saturating_duration_since(self.last) < Pace::SHORT;
        self.stride = if short { (self.stride * 2).min(Pace::MOST) } else { 1 };
        (self.left, self.last) = (self.stride, now);
        Some(now)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("executor", &self.executor).field("watched", &self.watch.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::super::current::Entered;
    use super::*;
    use crate::event_loop::{EventLoop, sleep};

    /// The clock was asked after tasks alone: a main future that has content at hand kept the sockets of all tasks waiting
    /// for a thousand of its turns.
    #[test]
    fn a_busy_main_future_does_not_keep_the_sockets_waiting() {
        let spin = || {
            let began = Instant::now();
            while began.elapsed() < SLICE {}
        };
        let polls = Cell::new(0);
        let turns_until_a_look = |main: Pin<&mut dyn Future<Output = ()>>| {
            let core = Rc::new(Core::new(None));
            let _entered = Entered::new(&core, "a test");
            polls.set(0);
            core.signal.wake_main();
            assert!(core.poll_until(pin!(main), None, &mut Context::from_waker(Waker::noop())).is_pending());
            polls.get()
        };
        let yields = pin!(std::future::poll_fn(|cx| {
            polls.set(polls.get() + 1);
            spin();
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        // The clock is asked after what stands in line for it.
        assert_eq!(turns_until_a_look(yields), 1);
        let naps = pin!(async {
            loop {
                polls.set(polls.get() + 1);
                spin();
                sleep(Duration::from_nanos(1)).await;
            }
        });
        assert_eq!(turns_until_a_look(naps), 2);
    }

    /// The main future went on after 61 tasks, or after a look at the sockets, before others that had been ready as long as
    /// it: one that had yielded found that those it had spawned had not begun.
    #[test]
    fn who_yields_lets_all_others_have_their_turn_as_many_as_they_are_and_however_long_they_take() {
        let event_loop = EventLoop::new();
        let turns = Rc::new(Cell::new(0));
        event_loop.run(async {
            for (number, time) in [(3, 2 * SLICE), (1_000, Duration::ZERO), (70, SLICE / 2)] {
                turns.set(0);
                for _ in 0..number {
                    let turns = turns.clone();
                    let task = async move {
                        let began = Instant::now();
                        while began.elapsed() < time {}
                        turns.set(turns.get() + 1);
                    };
                    event_loop.spawn(task).detach();
                }
                if number == 3 {
                    yield_now().await
                } else {
                    sleep(Duration::ZERO).await
                }
                assert_eq!(turns.get(), number);
            }
        });
    }

    #[test]
    fn the_clock_is_asked_less_where_polls_are_short() {
        let start = Instant::now();
        let mut now = start;
        let mut pace = Pace::new(start);
        let mut asked = |polls: u32, each: Duration| {
            (0..polls)
                .filter(|_| {
                    now += each;
                    pace.polled(|| now).is_some()
                })
                .count()
        };
        assert_eq!(asked(61, Duration::from_nanos(100)), 6, "after 1, 3, 7, 15, 31 and 47 of them");
        assert_eq!(asked(2, Duration::from_micros(200)), 1, "the stride that was begun");
        assert_eq!(asked(10, Duration::from_micros(200)), 10);
        assert_eq!(asked(10, Duration::from_micros(3)), 7);
    }
}
