//! Sets of status codes, as `--accept` and `expect.status` name them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

/// A set of status codes: `200`, `200-399`, `2xx`, or several of these joined by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet(Vec<RangeInclusive<u16>>);

impl StatusSet {
    /// Whether the set holds this status.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

/// 200 to 399: what counts as success unless a job says otherwise.
impl Default for StatusSet {
    fn default() -> StatusSet {
        StatusSet(vec![200..=399])
    }
}

impl FromStr for StatusSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<StatusSet> {
        let invalid = |part: &str| {
            let named = if part == text { String::new() } else { format!(" in \"{text}\"") };
            Error::new(
                Kind::Config,
                format!("\"{part}\"{named} is not a status set: write 200, 200-399, 2xx or 200-299,404"),
            )
        };
        let code = |digits: &str| -> Option<u16> {
            let three = digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|code| three && (100..=999).contains(code))
        };
        let range = |part: &str| match (part.split_once('-'), part.strip_suffix("xx")) {
            (Some((first, last)), _) => {
                Some(code(first.trim())?..=code(last.trim())?).filter(|range| !range.is_empty())
            }
            (None, Some(class)) => {
                let first = code(&format!("{class}00"))?;
                Some(first..=first + 99)
            }
            (None, None) => Some(code(part)?..=code(part)?),
        };
        text.split(',')
            .map(str::trim)
            .map(|part| range(part).ok_or_else(|| invalid(part)))
            .collect::<Result<_>>()
            .map(StatusSet)
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if range.start() == range.end() {
                write!(f, "{comma}{}", range.start())?;
            } else {
                write!(f, "{comma}{}-{}", range.start(), range.end())?;
            }
        }
        Ok(())
    }
}

/// Whether the status asks to follow its Location (RFC 9110, section 15.4).
pub fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_parsed_and_written() {
        for (text, inside, outside, written) in [
            ("200", 200, 201, "200"),
            ("200-399,404", 404, 403, "200-399,404"),
            ("2xx, 503", 503, 300, "200-299,503"),
            ("999", 999, 998, "999"),
        ] {
            let set: StatusSet = text.parse().expect(text);
            assert!(set.contains(inside) && !set.contains(outside), "{text}");
            assert_eq!(set.to_string(), written);
        }
        for bad in ["", "20", "2000", "+20", "399-200", "200-", "xx", "200,,300", "a", "0xx", "1000"] {
            assert!(bad.parse::<StatusSet>().is_err(), "{bad}");
        }
    }
}
