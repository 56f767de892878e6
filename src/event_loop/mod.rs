//! One thread runs every task: the event loop.
//!
//! [`EventLoop`] is async-executor's local executor driven by async-io. What runs where, said precisely:
//!
//! - Tasks run on the thread that calls [`EventLoop::run`], and on no other.
//! - async-io keeps one helper thread named "async-io". It sleeps while the loop runs, and may take over waiting for
//!   sockets and timers when the loop is busy; it never runs a task.
//! - Blocking calls run on at most [`MAX_BLOCKING_THREADS`] threads, through [`unblock`], and only where one is made, and
//!   the transport looks up names on at most [`MAX_LOOK_UP_THREADS`] more;
//!   the threads go away when there has been nothing to do for a second.
//!
//! | asyncio | here |
//! |---|---|
//! | `asyncio.run(main())` | [`EventLoop::run`] |
//! | `asyncio.create_task(f())` | [`EventLoop::spawn`], [`EventLoop::spawn_named`] |
//! | `asyncio.gather(*fs, return_exceptions=True)` | [`EventLoop::gather`] |
//! | `asyncio.gather(*fs)` | [`EventLoop::try_gather`] |
//! | a semaphore around `gather` | [`EventLoop::gather_limited`] |
//! | `asyncio.as_completed(fs)` | [`EventLoop::as_completed`] |
//! | `asyncio.wait(ts, return_when=FIRST_COMPLETED)` | [`wait_first`] |
//! | `asyncio.wait_for(f(), s)`, `asyncio.timeout(s)` | [`timeout`] |
//! | `asyncio.TaskGroup()` | [`EventLoop::group`] |
//! | `asyncio.sleep(s)` | [`sleep`], [`sleep_until`] |
//! | `asyncio.Semaphore`, `asyncio.Lock`, `asyncio.Barrier` | [`Semaphore`], [`Mutex`], [`Barrier`] |
//! | `asyncio.Event` | [`Event`] |
//! | `asyncio.Queue(n)` | [`queue`] |
//! | `asyncio.to_thread(f)`, `loop.run_in_executor(None, f)` | [`unblock`] |
//! | `loop.call_later(s, f)` | [`Handle::call_later`] |
//! | `asyncio.get_running_loop()` | [`Handle::current`] |
//! | `asyncio.current_task()` | [`current_task`] |
//! | `asyncio.all_tasks()`, `python -m asyncio ps` | [`EventLoop::tasks`], [`TaskTable`] |
//! | `loop.slow_callback_duration` | [`Builder::slow_poll`] |
//! | `task.cancel()`, `task.done()` | [`Task::cancel`], [`Task::is_finished`] |
//! | an exception in a task | [`Task::join`] and its [`JoinError`] |
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

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
#[cfg(feature = "transport")]
use std::time::Duration;

mod blocking;
mod builder;
mod completed;
mod core;
mod current;
mod gather;
mod group;
mod handle;
mod host;
mod signal;
mod sync;
mod task;
mod time;
mod timers;
mod watch;

#[cfg(feature = "transport")]
pub(crate) use self::blocking::look_up;
pub use self::blocking::{MAX_BLOCKING_THREADS, MAX_LOOK_UP_THREADS, unblock};
pub use self::builder::Builder;
pub use self::completed::{AsCompleted, TryGather};
pub use self::gather::{Gather, wait_first};
pub use self::group::{GroupTask, TaskGroup};
pub use self::handle::{Closed, Handle};
pub use self::sync::{Event, queue};
pub use self::task::{JoinError, Task};
#[cfg(feature = "fetcher")]
pub(crate) use self::time::timeout_from;
pub use self::time::{Elapsed, Sleep, Timeout, sleep, sleep_until, timeout};
pub use self::watch::{DEFAULT_SLOW_POLL, SlowPoll, TaskInfo, TaskState, TaskTable};
pub use async_lock::{Barrier, Mutex, Semaphore};

use self::core::Core;
use self::current::Entered;
use self::watch::TaskName;

