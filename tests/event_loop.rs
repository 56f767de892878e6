//! The event loop as its users have it: taken alone, without any feature.

#![allow(clippy::unwrap_used, reason = "a test that fails this way names its line")]

#[path = "event_loop/examples.rs"]
mod examples;
#[path = "event_loop/fairness.rs"]
mod fairness;
