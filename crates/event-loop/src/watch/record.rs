//! What is known of one task.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::info::{SlowPoll, TaskInfo, TaskName, TaskState};
use super::poll_clock::PollClock;

const WAITING: u8 = 0;
const READY: u8 = 1;
const RUNNING: u8 = 2;
/// Was woken while it runs.
const RUNNING_AND_WOKEN: u8 = 3;
/// The task has ended.
const ENDED: u8 = 4;

/// One for each task. It is also the waker that the task's future is polled with, so that it knows when the task becomes
/// ready.
pub(super) struct TaskRecord {
    id: u64,
    /// Its key in the registry.
    key: usize,
    name: Option<TaskName>,
    location: &'static Location<'static>,
    spawned: Instant,
    /// Written by the loop's thread alone, as is `busy_ns`.
    polls: AtomicU64,
    busy_ns: AtomicU64,
    state: AtomicU8,
    /// The executor's waker of the task, the same at every poll.
    task_waker: OnceLock<Waker>,
    clock: Arc<PollClock>,
}

impl TaskRecord {
    /// A new task is ready.
    pub(super) fn new(
        id: u64,
        key: usize,
        name: Option<TaskName>,
        location: &'static Location<'static>,
        clock: Arc<PollClock>,
    ) -> TaskRecord {
        clock.add_ready(1);
        TaskRecord {
            id,
            key,
            name,
            location,
            spawned: Instant::now(),
            polls: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            state: AtomicU8::new(READY),
            task_waker: OnceLock::new(),
            clock,
        }
    }

    pub(super) fn key(&self) -> usize {
        self.key
    }

    pub(super) fn set_task_waker(&self, waker: &Waker) {
        let _ = self.task_waker.set(waker.clone());
    }

    pub(super) fn begin_poll(&self) {
        if self.state.swap(RUNNING, Ordering::AcqRel) == READY {
            self.clock.add_ready(-1);
        }
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn end_poll(&self) {
        let change = |from, to| self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        if change(RUNNING, WAITING) == Err(RUNNING_AND_WOKEN) && change(RUNNING_AND_WOKEN, READY).is_ok() {
            self.clock.add_ready(1);
        }
    }

    pub(super) fn add_busy(&self, nanos: u64) {
        self.busy_ns.store(self.busy_ns.load(Ordering::Relaxed).saturating_add(nanos), Ordering::Relaxed);
    }

    /// The task has ended or was cancelled.
    pub(super) fn end_task(&self) {
        if self.state.swap(ENDED, Ordering::AcqRel) == READY {
            self.clock.add_ready(-1);
        }
    }

    pub(super) fn info(&self, now: Instant) -> TaskInfo {
        TaskInfo {
            id: self.id,
            name: self.name(),
            location: self.location,
            age: now.saturating_duration_since(self.spawned),
            polls: self.polls.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.busy_ns.load(Ordering::Relaxed)),
            state: match self.state.load(Ordering::Acquire) {
                RUNNING | RUNNING_AND_WOKEN => TaskState::Running,
                READY => TaskState::Ready,
                _ => TaskState::Waiting,
            },
        }
    }

    pub(super) fn slow_poll(&self, held_ns: u64, over: bool) -> SlowPoll {
        SlowPoll {
            id: self.id,
            name: self.name(),
            location: self.location,
            held: Duration::from_nanos(held_ns),
            waiting: self.clock.ready(),
            over,
        }
    }

    fn name(&self) -> Cow<'static, str> {
        match &self.name {
            None => format!("task-{}", self.id).into(),
            Some(name) => name.to_cow(),
        }
    }
}

impl Wake for TaskRecord {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let woken = |state| match state {
            WAITING => Some(READY),
            RUNNING => Some(RUNNING_AND_WOKEN),
            _ => None,
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, woken) == Ok(WAITING) {
            self.clock.add_ready(1);
        }
        if let Some(waker) = self.task_waker.get() {
            waker.wake_by_ref();
        }
    }
}
