//! The lines that show how a run stands. Pure: state and width in, lines out.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use roundup::fetcher::{HeldHost, RunSnapshot, RunStatus, SourceActivity, SourceStatus, WaitReason};
use roundup::report::{cut_middle_to_width, cut_to_width, width_of};
use roundup::{Failure, Outcome, Phase, Redactor, printable};

/// The most sources of each kind, and hosts, that are shown.
pub(super) const MOST: usize = 4;
/// The most sources that wait, hosts and failures that are shown.
const FEW: usize = 2;
/// A window that is narrower gets shorter words.
const NARROW: usize = 60;
/// The narrowest column of names that is made, if a name needs it.
const LEAST_NAME: usize = 8;

/// What a run has come to.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveState {
    pub(super) snapshot: RunSnapshot,
    pub(super) elapsed: Duration,
    pub(super) failures: LastFailures,
}

/// The last failures: names, and what went wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastFailures(VecDeque<(String, String)>);

impl LastFailures {
    /// Notes an outcome, if it is a failure.
    pub(crate) fn note(&mut self, redactor: &Redactor, outcome: &Outcome) {
        let Some(failure) = &outcome.error else { return };
        if self.0.len() == FEW {
            self.0.pop_front();
        }
        let shown = |text: &str| printable(&redactor.redact(text), &[]).into_owned();
        self.0.push_back((shown(&outcome.name), shown(&failure.message)));
    }
}

/// The lines, each narrower than the window: counts first, then the slowest sources in flight, those that are tried
/// again, the hosts that are paused, the last failures.
pub(super) fn lines(state: &LiveState, redactor: &Redactor, width: usize) -> Vec<String> {
    let narrow = width < NARROW;
    let RunSnapshot { running, retrying, .. } = &state.snapshot;
    // Each with a shorter text, if the whole would be cut: how long a source has taken stands at its end.
    let mut rows: Vec<(String, String, Option<String>)> = Vec::new();
    let shown = |name: &str| printable(&redactor.redact(name), &[]).into_owned();
    for source in running.iter().take(MOST) {
        rows.push((shown(&source.name), doing(source, narrow), Some(doing(source, true))));
    }
    for source in retrying.iter().take(FEW) {
        rows.push((shown(&source.name), shown(&doing(source, narrow)), None));
    }
    rows.extend(holds(&state.snapshot).map(|(what, why)| (shown(&what), why, None)));
    for (name, message) in &state.failures.0 {
        rows.push((name.clone(), format!("failed: {message}"), narrow.then(|| message.clone())));
    }
    // What was typed into the window, as ^C, needs two columns more.
    let width = width.saturating_sub(3).max(1);
    for (name, ..) in &mut rows {
        // All URLs begin so.
        for scheme in ["http://", "https://"] {
            if let Some(rest) = name.strip_prefix(scheme) {
                *name = rest.to_owned();
            }
        }
    }
    let widest = rows.iter().map(|(name, ..)| width_of(name)).max().unwrap_or(0);
    let longest = rows.iter().map(|(_, text, short)| width_of(short.as_deref().unwrap_or(text))).max().unwrap_or(0);
    // Of the two columns the texts say why: if they would be cut, names have a third of the width.
    let room = width.saturating_sub(4 + longest).max(width / 3);
    let column = widest.min(room.min(width / 2).max(LEAST_NAME));
    let mut lines = vec![cut_to_width(&counts(&state.snapshot.status, state.elapsed, width), width)];
    lines.extend(rows.into_iter().map(|(name, text, short)| {
        let text = short.filter(|_| 4 + column + width_of(&text) > width).unwrap_or(text);
        row(&name, column, &text, width)
    }));
    lines
}

/// What holds back sources, and why: the run's rate, hosts that are not to be asked, and behind these such as are at their
/// limits. Few of them.
pub(super) fn holds(snapshot: &RunSnapshot) -> impl Iterator<Item = (String, String)> + '_ {
    let paced = snapshot.paced_until.map(|until| {
        let left = rounded(until.saturating_duration_since(Instant::now()));
        ("all hosts".to_owned(), format!("the rate of the run lets the next start in {left}"))
    });
    let hosts = snapshot.held.iter().chain(&snapshot.limited).take(FEW);
    paced.into_iter().chain(hosts.map(|host| (host.origin.to_string(), held_for(host))))
}

