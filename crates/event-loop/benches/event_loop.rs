//! The cost of tasks and timers.
//!
//! ```text
//! cargo bench --bench event_loop
//! ```
//!
//! Prints figures and asserts none of them, because they depend on the machine.

use std::time::{Duration, Instant};

use roundup_event_loop::{EventLoop, sleep};

/// How many of each are measured.
const MANY: u32 = 100_000;

/// How long the sleeps are: long enough that all of them have started before the first ends.
const NAP: Duration = Duration::from_secs(1);

/// How often each is measured. The shortest time is printed, because anything on top is other work of the machine.
const TIMES: usize = 5;

fn main() {
    println!("{MANY} of each on one thread, the best of {TIMES}");
    row("spawn a task and await it, one after the other", Duration::ZERO, |event_loop| {
        event_loop.run(async {
            for n in 0..MANY {
                assert_eq!(event_loop.spawn(async move { n }).await, n);
            }
        });
    });
    row("gather tasks", Duration::ZERO, |event_loop| {
        let values = event_loop.run(event_loop.gather((0..MANY).map(|n| async move { n })));
        assert_eq!(values.len(), MANY as usize);
    });
    row("gather sleeps of a second, less that second", NAP, |event_loop| {
        let naps = event_loop.run(event_loop.gather((0..MANY).map(|_| sleep(NAP))));
        assert_eq!(naps.len(), MANY as usize);
    });
}

/// Prints what each costs, without the time that all of them sleep.
fn row(name: &str, asleep: Duration, work: impl Fn(&EventLoop)) {
    let event_loop = EventLoop::new();
    let time = || {
        let start = Instant::now();
        work(&event_loop);
        start.elapsed().saturating_sub(asleep)
    };
    let best = (0..TIMES).map(|_| time()).min().unwrap_or_default();
    println!("{name:<50}{:>8.0} ns each", best.as_secs_f64() * 1e9 / f64::from(MANY));
}
