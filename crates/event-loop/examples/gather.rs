//! One failure does not affect the other results.
//!
//! ```text
//! cargo run --example gather
//! ```
//!
//! `asyncio.gather(*fs)` raises the first exception, and the answers that were there already are lost. That is
//! `try_gather` here, for answers that are worth nothing without each other. `gather` returns all results, as with
//! `return_exceptions=True`. A panic of a task is a result like others if the task is joined.

use std::time::{Duration, Instant};

use roundup_event_loop::{EventLoop, sleep};

fn main() {
    let event_loop = EventLoop::new();
    let cities = ["berlin", "atlantis", "oslo", "lima"];

    let start = Instant::now();
    let before = event_loop.run(event_loop.try_gather(cities.map(fetch)));
    let left = before.map(|answers| answers.len());
    println!("before: try_gather  {:>4} ms, {left:?}: no answer is left", start.elapsed().as_millis());

    let start = Instant::now();
    let after = event_loop.run(event_loop.gather(cities.map(fetch)));
    println!("after:  gather      {:>4} ms", start.elapsed().as_millis());
    for (city, answer) in cities.iter().zip(&after) {
        match answer {
            Ok(degrees) => println!("    {city:<9} {degrees:>3} degrees"),
            Err(error) => println!("    {city:<9} failed: {error}"),
        }
    }
    assert_eq!(after.iter().filter(|answer| answer.is_ok()).count(), 3);

    // A panic ends its task alone.
    let joined = event_loop.gather([0, 4, 2].map(|n| event_loop.spawn(async move { 12 / n }).join()));
    println!("after:  tasks, one of which panics");
    for ended in event_loop.run(joined) {
        match ended {
            Ok(value) => println!("    returned {value}"),
            Err(error) => println!("    {error}"),
        }
    }
}

/// Stands for a request.
async fn fetch(city: &str) -> Result<i32, String> {
    let (ms, degrees) = match city {
        "berlin" => (20, 18),
        "oslo" => (80, 9),
        "lima" => (60, 22),
        _ => {
            sleep(Duration::from_millis(40)).await;
            return Err(format!("no such city: {city}"));
        }
    };
    sleep(Duration::from_millis(ms)).await;
    Ok(degrees)
}
