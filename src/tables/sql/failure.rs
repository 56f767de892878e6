//! What SQLite says is wrong, in words that name the place and what there is.

use rusqlite::ErrorCode;

use super::limits::{QUERY_MEMORY, QUERY_TIME};
use crate::error::{Error, Kind};

/// A table that queries may name.
#[derive(Debug)]
pub(super) struct KnownTable {
    /// Its name, with `last.` before it if it is of the run before.
    pub(super) shown: String,
    pub(super) columns: Vec<String>,
}

/// What SQLite could not do, apart from queries.
pub(super) fn cannot(what: &str, error: &rusqlite::Error) -> Error {
    Error::new(Kind::Io, format!("SQLite cannot {what}: {error}"))
}

/// Why a query gives nothing.
pub(super) fn explain(error: &rusqlite::Error, sql: &str, tables: &[KnownTable]) -> Error {
    let text = match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => {
            format!("{}{}{}", place(sql, *offset), msg, hint(msg, sql, tables))
        }
        rusqlite::Error::SqliteFailure(error, message) => match error.code {
            ErrorCode::OperationInterrupted => {
                format!("the query ran for more than {} s, or the run has no more time", QUERY_TIME.as_secs())
            }
            ErrorCode::OutOfMemory => format!("the query needs more than {} MiB", QUERY_MEMORY >> 20),
            ErrorCode::TooBig => "the query makes a value of more than 64 MiB".to_owned(),
            ErrorCode::AuthorizationForStatementDenied => {
                "the query may only read: write a select over the tables".to_owned()
            }
            _ => {
                let message = message.clone().unwrap_or_else(|| error.to_string());
                format!("{}{message}{}", place_of_table(&message, sql), hint(&message, sql, tables))
            }
        },
        rusqlite::Error::MultipleStatement => "there is more than one statement: write one select".to_owned(),
        rusqlite::Error::UserFunctionError(error) => error.to_string(),
        other => other.to_string(),
    };
    Error::new(Kind::Config, text)
}

/// Where in the query, if SQLite says so: `line 2, column 8: `.
fn place(sql: &str, offset: i32) -> String {
    let before = usize::try_from(offset).ok().and_then(|at| sql.get(..at));
    let Some(before) = before else { return String::new() };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: ")
}

/// The same for a table that is not there, of which SQLite does not say where it stands.
fn place_of_table(message: &str, sql: &str) -> String {
    let name = message.strip_prefix("no such table: ").map(|name| name.rsplit('.').next().unwrap_or(name));
    let at = name.and_then(|name| sql.to_ascii_lowercase().find(&name.to_ascii_lowercase()));
    at.and_then(|at| i32::try_from(at).ok()).map_or_else(String::new, |at| place(sql, at))
}

/// What there is in place of what is not there.
fn hint(message: &str, sql: &str, tables: &[KnownTable]) -> String {
    if message.starts_with("no such table") {
        let names: Vec<&str> = tables.iter().map(|table| &*table.shown).collect();
        return format!("; the tables are {}", names.join(", "));
    }
    if !message.starts_with("no such column") {
        return String::new();
    }
    let sql = sql.to_lowercase();
    let is_named = |table: &&KnownTable| sql.contains(&table.shown.to_lowercase());
    let columns = tables.iter().filter(is_named).map(|table| format!("{} has {}", table.shown, shown(&table.columns)));
    let columns: Vec<String> = columns.collect();
    if columns.is_empty() { String::new() } else { format!("; {}", columns.join("; ")) }
}

/// The first of the columns.
fn shown(columns: &[String]) -> String {
    const MOST: usize = 20;
    let more = columns.len().saturating_sub(MOST);
    let named = columns[..columns.len() - more].join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}
