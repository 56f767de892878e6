//! The tables of a state file, and how a file comes to have them.

use rusqlite::{Connection, Result, TransactionBehavior};

/// What tells our files from those of other programs: `PRAGMA application_id`, "rndp" in ASCII.
pub(super) const APPLICATION_ID: i32 = 0x726e_6470;

/// A step from one layout to the next. `PRAGMA user_version` is the number of steps that a file has taken. A step that was
/// released never changes: what is new is another one.
const STEPS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

/// The tables of a new file. The steps would make the same, in thirty milliseconds.
const NEW: &str = include_str!("schema.sql");

/// The layout that this version writes.
pub(super) const LAYOUT: i64 = STEPS.len() as i64;

/// Gives the file the tables of this version. It is of this layout or an older one.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    if layout(connection)? == LAYOUT {
        return Ok(());
    }
    // Immediate, so that of two processes with a new file one makes the tables and the other finds them.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let taken = usize::try_from(layout(&transaction)?).unwrap_or(0);
    if taken == 0 {
        transaction.execute_batch(NEW)?;
    } else {
        take_steps(&transaction, taken)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", LAYOUT)?;
    transaction.commit()
}

/// Takes the steps behind those that were taken.
fn take_steps(connection: &Connection, taken: usize) -> Result<()> {
    STEPS.get(taken..).unwrap_or_default().iter().try_for_each(|step| connection.execute_batch(step))
}

pub(super) fn layout(connection: &Connection) -> Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file holds, in words that do not depend on how it came to it.
    fn described(connection: &Connection) -> Vec<String> {
        let all = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).expect("SQL");
            let columns = statement.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                let values =
                    (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at).map(|one| format!("{one:?}")));
                Ok(values.collect::<Result<Vec<_>>>()?.join(" "))
            };
            statement.query_map([], row).expect("rows").collect::<Result<_>>().expect("text")
        };
        let mut described = all("select type, name, tbl_name from sqlite_master where sql is not null order by 1, 2");
        described.extend(all(
            "select one.name, strict, wr, col.* from pragma_table_list as one, pragma_table_xinfo(one.name) as col \
             where one.name not like 'sqlite%' order by 1, 4",
        ));
        described.extend(all(
            "select one.name, ind.*, col.name from pragma_table_list as one, pragma_index_list(one.name) as ind, \
             pragma_index_info(ind.name) as col where one.name not like 'sqlite%' order by 1, 3, col.seqno",
        ));
        described.extend(all(
            "select one.name, ref.* from pragma_table_list as one, pragma_foreign_key_list(one.name) as ref order by 1",
        ));
        described.extend(all("select name, sql from sqlite_master where type in ('view', 'trigger') order by 1"));
        described
    }

    #[test]
    fn a_new_file_has_what_the_steps_make_of_an_old_one() {
        let (new, old) = (Connection::open_in_memory().expect("memory"), Connection::open_in_memory().expect("memory"));
        new.execute_batch(NEW).expect("the tables of a new file");
        take_steps(&old, 0).expect("all steps");
        let (new, old) = (described(&new), described(&old));
        assert!(new.len() > 80, "{}", new.len());
        assert_eq!(new, old);
    }
}
