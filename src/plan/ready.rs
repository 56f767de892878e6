//! A plan that was read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(doc)]
use super::MAX_DIAGNOSTICS;
use super::diagnostic::Diagnostic;
use crate::graph::JobGraph;
use crate::job::Job;
use crate::kept_runs::KeptRuns;
use crate::limits::Limits;
use crate::redact::Redactor;
use crate::settings::Settings;
use crate::tables::ReportSpec;

/// A plan that can be run: at least one job, all values in place.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The jobs in the order of the file; names are unique.
    pub jobs: Vec<Job>,
    /// What follows from what, if jobs need others: then [`jobs`](Self::jobs) are those that need nothing, each with its
    /// place in the plan, and the others are made in the run. See [`JobGraph::run_with`].
    pub graph: Option<JobGraph>,
    /// `[limits]` and the limits of `[hosts]`.
    pub limits: Limits,
    /// The longest time the whole run may take; none by default.
    pub deadline: Option<Duration>,
    /// `[report]`: what is shown of the run, and where it is written.
    pub report: ReportSpec,
    /// What is not wrong, and probably not meant: hosts that no job names. At most [`MAX_DIAGNOSTICS`].
    pub warnings: Vec<Diagnostic>,
    /// Hides the values of all variables the plan uses.
    pub redactor: Redactor,
    /// `[state]`: where runs are kept.
    pub state: StateTable,
    /// `[watch]`: whether and how it is run again and again.
    #[cfg(feature = "watch")]
    pub watch: Option<WatchTable>,
}

/// Where the runs of a plan are kept: its table `[state]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateTable {
    /// The file, relative to the folder of the plan; none if runs are not kept.
    pub file: Option<PathBuf>,
    /// Which runs are kept; all by default.
    pub keep: Option<KeptRuns>,
    /// How many bytes the file may have in use; older runs are let go for it. No limit by default.
    pub size: Option<u64>,
}

/// How a plan is watched: its table `[watch]`.
#[cfg(feature = "watch")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchTable {
    /// The time from the start of one round to that of the next.
    pub every: Option<Duration>,
    /// The most by which a round starts later than its time, at random; a tenth of `every` by default.
    pub jitter: Option<Duration>,
    /// How many rounds there are; no end by default.
    pub max_runs: Option<u32>,
    /// A program and its arguments, run when results are others than in the round before; empty for none.
    pub on_change: Vec<String>,
    /// The same for sources that begin to fail.
    pub on_failure: Vec<String>,
    /// The longest time that such a program may take.
    pub hook_timeout: Option<Duration>,
}

impl Plan {
    /// Changes the settings of all jobs, as options of a command line do. Jobs that shared settings still share them:
    /// `change` is called once for each distinct one.
    pub fn change_settings(&mut self, mut change: impl FnMut(&mut Settings)) {
        // The old settings live on in the map, so that no address is used twice.
        let mut changed: BTreeMap<*const Settings, (Arc<Settings>, Arc<Settings>)> = BTreeMap::new();
        for job in std::mem::take(&mut self.jobs) {
            let old = job.settings().clone();
            let (_, new) = changed.entry(Arc::as_ptr(&old)).or_insert_with(|| {
                let mut new = Settings::clone(&old);
                change(&mut new);
                (old, Arc::new(new))
            });
            let new = new.clone();
            self.jobs.push(job.with_settings(new));
        }
    }
}
