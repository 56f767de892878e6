//! `check`, `compare`, `demo` and `serve`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{complaint, endings, line, roundup};
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
    assert!(lines[2].starts_with("POST ") && lines[3].starts_with("3 jobs, 3 at once, 10 on a host, 5/"), "{output:?}");
    assert_eq!((output.stderr.as_str(), dir.names()), ("", vec!["plan.toml".to_owned()]));
    line("check plan.toml --report xml").inside(&dir).run().expect_code(1);
    assert_eq!(server.stats().connections, 0);
}

#[test]
fn check_warns_of_hosts_that_no_job_goes_to() {
    let dir = Dir::new();
    dir.write("plan.toml", "[hosts.\"api.exmaple.com\"]\nretries = 1\n[[job]]\nurl = \"http://127.0.0.1:9/\"\n");
    let output = line("check plan.toml").inside(&dir).run().expect_code(0);
    assert!(
        output.stderr.starts_with("roundup: warning: plan.toml:1: hosts.\"api.exmaple.com\": no job"),
        "{output:?}"
    );
    assert_eq!(line("check plan.toml -q").inside(&dir).run().expect_code(0).stderr, "");
}

#[test]
fn check_finds_what_is_only_wrong_at_run_time() {
    let dir = Dir::new();
    let warnings = |plan: &str| {
        dir.write("plan.toml", plan);
        let output = line("check plan.toml").inside(&dir).run().expect_code(0);
        (output.stderr.clone(), output.stdout().lines().last().unwrap_or_default().to_owned())
    };
    let job =
        "[[job]]\nname = \"items\"\nurl = \"http://a.example/items\"\nrows = \"/items\"\nselect = { id = \"/id\" }\n";
    let each = "[[job]]\nname = \"detail\"\nfor_each = \"items\"\nurl = \"http://b.example/{items.id}\"\n";
    // Hosts of jobs that are made in the run are known if they stand in the URL.
    let hosts = "[hosts.\"b.example\"]\nretries = 1\n[hosts.\"c.example\"]\nretries = 1\n";
    let (said, last) = warnings(&format!("{hosts}{job}{each}"));
    assert!(
        said.contains("hosts.\"c.example\": no job names c.example: per_host and rate hold for redirects")
            && !said.contains("b.example"),
        "{said}"
    );
    assert!(last.starts_with("1 job, more for each row of items, 100 at once"), "{last}");
    let (said, _) = warnings(&format!("{hosts}{job}{each}").replace("http://b.example/{items.id}", "{items.id}"));
    assert_eq!(said, "");
    let (said, _) = warnings(&format!("{job}{each}output = \"same.json\"\n"));
    assert!(said.contains("job[2].output: all jobs of the rows of \"items\" would be saved to one file"), "{said}");
    let (said, _) = warnings(&format!("{job}{each}output = \"{{items.id}}.json\"\n"));
    assert_eq!(said, "");
    for url in ["http://a/[1-3]", "http://a/{x,y}", "http://a/?p=[a-c]"] {
        let (said, last) = warnings(&format!("[[job]]\nurl = \"{url}\"\n"));
        assert!(
            said.contains("plan.toml:2: job[1].url: brackets and lists in braces are no patterns"),
            "{url}: {said}"
        );
        assert!(last.starts_with("1 job, "), "{last}");
    }
    for url in ["http://[::1]/", "http://a/?filter[name]=x", "http://a/{city}"] {
        let (said, _) = warnings(&format!("[variables]\ncity = \"oslo\"\n[[job]]\nurl = \"{url}\"\n"));
        assert_eq!(said, "", "{url}");
    }
    let (_, last) = warnings(&format!(
        "{job}[[job]]\nname = \"x\"\nurl = \"http://a/{{token.t}}\"\n[[job]]\nname = \"token\"\nurl = \"http://a/t\"\nselect = {{ t = \"/t\" }}\n"
    ));
    assert!(last.starts_with("3 jobs, "), "{last}");
    // The file of a content is that of a report, or the plan itself.
    for (more, text) in [
        ("output = \"r.json\"\n[[report.output]]\nfile = \"r.json\"\n", "would be written over the json report"),
        ("output = \"plan.toml\"\n", "would be written over the plan"),
    ] {
        dir.write("plan.toml", format!("[[job]]\nname = \"a\"\nurl = \"http://a/\"\n{more}"));
        let output = line("check plan.toml").inside(&dir).run().expect_code(1);
        assert!(complaint(&output).contains(text), "{output:?}");
    }
    dir.write("plan.toml", "[[job]]\nurl = \"http://a/{nowhere}\"\n");
    line("check plan.toml").inside(&dir).run().expect_code(2);
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
        assert!(lines[1].starts_with("concurrently ") && lines[1].ends_with("at most 4 at once"), "{output:?}");
        let ratio: f64 = lines[2].strip_suffix(" times as fast").expect("a ratio").parse().expect("a number");
        // Four times 50 ms against once 50 ms, less what a loaded machine costs.
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
    // Neither a proxy nor a name server is asked.
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
fn the_plan_to_begin_with_is_checked_and_runs_against_the_server() {
    let dir = Dir::new();
    let written = line("new").inside(&dir).run().expect_code(0);
    assert!(written.stdout().contains("roundup check plan.toml"), "{written:?}");
    let text = dir.read("plan.toml");
    let again = line("new plan.toml").inside(&dir).run().expect_code(1);
    assert_eq!(complaint(&again), "plan.toml is there already: write another name, or remove it first");
    assert_eq!(dir.read("plan.toml"), text);
    assert_eq!(line("new -").run().expect_code(0).stdout(), text);
    line("check plan.toml").inside(&dir).run().expect_code(0);
    let mut server = line("serve --port 0").spawn();
    let said = server.wait_for_stdout("; ");
    let base = said.trim().strip_prefix("listening on ").and_then(|rest| rest.split(';').next()).expect("an address");
    let variable = format!("base={base}");
    let report = roundup(["run", "plan.toml", "--report", "json", "--variable", &variable]).inside(&dir).run();
    let report = report.expect_code(0).json();
    assert_eq!(report["summary"]["ok"], 6, "{report:#}");
    // What is commented out is right as well.
    let whole: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(
        whole.contains("\n[hosts.\"api.example.com\"]\nrate") && whole.contains("\n[[report.output]]\nformat"),
        "{whole}"
    );
    dir.write("whole.toml", &whole);
    line("check whole.toml").inside(&dir).env("API_TOKEN", "x").run().expect_code(0);
}

/// Whether a comment is a line of a plan.
fn is_toml(line: &str) -> bool {
    line.starts_with('[')
        || line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

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
