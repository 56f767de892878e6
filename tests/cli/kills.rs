//! Runs that are killed at any moment: a report is the old one or the new one, whole, and the next run cleans up.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Instant;

use rustix::process::Signal;

use super::line;
use crate::common::{Dir, Reply, Server};

/// The file of a report in each format.
const REPORTS: [&str; 4] = ["report.json", "report.jsonl", "report.csv", "report.txt"];

/// How many sources a run has.
const SOURCES: usize = 40;

#[test]
fn a_run_that_is_killed_leaves_the_old_report_or_the_new_one() {
    kill(3);
}

#[test]
#[ignore = "takes a minute: .ci/release runs it"]
fn a_hundred_runs_of_each_format_that_are_killed() {
    kill(100);
}

fn kill(times: u32) {
    let server = Server::start(|request| Reply::json(format!("[\"{}\"]", request.path().repeat(200))));
    let url = server.url(&format!("/[1-{SOURCES}]"));
    for file in REPORTS {
        let dir = Dir::new();
        let run = || line(&format!("get {url} --report {file} --output-dir out --per-host 8 -q")).inside(&dir);
        let started = Instant::now();
        run().run().expect_code(0);
        let duration = started.elapsed();
        let (mut old, mut new, mut left) = (0, 0, BTreeSet::new());
        for _ in 0..times {
            dir.write(file, "old");
            let before = server.stats().requests;
            let running = run().spawn();
            std::thread::sleep(duration.mul_f64(random() * 1.2));
            running.signal(Signal::KILL);
            running.wait();
            match dir.read(file).as_str() {
                "old" => old += 1,
                text => {
                    assert!(is_whole(file, text), "{file}: {text}");
                    new += 1;
                }
            }
            let now = temporary(&dir);
            // A run that has sent a request has cleaned up before.
            let older: Vec<&String> = now.intersection(&left).collect();
            assert!(older.is_empty() || server.stats().requests == before, "{file}: {older:?}");
            left = now;
        }
        run().run().expect_code(0);
        assert!(is_whole(file, &dir.read(file)), "{file}");
        assert_eq!(temporary(&dir), BTreeSet::new(), "{file}");
        let kept = dir.names().iter().filter(|name| name.contains(".part")).count();
        println!("{file}: {times} kills in {duration:?} each at most, {old} old, {new} new, {kept} results kept");
    }
}

/// Whether a report has all its sources and its end.
fn is_whole(file: &str, text: &str) -> bool {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    match file {
        "report.json" => json(text).is_some_and(|it| it["summary"]["ok"] == SOURCES && it["results"][39]["ok"] == true),
        "report.jsonl" => text.lines().count() == SOURCES + 1 && text.lines().all(|line| json(line).is_some()),
        "report.csv" => text.matches("\r\n").count() == SOURCES + 1,
        _ => text.contains("\n40 sources: 40 ok"),
    }
}

/// The temporary files in the folders of the report and of contents.
fn temporary(dir: &Dir) -> BTreeSet<String> {
    let out = std::fs::read_dir(dir.join("out")).into_iter().flatten().flatten();
    let names = out.map(|entry| entry.file_name().to_string_lossy().into_owned()).chain(dir.names());
    names.filter(|name| name.starts_with(".roundup-")).collect()
}

/// From 0 to 1. The standard library keys its hashes with numbers of the system.
fn random() -> f64 {
    let number = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(number).unwrap_or_default()) / f64::from(u32::MAX)
}
