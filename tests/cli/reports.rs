//! Reports: complete, valid, in the right place, and in time.

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
    // A host of its own, because the whole host is paused.
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
    // A pipe has no width, so nothing is cut.
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
    // Reports are written in this order: what is on the pipe is in the file, too.
    let words = format!("get {} {} --report jsonl=lines --report jsonl -q", server.url("/slow"), server.url("/[1-3]"));
    let mut running = line(&words).inside(&dir).spawn();
    // The others are on the pipe and in the file before the slow one has ended.
    for index in 1..=3 {
        running.wait_for_stdout(&format!("\"index\":{index},"));
    }
    let so_far = running.wait_for_stdout("\n");
    assert_eq!(so_far.matches("\"type\":\"result\"").count(), so_far.lines().count());
    assert!(!so_far.contains("/slow") && !so_far.contains("\"summary\""), "{so_far}");
    assert!(dir.read("lines.part").contains("\"ok\":true"));
    assert!(!dir.join("lines").exists());
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
    // A run that is killed leaves the old report as it was.
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

/// A server whose `/hang` never answers.
fn hanging() -> Server {
    Server::start(|request| match request.path() {
        "/hang" => Reply::hang(),
        _ => Reply::json("1"),
    })
}

#[cfg(unix)]
#[test]
fn lines_of_a_killed_run_are_kept_and_named_by_the_next() {
    let server = hanging();
    let dir = Dir::new();
    dir.write("a.jsonl", "old");
    for (n, kept) in ["a.jsonl.part.1", "a.jsonl.part.2"].into_iter().enumerate() {
        let words = format!("get {} {} --report a.jsonl --report jsonl", server.url("/good"), server.url("/hang"));
        let mut running = line(&words).inside(&dir).spawn();
        let first = running.wait_for_stdout("\n");
        // stdout is written after the file.
        running.signal(rustix::process::Signal::KILL);
        running.wait();
        assert_eq!(dir.read("a.jsonl"), "old");
        assert_eq!(dir.read("a.jsonl.part"), first);
        let words = format!("get {} --report a.jsonl --retries 0 --quiet", server.url("/hang"));
        let running = line(&words).inside(&dir).spawn();
        server.wait_for(|stats| stats.requests_under("/hang") == 2 * (n + 1));
        // Nor does the start of a run touch the old report.
        assert_eq!(dir.read("a.jsonl"), "old");
        running.interrupt();
        let output = running.wait().expect_code(130);
        assert!(output.stderr.contains("was killed") && output.stderr.contains(kept), "{output:?}");
        assert_eq!(dir.read(kept), first);
        assert!(dir.read("a.jsonl").contains("summary"));
        dir.write("a.jsonl", "old");
    }
    assert_eq!(dir.names(), ["a.jsonl", "a.jsonl.part.1", "a.jsonl.part.2"]);
}

#[cfg(unix)]
#[test]
fn the_second_of_two_runs_says_who_writes_the_lines() {
    let server = hanging();
    let dir = Dir::new();
    let words = format!("get {} --report a.jsonl", server.url("/hang"));
    let running = line(&words).inside(&dir).spawn();
    server.wait_for(|stats| stats.requests == 1);
    let output = line(&words).inside(&dir).run().expect_code(5);
    assert!(output.stderr.contains("a.jsonl") && output.stderr.contains("another run"), "{output:?}");
    #[cfg(target_os = "linux")]
    assert!(output.stderr.contains(&format!("process {}", running.pid())), "{output:?}");
    assert_eq!(server.stats().requests, 1);
    running.interrupt();
    running.wait().expect_code(130);
    assert_eq!(dir.names(), ["a.jsonl"]);
}

