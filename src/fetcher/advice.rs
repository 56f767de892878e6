//! What a response says about when to come back: the one reader for it. Pure: the caller brings the fields and the time.

use std::time::{Duration, SystemTime};

use crate::units::parse_duration;

/// The shortest pause, also if a server asks for none.
const FLOOR: Duration = Duration::from_millis(100);

/// The longest pause. Servers that mean "never again" ask for more.
const CEILING: Duration = Duration::from_secs(366 * 24 * 3600);

/// Numbers from here on are seconds since 1970: as a delay this would be 31 years.
const EPOCH_FROM: f64 = 1e9;

/// Numbers from here on are milliseconds since 1970: as seconds this would be the year 5138.
const EPOCH_MS_FROM: f64 = 1e11;

/// What a response asks of its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "the fuzzer reaches it"))]
pub struct Advice {
    /// Whether the host has refused the request because there were too many: any status with Retry-After, 429, and 403 or
    /// 503 with nothing remaining.
    pub refused: bool,
    /// How long the host wants to be left alone; at least 100 ms.
    pub wait: Option<Duration>,
}

impl Advice {
    /// Reads Retry-After (RFC 9110, section 10.2.3), RateLimit in the forms of all drafts of the httpapi working group, and
    /// X-RateLimit-*, each with a suffix, too, as in `X-RateLimit-Remaining-Minute`.
    ///
    /// A reset counts as a Retry-After if nothing remains, which a 429 says by itself if no field says how much does, and the
    /// longest wait of several counts. A time may be seconds,
    /// with a fraction or not, seconds since 1970, any of the three HTTP dates, also with `+0000`, a span such as `1m30s`,
    /// or a list of these. Times of day are taken relative to the response's own Date, so that a device whose clock is wrong
    /// still waits as long as it should; without one, relative to `now`. What is malformed is ignored.
    #[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "the fuzzer reaches it"))]
    pub fn new<'a>(
        status: u16,
        fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
        now: impl Fn() -> SystemTime,
    ) -> Advice {
        // Every response is asked, and hardly any has a name that begins as these do.
        let may_be = |name: &str| matches!(name.as_bytes().first(), Some(b'r' | b'R' | b'x' | b'X'));
        let is_named =
            |(name, _): &(&str, &[u8])| may_be(name) && (is_retry_after(name) || after_family(name).is_some());
        let mut named = fields.clone().filter(is_named).peekable();
        if named.peek().is_none() {
            return Advice { refused: status == 429, wait: None };
        }
        let date = fields.clone().find(|(name, _)| name.eq_ignore_ascii_case("date"));
        let date = date.and_then(|(_, value)| http_date(value));
        let clock = || date.unwrap_or_else(&now);
        let (mut asked, mut quotas) = (None, Vec::new());
        for (name, value) in named {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            match after_family(name) {
                None => asked = asked.max(when(value, &clock)),
                Some((family, "")) => read_combined(family, value, &clock, &mut quotas),
                Some((family, rest)) => read_single(family, rest, value, &clock, &mut quotas),
            }
        }
        let is_used_up = quotas.iter().any(|quota| quota.remaining == Some(0.0));
        // A 429 says by itself that nothing remains: if no field does, it is of what does not say how much does.
        let remaining = if status == 429 && !is_used_up { None } else { Some(0.0) };
        let used_up = quotas.iter().filter(|quota| quota.remaining == remaining);
        let reset = used_up.filter_map(|quota| quota.reset.or_else(|| reset_of_family(&quotas, quota.family))).max();
        Advice {
            refused: status == 429 || asked.is_some() || (is_used_up && matches!(status, 403 | 503)),
            wait: asked.max(reset).map(|wait| wait.clamp(FLOOR, CEILING)),
        }
    }
}

/// One limit that a response speaks of.
struct Quota<'a> {
    family: &'static str,
    /// What tells it from others of its family.
    name: &'a str,
    remaining: Option<f64>,
    reset: Option<Duration>,
}

