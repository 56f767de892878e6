//! The timers of a thread: what is due when, in order.
//!
//! async-io keeps the timers of all threads in one map behind locks. Most timers are armed and never fire, as the one
//! under every request, so a loop keeps its own here and asks async-io for the earliest of them alone, before it sleeps.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;

thread_local! {
    static TIMERS: Timers = Timers {
        thread: THREADS.fetch_add(1, Ordering::Relaxed),
        next: Cell::new(0),
        due: RefCell::new(BTreeMap::new()),
    };
}

/// Numbers the threads that have timers.
static THREADS: AtomicU64 = AtomicU64::new(0);

struct Timers {
    thread: u64,
    next: Cell<u64>,
    due: RefCell<BTreeMap<(Instant, u64), Waker>>,
}

/// A timer that was armed. Dropping it disarms it, on the thread that armed it; elsewhere it stays armed until it is due,
/// and then wakes whoever is gone.
#[derive(Debug)]
pub(super) struct Armed {
    thread: u64,
    key: (Instant, u64),
}

/// What has become of a timer.
pub(super) enum Fired {
    Yes,
    NotYet,
    /// It was armed on another thread.
    Elsewhere,
}

impl Armed {
    /// Wakes `waker` when it is `at`, provided that a loop runs on this thread. None where the thread ends.
    pub(super) fn new(at: Instant, waker: &Waker) -> Option<Armed> {
        let arm = |timers: &Timers| {
            let id = timers.next.get();
            timers.next.set(id.wrapping_add(1));
            timers.due.borrow_mut().insert((at, id), waker.clone());
            Armed { thread: timers.thread, key: (at, id) }
        };
        TIMERS.try_with(arm).ok()
    }

    /// Whether it has fired; where not, it wakes `waker` from now on.
    pub(super) fn poll(&self, waker: &Waker) -> Fired {
        let poll = |timers: &Timers| {
            if timers.thread != self.thread {
                return Fired::Elsewhere;
            }
            let stale = match timers.due.borrow_mut().get_mut(&self.key) {
                None => return Fired::Yes,
                Some(known) if known.will_wake(waker) => return Fired::NotYet,
                Some(known) => std::mem::replace(known, waker.clone()),
            };
            // It may own a task that owns other timers: never under the borrow.
            drop(stale);
            Fired::NotYet
        };
        TIMERS.try_with(poll).unwrap_or(Fired::Elsewhere)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let disarm = |timers: &Timers| {
            (timers.thread == self.thread).then(|| timers.due.borrow_mut().remove(&self.key)).flatten()
        };
        // The waker is dropped outside the borrow. A thread that ends has no timers to disarm.
        let _waker = TIMERS.try_with(disarm);
    }
}

/// Fires what is due, and says whether anything was.
pub(super) fn fire() -> bool {
    let fire = |timers: &Timers| {
        if timers.due.borrow().is_empty() {
            return false;
        }
        let now = Instant::now();
        let mut fired = false;
        loop {
            let waker = {
                let mut due = timers.due.borrow_mut();
                match due.first_entry() {
                    Some(entry) if entry.key().0 <= now => entry.remove(),
                    _ => return fired,
                }
            };
            fired = true;
            waker.wake();
        }
    };
    TIMERS.try_with(fire).unwrap_or(false)
}

/// When the earliest is due.
pub(super) fn next() -> Option<Instant> {
    TIMERS.try_with(|timers| timers.due.borrow().first_key_value().map(|((at, _), _)| *at)).ok().flatten()
}
