//! What a fetcher was told about its runs.

#[cfg(any(feature = "fleet", feature = "state"))]
use std::sync::Arc;
use std::time::Duration;

use super::limit_state::LimitState;
#[cfg(feature = "state")]
use crate::cache::CacheStore;
use crate::limits::Limits;
use crate::redact::Redactor;

/// The default of [`Fetcher::backlog`](super::Fetcher::backlog): as many jobs as a plan may have.
pub const DEFAULT_BACKLOG: usize = 100_000;

/// Everything about a run but its jobs and what they are sent through. See the setters of [`Fetcher`](super::Fetcher).
#[derive(Clone, Debug)]
pub(super) struct RunConfig {
    pub(super) limits: Limits,
    pub(super) deadline: Option<Duration>,
    pub(super) fail_fast: bool,
    pub(super) keep: Keep,
    pub(super) digests: bool,
    #[cfg(feature = "state")]
    pub(super) cache: Option<Arc<dyn CacheStore>>,
    pub(super) redactor: Option<Redactor>,
    pub(super) backlog: usize,
    /// Whether others fetch the jobs.
    pub(super) is_remote: bool,
    pub(super) limit_state: LimitState,
    /// Those who share the limits of the run, if there are some.
    #[cfg(feature = "fleet")]
    pub(super) sharer: Option<Arc<dyn super::shared_limits::LimitSharer>>,
}

/// What is kept of a response beyond status and figures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// The content, in memory.
    pub(super) bodies: bool,
    /// The fields of its head.
    pub(super) fields: bool,
}

impl Default for RunConfig {
    fn default() -> RunConfig {
        RunConfig {
            limits: Limits::default(),
            deadline: None,
            fail_fast: false,
            keep: Keep { bodies: true, fields: false },
            digests: false,
            #[cfg(feature = "state")]
            cache: None,
            redactor: None,
            backlog: DEFAULT_BACKLOG,
            is_remote: false,
            limit_state: LimitState::default(),
            #[cfg(feature = "fleet")]
            sharer: None,
        }
    }
}
