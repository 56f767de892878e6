//! Work that is called and never runs.
//!
//! ```text
//! cargo run --example forgotten_await
//! ```
//!
//! In asyncio, `save(record)` without `await` makes a coroutine and runs none of it. At most there is a warning when it is
//! collected. Rust's futures are as lazy, so three things guard against that trap:
//!
//! 1. Futures are `#[must_use]`, including all of this crate: `save(1, &saved);` is a warning of the compiler, and an error
//!    under `#![deny(unused_must_use)]`:
//!
//!    ```text
//!    error: unused implementer of `Future` that must be used
//!       |
//!       |     save(1, &saved);
//!       |     ^^^^^^^^^^^^^^^
//!       = note: futures do nothing unless you `.await` or poll them
//!    ```
//!
//! 2. `spawn` and `gather` start their futures whether or not the result is awaited.
//! 3. Dropping the task that `spawn` returns would cancel it, and the compiler warns of that in the same way.

#![deny(unused_must_use)]

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use roundup_event_loop::{EventLoop, sleep};

fn main() {
    let event_loop = EventLoop::new();

    let saved = Rc::new(Cell::new(0));
    let start = Instant::now();
    event_loop.run(async {
        // The compiler does not warn of this, because the name says that the future is meant to be ignored.
        for n in 1..=3 {
            let _forgotten = save(n, &saved);
        }
        sleep(Duration::from_millis(50)).await;
    });
    println!("before: called, not awaited   {:>3} ms, {} of 3 saved", start.elapsed().as_millis(), saved.get());

    let saved = Rc::new(Cell::new(0));
    let start = Instant::now();
    event_loop.run(async {
        for n in 1..=3 {
            event_loop.spawn(save(n, &saved)).detach();
        }
        sleep(Duration::from_millis(50)).await;
    });
    println!("after:  spawned, not awaited  {:>3} ms, {} of 3 saved", start.elapsed().as_millis(), saved.get());

    let saved = Rc::new(Cell::new(0));
    let start = Instant::now();
    event_loop.run(async {
        let gathered = event_loop.gather((1..=3).map(|n| save(n, &saved)));
        sleep(Duration::from_millis(50)).await;
        println!("after:  gathered, not awaited {:>3} ms, {} of 3 saved", start.elapsed().as_millis(), saved.get());
        gathered.await;
    });
}

/// Stands for work whose result is not needed.
fn save(n: u32, saved: &Rc<Cell<u32>>) -> impl Future<Output = ()> + use<> {
    let saved = saved.clone();
    async move {
        sleep(Duration::from_millis(u64::from(n) * 10)).await;
        saved.set(saved.get() + 1);
    }
}
