//! Work that was called and never ran.
//!
//! ```text
//! cargo run --no-default-features --example forgotten_await
//! ```
//!
//! In asyncio, `save(record)` without `await` makes a coroutine and runs nothing of it; what is said of that, if anything,
//! is a warning when it is collected. Rust's futures are as lazy, so three things stand before that trap:
//!
//! 1. What returns a future is `#[must_use]`, and so are all of this library: `save(1, &saved);` is a warning of the
//!    compiler, and an error under `#![deny(unused_must_use)]`:
//!
//!    ```text
//!    error: unused implementer of `Future` that must be used
//!       |
//!       |     save(1, &saved);
//!       |     ^^^^^^^^^^^^^^^
//!       = note: futures do nothing unless you `.await` or poll them
//!    ```
//!
//! 2. `spawn` and `gather` start what they are given, whether or not the result is awaited.
//! 3. Forgetting what `spawn` returns would cancel the task, and is refused in the same way.

#![deny(unused_must_use)]

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use roundup::event_loop::{EventLoop, sleep};

fn main() {
    let event_loop = EventLoop::new();

    let saved = Rc::new(Cell::new(0));
    let start = Instant::now();
    event_loop.run(async {
        // Written so, the compiler lets it pass: it was told that nothing is meant to become of them.
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

/// What stands for work whose result nobody looks at.
fn save(n: u32, saved: &Rc<Cell<u32>>) -> impl Future<Output = ()> + use<> {
    let saved = saved.clone();
    async move {
        sleep(Duration::from_millis(u64::from(n) * 10)).await;
        saved.set(saved.get() + 1);
    }
}
