//! Integration tests: one binary, a module per topic.

#![allow(clippy::unwrap_used, reason = "a test that fails this way names its line")]

mod common;

mod common_selftest;
mod layers;
