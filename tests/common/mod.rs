//! What the tests with real sockets and real processes share.
//!
//! [`Server`] is an HTTP/1.1 server on std threads that plays scripts and counts, [`Authority`] makes certificates for
//! it, [`TestCommand`] runs the binary in a [`Dir`]. Nothing here knows roundup's own code, so a bug cannot hide by
//! standing on both sides.

#![allow(dead_code, reason = "a helper stays although the last test that needs it has gone")]
#![allow(unused_imports, reason = "as above")]

mod command;
mod connection;
mod reply;
mod request;
mod server;
mod stats;
mod tls;
mod wire;

use std::time::Duration;

pub(crate) use command::{Dir, Output, Running, TestCommand, invocation, is_read_by_roundup};
pub(crate) use reply::{Reply, gzip};
pub(crate) use request::Request;
pub(crate) use server::{Builder, Server, limited_server, limited_server_with, refusing_port};
pub(crate) use stats::Stats;
pub(crate) use tls::{Authority, Leaf, PemFiles, client_config};

/// How long a helper waits for what must come, before it fails the test. Generous, for emulated and busy machines:
/// it decides how late a failure is seen, never whether a test passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
