//! How many requests at once one host gets: no more than its limit, and no more than it has shown to take. Pure.

use std::num::NonZeroU32;
use std::time::Instant;

use super::adaptive::AdaptiveLimit;

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

/// A learned limit is raised after this many rounds without a refusal. A round is as many requests as it allows.
///
/// Of ten thousand jobs on two hundred hosts (`fetcher::simulation`), 0.95 to 0.99 % of the requests are refused after the
/// first round, and they take 1.08 times as long as they have to. With four rounds it is 0.98 to 1.01 %, and 1.03 times: no
/// more than one in a hundred is to be refused.
const ROUNDS: u32 = 8;

/// The same if it is adaptive: then 0.83 % are refused and those jobs take 1.03 times as long as they have to. With eight
/// rounds they take 1.14 times as long, because a limit that latency lets rise waits for this one.
const ADAPTIVE_ROUNDS: u32 = 4;

/// If raises are refused, it takes more rounds, until there are so many requests between them: then about one in a hundred
/// is refused.
const SERVED_BETWEEN: u32 = 128;

fn least_rounds(adapts: bool) -> u32 {
    if adapts { ADAPTIVE_ROUNDS } else { ROUNDS }
}

impl HostConcurrency {
    /// The same with nothing running.
    pub(super) fn at_rest(self) -> HostConcurrency {
        HostConcurrency { running: 0, ..self }
    }

    /// The same with this limit. If it is `adaptive` and was not, it begins with what was found before,
    /// if anything was.
    pub(super) fn under(self, limit: Option<NonZeroU32>, adaptive: Option<Option<u32>>) -> HostConcurrency {
        let adaptive = adaptive.map(|found| {
            let before = self.adaptive.unwrap_or_else(|| AdaptiveLimit::new(found));
            before.within(limit.map_or(u32::MAX, u32::from))
        });
        HostConcurrency { limit: limit.map(u32::from), adaptive, ..self }
    }

    pub(super) fn start(&mut self) {
        self.running += 1;
        let is_full = self.is_full();
        if let Some(adaptive) = self.adaptive.as_mut().filter(|_| is_full) {
            adaptive.full();
        }
    }

    pub(super) fn end(&mut self) {
        self.running -= 1;
    }

