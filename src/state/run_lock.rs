//! Which runs go on now: each holds a lock on a file of its own beside the state file, which the system takes from a process
//! that is killed. So a run that was killed is known from one that goes on in another process.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The lock of a run that goes on. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct RunLock {
    _file: File,
    path: PathBuf,
}

impl RunLock {
    /// Locks a run.
    ///
    /// # Errors
    /// The file cannot be made, or another process goes on with this run.
    pub(super) fn new(state: &Path, run: i64) -> io::Result<RunLock> {
        let path = path_of(state, run);
        let mut file = lock_patiently(&path)?;
        // For people, and for the text about a file that is held.
        write!(file, "{}", std::process::id())?;
        Ok(RunLock { _file: file, path })
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Others look whether it is held, which takes the lock for a moment, or remove the file as a leftover before it is locked.
fn lock_patiently(path: &Path) -> io::Result<File> {
    let mut tries = 0;
    loop {
        match system::lock(path) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < 20 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// Whether a process goes on with this run.
pub(super) fn is_held(state: &Path, run: i64) -> bool {
    system::is_held(&path_of(state, run))
}

/// The number of a process that goes on with a run of this file.
pub(super) fn holder(state: &Path) -> Option<String> {
    let held = locks_of(state).into_iter().find(|path| system::is_held(path))?;
    let mut text = String::new();
    File::open(held).ok()?.take(20).read_to_string(&mut text).ok()?;
    text.parse::<u32>().ok().map(|number| number.to_string())
}

/// Removes the files that killed runs have left. Whether there was one.
pub(super) fn remove_leftovers(state: &Path) -> bool {
    let left: Vec<PathBuf> = locks_of(state).into_iter().filter(|path| !system::is_held(path)).collect();
    left.iter().for_each(|path| drop(fs::remove_file(path)));
    !left.is_empty()
}

fn path_of(state: &Path, run: i64) -> PathBuf {
    let mut path = state.as_os_str().to_owned();
    path.push(format!("{INFIX}{run}"));
    path.into()
}

const INFIX: &str = "-run-";

fn locks_of(state: &Path) -> Vec<PathBuf> {
    let folder = state.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = state.file_name() else { return Vec::new() };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_lock = |entry: &fs::DirEntry| {
        let found = entry.file_name();
        let number = found.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
        let number = number.and_then(|rest| rest.strip_prefix(INFIX.as_bytes()));
        number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
    };
    entries.flatten().filter(is_lock).map(|entry| entry.path()).collect()
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;

    pub(super) fn lock(path: &Path) -> io::Result<File> {
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(io::ErrorKind::WouldBlock.into()),
            _ if file.metadata()?.nlink() == 0 => Err(io::ErrorKind::WouldBlock.into()),
            // On file systems without locks no run seems to be under way.
            _ => Ok(file),
        }
    }

    pub(super) fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
    }
}

/// A file that a process has open without sharing the right to delete it cannot be opened for that by another.
#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::windows::fs::OpenOptionsExt;
    use std::path::Path;

    /// FILE_SHARE_READ: others may read it.
    const SHARE_READ: u32 = 1;

    pub(super) fn lock(path: &Path) -> io::Result<File> {
        File::options().write(true).create(true).truncate(true).share_mode(SHARE_READ).open(path)
    }

    pub(super) fn is_held(path: &Path) -> bool {
        path.exists() && File::options().write(true).open(path).is_err()
    }
}
