//! Many tasks, one list of results.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Task;

/// Resolves to the results of many tasks in the order in which they were given. Made by
/// [`EventLoop::gather`](super::EventLoop::gather).
///
/// Awaits the tasks one after the other: they run side by side whatever is awaited, so the wait is that of the slowest,
/// and each is polled once.
///
/// # Panics
/// When polled, where one of the tasks has panicked; and if it is polled again after it has resolved.
#[must_use = "dropping it cancels the tasks that have not ended"]
pub struct Gather<T> {
    waiting: std::vec::IntoIter<Task<T>>,
    current: Option<Task<T>>,
    results: Vec<T>,
}

impl<T> Gather<T> {
    pub(super) fn new(tasks: impl Iterator<Item = Task<T>>) -> Gather<T> {
        // Collected before anything is awaited: every task has started when this returns.
        let mut waiting = Vec::from_iter(tasks).into_iter();
        Gather { results: Vec::with_capacity(waiting.len()), current: waiting.next(), waiting }
    }
}

impl<T> Unpin for Gather<T> {}

impl<T> Future for Gather<T> {
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<T>> {
        while let Some(task) = &mut self.current {
            let result = ready!(Pin::new(task).poll(cx));
            self.results.push(result);
            self.current = self.waiting.next();
        }
        Poll::Ready(std::mem::take(&mut self.results))
    }
}

impl<T> fmt::Debug for Gather<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting.len() + usize::from(self.current.is_some());
        f.debug_struct("Gather").field("ended", &self.results.len()).field("waiting", &waiting).finish()
    }
}
