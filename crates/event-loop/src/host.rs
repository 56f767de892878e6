//! The loop inside a host: a program with a loop of its own, which owns the thread.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::current::{self, EnterGuard};
use crate::event_loop::EventLoop;

/// How many polls a [`tick`](EventLoop::tick) makes at most: about a millisecond of tasks that do little.
const MAX_POLLS_PER_TICK: usize = 1_000;

/// For hosts: programs with a loop of their own, for windows, frames or descriptors, that let this one run every now and
/// then. Sockets, timers and blocking calls go on between the ticks, and what becomes ready calls the host.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use roundup_event_loop::{EventLoop, sleep};
///
/// let event_loop = EventLoop::new();
/// // Whatever wakes the host's loop: a message to a window, a byte in a pipe, here a channel.
/// let (sender, host) = mpsc::channel();
/// event_loop.on_wake(move || drop(sender.send(())));
/// let task = event_loop.spawn(sleep(Duration::from_millis(5)));
/// while !task.is_finished() {
///     host.recv().expect("the loop has the sender");
///     event_loop.tick();
/// }
/// ```
impl EventLoop {
    /// Polls tasks until none is ready, 1,000 times at most, so that tasks that are always ready cannot hold the host. Never
    /// waits.
    ///
    /// Returns true if more tasks may be ready. The callback of [`on_wake`](Self::on_wake) has been called then, so a host
    /// that ticks when it is called can ignore the result.
    ///
    /// # Panics
    /// If it is called by a task, of this loop or another one that runs on this thread.
    #[track_caller]
    pub fn tick(&self) -> bool {
        self.tick_while("EventLoop::tick", |polls| polls < MAX_POLLS_PER_TICK)
    }

    /// As [`tick`](Self::tick), but with a time budget: returns when no task is ready, or after the first poll that ends
    /// beyond the budget. So it takes the budget and one poll at most. With a budget of zero it polls one task, so that a
    /// host that is always late makes progress.
    ///
    /// # Panics
    /// As [`tick`](Self::tick).
    #[track_caller]
    pub fn tick_for(&self, budget: Duration) -> bool {
        let start = Instant::now();
        self.tick_while("EventLoop::tick_for", |_| start.elapsed() < budget)
    }

    /// Polls tasks until none is ready, however many polls that takes: with a task that is always ready it never returns.
    /// Does not wait for sockets, timers or blocking calls.
    ///
    /// # Panics
    /// As [`tick`](Self::tick).
    #[track_caller]
    pub fn run_until_stalled(&self) {
        self.tick_while("EventLoop::run_until_stalled", |_| true);
    }

