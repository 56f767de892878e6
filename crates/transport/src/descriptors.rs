//! What happens if no file descriptor is left: requests wait for one in place of failing.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_lock::Mutex;

use crate::error::{Error, out_of_descriptors};
use crate::event_loop::sleep;

/// How often a request that waits looks for a descriptor. The files of the rest of the process are not known here, so their
/// closing cannot wake it.
const INTERVAL: Duration = Duration::from_millis(5);

/// How long a request waits if no other connection of its transport is open: then something else holds the descriptors, and
/// may do so for ever.
const PATIENCE_ALONE: Duration = Duration::from_secs(1);

/// The connections of a transport that hold descriptors, and the requests that wait for one.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    open: Arc<AtomicUsize>,
    /// Those that wait look one after the other, in the order in which they came.
    line: Mutex<()>,
}

/// A connection that is open or being opened.
#[derive(Debug)]
pub(crate) struct OpenGuard(Arc<AtomicUsize>);

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Descriptors {
    /// Counts a connection for as long as the guard lives.
    pub(crate) fn count(&self) -> OpenGuard {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenGuard(self.open.clone())
    }

    /// Waits until there is a descriptor. `close_idle` closes an idle connection for it, if there is one. Resolves to
    /// whether there is a descriptor: there may never be one if no connection of this transport is open.
    pub(crate) async fn wait(&self, close_idle: impl Fn() -> bool) -> bool {
        let _line = self.line.lock().await;
        let mut alone_since: Option<Instant> = None;
        while !is_one_left() {
            if close_idle() {
                continue;
            }
            if self.open.load(Ordering::Relaxed) > 0 {
                alone_since = None;
            } else if alone_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE_ALONE {
                return false;
            }
            sleep(INTERVAL).await;
        }
        true
    }
}

/// Whether an error was caused by a lack of descriptors.
pub(crate) fn is_lack_of_descriptors(error: &Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(each) = cause {
        if each.downcast_ref::<io::Error>().is_some_and(out_of_descriptors) {
            return true;
        }
        cause = each.source();
    }
    false
}

/// Tries it out with a file that is always there. If it is not, the system says that, and not that descriptors lack.
fn is_one_left() -> bool {
    !cfg!(unix) || !std::fs::File::open("/dev/null").is_err_and(|error| out_of_descriptors(&error))
}
