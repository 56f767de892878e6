//! How a plan is watched: what options and its table `[watch]` say, checked.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use roundup::units::DisplayDuration;

use super::changes::ToldChanges;
use super::hook::Hook;
use crate::cli::config::Config;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::Flags;
use crate::cli::input::{DASH, shown};
use crate::cli::jobs::JobSet;

/// The longest time that a hook may take, if the plan says nothing.
const HOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// What is known of rounds before the first.
#[derive(Clone, Debug)]
pub(crate) struct WatchSpec {
    pub(super) every: Duration,
    pub(super) jitter: Option<Duration>,
    pub(super) max_runs: Option<u32>,
    pub(super) on_change: Option<Hook>,
    pub(super) on_failure: Option<Hook>,
}

/// When rounds are, for people.
impl fmt::Display for WatchSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a round every {}", DisplayDuration(self.every))?;
        self.max_runs.map_or(Ok(()), |most| write!(f, ", {most} rounds"))
    }
}

impl WatchSpec {
    /// `None` if the plan is to be run once.
    ///
    /// # Errors
    /// The time between rounds is missing, or there is no such program as a hook names.
    pub(crate) fn new(
        plan: &str,
        jobs: &JobSet,
        config: &Config,
        flags: &Flags,
    ) -> Result<Option<WatchSpec>, CommandError> {
        let wrong =
            |text: String| CommandError { exit: Exit::Plan, lines: vec![format!("{}: watch.{text}", shown(plan))] };
        let Some(every) = config.rounds.every.or(jobs.watch.as_ref().and_then(|watch| watch.every)) else {
            return match &jobs.watch {
                Some(_) => Err(wrong("every is missing: write every = \"60s\", or --every 60s".to_owned())),
                None if flags.is_typed("max_runs") => {
                    Err(CommandError::usage("--max-runs needs the time between rounds: write --every 60s"))
                }
                None => Ok(None),
            };
        };
        let table = jobs.watch.clone().unwrap_or_default();
        let folder = Path::new(plan).parent().filter(|_| plan != DASH).unwrap_or(Path::new(""));
        let limit = table.hook_timeout.unwrap_or(HOOK_TIMEOUT);
        let hook = |key, words: &[String]| Hook::new(key, words, folder, limit).map_err(wrong);
        Ok(Some(WatchSpec {
            every,
            jitter: table.jitter,
            max_runs: config.rounds.max_runs.or(table.max_runs),
            on_change: hook("on_change", &table.on_change)?,
            on_failure: hook("on_failure", &table.on_failure)?,
        }))
    }

    /// Which changes a hook is told of.
    pub(super) fn told(&self) -> ToldChanges {
        match (&self.on_change, &self.on_failure) {
            (Some(_), _) => ToldChanges::All,
            (None, Some(_)) => ToldChanges::Failures,
            (None, None) => ToldChanges::None,
        }
    }

    /// Whether contents are compared: those of jobs that pick nothing out of them.
    pub(super) fn compares_bodies(&self, jobs: &JobSet) -> bool {
        let picks_nothing = || jobs.jobs.iter().any(|job| job.settings().select.is_empty());
        self.on_change.is_some() && (jobs.graph.is_some() || picks_nothing())
    }
}
