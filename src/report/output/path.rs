//! Paths of reports, spelled in one way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic_file::folder_of;
use crate::file_id::FileId;

/// The path with all symbolic links followed, and whether it leads to something that is written in place: a device, a
/// pipe, or a file that another process has open (by way of /proc or /dev/fd).
///
/// The last link may lead to nothing: that is where the file will be.
///
/// # Errors
/// There is no such folder, links go in a circle, or the path looks like that of a folder.
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
    let folder = folder_of(path);
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let folder = match fs::canonicalize(folder) {
        // Some file systems of Windows cannot say how a path is spelled in truth; files can be written there all the same.
        Err(_) if cfg!(windows) && folder.is_dir() => std::path::absolute(folder)?,
        found => found?,
    };
    Ok(folder.join(name))
}

/// Whether two such paths are those of one file: spelled alike, or links to one inode, as letters of either case are on some
/// file systems.
pub(super) fn is_one_file(one: &Path, two: &Path) -> bool {
    one == two || FileId::of(one).is_some_and(|id| FileId::of(two) == Some(id))
}

/// As Linux has it.
const MAX_LINKS: u32 = 40;
