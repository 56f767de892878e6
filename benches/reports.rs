//! Reports of 100,000 results of one row: how long each takes, how large it is, and the memory that it takes beyond the
//! results themselves; and a query over the rows, beside the command `sqlite3` on a database of the same rows.
//!
//! Memory is read from Linux, and is not printed elsewhere.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use roundup::report::{Format, Report, RunInfo, SqliteFile, Style};
use roundup::rows::{Cell, DataTable, Rows};
use roundup::tables::{Database, ReportSpec, RunNames, TableSource, TableSpec};
use roundup::{Attempt, Outcome, Redactor, Timings};

/// How many results there are.
const RESULTS: u64 = 100_000;
/// How often a query is run; the fastest counts.
const TURNS: usize = 9;
const QUERY: &str = "select vendor, count(*), min(price), avg(price), sum(stock) from prices group by vendor";

fn main() {
    // `cargo test --benches` builds it and runs it with another word.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let outcomes: Vec<Outcome> = (0..RESULTS).map(outcome).collect();
    let tables = DataTable::gather(outcomes.iter().flat_map(|outcome| &outcome.rows));
    let started = UNIX_EPOCH + Duration::from_secs(1_769_860_800);
    let mut run = RunInfo { started, elapsed: Duration::from_secs(60), tables, ..RunInfo::default() };
    let folder = tempfile::tempdir().expect("a folder");
    // Each report in a process of its own, so that none takes memory that another has given back.
    if let Some(name) = std::env::args().find_map(|word| word.strip_prefix("--report=").map(str::to_owned)) {
        if name.ends_with("-alone") {
            run.tables.clear();
        }
        let format: Format = name.trim_end_matches("-alone").parse().expect("a format");
        return written(&name, &format, &folder.path().join("report"), &run, &outcomes);
    }
    println!("{RESULTS} results of one row; -alone without the table of these rows\n");
    println!("{:<10} {:>9} {:>12} {:>13}", "report", "time", "size", "memory");
    let program = std::env::current_exe().expect("a program");
    for name in REPORTS {
        let one = Command::new(&program).arg("--bench").arg(format!("--report={name}")).status();
        assert!(one.is_ok_and(|status| status.success()), "{name}");
    }
    queries(&run, &outcomes, folder.path());
}

const REPORTS: [&str; 12] =
    ["jsonl", "csv", "csv-alone", "prom", "json", "md", "har", "junit", "table", "html", "html-alone", "sqlite"];

fn outcome(number: u64) -> Outcome {
    let vendors = ["acme", "bolt", "cargo", "dynamo", "elk", "forge", "gearbox", "helix", "ingot", "junction"];
    let vendor = vendors[(number % 10) as usize];
    let price = Cell::Number(format!("{}.{:02}", number % 977, number % 100).into());
    let name = format!("offers[{number}]");
    let row =
        vec![Cell::from(&*format!("A{number}")), price, vendor.into(), Cell::from(number % 300), Cell::from(&*name)];
    let columns = ["sku", "price", "vendor", "stock", "source"].map(Box::from).into();
    let time = Duration::from_micros(20_000 + number % 90_000);
    let attempt = Attempt {
        started: Duration::from_micros(number * 500),
        total: time,
        status: Some(200),
        address: Some("192.0.2.1:443".into()),
        reused: true,
        url: None,
        cache: None,
        waited: None,
        phases: None,
        error: None,
    };
    Outcome {
        index: number as usize,
        name: name.into(),
        url: format!("https://api{}.example.com/v1/offers/{number}", number % 50).into(),
        status: Some(200),
        attempts: vec![attempt],
        timings: Timings { total: time, first_byte: Some(time), ..Timings::default() },
        content_type: Some("application/json".into()),
        body_bytes: Some(120),
        table: Some("prices".into()),
        rows: vec![Rows { table: "prices".into(), columns: Arc::new(columns), rows: vec![row] }],
        ..Outcome::default()
    }
}

/// Writes a report to this file and prints what it took.
fn written(name: &str, format: &Format, file: &Path, run: &RunInfo, outcomes: &[Outcome]) {
    let mut out = BufWriter::new(File::create(file).expect("a file"));
    let memory = MemoryMark::set();
    let begun = Instant::now();
    (format.report)(&Style::default()).write(&mut out, run, outcomes).expect("written");
    out.flush().expect("written");
    let took = begun.elapsed();
    let size = fs::metadata(file).expect("a file").len();
    let memory = memory.beyond_kib().map_or(String::new(), |kib| format!("{:.1} MiB", kib as f64 / 1024.0));
    println!("{name:<10} {:>6} ms {:>8.2} MB {memory:>13}", took.as_millis(), size as f64 / 1e6);
}

/// A query over the rows, here and by the command of SQLite.
fn queries(run: &RunInfo, outcomes: &[Outcome], folder: &Path) {
    let begun = Instant::now();
    let mut database = Database::new(0, &Redactor::default()).expect("in memory");
    run.tables.iter().for_each(|table| database.add(table).expect("it fits"));
    println!("\nrows into a database in memory: {} ms", begun.elapsed().as_millis());
    let ours = fastest(|| drop(black_box(database.query(QUERY).expect("a query"))));
    let spec = ReportSpec { tables: vec![table_of(QUERY)], ..ReportSpec::default() };
    let whole = fastest(|| {
        let names = RunNames::new(run.started);
        drop(black_box(spec.tables(outcomes, &[], &names, &Redactor::default(), &roundup::tables::IsOver::default())));
    });
    println!("group by over {RESULTS} rows: {ours:.1?}; with all that a report does for it, {whole:.1?}");
    let file = folder.join("rows.db");
    let mut out = File::create(&file).expect("a file");
    SqliteFile.write(&mut out, run, &outcomes[..0]).expect("written");
    let command = || {
        let mut sqlite3 = Command::new("sqlite3");
        sqlite3.arg(&file).arg(QUERY).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !command() {
        println!("sqlite3 is not installed, so there is nothing beside it");
        return;
    }
    let theirs = fastest(|| assert!(command(), "sqlite3 ran before"));
    let start = fastest(|| {
        Command::new("sqlite3")
            .arg(":memory:")
            .arg("select 1")
            .stdout(Stdio::null())
            .status()
            .expect("sqlite3 ran before");
    });
    let alone = theirs.saturating_sub(start);
    let times = ours.as_secs_f64() / alone.as_secs_f64();
    println!(
        "sqlite3 on a file of the same rows: {theirs:.1?}, of which {start:.1?} to start; ours is {times:.2} of the rest"
    );
}

fn table_of(sql: &str) -> TableSpec {
    TableSpec {
        line: 1,
        name: "vendors".into(),
        title: None,
        source: TableSource::Sql(sql.into()),
        columns: Vec::new(),
        sort: Vec::new(),
        limit: None,
        charts: Vec::new(),
    }
}

fn fastest(mut work: impl FnMut()) -> Duration {
    let turn = |_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    };
    (0..TURNS).map(turn).min().unwrap_or_default()
}

/// How much memory the process had at a moment, by Linux.
struct MemoryMark(Option<u64>);

impl MemoryMark {
    /// Begins to measure the most memory anew.
    fn set() -> MemoryMark {
        // proc(5): 5 makes the most memory of the process what it has now.
        let reset = fs::write("/proc/self/clear_refs", "5");
        MemoryMark(reset.ok().and_then(|()| status_kib("VmRSS:")))
    }

    /// The most memory since, beyond what there was.
    fn beyond_kib(&self) -> Option<u64> {
        Some(status_kib("VmHWM:")?.saturating_sub(self.0?))
    }
}

fn status_kib(key: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
