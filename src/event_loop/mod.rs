//! One thread runs every task: the event loop.
//!
//! [`EventLoop`] is async-executor's local executor driven by async-io. What runs where, said precisely:
//!
//! - Tasks run on the thread that calls [`EventLoop::run`], and on no other.
//! - async-io keeps one helper thread named "async-io". It sleeps while the loop runs, and may take over waiting for
//!   sockets and timers when the loop is busy; it never runs a task.
//! - Blocking calls run on at most [`MAX_BLOCKING_THREADS`] threads, through [`unblock`], and only where one is made;
//!   the threads go away when there has been nothing to do for a second.
//!
//! | asyncio | here |
//! |---|---|
//! | `asyncio.run(main())` | [`EventLoop::run`] |
//! | `asyncio.create_task(f())` | [`EventLoop::spawn`] |
//! | `asyncio.gather(*fs, return_exceptions=True)` | [`EventLoop::gather`] |
//! | `asyncio.sleep(s)` | [`sleep`] |
//! | `asyncio.wait_for(f(), s)` | [`timeout`] |
//! | `asyncio.to_thread(f)` | [`unblock`] |
//!
//! ```
//! use std::time::Duration;
//! use roundup::event_loop::{EventLoop, sleep};
//!
//! let event_loop = EventLoop::new();
//! let doubled = event_loop.run(async {
//!     // Both sleep at the same time, and the results keep the order in which they were given.
//!     event_loop
//!         .gather([30, 10].map(|ms| async move {
//!             sleep(Duration::from_millis(ms)).await;
//!             ms * 2
//!         }))
//!         .await
//! });
//! assert_eq!(doubled, [60, 20]);
//! ```

use std::future::Future;
use std::rc::{Rc, Weak};

use async_executor::LocalExecutor;

mod blocking;
mod gather;
mod time;

pub use self::blocking::{MAX_BLOCKING_THREADS, unblock};
pub use self::gather::Gather;
pub use self::time::{Elapsed, sleep, timeout};
pub use async_executor::Task;

/// A loop that runs tasks on the thread that runs it.
///
/// Dropping the loop cancels the tasks that are still in it. It is bound to its thread: neither `Send` nor `Sync`.
#[derive(Debug, Default)]
pub struct EventLoop {
    executor: Rc<LocalExecutor<'static>>,
}

impl EventLoop {
    /// A loop without tasks. Starts no thread yet.
    pub fn new() -> EventLoop {
        EventLoop::default()
    }

    /// Runs the loop on this thread until `main` has ended, and returns what it returned.
    ///
    /// Other tasks run meanwhile; those that have not ended stay in the loop and go on with the next `run`. `main` may
    /// borrow from its surroundings; it is polled by the loop but is not itself a task.
    ///
    /// # Panics
    /// Where `main` panics, or awaits a task that panicked.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        async_io::block_on(self.executor.run(main))
    }

    /// Starts a task: it runs whether or not it is awaited, as soon as the loop does.
    ///
    /// Dropping the [`Task`] cancels it; [`Task::detach`] lets it go on unobserved.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        self.executor.spawn(future)
    }

    /// Starts all of these as tasks, at once, and resolves to their results in the order given.
    ///
    /// They run even if the result is never awaited, so there is no list of things that silently never ran. One that
    /// fails leaves the others alone: let the items be `Result`s and look at them afterwards. Dropping the [`Gather`]
    /// cancels those that have not ended.
    pub fn gather<F>(&self, futures: impl IntoIterator<Item = F>) -> Gather<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Gather::new(futures.into_iter().map(|future| self.spawn(future)))
    }

    /// A handle with which tasks can start further tasks on this loop. It does not keep the loop alive.
    pub fn handle(&self) -> Handle {
        Handle(Rc::downgrade(&self.executor))
    }
}

/// Starts tasks on a loop from within it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle(Weak<LocalExecutor<'static>>);

impl Handle {
    /// Starts a task, as [`EventLoop::spawn`] does; `None`, and the future is dropped, where the loop is gone.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Option<Task<T>> {
        Some(self.0.upgrade()?.spawn(future))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn tasks_run_on_the_calling_thread_and_in_turns() {
        let event_loop = EventLoop::new();
        let log = Rc::new(RefCell::new(Vec::new()));
        let here = std::thread::current().id();
        let task = |name: &'static str| {
            let log = log.clone();
            async move {
                for step in 0..3 {
                    assert_eq!(std::thread::current().id(), here);
                    log.borrow_mut().push((name, step));
                    futures_lite::future::yield_now().await;
                }
            }
        };
        event_loop.run(async {
            event_loop.gather([task("a"), task("b")]).await;
        });
        assert_eq!(*log.borrow(), [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]);
    }

    #[test]
    fn a_task_runs_though_nobody_awaits_it_and_a_dropped_one_does_not() {
        let event_loop = EventLoop::new();
        let ran = Rc::new(RefCell::new(Vec::new()));
        let push = |n: u8| {
            let ran = ran.clone();
            async move { ran.borrow_mut().push(n) }
        };
        event_loop.spawn(push(1)).detach();
        drop(event_loop.spawn(push(2)));
        let handle = event_loop.handle();
        handle.spawn(push(3)).expect("the loop is there").detach();
        event_loop.run(async {
            while ran.borrow().len() < 2 {
                futures_lite::future::yield_now().await;
            }
        });
        assert_eq!(*ran.borrow(), [1, 3]);
        drop(event_loop);
        assert!(handle.spawn(async {}).is_none());
    }

    #[test]
    fn dropping_the_loop_drops_its_tasks() {
        let event_loop = EventLoop::new();
        let witness = Rc::new(());
        let held = witness.clone();
        event_loop
            .spawn(async move {
                let _held = held;
                futures_lite::future::pending::<()>().await;
            })
            .detach();
        event_loop.run(futures_lite::future::yield_now());
        drop(event_loop);
        assert_eq!(Rc::strong_count(&witness), 1);
    }
}
