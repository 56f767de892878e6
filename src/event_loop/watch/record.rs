//! What is known of one task.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::board::Board;
use super::info::{TaskInfo, TaskState};

const WAITING: u8 = 0;
const READY: u8 = 1;
const RUNNING: u8 = 2;
/// Was woken while it runs.
const AGAIN: u8 = 3;
/// Not on the list any more.
const GONE: u8 = 4;

/// What a task is called.
#[derive(Clone, Debug)]
pub(in crate::event_loop) enum TaskName {
    Own(Cow<'static, str>),
    /// What it works on has a name, which is shared.
    #[cfg(feature = "fetcher")]
    Shared(Arc<str>),
}

/// One a task. It is the waker that the task's own futures get, so that it knows who is ready.
pub(super) struct Record {
    pub(super) id: u64,
    /// Its place on the list.
    key: usize,
    name: Option<TaskName>,
    pub(super) place: &'static Location<'static>,
    born: Instant,
    /// These two are written by the loop's thread alone.
    polls: AtomicU64,
    busy_ns: AtomicU64,
    state: AtomicU8,
    /// The task's own waker: it is the same at every poll.
    waker: OnceLock<Waker>,
    board: Arc<Board>,
}

impl Record {
    pub(super) fn new(
        id: u64,
        key: usize,
        name: Option<TaskName>,
        place: &'static Location<'static>,
        board: Arc<Board>,
    ) -> Record {
        let (polls, busy_ns, state) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU8::new(READY));
        Record { id, key, name, place, born: Instant::now(), polls, busy_ns, state, waker: OnceLock::new(), board }
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        match &self.name {
            None => format!("task-{}", self.id).into(),
            Some(TaskName::Own(name)) => name.clone(),
            #[cfg(feature = "fetcher")]
            Some(TaskName::Shared(name)) => name.to_string().into(),
        }
    }

    pub(super) fn set_waker(&self, waker: &Waker) {
        let _ = self.waker.set(waker.clone());
    }

    /// It is polled from now until what this returns is dropped.
    pub(super) fn begin(&self) -> Turn<'_> {
        if self.state.swap(RUNNING, Ordering::AcqRel) == READY {
            self.board.ready(-1);
        }
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Turn { record: self, since: self.board.begin(self.key) }
    }

    /// It is not a task any more.
    pub(super) fn remove(&self) {
        if self.state.swap(GONE, Ordering::AcqRel) == READY {
            self.board.ready(-1);
        }
        self.board.remove(self.key);
    }

    pub(super) fn info(&self, now: Instant) -> TaskInfo {
        TaskInfo {
            id: self.id,
            name: self.name(),
            place: self.place,
            age: now.saturating_duration_since(self.born),
            polls: self.polls.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.busy_ns.load(Ordering::Relaxed)),
            state: match self.state.load(Ordering::Acquire) {
                RUNNING | AGAIN => TaskState::Running,
                READY => TaskState::Ready,
                _ => TaskState::Waiting,
            },
        }
    }

    fn woken(&self) {
        let woken = |state| match state {
            WAITING => Some(READY),
            RUNNING => Some(AGAIN),
            _ => None,
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, woken) == Ok(WAITING) {
            self.board.ready(1);
        }
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

impl Wake for Record {
    fn wake(self: Arc<Self>) {
        self.woken();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken();
    }
}

/// A poll that lasts.
pub(super) struct Turn<'a> {
    record: &'a Record,
    since: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let record = self.record;
        if record.state.compare_exchange(RUNNING, WAITING, Ordering::AcqRel, Ordering::Acquire) == Err(AGAIN)
            && record.state.compare_exchange(AGAIN, READY, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            record.board.ready(1);
        }
        let held = record.board.end(self.since, record);
        record.busy_ns.store(record.busy_ns.load(Ordering::Relaxed).saturating_add(held), Ordering::Relaxed);
    }
}
