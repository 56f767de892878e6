//! The tables of a state file, and how a file comes to have them.

use rusqlite::{Connection, Result, TransactionBehavior};

/// What tells our files from those of other programs: `PRAGMA application_id`, "rndp" in ASCII.
pub(super) const APPLICATION_ID: i32 = 0x726e_6470;

/// A step from one layout to the next. `PRAGMA user_version` is the number of steps that a file has taken. A step that was
/// released never changes: what is new is another one.
const STEPS: &[&str] = &[include_str!("schema_1.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];

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
    for step in &STEPS[taken..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", LAYOUT)?;
    transaction.commit()
}

pub(super) fn layout(connection: &Connection) -> Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
