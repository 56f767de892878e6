//! The tasks of a loop that have not ended, and where slow polls are reported to.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slab::Slab;

use super::info::{SlowPoll, TaskInfo, TaskName};
use super::poll_clock::PollClock;
use super::record::TaskRecord;
use crate::diagnostics;

/// Called with every slow poll, from the watchdog's thread and from the loop's.
pub(crate) type OnSlowPoll = Box<dyn Fn(&SlowPoll) + Send + Sync>;

/// Shared by the loop's thread and the watchdog's.
pub(super) struct TaskRegistry {
    tasks: Mutex<Slab<Arc<TaskRecord>>>,
    last_id: AtomicU64,
    clock: Arc<PollClock>,
    on_slow_poll: OnSlowPoll,
}

impl TaskRegistry {
    pub(super) fn new(slow_poll: Option<Duration>, on_slow_poll: OnSlowPoll) -> TaskRegistry {
        TaskRegistry {
            tasks: Mutex::default(),
            last_id: AtomicU64::new(0),
            clock: Arc::new(PollClock::new(slow_poll)),
            on_slow_poll,
        }
    }

    pub(super) fn clock(&self) -> &PollClock {
        &self.clock
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<TaskRecord>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, name: Option<TaskName>, location: &'static Location<'static>) -> Arc<TaskRecord> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let mut tasks = self.lock();
        let entry = tasks.vacant_entry();
        let record = Arc::new(TaskRecord::new(id, entry.key(), name, location, self.clock.clone()));
        entry.insert(record.clone());
        record
    }

    pub(super) fn remove(&self, record: &TaskRecord) {
        // Dropped outside the lock, because the record's waker may own other tasks.
        let _record = self.lock().try_remove(record.key());
    }

    pub(super) fn get(&self, key: usize) -> Option<Arc<TaskRecord>> {
        self.lock().get(key).cloned()
    }

    pub(super) fn tasks(&self) -> Vec<TaskInfo> {
        let now = Instant::now();
        let mut tasks: Vec<TaskInfo> = self.lock().iter().map(|(_, record)| record.info(now)).collect();
        tasks.sort_unstable_by_key(|task| task.id);
        tasks
    }

    /// The task that is polled now.
    pub(super) fn current(&self) -> Option<TaskInfo> {
        let key = self.clock.current()?;
        Some(self.lock().get(key)?.info(Instant::now()))
    }

    /// Reports a poll that has ended, if it was slow.
    pub(super) fn report_if_slow(&self, record: &TaskRecord, held_ns: u64) {
        if self.clock.is_slow(held_ns) {
            self.report(&record.slow_poll(held_ns, true));
            // The time that the callback takes is not the next poll's.
            self.clock.pause();
        }
    }

    pub(super) fn report(&self, slow: &SlowPoll) {
        if catch_unwind(AssertUnwindSafe(|| (self.on_slow_poll)(slow))).is_err() {
            diagnostics::error(format_args!("the callback of Builder::on_slow_poll panicked: {slow}"));
        }
    }
}
