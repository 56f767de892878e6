//! All integration tests in one binary, a module a topic: it links once, which matters on small machines.

mod cli;
mod common;
mod common_selftest;
mod h1_corpus;
mod layers;
mod plan;
mod proxy;
mod report;
