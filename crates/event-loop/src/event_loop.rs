//! The event loop itself.

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;

use crate::completed::{AsCompleted, TryGather};
use crate::core::Core;
use crate::current::EnterGuard;
use crate::gather::{Gather, gather_limited};
use crate::group::TaskGroup;
use crate::handle::Handle;
use crate::task::Task;
use crate::watch::{TaskInfo, TaskName};

/// A loop that runs tasks on the thread that calls it.
///
/// Dropping the loop cancels the tasks that are still in it. The loop is bound to its thread: it is neither `Send` nor
/// `Sync`.
///
/// ```compile_fail
/// let event_loop = roundup_event_loop::EventLoop::new();
/// std::thread::spawn(move || event_loop.tick());
/// ```
#[derive(Debug)]
pub struct EventLoop {
    core: Rc<Core>,
}

impl EventLoop {
    /// A loop without tasks, which does not track them (see [`EventLoop::builder`]). Starts no thread.
    pub fn new() -> EventLoop {
        EventLoop::with(Core::new(None))
    }

    pub(crate) fn with(core: Core) -> EventLoop {
        EventLoop { core: Rc::new(core) }
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// Runs the loop on this thread until `main` has ended, and returns its output.
    ///
    /// Other tasks run meanwhile. Those that have not ended stay in the loop and go on with the next `run`. `main` may borrow
    /// from its surroundings. It is polled by the loop but is not itself a task.
    ///
    /// # Panics
    /// If `main` panics or awaits a task that has panicked. Also if an event loop runs on this thread already, because the
    /// outer one would stand still until the inner one ends: await the future instead, or spawn it.
    #[track_caller]
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let mut value = None;
        self.run_to_end(pin!(async { value = Some(main.await) }), Location::caller());
        // It was polled until it had ended.
        value.unwrap_or_else(|| unreachable!("the main future has ended"))
    }

    /// The loop itself, which is in a program once, however many futures are run by it.
    fn run_to_end(&self, mut main: Pin<&mut dyn Future<Output = ()>>, location: &'static Location<'static>) {
        let entered = EnterGuard::new(&self.core, "EventLoop::run");
        let core = &*self.core;
        let mut tracked = core.watch.as_ref().map(|watch| watch.register(Some("main".into()), location));
        let leave = LeaveOnDrop(core);
        // A host is not called for what this thread does by itself.
        core.notifier.set_running();
        core.notifier.wake_main();
        async_io::block_on(poll_fn(|cx| core.poll_until(main.as_mut(), tracked.as_mut(), cx)));
        drop(entered);
        drop(leave);
    }