/// Names that fields about limits begin with.
const FAMILIES: [&str; 4] = ["ratelimit", "x-ratelimit", "x-rate-limit", "rate-limit"];

fn is_retry_after(name: &str) -> bool {
    name.eq_ignore_ascii_case("retry-after")
}

/// The family that a field belongs to, and the rest of its name.
fn after_family(name: &str) -> Option<(&'static str, &str)> {
    let begins = |family: &&str| name.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family));
    let family = FAMILIES.into_iter().find(begins)?;
    Some((family, &name[family.len()..]))
}

/// The reset that is not of one limit alone.
fn reset_of_family(quotas: &[Quota<'_>], family: &str) -> Option<Duration> {
    quotas.iter().find(|quota| quota.family == family && quota.name.is_empty())?.reset
}

fn quota<'q, 'a>(quotas: &'q mut Vec<Quota<'a>>, family: &'static str, name: &'a str) -> &'q mut Quota<'a> {
    let is_it = |quota: &Quota<'_>| quota.family == family && quota.name.eq_ignore_ascii_case(name);
    let at = quotas.iter().position(is_it).unwrap_or_else(|| {
        quotas.push(Quota { family, name, remaining: None, reset: None });
        quotas.len() - 1
    });
    &mut quotas[at]
}

impl Quota<'_> {
    fn note_remaining(&mut self, remaining: Option<f64>) {
        self.remaining = self.remaining.into_iter().chain(remaining).min_by(f64::total_cmp);
    }

    fn note_reset(&mut self, reset: Option<Duration>) {
        self.reset = self.reset.max(reset);
    }
}

/// `RateLimit-Remaining`, `RateLimit-Reset`, and these with a suffix. Discord's `X-RateLimit-Reset-After` is a reset.
fn read_single<'a>(
    family: &'static str,
    rest: &'a str,
    value: &str,
    clock: &impl Fn() -> SystemTime,
    quotas: &mut Vec<Quota<'a>>,
) {
    let after = |start: &str| {
        let begins = rest.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
        begins.then(|| &rest[start.len()..]).filter(|name| name.is_empty() || name.starts_with('-'))
    };
    if let Some(name) = after("-remaining") {
        let remaining = split_outside_quotes(value, ',').filter_map(|part| number(without_parameters(part)));
        quota(quotas, family, name).note_remaining(remaining.min_by(f64::total_cmp));
    } else if let Some(name) = after("-reset-after").or_else(|| after("-reset")) {
        quota(quotas, family, name).note_reset(when(value, clock));
    }
}

/// One field for all: the items `"name";r=0;t=30` of the current draft, or `limit=10, remaining=0, reset=2` of those before.
fn read_combined<'a>(family: &'static str, value: &str, clock: &impl Fn() -> SystemTime, quotas: &mut Vec<Quota<'a>>) {
    for item in split_outside_quotes(value, ',') {
        let mut parts = split_outside_quotes(item, ';').map(str::trim);
        let first = parts.next().unwrap_or_default();
        match first.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some((key, value)) if !first.starts_with('"') => {
                let all = quota(quotas, family, "");
                match key {
                    "remaining" => all.note_remaining(number(value)),
                    "reset" => all.note_reset(when(value, clock)),
                    _ => {}
                }
            }
            _ => {
                let mut item = Quota { family, name: "item", remaining: None, reset: None };
                for (key, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
                    match key.trim() {
                        "r" => item.note_remaining(number(value.trim())),
                        "t" => item.note_reset(when(value, clock)),
                        _ => {}
                    }
                }
                quotas.push(item);
            }
        }
    }
}

