//! How large plans may be, and what they may grow to.

/// The largest plan, list or secrets file in bytes. Callers stop reading there; [`parse`](super::parse) refuses more.
pub const MAX_PLAN_BYTES: u64 = 16 << 20;

/// The most jobs that a plan, a list or a URL pattern may give: 100,000. The fuzzer finds every way to give that many, and
/// would do nothing else.
pub const MAX_JOBS: usize = if cfg!(fuzzing) { 200 } else { 100_000 };

/// The most bytes that the URLs, headers and contents of all jobs may take together with all values in place:
/// 64 MiB, and less for the fuzzer.
pub const MAX_EXPANDED_BYTES: u64 = if cfg!(fuzzing) { 256 << 10 } else { 64 << 20 };

/// How deep arrays and tables may stand in each other; the parser of TOML has the same limit.
pub(super) const MAX_DEPTH: usize = 80;
