//! The list of a loop's tasks with what each has cost, and the watchdog that reports tasks that hold the loop.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;

use self::record::TaskRecord;
use self::registry::TaskRegistry;

mod info;
mod poll_clock;
mod record;
mod registry;
#[cfg(test)]
mod tests;
mod watchdog;

pub use self::info::{SlowPoll, TaskInfo, TaskName, TaskState, TaskTable};
pub(crate) use self::registry::OnSlowPoll;

/// How long a poll may take before it is reported, as asyncio's `loop.slow_callback_duration`.
pub const DEFAULT_SLOW_POLL: Duration = Duration::from_millis(100);

/// Tracks the tasks of a loop.
pub(crate) struct TaskWatch {
    registry: Arc<TaskRegistry>,
}

impl TaskWatch {
    /// Starts the watchdog's thread, unless there is no limit.
    pub(crate) fn new(slow_poll: Option<Duration>, on_slow_poll: OnSlowPoll) -> TaskWatch {
        let registry = Arc::new(TaskRegistry::new(slow_poll, on_slow_poll));
        watchdog::start(&registry);
        TaskWatch { registry }
    }

    /// Adds a task to the list.
    pub(crate) fn register(&self, name: Option<TaskName>, location: &'static Location<'static>) -> Tracked {
        Tracked { record: self.registry.add(name, location), registry: self.registry.clone(), waker: None }
    }

    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        self.registry.tasks()
    }

    /// The task that is polled now.
    pub(crate) fn current(&self) -> Option<TaskInfo> {
        self.registry.current()
    }

    /// Tells that the loop's thread does something else than polling tasks, so that the time is not counted as a poll's.
    pub(crate) fn pause(&self) {
        self.registry.clock().pause();
    }
}

impl Drop for TaskWatch {
    fn drop(&mut self) {
        self.registry.clock().close();
    }
}

impl fmt::Debug for TaskWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskWatch").finish_non_exhaustive()
    }
}

/// A task's entry in the list, removed when this is dropped.
pub(crate) struct Tracked {
    record: Arc<TaskRecord>,
    registry: Arc<TaskRegistry>,
    /// Made at the first poll.
    waker: Option<Waker>,
}

impl Tracked {
    /// Runs the task's future and records its polls.
    pub(crate) fn run<F: Future>(self, future: F) -> TrackedFuture<F> {
        TrackedFuture { future, tracked: self }
    }

    pub(crate) fn poll<F: Future + ?Sized>(&mut self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let waker = self.waker.get_or_insert_with(|| {
            self.record.set_task_waker(cx.waker());
            Waker::from(self.record.clone())
        });
        let _poll = PollGuard::begin(&self.registry, &self.record);
        future.poll(&mut Context::from_waker(waker))
    }
}

pin_project! {
    /// A task's future, and what records its polls. An async function would hold the future twice: as an argument, and where
    /// it is pinned.
    pub(crate) struct TrackedFuture<F> {
        #[pin]
        future: F,
        // Dropped last: what the future drops is part of the task.
        tracked: Tracked,
    }
}

impl<F: Future> Future for TrackedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.tracked.poll(this.future, cx)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.record.end_task();
        self.registry.remove(&self.record);
    }
}

/// A poll in progress. Dropping it ends the poll, which also happens if the future panics.
struct PollGuard<'a> {
    registry: &'a TaskRegistry,
    record: &'a TaskRecord,
    began: u64,
}

impl<'a> PollGuard<'a> {
    fn begin(registry: &'a TaskRegistry, record: &'a TaskRecord) -> PollGuard<'a> {
        record.begin_poll();
        PollGuard { registry, record, began: registry.clock().begin(record.key()) }
    }
}

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        self.record.end_poll();
        let held_ns = self.registry.clock().end(self.began);
        self.record.add_busy(held_ns);
        self.registry.report_if_slow(self.record, held_ns);
    }
}
