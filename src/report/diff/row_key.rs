//! The columns by which rows are known.

use std::collections::HashSet;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};
use crate::rows::{Cell, DataTable};

/// The columns by which rows of two results are known: of one table, or of each table that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowKey {
    /// The table; `None` for each that has the columns.
    pub table: Option<Box<str>>,
    /// The columns.
    pub columns: Vec<Box<str>>,
}

impl FromStr for RowKey {
    type Err = Error;

    /// Reads `sku,vendor`, or `prices=sku,vendor` for one table.
    ///
    /// ```
    /// use roundup::report::RowKey;
    /// let key: RowKey = "prices=sku,vendor".parse()?;
    /// assert_eq!((key.table.as_deref(), key.columns.len()), (Some("prices"), 2));
    /// # Ok::<(), roundup::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Config`]: a name is empty.
    fn from_str(text: &str) -> Result<RowKey> {
        let (table, columns) = match text.split_once('=') {
            Some((table, columns)) => (Some(table.trim()), columns),
            None => (None, text),
        };
        let columns: Vec<Box<str>> = columns.split(',').map(|column| column.trim().into()).collect();
        if table.is_some_and(str::is_empty) || columns.iter().any(|column| column.is_empty()) {
            return Err(Error::new(
                Kind::Config,
                format!("{text:?} names no columns: write sku,vendor or TABLE=sku,vendor"),
            ));
        }
        Ok(RowKey { table: table.map(Into::into), columns })
    }
}

/// The most cells that are looked at for pairs of columns.
const MOST_CELLS: usize = 10_000_000;

/// The places of the columns by which the rows of both tables are known, of these columns that both have; none if only whole
/// rows can be compared. `columns` are names with their places in the old table and in the new one.
///
/// # Errors
/// A key that was given for this table names a column that it does not have.
pub(super) fn known_by(
    keys: &[RowKey],
    columns: &[(&str, usize, usize)],
    old: &DataTable,
    new: &DataTable,
) -> Result<Vec<usize>> {
    let place = |column: &str| columns.iter().position(|(name, ..)| *name == column);
    for key in keys {
        let places: Option<Vec<usize>> = key.columns.iter().map(|column| place(column)).collect();
        match (&key.table, places) {
            (Some(table), Some(places)) if *table == new.name => return Ok(places),
            (Some(table), None) if *table == new.name => {
                let there: Vec<&str> = columns.iter().map(|(name, ..)| *name).collect();
                let message = format!(
                    "rows of \"{table}\" cannot be known by {}: its columns in both results are {}",
                    key.columns.join(","),
                    there.join(", ")
                );
                return Err(Error::new(Kind::Config, message));
            }
            (None, Some(places)) => return Ok(places),
            _ => {}
        }
    }
    Ok(found(columns, old, new))
}

/// The column, or the pair of columns, whose values differ in all rows of each table and are the same for most rows of both;
/// the first of several.
fn found(columns: &[(&str, usize, usize)], old: &DataTable, new: &DataTable) -> Vec<usize> {
    // Texts rather than whole numbers, and those rather than measures.
    let rank = |at: &usize| {
        let cells = || new.rows.iter().filter_map(|row| row.get(columns[*at].2));
        let is_whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_measure = |cell: &Cell| matches!(cell, Cell::Number(text) if !is_whole(text));
        u8::from(cells().any(|cell| matches!(cell, Cell::Number(_)))) + 2 * u8::from(cells().any(is_measure))
    };
    let mut ranked: Vec<(u8, usize)> = (0..columns.len()).map(|at| (rank(&at), at)).collect();
    ranked.sort_unstable();
    let places: Vec<usize> = ranked.into_iter().map(|(_, at)| at).collect();
    let singles = places.iter().map(|one| vec![*one]);
    let pairs = places
        .iter()
        .enumerate()
        .flat_map(|(number, one)| places[number + 1..].iter().map(|two| vec![*one.min(two), *one.max(two)]));
    let rows = (old.rows.len() + new.rows.len()).max(1);
    let most_pairs = MOST_CELLS / rows;
    let most = old.rows.len().min(new.rows.len());
    let (mut best, mut best_shared) = (Vec::new(), 0);
    for key in singles.chain(pairs.take(most_pairs)) {
        let Some(shared) = shared(&key, columns, old, new) else { continue };
        if shared > best_shared {
            (best, best_shared) = (key, shared);
        }
        if best_shared == most {
            break;
        }
    }
    best
}

/// How many rows of both tables have the same values in these columns; `None` if they do not tell rows apart.
fn shared(key: &[usize], columns: &[(&str, usize, usize)], old: &DataTable, new: &DataTable) -> Option<usize> {
    let values = |table: &DataTable, is_old: bool| {
        let mut seen = HashSet::with_capacity(table.rows.len());
        let places: Vec<usize> = key.iter().map(|at| if is_old { columns[*at].1 } else { columns[*at].2 }).collect();
        for row in &table.rows {
            let has_null = places.iter().any(|place| row.get(*place).is_none_or(Cell::is_null));
            if has_null || !seen.insert(value_of(row, &places)) {
                return None;
            }
        }
        Some(seen)
    };
    let (old, new) = (values(old, true)?, values(new, false)?);
    Some(old.intersection(&new).count())
}

/// The cells of a row at these places as one text.
pub(super) fn value_of(row: &[Cell], places: &[usize]) -> String {
    let mut text = String::new();
    for place in places {
        let cell = row.get(*place).unwrap_or(&Cell::Null);
        // No raw NUL is in JSON, so no two rows make one text.
        text.push_str(&cell.to_json());
        text.push('\0');
    }
    text
}
