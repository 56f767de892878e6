//! The rows of a source, from which jobs are made one by one.

use std::sync::Arc;

use super::node::ForEach;
use super::values::{JobValue, JobValues};
use crate::body::HeldMemory;
use crate::outcome::Outcome;
use crate::rows::{Cell, Rows};

/// The source that rows come from.
#[derive(Clone, Debug)]
pub(super) struct RowOrigin {
    /// Where it stands, for the order of what is made of it.
    pub(super) order: Box<[u32]>,
    pub(super) base: Option<Arc<str>>,
    /// What tells it from the other sources of its job, if there may be others: names of jobs that are made for its rows
    /// begin with it, and so do not depend on which source came first.
    pub(super) own_name: Option<Box<str>>,
}

/// Rows that have no jobs yet.
#[derive(Debug)]
pub(super) struct RowSource {
    /// The names of the fields, as jobs have them: `items.id`.
    names: Vec<Arc<str>>,
    rows: std::vec::IntoIter<Vec<Cell>>,
    key: Option<usize>,
    /// The number of the next row, from 0, within all rows of its source.
    next: usize,
    /// What the rows take of the memory of the run.
    _held: HeldMemory,
    pub(super) origin: RowOrigin,
}

/// A row, and what its job is called.
pub(super) struct NextRow {
    pub(super) values: JobValues,
    pub(super) number: usize,
    pub(super) key: String,
}

impl RowSource {
    /// The rows of an outcome: those that `rows` gave it, otherwise the values of `select` as one row.
    pub(super) fn rows_of(outcome: &Outcome) -> Vec<Rows> {
        match outcome.data.as_ref().filter(|_| outcome.ok() && outcome.rows.is_empty()) {
            Some(data) => {
                let columns: Vec<Box<str>> = data.iter().map(|(name, _)| name.into()).collect();
                let row = data.iter().map(|(_, value)| value.clone()).collect();
                vec![Rows { table: "".into(), columns: Arc::new(columns), rows: vec![row] }]
            }
            None => outcome.rows.clone(),
        }
    }

    /// Rows to make jobs for; `first` is the number of the first one within its source. They are copies, which `memory` is to
    /// hold.
    pub(super) fn of(
        rows: &[Rows],
        for_each: &ForEach,
        mut first: usize,
        origin: &RowOrigin,
        memory: &HeldMemory,
    ) -> Vec<RowSource> {
        let mut sources = Vec::new();
        for rows in rows {
            sources.push(RowSource::new(rows, for_each, first, origin.clone(), memory));
            first += rows.rows.len();
        }
        sources
    }

    fn new(rows: &Rows, for_each: &ForEach, next: usize, origin: RowOrigin, memory: &HeldMemory) -> RowSource {
        let is_needed =
            |name: &str| for_each.fields.as_ref().is_none_or(|fields| fields.iter().any(|field| **field == *name));
        let kept: Vec<usize> = (0..rows.columns.len()).filter(|column| is_needed(&rows.columns[*column])).collect();
        let cells = |row: &Vec<Cell>| kept.iter().filter_map(|column| row.get(*column).cloned()).collect();
        let copies: Vec<Vec<Cell>> = rows.rows.iter().map(cells).collect();
        let of_row = |row: &Vec<Cell>| row.iter().map(|cell| size_of::<Cell>() + cell.heap_bytes()).sum::<usize>();
        let bytes = copies.iter().map(|row| size_of::<Vec<Cell>>() + of_row(row)).sum();
        let key = for_each.key.as_ref();
        RowSource {
            names: kept.iter().map(|column| format!("{}.{}", for_each.source, rows.columns[*column]).into()).collect(),
            rows: copies.into_iter(),
            key: key.and_then(|key| kept.iter().position(|column| rows.columns[*column] == *key)),
            next,
            _held: memory.for_copy(bytes),
            origin,
        }
    }

    /// How many rows are left.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn next(&mut self) -> Option<NextRow> {
        let row = self.rows.next()?;
        let number = self.next;
        self.next += 1;
        let key = self.key.and_then(|key| row.get(key)).filter(|cell| !cell.is_null());
        let key = match (key, &self.origin.own_name) {
            (Some(cell), _) => cell.as_text().into_owned(),
            (None, Some(own_name)) => format!("{own_name}.{}", number + 1),
            (None, None) => (number + 1).to_string(),
        };
        let mut values = JobValues::default();
        for (name, cell) in self.names.iter().zip(row) {
            values.add(name.clone(), JobValue { cell, base: self.origin.base.clone(), secret: false });
        }
        Some(NextRow { values, number, key })
    }
}
