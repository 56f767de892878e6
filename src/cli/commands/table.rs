//! What is written if nothing was asked for.

use roundup::report::Output;

/// The table on stdout.
pub(super) fn table() -> Option<Output> {
    Output::parse("table").ok()
}
