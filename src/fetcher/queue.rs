//! Which job may start next: order, per-host caps, rates and pauses. Pure: the caller brings the time.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::time::Instant;

use url::Url;

use super::rate::Pacer;
use crate::error::Result;
use crate::limits::Limits;
use crate::origin::Origin;

/// Jobs that wait, by host.
///
/// They start in input order, except that a job whose host may not be asked now lets those of other hosts pass. A step
/// costs the logarithm of the number of hosts and of jobs; nothing is searched from end to end.
#[derive(Debug)]
pub(super) struct Queue {
    hosts: Vec<Host>,
    by_origin: HashMap<Origin, usize>,
    /// The host of the job that was added last: lists name one host many times in a row.
    last: Option<(Origin, usize)>,
    /// Hosts with a job that may start, by their first job.
    open: BTreeSet<(usize, usize)>,
    /// Hosts to look at again when the time has come.
    held: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Jobs to put back when the time has come, with their host.
    delayed: BinaryHeap<Reverse<(Instant, Waiting, usize)>>,
    pacer: Option<Pacer>,
    waiting: usize,
    running: usize,
    limits: Limits,
    /// Places in `hosts` that are free.
    vacant: Vec<usize>,
    /// How many hosts there may be before those that are idle are forgotten.
    sweep_at: usize,
}

/// A job that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    /// Its place in the input, by which jobs are ordered.
    pub(super) index: usize,
    /// Where the caller has what is known of it.
    pub(super) key: usize,
}

#[derive(Debug)]
struct Host {
    /// Those that came in input order, which is all but those that are tried again.
    jobs: VecDeque<Waiting>,
    again: BinaryHeap<Reverse<Waiting>>,
    running: u32,
    /// Jobs of it in [`Queue::delayed`].
    delayed: u32,
    per_host: Option<u32>,
    /// How many at once the host has shown to take: set when it refuses, raised slowly while it does not.
    learned: Option<Learned>,
    paused_until: Option<Instant>,
    pacer: Option<Pacer>,
}

/// A cap that was learned from refusals (additive increase, multiplicative decrease; RFC 5681 names the idea).
#[derive(Clone, Copy, Debug)]
struct Learned {
    cap: u32,
    successes: u32,
}

/// Raise a learned cap by one after this many rounds without a refusal.
const ROUNDS: u32 = 4;

