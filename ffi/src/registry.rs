//! Which contexts there are, and whose they are.
//!
//! A handle is an odd number that is given out once: no address of C's own is one, and one that was freed never becomes
//! another's. The contexts of a thread are kept with the thread, so that no other can reach them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use crate::context::Context;
use crate::failure::{Code, Failure};
use crate::wake::{self, Callback, Wake};

/// The thread of every context.
static OWNERS: Mutex<BTreeMap<usize, ThreadId>> = Mutex::new(BTreeMap::new());

static NEXT: AtomicUsize = AtomicUsize::new(1);

thread_local! {
    static OWN: Own = Own::default();
}

/// The contexts of a thread.
#[derive(Default)]
struct Own(RefCell<HashMap<usize, Rc<Kept>>>);

struct Kept {
    context: RefCell<Context>,
    wake: Arc<Wake>,
    panicked: Cell<bool>,
}

/// Makes a context for this thread.
pub(crate) fn add() -> Result<usize, Failure> {
    may_call()?;
    let wake = Arc::<Wake>::default();
    let context = caught(Context::new).ok_or_else(panicked)?;
    let kept = Kept { context: RefCell::new(context), wake, panicked: Cell::new(false) };
    let mut owners = owners();
    // On 32 bits they may come round after two thousand million.
    let mut handle = NEXT.fetch_add(2, Ordering::Relaxed);
    while owners.contains_key(&handle) {
        handle = NEXT.fetch_add(2, Ordering::Relaxed);
    }
    if OWN.try_with(|own| own.0.borrow_mut().insert(handle, Rc::new(kept))).is_err() {
        return Err(Failure::new(Code::State, "this thread ends: no context can be made for it"));
    }
    owners.insert(handle, std::thread::current().id());
    Ok(handle)
}

/// Calls `f` with a context of this thread.
pub(crate) fn with<T>(handle: usize, f: impl FnOnce(&mut Context) -> Result<T, Failure>) -> Result<T, Failure> {
    let kept = find(handle)?;
    if kept.panicked.get() {
        return Err(panicked());
    }
    // Nothing but a callback could come here twice, and it was refused.
    let Ok(mut context) = kept.context.try_borrow_mut() else { return Err(busy()) };
    caught(|| f(&mut context)).unwrap_or_else(|| {
        kept.panicked.set(true);
        Err(panicked())
    })
}

/// Sets what is called when a context of this thread has something to do.
pub(crate) fn on_wake(handle: usize, callback: Option<Callback>) -> Result<(), Failure> {
    let wake = find(handle)?.wake.clone();
    with(handle, |context| {
        let wanted = callback.is_some();
        wake.replace(callback);
        if wanted {
            context.on_wake(move || wake.call());
        }
        Ok(())
    })
}

/// Frees a context of this thread.
pub(crate) fn remove(handle: usize) -> Result<(), Failure> {
    let kept = find(handle)?;
    kept.wake.replace(None);
    let _ = OWN.try_with(|own| own.0.borrow_mut().remove(&handle));
    owners().remove(&handle);
    // What it comes to be after a panic is not worth another.
    caught(|| drop(kept)).ok_or_else(panicked)
}

fn find(handle: usize) -> Result<Rc<Kept>, Failure> {
    may_call()?;
    let own = OWN.try_with(|own| own.0.borrow().get(&handle).cloned()).ok().flatten();
    own.ok_or_else(|| match owners().get(&handle) {
        Some(_) => Failure::new(Code::Thread, "the context belongs to another thread: call from the one that made it"),
        None => Failure::new(Code::Handle, "there is no such context: it was freed, or never made"),
    })
}

fn may_call() -> Result<(), Failure> {
    if wake::is_inside() { Err(busy()) } else { Ok(()) }
}

fn busy() -> Failure {
    Failure::new(Code::Busy, "called from inside of a callback: only wake your loop there, and call from that")
}

fn panicked() -> Failure {
    Failure::new(Code::Panic, "a bug of roundup: the context is of no use any more and can only be freed")
}

/// What `f` returns; `None` where it panics.
fn caught<T>(f: impl FnOnce() -> T) -> Option<T> {
    // What is left half done is not looked at again.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // A payload may panic when it is dropped.
            std::mem::forget(payload);
            None
        }
    }
}

fn owners() -> MutexGuard<'static, BTreeMap<usize, ThreadId>> {
    OWNERS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Own {
    /// The thread ends. What the loop keeps for the thread may be gone already, so its contexts are left as they are.
    fn drop(&mut self) {
        for (handle, kept) in self.0.take() {
            kept.wake.replace(None);
            owners().remove(&handle);
            std::mem::forget(kept);
        }
    }
}
