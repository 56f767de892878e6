//! The whole way, as the command goes it: a plan, limits, a run with an end, a report put in its place.
//!
//! ```text
//! cargo run --example pipeline -- plan.toml report.json
//! ```

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use futures_lite::StreamExt;
use roundup::report::{self, Output, RunInfo, Style};
use roundup::{EventLoop, Fetcher, plan};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(report_file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: pipeline PLAN.toml REPORT.json".into());
    };
    let text = std::fs::read_to_string(&file)?;
    let plan = plan::parse(&file, &text, &|name| std::env::var(name).ok())?;
    // Opened first: a report that cannot be written is no reason to ask fifty servers.
    let outputs = [Output::parse(&format!("json={report_file}"))?];
    let reports = report::open(&outputs, &Style::default())?;

    let event_loop = EventLoop::new();
    let fetcher = Fetcher::new().limits(plan.limits).deadline(plan.deadline.or(Some(Duration::from_secs(120))));
    let (started, clock) = (SystemTime::now(), Instant::now());
    let mut outcomes: Vec<_> = event_loop.run(fetcher.run(&event_loop, plan.jobs).collect());
    outcomes.sort_by_key(|outcome| outcome.index);

    let (elapsed, redactor) = (clock.elapsed(), plan.redactor);
    let run = RunInfo { started, elapsed, redactor, ..RunInfo::default() };
    let summary = run.summary(&outcomes);
    for report in reports {
        report.finish(&run, &summary, &outcomes)?;
    }
    println!("{}", report::summary_line(&run, &summary));
    Ok(())
}
