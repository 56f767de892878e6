//! What the tasks of a run do: asked for by SIGUSR1, and said when half of a deadline is over.

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
    // Without a name of its own, a job is called what its URL is.
    dir.write("plan.toml", job("name = \"weather\"\n", "/") + &job("", "/?t=${TOKEN}"));
    dir.write("secrets", format!("TOKEN={SECRET}\n"));
    let mut running = line("run plan.toml --secrets secrets --concurrency 1 --report json").inside(&dir).spawn();
    server.wait_for(|stats| stats.requests == 1);
    running.signal(rustix::process::Signal::USR1);
    let seen = running.wait_for_stderr("SIGUSR1  ");
    assert!(seen.contains("roundup: SIGUSR1: ") && seen.contains("  weather  "), "{seen}");
    assert!(seen.contains("src/fetcher/run.rs:"), "{seen}");
    release.send(()).expect("the server waits");
    server.wait_for(|stats| stats.requests == 2);
    running.signal(rustix::process::Signal::USR1);
    let seen = running.wait_for_stderr("/?t=${TOKEN}  ");
    release.send(()).expect("the server waits");
    let output = running.wait().expect_code(0);
    assert_eq!(endings(&output.json()), ["ok", "ok"]);
    assert!(!output.stderr.contains(SECRET) && !seen.contains(SECRET), "{output:?}");
}

#[test]
fn half_of_a_deadline_that_is_over_lists_the_tasks_once() {
    let server = Server::start(|_| Reply::hang());
    for (more, lists) in [("", 1), ("-q", 0)] {
        let output = line(&format!("get {} --deadline 400ms {more} --report json", server.url("/[1-2]"))).run();
        let output = output.expect_code(3);
        assert_eq!(output.stderr.matches("half of the deadline of 400ms is over").count(), lists, "{output:?}");
        assert_eq!(output.stderr.matches("STATE").count(), lists, "{output:?}");
        assert_eq!(endings(&output.json()), ["cancelled/head"; 2]);
    }
    let quick = Server::start(|_| Reply::text("x"));
    let output = line(&format!("get {} --deadline 60s --report json", quick.url("/"))).run().expect_code(0);
    assert!(!output.stderr.contains("deadline"), "{output:?}");
}
