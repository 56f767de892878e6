//! What a query may take.

use std::time::Duration;

/// How long a query may run.
pub const QUERY_TIME: Duration = Duration::from_secs(30);
/// The most memory that SQLite takes for all databases of the process, in bytes: what a query sorts and joins is in it.
pub const QUERY_MEMORY: u64 = 256 << 20;
