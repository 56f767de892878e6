//! What all workers of a fleet do together: leave a host alone, spend a budget, share themselves among runs.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::fleet::{many, report, results, with_plan};
use super::redis::{Redis, worker};
use crate::common::{Dir, PATIENCE, Reply, Running, Server};

/// When a host was asked, by workers so many and of such options, that wants to be left alone for two seconds at once.
fn asked_of_a_host_that_pauses(limits: &str, workers: usize, words: &[&str]) -> Vec<Instant> {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let moments = asked.clone();
    let server = Server::start(move |_| {
        let mut moments = moments.lock().expect("no panic");
        moments.push(Instant::now());
        match moments.len() {
            1 => Reply::status(429).header("Retry-After", "2"),
            _ => Reply::json("{}").late(Duration::from_millis(20)),
        }
    });
    let url = server.url("/");
    let each = "each = { n = { from = 1, to = 60 } }";
    dir.write("plan.toml", format!("[limits]\n{limits}\n[[job]]\nurl = \"{url}?{{n}}\"\n{each}\n"));
    let _workers: Vec<Running> = (0..workers).map(|_| redis.worker(words)).collect();
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=report.json"]).run().expect_code(0);
    assert_eq!(report(&dir, "report.json")["summary"]["ok"], 60);
    std::mem::take(&mut *asked.lock().expect("no panic"))
}

/// What one worker is asked for holds for all.
#[test]
#[ignore = "needs redis-server"]
fn a_host_that_asks_one_to_wait_is_left_alone_by_all() {
    let asked = asked_of_a_host_that_pauses("per_host = 4", 4, &[]);
    let pause = asked[0] + Duration::from_millis(200)..asked[0] + Duration::from_millis(1900);
    let within = asked.iter().filter(|at| pause.contains(*at)).count();
    assert_eq!(within, 0, "of {} while the host was to be left alone", asked.len());
}

/// A pause was told when a request ended for good, and not when it was to be tried again.
#[test]
#[ignore = "needs redis-server"]
fn a_pause_is_told_before_the_next_request() {
    let asked = asked_of_a_host_that_pauses("per_host = 1", 3, &["--concurrency", "1"]);
    assert!(asked[1] - asked[0] >= Duration::from_millis(1900), "{:?}", asked[1] - asked[0]);
}

/// A redirect leads to a host that is paused: that is no pause of the host that it came from.
#[test]
#[ignore = "needs redis-server"]
fn a_pause_of_a_redirects_target_is_no_pause_of_its_source() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let paused = Server::start(|_| Reply::status(429).header("Retry-After", "3600"));
    let to = paused.url("/");
    let server = Server::start(move |request| match request.path() {
        "/moved" => Reply::redirect(302, &to),
        _ => Reply::json("{}").late(Duration::from_millis(20)),
    });
    let (first, url) = (paused.url("/first"), server.url("/"));
    let each = "each = { n = { from = 1, to = 12 } }";
    let plan = format!(
        "[[job]]\nname = \"first\"\nurl = \"{first}\"\n[[job]]\nname = \"moved\"\nurl = \"{url}moved?{{n}}\"\n{each}\n\
         [[job]]\nname = \"plain\"\nurl = \"{url}?{{n}}\"\n{each}\n"
    );
    dir.write("plan.toml", plan);
    let _workers: Vec<Running> = (0..2).map(|_| redis.worker(&["--concurrency", "1"])).collect();
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=report.json"]).run().expect_code(3);
    let report = report(&dir, "report.json");
    assert_eq!(report["summary"]["ok"], 12, "{report:#}");
    assert!(paused.stats().requests <= 2, "{} requests", paused.stats().requests);
}