    /// Blocks the host until `future` has ended, and returns its output. The same as [`run`](Self::run), by the name that it
    /// has in other embedded loops.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> T {
        self.run(future)
    }

    /// Sets the callback that tells the host to call [`tick`](Self::tick) soon, from its own thread.
    ///
    /// It is called when the loop had nothing to do and was woken, once until the next tick, and at once if there is
    /// something to do now. It can be called from any thread, or inside of a task, so it must only pass the message on, and
    /// cannot tick by itself.
    ///
    /// There is one callback; a new one replaces it. It is not called while [`run`](Self::run) blocks, and never again after
    /// the loop is dropped. While nothing happens it is not called at all. If it panics, that is logged, and the wake-up
    /// counts as passed on.
    pub fn on_wake(&self, callback: impl Fn() + Send + Sync + 'static) {
        self.core().notifier.set_host(Some(Arc::new(callback)));
        if !current::is_running() {
            self.core().start_host();
        }
    }

    #[track_caller]
    fn tick_while(&self, call: &str, go_on: impl FnMut(usize) -> bool) -> bool {
        let _entered = EnterGuard::new(self.core(), call);
        let more = self.core().poll_while(go_on);
        if more {
            self.core().notifier.notify_always();
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use futures_lite::future::{pending, poll_fn, yield_now};

    use super::*;
    use crate::{sleep, unblock};

    /// A loop, how often it has called its host, and a channel with a message for each call.
    fn hosted() -> (EventLoop, Arc<AtomicU32>, mpsc::Receiver<()>) {
        let event_loop = EventLoop::new();
        let calls = Arc::new(AtomicU32::new(0));
        let (sender, receiver) = mpsc::channel();
        let count = calls.clone();
        event_loop.on_wake(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = sender.send(());
        });
        (event_loop, calls, receiver)
    }

    #[test]
    fn the_host_is_called_once_for_each_time_there_is_something_to_do() {
        let (event_loop, calls, host) = hosted();
        assert_eq!(calls.load(Ordering::SeqCst), 0, "there was nothing to do");
        let tasks: Vec<_> = (0..3).map(|n| event_loop.spawn(async move { n })).collect();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(!event_loop.tick());
        assert!(tasks.iter().all(crate::Task::is_finished));
        // A tick without a call does no harm.
        assert!(!event_loop.tick());
        host.recv().expect("called");
        let timed = event_loop.spawn(sleep(Duration::from_millis(2)));
        while !timed.is_finished() {
            host.recv().expect("called when the timer is due");
            event_loop.tick();
        }
        let blocked = event_loop.spawn(unblock(|| 5));
        while !blocked.is_finished() {
            host.recv().expect("called when the call has ended");
            event_loop.tick();
        }
        assert!(host.try_recv().is_err());
    }

    #[test]
    fn tasks_that_are_always_ready_cannot_hold_the_host() {
        let (event_loop, calls, _host) = hosted();
        let polls = Rc::new(Cell::new(0u32));
        let counted = polls.clone();
        event_loop
            .spawn(poll_fn::<(), _>(move |cx| {
                counted.set(counted.get() + 1);
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            }))
            .detach();
        assert!(event_loop.tick());
        assert_eq!(polls.get(), 1_000);
        // Once for the spawn, and once because more is ready.
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        assert!(event_loop.tick_for(Duration::ZERO));
        assert_eq!(polls.get(), 1_001);
    }

    #[test]
    fn run_until_stalled_has_no_limit() {
        let event_loop = EventLoop::new();
        let task = event_loop.spawn(async {
            for _ in 0..5_000 {
                yield_now().await;
            }
            7
        });
        let never = event_loop.spawn(pending::<()>());
        event_loop.run_until_stalled();
        assert!(task.is_finished() && !never.is_finished());
        assert_eq!(event_loop.run_until(task), 7);
    }

    #[test]
    fn a_callback_that_panics_loses_no_wake_up() {
        let event_loop = EventLoop::new();
        event_loop.on_wake(|| panic!("on purpose"));
        let task = event_loop.spawn(async { 7 });
        assert!(!event_loop.tick());
        let timed = event_loop.spawn(sleep(Duration::from_millis(1)));
        // async-io's thread goes on, for this loop and all others.
        assert_eq!(event_loop.run(async { (task.await, timed.await) }), (7, ()));
        EventLoop::new().run(sleep(Duration::from_millis(1)));
    }

    #[test]
    fn waking_after_the_loop_is_gone_does_nothing() {
        let (event_loop, calls, _host) = hosted();
        let (sender, receiver) = mpsc::channel();
        let task = event_loop.spawn(poll_fn::<(), _>(move |cx| {
            let _ = sender.send(cx.waker().clone());
            std::task::Poll::Pending
        }));
        event_loop.tick();
        let waker = receiver.recv().expect("polled");
        let before = calls.load(Ordering::SeqCst);
        drop(event_loop);
        std::thread::spawn(move || waker.wake()).join().expect("no panic");
        assert_eq!(calls.load(Ordering::SeqCst), before);
        assert!(task.is_finished());
        let error = futures_lite::future::block_on(task.join()).expect_err("it was cancelled");
        assert!(!error.is_panic() && error.to_string().ends_with("was cancelled with its loop"), "{error}");
    }

    #[test]
    fn a_loop_inside_a_loop_is_refused_and_both_go_on() {
        let (outer, inner) = (EventLoop::new(), EventLoop::new());
        outer.run(async {
            for call in [
                (|l| l.run(async {})) as fn(&EventLoop),
                |l| assert!(!l.tick()),
                |l| assert!(!l.tick_for(Duration::ZERO)),
                |l| l.run_until_stalled(),
            ] {
                for event_loop in [&outer, &inner] {
                    let caught = catch_unwind(AssertUnwindSafe(|| call(event_loop)));
                    let payload = caught.expect_err("refused");
                    let message = payload.downcast_ref::<String>().expect("a message");
                    assert!(message.contains("while an event loop runs on this thread: await"), "{message}");
                }
            }
            sleep(Duration::from_millis(1)).await;
        });
        assert_eq!(inner.run(async { 5 }), 5);
    }

    #[test]
    fn running_and_ticking_take_turns() {
        let (event_loop, calls, host) = hosted();
        let task = event_loop.spawn(async { 1 });
        assert_eq!(event_loop.run(task), 1);
        let before = calls.load(Ordering::SeqCst);
        // The host is not called during run. If tasks are ready when it ends, it is called then.
        event_loop.run(async { event_loop.spawn(yield_now()).detach() });
        assert_eq!(calls.load(Ordering::SeqCst), before + 1);
        assert!(!event_loop.tick());
        drop(host);
    }
}
