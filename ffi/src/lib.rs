//! roundup for C. `include/roundup.h` is the documentation for users; this is how it is done.
//!
//! ```text
//! abi ──> registry ──> context ──> roundup's Fetcher::open on an EventLoop
//!          └─ wake: the host's callback
//! ```
//!
//! `abi` alone has `unsafe` in it: it turns pointers into Rust's types and back. What a context is, and whose it is, is
//! looked up in `registry` and never read from an address that C gave.

#[cfg(panic = "abort")]
compile_error!("panics are caught at the border to C, which takes panic = \"unwind\"");

pub mod abi;
mod context;
mod failure;
mod options;
mod registry;
mod wake;

#[cfg(test)]
mod header;
#[cfg(test)]
mod tests;
