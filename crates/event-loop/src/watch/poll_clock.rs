//! Which task is polled now, and since when. Written by the loop's thread, read by the watchdog's.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// The key that stands for no task.
const NO_TASK: usize = usize::MAX;

/// The shortest limit for slow polls: the watchdog cannot tell shorter ones apart.
const MIN_SLOW_POLL: Duration = Duration::from_millis(1);

pub(super) struct PollClock {
    /// Times are nanoseconds since this.
    epoch: Instant,
    /// The key of the task that is polled now, or [`NO_TASK`].
    current: AtomicUsize,
    /// When its poll began. Keeps its value when the poll has ended.
    began: AtomicU64,
    /// When the last poll ended; 0 if the thread has done something else since. Used by the loop's thread alone.
    ended: AtomicU64,
    /// How many tasks are ready and not polled now. Below zero for moments at most. Counted only if slow polls are reported.
    ready: AtomicIsize,
    /// None if no poll is too slow.
    slow_ns: Option<u64>,
    watchdog: OnceLock<Thread>,
    /// Whether the watchdog sleeps until it is woken.
    parked: AtomicBool,
    closed: AtomicBool,
}

/// What the watchdog sees when it looks.
pub(super) struct Observed {
    /// The key of the task that is polled.
    pub(super) key: Option<usize>,
    /// When the last poll began.
    pub(super) began: u64,
}

impl PollClock {
    pub(super) fn new(slow_poll: Option<Duration>) -> PollClock {
        PollClock {
            epoch: Instant::now(),
            current: AtomicUsize::new(NO_TASK),
            began: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            ready: AtomicIsize::new(0),
            slow_ns: slow_poll.map(|limit| nanos(limit.max(MIN_SLOW_POLL))),
            watchdog: OnceLock::new(),
            parked: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// From what length on a poll is reported. None if no poll is.
    pub(super) fn slow_ns(&self) -> Option<u64> {
        self.slow_ns
    }

    pub(super) fn is_slow(&self, held_ns: u64) -> bool {
        self.slow_ns.is_some_and(|slow| held_ns >= slow)
    }

    /// Nanoseconds since the epoch.
    pub(super) fn now(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    /// A poll of this task begins. Returns when.
    pub(super) fn begin(&self, key: usize) -> u64 {
        // Reading the clock is most of the cost of tracking a poll. A poll that directly follows another one began when
        // that one ended.
        let now = match self.ended.load(Ordering::Relaxed) {
            0 => self.now(),
            ended => ended,
        };
        self.began.store(now, Ordering::Relaxed);
        if self.slow_ns.is_none() {
            // No other thread reads it.
            self.current.store(key, Ordering::Relaxed);
            return now;
        }
        // Sequentially consistent, as in `park_if_idle`: either the watchdog sees this poll, or this sees that it parks.
        self.current.swap(key, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) {
            self.wake_watchdog();
        }
        now
    }

    /// The poll that began then has ended. Returns how long it took, in nanoseconds.
    pub(super) fn end(&self, began: u64) -> u64 {
        self.current.store(NO_TASK, Ordering::Release);
        let now = self.now();
        self.ended.store(now, Ordering::Relaxed);
        now.saturating_sub(began)
    }

    /// The loop's thread does something else than polling.
    pub(super) fn pause(&self) {
        self.ended.store(0, Ordering::Relaxed);
    }

    /// The key of the task that is polled now.
    pub(super) fn current(&self) -> Option<usize> {
        Some(self.current.load(Ordering::Acquire)).filter(|key| *key != NO_TASK)
    }

    /// Adds to the number of tasks that are ready, or subtracts.
    pub(super) fn add_ready(&self, more: isize) {
        if self.slow_ns.is_some() {
            self.ready.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(super) fn ready(&self) -> usize {
        usize::try_from(self.ready.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Ends the watchdog.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake_watchdog();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) fn set_watchdog(&self, thread: Thread) {
        let _ = self.watchdog.set(thread);
    }

    fn wake_watchdog(&self) {
        self.parked.store(false, Ordering::SeqCst);
        if let Some(thread) = self.watchdog.get() {
            thread.unpark();
        }
    }

    pub(super) fn observe(&self) -> Observed {
        let key = self.current.load(Ordering::SeqCst);
        Observed { key: Some(key).filter(|key| *key != NO_TASK), began: self.began.load(Ordering::SeqCst) }
    }

    /// Parks the watchdog until the next poll begins, unless one has begun since that time.
    pub(super) fn park_if_idle(&self, began: u64) {
        self.parked.store(true, Ordering::SeqCst);
        let now = self.observe();
        if now.key.is_none() && now.began == began {
            thread::park();
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
