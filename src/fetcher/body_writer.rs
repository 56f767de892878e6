//! Gathers a content: in memory as long as the budget of the run has room, otherwise in the run's temporary file.

use crate::body::{Body, MemoryBudget, Reservation, StoredBytes};
use crate::error::{Error, Kind, Phase, Result, system_cause};
use crate::event_loop::unblock;
use crate::units::DisplaySize;

/// Bytes that are gathered before they are written, so that one call on a blocking thread serves many reads of the socket.
const PIECE: usize = 128 * 1024;

/// The most memory in bytes that is reserved before the content comes: a server may announce more than it sends.
const MOST_RESERVED: u64 = 64 * 1024;

/// A content that is coming in.
#[derive(Debug)]
pub(super) struct BodyWriter {
    budget: MemoryBudget,
    /// All of it, or what is not in the file yet.
    bytes: Vec<u8>,
    reserved: Reservation,
    /// In a box, because most contents stay in memory. None too while a piece is written by a blocking thread.
    stored: Option<Box<StoredBytes>>,
}

impl BodyWriter {
    /// For a content of `length` bytes, if that is known.
    pub(super) fn new(budget: &MemoryBudget, length: Option<u64>) -> BodyWriter {
        let reserved = budget.reservation();
        let mut writer = BodyWriter { budget: budget.clone(), bytes: Vec::new(), reserved, stored: None };
        let length = length.unwrap_or_default().min(MOST_RESERVED) as usize;
        if !writer.make_room(length) {
            writer.stored = Some(Box::new(budget.store()));
        }
        writer
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// [`Kind::Io`]: there is no room in memory, and the temporary file cannot be written.
    pub(super) async fn write(&mut self, piece: &[u8]) -> Result<()> {
        if self.stored.is_none() && !self.make_room(piece.len()) {
            self.stored = Some(Box::new(self.budget.store()));
        }
        self.bytes.extend_from_slice(piece);
        if self.stored.is_some() && self.bytes.len() >= PIECE {
            Box::pin(self.flush()).await?;
        }
        Ok(())
    }

    /// The content is whole.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub(super) async fn finish(mut self) -> Result<Body> {
        if self.stored.is_some() {
            Box::pin(self.flush()).await?;
        }
        if let Some(stored) = self.stored {
            return Ok(Body::stored(*stored));
        }
        // Content without a length has grown by doubling.
        if self.bytes.capacity() - self.bytes.len() > MOST_RESERVED as usize {
            self.bytes.shrink_to_fit();
            self.reserved.resize(self.bytes.capacity() as u64);
        }
        Ok(Body::reserved(self.bytes, self.reserved))
    }

    /// Makes room in memory for so many bytes more, if the budget has it.
    fn make_room(&mut self, more: usize) -> bool {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        let needed = length.saturating_add(more);
        if needed <= capacity {
            return true;
        }
        // As a `Vec` grows, so that it is moved seldom; near the limit it gets what it needs.
        let roomy = needed.max(capacity.saturating_mul(2));
        let Some(room) = [roomy, needed].into_iter().find(|room| self.reserved.resize(*room as u64)) else {
            return false;
        };
        self.bytes.reserve_exact(room - length);
        true
    }

    async fn flush(&mut self) -> Result<()> {
        let Some(mut stored) = self.stored.take() else { return Ok(()) };
        let mut bytes = std::mem::take(&mut self.bytes);
        let (stored, mut bytes, written) = unblock(move || {
            let written = stored.append(&bytes);
            bytes.clear();
            // The first piece is all that had found room in memory.
            bytes.shrink_to(PIECE);
            (stored, bytes, written)
        })
        .await;
        self.stored = Some(stored);
        // What is gathered here from now on is bounded, and does not count.
        self.reserved.resize(0);
        std::mem::swap(&mut self.bytes, &mut bytes);
        written.map_err(|error| {
            let limit = DisplaySize(self.budget.limit());
            let folder = std::env::temp_dir();
            let text = format!(
                "the content is beyond max_memory, {limit}, and cannot be put into a temporary file in {}",
                folder.display()
            );
            Error::new(Kind::Io, text).in_phase(Phase::Body).with_source(system_cause(error))
        })
    }
}
