//! What the loop's thread and the watchdog's share: the list of tasks, and which of them is polled since when.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use slab::Slab;

use super::OnSlowPoll;
use super::info::{SlowPoll, TaskInfo};
use super::record::{Record, TaskName};

/// No place on the list.
const NONE: usize = usize::MAX;

/// No poll is shorter than this and slow: it is what the watchdog can tell apart.
const LEAST_SLOW_POLL: Duration = Duration::from_millis(1);

pub(super) struct Board {
    tasks: Mutex<Slab<Arc<Record>>>,
    /// The number of the last task.
    last: AtomicU64,
    /// How many tasks are ready and not polled now, as long as slow polls are reported. Under zero for moments at most.
    ready: AtomicIsize,
    /// The place on the list of the task that is polled now, [`NONE`] for none.
    current: AtomicUsize,
    /// When its poll began, in nanoseconds since `epoch`; stays when it has ended.
    since: AtomicU64,
    /// When the last poll ended, 0 where other things were done since. Read and written by the loop's thread alone.
    ended: AtomicU64,
    epoch: Instant,
    /// None where no poll is too slow.
    slow_ns: Option<u64>,
    report: OnSlowPoll,
    /// The watchdog sleeps until it is woken.
    parked: AtomicBool,
    watchdog: OnceLock<Thread>,
    closed: AtomicBool,
}

impl Board {
    pub(super) fn start(slow_poll: Option<Duration>, report: OnSlowPoll) -> Arc<Board> {
        let slow = slow_poll.map(|limit| limit.max(LEAST_SLOW_POLL));
        let board = Arc::new(Board {
            tasks: Mutex::default(),
            last: AtomicU64::new(0),
            ready: AtomicIsize::new(0),
            current: AtomicUsize::new(NONE),
            since: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            epoch: Instant::now(),
            slow_ns: slow.map(nanos),
            report,
            parked: AtomicBool::new(false),
            watchdog: OnceLock::new(),
            closed: AtomicBool::new(false),
        });
        if let Some(slow) = slow {
            let watched = board.clone();
            let watchdog = thread::Builder::new().name("slow-poll".to_owned());
            match watchdog.spawn(move || watched.watch(slow)) {
                Ok(thread) => {
                    let _ = board.watchdog.set(thread.thread().clone());
                }
                Err(error) => {
                    log::warn!("no thread for the stall watchdog, slow polls are reported when they end: {error}")
                }
            }
        }
        board
    }

    fn tasks_mut(&self) -> MutexGuard<'_, Slab<Arc<Record>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(self: &Arc<Self>, name: Option<TaskName>, place: &'static Location<'static>) -> Arc<Record> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut tasks = self.tasks_mut();
        let entry = tasks.vacant_entry();
        let record = Arc::new(Record::new(id, entry.key(), name, place, self.clone()));
        entry.insert(record.clone());
        self.ready(1);
        record
    }

    pub(super) fn remove(&self, key: usize) {
        // Dropped outside the lock: its waker may own more than a task.
        let _record = self.tasks_mut().try_remove(key);
    }

    pub(super) fn tasks(&self) -> Vec<TaskInfo> {
        let now = Instant::now();
        let mut tasks: Vec<TaskInfo> = self.tasks_mut().iter().map(|(_, record)| record.info(now)).collect();
        tasks.sort_unstable_by_key(|task| task.id);
        tasks
    }

    pub(super) fn current(&self) -> Option<TaskInfo> {
        let key = self.current.load(Ordering::Acquire);
        Some(self.tasks_mut().get(key)?.info(Instant::now()))
    }

    pub(super) fn ready(&self, more: isize) {
        if self.slow_ns.is_some() {
            self.ready.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// A poll of the task at this place begins. Returns when that was.
    pub(super) fn begin(&self, key: usize) -> u64 {
        // Reading the clock is most of what the watch costs a poll: one that follows upon another began when that ended.
        let now = match self.ended.load(Ordering::Relaxed) {
            0 => self.now(),
            ended => ended,
        };
        self.since.store(now, Ordering::Relaxed);
        if self.slow_ns.is_none() {
            // No other thread asks.
            self.current.store(key, Ordering::Relaxed);
            return now;
        }
        // In one order with what the watchdog does before it parks, so that one of the two sees the other.
        self.current.swap(key, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) {
            self.rouse();
        }
        now
    }

    /// The poll that began then has ended. Returns how long it took.
    pub(super) fn end(&self, since: u64, record: &Record) -> u64 {
        self.current.store(NONE, Ordering::Release);
        let now = self.now();
        self.ended.store(now, Ordering::Relaxed);
        let held = now.saturating_sub(since);
        if self.slow_ns.is_some_and(|slow| held >= slow) {
            self.report(record, held, true);
            self.pause();
        }
        held
    }

    /// The loop's thread does something else than polling.
    pub(super) fn pause(&self) {
        self.ended.store(0, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.rouse();
    }

    fn now(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    fn rouse(&self) {
        self.parked.store(false, Ordering::SeqCst);
        if let Some(thread) = self.watchdog.get() {
            thread.unpark();
        }
    }

    fn report(&self, record: &Record, held: u64, over: bool) {
        let slow = SlowPoll {
            id: record.id,
            name: record.name(),
            place: record.place,
            held: Duration::from_nanos(held),
            waiting: usize::try_from(self.ready.load(Ordering::Relaxed)).unwrap_or(0),
            over,
        };
        if catch_unwind(AssertUnwindSafe(|| (self.report)(&slow))).is_err() {
            log::error!("the callback of Builder::on_slow_poll panicked: {slow}");
        }
    }

    /// The watchdog: looks four times in the time that a poll may take, and parks where nothing has run between two looks.
    fn watch(&self, slow: Duration) {
        let slow_ns = nanos(slow);
        // The poll that was looked at last, and from what length on it is reported.
        let (mut seen, mut next) = (u64::MAX, slow_ns);
        while !self.closed.load(Ordering::SeqCst) {
            let key = self.current.load(Ordering::SeqCst);
            let since = self.since.load(Ordering::Relaxed);
            if since != seen {
                (seen, next) = (since, slow_ns);
            } else if key == NONE {
                self.parked.store(true, Ordering::SeqCst);
                if self.current.load(Ordering::SeqCst) == NONE && self.since.load(Ordering::SeqCst) == seen {
                    thread::park();
                }
                self.parked.store(false, Ordering::SeqCst);
                continue;
            }
            let held = self.now().saturating_sub(since);
            if key != NONE && held >= next {
                let record = self.tasks_mut().get(key).cloned();
                // It may have ended meanwhile, its place taken by another, and is reported by its end then.
                let still = || self.current.load(Ordering::SeqCst) == key && self.since.load(Ordering::SeqCst) == since;
                if let Some(record) = record.filter(|_| still()) {
                    self.report(&record, held, false);
                }
                next = held.saturating_mul(2);
            }
            thread::park_timeout(slow / 4);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
