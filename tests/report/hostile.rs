//! Text and content from servers that mean harm or are broken.

use base64::prelude::{BASE64_STANDARD, Engine};
use roundup::report::{Format, RunInfo, Style, Width};
use roundup::{Failure, Kind, Outcome, Phase, Redactor};
use serde_json::Value;

use super::samples::{SECRET, failed, ok, run};
use super::{report, written, written_of};

pub(super) const NASTY: &[&str] = &[
    "</script><script>alert(1)</script>",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "two\nlines\r\nor\u{b}more\u{c}and\u{85}more\u{2028}and\u{2029}more",
    "\u{9b}31m C1",
    "nul\0nul",
    "\u{feff}bom",
    "\u{202e}desrever\u{2066}",
    "quote\" back\\slash /",
    "=1+1|pipe,comma;tab\t",
    "\u{fffe}\u{ffff}\u{10ffff}",
    "",
];

fn results(text: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    document["results"].as_array().expect("a list").clone()
}

fn body(content_type: &str, body: &[u8]) -> Value {
    results(&written("json", &Style::default(), &[ok(0, "n", content_type, body)])).remove(0)
}

#[test]
fn every_text_comes_back_as_it_was() {
    let outcomes: Vec<Outcome> = NASTY
        .iter()
        .enumerate()
        .map(|(index, nasty)| {
            let mut outcome = ok(index, nasty, nasty, nasty.as_bytes());
            outcome.url = (*nasty).into();
            outcome.final_url = Some((*nasty).into());
            outcome.attempts[0].address = Some((*nasty).into());
            outcome.body_file = None;
            outcome.data = Some([((*nasty).to_owned(), Value::from(*nasty))].into_iter().collect());
            outcome.error = Some(Failure {
                kind: Kind::Protocol,
                phase: Some(Phase::Head),
                message: (*nasty).into(),
                retry_at: None,
            });
            outcome
        })
        .collect();
    let document = written("json", &Style::default(), &outcomes);
    assert_eq!(document.lines().count(), NASTY.len() + 2);
    let lines = written("jsonl", &Style::default(), &outcomes);
    // Line breaks as Python and JavaScript see them.
    let breaks = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    assert_eq!(lines.matches(breaks).count(), NASTY.len() + 1);
    assert!(!lines.contains(|c: char| c.is_control() && c != '\n'));
    for (result, nasty) in results(&document).iter().zip(NASTY) {
        for pointer in ["/name", "/url", "/final_url", "/content_type", "/error/message", "/attempts/0/address"] {
            let place = result.pointer(pointer).unwrap_or(&Value::Null);
            // An empty Content-Type was not sent.
            assert!(place == nasty || nasty.is_empty() && place.is_null(), "{pointer}: {place}");
        }
        assert_eq!(result["data"][nasty], **nasty);
        // Controls that are for machines make a content bytes.
        if nasty.contains(['\0', '\x07', '\u{b}']) {
            let encoded = result["body_base64"].as_str().expect("bytes");
            assert_eq!(BASE64_STANDARD.decode(encoded).ok().as_deref(), Some(nasty.as_bytes()));
        } else {
            assert_eq!(result["body"], **nasty);
        }
    }
}