/// A line of two columns: the name, cut in its middle, and the text, cut at its end.
fn row(name: &str, column: usize, text: &str, width: usize) -> String {
    let name = cut_middle_to_width(name, column);
    let pad = column - width_of(&name).min(column);
    cut_to_width(&format!("  {name}{:pad$}  {text}", ""), width)
}

/// Why a host is not asked, for how long, and how many of its sources wait.
pub(super) fn held_for(host: &HeldHost) -> String {
    let left = host.why.until().map(|until| rounded(until.saturating_duration_since(Instant::now())));
    let mut text = match (host.why, left) {
        (WaitReason::Pause(_), Some(left)) => format!("paused for {left}"),
        (WaitReason::Breaker(_), Some(left)) => format!("takes no connections, is probed in {left}"),
        (WaitReason::Probe, _) => "took no connections, is being probed".to_owned(),
        (WaitReason::Rate(_), Some(left)) => format!("its rate lets the next start in {left}"),
        (WaitReason::HostFull, _) => "gets no more at once".to_owned(),
        (why, _) => why.to_string(),
    };
    if host.waiting > 0 {
        let _ = write!(text, ", {} waiting", host.waiting);
    }
    text
}

/// The counts on one line; what matters least is left out if it would not fit.
pub(super) fn counts(status: &RunStatus, elapsed: Duration, width: usize) -> String {
    let RunStatus { total, done, in_flight, failed, retried, workers, .. } = *status;
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    // Parts with how much they matter.
    let parts = [
        (0, format!("{done}/{total} done")),
        (1, in_flight_by(in_flight, workers)),
        (2, format!("{failed} failed")),
        (4, format!("{retried} retried")),
        (5, if rate < 10.0 { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") }),
        (3, rounded(elapsed)),
    ];
    (0..=5).rev().map(|most| joined(&parts, most)).find(|line| line.len() <= width).unwrap_or_else(|| joined(&parts, 0))
}

/// `3 in flight`, or `3 in flight by 2 workers` if a fleet has them.
fn in_flight_by(in_flight: usize, workers: Option<usize>) -> String {
    match workers {
        None => format!("{in_flight} in flight"),
        Some(1) => format!("{in_flight} in flight by 1 worker"),
        Some(workers) => format!("{in_flight} in flight by {workers} workers"),
    }
}

fn joined(parts: &[(u8, String)], most: u8) -> String {
    let kept = parts.iter().filter(|(matters, _)| *matters <= most).map(|(_, text)| text.as_str());
    kept.collect::<Vec<_>>().join(", ")
}

/// What a source does: `waiting for the response's head, 3.1 s, try 2`.
pub(super) fn doing(source: &SourceStatus, narrow: bool) -> String {
    let mut text = match &source.activity {
        SourceActivity::Running { phase, elapsed } => {
            let doing = match phase {
                // An attempt has its permit.
                Phase::Queue => "starting",
                phase if narrow => phase.as_str(),
                phase => phase.doing(),
            };
            format!("{doing}, {}", rounded(*elapsed))
        }
        SourceActivity::Waiting { left, why } => {
            let when =
                if left.is_zero() { "again at its turn".to_owned() } else { format!("again in {}", rounded(*left)) };
            match why {
                Some(Failure { message, .. }) => format!("{when}: {message}"),
                None => when,
            }
        }
        _ => String::new(),
    };
    let waits = matches!(source.activity, SourceActivity::Waiting { .. });
    if source.tries > 1 && !(narrow && waits) {
        // After a message of any length it would be cut.
        if waits {
            text.insert_str(0, &format!("{} tries, ", source.tries));
        } else {
            let _ = write!(text, ", try {}", source.tries);
        }
    }
    text
}

/// A time for people: `3.1 s`, `2 min 5 s`, `1 h 0 min`.
pub(super) fn rounded(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use roundup::{Error, Kind};

    use super::*;

    fn state() -> LiveState {
        LiveState { elapsed: Duration::from_millis(3440), ..LiveState::default() }
    }

    #[test]
    fn the_counts_fit_and_the_least_goes_first() {
        let counts = |width| counts(&RunStatus::default(), Duration::from_millis(1250), width);
        assert_eq!(counts(80), "0/0 done, 0 in flight, 0 failed, 0 retried, 0.0/s, 1.2 s");
        assert_eq!(counts(50), "0/0 done, 0 in flight, 0 failed, 0 retried, 1.2 s");
        assert_eq!(counts(40), "0/0 done, 0 in flight, 0 failed, 1.2 s");
        assert_eq!(counts(9), "0/0 done");
    }

    #[test]
    fn workers_of_a_fleet_are_counted() {
        assert_eq!(in_flight_by(3, None), "3 in flight");
        assert_eq!(in_flight_by(7, Some(1)), "7 in flight by 1 worker");
        assert_eq!(in_flight_by(7, Some(2)), "7 in flight by 2 workers");
    }

    #[test]
    fn every_line_is_narrower_than_the_window() {
        let redactor = Redactor::new(["s3cret-value".to_owned()]);
        let mut state = state();
        for (name, message) in [
            ("東京都庁の天気予報サービス", "503: 混雑しています、しばらくしてからもう一度お試しください"),
            ("shop\u{1b}[31m", "401: the key s3cret-value is not known"),
        ] {
            let error = Error::new(Kind::Status, message);
            let outcome = Outcome { name: name.into(), error: Some((&error).into()), ..Outcome::default() };
            state.failures.note(&redactor, &outcome);
        }
        for width in [1, 5, 20, 40, 80, 200] {
            let lines = lines(&state, &redactor, width);
            assert_eq!(lines.len(), 3);
            for line in &lines {
                assert!(width_of(line) < width.max(2), "{line} at {width}");
                assert!(!line.contains('\u{1b}') && !line.contains("s3cret"), "{line}");
            }
        }
        let lines = lines(&state, &redactor, 200);
        assert_eq!(
            lines[1],
            "  東京都庁の天気予報サービス  failed: 503: 混雑しています、しばらくしてからもう一度お試しください"
        );
        assert!(lines[2].ends_with("  failed: 401: the key [redacted] is not known"), "{}", lines[2]);
    }

    /// At 40 columns names had half of the width, and the messages were cut.
    #[test]
    fn in_a_narrow_window_the_why_is_seen() {
        let mut state = state();
        let name = "https://api.example.com/v1/organizations/17";
        let error = Error::new(Kind::Status, "503: out of stock");
        let outcome = Outcome { name: name.into(), error: Some((&error).into()), ..Outcome::default() };
        state.failures.note(&Redactor::default(), &outcome);
        let line = |width| lines(&state, &Redactor::default(), width).remove(1);
        assert_eq!(line(40), "  api.\u{2026}izations/17  503: out of stock");
        assert_eq!(line(30), "  ap\u{2026}ons/17  503: out of s\u{2026}");
        assert_eq!(line(80), "  api.example.com/v1/organizations/17  failed: 503: out of stock");
    }

    #[test]
    fn what_holds_a_run_back_is_a_line() {
        let mut state = state();
        state.snapshot.paced_until = Some(Instant::now() + Duration::from_secs(3605));
        let lines = lines(&state, &Redactor::default(), 80);
        assert_eq!(lines[1..], ["  all hosts  the rate of the run lets the next start in 1 h 0 min"]);
    }

    #[test]
    fn names_are_told_apart_by_their_ends() {
        assert_eq!(cut_middle_to_width("api.example.com/v1/items/17", 18), "api.e…/v1/items/17");
        assert_eq!(cut_middle_to_width("weather", 7), "weather");
        for width in 0..12 {
            assert!(width_of(&cut_middle_to_width("東京都庁の天気", width)) <= width.max(1), "{width}");
        }
    }

    #[test]
    fn times_for_people() {
        for (ms, text) in [(40, "0.0 s"), (3_140, "3.1 s"), (125_000, "2 min 5 s"), (3_600_000, "1 h 0 min")] {
            assert_eq!(rounded(Duration::from_millis(ms)), text);
        }
    }
}
