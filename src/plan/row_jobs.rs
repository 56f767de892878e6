//! The jobs of a table that differ in the path, query or fragment of their URL alone: the first one says that all of them
//! can be made, so the others are made when they start.

use std::sync::Arc;

use url::Url;

use super::job_table::JobTable;
use super::template::{Piece, Row};
use super::url_template;
use crate::job_parts::JobParts;
use crate::origin::parse_url;
use crate::planned_job::JobRows;
use crate::settings::Settings;

/// A table whose jobs are made one by one.
pub(super) struct RowJobs {
    table: Arc<JobTable>,
    /// Whether the values stand in brackets behind the name.
    brackets: bool,
    first: Url,
}

impl RowJobs {
    /// The jobs of this table, if they are such; `first` is the URL of its first one.
    pub(super) fn of(table: &Arc<JobTable>, brackets: bool, first: &Url) -> Option<RowJobs> {
        has_plain_authority(table.url.1.pieces()).then(|| RowJobs {
            table: table.clone(),
            brackets,
            first: first.clone(),
        })
    }

    /// Whether the URL of this row is sure to be one, as that of the first row is: no value of it may make a segment of the
    /// path a step such as `..`, in whatever way that is encoded. Others are looked at one by one.
    pub(super) fn can_make(&self, row: &Row<'_>) -> bool {
        row.iter().all(|(_, value)| value.text().bytes().any(|byte| !b".2eE".contains(&byte)))
    }
}

impl JobRows for RowJobs {
    fn make(&self, row: usize, settings: Arc<Settings>) -> JobParts {
        let row = self.table.each.combination(row);
        let filled = url_template::fill(&self.table.url.1, &row).unwrap_or_default();
        let name = self.table.fill_name(&filled.shown, &row, self.brackets);
        let mut parts = JobParts::of(parsed(&filled.text, &self.first), filled.shown.trim(), settings);
        parts.name(name.into());
        parts.values = row.iter().map(|(name, value)| (*name, value.cell())).collect();
        parts
    }

    fn origin_url(&self) -> &Url {
        &self.first
    }
}

/// The URL of a job, which never fails: its authority is that of the first one, and what is behind the authority makes no URL
/// invalid. If it did all the same, nothing must be sent: the host is one that never exists (RFC 6761, section 6.4).
fn parsed(text: &str, first: &Url) -> Url {
    let url = parse_url(text).ok().filter(|url| url.origin() == first.origin());
    debug_assert!(url.is_some(), "{text:?} is no URL of the origin of {first}");
    url.unwrap_or_else(|| {
        let mut nowhere = first.clone();
        // It fails for URLs without a host, and these are of http or https.
        let _ = nowhere.set_host(Some("job.invalid"));
        nowhere
    })
}

/// Whether everything up to the path is text of the plan.
fn has_plain_authority(pieces: &[Piece]) -> bool {
    let Some(Piece::Text(text)) = pieces.first() else { return false };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    // Further slashes before the host are passed over, so the authority would be behind them.
    rest.find(['/', '\\', '?', '#']).is_some_and(|end| end > 0)
}
