//! Rows while they are read: a cell for each selected value, within bounds.

use std::collections::HashMap;
use std::sync::Arc;

use super::cell::Cell;
use super::condition::ValueType;
use super::data_table::{Columns, Rows};
use super::selection::{Missing, Selection, ValueSource};
use crate::body::Reservation;

/// The most memory in bytes that the rows of one source take: 256 MiB.
pub(crate) const MAX_ROWS_BYTES: usize = 256 << 20;

/// Memory of the run is taken so many bytes at a time.
const HELD_AT_ONCE: usize = 4 << 10;

/// The most columns that rows have of which all keys are taken.
const MAX_COLUMNS: usize = 1000;

/// What stands at a place.
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A text that holds half a surrogate pair.
    HalfPair,
    /// A value.
    Value(Cell),
}

/// Why a value could not be taken out of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadCell {
    /// The row, from 0.
    pub(crate) row: usize,
    /// The place of its selection.
    pub(crate) column: usize,
    /// What is there that cannot be read; `None` if nothing is there.
    pub(crate) found: Option<Cell>,
}

/// Rows while they are read.
pub(crate) struct RowTable<'s> {
    /// What is selected; each key is a column if that is empty.
    select: &'s [(String, Selection)],
    columns: Columns,
    /// Where a column stands, if each key is one.
    by_name: HashMap<Box<str>, usize>,
    rows: Vec<Vec<Cell>>,
    max_rows: usize,
    /// How many came, those that were not kept included.
    came: usize,
    bytes: usize,
    /// What the cells behind those of the content take in each row.
    behind_bytes: usize,
    /// The memory of the run that they take, in steps.
    held: &'s mut Reservation,
    /// Whether the run has no memory left for more.
    is_full: bool,
    bad: Option<BadCell>,
}

