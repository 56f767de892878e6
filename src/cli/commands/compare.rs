//! `compare`: the same work one at a time, then concurrently.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use roundup::Summary;
use roundup::event_loop::unblock;
use roundup::report::Output;

use crate::cli::config::{Config, OutputConfig};
use crate::cli::console::{complain, print};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::{Compare, Flags};
use crate::cli::interrupts::Interrupts;
use crate::cli::jobs::JobSet;
use crate::cli::report_tables::planned;
use crate::cli::run::{PreparedRun, RunResult, event_loop};

pub(crate) fn compare(compare: &Compare, flags: &Flags) -> Result<Exit, CommandError> {
    let mut config = Config::new(flags)?;
    let jobs = match compare.work.as_slice() {
        [plan] if is_plan(plan) => {
            if flags.is_typed("input") {
                return Err(CommandError::usage("a plan and --input exclude each other: compare one of them"));
            }
            let jobs = JobSet::from_plan(plan, &config)?;
            config.output = OutputConfig::of_plan(flags, planned(plan, &jobs.report)?)?;
            jobs
        }
        _ if flags.is_typed("secrets") || flags.is_typed("variable") => {
            let option = if flags.is_typed("secrets") { "--secrets" } else { "--variable" };
            let text = format!("{option} has no effect without a plan: write roundup compare PLAN.toml");
            return Err(CommandError::usage(text));
        }
        urls => JobSet::from_urls(urls, &config)?,
    };
    run_twice(jobs, &config, None)
}

/// A file and not a URL.
fn is_plan(text: &str) -> bool {
    !text.contains("://") && (text.ends_with(".toml") || Path::new(text).is_file())
}

/// Runs the jobs one at a time and then concurrently, prints both times, and writes the reports of the second run.
pub(super) fn run_twice(jobs: JobSet, config: &Config, default_report: Option<Output>) -> Result<Exit, CommandError> {
    let mut one_at_a_time = jobs.clone();
    one_at_a_time.limits.concurrency = NonZeroU32::MIN;
    let first = PreparedRun::timed(one_at_a_time, config)?;
    let second = PreparedRun::new(jobs, config, default_report)?.without_totals();
    let concurrency = second.concurrency();
    let aside = config.output.stdout_is_data();
    let event_loop = event_loop(config);
    event_loop.run(async {
        let interrupts = Interrupts::listen(&event_loop);
        let one = first.execute(&event_loop, &interrupts).await;
        // If it was interrupted, the second run ends before it begins, and its report says so.
        let whole = !interrupts.came();
        if whole {
            let line = line("one at a time", one.elapsed, &one.summary, 1);
            unblock(move || show(&line, aside)).await?;
        }
        let RunResult { exit, summary, elapsed, .. } = second.execute(&event_loop, &interrupts).await;
        if !whole || interrupts.came() {
            return Ok(exit);
        }
        let ratio = ratio(one.elapsed, elapsed);
        let line = line("concurrently", elapsed, &summary, concurrency);
        unblock(move || show(&format!("{line}{ratio:.1} times as fast\n"), aside)).await?;
        Ok(exit.max(one.exit))
    })
}

/// How many times as fast the second was. Times are in whole milliseconds, so that less than one says nothing.
fn ratio(first: Duration, second: Duration) -> f64 {
    let least = Duration::from_millis(1);
    first.max(least).as_secs_f64() / second.max(least).as_secs_f64()
}

/// Prints lines: on stderr if stdout is for programs to read.
pub(super) fn show(text: &str, aside: bool) -> Result<Exit, CommandError> {
    if !aside {
        return print(text);
    }
    text.lines().for_each(complain);
    Ok(Exit::Success)
}

fn line(how: &str, elapsed: Duration, summary: &Summary, concurrency: u32) -> String {
    let Summary { total, ok, failed, attempts, .. } = summary;
    let sources = if *total == 1 { "source" } else { "sources" };
    let tries = if *attempts == 1 { "attempt" } else { "attempts" };
    let concurrency = (concurrency as usize).min(*total);
    let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
    let seconds = elapsed.as_secs_f64();
    format!(
        "{how:<14} {seconds:8.3} s  {total} {sources}, {ok} ok{failed}, {attempts} {tries}, at most {concurrency} at once\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One source that answered at once was said to be 4503599627370.5 times as fast.
    #[test]
    fn what_took_no_time_is_not_divided_by() {
        let ms = Duration::from_millis;
        for (first, second, times) in [(0, 0, 1.0), (1, 0, 1.0), (0, 1, 1.0), (50, 0, 50.0), (1000, 100, 10.0)] {
            assert_eq!(ratio(ms(first), ms(second)), times, "{first} {second}");
        }
    }
}
