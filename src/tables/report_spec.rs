//! What a plan says of its report.

use std::time::SystemTime;

use crate::rfc3339::rfc3339;
use crate::rows::Chart;

/// `[report]` of a plan: what is shown, and where it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportSpec {
    /// What stands above the report. `{date}`, `{time}` and `{run}` in it are filled by [`RunNames::fill`].
    pub title: Option<Box<str>>,
    /// The tables to show, in order. If there are none, all tables that the rows make are shown.
    pub tables: Vec<TableSpec>,
    /// The tables that the jobs of the plan say they give rows to: those that are shown if `tables` has none.
    pub row_tables: Vec<Box<str>>,
    /// The reports to write, unless the caller asks for others.
    pub outputs: Vec<OutputSpec>,
}

impl ReportSpec {
    /// How many tables are shown, as far as that is known before the run.
    pub fn known_tables(&self) -> usize {
        if self.tables.is_empty() { self.row_tables.len() } else { self.tables.len() }
    }
}

/// A table to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// The line of the plan on which it begins, from 1.
    pub line: usize,
    /// What it is called in files: no other table of the report has this name.
    pub name: Box<str>,
    /// What stands above it, if it is not the name. Filled as the report's title is.
    pub title: Option<Box<str>>,
    /// Where its rows come from.
    pub source: TableSource,
    /// The columns to show, in this order; all of them if it is empty.
    pub columns: Vec<Box<str>>,
    /// What the rows are sorted by, the most important first; as they come if it is empty.
    pub sort: Vec<SortKey>,
    /// The most rows to show.
    pub limit: Option<usize>,
    /// Columns that have a chart.
    pub charts: Vec<(Box<str>, Chart)>,
}

/// A column that rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The column.
    pub column: Box<str>,
    /// Whether the largest value comes first.
    pub descending: bool,
}

impl SortKey {
    /// Reads `price`, or `-price` for the largest first.
    pub fn parse(text: &str) -> SortKey {
        let column = text.strip_prefix('-');
        SortKey { column: column.unwrap_or(text).into(), descending: column.is_some() }
    }
}

/// Where the rows of a table come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableSource {
    /// The table of this name that rows of sources make, or `sources`, which has a row for each source.
    Rows(Box<str>),
    /// A query over these tables, in the SQL of SQLite. It needs the feature `sql`.
    Sql(Box<str>),
}

/// A report to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    /// The line of the plan on which it begins, from 1.
    pub line: usize,
    /// The name of the format; `None` if the file's ending tells it.
    pub format: Option<Box<str>>,
    /// The file; `None` for stdout. `{date}`, `{time}` and `{run}` in it are filled by [`RunNames::fill`], and `{table}`
    /// stands for the name of each table.
    pub file: Option<Box<str>>,
    /// Whether it begins with a byte order mark, for programs that take UTF-8 for something else without.
    pub bom: bool,
}

/// The values of the names that belong to a run: `{date}`, `{time}` and `{run}`, all of its start and in UTC.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use roundup::tables::RunNames;
///
/// let names = RunNames::new(UNIX_EPOCH + Duration::from_secs(1_769_860_800));
/// assert_eq!(names.fill("{date} {time} {run}.{table} {{date}} {x}"), "2026-01-31 120000 20260131T120000Z.{table} {date} {x}");
/// assert_eq!(names.of_table("prices/eu").fill("{table}.csv"), "prices_eu.csv");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunNames {
    values: Vec<(&'static str, String)>,
}

impl RunNames {
    /// The names of a run that started then; `unknown` for the start of 1970, which stands for a start that is not known.
    pub fn new(started: SystemTime) -> RunNames {
        if started == SystemTime::UNIX_EPOCH {
            let unknown = |name| (name, "unknown".to_owned());
            return RunNames { values: ["date", "time", "run"].map(unknown).into() };
        }
        let text = rfc3339(started);
        // The form is fixed: 2026-01-31T12:00:00.000Z.
        let (date, time) = (&text[..10], text[11..19].replace(':', ""));
        let run = format!("{}T{time}Z", date.replace('-', ""));
        RunNames { values: vec![("date", date.to_owned()), ("time", time), ("run", run)] }
    }

    /// The same, with `{table}` for this table. What no file name can hold is replaced.
    pub fn of_table(&self, name: &str) -> RunNames {
        let name = name.replace(|c: char| c.is_control() || "/\\:*?\"<>|".contains(c), "_");
        let mut values = self.values.clone();
        values.push(("table", if name.trim_matches('.').is_empty() { "_".to_owned() } else { name }));
        RunNames { values }
    }

    /// The text with values in place of the names that have one. `{{date}}` is the text `{date}`.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let known = self.values.iter().find_map(|(name, value)| {
                let braced = format!("{{{name}}}");
                match rest.strip_prefix('{').and_then(|inner| inner.strip_prefix(&braced)?.strip_prefix('}')) {
                    Some(after) => Some((braced, after)),
                    None => rest.strip_prefix(&braced).map(|after| (value.clone(), after)),
                }
            });
            let (value, after) = known.unwrap_or_else(|| ("{".to_owned(), &rest[1..]));
            filled.push_str(&value);
            rest = after;
        }
        filled + rest
    }

    /// The text with braces doubled where [`RunNames::fill`] would take what stands in them for a name.
    pub(crate) fn escape(text: &str) -> String {
        RUN_NAMES
            .iter()
            .fold(text.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), &format!("{{{{{name}}}}}")))
    }
}

/// All names that a run may have.
pub(crate) const RUN_NAMES: [&str; 4] = ["date", "time", "run", "table"];

/// Whether this build can carry out a [`TableSource::Sql`].
pub(crate) const RUNS_SQL: bool = cfg!(feature = "sql");
