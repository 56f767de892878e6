//! Round up many HTTP APIs into one report: one thread, no tokio, small enough for a Raspberry Pi Zero.
//!
//! ```text
//! plan ──Vec<Job>──> fetcher ──request──> transport ──bytes──> server
//!                       │    <──response──┘
//!                       └────Outcome────> report ──> files, stdout
//!         every await of the above runs on one thread: event_loop
//! ```
//!
//! Each stage can be taken alone: the [`event_loop`] for one thread that does many things, the [`Transport`] as a modern
//! backend of any [`surf::Client`], the [`Fetcher`] for limits and retries, [`plan`] and [`report`] as they are.
//!
//! ```
//! # #[cfg(not(all(feature = "fetcher", feature = "report")))]
//! # fn main() {}
//! # #[cfg(all(feature = "fetcher", feature = "report"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_lite::StreamExt;
//! use roundup::report::{Format, Run, Style};
//! use roundup::{EventLoop, Fetcher, Job};
//!
//! # // A server for the example, on this machine.
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # std::thread::spawn(move || for stream in listener.incoming().take(2) {
//! #     use std::io::{Read, Write};
//! #     let mut stream = stream.unwrap();
//! #     let _ = stream.read(&mut [0; 1024]);
//! #     let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
//! # });
//! let jobs = vec![Job::get(&format!("http://{address}/a"))?, Job::get(&format!("http://{address}/b"))?];
//! let event_loop = EventLoop::new();
//! let mut outcomes: Vec<_> = event_loop.run(Fetcher::new().run(&event_loop, jobs).collect());
//! outcomes.sort_by_key(|outcome| outcome.index);
//! assert_eq!(outcomes[0].body.as_deref(), Some(&b"hi"[..]));
//!
//! Format::Table.write(&mut std::io::stdout(), &Run::default(), &Style::default(), &outcomes)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Cargo features
//!
//! | feature | brings | and with it |
//! |---|---|---|
//! | none | [`event_loop`], [`units`], [`Error`] | |
//! | `transport` | [`Transport`] for http URLs, [`Redirect`] | surf, httparse, url |
//! | `tls` | https | rustls, ring, the bundled roots |
//! | `gzip`, `brotli`, `zstd` | content codings | async-compression |
//! | `proxy` | http proxies, CONNECT and SOCKS5 | |
//! | `fetcher` | [`Fetcher`] | `transport` |
//! | `plan` | [`plan`] | toml |
//! | `report` | [`report`] | |
//! | `cli` | the command | `fetcher`, `plan`, `report`, argh |
//! | `demo` | its commands `demo` and `serve` | `cli` |
//!
//! All but `brotli` and `zstd` are on by default. A feature adds and changes nothing else: what a build was made without is
//! an error that names the feature, and never done in another way. `default-features = false` is the event loop with
//! nothing but crates of smol's family.

mod error;
#[cfg(feature = "jobs")]
mod job;
#[cfg(feature = "jobs")]
mod limits;
#[cfg(feature = "jobs")]
mod origin;
#[cfg(feature = "jobs")]
mod outcome;
#[cfg(feature = "jobs")]
mod redact;
#[cfg(feature = "transport")]
mod redirect;
#[cfg(feature = "jobs")]
mod rfc3339;
#[cfg(feature = "jobs")]
mod statuses;
pub mod units;

pub mod event_loop;
#[cfg(feature = "fetcher")]
pub mod fetcher;
#[cfg(feature = "plan")]
pub mod plan;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "transport")]
pub mod transport;

pub use error::{Error, Kind, Phase, Result};
pub use event_loop::EventLoop;
#[cfg(feature = "fetcher")]
pub use fetcher::Fetcher;
#[cfg(feature = "jobs")]
pub use {
    job::{Expect, Field, Job, Method, Pointer, Settings},
    limits::{DEFAULT_CONCURRENCY, HostKey, HostLimits, Limits},
    origin::{Origin, Scheme, parse_url, without_password},
    outcome::{Attempt, Failure, Outcome, Summary, Timings, fractional_ms, whole_ms},
    redact::{REDACTED, Redactor},
    rfc3339::rfc3339,
    statuses::StatusSet,
};
#[cfg(feature = "transport")]
pub use {
    redirect::{Follow, Redirect, Redirected},
    transport::Transport,
};

#[doc = include_str!("../DESIGN.md")]
pub mod _design {}
