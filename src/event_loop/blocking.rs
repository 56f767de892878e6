//! Calls that would block the loop, on a few threads of their own.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most threads that run blocking calls at once; further calls wait their turn.
pub const MAX_BLOCKING_THREADS: usize = 4;

/// The most threads that look up host names at once, beside those of [`MAX_BLOCKING_THREADS`]: look-ups wait for a server
/// and hardly work, and one that does not answer must not keep files from being written.
pub const MAX_LOOK_UP_THREADS: usize = 32;

/// How long a thread waits for another call before it goes back to the pool of the `blocking` crate, which lets it go
/// after half a second more.
const LINGER: Duration = Duration::from_millis(500);

/// Runs a call that blocks (files, name look-ups) off the loop, and resolves to its result.
///
/// At most [`MAX_BLOCKING_THREADS`] calls run at a time, in the order in which they were made. A call that has started
/// cannot be stopped: dropping the future drops its result. One that has not started then never does.
///
/// # Panics
/// Where the call panics, the panic goes on in the task that awaits it.
pub async fn unblock<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    on_queue(&CALLS, call).await
}

/// As [`unblock`], for looking up a name: on at most [`MAX_LOOK_UP_THREADS`] threads of their own.
#[cfg(feature = "transport")]
pub(crate) async fn look_up<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    on_queue(&LOOK_UPS, call).await
}

async fn on_queue<T: Send + 'static>(queue: &'static Queue, call: impl FnOnce() -> T + Send + 'static) -> T {
    match run(queue, Box::new(move || Box::new(call()))).await {
        Ok(value) => *value.downcast().expect("it is what the call above returned"),
        Err(payload) => resume_unwind(payload),
    }
}

/// What a call returned, of whatever type: the channel and the waiting are compiled once and not for each of them.
type Value = Box<dyn Any + Send>;

async fn run(queue: &'static Queue, call: Box<dyn FnOnce() -> Value + Send>) -> thread::Result<Value> {
    let (sender, receiver) = smol::channel::bounded(1);
    queue.push(Box::new(move || {
        if !sender.is_closed() {
            // The payload goes to the awaiting task whole, so nothing that was half done is seen.
            let _ = sender.try_send(catch_unwind(AssertUnwindSafe(call)));
        }
    }));
    match receiver.recv().await {
        Ok(result) => result,
        // The sender lives in the queue or in the call, and both send before they let go of it.
        Err(_) => unreachable!("a blocking call ended without a result"),
    }
}

type Call = Box<dyn FnOnce() + Send>;

/// Calls that wait, and how many workers there are for them.
///
/// The pool of the `blocking` crate starts a thread whenever none is idle, up to a limit that only the environment can
/// set, and a thread is not idle yet at the moment its call ends. Workers of ours that take one call after the other keep
/// the number of threads at the limit.
struct Queue {
    most: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    calls: VecDeque<Call>,
    workers: usize,
    idle: usize,
}

static CALLS: Queue = Queue::new(MAX_BLOCKING_THREADS);

#[cfg(feature = "transport")]
static LOOK_UPS: Queue = Queue::new(MAX_LOOK_UP_THREADS);

impl Queue {
    const fn new(most: usize) -> Queue {
        let state = State { calls: VecDeque::new(), workers: 0, idle: 0 };
        Queue { most, state: Mutex::new(state), arrived: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Calls run outside the lock and their panics are caught: the state is whole even if a thread died.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&'static self, call: Call) {
        let mut state = self.lock();
        state.calls.push_back(call);
        if state.calls.len() > state.idle && state.workers < self.most {
            state.workers += 1;
            drop(state);
            blocking::unblock(|| self.work()).detach();
        } else {
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// Takes calls until there has been none for [`LINGER`].
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(call) = state.calls.pop_front() {
                drop(state);
                call();
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let waited = self.arrived.wait_timeout_while(state, LINGER, |state| state.calls.is_empty());
            let (after, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
            state = after;
            state.idle -= 1;
            if timed_out.timed_out() && state.calls.is_empty() {
                state.workers -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::event_loop::EventLoop;

    #[test]
    fn at_most_four_at_once_and_all_of_them_run() {
        let now = Arc::new(AtomicUsize::new(0));
        let peak = Arc::new(AtomicUsize::new(0));
        let event_loop = EventLoop::new();
        let results = event_loop.run(async {
            let calls = (0..64).map(|n| {
                let (now, peak) = (now.clone(), peak.clone());
                unblock(move || {
                    peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    now.fetch_sub(1, Ordering::SeqCst);
                    n
                })
            });
            event_loop.gather(calls).await
        });
        assert_eq!(results, Vec::from_iter(0..64));
        assert!((1..=MAX_BLOCKING_THREADS).contains(&peak.load(Ordering::SeqCst)));
    }

    #[test]
    fn a_panic_reaches_the_task_that_waits_and_nobody_else() {
        let event_loop = EventLoop::new();
        let caught = catch_unwind(AssertUnwindSafe(|| event_loop.run(unblock(|| panic!("on purpose")))));
        assert_eq!(caught.expect_err("it panicked").downcast_ref::<&str>(), Some(&"on purpose"));
        assert_eq!(event_loop.run(unblock(|| 5)), 5);
    }
}
