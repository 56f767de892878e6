//! A run in virtual time: ten thousand jobs on two hundred hosts with limits that the client is not told of.
//!
//! `cargo test --lib fetcher::simulation -- --nocapture` prints what it came to, with a plot.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use url::Url;

use super::advice::Advice;
use super::host::{QueuedJob, Verdict};
use super::limit_state::LimitState;
use super::queue::{Lease, Next, Queue, Retry};
use super::retry::{FailedAttempt, RetryDecision, decide};
use crate::error::Kind;
use crate::limits::Limits;
use crate::origin::parse_url;
use crate::settings::Settings;
use crate::wait_times::WaitCause;

const HOSTS: usize = 200;
const JOBS: usize = 10_000;
const SECOND: Duration = Duration::from_secs(1);

/// A host as it is, which the client does not know.
struct SimulatedHost {
    service: Duration,
    /// How many it serves at once, and how many in a second; it refuses more.
    at_once: usize,
    a_second: usize,
    /// How many in a hundred fail.
    fails: u8,
    serving: usize,
    served: VecDeque<Instant>,
    jobs: usize,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Good,
    Failed,
    /// In so many milliseconds it may be asked again.
    Refused(u64),
}

impl SimulatedHost {
    fn new(number: usize) -> SimulatedHost {
        let service = Duration::from_millis([50, 120, 300, 800][number / 7 % 4]);
        let (at_once, a_second) = match number % 20 {
            0 | 1 => (2, usize::MAX),
            2 | 3 => (5, usize::MAX),
            4 => (usize::MAX, 5),
            5 | 6 => (usize::MAX, 20),
            _ => (usize::MAX, usize::MAX),
        };
        let fails = if number % 20 > 17 { 5 } else { 0 };
        SimulatedHost { service, at_once, a_second, fails, serving: 0, served: VecDeque::new(), jobs: 0 }
    }

    fn answer(&mut self, now: Instant, dice: u8) -> (Answer, Duration) {
        let quick = Duration::from_millis(5);
        if self.serving >= self.at_once {
            return (Answer::Refused(1000), quick);
        }
        while self.served.front().is_some_and(|at| *at + SECOND <= now) {
            self.served.pop_front();
        }
        if self.served.len() >= self.a_second {
            return (Answer::Refused(1000), quick);
        }
        self.served.push_back(now);
        self.serving += 1;
        (if dice < self.fails { Answer::Failed } else { Answer::Good }, self.service)
    }

    /// The least time that its jobs can take.
    fn optimum(&self, per_host: usize) -> f64 {
        let at_once = self.at_once.min(per_host) as f64;
        let by_rate = if self.a_second == usize::MAX { 0.0 } else { (self.jobs as f64 / self.a_second as f64) - 1.0 };
        (self.jobs as f64 * self.service.as_secs_f64() / at_once).max(by_rate)
    }
}

/// A run under way.
struct Simulation {
    random: fastrand::Rng,
    queue: Queue,
    hosts: Vec<SimulatedHost>,
    urls: Vec<Url>,
    settings: Settings,
    tries: Vec<u32>,
    now: Instant,
    /// Ends of requests.
    events: BinaryHeap<Reverse<(Instant, usize)>>,
    running: BTreeMap<usize, (usize, Lease, Answer)>,
    requests: usize,
    refusals: Vec<Duration>,
    starts: Vec<Duration>,
    lost: usize,
    done: usize,
}

impl Simulation {
    fn new(limits: Limits, seed: u64) -> Simulation {
        let now = Instant::now();
        let mut queue = Queue::new(limits, LimitState::default());
        let mut hosts: Vec<SimulatedHost> = (0..HOSTS).map(SimulatedHost::new).collect();
        let url = |host| parse_url(&format!("http://h{host}.example/")).expect("good");
        let urls: Vec<Url> = (0..HOSTS).map(url).collect();
        for job in 0..JOBS {
            hosts[job % HOSTS].jobs += 1;
            queue.push(QueuedJob::fresh(job, 0), &urls[job % HOSTS], now).expect("good");
        }
        Simulation {
            random: fastrand::Rng::with_seed(seed),
            queue,
            hosts,
            urls,
            settings: Settings { retries: 5, ..Settings::default() },
            tries: vec![0; JOBS],
            now,
            events: BinaryHeap::new(),
            running: BTreeMap::new(),
            requests: 0,
            refusals: Vec::new(),
            starts: Vec::new(),
            lost: 0,
            done: 0,
        }
    }

    fn run(&mut self, concurrency: usize) -> Duration {
        let began = self.now;
        loop {
            let next = if self.running.len() < concurrency { self.queue.next(self.now) } else { Next::Wait };
            match next {
                Next::Start { job, lease } => {
                    self.starts.push(self.now - began);
                    self.start(job, lease);
                }
                Next::End { .. } => self.lost += 1,
                Next::Done => return self.now - began,
                Next::At(at) => match self.events.peek() {
                    Some(Reverse((end, _))) if *end <= at => self.end_one(began),
                    _ => self.now = at,
                },
                Next::Wait => self.end_one(began),
            }
        }
    }

