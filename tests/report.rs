//! Reports as their readers see them: read back strictly, held against the schema, compared with golden files.
//!
//! `ROUNDUP_GOLDEN=write cargo test report` writes the golden files anew; look at the difference before committing.

mod csv;
mod formats;
mod hostile;
mod outputs;
mod samples;
pub(crate) mod schema;
mod strict;
mod widths;

use std::path::Path;

use roundup::report::{Format, Report, RunInfo, Style, Width};
use samples::{assorted, oddities, run};

#[test]
fn golden() {
    let outcomes = assorted();
    let pipe = Style::default();
    let terminal = Style { color: true, width: Width::Columns(100), ..Style::default() };
    compare("report.json", &written("json", &pipe, &outcomes));
    compare("report.jsonl", &written("jsonl", &pipe, &outcomes));
    let csv = written("csv", &pipe, &outcomes);
    assert_eq!(csv.matches('\n').count(), csv.matches("\r\n").count(), "RFC 4180, section 2: rows end with CRLF");
    compare("report.csv", &csv.replace("\r\n", "\n"));
    compare("table.txt", &written("table", &pipe, &outcomes));
    compare("table-terminal.txt", &written("table", &terminal, &outcomes));
}

/// Outcomes that hold everything that could break a format: what each makes of them is read by people, and by other
/// programs in `interop`.
#[test]
fn golden_oddities() {
    let (run, outcomes) = oddities();
    let style = Style::default();
    for (format, file) in [("html", "oddities.html"), ("md", "oddities.md"), ("table", "oddities.txt")] {
        compare(file, &written_of(&run, format, &style, &outcomes));
    }
    let prices = RunInfo { tables: run.tables[..1].to_vec(), ..run.clone() };
    // A row of a megabyte is in no golden file.
    let csv = written_of(&prices, "csv", &style, &outcomes).replace(&"x".repeat(1 << 20), "(1 MiB)");
    compare("oddities.csv", &csv.replace("\r\n", "\n"));
    let json = written_of(&run, "json", &style, &outcomes).replace(&"x".repeat(1 << 20), "(1 MiB)");
    compare("oddities.json", &json);
    schema::Schema::load().check(&serde_json::from_str(&json).expect("JSON")).expect("valid");
}

/// The HTML page of all oddities, for readers that others wrote.
#[cfg(target_os = "linux")]
pub(crate) fn odd_page() -> String {
    let (run, outcomes) = oddities();
    written_of(&run, "html", &Style::default(), &outcomes)
}

/// A report in the format of this name.
fn report(format: &str, style: &Style) -> Box<dyn Report> {
    let format: Format = format.parse().expect("a format");
    (format.report)(style)
}

fn written(format: &str, style: &Style, outcomes: &[roundup::Outcome]) -> String {
    written_of(&run(), format, style, outcomes)
}

fn written_of(run: &RunInfo, format: &str, style: &Style, outcomes: &[roundup::Outcome]) -> String {
    let mut out = Vec::new();
    report(format, style).write(&mut out, run, outcomes).expect("a Vec takes everything");
    String::from_utf8(out).expect("reports are UTF-8")
}

/// Compares with a golden file, in which the version of the crate stands as 0.0.0.
fn compare(name: &str, actual: &str) {
    let version = |version: &str| format!("\"roundup\":\"{version}\"");
    let actual = actual.replace(&version(env!("CARGO_PKG_VERSION")), &version("0.0.0"));
    let actual = actual.replace(concat!("Made by roundup ", env!("CARGO_PKG_VERSION")), "Made by roundup 0.0.0");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var("ROUNDUP_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&file, &actual).expect("the golden folder can be written");
    }
    // Git may have turned line ends around on its way to Windows; reports hold no carriage return.
    let expected = std::fs::read_to_string(&file).expect("a golden file for each format").replace('\r', "");
    assert!(actual == expected, "{name} differs; what is written now:\n{actual}");
}