impl<'s> RowTable<'s> {
    /// A table of at most that many rows, which are held by this share of the run's memory. Each has cells that take so many
    /// bytes behind those of the content.
    pub(crate) fn new(
        select: &'s [(String, Selection)],
        max_rows: usize,
        behind_bytes: usize,
        held: &'s mut Reservation,
    ) -> RowTable<'s> {
        RowTable {
            select,
            columns: select.iter().map(|(name, _)| name.as_str().into()).collect(),
            by_name: HashMap::new(),
            rows: Vec::new(),
            max_rows,
            came: 0,
            bytes: 0,
            behind_bytes,
            held,
            is_full: false,
            bad: None,
        }
    }

    /// Whether each key is a column.
    pub(crate) fn takes_all(&self) -> bool {
        self.select.is_empty()
    }

    /// Drops all rows.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        (self.came, self.bytes, self.bad, self.is_full) = (0, 0, None, false);
        self.held.resize(0);
    }

    /// Adds a row of the values that these columns have; those that are the same in all rows come at the end.
    pub(crate) fn push(&mut self, mut find: impl FnMut(usize) -> Found) {
        if !self.has_room() {
            return;
        }
        let mut row = Vec::with_capacity(self.select.len());
        for (column, (_, selection)) in self.select.iter().enumerate() {
            let is_of_row = matches!(selection.from, ValueSource::Row(_));
            let cell = if is_of_row { take(selection, find(column)) } else { Ok(Cell::Null) };
            row.push(cell.unwrap_or_else(|found| {
                let row = self.rows.len();
                self.bad.get_or_insert(BadCell { row, column, found });
                Cell::Null
            }));
        }
        self.keep(row);
    }

    /// Adds a row of which each key is a column.
    pub(crate) fn push_all<'a>(&mut self, members: impl Iterator<Item = (&'a str, Cell)>) {
        if !self.has_room() {
            return;
        }
        let mut row = vec![Cell::Null; self.columns.len()];
        for (name, cell) in members {
            let place = match self.by_name.get(name) {
                Some(place) => *place,
                None if self.columns.len() == MAX_COLUMNS => continue,
                None => {
                    self.columns.push(name.into());
                    self.by_name.insert(name.into(), self.columns.len() - 1);
                    row.push(Cell::Null);
                    self.columns.len() - 1
                }
            };
            row[place] = cell;
        }
        self.keep(row);
    }

    fn has_room(&mut self) -> bool {
        self.came += 1;
        self.rows.len() < self.max_rows && self.bytes < MAX_ROWS_BYTES && !self.is_full
    }

    fn keep(&mut self, row: Vec<Cell>) {
        let own = size_of::<Vec<Cell>>() + row.capacity() * size_of::<Cell>() + self.behind_bytes;
        let bytes = self.bytes + own + row.iter().map(Cell::heap_bytes).sum::<usize>();
        if self.held.resize(bytes.next_multiple_of(HELD_AT_ONCE) as u64) {
            self.bytes = bytes;
            self.rows.push(row);
        } else {
            self.is_full = true;
        }
    }

    /// Makes room for these values, which are the same in all rows: each row has a copy. Rows that find none are dropped.
    pub(crate) fn hold_fixed(&mut self, fixed: &[(usize, Cell)]) {
        let each: usize = fixed.iter().map(|(_, cell)| cell.heap_bytes()).sum();
        let before = self.rows.len();
        loop {
            let bytes = self.bytes.saturating_add(each.saturating_mul(self.rows.len()));
            if bytes <= MAX_ROWS_BYTES && self.held.resize(bytes as u64) || self.rows.is_empty() {
                self.bytes = bytes;
                break;
            }
            self.rows.truncate(self.rows.len() / 2);
        }
        self.is_full |= self.rows.len() < before;
    }

    /// Whether rows were left out because the run had no memory left for them.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many rows came, those that were not kept included.
    pub(crate) fn came(&self) -> usize {
        self.came
    }

    /// The first value that could not be taken.
    pub(crate) fn bad(&self) -> Option<&BadCell> {
        self.bad.as_ref()
    }

    /// The rows, with these values in the columns that are the same in all of them, and behind them the job's values and its
    /// name. What is selected stands for a value of the same name; beside a key of the content, such a value has a number
    /// behind its name, and so has the name of the job.
    pub(crate) fn finish<'a>(
        mut self,
        table: &str,
        fixed: &[(usize, Cell)],
        values: impl Iterator<Item = (&'a str, Cell)>,
        source: (&'a str, Cell),
    ) -> Rows {
        // What was taken in steps is no more than is needed: there may be many sources of one row.
        self.held.resize(self.bytes as u64);
        let mut behind = Vec::new();
        for (name, cell) in values {
            if self.takes_all() || !self.columns.iter().any(|own| **own == *name) {
                behind.push(cell);
                let name = free_name(name, |name| self.columns.iter().any(|own| **own == *name));
                self.columns.push(name.into());
            }
        }
        behind.push(source.1);
        let name = free_name(source.0, |name| self.columns.iter().any(|own| **own == *name));
        self.columns.push(name.into());
        let width = self.columns.len() - behind.len();
        for row in &mut self.rows {
            // Keys that came up later are missing in the rows before.
            row.reserve_exact(self.columns.len() - row.len());
            row.resize(width, Cell::Null);
            for (column, cell) in fixed {
                row[*column] = cell.clone();
            }
            row.extend(behind.iter().cloned());
        }
        Rows { table: table.into(), columns: Arc::new(self.columns), rows: self.rows }
    }
}

/// The name, or if that is taken, the name with the first number from 2 that is not: `source_2`.
pub(crate) fn free_name(name: &str, mut is_taken: impl FnMut(&str) -> bool) -> String {
    let mut free = name.to_owned();
    let mut number = 1;
    while is_taken(&free) {
        number += 1;
        free = format!("{name}_{number}");
    }
    free
}

/// The value that a selection makes of what is there.
///
/// # Errors
/// What is there and cannot be read; `None` if nothing is there.
pub(crate) fn take(selection: &Selection, found: Found) -> Result<Cell, Option<Cell>> {
    let cell = match (found, &selection.missing) {
        (Found::Value(cell), _) => cell,
        (Found::HalfPair, _) => return Err(Some(Cell::from("\u{fffd}"))),
        (Found::Nothing, Missing::Default(value)) => return Ok(value.clone()),
        (Found::Nothing, Missing::Null) => return Ok(Cell::Null),
        (Found::Nothing, Missing::Fails) => return Err(None),
    };
    match &selection.conversion {
        // An empty text is how CSV writes that there is nothing.
        Some(conversion)
            if conversion.to() != ValueType::Text && cell.as_text().trim().is_empty() && !cell.is_null() =>
        {
            take(&Selection { conversion: None, ..selection.clone() }, Found::Nothing)
        }
        Some(conversion) => conversion.apply(&cell).ok_or(Some(cell)),
        None => Ok(cell),
    }
}
