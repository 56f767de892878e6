//! The timers of a thread: what is due when, in order.
//!
//! async-io keeps the timers of all threads in one map behind locks. Most timers are armed and never fire, as the one
//! under every request, so a loop keeps its own here and asks async-io for the earliest of them alone, before it sleeps.
//!
//! They stand in a heap, and one that is disarmed stays there until its time comes or the dead outnumber the living, as
//! with asyncio's cancelled handles: to arm and to disarm take a few steps each, however many there are.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;

use slab::Slab;

thread_local! {
    static TIMERS: Timers = Timers { thread: THREADS.fetch_add(1, Ordering::Relaxed), due: RefCell::default() };
}

/// Numbers the threads that have timers.
static THREADS: AtomicU64 = AtomicU64::new(0);

/// Fewer dead entries than this are not worth a pass over all.
const FEW: usize = 64;

/// With room for more than these, it is not kept for ever.
const MANY: usize = 4096;

struct Timers {
    thread: u64,
    due: RefCell<Due>,
}

#[derive(Default)]
struct Due {
    /// Those that are armed.
    armed: Slab<Entry>,
    /// All of them, and some that were disarmed: when, the number, and the place among the armed.
    order: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    /// The number of the next.
    next: u64,
}

struct Entry {
    number: u64,
    waker: Waker,
}

impl Due {
    fn arm(&mut self, at: Instant, waker: Waker) -> (usize, u64) {
        if self.armed.is_empty() && self.order.capacity() > MANY {
            // What a crowd needed is given back when all of it is gone.
            (self.armed, self.order) = Default::default();
        } else if self.order.len() > 2 * self.armed.len() + FEW {
            let armed = &self.armed;
            self.order.retain(|Reverse((_, number, place))| is_armed(armed, *number, *place));
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let place = self.armed.insert(Entry { number, waker });
        self.order.push(Reverse((at, number, place)));
        (place, number)
    }

    fn get_mut(&mut self, place: usize, number: u64) -> Option<&mut Waker> {
        self.armed.get_mut(place).filter(|entry| entry.number == number).map(|entry| &mut entry.waker)
    }

    fn disarm(&mut self, place: usize, number: u64) -> Option<Waker> {
        self.get_mut(place, number)?;
        Some(self.armed.remove(place).waker)
    }

    /// When the earliest is due.
    fn earliest(&mut self) -> Option<Instant> {
        loop {
            let Reverse((at, number, place)) = *self.order.peek()?;
            if is_armed(&self.armed, number, place) {
                return Some(at);
            }
            self.order.pop();
        }
    }

    /// Disarms the earliest where it is due.
    fn take_due(&mut self, now: Instant) -> Option<Waker> {
        self.earliest().filter(|at| *at <= now)?;
        let Reverse((_, number, place)) = self.order.pop()?;
        self.disarm(place, number)
    }
}

fn is_armed(armed: &Slab<Entry>, number: u64, place: usize) -> bool {
    armed.get(place).is_some_and(|entry| entry.number == number)
}

/// A timer that was armed. Dropping it disarms it, on the thread that armed it; elsewhere it stays armed until it is due,
/// and then wakes whoever is gone.
#[derive(Debug)]
pub(super) struct Armed {
    thread: u64,
    place: usize,
    number: u64,
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
            let waker = waker.clone();
            let (place, number) = timers.due.borrow_mut().arm(at, waker);
            Armed { thread: timers.thread, place, number }
        };
        TIMERS.try_with(arm).ok()
    }

    /// Whether it has fired; where not, it wakes `waker` from now on.
    pub(super) fn poll(&self, waker: &Waker) -> Fired {
        let poll = |timers: &Timers| {
            if timers.thread != self.thread {
                return Fired::Elsewhere;
            }
            let stale = match timers.due.borrow_mut().get_mut(self.place, self.number) {
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
            (timers.thread == self.thread).then(|| timers.due.borrow_mut().disarm(self.place, self.number)).flatten()
        };
        // The waker is dropped outside the borrow. A thread that ends has no timers to disarm.
        let _waker = TIMERS.try_with(disarm);
    }
}

/// Fires what is due, and says whether anything was.
pub(super) fn fire() -> bool {
    let fire = |timers: &Timers| {
        if timers.due.borrow_mut().earliest().is_none() {
            return false;
        }
        let now = Instant::now();
        let mut fired = false;
        loop {
            // Woken outside the borrow, which ends with this line.
            let due = timers.due.borrow_mut().take_due(now);
            let Some(waker) = due else { return fired };
            fired = true;
            waker.wake();
        }
    };
    TIMERS.try_with(fire).unwrap_or(false)
}

/// When the earliest is due.
pub(super) fn next() -> Option<Instant> {
    TIMERS.try_with(|timers| timers.due.borrow_mut().earliest()).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_first_and_the_dead_do_not_pile_up() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut due = Due::default();
        let (late, late_number) = due.arm(at(20), Waker::noop().clone());
        let (early, early_number) = due.arm(at(10), Waker::noop().clone());
        assert_eq!(due.earliest(), Some(at(10)));
        assert!(due.disarm(early, early_number).is_some() && due.disarm(early, early_number).is_none());
        assert_eq!(due.earliest(), Some(at(20)));
        // The place is somebody else's now.
        let (again, number) = due.arm(at(30), Waker::noop().clone());
        assert_eq!(again, early);
        assert!(due.get_mut(early, early_number).is_none() && due.get_mut(again, number).is_some());
        assert!(due.take_due(at(19)).is_none() && due.take_due(at(20)).is_some() && due.take_due(at(20)).is_none());
        assert!(due.get_mut(late, late_number).is_none());
        for n in 0..10_000 {
            let (place, number) = due.arm(at(40 + n), Waker::noop().clone());
            due.disarm(place, number);
            assert!(due.order.len() <= 2 * due.armed.len() + FEW + 1);
        }
        assert_eq!((due.earliest(), due.armed.len()), (Some(at(30)), 1));
        assert!(due.take_due(at(30)).is_some());
        assert_eq!((due.earliest(), due.order.len()), (None, 0));
    }
}
