//! Waiting for time to pass, or no longer than that.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_io::Timer;
use futures_lite::FutureExt;

/// Resolves after this long. Other tasks run meanwhile, which they would not under [`std::thread::sleep`].
///
/// Accurate to about a millisecond, never early. Costs one entry in the reactor's ordered map of timers.
pub async fn sleep(duration: Duration) {
    Timer::after(duration).await;
}

/// What `future` resolves to, or [`Elapsed`] where it takes longer than `limit`; it is dropped then, and so cancelled.
///
/// # Errors
/// [`Elapsed`] when the time is over. A future that is ready when it is first polled always wins.
pub async fn timeout<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    let timer = async {
        Timer::after(limit).await;
        Err(Elapsed(limit))
    };
    async { Ok(future.await) }.or(timer).await
}

/// The time was over before the future was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(Duration);

impl Elapsed {
    /// The limit that was passed.
    pub fn limit(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not done within {}", crate::units::DisplayDuration(self.0))
    }
}

impl std::error::Error for Elapsed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::EventLoop;

    #[test]
    fn what_is_ready_wins_and_what_is_not_is_cancelled() {
        let event_loop = EventLoop::new();
        event_loop.run(async {
            assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7));
            let limit = Duration::from_millis(1);
            let never = timeout(limit, futures_lite::future::pending::<()>()).await;
            assert_eq!(never, Err(Elapsed(limit)));
            assert_eq!(never.expect_err("elapsed").to_string(), "not done within 1ms");
        });
    }
}
