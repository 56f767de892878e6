//! Which file a path leads to, however the path is spelled.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic_file::folder_of;

/// What two paths to one file have in common: links are followed, and the case of letters and `./` do not matter where they
/// do not for the system. A file that is not there yet is told by its folder and its name.
///
/// ```
/// use roundup::FileId;
///
/// let dir = std::env::temp_dir();
/// assert_eq!(FileId::of(&dir.join("new")), FileId::of(&dir.join(".").join("new")));
/// assert_ne!(FileId::of(&dir.join("new")), FileId::of(&dir.join("other")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileId(Id);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Id {
    /// Device and inode.
    #[cfg(unix)]
    Inode(u64, u64),
    Path(PathBuf),
}

/// How many links are followed, as Linux has it.
const MAX_LINKS: u32 = 40;

impl FileId {
    /// The file behind this path. `None` for what can be shared: devices, pipes, sockets, folders, and files in folders that
    /// are not there.
    pub fn of(path: &Path) -> Option<FileId> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => return FileId::of_file(&path, &metadata),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => return None,
            }
            // Nothing is there, or a link that leads to nothing: then that is where the file will be.
            let Ok(link) = fs::read_link(&path) else {
                let folder = fs::canonicalize(folder_of(&path)).ok()?;
                return Some(FileId(Id::Path(in_one_case(&folder.join(path.file_name()?)))));
            };
            path.set_file_name("");
            path.push(link);
        }
        None
    }

    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "fails on other systems")]
    fn of_file(_: &Path, metadata: &fs::Metadata) -> Option<FileId> {
        use std::os::unix::fs::MetadataExt;
        Some(FileId(Id::Inode(metadata.dev(), metadata.ino())))
    }

    #[cfg(not(unix))]
    fn of_file(path: &Path, _: &fs::Metadata) -> Option<FileId> {
        Some(FileId(Id::Path(in_one_case(&fs::canonicalize(path).ok()?))))
    }
}

/// File systems of Windows and macOS take letters of either case for the same.
fn in_one_case(path: &Path) -> PathBuf {
    if cfg!(any(windows, target_vendor = "apple")) {
        return path.to_string_lossy().to_lowercase().into();
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_and_spellings_are_one_file() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).expect("it can be made");
        for (name, there) in [("there", true), ("not-there", false)] {
            if there {
                fs::write(at(name), "").expect("it can be written");
                fs::hard_link(at(name), at("hard")).expect("links can be made");
                assert_eq!(FileId::of(&at("hard")), FileId::of(&at(name)));
            }
            symlink(name, at(&format!("{name}-link"))).expect("links can be made");
            symlink(at(&format!("{name}-link")), at(&format!("{name}-second"))).expect("links can be made");
            let id = FileId::of(&at(name));
            assert!(id.is_some());
            for other in
                [format!("./{name}"), format!("sub/../{name}"), format!("{name}-link"), format!("{name}-second")]
            {
                assert_eq!(FileId::of(&at(&other)), id, "{other}");
            }
        }
        assert_ne!(FileId::of(&at("there")), FileId::of(&at("not-there")));
        symlink("circle", at("circle")).expect("links can be made");
        for none in ["none/file", "sub", "circle"] {
            assert_eq!(FileId::of(&at(none)), None, "{none}");
        }
        assert_eq!(FileId::of(Path::new("/dev/null")), None);
    }
}
