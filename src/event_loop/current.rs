//! Which loop runs on this thread.

use std::cell::RefCell;
use std::rc::Rc;

use super::core::Core;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// Whether a loop runs on this thread.
pub(super) fn is_running() -> bool {
    CURRENT.try_with(|current| current.borrow().is_some()).unwrap_or(false)
}

/// The loop that runs on this thread.
pub(super) fn core() -> Option<Rc<Core>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// A loop is run on this thread, until this is dropped.
pub(super) struct Entered(());

impl Entered {
    /// # Panics
    /// Where one runs already: the outer one would stand still until the inner one ends, and that may wait for it.
    #[track_caller]
    pub(super) fn new(core: &Rc<Core>, call: &str) -> Entered {
        CURRENT.with(|current| {
            let mut current = current.borrow_mut();
            assert!(
                current.is_none(),
                "{call} was called while an event loop runs on this thread: await the future, or spawn it, instead"
            );
            *current = Some(core.clone());
        });
        Entered(())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Outside the borrow: it may be the last to hold the loop.
        let _core = CURRENT.try_with(|current| current.borrow_mut().take());
    }
}
