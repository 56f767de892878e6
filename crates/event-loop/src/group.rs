//! Tasks that end together: structured concurrency.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use async_channel::Receiver;
use futures_lite::{FutureExt, Stream};

use crate::handle::Handle;
use crate::task::Task;

/// Tasks of which none outlives the group: `asyncio.TaskGroup`. Made by [`EventLoop::group`](crate::EventLoop::group) and
/// [`Handle::group`].
pub struct TaskGroup<E> {
    handle: Handle,
    state: Rc<RefCell<GroupState<E>>>,
}

struct GroupState<E> {
    /// The tasks that have not ended.
    tasks: HashMap<u64, Task<()>>,
    last_id: u64,
    /// The first failure of a task.
    failure: Option<GroupFailure<E>>,
    /// Wakes the group's own future.
    waker: Option<Waker>,
}

enum GroupFailure<E> {
    Error(E),
    Panic(Box<dyn Any + Send>),
}

impl Handle {
    /// Runs `body` with a group of tasks, as [`EventLoop::group`](crate::EventLoop::group).
    ///
    /// # Errors
    /// The first error of `body` and the tasks.
    pub async fn group<T, E: 'static>(&self, body: impl AsyncFnOnce(&TaskGroup<E>) -> Result<T, E>) -> Result<T, E> {
        TaskGroup::run(self.clone(), body).await
    }
}

impl<E: 'static> TaskGroup<E> {
    /// Starts a task of the group. Its output can be awaited in the body. If it is an error, the group ends with it.
    ///
    /// # Panics
    /// If the loop is gone, which it never is while it runs this.
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = Result<T, E>> + 'static) -> GroupTask<T> {
        let (sender, receiver) = async_channel::bounded(1);
        let id = {
            let mut state = self.state.borrow_mut();
            state.last_id += 1;
            state.last_id
        };
        let state = self.state.clone();
        let work = async move {
            // AssertUnwindSafe: what a panic left half done belongs to the task, and is gone with it.
            let failure = match AssertUnwindSafe(future).catch_unwind().await {
                Ok(Ok(value)) => {
                    // The channel has room for it. If the GroupTask was dropped, the value is not wanted.
                    let _ = sender.try_send(value);
                    None
                }
                Ok(Err(error)) => Some(GroupFailure::Error(error)),
                Err(payload) => Some(GroupFailure::Panic(payload)),
            };
            GroupState::end_task(&state, id, failure);
        };
        let task = self.handle.spawn_at(None, Location::caller(), work);
        let task = task.unwrap_or_else(|closed| panic!("TaskGroup::spawn: {closed}"));
        self.state.borrow_mut().tasks.insert(id, task);
        GroupTask(Box::pin(receiver))
    }

    /// How many tasks of the group have not ended.
    pub fn running(&self) -> usize {
        self.state.borrow().tasks.len()
    }

    async fn run<T>(handle: Handle, body: impl AsyncFnOnce(&TaskGroup<E>) -> Result<T, E>) -> Result<T, E> {
        let state = GroupState { tasks: HashMap::new(), last_id: 0, failure: None, waker: None };
        let group = TaskGroup { handle, state: Rc::new(RefCell::new(state)) };
        // For the case that this future is dropped, or the body panics.
        let _guard = CancelOnDrop(&group);
        let work = async {
            let value = body(&group).await.map_err(GroupFailure::Error)?;
            poll_fn(|cx| group.state.borrow_mut().poll_all_ended(cx)).await;
            Ok(value)
        };
        let failed = async { Err(poll_fn(|cx| group.state.borrow_mut().poll_failure(cx)).await) };
        match work.or(failed).await {
            Ok(value) => Ok(value),
            Err(failure) => {
                group.cancel().await;
                match failure {
                    GroupFailure::Error(error) => Err(error),
                    GroupFailure::Panic(payload) => resume_unwind(payload),
                }
            }
        }
    }

    /// Cancels all tasks at once, and waits until they are gone.
    async fn cancel(&self) {
        let tasks = std::mem::take(&mut self.state.borrow_mut().tasks);
        let mut cancelled: Vec<_> = tasks.into_values().map(|task| Box::pin(task.cancel())).collect();
        for task in &mut cancelled {
            // The first poll cancels the task.
            let _ = futures_lite::future::poll_once(task).await;
        }
        for task in cancelled {
            task.await;
        }
    }
}

