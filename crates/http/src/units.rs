//! Durations, sizes and rates as people write them: the only home of suffixes.
//!
//! Numbers are plain decimal digits with an optional fraction; no sign, no exponent. Errors are one line that says what
//! would be valid.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// The longest duration that is accepted: a year. Longer ones are taken for a mistake.
pub const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// Parses a duration: `500ms`, `10s`, `1.5s`, `2m`, `1h`, `1d`, or several of these in falling order, as in `1m30s`. Units
/// may be written out, and stand apart: `10 sec`, `2 minutes`.
///
/// A number without a unit is refused unless it is 0: a reader could not tell seconds from milliseconds.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(roundup_http::units::parse_duration("1m30s")?, Duration::from_secs(90));
/// assert_eq!(roundup_http::units::parse_duration("1.5s")?, Duration::from_millis(1500));
/// assert!(roundup_http::units::parse_duration("10").is_err());
/// # Ok::<(), roundup_http::Error>(())
/// ```
///
/// # Errors
/// [`Kind::Config`] with the valid forms.
pub fn parse_duration(text: &str) -> Result<Duration> {
    const UNITS: [(&[&str], f64); 5] = [
        (&["ms", "millisecond", "milliseconds"], 1e-3),
        (&["s", "sec", "secs", "second", "seconds"], 1.0),
        (&["m", "min", "mins", "minute", "minutes"], 60.0),
        (&["h", "hour", "hours"], 3600.0),
        (&["d", "day", "days"], 86400.0),
    ];
    let invalid = || Error::new(Kind::Config, format!("\"{text}\" is not a duration: write 500ms, 10s, 1m30s or 2h"));
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    let mut last_unit = f64::INFINITY;
    while !rest.is_empty() {
        let (number, after) = split_number(rest).ok_or_else(invalid)?;
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let factor =
            UNITS.iter().find(|(names, _)| names.contains(&unit)).map(|(_, factor)| *factor).ok_or_else(invalid)?;
        if factor >= last_unit {
            return Err(invalid());
        }
        last_unit = factor;
        seconds += number * factor;
        rest = after.trim_start();
    }
    if last_unit.is_infinite() {
        return Err(invalid());
    }
    if seconds > MAX_DURATION.as_secs_f64() {
        return Err(Error::new(Kind::Config, format!("\"{text}\" is too long: a duration is at most 366d")));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Parses a size in bytes: `512`, `64KiB`, `16MiB`, `1GiB`, or the decimal `kB`, `MB`, `GB`. Upper and lower case are one.
///
/// ```
/// assert_eq!(roundup_http::units::parse_size("16MiB")?, 16 << 20);
/// # Ok::<(), roundup_http::Error>(())
/// ```
///
/// # Errors
/// [`Kind::Config`] with the valid forms.
pub fn parse_size(text: &str) -> Result<u64> {
    const UNITS: [(&str, u64); 13] = [
        ("", 1),
        ("b", 1),
        ("k", 1 << 10),
        ("m", 1 << 20),
        ("g", 1 << 30),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
    ];
    let invalid = || Error::new(Kind::Config, format!("\"{text}\" is not a size: write 4096, 64KiB, 16MiB or 1GB"));
    let (number, unit) = split_number(text).ok_or_else(invalid)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(invalid)?;
    if unit.is_empty() {
        return text.parse().map_err(|_| invalid());
    }
    let bytes = number * factor as f64;
    if bytes > (1u64 << 53) as f64 { Err(invalid()) } else { Ok(bytes as u64) }
}

/// Parses a whole number: decimal digits only, no sign.
///
/// # Errors
/// [`Kind::Config`]: not digits, or outside `min..=max`.
pub fn parse_count(text: &str, min: u64, max: u64) -> Result<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<u64>().ok().filter(|n| digits && (min..=max).contains(n)).ok_or_else(|| {
        Error::new(Kind::Config, format!("\"{text}\" is not valid here: write a whole number from {min} to {max}"))
    })
}

/// Splits off a leading decimal number; `None` if there is none.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let starts_well = number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
    Some((number.parse().ok().filter(|_| starts_well)?, rest))
}

/// How many requests may start in a stretch of time: `20/s`, `100/m`, `5000/h`, `1/10s`.
///
/// ```
/// let rate: roundup_http::units::Rate = "20/s".parse()?;
/// assert_eq!(rate.interval(), std::time::Duration::from_millis(50));
/// # Ok::<(), roundup_http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    per: Duration,
}

impl Rate {
    /// So many in this stretch of time; `None` if the stretch is empty.
    pub fn new(count: NonZeroU32, per: Duration) -> Option<Rate> {
        (!per.is_zero()).then_some(Rate { count, per })
    }

    /// How many may start in [`per`](Self::per).
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// The stretch of time.
    pub fn per(self) -> Duration {
        self.per
    }

