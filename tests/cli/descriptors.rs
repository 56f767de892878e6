//! The limit on open files: raised where it can be, named where it cannot.

#![cfg(unix)]

use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use super::endings;
use crate::common::{PATIENCE, Reply, Server, TestCommand, invocation};

/// A server that answers nobody until so many requests are under way.
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
    let words = ["get", &url, "--concurrency", "200", "--retries", "0", "--report", "json", "-q"];
    let report = under("-Sn 64", &words).run().expect_code(0).json();
    assert_eq!(report["summary"]["ok"], 200);
}

#[test]
fn a_low_hard_limit_is_named() {
    let server = crowded(30);
    let url = server.url("/[1-200]");
    let words = ["get", &url, "--concurrency", "200", "--retries", "0", "--report", "json", "-q"];
    let report = under("-n 64", &words).run().expect_code(3).json();
    let failed = endings(&report).iter().filter(|ending| *ending == "io/connect").count();
    let ok = endings(&report).iter().filter(|ending| *ending == "ok").count();
    assert!(ok >= 30 && failed > 0 && ok + failed == 200, "{ok} ok, {failed} failed: {report:#}");
    for error in report["results"].as_array().expect("a list").iter().map(|result| &result["error"]) {
        let said = error["message"].as_str().unwrap_or("RLIMIT_NOFILE");
        assert!(said.contains("RLIMIT_NOFILE"), "{said}");
        assert!(*error == Value::Null || said.contains(&server.addr().to_string()), "{said}");
    }
}

#[test]
fn names_that_cannot_be_resolved_for_want_of_descriptors_say_so() {
    // These hold every descriptor there is until their time is over.
    let server = Server::start(|_| Reply::hang());
    let urls = [server.url("/[1-80]"), "http://n[1-20].invalid/".to_owned()];
    let words = ["get", &urls[0], &urls[1], "--concurrency", "100", "--retries", "0", "--timeout", "3s"];
    let words = [&words[..], &["--report", "json", "-q"]].concat();
    let report = under("-n 64", &words).run().expect_code(3).json();
    let results = report["results"].as_array().expect("a list");
    let of_names = results.iter().zip(endings(&report)).filter(|(_, ending)| ending == "io/dns");
    let said: Vec<&str> = of_names.filter_map(|(result, _)| result["error"]["message"].as_str()).collect();
    assert!(!said.is_empty() && said.iter().all(|line| line.contains("RLIMIT_NOFILE")), "{said:?} {report:#}");
}
