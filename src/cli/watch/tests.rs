//! A day of rounds in virtual time: only what is between rounds is virtual, the rounds themselves ask a server and write files.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use roundup::event_loop::sleep;

use super::*;
use crate::cli::config::OutputConfig;
use crate::cli::run::event_loop;

/// Waiting takes no time.
struct VirtualClock {
    start: Instant,
    time: SystemTime,
    passed: Cell<Duration>,
    /// Called before each wait.
    between: Box<dyn Fn()>,
}

impl clock::Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.start + self.passed.get()
    }

    fn time(&self) -> SystemTime {
        self.time + self.passed.get()
    }

    async fn wait(&self, time: Duration) {
        (self.between)();
        self.passed.set(self.passed.get() + time);
        sleep(Duration::ZERO).await;
    }
}

/// A server that counts what it is asked for: `/down` is down.
fn server() -> (String, Arc<Mutex<HashMap<String, usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::<Mutex<HashMap<String, usize>>>::default();
    let counted = asked.clone();
    let answer = move |stream: TcpStream| {
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        lines.find(|line| line.is_empty())?;
        let status = if path == "/down" { "503 Service Unavailable" } else { "200 OK" };
        let number = *counted.lock().expect("no panic").entry(path).and_modify(|it| *it += 1).or_insert(1);
        let body = format!("{{\"n\":{}}}", number / 100);
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
        write!(&stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).ok()
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream);
        }
    });
    (url, asked)
}

/// What the process holds: KiB of memory, descriptors, threads.
fn held() -> [usize; 3] {
    let count = |folder: &str| fs::read_dir(folder).expect("a folder").count();
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    let memory = memory.trim().trim_end_matches(" kB").parse().expect("a number");
    [memory, count("/proc/self/fd"), count("/proc/self/task")]
}

/// Watches a plan for so many rounds, and returns what was held after a tenth of them and at the end.
fn watch_for(rounds: u32, plan: &Path, words: &[(&'static str, String)]) -> (Exit, Vec<[usize; 3]>) {
    let typed = [("every", "60s".to_owned()), ("max_runs", rounds.to_string()), ("quiet", "1".to_owned())];
    let flags = Flags::typed(typed.into_iter().chain(words.iter().cloned()));
    let plan = plan.to_str().expect("UTF-8");
    let mut config = Config::new(&flags).expect("good options");
    let jobs = JobSet::from_plan(plan, &config).expect("a good plan");
    config.output = OutputConfig::new(&flags, &[]).expect("good reports");
    let spec = WatchSpec::new(plan, &jobs, &config, &flags).expect("good").expect("a time between rounds");
    let event_loop = event_loop(&config);
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let (counted, waits) = (seen.clone(), Cell::new(0));
    let between = move || {
        waits.set(waits.get() + 1);
        if waits.get() == rounds / 10 || waits.get() == rounds - 1 {
            counted.borrow_mut().push(held());
        }
    };
    let clock = VirtualClock {
        start: Instant::now(),
        time: SystemTime::now(),
        passed: Cell::default(),
        between: Box::new(between),
    };
    let exit = event_loop.run(async {
        let interrupts = Interrupts::listen_between_rounds(&event_loop);
        Watch::new(plan, &flags, &event_loop, &interrupts, clock, config, jobs, spec).run().await
    });
    let seen = seen.borrow().clone();
    (exit.expect("it started"), seen)
}

/// Runs this test in a process of its own, because what it holds is looked at. Whether this is that process.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "WATCH_TEST_IS_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let name = format!("cli::watch::tests::{test}");
    let mut alone = std::process::Command::new(std::env::current_exe().expect("this"));
    alone.args(["--exact", &name, "--nocapture", "--include-ignored"]).env(ALONE, "1");
    let output = alone.output().expect("it starts");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// Watches three sources, of which one is down, with two reports and hooks, and looks at what is held.
fn watch_three(rounds: u32, with_state: bool) {
    let (url, asked) = server();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let job =
        |name: &str, more: &str| format!("[[job]]\nname = \"{name}\"\nurl = \"{url}/{name}\"\nretries = 0\n{more}\n");
    let plan = folder.path().join("plan.toml");
    let jobs = job("up", "") + &job("value", "select = { n = \"/n\" }") + &job("down", "");
    fs::write(&plan, format!("[watch]\non_change = [\"true\"]\non_failure = [\"true\"]\n{jobs}")).expect("written");
    let mut words =
        vec![("report", format!("json={}", file("out.json"))), ("report", format!("jsonl={}", file("out.jsonl")))];
    if with_state {
        words.extend([("state", file("runs.db")), ("keep", "10".to_owned())]);
    }
    let started = Instant::now();
    let (exit, held) = watch_for(rounds, &plan, &words);
    println!("{rounds} rounds in {:?}: KiB, descriptors, threads {held:?}", started.elapsed());
    assert_eq!(exit, Exit::Failed, "there is a source that is down");
    let asked = asked.lock().expect("no panic");
    assert_eq!((asked["/up"], asked["/value"]), (rounds as usize, rounds as usize));
    // After 0, 1, 3, 7, 15, 31 and 63 minutes, and then each hour.
    let of_down =
        (0..rounds).filter(|minute| [0, 1, 3, 7, 15, 31].contains(minute) || minute % 60 == 3 && *minute > 60);
    assert_eq!(asked["/down"], of_down.count(), "asked less and less often");
    let [[early, early_files, _], [late, late_files, threads]] = held[..] else { panic!("{held:?}") };
    assert!(late < early + 1024, "memory grew from {early} KiB to {late} KiB");
    assert!(late_files <= early_files, "descriptors grew from {early_files} to {late_files}");
    // Of the test three, async-io's, the watchdog of the loop, and four for what blocks.
    assert!(threads <= 9, "{threads} threads");
    let lines = fs::read_to_string(file("out.jsonl")).expect("lines");
    assert_eq!(lines.lines().count(), rounds as usize * 4, "three results and the totals of each round");
}

#[test]
fn a_day_of_rounds_takes_no_more_than_its_first_hours() {
    if is_alone("a_day_of_rounds_takes_no_more_than_its_first_hours") {
        watch_three(24 * 60, false);
    }
}

#[cfg(feature = "state")]
#[test]
fn rounds_that_are_kept_take_no_more_either() {
    if is_alone("rounds_that_are_kept_take_no_more_either") {
        watch_three(240, true);
    }
}

/// `cargo test --release --bin roundup -- --ignored --nocapture a_week`
#[test]
#[ignore = "takes minutes"]
fn a_week_of_rounds_takes_no_more_than_its_first_day() {
    if is_alone("a_week_of_rounds_takes_no_more_than_its_first_day") {
        watch_three(7 * 24 * 60, cfg!(feature = "state"));
    }
}
