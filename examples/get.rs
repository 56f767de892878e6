//! The smallest fetch: URLs on the command line, one line each as they come in.
//!
//! ```text
//! cargo run --example get -- http://127.0.0.1:8080/delay/1 http://127.0.0.1:8080/delay/0.5
//! ```

use futures_lite::StreamExt;
use roundup::{EventLoop, Fetcher, Job};

fn main() -> Result<(), roundup::Error> {
    let jobs = std::env::args().skip(1).map(|url| Job::get(&url)).collect::<Result<Vec<_>, _>>()?;
    let event_loop = EventLoop::new();
    event_loop.run(async {
        let mut outcomes = Fetcher::new().run(&event_loop, jobs);
        while let Some(outcome) = outcomes.next().await {
            match &outcome.error {
                None => println!(
                    "{}: {} bytes in {:?}",
                    outcome.name,
                    outcome.body_bytes.unwrap_or(0),
                    outcome.timings.total
                ),
                Some(failure) => println!("{}: {}", outcome.name, failure.message),
            }
        }
    });
    Ok(())
}
