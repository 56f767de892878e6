//! The runs of a file, and what they cost.

use std::time::Duration;

use super::file::State;
use super::run_lock;
use crate::error::Result;

/// A run that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// Its number in the file, from 1. It is never given twice.
    pub id: i64,
    /// The plan's name.
    pub plan: String,
    /// The version of roundup that made it.
    pub version: String,
    /// When it started, RFC 3339, UTC, by the clock of the system.
    pub started: String,
    /// Whether it ended, and how.
    pub status: HistoryStatus,
    /// How long it took; if it was resumed, the time of all its parts. Until it has ended, and if it was killed, the time from
    /// its start to its last outcome, or of the parts that have ended; `None` if neither is known.
    pub elapsed: Option<Duration>,
    /// How often it was resumed.
    pub resumed: u64,
    /// How many sources it has.
    pub sources: u64,
    /// How many of them succeeded.
    pub ok: u64,
    /// How many failed.
    pub failed: u64,
    /// How many attempts were made.
    pub tries: u64,
    /// How many bytes of content came in.
    pub bytes: u64,
}

/// Whether a run has ended, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryStatus {
    /// Each source has an outcome of its own.
    Done,
    /// It was interrupted, or its deadline passed, or it ended at the first failure.
    CutShort,
    /// A process goes on with it.
    Running,
    /// Its process ended without a word.
    Killed,
}

impl HistoryStatus {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            HistoryStatus::Done => "done",
            HistoryStatus::CutShort => "cut short",
            HistoryStatus::Running => "running",
            HistoryStatus::Killed => "killed",
        }
    }
}

impl State {
    /// All runs, the first first.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): the file cannot be read.
    pub fn history(&self) -> Result<Vec<RunRecord>> {
        self.read_history().map_err(|error| self.unread(error))
    }

    fn read_history(&self) -> rusqlite::Result<Vec<RunRecord>> {
        // A clock that went back tells nothing.
        let query = "select runs.id, plan, version, started, how, \
            case when how is not null or elapsed_ms > 0 then elapsed_ms when resumed = 0 then \
            nullif(max(0, round((julianday(max(outcomes.ended)) - julianday(started)) * 86400000)), 0) end, \
            resumed, sources, \
            count(outcomes.id), total(ok), total(tries), total(body_bytes) \
            from runs left join outcomes on outcomes.run = runs.id group by runs.id order by runs.id";
        let mut statement = self.connection.prepare(query)?;
        let rows = statement.query_map([], |row| {
            let count = |at| row.get::<_, f64>(at).map(|number| number as u64);
            let id = row.get(0)?;
            let (kept, ok): (u64, u64) = (row.get(8)?, count(9)?);
            Ok(RunRecord {
                id,
                plan: row.get(1)?,
                version: row.get(2)?,
                started: row.get(3)?,
                status: self.status(id, row.get::<_, Option<String>>(4)?.as_deref()),
                elapsed: row.get::<_, Option<f64>>(5)?.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok()),
                resumed: row.get(6)?,
                sources: row.get(7)?,
                ok,
                failed: kept.saturating_sub(ok),
                tries: count(10)?,
                bytes: count(11)?,
            })
        })?;
        rows.collect()
    }

    /// How a run stands of which this is written.
    pub(super) fn status(&self, id: i64, how: Option<&str>) -> HistoryStatus {
        match how {
            Some("done") => HistoryStatus::Done,
            Some(_) => HistoryStatus::CutShort,
            None if run_lock::is_held(&self.file, id) => HistoryStatus::Running,
            None => HistoryStatus::Killed,
        }
    }
}
