//! Two results side by side.

use serde::Serialize;

use super::super::run_info::RunInfo;
use super::row_key::RowKey;
use super::source_diff::{SourceDiff, source_diffs};
use super::table_diff::{TableDiff, table_diffs};
use crate::error::Result;
use crate::outcome::Outcome;

/// What differs between an old result and a new one.
///
/// ```
/// use roundup::Outcome;
/// use roundup::report::{ResultDiff, RunInfo};
///
/// let run = RunInfo::default();
/// let source = |name: &str| Outcome { name: name.into(), status: Some(200), ..Outcome::default() };
/// let (old, new) = ([source("a")], [source("a"), source("b")]);
/// let diff = ResultDiff::between(("old.json", &run, &old), ("new.json", &run, &new), &[])?;
/// assert_eq!(&*diff.sources[0].name, "b");
/// assert!(!diff.is_empty());
/// # Ok::<(), roundup::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResultDiff {
    /// The old result.
    pub old: DiffSide,
    /// The new one.
    pub new: DiffSide,
    /// The sources that differ, in the order of the new result; then those that are gone.
    pub sources: Vec<SourceDiff>,
    /// The tables of rows that differ.
    pub tables: Vec<TableDiff>,
    /// What a reader has to know, such as what could not be compared; a line each.
    pub notes: Vec<Box<str>>,
}

/// One of two results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffSide {
    /// Where it was read from.
    pub result: Box<str>,
    /// When its run started, RFC 3339; `None` if that is not known.
    pub started: Option<Box<str>>,
    /// Whether the run ended before all sources were done.
    pub interrupted: bool,
    /// How many sources it has.
    pub total: usize,
    /// How many of them succeeded.
    pub ok: usize,
}

impl DiffSide {
    fn new(name: &str, run: &RunInfo, outcomes: &[Outcome]) -> DiffSide {
        DiffSide {
            result: name.into(),
            started: run.start_text().map(Into::into),
            interrupted: run.interrupted,
            total: outcomes.len(),
            ok: outcomes.iter().filter(|outcome| outcome.ok()).count(),
        }
    }
}

impl ResultDiff {
    /// Compares two results, each with the name that it is shown by. Sources are known by their names. Rows are told apart
    /// by the columns of `keys`, or by those that are found to do so.
    ///
    /// # Errors
    /// [`Kind::Config`](crate::Kind::Config): a key names a column that is not there.
    pub fn between(
        old: (&str, &RunInfo, &[Outcome]),
        new: (&str, &RunInfo, &[Outcome]),
        keys: &[RowKey],
    ) -> Result<ResultDiff> {
        let mut notes = Vec::new();
        let interrupted = [(old.0, old.1), (new.0, new.1)].into_iter().filter(|(_, run)| run.interrupted);
        notes.extend(interrupted.map(|(name, _)| format!("the run of {name} did not come to its end").into()));
        let sources = source_diffs(old.2, new.2, &mut notes);
        let tables = table_diffs(old.2, new.2, keys, &mut notes)?;
        let (old, new) = (DiffSide::new(old.0, old.1, old.2), DiffSide::new(new.0, new.1, new.2));
        Ok(ResultDiff { old, new, sources, tables, notes })
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.tables.is_empty()
    }
}
