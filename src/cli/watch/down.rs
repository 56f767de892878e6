//! Sources that are down, and when they are asked again. Pure: the time is an argument.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use roundup::{Failure, Kind, Outcome, Redactor, rfc3339};

/// A source that is down is asked at least this often.
const LONGEST: Duration = Duration::from_secs(3600);
/// Unless its server named a later time: that is waited for, up to this.
const LONGEST_ASKED_FOR: Duration = Duration::from_secs(24 * 3600);

/// The sources that were down when they were last asked.
#[derive(Debug, Default)]
pub(super) struct DownSources(HashMap<Arc<str>, DownSource>);

#[derive(Debug)]
struct DownSource {
    /// In how many rounds one after the other it has failed.
    rounds: u32,
    /// When it is asked again.
    ask_at: Instant,
    /// The same by the clock on the wall, for people.
    ask_time: SystemTime,
    /// Its last outcome, without all that was of that round alone.
    last: Outcome,
    /// Whether it was in this round, asked or not.
    is_current: bool,
}

impl DownSources {
    /// Notes how a source ended in the round that was due then. `every` is the time between rounds.
    pub(super) fn note(
        &mut self,
        outcome: &Outcome,
        due: Instant,
        time: SystemTime,
        every: Duration,
        redactor: &Redactor,
    ) {
        let mut rounds = self.0.get(&outcome.name).map_or(0, |down| down.rounds);
        let failure = match &outcome.error {
            // It was not sent, because its host wants to be left alone until then.
            Some(failure) if failure.kind == Kind::Skipped && failure.retry_at.is_some() => failure,
            // It was not asked, or not to its end: this says nothing.
            Some(failure) if matches!(failure.kind, Kind::Cancelled | Kind::Skipped) => {
                if let Some(down) = self.0.get_mut(&outcome.name) {
                    down.is_current = true;
                }
                return;
            }
            Some(failure) if is_down(failure, outcome.status) => {
                rounds = rounds.saturating_add(1);
                failure
            }
            _ => {
                self.0.remove(&outcome.name);
                return;
            }
        };
        // One failure may have passed by the next round; from the second on, the time doubles.
        let doubled = every.saturating_mul(1_u32.checked_shl(rounds.saturating_sub(1)).unwrap_or(u32::MAX));
        let wait = doubled.min(LONGEST.max(every));
        let asked_for = failure.retry_time().and_then(|at| at.duration_since(time).ok()).unwrap_or_default();
        let wait = wait.max(asked_for.min(LONGEST_ASKED_FOR));
        let (Some(ask_at), Some(ask_time)) = (due.checked_add(wait), time.checked_add(wait)) else { return };
        let error = Failure { message: redactor.redact(&failure.message).into(), ..failure.clone() };
        let last = Outcome {
            name: outcome.name.clone(),
            url: outcome.url.clone(),
            method: outcome.method,
            status: None,
            table: outcome.table.clone(),
            error: Some(error),
            ..Outcome::default()
        };
        self.0.insert(outcome.name.clone(), DownSource { rounds, ask_at, ask_time, last, is_current: true });
    }

    /// When the source of this name is asked again, if it is down.
    pub(super) fn ask_at(&self, name: &str) -> Option<Instant> {
        self.0.get(name).map(|down| down.ask_at)
    }

    /// What stands for the sources that are not asked in the round that is due then, by name.
    pub(super) fn not_asked(&self, due: Instant) -> impl Iterator<Item = Outcome> + '_ {
        self.0.values().filter(move |down| down.ask_at > due).map(|down| {
            let at = rfc3339(down.ask_time);
            let error = down.last.error.as_ref().map(|failure| Failure {
                message: format!("{}; in this round it was not asked", failure.message).into(),
                retry_at: Some(at.into()),
                ..failure.clone()
            });
            Outcome { error, ..down.last.clone() }
        })
    }

    /// Forgets the sources that this round did not have any more. `not_asked` are those that it left out.
    pub(super) fn end_round(&mut self, is_left_out: impl Fn(&str) -> bool) {
        self.0.retain(|name, down| std::mem::take(&mut down.is_current) || is_left_out(name));
    }
}

