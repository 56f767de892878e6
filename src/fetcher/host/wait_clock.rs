//! For how long the jobs of a host could not start, and why. Pure: the caller brings the time.
//!
//! Waits are not counted job by job: ten thousand that wait would make each step cost as much. The host has one clock, and a
//! job that starts takes what was added to it since the job was ready.

use std::time::{Duration, Instant};

use super::gate::{Gate, Hold};
use crate::wait_times::{WaitCause, WaitTimes};

/// Counts the time by what a job of the host would wait for.
#[derive(Debug)]
pub(super) struct WaitClock {
    /// Until when it has counted.
    read_at: Instant,
    times: WaitTimes,
    /// For how long the rate of the run had held back all hosts by then.
    run_paced: Duration,
}

impl WaitClock {
    pub(super) fn new(now: Instant, run_paced: Duration) -> WaitClock {
        WaitClock { read_at: now, times: WaitTimes::default(), run_paced }
    }

    pub(super) fn read_at(&self) -> Instant {
        self.read_at
    }

    /// What has been counted.
    pub(super) fn times(&self) -> WaitTimes {
        self.times
    }

    /// Counts until now. `gate` is how the host stood when it had counted last; since then nothing but time has changed it.
    pub(super) fn count(&mut self, gate: Gate, now: Instant, run_paced: Duration) {
        let passed = now.saturating_duration_since(self.read_at);
        let until = |until: Instant| until.saturating_duration_since(self.read_at).min(passed);
        let (cause, held) = match gate {
            Gate::Open => (WaitCause::Run, Duration::ZERO),
            Gate::Full => (WaitCause::Host, passed),
            Gate::Probing => (WaitCause::Breaker, passed),
            Gate::Until(at, Hold::Rate) => (WaitCause::Rate, until(at)),
            Gate::Until(at, Hold::Pause) | Gate::Closed(at) => (WaitCause::Pause, until(at)),
            Gate::Until(at, Hold::Breaker) | Gate::GivenUp(at) => (WaitCause::Breaker, until(at)),
        };
        self.times.add(cause, held);
        // What is left is not the host's: the rate of the run, or its concurrency.
        let open = passed - held;
        let paced = run_paced.saturating_sub(self.run_paced).min(open);
        self.times.add(WaitCause::Rate, paced);
        self.times.add(WaitCause::Run, open - paced);
        (self.read_at, self.run_paced) = (self.read_at.max(now), run_paced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_to_what_held_the_host_back_and_the_rest_to_the_run() {
        let began = Instant::now();
        let ms = Duration::from_millis;
        let mut clock = WaitClock::new(began, ms(0));
        clock.count(Gate::Full, began + ms(10), ms(0));
        clock.count(Gate::Until(began + ms(30), Hold::Pause), began + ms(50), ms(0));
        clock.count(Gate::Until(began + ms(90), Hold::Rate), began + ms(70), ms(0));
        clock.count(Gate::Probing, began + ms(75), ms(0));
        clock.count(Gate::Open, began + ms(100), ms(20));
        let times: Vec<_> = clock.times().iter().collect();
        assert_eq!(
            times,
            [
                (WaitCause::Run, ms(25)),
                (WaitCause::Host, ms(10)),
                (WaitCause::Rate, ms(40)),
                (WaitCause::Pause, ms(20)),
                (WaitCause::Breaker, ms(5)),
            ]
        );
        assert_eq!(clock.times().total(), ms(100), "no time is lost and none is counted twice");
    }
}
