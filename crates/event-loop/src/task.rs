//! Tasks, and how they end.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::FutureExt;

/// A task of an [`EventLoop`](crate::EventLoop). It runs whether or not it is awaited. Awaiting it gives its output.
///
/// Dropping it cancels the task: its future is dropped when the loop gets to it, at whatever point it was. A blocking call
/// that it had started goes on, and its result is dropped.
///
/// # Panics
/// Awaiting it panics if the task has panicked, with the same payload, and if the loop was dropped before the task had
/// ended. [`join`](Self::join) returns a [`JoinError`] instead.
#[must_use = "dropping a task cancels it: await it, keep it, or detach it"]
pub struct Task<T> {
    inner: async_executor::Task<T>,
    location: &'static Location<'static>,
}

impl<T> Task<T> {
    pub(crate) fn new(inner: async_executor::Task<T>, location: &'static Location<'static>) -> Task<T> {
        Task { inner, location }
    }

    /// Lets the task run in the background, until it ends or the loop is dropped. If it panics, Rust's panic hook prints the
    /// message, and other tasks are not affected.
    pub fn detach(self) {
        self.inner.detach();
    }

    /// Cancels the task and waits until its future is dropped. Returns its output if it had ended before.
    ///
    /// # Panics
    /// If the task had panicked.
    pub async fn cancel(self) -> Option<T> {
        self.inner.cancel().await
    }

    /// Whether the task has ended: returned, panicked or been cancelled.
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Where the task was spawned.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// Waits for the task. Returns its output, or how else it ended.
    ///
    /// ```
    /// # use roundup_event_loop::EventLoop;
    /// let event_loop = EventLoop::new();
    /// let error = event_loop.run(event_loop.spawn(async { panic!("no such city") }).join()).unwrap_err();
    /// assert!(error.is_panic());
    /// assert!(error.to_string().ends_with("panicked: no such city"));
    /// ```
    ///
    /// # Errors
    /// A [`JoinError`] if the task panicked (in builds that unwind) or was cancelled because its loop was dropped.
    pub async fn join(self) -> Result<T, JoinError> {
        let location = self.location;
        // AssertUnwindSafe: what the panic left half done belongs to the task, and is gone with it.
        let panic = match AssertUnwindSafe(self.inner.fallible()).catch_unwind().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => None,
            Err(payload) => Some(payload),
        };
        Err(JoinError { location, panic })
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
        debug.field("location", &format_args!("{}", self.location)).field("is_finished", &self.is_finished()).finish()
    }
}

/// The error of [`Task::join`]: the task ended without an output.
pub struct JoinError {
    location: &'static Location<'static>,
    /// The payload of the panic. None if the task was cancelled.
    panic: Option<Box<dyn Any + Send>>,
}

impl JoinError {
    /// Whether the task panicked. Otherwise it was cancelled, because its loop was dropped.
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// Where the task was spawned.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// The payload of the panic, for [`std::panic::resume_unwind`]. None if the task was cancelled.
    pub fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        self.panic
    }

    fn message(&self) -> Option<&str> {
        let payload = self.panic.as_ref()?;
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task that was spawned at {} ", self.location)?;
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
        debug.field("location", &format_args!("{}", self.location)).field("is_panic", &self.is_panic());
        debug.field("message", &self.message()).finish()
    }
}

impl std::error::Error for JoinError {}
