//! The executor, and what happens between two of its tasks: timers fire, and if nothing is ready, the loop goes to sleep so
//! that the next event wakes it.

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

use crate::notifier::{MainWaker, Notifier};
use crate::task::Task;
use crate::timers;
use crate::watch::{TaskName, TaskWatch, Tracked};

/// How many tasks are polled before the main future and the timers get a turn.
const MAIN_INTERVAL: usize = 61;

/// How many polls there are at most between two looks at the sockets. A look takes a few system calls, or 2 us.
const IO_INTERVAL_POLLS: usize = 1_000;

/// How much time passes at most between two looks at the sockets, because a thousand slow polls would keep them waiting for
/// too long. With a longer interval, async-io's thread comes in between (see [`FIRST_LOOK`]).
const IO_INTERVAL: Duration = Duration::from_micros(100);

/// How soon sockets are looked at after another thread woke the loop.
///
/// async-io has a thread of its own that waits for sockets when no other thread does. It checks for that after 50, 75,
/// 100, 250, 500 us and so on, up to 10 ms, and starts over whenever it had to wait. A loop that is busy for longer than
/// these 50 us finds the sockets taken, sleeps, is woken by that thread, and is busy again: every event then costs two
/// switches between threads and the system calls of both. If the loop looks before that thread does, it has the sockets to
/// itself.
const FIRST_LOOK: Duration = Duration::from_micros(25);

/// For how long after such a wake-up the interval is shorter than [`IO_INTERVAL`]: until async-io's thread comes only every
/// 10 ms.
const HURRY: Duration = Duration::from_millis(12);

/// What an [`EventLoop`](crate::EventLoop) and its handles share.
pub(crate) struct Core {
    /// Leaves a waker with the executor. Never resolves. Dropped before the executor, which it borrows a reference to.
    executor_idle: RefCell<Pin<Box<dyn Future<Output = ()>>>>,
    executor: Rc<LocalExecutor<'static>>,
    /// The timer of async-io for the earliest of our timers, and when it is due.
    reactor_timer: RefCell<Option<(Instant, Timer)>>,
    pub(crate) notifier: Arc<Notifier>,
    /// When another thread last woke this one, unless that is longer than [`HURRY`] ago.
    woken_by_other_thread: Cell<Option<Instant>>,
    /// See [`Core::slice_began`].
    slice_began: Cell<Option<Instant>>,
    /// Wakes the loop, for the executor and the timer.
    loop_waker: Waker,
    main_waker: Waker,
    /// The waker of the task that [`Core::queue_main`] spawns, set by its first poll. Unset as long as there is no such task.
    main_placeholder: OnceCell<Rc<OnceCell<Waker>>>,
    pub(crate) watch: Option<TaskWatch>,
}

impl Core {
    pub(crate) fn new(watch: Option<TaskWatch>) -> Core {
        let executor = Rc::new(LocalExecutor::new());
        let notifier = Notifier::new();
        let executor_idle = {
            let executor = executor.clone();
            async move {
                loop {
                    // If nothing is ready, the executor keeps the waker. If another thread has woken a task just now, that
                    // task is run here, and the caller has to look again.
                    executor.tick().await;
                    yield_now().await;
                }
            }
        };
        Core {
            executor_idle: RefCell::new(Box::pin(executor_idle)),
            executor,
            reactor_timer: RefCell::new(None),
            woken_by_other_thread: Cell::new(None),
            slice_began: Cell::new(None),
            loop_waker: Waker::from(notifier.clone()),
            main_waker: Waker::from(Arc::new(MainWaker(notifier.clone()))),
            main_placeholder: OnceCell::new(),
            notifier,
            watch,
        }
    }

