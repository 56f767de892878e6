//! The loop that runs on this thread, and the task that it polls.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::core::Core;
use crate::watch::TaskInfo;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// How long a task should run before it yields to others.
///
/// A shorter slice costs a reader of sockets dearly: a server on the same machine runs on the reader's account while the
/// reader makes room for more, so that taking little at a time made a client up to three times as expensive.
const TIME_SLICE: Duration = Duration::from_millis(1);

/// The task that is polled now on this thread: `asyncio.current_task()`. None outside of tasks, and in a loop that does not
/// track them.
///
/// ```
/// # use roundup_event_loop::{EventLoop, current_task};
/// let event_loop = EventLoop::builder().build();
/// let name = event_loop.spawn_named("weather", async { current_task().map(|task| task.name) });
/// assert_eq!(event_loop.run(name).as_deref(), Some("weather"));
/// ```
pub fn current_task() -> Option<TaskInfo> {
    core()?.watch.as_ref()?.current()
}

/// Whether the task that is polled now has run for a millisecond and should yield to others, as
/// [`sleep(Duration::ZERO)`](crate::sleep) does. For tasks that always find more to do, such as reading from a fast socket.
///
/// True outside of [`EventLoop::run`](crate::EventLoop::run), where the time is not known: a host decides by itself how
/// long it ticks.
pub fn should_yield() -> bool {
    core().and_then(|core| core.slice_began()).is_none_or(|began| began.elapsed() >= TIME_SLICE)
}

/// Whether a loop runs on this thread.
pub(crate) fn is_running() -> bool {
    CURRENT.try_with(|current| current.borrow().is_some()).unwrap_or(false)
}

/// The loop that runs on this thread.
pub(crate) fn core() -> Option<Rc<Core>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Makes a loop the current one of this thread until it is dropped.
pub(crate) struct EnterGuard(());

impl EnterGuard {
    /// `call` is named in the panic.
    ///
    /// # Panics
    /// If a loop runs on this thread already: the outer one would stand still until the inner one ends, which may wait for
    /// the outer.
    #[track_caller]
    pub(crate) fn new(core: &Rc<Core>, call: &str) -> EnterGuard {
        CURRENT.with(|current| {
            let mut current = current.borrow_mut();
            assert!(
                current.is_none(),
                "{call} was called while an event loop runs on this thread: await the future, or spawn it, instead"
            );
            *current = Some(core.clone());
        });
        EnterGuard(())
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        // Dropped outside the borrow, because it may be the last reference to the loop.
        let _core = CURRENT.try_with(|current| current.borrow_mut().take());
    }
}
