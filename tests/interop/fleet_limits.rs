//! Limits that hold over all workers of a fleet.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::fleet::{report, with_plan};
use super::redis::Redis;
use crate::common::{Dir, Reply, Running, Server};

/// Runs jobs with these limits by four workers, and gives the moments at which the server was asked.
fn run(redis: &Redis, limits: &str, jobs: usize, takes: Duration) -> (Vec<Instant>, Server) {
    let dir = Dir::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let moments = asked.clone();
    let server = Server::start(move |_| {
        moments.lock().expect("no panic").push(Instant::now());
        Reply::json("{}").late(takes)
    });
    let plan = format!(
        "[limits]\n{limits}\n[[job]]\nname = \"j\"\nurl = \"{}?{{n}}\"\neach = {{ n = {{ from = 1, to = {jobs} }} }}\n",
        server.url("/")
    );
    dir.write("plan.toml", plan);
    let _workers: Vec<Running> = (0..4).map(|_| redis.worker(&[])).collect();
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=report.json"]).run().expect_code(0);
    assert_eq!(report(&dir, "report.json")["summary"]["ok"], jobs);
    let mut asked = std::mem::take(&mut *asked.lock().expect("no panic"));
    asked.sort();
    (asked, server)
}

/// The most that are within one second, which begins with any of them.
fn most_in_a_second<T: Copy + PartialOrd>(moments: &[T], is_within: impl Fn(T, T) -> bool) -> usize {
    let within = |from: &T| moments.iter().filter(|at| **at >= *from && is_within(*from, **at)).count();
    moments.iter().map(within).max().unwrap_or(0)
}

#[test]
#[ignore = "needs redis-server"]
fn a_rate_holds_over_all_workers() {
    const JOBS: usize = 150;
    let redis = Redis::start(&[]);
    let monitor = redis.write_down();
    let (asked, _server) = run(&redis, "rate = \"50/s\"\nper_host = 1000", JOBS, Duration::ZERO);
    // The moments at which requests may leave, by the clock of Redis: it notes when the next one may. No scheduler is in between.
    let noted = monitor.wait_for(JOBS, ":rate\" \"*\" \"");
    let starts = noted.iter().map(|line| {
        let number = line.rsplit('"').nth(1).expect("a number in quotes");
        number.parse::<u64>().expect("microseconds")
    });
    let starts: Vec<u64> = starts.collect();
    assert_eq!(starts.len(), JOBS);
    let leaves = most_in_a_second(&starts, |from, at| at - from < 1_000_000);
    assert!((49..=51).contains(&leaves), "{leaves} may leave in a second");
    // They leave 20.4 ms apart, so a second has 50. On a machine that has much else to do one leaves late, by the tens of
    // milliseconds for which its worker waits for its turn, and those behind it on time: each 20 ms bring one more.
    let second = Duration::from_secs(1);
    let came = most_in_a_second(&asked, |from, at| at - from < second);
    assert!(came <= 53, "{came} came in a second");
    let took = *asked.last().expect("some") - asked[0];
    assert!(took < Duration::from_secs(5), "{took:?} for 150 at 50 a second");
}

#[test]
#[ignore = "needs redis-server"]
fn so_many_at_a_host_are_so_many_over_all_workers() {
    let redis = Redis::start(&[]);
    let (_, server) = run(&redis, "per_host = 7", 200, Duration::from_millis(20));
    let stats = server.stats();
    assert!((5..=7).contains(&stats.peak_in_flight), "{} at once", stats.peak_in_flight);
    assert_eq!(stats.requests, 200);
    let (_, server) = run(&redis, "concurrency = 3", 60, Duration::from_millis(20));
    assert!((2..=3).contains(&server.stats().peak_in_flight), "{} at once", server.stats().peak_in_flight);
}

/// What a worker had under way counts until its lease is over, and no longer.
#[test]
#[ignore = "needs redis-server"]
fn places_of_a_worker_that_died_come_back() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let first = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| match first.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 | 1 => Reply::hang(),
        _ => Reply::json("{}"),
    });
    let each = "each = { n = { from = 1, to = 6 } }";
    let plan = format!("[limits]\nper_host = 2\n[[job]]\nurl = \"{}?{{n}}\"\n{each}\n", server.url("/"));
    dir.write("plan.toml", plan);
    let words = ["-q", "--lease", "1s", "--fleet", &redis.url(), "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    let worker = redis.worker(&[]);
    server.wait_for(|stats| stats.requests == 2);
    worker.signal(rustix::process::Signal::KILL);
    let _second = redis.worker(&[]);
    run.wait().expect_code(0);
    assert_eq!(report(&dir, "report.json")["summary"]["ok"], 6);
}
