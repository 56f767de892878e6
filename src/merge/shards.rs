//! Whether results are shards of one plan, and which of these are missing.

use std::collections::BTreeMap;

use super::part::{ResultPart, named};
use crate::error::{Error, Kind};
use crate::job_id::JobDigest;
use crate::shard::{Shard, ShardRun};

/// The shards of a plan that are missing.
#[derive(Debug)]
pub(super) struct Shards {
    missing: Vec<Shard>,
}

impl Shards {
    /// Which shards these parts are; `None` if they are none. They are of this plan, if it is known: its digest and its name.
    ///
    /// # Errors
    /// One for each part that does not fit.
    pub(super) fn of(parts: &[ResultPart], plan: Option<(JobDigest, &str)>) -> Result<Option<Shards>, Vec<Error>> {
        let Some((first, known)) = parts.iter().find_map(|part| Some((part, part.run.shard?))) else {
            return Ok(None);
        };
        let mut errors = Vec::new();
        let mut taken: BTreeMap<Shard, &str> = BTreeMap::new();
        // The first that says it tells of which plan all are. A state file does not say it.
        let mut digest = plan;
        for part in parts {
            let wrong = match part.run.shard {
                None => Some(format!("it is of no shard, and {} is of shard {}", first.name, known.shard)),
                Some(run) if run.shard.of() != known.shard.of() => {
                    Some(format!("it is of shard {}, and {} is of shard {}", run.shard, first.name, known.shard))
                }
                Some(run) => other_plan(run, part, &mut digest).or_else(|| {
                    let other = taken.insert(run.shard, &part.name)?;
                    Some(format!("it is of shard {}, and so is {other}: leave one of them out", run.shard))
                }),
            };
            if let Some(message) = wrong {
                errors.push(Error::new(Kind::Config, format!("{}: {message}", part.name)));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let of = known.shard.of();
        let all = (1..=of).filter_map(|number| Shard::new(number, of).ok());
        Ok(Some(Shards { missing: all.filter(|shard| !taken.contains_key(shard)).collect() }))
    }

    /// Says which shards are missing, if some are.
    pub(super) fn note(&self) -> Option<String> {
        let names: Vec<String> = self.missing.iter().map(Shard::to_string).collect();
        match names.len() {
            0 => None,
            1 => Some(format!("shard {} is missing", names[0])),
            _ => Some(format!("shards {} are missing", named(&names))),
        }
    }

    /// The missing shard that has the job of this name, if it is one of these.
    pub(super) fn missing_with(&self, name: &str) -> Option<Shard> {
        self.missing.iter().find(|shard| shard.holds(name)).copied()
    }
}

/// What is wrong with a shard of another plan than the first.
fn other_plan<'a>(run: ShardRun, part: &'a ResultPart, digest: &mut Option<(JobDigest, &'a str)>) -> Option<String> {
    let own = run.plan?;
    let (known, name) = *digest.get_or_insert((own, &part.name));
    (own != known).then(|| {
        format!("it is of another plan than {name}: their jobs have other names or URLs, from other variables perhaps")
    })
}