#[test]
fn no_name_or_message_reaches_the_terminal_raw() {
    let mut outcomes = Vec::from_iter(NASTY.iter().enumerate().map(|(index, nasty)| ok(index, nasty, "", b"")));
    outcomes.extend(NASTY.iter().map(|nasty| failed(0, "n", Kind::Io, None, nasty)));
    for width in [Width::Any, Width::Columns(80), Width::Columns(1)] {
        let table = written("table", &Style { width, ..Style::default() }, &outcomes);
        assert!(!table.contains(|c: char| c.is_control() && c != '\n'), "{table:?}");
        assert!(!table.contains(['\u{202e}', '\u{2066}', '\u{2028}']), "{table:?}");
        // A heading and the rows, an empty line, the errors that were cut and another one if there are any, the totals
        // in seven lines at most.
        assert_eq!(table.lines().take_while(|line| !line.is_empty()).count(), outcomes.len() + 1, "{table}");
        let cut = if width.now().is_some() { NASTY.len() + 1 } else { 0 };
        assert!(table.lines().count() <= outcomes.len() + 9 + cut, "{table}");
    }
    let colored = written("table", &Style { color: true, ..Style::default() }, &outcomes);
    for (at, _) in colored.match_indices('\x1b') {
        let ours = ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m"];
        assert!(ours.iter().any(|code| colored[at..].starts_with(code)), "{colored:?}");
    }
    assert_eq!(colored.matches("\x1b[31m").count(), NASTY.len() + 1, "failed rows and the totals");
}

#[test]
fn rows_fit_the_terminal_and_say_where_they_were_cut() {
    use unicode_width::UnicodeWidthStr;
    let mut outcomes = super::samples::assorted();
    outcomes.push(failed(10, &"東京".repeat(40), Kind::Dns, Some(Phase::Head), &"e\u{301}".repeat(200)));
    outcomes.push(ok(11, &"👩‍👩‍👧‍👦".repeat(40), "", b""));
    for width in 70..140 {
        let table = written("table", &Style { width: Width::Columns(width), ..Style::default() }, &outcomes);
        let rows = Vec::from_iter(table.lines().take_while(|line| !line.is_empty()));
        assert_eq!(rows.len(), outcomes.len() + 1);
        assert!(rows.iter().all(|row| row.width() <= width), "{width}\n{table}");
        assert_eq!(rows[11].matches('…').count(), 2, "{}", rows[11]);
        // The status ends in the same column everywhere.
        let status = |row: &str, status: &str| row[..row.find(status).expect("in every row") + status.len()].width();
        assert_eq!(status(rows[0], "STATUS"), status(rows[1], " 200"));
        assert_eq!(status(rows[0], "STATUS"), status(rows[12], " 200"));
        assert_eq!(status(rows[0], "STATUS"), status(rows[11], " -"));
    }
}

#[test]
fn json_that_not_every_reader_takes_is_a_string() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for text in [
        r#"{"a":"\ud800"}"#,
        r#"["\udc00\ud800"]"#,
        "[1e999]",
        "[-1e999]",
        "[NaN]",
        "{} trailing",
        "[1,]",
        "",
        "\n",
        &deep(125),
        &deep(10_000),
        &"[".repeat(10_000),
        &"9".repeat(400),
    ] {
        assert_eq!(body("application/json", text.as_bytes())["body"], text, "{}", &text[..text.len().min(40)]);
    }
    // As deep as it may be, the document can still be read with the defaults of serde_json.
    assert!(body("application/json", deep(124).as_bytes())["body"].is_array());
    assert_eq!(body("application/json", b"\xef\xbb\xbf {\"a\": 1}")["body"], serde_json::json!({"a": 1}));
    let raw = written("json", &Style::default(), &[ok(0, "n", "a/b+json", b"[-0, 123456789012345678901234567890]")]);
    assert!(raw.contains("\"body\":[-0,123456789012345678901234567890],"), "{raw}");
}

#[test]
fn bytes_come_back_whole() {
    let mut bytes = Vec::from_iter(0..=255u8);
    for extra in 0..3 {
        bytes.push(extra);
        for content_type in
            ["", "application/json", "image/png", "text/plain; charset=utf-8", "text/plain; charset=utf-16"]
        {
            let result = body(content_type, &bytes);
            assert!(result["body"].is_null(), "{content_type}");
            let encoded = result["body_base64"].as_str().expect("bytes");
            assert_eq!(BASE64_STANDARD.decode(encoded).ok().as_ref(), Some(&bytes), "{content_type}");
        }
    }
    assert_eq!(body("text/html", b"a\0b")["body_base64"], "YQBi");
    assert_eq!(body("text/html", b"a\x1bb")["body"], "a\x1bb");
}

