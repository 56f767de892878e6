//! Leave to send, from elsewhere: for runs that share their limits with others.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use url::Url;

/// Limits that other processes hold to as well.
pub(crate) trait LimitSharer: fmt::Debug + Send + Sync {
    /// Resolves when a request of this URL may leave. It counts as under way until what is returned is dropped.
    fn pass(&self, url: &Url) -> Pin<Box<dyn Future<Output = SharedLeave>>>;
}

/// Held while a request is under way.
pub(crate) type SharedLeave = Box<dyn Any>;
