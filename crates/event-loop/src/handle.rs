//! A reference to a loop, for its tasks.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::core::Core;
use crate::current;
use crate::task::Task;
use crate::time::sleep;
use crate::watch::{TaskInfo, TaskName};

/// Starts tasks on a loop from within its tasks. Cheap to clone. Does not keep the loop alive.
///
/// ```
/// use roundup_event_loop::{EventLoop, Handle};
///
/// async fn twice(n: u32) -> u32 {
///     // Finds the loop without being handed a reference.
///     let handle = Handle::current().expect("runs on a loop");
///     handle.spawn(async move { n * 2 }).expect("the loop lives").await
/// }
/// assert_eq!(EventLoop::new().run(twice(21)), 42);
/// ```
#[derive(Clone, Debug)]
pub struct Handle(Weak<Core>);

impl Handle {
    pub(crate) fn new(core: &Rc<Core>) -> Handle {
        Handle(Rc::downgrade(core))
    }

    /// The loop that runs on this thread now: `asyncio.get_running_loop()`.
    pub fn current() -> Option<Handle> {
        current::core().map(|core| Handle::new(&core))
    }

    /// Starts a task, as [`EventLoop::spawn`](crate::EventLoop::spawn) does.
    ///
    /// # Errors
    /// [`Closed`] if the loop is gone. The future is dropped then.
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Result<Task<T>, Closed> {
        self.spawn_at(None, Location::caller(), future)
    }

    /// Starts a task with a name, as [`EventLoop::spawn_named`](crate::EventLoop::spawn_named).
    ///
    /// # Errors
    /// [`Closed`] if the loop is gone. The future is dropped then.
    #[track_caller]
    pub fn spawn_named<T: 'static>(
        &self,
        name: impl Into<TaskName>,
        future: impl Future<Output = T> + 'static,
    ) -> Result<Task<T>, Closed> {
        self.spawn_at(Some(name.into()), Location::caller(), future)
    }

    /// Calls `callback` on the loop after `delay`: `loop.call_later()`. Dropping the task cancels the call.
    ///
    /// # Errors
    /// [`Closed`] if the loop is gone.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use roundup_event_loop::EventLoop;
    /// let event_loop = EventLoop::new();
    /// let later = event_loop.handle().call_later(Duration::from_millis(1), || 7)?;
    /// assert_eq!(event_loop.run(later), 7);
    /// # Ok::<(), roundup_event_loop::Closed>(())
    /// ```
    #[track_caller]
    pub fn call_later<T: 'static>(
        &self,
        delay: Duration,
        callback: impl FnOnce() -> T + 'static,
    ) -> Result<Task<T>, Closed> {
        // Made here, so that the time runs from now on and not from the first poll of the task.
        let sleep = sleep(delay);
        let later = async move {
            sleep.await;
            callback()
        };
        self.spawn_at(Some("call_later".into()), Location::caller(), later)
    }

    /// The tasks of the loop, as [`EventLoop::tasks`](crate::EventLoop::tasks); none if the loop is gone.
    pub fn tasks(&self) -> Option<Vec<TaskInfo>> {
        Some(self.0.upgrade()?.watch.as_ref()?.tasks())
    }

    /// Whether the loop tracks its tasks. If not, it ignores their names, and there is no need to make them up.
    pub fn is_watched(&self) -> bool {
        self.0.upgrade().is_some_and(|core| core.watch.is_some())
    }

    pub(crate) fn spawn_at<T: 'static>(
        &self,
        name: Option<TaskName>,
        location: &'static Location<'static>,
        future: impl Future<Output = T> + 'static,
    ) -> Result<Task<T>, Closed> {
        match self.0.upgrade() {
            Some(core) => Ok(core.spawn(name, location, future)),
            None => Err(Closed),
        }
    }
}

/// The error of [`Handle::spawn`] and the like: the loop is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop is gone: spawn before it is dropped")
    }
}

impl std::error::Error for Closed {}