    pub(crate) fn spawn<T: 'static>(
        &self,
        name: Option<TaskName>,
        location: &'static Location<'static>,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        let task = match &self.watch {
            None => self.executor.spawn(future),
            Some(watch) => self.executor.spawn(watch.register(name, location).run(future)),
        };
        Task::new(task, location)
    }

    /// Polls `main` and the tasks until `main` has ended, nothing is ready, or it is time to look at the sockets.
    pub(crate) fn poll_until(
        &self,
        mut main: Pin<&mut dyn Future<Output = ()>>,
        mut tracked: Option<&mut Tracked>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.notifier.set_thread(cx.waker());
        self.pause_watch();
        timers::fire();
        let mut polls = 0;
        let began = Instant::now();
        self.slice_began.set(Some(began));
        let io_interval = self.io_interval(began);
        let mut sampler = ClockSampler::new(began);
        let mut is_io_due = || {
            let Some(now) = sampler.after_poll(Instant::now) else { return false };
            self.slice_began.set(Some(now));
            now.saturating_duration_since(began) >= io_interval
        };
        'io: while polls < IO_INTERVAL_POLLS {
            self.notifier.set_running();
            if self.notifier.take_main_woken() {
                let cx = &mut Context::from_waker(&self.main_waker);
                let polled = match &mut tracked {
                    None => main.as_mut().poll(cx),
                    Some(tracked) => tracked.poll(main.as_mut(), cx),
                };
                if polled.is_ready() {
                    return polled;
                }
                self.queue_main();
                polls += 1;
                // The clock is not asked after the first poll: mostly the main future is polled once and then waits for the
                // reactor. But timers or another thread may wake it again and again, with no task in between.
                if polls > 1 && is_io_due() {
                    break;
                }
            }
            let mut tasks = 0;
            while tasks < MAIN_INTERVAL && self.executor.try_tick() {
                tasks += 1;
                if is_io_due() {
                    break 'io;
                }
            }
            polls += tasks;
            if tasks == MAIN_INTERVAL {
                self.fire_timers();
            } else if self.try_sleep() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// If the main future was woken while it was polled, it yields to all tasks that are ready now, however many they are
    /// and however long they take, as with `asyncio.sleep(0)`. For that, a task takes its place in the executor's queue and
    /// wakes it.
    fn queue_main(&self) {
        if !self.notifier.take_main_woken() {
            return;
        }
        if let Some(waker) = self.main_placeholder.get() {
            // Without a waker the task was not polled yet, and is in the queue already.
            waker.get().inspect(|waker| waker.wake_by_ref());
            return;
        }
        let (notifier, waker) = (self.notifier.clone(), self.main_placeholder.get_or_init(Rc::default).clone());
        let placeholder = std::future::poll_fn::<(), _>(move |cx| {
            waker.get_or_init(|| cx.waker().clone());
            notifier.wake_main();
            Poll::Pending
        });
        self.executor.spawn(placeholder).detach();
    }

    /// How much time may pass until the sockets are looked at.
    fn io_interval(&self, now: Instant) -> Duration {
        if self.notifier.take_woken_by_other_thread() {
            self.woken_by_other_thread.set(Some(now));
        }
        let Some(woken) = self.woken_by_other_thread.get() else { return IO_INTERVAL };
        let since = now.saturating_duration_since(woken);
        if since >= HURRY {
            self.woken_by_other_thread.set(None);
            return IO_INTERVAL;
        }
        // Before async-io's thread checks again, which it does after at least half of the time that has passed.
        FIRST_LOOK.max(since / 4).min(IO_INTERVAL)
    }

    /// When the current poll began, or a few short polls before it, because the clock is not read after each. None if a host
    /// ticks the loop.
    pub(crate) fn slice_began(&self) -> Option<Instant> {
        self.slice_began.get()
    }

    /// Polls tasks until none is ready, or `go_on` returns false, which is asked after each poll with the number of polls.
    /// True if more tasks may be ready.
    pub(crate) fn poll_while(&self, mut go_on: impl FnMut(usize) -> bool) -> bool {
        let mut polls = 0;
        // How long tasks may run is up to the host.
        self.slice_began.set(None);
        self.pause_watch();
        loop {
            self.notifier.set_running();
            self.fire_timers();
            while self.executor.try_tick() {
                polls += 1;
                if !go_on(polls) {
                    return true;
                }
                if polls % MAIN_INTERVAL == 0 {
                    self.fire_timers();
                }
            }
            if self.try_sleep() {
                return false;
            }
        }
    }

    /// Makes sure that the host is called when there is something to do: now, or at the next wake-up.
    pub(crate) fn start_host(&self) {
        if self.notifier.has_host() {
            self.notifier.set_running();
            if !self.try_sleep() {
                self.notifier.notify_always();
            }
        }
    }

    /// Prepares for sleep, so that the next wake-up is delivered. False if something has become ready meanwhile.
    fn try_sleep(&self) -> bool {
        if self.notifier.is_notified() || self.fire_timers() {
            return false;
        }
        let cx = &mut Context::from_waker(&self.loop_waker);
        let _ = self.executor_idle.borrow_mut().as_mut().poll(cx);
        self.set_reactor_timer(cx);
        self.notifier.try_sleep()
    }

    /// Fires the timers that are due. True if there were any.
    fn fire_timers(&self) -> bool {
        let fired = timers::fire();
        if fired {
            self.pause_watch();
        }
        fired
    }

    /// What this thread does now is not part of a task's poll.
    fn pause_watch(&self) {
        if let Some(watch) = &self.watch {
            watch.pause();
        }
    }

    /// Has async-io wake the loop when the earliest timer is due.
    fn set_reactor_timer(&self, cx: &mut Context<'_>) {
        let mut reactor_timer = self.reactor_timer.borrow_mut();
        let Some(earliest) = timers::earliest() else {
            *reactor_timer = None;
            return;
        };
        // A reactor timer that is due earlier belonged to a timer that was disarmed since. It is kept, because most timers
        // are disarmed, and an extra wake-up costs less than telling the reactor of each.
        if let Some((due, timer)) = &mut *reactor_timer {
            if *due <= earliest && Pin::new(timer).poll(cx).is_pending() {
                return;
            }
        }
        let mut timer = Timer::at(earliest);
        *reactor_timer = match Pin::new(&mut timer).poll(cx) {
            // It has fired at once, and will not wake the loop any more.
            Poll::Ready(_) => {
                self.notifier.notify();
                None
            }
            Poll::Pending => Some((earliest, timer)),
        };
    }
}

