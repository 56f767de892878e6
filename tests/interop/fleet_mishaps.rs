//! What becomes of a fleet's run when its Redis and its workers die.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::fleet::{many, report, results, with_plan};
use super::redis::{Redis, lossy_way_to, worker};
use crate::common::{Dir, Reply, Running, Server};

/// Each job has one outcome, whoever dies. What was under way in a worker that died is asked for again.
#[test]
#[ignore = "needs redis-server"]
fn who_dies_costs_no_outcome() {
    const JOBS: usize = 2000;
    let (mut redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::json("{}").late(Duration::from_millis(5)));
    many(&dir, &server, JOBS);
    let words = ["-q", "--lease", "1s", "--fleet", &redis.url(), "--per-host", "100", "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    let mut workers: Vec<Running> = (0..3).map(|_| redis.worker(&[])).collect();
    let (mut killed, mut restarted) = (0, 0);
    for step in 1..=12 {
        server.wait_for(|stats| stats.requests >= JOBS * step / 13);
        if step % 4 == 0 {
            redis.kill_and_start();
            restarted += 1;
        } else {
            let place = step % workers.len();
            workers[place].signal(Signal::KILL);
            workers[place] = redis.worker(&[]);
            killed += 1;
        }
    }
    let output = run.wait().expect_code(0);
    let report = report(&dir, "report.json");
    let names: std::collections::BTreeSet<&str> =
        results(&report).iter().map(|result| result["name"].as_str().expect("a name")).collect();
    assert_eq!((names.len(), results(&report).len()), (JOBS, JOBS), "{output:?}");
    let most = JOBS + killed * 10 + restarted * 30;
    assert!(server.stats().requests <= most, "{} requests for {JOBS} jobs", server.stats().requests);
}

/// A job that must not be sent twice is not, and says that nobody knows.
#[test]
#[ignore = "needs redis-server"]
fn a_post_whose_worker_died_is_not_sent_again() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|request| match request.method.as_str() {
        "POST" => Reply::hang(),
        _ => Reply::json("{}"),
    });
    let url = server.url("/");
    dir.write(
        "plan.toml",
        format!(
            "[[job]]\nname = \"order\"\nurl = \"{url}\"\ndata = \"one\"\n[[job]]\nname = \"get\"\nurl = \"{url}\"\n"
        ),
    );
    let words = ["-q", "--lease", "500ms", "--fleet", &redis.url(), "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    let first = redis.worker(&[]);
    server.wait_for(|stats| stats.seen.iter().any(|request| request.method == "POST"));
    first.signal(Signal::KILL);
    let _second = redis.worker(&[]);
    run.wait().expect_code(3);
    let report = report(&dir, "report.json");
    let error = &results(&report)[0]["error"];
    assert_eq!(error["message"], "it is not known whether it was sent: its worker died", "{report:#}");
    assert_eq!(results(&report)[1]["ok"], true);
    assert_eq!(server.requests().iter().filter(|request| request.method == "POST").count(), 1);
}

/// Redis may be away for longer than a lease. Then all workers look dead to the first that is back, and are not.
#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_is_away_for_longer_than_a_lease_lets_nobody_look_dead() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let go = Arc::new(AtomicBool::new(false));
    let goes = go.clone();
    let server = Server::start(move |_| match goes.load(Ordering::Relaxed) {
        true => Reply::json("{}"),
        false => Reply::json("{}").late(Duration::from_secs(4)),
    });
    many(&dir, &server, 4);
    let lease = Duration::from_secs(1);
    let words = ["-q", "--lease", "1s", "--fleet", &redis.url(), "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    let workers = [redis.worker(&["--concurrency", "2"]), redis.worker(&["--concurrency", "2"])];
    server.wait_for(|stats| stats.requests == 4);
    // With room for what they might take over.
    let _third = redis.worker(&[]);
    redis.signal(Signal::STOP);
    workers.iter().for_each(|worker| worker.signal(Signal::STOP));
    std::thread::sleep(lease * 2);
    go.store(true, Ordering::Relaxed);
    redis.signal(Signal::CONT);
    // The third is back before those that have the jobs.
    std::thread::sleep(lease * 2 / 3);
    workers.iter().for_each(|worker| worker.signal(Signal::CONT));
    run.wait().expect_code(0);
    assert_eq!(server.stats().requests, 4, "none was asked for again");
}

