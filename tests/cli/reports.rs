//! Reports: whole, valid, where they were asked for, and in time.

use serde_json::Value;

use super::{endings, line, roundup};
use crate::common::{Dir, Reply, Server, refusing_port};
use crate::report::schema::Schema;

#[test]
fn reports_of_every_kind_of_end_are_valid() {
    let server = Server::start(|request| match request.path() {
        "/json" => Reply::json("{\"a\":[1,2]}"),
        "/text" => Reply::text("t"),
        "/bytes" => Reply::status(200).body(b"\0\xff".to_vec()),
        "/none" => Reply::status(204),
        "/half" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").close(),
        "/junk" => Reply::raw("junk\r\n\r\n").close(),
        "/large" => Reply::text("x".repeat(5000)),
        "/loop" => Reply::redirect(302, "/loop"),
        "/gone" => Reply::status(404).body("gone"),
        "/away" => Reply::redirect(302, "/json"),
        _ => Reply::hang(),
    });
    let dir = Dir::new();
    let paths = "{json,text,bytes,none,half,junk,large,loop,gone,away,hang}";
    // A host of its own, for all of it is paused.
    let later = Server::start(|_| Reply::status(503).header("Retry-After", "3600"));
    let refused = format!("http://127.0.0.1:{}/", refusing_port());
    let schema = Schema::load();
    for more in ["", "--output-dir out", "--deadline 700ms --per-host 1"] {
        let words = format!(
            "get nonsense {refused} http://name.invalid/ {} {} --retries 1 --timeout 400ms --max-body 4KiB --raw \
             --report json --report jsonl=lines --report table=table --report csv=rows.csv {more}",
            later.url("/"),
            server.url(&format!("/{paths}"))
        );
        let report = line(&words).inside(&dir).run().expect_code(3).json();
        schema.check(&report).unwrap_or_else(|error| panic!("{more}: {error}\n{report:#}"));
        assert_eq!(report["summary"]["total"], 15);
        let lines: Vec<Value> =
            dir.read("lines").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 16);
        for line in &lines {
            schema.check_line(line).unwrap_or_else(|error| panic!("{error}\n{line:#}"));
        }
        assert_eq!(lines[15]["type"], "summary");
        let rows = dir.read("rows.csv");
        // Every source has one row, and no text in them a line break.
        assert_eq!(rows.matches("\r\n").count(), 16, "{rows}");
        let kinds = endings(&report);
        // The same ends in both, in the order of the input where the index says so.
        for line in &lines[..15] {
            let index = usize::try_from(line["index"].as_u64().expect("an index")).expect("small");
            assert_eq!(line["error"], report["results"][index]["error"]);
        }
        let table = dir.read("table");
        assert_eq!(table.lines().count(), 18, "{table}");
        assert!(table.lines().next().expect("a head").starts_with("RESULT"), "{table}");
        for (row, ending) in table.lines().skip(1).zip(&kinds) {
            assert_eq!(row.starts_with("ok"), ending == "ok", "{ending}: {row}");
        }
    }
}

#[test]
fn a_table_goes_to_a_pipe_where_nothing_is_asked_for() {
    let server = Server::start(|_| Reply::json("1"));
    let long = server.url(&format!("/{}", "long".repeat(100)));
    let output = roundup(["get", &long, &server.url("/b")]).env("COLUMNS", "40").run().expect_code(0);
    let lines: Vec<&str> = output.stdout().lines().collect();
    assert!(lines[0].starts_with("RESULT  NAME"), "{output:?}");
    // A pipe has no width to cut to.
    assert!(lines[1].contains(&long) && lines[1].starts_with("ok"), "{output:?}");
    assert!(lines.last().expect("totals").starts_with("2 sources: 2 ok, 0 failed"), "{output:?}");
    assert_eq!(output.stderr, "");
}

