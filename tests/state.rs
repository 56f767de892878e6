//! Runs that are kept in a file: what is in it and when, and what later runs make of it.

mod adaptive;
mod cache;
mod cache_files;
mod files;
mod killed;
mod last;
mod resume;
mod tables;

use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags};

use crate::common::{Dir, TestCommand};

/// A call with the words of this line, parted by spaces, in this folder.
fn line(dir: &Dir, line: &str) -> TestCommand {
    TestCommand::new().args(line.split_whitespace()).inside(dir)
}

/// The file as another program sees it.
fn open(dir: &Dir) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    Connection::open_with_flags(dir.join("runs.db"), flags).expect("a database")
}

/// The first column of what a query finds.
fn query<T: FromSql>(dir: &Dir, query: &str) -> Vec<T> {
    let connection = open(dir);
    let mut statement = connection.prepare(query).expect(query);
    let rows = statement.query_map([], |row| row.get(0)).expect(query);
    rows.collect::<Result<_, _>>().expect(query)
}

fn texts(dir: &Dir, text: &str) -> Vec<String> {
    query(dir, text)
}