#[test]
fn secrets_are_nowhere() {
    let escaped = serde_json::to_string(SECRET).expect("text");
    let slashed = escaped.replace('/', "\\/");
    let coded = escaped.replace('5', "\\u0035");
    let percent = "tok-5ecret%2f9%209";
    let message = format!("cannot follow https://h/?k={percent} with {SECRET}");
    let mut outcomes = vec![
        ok(0, &format!("n {SECRET}"), "application/json", format!("{{{escaped}:[{slashed},{coded}]}}").as_bytes()),
        ok(1, "text", &format!("text/plain; x={SECRET}"), SECRET.as_bytes()),
        ok(2, "bytes", "image/png", &[b"\xff", SECRET.as_bytes(), b"\xff"].concat()),
        ok(3, "no json", "application/json", format!("{{\"a\":{escaped}").as_bytes()),
        failed(4, "error", Kind::Redirect, None, &message),
    ];
    outcomes[0].url = format!("https://user:{SECRET}@h/").into();
    outcomes[0].final_url = Some(format!("https://h/?k={percent}").into());
    outcomes[0].attempts[0].address = Some(format!("{SECRET}:443").into());
    outcomes[0].body_file = Some(format!("out/{SECRET}").into());
    outcomes[0].data = Some([(SECRET.to_owned(), serde_json::json!([SECRET, {"a": SECRET}]))].into_iter().collect());
    for format in Format::all().iter().map(|format| format.name).filter(|name| !["sqlite", "xlsx"].contains(name)) {
        let shown = |run: &RunInfo| written_of(run, format, &Style::default(), &outcomes);
        let text = shown(&run());
        let forms = [SECRET, percent, &slashed, &coded, "tok-5ecret", "AtcnR", "dG9rLTVlY3JldC"];
        for form in forms {
            assert!(!text.contains(form), "{form} in {format}: {text}");
        }
        assert!(text.contains("[redacted]"), "{format}");
        // Without a redactor they are there, so this test would see them.
        assert!(shown(&RunInfo { redactor: Redactor::default(), ..run() }).contains(SECRET), "{format}");
    }
    let document = written("json", &Style::default(), &outcomes);
    let results = results(&document);
    assert_eq!(results[0]["body"]["[redacted]"], serde_json::json!(["[redacted]", "[redacted]"]));
    assert_eq!(results[0]["data"]["[redacted]"], serde_json::json!(["[redacted]", {"a": "[redacted]"}]));
    assert_eq!(results[0]["final_url"], "https://h/?k=[redacted]");
    assert_eq!(results[2]["body_base64"], "/1tyZWRhY3RlZF3/");
    assert_eq!(results[4]["error"]["message"], "cannot follow https://h/?k=[redacted] with [redacted]");
}

#[test]
fn a_secret_in_latin_1_is_hidden_too() {
    let run = RunInfo { redactor: Redactor::new(["schlüssel".to_owned()]), ..run() };
    let outcome = ok(0, "n", "text/plain; charset=iso-8859-1", b"der schl\xfcssel");
    let text = written_of(&run, "json", &Style::default(), &[outcome]);
    assert_eq!(results(&text)[0]["body"], "der [redacted]");
}

#[test]
fn a_writer_that_fails_is_heard() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let outcomes = super::samples::assorted();
    for format in Format::all().iter().map(|format| format.name).filter(|name| !["sqlite", "xlsx"].contains(name)) {
        let whole = written(format, &Style::default(), &outcomes).len();
        for room in (0..whole).step_by(7) {
            let mut report = report(format, &Style::default());
            let error = report.write(&mut Full(room), &run(), &outcomes).expect_err("no room");
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{format} with room for {room}");
        }
        assert!(report(format, &Style::default()).write(&mut Full(whole), &run(), &outcomes).is_ok());
    }
}
