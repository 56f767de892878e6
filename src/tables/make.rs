//! The tables that a report shows.

use super::is_over::IsOver;
use super::queries::Queries;
use super::report_spec::{ReportSpec, RunNames, TableSource, TableSpec};
use super::sources::{SOURCES, missing, sources};
use crate::error::{Error, Kind, Result};
use crate::outcome::Outcome;
use crate::redact::Redactor;
use crate::rows::{DataTable, Rows};

impl ReportSpec {
    /// The tables to show of these outcomes, with notes on what is missing in them, and what could not be shown as the plan
    /// says. `last` are rows of earlier runs, which queries find as `last.NAME`. Secrets are hidden from queries, which could take them apart. A table that cannot be made is there all the same: without rows, and with a note that says why.
    pub fn tables(
        &self,
        outcomes: &[Outcome],
        last: &[Rows],
        names: &RunNames,
        redactor: &Redactor,
        is_over: &IsOver,
    ) -> (Vec<DataTable>, Vec<Error>) {
        let mut gathered = DataTable::gather(outcomes.iter().flat_map(|outcome| &outcome.rows));
        for table in &mut gathered {
            table.notes.extend(missing(&table.name, outcomes));
        }
        if self.tables.is_empty() {
            return (gathered, Vec::new());
        }
        let mut errors = Vec::new();
        let mut queries = Queries::new(&gathered, outcomes, last, redactor, is_over);
        let tables = self.tables.iter().map(|spec| {
            let title = spec.title.as_deref().map(|title| names.fill(title).into());
            let spec = TableSpec { title, ..spec.clone() };
            let made = rows(&spec, &gathered, outcomes, &mut queries).and_then(|table| spec.arrange(table));
            let mut table = made.unwrap_or_else(|error| {
                let notes = vec![format!("this table could not be made: {}", error.one_line()).into()];
                errors.push(of_table(&spec, error));
                DataTable { name: spec.name.clone(), title: spec.title.clone(), notes, ..DataTable::default() }
            });
            errors.extend(drop_charts_over_text(&mut table).into_iter().map(|error| of_table(&spec, error)));
            table
        });
        (tables.collect(), errors)
    }
}

impl ReportSpec {
    /// Whether a query of it may name tables of earlier runs.
    pub fn asks_for_last(&self) -> bool {
        let queries = self.tables.iter().filter_map(|table| match &table.source {
            TableSource::Sql(sql) => Some(sql),
            TableSource::Rows(_) => None,
        });
        queries.into_iter().any(|sql| sql.to_ascii_lowercase().contains("last"))
    }
}

/// The rows that a table is made of.
fn rows(
    spec: &TableSpec,
    gathered: &[DataTable],
    outcomes: &[Outcome],
    queries: &mut Queries<'_>,
) -> Result<DataTable> {
    let name = match &spec.source {
        TableSource::Rows(name) => name,
        TableSource::Sql(sql) => return queries.run(sql),
    };
    match gathered.iter().find(|table| table.name == *name) {
        Some(table) => Ok(table.clone()),
        None if **name == *SOURCES => Ok(sources(outcomes)),
        None => match missing(name, outcomes) {
            // It would be there if its sources had not failed.
            Some(note) => Ok(DataTable { notes: vec![note], columns: spec.named_columns(), ..DataTable::default() }),
            None => Err(no_table(name, gathered)),
        },
    }
}

