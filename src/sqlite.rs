//! How databases of SQLite are opened and queried: one place for what its authors advise, whatever flags it was compiled
//! with.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Result};

/// How long one connection waits for another that writes.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes that SQLite keeps of a file in memory: its default, said here so that no flag changes it.
const CACHE_KIB: i64 = 2000;
/// Steps of SQLite's virtual machine between two looks at the clock, some hundred microseconds.
const STEPS: i32 = 10_000;
/// The longest text of a query.
const QUERY_LENGTH: i32 = 1_000_000;
/// The longest value that a query makes, in bytes.
const VALUE_LENGTH: i32 = 64 << 20;

/// Opens a file for reading and writing, and makes it if it is not there: as 0600 on Unix, and SQLite gives the files
/// beside it, `-wal` and `-shm`, the same permissions.
///
/// # Errors
/// The file cannot be made or opened. That it is no database is found when it is first read.
pub(crate) fn open_file(file: &Path) -> Result<Connection> {
    make_private(file);
    // No name is a URI or the memory: what begins with `file:` or is `:memory:` is a file of that name.
    let file = Path::new(".").join(file);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    configure(&connection)?;
    Ok(connection)
}

/// Opens a file for reading alone.
///
/// # Errors
/// The file is not there or cannot be read.
pub(crate) fn open_file_to_read(file: &Path) -> Result<Connection> {
    let file = Path::new(".").join(file);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    configure(&connection)?;
    Ok(connection)
}

/// Opens a file that no process writes, such as one in a place that can only be read: nothing is made beside it.
///
/// # Errors
/// As for [`open_file_to_read`].
#[cfg(feature = "state")]
pub(crate) fn open_file_that_stays(file: &Path) -> Result<Connection> {
    let file = Path::new(".").join(file);
    let mut uri = String::from("file:");
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(char::from(*byte)),
            b'\\' if cfg!(windows) => uri.push('/'),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    configure(&connection)?;
    Ok(connection)
}

/// Opens a database in memory.
pub(crate) fn open_in_memory() -> Result<Connection> {
    let connection = Connection::open_in_memory()?;
    configure(&connection)?;
    Ok(connection)
}

/// Sets what holds for every connection here.
fn configure(connection: &Connection) -> Result<()> {
    // A schema that was tampered with runs no functions that act, and a name in double quotes is a column and no text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // What is sorted stays in memory: a folder for temporary files may be missing, and others may read it.
    connection.pragma_update(None, "temp_store", "memory")
}

/// Lets the connection read and nothing else from now on: SQL that comes from a plan can change nothing, reach no other
/// file, and runs for this long at most, or until `is_over`. A query that takes longer ends with `SQLITE_INTERRUPT`.
///
/// The time begins with this call, so it is called before each query.
pub(crate) fn let_it_only_read(
    connection: &Connection,
    at_most: Duration,
    is_over: impl Fn() -> bool + Send + 'static,
) -> Result<()> {
    // A query before this one may have left its own, which allows no pragma.
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, QUERY_LENGTH)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_LENGTH)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.authorizer(Some(only_reads))?;
    let started = Instant::now();
    connection.progress_handler(STEPS, Some(move || started.elapsed() > at_most || is_over()))
}

fn only_reads(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Read { .. } | AuthAction::Select | AuthAction::Recursive => Authorization::Allow,
        // The one built-in function that reaches files, where it is compiled in.
        AuthAction::Function { function_name: "load_extension" } => Authorization::Deny,
        AuthAction::Function { .. } => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// Makes an empty file that nobody else may read. SQLite takes an empty file for a new database. Best effort: why the file
/// cannot be made, SQLite says when it opens it.
fn make_private(file: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(file);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_only_reads_runs_and_all_else_is_refused() {
        let connection = open_in_memory().expect("memory");
        connection.execute_batch("create table t (a integer) strict; insert into t values (1), (2)").expect("a table");
        let_it_only_read(&connection, Duration::from_secs(60), || false).expect("guarded");
        let_it_only_read(&connection, Duration::from_secs(60), || false).expect("guarded again");
        let sum: i64 = connection.query_row("select sum(a) from t", [], |row| row.get(0)).expect("a sum");
        assert_eq!(sum, 3);
        for refused in [
            "insert into t values (3)",
            "drop table t",
            "create temp table u (a)",
            "attach 'other.db' as other",
            "pragma query_only = 0",
            "pragma table_info(t)",
            "vacuum into 'copy.db'",
            "select load_extension('x')",
            "select \"text\"",
        ] {
            assert!(connection.execute_batch(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_query_without_end_is_ended() {
        let connection = open_in_memory().expect("memory");
        let_it_only_read(&connection, Duration::from_millis(1), || false).expect("guarded");
        let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
        let error = connection.query_row(endless, [], |row| row.get::<_, i64>(0)).expect_err("endless");
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::OperationInterrupted));
    }

    #[test]
    fn names_that_sqlite_reads_otherwise_are_files() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [":memory:", "file:other?mode=memory"] {
            if cfg!(windows) {
                continue;
            }
            let file = folder.path().join(name);
            let connection = open_file(&file).expect(name);
            connection.execute_batch("create table t (a integer) strict").expect(name);
            assert!(file.metadata().is_ok_and(|it| it.len() > 0), "{name}");
        }
    }
}
