//! A task that was spawned, and how it ended.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::FutureExt;

/// A task of an [`EventLoop`](super::EventLoop): it runs whether or not it is awaited, and awaiting it gives what it
/// returned.
///
/// Dropping it cancels the task: its future is dropped at the next turn of the loop, wherever it was. A blocking call that
/// it had started goes on, and its result is dropped.
///
/// # Panics
/// Awaiting it panics where the task has panicked, with what it panicked with, and where the loop was dropped before the
/// task had ended. [`join`](Self::join) gives both as a [`JoinError`] instead.
#[must_use = "dropping a task cancels it: await it, keep it, or detach it"]
pub struct Task<T> {
    inner: async_executor::Task<T>,
    place: &'static Location<'static>,
}

impl<T> Task<T> {
    pub(super) fn new(inner: async_executor::Task<T>, place: &'static Location<'static>) -> Task<T> {
        Task { inner, place }
    }

    /// Lets the task go on unobserved, until it ends or the loop is dropped. A panic of it is printed, and ends nothing
    /// else.
    pub fn detach(self) {
        self.inner.detach();
    }

    /// Cancels the task, waits until it is gone, and gives its output if it had ended before.
    ///
    /// # Panics
    /// Where the task had panicked.
    pub async fn cancel(self) -> Option<T> {
        self.inner.cancel().await
    }

    /// Whether the task has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Where it was spawned.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// What the task returned, or how it ended otherwise.
    ///
    /// ```
    /// # use roundup::event_loop::EventLoop;
    /// let event_loop = EventLoop::new();
    /// let error = event_loop.run(event_loop.spawn(async { panic!("no such city") }).join()).unwrap_err();
    /// assert!(error.is_panic());
    /// assert!(error.to_string().ends_with("panicked: no such city"));
    /// ```
    ///
    /// # Errors
    /// A [`JoinError`] where the task panicked, in builds that unwind, or was cancelled with its loop.
    pub async fn join(self) -> Result<T, JoinError> {
        let place = self.place;
        // What the panic left half done was the task's own, and is gone with it.
        let cause = match AssertUnwindSafe(self.inner.fallible()).catch_unwind().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => None,
            Err(payload) => Some(payload),
        };
        Err(JoinError { place, cause })
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Task");
        debug.field("place", &format_args!("{}", self.place)).field("is_finished", &self.is_finished()).finish()
    }
}

/// How a task ended that returned nothing.
pub struct JoinError {
    place: &'static Location<'static>,
    /// What it panicked with. None where it was cancelled.
    cause: Option<Box<dyn Any + Send>>,
}

impl JoinError {
    /// Whether the task panicked. Otherwise it was cancelled, because its loop was dropped.
    pub fn is_panic(&self) -> bool {
        self.cause.is_some()
    }

    /// Where the task was spawned.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// What it panicked with, for [`std::panic::resume_unwind`]. None where it was cancelled.
    pub fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        self.cause
    }

    fn message(&self) -> Option<&str> {
        let cause = self.cause.as_ref()?;
        cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task that was spawned at {} ", self.place)?;
        match self.message() {
            Some(message) => write!(f, "panicked: {message}"),
            None if self.is_panic() => f.write_str("panicked"),
            None => f.write_str("was cancelled with its loop"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("JoinError");
        debug.field("place", &format_args!("{}", self.place)).field("is_panic", &self.is_panic());
        debug.field("message", &self.message()).finish()
    }
}

impl std::error::Error for JoinError {}
