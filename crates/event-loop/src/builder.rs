//! Options of a loop.

use std::fmt;
use std::time::Duration;

use crate::core::Core;
use crate::diagnostics;
use crate::event_loop::EventLoop;
use crate::watch::{DEFAULT_SLOW_POLL, OnSlowPoll, SlowPoll, TaskWatch};

/// Builds an [`EventLoop`] that tracks its tasks and reports slow polls. Made by [`EventLoop::builder`].
///
/// Tracking costs some 60 ns a poll, and one allocation a task; asyncio does the same in its debug mode. A loop of
/// [`EventLoop::new`] does not track its tasks and does not pay for it.
///
/// ```
/// use std::time::Duration;
/// use roundup_event_loop::EventLoop;
///
/// let event_loop = EventLoop::builder()
///     .slow_poll(Duration::from_millis(50))
///     .on_slow_poll(|slow| eprintln!("{slow}"))
///     .build();
/// # assert_eq!(event_loop.run(async { 1 }), 1);
/// ```
#[must_use = "nothing is built before build()"]
pub struct Builder {
    watched: bool,
    slow_poll: Option<Duration>,
    on_slow_poll: OnSlowPoll,
}

impl EventLoop {
    /// Builds a loop that tracks its tasks and reports those that hold it.
    pub fn builder() -> Builder {
        let on_slow_poll = Box::new(|slow: &SlowPoll| diagnostics::warn(format_args!("{slow}")));
        Builder { watched: true, slow_poll: Some(DEFAULT_SLOW_POLL), on_slow_poll }
    }
}

impl Builder {
    /// Whether the loop tracks its tasks and reports slow polls; true by default.
    pub fn watched(mut self, watched: bool) -> Builder {
        self.watched = watched;
        self
    }

    /// How long a poll may take before it is reported: [`DEFAULT_SLOW_POLL`] by default, and at least 1 ms.
    /// [`Duration::MAX`] is for never, and starts no watchdog thread.
    pub fn slow_poll(mut self, limit: Duration) -> Builder {
        self.slow_poll = (limit < Duration::MAX).then_some(limit);
        self
    }

    /// Is called with every slow poll: from the watchdog's thread while the poll lasts, and from the loop's thread when it
    /// has ended. By default slow polls are warnings, to the crate `log` with the cargo feature of that name, otherwise to
    /// stderr. If the callback panics, that is reported in the same way, and the loop goes on.
    pub fn on_slow_poll(mut self, callback: impl Fn(&SlowPoll) + Send + Sync + 'static) -> Builder {
        self.on_slow_poll = Box::new(callback);
        self
    }

    /// Makes the loop. Starts the watchdog's thread, which sleeps while no task runs.
    pub fn build(self) -> EventLoop {
        let watch = self.watched.then(|| TaskWatch::new(self.slow_poll, self.on_slow_poll));
        EventLoop::with(Core::new(watch))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Builder");
        debug.field("watched", &self.watched).field("slow_poll", &self.slow_poll).finish_non_exhaustive()
    }
}
