//! Tasks one can see: their names and what they have cost, and a watchdog for those that hold the loop.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use self::board::Board;
use self::record::Record;

mod board;
mod info;
mod record;
#[cfg(test)]
mod tests;

pub use self::info::{SlowPoll, TaskInfo, TaskState, TaskTable};
pub(super) use self::record::TaskName;

/// How long a poll may take before it is reported, as asyncio's `loop.slow_callback_duration`.
pub const DEFAULT_SLOW_POLL: Duration = Duration::from_millis(100);

/// Called with every poll that was slow, from the watchdog's thread and from the loop's.
pub(super) type OnSlowPoll = Box<dyn Fn(&SlowPoll) + Send + Sync>;

/// Keeps a record of each task of a loop.
pub(super) struct Watch {
    board: Arc<Board>,
}

impl Watch {
    /// Starts the watchdog, unless `slow_poll` is none.
    pub(super) fn new(slow_poll: Option<Duration>, report: OnSlowPoll) -> Watch {
        Watch { board: Board::start(slow_poll, report) }
    }

    pub(super) fn add(&self, name: Option<TaskName>, place: &'static Location<'static>) -> Tracked {
        Tracked { waker: None, record: self.board.add(name, place) }
    }

    pub(super) fn tasks(&self) -> Vec<TaskInfo> {
        self.board.tasks()
    }

    /// What the loop does between two polls takes time, which is not that of the next.
    pub(super) fn pause(&self) {
        self.board.pause();
    }

    /// The one that is polled now.
    pub(super) fn current(&self) -> Option<TaskInfo> {
        self.board.current()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.board.close();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// A future that is on the list, until this is dropped.
pub(super) struct Tracked {
    record: Arc<Record>,
    waker: Option<Waker>,
}

impl Tracked {
    /// The future with its record.
    pub(super) async fn follow<F: Future>(mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| self.poll(future.as_mut(), cx)).await
    }

    pub(super) fn poll<F: Future>(&mut self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let waker = self.waker.get_or_insert_with(|| {
            self.record.set_waker(cx.waker());
            Waker::from(self.record.clone())
        });
        // Ends when it is dropped, which a panic does too.
        let _poll = self.record.begin();
        future.poll(&mut Context::from_waker(waker))
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.record.remove();
    }
}
