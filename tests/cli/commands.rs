//! `check`, `compare`, `demo` and `serve`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{endings, line, roundup};
use crate::common::{Dir, Reply, Server};
use crate::report::schema::Schema;

#[test]
fn check_prints_a_line_a_job_and_fetches_nothing() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("1"));
    let dir = Dir::new();
    dir.write(
        "plan.toml",
        format!(
            "[limits]\nconcurrency = 3\nrate = \"5/s\"\n[[job]]\nname = \"a\"\nurl = \"{0}?n={{n}}\"\neach = {{ n = [1, 2] }}\n\
             [[job]]\nurl = \"{0}\"\nmethod = \"POST\"\n",
            server.url("/")
        ),
    );
    let output = line("check plan.toml --retries 7 --report json=r.json --output-dir out").inside(&dir).run();
    let output = output.expect_code(0);
    let lines: Vec<&str> = output.stdout().lines().collect();
    assert_eq!(lines.len(), 4, "{output:?}");
    assert!(lines[0].starts_with("a[1]: GET ") && lines[0].contains("retries 7"), "{output:?}");
    assert!(lines[2].starts_with("POST ") && lines[3].starts_with("3 jobs, 3 at once, 5/"), "{output:?}");
    assert_eq!((output.stderr.as_str(), dir.names()), ("", vec!["plan.toml".to_owned()]));
    line("check plan.toml --report xml").inside(&dir).run().expect_code(1);
    assert_eq!(server.stats().connections, 0);
}

#[test]
fn compare_prints_both_times_and_the_ratio() {
    let server = Server::start(|_| Reply::json("1").late(Duration::from_millis(50)));
    let dir = Dir::new();
    let jobs = (0..4).map(|n| format!("[[job]]\nurl = \"{}\"\n", server.url(&format!("/{n}"))));
    dir.write("plan.toml", jobs.collect::<String>());
    std::fs::copy(dir.join("plan.toml"), dir.join("plan")).expect("a copy");
    for words in [format!("compare {}", server.url("/[0-3]")), "compare plan.toml".into(), "compare plan".into()] {
        let before = server.stats().requests;
        let output = line(&words).inside(&dir).run().expect_code(0);
        assert_eq!(server.stats().requests - before, 8);
        let lines: Vec<&str> = output.stdout().lines().collect();
        assert_eq!((lines.len(), output.stderr.as_str()), (3, ""), "{output:?}");
        assert!(lines[0].starts_with("one at a time ") && lines[0].ends_with("at most 1 at once"), "{output:?}");
        assert!(lines[1].starts_with("concurrently ") && lines[1].ends_with("at most 10 at once"), "{output:?}");
        let ratio: f64 = lines[2].strip_suffix(" times as fast").expect("a ratio").parse().expect("a number");
        // Four times 50 ms against once 50 ms; a loaded machine takes its share.
        assert!(ratio > 1.0, "{output:?}");
    }
    let output = line(&format!("compare {} --report json", server.url("/[0-3]"))).run().expect_code(0);
    assert_eq!(endings(&output.json()), ["ok"; 4]);
    assert!(
        output.stderr.contains("roundup: one at a time ") && output.stderr.contains(" times as fast"),
        "{output:?}"
    );
    line(&format!("compare {} nonsense", server.url("/"))).run().expect_code(3);
}

#[test]
fn compare_writes_what_the_second_run_brought() {
    let server = Server::start(|request| Reply::text(request.connection.to_string()));
    let dir = Dir::new();
    let words = format!("compare {} --output-dir out --report jsonl=lines", server.url("/[1-2]"));
    let output = line(&words).inside(&dir).run().expect_code(0);
    assert_eq!(dir.read("lines").lines().count(), 3, "{output:?}");
    let files: Vec<_> =
        std::fs::read_dir(dir.join("out")).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    assert_eq!(files.len(), 2);
    // The first run went over one connection, the second over others.
    for file in files {
        assert_ne!(std::fs::read_to_string(file).expect("text"), "1");
    }
}

#[test]
fn the_demo_needs_no_network() {
    let dir = Dir::new();
    // No proxy and no name server has a part in it.
    let demo = line("demo --report json=report.json").inside(&dir).env("http_proxy", "http://127.0.0.1:1");
    let output = demo.limit(Duration::from_secs(120)).run().expect_code(0);
    let report: serde_json::Value = serde_json::from_str(&dir.read("report.json")).expect("JSON");
    assert_eq!((&report["summary"]["total"], &report["summary"]["ok"]), (&50.into(), &50.into()));
    assert_eq!(endings(&report), ["ok"; 50]);
    assert!(report["summary"]["retried"].as_u64().is_some_and(|retried| retried > 0), "some are flaky: {report:#}");
    Schema::load().check(&report).expect("valid");
    let lines: Vec<&str> = output.stdout().lines().collect();
    assert_eq!(lines.len(), 5, "{output:?}");
    assert!(lines[4].starts_with("the server saw "), "{output:?}");
    assert!(lines[0].starts_with("50 APIs on http://127.0.0.1:"), "{output:?}");
    assert!(lines[2].ends_with("at most 50 at once") && lines[3].ends_with(" times as fast"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn serve_says_where_it_is_answers_and_ends() {
    for (words, signal) in [("serve --port 0", rustix::process::Signal::INT), ("serve", rustix::process::Signal::TERM)]
    {
        let mut running = line(words).env("ROUNDUP_PORT", "0").spawn();
        let said = running.wait_for_stdout("Ctrl-C ends it\n");
        let address = said.strip_prefix("listening on http://").and_then(|rest| rest.split(';').next()).expect(&said);
        let mut socket = TcpStream::connect(address).expect("it listens");
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        let fetched = roundup(["get", &format!("http://{address}/"), "--accept", "200-599", "-q"]).run();
        fetched.expect_code(0);
        running.signal(signal);
        let output = running.wait().expect_code(0);
        assert_eq!(output.stderr, "");
    }
}
