//! Whether a file is sound, and what it holds.

use super::file::State;
use crate::error::Result;

/// What was found in a state file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What is wrong with it, a line each; none if it is sound.
    pub faults: Vec<String>,
    /// How large it is, in bytes, without the files beside it.
    pub bytes: u64,
    /// How much of it is free for what comes, in bytes.
    pub free_bytes: u64,
    /// How many runs it has.
    pub runs: u64,
    /// How many outcomes.
    pub outcomes: u64,
    /// How many rows of tables.
    pub rows: u64,
    /// How many contents.
    pub contents: u64,
    /// How many bytes of contents.
    pub content_bytes: u64,
}

/// The most faults that are named.
const MOST_FAULTS: i64 = 20;

impl State {
    /// Reads the whole file and checks that it is sound. Takes as long as reading it does, and more for indexes.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): it cannot be read.
    pub fn check(&self) -> Result<Checked> {
        self.read_all().map_err(|error| self.unread(error))
    }

    fn read_all(&self) -> rusqlite::Result<Checked> {
        let mut faults = Vec::new();
        for check in [format!("pragma integrity_check({MOST_FAULTS})"), "pragma foreign_key_check".to_owned()] {
            let is_integrity = check.contains("integrity");
            let mut statement = self.connection.prepare(&check)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let text: String = row.get(0)?;
                match is_integrity {
                    true if text == "ok" => {}
                    true => faults.extend(text.lines().map(str::to_owned)),
                    false => faults.push(format!("a row of {text} belongs to nothing")),
                }
            }
        }
        let pragma = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
        let count = |query: &str| self.connection.query_row(query, [], |row| row.get::<_, u64>(0));
        let page = pragma("page_size")?;
        Ok(Checked {
            faults,
            bytes: page * pragma("page_count")?,
            free_bytes: page * pragma("freelist_count")?,
            runs: count("select count(*) from runs")?,
            outcomes: count("select count(*) from outcomes")?,
            rows: count("select count(*) from rows")?,
            contents: count("select count(*) from contents")?,
            content_bytes: count("select coalesce(sum(length(bytes)), 0) from contents")?,
        })
    }
}
