//! How many requests at once one host gets: no more than its limit, and no more than it has shown to take. Pure.

use std::num::NonZeroU32;
use std::time::Duration;

/// Counts what runs, and learns from refusals; if it is adaptive, from latency, too.
#[derive(Clone, Debug, Default)]
pub(super) struct HostConcurrency {
    running: u32,
    limit: Option<u32>,
    learned: Option<LearnedLimit>,
    adaptive: Option<AdaptiveLimit>,
}

/// A limit that was learned from refusals: lowered at once to what was running, raised slowly by one (additive increase,
/// multiplicative decrease; RFC 5681 names the idea).
#[derive(Clone, Copy, Debug)]
struct LearnedLimit {
    limit: u32,
    /// Requests that were served since it was last changed.
    served: u32,
    /// By how much it is raised: one, and twice as much with each raise that nothing refused if it is adaptive.
    step: u32,
    /// How many rounds without a refusal raise it: twice as many after each raise that was refused.
    rounds: u32,
    /// Whether nothing has shown what the last raise has led to.
    raised: bool,
}

/// A limit that was learned from latency: raised while more requests at once take no longer each, lowered when they do. The
/// latency of each round is held against the lowest of all.
#[derive(Clone, Copy, Debug)]
struct AdaptiveLimit {
    limit: u32,
    /// The lowest mean of a round.
    lowest: Option<Duration>,
    /// What was served in this round, and how long all of it took.
    served: u32,
    took: Duration,
    /// Whether as many were running as may be.
    was_full: bool,
    /// Whether nothing has slowed it down yet: it is doubled each round.
    is_new: bool,
}

/// A learned limit is raised after this many rounds without a refusal. A round is as many requests as it allows.
const ROUNDS: u32 = 4;

/// If raises are refused, it takes more rounds, until there are so many requests between them: then about one in a hundred
/// is refused.
const SERVED_BETWEEN: u32 = 128;

/// An adaptive limit begins with so many.
const FIRST: u32 = 4;

/// So much more than the lowest latency, in halves, shows that requests wait for each other.
const TOLERATED_HALVES: u32 = 3;

/// A fraction of the lowest latency that is added with each round, so that a host that became slower by itself is not held
/// for full for ever.
const FORGETS: u32 = 50;

impl HostConcurrency {
    /// The same with this limit and nothing running. If it is `adaptive` and was not, it begins with what was found before,
    /// if anything was.
    pub(super) fn under(self, limit: Option<NonZeroU32>, adaptive: Option<Option<u32>>) -> HostConcurrency {
        let adaptive = adaptive.map(|found| self.adaptive.unwrap_or_else(|| AdaptiveLimit::new(found)));
        HostConcurrency { running: 0, limit: limit.map(u32::from), learned: self.learned, adaptive }
    }

    pub(super) fn start(&mut self) {
        self.running += 1;
        let is_full = self.is_full();
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.was_full |= is_full;
        }
    }

    pub(super) fn end(&mut self) {
        self.running -= 1;
    }

    /// The host has refused a request, which no longer counts as running: it takes as many as still do.
    pub(super) fn refused(&mut self) {
        let before = self.learned;
        let limit = self.running.clamp(1, before.map_or(u32::MAX, |learned| learned.limit));
        let rounds = match before {
            Some(learned) if learned.raised => learned.rounds * 2,
            Some(learned) => learned.rounds,
            None => ROUNDS,
        };
        let rounds = rounds.min((SERVED_BETWEEN / limit).max(ROUNDS));
        self.learned = Some(LearnedLimit { limit, served: 0, step: 1, rounds, raised: false });
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.is_new = false;
        }
    }

    /// The host has served a request in this time.
    pub(super) fn served(&mut self, took: Duration) {
        let adapts = self.adaptive.is_some();
        if let Some(learned) = &mut self.learned {
            learned.served += 1;
            if learned.served >= learned.limit.saturating_mul(learned.rounds) {
                learned.raise(adapts);
            }
        }
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.note(took);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.now_allowed().is_some_and(|limit| self.running >= limit)
    }

    /// How many requests at once it gets now; `None` for any number.
    pub(super) fn now_allowed(&self) -> Option<u32> {
        let learned = self.learned.map(|learned| learned.limit);
        let adaptive = self.adaptive.map(|adaptive| adaptive.limit);
        [self.limit, learned, adaptive].into_iter().flatten().min()
    }

    /// How many requests at once it was found to take, if it is adaptive and has been seen to take some.
    pub(super) fn found(&self) -> Option<u32> {
        let seen = self.adaptive?.lowest.is_some() || self.learned.is_some();
        self.now_allowed().filter(|_| seen)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0
    }

    /// Whether requests have changed what it takes.
    pub(super) fn has_learned(&self) -> bool {
        self.learned.is_some() || self.adaptive.is_some()
    }
}

impl LearnedLimit {
    fn raise(&mut self, adapts: bool) {
        // Two in a row: the first was right.
        let rounds = if self.raised { ROUNDS } else { self.rounds };
        let step = if adapts && self.raised { (self.step * 2).min(self.limit / 4).max(1) } else { 1 };
        *self = LearnedLimit { limit: self.limit.saturating_add(step), served: 0, step, rounds, raised: true };
    }
}

impl AdaptiveLimit {
    fn new(found: Option<u32>) -> AdaptiveLimit {
        AdaptiveLimit {
            limit: found.unwrap_or(FIRST),
            lowest: None,
            served: 0,
            took: Duration::ZERO,
            was_full: false,
            is_new: found.is_none(),
        }
    }

