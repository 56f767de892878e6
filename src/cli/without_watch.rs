//! A build that runs each plan once: the same signatures, and errors that name the feature.

use std::fmt;

use roundup::report::Output;

use super::config::Config;
use super::error::CommandError;
use super::exit::Exit;
use super::flags::Flags;
use super::jobs::JobSet;

/// There is none.
#[derive(Debug)]
pub(crate) enum WatchSpec {}

impl fmt::Display for WatchSpec {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl WatchSpec {
    /// Every plan is run once: options for rounds and `[watch]` are refused where they are read.
    pub(crate) fn new(_: &str, _: &JobSet, _: &Config, _: &Flags) -> Result<Option<WatchSpec>, CommandError> {
        Ok(None)
    }
}

pub(crate) fn watch(
    _: &str,
    _: &Flags,
    _: Config,
    _: JobSet,
    spec: WatchSpec,
    _: Option<Output>,
) -> Result<Exit, CommandError> {
    match spec {}
}
