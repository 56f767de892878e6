//! How old a response is, and whether it is fresh (RFC 9111, section 4.2). Pure: the caller brings the time.

use std::time::{SystemTime, UNIX_EPOCH};

use super::directives::{Directives, read_seconds};

/// What decides whether a kept response is fresh. Times are milliseconds by the clock of the system, since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// When it was received, or said to be still the newest.
    pub received_ms: i64,
    /// How old it was then (`corrected_initial_age`).
    pub age_ms: i64,
    /// At what age it stops being fresh (`freshness_lifetime`).
    pub lifetime_ms: i64,
    /// It has to be asked for each time.
    pub no_cache: bool,
    /// When it is not fresh any more, it has to be asked for, whatever happens.
    pub must_revalidate: bool,
}

impl Freshness {
    /// Reads the fields of a response whose request was sent, and which was received, at these times.
    pub fn of<'a>(
        fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
        requested_ms: i64,
        received_ms: i64,
    ) -> Freshness {
        let values = |name: &'static str| {
            let is_it = move |(own, _): &(&str, &[u8])| own.eq_ignore_ascii_case(name);
            fields.clone().filter(is_it).map(|(_, value)| value)
        };
        let Directives { no_cache, must_revalidate, max_age, .. } = Directives::read(fields.clone());
        let date = values("date").next().and_then(http_date_ms);
        let apparent_age = date.map_or(0, |date| received_ms.saturating_sub(date).max(0));
        // Of a list the first counts, and what is no number is ignored (RFC 9111, section 5.1).
        let age = values("age").next().and_then(|value| value.split(|byte| *byte == b',').next());
        let age = age.and_then(|age| read_seconds(age.trim_ascii())).map_or(0, whole_ms);
        let delay = received_ms.saturating_sub(requested_ms).max(0);
        let lifetime_ms = match max_age {
            Some(seconds) => whole_ms(seconds),
            // A date that is none, such as 0, is past (RFC 9111, section 5.3). Of several, the first that is over counts.
            None => values("expires")
                .map(|value| {
                    http_date_ms(value).map_or(0, |end| end.saturating_sub(date.unwrap_or(received_ms)).max(0))
                })
                .min()
                .unwrap_or(0),
        };
        Freshness { received_ms, age_ms: apparent_age.max(age + delay), lifetime_ms, no_cache, must_revalidate }
    }

    /// How old it is. `None` if the clock has gone back since it was received: then its age is not known.
    pub fn current_age_ms(&self, now_ms: i64) -> Option<i64> {
        let resident = now_ms.checked_sub(self.received_ms).filter(|resident| *resident >= 0)?;
        Some(self.age_ms.saturating_add(resident))
    }

    /// Whether it may be delivered without asking the server, as far as this request wants that.
    pub fn is_fresh(&self, request: &Directives, now_ms: i64) -> bool {
        let Some(age) = self.current_age_ms(now_ms) else { return false };
        if self.no_cache || request.no_cache || request.max_age.is_some_and(|most| age > whole_ms(most)) {
            return false;
        }
        let left = self.lifetime_ms - age;
        match (request.min_fresh, request.max_stale) {
            (Some(least), _) if left < whole_ms(least) => false,
            (_, Some(most)) if !self.must_revalidate => left.saturating_neg() < whole_ms(most) || left > 0,
            _ => left > 0,
        }
    }

    /// Whether it may be delivered in place of one that could not be had, for so long after it was fresh (RFC 5861, section
    /// 4). If the clock has gone back, it is as old as it was when it was received.
    pub fn may_be_stale(&self, for_ms: i64, now_ms: i64) -> bool {
        let age = self.current_age_ms(now_ms).unwrap_or(self.age_ms);
        let since = age.saturating_sub(self.lifetime_ms);
        !self.must_be_asked_for() && since <= for_ms
    }

    /// Whether the server forbids to deliver it stale, whatever happens.
    pub fn must_be_asked_for(&self) -> bool {
        self.no_cache || self.must_revalidate
    }
}

fn whole_ms(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
}

/// Any of the three forms of a date (RFC 9110, section 5.6.7).
fn http_date_ms(value: &[u8]) -> Option<i64> {
    let date = httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()?;
    Some(ms_of(date))
}

