//! A thread that reports polls while they hold the loop.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::registry::TaskRegistry;
use crate::diagnostics;

/// How often the watchdog looks in the time that a poll may take.
const LOOKS_PER_LIMIT: u64 = 4;

/// Starts the thread, unless no poll is too slow. It ends when the registry's clock is closed.
pub(super) fn start(registry: &Arc<TaskRegistry>) {
    let Some(slow_ns) = registry.clock().slow_ns() else { return };
    let watched = registry.clone();
    let builder = thread::Builder::new().name("slow-poll".to_owned());
    match builder.spawn(move || watch(&watched, slow_ns)) {
        Ok(thread) => registry.clock().set_watchdog(thread.thread().clone()),
        Err(error) => diagnostics::warn(format_args!(
            "no thread for the watchdog, slow polls are reported when they end: {error}"
        )),
    }
}

/// Looks at the current poll every now and then, and parks if nothing has run between two looks.
fn watch(registry: &TaskRegistry, slow_ns: u64) {
    let clock = registry.clock();
    let interval = Duration::from_nanos(slow_ns / LOOKS_PER_LIMIT);
    // When the poll that was seen last began, and how long it must have taken to be reported.
    let (mut last_began, mut report_at) = (u64::MAX, slow_ns);
    while !clock.is_closed() {
        let seen = clock.observe();
        if seen.began != last_began {
            (last_began, report_at) = (seen.began, slow_ns);
        } else if seen.key.is_none() {
            clock.park_if_idle(last_began);
            continue;
        }
        let held_ns = clock.now().saturating_sub(seen.began);
        if let Some(key) = seen.key.filter(|_| held_ns >= report_at) {
            let record = registry.get(key);
            // If the poll has ended meanwhile, another task may have the key, and the loop's thread has reported the poll.
            let now = clock.observe();
            let is_same_poll = now.key == seen.key && now.began == seen.began;
            if let Some(record) = record.filter(|_| is_same_poll) {
                registry.report(&record.slow_poll(held_ns, false));
            }
            report_at = held_ns.saturating_mul(2);
        }
        thread::park_timeout(interval);
    }
}
