//! Points in time as servers write them.

use std::fmt;
#[cfg(any(feature = "report", feature = "state"))]
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::rfc3339::civil_from_days;

/// A point in time, written in UTC as RFC 3339 has it, with the decimals that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since 1970, without leap seconds.
    seconds: i64,
    nanoseconds: u32,
    /// How many decimals of a second are known.
    decimals: usize,
}

impl Moment {
    /// The same for the system; `None` if it cannot count that far.
    #[cfg(any(feature = "report", feature = "state"))]
    pub(crate) fn system_time(self) -> Option<SystemTime> {
        let whole = Duration::from_secs(self.seconds.unsigned_abs());
        let second = if self.seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
        second?.checked_add(Duration::from_nanos(u64::from(self.nanoseconds)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(DAY));
        let in_day = self.seconds.rem_euclid(DAY);
        let (hour, minute, second) = (in_day / 3600, in_day / 60 % 60, in_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.decimals > 0 {
            write!(f, ".{}", &format!("{:09}", self.nanoseconds)[..self.decimals])?;
        }
        f.write_str("Z")
    }
}

/// Reads a time as RFC 3339 has it (section 5.6): a space in place of the `T` is taken, seconds and zone may be missing (UTC),
/// and so may the whole time of a day (its first moment).
pub(crate) fn parse_rfc3339(text: &str) -> Option<Moment> {
    let text = text.trim();
    let formats = ["%Y-%m-%dT%H:%M:%S%f%z", "%Y-%m-%dT%H:%M:%S%f", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M", "%Y-%m-%d"];
    let text = match text.as_bytes().get(10) {
        Some(b't' | b' ') => format!("{}T{}", text.get(..10)?, text.get(11..)?),
        _ => text.to_owned(),
    };
    formats.into_iter().find_map(|format| parse(&text, format))
}

/// What a format may hold, for messages.
pub(crate) const SPECIFIERS: &str = "%Y %y %m %b %d %H %I %p %M %S %f %z %s %Q %a";

/// Whether every `%` in a format begins one of [`SPECIFIERS`] or `%%`, and there is one that says when.
pub(crate) fn is_format(format: &str) -> bool {
    let mut letters = format.split('%').skip(1);
    let mut any = false;
    while let Some(after) = letters.next() {
        match after.chars().next() {
            Some('Y' | 'y' | 's' | 'Q') => any = true,
            Some('m' | 'b' | 'd' | 'H' | 'I' | 'p' | 'M' | 'S' | 'f' | 'z' | 'a') => {}
            // `%%`: what is between them is empty.
            None if letters.next().is_some() => {}
            _ => return false,
        }
    }
    any
}

/// Reads a time in this format. The letters are those of strptime: `%Y` the year, `%y` its last two digits (from 1970 to
/// 2069), `%m` the month, `%b` its English name, `%d` the day, `%H` the hour, `%I` that of twelve with `%p` AM or PM, `%M`
/// the minute, `%S` the second, `%f` a fraction with its point or nothing, `%z` a zone such as `+01:00`, `+0100` or `Z`,
/// `%s` seconds and `%Q` milliseconds since 1970, `%a` a name of a day, which is passed over. A blank stands for any blanks.
pub(crate) fn parse(text: &str, format: &str) -> Option<Moment> {
    let mut parts = TimeParts { month: 1, day: 1, ..TimeParts::default() };
    let mut rest = text.trim();
    let mut letters = format.trim().chars();
    while let Some(letter) = letters.next() {
        rest = match letter {
            '%' => parts.take(letters.next()?, rest)?,
            ' ' => rest.trim_start(),
            other => rest.strip_prefix(other)?,
        };
    }
    rest.is_empty().then(|| parts.moment()).flatten()
}

/// What has been read of a time.
#[derive(Default)]
struct TimeParts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    decimals: usize,
    afternoon: Option<bool>,
    zone_minutes: i64,
    /// Milliseconds since 1970, if that is what was written.
    epoch_ms: Option<i64>,
}

impl TimeParts {
    /// Reads what a letter stands for, and returns what is behind it.
    fn take<'t>(&mut self, letter: char, text: &'t str) -> Option<&'t str> {
        let (value, rest) = match letter {
            'Y' => digits(text, 4, 4)?,
            's' | 'Q' => return self.take_epoch(letter, text),
            'f' => return self.take_fraction(text),
            'z' => return self.take_zone(text),
            'b' | 'a' => {
                let len = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
                let (name, rest) = text.split_at(len);
                if letter == 'b' {
                    let name = name.get(..3)?.to_ascii_lowercase();
                    self.month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
                }
                return (len > 0).then_some(rest);
            }
            'p' => {
                let half = text.get(..2)?;
                self.afternoon = Some(half.eq_ignore_ascii_case("pm"));
                return (half.eq_ignore_ascii_case("am") || self.afternoon == Some(true)).then_some(&text[2..]);
            }
            '%' => return text.strip_prefix('%'),
            _ => digits(text, 1, 2)?,
        };
        let (field, range) = match letter {
            'Y' => (&mut self.year, 0..=9999),
            'y' => (&mut self.year, 0..=99),
            'm' => (&mut self.month, 1..=12),
            'd' => (&mut self.day, 1..=31),
            'H' => (&mut self.hour, 0..=23),
            'I' => (&mut self.hour, 1..=12),
            'M' => (&mut self.minute, 0..=59),
            // A leap second is the first of the next minute.
            'S' => (&mut self.second, 0..=60),
            _ => return None,
        };
        *field = if letter == 'y' { value + if value < 70 { 2000 } else { 1900 } } else { value };
        range.contains(&value).then_some(rest)
    }

