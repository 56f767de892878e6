//! Ctrl-C and requests to terminate: the first ends the run with a report, the second ends the program at once.
#![cfg(unix)]

use rustix::process::Signal;

use super::{endings, line};
use crate::common::{Dir, Reply, Running, Server, TestCommand, invocation};
use crate::report::schema::Schema;

/// One source of it answers, all others hang.
fn hanging() -> Server {
    Server::start(|request| match request.path() {
        "/good" => Reply::json("1"),
        _ => Reply::hang(),
    })
}

/// A run with one source that has ended, two under way and one that waits.
fn under_way(server: &Server, dir: &Dir, more: &str) -> Running {
    let words = format!("get {} {} --concurrency 2 -v {more}", server.url("/good"), server.url("/[1-3]"));
    let mut running = line(&words).inside(dir).spawn();
    server.wait_for(|stats| stats.requests == 3);
    // A response that was sent may not have been read yet.
    running.wait_for_stderr("status 200");
    running
}

#[test]
fn the_first_signal_ends_the_run_with_a_report() {
    let server = hanging();
    let dir = Dir::new();
    for (n, signal) in [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP].into_iter().enumerate() {
        let server = if n == 0 { &server } else { &hanging() };
        let running = under_way(server, &dir, "--report json --report json=report.json --report table=table.txt");
        running.signal(signal);
        let report = running.wait().expect_code(130).json();
        assert_eq!(endings(&report), ["ok", "cancelled/head", "cancelled/head", "skipped/queue"]);
        assert_eq!(report["interrupted"], true);
        assert_eq!(report["results"][0]["body"], 1);
        Schema::load().check(&report).expect("valid");
        let file: serde_json::Value = serde_json::from_str(&dir.read("report.json")).expect("JSON");
        assert_eq!(file, report);
        let table = dir.read("table.txt");
        assert!(
            table.contains("interrupted; 4 sources: 1 ok, 0 failed, 2 cancelled, 1 skipped")
                && table.contains("skipped"),
            "{table}"
        );
        assert_eq!(dir.names(), ["report.json", "table.txt"]);
    }
}

#[test]
fn contents_that_came_before_are_there() {
    let server = hanging();
    let running = under_way(&server, &Dir::new(), "--body");
    running.interrupt();
    assert_eq!(running.wait().expect_code(130).stdout(), "1");
}

/// The report goes to a pipe that is never read, so that the first signal cannot end the program.
#[test]
fn the_second_signal_ends_it_at_once() {
    let server = Server::start(|request| match request.path() {
        "/hang" => Reply::hang(),
        _ => Reply::text("x".repeat(1 << 20)),
    });
    let dir = Dir::new();
    let made = TestCommand::program("mkfifo").arg(dir.join("pipe")).run();
    assert!(made.status.success(), "{made:?}");
    // Open for both, so that neither side waits for the other and nothing is read.
    let pipe = std::fs::File::options().read(true).write(true).open(dir.join("pipe")).expect("the pipe");
    let words = format!("get {} {} --report json=pipe -v", server.url("/big"), server.url("/hang"));
    let mut running = line(&words).inside(&dir).spawn();
    running.wait_for_stderr("status 200");
    server.wait_for(|stats| stats.requests == 2);
    running.interrupt();
    running.wait_for_stderr("interrupted");
    running.interrupt();
    let output = running.wait();
    assert_eq!(output.code(), Some(130), "{output:?}");
    drop(pipe);
}

/// The same with stdout, on which the writer is stuck while the run goes on.
#[test]
fn a_stuck_stdout_does_not_stop_ctrl_c() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let server = Server::start(|_| Reply::text("x".repeat(1 << 20)));
    let words = invocation();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .args(["get", &server.url("/[1-3]"), "--body", "-q"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut stdout = child.stdout.take().expect("piped");
    // A megabyte is more than a pipe holds: after the first byte the writer is stuck.
    stdout.read_exact(&mut [0]).expect("a first byte");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::INT).expect("it runs");
    let mut status = child.try_wait().expect("ours");
    // Signals that come before the first was looked at become one with it: send until it has gone.
    let end = std::time::Instant::now() + crate::common::PATIENCE;
    while status.is_none() {
        assert!(std::time::Instant::now() < end, "it hangs");
        let _ = rustix::process::kill_process(pid, Signal::INT);
        std::thread::sleep(std::time::Duration::from_millis(5));
        status = child.try_wait().expect("ours");
    }
    assert_eq!(status.and_then(|status| status.code()), Some(130));
}

#[test]
fn a_comparison_that_is_interrupted_writes_its_report() {
    let server = hanging();
    let dir = Dir::new();
    let words = format!("compare {} {} --report json=report.json", server.url("/good"), server.url("/[1-2]"));
    let running = line(&words).inside(&dir).spawn();
    server.wait_for(|stats| stats.requests_under("/1") == 1);
    running.interrupt();
    let output = running.wait().expect_code(130);
    let report: serde_json::Value = serde_json::from_str(&dir.read("report.json")).expect("JSON");
    assert_eq!(endings(&report), ["skipped/queue"; 3]);
    assert_eq!(report["interrupted"], true);
    assert_eq!(output.stdout(), "");
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let server = Server::start(|request| match request.path() {
        "/good" => Reply::json("1"),
        _ => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").and_hang(),
    });
    let dir = Dir::new();
    let words = "--output-dir out --report json=report.json";
    let leftovers = || {
        let folder = std::fs::read_dir(dir.join("out")).into_iter().flatten().flatten();
        let names = folder.map(|entry| entry.file_name().to_string_lossy().into_owned()).chain(dir.names());
        names.filter(|name| name.starts_with(".roundup-")).count()
    };
    let running = line(&format!("get {} {words}", server.url("/half"))).inside(&dir).spawn();
    server.wait_for(|stats| stats.requests == 1);
    while leftovers() < 2 {
        std::thread::yield_now();
    }
    line(&format!("get {} {words}", server.url("/good"))).inside(&dir).run().expect_code(0);
    assert_eq!(leftovers(), 2, "they are in use");
    running.signal(Signal::KILL);
    running.wait();
    assert_eq!(leftovers(), 2);
    line(&format!("get {} {words}", server.url("/good"))).inside(&dir).run().expect_code(0);
    assert_eq!(leftovers(), 0);
}

/// The shell and the system both say that the terminal is gone, so the second does not end the run in the middle.
#[test]
fn a_hangup_that_comes_twice_leaves_the_report_whole() {
    let server = hanging();
    let dir = Dir::new();
    let running = under_way(&server, &dir, "--report json=report.json");
    running.signal(Signal::HUP);
    running.signal(Signal::HUP);
    running.wait().expect_code(130);
    let report: serde_json::Value = serde_json::from_str(&dir.read("report.json")).expect("JSON");
    assert_eq!(report["interrupted"], true);
}

#[test]
fn under_nohup_a_hangup_is_ignored() {
    let server = hanging();
    let url = server.url("/hang");
    let script = "trap '' HUP && exec \"$@\"";
    let command = TestCommand::program("sh").args(["-c", script, "sh"]).args(invocation());
    let running = command.args(["get", &url, "--report", "json"]).spawn();
    server.wait_for(|stats| stats.requests == 1);
    running.signal(Signal::HUP);
    running.interrupt();
    let report = running.wait().expect_code(130).json();
    assert_eq!(report["interrupted"], true);
}
