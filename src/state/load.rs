//! Outcomes read back.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Result, params};

use super::file::State;
use crate::body::Body;
use crate::outcome::Outcome;
use crate::rows::{Cell, Rows};

/// What a state says of an outcome before it is read.
#[derive(Debug)]
pub(super) struct StoredOutcome {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) digest: Vec<u8>,
    pub(super) settings: Vec<u8>,
    pub(super) ok: bool,
    /// Whether nothing was left out of it.
    pub(super) whole: bool,
    /// Whether the run ended before the source had an end of its own.
    pub(super) cut_short: bool,
}

impl State {
    /// What there is of a run.
    pub(super) fn stored(&self, run: i64) -> Result<Vec<StoredOutcome>> {
        let query = "select id, name, digest, settings, ok, whole, \
            not ok and error_kind in ('cancelled', 'skipped') from outcomes where run = ?";
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map([run], |row| {
            Ok(StoredOutcome {
                id: row.get(0)?,
                name: row.get(1)?,
                digest: row.get(2)?,
                settings: row.get(3)?,
                ok: row.get(4)?,
                whole: row.get(5)?,
                cut_short: row.get(6)?,
            })
        })?;
        rows.collect()
    }

    /// An outcome with its rows, and with its content if that is asked for and was kept. `None` if it cannot be read: a
    /// later version may have written it.
    pub(super) fn outcome(&self, id: i64, contents: bool) -> Result<Option<Outcome>> {
        let query = "select record, place, name, url from outcomes where id = ?";
        let mut query = self.connection.prepare_cached(query)?;
        let read = query.query_row([id], |row| {
            let Ok(outcome) = serde_json::from_str::<Outcome>(row.get_ref(0)?.as_str()?) else { return Ok(None) };
            let (index, name, url) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(Some(Outcome { index, name, url, ..outcome }))
        });
        let Some(mut outcome) = read.optional()?.flatten() else { return Ok(None) };
        outcome.rows = self.rows_of(id)?;
        if contents {
            let mut query = self.connection.prepare_cached("select bytes from contents where outcome = ?")?;
            outcome.body = query.query_row([id], |row| row.get::<_, Vec<u8>>(0)).optional()?.map(Body::from);
        }
        Ok(Some(outcome))
    }

    pub(super) fn rows_of(&self, outcome: i64) -> Result<Vec<Rows>> {
        let mut query = self
            .connection
            .prepare_cached("select id, name, columns from row_sets where outcome = ? order by number")?;
        let sets = query.query_map([outcome], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let mut all = Vec::new();
        for set in sets {
            let (id, table, columns) = set?;
            let columns: Vec<Box<str>> = serde_json::from_str(&columns).unwrap_or_default();
            let mut query =
                self.connection.prepare_cached("select cells from rows where row_set = ? order by number")?;
            let rows = query.query_map(params![id], |row| row.get::<_, String>(0))?;
            let rows = rows.map(|cells| cells.map(|cells| row_of(&columns, &cells))).collect::<Result<_>>()?;
            all.push(Rows { table: table.into(), columns: Arc::new(columns), rows });
        }
        Ok(all)
    }
}

/// The cells of a row in the order of its columns.
fn row_of(columns: &[Box<str>], cells: &str) -> Vec<Cell> {
    let mut named: std::collections::BTreeMap<Box<str>, Cell> = serde_json::from_str(cells).unwrap_or_default();
    columns.iter().map(|column| named.remove(column).unwrap_or_default()).collect()
}
