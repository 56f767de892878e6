//! SQL over tables of rows, by SQLite.

mod failure;
mod functions;
mod limits;
mod number_column;
mod result;

use rusqlite::limits::Limit;
use rusqlite::{Connection, params_from_iter};
use tempfile::NamedTempFile;

use self::failure::{KnownTable, cannot, explain};
pub use self::limits::{QUERY_MEMORY, QUERY_TIME};
use self::number_column::NUMERIC;
pub(crate) use self::number_column::{needs_text, to_sql};
use crate::error::{Error, Kind, Result};
use crate::redact::Redactor;
use crate::rows::Cell;
use crate::rows::DataTable;
use crate::sqlite;
use crate::tables::IsOver;

/// Rows of more bytes than this are in a temporary file and not in memory.
const IN_MEMORY: usize = 64 << 20;

/// A database of tables that can be queried and not changed. It is in memory, or, if its tables are large, in a temporary
/// file that goes with it.
///
/// Cells are values of SQLite: numbers are integers or reals, texts are texts, true and false are 1 and 0, arrays and
/// objects are JSON texts, which SQLite's functions for JSON read. A column that has a number whose digits neither an
/// integer of 64 bits nor a double holds is text as a whole; it is sorted and compared by value, and `sum`, `avg` and
/// `total` refuse it.
///
/// Beside SQLite's own functions there are `median(x)`, `percentile(x, p)` with `p` from 0 to 100 (both interpolate, and
/// skip null), and `host(url)`.
///
/// All of it may block for as long as [`QUERY_TIME`].
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    tables: Vec<KnownTable>,
    has_text_numbers: bool,
    redactor: Redactor,
    is_over: IsOver,
    /// Goes with the database, after the connection.
    _file: Option<NamedTempFile>,
}

impl Database {
    /// An empty database for tables of about this many bytes. Secrets are hidden before queries see them, for a query
    /// could take them apart.
    ///
    /// # Errors
    /// A temporary file that cannot be made.
    pub fn new(bytes: usize, redactor: &Redactor) -> Result<Database> {
        let (connection, file) = if bytes > IN_MEMORY {
            let file = NamedTempFile::new().map_err(|error| {
                Error::new(Kind::Io, "no temporary file can be made for the tables that are queried").with_source(error)
            })?;
            let connection =
                sqlite::open_file(file.path()).map_err(|error| cannot("open its temporary file", &error))?;
            (connection, Some(file))
        } else {
            (sqlite::open_in_memory().map_err(|error| cannot("open a database in memory", &error))?, None)
        };
        prepare(&connection).map_err(|error| cannot("prepare its database", &error))?;
        let (tables, redactor, is_over) = (Vec::new(), redactor.clone(), IsOver::default());
        Ok(Database { connection, tables, has_text_numbers: false, redactor, is_over, _file: file })
    }

    /// Ends queries as soon as this says so, before their time is over. It is asked every few thousand steps.
    pub fn until(self, is_over: IsOver) -> Database {
        Database { is_over, ..self }
    }

    /// Adds a table under its name. A column whose name differs from an earlier one in the case of its letters alone, which
    /// is no difference in SQL, gets a number behind its name.
    ///
    /// # Errors
    /// Two tables of one name, a table without columns or with more than 2,000, rows that do not fit.
    pub fn add(&mut self, table: &DataTable) -> Result<()> {
        self.add_to("main", table)
    }

    /// Adds a table of the run before: queries name it `last.NAME`.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_last(&mut self, table: &DataTable) -> Result<()> {
        self.add_to("last", table)
    }

    fn add_to(&mut self, schema: &'static str, table: &DataTable) -> Result<()> {
        let shown = if schema == "main" { table.name.to_string() } else { format!("{schema}.{}", table.name) };
        if self.tables.iter().any(|known| known.shown.eq_ignore_ascii_case(&shown)) {
            return Err(Error::new(
                Kind::Config,
                format!("two tables are named \"{shown}\": name one of them otherwise"),
            ));
        }
        let columns = distinct(&table.columns);
        let text: Vec<bool> =
            (0..columns.len()).map(|at| needs_text(table.rows.iter().filter_map(|row| row.get(at)))).collect();
        self.has_text_numbers |= text.contains(&true);
        self.fill(schema, &table.name, &columns, &text, &table.rows)
            .map_err(|error| cannot(&format!("hold the table {shown}"), &error))?;
        self.tables.push(KnownTable { shown, columns });
        Ok(())
    }

    fn fill(
        &self,
        schema: &str,
        name: &str,
        columns: &[String],
        text: &[bool],
        rows: &[Vec<Cell>],
    ) -> rusqlite::Result<()> {
        let table = format!("{}.{}", quoted(schema), quoted(name));
        let declared: Vec<String> = columns
            .iter()
            .zip(text)
            .map(|(column, text)| {
                let kind = if *text { format!(" text collate {NUMERIC}") } else { String::new() };
                format!("{}{kind}", quoted(column))
            })
            .collect();
        self.connection.execute_batch(&format!("begin; create table {table} ({})", declared.join(", ")))?;
        let places = vec!["?"; columns.len()].join(", ");
        let mut insert = self.connection.prepare(&format!("insert into {table} values ({places})"))?;
        for row in rows {
            let cells =
                (0..columns.len()).map(|at| to_sql(row.get(at).unwrap_or(&Cell::Null), text[at], &self.redactor));
            insert.execute(params_from_iter(cells))?;
        }
        drop(insert);
        self.connection.execute_batch("commit")
    }

    /// The rows that a query gives, under the names of its columns.
    ///
    /// # Errors
    /// [`Kind::Config`]: a query that is not SQL, that changes something, takes longer than [`QUERY_TIME`] or more than
    /// [`QUERY_MEMORY`], gives rows of more than 64 MiB, or two columns of one name. It names the line and the column of
    /// the mistake, and the tables and columns that there are.
    pub fn query(&mut self, sql: &str) -> Result<DataTable> {
        functions::refuse_sums_of_text(&self.connection, self.has_text_numbers)
            .and_then(|()| {
                let is_over = self.is_over.clone();
                sqlite::let_it_only_read(&self.connection, QUERY_TIME, move || is_over.now())
            })
            .map_err(|error| cannot("guard the query", &error))?;
        result::of(&self.connection, sql).map_err(|error| match error {
            result::QueryError::Sqlite(error) => explain(&error, sql, &self.tables),
            result::QueryError::Refused(why) => Error::new(Kind::Config, why),
        })
    }
}

/// What every database needs before it has tables.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // The one database beside the first: `last`.
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
    connection.execute_batch("attach ':memory:' as last")?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    // It is gone with the run, so nothing of it has to survive.
    connection.execute_batch("pragma journal_mode = off; pragma synchronous = off")?;
    connection.execute_batch(&format!("pragma hard_heap_limit = {QUERY_MEMORY}"))?;
    connection.create_collation(NUMERIC, number_column::collate)?;
    functions::add(connection)
}

/// A name as SQL takes it, whatever stands in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "\u{fffd}").replace('"', "\"\""))
}

/// The names with numbers behind those that SQL would take for another.
pub(crate) fn distinct(columns: &[Box<str>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(columns.len());
    for column in columns {
        let mut name = column.to_string();
        let mut number = 1;
        while names.iter().any(|one| one.eq_ignore_ascii_case(&name)) {
            number += 1;
            name = format!("{column}_{number}");
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests;
