//! Rows of one source, and the table that the rows of all sources make.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cell::Cell;

/// The rows that one source gives to one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The name of the table.
    #[serde(with = "crate::serde_forms::shared_text")]
    pub table: Arc<str>,
    /// The names of its columns, in the order in which they are shown.
    #[serde(with = "crate::serde_forms::shared")]
    pub columns: Arc<Columns>,
    /// The rows, in the order of the source. Each has a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// Adds rows to those of the same tables.
#[cfg(any(feature = "fetcher", feature = "report"))]
pub(crate) fn join_rows(whole: &mut Vec<Rows>, page: Vec<Rows>) {
    for rows in page {
        match whole.iter_mut().find(|own| own.table == rows.table && own.columns == rows.columns) {
            Some(own) => own.rows.extend(rows.rows),
            None => whole.push(rows),
        }
    }
}

/// Names of columns, in the order in which they are shown.
pub type Columns = Vec<Box<str>>;

/// A table to show: of the rows of all sources, or made of them by a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataTable {
    /// What it is called in files and by queries.
    pub name: Box<str>,
    /// What stands above it, if it is not the name.
    pub title: Option<Box<str>>,
    /// The names of its columns, in the order in which they are shown.
    pub columns: Columns,
    /// The rows. Each has a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// What a reader has to know, such as which sources are missing; a line each.
    pub notes: Vec<Box<str>>,
    /// Columns of numbers that have a chart where one can be drawn.
    pub charts: Vec<(Box<str>, Chart)>,
}

/// What is drawn of a column of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// A bar in each row.
    Bar,
    /// A line over all rows.
    Line,
}

impl Chart {
    /// The word for it in plans and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Chart::Bar => "bar",
            Chart::Line => "line",
        }
    }

    /// The chart that this word is for.
    pub fn from_word(word: &str) -> Option<Chart> {
        [Chart::Bar, Chart::Line].into_iter().find(|chart| chart.as_str() == word)
    }
}

impl DataTable {
    /// The tables that the rows of these sources make, in the order in which they are first named. A table has the columns
    /// of all its sources; a source that has not one of them has null there.
    ///
    /// ```
    /// use roundup::Outcome;
    /// use roundup::rows::DataTable;
    ///
    /// let outcomes: Vec<Outcome> = Vec::new();
    /// let tables = DataTable::gather(outcomes.iter().flat_map(|outcome| &outcome.rows));
    /// assert!(tables.is_empty());
    /// ```
    pub fn gather<'a>(sources: impl IntoIterator<Item = &'a Rows>) -> Vec<DataTable> {
        let mut tables: Vec<DataTable> = Vec::new();
        for rows in sources {
            let at = tables.iter().position(|table| *table.name == *rows.table).unwrap_or_else(|| {
                tables.push(DataTable { name: (&*rows.table).into(), ..DataTable::default() });
                tables.len() - 1
            });
            tables[at].add(rows);
        }
        for table in &mut tables {
            let width = table.columns.len();
            table.rows.iter_mut().for_each(|row| row.resize(width, Cell::Null));
        }
        tables
    }

    fn add(&mut self, added: &Rows) {
        let places: Vec<usize> = added.columns.iter().map(|column| self.place(column)).collect();
        for row in &added.rows {
            let mut cells = vec![Cell::Null; self.columns.len()];
            for (cell, place) in row.iter().zip(&places) {
                cells[*place] = cell.clone();
            }
            self.rows.push(cells);
        }
    }

    /// Where this column stands; it is added if it is not there.
    fn place(&mut self, column: &str) -> usize {
        self.columns.iter().position(|one| **one == *column).unwrap_or_else(|| {
            self.columns.push(column.into());
            self.columns.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_all_sources_are_put_together() {
        let rows = |table: &str, columns: &[&str], rows: &[&[u64]]| Rows {
            table: table.into(),
            columns: Arc::new(columns.iter().map(|name| (*name).into()).collect()),
            rows: rows.iter().map(|row| row.iter().map(|number| Cell::from(*number)).collect()).collect(),
        };
        let sources = [
            rows("prices", &["a", "b"], &[&[1, 2], &[3, 4]]),
            rows("other", &["x"], &[&[9]]),
            rows("prices", &["b", "c"], &[&[5, 6]]),
        ];
        let tables = DataTable::gather(&sources);
        assert_eq!(tables.iter().map(|table| &*table.name).collect::<Vec<_>>(), ["prices", "other"]);
        assert_eq!(tables[0].columns, ["a".into(), "b".into(), "c".into()] as [Box<str>; 3]);
        let texts: Vec<String> =
            tables[0].rows.iter().map(|row| row.iter().map(Cell::to_json).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(texts, ["1 2 null", "3 4 null", "null 5 6"]);
        let read: Rows = serde_json::from_str(&serde_json::to_string(&sources[2]).expect("data")).expect("data");
        assert_eq!(read, sources[2]);
    }
}
