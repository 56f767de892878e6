//! How one host stands, whatever waits for it: what it takes, and when it may be asked. Pure: the caller brings the time.

use std::num::NonZeroU32;
use std::time::Instant;

use super::breaker::{Breaker, BreakerGate};
use super::concurrency::HostConcurrency;
use super::gate::{Gate, Hold};
use super::pause::Pause;
use super::rate::Pacer;
use super::verdict::Verdict;
use crate::limits::HostLimits;

/// The limits of a host and how far they are used up, its pauses, and whether it takes connections.
#[derive(Clone, Debug, Default)]
pub(in crate::fetcher) struct HostState {
    concurrency: HostConcurrency,
    pub(super) pause: Pause,
    pacer: Option<Pacer>,
    breaker: Breaker,
    /// Until when the host is asked for nothing, because it wants a longer wait than its jobs take.
    pub(super) closed: Pause,
}

impl HostState {
    /// The same without what is under way: a run that is cut short leaves that without an end.
    pub(in crate::fetcher) fn at_rest(mut self) -> HostState {
        self.concurrency = self.concurrency.at_rest();
        self.breaker.unclear(true);
        self
    }

    /// Goes on under these limits in another run. If that is `adaptive`, a host of which nothing was learned begins with
    /// what was found of it before.
    pub(in crate::fetcher) fn under(self, limits: HostLimits, adaptive: Option<Option<u32>>) -> HostState {
        HostState {
            concurrency: self.concurrency.under(limits.per_host, adaptive),
            pacer: limits.rate.map(|rate| Pacer::after(rate, self.pacer.as_ref())),
            ..self
        }
    }

    /// Keeps the pauses that the host has asked for in another run at the same time.
    pub(in crate::fetcher) fn join_pauses(mut self, other: &HostState, now: Instant) -> HostState {
        other.pause.wait_until(now).into_iter().for_each(|until| self.pause.extend(until));
        other.closed.wait_until(now).into_iter().for_each(|until| self.closed.extend(until));
        self
    }

    /// Counts a request as running; whether it probes a host that took no connections.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        self.concurrency.start();
        if let Some(pacer) = &mut self.pacer {
            pacer.start(now);
        }
        self.breaker.start()
    }

    /// A request has ended, which was under way from the first time to the second. `probe` is what [`start`](Self::start)
    /// returned for it.
    pub(super) fn end(&mut self, verdict: Verdict, probe: bool, (since, now): (Instant, Instant)) {
        self.concurrency.end();
        match verdict {
            Verdict::Served => self.concurrency.served((since, now)),
            Verdict::Refused => self.concurrency.refused(),
            Verdict::Reached | Verdict::Unreached | Verdict::Unclear => {}
        }
        match verdict {
            Verdict::Served | Verdict::Refused | Verdict::Reached => self.breaker.connected(),
            Verdict::Unreached => self.breaker.failed(probe, now),
            Verdict::Unclear => self.breaker.unclear(probe),
        }
    }

    /// How many requests at once it was found to take.
    pub(in crate::fetcher) fn found(&self) -> Option<NonZeroU32> {
        self.concurrency.found().and_then(NonZeroU32::new)
    }

    /// Whether the next job may start.
    pub(in crate::fetcher) fn gate(&self, now: Instant) -> Gate {
        if let Some(until) = self.closed.wait_until(now) {
            return Gate::Closed(until);
        }
        let probed = match self.breaker.gate(now) {
            BreakerGate::GivenUp(until) => return Gate::GivenUp(until),
            BreakerGate::Probing => return Gate::Probing,
            BreakerGate::Until(until) => Some((until, Hold::Breaker)),
            BreakerGate::Closed | BreakerGate::Probe => None,
        };
        if self.concurrency.is_full() {
            return Gate::Full;
        }
        let paused = self.pause.wait_until(now).map(|until| (until, Hold::Pause));
        let paced = self.pacer.as_ref().and_then(|pacer| pacer.wait_until(now)).map(|until| (until, Hold::Rate));
        let holds = [probed, paused, paced].into_iter().flatten();
        holds.max_by_key(|(until, _)| *until).map_or(Gate::Open, |(until, hold)| Gate::Until(until, hold))
    }

    /// Until when it is not to be asked, because it wants to be left alone or takes no connections.
    #[cfg(feature = "fleet")]
    pub(in crate::fetcher) fn left_alone_until(&self, now: Instant) -> Option<Instant> {
        let unreached = match self.breaker.gate(now) {
            BreakerGate::GivenUp(until) | BreakerGate::Until(until) => Some(until),
            BreakerGate::Probing | BreakerGate::Closed | BreakerGate::Probe => None,
        };
        self.closed.wait_until(now).max(self.pause.wait_until(now)).max(unreached)
    }

    /// Whether nothing is lost if it is forgotten, but how many requests at once it was found to take.
    pub(in crate::fetcher) fn is_idle(&self, now: Instant) -> bool {
        self.concurrency.is_idle()
            && self.breaker.is_idle(now)
            && self.pacer.as_ref().is_none_or(|pacer| pacer.is_idle(now))
            && self.gate(now) == Gate::Open
    }

    /// Whether the host is as one of which nothing is known.
    pub(in crate::fetcher) fn is_blank(&self, now: Instant) -> bool {
        self.is_idle(now) && !self.concurrency.has_learned()
    }
}
