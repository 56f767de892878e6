//! What the sources of a run do: printed on SIGUSR1 and at half of a deadline; the tasks with -vv.

use super::{endings, line};
use crate::common::{Dir, PATIENCE, Reply, Server};

const SECRET: &str = "s3cr3t-t0ken-value";

#[cfg(unix)]
#[test]
fn sigusr1_lists_the_tasks_and_the_run_goes_on() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::start(move |_| {
        // Answers when the test has seen the list.
        let _ = held.lock().expect("whole").recv_timeout(PATIENCE);
        Reply::json("1")
    });
    let dir = Dir::new();
    let job = |more: &str, path: &str| format!("[[job]]\n{more}url = \"{}\"\n", server.url(path));
    // A job without a name is named by its URL.
    dir.write("plan.toml", job("name = \"weather\"\n", "/") + &job("", "/?t=${TOKEN}"));
    dir.write("secrets", format!("TOKEN={SECRET}\n"));
    let mut running = line("run plan.toml --secrets secrets --concurrency 1 --report json -vv").inside(&dir).spawn();
    server.wait_for(|stats| stats.requests == 1);
    running.signal(rustix::process::Signal::USR1);
    let seen = running.wait_for_stderr("  SIGUSR1  ");
    assert!(
        seen.contains("roundup: SIGUSR1: 0 of 2 sources done, 1 in flight, 0 to try again, 1 not begun\n"),
        "{seen}"
    );
    assert!(seen.contains("roundup:   weather: waiting for the response's head, "), "{seen}");
    // The tasks of the loop.
    assert!(seen.contains("  weather  "), "{seen}");
    // The smallest static binaries are built without the places of their code.
    assert!(seen.contains("src/fetcher/") || seen.contains("<redacted>:0:0"), "{seen}");
    release.send(()).expect("the server waits");
    server.wait_for(|stats| stats.requests == 2);
    running.signal(rustix::process::Signal::USR1);
    let seen = running.wait_for_stderr("/?t=${TOKEN}: waiting for the response's head");
    release.send(()).expect("the server waits");
    let output = running.wait().expect_code(0);
    assert_eq!(endings(&output.json()), ["ok", "ok"]);
    assert!(!output.stderr.contains(SECRET) && !seen.contains(SECRET), "{output:?}");
}

#[test]
fn half_of_a_deadline_that_is_over_lists_the_slowest_sources_once() {
    let server = Server::start(|_| Reply::hang());
    for (more, lists) in [("", 1), ("-q", 0)] {
        let output = line(&format!("get {} --deadline 400ms {more} --report json", server.url("/[1-2]"))).run();
        let output = output.expect_code(3);
        assert_eq!(output.stderr.matches("half of the deadline of 400ms is over: 0 of 2").count(), lists, "{output:?}");
        assert_eq!(output.stderr.matches("/2: ").count(), lists * 2, "{output:?}");
        assert!(!output.stderr.contains("STATE"), "{output:?}");
        assert_eq!(endings(&output.json()), ["cancelled/head"; 2]);
    }
    let quick = Server::start(|_| Reply::text("x"));
    let output = line(&format!("get {} --deadline 60s --report json", quick.url("/"))).run().expect_code(0);
    assert!(!output.stderr.contains("deadline"), "{output:?}");
}

/// A run of thousands filled the screen with its tasks.
#[test]
fn a_deadline_on_many_sources_shows_ten_and_how_many_more() {
    let server = Server::start(|_| Reply::hang());
    let get =
        format!("get {} --deadline 2s --concurrency 30 --per-host 30 --report json=/dev/null", server.url("/[1-3000]"));
    let output = line(&get).run().expect_code(3);
    let lines: Vec<&str> = output.stderr.lines().collect();
    // Once at half of the deadline, once at its end.
    assert_eq!(lines.len(), 1 + 10 + 1 + 10 + 1 + 1, "{lines:#?}");
    assert!(lines[0].contains("0 of 3000 sources done, 30 in flight, 0 to try again, 2970 not begun"), "{lines:#?}");
    assert_eq!((lines[11], lines[22]), ("roundup:   and 20 more", "roundup: and 2990 more"));
}
