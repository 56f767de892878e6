//! The same work one at a time, then concurrently.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use roundup::Summary;
use roundup::event_loop::unblock;

use crate::args::Compare;
use crate::exit::Exit;
use crate::failed::Failed;
use crate::manner::Manner;
use crate::options::Options;
use crate::print;
use crate::round::{Finished, Interrupts, event_loop, round_up};
use crate::work::Work;
use crate::writer::complain;

pub(crate) fn compare(compare: Compare, mut options: Options) -> Result<Exit, Failed> {
    options.give("input", compare.input);
    options.give("globoff", compare.globoff);
    options.give("secrets", compare.secrets);
    let manner = Manner::new(&options)?;
    let work = match compare.work.as_slice() {
        [plan] if is_plan(plan) => {
            if options.typed("input").is_some() {
                return Err(Failed::usage("a plan and --input exclude each other: compare one of them"));
            }
            Work::from_plan(plan, &options)?
        }
        _ if options.typed("secrets").is_some() => {
            return Err(Failed::usage("--secrets has no effect without a plan: write roundup compare PLAN.toml"));
        }
        urls => Work::from_urls(urls, &options)?,
    };
    both(work.clone(), work, &manner, None)
}

/// A file and not a URL.
fn is_plan(text: &str) -> bool {
    !text.contains("://") && (text.ends_with(".toml") || Path::new(text).is_file())
}

/// Runs `first` one at a time and `second` concurrently, prints both times, and writes the reports of the second.
pub(crate) fn both(
    first: Work,
    second: Work,
    manner: &Manner,
    by_default: Option<roundup::report::Target>,
) -> Result<Exit, Failed> {
    let mut first = first;
    let mut second = second;
    first.limits.concurrency = NonZeroU32::MIN;
    if let Some(folder) = &manner.output_dir {
        first.save_to(folder);
        second.save_to(folder);
    }
    let concurrency = second.limits.concurrency;
    let (slow, fast) = (manner.fetcher(&first)?, manner.fetcher(&second)?);
    // Opened before the first request: a place that cannot be written is found before any time was spent.
    let writer = manner.open(&second, by_default)?.without_totals();
    let silent = manner.silent(&first);
    let aside = manner.stdout_is_data();
    let event_loop = event_loop(manner);
    event_loop.run(async {
        let interrupts = Interrupts::listen(&event_loop);
        let one = round_up(&event_loop, &slow, first, silent, &interrupts, manner).await;
        // Interrupted by now, the second run ends before it begins: its report says so.
        let whole = !interrupts.came();
        if whole {
            let line = line("one at a time", one.elapsed, &one.summary, 1);
            unblock(move || show(&line, aside)).await?;
        }
        let Finished { exit, summary, elapsed, .. } =
            round_up(&event_loop, &fast, second, writer, &interrupts, manner).await;
        if !whole || interrupts.came() {
            return Ok(exit);
        }
        let ratio = one.elapsed.as_secs_f64() / elapsed.as_secs_f64().max(f64::EPSILON);
        let line = self::line("concurrently", elapsed, &summary, concurrency.get());
        unblock(move || show(&format!("{line}{ratio:.1} times as fast\n"), aside)).await?;
        Ok(exit.max(one.exit))
    })
}

/// Prints lines: on stderr where stdout is for something else.
pub(super) fn show(text: &str, aside: bool) -> Result<Exit, Failed> {
    if !aside {
        return print(text);
    }
    text.lines().for_each(complain);
    Ok(Exit::Success)
}

fn line(how: &str, elapsed: Duration, summary: &Summary, concurrency: u32) -> String {
    let Summary { total, ok, failed, attempts, .. } = summary;
    let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
    let seconds = elapsed.as_secs_f64();
    format!(
        "{how:<14} {seconds:8.3} s  {total} sources, {ok} ok{failed}, {attempts} attempts, at most {concurrency} at once\n"
    )
}
