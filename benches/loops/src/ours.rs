//! roundup's event loop.

use futures_lite::future::yield_now;
use roundup_event_loop::{EventLoop, sleep};

pub(crate) fn run(work: &str, many: u32) {
    on(&EventLoop::new(), work, many);
}

/// The same with the list of tasks and the stall watchdog.
pub(crate) fn watched(work: &str, many: u32) {
    on(&EventLoop::builder().build(), work, many);
}

fn on(event_loop: &EventLoop, work: &str, many: u32) {
    event_loop.run(async {
        crate::works!(work, many, [event_loop.spawn], |n: u32| n, yield_now, sleep, async_channel::bounded)
    });
}