    fn take_epoch<'t>(&mut self, letter: char, text: &'t str) -> Option<&'t str> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (value, mut rest) = digits(unsigned, 1, 15)?;
        let value = if unsigned.len() < text.len() { -value } else { value };
        if letter == 's' && value >= 0 {
            rest = self.take_fraction(rest)?;
        }
        self.epoch_ms = Some(if letter == 's' { value.checked_mul(1000)? } else { value });
        if letter == 'Q' {
            (self.decimals, self.nanoseconds) = (3, u32::try_from(value.rem_euclid(1000)).ok()? * 1_000_000);
        }
        Some(rest)
    }

    fn take_fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let Some(fraction) = text.strip_prefix(['.', ',']) else { return Some(text) };
        let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let kept = &fraction[..len.min(9)];
        self.decimals = kept.len();
        self.nanoseconds = format!("{kept:0<9}").parse().ok()?;
        (len > 0).then_some(&fraction[len..])
    }

    fn take_zone<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix(['Z', 'z']) {
            return Some(rest);
        }
        let (hours, rest) = digits(text.strip_prefix(['+', '-'])?, 2, 2)?;
        let (minutes, rest) = digits(rest.strip_prefix(':').unwrap_or(rest), 2, 2).unwrap_or((0, rest));
        let size = hours * 60 + minutes;
        self.zone_minutes = if text.starts_with('-') { -size } else { size };
        (hours < 24 && minutes < 60).then_some(rest)
    }

    fn moment(self) -> Option<Moment> {
        let TimeParts { nanoseconds, decimals, .. } = self;
        if let Some(ms) = self.epoch_ms {
            return in_range(Moment { seconds: ms.div_euclid(1000), nanoseconds, decimals });
        }
        let hour = match self.afternoon {
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let days = days_from_civil(self.year, self.month, self.day);
        // A day that its month does not have comes back as another.
        if civil_from_days(days) != (self.year, self.month, self.day) {
            return None;
        }
        let seconds = days * DAY + hour * 3600 + (self.minute - self.zone_minutes) * 60 + self.second;
        in_range(Moment { seconds, nanoseconds, decimals })
    }
}

/// The moment, if its year has four digits.
fn in_range(moment: Moment) -> Option<Moment> {
    let (year, ..) = civil_from_days(moment.seconds.div_euclid(DAY));
    (0..=9999).contains(&year).then_some(moment)
}

/// The number that the text begins with, of as many digits as that, and what is behind it.
fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let len = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(len);
    (len >= least).then(|| Some((number.parse().ok()?, rest))).flatten()
}

/// The reverse of [`civil_from_days`], by the same author's algorithm.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

const DAY: i64 = 86_400;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_their_format() {
        for (text, format, expected) in [
            ("31.01.2026 12:00", "%d.%m.%Y %H:%M", Some("2026-01-31T12:00:00Z")),
            ("1/2/26 9:05 PM", "%m/%d/%y %I:%M %p", Some("2026-01-02T21:05:00Z")),
            ("Sat, 31 Jan 2026 12:00:00 +0100", "%a, %d %b %Y %H:%M:%S %z", Some("2026-01-31T11:00:00Z")),
            ("29 February 2024", "%d %b %Y", Some("2024-02-29T00:00:00Z")),
            ("1769860800", "%s", Some("2026-01-31T12:00:00Z")),
            ("1769860800.250", "%s", Some("2026-01-31T12:00:00.250Z")),
            ("1769860800123", "%Q", Some("2026-01-31T12:00:00.123Z")),
            ("-1", "%s", Some("1969-12-31T23:59:59Z")),
            ("20260131T235960", "%Y%m%dT%H%M%S", Some("2026-02-01T00:00:00Z")),
            ("30.02.2026", "%d.%m.%Y", None),
            ("31.13.2026", "%d.%m.%Y", None),
            ("31.01.2026 x", "%d.%m.%Y", None),
            ("99999999999999", "%s", None),
            ("2026\u{e9}", "%Y%p", None),
            ("", "%Y", None),
        ] {
            assert_eq!(parse(text, format).map(|moment| moment.to_string()).as_deref(), expected, "{text}");
            assert!(is_format(format), "{format}");
        }
        for format in ["%", "%q", "%H:%M", "text", "%Y%", "%%Y"] {
            assert!(!is_format(format), "{format}");
        }
    }

    #[test]
    fn rfc_3339_and_its_relatives() {
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00Z")),
            ("2026-01-31t12:00:00.125000+05:30", Some("2026-01-31T06:30:00.125000Z")),
            ("2026-01-31 12:00", Some("2026-01-31T12:00:00Z")),
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("2026-1", None),
            ("2026-01-31T25:00:00Z", None),
            ("2026-01-3\u{e9}T25:00", None),
        ] {
            assert_eq!(parse_rfc3339(text).map(|moment| moment.to_string()).as_deref(), expected, "{text}");
        }
    }
}
