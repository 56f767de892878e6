//! What differs between two results: which sources appeared, went, ended otherwise, gave other values, contents or rows, and
//! took another time.
//!
//! Nothing here knows files: results come from [`read`](super::read) or from a state file, secrets hidden already.

mod content_places;
mod json;
mod result_diff;
mod row_key;
mod source_diff;
mod table_diff;
mod text;
mod time_noise;

pub use content_places::PlaceDiff;
pub use result_diff::{DiffSide, ResultDiff};
pub use row_key::RowKey;
pub use source_diff::{SourceChange, SourceDiff, SourceEnd};
pub use table_diff::{CellDiff, RowDiff, TableDiff};
