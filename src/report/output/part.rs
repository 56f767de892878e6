//! A report that grows while people watch: `FILE.part`, which becomes `FILE` when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic_file::sync;

/// How many reports of killed runs are kept beside one file. With so many, something else is wrong.
const MAX_KEPT: u32 = 1000;

/// The file of a report that streams, locked against other runs for as long as it is open.
///
/// A run that is killed leaves `FILE.part` with all results that it had. The next run for the same file keeps it as
/// `FILE.part.1`, or the next number that is free.
#[derive(Debug)]
pub(super) struct PartFile {
    file: File,
    part: PathBuf,
    path: PathBuf,
    /// The permissions of the file that it replaces.
    permissions: Option<fs::Permissions>,
    /// Whether what a killed run left has been taken out of the way, so that this is ours to write.
    begun: bool,
}

impl PartFile {
    /// Opens and locks it, and changes nothing.
    ///
    /// # Errors
    /// It cannot be written, or another run writes it: [`io::ErrorKind::ResourceBusy`], which names that run if the system
    /// tells.
    pub(super) fn open(path: &Path, permissions: Option<fs::Permissions>) -> io::Result<PartFile> {
        let part = of(path);
        loop {
            let file = open_locked(&part, false)?;
            // The run that held it may have given it its name meanwhile.
            if lock::is_at(&file, &part) {
                return Ok(PartFile { file, part, path: path.to_owned(), permissions, begun: false });
            }
        }
    }

    /// The path while it is written.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// Makes it an empty file. What a killed run left in it is kept under another name, which is returned.
    pub(super) fn begin(&mut self) -> io::Result<Option<PathBuf>> {
        let kept = if self.file.metadata()?.len() > 0 { Some(self.keep_old()?) } else { None };
        self.begun = true;
        if let Some(permissions) = self.permissions.take() {
            self.file.set_permissions(permissions)?;
        }
        Ok(kept)
    }

    fn keep_old(&mut self) -> io::Result<PathBuf> {
        let names = (1..=MAX_KEPT).map(|n| with_suffix(&self.part, &format!(".{n}")));
        let is_free =
            |name: &PathBuf| fs::symlink_metadata(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let kept = names.into_iter().find(is_free).ok_or_else(|| {
            let text =
                format!("{MAX_KEPT} reports of killed runs are kept beside it: remove {:?} and the like", self.part);
            io::Error::new(io::ErrorKind::AlreadyExists, text)
        })?;
        fs::rename(&self.part, &kept)?;
        self.file = open_locked(&self.part, false)?;
        Ok(kept)
    }

    /// Syncs it to the disk and gives it its name. If it cannot be renamed, as onto a mount point, it is copied, and if that
    /// fails too it stays.
    ///
    /// # Errors
    /// What failed, and where the content is now.
    pub(super) fn commit(&mut self) -> Result<(), (io::Error, Option<PathBuf>)> {
        let kept = || Some(self.part.clone());
        sync(&self.file).map_err(|cause| (cause, kept()))?;
        let Err(cause) = fs::rename(&self.part, &self.path) else { return Ok(()) };
        fs::copy(&self.part, &self.path).map_err(|_| (cause, kept()))?;
        let _ = fs::remove_file(&self.part);
        Ok(())
    }
}

impl io::Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What was opened and never begun leaves no file behind.
impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.begun && self.file.metadata().is_ok_and(|it| it.len() == 0) && lock::is_at(&self.file, &self.part) {
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// The path of the file until it is whole.
pub(super) fn of(path: &Path) -> PathBuf {
    with_suffix(path, ".part")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Opens a file that one run at a time writes, or makes it. Nothing in it is changed; if `append`, what is written goes to its
/// end, and it can be read.
///
/// # Errors
/// It cannot be written, or another run writes it: [`io::ErrorKind::ResourceBusy`].
pub(super) fn open_locked(path: &Path, append: bool) -> io::Result<File> {
    let mut options = File::options();
    options.read(append).write(!append).append(append).create(true).truncate(false);
    lock::open(path, &mut options)
}

/// The system takes the lock from a process that is killed.
#[cfg(unix)]
mod lock {
    use std::fs::{self, File, OpenOptions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::fs::{FlockOperation, OFlags, flock};
    use rustix::io::Errno;

    /// Opens or creates it, and locks it. The name can be guessed, so a link is not followed and a pipe not waited for.
    pub(super) fn open(part: &Path, options: &mut OpenOptions) -> io::Result<File> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        let file =
            options.custom_flags(flags as i32).open(part).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::LOOP) => not_a_file(part),
                _ => error,
            })?;
        if !file.metadata()?.is_file() {
            return Err(not_a_file(part));
        }
        // File systems without locks fail otherwise, and are written without.
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(busy(&file)),
            _ => Ok(file),
        }
    }

    fn not_a_file(part: &Path) -> io::Error {
        io::Error::other(format!("it is written to {part:?} first, which is not a plain file: remove that"))
    }

    fn busy(file: &File) -> io::Error {
        let by = holder(file).map(|pid| format!(", process {pid}")).unwrap_or_default();
        io::Error::new(io::ErrorKind::ResourceBusy, format!("another run{by} writes it at this time"))
    }

    /// The process that holds the lock. Linux alone tells, one line a lock: `1: FLOCK  ADVISORY  WRITE 123 08:01:456 0 EOF`.
    fn holder(file: &File) -> Option<u32> {
        let inode = file.metadata().ok()?.ino().to_string();
        let locks = fs::read_to_string("/proc/locks").ok()?;
        let of_file = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|words| {
            words.get(1) == Some(&"FLOCK") && words.get(5).and_then(|it| it.rsplit(':').next()) == Some(&inode)
        })?;
        of_file.get(4)?.parse().ok()
    }

    /// Whether this file has that name.
    pub(super) fn is_at(file: &File, path: &Path) -> bool {
        let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let ids = (file.metadata().map(id), fs::symlink_metadata(path).map(id));
        matches!(ids, (Ok(one), Ok(other)) if one == other)
    }
}

/// A file that a process has open for writing is not shared with another that wants to write.
#[cfg(not(unix))]
mod lock {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::path::Path;

    pub(super) fn open(part: &Path, options: &mut OpenOptions) -> io::Result<File> {
        #[cfg(windows)]
        {
            use std::os::windows::fs::OpenOptionsExt;
            /// FILE_SHARE_READ and FILE_SHARE_DELETE.
            const NOT_WRITTEN_BY_OTHERS: u32 = 1 | 4;
            options.share_mode(NOT_WRITTEN_BY_OTHERS);
        }
        /// ERROR_SHARING_VIOLATION.
        const IS_SHARED: i32 = 32;
        options.open(part).map_err(|error| match error.raw_os_error() {
            Some(IS_SHARED) => io::Error::new(io::ErrorKind::ResourceBusy, "another run writes it at this time"),
            _ => error,
        })
    }

    /// A file that was opened so cannot be renamed and another put in its place before it could be looked at.
    pub(super) fn is_at(_: &File, _: &Path) -> bool {
        true
    }
}
