//! Calls that block, run on a few threads beside the loop.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many calls of [`unblock`] run at once at most; further calls wait in a queue.
pub const MAX_BLOCKING_THREADS: usize = 4;

/// How long a worker waits for another call before it returns its thread to the pool of the `blocking` crate, which ends
/// the thread after half a second more.
const LINGER: Duration = Duration::from_millis(500);

static DEFAULT_POOL: BlockingPool = BlockingPool::new(MAX_BLOCKING_THREADS);

/// Runs a call that blocks (files, a long computation) on another thread, and resolves to its result:
/// `asyncio.to_thread`.
///
/// At most [`MAX_BLOCKING_THREADS`] calls run at a time, in the order in which they were made. Calls that may hang for long
/// should have a [`BlockingPool`] of their own.
///
/// A call that has started cannot be stopped: dropping the future drops its result. A call that has not started by then
/// never does.
///
/// # Panics
/// If the call panics, the panic continues in the task that awaits it.
pub async fn unblock<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    DEFAULT_POOL.unblock(call).await
}

/// A queue of blocking calls with a bounded number of threads, as [`unblock`] uses.
///
/// Have one of your own for calls that wait for something slow, such as a server that looks up names, so that they do not
/// hold up other blocking calls. Threads start when a call needs one, and end when there has been no call for a second.
///
/// ```
/// use std::net::ToSocketAddrs;
/// use roundup_event_loop::{BlockingPool, EventLoop};
///
/// static LOOK_UPS: BlockingPool = BlockingPool::new(32);
///
/// let look_up = LOOK_UPS.unblock(|| "localhost:80".to_socket_addrs().map(Iterator::count));
/// assert!(EventLoop::new().run(look_up).is_ok());
/// ```
// The pool of the `blocking` crate starts a thread whenever none is idle, up to a limit that only the environment can set,
// and a thread is not idle yet at the moment its call ends. Workers that take one call after the other keep the number of
// threads at the limit.
pub struct BlockingPool {
    max_threads: usize,
    state: Mutex<PoolState>,
    call_arrived: Condvar,
}

struct PoolState {
    calls: VecDeque<BlockingCall>,
    workers: usize,
    idle_workers: usize,
}

type BlockingCall = Box<dyn FnOnce() + Send>;

/// The result of a call, its type erased: the channel and the waiting are compiled once, and not for each type.
type AnyResult = Box<dyn Any + Send>;

impl BlockingPool {
    /// A pool that runs at most `max_threads` calls at once. Starts no thread yet.
    ///
    /// # Panics
    /// If `max_threads` is zero, which in a `static` is an error of the compiler.
    pub const fn new(max_threads: usize) -> BlockingPool {
        assert!(max_threads > 0, "a pool without threads would never run a call");
        let state = PoolState { calls: VecDeque::new(), workers: 0, idle_workers: 0 };
        BlockingPool { max_threads, state: Mutex::new(state), call_arrived: Condvar::new() }
    }

    /// Runs a call on a thread of this pool, and resolves to its result. Otherwise as the function [`unblock`].
    ///
    /// # Panics
    /// If the call panics, the panic continues in the task that awaits it.
    pub async fn unblock<T: Send + 'static>(&'static self, call: impl FnOnce() -> T + Send + 'static) -> T {
        match self.run(Box::new(move || Box::new(call()))).await {
            Ok(result) => *result.downcast().expect("the call above returned this type"),
            Err(payload) => resume_unwind(payload),
        }
    }

    async fn run(&'static self, call: Box<dyn FnOnce() -> AnyResult + Send>) -> thread::Result<AnyResult> {
        let (sender, receiver) = async_channel::bounded(1);
        self.push(Box::new(move || {
            if !sender.is_closed() {
                // AssertUnwindSafe: what a panic left half done is never seen again, because only its payload is passed on.
                let _ = sender.try_send(catch_unwind(AssertUnwindSafe(call)));
            }
        }));
        match receiver.recv().await {
            Ok(result) => result,
            Err(_) => unreachable!("the call owns the sender and sends before it drops it"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        // Calls run outside the lock and their panics are caught, so the state is valid even if the lock is poisoned.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&'static self, call: BlockingCall) {
        let mut state = self.lock();
        state.calls.push_back(call);
        if state.calls.len() > state.idle_workers && state.workers < self.max_threads {
            state.workers += 1;
            drop(state);
            blocking::unblock(|| self.work()).detach();
        } else {
            drop(state);
            self.call_arrived.notify_one();
        }
    }

    /// Runs calls until there has been none for [`LINGER`].
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(call) = state.calls.pop_front() {
                drop(state);
                call();
                state = self.lock();
                continue;
            }
            state.idle_workers += 1;
            let waited = self.call_arrived.wait_timeout_while(state, LINGER, |state| state.calls.is_empty());
            let (locked, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = locked;
            state.idle_workers -= 1;
            if timeout.timed_out() && state.calls.is_empty() {
                state.workers -= 1;
                return;
            }
        }
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let mut debug = f.debug_struct("BlockingPool");
        debug.field("max_threads", &self.max_threads).field("threads", &state.workers);
        debug.field("waiting_calls", &state.calls.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::EventLoop;

    #[test]
    fn at_most_four_calls_run_at_once_and_all_of_them_run() {
        let running = Arc::new(AtomicUsize::new(0));
        let peak = Arc::new(AtomicUsize::new(0));
        let event_loop = EventLoop::new();
        let results = event_loop.run(async {
            let calls = (0..64).map(|n| {
                let (running, peak) = (running.clone(), peak.clone());
                unblock(move || {
                    peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    running.fetch_sub(1, Ordering::SeqCst);
                    n
                })
            });
            event_loop.gather(calls).await
        });
        assert_eq!(results, Vec::from_iter(0..64));
        assert!((1..=MAX_BLOCKING_THREADS).contains(&peak.load(Ordering::SeqCst)));
    }

    #[test]
    fn a_pool_that_is_stuck_does_not_hold_up_another() {
        static STUCK: BlockingPool = BlockingPool::new(1);
        static CONTINUE: Mutex<()> = Mutex::new(());
        let stop = CONTINUE.lock().expect("no panic while it is locked");
        let event_loop = EventLoop::new();
        let stuck = event_loop.gather((0..2).map(|n| {
            STUCK.unblock(move || {
                drop(CONTINUE.lock());
                n
            })
        }));
        assert_eq!(event_loop.run(unblock(|| 7)), 7);
        drop(stop);
        assert_eq!(event_loop.run(stuck), [0, 1]);
    }

    #[test]
    fn a_panic_reaches_the_task_that_awaits_the_call_and_no_other() {
        let event_loop = EventLoop::new();
        let caught = catch_unwind(AssertUnwindSafe(|| event_loop.run(unblock(|| panic!("on purpose")))));
        assert_eq!(caught.expect_err("it panicked").downcast_ref::<&str>(), Some(&"on purpose"));
        assert_eq!(event_loop.run(unblock(|| 5)), 5);
    }
}
