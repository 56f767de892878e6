//! A run read back as a result: for other reports of it, and for comparison.

use std::time::SystemTime;

use rusqlite::Result as SqlResult;

use super::file::State;
use super::history::RunRecord;
use crate::error::{Error, Kind, Result};
use crate::outcome::{Outcome, sort_outcomes};
use crate::rows::parse_rfc3339;

/// A run that was kept, with all that is kept of it.
#[derive(Debug)]
pub struct KeptResult {
    /// What the file says of the run.
    pub record: RunRecord,
    /// When it started; `None` if the file does not say it.
    pub started: Option<SystemTime>,
    /// Its outcomes in input order, with rows, and with contents as far as they were kept.
    pub outcomes: Vec<Outcome>,
}

impl State {
    /// A run of the file by its number, or the last one.
    ///
    /// # Errors
    /// [`Kind::Config`] if there is no such run, or a later version wrote it; [`Kind::Io`] if the file cannot be read.
    pub fn result(&self, run: Option<i64>) -> Result<KeptResult> {
        let file = self.file.display();
        // In one transaction, because the run may go on.
        let at_once = self.connection.unchecked_transaction().map_err(|error| self.unread(error))?;
        let mut history = self.history()?;
        let found = match run {
            None => history.pop(),
            Some(id) => history.iter().position(|record| record.id == id).map(|at| history.swap_remove(at)),
        };
        let Some(record) = found else {
            let message = match (run, history.last()) {
                (Some(run), Some(last)) => {
                    format!("{file} has no run {run}, the last is {}: `roundup history` lists them", last.id)
                }
                _ => format!("{file} has no run"),
            };
            return Err(Error::new(Kind::Config, message));
        };
        let outcomes = self.outcomes_of(record.id).map_err(|error| self.unread(error))?;
        drop(at_once);
        let Some(outcomes) = outcomes else {
            let message = format!("run {} of {file} was written by another version of roundup", record.id);
            return Err(Error::new(Kind::Config, message));
        };
        let started = parse_rfc3339(&record.started).and_then(|moment| moment.system_time());
        Ok(KeptResult { record, started, outcomes })
    }

    /// All outcomes of a run in input order; `None` if one of them cannot be read.
    fn outcomes_of(&self, run: i64) -> SqlResult<Option<Vec<Outcome>>> {
        let mut query = self.connection.prepare("select id from outcomes where run = ? order by place, id")?;
        let ids = query.query_map([run], |row| row.get(0))?;
        let mut outcomes = Vec::new();
        for id in ids {
            let Some(outcome) = self.outcome(id?, true)? else { return Ok(None) };
            outcomes.push(outcome);
        }
        sort_outcomes(&mut outcomes);
        Ok(Some(outcomes))
    }
}
