//! What tells one job from another, in this run and in later ones.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind};
use crate::sha256::Sha256;

/// What tells a job from all others: its place in the input, its name, and a digest of what it sends.
///
/// Jobs that send the same have the same digest and are told apart by their names, which are unique within a plan. A list
/// may hold one URL several times: then digest and name are equal, and only the index tells such jobs apart. What is
/// remembered from one run to the next is therefore kept under digest and name, because lists grow and indices shift.
///
/// There is nothing secret in it, as long as the job knows its [`Secrets`](crate::Secrets).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobId {
    /// The place in the input, from 0; `None` if it was never given one.
    pub index: Option<usize>,
    /// The name under which reports list the job.
    #[serde(with = "crate::serde_forms::shared_text")]
    pub name: Arc<str>,
    /// What the job sends.
    pub digest: JobDigest,
}

/// A digest of what a job sends: method, URL, fields and content. See [`Job::digest`](crate::Job::digest).
///
/// It is written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobDigest([u8; 16]);

/// Stands before what is digested. It changes with the rule by which a job is digested, which makes all digests new.
const RULE: &[u8] = b"roundup job 1";

impl JobDigest {
    /// The digest of these parts of a job.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = Cow<'a, [u8]>>) -> JobDigest {
        let mut digest = Sha256::new();
        // Each part follows its length, so that no two lists of parts are one text.
        for part in [Cow::Borrowed(RULE)].into_iter().chain(parts) {
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(&part);
        }
        JobDigest(digest.finish())
    }

    /// The digest as bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for JobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for JobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for JobDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::serde_forms::text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for JobDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JobDigest, D::Error> {
        crate::serde_forms::text::deserialize(deserializer)
    }
}

impl FromStr for JobDigest {
    type Err = Error;

    fn from_str(text: &str) -> Result<JobDigest, Error> {
        let invalid =
            || Error::new(Kind::Config, format!("{text:?} is not the digest of a job: 32 hexadecimal digits"));
        if text.len() != 32 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(invalid());
        }
        u128::from_str_radix(text, 16).map(|number| JobDigest(number.to_be_bytes())).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_from_what_they_are_written_as() {
        let digest = JobDigest::of([Cow::Borrowed(&b"a"[..])]);
        assert_eq!(digest.to_string().parse::<JobDigest>().ok(), Some(digest));
        for bad in ["", "0", "+123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789abcdef"] {
            assert!(bad.parse::<JobDigest>().is_err(), "{bad}");
        }
    }
}
