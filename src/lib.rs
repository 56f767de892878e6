//! Round up many HTTP APIs into one report.

pub mod error;
mod job;
mod limits;
mod origin;
mod outcome;
mod redact;
mod redirect;
mod rfc3339;
mod statuses;
pub mod units;

pub mod event_loop;
pub mod fetcher;
pub mod plan;
pub mod report;
pub mod transport;

pub use error::{Error, Kind, Phase, Result};
pub use event_loop::EventLoop;
pub use fetcher::Fetcher;
pub use job::{Expect, Field, Job, Method, Pointer, Settings};
pub use limits::{DEFAULT_CONCURRENCY, HostKey, HostLimits, Limits};
pub use origin::{Origin, Scheme, parse_url, without_password};
pub use outcome::{Attempt, Failure, Outcome, Summary, Timings, fractional_ms, whole_ms};
pub use redact::{REDACTED, Redactor};
pub use redirect::{Follow, Redirect, Redirected};
pub use rfc3339::rfc3339;
pub use statuses::StatusSet;
pub use transport::Transport;
