//! Responses that are kept in a state, for the fetcher to ask about.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::cache_changes::{Changes, lock};
use super::open::failure;
use super::run::OpenRun;
use crate::cache::{CacheChange, CacheKey, CacheStore, Candidate, Freshness, KeptContent};
use crate::outcome::ResponseField;
use crate::{sha256, sqlite};

/// The responses that a state keeps. Made by [`OpenRun::cache`]; what changes is written with the next outcomes of that run.
pub struct ResponseCache {
    file: PathBuf,
    /// The key of the hashes.
    secret: Vec<u8>,
    user_agent: Box<str>,
    /// A connection that only reads, opened when it is first needed: looking up does not wait for what is written.
    reader: Mutex<Option<Connection>>,
    changes: Changes,
}

impl OpenRun {
    /// The responses that this file keeps, for a fetcher of this run that sends this User-Agent. Blocks.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): the file cannot be read.
    pub fn cache(&self, user_agent: &str) -> crate::Result<Arc<ResponseCache>> {
        let query = "select bytes from response_key";
        let secret = self.state.connection.query_row(query, [], |row| row.get(0));
        Ok(Arc::new(ResponseCache {
            file: self.state.file.clone(),
            secret: secret.map_err(|error| self.state.unread(error))?,
            user_agent: user_agent.into(),
            reader: Mutex::default(),
            changes: self.changes.clone(),
        }))
    }
}

impl ResponseCache {
    /// Reads with the connection. One that has failed is opened anew the next time.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> crate::Result<T> {
        let mut reader = lock(&self.reader);
        let run = || {
            let connection = match reader.take() {
                Some(connection) => connection,
                None => sqlite::open_file_to_read(&self.file)?,
            };
            let result = read(&connection)?;
            *reader = Some(connection);
            Ok(result)
        };
        run().map_err(|error| failure(&self.file, "cannot be read", error))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

impl CacheStore for ResponseCache {
    fn key(&self, parts: &mut dyn Iterator<Item = &[u8]>) -> CacheKey {
        let mut bytes = Vec::with_capacity(256);
        for part in parts {
            // Each part follows its length, so that no two lists of parts are one text.
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        CacheKey(sha256::keyed(&self.secret, &bytes))
    }

    fn implied_field(&self, name: &str) -> Option<&[u8]> {
        name.eq_ignore_ascii_case("user-agent").then_some(self.user_agent.as_bytes())
    }

    fn find(&self, keys: &[CacheKey]) -> crate::Result<Vec<Vec<Candidate>>> {
        self.read(|connection| {
            let query = "select id, variant, received_ms, age_ms, lifetime_ms, no_cache, must_revalidate, body_bytes, etag, \
                last_modified, vary, status, fields from responses where key = ?";
            let mut query = connection.prepare_cached(query)?;
            keys.iter().map(|key| query.query_map([key.0], candidate)?.collect()).collect()
        })
    }

    fn load(&self, id: i64) -> crate::Result<Option<KeptContent>> {
        self.read(|connection| {
            let query = "select bodies.id, bytes from responses join bodies on bodies.id = body where responses.id = ?";
            let mut query = connection.prepare_cached(query)?;
            query.query_row([id], |row| Ok(KeptContent { id: row.get(0)?, bytes: row.get(1)? })).optional()
        })
    }

    fn change(&self, change: CacheChange) {
        lock(&self.changes).push(change);
    }
}

fn candidate(row: &Row<'_>) -> Result<Candidate> {
    let freshness = Freshness {
        received_ms: row.get(2)?,
        age_ms: row.get(3)?,
        lifetime_ms: row.get(4)?,
        no_cache: row.get(5)?,
        must_revalidate: row.get(6)?,
    };
    let bytes = |at| row.get::<_, Option<Vec<u8>>>(at).map(|bytes| bytes.map(Vec::into_boxed_slice));
    Ok(Candidate {
        id: row.get(0)?,
        variant: CacheKey(row.get(1)?),
        freshness,
        body_bytes: row.get(7)?,
        status: row.get(11)?,
        // What a later version may have written in another form is empty.
        fields: serde_json::from_str::<Vec<ResponseField>>(row.get_ref(12)?.as_str()?).unwrap_or_default().into(),
        etag: bytes(8)?,
        last_modified: bytes(9)?,
        vary: row.get::<_, Option<String>>(10)?.map(Into::into),
    })
}

impl fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseCache").field(&self.file).finish()
    }
}
