//! A call that blocks holds up all tasks, unless it runs on another thread.
//!
//! ```text
//! cargo run --example blocking_call
//! ```
//!
//! `time.sleep`, a file on a slow disk or a long computation in one coroutine stops all of asyncio, and nothing reports it
//! while it lasts. Here the watchdog names the task that holds the loop while it still does, and `unblock` is the cure, as
//! `to_thread` in asyncio.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use roundup_event_loop::{EventLoop, sleep, unblock};

/// How long the call blocks.
const CALL: Duration = Duration::from_millis(500);

fn main() {
    // 100 ms is the default. Without a callback, slow polls are warnings.
    let event_loop = EventLoop::builder()
        .slow_poll(Duration::from_millis(100))
        .on_slow_poll(|slow| println!("    watchdog: {slow}"))
        .build();

    println!("before: the call blocks the loop");
    measure(&event_loop, async { thread::sleep(CALL) });

    println!("after:  the call runs off the loop");
    measure(&event_loop, unblock(|| thread::sleep(CALL)));
}

/// Runs the call beside a task that wants to be polled every 10 ms, and prints how often that was.
fn measure(event_loop: &EventLoop, call: impl Future<Output = ()> + 'static) {
    let (turns, longest) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(Duration::ZERO)));
    let heartbeat = {
        let (turns, longest) = (turns.clone(), longest.clone());
        event_loop.spawn_named("heartbeat", async move {
            loop {
                let start = Instant::now();
                sleep(Duration::from_millis(10)).await;
                turns.set(turns.get() + 1);
                longest.set(longest.get().max(start.elapsed()));
            }
        })
    };
    let start = Instant::now();
    event_loop.run(async {
        // Lets the heart beat before the call.
        sleep(Duration::from_millis(15)).await;
        event_loop.spawn_named("read a file", call).await;
        sleep(Duration::from_millis(15)).await;
    });
    drop(heartbeat);
    let (all, longest) = (start.elapsed().as_millis(), longest.get().as_millis());
    println!("    {all} ms in all, {} heartbeats, the longest wait for one {longest} ms", turns.get());
}
