//! Many tasks, one list of results.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::{Handle, Task};

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

/// The results of these, of which `limit` run at once.
pub(super) async fn limited<F>(
    handle: Handle,
    place: &'static Location<'static>,
    limit: NonZeroUsize,
    futures: impl Iterator<Item = F> + 'static,
) -> Vec<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let left = RefCell::new(Left { futures: futures.enumerate(), results: Vec::new() });
    let left = Rc::new(left);
    let mut workers = Vec::new();
    while workers.len() < limit.get() {
        // No more workers than there is work.
        let Some(first) = left.borrow_mut().futures.next() else { break };
        let worker = handle.start(None, place, work(left.clone(), first));
        workers.push(worker.expect("this runs on the same loop"));
    }
    Gather::new(workers.into_iter()).await;
    let results = std::mem::take(&mut left.borrow_mut().results);
    // All of them are there: a worker that did not get so far has panicked above.
    results.into_iter().flatten().collect()
}

/// What the workers of [`limited`] share.
struct Left<I, T> {
    futures: I,
    results: Vec<Option<T>>,
}

async fn work<F: Future>(left: Rc<RefCell<Left<impl Iterator<Item = (usize, F)>, F::Output>>>, first: (usize, F)) {
    let mut next = Some(first);
    while let Some((index, future)) = next {
        let result = future.await;
        let mut left = left.borrow_mut();
        if left.results.len() <= index {
            left.results.resize_with(index + 1, || None);
        }
        left.results[index] = Some(result);
        next = left.futures.next();
    }
}

/// Resolves to the first of these tasks that ends, its place in the list, and the others in their order, which go on:
/// `asyncio.wait(.., FIRST_COMPLETED)`. Where several have ended, the first of the list.
///
/// Looks at all of them at each wake-up: for many, [`EventLoop::as_completed`](super::EventLoop::as_completed) is better.
///
/// # Panics
/// Where the task that ended has panicked, and where there is none to wait for.
///
/// ```
/// # use std::time::Duration;
/// # use roundup::event_loop::{EventLoop, sleep, wait_first};
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
    // It has ended: dropping it cancels nothing.
    drop(tasks.remove(index));
    (value, index, tasks)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures_lite::future::yield_now;

    use super::*;
    use crate::event_loop::{EventLoop, sleep};

    #[test]
    fn never_more_than_the_limit_and_as_many_as_that() {
        let event_loop = EventLoop::new();
        let (now, peak, taken) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let futures = {
            let (now, peak, taken) = (now.clone(), peak.clone(), taken.clone());
            (0..20u32).map(move |n| {
                let (now, peak) = (now.clone(), peak.clone());
                taken.set(taken.get() + 1);
                async move {
                    now.set(now.get() + 1);
                    peak.set(peak.get().max(now.get()));
                    for _ in 0..n % 3 {
                        yield_now().await;
                    }
                    now.set(now.get() - 1);
                    n
                }
            })
        };
        let limit = NonZeroUsize::new(3).expect("not zero");
        let gathered = event_loop.gather_limited(limit, futures);
        // Runs though nobody awaits it, and takes what it needs.
        for _ in 0..5 {
            event_loop.tick_for(Duration::ZERO);
        }
        assert!((3..10).contains(&taken.get()), "{}", taken.get());
        assert_eq!(event_loop.run(gathered), Vec::from_iter(0..20));
        assert_eq!((peak.get(), now.get()), (3, 0));
        let none = event_loop.gather_limited(limit, std::iter::empty::<std::future::Ready<()>>());
        assert!(event_loop.run(none).is_empty());
    }

    #[test]
    fn dropping_it_cancels_all() {
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
    fn the_first_that_ends_is_taken_out_and_the_others_go_on() {
        let event_loop = EventLoop::new();
        let tasks = [30, 1, 15].map(|ms| {
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
            assert_eq!(order, [1, 15, 30]);
        });
    }
}