/// A loop that runs tasks on the thread that runs it.
///
/// Dropping the loop cancels the tasks that are still in it. It is bound to its thread: neither `Send` nor `Sync`.
///
/// ```compile_fail
/// let event_loop = roundup::EventLoop::new();
/// std::thread::spawn(move || event_loop.tick());
/// ```
#[derive(Debug)]
pub struct EventLoop {
    core: Rc<Core>,
}

impl EventLoop {
    /// A loop without tasks, which keeps no list of them. Starts no thread yet.
    pub fn new() -> EventLoop {
        EventLoop::with(Core::new(None))
    }

    /// A loop that knows its tasks by name and reports those that hold it.
    pub fn builder() -> Builder {
        Builder::new()
    }

    fn with(core: Core) -> EventLoop {
        EventLoop { core: Rc::new(core) }
    }

    /// Runs the loop on this thread until `main` has ended, and returns what it returned.
    ///
    /// Other tasks run meanwhile; those that have not ended stay in the loop and go on with the next `run`. `main` may
    /// borrow from its surroundings; it is polled by the loop but is not itself a task.
    ///
    /// # Panics
    /// Where `main` panics, or awaits a task that panicked. And where an event loop runs on this thread already: the outer
    /// one would stand still until the inner one ends. Await the future instead, or spawn it.
    #[track_caller]
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let entered = Entered::new(&self.core, "EventLoop::run");
        let core = &*self.core;
        // Not inside of the closure, which has no caller.
        let place = Location::caller();
        let mut tracked = core.watch.as_ref().map(|watch| watch.add(Some(TaskName::Own("main".into())), place));
        let mut main = pin!(main);
        let leave = Leave(self);
        // The host is not asked for what this thread does by itself.
        core.signal.run();
        core.signal.wake_main();
        let value = async_io::block_on(poll_fn(|cx| core.poll_until(main.as_mut(), tracked.as_mut(), cx)));
        drop(entered);
        drop(leave);
        value
    }

    /// Starts a task: it runs whether or not it is awaited, as soon as the loop does.
    ///
    /// Dropping the [`Task`] cancels it; [`Task::detach`] lets it go on unobserved.
    ///
    /// ```compile_fail
    /// #![deny(unused_must_use)]
    /// # let event_loop = roundup::EventLoop::new();
    /// // Cancelled as soon as it was started: the compiler says so.
    /// event_loop.spawn(async { println!("never") });
    /// ```
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        self.core.spawn(None, Location::caller(), future)
    }

    /// The same with a name, for [`tasks`](Self::tasks) and for reports of slow polls. A loop that keeps no list of its
    /// tasks drops the name.
    #[track_caller]
    pub fn spawn_named<T: 'static>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        self.core.spawn(Some(TaskName::Own(name.into())), Location::caller(), future)
    }

    /// Starts all of these as tasks, at once, and resolves to their results in the order given.
    ///
    /// They run even if the result is never awaited, so there is no list of things that silently never ran. One that
    /// fails leaves the others alone: let the items be `Result`s and look at them afterwards. Dropping the [`Gather`]
    /// cancels those that have not ended.
    #[track_caller]
    pub fn gather<F>(&self, futures: impl IntoIterator<Item = F>) -> Gather<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let place = Location::caller();
        Gather::new(futures.into_iter().map(|future| self.core.spawn(None, place, future)))
    }

    /// Starts all of these as tasks, and resolves to their values in the order given, or to the first error; the other
    /// tasks are cancelled then.
    ///
    /// ```
    /// # use roundup::EventLoop;
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

    /// Runs these as tasks, at most `limit` of them at once, and resolves to their results in the order given: a gather
    /// that floods nobody. A future is taken from the iterator when its turn has come.
    ///
    /// They run whether or not this is awaited. Dropping it cancels those that have not ended.
    ///
    /// ```
    /// # use std::num::NonZeroUsize;
    /// # use roundup::EventLoop;
    /// let event_loop = EventLoop::new();
    /// let two = NonZeroUsize::new(2).expect("not zero");
    /// let squares = event_loop.gather_limited(two, (0..5).map(|n| async move { n * n }));
    /// assert_eq!(event_loop.run(squares), [0, 1, 4, 9, 16]);
    /// ```
    ///
    /// # Panics
    /// When awaited, where one of the tasks has panicked; those that had not ended are cancelled then.
    #[track_caller]
    pub fn gather_limited<F, I>(&self, limit: NonZeroUsize, futures: I) -> Task<Vec<F::Output>>
    where
        I: IntoIterator<Item = F>,
        I::IntoIter: 'static,
        F: Future + 'static,
        F::Output: 'static,
    {
        let place = Location::caller();
        let futures = futures.into_iter();
        self.core.spawn(None, place, gather::limited(self.handle(), place, limit, futures))
    }

    /// Starts all of these as tasks, and streams their results as they end, each with its place in the list.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use futures_lite::StreamExt;
    /// # use roundup::event_loop::{EventLoop, sleep};
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

    /// Runs `body`, which can start tasks in the group, and ends when `body` and all of these have ended.
    ///
    /// The first error, of `body` or of a task, cancels the rest; it is returned when they are gone. A panic of a task does
    /// the same and goes on here. Dropping what this returns cancels all, too: no task is leaked.
    ///
    /// ```
    /// # use roundup::EventLoop;
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
    /// The first one of `body` and the tasks.
    pub async fn group<T, E: 'static>(&self, body: impl AsyncFnOnce(&TaskGroup<E>) -> Result<T, E>) -> Result<T, E> {
        TaskGroup::run(self.handle(), body).await
    }

    /// A handle with which tasks can start further tasks on this loop. It does not keep the loop alive.
    pub fn handle(&self) -> Handle {
        Handle(Rc::downgrade(&self.core))
    }

    /// The tasks that have not ended, in the order in which they were spawned, and the main future where one runs. None for
    /// a loop that keeps no list, as [`EventLoop::new`] makes it.
    ///
    /// ```
    /// # use roundup::event_loop::{EventLoop, TaskState, TaskTable, current_task};
    /// let event_loop = EventLoop::builder().build();
    /// let slow = event_loop.spawn_named("weather", std::future::pending::<()>());
    /// event_loop.run_until_stalled();
    /// let tasks = event_loop.tasks().expect("it keeps a list");
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
        // Wakers may outlive the loop by far, and the host's callback need not.
        self.core.signal.set_host(None);
    }
}