/// Decides how often the clock is read: after each poll, because a single one can take long, but only after up to
/// [`ClockSampler::MAX_STRIDE`] polls while they are short.
struct ClockSampler {
    /// After how many polls the clock is read.
    stride: u32,
    /// How many of them are left.
    left: u32,
    last: Instant,
}

impl ClockSampler {
    const MAX_STRIDE: u32 = 16;
    /// The stride grows as long as it takes less than this.
    const SHORT: Duration = Duration::from_micros(5);

    fn new(now: Instant) -> ClockSampler {
        ClockSampler { stride: 1, left: 1, last: now }
    }

    /// The time, if the clock is to be read after this poll.
    fn after_poll(&mut self, clock: impl FnOnce() -> Instant) -> Option<Instant> {
        self.left -= 1;
        if self.left > 0 {
            return None;
        }
        let now = clock();
        let is_short = now.saturating_duration_since(self.last) < ClockSampler::SHORT;
        self.stride = if is_short { (self.stride * 2).min(ClockSampler::MAX_STRIDE) } else { 1 };
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

    use super::*;
    use crate::current::EnterGuard;
    use crate::{EventLoop, sleep};

    fn spin(time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {}
    }

    /// The clock was read after tasks alone: a main future that always had content at hand kept the sockets of all tasks
    /// waiting for a thousand of its polls.
    #[test]
    fn a_busy_main_future_does_not_keep_the_sockets_waiting() {
        let polls = Cell::new(0);
        let polls_until_io = |main: Pin<&mut dyn Future<Output = ()>>| {
            let core = Rc::new(Core::new(None));
            let _entered = EnterGuard::new(&core, "a test");
            polls.set(0);
            core.notifier.wake_main();
            assert!(core.poll_until(pin!(main), None, &mut Context::from_waker(Waker::noop())).is_pending());
            polls.get()
        };
        let yields = pin!(std::future::poll_fn(|cx| {
            polls.set(polls.get() + 1);
            spin(IO_INTERVAL);
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        // The clock is read after the poll of its placeholder.
        assert_eq!(polls_until_io(yields), 1);
        let naps = pin!(async {
            loop {
                polls.set(polls.get() + 1);
                spin(IO_INTERVAL);
                sleep(Duration::from_nanos(1)).await;
            }
        });
        assert_eq!(polls_until_io(naps), 2);
    }

    /// The main future went on after 61 tasks, or after a look at the sockets, before others that had been ready as long as
    /// it: tasks that it had spawned had not begun when it had yielded.
    #[test]
    fn a_main_future_that_yields_goes_on_after_all_tasks_that_are_ready() {
        let event_loop = EventLoop::new();
        let polled = Rc::new(Cell::new(0));
        event_loop.run(async {
            for (tasks, time) in [(3, 2 * IO_INTERVAL), (1_000, Duration::ZERO), (70, IO_INTERVAL / 2)] {
                polled.set(0);
                for _ in 0..tasks {
                    let polled = polled.clone();
                    let task = async move {
                        spin(time);
                        polled.set(polled.get() + 1);
                    };
                    event_loop.spawn(task).detach();
                }
                if tasks == 3 {
                    yield_now().await
                } else {
                    sleep(Duration::ZERO).await
                }
                assert_eq!(polled.get(), tasks);
            }
        });
    }

    #[test]
    fn the_clock_is_read_less_often_while_polls_are_short() {
        let start = Instant::now();
        let mut now = start;
        let mut sampler = ClockSampler::new(start);
        let mut reads = |polls: u32, each: Duration| {
            (0..polls)
                .filter(|_| {
                    now += each;
                    sampler.after_poll(|| now).is_some()
                })
                .count()
        };
        assert_eq!(reads(61, Duration::from_nanos(100)), 6, "after 1, 3, 7, 15, 31 and 47 of them");
        assert_eq!(reads(2, Duration::from_micros(200)), 1, "the stride that was begun");
        assert_eq!(reads(10, Duration::from_micros(200)), 10);
        assert_eq!(reads(10, Duration::from_micros(3)), 7);
    }
}
