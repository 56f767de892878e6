//! The host's callback, which other threads call while its context may be freed.

use std::cell::Cell;
use std::sync::{PoisonError, RwLock};

/// What the host wants called.
pub(crate) type Callback = Box<dyn Fn() + Send + Sync>;

/// The callback of one context. When it was replaced, the old one is not running any more, nor will it be.
#[derive(Default)]
pub(crate) struct Wake(RwLock<Option<Callback>>);

impl Wake {
    /// Calls the callback, if there is one.
    pub(crate) fn call(&self) {
        let callback = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(callback) = &*callback {
            let _inside = Inside::enter();
            callback();
        }
    }

    /// Waits until no thread is in the old one. Not to be called from inside of a callback: [`is_inside`] says so.
    pub(crate) fn replace(&self, callback: Option<Callback>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = callback;
    }
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in a callback.
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

/// This thread is in a callback until this is dropped.
struct Inside {
    before: bool,
}

impl Inside {
    fn enter() -> Inside {
        Inside { before: INSIDE.replace(true) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.before);
    }
}
