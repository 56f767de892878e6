//! What differs in the rows of a table.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::Serialize;

use super::content_places::portable;
use super::row_key::{RowKey, known_by, value_of};
use super::source_diff::is_same;
use crate::error::{Error, Kind, Result};
use crate::outcome::Outcome;
use crate::rows::{Cell, DataTable};

/// A table whose rows differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TableDiff {
    /// Its name.
    pub name: Box<str>,
    /// The columns by which rows are known. If there are none, rows are compared as a whole, and none is changed.
    pub key: Vec<Box<str>>,
    /// The columns of rows here: those of both results.
    pub columns: Vec<Box<str>>,
    /// Columns that only the new result has.
    pub appeared_columns: Vec<Box<str>>,
    /// Columns that only the old result has.
    pub gone_columns: Vec<Box<str>>,
    /// Rows that only the new result has.
    pub appeared: Vec<Vec<Cell>>,
    /// Rows that only the old result has.
    pub gone: Vec<Vec<Cell>>,
    /// Rows of which cells are others.
    pub changed: Vec<RowDiff>,
}

/// A row of which cells are others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowDiff {
    /// Its cells in the columns of the key.
    pub key: Vec<Cell>,
    /// The cells that are others.
    pub cells: Vec<CellDiff>,
}

/// A cell that is another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellDiff {
    /// Its column.
    pub column: Box<str>,
    /// What was there.
    pub old: Cell,
    /// What is there.
    pub new: Cell,
}

/// The most sources that a note names.
const MOST_NAMED: usize = 5;

/// The tables whose rows differ. Rows of sources that failed in one of the results are left out.
///
/// # Errors
/// A key names a column or a table that is not there.
pub(super) fn table_diffs(
    old: &[Outcome],
    new: &[Outcome],
    keys: &[RowKey],
    notes: &mut Vec<Box<str>>,
) -> Result<Vec<TableDiff>> {
    let failed: HashSet<&str> =
        old.iter().chain(new).filter(|outcome| !outcome.ok()).map(|outcome| &*outcome.name).collect();
    note_left_out(old, new, &failed, notes);
    let gathered = |outcomes: &[Outcome]| {
        let good = outcomes.iter().filter(|outcome| !failed.contains(&*outcome.name));
        DataTable::gather(good.flat_map(|outcome| &outcome.rows))
    };
    let (old, new) = (gathered(old), gathered(new));
    check_keys(keys, &old, &new)?;
    let gone = old.iter().filter(|old| new.iter().all(|new| new.name != old.name));
    let mut all = Vec::new();
    for named in new.iter().chain(gone) {
        let of = |tables: &[DataTable]| tables.iter().find(|table| table.name == named.name).cloned();
        // One that has no rows has the columns of the other.
        let empty = || DataTable { name: named.name.clone(), columns: named.columns.clone(), ..DataTable::default() };
        let (old, new) = (of(&old).unwrap_or_else(empty), of(&new).unwrap_or_else(empty));
        let diff = table_diff(&old, &new, keys)?;
        if diff
            != (TableDiff {
                name: diff.name.clone(),
                key: diff.key.clone(),
                columns: diff.columns.clone(),
                ..TableDiff::default()
            })
        {
            all.push(diff);
        }
    }
    Ok(all)
}

/// Says which rows are not compared, because their source failed in one of the results.
fn note_left_out(old: &[Outcome], new: &[Outcome], failed: &HashSet<&str>, notes: &mut Vec<Box<str>>) {
    let with_rows = old.iter().chain(new).filter(|outcome| outcome.rows.iter().any(|rows| !rows.rows.is_empty()));
    let mut names: Vec<&str> = Vec::new();
    for name in with_rows.map(|outcome| &*outcome.name).filter(|name| failed.contains(name)) {
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() > MOST_NAMED {
            break;
        }
    }
    let more = if names.len() > MOST_NAMED { " and others" } else { "" };
    let named = names.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        notes.push(format!("rows of sources that failed in one of the results are not compared: {named}{more}").into());
    }
}

