//! The differences as one JSON document.

use std::io::{self, Write};

use serde::Serialize;

use super::super::embed;
use super::super::escape::buffered;
use super::result_diff::ResultDiff;
use crate::redact::Redactor;

/// What stands at the top of the document.
#[derive(Serialize)]
struct DiffDocument<'a> {
    roundup: &'static str,
    differs: bool,
    #[serde(flatten)]
    diff: &'a ResultDiff,
}

impl ResultDiff {
    /// Writes all of it as one JSON document, on one line. Numbers keep their digits.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        buffered(out, |out| {
            let document = DiffDocument { roundup: env!("CARGO_PKG_VERSION"), differs: !self.is_empty(), diff: self };
            // Written once more, because JSON from elsewhere may hold what a terminal takes for a command.
            embed::write_compact(out, &Redactor::default(), &serde_json::to_string(&document)?)?;
            out.write_all(b"\n")
        })
    }
}
