//! What wakes a loop that has nothing to do: the thread that is blocked in `run`, or the host's callback.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::ThreadId;

use crate::diagnostics;

/// The loop polls tasks, and looks for further ones before it sleeps.
const RUNNING: u8 = 0;
/// The loop has nothing to do. The next wake-up is delivered.
const SLEEPING: u8 = 1;
/// The loop was woken, and the wake-up was delivered if it was sleeping.
const NOTIFIED: u8 = 2;

/// Called when a loop has something to do, from any thread.
pub(crate) type WakeCallback = Arc<dyn Fn() + Send + Sync>;

/// One for each loop. Wakers reach it from any thread, also after the loop is gone.
pub(crate) struct Notifier {
    state: AtomicU8,
    /// Whether the main future of `run` was woken.
    main_woken: AtomicBool,
    /// Whether another thread has woken the thread that was blocked in `run`.
    woken_by_other_thread: AtomicBool,
    target: Mutex<WakeTarget>,
}

/// What a wake-up is delivered to: the thread that is blocked in `run`, otherwise the host.
#[derive(Default)]
struct WakeTarget {
    thread: Option<(Waker, ThreadId)>,
    host: Option<WakeCallback>,
}

impl Notifier {
    pub(crate) fn new() -> Arc<Notifier> {
        Arc::new(Notifier {
            state: AtomicU8::new(NOTIFIED),
            main_woken: AtomicBool::new(false),
            woken_by_other_thread: AtomicBool::new(false),
            target: Mutex::default(),
        })
    }

    fn target(&self) -> MutexGuard<'_, WakeTarget> {
        // Nothing is called under the lock, so the target is valid even if the lock is poisoned.
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on wake-ups are delivered to this thread.
    pub(crate) fn set_thread(&self, waker: &Waker) {
        let mut target = self.target();
        if !target.thread.as_ref().is_some_and(|(known, _)| known.will_wake(waker)) {
            target.thread = Some((waker.clone(), std::thread::current().id()));
        }
    }

    /// No thread is blocked in `run` any more.
    pub(crate) fn clear_thread(&self) {
        self.target().thread = None;
    }

    pub(crate) fn set_host(&self, callback: Option<WakeCallback>) {
        let previous = std::mem::replace(&mut self.target().host, callback);
        // Dropped outside the lock, because the callback may own anything.
        drop(previous);
    }

    pub(crate) fn has_host(&self) -> bool {
        self.target().host.is_some()
    }

    /// From now on a wake-up only makes the loop look for ready tasks again.
    pub(crate) fn set_running(&self) {
        self.state.swap(RUNNING, Ordering::AcqRel);
    }

    /// Whether the loop was woken since [`set_running`](Self::set_running).
    pub(crate) fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) == NOTIFIED
    }

    /// From now on a wake-up is delivered. False, and without effect, if one came since [`set_running`](Self::set_running).
    pub(crate) fn try_sleep(&self) -> bool {
        self.state.compare_exchange(RUNNING, SLEEPING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Wakes the main future.
    pub(crate) fn wake_main(&self) {
        if !self.main_woken.swap(true, Ordering::AcqRel) {
            self.notify();
        }
    }

    /// Whether the main future was woken since this was last called.
    pub(crate) fn take_main_woken(&self) -> bool {
        self.main_woken.load(Ordering::Relaxed) && self.main_woken.swap(false, Ordering::AcqRel)
    }

    /// Whether another thread has ended the loop's sleep since this was last called.
    pub(crate) fn take_woken_by_other_thread(&self) -> bool {
        let flag = &self.woken_by_other_thread;
        flag.load(Ordering::Relaxed) && flag.swap(false, Ordering::Relaxed)
    }

    /// The loop has something to do.
    pub(crate) fn notify(&self) {
        if self.state.swap(NOTIFIED, Ordering::AcqRel) == SLEEPING {
            self.deliver();
        }
    }

    /// As [`notify`](Self::notify), and delivers the wake-up even if the loop was not sleeping.
    pub(crate) fn notify_always(&self) {
        self.state.store(NOTIFIED, Ordering::Release);
        self.deliver();
    }

    fn deliver(&self) {
        let (thread, host) = {
            let target = self.target();
            (target.thread.clone(), target.host.clone())
        };
        if let Some((thread, id)) = thread {
            if id != std::thread::current().id() {
                self.woken_by_other_thread.store(true, Ordering::Relaxed);
            }
            thread.wake();
        } else if let Some(host) = host {
            // A panic must not end this thread: it may be async-io's, which serves the sockets of all loops.
            if catch_unwind(AssertUnwindSafe(|| host())).is_err() {
                diagnostics::error(format_args!(
                    "the callback of EventLoop::on_wake panicked: the loop waits for the next tick"
                ));
            }
        }
    }
}

/// As a waker, for the executor and the loop's timer.
impl Wake for Notifier {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

/// The waker of the main future.
pub(crate) struct MainWaker(pub(crate) Arc<Notifier>);

impl Wake for MainWaker {
    fn wake(self: Arc<Self>) {
        self.0.wake_main();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_main();
    }
}
