//! The five things that a report can be written to.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[cfg(feature = "watch")]
use super::appended;
use super::part::PartFile;
use super::path::resolve;
use crate::atomic_file::AtomicFile;

/// What a report is written to.
pub(super) enum OutputFile {
    Stdout(io::Stdout),
    /// A device or a pipe, as it is.
    Device(BufWriter<File>),
    /// A file that people watch, and that gets its name when it is whole.
    Part(BufWriter<PartFile>),
    /// A file that grows with each round, locked against other runs for as long as it is open.
    #[cfg(feature = "watch")]
    Appended(BufWriter<File>),
    /// A file that appears when it is whole.
    Atomic(BufWriter<AtomicFile>),
}

impl OutputFile {
    pub(super) fn stdout() -> OutputFile {
        OutputFile::Stdout(io::stdout())
    }

    /// Opens the file and changes nothing in it. Returns its true path too.
    ///
    /// # Errors
    /// It cannot be written, or is a folder.
    pub(super) fn open(path: &Path, streams: bool) -> io::Result<(PathBuf, OutputFile)> {
        let (path, special) = resolve(path)?;
        if special {
            // Appending does no harm to a device, and keeps what others wrote if it is a file after all (/dev/stderr).
            let file = File::options().append(true).open(&path)?;
            return Ok((path, OutputFile::Device(gathering(file))));
        }
        let permissions = permissions_of(&path)?;
        let file = if streams {
            OutputFile::Part(gathering(PartFile::open(&path, permissions)?))
        } else {
            let file = AtomicFile::create(path.clone())?;
            if let Some(permissions) = permissions {
                file.set_permissions(permissions)?;
            }
            OutputFile::Atomic(BufWriter::new(file))
        };
        Ok((path, file))
    }

    /// The same for a file that grows.
    ///
    /// # Errors
    /// It cannot be written, is a folder, or another run writes it.
    #[cfg(feature = "watch")]
    pub(super) fn open_to_grow(path: &Path) -> io::Result<(PathBuf, OutputFile)> {
        let (place, special) = resolve(path)?;
        if special {
            return OutputFile::open(path, true);
        }
        permissions_of(&place)?;
        let file = gathering(super::part::open_locked(&place, true)?);
        Ok((place, OutputFile::Appended(file)))
    }

    /// Whether it takes the place of a file.
    pub(super) fn replaces(&self) -> bool {
        matches!(self, OutputFile::Part(_) | OutputFile::Atomic(_))
    }

    /// Called when all outputs are known to be good. Returns where the report of a killed run is now, if there was one.
    pub(super) fn begin(&mut self) -> io::Result<Option<PathBuf>> {
        match self {
            OutputFile::Part(file) => file.get_mut().begin(),
            #[cfg(feature = "watch")]
            OutputFile::Appended(file) => appended::begin(file.get_mut()).map(|()| None),
            _ => Ok(None),
        }
    }

    /// Lets `write` write, buffered, then flushes.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        match self {
            OutputFile::Stdout(stdout) => {
                let mut out = gathering(stdout.lock());
                write(&mut out).and_then(|()| out.flush())
            }
            OutputFile::Device(file) => write(file).and_then(|()| file.flush()),
            #[cfg(feature = "watch")]
            OutputFile::Appended(file) => write(file).and_then(|()| file.flush()),
            OutputFile::Part(file) => write(file).and_then(|()| file.flush()),
            OutputFile::Atomic(file) => write(file).and_then(|()| file.flush()),
        }
    }

    /// Syncs it and puts it in its place.
    ///
    /// # Errors
    /// What failed, and where the content is now if it was saved all the same.
    pub(super) fn commit(self) -> Result<(), (io::Error, Option<PathBuf>)> {
        let done = match self {
            OutputFile::Stdout(mut stdout) => stdout.flush(),
            OutputFile::Device(file) => file.into_inner().map(drop).map_err(io::IntoInnerError::into_error),
            #[cfg(feature = "watch")]
            OutputFile::Appended(file) => match file.into_inner() {
                Ok(file) => crate::atomic_file::sync(&file),
                Err(error) => Err(error.into_error()),
            },
            OutputFile::Part(mut file) => match file.flush() {
                Ok(()) => return file.get_mut().commit(),
                Err(error) => return Err((error, file.get_ref().part().to_owned().into())),
            },
            OutputFile::Atomic(file) => match file.into_inner() {
                Ok(file) => return file.commit_or_keep(),
                Err(error) => Err(error.into_error()),
            },
        };
        done.map_err(|cause| (cause, None))
    }
}

/// A buffer that takes most groups of results whole, so that each is one system call.
fn gathering<W: Write>(out: W) -> BufWriter<W> {
    BufWriter::with_capacity(64 << 10, out)
}

/// The permissions of the file at this path, if there is one.
///
/// # Errors
/// There is a folder of this name, or a file that is write-protected: renaming would get past that.
fn permissions_of(path: &Path) -> io::Result<Option<fs::Permissions>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) => {
            File::options().write(true).open(path)?;
            Ok(Some(metadata.permissions()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl fmt::Debug for OutputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OutputFile::Stdout(_) => "Stdout",
            OutputFile::Device(_) => "Device",
            OutputFile::Part(_) => "Part",
            #[cfg(feature = "watch")]
            OutputFile::Appended(_) => "Appended",
            OutputFile::Atomic(_) => "Atomic",
        })
    }
}
