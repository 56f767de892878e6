//! Contents that were read, in memory as far as they may be.

use crate::body::{Body, MemoryBudget};
use crate::fetcher::memory::max_memory;
use crate::limits::Limits;

/// Where contents of results are kept: in memory as far as a run would keep them there by default, and beyond that in a
/// temporary file.
#[derive(Clone, Debug)]
pub struct BodyStore(MemoryBudget);

impl BodyStore {
    /// The same content in its place. One that cannot be written to the file stays in memory. May block.
    pub fn keep(&self, body: Body) -> Body {
        let Some(bytes) = body.in_memory() else { return body };
        let mut reservation = self.0.reservation();
        if reservation.resize(bytes.len() as u64) {
            return Body::reserved(bytes.to_vec(), reservation);
        }
        let mut stored = self.0.store();
        match stored.append(bytes) {
            Ok(()) => Body::stored(stored),
            Err(_) => body,
        }
    }
}

impl Default for BodyStore {
    fn default() -> BodyStore {
        BodyStore(MemoryBudget::new(max_memory(&Limits::default()) / 2, tempfile::tempfile))
    }
}
