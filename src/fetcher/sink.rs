//! Takes the content of a response into memory, into a file, or into nothing. Files are written off the loop.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::body_writer::BodyWriter;
use crate::atomic_file::{AtomicFile, folder_of};
use crate::body::{Body, MemoryBudget};
use crate::error::{Error, Kind, Phase, Result, out_of_descriptors, system_cause};
use crate::event_loop::{sleep, unblock};

/// Bytes that are gathered before they are written, so that one call on a blocking thread serves many reads of the socket.
const PIECE: usize = 128 * 1024;

/// How long a file that cannot be opened for want of descriptors waits for other sources to end. They may all wait for one.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is tried meanwhile.
const INTERVAL: Duration = Duration::from_millis(10);

/// Takes content as it comes in.
#[derive(Debug)]
pub(super) struct Sink {
    kept: Option<BodyWriter>,
    file: Option<FileSink>,
}

impl Sink {
    /// A sink for `length` bytes, if that is known. It keeps the content within `budget` if there is one, and saves it to
    /// `file` if there is one. The file appears when [`Sink::finish`] succeeds; until then there is a temporary one beside
    /// it.
    pub(super) async fn open(length: Option<u64>, budget: Option<&MemoryBudget>, file: Option<&Path>) -> Result<Sink> {
        let file = match file {
            // What is done with files is in boxes, because most content goes to none.
            Some(path) => Some(Box::pin(FileSink::create(path)).await?),
            None => None,
        };
        Ok(Sink { kept: budget.map(|budget| BodyWriter::new(budget, length)), file })
    }

    /// Takes a piece.
    pub(super) async fn write(&mut self, piece: &[u8]) -> Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.write(piece).await?;
        }
        if let Some(file) = &mut self.file {
            if file.gather(piece) {
                Box::pin(file.flush()).await?;
            }
        }
        Ok(())
    }

    /// Drops what was kept in memory, and keeps nothing from now on.
    pub(super) fn keep_nothing(&mut self) {
        self.kept = None;
    }

    /// The content is whole: puts the file in its place and returns what was kept.
    pub(super) async fn finish(self) -> Result<Option<Body>> {
        if let Some(file) = self.file {
            Box::pin(file.finish()).await?;
        }
        match self.kept {
            Some(kept) => kept.finish().await.map(Some),
            None => Ok(None),
        }
    }
}

/// A file that takes content off the loop, in large pieces.
#[derive(Debug)]
struct FileSink {
    path: PathBuf,
    /// None while a piece is written by a blocking thread.
    file: Option<AtomicFile>,
    pending: Vec<u8>,
}

impl FileSink {
    async fn create(path: &Path) -> Result<FileSink> {
        let started = Instant::now();
        loop {
            let place = path.to_owned();
            let create =
                move || std::fs::create_dir_all(folder_of(&place)).and_then(|()| AtomicFile::create(place.clone()));
            let created = unblock(create).await;
            match created {
                Ok(file) => return Ok(FileSink { path: path.to_owned(), file: Some(file), pending: Vec::new() }),
                Err(error) if out_of_descriptors(&error) && started.elapsed() < PATIENCE => sleep(INTERVAL).await,
                Err(error) => return Err(cannot_save(path, error)),
            }
        }
    }

    /// Takes a piece, and returns whether there is enough now to be written.
    fn gather(&mut self, piece: &[u8]) -> bool {
        self.pending.extend_from_slice(piece);
        self.pending.len() >= PIECE
    }

    async fn flush(&mut self) -> Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let mut pending = std::mem::take(&mut self.pending);
        let (file, mut pending, written) = unblock(move || {
            let written = file.write_all(&pending);
            pending.clear();
            (file, pending, written)
        })
        .await;
        self.file = Some(file);
        std::mem::swap(&mut self.pending, &mut pending);
        written.map_err(|error| cannot_save(&self.path, error))
    }

    async fn finish(mut self) -> Result<()> {
        self.flush().await?;
        let Some(file) = self.file else { return Ok(()) };
        unblock(move || file.commit()).await.map_err(|error| cannot_save(&self.path, error))
    }
}

pub(crate) fn cannot_save(path: &Path, error: io::Error) -> Error {
    let text = format!("the content cannot be saved to {}", path.display());
    Error::new(Kind::Io, text).in_phase(Phase::Body).with_source(system_cause(error))
}
