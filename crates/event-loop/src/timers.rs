//! The timers of a thread, ordered by when they are due.
//!
//! async-io keeps the timers of all threads in one map behind locks. Most timers are set and never fire, such as the time
//! limit of a request, so a loop keeps its own here, and asks async-io only for the earliest of them, before it sleeps.
//!
//! They are in a heap. A timer that is disarmed stays there until it is due or the disarmed ones outnumber the armed, as
//! asyncio does with cancelled handles: arming takes a few steps however many timers there are, and disarming takes one.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;

use slab::Slab;

thread_local! {
    static TIMERS: ThreadTimers =
        ThreadTimers { thread: THREADS.fetch_add(1, Ordering::Relaxed), timers: RefCell::default() };
}

/// Numbers the threads that have timers.
static THREADS: AtomicU64 = AtomicU64::new(0);

/// The heap is not cleaned up as long as it has fewer disarmed entries than this.
const MIN_CLEANUP: usize = 64;

/// A heap with room for more entries than this is freed when it is empty.
const MAX_IDLE_CAPACITY: usize = 4096;

struct ThreadTimers {
    thread: u64,
    timers: RefCell<TimerHeap>,
}

#[derive(Default)]
struct TimerHeap {
    armed: Slab<TimerEntry>,
    /// All armed timers and some that were disarmed.
    heap: BinaryHeap<Reverse<(Instant, TimerId)>>,
    next_number: u64,
}

struct TimerEntry {
    number: u64,
    waker: Waker,
}

/// Keys are used again for later timers, numbers are not. Of two timers that are due at the same time the one that was armed
/// first fires first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TimerId {
    number: u64,
    key: usize,
}

impl TimerHeap {
    fn arm(&mut self, at: Instant, waker: Waker) -> TimerId {
        if self.armed.is_empty() && self.heap.capacity() > MAX_IDLE_CAPACITY {
            (self.armed, self.heap) = Default::default();
        } else if self.heap.len() > 2 * self.armed.len() + MIN_CLEANUP {
            let armed = &self.armed;
            self.heap.retain(|Reverse((_, id))| is_armed(armed, *id));
        }
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        let id = TimerId { number, key: self.armed.insert(TimerEntry { number, waker }) };
        self.heap.push(Reverse((at, id)));
        id
    }

    fn waker_mut(&mut self, id: TimerId) -> Option<&mut Waker> {
        self.armed.get_mut(id.key).filter(|entry| entry.number == id.number).map(|entry| &mut entry.waker)
    }

    fn disarm(&mut self, id: TimerId) -> Option<Waker> {
        self.waker_mut(id)?;
        Some(self.armed.remove(id.key).waker)
    }

    /// When the earliest armed timer is due. Removes disarmed ones before it.
    fn earliest(&mut self) -> Option<Instant> {
        loop {
            let Reverse((at, id)) = *self.heap.peek()?;
            if is_armed(&self.armed, id) {
                return Some(at);
            }
            self.heap.pop();
        }
    }

    /// Disarms the earliest timer if it is due.
    fn take_due(&mut self, now: Instant) -> Option<Waker> {
        self.earliest().filter(|at| *at <= now)?;
        let Reverse((_, id)) = self.heap.pop()?;
        self.disarm(id)
    }
}

fn is_armed(armed: &Slab<TimerEntry>, id: TimerId) -> bool {
    armed.get(id.key).is_some_and(|entry| entry.number == id.number)
}

/// A timer. Dropping it disarms it, on the thread that armed it. On another thread it stays armed until it is due, and then
/// wakes its waker without effect.
#[derive(Debug)]
pub(crate) struct ArmedTimer {
    thread: u64,
    id: TimerId,
}

pub(crate) enum TimerState {
    Fired,
    Armed,
    /// It was armed on another thread.
    OnOtherThread,
}

impl ArmedTimer {
    /// Wakes `waker` at this time, provided that a loop runs on this thread then. None if the thread is ending.
    pub(crate) fn new(at: Instant, waker: &Waker) -> Option<ArmedTimer> {
        let arm = |timers: &ThreadTimers| {
            let waker = waker.clone();
            ArmedTimer { thread: timers.thread, id: timers.timers.borrow_mut().arm(at, waker) }
        };
        TIMERS.try_with(arm).ok()
    }

