//! A state file that is open.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::open::failure;
use crate::error::Error;

/// What earlier runs left behind, in one file of SQLite. Made by [`State::open`] and [`State::open_to_read`].
///
/// Several processes may have it open, and several runs may go on in it.
pub struct State {
    pub(super) connection: Connection,
    pub(super) file: PathBuf,
}

impl State {
    /// The file's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Says which file could not be read.
    pub(super) fn unread(&self, error: rusqlite::Error) -> Error {
        failure(&self.file, "cannot be read", error)
    }

    /// Says which file could not be written.
    pub(super) fn unwritten(&self, error: rusqlite::Error) -> Error {
        failure(&self.file, "cannot be written", error)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.file).finish()
    }
}