/// How long to wait, by a time in any of its spellings; the longest of a list.
fn when(value: &str, clock: &impl Fn() -> SystemTime) -> Option<Duration> {
    let mut waits = Vec::new();
    // An HTTP date has a comma behind its weekday.
    let mut weekday = None;
    for part in value.split(',').map(str::trim) {
        if matches!(part.len(), 3..=9) && part.bytes().all(|b| b.is_ascii_alphabetic()) {
            weekday = Some(part);
            continue;
        }
        waits.extend(match weekday.take() {
            Some(day) => wait_of(&format!("{day}, {part}"), clock).or_else(|| wait_of(part, clock)),
            None => wait_of(without_parameters(part), clock),
        });
    }
    waits.into_iter().max()
}

fn wait_of(text: &str, clock: &impl Fn() -> SystemTime) -> Option<Duration> {
    let since_epoch = |time: Duration| {
        let now = clock().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        time.saturating_sub(now)
    };
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if let Some(number) = number(text) {
        return Some(match number {
            _ if number < EPOCH_FROM => seconds(number),
            _ if number < EPOCH_MS_FROM => since_epoch(seconds(number)),
            _ => since_epoch(seconds(number / 1000.0)),
        });
    }
    if let Some(until) = http_date(text.as_bytes()) {
        return Some(until.duration_since(clock()).unwrap_or_default());
    }
    parse_duration(text).ok()
}

/// A decimal number without sign or exponent. More digits than a number has room for make a large one.
fn number(text: &str) -> Option<f64> {
    let digits = text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_digit());
    let plain = digits && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse().ok().filter(|_| plain)
}

/// What stands before the parameters of an item.
fn without_parameters(item: &str) -> &str {
    item.split(';').next().unwrap_or_default().trim()
}

/// The parts of a structured field (RFC 8941), whose strings may hold what divides it.
fn split_outside_quotes(text: &str, divider: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let divides = !quoted && c == divider;
        (quoted, escaped) = match c {
            _ if escaped => (quoted, false),
            '\\' if quoted => (true, true),
            '"' => (!quoted, false),
            _ => (quoted, false),
        };
        divides
    })
}

