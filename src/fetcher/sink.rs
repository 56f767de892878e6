//! Where the content of a response goes: into memory, into a file, or nowhere. Files are written off the loop.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Phase, Result, system_cause};
use crate::event_loop::unblock;

/// How much is gathered before it is written: one trip to a blocking thread for many reads of the socket.
const PIECE: usize = 128 * 1024;

/// How much memory is set aside for content before a byte of it has come.
const MOST_RESERVED: usize = 64 * 1024;

/// Content as it comes in.
#[derive(Debug)]
pub(super) struct Sink {
    kept: Option<Vec<u8>>,
    file: Option<Saved>,
}

impl Sink {
    /// A sink for so many bytes, as far as is known, that keeps the content in memory if `keep`, and saves it to `file` if there is one. The file appears when
    /// [`Sink::finish`] succeeds; until then a temporary one stands beside it.
    pub(super) async fn open(length: Option<u64>, keep: bool, file: Option<&Path>) -> Result<Sink> {
        let file = match file {
            // In boxes, what is done with files: most contents go to none.
            Some(path) => Some(Box::pin(Saved::create(path)).await?),
            None => None,
        };
        // What a server announces is not always what it sends.
        let room = usize::try_from(length.unwrap_or_default()).unwrap_or_default().min(MOST_RESERVED);
        Ok(Sink { kept: keep.then(|| Vec::with_capacity(room)), file })
    }

    /// Takes a piece.
    pub(super) async fn write(&mut self, piece: &[u8]) -> Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(piece);
        }
        match &mut self.file {
            Some(file) => {
                if file.takes(piece) {
                    Box::pin(file.flush()).await?;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The content is whole: puts the file in its place and returns what was kept.
    pub(super) async fn finish(self) -> Result<Option<Vec<u8>>> {
        if let Some(file) = self.file {
            Box::pin(file.finish()).await?;
        }
        Ok(self.kept)
    }
}

/// A file that is written under another name; removed where it is never finished.
#[derive(Debug)]
struct Saved {
    path: PathBuf,
    temporary: Temporary,
    file: Option<File>,
    pending: Vec<u8>,
}

impl Saved {
    async fn create(path: &Path) -> Result<Saved> {
        let path = path.to_owned();
        unblock(move || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let attempt = || {
                std::fs::create_dir_all(folder)?;
                let temporary = folder.join(format!(".{name}.{:08x}.part", fastrand::u32(..)));
                let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
                Ok((file, temporary))
            };
            let (file, temporary) = attempt().map_err(|error| cannot_save(&path, error))?;
            Ok(Saved { path, temporary: Temporary(Some(temporary)), file: Some(file), pending: Vec::new() })
        })
        .await
    }

    /// Takes a piece, and says whether there is enough now to be written.
    fn takes(&mut self, piece: &[u8]) -> bool {
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
        let (file, path) = (self.file.take(), self.path);
        let mut temporary = self.temporary;
        unblock(move || {
            drop(file);
            match &temporary.0 {
                Some(from) => std::fs::rename(from, &path).map_err(|error| cannot_save(&path, error))?,
                None => return Ok(()),
            }
            // It has its name now and must not be removed.
            temporary.0.take();
            Ok(())
        })
        .await
    }
}

/// Removes the file when it is dropped, unless it was taken out.
#[derive(Debug)]
struct Temporary(Option<PathBuf>);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // One system call; a cancelled task has no other moment to do it.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn cannot_save(path: &Path, error: io::Error) -> Error {
    let text = format!("the content cannot be saved to {}", path.display());
    Error::new(Kind::Io, text).in_phase(Phase::Body).with_source(system_cause(error))
}