    /// The time from one start to the next.
    pub fn interval(self) -> Duration {
        self.per / self.count.get()
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rate> {
        let invalid = || Error::new(Kind::Config, format!("\"{text}\" is not a rate: write 20/s, 100/m or 1/10s"));
        let (count, per) = text.split_once('/').ok_or_else(invalid)?;
        let count = parse_count(count.trim(), 1, u64::from(u32::MAX)).map_err(|_| invalid())?;
        let per = per.trim();
        let per = if per.starts_with(|c: char| c.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
        let per = parse_duration(&per).map_err(|_| invalid())?;
        let count = u32::try_from(count).ok().and_then(NonZeroU32::new).ok_or_else(invalid)?;
        Rate::new(count, per).ok_or_else(invalid)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, DisplayDuration(self.per))
    }
}

/// Writes a duration the way [`parse_duration`] reads it: `1.5s`, `250ms`, `2m`, `1h30m`.
#[derive(Clone, Copy, Debug)]
pub struct DisplayDuration(pub Duration);

impl fmt::Display for DisplayDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms < 1000 {
            return write!(f, "{ms}ms");
        }
        if ms < 60_000 {
            let text = format!("{:.3}", self.0.as_secs_f64());
            return write!(f, "{}s", text.trim_end_matches('0').trim_end_matches('.'));
        }
        let seconds = self.0.as_secs();
        for (amount, unit) in [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")] {
            if amount > 0 {
                write!(f, "{amount}{unit}")?;
            }
        }
        Ok(())
    }
}

/// Writes a size for people: `512 B`, `1.5 KiB`, `16 MiB`.
#[derive(Clone, Copy, Debug)]
pub struct DisplaySize(pub u64);

impl fmt::Display for DisplaySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mut step) = UNITS.iter().rposition(|(_, bits)| self.0 >> bits > 0) else {
            return write!(f, "{} B", self.0);
        };
        let tenths = |step: usize| (u128::from(self.0) * 10 + (1 << (UNITS[step].1 - 1))) >> UNITS[step].1;
        // What would be 1024 when rounded is 1 of the next.
        if tenths(step) >= 10 * 1024 && step + 1 < UNITS.len() {
            step += 1;
        }
        let (tenths, unit) = (tenths(step), UNITS[step].0);
        match tenths % 10 {
            0 => write!(f, "{} {unit}", tenths / 10),
            tenth => write!(f, "{}.{tenth} {unit}", tenths / 10),
        }
    }
}

/// Units of sizes, and of how many bits their numbers of bytes have been shifted.
const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ms = |text: &str| parse_duration(text).map(|d| d.as_millis()).ok();
        assert_eq!(ms("0"), Some(0));
        assert_eq!(ms("250ms"), Some(250));
        assert_eq!(ms("1h2m3s"), Some(3_723_000));
        assert_eq!(ms("0.5s"), Some(500));
        assert_eq!(
            [ms("5 s"), ms("10 sec"), ms("2minutes"), ms("1 hour 5 min")],
            [5, 10, 120, 3900].map(|s| Some(s * 1000))
        );
        for bad in
            ["", "5", "s", "5 x", "+5s", "-1s", "1e3s", "5x", "1s1s", "1s1m", "1.s", ".5s", "1..5s", "900d", "NaNs"]
        {
            assert_eq!(ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("4096", 4096), ("1KiB", 1024), ("16mib", 16 << 20), ("1.5 kB", 1500), ("2g", 2 << 30)]
        {
            assert_eq!(parse_size(text).ok(), Some(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "+1", "1.5", "1XB", "999999999TiB", "99999999999999999999"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates() {
        for (text, interval_ms) in [("20/s", 50), ("1/10s", 10_000), ("120/m", 500), ("2 / 1s", 500)] {
            assert_eq!(text.parse::<Rate>().map(|r| r.interval().as_millis()).ok(), Some(interval_ms), "{text}");
        }
        for bad in ["", "20", "/s", "0/s", "1/0s", "-1/s", "1/x", "s/1"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for ms in [0, 1, 999, 1500, 59_999, 60_000, 61_000, 3_600_000, 5_400_000] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse_duration(&DisplayDuration(duration).to_string()).ok(), Some(duration));
        }
        assert_eq!(DisplaySize(1536).to_string(), "1.5 KiB");
        assert_eq!(DisplaySize(16 << 20).to_string(), "16 MiB");
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1075, "1 KiB"),
            (1076, "1.1 KiB"),
            (2047, "2 KiB"),
            ((1 << 20) - 1, "1 MiB"),
            ((1 << 20) - 52, "1023.9 KiB"),
            (5 << 40, "5 TiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(DisplaySize(bytes).to_string(), shown, "{bytes}");
        }
    }
}
