//! The dates of cookies, which servers write in many ways (RFC 6265, section 5.1.1).

/// A date as seconds since 1970; `None` if it is none.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    // Each part is the first one that looks like it; what looks like none is skipped, as the name of the day.
    for token in text.split(|byte| is_delimiter(*byte)).filter(|token| !token.is_empty()) {
        if let (None, Some(found)) = (time, parse_time(token)) {
            time = Some(found);
        } else if let (None, Some(found)) = (day, number(token, 1, 2)) {
            day = Some(found);
        } else if let (None, Some(found)) = (month, parse_month(token)) {
            month = Some(found);
        } else if let (None, Some(found)) = (year, number(token, 2, 4)) {
            year = Some(found);
        }
    }
    let ((hour, minute, second), day, month, year) = (time?, day?, month?, year?);
    let year = match year {
        70..=99 => year + 1900,
        0..=69 => year + 2000,
        _ => year,
    };
    let is_date = (1..=31).contains(&day) && year >= 1601 && hour <= 23 && minute <= 59 && second <= 59;
    // A day that the month does not have is one of the next month: it decides nothing.
    is_date.then(|| days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// A number of so many digits, behind which may be anything but a digit.
fn number(token: &[u8], least: usize, most: usize) -> Option<i64> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = token[..digits.min(most)].iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    (least..=most).contains(&digits).then_some(value)
}

fn parse_time(token: &[u8]) -> Option<(i64, i64, i64)> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = |part: &[u8]| number(part, 1, 2).filter(|_| part.iter().all(u8::is_ascii_digit));
    Some((whole(hour)?, whole(minute)?, number(second, 1, 2)?))
}

fn parse_month(token: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let start = token.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| start == month[..])?;
    i64::try_from(at + 1).ok()
}

/// Days since 1970 (Howard Hinnant's `days_from_civil`), whose year begins in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let from_march = (month + 9) % 12;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * from_march + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_servers_write_them() {
        const THEN: i64 = 784_111_777;
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "06 november 1994 08:49:37",
            "1994 6 Nov 8:49:37",
            "Sun, 06-Nov-1994 08:49:37 UTC",
            "08:49:37 06 NOV 94",
        ] {
            // "1994" first is the year, as a day has at most two digits.
            assert_eq!(parse(text.as_bytes()), Some(THEN), "{text}");
        }
        assert_eq!(parse(b"Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse(b"Thu, 01-Jan-70 00:00:00 GMT"), Some(0));
        assert_eq!(parse(b"Tue, 29 Feb 2000 00:00:00 GMT"), Some(951_782_400));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "tomorrow",
            "Sun, 06 Nov 1994",
            "08:49:37",
            "06 Nov 1994 24:00:00",
            "06 Nov 1994 08:60:00",
            "32 Nov 1994 08:49:37",
            "00 Nov 1994 08:49:37",
            "06 Nov 1600 08:49:37",
            "06 Foo 1994 08:49:37",
            "06 Nov 19941 08:49:37",
            "06 Nov 1994 008:49:37",
            "\u{ff}\u{fe}:\u{0}",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
