//! Which difference of two times says something, and which is chance.

use std::time::Duration;

use crate::outcome::Outcome;

/// How much longer or shorter a time is by chance.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeNoise {
    /// The logarithm of the factor that may be chance.
    factor: f64,
}

/// A difference of less is always chance.
const LEAST: Duration = Duration::from_millis(100);
/// A factor below this is always chance.
const LEAST_FACTOR: f64 = 1.5;
/// A factor above this never is, however much the times of all sources are scattered.
const MOST_FACTOR: f64 = 3.0;
/// The fewest sources that tell how much times are scattered.
const FEWEST: usize = 5;
/// How many standard deviations may be chance; and how many a median absolute deviation is, where chance is normal.
const DEVIATIONS: f64 = 3.0 * 1.4826;

impl TimeNoise {
    /// What is chance in these pairs of an old outcome and a new one: half as much again, and more if the times of most
    /// sources are scattered by more, about what is common to all of them.
    pub(super) fn of<'a>(pairs: impl Iterator<Item = (&'a Outcome, &'a Outcome)>) -> TimeNoise {
        let ratio = |(old, new): (&Outcome, &Outcome)| Some(ratio(asked_for(old)?, asked_for(new)?));
        let mut ratios: Vec<f64> = pairs.filter_map(ratio).collect();
        let mut factor = LEAST_FACTOR.ln();
        if ratios.len() >= FEWEST {
            let middle = median(&mut ratios);
            let mut deviations: Vec<f64> = ratios.iter().map(|ratio| (ratio - middle).abs()).collect();
            factor = (DEVIATIONS * median(&mut deviations)).clamp(factor, MOST_FACTOR.ln());
        }
        TimeNoise { factor }
    }

    /// Whether these times differ by more than chance.
    pub(super) fn is_beyond(self, old: Duration, new: Duration) -> bool {
        old.abs_diff(new) >= LEAST && ratio(old, new).abs() > self.factor
    }
}

/// For how long the server was asked, without waits and without attempts that failed. `None` if none succeeded.
pub(super) fn asked_for(outcome: &Outcome) -> Option<Duration> {
    let mut good = outcome.attempts.iter().filter(|attempt| attempt.error.is_none()).peekable();
    good.peek()?;
    outcome.ok().then(|| good.map(|attempt| attempt.total).sum())
}

/// The logarithm of how many times as long it takes. A millisecond more on both sides keeps it finite.
fn ratio(old: Duration, new: Duration) -> f64 {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0 + 1.0;
    (ms(new) / ms(old)).ln()
}

/// The median of at least one number.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Attempt;

    fn outcome(ms: u64) -> Outcome {
        let attempt = Attempt {
            started: Duration::ZERO,
            total: Duration::from_millis(ms),
            status: Some(200),
            address: None,
            reused: false,
            url: None,
            waited: None,
            cache: None,
            phases: None,
            error: None,
        };
        Outcome { attempts: vec![attempt], ..Outcome::default() }
    }

    fn noise(pairs: &[(u64, u64)]) -> TimeNoise {
        let outcomes: Vec<_> = pairs.iter().map(|(old, new)| (outcome(*old), outcome(*new))).collect();
        TimeNoise::of(outcomes.iter().map(|(old, new)| (old, new)))
    }

    #[test]
    fn small_differences_and_small_factors_are_chance() {
        let ms = Duration::from_millis;
        let quiet = noise(&[(1000, 2000)]);
        for (old, new, beyond) in
            [(1, 99, false), (1000, 1400, false), (1000, 1600, true), (1600, 1000, true), (10, 200, true)]
        {
            assert_eq!(quiet.is_beyond(ms(old), ms(new)), beyond, "{old} {new}");
        }
    }

    #[test]
    fn what_is_common_among_the_sources_is_chance() {
        let ms = Duration::from_millis;
        let scattered = noise(&[(1000, 500), (1000, 700), (1000, 1000), (1000, 1500), (1000, 2000), (1000, 1200)]);
        assert!(!scattered.is_beyond(ms(1000), ms(2000)));
        assert!(scattered.is_beyond(ms(1000), ms(3100)));
        // A network that became slower as a whole is no scatter.
        let slower = noise(&[(100, 300), (200, 600), (300, 900), (400, 1200), (500, 1500)]);
        assert!(slower.is_beyond(ms(100), ms(300)));
    }
}
