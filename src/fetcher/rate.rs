//! Even spacing of starts. Pure: the caller brings the time.

use std::time::{Duration, Instant};

use crate::units::Rate;

/// Lets one start through every interval: never more than the rate in any stretch of its length, and no burst after a
/// quiet time (the generic cell rate algorithm without tolerance).
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    interval: Duration,
    next: Option<Instant>,
}

impl Pacer {
    pub(super) fn new(rate: Rate) -> Pacer {
        Pacer { interval: rate.interval(), next: None }
    }

    /// When the next start is allowed, where that is not now.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.next.filter(|next| *next > now)
    }

    /// Notes a start.
    pub(super) fn start(&mut self, now: Instant) {
        // From the time it was allowed, so that late wake-ups do not add up; but not from long ago.
        let due = self.next.filter(|next| *next + self.interval > now).unwrap_or(now);
        self.next = Some(due + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_spaced_and_lateness_does_not_add_up() {
        let now = Instant::now();
        let at = |ms: u64| now + Duration::from_millis(ms);
        let mut pacer = Pacer::new("10/s".parse().expect("a rate"));
        assert_eq!(pacer.wait_until(at(0)), None);
        pacer.start(at(0));
        assert_eq!(pacer.wait_until(at(1)), Some(at(100)));
        assert_eq!(pacer.wait_until(at(103)), None);
        pacer.start(at(103));
        assert_eq!(pacer.wait_until(at(103)), Some(at(200)));
        pacer.start(at(5000));
        assert_eq!(pacer.wait_until(at(5000)), Some(at(5100)), "no burst after a quiet time");
    }
}
