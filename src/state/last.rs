//! Rows of earlier runs, for comparison.

use super::run::OpenRun;
use crate::Result;
use crate::rows::Rows;

/// Of each source of the same plan that succeeded in an earlier run, its outcome in the latest of these.
///
/// It goes from name to name by the index of names and runs, and from the latest run of each backwards until it succeeded,
/// so that it takes as long as there are names, however many runs are kept.
const LAST: &str = "with recursive \
    names(name) as (\
        select min(name) from outcome_records \
        union all \
        select (select min(name) from outcome_records where name > names.name) from names where name is not null\
    ), \
    latest(id) as (\
        select (\
            select id from outcome_records as one \
            where one.name = names.name and ok and run < ?1 \
            and run in (select id from runs where plan = (select plan from runs where id = ?1)) \
            order by run desc limit 1\
        ) from names where name is not null\
    ) \
    select o.id from latest join outcome_records as o on o.id = latest.id order by o.place, o.id";

impl OpenRun {
    /// The rows that the sources of this plan gave before: each source those of the latest earlier run in which it
    /// succeeded, in input order. A plan is known by its file name. Blocks.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): the file cannot be read.
    pub fn last_rows(&self) -> Result<Vec<Rows>> {
        self.read_last_rows().map_err(|error| self.state.unread(error))
    }

    fn read_last_rows(&self) -> rusqlite::Result<Vec<Rows>> {
        let mut query = self.state.connection.prepare(LAST)?;
        let outcomes = query.query_map([self.id], |row| row.get(0))?;
        let mut all = Vec::new();
        for outcome in outcomes {
            all.extend(self.state.rows_of(outcome?)?);
        }
        Ok(all)
    }
}