/// The task that is polled now on this thread: `asyncio.current_task()`. None outside of a task, and in a loop that keeps
/// no list of them.
///
/// ```
/// # use roundup::event_loop::{EventLoop, current_task};
/// let event_loop = EventLoop::builder().build();
/// let name = event_loop.spawn_named("weather", async { current_task().map(|task| task.name) });
/// assert_eq!(event_loop.run(name).as_deref(), Some("weather"));
/// ```
pub fn current_task() -> Option<TaskInfo> {
    current::core()?.watch.as_ref()?.current()
}

/// How long one task may have the thread at a stretch, where it is not done by itself.
///
/// Not less: a server on this machine sends what each read makes room for in the name of whoever reads, so that contents
/// of which little is taken at a time cost the client up to three times as much.
#[cfg(feature = "transport")]
const TURN: Duration = Duration::from_millis(1);

/// Whether the task that is polled now has had its turn, or nobody knows since when it has.
#[cfg(feature = "transport")]
pub(crate) fn turn_is_over() -> bool {
    current::core().and_then(|core| core.turn_began()).is_none_or(|began| began.elapsed() >= TURN)
}

/// The thread is not blocked any more, however that came.
struct Leave<'a>(&'a EventLoop);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.core.unblock();
        self.0.core.hand_over();
    }
}

/// The page for people has examples, too.
#[cfg(doctest)]
#[doc = include_str!("../../docs/event-loop.md")]
struct Page;

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
