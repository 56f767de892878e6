//! What people read in cells: times, failures, and their colours.

use std::fmt;
use std::time::Duration;

use super::columns::Ending;
use super::redacted;
use crate::error::Kind;
use crate::http::printable;
use crate::outcome::{Failure, Stale};
use crate::redact::Redactor;
use crate::units::DisplayDuration;

/// A duration for people: `0.3 ms`, `812 ms`, `1.012 s`, `2 min 5 s`, `1 h 0 min`.
pub(super) struct RoundedDuration(pub(super) Duration);

impl fmt::Display for RoundedDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX / 2);
        let ms = (us + 500) / 1000;
        let seconds = (us + 500_000) / 1_000_000;
        match (us, ms, seconds) {
            (0, ..) => f.write_str("0 ms"),
            (1..950, ..) => write!(f, "0.{} ms", ((us + 50) / 100).max(1)),
            (_, ..1000, _) => write!(f, "{ms} ms"),
            (_, ..60_000, _) => write!(f, "{}.{:03} s", ms / 1000, ms % 1000),
            (.., ..3600) => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// Kind, phase and message: `timeout (connect): no answer within 10s`. A phase of the same name as the kind is left out,
/// and so are both if the message begins with the status: `401: invalid api key`.
pub(super) fn describe(redactor: &Redactor, failure: &Failure) -> String {
    let failure = redacted::failure(redactor, failure);
    let phase = failure.phase.filter(|phase| phase.as_str() != failure.kind.as_str());
    let phase = phase.map(|phase| format!(" ({phase})")).unwrap_or_default();
    let retry = failure.retry_at.as_deref().map(|at| format!("; retry at {at}")).unwrap_or_default();
    let kind = if failure.kind == Kind::Status { String::new() } else { format!("{}{phase}: ", failure.kind) };
    printable(&format!("{kind}{}{retry}", failure.message), &[]).into_owned()
}

/// How old a content is that is not new, and why: `2h5m old: 503: down for maintenance`.
pub(super) fn describe_stale(redactor: &Redactor, stale: &Stale) -> String {
    let age = DisplayDuration(Duration::from_secs(stale.age_s));
    format!("{age} old: {}", describe(redactor, &stale.error))
}

pub(super) fn ending_color(word: &str) -> Option<&'static str> {
    match word {
        word if word == Ending::Ok.as_str() => Some(GREEN),
        word if word == Ending::Failed.as_str() => Some(RED),
        _ => Some(YELLOW),
    }
}

/// Adds a text, in this color if there are colors.
pub(super) fn push_painted(line: &mut String, paints: bool, color: Option<&str>, text: &str) {
    match color.filter(|_| paints) {
        Some(color) => {
            for part in [color, text, PLAIN] {
                line.push_str(part);
            }
        }
        None => line.push_str(text),
    }
}

const PLAIN: &str = "\x1b[0m";
pub(super) const RED: &str = "\x1b[31m";
pub(super) const GREEN: &str = "\x1b[32m";
pub(super) const YELLOW: &str = "\x1b[33m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        for (us, text) in [
            (0, "0 ms"),
            (1, "0.1 ms"),
            (349, "0.3 ms"),
            (949, "0.9 ms"),
            (950, "1 ms"),
            (999_499, "999 ms"),
            (999_500, "1.000 s"),
            (1_012_000, "1.012 s"),
            (59_999_499, "59.999 s"),
            (59_999_500, "1 min 0 s"),
            (3_599_499_999, "59 min 59 s"),
            (3_599_999_999, "1 h 0 min"),
            (90_000_000_000, "25 h 0 min"),
        ] {
            assert_eq!(RoundedDuration(Duration::from_micros(us)).to_string(), text, "{us}");
        }
    }
}