/// Milliseconds since 1970.
pub(crate) fn ms_of(time: SystemTime) -> i64 {
    let ms = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -ms(before.duration()), ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const DATE: i64 = 784_111_777_000;
    const ANY: Directives = Directives {
        no_store: false,
        no_cache: false,
        must_revalidate: false,
        max_age: None,
        min_fresh: None,
        max_stale: None,
    };

    /// Received at `DATE`, with a request that took no time.
    fn received(fields: &[(&str, &str)]) -> Freshness {
        at(fields, DATE, DATE)
    }

    fn at(fields: &[(&str, &str)], requested: i64, received: i64) -> Freshness {
        Freshness::of(fields.iter().map(|(name, value)| (*name, value.as_bytes())), requested, received)
    }

    #[test]
    fn for_how_long_it_is_fresh() {
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (fields, lifetime_s) in [
            (&[][..], 0),
            (&[("Cache-Control", "max-age=60")], 60),
            (&[date, ("Expires", "Sun, 06 Nov 1994 08:50:37 GMT")], 60),
            (&[("Expires", "Sun, 06 Nov 1994 08:50:37 GMT")], 60),
            (&[("Expires", "Sunday, 06-Nov-94 08:50:37 GMT")], 60),
            (&[("Expires", "Sun Nov  6 08:50:37 1994")], 60),
            (&[("Expires", "Sun, 06 Nov 1994 08:48:37 GMT")], 0),
            (&[("Expires", "0")], 0),
            (&[("Expires", "Sun, 06 Nov 1994 08:50:37 GMT"), ("Expires", "-1")], 0),
            (&[("Expires", "Sun, 06 Nov 1994 08:50:37 GMT"), ("Cache-Control", "max-age=5")], 5),
            (&[("Expires", "Sun, 06 Nov 1994 08:50:37 GMT"), ("Cache-Control", "max-age=x")], 0),
            (&[("Cache-Control", "s-maxage=60")], 0),
            // No guess by the age of the content.
            (&[date, ("Last-Modified", "Sun, 06 Nov 1983 08:49:37 GMT")], 0),
        ] {
            assert_eq!(received(fields).lifetime_ms, lifetime_s * 1000, "{fields:?}");
        }
        // A server whose clock is wrong gives a lifetime by its own clock.
        let later = at(&[date, ("Expires", "Sun, 06 Nov 1994 08:50:37 GMT")], DATE + 86_400_000, DATE + 86_400_000);
        assert_eq!((later.lifetime_ms, later.age_ms), (60_000, 86_400_000));
    }

    #[test]
    fn how_old_it_is() {
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        // Section 4.2.3: the larger of what the clocks say and what the caches on the way say, with the time of the request.
        for (fields, requested, received, age) in [
            (&[date][..], DATE, DATE, 0),
            (&[date], DATE, DATE + 1500, 1500),
            (&[date, ("Age", "10")], DATE, DATE + 1500, 11_500),
            (&[date, ("Age", "10, 99")], DATE, DATE, 10_000),
            (&[date, ("Age", "ten")], DATE, DATE, 0),
            (&[date, ("Age", "1")], DATE, DATE + 5000, 6000),
            (&[date], DATE - 9000, DATE - 8000, 1000),
            (&[("Age", "7")], DATE, DATE, 7000),
            // The clock went back between request and response.
            (&[("Age", "7")], DATE + 5000, DATE, 7000),
        ] {
            assert_eq!(at(fields, requested, received).age_ms, age, "{fields:?} {requested} {received}");
        }
        let kept = at(&[date, ("Age", "10")], DATE, DATE + 1000);
        assert_eq!(kept.current_age_ms(DATE + 61_000), Some(71_000));
    }

    #[test]
    fn it_is_fresh_until_its_age_reaches_its_lifetime() {
        let kept = received(&[("Cache-Control", "max-age=60"), ("Age", "10")]);
        for (after_ms, fresh) in [(0, true), (49_999, true), (50_000, false), (i64::MAX - DATE, false)] {
            assert_eq!(kept.is_fresh(&ANY, DATE + after_ms), fresh, "{after_ms}");
        }
        assert!(!received(&[]).is_fresh(&ANY, DATE));
        assert!(!received(&[("Cache-Control", "max-age=60, no-cache")]).is_fresh(&ANY, DATE));
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_fresh() {
        let kept = received(&[("Cache-Control", "max-age=60"), ("Age", "10")]);
        assert_eq!(kept.current_age_ms(DATE - 1), None);
        assert!(!kept.is_fresh(&ANY, DATE - 1) && !kept.is_fresh(&ANY, i64::MIN));
        // Its age is not known; it is the last good one all the same.
        assert!(kept.may_be_stale(0, DATE - 1) && kept.may_be_stale(0, i64::MIN));
    }

    #[test]
    fn what_a_request_wants() {
        let kept = received(&[("Cache-Control", "max-age=60")]);
        let strict = received(&[("Cache-Control", "max-age=60, must-revalidate")]);
        for (request, after_s, fresh) in [
            (Directives { no_cache: true, ..ANY }, 0, false),
            (Directives { max_age: Some(5), ..ANY }, 5, true),
            (Directives { max_age: Some(5), ..ANY }, 6, false),
            (Directives { max_age: Some(0), ..ANY }, 1, false),
            (Directives { min_fresh: Some(10), ..ANY }, 50, true),
            (Directives { min_fresh: Some(10), ..ANY }, 51, false),
            (Directives { max_stale: Some(10), ..ANY }, 69, true),
            (Directives { max_stale: Some(10), ..ANY }, 70, false),
            (Directives { max_stale: Some(0), ..ANY }, 59, true),
            (Directives { max_stale: Some(u64::MAX), ..ANY }, 1_000_000, true),
        ] {
            assert_eq!(kept.is_fresh(&request, DATE + after_s * 1000), fresh, "{request:?} {after_s}");
        }
        assert!(!strict.is_fresh(&Directives { max_stale: Some(10), ..ANY }, DATE + 65_000));
    }

    #[test]
    fn for_how_long_a_stale_one_serves() {
        let week = 7 * 86_400_000;
        let kept = received(&[("Cache-Control", "max-age=60")]);
        for (after_ms, serves) in [(0, true), (60_000 + week, true), (60_001 + week, false)] {
            assert_eq!(kept.may_be_stale(week, DATE + after_ms), serves, "{after_ms}");
        }
        for forbids in ["max-age=60, must-revalidate", "no-cache"] {
            assert!(!received(&[("Cache-Control", forbids)]).may_be_stale(week, DATE), "{forbids}");
        }
        assert!(received(&[]).may_be_stale(week, DATE + week));
    }
}
