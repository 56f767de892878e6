//! What a query gives, as a table.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};

use crate::rows::Cell;
use crate::rows::DataTable;

/// The most bytes of all rows that a query gives.
const MOST_BYTES: usize = 64 << 20;

/// Why there is no table.
#[derive(Debug)]
pub(super) enum QueryError {
    /// SQLite says so.
    Sqlite(Error),
    /// What it gives cannot be shown.
    Refused(String),
}

impl From<Error> for QueryError {
    fn from(error: Error) -> QueryError {
        QueryError::Sqlite(error)
    }
}

/// The rows of a query. Texts that are not UTF-8 keep what of them is.
pub(super) fn of(connection: &Connection, sql: &str) -> Result<DataTable, QueryError> {
    let mut statement = connection.prepare(sql)?;
    if statement.parameter_count() > 0 {
        let name = statement.parameter_name(1).unwrap_or("?").to_owned();
        return Err(QueryError::Refused(format!("the query has a parameter, {name}: write the value itself")));
    }
    let columns: Vec<Box<str>> = statement.column_names().into_iter().map(Box::from).collect();
    if let Some(column) =
        columns.iter().enumerate().find_map(|(at, column)| columns[..at].contains(column).then_some(column))
    {
        let why = format!("two columns of the result are named \"{column}\": name one of them otherwise, with \"as\"");
        return Err(QueryError::Refused(why));
    }
    let mut table = DataTable { columns, ..DataTable::default() };
    let mut bytes = 0;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(table.columns.len());
        for at in 0..table.columns.len() {
            cells.push(cell(row.get_ref(at)?));
        }
        bytes += cells.iter().map(|cell| size_of::<Cell>() + cell.heap_bytes()).sum::<usize>();
        if bytes > MOST_BYTES {
            let why = format!("the query gives more than {} MiB of rows: add a limit or a condition", MOST_BYTES >> 20);
            return Err(QueryError::Refused(why));
        }
        table.rows.push(cells);
    }
    Ok(table)
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(integer) => Cell::from(integer),
        // The shortest that is read back as the same; a whole one keeps its point, as in SQLite.
        ValueRef::Real(real) if real.is_finite() => Cell::Number(format!("{real:?}").into()),
        ValueRef::Real(real) => Cell::Text(if real > 0.0 { "Inf" } else { "-Inf" }.into()),
        ValueRef::Text(text) => text_cell(&String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => Cell::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()),
    }
}

/// A number that was kept as text for its digits is one again.
fn text_cell(text: &str) -> Cell {
    match Cell::from_json(text) {
        Some(Cell::Number(number))
            if *number == *text && super::number_column::needs_text([&Cell::Number(number.clone())].into_iter()) =>
        {
            Cell::Number(number)
        }
        _ => Cell::Text(text.into()),
    }
}