/// Refuses keys that are of no table.
fn check_keys(keys: &[RowKey], old: &[DataTable], new: &[DataTable]) -> Result<()> {
    let tables = || old.iter().chain(new);
    let fits = |key: &RowKey| match &key.table {
        Some(name) => tables().any(|table| table.name == *name),
        None => tables().any(|table| key.columns.iter().all(|column| table.columns.contains(column))),
    };
    let Some(key) = keys.iter().find(|key| !fits(key)) else { return Ok(()) };
    let mut there: Vec<String> =
        tables().map(|table| format!("{} ({})", table.name, table.columns.join(", "))).collect();
    there.dedup();
    let there = if there.is_empty() { "there are none".to_owned() } else { format!("there are {}", there.join("; ")) };
    let wanted = match &key.table {
        Some(table) => format!("no table \"{table}\""),
        None => format!("no table with the columns {}", key.columns.join(", ")),
    };
    Err(Error::new(Kind::Config, format!("{wanted}: {there}")))
}

fn table_diff(old: &DataTable, new: &DataTable, keys: &[RowKey]) -> Result<TableDiff> {
    let place_in = |table: &DataTable, column: &str| table.columns.iter().position(|one| **one == *column);
    let common: Vec<(&str, usize, usize)> = new
        .columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| Some((&**column, place_in(old, column)?, at)))
        .collect();
    let only_in = |one: &DataTable, other: &DataTable| -> Vec<Box<str>> {
        one.columns.iter().filter(|column| place_in(other, column).is_none()).cloned().collect()
    };
    let key = known_by(keys, &common, old, new)?;
    let mut diff = TableDiff {
        name: new.name.clone(),
        key: key.iter().map(|at| common[*at].0.into()).collect(),
        columns: common.iter().map(|(name, ..)| (*name).into()).collect(),
        appeared_columns: only_in(new, old),
        gone_columns: only_in(old, new),
        ..TableDiff::default()
    };
    let (old_places, new_places): (Vec<usize>, Vec<usize>) = common.iter().map(|(_, old, new)| (*old, *new)).unzip();
    let known = |places: &[usize]| match &key[..] {
        [] => places.to_vec(),
        key => key.iter().map(|at| places[*at]).collect::<Vec<_>>(),
    };
    let (old_key, new_key) = (known(&old_places), known(&new_places));
    let cells = |row: &[Cell], places: &[usize]| -> Vec<Cell> {
        places.iter().map(|place| portable(row.get(*place).cloned().unwrap_or_default())).collect()
    };
    let mut by_key: HashMap<String, VecDeque<usize>> = HashMap::with_capacity(old.rows.len());
    for (at, row) in old.rows.iter().enumerate() {
        by_key.entry(value_of(row, &old_key)).or_default().push_back(at);
    }
    for row in &new.rows {
        let Some(at) = by_key.get_mut(&value_of(row, &new_key)).and_then(VecDeque::pop_front) else {
            diff.appeared.push(cells(row, &new_places));
            continue;
        };
        let (before, now) = (cells(&old.rows[at], &old_places), cells(row, &new_places));
        let others: Vec<CellDiff> = common
            .iter()
            .zip(before.into_iter().zip(now))
            .filter(|(_, (old, new))| !is_same(old, new))
            .map(|((column, ..), (old, new))| CellDiff { column: (*column).into(), old, new })
            .collect();
        if !others.is_empty() {
            diff.changed.push(RowDiff { key: cells(row, &new_key), cells: others });
        }
    }
    let mut left: Vec<usize> = by_key.into_values().flatten().collect();
    left.sort_unstable();
    diff.gone = left.into_iter().map(|at| cells(&old.rows[at], &old_places)).collect();
    Ok(diff)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::outcome::Failure;
    use crate::rows::Rows;

    fn source(name: &str, columns: &[&str], rows: &str) -> Outcome {
        let columns = Arc::new(columns.iter().map(|name| (*name).into()).collect());
        let rows = Rows { table: "prices".into(), columns, rows: serde_json::from_str(rows).expect("rows") };
        Outcome { name: name.into(), rows: vec![rows], ..Outcome::default() }
    }

    fn diff(old: &Outcome, new: &Outcome, keys: &[&str]) -> (Vec<TableDiff>, Vec<Box<str>>) {
        diffs(std::slice::from_ref(old), std::slice::from_ref(new), keys)
    }

    fn diffs(old: &[Outcome], new: &[Outcome], keys: &[&str]) -> (Vec<TableDiff>, Vec<Box<str>>) {
        let keys: Vec<RowKey> = keys.iter().map(|key| key.parse().expect("a key")).collect();
        let mut notes = Vec::new();
        (table_diffs(old, new, &keys, &mut notes).expect("columns that are there"), notes)
    }

    fn shown(diff: &TableDiff) -> String {
        serde_json::to_string(&(&diff.key, &diff.appeared, &diff.gone, &diff.changed)).expect("data")
    }

    #[test]
    fn rows_are_known_by_the_column_that_tells_them_apart() {
        let columns = ["price", "sku"];
        let old = source("a", &columns, r#"[[1,"x"],[2,"y"],[3,"z"]]"#);
        let new = source("a", &columns, r#"[[3,"z"],[1.0,"x"],[9,"y"],[4,"w"]]"#);
        let (tables, notes) = diff(&old, &new, &[]);
        let expected = r#"[["sku"],[[4,"w"]],[],[{"key":["y"],"cells":[{"column":"price","old":2,"new":9}]}]]"#;
        assert_eq!((shown(&tables[0]), notes.len()), (expected.to_owned(), 0));
        assert!(diff(&old, &old, &[]).0.is_empty());
    }

    #[test]
    fn pairs_of_columns_tell_rows_apart_and_a_key_that_is_given_counts_first() {
        let columns = ["sku", "vendor", "price"];
        let old = source("a", &columns, r#"[["x","m",1],["x","n",2],["y","m",3]]"#);
        let new = source("a", &columns, r#"[["x","m",1],["x","n",5],["y","m",3]]"#);
        let (tables, _) = diff(&old, &new, &[]);
        assert_eq!(tables[0].key, ["sku".into(), "vendor".into()] as [Box<str>; 2]);
        assert_eq!(tables[0].changed.len(), 1);
        let (tables, _) = diff(&old, &new, &["prices=price"]);
        assert_eq!((tables[0].appeared.len(), tables[0].gone.len()), (1, 1));
        let error = table_diffs(&[old], &[new], &["cost".parse().expect("a key")], &mut Vec::new()).expect_err("none");
        let expected = "no table with the columns cost: there are prices (sku, vendor, price)";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn rows_that_nothing_tells_apart_are_counted() {
        let old = source("a", &["n"], "[[1],[1],[2]]");
        let new = source("a", &["n"], "[[1],[3]]");
        let (tables, _) = diff(&old, &new, &[]);
        assert_eq!(shown(&tables[0]), "[[],[[3]],[[1],[2]],[]]");
    }

    #[test]
    fn rows_of_a_source_that_failed_did_not_go() {
        let failure = Failure { kind: Kind::Status, phase: None, message: "503".into(), retry_at: None };
        let old = [source("a", &["n"], "[[1]]"), source("b", &["n"], "[[2]]")];
        let new =
            [source("a", &["n"], "[[1]]"), Outcome { name: "b".into(), error: Some(failure), ..Outcome::default() }];
        let (tables, notes) = diffs(&old, &new, &[]);
        assert!(tables.is_empty(), "{tables:?}");
        assert_eq!(*notes[0], *"rows of sources that failed in one of the results are not compared: b");
    }

    #[test]
    fn columns_appear_and_go() {
        let (tables, _) = diff(&source("a", &["n", "old"], "[[1,2]]"), &source("a", &["n", "new"], "[[1,2]]"), &[]);
        assert_eq!((&*tables[0].appeared_columns[0], &*tables[0].gone_columns[0]), ("new", "old"));
        assert!(tables[0].changed.is_empty() && tables[0].appeared.is_empty(), "{tables:?}");
    }
}