/// Whether the source did not answer, or its server says that it cannot now. An answer that is not the expected one is an
/// answer: such a source is asked in each round.
fn is_down(failure: &Failure, status: Option<u16>) -> bool {
    match failure.kind {
        Kind::Dns | Kind::Connect | Kind::Tls | Kind::Timeout | Kind::Protocol | Kind::Body | Kind::Io => true,
        Kind::Status => failure.retry_at.is_some() || status.is_some_and(|status| status >= 500 || status == 429),
        _ => failure.retry_at.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use roundup::Error;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn failed(name: &str, kind: Kind, status: Option<u16>) -> Outcome {
        let error = Some(Failure::from(&Error::new(kind, "no")));
        Outcome { name: name.into(), status, error, ..Outcome::default() }
    }

    /// The minutes of a day at which a source is asked that fails each time.
    #[test]
    fn the_time_doubles_to_an_hour() {
        let (mut down, start, time) = (DownSources::default(), Instant::now(), SystemTime::now());
        let mut asked = Vec::new();
        for minute in 0..300 {
            let due = start + MINUTE * minute;
            if down.ask_at("a").is_none_or(|at| at <= due) {
                asked.push(minute);
                down.note(&failed("a", Kind::Connect, None), due, time, MINUTE, &Redactor::default());
            }
        }
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
        down.note(&Outcome { name: "a".into(), ..Outcome::default() }, start, time, MINUTE, &Redactor::default());
        assert_eq!(down.ask_at("a"), None, "it is up again");
    }

    #[test]
    fn rounds_that_are_further_apart_than_an_hour_leave_none_out() {
        let (mut down, start, time) = (DownSources::default(), Instant::now(), SystemTime::now());
        for _ in 0..40 {
            down.note(&failed("a", Kind::Timeout, None), start, time, MINUTE * 120, &Redactor::default());
        }
        assert_eq!(down.ask_at("a"), Some(start + MINUTE * 120));
    }

    #[test]
    fn what_answers_is_not_down() {
        let (start, time) = (Instant::now(), SystemTime::now());
        for (kind, status, is_down) in [
            (Kind::Dns, None, true),
            (Kind::Status, Some(503), true),
            (Kind::Status, Some(429), true),
            (Kind::Status, Some(404), false),
            (Kind::Expectation, Some(200), false),
            (Kind::Cancelled, None, false),
        ] {
            let mut down = DownSources::default();
            down.note(&failed("a", kind, status), start, time, MINUTE, &Redactor::default());
            assert_eq!(down.ask_at("a").is_some(), is_down, "{kind:?} {status:?}");
        }
    }

    #[test]
    fn a_time_that_the_server_names_is_waited_for() {
        let (start, time) = (Instant::now(), SystemTime::now());
        let mut down = DownSources::default();
        let mut outcome = failed("a", Kind::Status, Some(403));
        outcome.error.as_mut().expect("failed").retry_at = Some(rfc3339(time + MINUTE * 90).into());
        down.note(&outcome, start, time, MINUTE, &Redactor::default());
        let wait = down.ask_at("a").expect("it is down") - start;
        assert!(wait > MINUTE * 89 && wait <= MINUTE * 90, "{wait:?}");
        let left_out: Vec<Outcome> = down.not_asked(start + MINUTE).collect();
        assert_eq!(left_out.len(), 1);
        assert!(left_out[0].error.as_ref().is_some_and(|it| it.message.contains("not asked") && it.retry_at.is_some()));
        assert_eq!(down.not_asked(start + MINUTE * 90).count(), 0);
    }

    /// Of three sources of a host that wants an hour, the two that were not sent were asked in the rounds after.
    #[test]
    fn a_source_that_is_not_sent_because_of_its_host_waits_as_long() {
        let (start, time) = (Instant::now(), SystemTime::now());
        let mut down = DownSources::default();
        let mut outcome = failed("a", Kind::Skipped, None);
        down.note(&outcome, start, time, MINUTE, &Redactor::default());
        assert_eq!(down.ask_at("a"), None, "it says nothing");
        outcome.error.as_mut().expect("failed").retry_at = Some(rfc3339(time + MINUTE * 60).into());
        down.note(&outcome, start, time, MINUTE, &Redactor::default());
        let wait = down.ask_at("a").expect("it is known") - start;
        assert!(wait > MINUTE * 59 && wait <= MINUTE * 60, "{wait:?}");
    }

    #[test]
    fn sources_that_are_gone_are_forgotten() {
        let (mut down, start, time) = (DownSources::default(), Instant::now(), SystemTime::now());
        for name in ["a", "b", "c"] {
            down.note(&failed(name, Kind::Connect, None), start, time, MINUTE, &Redactor::default());
        }
        down.end_round(|_| false);
        assert_eq!(down.0.len(), 3);
        down.note(&failed("a", Kind::Skipped, None), start, time, MINUTE, &Redactor::default());
        down.end_round(|name| name == "b");
        assert_eq!(down.ask_at("c"), None);
        assert!(down.ask_at("a").is_some() && down.ask_at("b").is_some());
    }
}
