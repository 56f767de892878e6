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

use self::attempt::Client;
use crate::event_loop::EventLoop;
use crate::job::Job;
use crate::limits::Limits;
use crate::transport::Transport;

mod advice;
mod attempt;
mod intake;
mod outcomes;
mod queue;
mod rate;
mod retry;
mod room;
mod run;
mod sink;

/// What the fuzzer reaches that users do not.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use super::advice::{rate_limit, retry_after};
}

pub use self::intake::{Intake, Refused};
pub use self::outcomes::{Outcomes, Status, Stopper};

/// Runs jobs: so many at once, so many on a host, again where that may help.
///
/// A failed job never hides another's result: every job that goes in comes out as one
/// [`Outcome`](crate::outcome::Outcome), whatever happens.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    limits: Limits,
    deadline: Option<Duration>,
    fail_fast: bool,
    keep_bodies: bool,
    backlog: usize,
}

/// How many jobs an [`Intake`] takes beyond those whose outcomes were taken, unless [`Fetcher::backlog`] says otherwise:
/// as many as a plan may have.
pub const DEFAULT_BACKLOG: usize = 100_000;

impl Fetcher {
    /// A fetcher with the documented defaults.
    pub fn new() -> Fetcher {
        Fetcher::with_transport(Transport::new())
    }

    /// A fetcher that sends through this transport, and follows redirects as [`Redirect`](crate::Redirect) does.
    pub fn with_transport(transport: Transport) -> Fetcher {
        Fetcher::through(Client::Own(transport))
    }

    /// A fetcher that sends through this client, with whatever middleware it has. Redirects are followed only where the
    /// client does it; limits of time hold whatever the client.
    pub fn with_client(client: surf::Client) -> Fetcher {
        Fetcher::through(Client::Surf(client))
    }

    fn through(client: Client) -> Fetcher {
        Fetcher {
            client,
            limits: Limits::default(),
            deadline: None,
            fail_fast: false,
            keep_bodies: true,
            backlog: DEFAULT_BACKLOG,
        }
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

    /// How many jobs an [`Intake`] takes beyond those whose outcomes were taken; [`DEFAULT_BACKLOG`] by default. Where there
    /// are as many, it refuses further ones. [`run`](Self::run) takes all that it is given.
    pub fn backlog(mut self, jobs: usize) -> Fetcher {
        self.backlog = jobs;
        self
    }

    /// Starts the jobs on this loop. Outcomes come as jobs end; [`Outcome::index`](crate::outcome::Outcome::index) says
    /// which is which.
    ///
    /// Outcomes that nobody takes hold on to their permits, so a slow reader slows the run down and never fills the
    /// memory. Dropping the stream cancels what is under way.
    pub fn run(&self, event_loop: &EventLoop, jobs: impl IntoIterator<Item = Job>) -> Outcomes {
        run::start(self, event_loop, jobs, false).1
    }

    /// Starts a run that jobs are added to while it goes on: those that are found in the answers of others, or that come in
    /// over days. The limits hold over all of them, and what servers ask for is remembered from one to the next.
    ///
    /// The stream has its end when the intake has been dropped and all jobs have ended, or when it was stopped. The deadline
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
        let (state, outcomes) = run::start(self, event_loop, [], true);
        (Intake::new(&state), outcomes)
    }
}

impl Default for Fetcher {
    fn default() -> Fetcher {
        Fetcher::new()
    }
}
