//! The same work one at a time, then concurrently.

use std::num::NonZeroU32;
use std::time::Duration;

use roundup::{EventLoop, Summary};

use super::options_input;
use crate::args::Compare;
use crate::exit::Exit;
use crate::failed::Failed;
use crate::manner::Manner;
use crate::print;
use crate::round::{Finished, Interrupts, round_up};
use crate::typed::STDIN;
use crate::work::Work;

pub(crate) fn compare(mut compare: Compare) -> Result<Exit, Failed> {
    let options = compare.options();
    let list = options_input(compare.input.as_deref());
    let manner = Manner::new(&options)?;
    let work = match compare.work.as_slice() {
        [plan] if list.is_none() && is_plan(plan) => Work::from_plan(plan, compare.secrets.as_deref(), &options)?,
        urls => Work::from_urls(urls, list.as_deref(), compare.globoff, &options)?,
    };
    both(work.clone(), work, &manner, None)
}

/// A file and not a URL.
fn is_plan(text: &str) -> bool {
    text != STDIN && !text.contains("://") && text.ends_with(".toml")
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
    let writer = manner.open(&second, by_default)?;
    let silent = manner.silent(&first);
    let event_loop = EventLoop::new();
    event_loop.run(async {
        let interrupts = Interrupts::listen(&event_loop);
        let one = round_up(&event_loop, &slow, first, silent, &interrupts, manner.progress).await;
        if interrupts.came() {
            return Ok(Exit::Interrupted);
        }
        let line = line("one at a time", one.elapsed, &one.summary, 1);
        roundup::event_loop::unblock(move || print(&line)).await?;
        let Finished { exit, summary, elapsed } =
            round_up(&event_loop, &fast, second, writer, &interrupts, manner.progress).await;
        let ratio = one.elapsed.as_secs_f64() / elapsed.as_secs_f64().max(f64::EPSILON);
        let text =
            format!("{}{ratio:.1} times as fast\n", self::line("concurrently", elapsed, &summary, concurrency.get()));
        roundup::event_loop::unblock(move || print(&text)).await?;
        Ok(exit.max(one.exit))
    })
}

fn line(how: &str, elapsed: Duration, summary: &Summary, concurrency: u32) -> String {
    let Summary { total, ok, failed, attempts, .. } = summary;
    let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
    let seconds = elapsed.as_secs_f64();
    format!(
        "{how:<14} {seconds:8.3} s  {total} sources, {ok} ok{failed}, {attempts} attempts, at most {concurrency} at once\n"
    )
}
