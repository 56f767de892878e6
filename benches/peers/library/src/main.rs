//! Fetches a list of URLs with roundup's library: what its command does, without a plan and a report.
//!
//! ```text
//! roundup-bench-library LIST CONCURRENCY [CA]
//! ```
//!
//! Contents are counted and dropped. Ends with 1 where a fetch fails.

use std::error::Error;
use std::num::NonZeroU32;

use futures_lite::StreamExt;
use roundup::transport::{Roots, Transport};
use roundup::{EventLoop, Fetcher, Job, Limits};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let list = std::fs::read_to_string(words.next().ok_or("a list of URLs is missing")?)?;
    let concurrency: NonZeroU32 = words.next().ok_or("how many at once is missing")?.parse()?;
    let mut transport = Transport::builder();
    if let Some(file) = words.next() {
        transport = transport.roots(Roots::File(file.into()));
    }
    let limits = Limits { concurrency, per_host: None, ..Limits::default() };
    let fetcher = Fetcher::with_transport(transport.build()?).limits(limits).keep_bodies(false);
    let jobs = list.lines().map(Job::get).collect::<Result<Vec<_>, _>>()?;
    let event_loop = EventLoop::new();
    let failed = event_loop.run(fetcher.run(&event_loop, jobs).filter(|outcome| !outcome.ok()).count());
    if failed > 0 { Err(format!("{failed} failed").into()) } else { Ok(()) }
}
