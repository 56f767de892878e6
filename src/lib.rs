//! Round up many HTTP APIs into one report: one thread, no tokio, small enough for a Raspberry Pi Zero.
//!
//! ```text
//! plan ──Vec<Job>──> fetcher ──request──> transport ──bytes──> server
//!                       │    <──response──┘
//!                       └────Outcome────> report ──> files, stdout
//!         every await of the above runs on one thread: event_loop
//! ```
//!
//! The shortest way is [`fetch_all`]: URLs in, outcomes in their order out, and [`report::save`] for a report of them.
//!
//! Each stage can be taken alone: the [`event_loop`] for one thread that does many things, the [`Transport`] for requests
//! one by one, the [`Fetcher`] for limits and retries, [`plan`] and [`report`] as they are.
//!
//! ```
//! # #[cfg(not(all(feature = "fetcher", feature = "report")))]
//! # fn main() {}
//! # #[cfg(all(feature = "fetcher", feature = "report"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_lite::StreamExt;
//! use roundup::report::{Report, RunInfo, Style, Table};
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
//! assert_eq!(outcomes[0].body.as_ref().map(|body| body.read()).transpose()?.as_deref(), Some(&b"hi"[..]));
//!
//! Table::new(Style::default()).write(&mut std::io::stdout(), &RunInfo::default(), &outcomes)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Cargo features
//!
//! | feature | brings | and with it |
//! |---|---|---|
//! | none | [`event_loop`], [`units`], [`Error`] | |
//! | `transport` | [`Transport`] for http URLs | httparse, url, rustix |
//! | `surf` | adapters for surf, in both directions | surf |
//! | `tls` | https | rustls, ring, the bundled roots |
//! | `gzip`, `brotli`, `zstd` | content codings | async-compression |
//! | `proxy` | http proxies, CONNECT and SOCKS5 | |
//! | `fetcher` | [`Fetcher`] | `transport` |
//! | `cookies` | jobs that keep the cookies of servers for their run | `fetcher` |
//! | `plan` | [`plan`] | toml |
//! | `report` | [`report`] | |
//! | `import` | [`import`]: plans of curl commands and HTTP archives, and curl commands of jobs | `plan` |
//! | `template` | reports by templates of Jinja's language | minijinja |
//! | `xlsx` | reports as workbooks | rust_xlsxwriter |
//! | `sql` | SQL over rows | rusqlite, SQLite in C |
//! | `state` | runs kept in one SQLite file | rusqlite, SQLite in C |
//! | `cli` | the command | `fetcher`, `plan`, `report`, argh |
//! | `merge` | [`merge`]: results of several runs as one, and with `cli` the command for it | `report` |
//! | `fleet` | [`fleet`]: a plan on many machines, by way of Redis, and with `cli` the commands for it | `fetcher` |
//! | `watch` | plans that are run again and again | `cli` |
//! | `demo` | its commands `demo` and `serve` | `cli` |
//!
//! All but `brotli`, `zstd` and `xlsx` are on by default. A feature adds and changes nothing else: what a build was made without is
//! an error that names the feature, and never done in another way. `default-features = false` is the event loop with
//! nothing but crates of smol's family.

#[cfg(any(feature = "fetcher", feature = "report"))]
#[cfg_attr(not(all(feature = "fetcher", feature = "report")), allow(dead_code, reason = "each needs a part of it"))]
mod atomic_file;
#[cfg(feature = "jobs")]
mod authorization;
#[cfg(feature = "jobs")]
#[cfg_attr(not(feature = "fetcher"), allow(dead_code, reason = "only the fetcher counts and stores"))]
mod body;
#[cfg(feature = "state")]
#[cfg_attr(not(feature = "fetcher"), allow(dead_code, reason = "the fetcher asks it"))]
pub mod cache;
#[cfg(any(feature = "fetcher", feature = "plan", feature = "report"))]
#[cfg_attr(not(any(feature = "fetcher", feature = "report")), allow(dead_code, reason = "each needs a part of it"))]
mod charset;
#[cfg(feature = "jobs")]
mod credentials;
#[cfg(feature = "jobs")]
mod expectations;
#[cfg(feature = "report")]
mod file_id;
#[cfg(feature = "jobs")]
mod follow_up;
#[cfg(feature = "jobs")]
mod job;
#[cfg(feature = "jobs")]
mod job_id;
#[cfg(feature = "jobs")]
mod job_parts;
#[cfg(any(feature = "fetcher", feature = "plan"))]
mod json_members;
#[cfg(feature = "jobs")]
mod kept_runs;
#[cfg(feature = "jobs")]
mod limits;
#[cfg(feature = "fetcher")]
mod live_token;
#[cfg(feature = "jobs")]
mod milliseconds;
#[cfg(feature = "jobs")]
mod outcome;
#[cfg(any(feature = "fetcher", feature = "state"))]
mod outcome_group;
#[cfg(feature = "jobs")]
#[cfg_attr(not(feature = "plan"), allow(dead_code, reason = "plans make them"))]
mod planned_job;
#[cfg(feature = "jobs")]
mod pointer;
#[cfg(feature = "jobs")]
mod proxy_url;
#[cfg(feature = "jobs")]
mod redact;
#[cfg(any(feature = "report", feature = "sql", feature = "state"))]
#[cfg_attr(not(feature = "report"), allow(dead_code, reason = "reports need all of it"))]
mod redacted;
#[cfg(feature = "jobs")]
mod retry_on;
#[cfg(feature = "jobs")]
mod rfc3339;
#[cfg(feature = "jobs")]
pub mod rows;
#[cfg(feature = "jobs")]
mod secret_forms;
#[cfg(feature = "jobs")]
mod secret_table;
#[cfg(feature = "jobs")]
mod secrets;
#[cfg(feature = "jobs")]
mod serde_forms;
#[cfg(feature = "jobs")]
mod settings;
#[cfg(feature = "jobs")]
mod sha256;
#[cfg(feature = "jobs")]
mod shard;
#[cfg(feature = "jobs")]
#[cfg_attr(not(feature = "plan"), allow(dead_code, reason = "plans name tables"))]
pub mod tables;

