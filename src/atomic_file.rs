//! A file that appears under its name when it is whole.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, PersistError};

/// How the names of temporary files begin.
const PREFIX: &str = ".roundup-";
const SUFFIX: &str = ".part";

/// A temporary file in the folder of the file that it will be. Removed on drop unless it was committed.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    temporary: NamedTempFile<File>,
    path: PathBuf,
}

impl AtomicFile {
    /// Creates the temporary file, with the permissions that the umask leaves.
    ///
    /// # Errors
    /// The folder cannot be written or does not exist.
    pub(crate) fn create(path: PathBuf) -> io::Result<AtomicFile> {
        // Hashes of the standard library are keyed by the system's random numbers, so the name cannot be guessed.
        let random = RandomState::new().build_hasher().finish();
        let temporary = Builder::new()
            .prefix(&format!("{PREFIX}{random:016x}-"))
            .suffix(SUFFIX)
            // tempfile's own way of opening makes files that no one else may read.
            .make_in(folder_of(&path), |path| lock::in_use(File::options().write(true).create_new(true).open(path)?))?;
        Ok(AtomicFile { temporary, path })
    }

    /// Sets the permissions that the file will have.
    pub(crate) fn set_permissions(&self, permissions: fs::Permissions) -> io::Result<()> {
        self.temporary.as_file().set_permissions(permissions)
    }

    /// Syncs it to the disk and gives it its name, in place of what had that name. On failure it is removed.
    pub(crate) fn commit(self) -> io::Result<()> {
        sync(self.temporary.as_file())?;
        self.temporary.persist(&self.path).map(drop).map_err(|error| error.error)
    }

    /// The same, if nothing has that name.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], with the file to be given another name; others as for [`commit`](Self::commit).
    #[cfg(feature = "fleet")]
    pub(crate) fn commit_new(self) -> Result<(), (io::Error, Option<AtomicFile>)> {
        sync(self.temporary.as_file()).map_err(|error| (error, None))?;
        let AtomicFile { temporary, path } = self;
        match temporary.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            Err(PersistError { error, file }) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err((error, Some(AtomicFile { temporary: file, path })))
            }
            Err(PersistError { error, .. }) => Err((error, None)),
        }
    }

    /// Gives it another name than it was made for, in the same folder.
    #[cfg(feature = "fleet")]
    pub(crate) fn rename(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// The same for a file that is worth more than the folder's order: one that cannot be renamed, as onto a mount point,
    /// is copied, and if that fails too the temporary file stays.
    ///
    /// # Errors
    /// What failed, and where the content is now.
    pub(crate) fn commit_or_keep(self) -> Result<(), (io::Error, Option<PathBuf>)> {
        sync(self.temporary.as_file()).map_err(|cause| (cause, None))?;
        let Err(PersistError { error: cause, file }) = self.temporary.persist(&self.path) else { return Ok(()) };
        if fs::copy(file.path(), &self.path).is_ok() {
            return Ok(());
        }
        Err((cause, file.keep().ok().map(|(_, path)| path)))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

/// Removes the temporary files that killed runs left in this folder. Best effort: what cannot be read or removed stays, and
/// so does a file that a process still writes.
pub fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let is_ours = name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes());
        // The type of the entry itself: symbolic links are not followed.
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            lock::remove_unused(&entry.path());
        }
    }
}

/// A temporary file is locked as long as its process lives; the system takes the lock from a process that is killed.
#[cfg(unix)]
mod lock {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;

    /// Locks a file that was just created.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if another process took it for a leftover before it was locked, so that tempfile
    /// tries another name.
    pub(super) fn in_use(file: File) -> io::Result<File> {
        // On file systems without locks this fails otherwise, and so does the other process: it removes nothing there.
        let is_taken = flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK);
        if is_taken || file.metadata()?.nlink() == 0 { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(file) }
    }

    pub(super) fn remove_unused(path: &Path) {
        let Ok(file) = File::open(path) else { return };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(path);
        }
    }
}

/// A file that a process has open cannot be opened by another that shares it with none.
#[cfg(windows)]
mod lock {
    use std::fs::{self, File};
    use std::io;
    use std::os::windows::fs::OpenOptionsExt;
    use std::path::Path;

    pub(super) fn in_use(file: File) -> io::Result<File> {
        Ok(file)
    }

    pub(super) fn remove_unused(path: &Path) {
        let opened = File::options().write(true).share_mode(0).open(path);
        if opened.map(drop).is_ok() {
            let _ = fs::remove_file(path);
        }
    }
}

/// The folder that a file is in, which for a mere name is `.`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until the file is on the disk, if its file system can say so.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Writes a file that only its owner can read, whole and on the disk when this returns.
#[cfg(feature = "fetcher")]
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = tempfile::Builder::new().prefix(".roundup-").suffix(".part").tempfile_in(folder_of(path))?;
    // Made with these rights from the start: tempfile gives them to nobody else.
    file.write_all(content)?;
    sync(file.as_file())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("it is there");
        entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn it_appears_when_it_is_committed_and_leaves_nothing_if_it_is_not() {
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        let path = folder.path().join("file");
        let mut files = [(); 3].map(|()| AtomicFile::create(path.clone()).expect("it can be written"));
        files[1].write_all(b"whole").expect("there is room");
        let unfinished = names(folder.path());
        assert_eq!(unfinished.len(), 3, "each has a name of its own");
        assert!(unfinished.iter().all(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX)), "{unfinished:?}");
        let [one, two, three] = files;
        drop(one);
        two.commit().expect("it can be renamed");
        drop(three);
        assert_eq!(names(folder.path()), ["file"]);
        assert_eq!(fs::read(&path).expect("it is there"), b"whole");
    }

    #[test]
    fn leftovers_go_and_files_in_use_stay() {
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        let ours = AtomicFile::create(folder.path().join("file")).expect("it can be written");
        let in_use = names(folder.path());
        fs::create_dir(folder.path().join(".roundup-folder.part")).expect("it can be made");
        for name in [".roundup-1-a.part", ".roundup-2-b.part", ".roundup-other", "other.part", ".other.part"] {
            fs::write(folder.path().join(name), "left").expect("it can be written");
        }
        remove_leftovers(folder.path());
        let mut left = names(folder.path());
        left.sort();
        let others = [".other.part", ".roundup-folder.part", ".roundup-other", "other.part"];
        let mut expected = Vec::from_iter(others.map(str::to_owned).into_iter().chain(in_use));
        expected.sort();
        assert_eq!(left, expected);
        ours.commit().expect("it can be renamed");
        remove_leftovers(&folder.path().join("none"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_a_leftover() {
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        fs::write(folder.path().join("kept"), "").expect("it can be written");
        std::os::unix::fs::symlink("kept", folder.path().join(".roundup-1.part")).expect("links can be made");
        remove_leftovers(folder.path());
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_the_permissions_that_the_umask_leaves() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        let mode = |name: &str| fs::metadata(folder.path().join(name)).expect("it is there").permissions().mode();
        fs::write(folder.path().join("plain"), "").expect("it can be written");
        AtomicFile::create(folder.path().join("ours")).and_then(AtomicFile::commit).expect("it can be written");
        assert_eq!(mode("ours"), mode("plain"));
    }
}
