//! A plan on many machines, by way of Redis or Valkey: one gives the jobs and takes the outcomes, any number of workers fetch.
//!
//! ```text
//! plan ──Vec<Job>──> fetcher ──courier──> Redis: stream of jobs ──> worker ──> its own fetcher ──> servers
//!                       │                                             │
//! report <──Outcome─────┘ <────────────── Redis: stream of outcomes <─┘
//! ```
//!
//! Each job is fetched at least once, and its outcome counts once: a script of Redis acknowledges the job, marks it done and
//! adds the outcome in one step. What a worker has is its own for a lease, which it renews while it lives; after that others
//! take it over.

mod address;
mod collector;
mod connection;
mod fleet_key;
mod fleet_run;
mod job_parts;
mod job_text;
mod limits;
mod outcome_text;
mod resp;
mod run;
mod scripts;
mod secret_text;
mod served_run;
mod session;
mod setting_texts;
mod worker;
mod worker_config;

pub use self::address::FleetAddress;
pub use self::fleet_key::FleetKey;
pub use self::fleet_run::{Fleet, FleetRun, FleetSettings, FoundRun};
pub use self::run::RunId;
pub use self::worker::{DEFAULT_WORKER_CONCURRENCY, Worker};