/// The line of the documentation is all that a fleet needs.
#[test]
#[ignore = "needs redis-server"]
fn the_documented_user_may_do_all_that_a_fleet_does() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let line = include_str!("../../docs/fleet.md").lines().find(|line| line.starts_with("ACL SETUSER fleet"));
    let words: Vec<&str> = line.expect("it is there").split(' ').collect();
    assert_eq!(redis.ask(&words), "OK");
    let url = redis.url().replace("redis://", "redis://fleet:password@");
    let server = Server::start(|request| Reply::status(if request.path() == "/ill" { 503 } else { 200 }));
    let base = server.url("/");
    let plan = format!(
        "[[job]]\nname = \"get\"\nurl = \"{base}?{{n}}\"\neach = {{ n = [1, 2, 3] }}\n\
         [[job]]\nname = \"post\"\nurl = \"{base}post\"\ndata = \"x\"\n[[job]]\nname = \"ill\"\nurl = \"{base}ill\"\n"
    );
    dir.write("plan.toml", plan);
    let words = ["-q", "--lease", "300ms", "--retries", "1", "--rate", "50/s", "--fleet", &url];
    let run = with_plan(&dir, "run", &[&words[..], &["--report", "json=report.json"]].concat()).spawn();
    let mut worker = worker(&url, &[]).spawn();
    worker.wait_for_stderr("takes jobs from");
    run.wait().expect_code(3);
    assert_eq!(report(&dir, "report.json")["summary"]["ok"], 4);
    // Nothing is left, and what gives jobs back is allowed, too.
    server.wait_for(|stats| stats.in_flight == 0);
    let id = with_plan(&dir, "submit", &[&url]).run().expect_code(0).stdout().trim().to_owned();
    with_plan(&dir, "collect", &[&url, "--run", &id, "--cancel"]).run().expect_code(0);
    worker.signal(Signal::TERM);
    worker.wait().expect_code(0);
}

#[test]
#[ignore = "needs redis-server"]
fn a_host_that_asks_for_an_hour_ends_the_rest_unsent() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::status(429).header("Retry-After", "3600"));
    let url = server.url("/");
    let each = "each = { n = { from = 1, to = 60 } }";
    dir.write("plan.toml", format!("[limits]\nper_host = 2\n[[job]]\nurl = \"{url}?{{n}}\"\n{each}\n"));
    let _workers: Vec<Running> = (0..4).map(|_| redis.worker(&[])).collect();
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=report.json"]).run().expect_code(3);
    let report = report(&dir, "report.json");
    let unsent = |result: &&serde_json::Value| result["error"]["retry_at"].is_string();
    assert_eq!(report["results"].as_array().expect("results").iter().filter(unsent).count(), 60, "{report:#}");
    assert!(server.stats().requests <= 4, "{} requests", server.stats().requests);
}

/// A fifth of the first attempts of the run may be retries, by all workers together, above a floor of ten.
#[test]
#[ignore = "needs redis-server"]
fn retries_are_bounded_over_all_workers() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::status(500));
    many(&dir, &server, 80);
    let _workers: Vec<Running> = (0..4).map(|_| redis.worker(&["--concurrency", "3"])).collect();
    let words = ["-q", "--retries", "2", "--fleet", &redis.url(), "--report", "json=report.json"];
    with_plan(&dir, "run", &words).run().expect_code(3);
    assert_eq!(report(&dir, "report.json")["summary"]["failed"], 80);
    let requests = server.stats().requests;
    // 16 retries, and as many more as are decided on before the others have told of theirs. Of four by themselves, 40 at least.
    assert!((80..=80 + 16 + 12).contains(&requests), "{requests} requests");
}

/// Runs that are not collected keep their outcomes, and take no worker from other runs.
#[test]
#[ignore = "needs redis-server"]
fn runs_that_are_done_take_no_place() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::json("{}"));
    many(&dir, &server, 2);
    let worker = redis.worker(&[]);
    for done in 1..=10 {
        with_plan(&dir, "submit", &[&redis.url()]).run().expect_code(0);
        server.wait_for(|stats| stats.requests == done * 2);
    }
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=report.json"]).run().expect_code(0);
    assert_eq!(report(&dir, "report.json")["summary"]["ok"], 2);
    worker.signal(Signal::TERM);
    worker.wait().expect_code(0);
}

/// Each run takes over jobs of the dead by itself; together they send no more at once than the worker may.
#[test]
#[ignore = "needs redis-server"]
fn a_worker_sends_no_more_at_once_over_several_runs() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let (asked, now, most) = (AtomicUsize::new(0), AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let peak = most.clone();
    let server = Server::start(move |_| {
        if asked.fetch_add(1, Ordering::SeqCst) < 9 {
            return Reply::hang();
        }
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(30));
        now.fetch_sub(1, Ordering::SeqCst);
        Reply::json("{}")
    });
    many(&dir, &server, 9);
    let dead = redis.worker(&["--concurrency", "9"]);
    for _ in 0..3 {
        with_plan(&dir, "submit", &["--lease", "1s", &redis.url()]).run().expect_code(0);
    }
    server.wait_for(|stats| stats.requests == 9);
    dead.signal(Signal::KILL);
    dead.wait();
    let _worker = redis.worker(&["--concurrency", "2"]);
    server.wait_for(|stats| stats.requests >= 9 + 27);
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

