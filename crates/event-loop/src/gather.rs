//! Many tasks, one list of results.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::handle::Handle;
use crate::task::Task;

/// Resolves to the results of many tasks in the order in which they were given. Made by
/// [`EventLoop::gather`](crate::EventLoop::gather).
///
/// It awaits one task after the other. They run concurrently all the same, so this takes as long as the slowest, and each
/// is looked at once.
///
/// # Panics
/// When polled, if one of the tasks has panicked, and if it is polled again after it has resolved.
#[must_use = "dropping it cancels the tasks that have not ended"]
pub struct Gather<T> {
    waiting: std::vec::IntoIter<Task<T>>,
    current: Option<Task<T>>,
    results: Vec<T>,
}

impl<T> Gather<T> {
    pub(crate) fn new(tasks: impl Iterator<Item = Task<T>>) -> Gather<T> {
        // Collected before the first is awaited, so that all tasks have been spawned when this returns.
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

/// Runs the futures, `limit` of them at once, and returns their results in order.
pub(crate) async fn gather_limited<F>(
    handle: Handle,
    location: &'static Location<'static>,
    limit: NonZeroUsize,
    futures: impl Iterator<Item = F> + 'static,
) -> Vec<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let shared = Rc::new(RefCell::new(Limited { futures: futures.enumerate(), results: Vec::new() }));
    let mut workers = Vec::new();
    while workers.len() < limit.get() {
        // There are no more workers than futures.
        let Some(first) = shared.borrow_mut().futures.next() else { break };
        let worker = handle.spawn_at(None, location, work(shared.clone(), first));
        workers.push(worker.expect("the loop runs this task"));
    }
    Gather::new(workers.into_iter()).await;
    let results = std::mem::take(&mut shared.borrow_mut().results);
    // None is missing: all workers have ended, and if one had panicked, so had the Gather.
    results.into_iter().flatten().collect()
}

/// What the workers of [`gather_limited`] share.
struct Limited<I, T> {
    /// The futures that have not begun.
    futures: I,
    results: Vec<Option<T>>,
}

async fn work<F: Future>(shared: Rc<RefCell<Limited<impl Iterator<Item = (usize, F)>, F::Output>>>, first: (usize, F)) {
    let mut next = Some(first);
    while let Some((index, future)) = next {
        let result = future.await;
        let mut shared = shared.borrow_mut();
        if shared.results.len() <= index {
            shared.results.resize_with(index + 1, || None);
        }
        shared.results[index] = Some(result);
        next = shared.futures.next();
    }
}

/// Resolves to the output of the first task that ends, its index in the list, and the other tasks in their order, which go
/// on: `asyncio.wait(.., FIRST_COMPLETED)`. If several have ended, to the first of the list.
///
/// Each wake-up looks at all of them. For many tasks, [`EventLoop::as_completed`](crate::EventLoop::as_completed) is better.
///
/// # Panics
/// If the task that ended has panicked, and if the list is empty.
///
/// ```
/// # use std::time::Duration;
/// # use roundup_event_loop::{EventLoop, sleep, wait_first};
/// let event_loop = EventLoop::new();
/// let tasks = [50, 1].map(|ms| {
///     event_loop.spawn(async move {
///         sleep(Duration::from_millis(ms)).await;
///         ms
///     })
/// });
/// let (value, index, rest) = event_loop.run(wait_first(tasks));
/// assert_eq!((value, index, rest.len()), (1, 1, 1));
/// ```
pub async fn wait_first<T>(tasks: impl IntoIterator<Item = Task<T>>) -> (T, usize, Vec<Task<T>>) {
    let mut tasks = Vec::from_iter(tasks);
    assert!(!tasks.is_empty(), "wait_first was given no task to wait for");
    let first = |cx: &mut Context<'_>| {
        for (index, task) in tasks.iter_mut().enumerate() {
            if let Poll::Ready(value) = Pin::new(task).poll(cx) {
                return Poll::Ready((value, index));
            }
        }
        Poll::Pending
    };
    let (value, index) = std::future::poll_fn(first).await;
    drop(tasks.remove(index));
    (value, index, tasks)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures_lite::future::yield_now;

    use super::*;
    use crate::{EventLoop, sleep};

    #[test]
    fn as_many_run_as_the_limit_allows_and_never_more() {
        let event_loop = EventLoop::new();
        let (running, peak, taken) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let futures = {
            let (running, peak, taken) = (running.clone(), peak.clone(), taken.clone());
            (0..20u32).map(move |n| {
                let (running, peak) = (running.clone(), peak.clone());
                taken.set(taken.get() + 1);
                async move {
                    running.set(running.get() + 1);
                    peak.set(peak.get().max(running.get()));
                    for _ in 0..n % 3 {
                        yield_now().await;
                    }
                    running.set(running.get() - 1);
                    n
                }
            })
        };
        let limit = NonZeroUsize::new(3).expect("not zero");
        let gathered = event_loop.gather_limited(limit, futures);
        // It runs without being awaited, and takes futures only as it needs them.
        for _ in 0..5 {
            event_loop.tick_for(Duration::ZERO);
        }
        assert!((3..10).contains(&taken.get()), "{}", taken.get());
        assert_eq!(event_loop.run(gathered), Vec::from_iter(0..20));
        assert_eq!((peak.get(), running.get()), (3, 0));
        let none = event_loop.gather_limited(limit, std::iter::empty::<std::future::Ready<()>>());
        assert!(event_loop.run(none).is_empty());
    }

    #[test]
    fn dropping_a_limited_gather_cancels_all() {
        let event_loop = EventLoop::new();
        let witness = Rc::new(());
        let futures = std::iter::repeat_n(witness.clone(), 5).map(|held| async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        let gathered = event_loop.gather_limited(NonZeroUsize::MIN, futures);
        event_loop.run_until_stalled();
        drop(gathered);
        event_loop.run_until_stalled();
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    fn the_first_task_that_ends_is_taken_out_and_the_others_go_on() {
        let event_loop = EventLoop::new();
        // Far apart: on a busy machine two that are near may end in one turn.
        let tasks = [800, 1, 200].map(|ms| {
            event_loop.spawn(async move {
                sleep(Duration::from_millis(ms)).await;
                ms
            })
        });
        event_loop.run(async {
            let mut rest = Vec::from(tasks);
            let mut order = Vec::new();
            while !rest.is_empty() {
                let (value, _, others) = wait_first(rest).await;
                order.push(value);
                rest = others;
            }
            assert_eq!(order, [1, 200, 800]);
        });
    }
}
