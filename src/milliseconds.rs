//! Durations in milliseconds.

use std::time::Duration;

/// Milliseconds with three decimals, as reports write them.
pub fn fractional_ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// Whole milliseconds, rounded to the nearest.
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from((duration.as_micros() + 500) / 1000).unwrap_or(u64::MAX)
}
