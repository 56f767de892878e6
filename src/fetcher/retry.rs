//! Whether to try again, and when. Pure: the caller brings the figures.

use std::time::Duration;

use crate::error::Kind;
use crate::job::Settings;

/// The first backoff; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);

/// The longest backoff.
const LONGEST: Duration = Duration::from_secs(30);

/// What an attempt came to, as far as trying again is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed {
    pub(super) kind: Kind,
    /// The status, where a response came.
    pub(super) status: Option<u16>,
    /// Whether the head of a response had come.
    pub(super) answered: bool,
    /// What the server asks to wait (Retry-After).
    pub(super) retry_after: Option<Duration>,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It will not get better, or was tried often enough.
    GiveUp,
    /// Try again after this long.
    Again(Duration),
    /// The server asks for a longer wait than is allowed.
    TooLong(Duration),
}

/// Decides on a failed attempt.
///
/// `retries` is how often the job was tried again already, `left` the time until the run's deadline, `random` a number
/// from 0 to 1 for the jitter: full jitter, so that jobs that failed together do not come back together.
pub(super) fn decide(
    settings: &Settings,
    failed: Failed,
    retries: u32,
    left: Option<Duration>,
    random: f64,
) -> Verdict {
    if !may_be_repeated(settings) || !is_transient(failed) {
        return Verdict::GiveUp;
    }
    if let Some(wait) = failed.retry_after.filter(|wait| *wait > settings.retry_after_max) {
        return Verdict::TooLong(wait);
    }
    if retries >= settings.retries {
        return Verdict::GiveUp;
    }
    let backoff = backoff(retries, random);
    let wait = failed.retry_after.map_or(backoff, |asked| asked + jitter(asked, random));
    match left {
        Some(left) if failed.retry_after.is_some() && wait >= left => Verdict::TooLong(wait),
        Some(left) if wait >= left => Verdict::GiveUp,
        _ => Verdict::Again(wait),
    }
}

fn may_be_repeated(settings: &Settings) -> bool {
    settings.method.is_idempotent() || settings.retry_unsafe
}

/// What curl and others hold to pass with time: connect errors, timeouts, resets before a response, and statuses that
/// say so.
fn is_transient(failed: Failed) -> bool {
    match failed.kind {
        Kind::Status | Kind::Expectation => failed.status.is_some_and(is_transient_status),
        Kind::Connect | Kind::Timeout => true,
        // A connection that ended before the head of a response.
        Kind::Io | Kind::Protocol => !failed.answered,
        _ => false,
    }
}

/// 408, 425, 429, 500, 502, 503, 504, and 520 to 524, by which CDNs say that their origin failed.
pub(super) fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=524)
}

fn backoff(retries: u32, random: f64) -> Duration {
    FIRST.saturating_mul(1 << retries.min(16)).min(LONGEST).mul_f64(random)
}

/// A little more than what was asked, so that those who wait together do not come back in one moment: up to a tenth, at
/// most half a second.
fn jitter(asked: Duration, random: f64) -> Duration {
    (asked / 10).min(Duration::from_millis(500)).mul_f64(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Method;

    fn status(status: u16, retry_after: Option<u64>) -> Failed {
        Failed {
            kind: Kind::Status,
            status: Some(status),
            answered: true,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn verdict(failed: Failed, retries: u32) -> Verdict {
        decide(&Settings { retries: 10, ..Settings::default() }, failed, retries, None, 1.0)
    }

    #[test]
    fn backoff_doubles_from_half_a_second_to_thirty() {
        let waits: Vec<Verdict> = (0..8).map(|retries| verdict(status(503, None), retries)).collect();
        let expected = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0].map(|s| Verdict::Again(Duration::from_secs_f64(s)));
        assert_eq!(waits, expected);
        assert_eq!(backoff(3, 0.0), Duration::ZERO, "full jitter");
    }

    #[test]
    fn what_passes_with_time() {
        let again = |kind, status, answered| {
            matches!(verdict(Failed { kind, status, answered, retry_after: None }, 0), Verdict::Again(_))
        };
        for code in [408, 425, 429, 500, 502, 503, 504, 520, 522, 524] {
            assert!(again(Kind::Status, Some(code), true), "{code}");
        }
        for code in [400, 401, 404, 410, 501, 505, 519, 525] {
            assert!(!again(Kind::Status, Some(code), true), "{code}");
        }
        assert!(again(Kind::Connect, None, false) && again(Kind::Timeout, None, false) && again(Kind::Io, None, false));
        assert!(
            !again(Kind::Tls, None, false)
                && !again(Kind::Body, Some(200), true)
                && !again(Kind::TooLarge, Some(200), true)
        );
        assert!(!again(Kind::Protocol, None, true));
    }

    #[test]
    fn retry_after_is_a_lower_bound_and_has_a_limit() {
        let Verdict::Again(wait) = verdict(status(429, Some(10)), 0) else { panic!("it is short enough") };
        assert!(wait >= Duration::from_secs(10) && wait <= Duration::from_millis(10_500));
        assert_eq!(verdict(status(429, Some(61)), 0), Verdict::TooLong(Duration::from_secs(61)));
        let short = Some(Duration::from_secs(5));
        let settings = Settings::default();
        assert!(matches!(decide(&settings, status(503, Some(10)), 0, short, 0.0), Verdict::TooLong(_)));
        assert_eq!(decide(&settings, status(503, None), 0, Some(Duration::from_millis(1)), 1.0), Verdict::GiveUp);
    }

    #[test]
    fn only_what_may_be_repeated_and_not_for_ever() {
        let post = Settings { method: Method::POST, ..Settings::default() };
        assert_eq!(decide(&post, status(503, None), 0, None, 0.5), Verdict::GiveUp);
        let post = Settings { retry_unsafe: true, ..post };
        assert!(matches!(decide(&post, status(503, None), 0, None, 0.5), Verdict::Again(_)));
        assert!(matches!(decide(&post, status(503, None), 1, None, 0.5), Verdict::Again(_)));
        assert_eq!(decide(&post, status(503, None), 2, None, 0.5), Verdict::GiveUp);
    }
}
