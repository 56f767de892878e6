//! Random schedules, held to what must be true of all of them.

use std::num::NonZeroU32;
use std::time::Duration;

use fastrand::Rng;

use super::*;
use crate::limits::{HostKey, HostLimits};
use crate::origin::parse_url;
use crate::units::Rate;

const HOSTS: usize = 6;

/// A world of hosts that serve, refuse, redirect and fail by chance, driven as the driver drives the queue.
struct World {
    random: Rng,
    queue: Queue,
    urls: Vec<Url>,
    limits: Vec<HostLimits>,
    run_rate: Option<Rate>,
    concurrency: usize,
    now: Instant,
    /// Requests under way: their job, their host by number, and their lease.
    running: Vec<(JobNumber, usize, Lease)>,
    starts: Vec<Vec<Instant>>,
    paused: Vec<Option<Instant>>,
    /// By job: how many requests are still allowed, and how often it ended.
    jobs: Vec<(u32, u32)>,
    /// Where a job's next request goes.
    at_host: Vec<usize>,
    /// Since when a job waits.
    waits_since: Vec<Instant>,
    drawn: usize,
    firsts: usize,
    /// How bad this world is, in percent.
    refuses: u8,
    fails: u8,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Rng::with_seed(seed);
        let now = Instant::now();
        let rates = ["3/s", "10/s", "100/s", "7/2s"];
        let rate = |random: &mut Rng| random.bool().then(|| rates[random.usize(..4)].parse().expect("a rate"));
        let limits: Vec<HostLimits> = (0..HOSTS)
            .map(|_| HostLimits { per_host: NonZeroU32::new(random.u32(1..6)), rate: rate(&mut random) })
            .collect();
        let key = |host: usize| HostKey::new(&format!("h{host}")).expect("a host");
        let run_rate = rate(&mut random);
        let hosts = limits.iter().enumerate().map(|(host, limits)| (key(host), *limits)).collect();
        let mut queue = Queue::new(Limits { rate: run_rate, hosts, ..Limits::default() }, LimitState::default());
        let urls: Vec<Url> = (0..HOSTS).map(|host| parse_url(&format!("http://h{host}/")).expect("good")).collect();
        let count = random.usize(1..120);
        let at_host: Vec<usize> = (0..count).map(|_| random.usize(..HOSTS)).collect();
        for (job, host) in at_host.iter().enumerate() {
            queue.push(QueuedJob::fresh(job, random.i8(-1..2)), &urls[*host], now).expect("good");
        }
        World {
            concurrency: random.usize(1..20),
            refuses: random.u8(..30),
            fails: if random.u8(..4) == 0 { random.u8(..100) } else { random.u8(..20) },
            random,
            queue,
            urls,
            limits,
            run_rate,
            now,
            running: Vec::new(),
            starts: vec![Vec::new(); HOSTS],
            paused: vec![None; HOSTS],
            jobs: vec![(6, 0); count],
            waits_since: vec![now; count],
            at_host,
            drawn: 0,
            firsts: 0,
        }
    }

    fn run(mut self) {
        let began = self.now;
        loop {
            assert!(self.now < began + Duration::from_secs(20_000), "it does not end");
            let next = if self.running.len() < self.concurrency { Some(self.queue.next(self.now)) } else { None };
            match next {
                Some(Next::Start { job, lease }) => self.start(job, lease),
                Some(Next::End { job, host, .. }) => {
                    self.check_waited(job.number, host);
                    self.jobs[job.number].1 += 1;
                }
                Some(Next::Done) => break,
                Some(Next::At(at)) => {
                    assert!(at > self.now, "the driver would spin");
                    if self.random.u8(..20) == 0 && self.forget_one() {
                        continue;
                    } else if self.running.is_empty() || self.random.bool() {
                        self.now = at;
                    } else {
                        self.now += (at - self.now).mul_f64(self.random.f64());
                        self.end_one();
                    }
                }
                Some(Next::Wait) => {
                    assert!(!self.running.is_empty(), "jobs wait for nothing");
                    self.pass_and_end_one();
                }
                None => self.pass_and_end_one(),
            }
        }
        self.check_the_end();
    }

    fn start(&mut self, job: JobNumber, lease: Lease) {
        let host = self.at_host[job];
        self.firsts += usize::from(self.jobs[job].0 == 6);
        self.check_waited(job, lease.host);
        self.jobs[job].0 -= 1;
        assert!(self.paused[host].is_none_or(|until| until <= self.now), "a paused host was asked");
        self.starts[host].push(self.now);
        self.running.push((job, host, lease));
        let at_host = self.running.iter().filter(|(_, other, _)| *other == host).count();
        assert!(at_host <= self.limits[host].per_host.map_or(usize::MAX, |most| most.get() as usize));
    }

    /// The time of a job that waits is over; false if none waits.
    fn forget_one(&mut self) -> bool {
        let is_running = |job: JobNumber| self.running.iter().any(|(running, ..)| *running == job);
        let waiting = (0..self.jobs.len()).filter(|job| self.jobs[*job].1 == 0 && !is_running(*job));
        let waiting: Vec<JobNumber> = waiting.collect();
        let Some(job) = self.random.choice(&waiting).copied() else { return false };
        let waited = self.queue.forget(job, &self.urls[self.at_host[job]], self.now);
        self.check_causes(job, &waited);
        self.jobs[job].1 += 1;
        true
    }

    fn check_waited(&mut self, job: JobNumber, host: HostIndex) {
        let waited = self.queue.take_waited(job, host, self.now);
        self.check_causes(job, &waited);
    }

    /// Each moment of a wait has one cause, and none that cannot be.
    fn check_causes(&self, job: JobNumber, waited: &WaitTimes) {
        assert_eq!(waited.total(), self.now - self.waits_since[job], "{waited:?}");
        let is_paced = self.run_rate.or(self.limits[self.at_host[job]].rate).is_some();
        assert!(is_paced || waited.of(WaitCause::Rate).is_zero(), "there is no rate: {waited:?}");
        let is_again = self.jobs[job].0 < 6;
        assert!(is_again || waited.of(WaitCause::Retry).is_zero(), "it was not tried before: {waited:?}");
    }

    fn pass_and_end_one(&mut self) {
        self.now += Duration::from_micros(self.random.u64(1..200_000));
        self.end_one();
    }

    fn end_one(&mut self) {
        let (job, host, lease) = self.running.swap_remove(self.random.usize(..self.running.len()));
        let dice = self.random.u8(..100);
        let verdict = match dice {
            _ if dice < self.fails => Verdict::Unreached,
            _ if dice < self.fails.saturating_add(self.refuses) => Verdict::Refused,
            98 => Verdict::Unclear,
            99 => Verdict::Reached,
            _ => Verdict::Served,
        };
        self.queue.ended(lease, verdict, self.now);
        let later = self.now + Duration::from_millis(self.random.u64(..3000));
        match verdict {
            Verdict::Refused if self.random.u8(..20) == 0 => self.queue.close(lease.host, later, self.now),
            Verdict::Refused => {
                self.queue.pause(lease.host, later, self.now);
                self.paused[host] = self.paused[host].max(Some(later));
            }
            // A redirect to any host.
            Verdict::Served if self.random.u8(..5) == 0 && self.jobs[job].0 > 0 => {
                self.at_host[job] = self.random.usize(..HOSTS);
                return self.again(job, self.now, false);
            }
            _ => {}
        }
        if verdict == Verdict::Served || self.jobs[job].0 == 0 {
            self.jobs[job].1 += 1;
        } else {
            self.again(job, later, !matches!(verdict, Verdict::Refused | Verdict::Unreached));
        }
    }

    fn again(&mut self, job: JobNumber, at: Instant, draws: bool) {
        self.waits_since[job] = self.now;
        let retry = Retry {
            job: QueuedJob::again(job, 0),
            url: &self.urls[self.at_host[job]],
            at,
            draws,
            cause: WaitCause::Retry,
        };
        if !self.queue.retry(retry, self.now).expect("good") {
            self.jobs[job].1 += 1;
        }
        self.drawn = self.queue.budget.drawn();
        assert!(self.drawn <= 10.max(self.firsts / 5), "{} retries of {} jobs", self.drawn, self.firsts);
    }

    fn check_the_end(&self) {
        assert!(self.jobs.iter().all(|(_, ends)| *ends == 1), "a job did not end once: {:?}", self.jobs);
        assert!(self.queue.gone.is_empty(), "jobs that are not there are to be passed by: {:?}", self.queue.gone);
        for (host, starts) in self.starts.iter().enumerate() {
            check_rate(self.limits[host].rate, starts);
        }
        let mut all: Vec<Instant> = self.starts.concat();
        all.sort();
        check_rate(self.run_rate, &all);
    }
}

fn check_rate(rate: Option<Rate>, starts: &[Instant]) {
    let Some(rate) = rate else { return };
    for (first, begin) in starts.iter().enumerate() {
        let within = starts[first..].iter().take_while(|start| **start - *begin <= rate.per()).count();
        assert!(within <= rate.count().get() as usize, "{within} starts within {:?} for {rate}", rate.per());
    }
}

#[test]
fn thousands_of_random_schedules_hold_to_all_limits() {
    for seed in 0..2000 {
        let world = World::new(seed);
        let run = std::panic::AssertUnwindSafe(|| world.run());
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("in the schedule of seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
