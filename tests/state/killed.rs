//! Runs that are killed and disks that fill: what was kept is kept, once, and is not fetched again.

use std::collections::{BTreeMap, BTreeSet};

use super::{line, query, texts};
use crate::common::{Dir, Reply, Server, TestCommand, invocation};

const SOURCES: usize = 120;

/// Kills a run when this many of its lines have come, goes on with it, and looks at the file and at what the server saw.
fn kill_after(lines: usize) {
    let server = Server::start(|request| match request.path().ends_with('7') {
        true => Reply::status(404),
        false => Reply::json("1"),
    });
    let dir = Dir::new();
    let words =
        format!("get {} --state runs.db --report jsonl -q --concurrency 8", server.url(&format!("/[1-{SOURCES}]")));
    let mut run = line(&dir, &words).spawn();
    let came = run.wait_for_lines(lines);
    drop(run);
    let announced: Vec<String> = came
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|line| Some(line["name"].as_str()?.to_owned()))
        .collect();
    assert!(announced.len() >= lines.min(SOURCES) - 1, "{came}");
    assert_eq!(texts(&dir, "pragma integrity_check"), ["ok"]);
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    texts(&dir, "select name from outcomes").into_iter().for_each(|name| *kept.entry(name).or_default() += 1);
    for name in &announced {
        assert_eq!(kept.get(name), Some(&1), "{name} was announced after {lines} lines");
    }
    // It may have come to its end before it was killed: then there is nothing to go on with.
    if texts(&dir, "select how from runs where how is not null") == ["done"] {
        return;
    }
    let before = server.requests().len();
    line(&dir, &format!("{words} --resume")).run().expect_code(3);
    assert_eq!(query::<usize>(&dir, "select count(*) from outcomes where run = 1"), [SOURCES]);
    for request in &server.requests()[before..] {
        let name = server.url(request.path());
        assert!(!kept.contains_key(&name), "{name} was fetched again, after {lines} lines");
    }
    // A request of the run that was killed may be counted late: it is of a source that is missing, too.
    let asked: BTreeSet<String> = server.requests()[before..].iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(asked.len(), SOURCES - kept.len());
    assert_eq!(dir.names(), ["runs.db"]);
}

#[test]
fn what_was_announced_is_kept_once_and_not_fetched_again() {
    for lines in [1, 20, 61, 90] {
        kill_after(lines);
    }
}

#[test]
#[ignore = "takes minutes; for releases"]
fn three_hundred_kills_lose_nothing() {
    for round in 0..300 {
        kill_after(1 + round * 7 % (SOURCES - 2));
    }
}

/// Runs with a file that cannot grow, and goes on when it can again.
fn fill(dir: &Dir, at_first: impl FnOnce(&str) -> TestCommand, then: impl FnOnce()) {
    let server = Server::start(|_| Reply::json("1"));
    // Long names make a file that grows fast.
    let url = server.url(&format!("/[1-{SOURCES}]?{}", "x".repeat(2000)));
    let words = format!("get {url} --state runs.db --report jsonl");
    let output = at_first(&words).inside(dir).run().expect_code(5);
    assert_eq!(output.stdout().lines().count(), SOURCES + 1, "{output:?}");
    assert!(output.stderr.contains("not all of this run is kept"), "{output:?}");
    assert_eq!(texts(dir, "pragma integrity_check"), ["ok"]);
    let kept = query::<usize>(dir, "select count(*) from outcomes")[0];
    assert!(kept < SOURCES);
    then();
    line(dir, &format!("{words} -q --resume")).run().expect_code(0);
    assert_eq!(server.requests().len(), 2 * SOURCES - kept);
    assert_eq!(query::<usize>(dir, "select count(*) from outcomes where run = (select max(id) from runs)"), [SOURCES]);
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_grow_costs_no_result_and_the_run_can_be_gone_on_with() {
    let dir = Dir::new();
    // The shell's limit is one of the process and not of the disk; blocks of 512 bytes.
    let limited = |words: &str| {
        let shell = "ulimit -f 400; exec \"$@\"";
        let words = words.split_whitespace().map(std::ffi::OsString::from);
        let all = ["-c".into(), shell.into(), "sh".into()].into_iter().chain(invocation()).chain(words);
        TestCommand::program("sh").args(all)
    };
    fill(&dir, limited, || {});
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "mounts file systems, which takes root; for releases"]
fn fifty_disks_that_fill_lose_nothing() {
    let system = |words: &str| {
        let mut words = words.split_whitespace();
        let output = TestCommand::program(words.next().expect("a program")).args(words).run();
        assert!(output.status.success(), "{output:?}");
    };
    for round in 0..50 {
        let dir = Dir::new();
        let place = dir.path().display().to_string();
        // The tables of a new file fit.
        let size = 256 + 4 * round;
        system(&format!("mount -t tmpfs -o size={size}k tmpfs {place}"));
        let grow = || system(&format!("mount -o remount,size=8m {place}"));
        fill(&dir, |words| TestCommand::new().args(words.split_whitespace()), grow);
        system(&format!("umount {place}"));
    }
}