/// What is sent again because its reply was lost counts once: a POST is sent once, neither twice nor never.
#[test]
#[ignore = "needs redis-server"]
fn what_is_sent_again_counts_once() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let first = AtomicBool::new(true);
    let server = Server::start(move |_| match first.swap(false, Ordering::Relaxed) {
        true => Reply::hang(),
        false => Reply::json("{}"),
    });
    let url = server.url("/");
    let each = "each = { n = { from = 1, to = 8 } }";
    let plan =
        format!("[limits]\nper_host = 1\n[[job]]\nname = \"j[{{n}}]\"\nurl = \"{url}?{{n}}\"\ndata = \"x\"\n{each}\n");
    dir.write("plan.toml", plan);
    let lossy = lossy_way_to(&redis);
    let words = ["-q", "--fleet", &redis.url(), "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    let mut ends = worker(&lossy, &[]).spawn();
    ends.wait_for_stderr("takes jobs from");
    server.wait_for(|stats| stats.requests == 1);
    ends.signal(Signal::TERM);
    // It takes what the first gives back at once, before that is given back again.
    let _second = redis.worker(&[]);
    ends.wait().expect_code(0);
    run.wait().expect_code(3);
    let report = report(&dir, "report.json");
    assert_eq!((&report["summary"]["ok"], &report["summary"]["failed"]), (&7.into(), &1.into()), "{report:#}");
    let targets: std::collections::BTreeSet<String> = server.requests().iter().map(|it| it.target.clone()).collect();
    assert_eq!((targets.len(), server.stats().requests), (8, 8), "each was sent once");
}

/// A job that kills those who fetch it ends when three have died.
#[test]
#[ignore = "needs redis-server"]
fn a_job_with_which_workers_die_ends() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::hang());
    many(&dir, &server, 1);
    let words = ["-q", "--lease", "300ms", "--fleet", &redis.url(), "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    for number in 1..=3 {
        let worker = redis.worker(&[]);
        server.wait_for(|stats| stats.requests == number);
        worker.signal(Signal::KILL);
    }
    let _fourth = redis.worker(&[]);
    run.wait().expect_code(3);
    let report = report(&dir, "report.json");
    assert_eq!(results(&report)[0]["error"]["message"], "3 workers died with it", "{report:#}");
    assert_eq!(server.stats().requests, 3);
}

/// Told to end, a worker finishes what it can and gives back the rest, which another fetches before any lease is over.
#[test]
#[ignore = "needs redis-server"]
fn a_worker_that_ends_gives_back_what_it_holds() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let first = std::sync::atomic::AtomicBool::new(true);
    let server = Server::start(move |_| match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
        true => Reply::hang(),
        false => Reply::json("{}"),
    });
    many(&dir, &server, 1);
    let words = ["-q", "--lease", "1h", "--fleet", &redis.url(), "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    let worker = redis.worker(&[]);
    server.wait_for(|stats| stats.requests == 1);
    worker.signal(Signal::TERM);
    worker.wait().expect_code(0);
    let _second = redis.worker(&[]);
    run.wait().expect_code(0);
    assert_eq!(server.stats().requests, 2);
    assert_eq!(results(&report(&dir, "report.json"))[0]["ok"], true);
}

/// A Redis that gets full while a run goes on holds it up, and nothing is lost when it has room again.
#[test]
#[ignore = "needs redis-server"]
fn a_redis_that_gets_full_is_waited_for() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::json("{}").late(Duration::from_millis(20)));
    many(&dir, &server, 400);
    let run = with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=report.json"]).spawn();
    let mut worker = redis.worker(&[]);
    server.wait_for(|stats| stats.requests > 50);
    redis.ask(&["config", "set", "maxmemory", "1"]);
    worker.wait_for_stderr("is full: give it more than its maxmemory allows, or let other keys go; trying again");
    redis.ask(&["config", "set", "maxmemory", "0"]);
    worker.wait_for_stderr("goes on");
    run.wait().expect_code(0);
    assert_eq!(report(&dir, "report.json")["summary"]["ok"], 400);
    assert_eq!(server.stats().requests, 400);
}