    fn start(&mut self, job: usize, lease: Lease) {
        let dice = self.random.u8(..100);
        let (answer, takes) = self.hosts[job % HOSTS].answer(self.now, dice);
        self.events.push(Reverse((self.now + takes, job)));
        self.running.insert(job, (job % HOSTS, lease, answer));
        self.requests += 1;
        self.tries[job] += 1;
    }

    fn end_one(&mut self, began: Instant) {
        let Reverse((at, job)) = self.events.pop().expect("something is under way");
        self.now = at;
        let (host, lease, answer) = self.running.remove(&job).expect("it was started");
        let (verdict, advice, status) = match answer {
            Answer::Good => (Verdict::Served, Advice::default(), 200),
            Answer::Failed => (Verdict::Reached, Advice::default(), 503),
            Answer::Refused(ms) => {
                (Verdict::Refused, Advice { refused: true, wait: Some(Duration::from_millis(ms)) }, 429)
            }
        };
        if let Answer::Refused(_) = answer {
            self.refusals.push(at - began);
        } else {
            self.hosts[host].serving -= 1;
        }
        self.queue.ended(lease, verdict, at);
        if let Some(wait) = advice.wait {
            self.queue.pause(lease.host, at + wait, at);
        }
        if answer == Answer::Good {
            self.done += 1;
            return;
        }
        let failed = FailedAttempt {
            kind: Kind::Status,
            may_pass: None,
            status: Some(status),
            answered: true,
            unreached: false,
            advice,
        };
        let again = match decide(&self.settings, failed, self.tries[job] - 1, None, self.random.f64()) {
            RetryDecision::Again(wait) => {
                let job = QueuedJob::again(job, 0);
                let retry = Retry {
                    job,
                    url: &self.urls[host],
                    at: at + wait,
                    draws: !advice.refused,
                    cause: WaitCause::Retry,
                };
                self.queue.retry(retry, at).expect("good")
            }
            _ => false,
        };
        self.lost += usize::from(!again);
    }
}

/// How many of these there were in each sixtieth of the run: `\u{2581}` to `\u{2588}`, a blank for none, and the most.
fn plot(times: &[Duration], took: f64) -> String {
    const COLUMNS: usize = 60;
    let mut counts = [0_usize; COLUMNS];
    for time in times {
        counts[((time.as_secs_f64() / took * COLUMNS as f64) as usize).min(COLUMNS - 1)] += 1;
    }
    let most = counts.into_iter().max().unwrap_or(0).max(1);
    let mark = |count: usize| match count {
        0 => ' ',
        count => char::from_u32(0x2580 + (8 * count).div_ceil(most) as u32).unwrap_or('?'),
    };
    let line: String = counts.into_iter().map(mark).collect();
    format!("|{line}| at most {:.0} a second", most as f64 * COLUMNS as f64 / took)
}

#[test]
fn ten_thousand_jobs_on_two_hundred_hosts() {
    for (name, concurrency, adaptive) in
        [("default", 100, false), ("1,000 at once", 1000, false), ("adaptive", 1000, true)]
    {
        for seed in 1..=5 {
            let limits = Limits { adaptive, ..Limits::default() };
            check(&format!("{name}, seed {seed}"), limits, concurrency, seed);
        }
    }
}

/// Runs it, prints what it came to, and holds that against what could be.
fn check(name: &str, limits: Limits, concurrency: usize, seed: u64) {
    let per_host = limits.per_host.map_or(usize::MAX, |most| most.get() as usize);
    let mut run = Simulation::new(limits, seed);
    let took = run.run(concurrency).as_secs_f64();
    let work: f64 = run.hosts.iter().map(|host| host.jobs as f64 * host.service.as_secs_f64()).sum();
    let of_hosts = run.hosts.iter().map(|host| host.optimum(per_host));
    let optimum = of_hosts.fold(work / concurrency as f64, f64::max);
    // The first round finds out what hosts take.
    let later = run.refusals.iter().filter(|at| **at > 2 * SECOND).count();
    let share = |n: usize| 100.0 * n as f64 / run.requests as f64;
    println!(
        "{name:<22} {took:6.1} s, {:.2} of the optimum of {optimum:.1} s; {} requests, {:.1} % refused, {:.2} % after the \
         first round; {} of {JOBS} succeeded",
        took / optimum,
        run.requests,
        share(run.refusals.len()),
        share(later),
        run.done,
    );
    if seed == 1 {
        println!("  requests {}", plot(&run.starts, took));
        println!("  refused  {}", plot(&run.refusals, took));
    }
    assert_eq!(run.done + run.lost, JOBS, "{name}: each job ends once");
    assert!(took <= 1.15 * optimum, "{name}: {took:.1} s where {optimum:.1} s would do");
    // Two thirds of these are of the hosts that take five in a second: each of their pauses ends with finding that out.
    assert!(100 * later <= run.requests, "{name}: {later} of {} requests refused after the first round", run.requests);
}