/// As many hosts are remembered though they are idle, with what was learned of them. A queue that jobs are added to for
/// days must not keep them all.
const MAX_IDLE_HOSTS: usize = 1_024;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Start this job of this host; it counts as running until [`Queue::ended`].
    Start { job: Waiting, host: usize },
    /// Nothing may start before then, unless a running job ends.
    At(Instant),
    /// Nothing may start until a running job ends.
    Wait,
    /// Nothing waits and nothing runs.
    Done,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Queue {
        Queue {
            hosts: Vec::new(),
            by_origin: HashMap::new(),
            last: None,
            open: BTreeSet::new(),
            held: BinaryHeap::new(),
            delayed: BinaryHeap::new(),
            pacer: limits.rate.map(Pacer::new),
            waiting: 0,
            running: 0,
            limits,
            vacant: Vec::new(),
            sweep_at: MAX_IDLE_HOSTS,
        }
    }

    /// Adds a job. Jobs are numbered in input order.
    ///
    /// # Errors
    /// Those of [`Origin::of`].
    pub(super) fn push(&mut self, job: Waiting, url: &Url, now: Instant) -> Result<()> {
        let host = match &self.last {
            Some((last, host)) if last.is_of(url) => *host,
            _ => self.host_of(Origin::of(url)?, now),
        };
        self.waiting += 1;
        self.enqueue(job, host);
        Ok(())
    }

    fn host_of(&mut self, origin: Origin, now: Instant) -> usize {
        let host = match self.by_origin.get(&origin) {
            Some(host) => *host,
            None => self.add_host(&origin, now),
        };
        self.last = Some((origin, host));
        host
    }

    /// The next job that may start.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        while let Some(Reverse((at, job, host))) = self.delayed.peek().copied() {
            if at > now {
                break;
            }
            self.delayed.pop();
            self.hosts[host].delayed -= 1;
            self.enqueue(job, host);
        }
        while let Some(Reverse((at, host))) = self.held.peek().copied() {
            if at > now {
                break;
            }
            self.held.pop();
            self.reopen(host);
        }
        let paced_until = self.pacer.as_ref().and_then(|pacer| pacer.wait_until(now));
        while let Some((first, index)) = self.open.pop_first() {
            let host = &mut self.hosts[index];
            if host.is_full() {
                // Looked at again when one of its jobs ends.
                continue;
            }
            if let Some(until) = host.wait_until(now) {
                self.held.push(Reverse((until, index)));
                continue;
            }
            if let Some(until) = paced_until {
                self.open.insert((first, index));
                return Next::At(until);
            }
            let Some(job) = host.pop() else { continue };
            host.running += 1;
            if let Some(pacer) = &mut host.pacer {
                pacer.start(now);
            }
            if let Some(pacer) = &mut self.pacer {
                pacer.start(now);
            }
            self.waiting -= 1;
            self.running += 1;
            self.reopen(index);
            return Next::Start { job, host: index };
        }
        let held = self.held.peek().map(|Reverse((at, _))| *at);
        let delayed = self.delayed.peek().map(|Reverse((at, _, _))| *at);
        match (held.into_iter().chain(delayed).min(), self.running, self.waiting) {
            (Some(at), _, _) => Next::At(at),
            (None, 0, 0) => Next::Done,
            (None, _, _) => Next::Wait,
        }
    }

    /// A job that was started has ended, or its attempt has.
    pub(super) fn ended(&mut self, host: usize) {
        self.running -= 1;
        self.hosts[host].running -= 1;
        self.reopen(host);
    }

    /// Puts a job back, to start no earlier than `at`.
    pub(super) fn retry(&mut self, job: Waiting, host: usize, at: Instant) {
        self.waiting += 1;
        self.hosts[host].delayed += 1;
        self.delayed.push(Reverse((at, job, host)));
    }

    /// Starts nothing on this host before `until`.
    pub(super) fn pause(&mut self, host: usize, until: Instant) {
        let paused = &mut self.hosts[host].paused_until;
        *paused = Some(paused.map_or(until, |already| already.max(until)));
    }

    /// The host has refused a request for being one too many: as many as are still running are what it takes.
    ///
    /// To be called after [`Queue::ended`] of the refused one.
    pub(super) fn refused(&mut self, host: usize) {
        let host = &mut self.hosts[host];
        let most = host.learned.map_or(u32::MAX, |learned| learned.cap);
        host.learned = Some(Learned { cap: host.running.clamp(1, most), successes: 0 });
    }

    /// The host has served a request.
    pub(super) fn served(&mut self, host: usize) {
        if let Some(learned) = &mut self.hosts[host].learned {
            learned.successes += 1;
            if learned.successes >= learned.cap.saturating_mul(ROUNDS) {
                *learned = Learned { cap: learned.cap + 1, successes: 0 };
            }
        }
        self.reopen(host);
    }

    fn add_host(&mut self, origin: &Origin, now: Instant) -> usize {
        if self.by_origin.len() >= self.sweep_at {
            self.forget_idle_hosts(now);
        }
        let limits = self.limits.of(origin);
        let host = Host {
            jobs: VecDeque::new(),
            again: BinaryHeap::new(),
            running: 0,
            delayed: 0,
            per_host: limits.per_host.map(u32::from),
            learned: None,
            paused_until: None,
            pacer: limits.rate.map(Pacer::new),
        };
        let index = self.vacant.pop().unwrap_or(self.hosts.len());
        match self.hosts.get_mut(index) {
            Some(place) => *place = host,
            None => self.hosts.push(host),
        }
        self.by_origin.insert(origin.clone(), index);
        index
    }

    /// Forgets hosts that have no job and nothing to wait for. Looks at all, but at no more than twice as many as were
    /// added since the last time.
    fn forget_idle_hosts(&mut self, now: Instant) {
        let (hosts, vacant) = (&self.hosts, &mut self.vacant);
        self.by_origin.retain(|_, index| {
            let idle = hosts[*index].is_idle(now);
            if idle {
                vacant.push(*index);
            }
            !idle
        });
        self.sweep_at = MAX_IDLE_HOSTS.max(self.by_origin.len() * 2);
    }

    fn enqueue(&mut self, job: Waiting, index: usize) {
        let host = &mut self.hosts[index];
        // A job that comes before the host's first one changes where the host stands.
        if let Some(first) = host.first().filter(|first| job < *first) {
            self.open.remove(&(first.index, index));
        }
        if host.jobs.back().is_none_or(|last| *last < job) {
            host.jobs.push_back(job);
        } else {
            host.again.push(Reverse(job));
        }
        self.reopen(index);
    }

    /// Lists the host among those to look at, if it has a job.
    fn reopen(&mut self, host: usize) {
        if let Some(first) = self.hosts[host].first() {
            self.open.insert((first.index, host));
        }
    }
}

