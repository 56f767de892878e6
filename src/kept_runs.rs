//! How much of the past is kept.

use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::http::units::parse_duration;

/// Which runs of a plan a state keeps: the last ones, or those of the last time. The last run is always kept.
///
/// ```
/// use roundup::KeptRuns;
/// assert_eq!("30".parse::<KeptRuns>()?, KeptRuns::Last(30));
/// assert_eq!("30d".parse::<KeptRuns>()?, KeptRuns::For(std::time::Duration::from_secs(30 * 24 * 3600)));
/// assert!("0".parse::<KeptRuns>().is_err());
/// # Ok::<(), roundup::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptRuns {
    /// This many, at least one.
    Last(u32),
    /// Those that started at most this long ago, by the clock of the system.
    For(Duration),
}

impl FromStr for KeptRuns {
    type Err = Error;

    fn from_str(text: &str) -> Result<KeptRuns> {
        let invalid = |why: &str| {
            let text = format!("\"{text}\" {why}: write 30 for the last 30 runs, or 30d for those of 30 days");
            Error::new(Kind::Config, text)
        };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse() {
                Ok(0) => Err(invalid("would keep nothing")),
                Ok(runs) => Ok(KeptRuns::Last(runs)),
                Err(_) => Err(invalid("is not valid")),
            };
        }
        match parse_duration(text) {
            Ok(Duration::ZERO) => Err(invalid("would keep nothing")),
            Ok(time) => Ok(KeptRuns::For(time)),
            Err(_) => Err(invalid("is not valid")),
        }
    }
}
