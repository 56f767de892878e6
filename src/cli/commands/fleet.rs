//! `worker`, `submit` and `collect`.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use futures_lite::FutureExt;
use roundup::event_loop::Event;
use roundup::fleet::Worker;
use roundup::plan::FileNames;
use roundup::{Error, HostKey, Kind, Result, remove_leftovers};

use super::table::table;
use crate::cli::config::{Config, OutputConfig};
use crate::cli::console::{LogPrinter, complain, print};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::{Collect, Flags, Submit, WorkerCommand};
use crate::cli::fleet::{
    address, check, fetch, find, fleet, key, log_redactor, redis_transport, secrets_of_jobs, settings,
};
use crate::cli::interrupts::Interrupts;
use crate::cli::jobs::JobSet;
use crate::cli::report_tables::planned;
use crate::cli::run::{event_loop, make_folder};

pub(crate) fn worker(command: &WorkerCommand, flags: &Flags) -> Result<Exit, CommandError> {
    let config = Config::new(flags)?;
    let address = address(&command.url, flags)?;
    let hosts = flags.all("allow").iter().map(|host| host.parse(HostKey::new)).collect::<Result<Vec<_>>>()?;
    let is_held_to_hosts = !hosts.is_empty();
    let mut transport = config.transport.clone().no_private(flags.on("no_private")?);
    if is_held_to_hosts {
        transport = transport.reach(move |origin| hosts.iter().any(|host| host.matches(origin)));
    }
    let mut worker = Worker::new(address.clone(), redis_transport(flags)?, transport.build()?)
        .idle_exit(config.fleet.idle_exit)
        .notes(complain);
    if let Some(jobs) = flags.count("concurrency")?.and_then(NonZeroU32::new) {
        worker = worker.concurrency(jobs);
    }
    let key = key(flags)?;
    // Sealed jobs are of those who have the key.
    if is_held_to_hosts || key.is_some() {
        worker = worker.secrets(secrets_of_jobs(flags)?);
    } else if flags.text("secrets").is_some() {
        let text = "--secrets has no effect without --allow or --fleet-key: jobs come from whoever can write to the Redis, and say where secrets go";
        return Err(CommandError::usage(text));
    }
    worker = key.into_iter().fold(worker, Worker::key);
    if let Some(folder) = &config.output.folder {
        worker = worker.save_large(places_in(folder)?);
    }
    let redactor = log_redactor(flags)?;
    let event_loop = event_loop(&config);
    let done = event_loop.run(async {
        let _log = (config.output.verbose > 0).then(|| LogPrinter::start(&event_loop, redactor));
        let interrupts = Interrupts::listen(&event_loop);
        let stop = Rc::<Event>::default();
        let stopped = async {
            interrupts.end().await;
            stop.set();
            std::future::pending().await
        };
        if !config.output.quiet {
            complain(&format!("worker {} takes jobs from {address}", worker.name()));
        }
        worker.work(&event_loop, stop.clone()).or(stopped).await
    })?;
    if !config.output.quiet {
        complain(&format!("jobs done: {done}"));
    }
    Ok(Exit::Success)
}

/// Makes the folder, and names a file in it for each content, by its job as `run --output-dir` does. What is there already stays,
/// because an outcome may tell of it.
fn places_in(folder: &Path) -> Result<impl Fn(&str) -> PathBuf + Send + Sync + 'static, CommandError> {
    make_folder(folder).map_err(|error| CommandError::report(&error))?;
    remove_leftovers(folder);
    let unreadable = |error| {
        let text = format!("the folder {} cannot be read", folder.display());
        CommandError::report(&Error::new(Kind::Io, text).with_source(error))
    };
    let mut names = FileNames::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        names.reserve(&entry.map_err(unreadable)?.file_name().to_string_lossy());
    }
    let (names, folder) = (Mutex::new(names), folder.to_owned());
    Ok(move |job: &str| folder.join(names.lock().unwrap_or_else(PoisonError::into_inner).name_for(job)))
}

pub(crate) fn submit(submit: &Submit, flags: &Flags) -> Result<Exit, CommandError> {
    let config = Config::new(flags)?;
    let mut jobs = JobSet::from_plan(&submit.plan, &config)?;
    let (fleet, _) = fleet(&submit.url, flags)?;
    check(&fleet, &jobs)?;
    let settings = roundup::fleet::FleetSettings { bodies: true, ..settings(&jobs, &config) };
    let event_loop = event_loop(&config);
    let all = std::mem::take(&mut jobs.jobs);
    let run = event_loop.run(async {
        let run = fleet.begin(settings).await?;
        match run.submit(all).await {
            Ok(_) => Ok(run),
            Err(error) => {
                // What is there by then is of no use.
                let _ = run.end().await;
                Err(error)
            }
        }
    })?;
    print(&format!("{}\n", run.id()))
}

pub(crate) fn collect(collect: &Collect, flags: &Flags) -> Result<Exit, CommandError> {
    let mut config = Config::new(flags)?;
    let jobs = JobSet::from_plan(&collect.plan, &config)?;
    config.output = OutputConfig::of_plan(flags, planned(&collect.plan, &jobs.report)?)?;
    let (fleet, address) = fleet(&collect.url, flags)?;
    let event_loop = event_loop(&config);
    let run = find(&event_loop, &fleet, &address, &jobs, flags)?;
    if flags.on("cancel")? {
        event_loop.run(run.end())?;
        if !config.output.quiet {
            complain(&format!("run {} was cancelled", run.id()));
        }
        return Ok(Exit::Success);
    }
    check(&fleet, &jobs)?;
    fetch((&collect.plan, &collect.url, &address), jobs, (&config, flags), table(), |_| Ok(run))
}
