//! What differs of one source.

use std::collections::HashMap;

use serde::Serialize;

use super::content_places::{ContentDiff, PlaceDiff, content_diff, portable};
use super::time_noise::{TimeNoise, asked_for};
use crate::error::Kind;
use crate::milliseconds::fractional_ms;
use crate::outcome::Outcome;
use crate::rows::{Cell, Decimal};

/// A source that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceDiff {
    /// Its name.
    pub name: Box<str>,
    /// What is different; at least one.
    pub changes: Vec<SourceChange>,
}

/// One thing that differs of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceChange {
    /// The old result does not have it.
    Appeared {
        /// How it ended.
        new: SourceEnd,
    },
    /// The new result does not have it.
    Gone {
        /// How it ended.
        old: SourceEnd,
    },
    /// It ended otherwise: another status, or another kind of failure.
    Status {
        /// How it ended before.
        old: SourceEnd,
        /// How it ended now.
        new: SourceEnd,
    },
    /// A value of `select` is another.
    Value {
        /// Its name.
        name: Box<str>,
        /// What it was, if it was there.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<Cell>,
        /// What it is, if it is there.
        #[serde(skip_serializing_if = "Option::is_none")]
        new: Option<Cell>,
    },
    /// The content is another.
    Content {
        /// How many bytes there were.
        old_bytes: Option<u64>,
        /// How many there are.
        new_bytes: Option<u64>,
        /// Places of the content that differ, if they can be named; the first ones.
        places: Vec<PlaceDiff>,
        /// How many places there are beyond those.
        more: usize,
    },
    /// The time that it took to answer is another, beyond noise. Waits and attempts that failed are not in it.
    Time {
        /// How long it took, in milliseconds.
        old_ms: f64,
        /// How long it takes.
        new_ms: f64,
    },
}

/// How a source ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceEnd {
    /// Whether it succeeded.
    pub ok: bool,
    /// The status of the last response, if one came.
    pub status: Option<u16>,
    /// The kind of the failure.
    pub kind: Option<Kind>,
    /// Its message.
    pub error: Option<Box<str>>,
}

impl SourceEnd {
    fn of(outcome: &Outcome) -> SourceEnd {
        let error = outcome.error.as_ref();
        SourceEnd {
            ok: outcome.ok(),
            status: outcome.status,
            kind: error.map(|error| error.kind),
            error: error.map(|error| error.message.clone()),
        }
    }

    /// Whether both ended alike. Messages may hold times and counts, which are another each time.
    fn is_like(&self, other: &SourceEnd) -> bool {
        (self.ok, self.status, self.kind) == (other.ok, other.status, other.kind)
    }
}

/// The sources that differ. Of several with one name, the first stands beside the first, and so on.
pub(super) fn source_diffs(old: &[Outcome], new: &[Outcome], notes: &mut Vec<Box<str>>) -> Vec<SourceDiff> {
    let mut by_name: HashMap<&str, Vec<&Outcome>> = HashMap::new();
    // From the last to the first, so that the first is popped first.
    for outcome in old.iter().rev() {
        by_name.entry(&outcome.name).or_default().push(outcome);
    }
    let pairs: Vec<(Option<&Outcome>, &Outcome)> =
        new.iter().map(|new| (by_name.get_mut(&*new.name).and_then(Vec::pop), new)).collect();
    let noise = TimeNoise::of(pairs.iter().filter_map(|(old, new)| Some(((*old)?, *new))));
    let mut uncompared = 0;
    let mut all = Vec::new();
    for (old, new) in pairs {
        let changes = match old {
            None => vec![SourceChange::Appeared { new: SourceEnd::of(new) }],
            Some(old) => changes(old, new, noise, &mut uncompared),
        };
        if !changes.is_empty() {
            all.push(SourceDiff { name: (&*new.name).into(), changes });
        }
    }
    let gone = |old: &Outcome| {
        let name = old.name.as_ref().into();
        SourceDiff { name, changes: vec![SourceChange::Gone { old: SourceEnd::of(old) }] }
    };
    let mut left: Vec<&Outcome> = by_name.into_values().flatten().collect();
    left.sort_by_key(|outcome| outcome.index);
    all.extend(left.into_iter().map(gone));
    if uncompared > 0 {
        let sources = if uncompared == 1 { "source" } else { "sources" };
        let note = format!(
            "the contents of {uncompared} {sources} are not compared: at least one of the results was written without them"
        );
        notes.push(note.into());
    }
    all
}

fn changes(old: &Outcome, new: &Outcome, noise: TimeNoise, uncompared: &mut usize) -> Vec<SourceChange> {
    let (before, now) = (SourceEnd::of(old), SourceEnd::of(new));
    if !before.is_like(&now) {
        // What a failure gave or did not give follows from that.
        return vec![SourceChange::Status { old: before, new: now }];
    }
    if !new.ok() {
        return Vec::new();
    }
    let mut changes = value_changes(old, new);
    match content_diff(old, new) {
        ContentDiff::Same => {}
        ContentDiff::Unknown => *uncompared += 1,
        ContentDiff::Differs { places, more } => {
            let (old_bytes, new_bytes) = (old.body_bytes, new.body_bytes);
            changes.push(SourceChange::Content { old_bytes, new_bytes, places, more });
        }
    }
    if let (Some(old), Some(new)) = (asked_for(old), asked_for(new)) {
        if noise.is_beyond(old, new) {
            changes.push(SourceChange::Time { old_ms: fractional_ms(old), new_ms: fractional_ms(new) });
        }
    }
    changes
}

fn value_changes(old: &Outcome, new: &Outcome) -> Vec<SourceChange> {
    let (old, new) = (old.data.as_ref(), new.data.as_ref());
    let names = new.into_iter().flat_map(|data| data.names());
    let gone =
        old.into_iter().flat_map(|data| data.names()).filter(|name| new.is_none_or(|new| new.get(name).is_none()));
    let change = |name: &str| {
        let (old, new) = (old.and_then(|data| data.get(name)), new.and_then(|data| data.get(name)));
        let same = match (old, new) {
            (Some(old), Some(new)) => is_same(old, new),
            (old, new) => old == new,
        };
        (!same).then(|| SourceChange::Value {
            name: name.into(),
            old: old.cloned().map(portable),
            new: new.cloned().map(portable),
        })
    };
    names.chain(gone).filter_map(change).collect()
}

/// Whether two cells are one value: `1.0` is `1`.
pub(super) fn is_same(old: &Cell, new: &Cell) -> bool {
    match (old, new) {
        (Cell::Number(old), Cell::Number(new)) => old == new || Decimal::parse(old) == Decimal::parse(new),
        (Cell::Json(old), Cell::Json(new)) => super::content_places::is_same_json(old, new),
        _ => old == new,
    }
}
