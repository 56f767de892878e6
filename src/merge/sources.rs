//! The sources of several results, each once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::part::{ResultPart, named};
use crate::outcome::{Outcome, sort_outcomes};

/// What tells a source from the others of its part: its name, and its place if several have that name.
type SourceKey = (Arc<str>, Option<Box<[u32]>>);

/// Sources, each once.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// In no order: each has its place in its part, behind the number of that if parts follow each other.
    pub(super) outcomes: Vec<Outcome>,
    /// The names of those that were there several times, and how that was decided.
    doubled: Vec<String>,
    of_shards: bool,
}

/// One that was taken, and where it comes from.
struct Taken {
    /// Where it is among the outcomes.
    at: usize,
    started: SystemTime,
    part: usize,
}

impl Sources {
    /// Takes the sources of these parts, which are sorted by their shards if they are shards.
    pub(super) fn gather(parts: Vec<ResultPart>, of_shards: bool) -> Sources {
        let mut sources = Sources { of_shards, ..Sources::default() };
        let mut taken: HashMap<SourceKey, Taken> = HashMap::new();
        for (part, ResultPart { name: file, run, outcomes }) in parts.into_iter().enumerate() {
            for (key, outcome) in keyed(outcomes) {
                let outcome = if of_shards { outcome } else { behind(part, outcome) };
                match taken.get_mut(&key) {
                    // Two of one part are two sources.
                    Some(known) if known.part != part => sources.decide(known, (part, run.started), outcome, &file),
                    _ => {
                        taken.insert(key, Taken { at: sources.outcomes.len(), started: run.started, part });
                        sources.outcomes.push(outcome);
                    }
                }
            }
        }
        sources
    }

    /// Keeps one of two outcomes of a source.
    fn decide(&mut self, known: &mut Taken, new: (usize, SystemTime), outcome: Outcome, file: &str) {
        let (part, started) = new;
        let old = &mut self.outcomes[known.at];
        let wins = match self.of_shards {
            true => old.ok() && !outcome.ok(),
            false => started >= known.started,
        };
        if self.of_shards {
            // That it is in several is meant; that it ended differently is not.
            if old.ok() != outcome.ok() {
                let failed = if wins { format!(" in {file}") } else { String::new() };
                self.doubled.push(format!("{} failed{failed}", outcome.name));
            }
        } else {
            self.doubled.push(outcome.name.to_string());
        }
        if wins {
            // It stands where it was first.
            *old = Outcome { place: old.place.take(), ..outcome };
            (known.started, known.part) = (started, part);
        }
    }

    /// Says what was there several times.
    pub(super) fn note(&self) -> Option<String> {
        let mut doubled: Vec<&str> = self.doubled.iter().map(String::as_str).collect();
        doubled.sort_unstable();
        doubled.dedup();
        let what = named(&doubled);
        match (doubled.len(), self.of_shards) {
            (0, _) => None,
            (_, true) => Some(format!("{what} and not in all shards: the failure counts")),
            (1, false) => Some(format!("{what} is there several times: the run that started last counts")),
            (_, false) => Some(format!("{what} are there several times: the run that started last counts")),
        }
    }

    /// The outcomes in order, and numbered so. Places that say nothing of the input go.
    pub(super) fn in_order(mut self, has_places: bool) -> Vec<Outcome> {
        sort_outcomes(&mut self.outcomes);
        let numbered = self.outcomes.into_iter().enumerate();
        let place = |place| if has_places { place } else { None };
        numbered.map(|(index, outcome)| Outcome { index, place: place(outcome.place), ..outcome }).collect()
    }
}

/// The outcomes of a part with their keys.
fn keyed(outcomes: Vec<Outcome>) -> Vec<(SourceKey, Outcome)> {
    let mut counts: HashMap<Arc<str>, usize> = HashMap::with_capacity(outcomes.len());
    outcomes.iter().for_each(|outcome| *counts.entry(outcome.name.clone()).or_default() += 1);
    let keyed = outcomes.into_iter().map(|mut outcome| {
        outcome.keep_place();
        // Jobs that could not be made have the name of their table.
        let place = (counts.get(&outcome.name) > Some(&1)).then(|| outcome.place.clone()).flatten();
        ((outcome.name.clone(), place), outcome)
    });
    keyed.collect()
}

/// The outcome in its place behind all parts before.
fn behind(part: usize, outcome: Outcome) -> Outcome {
    let part = u32::try_from(part).unwrap_or(u32::MAX);
    let place = outcome.with_place(|place| [part].iter().chain(place).copied().collect());
    Outcome { place: Some(place), ..outcome }
}
