//! Reports as their readers see them: read back strictly, held against the schema, compared with golden files.
//!
//! `ROUNDUP_GOLDEN=write cargo test report` writes the golden files anew; look at the difference before committing.

mod csv;
mod hostile;
mod samples;
pub(crate) mod schema;
mod strict;
mod targets;

use std::path::Path;

use roundup::report::{Format, Style};
use samples::{assorted, run};

#[test]
fn golden() {
    let outcomes = assorted();
    let pipe = Style::default();
    let terminal = Style { color: true, width: Some(100) };
    compare("report.json", &written(Format::Json, &pipe, &outcomes));
    compare("report.jsonl", &written(Format::Jsonl, &pipe, &outcomes));
    let csv = written(Format::Csv, &pipe, &outcomes);
    assert_eq!(csv.matches('\n').count(), csv.matches("\r\n").count(), "RFC 4180, section 2: rows end with CRLF");
    compare("report.csv", &csv.replace("\r\n", "\n"));
    compare("table.txt", &written(Format::Table, &pipe, &outcomes));
    compare("table-terminal.txt", &written(Format::Table, &terminal, &outcomes));
}

fn written(format: Format, style: &Style, outcomes: &[roundup::Outcome]) -> String {
    let mut out = Vec::new();
    format.write(&mut out, &run(), style, outcomes).expect("a Vec takes everything");
    String::from_utf8(out).expect("reports are UTF-8")
}

/// Compares with a golden file, in which the version of the crate stands as 0.0.0.
fn compare(name: &str, actual: &str) {
    let version = |version: &str| format!("\"roundup\":\"{version}\"");
    let actual = actual.replace(&version(env!("CARGO_PKG_VERSION")), &version("0.0.0"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var("ROUNDUP_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&file, &actual).expect("the golden folder can be written");
    }
    // Git may have turned line ends around on its way to Windows; reports hold no carriage return.
    let expected = std::fs::read_to_string(&file).expect("a golden file for each format").replace('\r', "");
    assert!(actual == expected, "{name} differs; what is written now:\n{actual}");
}
