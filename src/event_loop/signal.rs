//! What wakes a loop that sleeps: who is told, and when.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::ThreadId;

/// Runs tasks, and will look again at what is ready before it sleeps.
const RUNNING: u8 = 0;
/// Has nothing to do: the next wake-up is passed on.
const SLEEPING: u8 = 1;
/// Was woken, and that has been passed on where it had to be.
const NOTIFIED: u8 = 2;

/// Called when a loop has something to do, from any thread.
pub(super) type Callback = Arc<dyn Fn() + Send + Sync>;

/// One a loop. Wakers of any thread reach it, also after the loop is gone.
pub(super) struct Signal {
    state: AtomicU8,
    /// Whether the future that the loop runs until its end is to be polled.
    main: AtomicBool,
    /// Whether another thread has woken the thread that sleeps.
    elsewhere: AtomicBool,
    sleeper: Mutex<Sleeper>,
}

/// Whom to tell: the thread that is blocked in `run`, or else the host.
#[derive(Default)]
struct Sleeper {
    thread: Option<(Waker, ThreadId)>,
    host: Option<Callback>,
}

impl Signal {
    pub(super) fn new() -> Arc<Signal> {
        Arc::new(Signal {
            state: AtomicU8::new(NOTIFIED),
            main: AtomicBool::new(false),
            elsewhere: AtomicBool::new(false),
            sleeper: Mutex::default(),
        })
    }

    fn sleeper(&self) -> MutexGuard<'_, Sleeper> {
        // Nothing is called under the lock, so that it is whole whatever a callback did.
        self.sleeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread that sleeps while the loop has nothing to do.
    pub(super) fn block(&self, thread: &Waker) {
        let mut sleeper = self.sleeper();
        if !sleeper.thread.as_ref().is_some_and(|(known, _)| known.will_wake(thread)) {
            sleeper.thread = Some((thread.clone(), std::thread::current().id()));
        }
    }

    /// No thread is blocked any more.
    pub(super) fn unblock(&self) {
        self.sleeper().thread = None;
    }

    pub(super) fn set_host(&self, callback: Option<Callback>) {
        let before = std::mem::replace(&mut self.sleeper().host, callback);
        // Outside the lock: it may own anything.
        drop(before);
    }

    pub(super) fn has_host(&self) -> bool {
        self.sleeper().host.is_some()
    }

    /// From here on a wake-up only makes the loop look again.
    pub(super) fn run(&self) {
        self.state.swap(RUNNING, Ordering::AcqRel);
    }

    /// Whether the loop was woken since [`run`](Self::run).
    pub(super) fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) == NOTIFIED
    }

    /// From here on a wake-up is passed on. False, and nothing has changed, where one came since [`run`](Self::run).
    pub(super) fn sleep(&self) -> bool {
        self.state.compare_exchange(RUNNING, SLEEPING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The main future is to be polled.
    pub(super) fn wake_main(&self) {
        if !self.main.swap(true, Ordering::AcqRel) {
            self.notify();
        }
    }

    /// Whether the main future is to be polled, once.
    pub(super) fn take_main(&self) -> bool {
        self.main.load(Ordering::Relaxed) && self.main.swap(false, Ordering::AcqRel)
    }

    /// Whether another thread has ended the sleep of the loop's since this was last asked.
    pub(super) fn take_elsewhere(&self) -> bool {
        self.elsewhere.load(Ordering::Relaxed) && self.elsewhere.swap(false, Ordering::Relaxed)
    }

    pub(super) fn notify(&self) {
        if self.state.swap(NOTIFIED, Ordering::AcqRel) == SLEEPING {
            self.pass_on();
        }
    }

    /// Has something to do, and says so to whoever sleeps, though no wake-up came.
    pub(super) fn insist(&self) {
        self.state.store(NOTIFIED, Ordering::Release);
        self.pass_on();
    }

    fn pass_on(&self) {
        let (thread, host) = {
            let sleeper = self.sleeper();
            (sleeper.thread.clone(), sleeper.host.clone())
        };
        if let Some((thread, id)) = thread {
            if id != std::thread::current().id() {
                self.elsewhere.store(true, Ordering::Relaxed);
            }
            thread.wake();
        } else if let Some(host) = host {
            // It may run on the thread that serves the sockets of all loops, which must not end by it.
            if catch_unwind(AssertUnwindSafe(|| host())).is_err() {
                log::error!("the callback of EventLoop::on_wake panicked: the loop waits for the next tick");
            }
        }
    }
}

/// Wakes the loop, for its timer.
impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

/// Wakes the loop for its executor, which forgets whom to wake when it does.
pub(super) struct Idle {
    signal: Arc<Signal>,
    /// Whether it is to be told again.
    woken: AtomicBool,
}

impl Idle {
    pub(super) fn new(signal: Arc<Signal>) -> Arc<Idle> {
        Arc::new(Idle { signal, woken: AtomicBool::new(true) })
    }

    /// Whether it has woken the loop since this was last asked.
    pub(super) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Idle {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.signal.notify();
    }
}

/// Wakes the main future.
pub(super) struct Main(pub(super) Arc<Signal>);

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.0.wake_main();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_main();
    }
}
