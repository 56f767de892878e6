//! Results as they come.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender};
use futures_lite::Stream;

use super::Task;
use super::core::Core;

/// A stream of the results of many tasks, as they end, each with its place in the list that was given. Made by
/// [`EventLoop::as_completed`](super::EventLoop::as_completed).
///
/// Dropping it cancels the tasks that have not ended.
///
/// # Panics
/// When polled, where the task that ended has panicked; the others go on.
#[must_use = "dropping it cancels the tasks that have not ended"]
pub struct AsCompleted<T> {
    tasks: Vec<Option<Task<T>>>,
    left: usize,
    ended: Pin<Box<Receiver<usize>>>,
    /// Has ended, and was asked for what it returned.
    current: Option<(usize, Task<T>)>,
}

impl<T> AsCompleted<T> {
    pub(super) fn new<F>(futures: impl IntoIterator<Item = F>, core: &Core, place: &'static Location<'static>) -> Self
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        // One message a task at most.
        let (sender, ended) = async_channel::unbounded();
        let start =
            |(index, future)| Some(core.spawn(None, place, note(future, Ended { index, sender: sender.clone() })));
        let tasks = Vec::from_iter(futures.into_iter().enumerate().map(start));
        AsCompleted { left: tasks.len(), tasks, ended: Box::pin(ended), current: None }
    }
}

async fn note<F: Future>(future: F, _ended: Ended) -> F::Output {
    future.await
}

/// Says that a task has ended when it is dropped, which a panic does too.
struct Ended {
    index: usize,
    sender: Sender<usize>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Without a reader nobody wants to know.
        let _ = self.sender.try_send(self.index);
    }
}

impl<T> Unpin for AsCompleted<T> {}

impl<T> Stream for AsCompleted<T> {
    type Item = (usize, T);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(usize, T)>> {
        let this = &mut *self;
        if let Some((index, mut task)) = this.current.take() {
            return match Pin::new(&mut task).poll(cx) {
                Poll::Ready(value) => Poll::Ready(Some((index, value))),
                Poll::Pending => {
                    this.current = Some((index, task));
                    Poll::Pending
                }
            };
        }
        if this.left == 0 {
            return Poll::Ready(None);
        }
        // The tasks hold the senders.
        let Some(index) = ready!(this.ended.as_mut().poll_next(cx)) else { return Poll::Ready(None) };
        this.left -= 1;
        this.current = this.tasks[index].take().map(|task| (index, task));
        self.poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.left + usize::from(self.current.is_some());
        (left, Some(left))
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("all", &self.tasks.len()).field("waiting", &self.size_hint().0).finish()
    }
}

/// Resolves to the values of many tasks in the order in which they were given, or to the first error. Made by
/// [`EventLoop::try_gather`](super::EventLoop::try_gather).
///
/// # Panics
/// When polled, where one of the tasks has panicked.
#[must_use = "dropping it cancels the tasks that have not ended"]
pub struct TryGather<T, E> {
    completed: AsCompleted<Result<T, E>>,
    values: Vec<Option<T>>,
}

impl<T, E> TryGather<T, E> {
    pub(super) fn new(completed: AsCompleted<Result<T, E>>) -> TryGather<T, E> {
        let values = completed.tasks.iter().map(|_| None).collect();
        TryGather { completed, values }
    }
}

impl<T, E> Unpin for TryGather<T, E> {}

impl<T, E> Future for TryGather<T, E> {
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Vec<T>, E>> {
        while let Some((index, result)) = ready!(Pin::new(&mut self.completed).poll_next(cx)) {
            match result {
                Ok(value) => self.values[index] = Some(value),
                Err(error) => {
                    // Cancels the others now, and not when somebody lets go of this.
                    self.completed.tasks.clear();
                    self.completed.left = 0;
                    return Poll::Ready(Err(error));
                }
            }
        }
        // None is missing: all have ended, and none with an error.
        Poll::Ready(Ok(std::mem::take(&mut self.values).into_iter().flatten().collect()))
    }
}

impl<T, E> fmt::Debug for TryGather<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryGather").field(&self.completed).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;
    use std::time::Duration;

    use futures_lite::{Stream, StreamExt};

    use crate::event_loop::{EventLoop, sleep};

    #[test]
    fn results_come_as_they_end() {
        let event_loop = EventLoop::new();
        let tasks = [30, 1, 15].map(|ms| async move {
            sleep(Duration::from_millis(ms)).await;
            ms
        });
        let completed = event_loop.as_completed(tasks);
        assert_eq!(completed.size_hint(), (3, Some(3)));
        assert_eq!(event_loop.run(completed.collect::<Vec<_>>()), [(1, 1), (2, 15), (0, 30)]);
        let none = event_loop.as_completed(std::iter::empty::<std::future::Ready<()>>());
        assert_eq!(event_loop.run(none.count()), 0);
    }

    #[test]
    fn the_first_error_cancels_the_others() {
        let event_loop = EventLoop::new();
        let witness = Rc::new(());
        let ok = event_loop.try_gather((0..3).map(|n| async move { Ok::<_, ()>(n) }));
        assert_eq!(event_loop.run(ok), Ok(vec![0, 1, 2]));
        let failing = event_loop.try_gather((0..3).map(|n| {
            let held = witness.clone();
            async move {
                let _held = held;
                if n == 1 { Err(n) } else { std::future::pending::<Result<(), i32>>().await }
            }
        }));
        assert_eq!(event_loop.run(failing), Err(1));
        event_loop.run_until_stalled();
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    fn one_that_panics_leaves_the_others_alone() {
        let event_loop = EventLoop::new();
        let mut completed = event_loop.as_completed((0..3).map(|n| async move {
            assert_ne!(n, 0, "on purpose");
            n
        }));
        let caught = catch_unwind(AssertUnwindSafe(|| event_loop.run(completed.next())));
        assert!(caught.is_err());
        assert_eq!(event_loop.run(completed.collect::<Vec<_>>()), [(1, 1), (2, 2)]);
    }
}
