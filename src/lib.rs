//! Round up many HTTP APIs into one report: one thread, no tokio, small enough for a Raspberry Pi Zero.
//!
//! ```text
//! plan ──Vec<Job>──> fetcher ──surf::Request──> transport ──bytes──> server
//!                       │    <──surf::Response──┘
//!                       └────Outcome────> report ──> files, stdout
//!         every await of the above runs on one thread: event_loop
//! ```
//!
//! Each stage can be taken alone: the [`event_loop`] for one thread that does many things, the [`Transport`] as a modern
//! backend of any [`surf::Client`], the [`Fetcher`] for limits and retries, [`plan`] and [`report`] as they are.
//!
//! ```
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
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
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

#[doc = include_str!("../DESIGN.md")]
pub mod _design {}
