//! Tables of results in windows of all widths.

use std::sync::atomic::{AtomicUsize, Ordering};

use roundup::report::{Report, Style, Table, Width};
use roundup::rows::{Cell, Record};
use unicode_width::UnicodeWidthStr;

use super::samples::{ok, run};
use super::written;

/// A source with so many values, texts and numbers by turns.
fn with_values(count: usize) -> roundup::Outcome {
    let value = |at: usize| match at % 2 {
        0 => Cell::Text("a text of some length".into()),
        _ => Cell::Number("1234567.125".into()),
    };
    let data: Record = (0..count).map(|at| (format!("value{at}"), value(at))).collect();
    roundup::Outcome { data: Some(data), ..ok(0, "https://api.example.com/v1/items/17", "", b"") }
}

#[test]
fn values_go_before_measures_and_those_without_room_are_named() {
    let table = |width| written("table", &Style { width, ..Style::default() }, &[with_values(6)]);
    let whole = table(Width::Any);
    assert!(
        whole.lines().next().is_some_and(|titles| titles.contains("value5") && titles.ends_with("TRIES")),
        "{whole}"
    );
    for width in 40..160 {
        let table = table(Width::Columns(width));
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].width() <= width && lines[1].width() <= width, "{width}\n{table}");
        let shown = lines[0].matches("value").count();
        assert!(shown == 6 || !lines[0].contains("STATUS"), "{width}\n{table}");
        assert_eq!(shown < 6, table.contains("more value"), "{width}\n{table}");
        assert!(shown == 6 || lines[3].width() <= width, "{width}\n{table}");
        assert!(lines[1].contains("1234567.125") || shown < 2, "numbers are whole: {width}\n{table}");
    }
    assert!(table(Width::Columns(80)).contains("\n2 more values, --columns picks: value4, value5\n"));
}

/// The table had the width that the window had when the run began.
#[test]
fn the_width_is_asked_for_when_the_table_is_written() {
    static WINDOW: AtomicUsize = AtomicUsize::new(200);
    let ask = || Some(WINDOW.load(Ordering::Relaxed));
    let mut table = Table::new(Style { width: Width::Asked(ask), ..Style::default() });
    WINDOW.store(60, Ordering::Relaxed);
    let (run, outcomes) = (run(), [with_values(6)]);
    let mut out = Vec::new();
    table.finish(&mut out, &run, &run.summary(&outcomes), &outcomes).expect("memory");
    let text = String::from_utf8(out).expect("text");
    assert!(text.lines().all(|line| line.width() <= 60), "{text}");
}
