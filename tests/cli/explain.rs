//! `explain`: one source on one screen.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{complaint, line, roundup};
use crate::common::{Dir, Reply, Server, TestCommand};

/// A folder with a result in JSON and a state of one run: a source that took three tries, one that was redirected, one that
/// failed.
fn fetched() -> Dir {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |request| match request.path() {
        "/flaky" if tries.fetch_add(1, Ordering::Relaxed) < 2 => Reply::status(503).body("{\"error\":\"overloaded\"}"),
        "/moved" => Reply::redirect(302, "/there"),
        "/gone" => Reply::status(404),
        _ => Reply::json("{\"temp\":3.5}").late(Duration::from_millis(20)),
    });
    let dir = Dir::new();
    let job = |name: &str, more: &str| {
        format!("[[job]]\nname = \"{name}\"\nurl = \"{}\"\n{more}\n", server.url(&format!("/{name}")))
    };
    dir.write("plan.toml", [job("flaky", "select = { temp = \"/temp\" }"), job("moved", ""), job("gone", "")].concat());
    line("run plan.toml --report json=r.json --state s.db -q").inside(&dir).run().expect_code(3);
    dir
}

fn explained(words: &str, dir: &Dir) -> String {
    line(&format!("explain {words}")).inside(dir).env("COLUMNS", "120").run().expect_code(0).stdout().to_owned()
}

#[test]
fn a_source_is_shown_attempt_by_attempt_and_phase_by_phase() {
    let dir = fetched();
    for result in ["r.json", "s.db", "s.db#1"] {
        let text = explained(&format!("flaky {result}"), &dir);
        for part in [
            "flaky succeeded with status 200 after 3 attempts in ",
            "/flaky\n",
            "try 1  ",
            "503: overloaded, 127.0.0.1:",
            " ms, content ",
            "waited ",
            "as the server asked, or longer each time",
            "try 3  ",
            "it waited, ",
            " ms  before it was tried again\n",
            "the last attempt by phases, ",
            "to the first byte",
            "content: 12 bytes of application/json",
            "values: temp = 3.5",
        ] {
            assert!(text.contains(part), "{result}: no {part:?} in\n{text}");
        }
        let phases = |line: &&str| line.starts_with("         connecting ") && line.contains(", to the first byte ");
        assert!(text.lines().any(|line| phases(&line)), "of the first attempt: {text}");
        // A busy machine adds a line for each thing that was waited for.
        assert!(text.lines().count() <= 30 && text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }
    let text = explained("moved r.json", &dir);
    assert!(text.contains("redirected to ") && text.contains("/there\n"), "{text}");
    let text = explained("gone r.json", &dir);
    assert!(text.starts_with("gone failed with status 404 after 1 attempt in "), "{text}");
    assert!(text.contains("\nerror: status 404 is not among the accepted"), "{text}");
    let narrow = line("explain flaky r.json").inside(&dir).env("COLUMNS", "40").run().expect_code(0);
    assert!(narrow.stdout().lines().all(|line| line.chars().count() <= 40), "{narrow:?}");
}

#[test]
fn what_a_source_waited_for_is_named() {
    let server = Server::start(|request| match request.path() {
        "/hang" => Reply::hang(),
        _ => Reply::json("{}").late(Duration::from_millis(60)),
    });
    let dir = Dir::new();
    let urls = [server.url("/1"), server.url("/2"), server.url("/hang"), server.url("/late")].join("\n");
    dir.write("urls", urls);
    line("get --input urls --per-host 1 --deadline 400ms --report json=r.json --report csv=r.csv --report r.html -q")
        .inside(&dir)
        .run()
        .expect_code(3);
    let text = explained("/2 r.json", &dir);
    let queued = text.lines().find(|line| line.starts_with("queued")).unwrap_or_default();
    assert!(queued.ends_with("ms  for a place at its host"), "{text}");
    let text = explained("/late r.json", &dir);
    assert!(text.contains("was skipped") && text.contains("ms  for a place at its host\n"), "{text}");
    assert!(dir.read("r.csv").lines().nth(2).is_some_and(|row| row.ends_with(",host")), "{}", dir.read("r.csv"));
    let page = dir.read("r.html");
    assert!(page.contains("<dt>Waits</dt><dd>") && page.contains(" ms for a place at its host</dd>"), "{page}");
    assert!(page.contains(" ms for a place at its host</title>"), "the bar says so in words");
}

#[test]
fn names_may_be_parts_and_mistakes_say_what_there_is() {
    let dir = fetched();
    assert!(explained("ove r.json", &dir).starts_with("moved succeeded"));
    for (words, code, text) in [
        ("explain flakey r.json", 1, "no source is called \"flakey\": there is flaky"),
        ("explain o r.json", 1, "\"o\" may be moved, gone: write one of them whole"),
        ("explain flaky none.json", 2, "none.json: the result cannot be read"),
        ("explain flaky plan.toml", 2, "it is not a result that roundup wrote"),
        ("explain flaky s.db#7", 2, "has no run 7"),
        ("explain flaky", 1, "RESULT is missing"),
    ] {
        let output = line(words).inside(&dir).run().expect_code(code);
        assert!(complaint(&output).contains(text), "{words}: {output:?}");
    }
}

#[test]
fn a_source_that_was_never_sent_says_why() {
    let dir = Dir::new();
    let record = r#"{"roundup":"0.1.0","started":"2026-01-31T12:00:00.000Z","elapsed_ms":5,"interrupted":true,"title":null,
        "summary":{},"tables":[],"results":[{"name":"late\u001b[31m","url":"http://a/","attempts":[],
        "timings_ms":{"queue":5.0,"dns":null,"connect":null,"tls":null,"first_byte":null,"body":null,"total":0.0},"error":{"kind":"skipped","phase":null,"message":"the run ended before","retry_at":null}}]}"#;
    dir.write("r.json", record);
    let output = roundup(["explain", "late", "r.json"]).inside(&dir).run().expect_code(0);
    let text = output.stdout();
    assert!(
        text.contains("was skipped; nothing was sent") && text.contains("error: skipped: the run ended before"),
        "{text}"
    );
    assert!(text.contains("the run was interrupted") && !text.contains('\u{1b}'), "{text:?}");
}

