//! The jobs of a table that differ in the path, query or fragment of their URL alone: the first one says that all of them
//! can be made, so the others are made when they start.

use std::sync::Arc;

use url::Url;

use super::job_table::JobTable;
use super::template::{Piece, Row};
use super::url_template::{UrlStart, fill_on};
use crate::job_parts::JobParts;
use crate::planned_job::JobRows;
use crate::settings::Settings;

/// A table whose jobs are made one by one.
pub(super) struct RowJobs {
    table: Arc<JobTable>,
    /// Whether the values stand in brackets behind the name.
    brackets: bool,
    first: Url,
    /// What the URLs begin with.
    start: UrlStart,
    /// How long the URLs are up to the end of their authority, which all of them share.
    authority_end: usize,
}

impl RowJobs {
    /// The jobs of this table, if they are such; `first` is the URL of its first one.
    pub(super) fn of(table: &Arc<JobTable>, brackets: bool, first: &Url) -> Option<RowJobs> {
        let authority_end = authority_end(table.url.1.pieces())?;
        let start = UrlStart::of(&table.url.1);
        Some(RowJobs { table: table.clone(), brackets, first: first.clone(), start, authority_end })
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
        let filled = fill_on(&self.start, &self.table.url.1, &row);
        // It was filled when the plan was read.
        debug_assert!(filled.is_ok(), "{filled:?}");
        let filled = filled.unwrap_or_default();
        let name = self.table.fill_name(&filled.shown, &row, self.brackets);
        let url = with_rest(&self.first, filled.text.trim_end().get(self.authority_end..));
        let mut parts = JobParts::of(url, filled.shown.trim(), settings);
        parts.name(name.into());
        parts.values = row.iter().map(|(name, value)| (*name, value.cell())).collect();
        parts
    }

    fn origin_url(&self) -> &Url {
        &self.first
    }
}

/// The URL with this behind its authority. A host cannot change by that, whatever stands there, and neither can the URL become
/// invalid. If there is nothing to put there, because a template could not be filled, nothing must be sent: the host is one
/// that never exists (RFC 6761, section 6.4).
fn with_rest(first: &Url, rest: Option<&str>) -> Url {
    let mut url = first.clone();
    let Some(rest) = rest else {
        // It fails for URLs without a host, and these are of http or https.
        let _ = url.set_host(Some("job.invalid"));
        return url;
    };
    let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    // What is behind goes first, because a path moves it.
    if fragment.is_some() || url.fragment().is_some() {
        url.set_fragment(fragment);
    }
    if query.is_some() || url.query().is_some() {
        url.set_query(query);
    }
    // To set a path means to read it; mostly values are in the query.
    if url.path() != path {
        url.set_path(path);
    }
    url
}

/// Where the path begins, or what is there in its place, if everything before it is text of the plan.
fn authority_end(pieces: &[Piece]) -> Option<usize> {
    let Some(Piece::Text(text)) = pieces.first() else { return None };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    // Further slashes before the host are passed over, so the authority would be behind them.
    let end = rest.find(['/', '\\', '?', '#']).filter(|end| *end > 0)?;
    Some(text.len() - rest.len() + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::parse_url;

    /// What is put behind an authority must make the URL that the whole text is, whatever was there before.
    #[test]
    fn what_stands_behind_the_authority_is_read_as_in_a_whole_url() {
        const PARTS: [&str; 26] = [
            "/", "/", "\\", ".", "..", "%2e", "%2E.", "?", "#", "a", "b c", ":", "@", "é", "[", "]", "{", "}", "|",
            "^", "`", "'", "\"", "<", ">", "%",
        ];
        let mut rng = fastrand::Rng::with_seed(3986);
        for authority in ["http://h.example", "https://me:pw@h.example:8443", "http://[::1]:81"] {
            for before in ["", "/x", "/x?y", "/x#z", "?y#z", "//other.example/x?y"] {
                let first = parse_url(&format!("{authority}{before}")).expect("a good URL");
                for _ in 0..3_000 {
                    let behind: String = (0..rng.usize(0..9)).map(|_| PARTS[rng.usize(..PARTS.len())]).collect();
                    if !matches!(behind.chars().next(), None | Some('/' | '\\' | '?' | '#')) {
                        continue;
                    }
                    let whole =
                        parse_url(&format!("{authority}{behind}")).expect("what is behind makes no URL invalid");
                    let made = with_rest(&first, Some(behind.trim_end()));
                    assert_eq!(made, whole, "{before} {behind}");
                    assert_eq!(made.path_segments().map(Iterator::count), whole.path_segments().map(Iterator::count));
                }
            }
        }
        assert_eq!(with_rest(&parse_url("http://h/x").expect("good"), None).host_str(), Some("job.invalid"));
    }
}
