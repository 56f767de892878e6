//! The temporary file of a run, which takes the contents that memory has no room for.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file is used in blocks, so that what one content gives back fits any other. Those of small contents are mostly
/// holes, which take no space on the disk.
const BLOCK: usize = 32 * 1024;

/// Makes a file that has no name, or loses it when it is closed.
pub(crate) type MakeFile = fn() -> io::Result<File>;

/// A file in blocks. It is made with the first of them, emptied with the last, and gone when the process ends, however that
/// ends. Every call but [`Overflow::new`] may block.
pub(crate) struct Overflow {
    make: MakeFile,
    /// The most blocks that are in use at once.
    most: u32,
    state: Mutex<OverflowState>,
}

#[derive(Default)]
struct OverflowState {
    file: Option<File>,
    /// Blocks below `end` that are not in use.
    free: Vec<u32>,
    /// How many blocks the file has.
    end: u32,
}

impl Overflow {
    /// A file of at most so many bytes.
    pub(crate) fn new(make: MakeFile, most_bytes: u64) -> Overflow {
        let most = u32::try_from(most_bytes / BLOCK as u64).unwrap_or(u32::MAX);
        Overflow { make, most, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, OverflowState> {
        // The state is whole after each step, also if a thread has panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OverflowState {
    fn take_block(&mut self, most: u32) -> io::Result<u32> {
        if let Some(block) = self.free.pop() {
            return Ok(block);
        }
        if self.end >= most {
            let most = u64::from(most) * BLOCK as u64;
            let text = format!("the file holds at most {} MiB", most >> 20);
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, text));
        }
        self.end += 1;
        Ok(self.end - 1)
    }

    fn give_back(&mut self, blocks: &[u32]) {
        self.free.extend_from_slice(blocks);
        if self.free.len() == self.end as usize {
            self.free = Vec::new();
            self.end = 0;
            // If it cannot be made shorter, its blocks are used again all the same.
            let _ = self.file.as_ref().map(|file| file.set_len(0));
        }
    }

    fn seek(&mut self, block: u32, offset: usize) -> io::Result<&mut File> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.seek(SeekFrom::Start(u64::from(block) * BLOCK as u64 + offset as u64))?;
        Ok(file)
    }
}

/// One content in the file. Its blocks are given back when it is dropped.
pub(crate) struct StoredBytes {
    file: Arc<Overflow>,
    blocks: Vec<u32>,
    length: u64,
}

impl StoredBytes {
    /// None yet.
    pub(super) fn new(file: Arc<Overflow>) -> StoredBytes {
        StoredBytes { file, blocks: Vec::new(), length: 0 }
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Writes bytes at the end.
    ///
    /// # Errors
    /// The file cannot be made or written, or is as large as it may be. What was there before can still be read.
    pub(crate) fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut state = self.file.lock();
        if state.file.is_none() {
            state.file = Some((self.file.make)()?);
        }
        while !bytes.is_empty() {
            let offset = (self.length % BLOCK as u64) as usize;
            // After an error there may be a block that holds nothing yet.
            if self.blocks.len() as u64 * BLOCK as u64 == self.length {
                self.blocks.push(state.take_block(self.file.most)?);
            }
            let Some(block) = self.blocks.last() else { break };
            let (piece, rest) = bytes.split_at(bytes.len().min(BLOCK - offset));
            state.seek(*block, offset)?.write_all(piece)?;
            self.length += piece.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Reads some bytes from this offset on; 0 at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is shorter than it was.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let within = (offset % BLOCK as u64) as usize;
        let length = buffer.len().min(left).min(BLOCK - within);
        let block = usize::try_from(offset / BLOCK as u64).ok().and_then(|at| self.blocks.get(at));
        if let Some(block) = block.filter(|_| length > 0) {
            self.file.lock().seek(*block, within)?.read_exact(&mut buffer[..length])?;
        }
        Ok(length)
    }
}

impl Drop for StoredBytes {
    fn drop(&mut self) {
        self.file.lock().give_back(&self.blocks);
    }
}

impl fmt::Debug for StoredBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredBytes({} bytes)", self.length)
    }
}

impl fmt::Debug for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overflow({} blocks at most)", self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overflow(most_bytes: usize) -> Arc<Overflow> {
        Arc::new(Overflow::new(tempfile::tempfile, most_bytes as u64))
    }

    fn stored(file: &Arc<Overflow>, bytes: &[u8]) -> io::Result<StoredBytes> {
        let mut stored = StoredBytes::new(file.clone());
        bytes.chunks(10_007).try_for_each(|piece| stored.append(piece))?;
        Ok(stored)
    }

    fn bytes(stored: &StoredBytes) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 7001]);
        loop {
            match stored.read_at(all.len() as u64, &mut buffer).expect("it can be read") {
                0 => return all,
                length => all.extend_from_slice(&buffer[..length]),
            }
        }
    }

    fn file_len(file: &Overflow) -> u64 {
        file.lock().file.as_ref().map_or(0, |file| file.metadata().expect("it is open").len())
    }

    #[test]
    fn what_is_stored_is_read_back_and_its_place_used_again() {
        let file = overflow(64 * BLOCK);
        let mut rng = fastrand::Rng::with_seed(7);
        let mut all: Vec<(Vec<u8>, StoredBytes)> = Vec::new();
        for _ in 0..200 {
            let length = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK][rng.usize(..6)];
            let content: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
            all.push((content.clone(), stored(&file, &content).expect("there is room")));
            if all.len() > 10 {
                all.swap_remove(rng.usize(..all.len()));
            }
            assert!(all.iter().all(|(content, stored)| bytes(stored) == *content));
        }
        assert!(file_len(&file) <= 64 * BLOCK as u64);
        all.clear();
        assert_eq!(file_len(&file), 0);
    }

    #[test]
    fn a_file_that_is_full_or_cannot_be_made_is_an_error_of_that_content_alone() {
        let file = overflow(2 * BLOCK);
        let first = stored(&file, b"first").expect("there is room");
        let error = stored(&file, &[0; 2 * BLOCK]).expect_err("there is none");
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        assert_eq!(bytes(&stored(&file, b"third").expect("there is room again")), b"third");
        assert_eq!(bytes(&first), b"first");
        let none = Arc::new(Overflow::new(|| Err(io::ErrorKind::StorageFull.into()), 1 << 30));
        assert_eq!(stored(&none, b"x").expect_err("no file").kind(), io::ErrorKind::StorageFull);
    }
}
