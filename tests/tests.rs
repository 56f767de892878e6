//! All integration tests in one binary, a module a topic: it links once, which matters on small machines.

mod common;
mod common_selftest;
mod fetcher;
mod h1_corpus;
mod layers;
mod redirect;
mod report;
mod transport;
