//! Points in time as reports write them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Writes a time as RFC 3339 has it (section 5.6), in UTC with milliseconds: `2026-01-31T12:00:00.000Z`.
///
/// The format has four digits for the year: a time before year 0 or after 9999 is written as the first or the last
/// moment that fits. Parts of a millisecond are cut off, so that a time is never written as later than it was.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// assert_eq!(roundup::rfc3339(UNIX_EPOCH + Duration::from_millis(1_500)), "1970-01-01T00:00:01.500Z");
/// ```
pub fn rfc3339(time: SystemTime) -> String {
    let ms = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos().div_ceil(1_000_000)).map_or(i64::MIN, |ms| -ms),
    };
    let ms = ms.clamp(FIRST_MS, LAST_MS);
    let (year, month, day) = civil_from_days(ms.div_euclid(DAY_MS));
    let in_day = ms.rem_euclid(DAY_MS);
    let (hour, minute, second) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", in_day % 1000)
}

/// The time after this wait, by the system's clock.
#[cfg(feature = "fetcher")]
pub(crate) fn rfc3339_after(wait: std::time::Duration) -> String {
    rfc3339(SystemTime::now() + wait)
}

/// Year, month and day of a day counted from 1970-01-01: the algorithm of Howard Hinnant's `civil_from_days`, which
/// counts in eras of 400 years from a 1 March, so that the leap day is the last of its year.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

const DAY_MS: i64 = 86_400_000;
/// 0000-01-01T00:00:00.000Z.
const FIRST_MS: i64 = -719_528 * DAY_MS;
/// 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 2_932_897 * DAY_MS - 1;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_799, "2000-02-29T23:59:59.000Z"),
            (1_769_860_800, "2026-01-31T12:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799, "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn days_follow_each_other() {
        let length = |year: i64, month: i64| match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut expected = (0, 1, 1);
        for day in -719_528..200_000 {
            assert_eq!(civil_from_days(day), expected, "{day}");
            let (year, month, date) = expected;
            expected = match (month, date == length(year, month)) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                _ => (year, month, date + 1),
            };
        }
    }

    #[test]
    fn what_does_not_fit_is_held_at_the_edge() {
        let year = Duration::from_secs(31_556_952);
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_nanos(1)), "1969-12-31T23:59:59.999Z");
        // Not every system counts that far.
        if let Some(time) = UNIX_EPOCH.checked_add(year * 20_000) {
            assert_eq!(rfc3339(time), "9999-12-31T23:59:59.999Z");
        }
        if let Some(time) = UNIX_EPOCH.checked_sub(year * 20_000) {
            assert_eq!(rfc3339(time), "0000-01-01T00:00:00.000Z");
        }
    }
}
