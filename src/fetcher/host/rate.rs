//! Even spacing of starts. Pure: the caller brings the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::units::Rate;

/// Lets as many starts through in any stretch of time as the rate allows, evenly spaced and without a burst after a quiet
/// time.
///
/// Spacing alone does not do it: a late start does not delay those after it, and then one more than allowed falls into the
/// stretch that begins with it. So the last starts are remembered, too.
#[derive(Clone, Debug)]
pub(in crate::fetcher) struct Pacer {
    /// From one start to the next.
    interval: Duration,
    next: Option<Instant>,
    /// When the last ones started.
    starts: VecDeque<Instant>,
    /// How many may start in `window`.
    count: usize,
    window: Duration,
}

/// So many starts are remembered at most: a larger rate is held to in parts of its stretch, which costs it less than 2 %.
const MOST_REMEMBERED: u32 = 64;

/// A part of the window that is added to it, because what leaves evenly may arrive closer together: a server that is held up
/// for a moment sees the first request of a window late and the last one in time.
const MARGIN: u32 = 50;

/// The most that is added.
const MAX_MARGIN: Duration = Duration::from_millis(20);

impl Pacer {
    pub(in crate::fetcher) fn new(rate: Rate) -> Pacer {
        let parts = rate.count().get().div_ceil(MOST_REMEMBERED);
        let (count, window) = (rate.count().get() / parts, rate.per() / parts);
        let window = window + (window / MARGIN).min(MAX_MARGIN);
        Pacer { interval: rate.interval(), next: None, starts: VecDeque::new(), count: count as usize, window }
    }

    /// One that counts what another has let through, whose rate may have been a different one.
    pub(in crate::fetcher) fn after(rate: Rate, before: Option<&Pacer>) -> Pacer {
        let mut pacer = Pacer::new(rate);
        before.into_iter().flat_map(|before| &before.starts).for_each(|start| pacer.start(*start));
        pacer
    }

    /// When the next start is allowed, unless that is now.
    pub(in crate::fetcher) fn wait_until(&self, now: Instant) -> Option<Instant> {
        let oldest = self.starts.front().filter(|_| self.starts.len() >= self.count);
        let full = oldest.map(|oldest| *oldest + self.window);
        self.next.max(full).filter(|next| *next > now)
    }

    /// Whether all that it has let through is too long ago to count.
    pub(in crate::fetcher) fn is_idle(&self, now: Instant) -> bool {
        self.starts.back().is_none_or(|last| *last + self.window <= now) && self.wait_until(now).is_none()
    }

    /// Notes a start.
    pub(in crate::fetcher) fn start(&mut self, now: Instant) {
        // From the time it was allowed, so that late wake-ups do not add up; but not from long ago.
        let due = self.next.filter(|next| *next + self.interval > now).unwrap_or(now);
        self.next = Some(due + self.interval);
        if self.starts.len() >= self.count {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(rate: &str) -> Pacer {
        Pacer::new(rate.parse().expect(rate))
    }

    #[test]
    fn starts_are_spaced_and_lateness_does_not_add_up() {
        let now = Instant::now();
        let at = |ms: u64| now + Duration::from_millis(ms);
        let mut pacer = pacer("10/s");
        assert_eq!(pacer.wait_until(at(0)), None);
        pacer.start(at(0));
        assert_eq!(pacer.wait_until(at(1)), Some(at(100)));
        assert_eq!(pacer.wait_until(at(103)), None);
        pacer.start(at(103));
        assert_eq!(pacer.wait_until(at(103)), Some(at(200)));
        pacer.start(at(5000));
        assert_eq!(pacer.wait_until(at(5000)), Some(at(5100)), "no burst after a quiet time");
    }

    /// 10/s let eleven through: one at 0, and the last of ten more just when the second was over.
    #[test]
    fn never_more_than_the_rate_in_any_window() {
        let mut random = fastrand::Rng::with_seed(7);
        for rate in ["10/s", "1/s", "3/s", "64/s", "65/s", "1000/s", "5000/h", "1/h", "100/m", "7/10s"] {
            let parsed: Rate = rate.parse().expect(rate);
            let (count, per) = (parsed.count().get() as usize, parsed.per());
            let mut pacer = pacer(rate);
            let began = Instant::now();
            let (mut now, mut starts) = (began, Vec::new());
            let wanted = (3 * count).clamp(20, 9000);
            while starts.len() < wanted {
                if let Some(until) = pacer.wait_until(now) {
                    // Timers are late now and then, and sometimes there is nothing to start.
                    let late = if random.u8(..4) == 0 { random.f64() * 3.0 } else { random.f64() * 0.01 };
                    now = until + parsed.interval().mul_f64(late);
                    continue;
                }
                pacer.start(now);
                starts.push(now);
            }
            for (first, begin) in starts.iter().enumerate() {
                let within = starts[first..].iter().take_while(|start| **start - *begin <= per).count();
                assert!(within <= count, "{rate}: {within} in a window");
            }
        }
    }

    #[test]
    fn what_left_under_another_rate_counts() {
        let now = Instant::now();
        let at = |ms: u64| now + Duration::from_millis(ms);
        let mut before = pacer("10/s");
        (0..4).for_each(|start| before.start(at(start * 100)));
        let after = |rate: &str| Pacer::after(rate.parse().expect(rate), Some(&before));
        assert_eq!(after("10/s").wait_until(at(310)), Some(at(400)));
        assert_eq!(after("4/s").wait_until(at(310)), Some(at(1020)), "four within a second and a fiftieth of it");
        assert_eq!(
            after("1/h").wait_until(at(310)).map(|until| until - at(300) >= Duration::from_secs(3600)),
            Some(true)
        );
        assert!(!before.is_idle(at(1310)) && before.is_idle(at(1320)));
    }

    #[test]
    fn a_rate_is_reached() {
        for (rate, least) in [("10/s", 9.8), ("64/s", 62.0), ("65/s", 62.0), ("1000/s", 960.0)] {
            let parsed: Rate = rate.parse().expect(rate);
            let mut pacer = Pacer::new(parsed);
            let began = Instant::now();
            let (mut now, mut started) = (began, 0u32);
            while now < began + 20 * parsed.per() {
                now = pacer.wait_until(now).unwrap_or(now);
                pacer.start(now);
                started += 1;
            }
            let reached = f64::from(started) / 20.0;
            assert!(reached >= least, "{rate}: {reached}");
        }
    }
}
