//! One after the other takes the sum of all waits; all at once takes the longest of them.
//!
//! ```text
//! cargo run --example sequential_and_concurrent
//! ```
//!
//! The loop that is written first awaits each answer before it asks the next source. In asyncio that is
//! `[await fetch(s) for s in sources]`, which is as slow as without asyncio.

use std::time::{Duration, Instant};

use roundup_event_loop::{EventLoop, sleep};

fn main() {
    let event_loop = EventLoop::new();
    let sources = [60, 90, 30, 120, 60, 30, 90, 60, 120, 90];
    println!(
        "{} sources; together they take {} ms, the slowest takes 120 ms",
        sources.len(),
        sources.iter().sum::<u64>()
    );

    let start = Instant::now();
    let before = event_loop.run(async {
        let mut answers = Vec::new();
        for ms in sources {
            answers.push(fetch(ms).await);
        }
        answers
    });
    println!("before: one after the other  {:>5} ms, {} answers", start.elapsed().as_millis(), before.len());

    let start = Instant::now();
    let after = event_loop.run(event_loop.gather(sources.map(fetch)));
    println!("after:  all at once          {:>5} ms, {} answers", start.elapsed().as_millis(), after.len());

    assert_eq!(before, after, "results are in the order of the futures, not in that of the answers");
}

/// Stands for a request to a source that answers after this time.
async fn fetch(ms: u64) -> String {
    sleep(Duration::from_millis(ms)).await;
    format!("answered after {ms} ms")
}