#[cfg(feature = "jobs")]
mod wait_times;
#[cfg(feature = "jobs")]
mod written_outcome;

#[cfg(any(feature = "sql", feature = "state"))]
#[allow(dead_code, reason = "what queries and what keeps runs each need a part of it")]
mod sqlite;
#[cfg(feature = "jobs")]
mod telling_names;
#[cfg(feature = "jobs")]
mod text_views;

#[cfg(feature = "fetcher")]
mod fetch_all;
#[cfg(feature = "fetcher")]
pub mod fetcher;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "jobs")]
#[cfg_attr(not(feature = "fetcher"), allow(dead_code, reason = "the fetcher runs it"))]
pub mod graph;
#[cfg(feature = "import")]
pub mod import;
#[cfg(feature = "merge")]
pub mod merge;
#[cfg(feature = "plan")]
pub mod plan;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "state")]
pub mod state;

#[cfg(any(feature = "fetcher", feature = "report"))]
pub use atomic_file::remove_leftovers;
#[cfg(feature = "jobs")]
pub use authorization::Authorization;
#[cfg(feature = "fetcher")]
pub use fetch_all::fetch_all;
#[cfg(feature = "fetcher")]
pub use fetcher::Fetcher;
#[cfg(feature = "report")]
pub use file_id::FileId;
/// The tools for the streams of this crate, so that a program need not name the crate to take an outcome:
/// `use roundup::futures_lite::StreamExt;`.
pub use futures_lite;
pub use roundup_event_loop as event_loop;
pub use roundup_event_loop::EventLoop;
#[cfg(feature = "jobs")]
#[allow(unused_imports, reason = "modules of this crate name them so")]
pub(crate) use roundup_http::{self as http, error, origin};
#[cfg(feature = "jobs")]
pub use roundup_http::{Error, Kind, Phase, Result, units};
#[cfg(feature = "surf")]
pub use roundup_surf as surf;
#[cfg(feature = "transport")]
pub use roundup_transport::{self as transport, Transport};
#[cfg(feature = "jobs")]
pub use {
    body::{Body, HeldMemory},
    expectations::{Expect, ExpectPatch, RowCount},
    follow_up::{AnswerPlace, NextTarget, PageRule, Pages, Poll},
    job::Job,
    job_id::{JobDigest, JobId},
    kept_runs::KeptRuns,
    limits::{DEFAULT_CONCURRENCY, DEFAULT_MAX_MEMORY, DEFAULT_PER_HOST, HostKey, HostLimits, Limits},
    milliseconds::{fractional_ms, whole_ms},
    outcome::{
        Attempt, CacheUse, Failure, Outcome, PageRows, PhaseTimes, RedirectHead, ResponseField, Stale, Summary,
        Timings, sort_outcomes,
    },
    pointer::Pointer,
    proxy_url::ProxyUrl,
    redact::Redactor,
    retry_on::RetryOn,
    rfc3339::rfc3339,
    roundup_http::{
        Field, Method, Origin, REDACTED, Scheme, StatusSet, is_printable, parse_url, printable, without_password,
    },
    rows::{Missing, Selection},
    secrets::Secrets,
    settings::{Settings, SettingsPatch},
    shard::{MAX_SHARDS, Shard, ShardRun, plan_digest},
    wait_times::{WaitCause, WaitTimes},
};

#[doc = include_str!("../DESIGN.md")]
pub mod _design {}

/// Its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/event-loop.md")]
struct EventLoopPage;
