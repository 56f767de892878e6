//! Formats that other programs read.

use roundup::report::{Report, RunInfo, Style};
use roundup::rows::{Cell, DataTable};
use roundup::{Outcome, ResponseField};
use serde_json::Value;

use super::hostile::NASTY;
use super::samples::{SECRET, assorted, ok, run};
use super::{compare, written};

/// One source of each sort, with fields, and all texts that could break a format.
fn outcomes() -> Vec<Outcome> {
    let mut outcomes = assorted();
    let fields = [("Content-Type", "text/plain"), ("Set-Cookie", "id=0123456789"), ("X-Echo", SECRET)];
    let fields = fields.map(|(name, value)| ResponseField { name: name.into(), value: value.as_bytes().into() });
    outcomes[1].fields = Some(fields.into());
    outcomes
}

#[test]
fn golden_of_formats_for_programs() {
    for (format, file) in [("junit", "report.xml"), ("har", "report.har"), ("prom", "report.prom")] {
        let text = written(format, &Style::default(), &outcomes());
        let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
        compare(file, &text.replace(&version, "\"version\":\"0.0.0\""));
        assert!(!text.contains(SECRET) && !text.contains("0123456789"), "{format}");
    }
}

#[test]
fn hostile_names_break_no_format() {
    let outcomes: Vec<Outcome> = NASTY
        .iter()
        .enumerate()
        .map(|(index, nasty)| {
            let mut outcome = ok(index, nasty, "text/plain", nasty.as_bytes());
            outcome.url = format!("http://h/?{nasty}").into();
            outcome
        })
        .collect();
    let junit = written("junit", &Style::default(), &outcomes);
    assert_eq!(junit.matches("<testcase ").count(), NASTY.len());
    assert_eq!(junit.lines().count(), NASTY.len() + 5, "no text breaks a line:\n{junit}");
    assert!(!junit.contains("<script>") && !junit.contains('\0'));
    let har: Value = serde_json::from_str(&written("har", &Style::default(), &outcomes)).expect("JSON");
    assert_eq!(har["log"]["entries"][0]["response"]["content"]["text"], NASTY[0]);
    let metrics = written("prom", &Style::default(), &outcomes);
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (labels, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok() && (labels.ends_with('}') || !labels.contains('{')), "{line}");
    }
    // Two names that look alike are told apart.
    let labels: Vec<&str> = metrics.lines().filter(|line| line.starts_with("probe_success{")).collect();
    let mut distinct = labels.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((labels.len(), distinct.len()), (NASTY.len(), NASTY.len()));
}

fn with_tables() -> RunInfo {
    let rows = [r#"["a</b>", 1.10, null]"#, r#"["=1+1", 1000000000000000000001, {"x": [true]}]"#];
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| serde_json::from_str(row).expect("cells")).collect();
    let columns = ["name", "price", "more"].map(Box::from).into();
    let table = DataTable {
        name: "prices".into(),
        title: Some("Prices: [all] of them, and a title too long for a sheet".into()),
        columns,
        rows,
        notes: vec!["1 of 2 sources; missing: b, 401".into()],
        ..DataTable::default()
    };
    RunInfo { tables: vec![table.clone(), table], title: Some("The & title".into()), ..run() }
}

#[cfg(feature = "template")]
mod template {
    use roundup::report::TemplateReport;

    use super::*;