    /// The host has refused a request, which no longer counts as running: it takes as many as still do.
    pub(super) fn refused(&mut self) {
        let before = self.learned;
        let least = least_rounds(self.adaptive.is_some());
        let limit = self.running.clamp(1, before.map_or(u32::MAX, |learned| learned.limit));
        let rounds = match before {
            Some(learned) if learned.raised => learned.rounds * 2,
            Some(learned) => learned.rounds,
            None => least,
        };
        let rounds = rounds.min((SERVED_BETWEEN / limit).max(least));
        self.learned = Some(LearnedLimit { limit, served: 0, step: 1, rounds, raised: false });
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.refused();
        }
    }

    /// The host has served a request that was under way from the first time to the second.
    pub(super) fn served(&mut self, times: (Instant, Instant)) {
        let adapts = self.adaptive.is_some();
        if let Some(learned) = &mut self.learned {
            learned.served += 1;
            if learned.served >= learned.limit.saturating_mul(learned.rounds) {
                learned.raise(adapts);
            }
        }
        let most = self.without_adaptive();
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.served(times, most.unwrap_or(u32::MAX));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.now_allowed().is_some_and(|limit| self.running >= limit)
    }

    /// How many requests at once it gets now; `None` for any number.
    pub(super) fn now_allowed(&self) -> Option<u32> {
        let adaptive = self.adaptive.as_ref().map(AdaptiveLimit::now_allowed);
        self.without_adaptive().into_iter().chain(adaptive).min()
    }

    /// How many at once it would get if latency did not count.
    fn without_adaptive(&self) -> Option<u32> {
        let learned = self.learned.map(|learned| learned.limit);
        self.limit.into_iter().chain(learned).min()
    }

    /// How many requests at once it was found to take, if it is adaptive and has been seen to take some.
    pub(super) fn found(&self) -> Option<u32> {
        let adaptive = self.adaptive.as_ref()?;
        let learned = self.learned.map(|learned| learned.limit);
        let found = adaptive.found().into_iter().chain(learned).min()?;
        Some(self.limit.map_or(found, |limit| found.min(limit)))
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
        let rounds = if self.raised { least_rounds(adapts) } else { self.rounds };
        let step = if adapts && self.raised { (self.step * 2).min(self.limit / 4).max(1) } else { 1 };
        *self = LearnedLimit { limit: self.limit.saturating_add(step), served: 0, step, rounds, raised: true };
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_refusal_lowers_the_limit_and_eight_rounds_raise_it() {
        let (mut host, now) = (HostConcurrency::default().under(None, None), Instant::now());
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
            host.served((now, now));
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
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Beyond {
        /// It answers each at once that there were too many.
        Refuses,
        /// Each takes longer, as all share what there is: as many are served in a second.
        Slows,
        /// Each takes longer by the square, as by a disk or locks: fewer are served in a second.
        Thrashes,
    }

    /// A host over time: its capacity, and how long a request takes within it.
    type Course<'a> = &'a [(u32, Duration)];

    /// What came of requests to a host, the same number in each part of its course.
    struct Outcome {
        took: Duration,
        refused: u32,
        /// The most at once in the second half of each part.
        most: Vec<u32>,
    }

    fn outcome(mut host: HostConcurrency, course: Course<'_>, beyond: Beyond, each: u32) -> Outcome {
        let began = Instant::now();
        let total = each * course.len() as u32;
        let mut events = BinaryHeap::new();
        let (mut now, mut left, mut done, mut working) = (began, total, 0, 0);
        let mut made = Outcome { took: Duration::ZERO, refused: 0, most: vec![0; course.len()] };
        while done < total {
            let part = (done / each) as usize;
            while left > 0 && !host.is_full() {
                host.start();
                left -= 1;
                if done % each > each / 2 {
                    made.most[part] = made.most[part].max(host.running);
                }
                let (capacity, service) = course[part];
                let load = f64::from((working + 1).max(capacity)) / f64::from(capacity);
                let (serves, takes) = match beyond {
                    Beyond::Refuses if working >= capacity => (false, Duration::from_millis(2)),
                    Beyond::Refuses => (true, service),
                    Beyond::Slows => (true, service.mul_f64(load)),
                    Beyond::Thrashes => (true, service.mul_f64(load * load)),
                };
                working += u32::from(serves);
                events.push(Reverse((now + takes, now, serves)));
            }
            let Reverse((at, since, serves)) = events.pop().expect("something runs");
            now = at;
            host.end();
            working -= u32::from(serves);
            if serves {
                host.served((since, now));
                done += 1;
            } else {
                host.refused();
                (made.refused, left) = (made.refused + 1, left + 1);
            }
        }
        made.took = now - began;
        made
    }

    fn limited(limit: u32, adaptive: bool) -> HostConcurrency {
        HostConcurrency::default().under(NonZeroU32::new(limit), adaptive.then_some(None))
    }

    /// With so much capacity one after the other, each request taking 100 ms within it.
    fn capacities(of: &[u32]) -> Vec<(u32, Duration)> {
        of.iter().map(|capacity| (*capacity, Duration::from_millis(100))).collect()
    }

    /// Holds an adaptive host against the best that a fixed concurrency could do in each part.
    fn check(course: Course<'_>, cap: u32, beyond: Beyond, within: f64) {
        const EACH: u32 = 3000;
        let made = outcome(limited(cap, true), course, beyond, EACH);
        let best = |part: &(u32, Duration)| outcome(limited(part.0.min(cap), false), &[*part], beyond, EACH).took;
        let ratio = made.took.as_secs_f64() / course.iter().map(best).sum::<Duration>().as_secs_f64();
        let Outcome { refused, most, .. } = made;
        let what = format!("{beyond:?} {course:?} within {cap}");
        println!("{what}: {ratio:.2} of the best, {refused} refused, at most {most:?} at once");
        assert!(ratio <= within, "{what}: {ratio:.2} of the best, {refused} refused");
        assert!(refused <= EACH * course.len() as u32 / 40, "{what}: {refused} refused");
        for ((capacity, _), most) in course.iter().zip(most) {
            assert!(most <= capacity + capacity.div_ceil(2), "{what}: {most} at once where {capacity} are right");
        }
    }

    #[test]
    fn the_capacity_of_a_host_is_found_and_kept_to() {
        for beyond in [Beyond::Refuses, Beyond::Slows, Beyond::Thrashes] {
            for capacity in [1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64] {
                check(&capacities(&[capacity]), 100, beyond, 1.3);
            }
            for capacity in [1, 2, 4, 8] {
                check(&capacities(&[capacity]), 10, beyond, 1.3);
            }
        }
    }

    #[test]
    fn the_capacity_is_found_again_when_it_changes() {
        for beyond in [Beyond::Refuses, Beyond::Slows, Beyond::Thrashes] {
            check(&capacities(&[8, 64]), 100, beyond, 1.3);
            check(&capacities(&[2, 64, 32]), 100, beyond, 1.3);
            // The requests under way at the change take as long as they do, whatever is learned of them.
            let within = if beyond == Beyond::Thrashes { 3.0 } else { 1.3 };
            check(&capacities(&[64, 8]), 100, beyond, within);
            check(&capacities(&[1, 16, 2]), 100, beyond, within);
        }
    }

    #[test]
    fn a_capacity_that_sinks_below_the_cap_is_noticed_at_once() {
        check(&capacities(&[64, 2]), 10, Beyond::Slows, 1.3);
        let made = outcome(limited(10, true), &capacities(&[64, 2]), Beyond::Slows, 300);
        assert!(made.most[1] <= 3, "{:?}", made.most);
    }

    #[test]
    fn a_host_that_becomes_slower_by_itself_is_not_held_for_full() {
        let ms = Duration::from_millis;
        for beyond in [Beyond::Slows, Beyond::Thrashes] {
            check(&[(16, ms(100)), (16, ms(300))], 100, beyond, 1.3);
            check(&[(16, ms(300)), (16, ms(100))], 100, beyond, 1.3);
            check(&[(16, ms(100)), (4, ms(300))], 100, beyond, 1.3);
        }
    }

    #[test]
    fn what_an_earlier_run_found_is_checked() {
        for beyond in [Beyond::Slows, Beyond::Thrashes] {
            for (cap, capacity) in [(100, 4), (10, 4), (10, 2)] {
                let host = HostConcurrency::default().under(NonZeroU32::new(cap), Some(Some(64)));
                let made = outcome(host, &capacities(&[capacity]), beyond, 1000);
                assert!(made.most[0] <= capacity + capacity / 2, "{beyond:?} within {cap}: {:?}", made.most);
            }
        }
    }

    /// A host of which each request takes 10 ms, after it has served this many.
    fn after(served: u32, mut host: HostConcurrency) -> HostConcurrency {
        let mut now = Instant::now();
        for _ in 0..served {
            while !host.is_full() {
                host.start();
            }
            host.end();
            host.served((now, now + Duration::from_millis(10)));
            now += Duration::from_millis(1);
        }
        host
    }

    #[test]
    fn the_cap_holds_whatever_was_found() {
        for served in 0..1000 {
            let host = after(served, limited(6, true));
            assert!(host.running <= 6);
            assert!(host.found().is_none_or(|found| found <= 6));
        }
    }

    #[test]
    fn what_was_found_is_where_the_next_run_begins() {
        let host = HostConcurrency::default().under(NonZeroU32::new(100), Some(None));
        assert_eq!((host.now_allowed(), host.found()), (Some(4), None), "nothing is known");
        let found = after(5000, host).found().expect("it has served");
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
