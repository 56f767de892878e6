//! Whether to try again, and when. Pure: the caller brings the figures.

use std::time::Duration;

use super::advice::Advice;
use super::received::Received;
use crate::error::{Error, Kind, Phase};
use crate::retry_on::RetryOn;
use crate::settings::Settings;
use crate::transport::ProgressSnapshot;

/// The first backoff; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);

/// The same after an attempt that found no connection, or none that came to anything.
const FIRST_UNREACHED: Duration = Duration::from_millis(1500);

/// The longest backoff.
const LONGEST: Duration = Duration::from_secs(30);

/// A failed attempt, as far as trying again depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailedAttempt {
    pub(super) kind: Kind,
    /// Whether its cause may pass, if the error knows.
    pub(super) may_pass: Option<bool>,
    /// The status, if a response came.
    pub(super) status: Option<u16>,
    /// Whether the head of a response had come.
    pub(super) answered: bool,
    /// Whether there was no connection, or a new one that ended without a byte.
    pub(super) unreached: bool,
    /// What the server asks for.
    pub(super) advice: Advice,
}

impl FailedAttempt {
    /// An attempt that failed so, when it had received this and come so far.
    pub(super) fn new(error: &Error, received: &Received, progress: &ProgressSnapshot) -> FailedAttempt {
        FailedAttempt {
            kind: error.kind(),
            may_pass: error.may_pass(),
            status: received.status,
            answered: progress.head_at.is_some(),
            unreached: received.status.is_none() && (is_unreached(error, progress.phase) || ended_unanswered(progress)),
            advice: received.advice,
        }
    }
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryDecision {
    /// It will not get better, or was tried often enough.
    GiveUp,
    /// Try again after this long.
    Again(Duration),
    /// The server asks for a longer wait than is allowed.
    TooLong,
    /// The wait would be over after the time that is left.
    TooLate,
}

/// Decides on a failed attempt.
///
/// `retries` is how often the job was tried again already, `left` the time until the end of the job's time or the run's,
/// `random` a number from 0 to 1 for the jitter: full jitter, so that jobs that failed together do not come back together.
pub(super) fn decide(
    settings: &Settings,
    failed: FailedAttempt,
    retries: u32,
    left: Option<Duration>,
    random: f64,
) -> RetryDecision {
    if !may_be_repeated(settings) || !is_transient(failed, settings) {
        return RetryDecision::GiveUp;
    }
    let asked = failed.advice.wait.filter(|_| failed.advice.refused);
    if asked.is_some_and(|wait| wait > settings.retry_after_max) {
        return RetryDecision::TooLong;
    }
    if retries >= settings.retries {
        return RetryDecision::GiveUp;
    }
    let backoff = if failed.unreached { backoff_unreached(retries, random) } else { backoff(retries, random) };
    let wait = asked.map_or(backoff, |asked| asked + jitter(asked, random));
    if left.is_some_and(|left| wait >= left) { RetryDecision::TooLate } else { RetryDecision::Again(wait) }
}

fn may_be_repeated(settings: &Settings) -> bool {
    settings.method.is_idempotent() || settings.retry_unsafe
}

/// Whether the failure may pass with time: by its cause if the error knows that. Otherwise as in curl: connect errors,
/// timeouts, connections that end before a response, and statuses that say so.
fn is_transient(failed: FailedAttempt, settings: &Settings) -> bool {
    if failed.advice.refused {
        return true;
    }
    if let Some(may_pass) = failed.may_pass {
        return may_pass && !failed.answered;
    }
    match failed.kind {
        Kind::Status | Kind::Expectation => match &settings.retry_on {
            Some(on) => failed.status.is_some_and(|status| on.status(status)) || is_listed_expectation(failed, on),
            None => failed.status.is_some_and(is_transient_status),
        },
        Kind::Connect | Kind::Timeout => true,
        // A connection that ended before the head of a response. What is no HTTP will be none the next time.
        Kind::Io => !failed.answered,
        _ => false,
    }
}

fn is_listed_expectation(failed: FailedAttempt, on: &RetryOn) -> bool {
    failed.kind == Kind::Expectation && on.expectation()
}

/// 408, 425, 429, 500, 502, 503, 504, and 520 to 524, by which CDNs say that their origin failed.
pub(super) fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=524)
}

fn backoff(retries: u32, random: f64) -> Duration {
    FIRST.saturating_mul(1 << retries.min(16)).min(LONGEST).mul_f64(random)
}

/// The backoff after an attempt that found no connection: from half of a time to the whole, so that two retries outlast an
/// outage of two seconds.
fn backoff_unreached(retries: u32, random: f64) -> Duration {
    FIRST_UNREACHED.saturating_mul(1 << retries.min(16)).min(LONGEST).mul_f64(0.5 + random / 2.0)
}

/// Whether an attempt that ended so in this phase found no connection to its host, in a way that may pass.
pub(super) fn is_unreached(error: &Error, phase: Phase) -> bool {
    match error.kind() {
        Kind::Dns | Kind::Tls => error.may_pass() == Some(true),
        Kind::Connect => error.may_pass() != Some(false),
        Kind::Timeout => matches!(phase, Phase::Dns | Phase::Connect | Phase::Proxy | Phase::Tls),
        _ => false,
    }
}

/// Whether the host has taken a connection and ended it without a byte, as one does that is starting or has too much to do.
pub(super) fn ended_unanswered(progress: &ProgressSnapshot) -> bool {
    progress.nothing_came && !progress.reused
}

