//! Jobs in, a stream of outcomes out: limits, retries, pauses.
//!
//! ```
//! use futures_lite::StreamExt;
//! use roundup::{EventLoop, Fetcher, Job};
//!
//! let event_loop = EventLoop::new();
//! let fetcher = Fetcher::new();
//! // Nothing listens on port 9 here: the job fails, and says why.
//! let jobs = vec![Job::get("http://127.0.0.1:9/")?.with(|settings| settings.retries = 0)];
//! let outcomes = event_loop.run(fetcher.run(&event_loop, jobs).collect::<Vec<_>>());
//! assert_eq!(outcomes[0].error.as_ref().map(|failure| failure.kind), Some(roundup::Kind::Connect));
//! # Ok::<(), roundup::Error>(())
//! ```

use std::time::Duration;

use crate::event_loop::EventLoop;
use crate::job::Job;
use crate::limits::Limits;
use crate::redirect::Redirect;
use crate::transport::Transport;

mod advice;
mod attempt;
mod outcomes;
mod queue;
mod rate;
mod retry;
mod run;
mod sink;

/// What the fuzzer reaches that users do not.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use super::advice::{rate_limit, retry_after};
}

pub use self::outcomes::{Outcomes, Status, Stopper};

/// Runs jobs: so many at once, so many on a host, again where that may help.
///
/// A failed job never hides another's result: every job that goes in comes out as one
/// [`Outcome`](crate::outcome::Outcome), whatever happens.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: surf::Client,
    limits: Limits,
    deadline: Option<Duration>,
    fail_fast: bool,
    keep_bodies: bool,
}

impl Fetcher {
    /// A fetcher with the documented defaults.
    pub fn new() -> Fetcher {
        Fetcher::with_transport(Transport::new())
    }

    /// A fetcher that sends through this transport, and follows redirects as [`Redirect`] does.
    pub fn with_transport(transport: Transport) -> Fetcher {
        Fetcher::with_client(surf::Client::with_http_client(transport).with(Redirect::default()))
    }

    /// A fetcher that sends through this client, with whatever middleware it has. Redirects are followed only where the
    /// client does it; limits of time hold whatever the client.
    pub fn with_client(client: surf::Client) -> Fetcher {
        Fetcher { client, limits: Limits::default(), deadline: None, fail_fast: false, keep_bodies: true }
    }

    /// How much at once, and how fast.
    pub fn limits(mut self, limits: Limits) -> Fetcher {
        self.limits = limits;
        self
    }

    /// When the whole run must be over, from its start; `None`, the default, for never. Jobs that are under way then come
    /// out as cancelled, those that wait as skipped.
    pub fn deadline(mut self, deadline: Option<Duration>) -> Fetcher {
        self.deadline = deadline;
        self
    }

    /// Ends the run at the first job that fails; no by default.
    pub fn fail_fast(mut self, fail_fast: bool) -> Fetcher {
        self.fail_fast = fail_fast;
        self
    }

    /// Whether content is kept in memory, up to each job's `max_body`; yes by default. Where nobody reads it, it is counted
    /// and dropped as it comes in.
    pub fn keep_bodies(mut self, keep: bool) -> Fetcher {
        self.keep_bodies = keep;
        self
    }

    /// Starts the jobs on this loop. Outcomes come as jobs end; [`Outcome::index`](crate::outcome::Outcome::index) says
    /// which is which.
    ///
    /// Outcomes that nobody takes hold on to their permits, so a slow reader slows the run down and never fills the
    /// memory. Dropping the stream cancels what is under way.
    pub fn run(&self, event_loop: &EventLoop, jobs: impl IntoIterator<Item = Job>) -> Outcomes {
        run::start(self, event_loop, jobs)
    }
}

impl Default for Fetcher {
    fn default() -> Fetcher {
        Fetcher::new()
    }
}
