//! A token that is renewed while jobs wait that are to be sent with it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::Field;

/// The field with the newest token of a login, and how many tokens there were.
pub(crate) type SharedToken = Arc<Mutex<(u64, Field)>>;

/// The token of one job: each attempt is made with the newest one of its login, because hours may lie between the moment in
/// which a job is given to the fetcher and its turn.
#[derive(Clone)]
pub(crate) struct LiveToken {
    newest: SharedToken,
    /// Which one the job was sent with last.
    sent: Arc<AtomicU64>,
}

impl LiveToken {
    pub(crate) fn new(newest: SharedToken) -> LiveToken {
        LiveToken { newest, sent: Arc::default() }
    }

    /// The field to send now.
    pub(crate) fn take(&self) -> Field {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.sent.store(newest.0, Ordering::Relaxed);
        newest.1.clone()
    }

    /// The newest one, and which it is, whether or not it is sent.
    #[cfg(feature = "fleet")]
    pub(crate) fn newest(&self) -> (u64, Field) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same for another job of this login.
    #[cfg(feature = "fleet")]
    pub(crate) fn of_another_job(&self) -> LiveToken {
        LiveToken::new(self.newest.clone())
    }

    /// Takes this one in place of an older one.
    #[cfg(feature = "fleet")]
    pub(crate) fn renew(&self, number: u64, field: Field) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.0 < number {
            *newest = (number, field);
        }
    }

    /// Notes with which one the job was sent elsewhere.
    #[cfg(feature = "fleet")]
    pub(crate) fn set_sent(&self, number: u64) {
        self.sent.store(number, Ordering::Relaxed);
    }

    /// Which token the job was sent with last; 0 if with none.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Those of one login.
impl PartialEq for LiveToken {
    fn eq(&self, other: &LiveToken) -> bool {
        Arc::ptr_eq(&self.newest, &other.newest)
    }
}

impl fmt::Debug for LiveToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveToken").field("sent", &self.sent()).finish_non_exhaustive()
    }
}