impl Host {
    /// The job whose turn it is.
    fn first(&self) -> Option<Waiting> {
        let again = self.again.peek().map(|Reverse(job)| *job);
        self.jobs.front().copied().into_iter().chain(again).min()
    }

    /// Takes it.
    fn pop(&mut self) -> Option<Waiting> {
        match (self.jobs.front(), self.again.peek()) {
            (Some(next), Some(Reverse(again))) if again < next => self.again.pop().map(|Reverse(job)| job),
            (None, _) => self.again.pop().map(|Reverse(job)| job),
            (Some(_), _) => self.jobs.pop_front(),
        }
    }

    fn is_full(&self) -> bool {
        let cap = |cap: Option<u32>| cap.is_some_and(|cap| self.running >= cap);
        cap(self.per_host) || cap(self.learned.map(|learned| learned.cap))
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.first().is_none() && self.running == 0 && self.delayed == 0 && self.wait_until(now).is_none()
    }

    fn wait_until(&self, now: Instant) -> Option<Instant> {
        let paused = self.paused_until.filter(|until| *until > now);
        let paced = self.pacer.as_ref().and_then(|pacer| pacer.wait_until(now));
        paused.into_iter().chain(paced).max()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::limits::{HostKey, HostLimits};
    use crate::origin::parse_url;

    fn url(host: &str) -> Url {
        parse_url(&format!("http://{host}/")).expect(host)
    }

    fn origin(host: &str) -> Origin {
        Origin::of(&url(host)).expect(host)
    }

    fn job(index: usize) -> Waiting {
        Waiting { index, key: index }
    }

    fn queue(limits: Limits, hosts: &[&str]) -> Queue {
        let mut queue = Queue::new(limits);
        for (index, host) in hosts.iter().enumerate() {
            queue.push(job(index), &url(host), Instant::now()).expect(host);
        }
        queue
    }

    /// All jobs that may start now.
    fn starts(queue: &mut Queue, now: Instant) -> (Vec<usize>, Next) {
        let mut started = Vec::new();
        loop {
            match queue.next(now) {
                Next::Start { job, .. } => started.push(job.index),
                other => return (started, other),
            }
        }
    }

    #[test]
    fn input_order_and_caps() {
        let limits = Limits { per_host: NonZeroU32::new(2), ..Limits::default() };
        let now = Instant::now();
        let mut queue = queue(limits, &["a", "a", "a", "b", "a", "b"]);
        assert_eq!(starts(&mut queue, now), (vec![0, 1, 3, 5], Next::Wait));
        queue.ended(0);
        assert_eq!(starts(&mut queue, now), (vec![2], Next::Wait));
        queue.ended(0);
        queue.ended(0);
        assert_eq!(starts(&mut queue, now), (vec![4], Next::Wait));
        for host in [0, 1, 1] {
            queue.ended(host);
        }
        assert_eq!(queue.next(now), Next::Done);
    }

    #[test]
    fn a_paused_host_lets_others_pass_and_goes_on() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut queue = queue(Limits::default(), &["a", "b", "a"]);
        queue.pause(0, later);
        assert_eq!(starts(&mut queue, now), (vec![1], Next::At(later)));
        queue.ended(1);
        assert_eq!(starts(&mut queue, now), (vec![], Next::At(later)));
        assert_eq!(starts(&mut queue, later), (vec![0, 2], Next::Wait));
    }

    #[test]
    fn a_retry_comes_back_before_later_jobs() {
        let now = Instant::now();
        let soon = now + Duration::from_millis(5);
        let limits = Limits { per_host: NonZeroU32::new(1), ..Limits::default() };
        let mut queue = queue(limits, &["a", "a", "a"]);
        assert_eq!(queue.next(now), Next::Start { job: job(0), host: 0 });
        queue.ended(0);
        queue.retry(job(0), 0, soon);
        assert_eq!(queue.next(now), Next::Start { job: job(1), host: 0 });
        queue.ended(0);
        assert_eq!(queue.next(soon), Next::Start { job: job(0), host: 0 });
        queue.ended(0);
        assert_eq!(queue.next(soon), Next::Start { job: job(2), host: 0 });
        queue.ended(0);
        assert_eq!(queue.next(soon), Next::Done);
    }

