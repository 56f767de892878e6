//! What is merged, and what comes of it.

use crate::outcome::Outcome;
use crate::report::RunInfo;

/// A result that is to be merged with others.
#[derive(Clone, Debug)]
pub struct ResultPart {
    /// What it is called in notes and errors: its file.
    pub name: String,
    /// What it says of its run.
    pub run: RunInfo,
    /// Its outcomes, in the order of its input.
    pub outcomes: Vec<Outcome>,
}

/// Several results as one.
#[derive(Clone, Debug)]
pub struct MergedResult {
    /// From the first start to the last end. It has the title of the first part, and no tables.
    pub run: RunInfo,
    /// All outcomes in the order of the input, and numbered so.
    pub outcomes: Vec<Outcome>,
    /// What people should know, a line each: what is missing, and what was there twice.
    pub notes: Vec<String>,
    /// Whether something is missing that the whole would have: a shard, a source of the plan, or the end of a part.
    pub is_incomplete: bool,
}

/// The first of these names, and how many more there are.
pub(super) fn named<T: AsRef<str>>(names: &[T]) -> String {
    const MOST: usize = 5;
    let shown: Vec<_> = names.iter().take(MOST).map(|name| crate::http::printable(name.as_ref(), &[])).collect();
    let more = names.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
