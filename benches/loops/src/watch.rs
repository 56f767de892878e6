//! What the watchdog and the list of tasks cost a poll of 10 microseconds.
//!
//! A loop without and one with them take turns, in short stretches, so that what else the machine does falls on both. A
//! poll counts up to a number that takes 10 us, and looks at no clock.

use std::hint::black_box;
use std::time::Duration;

use futures_lite::future::yield_now;
use roundup_event_loop::EventLoop;

use crate::processor_time;

const POLL: Duration = Duration::from_micros(10);
/// The polls of a stretch.
const POLLS: u32 = 100;
const STRETCHES: usize = 2001;

pub(crate) fn run() {
    let count = calibrate();
    let (plain, watched) = (EventLoop::new(), EventLoop::builder().build());
    let mut times = Vec::new();
    for stretch in 0..STRETCHES {
        // Who goes first changes, too.
        times.push(if stretch % 2 == 0 {
            let without = measure(&plain, count);
            (without, measure(&watched, count))
        } else {
            let with = measure(&watched, count);
            (measure(&plain, count), with)
        });
    }
    let without = median(times.iter().map(|(without, _)| *without));
    let with = median(times.iter().map(|(_, with)| *with));
    let ratio = median(times.iter().map(|(without, with)| with / without));
    println!("{without:.1} {with:.1} {ratio:.5}");
}

/// Nanoseconds that one poll takes, the watchdog's own thread included.
fn measure(event_loop: &EventLoop, count: u64) -> f64 {
    let task = event_loop.spawn(async move {
        for _ in 0..POLLS {
            spin(count);
            yield_now().await;
        }
    });
    let start = processor_time();
    event_loop.run(task);
    (processor_time() - start) / f64::from(POLLS)
}

/// Never inlined: where its code lies decides how fast it is, and it is to be the same for both.
#[inline(never)]
fn spin(count: u64) {
    for n in 0..count {
        black_box(n);
    }
}

/// How far a poll has to count.
fn calibrate() -> u64 {
    const MANY: u64 = 2_000_000;
    let each = (0..20).map(|_| {
        let start = processor_time();
        spin(MANY);
        (processor_time() - start) / MANY as f64
    });
    (POLL.as_nanos() as f64 / median(each)) as u64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values = Vec::from_iter(values);
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
