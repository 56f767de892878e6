//! Leave to send, from elsewhere: for runs that share their limits with others.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use url::Url;

use super::budget::AttemptCounts;

/// Limits that other processes hold to as well.
pub(crate) trait LimitSharer: fmt::Debug + Send + Sync {
    /// Resolves when a request of this URL may leave, or need not be tried now. `made` is what this process has sent of the run.
    fn pass(&self, url: &Url, made: AttemptCounts) -> Pin<Box<dyn Future<Output = SharedAnswer>>>;

    /// The host of this URL wants to be left alone, or takes no connections, for this long.
    fn leave_alone(&self, url: &Url, wait: Duration);
}

/// What comes of asking for leave.
pub(crate) struct SharedAnswer {
    pub(crate) leave: SharedLeave,
    /// What the others have sent of the run.
    pub(crate) elsewhere: AttemptCounts,
}

pub(crate) enum SharedLeave {
    /// The request may leave. It counts as under way until this is dropped.
    Granted(Box<dyn Any>),
    /// Its host told another process to leave it alone for this long.
    Paused(Duration),
}