#[test]
fn files_of_a_run_that_are_one_are_refused_before_the_first_request() {
    let server = hanging();
    let dir = Dir::new();
    let url = server.url("/");
    let plan = |output: &str| format!("[[job]]\nurl = \"{url}?${{KEY}}\"\noutput = \"{output}\"\n");
    dir.write("plan.toml", plan("body"));
    dir.write("secrets", "KEY=value-of-key\n");
    dir.write("list", format!("{url}\n"));
    dir.write("data", "x");
    std::fs::create_dir(dir.join("sub")).expect("a folder");
    let mut cases = vec![
        "run plan.toml --secrets secrets --report json=plan.toml".to_owned(),
        "run plan.toml --secrets secrets --report jsonl=./plan.toml".to_owned(),
        "run plan.toml --secrets secrets --report csv=sub/../secrets".to_owned(),
        "run plan.toml --secrets secrets --report json=body".to_owned(),
        "run plan.toml --secrets secrets --report json=r --report csv=sub/../r".to_owned(),
        "run plan.toml --secrets secrets --report jsonl=r --report csv=r.part".to_owned(),
        "get --input list --report json=list".to_owned(),
        format!("get {url} --data @data --report csv=data"),
    ];
    for output in ["itself.toml", "secrets", "r.json"] {
        let name = if output == "itself.toml" { output.to_owned() } else { format!("over-{output}.toml") };
        dir.write(&name, plan(output));
        cases.push(format!("run {name} --secrets secrets --report r.json"));
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("list", dir.join("link")).expect("links can be made");
        std::fs::hard_link(dir.join("list"), dir.join("hard")).expect("links can be made");
        cases.extend(["link", "hard"].map(|name| format!("get --input list --report json={name}")));
        cases.push(format!("get {url} --report json=link --report csv=hard"));
    }
    let before = dir.names();
    for case in &cases {
        let output = line(case).inside(&dir).run();
        assert!(output.code() == Some(1) && output.stderr.lines().count() == 1, "{case}: {output:?}");
        assert!(output.stderr.contains("file") && !output.stderr.contains("value-of-key"), "{case}: {output:?}");
        assert_eq!(dir.names(), before, "{case}");
    }
    assert_eq!(server.stats().requests, 0);
    assert_eq!(dir.read("list"), format!("{url}\n"));
    line("get --input list --report json=other").inside(&dir).run().expect_code(0);
}

#[cfg(target_os = "linux")]
#[test]
fn stdout_that_is_closed_at_the_start_is_an_error() {
    use crate::common::{TestCommand, invocation};
    let server = hanging();
    let dir = Dir::new();
    let url = server.url("/");
    let closed = |words: &[&str]| {
        let script = "exec \"$@\" >&-";
        TestCommand::program("sh").args(["-c", script, "sh"]).args(invocation()).args(words).inside(&dir).run()
    };
    for words in [&["get", &url][..], &["get", &url, "--body"], &["get", &url, "--report", "json"], &["--version"]] {
        let output = closed(words).expect_code(5);
        assert!(output.stderr.starts_with("roundup: stdout is closed"), "{output:?}");
    }
    assert_eq!(server.stats().requests, 0);
    // As Python's DEVNULL and Node's "ignore" give it, which looks like what the standard library opens in its place.
    let script = "exec \"$@\" 1<>/dev/null";
    let run = TestCommand::program("sh").args(["-c", script, "sh"]).args(invocation()).arg("--version").run();
    assert_eq!(run.expect_code(0).stderr, "");
    closed(&["get", &url, "--report", "a.json"]).expect_code(0);
    assert_eq!(dir.names(), ["a.json"]);
}

