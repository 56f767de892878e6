//! When rounds are due. Pure: the time is an argument.

use std::time::{Duration, Instant};

use roundup::units::DisplayDuration;

/// Rounds at `start`, `start + every`, and so on, however long each of them takes. A round that is still going on when the
/// next is due takes its place: two never run at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Instant,
    every: Duration,
    jitter: Duration,
}

/// When a round is due, and when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoundTime {
    pub(super) due: Instant,
    /// Later than it is due by a random part of the jitter, so that many machines do not ask at the same moment.
    pub(super) at: Instant,
}

impl Schedule {
    /// The first round is due at `start`. Without a jitter it is a tenth of `every`.
    pub(super) fn new(start: Instant, every: Duration, jitter: Option<Duration>) -> Schedule {
        Schedule { start, every, jitter: jitter.unwrap_or(every / 10).min(every) }
    }

    pub(super) fn first(&self) -> RoundTime {
        RoundTime { due: self.start, at: self.start }
    }

    pub(super) fn every(&self) -> Duration {
        self.every
    }

    /// The next round that is due after `now`, and not before `earliest` if there is one. `part` of the jitter, from 0 to 1,
    /// is added. `None` if no clock goes that far.
    pub(super) fn next(&self, now: Instant, earliest: Option<Instant>, part: f64) -> Option<RoundTime> {
        let every = self.every.as_nanos().max(1);
        let rounds = |until: Instant| until.saturating_duration_since(self.start).as_nanos();
        let after_now = rounds(now) / every + 1;
        let number = earliest.map_or(0, |earliest| rounds(earliest).div_ceil(every)).max(after_now);
        let nanoseconds = u64::try_from(number.checked_mul(every)?).ok()?;
        let due = self.start.checked_add(Duration::from_nanos(nanoseconds))?;
        let at = due.checked_add(self.jitter.mul_f64(part.clamp(0.0, 1.0)))?;
        Some(RoundTime { due, at })
    }

    /// Why the round that is due after this one has been missed when this one ends, for people; `None` if it has not.
    pub(super) fn missed(&self, round: RoundTime, now: Instant) -> Option<String> {
        if round.due.checked_add(self.every).is_none_or(|next| next > now) {
            return None;
        }
        let took = now.saturating_duration_since(round.at);
        Some(if took >= self.every {
            format!("a round took longer than {}", DisplayDuration(self.every))
        } else {
            let late = DisplayDuration(round.at.saturating_duration_since(round.due));
            format!("a round that began {late} late, by its jitter, took {}", DisplayDuration(took))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn rounds_do_not_drift_and_those_that_are_missed_are_left_out() {
        let start = Instant::now();
        let schedule = Schedule::new(start, s(60), None);
        let next = |now: u64| schedule.next(start + s(now), None, 0.0).map(|it| (it.due - start).as_secs());
        for (now, due) in [(0, 60), (3, 60), (59, 60), (60, 120), (61, 120), (119, 120), (500, 540)] {
            assert_eq!(next(now), Some(due), "{now}");
        }
    }

    #[test]
    fn a_round_starts_later_by_the_jitter_at_most() {
        let start = Instant::now();
        for (jitter, part, late) in [(None, 0.5, 3), (None, 1.0, 6), (Some(s(20)), 0.5, 10), (Some(s(90)), 1.0, 60)] {
            let time = Schedule::new(start, s(60), jitter).next(start, None, part).expect("a time");
            assert_eq!((time.due - start, time.at - time.due), (s(60), s(late)), "{jitter:?}");
        }
    }

    #[test]
    fn a_round_in_which_nothing_is_due_is_left_out() {
        let start = Instant::now();
        let schedule = Schedule::new(start, s(60), None);
        let next = |earliest: u64| schedule.next(start, Some(start + s(earliest)), 0.0).map(|it| it.due - start);
        assert_eq!([next(0), next(60), next(61), next(3600)], [Some(s(60)), Some(s(60)), Some(s(120)), Some(s(3600))]);
    }

    #[test]
    fn a_round_that_began_late_has_not_taken_longer_than_it_has() {
        let start = Instant::now();
        let schedule = Schedule::new(start, s(60), None);
        let missed = |late: u64, ends: u64| {
            schedule.missed(RoundTime { due: start, at: start + s(late) }, start + s(ends)).unwrap_or_default()
        };
        assert_eq!([missed(0, 59), missed(6, 59)], ["", ""]);
        assert_eq!([missed(0, 60), missed(6, 66)], ["a round took longer than 1m", "a round took longer than 1m"]);
        assert_eq!(missed(6, 61), "a round that began 6s late, by its jitter, took 55s");
    }

    #[test]
    fn a_time_beyond_all_clocks_is_none() {
        let start = Instant::now();
        assert_eq!(Schedule::new(start, Duration::MAX, None).next(start, None, 1.0), None);
        assert!(Schedule::new(start, Duration::from_nanos(1), None).next(start + s(1 << 30), None, 1.0).is_some());
    }
}
