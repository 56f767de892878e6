//! What a response says about when to come back. Pure: the caller brings the fields and the time.

use std::time::{Duration, SystemTime};

/// The shortest pause: a server that says 0 is still given time to breathe.
const FLOOR: Duration = Duration::from_millis(100);

/// Longer answers than this are taken for "not any more".
const CEILING: Duration = Duration::from_secs(366 * 24 * 3600);

/// Retry-After: seconds or any of the three HTTP dates (RFC 9110, sections 10.2.3 and 5.6.7).
///
/// A date is taken relative to the response's own Date field, so that a device whose clock is wrong still waits rightly;
/// without one, relative to the system clock. At least 100 ms. `None` where it is neither.
#[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "the fuzzer reaches it"))]
pub fn retry_after(value: &[u8], date: Option<&[u8]>, now: SystemTime) -> Option<Duration> {
    let value = value.trim_ascii();
    let wait = match digits(value) {
        Some(seconds) => Duration::from_secs(seconds),
        None => {
            let until = http_date(value)?;
            let since = date.and_then(http_date).unwrap_or(now);
            until.duration_since(since).unwrap_or_default()
        }
    };
    Some(wait.clamp(FLOOR, CEILING))
}

/// How long to pause a host whose response says that no request is left: `None` where some are, or nothing is said.
///
/// Three dialects: the structured field `RateLimit: "name";r=0;t=30` of the current draft, `RateLimit-Remaining` and
/// `RateLimit-Reset` of the earlier ones, and `X-RateLimit-*`, whose reset is a time of day where it is too large to be a
/// delay. Malformed fields are ignored, as the draft asks.
#[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "the fuzzer reaches it"))]
pub fn rate_limit<'a>(
    field: impl Fn(&str) -> Option<&'a [u8]>,
    now: impl FnOnce() -> SystemTime + Copy,
) -> Option<Duration> {
    if let Some(value) = field("ratelimit") {
        return structured(value).map(|wait| wait.clamp(FLOOR, CEILING));
    }
    let dialects = [("ratelimit-remaining", "ratelimit-reset"), ("x-ratelimit-remaining", "x-ratelimit-reset")];
    dialects.into_iter().find_map(|(remaining, reset)| {
        let remaining = digits(field(remaining)?.trim_ascii())?;
        // Some servers send fractions of a second.
        let reset = field(reset)?.trim_ascii();
        let whole = reset.split(|b| *b == b'.').next().unwrap_or_default();
        let seconds = digits(whole)?.saturating_add(u64::from(whole.len() < reset.len()));
        (remaining == 0).then(|| until_reset(seconds, field("date"), now()).clamp(FLOOR, CEILING))
    })
}

/// A reset is a delay, or seconds since 1970 where it is larger than any delay would be.
fn until_reset(reset: u64, date: Option<&[u8]>, now: SystemTime) -> Duration {
    const EPOCH_FROM: u64 = 1_000_000_000;
    if reset < EPOCH_FROM {
        return Duration::from_secs(reset);
    }
    let since = date.and_then(http_date).unwrap_or(now);
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(reset).saturating_sub(since)
}

/// The longest reset among the policies that have nothing left.
fn structured(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?;
    let exhausted = text.split(',').filter_map(|policy| {
        let value_of = |name: &str| {
            let mut parameters = policy.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
            digits(parameters.find(|(key, _)| *key == name)?.1.as_bytes())
        };
        let (remaining, reset) = (value_of("r")?, value_of("t")?);
        (remaining == 0).then_some(Duration::from_secs(reset))
    });
    exhausted.max()
}

/// Decimal digits only: no sign, no space. More than fit count as the largest number.
fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0u64, |n, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

fn http_date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value.trim_ascii()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";

    /// The moment that [`DATE`] names.
    fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    #[test]
    fn seconds_and_all_three_dates() {
        let wait = |value: &[u8]| retry_after(value, Some(DATE), SystemTime::UNIX_EPOCH).map(|wait| wait.as_millis());
        assert_eq!(wait(b"120"), Some(120_000));
        assert_eq!(wait(b" 1 "), Some(1000));
        assert_eq!(wait(b"0"), Some(100));
        assert_eq!(wait(b"Sun, 06 Nov 1994 08:50:37 GMT"), Some(60_000));
        assert_eq!(wait(b"Sunday, 06-Nov-94 08:50:37 GMT"), Some(60_000));
        assert_eq!(wait(b"Sun Nov  6 08:50:37 1994"), Some(60_000));
        assert_eq!(wait(b"Sun, 06 Nov 1994 08:00:00 GMT"), Some(100), "the past");
        assert_eq!(wait(b"99999999999999999999"), Some(CEILING.as_millis()));
        for bad in [&b""[..], b"+1", b"-1", b"1.5", b"1s", b"soon", b"\xff"] {
            assert_eq!(wait(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_date_is_relative_to_the_servers_own() {
        let value = b"Sun, 06 Nov 1994 08:50:37 GMT";
        // The system clock is a day off either way; the server's Date makes it right, and without it the clock must do.
        let now = then() + Duration::from_secs(86_400);
        assert_eq!(retry_after(value, Some(DATE), now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after(value, None, then()), Some(Duration::from_secs(60)));
        assert_eq!(retry_after(value, Some(b"garbage"), then()), Some(Duration::from_secs(60)));
    }

    #[test]
    fn rate_limit_dialects() {
        let wait = |fields: &[(&str, &'static str)]| {
            let fields: Vec<(String, &'static str)> = fields.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
            let get = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_bytes());
            rate_limit(get, then).map(|wait| wait.as_millis())
        };
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("ratelimit", r#""default";r=0;t=30"#)]), Some(30_000));
        assert_eq!(wait(&[("ratelimit", r#""default";r=50;t=30"#)]), None);
        assert_eq!(wait(&[("ratelimit", r#""a";r=5;t=60, "b";r=0;t=2"#)]), Some(2000));
        assert_eq!(wait(&[("ratelimit", r#""a";r=zero;t=1"#)]), None);
        assert_eq!(wait(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "7")]), Some(7000));
        assert_eq!(wait(&[("ratelimit-remaining", "1"), ("ratelimit-reset", "7")]), None);
        assert_eq!(wait(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "86400")]), Some(86_400_000));
        assert_eq!(wait(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "0.25")]), Some(1000));
        assert_eq!(wait(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "-4")]), None);
        // A reset as a time of day.
        let late = then() + Duration::from_secs(1_000_000_000);
        let reset = "1784111787";
        let get = |name: &str| match name {
            "x-ratelimit-remaining" => Some(&b"0"[..]),
            "x-ratelimit-reset" => Some(reset.as_bytes()),
            _ => None,
        };
        assert_eq!(rate_limit(get, || late), Some(Duration::from_secs(10)));
    }
}
