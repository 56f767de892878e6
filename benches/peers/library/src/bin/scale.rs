//! What the fetcher costs without a network: jobs that wait, and jobs that a client answers at once.
//!
//! ```text
//! scale JOBS HOSTS
//! ```
//!
//! Prints, a job each: bytes of resident memory while it waits, its URL and name included; nanoseconds of processor time to
//! take it into the queue, to make it from its URL, to run it to its outcome, and to send the same request through the
//! same client without a fetcher.

use std::error::Error;
use std::num::NonZeroU32;

use async_trait::async_trait;
use futures_lite::StreamExt;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use roundup::{EventLoop, Fetcher, Job, Limits};
use surf::http::{Error as HttpError, Request, Response, StatusCode};
use surf::{Client, HttpClient};

/// How many are under way at once; none of them ever waits.
const CONCURRENCY: u32 = 50;

#[derive(Debug)]
struct AtOnce;

#[async_trait]
impl HttpClient for AtOnce {
    async fn send(&self, _: Request) -> Result<Response, HttpError> {
        Ok(Response::new(StatusCode::Ok))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let many: usize = words.next().ok_or("how many jobs is missing")?.parse()?;
    let hosts: usize = words.next().ok_or("how many hosts is missing")?.parse()?;
    let urls: Vec<String> = (0..many).map(|n| format!("http://h{}.bench.test/item/{n}", n % hosts)).collect();
    let client = Client::with_http_client(AtOnce);
    let concurrency = NonZeroU32::new(CONCURRENCY).ok_or("none at once")?;
    let fetcher =
        Fetcher::with_client(client.clone()).limits(Limits { concurrency, per_host: None, ..Limits::default() });
    let event_loop = EventLoop::new();
    // What the first of all costs alone, such as the thread of async-io.
    event_loop.run(fetcher.run(&event_loop, [Job::get(&urls[0])?]).count());

    let (memory, start) = (resident()?, processor_time()?);
    let jobs = urls.iter().map(|url| Job::get(url)).collect::<Result<Vec<_>, _>>()?;
    let made = processor_time()?;
    let outcomes = fetcher.run(&event_loop, jobs);
    let queued = processor_time()?;
    let memory = resident()? - memory;
    let failed = event_loop.run(outcomes.filter(|outcome| !outcome.ok()).count());
    let run = processor_time()?;
    if failed > 0 {
        return Err(format!("{failed} failed").into());
    }
    event_loop.run(async {
        for url in &urls {
            client.get(url).send().await.map_err(|error| error.into_inner())?;
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    let bare = processor_time()?;
    let each = |from: i64, to: i64| (to - from) as f64 * 1e3 / many as f64;
    println!(
        "{:.0} {:.0} {:.0} {:.0} {:.0}",
        memory as f64 / many as f64,
        each(made, queued),
        each(start, made),
        each(queued, run),
        each(run, bare)
    );
    Ok(())
}

/// Microseconds of all threads, user and system.
fn processor_time() -> Result<i64, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(usage.user_time().num_microseconds() + usage.system_time().num_microseconds())
}

/// Bytes in memory; of Linux.
fn resident() -> Result<i64, Box<dyn Error>> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    Ok(pages.split(' ').nth(1).ok_or("no resident size")?.parse::<i64>()? * 4096)
}
