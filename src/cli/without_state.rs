//! A build that keeps no runs: the same signatures, and errors that name the feature.

use std::num::NonZeroU32;
use std::time::Duration;

use roundup::event_loop::EventLoop;
use roundup::report::SettledHost;
use roundup::rows::Rows;
use roundup::tables::ReportSpec;
use roundup::{Fetcher, Origin};

use super::config::Config;
use super::error::CommandError;
use super::exit::Exit;
use super::jobs::JobSet;
use super::running::{EventGroup, RunningJobs, RunningPages};

/// There is none.
#[derive(Debug)]
pub(crate) enum KeptRun {}

/// Outcomes of a run as they come.
pub(crate) struct OutcomeStream(RunningPages);

impl KeptRun {
    /// # Errors
    /// The run is to be kept.
    pub(crate) fn open(jobs: &mut JobSet, config: &Config) -> Result<Option<KeptRun>, CommandError> {
        if !jobs.may_be_kept {
            return Ok(None);
        }
        if config.state.file.is_some() || jobs.state_file.is_some() || config.state.repeat.is_some() {
            let text = "this build keeps no runs: take one with the cargo feature \"state\"";
            return Err(CommandError::usage(text));
        }
        if jobs.keeps_responses(config) {
            let text = "this build keeps no responses, for cache and stale_if_error: take one with the cargo feature \"state\"";
            return Err(CommandError::usage(text));
        }
        Ok(None)
    }

    pub(crate) fn found(&self) -> Vec<(Origin, NonZeroU32)> {
        match *self {}
    }

    pub(crate) fn cached(&self, _: Fetcher, _: &str) -> Fetcher {
        match *self {}
    }

    pub(crate) fn last_rows(&self, _: &ReportSpec) -> Vec<Rows> {
        match *self {}
    }
}

impl OutcomeStream {
    pub(crate) fn new(
        _: &EventLoop,
        _: Option<KeptRun>,
        outcomes: RunningJobs,
        by_pages: Option<bool>,
    ) -> OutcomeStream {
        OutcomeStream(outcomes.by_pages(by_pages))
    }

    /// The next outcomes, each of which waits this long for others, or rows of a page.
    pub(crate) async fn next_group(&mut self, wait: Duration) -> EventGroup {
        self.0.next_group(wait).await
    }

    pub(crate) async fn end(self, _: bool, _: Duration, _: Vec<SettledHost>) -> Exit {
        Exit::Success
    }
}
