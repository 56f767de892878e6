//! Columns, order and number of the rows that are shown.

use std::cmp::Ordering;

use super::report_spec::TableSpec;
use crate::error::{Error, Kind, Result};
use crate::rows::{Cell, DataTable, Decimal};

impl TableSpec {
    /// Sorts and cuts the table as the plan says, and gives it its name, its title and its charts.
    ///
    /// Rows with the same values stay in the order in which they came. Null comes last in both directions; numbers come
    /// before texts, and are compared digit by digit.
    ///
    /// # Errors
    /// [`Kind::Config`]: a column is not there. It names those that are.
    pub fn arrange(&self, mut table: DataTable) -> Result<DataTable> {
        let place = |column: &str| {
            table.columns.iter().position(|one| **one == *column).ok_or_else(|| no_column(column, &table.columns))
        };
        let keys = self.sort.iter().map(|key| Ok((place(&key.column)?, key.descending))).collect::<Result<Vec<_>>>()?;
        let shown = self.columns.iter().map(|column| place(column)).collect::<Result<Vec<_>>>()?;
        for (column, _) in &self.charts {
            if !self.columns.is_empty() && !self.columns.contains(column) {
                return Err(no_column(column, &self.columns));
            }
            place(column)?;
        }
        if !keys.is_empty() {
            table.rows.sort_by(|one, other| {
                keys.iter().fold(Ordering::Equal, |order, (place, descending)| {
                    order.then_with(|| compare(&one[*place], &other[*place], *descending))
                })
            });
        }
        if let Some(limit) = self.limit {
            let all = table.rows.len();
            table.rows.truncate(limit);
            if all > limit {
                table.notes.push(format!("the first {limit} of {all} rows").into());
            }
        }
        if !shown.is_empty() {
            table.columns = self.columns.clone();
            for row in &mut table.rows {
                *row = shown.iter().map(|place| row.get(*place).cloned().unwrap_or_default()).collect();
            }
        }
        table.name.clone_from(&self.name);
        table.title.clone_from(&self.title);
        table.charts.clone_from(&self.charts);
        Ok(table)
    }
}

fn no_column(column: &str, columns: &[Box<str>]) -> Error {
    let there =
        if columns.is_empty() { "there are none".to_owned() } else { format!("there are {}", columns.join(", ")) };
    Error::new(Kind::Config, format!("no column \"{column}\": {there}"))
}

/// Numbers first, by their value, then texts and everything else, and null last.
fn compare(one: &Cell, other: &Cell, descending: bool) -> Ordering {
    let rank = |cell: &Cell| match cell {
        Cell::Number(_) => 0,
        Cell::Null => 2,
        _ => 1,
    };
    let order = match (one, other) {
        (Cell::Number(one), Cell::Number(other)) => Decimal::parse(one).cmp(&Decimal::parse(other)),
        _ if rank(one) == rank(other) => one.as_text().cmp(&other.as_text()),
        _ => return rank(one).cmp(&rank(other)),
    };
    if descending { order.reverse() } else { order }
}

#[cfg(test)]
mod tests {
    use super::super::report_spec::{SortKey, TableSource};
    use super::*;

    fn spec(columns: &[&str], sort: &[&str], limit: Option<usize>) -> TableSpec {
        TableSpec {
            line: 1,
            name: "shown".into(),
            title: None,
            source: TableSource::Rows("t".into()),
            columns: columns.iter().map(|name| (*name).into()).collect(),
            sort: sort.iter().map(|key| SortKey::parse(key)).collect(),
            limit,
            charts: Vec::new(),
        }
    }

    fn table(rows: &str) -> DataTable {
        let rows = serde_json::from_str(rows).expect("rows");
        DataTable { name: "t".into(), columns: vec!["a".into(), "b".into()], rows, ..DataTable::default() }
    }

    #[test]
    fn rows_are_sorted_by_value_and_null_is_last() {
        let rows = r#"[[10,"x"],[null,"n"],["9","t"],[9.50,"y"],[100000000000000000000000000001,"big"],[100000000000000000000000000000,"less"],[-1e2,"neg"]]"#;
        let order = |sort: &str| {
            let sorted = spec(&["b"], &[sort], None).arrange(table(rows)).expect("columns that are there");
            sorted.rows.iter().map(|row| row[0].as_text().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(order("a"), ["neg", "y", "x", "less", "big", "t", "n"]);
        assert_eq!(order("-a"), ["big", "less", "x", "y", "neg", "t", "n"]);
    }

    #[test]
    fn columns_and_limit() {
        let cut = spec(&["b", "a"], &[], Some(1)).arrange(table("[[1,2],[3,4]]")).expect("columns that are there");
        assert_eq!(serde_json::to_string(&cut.rows).expect("data"), "[[2,1]]");
        assert_eq!(cut.notes, ["the first 1 of 2 rows".into()] as [Box<str>; 1]);
        let error = spec(&["c"], &[], None).arrange(table("[]")).expect_err("no such column");
        assert_eq!(error.to_string(), "no column \"c\": there are a, b");
    }
}
