//! The report as a database: one file of SQLite with the report's tables, the sources and their attempts.
//!
//! ```text
//! prices         the tables of the report, each under its name
//! sources        a row a source, with the values of `select`
//! attempts       a row an attempt
//! roundup_run    one row: version, title, started, elapsed_ms, interrupted
//! roundup_notes  table_name, note: what a reader has to know, such as which sources are missing
//! ```
//!
//! A column of which a number has more digits than SQLite's numbers hold is text as a whole. true and false are 1 and 0,
//! lists and objects JSON texts.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use rusqlite::{Connection, params, params_from_iter};
use tempfile::NamedTempFile;

use super::format::Report;
use super::redacted;
use super::run_info::RunInfo;
use crate::milliseconds::whole_ms;
use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;
use crate::rows::{Cell, DataTable};
use crate::sqlite;
use crate::tables::{attempts, distinct, needs_text, quoted, sources, to_sql};

/// A file of SQLite with the report's tables, sources and attempts.
#[derive(Clone, Copy, Debug)]
pub struct SqliteFile;

/// What tells our reports from databases of other programs, and from state files: `PRAGMA application_id`, "rnrp" in ASCII.
const APPLICATION_ID: i32 = 0x726e_7270;
/// Where it stands in the file, in big-endian order.
const ID_AT: usize = 68;
/// The most columns that a table of SQLite has, by its default.
const MOST_COLUMNS: usize = 2000;

impl Report for SqliteFile {
    fn check_old_file(&self, path: &Path) -> io::Result<()> {
        let mut head = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(ID_AT as u64 + 4).read_to_end(&mut head)?,
            // It is new, or cannot be written either, which is said elsewhere.
            Err(_) => return Ok(()),
        };
        let id = head.get(ID_AT..).unwrap_or_default();
        if head.is_empty() || (head.starts_with(b"SQLite format 3\0") && id == APPLICATION_ID.to_be_bytes()) {
            return Ok(());
        }
        Err(io::Error::other("the file there is no report that roundup wrote, and is left as it is"))
    }

    fn finish(&mut self, out: &mut dyn Write, run: &RunInfo, _: &Summary, outcomes: &[Outcome]) -> io::Result<()> {
        let file = NamedTempFile::new()?;
        let connection = sqlite::open_file(file.path()).map_err(|error| cannot(&error))?;
        let mut names = HashSet::new();
        let mut names_of_tables = Vec::new();
        let begin = "pragma journal_mode = off; pragma synchronous = off; begin";
        connection.execute_batch(begin).map_err(|error| cannot(&error))?;
        let free = |name: &str| run.tables.iter().all(|table| !table.name.eq_ignore_ascii_case(name));
        let own = [sources(outcomes), attempts(outcomes)];
        for table in run.tables.iter().chain(own.iter().filter(|own| free(&own.name))) {
            let name = table_name(&redacted::text(&run.redactor, &table.name), &mut names);
            write_table(&connection, &name, &run.redactor, table)?;
            names_of_tables.push((name, table));
        }
        write_run(&connection, run, &names_of_tables, &mut names).map_err(|error| cannot(&error))?;
        let end = format!("commit; pragma application_id = {APPLICATION_ID}; pragma user_version = 1");
        connection.execute_batch(&end).map_err(|error| cannot(&error))?;
        connection.close().map_err(|(_, error)| cannot(&error))?;
        io::copy(&mut File::open(file.path())?, out).map(drop)
    }
}

fn cannot(error: &rusqlite::Error) -> io::Error {
    io::Error::other(format!("the database cannot be made: {error}"))
}

/// Writes a table. One without columns cannot be in a database: its notes are.
fn write_table(connection: &Connection, name: &str, redactor: &Redactor, table: &DataTable) -> io::Result<()> {
    let width = table.columns.len();
    if width == 0 {
        return Ok(());
    }
    if width > MOST_COLUMNS {
        let message =
            format!("the table {name} has {width} columns, and SQLite holds {MOST_COLUMNS}: add columns = [...]");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let hidden: Vec<Box<str>> = table.columns.iter().map(|column| redacted::text(redactor, column).into()).collect();
    let text: Vec<bool> = (0..width).map(|at| needs_text(table.rows.iter().filter_map(|row| row.get(at)))).collect();
    let columns: Vec<String> = distinct(&hidden)
        .iter()
        .zip(&text)
        .map(|(column, text)| format!("{}{}", quoted(column), if *text { " text" } else { "" }))
        .collect();
    let fill = || -> rusqlite::Result<()> {
        connection.execute_batch(&format!("create table {} ({})", quoted(name), columns.join(", ")))?;
        let places = vec!["?"; width].join(", ");
        let mut insert = connection.prepare(&format!("insert into {} values ({places})", quoted(name)))?;
        for row in &table.rows {
            let cell = |at: usize| to_sql(row.get(at).unwrap_or(&Cell::Null), text[at], redactor);
            insert.execute(params_from_iter((0..width).map(cell)))?;
        }
        Ok(())
    };
    fill().map_err(|error| cannot(&error))
}

fn write_run(
    connection: &Connection,
    run: &RunInfo,
    tables: &[(String, &DataTable)],
    names: &mut HashSet<String>,
) -> rusqlite::Result<()> {
    let (of_run, of_notes) = (table_name("roundup_run", names), table_name("roundup_notes", names));
    connection.execute_batch(&format!(
        "create table {} (version text, title text, started text, elapsed_ms integer, interrupted integer); \
         create table {} (table_name text, note text)",
        quoted(&of_run),
        quoted(&of_notes)
    ))?;
    let text = |text| redacted::text(&run.redactor, text);
    let insert = format!("insert into {} values (?, ?, ?, ?, ?)", quoted(&of_run));
    connection.execute(
        &insert,
        params![
            env!("CARGO_PKG_VERSION"),
            run.title.as_deref().map(text),
            run.start_text(),
            i64::try_from(whole_ms(run.elapsed)).unwrap_or(i64::MAX),
            run.interrupted
        ],
    )?;
    let mut insert = connection.prepare(&format!("insert into {} values (?, ?)", quoted(&of_notes)))?;
    for (name, table) in tables {
        for note in &table.notes {
            insert.execute(params![name, text(note)])?;
        }
    }
    Ok(())
}

/// A name that a table can have and that no other has: letters of either case are one to SQLite, and what begins with
/// `sqlite_` is its own.
fn table_name(name: &str, names: &mut HashSet<String>) -> String {
    let is_reserved = name.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("sqlite_"));
    let base = if is_reserved { format!("table_{name}") } else { name.to_owned() };
    let mut free = base.clone();
    let mut number = 1;
    while !names.insert(free.to_lowercase()) {
        number += 1;
        free = format!("{base}_{number}");
    }
    free
}
