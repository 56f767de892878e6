//! The limit on open files: raised if it can be, and otherwise the run is held to it.

#![cfg(unix)]

use std::sync::{Arc, Condvar, Mutex};

use crate::common::{Dir, PATIENCE, Reply, Server, TestCommand, invocation};

/// A server that answers no request until so many are under way.
fn crowded(many: usize) -> Server {
    let arrived = Arc::new((Mutex::new(0), Condvar::new()));
    Server::start(move |_| {
        let mut count = arrived.0.lock().expect("nobody panics with it");
        *count += 1;
        arrived.1.notify_all();
        let (count, _) = arrived.1.wait_timeout_while(count, PATIENCE, |count| *count < many).expect("nobody panics");
        assert!(*count >= many, "only {count} of {many} requests came");
        drop(count);
        Reply::json("1")
    })
}

/// A call under this `ulimit`.
fn under(limit: &str, words: &[&str]) -> TestCommand {
    let script = format!("ulimit {limit} && exec \"$@\"");
    TestCommand::program("sh").args(["-c", &script, "sh"]).args(invocation()).args(words)
}

#[test]
fn a_low_soft_limit_is_raised() {
    let server = crowded(200);
    let url = server.url("/[1-200]");
    let words = ["get", &url, "--concurrency", "200", "--per-host", "200", "--retries", "0", "--report", "json", "-q"];
    let report = under("-Sn 64", &words).run().expect_code(0).json();
    assert_eq!(report["summary"]["ok"], 200);
}

/// The lines on stderr that speak of descriptors.
fn notes(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| line.contains("file descriptors")).collect()
}

#[test]
fn few_descriptors_lower_the_concurrency_and_lose_no_source() {
    let server = Server::start(|_| Reply::json("1"));
    let url = server.url("/[1-200]");
    for (limit, at_once) in [("-n 64", 20), ("-n 32", 5)] {
        let dir = Dir::new();
        let words = [
            "get",
            &url,
            "--concurrency",
            "200",
            "--per-host",
            "200",
            "--retries",
            "0",
            "--report",
            "json",
            "--report",
            "a.csv",
        ];
        let output = under(limit, &words).inside(&dir).run().expect_code(0);
        assert_eq!(output.json()["summary"]["ok"], 200, "{limit}");
        let notes = notes(&output.stderr);
        assert!(notes.len() == 1 && notes[0].contains("ulimit -n"), "{limit}: {output:?}");
        let said = notes[0].split(" sources are fetched at once").next().and_then(|line| line.rsplit(' ').next());
        let said: u32 = said.and_then(|number| number.parse().ok()).expect("the concurrency");
        assert!((at_once..200).contains(&said), "{limit}: {notes:?}");
        let words = [&words[..], &["--output-dir", "out", "--quiet"]].concat();
        let output = under(limit, &words).inside(&dir).run().expect_code(0);
        assert_eq!((output.json()["summary"]["ok"].as_u64(), output.stderr.as_str()), (Some(200), ""), "{limit}");
    }
}

#[test]
fn too_few_descriptors_are_one_line_and_no_request() {
    let server = Server::start(|_| Reply::json("1"));
    let url = server.url("/[1-9]");
    for command in [&["get", &url][..], &["compare", &url], &["demo"], &["serve"]] {
        let output = under("-n 6", command).run().expect_code(1);
        let lines: Vec<&str> = output.stderr.lines().collect();
        assert!(lines.len() == 1 && lines[0].contains("6 file descriptors are too few, at least "), "{output:?}");
    }
    assert_eq!(server.stats().requests, 0);
    // Whatever the number, either all or none is fetched.
    for limit in 4..24 {
        let output = under(&format!("-n {limit}"), &["get", &url, "--report", "json"]).run();
        match output.code() {
            Some(0) => assert_eq!(output.json()["summary"]["ok"], 9, "{limit}: {output:?}"),
            code => assert!(code == Some(1) && notes(&output.stderr).len() == 1, "{limit}: {output:?}"),
        }
    }
}
