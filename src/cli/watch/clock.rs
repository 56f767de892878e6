//! The one clock of a plan that is watched: all that waits between rounds asks it, so that tests can let days pass.

use std::time::{Duration, Instant, SystemTime};

use roundup::event_loop::sleep;

/// Tells the time, and waits for it.
pub(super) trait Clock {
    /// The time that only goes forward.
    fn now(&self) -> Instant;
    /// The time by the clock on the wall.
    fn time(&self) -> SystemTime;
    /// Waits for this long.
    async fn wait(&self, time: Duration);
}

/// The clock of the system.
#[derive(Debug)]
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn time(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn wait(&self, time: Duration) {
        sleep(time).await;
    }
}