impl TableSpec {
    /// All columns that the plan names: those of a table of which no rows came.
    fn named_columns(&self) -> Vec<Box<str>> {
        let mut columns = self.columns.clone();
        let others = self.sort.iter().map(|key| &key.column).chain(self.charts.iter().map(|(column, _)| column));
        for column in others {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        columns
    }
}

fn no_table(name: &str, gathered: &[DataTable]) -> Error {
    let mut there: Vec<&str> = gathered.iter().map(|table| &*table.name).collect();
    there.push(SOURCES);
    Error::new(Kind::Config, format!("no source gives rows to \"{name}\": the tables are {}", there.join(", ")))
}

/// Takes the charts away that cannot be drawn, and says why.
fn drop_charts_over_text(table: &mut DataTable) -> Vec<Error> {
    let mut errors = Vec::new();
    let DataTable { columns, rows, charts, notes, .. } = table;
    charts.retain(|(column, chart)| {
        let place = columns.iter().position(|one| one == column);
        let text =
            rows.iter().filter_map(|row| row.get(place?)).find(|cell| !cell.is_null() && cell.as_float().is_none());
        let Some(text) = text else { return true };
        let text: String = text.as_text().chars().take(40).collect();
        let word = chart.as_str();
        let message = format!("no {word} can be drawn of \"{column}\": \"{text}\" is not a number");
        notes.push(message.as_str().into());
        errors.push(Error::new(Kind::Config, message));
        false
    });
    errors
}

/// Says of which table an error is.
fn of_table(spec: &TableSpec, error: Error) -> Error {
    Error::new(Kind::Config, format!("the report's table \"{}\" (line {} of the plan)", spec.name, spec.line))
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::SortKey;
    use super::*;
    use crate::outcome::Failure;
    use crate::rows::{Cell, Chart, Rows};

    fn outcome(name: &str, rows: &[u64], error: Option<&str>) -> Outcome {
        let rows = Rows {
            table: "prices".into(),
            columns: Arc::new(vec!["price".into(), "source".into()]),
            rows: rows.iter().map(|price| vec![Cell::from(*price), Cell::from(name)]).collect(),
        };
        let failure =
            |message: &str| Failure { kind: Kind::Status, phase: None, message: message.into(), retry_at: None };
        let rows = if rows.rows.is_empty() && error.is_some() { Vec::new() } else { vec![rows] };
        let table = Some("prices".into());
        Outcome { name: name.into(), table, rows, error: error.map(failure), ..Outcome::default() }
    }

    fn spec(table: &str) -> TableSpec {
        TableSpec {
            line: 7,
            name: "cheapest".into(),
            title: Some("Cheapest, {date}".into()),
            source: TableSource::Rows(table.into()),
            columns: Vec::new(),
            sort: vec![SortKey::parse("price")],
            limit: Some(2),
            charts: vec![("price".into(), Chart::Bar)],
        }
    }

    fn tables(tables: Vec<TableSpec>, outcomes: &[Outcome]) -> (Vec<DataTable>, Vec<String>) {
        let names = RunNames::new(std::time::UNIX_EPOCH + std::time::Duration::from_millis(1));
        let (tables, errors) = ReportSpec { tables, ..ReportSpec::default() }.tables(
            outcomes,
            &[],
            &names,
            &Redactor::default(),
            &IsOver::default(),
        );
        (tables, errors.iter().map(Error::one_line).collect())
    }

    #[test]
    fn a_table_says_which_sources_are_missing() {
        let outcomes = [
            outcome("a", &[3], None),
            outcome("cargo-eu", &[], Some("401: invalid api key")),
            outcome("b", &[1, 2], Some("page 3: timeout")),
        ];
        let (shown, errors) = tables(vec![spec("prices")], &outcomes);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(shown[0].title.as_deref(), Some("Cheapest, 1970-01-01"));
        let notes: Vec<&str> = shown[0].notes.iter().map(|note| &**note).collect();
        let missing = "1 of 3 sources; missing: cargo-eu, 401: invalid api key; incomplete: b, page 3: timeout";
        assert_eq!(notes, [missing, "the first 2 of 3 rows"]);
        assert_eq!(serde_json::to_string(&shown[0].rows).expect("data"), r#"[[1,"b"],[2,"b"]]"#);
        assert_eq!(tables(Vec::new(), &outcomes).0[0].rows.len(), 3);
    }

    #[cfg(feature = "sql")]
    #[test]
    fn a_query_makes_a_table_and_says_which_sources_are_missing() {
        let outcomes = [outcome("a", &[3, 1], None), outcome("b", &[], Some("401: invalid api key"))];
        let sql = |sql: &str| TableSpec { source: TableSource::Sql(sql.into()), charts: Vec::new(), ..spec("x") };
        let queries = [
            sql("select price, tries from prices join sources on sources.name = prices.source"),
            sql("select * from last.prices"),
            sql("select count(*) as n from attempts"),
            sql("select prize from prices"),
        ];
        let sorted = |mut spec: TableSpec, key: &str| {
            spec.sort = if key.is_empty() { Vec::new() } else { vec![SortKey::parse(key)] };
            spec
        };
        let [one, two, three, four] = queries;
        let specs = vec![sorted(one, "-price"), sorted(two, ""), sorted(three, "n"), sorted(four, "")];
        let (shown, errors) = tables(specs, &outcomes);
        assert_eq!(serde_json::to_string(&shown[0].rows).expect("data"), "[[3,0],[1,0]]");
        assert_eq!(*shown[0].notes[0], *"1 of 2 sources; missing: b, 401: invalid api key");
        assert_eq!((shown[1].columns.join(","), shown[1].rows.len()), ("price,source".to_owned(), 0));
        assert_eq!(serde_json::to_string(&shown[2].rows).expect("data"), "[[0]]");
        let place = "the report's table \"cheapest\" (line 7 of the plan): line 1, column 8";
        assert_eq!(errors, [format!("{place}: no such column: prize; prices has price, source")]);
    }

    #[cfg(feature = "sql")]
    #[test]
    fn a_query_of_a_table_whose_sources_failed_names_them() {
        let outcomes = [outcome("b", &[], Some("401: invalid api key"))];
        let sql =
            TableSpec { source: TableSource::Sql("select * from prices".into()), charts: Vec::new(), ..spec("x") };
        let (_, errors) = tables(vec![sql], &outcomes);
        let said = "the report's table \"cheapest\" (line 7 of the plan): no row of \"prices\" came, 0 of 1 source; missing: b, \
            401: invalid api key: line 1, column 15: no such table: prices; the tables are sources, attempts";
        assert_eq!(errors, [said]);
    }

    /// One bad source stood under every table.
    #[test]
    fn a_source_that_has_nothing_to_do_with_a_table_is_not_missing_in_it() {
        let mut health = outcome("health", &[], Some("404"));
        let mut elsewhere = outcome("other", &[], Some("503"));
        elsewhere.table = Some("stock".into());
        health.table = None;
        let mut never = outcome("never", &[], Some("skipped"));
        never.table = Some("prices".into());
        let (shown, _) = tables(vec![spec("prices")], &[outcome("a", &[3], None), health, elsewhere]);
        assert!(shown[0].notes.is_empty(), "{:?}", shown[0].notes);
        let (shown, _) = tables(vec![spec("prices")], &[outcome("a", &[3], None), never]);
        assert_eq!(*shown[0].notes[0], *"1 of 2 sources; missing: never, skipped");
    }

    #[test]
    fn a_table_that_cannot_be_made_says_why() {
        let outcomes = [outcome("a", &[3], None)];
        let (shown, errors) = tables(vec![spec("prizes")], &outcomes);
        let why = "no source gives rows to \"prizes\": the tables are prices, sources";
        assert_eq!(errors, [format!("the report's table \"cheapest\" (line 7 of the plan): {why}")]);
        assert_eq!(*shown[0].notes[0], format!("this table could not be made: {why}"));
        let charts = vec![("source".into(), Chart::Line)];
        let (shown, errors) = tables(vec![TableSpec { charts, ..spec("prices") }], &outcomes);
        assert!(errors[0].ends_with("no line can be drawn of \"source\": \"a\" is not a number"), "{errors:?}");
        assert!(shown[0].charts.is_empty() && shown[0].rows.len() == 1);
    }

    #[test]
    fn a_table_of_sources_that_all_failed_is_there_and_empty() {
        let (shown, errors) = tables(vec![spec("prices")], &[outcome("a", &[], Some("503"))]);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((&*shown[0].notes[0], shown[0].rows.len()), ("0 of 1 source; missing: a, 503", 0));
    }
}
