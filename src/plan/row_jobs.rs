//! The jobs of a table that differ in the path, query or fragment of their URL alone: the first one says that all of them
//! can be made, so the others are made when they start.

use std::sync::Arc;

use url::Url;

use super::job_table::JobTable;
use super::template::{Piece, Row};
use super::url_template;
use crate::job_parts::JobParts;
use crate::planned_job::JobRows;
use crate::settings::Settings;

/// A table whose jobs are made one by one.
pub(super) struct RowJobs {
    table: Arc<JobTable>,
    /// Whether the values stand in brackets behind the name.
    brackets: bool,
    first: Url,
    /// Where the path begins in what the template of the URL says.
    path_at: usize,
}

impl RowJobs {
    /// The jobs of this table, if they are such; `first` is the URL of its first one.
    pub(super) fn of(table: &Arc<JobTable>, brackets: bool, first: &Url) -> Option<RowJobs> {
        let path_at = path_of(table.url.1.pieces())?;
        Some(RowJobs { table: table.clone(), brackets, first: first.clone(), path_at })
    }

    /// Whether a URL can be made of this row: none of its values may be a step in the path, such as "..".
    pub(super) fn can_make(&self, row: &Row<'_>) -> bool {
        let values = self.table.url.1.pieces().iter().filter_map(|piece| piece.value(row));
        values.into_iter().all(|value| value.text().bytes().any(|byte| byte != b'.'))
    }
}

impl JobRows for RowJobs {
    fn make(&self, row: usize, settings: Arc<Settings>) -> JobParts {
        let row = self.table.each.combination(row);
        let filled = url_template::fill(&self.table.url.1, &row).unwrap_or_default();
        // What is behind the authority never makes a URL invalid.
        let url = filled.text.get(self.path_at..).and_then(|path| self.first.join(path).ok());
        let name = self.table.fill_name(&filled.shown, &row, self.brackets);
        let mut parts = JobParts::of(url.unwrap_or_else(|| self.first.clone()), filled.shown.trim(), settings);
        parts.name(name.into());
        parts.values = row.iter().map(|(name, value)| (*name, value.cell())).collect();
        parts
    }

    fn origin_url(&self) -> &Url {
        &self.first
    }
}

/// Where the path begins, if everything before it is text of the plan.
fn path_of(pieces: &[Piece]) -> Option<usize> {
    let Some(Piece::Text(text)) = pieces.first() else { return None };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let path_at = text.len() - rest.len() + rest.find(['/', '\\', '?', '#'])?;
    // A path that begins with two slashes would be taken for an authority when it stands alone, and blanks are dropped.
    let path = &text[path_at..];
    let is_path = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
    (is_path && !rest.starts_with(['/', '\\'])).then_some(path_at)
}