/// Added to what a server asks for, so that jobs that wait together do not come back in one moment: up to a tenth, at
/// most half a second.
fn jitter(asked: Duration, random: f64) -> Duration {
    (asked / 10).min(Duration::from_millis(500)).mul_f64(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method;

    fn status(status: u16, retry_after: Option<u64>) -> FailedAttempt {
        FailedAttempt {
            kind: Kind::Status,
            may_pass: None,
            status: Some(status),
            answered: true,
            unreached: false,
            advice: Advice { refused: retry_after.is_some(), wait: retry_after.map(Duration::from_secs) },
        }
    }

    fn plain() -> FailedAttempt {
        FailedAttempt { status: None, answered: false, ..status(0, None) }
    }

    fn decision(failed: FailedAttempt, retries: u32) -> RetryDecision {
        decide(&Settings { retries: 10, ..Settings::default() }, failed, retries, None, 1.0)
    }

    #[test]
    fn backoff_doubles_from_half_a_second_to_thirty() {
        let waits: Vec<RetryDecision> = (0..8).map(|retries| decision(status(503, None), retries)).collect();
        let expected =
            [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0].map(|s| RetryDecision::Again(Duration::from_secs_f64(s)));
        assert_eq!(waits, expected);
        assert_eq!(backoff(3, 0.0), Duration::ZERO, "full jitter");
    }

    #[test]
    fn what_passes_with_time() {
        let again = |kind, status, answered| {
            let failed = FailedAttempt { kind, may_pass: None, status, answered, ..plain() };
            matches!(decision(failed, 0), RetryDecision::Again(_))
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
        assert!(!again(Kind::Protocol, None, true) && !again(Kind::Protocol, None, false));
        let by_cause = |kind, may_pass, answered| {
            let failed = FailedAttempt { kind, may_pass: Some(may_pass), answered, ..plain() };
            matches!(decision(failed, 0), RetryDecision::Again(_))
        };
        assert!(by_cause(Kind::Dns, true, false) && by_cause(Kind::Tls, true, false));
        assert!(!by_cause(Kind::Connect, false, false) && !by_cause(Kind::Tls, true, true));
    }

    #[test]
    fn what_is_tried_again_can_be_listed() {
        let settings = Settings { retry_on: "404,500-502,expectation".parse().ok(), ..Settings::default() };
        let again = |failed| matches!(decide(&settings, failed, 0, None, 0.5), RetryDecision::Again(_));
        assert!(again(status(404, None)) && again(status(501, None)) && !again(status(503, None)));
        assert!(again(FailedAttempt { kind: Kind::Expectation, ..status(200, None) }));
        // What has no answer to list is tried again as ever, and so is what the server asks for.
        assert!(again(FailedAttempt { kind: Kind::Connect, ..plain() }) && again(status(503, Some(1))));
        let settings = Settings { retry_on: "500".parse().ok(), ..Settings::default() };
        let missed = FailedAttempt { kind: Kind::Expectation, ..status(200, None) };
        assert_eq!(decide(&settings, missed, 0, None, 0.5), RetryDecision::GiveUp);
    }

    #[test]
    fn a_refusal_is_tried_again_whatever_its_status() {
        for code in [403, 404, 429, 500, 503] {
            let refused = FailedAttempt { advice: Advice { refused: true, wait: None }, ..status(code, None) };
            assert!(matches!(decision(refused, 0), RetryDecision::Again(_)), "{code}");
            assert!(matches!(decision(status(code, Some(1)), 0), RetryDecision::Again(_)), "{code}");
        }
        let told = FailedAttempt {
            advice: Advice { refused: false, wait: Some(Duration::from_secs(3)) },
            ..status(404, None)
        };
        assert_eq!(decision(told, 0), RetryDecision::GiveUp);
    }

    #[test]
    fn two_retries_outlast_an_outage_of_two_seconds() {
        for random in [0.0, 0.3, 1.0] {
            let failed = FailedAttempt { kind: Kind::Connect, unreached: true, ..plain() };
            let waits = [0, 1].map(|retries| match decide(&Settings::default(), failed, retries, None, random) {
                RetryDecision::Again(wait) => wait,
                other => panic!("{other:?}"),
            });
            assert!(waits[0] + waits[1] > Duration::from_secs(2), "{waits:?}");
        }
    }

    #[test]
    fn retry_after_is_a_lower_bound_and_has_a_limit() {
        let RetryDecision::Again(wait) = decision(status(429, Some(10)), 0) else { panic!("it is short enough") };
        assert!(wait >= Duration::from_secs(10) && wait <= Duration::from_millis(10_500));
        assert_eq!(decision(status(429, Some(61)), 0), RetryDecision::TooLong);
        let short = Some(Duration::from_secs(5));
        let settings = Settings::default();
        assert_eq!(decide(&settings, status(503, Some(10)), 0, short, 0.0), RetryDecision::TooLate);
        assert_eq!(
            decide(&settings, status(503, None), 0, Some(Duration::from_millis(1)), 1.0),
            RetryDecision::TooLate
        );
    }

    #[test]
    fn only_what_may_be_repeated_and_not_for_ever() {
        let post = Settings { method: Method::POST, ..Settings::default() };
        assert_eq!(decide(&post, status(503, None), 0, None, 0.5), RetryDecision::GiveUp);
        let post = Settings { retry_unsafe: true, ..post };
        assert!(matches!(decide(&post, status(503, None), 0, None, 0.5), RetryDecision::Again(_)));
        assert!(matches!(decide(&post, status(503, None), 1, None, 0.5), RetryDecision::Again(_)));
        assert_eq!(decide(&post, status(503, None), 2, None, 0.5), RetryDecision::GiveUp);
    }
}
