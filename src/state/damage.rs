//! Files that are damaged: how that is known, and what is done with them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, ErrorCode};

use super::file::State;
use crate::error::{Error, Kind, Result};
use crate::rfc3339::rfc3339;

/// A file up to this size is read whole when it is opened to be written, which takes some milliseconds a MiB.
const READ_WHOLE: u64 = 2 << 20;

/// The cause of an error: the file is damaged.
#[derive(Debug)]
pub(super) struct Damaged;

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is damaged")
    }
}

impl std::error::Error for Damaged {}

impl State {
    /// Whether an error says that a state file is damaged within. Such a file can be [set aside](Self::set_aside).
    pub fn is_damage(error: &Error) -> bool {
        std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Damaged>)
    }

    /// Gives a damaged file another name, which is returned, with the files beside it, which may hold what it lacks.
    ///
    /// # Errors
    /// [`Kind::Io`]: it cannot be renamed.
    pub fn set_aside(file: &Path) -> Result<PathBuf> {
        let time: String = rfc3339(SystemTime::now()).chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let mut aside = file.as_os_str().to_owned();
        aside.push(format!(".damaged-{time}"));
        let aside = PathBuf::from(aside);
        fs::rename(file, &aside).map_err(|error| {
            let text = format!("{} is damaged and cannot be renamed to {}", file.display(), aside.display());
            Error::new(Kind::Io, text).with_source(error)
        })?;
        for beside in ["-wal", "-shm"] {
            let name = |path: &Path| {
                let mut name = path.as_os_str().to_owned();
                name.push(beside);
                PathBuf::from(name)
            };
            let _ = fs::rename(name(file), name(&aside));
        }
        Ok(aside)
    }
}

/// Whether the file itself is wrong, and not what it is on.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether the file is sound within, as far as it is looked at: whole if it is small, or if a run was killed, maybe together
/// with the machine, since it was last written. Damage in another is found when it is come upon.
pub(super) fn is_sound(connection: &Connection, was_killed: bool) -> rusqlite::Result<bool> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    if !was_killed && pragma("page_size")? * pragma("page_count")? > READ_WHOLE {
        return Ok(true);
    }
    connection.pragma_query_value(None, "quick_check", |row| Ok(row.get::<_, String>(0)? == "ok"))
}
