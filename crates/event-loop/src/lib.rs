//! asyncio for Rust: an event loop that runs all tasks on one thread, on crates of smol's family.
//!
//! [`EventLoop`] is async-executor's local executor driven by async-io. Its threads are these:
//!
//! - All tasks run on the thread that calls [`EventLoop::run`], or [`EventLoop::tick`] in a loop of another kind.
//! - async-io has one helper thread for the process, named "async-io". It sleeps while the loop waits for sockets and timers
//!   by itself, and waits for them while the loop is busy or no loop runs. It wakes tasks and never runs one.
//! - Blocking calls run on at most [`MAX_BLOCKING_THREADS`] threads, through [`unblock`], or on those of a
//!   [`BlockingPool`]. They start with the first call, and end when there has been no call for a second.
//! - [`EventLoop::builder`] makes a loop with a watchdog thread, which sleeps while no task runs.
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
//! use roundup_event_loop::{EventLoop, sleep};
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

mod blocking;
mod builder;
mod completed;
mod core;
mod current;
mod diagnostics;
mod event_loop;
mod gather;
mod group;
mod handle;
mod host;
mod notifier;
mod sync;
mod task;
mod time;
mod timers;
mod watch;

pub use async_lock::{Barrier, Mutex, Semaphore};

pub use self::blocking::{BlockingPool, MAX_BLOCKING_THREADS, unblock};
pub use self::builder::Builder;
pub use self::completed::{AsCompleted, TryGather};
pub use self::current::{current_task, should_yield};
pub use self::event_loop::EventLoop;
pub use self::gather::{Gather, wait_first};
pub use self::group::{GroupTask, TaskGroup};
pub use self::handle::{Closed, Handle};
pub use self::sync::{Event, queue};
pub use self::task::{JoinError, Task};
pub use self::time::{Elapsed, Sleep, Timeout, sleep, sleep_until, timeout};
pub use self::watch::{DEFAULT_SLOW_POLL, SlowPoll, TaskInfo, TaskName, TaskState, TaskTable};

/// Its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
