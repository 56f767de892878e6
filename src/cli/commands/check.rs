//! `check`: a plan explained, and nothing fetched.

use std::fmt::Write as _;

use roundup::Shard;
use roundup::graph::JobGraph;
use roundup::plan::Plan;
use roundup::printable;
use roundup::units::DisplayDuration;

use crate::cli::config::{Config, OutputConfig};
use crate::cli::console::print;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::{Check, Flags};
use crate::cli::jobs::JobSet;
use crate::cli::report_tables::planned;
use crate::cli::shared_files;
use crate::cli::watch::WatchSpec;

/// Reads flags and plan as `run` does, so that what is wrong with a run is wrong here. Opens nothing for writing.
pub(crate) fn check(check: &Check, flags: &Flags) -> Result<Exit, CommandError> {
    let config = Config::new(flags)?;
    let mut jobs = JobSet::from_plan(&check.plan, &config)?;
    let rounds = WatchSpec::new(&check.plan, &jobs, &config, flags)?;
    let output = OutputConfig::of_plan(flags, planned(&check.plan, &jobs.report)?)?;
    if let Some(folder) = &output.folder {
        jobs.save_to(folder);
    }
    if let Some(shard) = config.shard {
        jobs.keep_shard(shard, &config);
    }
    let state = config.state.file.as_deref().or(jobs.state_file.as_deref());
    shared_files::check(&output.reports, state, &jobs, &output)?;
    let plan = jobs.into_plan();
    let mut text = String::new();
    for line in plan.explain() {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str(&limits(&plan, config.shard));
    if let Some(rounds) = rounds {
        let _ = write!(text, ", {rounds}");
    }
    text.push('\n');
    print(&text)
}

/// The last line: how many jobs there are, and the limits of the run.
fn limits(plan: &Plan, shard: Option<Shard>) -> String {
    let limits = &plan.limits;
    let jobs = plan.jobs.len() + plan.graph.as_ref().map_or(0, JobGraph::known_late_jobs);
    let mut line = format!("{jobs} {}", if jobs == 1 { "job" } else { "jobs" });
    if let Some(shard) = shard {
        let _ = write!(line, " of shard {shard}");
    }
    let sources = plan.graph.iter().flat_map(JobGraph::row_sources);
    for source in sources {
        let _ = write!(line, ", more for each row of {}", printable(source, &[]));
    }
    let _ = write!(line, ", {} at once", limits.concurrency);
    if let Some(per_host) = limits.per_host {
        let _ = write!(line, ", {per_host} on a host");
    }
    if let Some(rate) = limits.rate {
        let _ = write!(line, ", {rate}");
    }
    if let Some(deadline) = plan.deadline {
        let _ = write!(line, ", done within {}", DisplayDuration(deadline));
    }
    line
}
