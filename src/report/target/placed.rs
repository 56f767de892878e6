//! A file that is written under another name and put in its place when it is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A temporary file beside its target. Removed on drop unless it was put in place.
#[derive(Debug)]
pub(super) struct Placed {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    /// Whether `temporary` is still ours to remove.
    pending: bool,
}

impl Placed {
    /// Creates the temporary file in the target's folder, under a name that nobody can foresee, with the permissions of
    /// the target if it exists, else what the umask leaves.
    ///
    /// # Errors
    /// The folder cannot be written or does not exist, or the target is a folder or write-protected.
    pub(super) fn create(target: PathBuf) -> io::Result<Placed> {
        let permissions = match fs::metadata(&target) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) => {
                // Renaming would get past the write protection of the file itself.
                File::options().write(true).open(&target)?;
                Some(metadata.permissions())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
        // A name has at most 255 bytes on most systems; a character has at most 4.
        let short: String = name.chars().take(40).collect();
        let mut tries = 0;
        let (file, temporary) = loop {
            let suffix = fastrand::u64(..);
            let temporary = target.with_file_name(format!(".{short}.{}.{suffix:016x}.tmp", std::process::id()));
            match File::options().write(true).create_new(true).open(&temporary) {
                Ok(file) => break (file, temporary),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < MAX_TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        };
        let placed = Placed { file, temporary, target, pending: true };
        if let Some(permissions) = permissions {
            placed.file.set_permissions(permissions)?;
        }
        Ok(placed)
    }

    /// Syncs it and puts it in place.
    ///
    /// # Errors
    /// What failed, and what to say of where the content is now.
    pub(super) fn commit(mut self) -> Result<(), (String, io::Error)> {
        sync(&self.file).map_err(|cause| (String::new(), cause))?;
        let Err(cause) = fs::rename(&self.temporary, &self.target) else {
            self.pending = false;
            return Ok(());
        };
        // A mount point cannot be replaced, nor can on some systems a file that is open elsewhere; but written it can be.
        if fs::copy(&self.temporary, &self.target).is_ok() {
            return Ok(());
        }
        self.pending = false;
        Err((format!(", it is kept in {:?}", self.temporary), cause))
    }
}

impl Write for Placed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if self.pending {
            // There is nobody left to tell.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Waits until the file is on the disk, where its file system can say so.
pub(super) fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// The path with all symbolic links followed, and whether it leads to something that is written in place: a device, a
/// pipe, or a file that another process has open (by way of /proc or /dev/fd).
///
/// The last link may lead to nothing: that is where the file will be.
///
/// # Errors
/// There is no such folder, links go in a circle, or the path is one of a folder by its look.
pub(super) fn resolve(path: &Path) -> io::Result<(PathBuf, bool)> {
    let original = path;
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if cfg!(unix) && (path.starts_with("/proc") || path.starts_with("/dev/fd")) {
            return Ok((original.to_owned(), true));
        }
        // Windows tells nothing about its /dev/null, not even that it is there.
        if cfg!(windows) && ["NUL", r"\\.\NUL"].iter().any(|name| path.as_os_str().eq_ignore_ascii_case(name)) {
            return Ok((path, true));
        }
        // `Path` takes "out/" and "out/." for "out"; the system does not.
        let text = path.as_os_str().as_encoded_bytes();
        let last = text.rsplit(|byte| std::path::is_separator(char::from(*byte))).next().unwrap_or_default();
        if matches!(last, b"" | b"." | b"..") {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let special = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                let link = fs::read_link(&path)?;
                path.set_file_name("");
                path.push(link);
                continue;
            }
            Ok(metadata) => !metadata.is_file() && !metadata.is_dir(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        return Ok((in_true_folder(&path)?, special));
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// The path with its folder spelled in the one way that every path to it has.
fn in_true_folder(path: &Path) -> io::Result<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let folder = match fs::canonicalize(folder) {
        // Some file systems of Windows cannot say how a path is spelled in truth; files can be written there all the same.
        Err(_) if cfg!(windows) && folder.is_dir() => std::path::absolute(folder)?,
        found => found?,
    };
    Ok(folder.join(name))
}

const MAX_TRIES: u32 = 16;
/// As Linux has it.
const MAX_LINKS: u32 = 40;
