//! Selected values and rows in reports, with secrets hidden.

use std::io::{self, Write};

use super::escape::{self, JsonBuffer};
use super::redacted::MAX_NESTING;
use super::shown::write_json;
use crate::redact::Redactor;
use crate::rows::{Record, Rows};

/// Writes values by their names as an object.
pub(super) fn write_record(out: &mut JsonBuffer<'_>, redactor: &Redactor, record: &Record) -> io::Result<()> {
    out.write_all(b"{")?;
    for (index, (name, cell)) in record.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        escape::string(out, &redactor.redact_received(name))?;
        out.write_all(b":")?;
        write_json(out, redactor, cell, MAX_NESTING - 1)?;
    }
    out.write_all(b"}")
}

/// Writes the rows of one source: `[{"table":"prices","columns":["sku"],"rows":[["a"],["b"]]}]`.
pub(super) fn write_rows(out: &mut JsonBuffer<'_>, redactor: &Redactor, tables: &[Rows]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, table) in tables.iter().enumerate() {
        out.write_all(if index > 0 { b",{\"table\":" } else { b"{\"table\":" })?;
        escape::string(out, &redactor.redact(&table.table))?;
        out.write_all(b",\"columns\":")?;
        write_list(out, &table.columns, |out, name| escape::string(out, &redactor.redact_received(name)))?;
        out.write_all(b",\"rows\":")?;
        write_list(out, &table.rows, |out, row| {
            write_list(out, row, |out, cell| write_json(out, redactor, cell, MAX_NESTING - 4))
        })?;
        out.write_all(b"}")?;
    }
    out.write_all(b"]")
}

fn write_list<T>(
    out: &mut JsonBuffer<'_>,
    items: &[T],
    write: impl Fn(&mut JsonBuffer<'_>, &T) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write(out, item)?;
    }
    out.write_all(b"]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Cell;

    fn redactor() -> Redactor {
        Redactor::new(["s3/cr  t".to_owned(), "12345678".to_owned()])
    }

    fn written(write: impl Fn(&mut JsonBuffer<'_>, &Redactor) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        escape::buffered(&mut out, |out| write(out, &redactor())).expect("a Vec takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    fn record(json: &str) -> Record {
        Record::from_iter([("12345678", Cell::from_json(json).expect(json))])
    }

    #[test]
    fn data_is_hidden_and_kept_as_it_was_written() {
        for (json, expected) in [
            ("[12345678, -12345678.5, 1.50]", r#"[0,0,1.50]"#),
            (r#"{"b": "s3\/cr  t!", "a": null}"#, r#"{"b":"[redacted]!","a":null}"#),
            ("1000000000000000000001", "1000000000000000000001"),
            ("1e999", r#""1e999""#),
            ("12345678", "0"),
            ("\"12345678\"", r#""[redacted]""#),
        ] {
            let text = written(|out, redactor| write_record(out, redactor, &record(json)));
            assert_eq!(text, format!(r#"{{"[redacted]":{expected}}}"#));
        }
    }

    #[test]
    fn nothing_is_nested_deeper_than_readers_take() {
        let nested = |levels: u32| (0..levels).fold("1".to_owned(), |inner, _| format!("[{inner}]"));
        for (levels, whole) in [(MAX_NESTING - 1, true), (MAX_NESTING, false)] {
            let json = nested(levels);
            let text = written(|out, redactor| write_record(out, redactor, &record(&json)));
            let expected = if whole { json } else { format!("\"{json}\"") };
            assert_eq!(text, format!(r#"{{"[redacted]":{expected}}}"#));
        }
    }

    #[test]
    fn rows_stand_under_their_columns() {
        let rows = Rows {
            table: "prices".into(),
            columns: vec!["b".into(), "a".into()].into(),
            rows: vec![vec![Cell::from(1u64), "x".into()], vec![Cell::Null, Cell::Bool(true)]],
        };
        let text = written(|out, redactor| write_rows(out, redactor, std::slice::from_ref(&rows)));
        assert_eq!(text, r#"[{"table":"prices","columns":["b","a"],"rows":[[1,"x"],[null,true]]}]"#);
        assert_eq!(serde_json::from_str::<Vec<Rows>>(&text).expect("read back"), [rows]);
    }
}
