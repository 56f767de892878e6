//! The tables that a report shows: a [`ReportSpec`] says which, and [`ReportSpec::tables`] makes them of outcomes.
//!
//! Rows are sorted and cut here, and a table that is incomplete because sources failed gets a note that says so, so that all
//! formats show the same.

mod arrange;
mod is_over;
mod make;
#[cfg_attr(not(feature = "sql"), path = "no_queries.rs")]
mod queries;
mod report_spec;
mod sources;
#[cfg(feature = "sql")]
mod sql;

pub use is_over::IsOver;
pub use report_spec::{OutputSpec, ReportSpec, RunNames, SortKey, TableSource, TableSpec};
#[cfg(feature = "plan")]
pub(crate) use report_spec::{RUN_NAMES, RUNS_SQL};
#[cfg(all(feature = "sql", feature = "report"))]
pub(crate) use sources::attempts;
#[cfg(feature = "report")]
pub(crate) use sources::host;
pub use sources::sources;
#[cfg(feature = "sql")]
pub use sql::{Database, QUERY_MEMORY, QUERY_TIME};
#[cfg(all(feature = "sql", feature = "report"))]
pub(crate) use sql::{distinct, needs_text, quoted, to_sql};
