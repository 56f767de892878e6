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

use self::config::RunConfig;
use self::senders::Senders;
use crate::event_loop::EventLoop;
use crate::job::Job;
use crate::limits::Limits;
use crate::redact::Redactor;
use crate::transport::{SendRequest, Transport};

mod active;
mod advice;
mod attempt;
mod attempt_log;
mod body_writer;
mod budget;
#[cfg(feature = "state")]
mod cache_lane;
#[cfg(feature = "state")]
mod caching;
#[cfg(not(feature = "state"))]
#[path = "without_cache.rs"]
mod caching;
mod capture;
mod config;
mod content;
#[cfg(feature = "cookies")]
mod cookies;
#[cfg(not(feature = "cookies"))]
#[path = "without_cookies.rs"]
mod cookies;
#[cfg(feature = "state")]
mod delivery;
mod driver;
#[cfg(feature = "fleet")]
pub(crate) mod elsewhere;
mod expect;
mod host;
mod intake;
mod job_time;
mod limit_state;
#[cfg(feature = "state")]
mod look_ahead;
mod looked_into;
pub(crate) mod memory;
mod outcomes;
mod picking;
mod queue;
mod received;
mod refused;
mod retry;
mod row_reader;
mod run_pacer;
mod senders;
mod server_message;
#[cfg(feature = "fleet")]
pub(crate) mod shared_limits;
#[cfg(test)]
mod simulation;
mod sink;
mod slot;
mod snapshot;
mod state;
mod status;
mod waits;

/// One file stands for all that has to do with a cache.
#[cfg(not(feature = "state"))]
use self::{caching as cache_lane, caching as delivery, caching as look_ahead};

/// What the fuzzer reaches that users do not.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use super::advice::Advice;
    #[cfg(feature = "cookies")]
    pub use super::cookies::FuzzedCookies as Cookies;
    pub use super::picking::look_into_bytes as look_into;
}

#[cfg(feature = "fleet")]
pub(crate) use self::budget::AttemptCounts;
pub use self::config::DEFAULT_BACKLOG;
pub use self::intake::Intake;
pub use self::limit_state::LimitState;
pub use self::outcomes::{Outcomes, Stopper};
pub use self::refused::Refused;
#[cfg(feature = "fleet")]
pub(crate) use self::sink::cannot_save;
pub use self::status::{RunSnapshot, RunStatus, SourceActivity, SourceStatus};
pub use self::waits::{HeldHost, WaitReason, WaitingSource};
pub use crate::outcome_group::next_group;

/// Runs jobs within limits of concurrency and rate, and repeats those whose failure may pass.
///
/// A failed job never hides another's result: every job that goes in comes out as one
/// [`Outcome`](crate::outcome::Outcome).
#[derive(Clone, Debug)]
pub struct Fetcher {
    senders: Senders,
    config: RunConfig,
}

impl Fetcher {
    /// A fetcher with the documented defaults.
    pub fn new() -> Fetcher {
        Fetcher::with_transport(Transport::new())
    }

    /// A fetcher that sends through this transport, and jobs that say something of their connections through others that
    /// differ from it in that alone.
    pub fn with_transport(transport: Transport) -> Fetcher {
        Fetcher { senders: Senders::of_transport(transport), config: RunConfig::default() }
    }

    /// A fetcher that sends through this client, with its middleware.
    ///
    /// Each request of a chain of redirects goes through the client; limits of time hold for every client.
    #[cfg(feature = "surf")]
    pub fn with_client(client: roundup_surf::Client) -> Fetcher {
        Fetcher::with_sender(roundup_surf::SurfSender::new(client))
    }

    /// A fetcher that sends through anything that sends: a cache, a recorder, a client of another library.
    pub fn with_sender(sender: impl SendRequest + 'static) -> Fetcher {
        Fetcher { senders: Senders::of(sender), config: RunConfig::default() }
    }

