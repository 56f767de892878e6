//! All integration tests in one binary, a module a topic: it links once, which matters on small machines.

#![allow(clippy::unwrap_used, reason = "a test that fails this way names its line")]

mod cli;
mod common;
mod common_selftest;
mod h1_corpus;
mod layers;
mod plan;
mod proxy;
mod report;
