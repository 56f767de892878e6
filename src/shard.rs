//! A part of a plan's jobs, for one of several machines.

use std::fmt;
use std::str::FromStr;

use hmac_sha256::Hash;

use crate::error::{Error, Kind, Result};
use crate::job_id::JobDigest;

/// The most shards that a plan can be cut into: as many as it may have jobs.
pub const MAX_SHARDS: u32 = 100_000;

/// One of several parts of a plan's jobs, written as `3/8`: the third of eight.
///
/// A job is in the shard that its name says: the first 4 bytes of the SHA-256 of the name in UTF-8, as one number whose
/// first byte is the most significant, modulo the number of shards, plus 1. So it depends neither on other jobs nor on the
/// machine, and nothing moves when jobs are added, or when a URL, a field or a secret changes. A shell tells it, too:
///
/// ```sh
/// echo $((0x$(printf %s 'weather[oslo]' | sha256sum | cut -c 1-8) % 8 + 1))
/// ```
///
/// ```
/// use roundup::Shard;
///
/// let shards: Vec<Shard> = (1..=8).map(|number| Shard::new(number, 8)).collect::<Result<_, _>>()?;
/// let of: Vec<&Shard> = shards.iter().filter(|shard| shard.holds("weather[oslo]")).collect();
/// assert_eq!(of, [&"7/8".parse::<Shard>()?]);
/// # Ok::<(), roundup::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard {
    number: u32,
    of: u32,
}

impl Shard {
    /// The shard of this number, from 1, of so many.
    ///
    /// # Errors
    /// [`Kind::Config`]: there is no such shard, or `of` is more than [`MAX_SHARDS`].
    pub fn new(number: u32, of: u32) -> Result<Shard> {
        Shard::known(Some(number), Some(of)).ok_or_else(|| no_shard(number, of))
    }

    fn known(number: Option<u32>, of: Option<u32>) -> Option<Shard> {
        let of = of.filter(|of| (1..=MAX_SHARDS).contains(of))?;
        Some(Shard { number: number.filter(|number| (1..=of).contains(number))?, of })
    }

    /// Its number, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many shards there are.
    pub fn of(&self) -> u32 {
        self.of
    }

    /// Whether the job of this name is in it.
    pub fn holds(&self, name: &str) -> bool {
        // A run of all jobs in one shard needs no digests.
        self.of == 1 || number_of(name) % self.of + 1 == self.number
    }
}

/// What a name is as a number.
fn number_of(name: &str) -> u32 {
    let digest = Hash::hash(name.as_bytes());
    digest[..4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Says which shards there are.
fn no_shard(number: impl fmt::Display, of: impl fmt::Display) -> Error {
    let message =
        format!("there is no shard {number}/{of}: write 1/N to N/N, and for N a number from 1 to {MAX_SHARDS}");
    Error::new(Kind::Config, message)
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Shard> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let parts = text.split_once('/').filter(|(number, of)| digits(number) && digits(of));
        let Some((number, of)) = parts else {
            let message = format!("\"{text}\" is no shard: write 3/8 for the third of eight");
            return Err(Error::new(Kind::Config, message));
        };
        Shard::known(number.parse().ok(), of.parse().ok()).ok_or_else(|| no_shard(number, of))
    }
}

/// Which part of which plan a run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardRun {
    /// The part.
    pub shard: Shard,
    /// What tells the plan from others: [`plan_digest`] of all of its jobs. `None` if that is not known.
    pub plan: Option<JobDigest>,
}

/// What tells a plan from others: a digest of these texts, which are the names and URLs of its jobs as they were written, in
/// the order of the input.
pub fn plan_digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> JobDigest {
    JobDigest::of(texts.into_iter().map(|text| text.as_bytes().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Machines of other versions and kinds must agree: a change of these figures fetches jobs twice and others not at all.
    #[test]
    fn shards_of_names_stay_what_they_are() {
        for (name, of_3, of_8, of_100_000) in [
            ("weather[oslo]", 2, 7, 46471),
            ("", 3, 3, 12611),
            ("http://h/?a=\u{fc}", 1, 4, 49908),
            ("detail[17]", 3, 8, 73008),
        ] {
            let of = |of: u32| (1..=of).find(|number| Shard::new(*number, of).expect("one").holds(name));
            assert_eq!([of(3), of(8), of(100_000)], [Some(of_3), Some(of_8), Some(of_100_000)], "{name}");
        }
    }

    #[test]
    fn each_name_is_in_one_shard_and_shards_are_about_as_large() {
        let names: Vec<String> = (0..10_000).map(|number| format!("item[{number}]")).collect();
        for of in [1, 2, 3, 7, 64] {
            let shards: Vec<Shard> = (1..=of).map(|number| Shard::new(number, of).expect("one")).collect();
            let sizes: Vec<usize> =
                shards.iter().map(|shard| names.iter().filter(|name| shard.holds(name)).count()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), names.len());
            let fair = names.len() / of as usize;
            assert!(sizes.iter().all(|size| size.abs_diff(fair) <= fair / 2), "{of}: {sizes:?}");
        }
    }

    #[test]
    fn shards_are_read_from_what_they_are_written_as() {
        for text in ["1/1", "3/8", "100000/100000"] {
            assert_eq!(text.parse::<Shard>().expect(text).to_string(), text);
        }
        for (text, said) in [
            ("", "\"\" is no shard: write 3/8 for the third of eight"),
            ("three", "\"three\" is no shard: write 3/8 for the third of eight"),
            ("3", "\"3\" is no shard: write 3/8 for the third of eight"),
            ("+3/8", "\"+3/8\" is no shard: write 3/8 for the third of eight"),
            ("3/8/9", "\"3/8/9\" is no shard: write 3/8 for the third of eight"),
            ("-1/8", "\"-1/8\" is no shard: write 3/8 for the third of eight"),
        ] {
            assert_eq!(text.parse::<Shard>().expect_err(text).to_string(), said);
        }
        for text in ["0/8", "9/8", "99999999999/8", "1/0", "0/0", "1/100001", "1/99999999999999999999"] {
            let said = format!("there is no shard {text}: write 1/N to N/N, and for N a number from 1 to 100000");
            assert_eq!(text.parse::<Shard>().expect_err(text).to_string(), said);
        }
    }
}
