//! Opening a state file: whose it is, and what to do if it is damaged.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;

use super::damage::{Damaged, is_damage, is_sound};
use super::file::State;
use super::run_lock;
use super::schema::{APPLICATION_ID, LAYOUT, layout, migrate};
use crate::error::{Error, Kind, Result};
use crate::sqlite;

/// What every file of SQLite begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A state file that was opened.
#[derive(Debug)]
pub struct Opened {
    /// What it holds.
    pub state: State,
    /// Where the file that stood there is now, if it was damaged; then a new one was begun.
    pub set_aside: Option<PathBuf>,
}

impl State {
    /// Opens a state file, and makes it if it is not there. One that is damaged is set aside: it keeps its content under
    /// another name, and a new one is begun.
    ///
    /// # Errors
    /// [`Kind::Config`] if the file is not ours to write: a folder, another program's, or of a later version of this one.
    /// [`Kind::Io`] if it cannot be made or written.
    pub fn open(file: &Path) -> Result<Opened> {
        let damaged = match open(file) {
            Ok(state) => return Ok(Opened { state, set_aside: None }),
            Err(OpenError::Other(error)) => return Err(error),
            Err(OpenError::Damaged) => State::set_aside(file)?,
        };
        match open(file) {
            Ok(state) => Ok(Opened { state, set_aside: Some(damaged) }),
            Err(OpenError::Other(error)) => Err(error),
            Err(OpenError::Damaged) => Err(Error::new(Kind::Io, format!("{} cannot be made anew", file.display()))),
        }
    }

    /// Opens a state file to read what it holds. A run that goes on meanwhile is not held up.
    ///
    /// # Errors
    /// [`Kind::Config`] if it is not a state file or of a later version, [`Kind::Io`] if it cannot be read.
    pub fn open_to_read(file: &Path) -> Result<State> {
        let failed = |error: rusqlite::Error| failure(file, "cannot be read", error);
        if !file.exists() {
            return Err(Error::new(Kind::Io, format!("{} is not there", file.display())));
        }
        match whose(file)? {
            Whose::Sqlite => {}
            Whose::New => {
                return Err(Error::new(Kind::Config, format!("{} is empty: no run was kept in it", file.display())));
            }
            Whose::Damaged => return Err(Error::new(Kind::Io, format!("{} is damaged", file.display()))),
        }
        let first_look = sqlite::open_file_to_read(file).and_then(|connection| {
            connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
            Ok(connection)
        });
        let connection = match first_look {
            // A file in a place that cannot be written has no -wal and needs none, but SQLite would make one.
            Err(error) if is_about_place(&error) && !has_log(file) => sqlite::open_file_that_stays(file),
            first_look => first_look,
        };
        let connection = connection.map_err(failed)?;
        check_layout(file, &connection)?;
        Ok(State { connection, file: file.to_owned() })
    }
}

enum OpenError {
    Damaged,
    Other(Error),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> OpenError {
        OpenError::Other(error)
    }
}

fn open(file: &Path) -> Result<State, OpenError> {
    let failed = |error: rusqlite::Error| match is_damage(&error) {
        true => OpenError::Damaged,
        false => OpenError::Other(failure(file, "cannot be opened", error)),
    };
    if let Whose::Damaged = whose(file)? {
        return Err(OpenError::Damaged);
    }
    let mut connection = sqlite::open_file(file).map_err(failed)?;
    // The first look at the file.
    connection.pragma_query_value(None, "schema_version", |_| Ok(())).map_err(failed)?;
    check_layout(file, &connection)?;
    // Both take effect in an empty file alone, before anything else is written. Pages that are freed can be given back.
    connection.pragma_update(None, "page_size", PAGE_SIZE).map_err(failed)?;
    connection.pragma_update(None, "auto_vacuum", "incremental").map_err(failed)?;
    keep_a_log(&connection).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "normal").map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE).map_err(failed)?;
    migrate(&mut connection).map_err(failed)?;
    // A run that was killed may have been killed with the machine: then the disk may have lost what it was told to keep.
    let was_killed = run_lock::remove_leftovers(file);
    if !is_sound(&connection, was_killed).map_err(failed)? {
        return Err(OpenError::Damaged);
    }
    Ok(State { connection, file: file.to_owned() })
}

