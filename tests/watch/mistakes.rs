//! Mistakes in `[watch]`, `--every` and `--max-runs`: one line, before anything is fetched.

use super::{line, write_plan};
use crate::common::{Dir, Reply, Server};

#[test]
fn options_that_are_wrong_are_named() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("1"));
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a"]);
    for (words, text) in [
        ("run plan.toml --every 0s", "--every: a time limit of 0"),
        ("run plan.toml --every soon", "--every: \"soon\""),
        ("run plan.toml --every 60s --max-runs 0", "--max-runs: "),
        ("run plan.toml --max-runs 3", "--max-runs needs the time between rounds: write --every 60s"),
        ("get http://127.0.0.1:1/ --every 60s", "--every"),
    ] {
        let output = line(&dir, words).run().expect_code(1);
        assert!(output.stderr.contains(text), "{output:?}");
    }
    assert_eq!(server.stats().connections, 0);
}

#[test]
fn plans_that_are_wrong_are_told_of() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("1"));
    let dir = Dir::new();
    dir.write("text", "no program");
    for (watch, text) in [
        ("every = \"0s\"", "leaves no time"),
        ("every = 60", "expected a string such as \"10s\""),
        ("every = \"1s\"\njitter = \"2s\"", "jitter is longer than every"),
        ("every = \"1s\"\nmax_runs = 0", "write a whole number from 1"),
        ("every = \"1s\"\non_change = \"mail me\"", "a list of a program and its arguments"),
        ("every = \"1s\"\non_change = []", "it names no program"),
        ("every = \"1s\"\non_failure = [\"\"]", "it names no program"),
        ("every = \"1s\"\non_change = [\"no-such-program-here\"]", "there is no program \"no-such-program-here\""),
        ("every = \"1s\"\non_failure = [\"./text\"]", "text is not a program"),
        ("evry = \"1s\"", "did you mean \"every\""),
        ("max_runs = 1", "every is missing: write every = \"60s\", or --every 60s"),
    ] {
        if cfg!(windows) && text.contains("program") {
            continue;
        }
        write_plan(&dir, &server, &format!("[watch]\n{watch}\n"), &["a"]);
        let output = line(&dir, "run plan.toml").run().expect_code(2);
        let checked = line(&dir, "check plan.toml").run().expect_code(2);
        assert_eq!(checked.stderr, output.stderr, "what is wrong with a run is wrong here");
        assert!(output.stderr.contains(text) && output.stderr.contains("plan.toml"), "{watch}: {output:?}");
    }
    assert_eq!(server.stats().connections, 0);
}

/// What keeps the first round from starting is an error at once, as without rounds.
#[test]
fn a_report_that_cannot_be_written_ends_it_before_the_first_round() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("1"));
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a"]);
    let output = line(&dir, "run plan.toml --every 1s --report json=none/out.json").run().expect_code(5);
    assert!(output.stderr.contains("there is no folder"), "{output:?}");
    assert_eq!(server.stats().connections, 0);
}
