//! The queries of a report, all over one database of the run's tables.

use std::sync::Arc;

use super::is_over::IsOver;
use super::sources::{ATTEMPTS, SOURCES, attempts, missing, sources};
use super::sql::Database;
use crate::error::{Error, Kind, Result};
use crate::outcome::Outcome;
use crate::redact::Redactor;
use crate::rows::{Cell, DataTable, Rows};

/// The database of a run. It is made for the first query.
pub(super) struct Queries<'a> {
    gathered: &'a [DataTable],
    outcomes: &'a [Outcome],
    last: &'a [Rows],
    redactor: &'a Redactor,
    is_over: &'a IsOver,
    database: Option<Database>,
}

impl<'a> Queries<'a> {
    pub(super) fn new(
        gathered: &'a [DataTable],
        outcomes: &'a [Outcome],
        last: &'a [Rows],
        redactor: &'a Redactor,
        is_over: &'a IsOver,
    ) -> Queries<'a> {
        Queries { gathered, outcomes, last, redactor, is_over, database: None }
    }

    /// The rows that a query gives, with what is missing in the tables that it names.
    pub(super) fn run(&mut self, sql: &str) -> Result<DataTable> {
        let database = match self.database.take() {
            Some(database) => database,
            None => self.filled()?,
        };
        let database = self.database.insert(database);
        let mut table = database.query(sql).map_err(|error| without_rows(error, sql, self.gathered, self.outcomes))?;
        for gathered in self.gathered.iter().filter(|gathered| names(sql, &gathered.name)) {
            let note = missing(&gathered.name, self.outcomes);
            table.notes.extend(note.filter(|note| !table.notes.contains(note)));
        }
        Ok(table)
    }

    fn filled(&self) -> Result<Database> {
        let cells = self.gathered.iter().flat_map(|table| &table.rows).flatten();
        let bytes = cells.map(|cell| size_of::<Cell>() + cell.heap_bytes()).sum();
        let mut database = Database::new(bytes, self.redactor)?.until(self.is_over.clone());
        for table in self.gathered {
            database.add(table)?;
        }
        // Those of now come first, without rows: if there is no run to compare with, a comparison gives no rows.
        let of_now = self.gathered.iter().map(|table| Rows {
            table: (&*table.name).into(),
            columns: Arc::new(table.columns.clone()),
            rows: Vec::new(),
        });
        let of_now: Vec<Rows> = of_now.collect();
        for table in DataTable::gather(of_now.iter().chain(self.last)) {
            database.add_last(&table)?;
        }
        let is_free = |name: &str| self.gathered.iter().all(|table| !table.name.eq_ignore_ascii_case(name));
        if is_free(SOURCES) {
            database.add(&sources(self.outcomes))?;
        }
        if is_free(ATTEMPTS) {
            database.add(&attempts(self.outcomes))?;
        }
        Ok(database)
    }
}

/// The error of a query that may name a table of which no row came since its sources failed, with these.
fn without_rows(error: Error, sql: &str, gathered: &[DataTable], outcomes: &[Outcome]) -> Error {
    let is_there = |name: &str| gathered.iter().any(|table| *table.name == *name);
    let mut absent = outcomes.iter().filter_map(|outcome| outcome.table.as_deref());
    let note = absent.find(|name| !is_there(name) && names(sql, name)).and_then(|name| {
        let missing = missing(name, outcomes)?;
        Some(format!("no row of \"{name}\" came, {missing}: {error}"))
    });
    note.map_or(error, |note| Error::new(Kind::Config, note))
}

/// Whether the query may name the table: a note too many is better than none.
fn names(sql: &str, table: &str) -> bool {
    sql.to_lowercase().contains(&table.to_lowercase())
}
