//! Runs that are let go, and the room that they leave.

use std::time::SystemTime;

use rusqlite::{Result, params};

use super::file::State;
use super::run_lock;
use crate::kept_runs::KeptRuns;
use crate::rfc3339::rfc3339;

/// What is free in a file is given back from this size on, if it is a quarter of the file as well: what comes next needs
/// room, too.
const MIN_FREED: u64 = 1 << 20;

impl State {
    /// Lets runs go: those of this plan that are not to be kept, and then, while more bytes are in use than `size`, the
    /// oldest of all. The last run of the plan and runs that go on are kept in any case. Kept responses go with the run that
    /// used them last, and, if more bytes are in use even then, those that were not used for the longest time. Returns how
    /// many runs went.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): the file cannot be written. What was let go by then is.
    pub fn prune(&mut self, plan: &str, keep: Option<KeptRuns>, size: Option<u64>) -> crate::Result<u64> {
        self.let_go(plan, keep, size).map_err(|error| self.unwritten(error))
    }

    fn let_go(&mut self, plan: &str, keep: Option<KeptRuns>, size: Option<u64>) -> Result<u64> {
        let mut gone = 0;
        for id in self.not_kept(plan, keep)? {
            gone += u64::from(self.delete(id)?);
        }
        if let Some(size) = size {
            // All but the last run of the plan, the oldest first.
            let oldest = "select id from runs where id <> (select max(id) from runs where plan = ?) order by id";
            for id in self.ids(oldest, params![plan])? {
                if self.fits(size)? {
                    break;
                }
                gone += u64::from(self.delete(id)?);
            }
            let oldest =
                "delete from responses where id in (select id from responses order by run, received_ms, id limit 64)";
            while !self.fits(size)? && self.connection.execute(oldest, [])? > 0 {}
        }
        self.give_back()?;
        Ok(gone)
    }

    fn not_kept(&self, plan: &str, keep: Option<KeptRuns>) -> Result<Vec<i64>> {
        match keep {
            None => Ok(Vec::new()),
            Some(KeptRuns::Last(runs)) => {
                let query = "select id from runs where plan = ? order by id desc limit -1 offset ?";
                self.ids(query, params![plan, runs.max(1)])
            }
            Some(KeptRuns::For(time)) => {
                // A clock that went back makes runs look young, and these are kept.
                let Some(first) = SystemTime::now().checked_sub(time) else { return Ok(Vec::new()) };
                let query = "select id from runs where plan = ?1 and started < ?2 \
                    and id <> (select max(id) from runs where plan = ?1)";
                self.ids(query, params![plan, rfc3339(first)])
            }
        }
    }

    fn ids(&self, query: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<i64>> {
        self.connection.prepare(query)?.query_map(values, |row| row.get(0))?.collect()
    }

    /// A run with all that belongs to it, as one transaction; unless it goes on.
    fn delete(&self, id: i64) -> Result<bool> {
        if run_lock::is_held(&self.file, id) {
            return Ok(false);
        }
        self.connection.execute("delete from runs where id = ?", [id]).map(|deleted| deleted > 0)
    }

    /// Whether so many bytes are in use at most.
    fn fits(&self, size: u64) -> Result<bool> {
        Ok(self.pages("page_count")? - self.pages("freelist_count")? <= size / self.pages("page_size")?.max(1))
    }

    /// Gives the file system what is free, if it is much.
    fn give_back(&self) -> Result<()> {
        let (all, free) = (self.pages("page_count")?, self.pages("freelist_count")?);
        if free * self.pages("page_size")? >= MIN_FREED && free * 4 >= all {
            let mut statement = self.connection.prepare("pragma incremental_vacuum")?;
            let mut steps = statement.query([])?;
            while steps.next()?.is_some() {}
        }
        Ok(())
    }

    fn pages(&self, pragma: &str) -> Result<u64> {
        self.connection.pragma_query_value(None, pragma, |row| row.get(0))
    }
}
