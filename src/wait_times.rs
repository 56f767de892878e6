//! For how long a source waited, and for what.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::Deserializer;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::serde_forms::ms;

/// What a source waits for before a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WaitCause {
    /// As many sources are under way in the run as may be.
    Run,
    /// As many requests are under way at its host as may be.
    Host,
    /// The rate of its host, or of the run.
    Rate,
    /// Its host has asked to be left alone, in an answer to this source or to another.
    Pause,
    /// Its host takes no connections.
    Breaker,
    /// It is tried again after a failure.
    Retry,
    /// The run has made as many retries as it may.
    Budget,
}

impl WaitCause {
    /// All of them.
    pub const ALL: [WaitCause; 7] = [
        WaitCause::Run,
        WaitCause::Host,
        WaitCause::Rate,
        WaitCause::Pause,
        WaitCause::Breaker,
        WaitCause::Retry,
        WaitCause::Budget,
    ];

    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            WaitCause::Run => "run",
            WaitCause::Host => "host",
            WaitCause::Rate => "rate",
            WaitCause::Pause => "pause",
            WaitCause::Breaker => "breaker",
            WaitCause::Retry => "retry",
            WaitCause::Budget => "budget",
        }
    }
}

/// For people, after a time: `for a place at its host`.
impl fmt::Display for WaitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitCause::Run => "for a place in the run",
            WaitCause::Host => "for a place at its host",
            WaitCause::Rate => "for its rate",
            WaitCause::Pause => "for a pause that its host asked for",
            WaitCause::Breaker => "for its host to take connections",
            WaitCause::Retry => "before it was tried again",
            WaitCause::Budget => "for the run's budget of retries",
        })
    }
}

/// For how long a source waited for what: before its first attempt, between attempts, and before redirects were followed.
///
/// Written as an object of milliseconds with a key for each [`WaitCause`], null for what it did not wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitTimes {
    /// By cause, in the order of [`WaitCause::ALL`].
    times: [Duration; WaitCause::ALL.len()],
}

impl WaitTimes {
    /// For how long it waited for this.
    pub fn of(&self, cause: WaitCause) -> Duration {
        self.times[cause as usize]
    }

    /// What it waited for, and for how long.
    pub fn iter(&self) -> impl Iterator<Item = (WaitCause, Duration)> + '_ {
        let all = WaitCause::ALL.into_iter().map(|cause| (cause, self.of(cause)));
        all.filter(|(_, time)| !time.is_zero())
    }

    /// All waits together.
    pub fn total(&self) -> Duration {
        self.times.iter().sum()
    }

    /// What it waited for most.
    pub fn longest(&self) -> Option<(WaitCause, Duration)> {
        self.iter().max_by_key(|(_, time)| *time)
    }

    /// For people, the longest first: `1.5 s for its rate, 0.2 s for a place in the run`.
    pub fn in_words(&self, shown: impl Fn(Duration) -> String) -> String {
        let mut waits: Vec<(WaitCause, Duration)> = self.iter().collect();
        waits.sort_by_key(|(_, time)| Reverse(*time));
        let words: Vec<String> = waits.iter().map(|(cause, time)| format!("{} {cause}", shown(*time))).collect();
        words.join(", ")
    }

    /// Adds a wait.
    pub fn add(&mut self, cause: WaitCause, time: Duration) {
        self.times[cause as usize] += time;
    }

    /// Adds these waits.
    pub fn join(&mut self, others: &WaitTimes) {
        others.iter().for_each(|(cause, time)| self.add(cause, time));
    }
}

#[cfg(feature = "fetcher")]
impl WaitTimes {
    /// What was added to an earlier state.
    pub(crate) fn since(&self, earlier: &WaitTimes) -> WaitTimes {
        let mut later = *self;
        later.times.iter_mut().zip(earlier.times).for_each(|(time, before)| *time = time.saturating_sub(before));
        later
    }

    /// Whole microseconds, which is what a report writes and reads back, without what took less than a millisecond: that is
    /// no wait, but the loop's own work.
    pub(crate) fn noticeable(mut self) -> WaitTimes {
        for time in &mut self.times {
            let is_wait = *time >= Duration::from_millis(1);
            *time = if is_wait { Duration::from_micros(time.as_micros() as u64) } else { Duration::ZERO };
        }
        self
    }
}

/// A time that is written as milliseconds.
#[derive(Serialize, Deserialize)]
struct Ms(#[serde(with = "ms")] Duration);

impl Serialize for WaitTimes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(WaitCause::ALL.len()))?;
        for cause in WaitCause::ALL {
            let time = self.of(cause);
            map.serialize_entry(cause.as_str(), &(!time.is_zero()).then_some(Ms(time)))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for WaitTimes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WaitTimes, D::Error> {
        let mut times = WaitTimes::default();
        for (cause, time) in BTreeMap::<WaitCause, Option<Ms>>::deserialize(deserializer)? {
            times.add(cause, time.map_or(Duration::ZERO, |Ms(time)| time));
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_waited_for_is_null_and_all_is_read_back() {
        let mut times = WaitTimes::default();
        times.add(WaitCause::Rate, Duration::from_micros(1_500_250));
        times.add(WaitCause::Retry, Duration::from_millis(3));
        let text = serde_json::to_string(&times).expect("plain data");
        let expected =
            r#"{"run":null,"host":null,"rate":1500.25,"pause":null,"breaker":null,"retry":3.0,"budget":null}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<WaitTimes>(&text).expect("as it was written"), times);
        assert!(serde_json::from_str::<WaitTimes>(r#"{"weather":1}"#).is_err());
        assert_eq!(times.total(), Duration::from_micros(1_503_250));
        let words = times.in_words(|time| format!("{} ms", time.as_millis()));
        assert_eq!(words, "1500 ms for its rate, 3 ms before it was tried again");
        assert_eq!(times.longest().map(|(cause, _)| cause), Some(WaitCause::Rate));
    }

    #[test]
    fn causes_stand_in_their_places() {
        for (at, cause) in WaitCause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, at);
            assert_eq!(serde_json::to_value(cause).expect("a word"), cause.as_str());
        }
    }
}