/// A call in a process whose files may have so many blocks of 512 bytes.
#[cfg(unix)]
fn with_small_files(blocks: u32, words: &[&str], dir: &Dir) -> crate::common::Output {
    use crate::common::{TestCommand, invocation};
    let script = format!("ulimit -f {blocks} && exec \"$@\"");
    TestCommand::program("sh").args(["-c", &script, "sh"]).args(invocation()).args(words).inside(dir).run()
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_is_an_error_and_not_the_end() {
    let server = Server::start(|_| Reply::text("x".repeat(100_000)));
    let dir = Dir::new();
    for report in ["big.json", "big.jsonl"] {
        let output = with_small_files(64, &["get", &server.url("/"), "--report", "table", "--report", report], &dir);
        let output = output.expect_code(5);
        assert!(output.stdout().starts_with("RESULT"), "{output:?}");
        assert!(output.stderr.contains(report), "{output:?}");
        assert!(!dir.join(report).exists());
    }
}

/// SIGXFSZ ended the process while the state file was opened, which is before signals are watched: there was neither a line
/// nor a report. The same held for commands that fetch nothing.
#[cfg(all(unix, feature = "state"))]
#[test]
fn no_file_that_may_not_grow_ends_the_process_whatever_writes_it() {
    let server = Server::start(|_| Reply::json("1"));
    let (url, dir) = (server.url("/[1-40]"), Dir::new());
    for blocks in [1, 8, 40] {
        let output = with_small_files(blocks, &["get", &url, "--state", "runs.db", "--report", "csv"], &dir);
        let output = output.expect_code(5);
        assert_eq!(output.stdout().lines().count(), 41, "{output:?}");
        assert!(output.stderr.contains("runs.db") && output.stderr.contains("kept"), "{output:?}");
        assert!(output.stderr.contains("ulimit -f"), "{output:?}");
        std::fs::remove_file(dir.join("runs.db")).expect("it was made");
    }
    line(&format!("get {url} --report json=result.json")).inside(&dir).run().expect_code(0);
    let rendered = with_small_files(1, &["render", "result.json", "--report", "html=page.html"], &dir).expect_code(5);
    assert!(rendered.stderr.contains("page.html"), "{rendered:?}");
    let dumped = with_small_files(1, &["get", &url, "--output-dir", "out"], &dir).expect_code(0);
    assert!(dumped.stdout().starts_with("RESULT"), "{dumped:?}");
}

/// A file that is no report of ours is left as it is, and nothing is fetched.
#[cfg(all(feature = "sql", feature = "state"))]
#[test]
fn a_database_that_roundup_did_not_write_as_a_report_stays() {
    let server = Server::start(|_| Reply::json("{\"n\":1}"));
    let dir = Dir::new();
    let get = |words: &str| roundup(["get", &server.url("/")]).args(words.split_whitespace()).inside(&dir).run();
    get("-q --state state.db --report own.db").expect_code(0);
    rusqlite::Connection::open(dir.path().join("other.db"))
        .and_then(|other| other.execute_batch("create table t (a)"))
        .expect("another program's database");
    dir.write("text.db", "no database");
    dir.write("empty.db", "");
    let before = ["state.db", "other.db", "text.db"].map(|name| std::fs::read(dir.path().join(name)).expect(name));
    let asked = server.requests().len();
    for name in ["state.db", "other.db", "text.db"] {
        let output = get(&format!("-q --report {name}")).expect_code(5);
        let said = format!("cannot write the report to {name:?}: name another file: the file there is no report");
        assert!(crate::cli::complaint(&output).starts_with(&said), "{output:?}");
    }
    let after = ["state.db", "other.db", "text.db"].map(|name| std::fs::read(dir.path().join(name)).expect(name));
    assert!(before == after && server.requests().len() == asked, "nothing is written and nothing fetched");
    get("-q --report own.db --report empty.db").expect_code(0);
    let open = |name: &str| rusqlite::Connection::open(dir.path().join(name)).expect(name);
    for name in ["own.db", "empty.db"] {
        let names = open(name).query_row("select count(*) from sources", [], |row| row.get::<_, i64>(0));
        assert_eq!(names, Ok(1), "{name}");
    }
}

/// All pages had the URL of the first, and what a redirect led to that of the last.
#[test]
fn each_entry_of_an_archive_has_the_url_of_its_own_attempt() {
    let server = Server::start(|request| match request.path() {
        "/page" if request.target.contains("at=2") => Reply::json(r#"{"rows":[3]}"#),
        "/page" => Reply::json(r#"{"rows":[1,2],"next":"2"}"#),
        "/moved" => Reply::redirect(302, "/here"),
        "/here" => Reply::status(503),
        other => panic!("{other}"),
    });
    let dir = Dir::new();
    let pages = "rows = \"/rows\"\npages = { next = \"/next\", param = \"at\" }";
    let job = |name: &str, more: &str| {
        format!("[[job]]\nname = \"{name}\"\nurl = \"{}\"\nretries = 1\n{more}\n", server.url(&format!("/{name}")))
    };
    dir.write("plan.toml", job("page", pages) + &job("moved", ""));
    line("run plan.toml -q --report run.har --report run.json --state s.db").inside(&dir).run().expect_code(3);
    for source in ["run.json", "s.db"] {
        line(&format!("render {source} --report again.har")).inside(&dir).run().expect_code(0);
        for file in ["run.har", "again.har"] {
            let archive: Value = serde_json::from_str(&dir.read(file)).expect("JSON");
            let entries = archive["log"]["entries"].as_array().expect("entries");
            let urls: Vec<&str> = entries.iter().filter_map(|entry| entry["request"]["url"].as_str()).collect();
            let expected = ["/page", "/page?at=2", "/here", "/here"].map(|path| server.url(path));
            assert_eq!(urls, expected, "{file} of {source}");
            assert_eq!(entries[1]["request"]["queryString"][0]["value"], "2");
        }
    }
    let report: Value = serde_json::from_str(&dir.read("run.json")).expect("JSON");
    assert_eq!(report["results"][0]["attempts"][0]["url"], Value::Null);
    Schema::load().check(&report).expect("valid");
}
