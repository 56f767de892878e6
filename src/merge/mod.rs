//! The results of several runs made into one: of the shards of a plan, or of runs of one's own choice.
//!
//! ```
//! use roundup::Outcome;
//! use roundup::merge::{ResultPart, merge};
//! use roundup::report::RunInfo;
//!
//! let part = |name: &str, source: &str| {
//!     let outcomes = vec![Outcome { name: source.into(), ..Outcome::default() }];
//!     ResultPart { name: name.to_owned(), run: RunInfo::default(), outcomes }
//! };
//! let merged = merge(vec![part("a.jsonl", "weather"), part("b.jsonl", "prices")], None).expect("they fit together");
//! let names: Vec<&str> = merged.outcomes.iter().map(|outcome| &*outcome.name).collect();
//! assert_eq!(names, ["weather", "prices"]);
//! ```

#[cfg(feature = "fetcher")]
mod body_store;
mod part;
mod plan;
mod shards;
mod sources;
mod time;

#[cfg(feature = "fetcher")]
pub use self::body_store::BodyStore;
pub use self::part::{MergedResult, ResultPart};
pub use self::plan::MergePlan;
use self::shards::Shards;
use self::sources::Sources;
use crate::error::Error;

/// Makes one result of these, in the order of the plan if there is one.
///
/// Shards of one plan, in whatever order they are given, are put together in the order of its input. A source that runs in
/// several shards, because others need it, counts once: as it failed, if it failed in one of them, because what needs it
/// is missing there; otherwise as it was in the shard of the lowest number.
///
/// Other results follow each other as they are given. Of a source that several have, by its name, the one of the run that
/// started last counts, and of two that started at once the one that was given last.
///
/// With a plan, a source of it that no part has is there as one that was skipped, and sources that it does not have stand
/// behind all others.
///
/// # Errors
/// [`Kind::Config`](crate::Kind::Config), one for each part that does not fit: it is of another plan, of a shard of another
/// number of shards or of none, or of a shard that is there already.
pub fn merge(mut parts: Vec<ResultPart>, plan: Option<&MergePlan>) -> Result<MergedResult, Vec<Error>> {
    let shards = Shards::of(&parts, plan.map(|plan| (plan.digest, plan.name.as_str())))?;
    if shards.is_some() {
        parts.sort_by_key(|part| part.run.shard.map(|run| run.shard));
    }
    let mut run = time::together(&mut parts);
    let mut notes = Vec::new();
    let mut is_incomplete = parts.iter().any(|part| part.run.start_text().is_none());
    if let Some(missing) = shards.as_ref().and_then(Shards::note) {
        is_incomplete = true;
        notes.push(missing);
    }
    let mut sources = Sources::gather(parts, shards.is_some());
    notes.extend(sources.note());
    if let Some(plan) = plan {
        let missing = plan.place(&mut sources.outcomes, shards.as_ref(), &mut notes);
        is_incomplete |= missing;
    }
    let has_places = plan.is_some() || shards.is_some();
    let outcomes = sources.in_order(has_places);
    run.interrupted |= is_incomplete;
    Ok(MergedResult { run, outcomes, notes, is_incomplete })
}

#[cfg(test)]
mod tests;
