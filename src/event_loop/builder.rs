//! A loop with eyes.

use std::fmt;
use std::time::Duration;

use super::EventLoop;
use super::core::Core;
use super::watch::{DEFAULT_SLOW_POLL, OnSlowPoll, SlowPoll, Watch};

/// Makes an [`EventLoop`] that keeps a list of its tasks and watches for those that hold it. Made by
/// [`EventLoop::builder`].
///
/// It costs nothing where it is not asked for: [`EventLoop::new`] makes a loop that knows no names. Where it is, a poll
/// costs some 60 ns more and a spawned task one allocation; asyncio does the same in its debug mode.
///
/// ```
/// use std::time::Duration;
/// use roundup::event_loop::EventLoop;
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
    report: OnSlowPoll,
}

impl Builder {
    pub(super) fn new() -> Builder {
        let report = Box::new(|slow: &SlowPoll| log::warn!("{slow}"));
        Builder { watched: true, slow_poll: Some(DEFAULT_SLOW_POLL), report }
    }

    /// Whether tasks are listed and watched at all; true by default, for whoever asks for a builder wants it.
    pub fn watched(mut self, watched: bool) -> Builder {
        self.watched = watched;
        self
    }

    /// How long a poll may take before it is reported: [`DEFAULT_SLOW_POLL`] by default, at least 1 ms, and
    /// [`Duration::MAX`] for never, which also spares the watchdog's thread.
    pub fn slow_poll(mut self, limit: Duration) -> Builder {
        self.slow_poll = (limit < Duration::MAX).then_some(limit);
        self
    }

    /// Called with every poll that is slow, instead of a warning to the [`log`]: from the watchdog's thread while the poll
    /// lasts, and from the loop's thread when it has ended. A panic of it is logged and ends nothing.
    pub fn on_slow_poll(mut self, callback: impl Fn(&SlowPoll) + Send + Sync + 'static) -> Builder {
        self.report = Box::new(callback);
        self
    }

    /// The loop. Starts the watchdog's thread, which sleeps while nothing runs.
    pub fn build(self) -> EventLoop {
        let watch = self.watched.then(|| Watch::new(self.slow_poll, self.report));
        EventLoop::with(Core::new(watch))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Builder");
        debug.field("watched", &self.watched).field("slow_poll", &self.slow_poll).finish_non_exhaustive()
    }
}