impl<E> GroupState<E> {
    /// Called by a task when it has ended.
    fn end_task(this: &RefCell<GroupState<E>>, id: u64, failure: Option<GroupFailure<E>>) {
        let (task, waker) = {
            let mut state = this.borrow_mut();
            if state.failure.is_none() {
                state.failure = failure;
            }
            let waker = if state.failure.is_some() || state.tasks.len() <= 1 { state.waker.take() } else { None };
            (state.tasks.remove(&id), waker)
        };
        // Dropping the task would cancel it, and it is the one that runs now.
        if let Some(task) = task {
            task.detach();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready when all tasks have ended without a failure.
    fn poll_all_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.tasks.is_empty() && self.failure.is_none() {
            return Poll::Ready(());
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<GroupFailure<E>> {
        match self.failure.take() {
            Some(failure) => Poll::Ready(failure),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

struct CancelOnDrop<'a, E>(&'a TaskGroup<E>);

impl<E> Drop for CancelOnDrop<'_, E> {
    fn drop(&mut self) {
        // Dropped outside the borrow, because what the tasks own may use the group.
        let _tasks = std::mem::take(&mut self.0.state.borrow_mut().tasks);
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("TaskGroup").field("running", &state.tasks.len()).finish_non_exhaustive()
    }
}

/// Resolves to the output of a task of a [`TaskGroup`]. Dropping it does not cancel the task.
///
/// Never resolves if the task fails: the group then drops its body, and with it what awaits this.
pub struct GroupTask<T>(Pin<Box<Receiver<T>>>);

impl<T> Future for GroupTask<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.0.as_mut().poll_next(cx) {
            Poll::Ready(Some(value)) => Poll::Ready(value),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for GroupTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupTask").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::catch_unwind;
    use std::time::Duration;

    use futures_lite::future::{pending, poll_once, yield_now};

    use super::*;
    use crate::{EventLoop, sleep};

    #[test]
    fn a_group_ends_when_all_of_its_tasks_have_ended() {
        let event_loop = EventLoop::new();
        let ended = Rc::new(Cell::new(0));
        let sum = event_loop.run(event_loop.group(async |group| {
            let (a, b) = (ended.clone(), ended.clone());
            let seven = group.spawn(async move {
                sleep(Duration::from_millis(1)).await;
                a.set(a.get() + 1);
                Ok::<_, ()>(7)
            });
            drop(group.spawn(async move {
                sleep(Duration::from_millis(5)).await;
                b.set(b.get() + 1);
                Ok(())
            }));
            assert_eq!(group.running(), 2);
            Ok(seven.await + 1)
        }));
        assert_eq!((sum, ended.get()), (Ok(8), 2));
    }

    #[test]
    fn the_first_error_cancels_the_body_and_the_others_and_waits_for_them() {
        let event_loop = EventLoop::new();
        let dropped = Rc::new(Cell::new(0));
        struct Count(Rc<Cell<u32>>);
        impl Drop for Count {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let counts = || Count(dropped.clone());
        let result = event_loop.run(event_loop.group(async |group| {
            for _ in 0..3 {
                let count = counts();
                drop(group.spawn(async move {
                    let _count = count;
                    pending::<Result<(), &str>>().await
                }));
            }
            let failing = group.spawn(async {
                yield_now().await;
                Err::<(), _>("first")
            });
            drop(group.spawn(async {
                sleep(Duration::from_secs(60)).await;
                Err::<(), _>("second")
            }));
            let _count = counts();
            failing.await;
            Ok(())
        }));
        assert_eq!((result, dropped.get()), (Err("first"), 4));
    }

    #[test]
    fn an_error_of_the_body_cancels_the_tasks() {
        let event_loop = EventLoop::new();
        let witness = Rc::new(());
        let result = event_loop.run(event_loop.group(async |group| {
            let held = witness.clone();
            drop(group.spawn(async move {
                let _held = held;
                pending::<Result<(), u8>>().await
            }));
            yield_now().await;
            Err::<(), u8>(3)
        }));
        assert_eq!((result, Rc::strong_count(&witness)), (Err(3), 1));
    }

    #[test]
    fn a_panic_of_a_task_continues_in_the_group_and_cancels_the_rest() {
        let event_loop = EventLoop::new();
        let witness = Rc::new(());
        let group = event_loop.group(async |group| {
            let held = witness.clone();
            drop(group.spawn(async move {
                let _held = held;
                pending::<Result<(), u8>>().await
            }));
            drop(group.spawn::<()>(async { panic!("on purpose") }));
            Ok(())
        });
        let caught = catch_unwind(AssertUnwindSafe(|| event_loop.run(group)));
        assert_eq!(caught.expect_err("it panicked").downcast_ref::<&str>(), Some(&"on purpose"));
        assert_eq!(Rc::strong_count(&witness), 1);
        assert_eq!(event_loop.run(async { 5 }), 5);
    }

    #[test]
    fn a_group_that_is_dropped_leaves_no_task() {
        let event_loop = EventLoop::new();
        let witness = Rc::new(());
        event_loop.run(async {
            let group = event_loop.group(async |group| {
                let held = witness.clone();
                group
                    .spawn(async move {
                        let _held = held;
                        pending::<Result<(), u8>>().await
                    })
                    .await;
                Ok(())
            });
            assert!(poll_once(group).await.is_none());
            yield_now().await;
            sleep(Duration::from_millis(1)).await;
        });
        assert_eq!(Rc::strong_count(&witness), 1);
    }
}