/// COUNT of XREADGROUP holds for each stream, so a worker took a job of each run, and of each of the two streams of one.
#[test]
#[ignore = "needs redis-server"]
fn a_worker_takes_no_more_jobs_than_it_has_room_for() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::hang());
    many(&dir, &server, 3);
    let submit = || with_plan(&dir, "submit", &[&redis.url()]).run().expect_code(0).stdout().trim().to_owned();
    let runs = [submit(), submit()];
    let key = |run: &str, part: &str| format!("ru:{{{run}}}:{part}");
    // As the calls of logins, some are in the stream that goes before the other.
    for run in &runs {
        let entry = redis.ask(&["xrange", &key(run, "jobs"), "-", "+", "COUNT", "1"]);
        let [id, _, job, _, text] = entry.lines().collect::<Vec<_>>()[..] else { panic!("{entry}") };
        redis.ask(&["xdel", &key(run, "jobs"), id]);
        redis.ask(&["hset", &key(run, "meta"), "first", "1"]);
        redis.ask(&["xadd", &key(run, "first"), "9999999999999-1", "k", job, "j", text]);
    }
    let _worker = redis.worker(&["--concurrency", "1"]);
    server.wait_for(|stats| stats.requests == 1);
    let streams = runs.iter().flat_map(|run| [key(run, "first"), key(run, "jobs")]);
    let pending: Vec<String> =
        streams.map(|stream| redis.ask(&["xpending", &stream, "fleet", "-", "+", "9"])).collect();
    assert_eq!(pending.iter().filter(|jobs| !jobs.is_empty()).count(), 1, "{pending:?}");
    assert!(pending[0].starts_with("9999999999999-1") || pending[2].starts_with("9999999999999-1"), "{pending:?}");
}

/// A report that is written slowly slows the fleet: Redis does not fill with outcomes that are not taken.
#[test]
#[ignore = "needs redis-server"]
fn a_slow_collector_slows_the_fleet() {
    const JOBS: usize = 6000;
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::json(format!("\"{}\"", "x".repeat(1000))));
    many(&dir, &server, JOBS);
    let fifo = dir.join("report.jsonl");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("a fifo");
    let words = ["-q", "--per-host", "100", "--fleet", &redis.url(), "--report", "jsonl=report.jsonl"];
    let run = with_plan(&dir, "run", &words).spawn();
    let mut reader = std::fs::File::open(&fifo).expect("the run writes it");
    // They have nothing to do while the collector is slow, and are not to end for it.
    let _workers: Vec<Running> = (0..2).map(|_| redis.worker(&["--idle-exit", "1s"])).collect();
    // Nothing is read until no more is fetched.
    let (mut last, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_secs(2) {
        let now = server.stats().requests;
        if now != last || now == 0 {
            (last, since) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(last < JOBS - 500, "{last} of {JOBS} were fetched for a report that nobody reads");
    let mut all = String::new();
    reader.read_to_string(&mut all).expect("text");
    run.wait().expect_code(0);
    assert_eq!(all.lines().filter(|line| line.contains("\"type\":\"result\"")).count(), JOBS);
}

/// Each page had the whole time of its source.
#[test]
#[ignore = "needs redis-server"]
fn all_pages_of_a_source_share_its_time_over_all_workers() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|request| {
        let page: u32 = request.query().and_then(|query| query.strip_prefix("page=")?.parse().ok()).unwrap_or(1);
        let reply = Reply::json(format!("[{{\"page\":{page}}}]")).late(Duration::from_millis(400));
        if page < 12 { reply.header("Link", format!("<?page={}>; rel=\"next\"", page + 1)) } else { reply }
    });
    let job = format!("[[job]]\nname = \"list\"\nurl = \"{}\"\nrows = \"\"\njob_timeout = \"2s\"\n", server.url("/"));
    dir.write(
        "plan.toml",
        format!("{job}table = \"list\"\nselect = {{ page = \"/page\" }}\npages = {{ link = true }}\n"),
    );
    let _workers = [(); 2].map(|()| redis.worker(&[]));
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=report.json"]).run().expect_code(3);
    let report = report(&dir, "report.json");
    let message = results(&report)[0]["error"]["message"].as_str().expect("it failed");
    assert!(message.contains("2s"), "{message}");
    assert!((2..=6).contains(&server.stats().requests), "{} pages in 2 s", server.stats().requests);
}

