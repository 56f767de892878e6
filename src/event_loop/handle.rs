//! A loop as its tasks know it.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::rc::Weak;
#[cfg(feature = "fetcher")]
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::group::TaskGroup;
use super::time::sleep;
use super::watch::{TaskInfo, TaskName};
use super::{Task, current};

/// Starts tasks on a loop from within it. Cheap to clone, and does not keep the loop alive.
///
/// ```
/// use roundup::event_loop::{EventLoop, Handle};
///
/// async fn twice(n: u32) -> u32 {
///     // A function that is handed nothing still finds the loop it runs on.
///     let handle = Handle::current().expect("runs on a loop");
///     handle.spawn(async move { n * 2 }).expect("the loop lives").await
/// }
/// assert_eq!(EventLoop::new().run(twice(21)), 42);
/// ```
#[derive(Clone, Debug)]
pub struct Handle(pub(super) Weak<Core>);

impl Handle {
    /// The loop that runs on this thread now: `asyncio.get_running_loop()`.
    pub fn current() -> Option<Handle> {
        current::core().map(|core| Handle(std::rc::Rc::downgrade(&core)))
    }

    /// Starts a task, as [`EventLoop::spawn`](super::EventLoop::spawn) does.
    ///
    /// # Errors
    /// [`Closed`] where the loop is gone; the future is dropped.
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Result<Task<T>, Closed> {
        self.start(None, Location::caller(), future)
    }

    /// The same with a name, as [`EventLoop::spawn_named`](super::EventLoop::spawn_named).
    ///
    /// # Errors
    /// [`Closed`] where the loop is gone; the future is dropped.
    #[track_caller]
    pub fn spawn_named<T: 'static>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: impl Future<Output = T> + 'static,
    ) -> Result<Task<T>, Closed> {
        self.start(Some(TaskName::Own(name.into())), Location::caller(), future)
    }

    /// The same with a name that what it works on has.
    #[cfg(feature = "fetcher")]
    #[track_caller]
    pub(crate) fn spawn_shared<T: 'static>(
        &self,
        name: Arc<str>,
        future: impl Future<Output = T> + 'static,
    ) -> Result<Task<T>, Closed> {
        self.start(Some(TaskName::Shared(name)), Location::caller(), future)
    }

    /// Calls `callback` on the loop after this long: `loop.call_later()`. Dropping the task takes it back.
    ///
    /// # Errors
    /// [`Closed`] where the loop is gone.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use roundup::event_loop::EventLoop;
    /// let event_loop = EventLoop::new();
    /// let later = event_loop.handle().call_later(Duration::from_millis(1), || 7)?;
    /// assert_eq!(event_loop.run(later), 7);
    /// # Ok::<(), roundup::event_loop::Closed>(())
    /// ```
    #[track_caller]
    pub fn call_later<T: 'static>(
        &self,
        delay: Duration,
        callback: impl FnOnce() -> T + 'static,
    ) -> Result<Task<T>, Closed> {
        // The time runs from here, and not from the first turn of the task.
        let sleep = sleep(delay);
        let later = async move {
            sleep.await;
            callback()
        };
        self.start(Some(TaskName::Own("call_later".into())), Location::caller(), later)
    }

    /// Runs `body` with a group of tasks, as [`EventLoop::group`](super::EventLoop::group).
    ///
    /// # Errors
    /// The first one of `body` and the tasks.
    pub async fn group<T, E: 'static>(&self, body: impl AsyncFnOnce(&TaskGroup<E>) -> Result<T, E>) -> Result<T, E> {
        TaskGroup::run(self.clone(), body).await
    }

    /// The tasks of the loop, as [`EventLoop::tasks`](super::EventLoop::tasks); none where the loop is gone.
    pub fn tasks(&self) -> Option<Vec<TaskInfo>> {
        Some(self.0.upgrade()?.watch.as_ref()?.tasks())
    }

    /// Whether the loop keeps a list of its tasks. Where not, there is no need to make up names.
    pub fn is_watched(&self) -> bool {
        self.0.upgrade().is_some_and(|core| core.watch.is_some())
    }

    pub(super) fn start<T: 'static>(
        &self,
        name: Option<TaskName>,
        place: &'static Location<'static>,
        future: impl Future<Output = T> + 'static,
    ) -> Result<Task<T>, Closed> {
        match self.0.upgrade() {
            Some(core) => Ok(core.spawn(name, place, future)),
            None => Err(Closed),
        }
    }
}

/// The loop is gone, and nothing can be started on it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop is gone: spawn before it is dropped")
    }
}

impl std::error::Error for Closed {}