#[test]
fn several_reports_of_one_run() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    let words = ["get", &server.url("/"), "--report", "table", "--report=json=a.json", "--report", "json=b.json"];
    let output = roundup(words).inside(&dir).run().expect_code(0);
    assert!(output.stdout().starts_with("RESULT") && output.stderr.is_empty(), "{output:?}");
    assert_eq!(dir.names(), ["a.json", "b.json"]);
    assert_eq!(dir.read("a.json"), dir.read("b.json"));
    assert_eq!(server.stats().requests, 1);
    for words in ["--report json=-", "--report json", "--report json=/dev/stdout"] {
        let report = line(&format!("get {} -q {words}", server.url("/"))).inside(&dir).run().expect_code(0);
        assert_eq!(report.json()["summary"]["ok"], 1, "{words}");
    }
    let set = roundup(["get", &server.url("/")]).inside(&dir).env("ROUNDUP_REPORT", "jsonl=c\ntable=d\n").run();
    assert_eq!(set.expect_code(0).stdout(), "");
    assert_eq!(dir.names(), ["a.json", "b.json", "c", "d"]);
}

#[cfg(unix)]
#[test]
fn lines_come_as_results_do() {
    let server = Server::start(|request| match request.path() {
        "/slow" => Reply::hang(),
        _ => Reply::json("1"),
    });
    let dir = Dir::new();
    let words = format!("get {} {} --report jsonl --report jsonl=lines -q", server.url("/slow"), server.url("/[1-3]"));
    let mut running = line(&words).inside(&dir).spawn();
    // The slow one has not ended, and the others are there already: on the pipe and in the file.
    for index in 1..=3 {
        running.wait_for_stdout(&format!("\"index\":{index},"));
    }
    let so_far = running.wait_for_stdout("\n");
    assert_eq!(so_far.matches("\"type\":\"result\"").count(), so_far.lines().count());
    assert!(!so_far.contains("/slow") && !so_far.contains("\"summary\""), "{so_far}");
    assert!(dir.read("lines").contains("\"ok\":true"));
    running.interrupt();
    let output = running.wait().expect_code(130);
    let lines: Vec<Value> = output.stdout().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!((&lines[3]["index"], &lines[3]["error"]["kind"]), (&0.into(), &"cancelled".into()));
    assert_eq!((&lines[4]["type"], &lines[4]["interrupted"]), (&"summary".into(), &true.into()));
    assert_eq!(dir.read("lines"), output.stdout());
}

#[test]
fn a_report_is_replaced_when_it_is_whole() {
    let server = Server::start(|request| match request.path() {
        "/hang" => Reply::hang(),
        _ => Reply::json("1"),
    });
    let dir = Dir::new();
    dir.write("report.json", "old");
    let words = format!("get {} {} --report json=report.json -q", server.url("/good"), server.url("/hang"));
    let running = line(&words).inside(&dir).spawn();
    server.wait_for(|stats| stats.requests == 2);
    assert_eq!(dir.read("report.json"), "old");
    // Killed, it leaves the old one as it was.
    #[cfg(unix)]
    {
        running.signal(rustix::process::Signal::KILL);
        assert_eq!(running.wait().code(), None);
        assert_eq!(dir.read("report.json"), "old");
    }
    #[cfg(not(unix))]
    drop(running);
    line(&format!("get {} --report json=report.json -q", server.url("/good"))).inside(&dir).run().expect_code(0);
    assert!(dir.read("report.json").contains("\"summary\""));
}

#[test]
fn a_usage_error_leaves_an_old_report_alone() {
    let dir = Dir::new();
    for name in ["a.json", "b.jsonl", "c.txt"] {
        dir.write(name, "old");
    }
    let words = "get http://127.0.0.1:1/ --report json=a.json --report jsonl=b.jsonl --report table=c.txt";
    line(&format!("{words} --report json=none/d.json")).inside(&dir).run().expect_code(5);
    line(&format!("{words} --report json=a.json")).inside(&dir).run().expect_code(1);
    assert_eq!(dir.names(), ["a.json", "b.jsonl", "c.txt"]);
    assert!(dir.names().iter().all(|name| dir.read(name) == "old"));
}
