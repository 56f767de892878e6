//! Leaves a host alone that takes no connections. Pure: the caller brings the time.

use std::time::{Duration, Instant};

/// So many failures of the connection in a row open the breaker.
const FAILURES: u32 = 5;

/// The wait before the first probe; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The longest wait before a probe.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// After so many failed probes the host is given up until the next is due.
const PROBES: u32 = 3;

/// So long after the last failure nothing is lost if it is forgotten: a probe has been due for a minute at least.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(2 * LONGEST_WAIT.as_secs());

/// Counts failures in a row: after some, one request at a time probes whether the host is back.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    /// Failures of the connection in a row.
    failures: u32,
    /// When the last of them was.
    failed_at: Option<Instant>,
    open: Option<OpenBreaker>,
}

/// A breaker that lets nothing but probes pass.
#[derive(Clone, Copy, Debug)]
struct OpenBreaker {
    probe_at: Instant,
    failed_probes: u32,
    /// Whether a probe is under way.
    probing: bool,
}

/// Whether a request may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BreakerGate {
    /// Yes.
    Closed,
    /// Yes, one.
    Probe,
    /// No; a probe is under way.
    Probing,
    /// Not before then.
    Until(Instant),
    /// No: the host is given up, and is not probed before then.
    GivenUp(Instant),
}

impl Breaker {
    pub(super) fn gate(&self, now: Instant) -> BreakerGate {
        match self.open {
            None => BreakerGate::Closed,
            Some(open) if open.probing => BreakerGate::Probing,
            Some(open) if open.probe_at <= now => BreakerGate::Probe,
            Some(open) if open.failed_probes >= PROBES => BreakerGate::GivenUp(open.probe_at),
            Some(open) => BreakerGate::Until(open.probe_at),
        }
    }

    /// Notes a start; whether it is a probe.
    pub(super) fn start(&mut self) -> bool {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
        self.open.is_some()
    }

    /// The host has taken a connection.
    pub(super) fn connected(&mut self) {
        *self = Breaker::default();
    }

    /// The host has taken none. What was under way when the breaker opened says nothing about a probe.
    pub(super) fn failed(&mut self, probe: bool, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
        match &mut self.open {
            Some(open) if probe => {
                open.failed_probes += 1;
                let wait = FIRST_WAIT.saturating_mul(1 << open.failed_probes.min(8)).min(LONGEST_WAIT);
                (open.probing, open.probe_at) = (false, now + wait);
            }
            Some(_) => {}
            None if self.failures >= FAILURES => {
                self.open = Some(OpenBreaker { probe_at: now + FIRST_WAIT, failed_probes: 0, probing: false });
            }
            None => {}
        }
    }

    /// A probe has ended and says nothing about the host: the next job is one.
    pub(super) fn unclear(&mut self, probe: bool) {
        if let Some(open) = self.open.as_mut().filter(|_| probe) {
            open.probing = false;
        }
    }

    /// Whether nothing is lost if it is forgotten.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.failed_at.is_none_or(|at| now.saturating_duration_since(at) >= FORGOTTEN_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_open_it_and_three_failed_probes_give_the_host_up() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(false, now);
        }
        assert_eq!(breaker.gate(now), BreakerGate::Closed);
        breaker.failed(false, now);
        assert_eq!(breaker.gate(now), BreakerGate::Until(at(5)));
        // What was under way says nothing more.
        breaker.failed(false, at(1));
        for (probe, next) in [(5, 15), (15, 35)] {
            assert_eq!(breaker.gate(at(probe)), BreakerGate::Probe);
            assert!(breaker.start());
            assert_eq!(breaker.gate(at(probe)), BreakerGate::Probing);
            breaker.failed(true, at(probe));
            assert_eq!(breaker.gate(at(probe)), BreakerGate::Until(at(next)));
        }
        assert!(breaker.start());
        breaker.failed(true, at(35));
        assert_eq!(breaker.gate(at(35)), BreakerGate::GivenUp(at(75)));
        for (probe, next) in [(75, 135), (135, 195)] {
            assert_eq!(breaker.gate(at(probe)), BreakerGate::Probe, "later jobs find out whether it is back");
            assert!(breaker.start());
            breaker.failed(true, at(probe));
            assert_eq!(breaker.gate(at(probe)), BreakerGate::GivenUp(at(next)), "at most a minute");
        }
    }

    #[test]
    fn a_connection_closes_it_and_an_unclear_end_lets_another_probe() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(false, now);
        }
        breaker.connected();
        assert!(breaker.is_idle(now));
        for _ in 0..5 {
            breaker.failed(false, now);
        }
        let later = now + FIRST_WAIT;
        assert!(breaker.start());
        breaker.unclear(true);
        assert_eq!(breaker.gate(later), BreakerGate::Probe);
        assert!(breaker.start());
        breaker.connected();
        assert_eq!(breaker.gate(later), BreakerGate::Closed);
        assert!(!breaker.start());
    }
}
