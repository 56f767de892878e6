//! `-v` and `-vv`: attempts as they end, and heads.

use super::line;
use crate::common::{Dir, PATIENCE, Reply, Server};

#[test]
fn attempts_are_printed_as_they_end_and_not_when_their_source_does() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::start(move |request| match request.nth {
        1 => Reply::status(503).body("{\"message\":\"starting up\"}"),
        _ => {
            // Answers when the test has seen the first attempt.
            let _ = held.lock().expect("whole").recv_timeout(PATIENCE);
            Reply::json("1")
        }
    });
    let mut running = line(&format!("get {} -v", server.url("/"))).spawn();
    let seen = running.wait_for_stderr(": attempt 1 in ");
    let seen = if seen.contains("starting up") { seen } else { running.wait_for_stderr("starting up") };
    assert!(seen.contains(": status: 503: starting up"), "{seen}");
    release.send(()).expect("the server waits");
    let output = running.wait().expect_code(0);
    assert!(output.stderr.contains(": attempt 2 in ") && output.stderr.contains("connection reused: status 200"));
    assert_eq!(output.stderr.matches(": attempt 1 in ").count(), 1, "{output:?}");
    assert!(!output.stderr.contains("> GET"), "{output:?}");
}

#[test]
fn heads_are_printed_as_by_curl_with_secrets_hidden() {
    let secret = "s3cr3t-t0ken-value";
    let server = Server::start(|request| match request.path() {
        "/moved" => Reply::redirect(302, "/there"),
        _ => Reply::json("1").header("Set-Cookie", "sid=s3cr3t-session").header("X-A", "b"),
    });
    let dir = Dir::new();
    let job = format!(
        "[[job]]\nurl = \"{}?t=${{TOKEN}}\"\nheaders = {{ X-B = \"${{TOKEN}}\", Cookie = \"a=plain-cookie\" }}\n",
        server.url("/moved")
    );
    dir.write("plan.toml", job);
    dir.write("secrets", format!("TOKEN={secret}\n"));
    let output = line("run plan.toml --secrets secrets -vv --bearer t0ken-of-mine").inside(&dir).run().expect_code(0);
    for text in [
        "roundup: > GET http://127.0.0.1:",
        "/moved?t=${TOKEN} HTTP/1.1\n",
        "roundup: > Host: 127.0.0.1:",
        "roundup: > X-B: [redacted]\n",
        "roundup: > Cookie: [redacted]\n",
        "roundup: > Authorization: [redacted]\n",
        "roundup: < HTTP/1.1 302",
        "roundup: < Location: /there\n",
        "roundup: > GET /there HTTP/1.1\n",
        "roundup: < HTTP/1.1 200 OK\n",
        "roundup: < X-A: b\n",
        "roundup: < Set-Cookie: [redacted]\n",
        ": attempt 1 in ",
    ] {
        assert!(output.stderr.contains(text), "{text}: {}", output.stderr);
    }
    for text in ["s3cr3t", "plain-cookie", "t0ken-of-mine"] {
        assert!(!output.stderr.contains(text), "{text}: {}", output.stderr);
    }
}

#[test]
fn progress_in_a_log_is_a_line_now_and_then() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::start(move |_| {
        let _ = held.lock().expect("whole").recv_timeout(PATIENCE);
        Reply::json("1")
    });
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let busy = Server::start(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Reply::status(429).header("Retry-After", "12"),
        _ => Reply::json("1"),
    });
    let urls = format!("{} {}", server.url("/"), busy.url("/"));
    let mut running = line(&format!("get {urls} --progress plain")).spawn();
    let seen = running.wait_for_stderr("in flight");
    assert!(seen.starts_with("roundup: 0/2 done, 1 in flight, 0 failed, 0 retried"), "{seen}");
    let paused = format!("; http://127.0.0.1:{}: paused for ", busy.port());
    assert!(seen.contains(&paused), "{seen}");
    release.send(()).expect("the server waits");
    let output = running.wait().expect_code(0);
    assert!(!output.stderr.contains('\x1b'), "{output:?}");
}