    fn rendered(name: &str, source: &str) -> Result<String, String> {
        let mut out = Vec::new();
        let mut template = TemplateReport::new(name, source).map_err(|error| error.to_string())?;
        template.write(&mut out, &with_tables(), &outcomes()).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn templates_show_tables_and_sources() {
        let source = "# {{ title }}\n{% for row in tables.prices.rows %}\n{{ row.name }} {{ row.price }}\n{% endfor %}\n\
                      {% for source in sources if not source.ok %}\n- {{ source.name }}: {{ source.error }}\n{% endfor %}\n\
                      {{ summary.ok }} of {{ summary.total }}, {{ tables.prices.notes[0] }}";
        let text = rendered("report.md.j2", source).expect("a good template");
        assert!(text.starts_with("# The & title\na</b> 1.1\n=1+1 1000000000000000000001\n- firehose: "), "{text}");
        assert!(text.ends_with("4 of 10, 1 of 2 sources; missing: b, 401") && !text.contains(SECRET), "{text}");
    }

    #[test]
    fn the_ending_of_its_name_says_how_values_are_escaped() {
        assert_eq!(rendered("x.html.j2", "{{ tables.prices.rows[0].name }}").as_deref(), Ok("a&lt;&#x2f;b&gt;"));
        assert_eq!(rendered("x.txt.j2", "{{ tables.prices.rows[0].name }}").as_deref(), Ok("a</b>"));
        assert_eq!(rendered("x.json", "{{ tables.prices.rows[0].name }}").as_deref(), Ok(r#""a</b>""#));
    }

    #[test]
    fn mistakes_of_a_template_are_one_line_with_its_place() {
        let error = rendered("r.md.j2", "a\n{% for %}").expect_err("bad");
        assert!(error.starts_with("r.md:2: syntax error: "), "{error}");
        let error = rendered("r.md", "\n\n{{ title | nofilter }}").expect_err("bad");
        assert!(error.starts_with("r.md:3: ") && error.contains("nofilter"), "{error}");
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        let error = rendered("r.md", endless).expect_err("endless");
        assert!(error.contains("the template takes more than 800"), "{error}");
        // A text that is doubled again and again took 3.3 GB before the steps were over.
        let doubled = "{% set ns = namespace(x='0123456789abcdef') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}";
        let error = rendered("r.md", doubled).expect_err("no memory holds it");
        assert!(error.contains("the template takes more than 800"), "{error}");
        let other = rendered("r.md", "{% include '/etc/passwd' %}").expect_err("no other file");
        assert!(!other.contains("root:"), "{other}");
    }
}

#[cfg(feature = "xlsx")]
#[test]
fn a_workbook_is_a_zip_with_a_sheet_for_each_table() {
    let mut out = Vec::new();
    super::report("xlsx", &Style::default()).write(&mut out, &with_tables(), &outcomes()).expect("a workbook");
    let has = |name: &str| out.windows(name.len()).any(|window| window == name.as_bytes());
    assert!(out.starts_with(b"PK\x03\x04") && has("xl/worksheets/sheet3.xml") && !has("xl/worksheets/sheet4.xml"));
}

/// A title that was cut before an apostrophe made a name that no workbook takes, and so no report.
#[cfg(feature = "xlsx")]
#[test]
fn any_title_makes_a_name_of_a_sheet() {
    for title in ["it is one of more than thirty.' words", "'", "''''", "a\u{301}'", "[]:*?/\\", "' '"] {
        let mut run = with_tables();
        run.tables.iter_mut().for_each(|table| table.title = Some(title.into()));
        let mut out = Vec::new();
        super::report("xlsx", &Style::default()).write(&mut out, &run, &outcomes()).expect(title);
        assert!(out.starts_with(b"PK\x03\x04"));
    }
}

#[cfg(feature = "sql")]
mod sqlite {
    use rusqlite::Connection;
    use rusqlite::types::Value;

    use super::*;

    /// What a query finds in a report, its values parted by bars.
    fn found(report: &[u8], query: &str) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), report).expect("written");
        let connection = Connection::open(file.path()).expect("a database");
        let mut statement = connection.prepare(query).expect(query);
        let width = statement.column_count();
        let text = |value: Value| match value {
            Value::Null => "null".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => format!("{number:?}"),
            Value::Text(text) => text,
            Value::Blob(_) => "blob".to_owned(),
        };
        let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get(at).map(text)).collect::<Result<Vec<_>, _>>();
        let rows = statement.query_map([], row).expect(query);
        rows.map(|row| row.expect(query).join("|")).collect()
    }

    fn written(run: &RunInfo, outcomes: &[roundup::Outcome]) -> Vec<u8> {
        let mut out = Vec::new();
        crate::report::report("sqlite", &Style::default()).write(&mut out, run, outcomes).expect("a database");
        out
    }

    #[test]
    fn a_database_has_the_tables_the_sources_and_their_attempts() {
        let report = written(&with_tables(), &outcomes());
        assert_eq!(
            found(&report, "select * from prices"),
            ["a</b>|1.10|null", "=1+1|1000000000000000000001|{\"x\": [true]}"]
        );
        // Two tables of one name are two tables.
        assert_eq!(found(&report, "select count(*) from prices_2"), ["2"]);
        let sources = outcomes().len().to_string();
        assert_eq!(found(&report, "select count(*), sum(ok) from sources"), [format!("{sources}|4")]);
        let attempts: usize = outcomes().iter().map(|outcome| outcome.attempts.len()).sum();
        assert_eq!(
            found(&report, "select count(*) from attempts join sources on name = source"),
            [attempts.to_string()]
        );
        assert_eq!(
            found(&report, "select title, started, interrupted from roundup_run"),
            ["The & title|2026-01-31T12:00:00.000Z|0"]
        );
        let notes = found(&report, "select * from roundup_notes");
        assert_eq!(notes, ["prices|1 of 2 sources; missing: b, 401", "prices_2|1 of 2 sources; missing: b, 401"]);
        assert_eq!(found(&report, "pragma integrity_check"), ["ok"]);
    }

    #[test]
    fn no_name_of_a_table_or_a_column_breaks_it() {
        let names = ["sqlite_x", "select", "a\"b", "SOURCES", "Select", "\0", ""];
        let table = |name: &&str| DataTable {
            name: (*name).into(),
            columns: ["select", "SELECT", "a\"", ""].map(Box::from).into(),
            rows: vec![vec![Cell::from("x"), Cell::from(1u64)]],
            ..DataTable::default()
        };
        let empty =
            DataTable { name: "none".into(), notes: vec!["it could not be made".into()], ..DataTable::default() };
        let tables = names.iter().map(table).chain([empty]).collect();
        let report = written(&RunInfo { tables, ..run() }, &outcomes());
        let there = found(&report, "select name from sqlite_schema where type = 'table' order by rowid");
        let expected = ["table_sqlite_x", "select", "a\"b", "SOURCES", "Select_2", "\u{fffd}", "", "attempts"];
        assert_eq!(there, [&expected[..], &["roundup_run", "roundup_notes"]].concat());
        assert_eq!(found(&report, "select * from \"a\"\"b\""), ["x|1|null|null"]);
        assert_eq!(found(&report, "select table_name from roundup_notes"), ["none"]);
    }

    #[test]
    fn secrets_are_in_no_table() {
        let cells = vec![Cell::from(SECRET), Cell::Json(format!("[\"{SECRET}\"]").into()), Cell::Null];
        let columns = [SECRET, "b", "c"].map(Box::from).into();
        let table = DataTable { name: SECRET.into(), columns, rows: vec![cells], ..DataTable::default() };
        let mut outcomes = outcomes();
        outcomes[0].url = format!("https://h/?k={}", SECRET.replace('/', "%2f")).into();
        let secret = |run: RunInfo| written(&run, &outcomes).windows(10).any(|bytes| bytes == &SECRET.as_bytes()[..10]);
        let with = RunInfo { tables: vec![table], ..run() };
        assert!(!secret(with.clone()));
        assert!(secret(RunInfo { redactor: roundup::Redactor::default(), ..with }));
    }
}