/// Any of the three forms of a date (RFC 9110, section 5.6.7); also with the zone as mail writes it.
pub(super) fn http_date(value: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(value).ok()?.trim();
    match text.strip_suffix("+0000").or_else(|| text.strip_suffix("UTC")) {
        Some(start) => httpdate::parse_http_date(&format!("{start}GMT")).ok(),
        None => httpdate::parse_http_date(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    /// The moment that [`DATE`] names.
    const THEN: u64 = 784_111_777;

    fn advice(status: u16, fields: &[(&str, &str)], now: u64) -> Advice {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        Advice::new(status, fields.iter().map(|(name, value)| (*name, value.as_bytes())), || now)
    }

    /// The wait in milliseconds that these fields ask for, by a clock that shows [`DATE`].
    fn wait(fields: &[(&str, &str)]) -> Option<u128> {
        advice(200, fields, THEN).wait.map(|wait| wait.as_millis())
    }

    fn retry_after(value: &str) -> Option<u128> {
        // The system clock is wrong by years; the server's Date makes it right.
        let wait = advice(503, &[("Retry-After", value), ("Date", DATE)], 0).wait;
        wait.map(|wait| wait.as_millis())
    }

    #[test]
    fn seconds_fractions_dates_and_times_since_1970() {
        for (value, ms) in [
            ("120", 120_000),
            (" 1 ", 1000),
            ("0", 100),
            ("1.5", 1500),
            ("0.25", 250),
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60_000),
            ("Sun, 06 Nov 1994 08:50:37 +0000", 60_000),
            ("Sun, 06 Nov 1994 08:50:37 UTC", 60_000),
            ("Sunday, 06-Nov-94 08:50:37 GMT", 60_000),
            ("Sun Nov  6 08:50:37 1994", 60_000),
            ("1m30s", 90_000),
            ("120;comment=x", 120_000),
        ] {
            assert_eq!(retry_after(value), Some(ms), "{value}");
        }
        let late = |value| advice(429, &[("Retry-After", value)], 1_784_111_777).wait;
        assert_eq!(late("1784111787"), Some(Duration::from_secs(10)));
        assert_eq!(late("1784111787.5"), Some(Duration::from_millis(10_500)));
        assert_eq!(late("1784111787500"), Some(Duration::from_millis(10_500)), "in milliseconds");
    }

    #[test]
    fn a_negative_retry_after_is_ignored() {
        for bad in ["-1", "-0.5", "+1", "", "1s1s", "soon", "1e3", ".5", "1.", "1..2", "NaN", "inf", "\u{fc}"] {
            assert_eq!(retry_after(bad), None, "{bad:?}");
            assert!(!advice(503, &[("Retry-After", bad)], THEN).refused, "{bad:?}");
        }
    }

    #[test]
    fn an_enormous_retry_after_is_at_most_a_year() {
        for much in ["31622401", "999999999", "99999999999999999999", &"9".repeat(5000), "1e3, 99999999"] {
            assert_eq!(retry_after(much), Some(CEILING.as_millis()), "{much}");
        }
    }

    #[test]
    fn the_longest_of_a_listed_retry_after_counts() {
        for (value, ms) in [
            ("1, 3", 3000),
            ("3,1", 3000),
            ("1,, soon, 2", 2000),
            ("Sun, 06 Nov 1994 08:50:37 GMT, 5", 60_000),
            ("90, Sun, 06 Nov 1994 08:50:37 +0000", 90_000),
        ] {
            assert_eq!(retry_after(value), Some(ms), "{value}");
        }
        assert_eq!(wait(&[("retry-after", "1"), ("Retry-After", "7")]), Some(7000));
    }

    #[test]
    fn a_reset_in_the_past_is_a_short_pause() {
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(100));
        let past = advice(429, &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1784111700")], 1_784_111_777);
        assert_eq!(past.wait, Some(FLOOR));
    }

    #[test]
    fn a_server_whose_date_is_a_day_off_is_waited_for_rightly() {
        for day_off in [THEN - 86_400, THEN + 86_400] {
            let fields = [("Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"), ("Date", DATE)];
            assert_eq!(advice(429, &fields, day_off).wait, Some(Duration::from_secs(60)));
        }
        // Without a Date that can be read, the system's clock must do.
        for fields in [
            &[("Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT")][..],
            &[("Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"), ("Date", "garbage")],
        ] {
            assert_eq!(advice(429, fields, THEN).wait, Some(Duration::from_secs(60)));
        }
    }

    #[test]
    fn a_clock_that_jumps_by_years_changes_no_wait() {
        let reset = [
            ("X-RateLimit-Remaining", "0"),
            ("X-RateLimit-Reset", "1784111787"),
            ("Date", "Wed, 15 Jul 2026 10:36:17 GMT"),
        ];
        let waits = [0, 1_000_000_000, 1_784_111_777, 4_000_000_000].map(|now| advice(403, &reset, now).wait);
        assert_eq!(waits, [Some(Duration::from_secs(10)); 4]);
    }

    #[test]
    fn every_dialect_of_rate_limits() {
        for (fields, ms) in [
            (&[][..], None),
            (&[("RateLimit", r#""default";r=0;t=30"#)], Some(30_000)),
            (&[("RateLimit", r#""default";r=50;t=30"#)], None),
            (&[("ratelimit", r#""a";r=5;t=60, "b";r=0;t=2"#)], Some(2000)),
            (&[("ratelimit", r#""a";r=5;t=60"#), ("ratelimit", r#""b";r=0;t=2"#)], Some(2000)),
            (&[("ratelimit", r#""a, \";r=0;t=9\"";r=5;t=60;pk=:cHsdsRa894==:, "b" ; r=0 ; t=2"#)], Some(2000)),
            (&[("ratelimit", r#""a";r=0;t=5, "b";r=0;t=2"#)], Some(5000)),
            (&[("ratelimit", r#""a";r=zero;t=1"#)], None),
            (&[("RateLimit", "limit=10, remaining=0, reset=2")], Some(2000)),
            (&[("RateLimit", "limit=10, remaining=3, reset=2")], None),
            (&[("RateLimit", "limit=10"), ("RateLimit", "remaining=0"), ("RateLimit", "reset=2")], Some(2000)),
            (&[("RateLimit-Limit", "10, 10;w=60"), ("RateLimit-Remaining", "0"), ("RateLimit-Reset", "7")], Some(7000)),
            (&[("RateLimit-Remaining", "1"), ("RateLimit-Reset", "7")], None),
            (&[("RateLimit-Remaining", "9, 0"), ("RateLimit-Reset", "7, 3")], Some(7000)),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "86400")], Some(86_400_000)),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "0.25")], Some(250)),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "-4")], None),
            (&[("X-RateLimit-Remaining", "-1"), ("X-RateLimit-Reset", "4")], None),
            (&[("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Reset", "4")], Some(4000)),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset-After", "1.5")], Some(1500)),
            (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6m0s")], Some(360_000)),
            (&[("x-ratelimit-remaining-tokens", "9"), ("x-ratelimit-reset-tokens", "6m0s")], None),
            (&[("X-RateLimit-Remaining-Minute", "0"), ("X-RateLimit-Reset", "12")], Some(12_000)),
            (&[("X-RateLimit-Remaining", "0")], None),
            (&[("X-RateLimit-Remaining", "0"), ("RateLimit-Reset", "4")], None),
        ] {
            assert_eq!(wait(fields), ms, "{fields:?}");
        }
    }

    #[test]
    fn the_strictest_of_several_counts() {
        let both = |remaining| [("Retry-After", "5"), ("X-RateLimit-Remaining", remaining), ("X-RateLimit-Reset", "9")];
        assert_eq!((wait(&both("0")), wait(&both("1"))), (Some(9000), Some(5000)));
    }

    #[test]
    fn what_is_a_refusal() {
        let refused = |status, fields: &[(&str, &str)]| advice(status, fields, THEN).refused;
        let none_left = [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "9")];
        let some_left = [("X-RateLimit-Remaining", "1"), ("X-RateLimit-Reset", "9")];
        for status in [403, 429, 503] {
            assert!(refused(status, &none_left) && refused(status, &none_left[..1]), "{status}");
            assert_eq!(refused(status, &some_left), status == 429, "{status}");
        }
        for status in [200, 301, 404, 500] {
            assert!(!refused(status, &none_left) && refused(status, &[("Retry-After", "1")]), "{status}");
        }
        assert_eq!(advice(429, &[], THEN), Advice { refused: true, wait: None });
    }

    #[test]
    fn a_429_says_by_itself_that_nothing_remains() {
        for (fields, seconds) in [
            (&[("X-RateLimit-Reset", "2")][..], Some(2)),
            (&[("RateLimit-Reset", "3")], Some(3)),
            (&[("RateLimit", r#""a";t=2"#)], Some(2)),
            (&[("RateLimit", "limit=10, reset=4")], Some(4)),
            (&[("X-RateLimit-Remaining", "-1"), ("X-RateLimit-Reset", "5")], Some(5)),
            (&[("Retry-After", "1"), ("X-RateLimit-Reset", "5")], Some(5)),
            // Of several, it is the one that is used up, or the one that does not say.
            (&[("RateLimit", r#""a";r=0;t=2, "b";t=60"#)], Some(2)),
            (&[("RateLimit", r#""a";r=7;t=60, "b";t=2"#)], Some(2)),
            (&[("X-RateLimit-Remaining", "7"), ("X-RateLimit-Reset", "60")], None),
        ] {
            let wait = |status| advice(status, fields, THEN).wait.map(|wait| wait.as_secs());
            assert_eq!(wait(429), seconds, "{fields:?}");
        }
        for status in [200, 403, 503] {
            assert_eq!(advice(status, &[("X-RateLimit-Reset", "2")], THEN), Advice::default(), "{status}");
        }
    }
}