    /// Starts a task: `asyncio.create_task`. It runs as soon as the loop does, whether or not it is awaited.
    ///
    /// Dropping the [`Task`] cancels it. [`Task::detach`] lets it run in the background.
    ///
    /// ```compile_fail
    /// #![deny(unused_must_use)]
    /// # let event_loop = roundup_event_loop::EventLoop::new();
    /// // The task would be cancelled at once, and the compiler warns of it.
    /// event_loop.spawn(async { println!("never") });
    /// ```
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        self.core.spawn(None, Location::caller(), future)
    }

    /// Starts a task with a name, for [`tasks`](Self::tasks) and for reports of slow polls. A loop that does not track its
    /// tasks ignores the name.
    #[track_caller]
    pub fn spawn_named<T: 'static>(
        &self,
        name: impl Into<TaskName>,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        self.core.spawn(Some(name.into()), Location::caller(), future)
    }

    /// Starts a task for each future at once, and resolves to their results in the order given:
    /// `asyncio.gather(*fs, return_exceptions=True)`.
    ///
    /// The tasks run even if the [`Gather`] is not awaited. One that fails does not affect the others: let the outputs be
    /// `Result`s and look at them afterwards. Dropping the [`Gather`] cancels the tasks that have not ended.
    #[track_caller]
    pub fn gather<F>(&self, futures: impl IntoIterator<Item = F>) -> Gather<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let location = Location::caller();
        Gather::new(futures.into_iter().map(|future| self.core.spawn(None, location, future)))
    }

    /// Starts a task for each future at once, and resolves to their values in the order given, or to the first error:
    /// `asyncio.gather(*fs)`. The first error cancels the other tasks.
    ///
    /// ```
    /// # use roundup_event_loop::EventLoop;
    /// let event_loop = EventLoop::new();
    /// let parsed = event_loop.try_gather(["1", "x", "3"].map(|text| async { text.parse::<u8>() }));
    /// assert!(event_loop.run(parsed).is_err());
    /// ```
    ///
    /// # Errors
    /// The error of the task that failed first.
    #[track_caller]
    pub fn try_gather<T, E, F>(&self, futures: impl IntoIterator<Item = F>) -> TryGather<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: 'static,
    {
        TryGather::new(AsCompleted::new(futures, &self.core, Location::caller()))
    }

    /// Runs the futures as tasks, at most `limit` of them at once, and resolves to their results in the order given. A future
    /// is taken from the iterator when it may start.
    ///
    /// The tasks run whether or not this is awaited. Dropping it cancels those that have not ended.
    ///
    /// ```
    /// # use std::num::NonZeroUsize;
    /// # use roundup_event_loop::EventLoop;
    /// let event_loop = EventLoop::new();
    /// let two = NonZeroUsize::new(2).expect("not zero");
    /// let squares = event_loop.gather_limited(two, (0..5).map(|n| async move { n * n }));
    /// assert_eq!(event_loop.run(squares), [0, 1, 4, 9, 16]);
    /// ```
    ///
    /// # Panics
    /// When awaited, if one of the tasks has panicked. Those that have not ended are cancelled then.
    #[track_caller]
    pub fn gather_limited<F, I>(&self, limit: NonZeroUsize, futures: I) -> Task<Vec<F::Output>>
    where
        I: IntoIterator<Item = F>,
        I::IntoIter: 'static,
        F: Future + 'static,
        F::Output: 'static,
    {
        let location = Location::caller();
        let futures = futures.into_iter();
        self.core.spawn(None, location, gather_limited(self.handle(), location, limit, futures))
    }

    /// Starts a task for each future at once, and streams their results as the tasks end, each with its index in the list:
    /// `asyncio.as_completed`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use futures_lite::StreamExt;
    /// # use roundup_event_loop::{EventLoop, sleep};
    /// let event_loop = EventLoop::new();
    /// let mut completed = event_loop.as_completed([20, 1].map(|ms| async move {
    ///     sleep(Duration::from_millis(ms)).await;
    ///     ms
    /// }));
    /// assert_eq!(event_loop.run(completed.next()), Some((1, 1)));
    /// assert_eq!(event_loop.run(completed.next()), Some((0, 20)));
    /// ```
    #[track_caller]
    pub fn as_completed<F>(&self, futures: impl IntoIterator<Item = F>) -> AsCompleted<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        AsCompleted::new(futures, &self.core, Location::caller())
    }

    /// Runs `body`, which can start tasks in the group, and ends when `body` and all of these tasks have ended:
    /// `asyncio.TaskGroup`.
    ///
    /// The first error, of `body` or of a task, cancels the rest, and is returned when they are gone. If a task panics, the
    /// rest is cancelled in the same way, and the panic continues here. Dropping this future cancels all of them too, so no
    /// task is leaked.
    ///
    /// ```
    /// # use roundup_event_loop::EventLoop;
    /// let event_loop = EventLoop::new();
    /// let total = event_loop.run(event_loop.group(async |group| {
    ///     let one = group.spawn(async { "1".parse::<u32>() });
    ///     let two = group.spawn(async { "2".parse::<u32>() });
    ///     Ok(one.await + two.await)
    /// }));
    /// assert_eq!(total, Ok(3));
    /// ```
    ///
    /// # Errors
    /// The first error of `body` and the tasks.
    pub async fn group<T, E: 'static>(&self, body: impl AsyncFnOnce(&TaskGroup<E>) -> Result<T, E>) -> Result<T, E> {
        self.handle().group(body).await
    }

    /// A handle with which tasks can start further tasks on this loop. It does not keep the loop alive.
    pub fn handle(&self) -> Handle {
        Handle::new(&self.core)
    }

    /// The tasks that have not ended, in the order in which they were spawned, and the main future of [`run`](Self::run).
    /// None if the loop does not track its tasks, as one of [`EventLoop::new`].
    ///
    /// ```
    /// # use roundup_event_loop::{EventLoop, TaskState, TaskTable, current_task};
    /// let event_loop = EventLoop::builder().build();
    /// let slow = event_loop.spawn_named("weather", std::future::pending::<()>());
    /// event_loop.run_until_stalled();
    /// let tasks = event_loop.tasks().expect("it tracks them");
    /// assert_eq!((&*tasks[0].name, tasks[0].polls, tasks[0].state), ("weather", 1, TaskState::Waiting));
    /// print!("{}", TaskTable(&tasks));
    /// # drop(slow);
    /// ```
    pub fn tasks(&self) -> Option<Vec<TaskInfo>> {
        Some(self.core.watch.as_ref()?.tasks())
    }
}

impl Default for EventLoop {
    fn default() -> EventLoop {
        EventLoop::new()
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        // Wakers may live much longer than the loop. They must not keep the callback, nor call it.
        self.core.notifier.set_host(None);
    }
}

/// Ends `run`, also if the main future panics.
struct LeaveOnDrop<'a>(&'a Core);

impl Drop for LeaveOnDrop<'_> {
    fn drop(&mut self) {
        self.0.notifier.clear_thread();
        self.0.start_host();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::Closed;

    #[test]
    fn tasks_run_on_the_calling_thread_and_take_turns() {
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
    fn a_task_runs_without_being_awaited_and_a_dropped_one_does_not() {
        let event_loop = EventLoop::new();
        let ran = Rc::new(RefCell::new(Vec::new()));
        let push = |n: u8| {
            let ran = ran.clone();
            async move { ran.borrow_mut().push(n) }
        };
        event_loop.spawn(push(1)).detach();
        drop(event_loop.spawn(push(2)));
        let handle = event_loop.handle();
        handle.spawn(push(3)).expect("the loop is not dropped").detach();
        event_loop.run(async {
            while ran.borrow().len() < 2 {
                futures_lite::future::yield_now().await;
            }
        });
        assert_eq!(*ran.borrow(), [1, 3]);
        drop(event_loop);
        assert_eq!(handle.spawn(async {}).expect_err("it is gone"), Closed);
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
