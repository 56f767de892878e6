//! Memory and threads, as far as the release build goes: a debug build takes more and is held to nothing.

use super::files::{Nginx, into_folder};
use super::httpbin::Httpbin;
use super::peer::watch;
use super::{Get, MIB, saved};
use crate::common::{Dir, Reply, Server, TestCommand};

/// Fails if the most memory was none or more than this.
#[track_caller]
fn within(peak_kib: u64, limit_kib: u64) {
    let limit_kib = if std::env::var_os("ROUNDUP_TEST_BINARY").is_some() { limit_kib } else { u64::MAX };
    assert!((1..=limit_kib).contains(&peak_kib), "{peak_kib} KiB and not at most {limit_kib} KiB");
}

#[test]
#[ignore = "needs nginx, and 2 GB of disk"]
fn twenty_files_of_100_mib_take_24_mib_of_memory() {
    let server = Nginx::start();
    let dir = Dir::new();
    let urls = (0..20).map(|n| server.http(&format!("/100m?n={n}")));
    let got = Get::all(urls).with(into_folder(dir.path())).with(["--concurrency", "20"]).run();
    for result in got.results() {
        let file = saved(result, dir.path());
        assert_eq!(std::fs::metadata(&file).map(|about| about.len()).ok(), Some(100 * MIB), "{}", file.display());
    }
    within(got.usage.peak_kib, 24 * 1024);
}

#[test]
#[ignore = "needs httpbin"]
fn fifty_sources_take_2_mib_of_memory_of_their_own_and_six_threads() {
    let server = Httpbin::start();
    // All at once, and for long enough to be looked at.
    let urls = (0..50).map(|n| server.url(&format!("/delay/1?n={n}")));
    let got = Get::all(urls).with(["--concurrency", "50"]).run();
    println!("{:?}", got.usage);
    within(got.usage.peak_own_kib, 2 * 1024);
    // How many pages of the program's 13 MB and of libc come with it depends on what the system has at hand: 8 to 9 MiB.
    within(got.usage.peak_kib, 14 * 1024);
    // The main thread, the helper of async-io, and four for what blocks.
    assert!((1..=6).contains(&got.usage.threads.len()), "{:?}", got.usage.threads);
}

/// A job that waits is a row of its table: its URL and name are made when it starts.
#[test]
#[ignore = "measures the release build"]
fn a_hundred_thousand_jobs_of_a_plan_wait_in_60_mib() {
    let waiting = |jobs: usize| {
        let server = Server::start(|_| Reply::hang());
        let dir = Dir::new();
        let url = server.url("/{n}");
        let each = format!("each = {{ n = {{ from = 1, to = {jobs} }} }}\nselect = {{ v = \"/v\" }}");
        dir.write("plan.toml", format!("[[job]]\nname = \"j\"\nurl = \"{url}\"\n{each}\n"));
        let command = TestCommand::new().args(["run", "plan.toml", "--concurrency", "1", "--report", "jsonl=lines"]);
        let running = command.inside(&dir).spawn();
        let watched = watch(running.pid());
        // All jobs are there before the first request is made.
        server.wait_for(|stats| stats.requests == 1);
        drop(running);
        watched.join().expect("the watch does not panic").peak_own_kib
    };
    let (few, many) = (waiting(1_000), waiting(100_000));
    println!("{few} KiB with 1,000 jobs, {many} KiB with 100,000: {} bytes a job", (many - few) * 1024 / 99_000);
    within(many, 60 * 1024);
}