    /// Whether it has fired. If not, it wakes `waker` from now on.
    pub(crate) fn poll(&self, waker: &Waker) -> TimerState {
        let poll = |timers: &ThreadTimers| {
            if timers.thread != self.thread {
                return TimerState::OnOtherThread;
            }
            let previous = match timers.timers.borrow_mut().waker_mut(self.id) {
                None => return TimerState::Fired,
                Some(known) if known.will_wake(waker) => return TimerState::Armed,
                Some(known) => std::mem::replace(known, waker.clone()),
            };
            // Dropped outside the borrow, because it may own a task that owns other timers.
            drop(previous);
            TimerState::Armed
        };
        TIMERS.try_with(poll).unwrap_or(TimerState::OnOtherThread)
    }
}

impl Drop for ArmedTimer {
    fn drop(&mut self) {
        let disarm = |timers: &ThreadTimers| {
            (timers.thread == self.thread).then(|| timers.timers.borrow_mut().disarm(self.id)).flatten()
        };
        // The waker is dropped outside the borrow. If the thread is ending, its timers are gone.
        let _waker = TIMERS.try_with(disarm);
    }
}

/// Fires the timers of this thread that are due. True if there were any.
pub(crate) fn fire() -> bool {
    let fire = |timers: &ThreadTimers| {
        if timers.timers.borrow_mut().earliest().is_none() {
            return false;
        }
        let now = Instant::now();
        let mut fired = false;
        loop {
            // A statement of its own, so that the borrow has ended when the waker is called.
            let due = timers.timers.borrow_mut().take_due(now);
            let Some(waker) = due else { return fired };
            fired = true;
            waker.wake();
        }
    };
    TIMERS.try_with(fire).unwrap_or(false)
}

/// When the earliest timer of this thread is due.
pub(crate) fn earliest() -> Option<Instant> {
    TIMERS.try_with(|timers| timers.timers.borrow_mut().earliest()).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_fires_first_and_disarmed_ones_do_not_pile_up() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = TimerHeap::default();
        let arm = |timers: &mut TimerHeap, ms| timers.arm(at(ms), Waker::noop().clone());
        let late = arm(&mut timers, 20);
        let early = arm(&mut timers, 10);
        assert_eq!(timers.earliest(), Some(at(10)));
        assert!(timers.disarm(early).is_some() && timers.disarm(early).is_none());
        assert_eq!(timers.earliest(), Some(at(20)));
        let last = arm(&mut timers, 30);
        assert_eq!(last.key, early.key, "keys are used again");
        assert!(timers.waker_mut(early).is_none() && timers.waker_mut(last).is_some());
        assert!(timers.take_due(at(19)).is_none());
        assert!(timers.take_due(at(20)).is_some() && timers.take_due(at(20)).is_none());
        assert!(timers.waker_mut(late).is_none());
        for n in 0..10_000 {
            let id = arm(&mut timers, 40 + n);
            timers.disarm(id);
            assert!(timers.heap.len() <= 2 * timers.armed.len() + MIN_CLEANUP + 1);
        }
        assert_eq!((timers.earliest(), timers.armed.len()), (Some(at(30)), 1));
        assert!(timers.take_due(at(30)).is_some());
        assert_eq!((timers.earliest(), timers.heap.len()), (None, 0));
    }

    #[test]
    fn room_for_a_crowd_is_freed_when_all_of_it_is_gone() {
        let at = Instant::now();
        let mut timers = TimerHeap::default();
        let crowd: Vec<TimerId> = (0..=MAX_IDLE_CAPACITY).map(|_| timers.arm(at, Waker::noop().clone())).collect();
        for id in crowd {
            timers.disarm(id);
        }
        timers.arm(at, Waker::noop().clone());
        assert!(timers.heap.capacity() < MAX_IDLE_CAPACITY && timers.heap.len() == 1);
    }
}
