//! Rows: what was picked out of the contents of sources, and the tables that a report shows of them.
//!
//! A source gives [`Rows`] to a table; [`DataTable::gather`] puts those of all sources together, in input order. Cells keep
//! what the server wrote: numbers their digits, objects their order.

mod cell;
mod condition;
mod content_format;
mod conversion;
#[cfg(any(feature = "fetcher", feature = "plan"))]
pub(crate) mod csv_reader;
mod data_table;
mod decimal;
#[cfg(feature = "fetcher")]
pub(crate) mod json_picker;
mod pattern;
mod record;
#[cfg(feature = "fetcher")]
pub(crate) mod row_table;
mod selection;
mod time;
#[cfg(feature = "xml")]
mod xml;

pub use cell::Cell;
#[cfg(feature = "fetcher")]
pub(crate) use condition::shorten;
pub use condition::{Condition, ValueBounds, ValueType};
pub use content_format::{ContentForm, ContentFormat};
pub use conversion::Conversion;
#[cfg(any(feature = "fetcher", feature = "report"))]
pub(crate) use data_table::join_rows;
pub use data_table::{Chart, Columns, DataTable, Rows};
pub(crate) use decimal::Decimal;
pub use pattern::Pattern;
pub use record::Record;
pub use selection::{Missing, Selection, ValueSource};
#[cfg(any(feature = "report", feature = "state"))]
pub(crate) use time::parse_rfc3339;
#[cfg(all(feature = "fetcher", feature = "xml"))]
pub(crate) use xml::xml_to_json;
