//! All integration tests in one binary, a module a topic: it links once, which matters on small machines.

#![allow(clippy::unwrap_used, reason = "a test that fails this way names its line")]

mod cli;
mod common;
mod common_selftest;
mod fetch_all;
mod fetcher;
mod h1_corpus;
mod import;
mod interop;
mod plan;
mod proxy;
mod redirect;
mod report;
mod state;
mod transport;
mod watch;