    #[test]
    fn rates_of_the_run_and_of_a_host() {
        let now = Instant::now();
        let at = |ms: u64| now + Duration::from_millis(ms);
        let slow = HostLimits { per_host: None, rate: "5/s".parse().ok() };
        let hosts = [(HostKey::new("a").expect("a host"), slow)].into();
        let limits = Limits { rate: "10/s".parse().ok(), hosts, ..Limits::default() };
        let mut queue = queue(limits, &["a", "a", "b", "b"]);
        let mut log = Vec::new();
        let mut time = now;
        loop {
            match queue.next(time) {
                Next::Start { job, .. } => log.push((job.index, time)),
                Next::At(next) => time = next,
                Next::Wait => break,
                Next::Done => unreachable!("four are running"),
            }
        }
        assert_eq!(log, [(0, at(0)), (2, at(100)), (1, at(200)), (3, at(300))]);
    }

    #[test]
    fn refusals_teach_how_many_a_host_takes() {
        let now = Instant::now();
        let mut queue = queue(Limits::default(), &["a"; 50]);
        assert_eq!(starts(&mut queue, now).0.len(), 50);
        // Ten are being served; forty are refused one after the other.
        for index in 10..50 {
            queue.ended(0);
            queue.refused(0);
            queue.retry(job(index), 0, now);
        }
        assert_eq!(starts(&mut queue, now).0.len(), 0, "ten are still running");
        for _ in 0..10 {
            queue.ended(0);
            queue.served(0);
        }
        assert_eq!(starts(&mut queue, now).0, Vec::from_iter(10..20));
        // It is raised by one after four rounds without a refusal, and never above what is left.
        for _ in 0..30 {
            queue.ended(0);
            queue.served(0);
            starts(&mut queue, now);
        }
        assert_eq!(queue.hosts[0].learned.map(|learned| learned.cap), Some(11));
    }

    #[test]
    fn hosts_that_are_idle_are_forgotten_and_no_others() {
        let now = Instant::now();
        let mut queue = queue(Limits::default(), &["paused", "running", "delayed", "waiting"]);
        for index in 0..3 {
            assert_eq!(queue.next(now), Next::Start { job: job(index), host: index });
        }
        queue.ended(0);
        queue.pause(0, now + Duration::from_secs(9));
        queue.ended(2);
        queue.retry(job(2), 2, now + Duration::from_secs(9));
        for index in 4..100_004 {
            queue.push(job(index), &url(&format!("h{index}")), now).expect("good");
            // The job that waits from the start goes first.
            let Next::Start { job, host } = queue.next(now) else { panic!("nothing starts") };
            if job.index == 3 {
                queue.retry(job, host, now + Duration::from_secs(9));
            } else {
                assert!(host > 3, "{job:?} took the place of a host that is in use");
            }
            queue.ended(host);
        }
        assert!(queue.hosts.len() <= MAX_IDLE_HOSTS, "{} hosts are kept", queue.hosts.len());
        for (index, name) in ["paused", "running", "delayed", "waiting"].iter().enumerate() {
            assert_eq!(queue.by_origin.get(&origin(name)), Some(&index), "{name}");
        }
        queue.push(job(200_000), &url("paused"), now).expect("good");
        queue.ended(1);
        assert_eq!(starts(&mut queue, now).0, [100_003], "a pause holds though the host was idle");
        assert_eq!(starts(&mut queue, now + Duration::from_secs(9)).0, [2, 3, 200_000]);
    }

    #[test]
    fn hosts_are_told_apart_whatever_was_added_before() {
        let now = Instant::now();
        let mut queue = Queue::new(Limits { per_host: NonZeroU32::new(1), ..Limits::default() });
        let same = ["http://a/", "http://A:80/x", "http://me@a/"];
        let others = ["https://a/", "http://a:81/", "http://a.b/", "http://b/", "http://[::1]/", "https://a:80/"];
        for (index, text) in same.iter().chain(&others).chain(&same).enumerate() {
            queue.push(job(index), &parse_url(text).expect(text), now).expect(text);
        }
        assert_eq!(starts(&mut queue, now), (vec![0, 3, 4, 5, 6, 7, 8], Next::Wait));
        queue.ended(0);
        assert_eq!(starts(&mut queue, now), (vec![1], Next::Wait));
    }
}
