//! The commands: each joins plan, fetcher and report in a few lines.

use std::fmt::Write as _;

use roundup::report::{Destination, Format, Target};

use crate::args::{Check, Get, Run};
use crate::exit::Exit;
use crate::failed::Failed;
use crate::manner::Manner;
use crate::options::Options;
use crate::print;
use crate::round::{Interrupts, event_loop, round_up};
use crate::work::Work;

mod compare;
#[cfg(feature = "demo")]
mod demo;

pub(crate) use self::compare::compare;
#[cfg(feature = "demo")]
pub(crate) use self::demo::{demo, serve};

/// What is written where nothing was asked for.
pub(crate) const TABLE: Target = Target { format: Format::Table, destination: Destination::Stdout };

pub(crate) fn get(get: Get, mut options: Options) -> Result<Exit, Failed> {
    options.give("input", get.input);
    options.give("globoff", get.globoff);
    let manner = Manner::new(&options)?;
    let work = Work::from_urls(&get.urls, &options)?;
    once(work, &manner)
}

pub(crate) fn run(run: Run, mut options: Options) -> Result<Exit, Failed> {
    options.give("secrets", run.secrets);
    let manner = Manner::new(&options)?;
    let work = Work::from_plan(&run.plan, &options)?;
    once(work, &manner)
}

/// One run, its reports, its exit code.
fn once(mut work: Work, manner: &Manner) -> Result<Exit, Failed> {
    if let Some(folder) = &manner.output_dir {
        work.save_to(folder);
    }
    let fetcher = manner.fetcher(&work)?;
    let writer = manner.open(&work, Some(TABLE))?;
    let event_loop = event_loop(manner);
    let finished = event_loop.run(async {
        let interrupts = Interrupts::listen(&event_loop);
        round_up(&event_loop, &fetcher, work, writer, &interrupts, manner).await
    });
    // The process ends now, and the system takes all of it at once.
    std::mem::forget(finished.outcomes);
    Ok(finished.exit)
}

pub(crate) fn check(check: Check, mut options: Options) -> Result<Exit, Failed> {
    options.give("secrets", check.secrets);
    // What would be wrong with a run is wrong here; nothing is opened for writing.
    Manner::new(&options)?;
    let work = Work::from_plan(&check.plan, &options)?;
    let plan = work.into_plan();
    let mut text = String::new();
    for line in plan.explain() {
        text.push_str(&line);
        text.push('\n');
    }
    let limits = &plan.limits;
    let jobs = plan.jobs.len();
    let _ = write!(text, "{jobs} {}, {} at once", if jobs == 1 { "job" } else { "jobs" }, limits.concurrency);
    if let Some(per_host) = limits.per_host {
        let _ = write!(text, ", {per_host} on a host");
    }
    if let Some(rate) = limits.rate {
        let _ = write!(text, ", {rate}");
    }
    if let Some(deadline) = plan.deadline {
        let _ = write!(text, ", done within {}", roundup::units::DisplayDuration(deadline));
    }
    text.push('\n');
    print(&text)
}
