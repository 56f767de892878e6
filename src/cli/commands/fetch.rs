//! `get` and `run`.

use super::curl::print_commands;
use super::table::table;
use crate::cli::config::{Config, OutputConfig};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::{Flags, Get, Run};
use crate::cli::interrupts::Interrupts;
use crate::cli::jobs::JobSet;
use crate::cli::report_tables::planned;
use crate::cli::run::{PreparedRun, event_loop};
use crate::cli::watch::{WatchSpec, watch};

pub(crate) fn get(get: &Get, flags: &Flags) -> Result<Exit, CommandError> {
    let config = Config::new(flags)?;
    let mut jobs = JobSet::from_urls(&get.urls, &config)?;
    if flags.on("curl")? {
        return print_commands(jobs, &config, flags);
    }
    if let Some(file) = &config.output.file {
        jobs.save_only_to(file)?;
    }
    fetch(jobs, &config)
}

pub(crate) fn run(run: &Run, flags: &Flags) -> Result<Exit, CommandError> {
    #[cfg(feature = "fleet")]
    if flags.one("fleet").is_none() {
        crate::cli::fleet::check_options_without_fleet(flags)?;
    }
    let mut config = Config::new(flags)?;
    let jobs = JobSet::from_plan(&run.plan, &config)?;
    if flags.on("curl")? {
        return print_commands(jobs, &config, flags);
    }
    config.output = OutputConfig::of_plan(flags, planned(&run.plan, &jobs.report)?)?;
    match WatchSpec::new(&run.plan, &jobs, &config, flags)? {
        #[cfg(feature = "fleet")]
        None if flags.one("fleet").is_some() => crate::cli::fleet::run(&run.plan, jobs, &config, flags, table()),
        Some(spec) => watch(&run.plan, flags, config, jobs, spec, table()),
        None => fetch(jobs, &config),
    }
}

/// One run, its reports, its exit code.
fn fetch(mut jobs: JobSet, config: &Config) -> Result<Exit, CommandError> {
    jobs.may_be_kept = true;
    let run = PreparedRun::new(jobs, config, table())?;
    let event_loop = event_loop(config);
    let result = event_loop.run(async {
        let interrupts = Interrupts::listen(&event_loop);
        run.execute(&event_loop, &interrupts).await
    });
    // The process ends now, and the system frees all memory at once.
    std::mem::forget(result.outcomes);
    Ok(result.exit)
}
