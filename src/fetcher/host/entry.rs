//! A job in a queue, and when its turn is.

use std::cmp::Reverse;

/// The number of a job within its run: jobs of one priority start in this order.
pub(in crate::fetcher) type JobNumber = usize;

/// A job that waits. The order is that in which the jobs of a host start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::fetcher) struct QueuedJob {
    priority: Reverse<i8>,
    pub(in crate::fetcher) number: JobNumber,
    /// Whether a request of it was sent before: it is tried again, or has been redirected.
    pub(in crate::fetcher) again: bool,
}

/// When a job's turn is among those of all hosts: jobs of a higher priority go first, then hosts take turns, and at equal
/// turns the input order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::fetcher) struct Rank {
    priority: Reverse<i8>,
    pub(in crate::fetcher) turn: u64,
    number: JobNumber,
}

impl QueuedJob {
    /// A job that has not been tried.
    pub(in crate::fetcher) fn fresh(number: JobNumber, priority: i8) -> QueuedJob {
        QueuedJob { priority: Reverse(priority), number, again: false }
    }

    /// A job of which a request was sent before.
    pub(in crate::fetcher) fn again(number: JobNumber, priority: i8) -> QueuedJob {
        QueuedJob { priority: Reverse(priority), number, again: true }
    }

    /// A job as most are: of no special priority, and not tried yet.
    pub(super) fn usual(number: JobNumber) -> QueuedJob {
        QueuedJob::fresh(number, 0)
    }

    pub(super) fn is_usual(self) -> bool {
        self == QueuedJob::usual(self.number)
    }

    pub(super) fn ranked(self, turn: u64) -> Rank {
        Rank { priority: self.priority, turn, number: self.number }
    }
}
