//! Which answers are tried again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::http::StatusSet;

/// Which answers are tried again, in place of the usual statuses: `429,500-504,expectation`. With `expectation`, also those
/// that came in well and are not what the job expects.
///
/// Lost connections, time limits of an attempt, and refusals (429, Retry-After, nothing remaining) are tried again
/// whatever it says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RetryOn {
    statuses: Option<StatusSet>,
    expectation: bool,
}

/// What stands for answers that are not as expected.
const EXPECTATION: &str = "expectation";

impl RetryOn {
    /// Whether an answer with this status is tried again.
    pub fn status(&self, status: u16) -> bool {
        self.statuses.as_ref().is_some_and(|statuses| statuses.contains(status))
    }

    /// Whether an answer is tried again that is not what the job expects.
    pub fn expectation(&self) -> bool {
        self.expectation
    }
}

impl FromStr for RetryOn {
    type Err = Error;

    fn from_str(text: &str) -> Result<RetryOn> {
        let (words, statuses): (Vec<&str>, Vec<&str>) =
            text.split(',').map(str::trim).partition(|part| *part == EXPECTATION);
        let invalid = |_| {
            let text = format!("\"{text}\" does not say what is tried again: write 429,500-504,expectation");
            Error::new(Kind::Config, text)
        };
        let statuses = match statuses.is_empty() {
            true => None,
            false => Some(statuses.join(",").parse().map_err(invalid)?),
        };
        Ok(RetryOn { statuses, expectation: !words.is_empty() })
    }
}

impl fmt::Display for RetryOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.statuses, self.expectation) {
            (Some(statuses), true) => write!(f, "{statuses},{EXPECTATION}"),
            (Some(statuses), false) => write!(f, "{statuses}"),
            (None, _) => f.write_str(EXPECTATION),
        }
    }
}

impl TryFrom<String> for RetryOn {
    type Error = Error;

    fn try_from(text: String) -> Result<RetryOn> {
        text.parse()
    }
}

impl From<RetryOn> for String {
    fn from(retry_on: RetryOn) -> String {
        retry_on.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_expectations() {
        let on: RetryOn = "429, 500-504 ,expectation".parse().expect("good");
        assert!(on.status(429) && on.status(502) && !on.status(505) && on.expectation());
        let only: RetryOn = "expectation".parse().expect("good");
        assert!(!only.status(500) && only.expectation());
        for text in ["429", "500-504,expectation", "expectation"] {
            let on: RetryOn = text.parse().expect(text);
            assert_eq!(on.to_string().parse().ok(), Some(on), "{text}");
        }
        for bad in ["", "expectations", "timeout", "99", "500,", "expectation,,500"] {
            let error = bad.parse::<RetryOn>().expect_err(bad).one_line();
            assert!(error.contains("write 429,500-504,expectation"), "{error}");
        }
    }
}
