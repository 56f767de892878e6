//! Results in the order in which tasks end.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender};
use futures_lite::Stream;

use crate::core::Core;
use crate::task::Task;

/// A stream of the results of many tasks, as they end, each with its index in the list that was given. Made by
/// [`EventLoop::as_completed`](crate::EventLoop::as_completed).
///
/// Dropping it cancels the tasks that have not ended.
///
/// # Panics
/// When polled, if the task that ended has panicked. The others go on.
#[must_use = "dropping it cancels the tasks that have not ended"]
pub struct AsCompleted<T> {
    /// None for a task whose result has been taken.
    tasks: Vec<Option<Task<T>>>,
    waiting: usize,
    /// The indices of tasks that have ended.
    ended: Pin<Box<Receiver<usize>>>,
    /// A task that has ended and whose result has not been taken.
    current: Option<(usize, Task<T>)>,
}

impl<T> AsCompleted<T> {
    pub(crate) fn new<F>(
        futures: impl IntoIterator<Item = F>,
        core: &Core,
        location: &'static Location<'static>,
    ) -> Self
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        // Each task sends one message.
        let (sender, ended) = async_channel::unbounded();
        let spawn = |(index, future)| {
            let end = SendOnDrop { index, sender: sender.clone() };
            Some(core.spawn(None, location, run(future, end)))
        };
        let tasks = Vec::from_iter(futures.into_iter().enumerate().map(spawn));
        AsCompleted { waiting: tasks.len(), tasks, ended: Box::pin(ended), current: None }
    }
}

async fn run<F: Future>(future: F, _end: SendOnDrop) -> F::Output {
    future.await
}

/// Tells that a task has ended. Sends when it is dropped, because a task may also end by a panic.
struct SendOnDrop {
    index: usize,
    sender: Sender<usize>,
}

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        // Fails if the stream is gone.
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
        if this.waiting == 0 {
            return Poll::Ready(None);
        }
        let Some(index) = ready!(this.ended.as_mut().poll_next(cx)) else { return Poll::Ready(None) };
        this.waiting -= 1;
        this.current = this.tasks[index].take().map(|task| (index, task));
        self.poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.waiting + usize::from(self.current.is_some());
        (left, Some(left))
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("all", &self.tasks.len()).field("waiting", &self.size_hint().0).finish()
    }
}

/// Resolves to the values of many tasks in the order in which they were given, or to the first error. Made by
/// [`EventLoop::try_gather`](crate::EventLoop::try_gather).
///
/// # Panics
/// When polled, if one of the tasks has panicked.
#[must_use = "dropping it cancels the tasks that have not ended"]
pub struct TryGather<T, E> {
    completed: AsCompleted<Result<T, E>>,
    values: Vec<Option<T>>,
}

impl<T, E> TryGather<T, E> {
    pub(crate) fn new(completed: AsCompleted<Result<T, E>>) -> TryGather<T, E> {
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
                    // Cancels the others now, and not when this is dropped.
                    self.completed.tasks.clear();
                    self.completed.waiting = 0;
                    return Poll::Ready(Err(error));
                }
            }
        }
        // None is missing: all tasks have ended, and none with an error.
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

    use crate::{EventLoop, sleep};

    #[test]
    fn results_come_as_tasks_end() {
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
    fn a_task_that_panics_does_not_affect_the_others() {
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