    /// How many requests at once, and how many in a stretch of time. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Fetcher {
        self.config.limits = limits;
        self
    }

    /// The longest time of the whole run; `None`, the default, for no limit. Jobs that are under way then come out as
    /// cancelled, those that wait as skipped.
    pub fn deadline(mut self, deadline: Option<Duration>) -> Fetcher {
        self.config.deadline = deadline;
        self
    }

    /// Whether the run ends at the first job that fails; no by default.
    pub fn fail_fast(mut self, fail_fast: bool) -> Fetcher {
        self.config.fail_fast = fail_fast;
        self
    }

    /// Whether the run ends at the first job that fails.
    pub(crate) fn fails_fast(&self) -> bool {
        self.config.fail_fast
    }

    /// Whether content is kept in memory, up to each job's `max_body`; yes by default. Otherwise it is
    /// counted and dropped as it comes in.
    pub fn keep_bodies(mut self, keep: bool) -> Fetcher {
        self.config.keep.bodies = keep;
        self
    }

    /// Whether outcomes keep the fields of the last response; no by default. They may hold what is secret, such as
    /// `Set-Cookie`.
    pub fn keep_fields(mut self, keep: bool) -> Fetcher {
        self.config.keep.fields = keep;
        self
    }

    /// Whether outcomes have the [`digest`](Job::digest) of what their jobs send; no by default.
    pub fn digests(mut self, digests: bool) -> Fetcher {
        self.config.digests = digests;
        self
    }

    /// Keeps the responses of jobs that say so in this store, and delivers them from there: see [`cache`](crate::cache).
    #[cfg(feature = "state")]
    pub fn cache(mut self, store: std::sync::Arc<dyn crate::cache::CacheStore>) -> Fetcher {
        self.config.cache = Some(store);
        self
    }

    /// Hides what becomes a secret while a run goes on: the values of cookies that servers set. This redactor and its clones
    /// hide them from then on. Without one, nothing is hidden.
    pub fn redactor(mut self, redactor: Redactor) -> Fetcher {
        self.config.redactor = Some(redactor);
        self
    }

    /// Lets others fetch the jobs, whom this courier reaches. Nothing is sent from here.
    #[cfg(feature = "fleet")]
    pub(crate) fn courier(mut self, courier: std::sync::Arc<dyn elsewhere::Courier>) -> Fetcher {
        self.config.is_remote = true;
        self.senders = self.senders.by(courier);
        self
    }

    /// What limits know of the past when a run begins, and where they note it when it has ended: rates and pauses then hold
    /// over both. Default: one of this fetcher and its clones.
    pub fn limit_state(mut self, known: LimitState) -> Fetcher {
        self.config.limit_state = known;
        self
    }

    /// Shares its limits with others: each request asks for its leave.
    #[cfg(feature = "fleet")]
    pub(crate) fn share_limits(mut self, sharer: std::sync::Arc<dyn shared_limits::LimitSharer>) -> Fetcher {
        self.config.sharer = Some(sharer);
        self
    }

    /// How many jobs an [`Intake`] takes whose outcomes have not been taken; [`DEFAULT_BACKLOG`] by default. At that number
    /// it refuses further jobs. [`run`](Self::run) takes all that it is given.
    pub fn backlog(mut self, jobs: usize) -> Fetcher {
        self.config.backlog = jobs;
        self
    }

    /// Starts the jobs on this loop. Outcomes come as jobs end; [`Outcome::index`](crate::outcome::Outcome::index) says
    /// which is which.
    ///
    /// Outcomes that have not been taken keep their permits, so a slow reader slows the run down and does not fill the
    /// memory. Dropping the stream cancels what is under way.
    pub fn run(&self, event_loop: &EventLoop, jobs: impl IntoIterator<Item = Job>) -> Outcomes {
        let (state, tasks) = driver::start(&self.senders, &self.config, event_loop, jobs, false);
        Outcomes::new(state, tasks)
    }

    /// Starts a run that jobs are added to while it goes on: jobs that are found in the responses of others, or that come in
    /// over days. The limits hold over all of them, and what servers ask for is remembered from one to the next.
    ///
    /// The stream ends when the intake has been dropped and all jobs have ended, or when the run was stopped. The deadline
    /// counts from here. Otherwise as [`run`](Self::run).
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use roundup::{EventLoop, Fetcher, Job};
    ///
    /// # // A server for the example, on this machine.
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// # std::thread::spawn(move || for stream in listener.incoming().take(3) {
    /// #     use std::io::{Read, Write};
    /// #     let mut stream = stream.unwrap();
    /// #     let _ = stream.read(&mut [0; 1024]);
    /// #     let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    /// # });
    /// let event_loop = EventLoop::new();
    /// let (intake, mut outcomes) = Fetcher::new().open(&event_loop);
    /// intake.add(Job::get(&format!("http://{address}/page/1"))?)?;
    /// let pages = event_loop.run(async {
    ///     let mut pages = 0;
    ///     while let Some(outcome) = outcomes.next().await {
    ///         pages += u32::from(outcome.ok());
    ///         if pages < 3 {
    ///             intake.add(Job::get(&format!("http://{address}/page/{}", pages + 1))?)?;
    ///         }
    ///         // Nothing is under way that could lead to more.
    ///         if intake.pending() == 0 {
    ///             break;
    ///         }
    ///     }
    ///     Ok::<_, roundup::Error>(pages)
    /// })?;
    /// assert_eq!(pages, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(&self, event_loop: &EventLoop) -> (Intake, Outcomes) {
        let (state, tasks) = driver::start(&self.senders, &self.config, event_loop, [], true);
        (Intake::new(&state), Outcomes::new(state, tasks))
    }
}

impl Default for Fetcher {
    fn default() -> Fetcher {
        Fetcher::new()
    }
}
