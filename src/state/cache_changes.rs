//! What is still to be written of the cache.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cache::CacheChange;

/// Changes that are still to be written.
pub(super) type Changes = Arc<Mutex<Vec<CacheChange>>>;

/// Takes all changes.
pub(super) fn take(changes: &Changes) -> Vec<CacheChange> {
    std::mem::take(&mut *lock(changes))
}

/// The value of a mutex, also if a thread has panicked with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
