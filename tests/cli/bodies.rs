//! Contents on stdout: in input order, each whole, and a quiet end when the pipe is closed.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use super::{line, roundup};
use crate::common::{PATIENCE, Reply, Server, TestCommand, invocation};

#[cfg(unix)]
#[test]
fn in_input_order_though_the_last_comes_first() {
    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let server = Server::start({
        let turn = turn.clone();
        move |request| {
            let number: u8 = request.path()[1..].parse().expect("a number");
            let now = turn.0.lock().expect("no panic");
            let waited = turn.1.wait_timeout_while(now, PATIENCE, |now| *now != number).expect("no panic");
            assert!(!waited.1.timed_out(), "it is never the turn of {number}");
            Reply::text(char::from(b'a' + number).to_string().repeat(200_000))
        }
    });
    // The report's lines show how far the run is.
    let words = format!("get {} --body --report jsonl=/dev/stderr -q", server.url("/[1-5]"));
    let mut running = line(&words).spawn();
    server.wait_for(|stats| stats.in_flight == 5);
    for number in (1..=5).rev() {
        *turn.0.lock().expect("no panic") = number;
        turn.1.notify_all();
        running.wait_for_stderr(&format!("\"index\":{},", number - 1));
    }
    let output = running.wait().expect_code(0);
    let expected: String = "bcdef".chars().map(|letter| letter.to_string().repeat(200_000)).collect();
    assert!(output.stdout() == expected, "{} bytes", output.stdout().len());
}

#[test]
fn what_failed_has_no_content_and_holds_nobody_up() {
    let server = Server::start(|request| match request.path() {
        "/2" => Reply::status(404).body("not this"),
        path => Reply::text(path.to_owned()),
    });
    let output = roundup(["get", &server.url("/1"), "nonsense", &server.url("/[2-3]"), "--body"]).run().expect_code(3);
    assert_eq!(output.stdout(), "/1/3");
    assert_eq!(output.stderr.lines().count(), 3, "{output:?}");
}

/// Runs a shell pipe as a user would type it: `$@` runs the binary, `$URL` is one.
#[cfg(unix)]
fn pipe(script: &str, server: &Server) -> (String, String, Option<i32>) {
    let shell = TestCommand::program("sh").args(["-c", script, "sh"]).args(invocation());
    let output = shell.env("URL", server.url("/")).run();
    (output.stdout().to_owned(), output.stderr.clone(), output.code())
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_it_quietly() {
    let server = Server::start(|_| Reply::text("x".repeat(100_000)));
    for words in ["--body", "--report json", "--report jsonl", "--report table", "--body --verbose 2>/dev/null"] {
        // Takes the exit code of roundup past `head`.
        let script =
            format!("exec 4>&1; {{ {{ \"$@\" get \"$URL[1-40]\" {words}; echo $? >&4; }} | head -c 1 >/dev/null; }}");
        let (code, stderr, _) = pipe(&script, &server);
        assert_eq!(code.trim(), "0", "{words}: {stderr}");
        let quiet = !stderr.contains("panicked") && !stderr.contains("roken pipe") && !stderr.contains("interrupted");
        assert!(quiet, "{words}: {stderr}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_gone_ends_the_run() {
    let server = Server::start(|request| match request.path() {
        "/hang" => Reply::hang(),
        _ => Reply::text("x".repeat(100)),
    });
    // If the run did not end, this would hang for more than 30 seconds.
    let words = invocation();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .args(["get", &server.url("/[1-300]"), &server.url("/hang"), "--report", "jsonl", "--retries", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut byte = [0];
    child.stdout.take().expect("piped").read_exact(&mut byte).expect("a first byte");
    let output = child.wait_with_output().expect("an end");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_once() {
    let server = Server::start(|_| Reply::json("1"));
    for words in ["--report json=/dev/full", "--report jsonl=/dev/full", "--report table=/dev/full"] {
        let output = line(&format!("get {} -q {words}", server.url("/[1-5]"))).run().expect_code(5);
        assert!(output.stderr.contains("/dev/full") && output.stderr.lines().count() == 1, "{output:?}");
    }
    for words in ["", "--body", "--report json", "--report jsonl"] {
        let (_, stderr, code) = pipe(&format!("\"$@\" get \"$URL[1-5]\" -q {words} >/dev/full"), &server);
        assert_eq!((code, stderr.lines().count()), (Some(5), 1), "{words}: {stderr}");
        assert!(stderr.contains("stdout"), "{words}: {stderr}");
    }
}