    /// Notes a request that was served; at the end of a round the limit is changed.
    fn note(&mut self, took: Duration) {
        self.served += 1;
        self.took += took;
        if self.served < self.limit {
            return;
        }
        let mean = self.took / self.served;
        let lowest = self.lowest.map_or(mean, |lowest| (lowest + lowest / FORGETS).min(mean));
        let tolerated = lowest * TOLERATED_HALVES / 2;
        if mean > tolerated {
            let gradient = (tolerated.as_secs_f64() / mean.as_secs_f64()).max(0.5);
            self.limit = (f64::from(self.limit) * gradient).floor().max(1.0) as u32;
            self.is_new = false;
        } else if self.was_full {
            let more = if self.is_new { self.limit } else { self.limit.isqrt().max(1) };
            self.limit = self.limit.saturating_add(more);
        }
        (self.lowest, self.served, self.took, self.was_full) = (Some(lowest), 0, Duration::ZERO, false);
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;

    #[test]
    fn a_refusal_lowers_the_limit_and_four_rounds_raise_it() {
        let mut host = HostConcurrency::default().under(None, None);
        for _ in 0..5 {
            host.start();
        }
        // Two of the five are refused.
        for _ in 0..2 {
            host.end();
            host.refused();
        }
        assert!(host.is_full(), "three are running");
        host.end();
        host.refused();
        for _ in 0..2 * ROUNDS {
            assert!(host.is_full(), "two are running, and that is its limit");
            host.end();
            host.served(Duration::ZERO);
            host.start();
        }
        assert!(!host.is_full(), "the limit is three");
        for _ in 0..2 {
            host.end();
            host.refused();
        }
        assert!(!host.is_full(), "a limit is never below one");
    }

    /// What a host does with more requests than it has capacity for.
    #[derive(Clone, Copy, Debug)]
    enum Beyond {
        /// It answers each at once that there were too many.
        Refuses,
        /// Each takes longer, as all share what there is.
        Slows,
    }

    /// How long so many requests take at a host of these capacities, one after the other for the same number of requests
    /// each, and how many are refused. A request takes 100 ms at least.
    fn time(adaptive: bool, limit: u32, capacities: &[u32], beyond: Beyond, each: u32) -> (Duration, u32) {
        const SERVICE: Duration = Duration::from_millis(100);
        let mut host = HostConcurrency::default().under(NonZeroU32::new(limit), adaptive.then_some(None));
        let mut events = BinaryHeap::new();
        let (mut now, mut refused, mut done) = (Duration::ZERO, 0, 0);
        let total = each * capacities.len() as u32;
        let mut left = total;
        let mut working = 0;
        while done < total {
            while left > 0 && !host.is_full() {
                host.start();
                left -= 1;
                let capacity = capacities[(done / each) as usize];
                let takes = match beyond {
                    Beyond::Refuses if working >= capacity => Duration::from_millis(2),
                    Beyond::Refuses => SERVICE,
                    Beyond::Slows => SERVICE * (working + 1).max(capacity) / capacity,
                };
                let serves = takes >= SERVICE;
                working += u32::from(serves);
                events.push(Reverse((now + takes, now, serves)));
            }
            let Reverse((at, since, serves)) = events.pop().expect("something runs");
            now = at;
            host.end();
            working -= u32::from(serves);
            if serves {
                host.served(now - since);
                done += 1;
            } else {
                host.refused();
                (refused, left) = (refused + 1, left + 1);
            }
        }
        (now, refused)
    }

    #[test]
    fn the_capacity_of_a_host_is_found_and_found_again_when_it_changes() {
        for beyond in [Beyond::Refuses, Beyond::Slows] {
            for capacities in [&[1][..], &[4], &[16], &[64], &[64, 8], &[8, 64], &[1, 16, 2]] {
                let each = 3000;
                let (took, refused) = time(true, 100, capacities, beyond, each);
                let best: Duration = capacities.iter().map(|c| time(false, *c, &[*c], beyond, each).0).sum();
                let ratio = took.as_secs_f64() / best.as_secs_f64();
                assert!(ratio <= 1.3, "{beyond:?} {capacities:?}: {ratio:.2}, {refused} refused");
                let requests = each * capacities.len() as u32;
                assert!(refused <= requests / 40, "{beyond:?} {capacities:?}: {refused} of {requests} refused");
            }
        }
    }

    #[test]
    fn the_cap_holds_whatever_was_found() {
        let mut host = HostConcurrency::default().under(NonZeroU32::new(6), Some(None));
        for _ in 0..1000 {
            while !host.is_full() {
                host.start();
            }
            assert!(host.running <= 6);
            host.end();
            host.served(Duration::from_millis(10));
        }
        assert_eq!(host.now_allowed(), Some(6));
    }

    #[test]
    fn what_was_found_is_where_the_next_run_begins() {
        let mut host = HostConcurrency::default().under(NonZeroU32::new(100), Some(None));
        assert_eq!((host.now_allowed(), host.found()), (Some(FIRST), None), "nothing is known");
        for _ in 0..2000 {
            while !host.is_full() {
                host.start();
            }
            host.end();
            host.served(Duration::from_millis(10));
        }
        let found = host.found().expect("it has served");
        assert_eq!(found, 100, "its latency never grew");
        assert_eq!(HostConcurrency::default().under(NonZeroU32::new(100), Some(Some(found))).now_allowed(), Some(100));
        assert_eq!(
            HostConcurrency::default().under(NonZeroU32::new(6), Some(Some(found))).now_allowed(),
            Some(6),
            "a cap is one"
        );
        assert_eq!(HostConcurrency::default().under(None, None).found(), None);
    }
}
