//! The rate of the run, and for how long it has held back all hosts. Pure: the caller brings the time.

use std::time::{Duration, Instant};

use super::host::rate::Pacer;
use crate::units::Rate;

/// Holds all starts of a run to its rate, if it has one.
#[derive(Debug)]
pub(super) struct RunPacer {
    pacer: Option<Pacer>,
    /// For how long nothing could start.
    held: Duration,
    /// Until when that was counted.
    counted_to: Option<Instant>,
}

impl RunPacer {
    /// It counts what left before, in other runs.
    pub(super) fn new(rate: Option<Rate>, before: Option<&Pacer>) -> RunPacer {
        let pacer = rate.map(|rate| Pacer::after(rate, before));
        RunPacer { pacer, held: Duration::ZERO, counted_to: None }
    }

    /// What has left.
    pub(super) fn pacer(&self) -> Option<&Pacer> {
        self.pacer.as_ref()
    }

    /// When the next start is allowed, unless that is now.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.pacer.as_ref()?.wait_until(now)
    }

    /// Notes a start.
    pub(super) fn start(&mut self, now: Instant) {
        self.held(now);
        if let Some(pacer) = &mut self.pacer {
            pacer.start(now);
        }
    }

    /// For how long the rate has held back starts by now.
    pub(super) fn held(&mut self, now: Instant) -> Duration {
        let Some(pacer) = &self.pacer else { return Duration::ZERO };
        let before = self.counted_to.unwrap_or(now);
        if now >= before {
            // Nothing has started since, so what held then has held until its time, or until now.
            let until = pacer.wait_until(before).map_or(before, |until| until.min(now));
            self.held += until.saturating_duration_since(before);
            self.counted_to = Some(now);
        }
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_which_nothing_could_start_is_counted_once() {
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        let mut pacer = RunPacer::new("10/s".parse().ok(), None);
        assert_eq!(pacer.held(at(0)), Duration::ZERO);
        pacer.start(at(5));
        assert_eq!(pacer.held(at(25)), Duration::from_millis(20));
        assert_eq!(pacer.held(at(25)), Duration::from_millis(20));
        assert_eq!(pacer.held(at(300)), Duration::from_millis(100), "it was free after a tenth of a second");
        assert_eq!(RunPacer::new(None, None).held(at(300)), Duration::ZERO);
    }
}
