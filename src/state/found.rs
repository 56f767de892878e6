//! How many requests at once hosts were found to take.

use super::file::State;
use super::run::OpenRun;
use crate::Result;

/// A host and how many requests at once it was found to take.
type FoundHost = (String, u32);

impl OpenRun {
    /// How many requests at once each host was found to take by earlier runs. Blocks.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): the file cannot be read.
    pub fn found_hosts(&self) -> Result<Vec<FoundHost>> {
        let read = || -> rusqlite::Result<Vec<FoundHost>> {
            let mut query = self.state.connection.prepare("select host, at_once from hosts order by host")?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        read().map_err(|error| self.state.unread(error))
    }
}

impl State {
    /// Keeps how many requests at once each host was found to take. Blocks.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): the file cannot be written.
    pub fn note_hosts(&mut self, found: &[FoundHost]) -> Result<()> {
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction()?;
            for (host, at_once) in found {
                transaction
                    .execute("insert or replace into hosts (host, at_once) values (?, ?)", (host.as_str(), at_once))?;
            }
            transaction.commit()
        };
        let written = if found.is_empty() { Ok(()) } else { write() };
        written.map_err(|error| self.unwritten(error))
    }
}