/// Readers do not hold up the run, and a commit appends to one file. On file systems that cannot do it, SQLite stays with its
/// journal, which is as safe.
///
/// The change reads first and then writes, in one transaction. SQLite does not wait for another that writes in such a
/// transaction, since two that wait for each other would wait for ever, so it is begun again from here.
fn keep_a_log(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + sqlite::BUSY_TIMEOUT;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

/// Twice SQLite's own: half as many pages are written, for which the system is called, and less of each stays empty.
const PAGE_SIZE: i64 = 8 << 10;

/// What `-wal` is cut back to when it has grown larger.
const JOURNAL_SIZE: i64 = 16 << 20;

enum Whose {
    New,
    Sqlite,
    Damaged,
}

/// Looks at how the file begins, before SQLite writes anything to it.
fn whose(file: &Path) -> Result<Whose> {
    let cannot = |error: std::io::Error| {
        Error::new(Kind::Io, format!("the state file {} cannot be read", file.display())).with_source(error)
    };
    match fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Whose::New),
        Err(error) => return Err(cannot(error)),
        Ok(metadata) if metadata.is_dir() => {
            let text = format!("{} is a folder: name a file for the state, such as {0}/roundup.db", file.display());
            return Err(Error::new(Kind::Config, text));
        }
        Ok(metadata) if !metadata.is_file() => {
            return Err(Error::new(Kind::Config, format!("{} is not a file that can keep a state", file.display())));
        }
        Ok(_) => {}
    }
    let mut begin = Vec::new();
    File::open(file).and_then(|open| open.take(16).read_to_end(&mut begin)).map_err(cannot)?;
    Ok(match begin.as_slice() {
        [] => Whose::New,
        begin if begin == MAGIC => Whose::Sqlite,
        // What a file system leaves of a file whose content did not reach the disk.
        begin if begin.iter().all(|byte| *byte == 0) => Whose::Damaged,
        _ => {
            let text = format!("{} is not a state file, and is left as it is: name another file", file.display());
            return Err(Error::new(Kind::Config, text));
        }
    })
}

/// Refuses a database of another program and one of a later version.
fn check_layout(file: &Path, connection: &rusqlite::Connection) -> Result<(), Error> {
    let failed = |error: rusqlite::Error| failure(file, "cannot be read", error);
    // In one transaction: another process may be making the tables of a new file, and what is seen of that has to fit together.
    let at_once = connection.unchecked_transaction().map_err(failed)?;
    let read = |pragma: &str| at_once.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables: i64 = at_once.query_row("select count(*) from sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let (id, layout) = (read("application_id").map_err(failed)?, layout(&at_once).map_err(failed)?);
    let refused = |text: String| Err(Error::new(Kind::Config, text));
    if id != i64::from(APPLICATION_ID) && (tables > 0 || id != 0 || layout != 0) {
        return refused(format!(
            "{} is a database of another program, and is left as it is: name another file",
            file.display()
        ));
    }
    if layout > LAYOUT {
        return refused(format!(
            "{} was written by a later version of roundup (layout {layout}, and this one knows {LAYOUT}): update roundup, or name another file",
            file.display()
        ));
    }
    Ok(())
}

/// An error of SQLite in the words of this file.
pub(super) fn failure(file: &Path, what: &str, error: rusqlite::Error) -> Error {
    let text = format!("the state file {} {what}", file.display());
    let cause = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(ErrorCode::ReadOnly) => "it can only be read".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => match run_lock::holder(file) {
            Some(holder) => format!("process {holder} holds it"),
            None => "another program holds it".to_owned(),
        },
        // A write beyond the limit of the process is one that the system refuses.
        Some(ErrorCode::SystemIoFailure) => format!("{error}: is there a limit on the size of files (ulimit -f)?"),
        Some(ErrorCode::CannotOpen) => return Error::new(Kind::Io, text).with_source(why_not_opened(file, error)),
        _ if is_damage(&error) => return Error::new(Kind::Io, text).with_source(Damaged),
        _ => error.to_string(),
    };
    Error::new(Kind::Io, text).with_source(Error::new(Kind::Io, cause))
}

/// Why the system does not let the file be opened: SQLite does not say.
fn why_not_opened(file: &Path, error: rusqlite::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match fs::OpenOptions::new().append(true).create(true).open(file) {
        Err(cause) => cause.into(),
        Ok(_) => error.into(),
    }
}

/// Whether it is the place of the file that cannot be written.
fn is_about_place(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// Whether there are commits beside the file that are not in it yet.
fn has_log(file: &Path) -> bool {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|it| it.len() > 0)
}