/// The time of its collector before had gone on while no worker and no collector was there.
#[test]
#[ignore = "needs redis-server"]
fn a_run_that_stood_still_for_longer_than_job_timeout_is_collected() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let go = Arc::new(AtomicBool::new(false));
    let goes = go.clone();
    let server = Server::builder().malformed_ok().start(move |request| match request.query() {
        None => Reply::json("[{\"page\":1}]").header("Link", "<?page=2>; rel=\"next\""),
        Some(_) if !goes.load(Ordering::SeqCst) => Reply::hang(),
        Some(_) => Reply::json("[{\"page\":2}]"),
    });
    let job = format!("[[job]]\nname = \"list\"\nurl = \"{}\"\nrows = \"\"\njob_timeout = \"4s\"\n", server.url("/"));
    dir.write(
        "plan.toml",
        format!("{job}table = \"list\"\nselect = {{ page = \"/page\" }}\npages = {{ link = true }}\n"),
    );
    let (url, worker) = (redis.url(), redis.worker(&[]));
    let words = ["-q", "--lease", "500ms", "--fleet", &url, "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    server.wait_for(|stats| stats.requests == 2);
    for one in [run, worker] {
        one.signal(Signal::KILL);
        drop(one.wait());
    }
    go.store(true, Ordering::SeqCst);
    // What was left of its time is over by now, by any clock.
    std::thread::sleep(Duration::from_secs(4));
    let _worker = redis.worker(&[]);
    with_plan(&dir, "collect", &["-q", &url, "--report", "json=report.json"]).run().expect_code(0);
    assert_eq!(server.stats().requests, 3, "the first page is not asked for again");
}

/// As long as there were jobs to give, there was no sign of life, and workers were told of no new token.
#[test]
#[ignore = "needs redis-server"]
fn a_run_is_alive_while_its_jobs_are_given() {
    const JOBS: usize = 60_000;
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    many(&dir, &Server::builder().unused_ok().start(|_| Reply::json("{}")), JOBS);
    let words = ["-q", "--lease", "100ms", "--fleet", &redis.url(), "--report", "jsonl"];
    let _run = with_plan(&dir, "run", &words).spawn();
    let end = Instant::now() + PATIENCE * 2;
    let mut signs = BTreeSet::new();
    loop {
        let run = redis.ask(&["zrange", "ru:runs", "0", "-1"]);
        let sign = redis.ask(&["hget", &format!("ru:{{{run}}}:meta"), "seen"]);
        match redis.ask(&["xlen", &format!("ru:{{{run}}}:jobs")]).parse() {
            Ok(JOBS) => break,
            // Some were given before the sign, and some are after it.
            Ok(1..) if !sign.is_empty() => drop(signs.insert(sign)),
            _ => assert!(Instant::now() < end, "run {run:?} is not given"),
        }
    }
    assert!(signs.len() > 2, "signs of life at {signs:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn heads_of_redirects_come_along() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|request| match request.path() {
        "/old" => Reply::redirect(302, "/new").header("X-At", "the-old-place"),
        _ => Reply::text("here").header("X-At", "the-new-place"),
    });
    dir.write("plan.toml", format!("[[job]]\nurl = \"{}\"\n", server.url("/old")));
    let _worker = redis.worker(&[]);
    let heads = |words: &[&str]| {
        let output = with_plan(&dir, "run", &[&["-q", "-i"], words].concat()).run().expect_code(0);
        let heads = output.stdout().lines().filter(|line| line.starts_with("HTTP/") || line.contains("-place"));
        heads.map(str::to_owned).collect::<Vec<_>>()
    };
    let alone = heads(&[]);
    assert_eq!(heads(&["--fleet", &redis.url()]), alone);
    assert_eq!(alone.iter().filter(|line| line.contains("-place")).count(), 2, "{alone:?}");
}