/// Redis gives a word alone as `ERR GONE`, which ended each worker that had jobs of a run that was cancelled.
#[test]
#[ignore = "needs redis-server"]
fn a_run_that_is_cancelled_ends_no_worker() {
    let go = Arc::new(AtomicBool::new(false));
    let goes = go.clone();
    let server = Server::start(move |_| if goes.load(Ordering::Relaxed) { Reply::json("{}") } else { Reply::hang() });
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    many(&dir, &server, 6);
    let worker = redis.worker(&["--concurrency", "2"]);
    let id = with_plan(&dir, "submit", &[&redis.url()]).run().expect_code(0).stdout().trim().to_owned();
    server.wait_for(|stats| stats.requests >= 2);
    with_plan(&dir, "collect", &[&redis.url(), "--run", &id, "--cancel"]).run().expect_code(0);
    // What is left of another run holds up nothing either.
    redis.ask(&["hset", "ru:{0123456789ab}:meta", "version", "0"]);
    redis.ask(&["zadd", "ru:runs", "1", "0123456789ab"]);
    go.store(true, Ordering::Relaxed);
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=r.json"]).run().expect_code(0);
    assert_eq!(report(&dir, "r.json")["summary"]["ok"], 6);
    worker.signal(Signal::TERM);
    worker.wait().expect_code(0);
}

/// A run of which only the description is left was asked for jobs again and again, and no other run was.
#[test]
#[ignore = "needs redis-server"]
fn a_run_without_jobs_holds_up_no_other() {
    let server = Server::start(|_| Reply::json("{}"));
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    many(&dir, &server, 6);
    let id = with_plan(&dir, "submit", &[&redis.url()]).run().expect_code(0).stdout().trim().to_owned();
    redis.ask(&["copy", &format!("ru:{{{id}}}:meta"), "ru:{0123456789ab}:meta"]);
    redis.ask(&["zadd", "ru:runs", "1", "0123456789ab"]);
    let worker = redis.worker(&[]);
    with_plan(&dir, "collect", &[&redis.url(), "--run", &id, "--report", "json=r.json"]).run().expect_code(0);
    assert_eq!(report(&dir, "r.json")["summary"]["ok"], 6);
    worker.signal(Signal::TERM);
    worker.wait().expect_code(0);
}

/// `-v` was read, and nothing of it was printed while a worker worked.
#[test]
#[ignore = "needs redis-server"]
fn a_worker_says_what_it_does() {
    let server = Server::start(|_| Reply::json("{}"));
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    many(&dir, &server, 1);
    let mut worker = redis.worker(&["-v"]);
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=r.json"]).run().expect_code(0);
    worker.wait_for_stderr(": attempt 1 in ");
    worker.signal(Signal::TERM);
    worker.wait().expect_code(0);
}

/// Contents were saved by what renews leases as well: a disk that took longer than a lease had requests sent twice by another
/// worker, and a POST that was answered counted as lost.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs redis-server and a C compiler"]
fn a_slow_disk_costs_no_lease() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let large = "x".repeat(300 << 10);
    let server = Server::start(move |_| Reply::text(&large));
    let job = |n: usize, more: &str| format!("[[job]]\nname = \"{n}\"\nurl = \"{}\"\n{more}", server.url("/"));
    dir.write("plan.toml", job(1, "data = \"an order\"\n") + &job(2, "") + &job(3, ""));
    dir.write("slow.c", "#include <unistd.h>\nint fsync(int fd) { (void)fd; sleep(3); return 0; }\nint fdatasync(int fd) { return fsync(fd); }\n");
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o", "slow.so", "slow.c"])
        .current_dir(dir.path())
        .status()
        .expect("a C compiler");
    assert!(compiled.success());
    let slow = dir.join("slow.so").display().to_string();
    let mut slow_worker =
        worker(&redis.url(), &["--output-dir", "contents"]).inside(&dir).env("LD_PRELOAD", &slow).spawn();
    slow_worker.wait_for_stderr("takes jobs from");
    let words = ["-q", "--lease", "1s", "--fleet", &redis.url(), "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    server.wait_for(|stats| stats.requests == 3);
    let _other = redis.worker(&[]);
    let output = run.wait().expect_code(0);
    let report = report(&dir, "report.json");
    assert_eq!((&report["summary"]["ok"], server.stats().requests), (&json!(3), 3), "{output:?}");
    assert!(results(&report).iter().all(|result| result["body_file"].is_string()), "{report}");
}