/// It said that the first attempt had waited for 5 ms, and nothing of the five seconds after it.
#[test]
fn a_wait_after_the_last_attempt_is_shown() {
    let dir = Dir::new();
    let record = r#"{"roundup":"0.1.0","started":"2026-01-31T12:00:00.000Z","elapsed_ms":4920,"interrupted":false,"title":null,
        "summary":{},"tables":[],"results":[{"name":"ill","url":"http://a/","status":503,"attempts":[{"started_ms":6.0,"total_ms":4.0,
        "status":503,"address":"127.0.0.1:80","reused":false,"waited_ms":null,"error":{"kind":"status","phase":"head","message":"503","retry_at":null}}],
        "timings_ms":{"queue":6.0,"dns":null,"connect":null,"tls":null,"first_byte":null,"body":null,"total":4904.0},
        "waits_ms":{"run":6.0,"host":null,"rate":null,"pause":null,"breaker":null,"retry":null,"budget":4900.0},
        "error":{"kind":"status","phase":"head","message":"503; it is not tried again","retry_at":null}}]}"#;
    dir.write("r.json", record);
    let text = explained("ill r.json", &dir);
    let begins = |word: &str| text.lines().find(|line| line.starts_with(word)).unwrap_or_default();
    assert!(begins("queued").ends_with("   6.0 ms  in the queue"), "{text}");
    assert!(begins("waited").ends_with("  4900 ms  and was not tried again"), "{text}");
    assert!(text.contains("it waited, 4906 ms in all:") && text.contains("  4900 ms  for the run's budget"), "{text}");
}

/// Many attempts still fit on a screen.
#[test]
fn of_many_attempts_those_in_the_middle_are_counted() {
    let attempt = |at: usize| {
        format!(
            "{{\"started_ms\":{0}.0,\"total_ms\":5.0,\"status\":503,\"address\":\"127.0.0.1:80\",\"reused\":true,\"waited_ms\":{1},\"error\":null}}",
            at * 10,
            if at == 0 { "null".to_owned() } else { "5.0".to_owned() }
        )
    };
    let attempts: Vec<String> = (0..60).map(attempt).collect();
    let record = format!(
        "{{\"type\":\"result\",\"index\":0,\"name\":\"n\",\"url\":\"http://a/\",\"attempts\":[{}],\"timings_ms\":{{\"queue\":0.0,\"dns\":null,\"connect\":null,\"tls\":null,\"first_byte\":null,\"body\":null,\"total\":600.0}}}}\n",
        attempts.join(",")
    );
    let dir = Dir::new();
    dir.write("r.jsonl", record);
    let output = TestCommand::new().args(["explain", "n", "r.jsonl"]).inside(&dir).run().expect_code(0);
    assert!(output.stdout().contains("48 more attempts") && output.stdout().lines().count() <= 32, "{output:?}");
}
