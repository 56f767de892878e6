//! Which job may start next: priorities, turns of hosts, limits, pauses, and the rate of the run. Pure: the caller brings
//! the time.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use url::Url;

use self::job_waits::{Delay, JobWaits};
#[cfg(feature = "fleet")]
use super::budget::AttemptCounts;
use super::budget::RetryBudget;
use super::host::{Gate, HostQueue, JobNumber, QueuedJob, Rank, Verdict};
use super::limit_state::{LimitState, MAX_IDLE_HOSTS};
use super::run_pacer::RunPacer;
use crate::error::Result;
use crate::limits::Limits;
use crate::origin::Origin;
use crate::wait_times::{WaitCause, WaitTimes};

/// Jobs that wait, by host.
///
/// Jobs of a higher priority start first. Among those of one priority hosts take turns, so that one with many jobs does not
/// hold back the others; and the jobs of a host, like hosts with one job each, start in input order. A host that may not be
/// asked now lets the others pass. A step costs the logarithm of the number of hosts and of jobs; nothing is searched from
/// end to end.
#[derive(Debug)]
pub(super) struct Queue {
    hosts: Vec<HostQueue>,
    by_origin: HashMap<Origin, HostIndex>,
    /// The host of the job that was added last: lists name one host many times in a row.
    last: Option<(Origin, HostIndex)>,
    /// Hosts with a job that may start, by the rank of their first job.
    open: BTreeSet<(Rank, HostIndex)>,
    /// Hosts to look at again when the time has come.
    held: BinaryHeap<Reverse<(Instant, HostIndex)>>,
    /// Jobs to try again when the time has come.
    delayed: BinaryHeap<Reverse<(Instant, QueuedJob, HostIndex)>>,
    /// Jobs to try again no earlier than then, when the budget has room for it.
    unbudgeted: VecDeque<(Instant, QueuedJob, HostIndex)>,
    budget: RetryBudget,
    pacer: RunPacer,
    waits: JobWaits,
    /// Jobs that have ended while they waited, and are to be passed by. Mostly there are none.
    gone: HashSet<JobNumber>,
    /// What limits know of the runs before.
    known: LimitState,
    waiting: usize,
    /// How many of those that wait have not been tried.
    fresh: usize,
    /// Whether further ones may come.
    may_grow: bool,
    running: usize,
    /// When a job started last.
    last_start: Option<Instant>,
    limits: Limits,
    /// The turn of the host that started last.
    turn: u64,
    /// Free places in `hosts`.
    vacant: Vec<HostIndex>,
    /// When there are this many hosts, those that are idle are forgotten.
    sweep_at: usize,
}

/// A place in [`Queue::hosts`].
pub(super) type HostIndex = usize;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Start a request of this job; it counts as running until [`Queue::ended`].
    Start { job: JobNumber, lease: Lease },
    /// This job leaves the queue without a request, for this reason.
    End { job: QueuedJob, host: HostIndex, why: Unsent },
    /// Nothing may start before then, unless a running job ends.
    At(Instant),
    /// Nothing may start until a running job ends.
    Wait,
    /// Nothing waits and nothing runs.
    Done,
}

/// A request's place among those that run at its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) host: HostIndex,
    /// Whether it finds out if a host is back that took no connections.
    probe: bool,
    pub(super) since: Instant,
}

impl Lease {
    /// The same, if the request was sent so much later, because a connection was made first: that takes as long whatever
    /// the host has to do, so it is no part of how long the host took.
    pub(super) fn sent_after(self, connecting: Duration) -> Lease {
        Lease { since: self.since + connecting, ..self }
    }
}

/// Why a job leaves the queue without a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// Its host wants to be left alone until then.
    Closed(Instant),
    /// Its host takes no connections.
    GivenUp,
    /// The run's budget for retries is used up.
    Budget,
}

impl Queue {
    /// A queue that goes on where the runs before have left their limits.
    pub(super) fn new(limits: Limits, known: LimitState) -> Queue {
        Queue {
            hosts: Vec::new(),
            by_origin: HashMap::new(),
            last: None,
            open: BTreeSet::new(),
            held: BinaryHeap::new(),
            delayed: BinaryHeap::new(),
            unbudgeted: VecDeque::new(),
            budget: RetryBudget::default(),
            pacer: RunPacer::new(limits.rate, known.pacer().as_ref()),
            waits: JobWaits::default(),
            gone: HashSet::new(),
            known,
            waiting: 0,
            fresh: 0,
            may_grow: false,
            running: 0,
            last_start: None,
            limits,
            turn: 0,
            vacant: Vec::new(),
            sweep_at: MAX_IDLE_HOSTS,
        }
    }

    /// Notes how limits stand, for the runs to come.
    pub(super) fn note_limits(&self, now: Instant) {
        let hosts = self.by_origin.iter().map(|(origin, index)| (origin, self.hosts[*index].state()));
        self.known.note(self.pacer.pacer(), hosts, now);
    }

    /// Adds a job. Numbers of new jobs are higher than those of the jobs before them.
    ///
    /// # Errors
    /// Those of [`Origin::of`].
    pub(super) fn push(&mut self, job: QueuedJob, url: &Url, now: Instant) -> Result<()> {
        let host = match &self.last {
            Some((last, host)) if last.is_of(url) => *host,
            _ => self.host_of(origin_of(url)?, now),
        };
        self.waiting += 1;
        self.fresh += usize::from(!job.again);
        let clock = self.waited_at(host, now);
        self.waits.ready(job.number, clock, now);
        self.change(host, now, |host| host.push(job));
        Ok(())
    }

    /// The next job that may start.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        self.end_waits(now);
        let paced_until = self.pacer.wait_until(now);
        while let Some((rank, index)) = self.open.pop_first() {
            let host = &mut self.hosts[index];
            let why = match host.gate(now) {
                Gate::Open if paced_until.is_some() => {
                    self.open.insert((rank, index));
                    break;
                }
                Gate::Open => None,
                Gate::Closed(until) => Some(Unsent::Closed(until)),
                Gate::GivenUp(_) => Some(Unsent::GivenUp),
                // It is put back when one of its jobs ends.
                Gate::Full | Gate::Probing => {
                    host.listed = None;
                    continue;
                }
                Gate::Until(until, _) => {
                    host.listed = None;
                    self.held.push(Reverse((until, index)));
                    continue;
                }
            };
            let Some(job) = host.take() else { continue };
            self.waiting -= 1;
            self.fresh -= usize::from(!job.again);
            if !self.gone.is_empty() && self.gone.remove(&job.number) {
                self.relist(index);
                continue;
            }
            if let Some(why) = why {
                self.relist(index);
                return Next::End { job, host: index, why };
            }
            return Next::Start { job: job.number, lease: self.start(job, index, rank, now) };
        }
        self.rest(paced_until)
    }

    fn start(&mut self, job: QueuedJob, host: HostIndex, rank: Rank, now: Instant) -> Lease {
        self.waited_at(host, now);
        let probe = self.hosts[host].start(now);
        self.pacer.start(now);
        if !job.again {
            self.budget.note_first();
        }
        self.running += 1;
        self.last_start = Some(now);
        self.turn = self.turn.max(rank.turn);
        self.relist(host);
        Lease { host, probe, since: now }
    }

    /// What there is if nothing may start now.
    fn rest(&mut self, paced_until: Option<Instant>) -> Next {
        if let Some((_, job, host)) = self.unbudgeted.remove(self.affordable()) {
            self.waiting -= 1;
            self.hosts[host].drop_delay();
            return Next::End { job, host, why: Unsent::Budget };
        }
        let paced = paced_until.filter(|_| !self.open.is_empty());
        let held = self.held.peek().map(|Reverse((at, _))| *at);
        let delayed = self.delayed.peek().map(|Reverse((at, ..))| *at);
        match (paced.into_iter().chain(held).chain(delayed).min(), self.running, self.waiting) {
            (Some(at), _, _) => Next::At(at),
            (None, 0, 0) => Next::Done,
            (None, _, _) => Next::Wait,
        }
    }

    /// How many of the jobs that wait for the budget of retries it will have room for: only first attempts add to it.
    fn affordable(&self) -> usize {
        match self.fresh {
            0 => 0,
            // They cannot be counted yet.
            _ if self.may_grow => usize::MAX,
            fresh => self.budget.left_after(fresh),
        }
    }

    /// Further jobs may come that have not been tried.
    pub(super) fn expect_more(&mut self) {
        self.may_grow = true;
    }

    /// A request has ended, and this is what it has shown of its host.
    pub(super) fn ended(&mut self, lease: Lease, verdict: Verdict, now: Instant) {
        self.running -= 1;
        let Lease { host, probe, since } = lease;
        self.change(host, now, |host| host.end(verdict, probe, (since, now)));
    }

    /// Puts a job back, to start no earlier than `at`. If it draws on the budget of retries, it waits for that, too; false
    /// if none will be left.
    ///
    /// # Errors
    /// Those of [`Origin::of`].
    pub(super) fn retry(&mut self, retry: Retry<'_>, now: Instant) -> Result<bool> {
        let Retry { job, url, at, draws, cause } = retry;
        let waits = draws && !self.budget.allows();
        if waits && self.unbudgeted.len() >= self.affordable() {
            return Ok(false);
        }
        let host = self.host_of(origin_of(url)?, now);
        self.waiting += 1;
        self.hosts[host].delay();
        let then = if waits { WaitCause::Budget } else { WaitCause::Run };
        self.waits.delay(job.number, Delay { since: now, until: at, cause, then });
        if waits {
            self.unbudgeted.push_back((at, job, host));
        } else {
            if draws {
                self.budget.draw();
            }
            self.delayed.push(Reverse((at, job, host)));
        }
        Ok(true)
    }

    /// Takes out a job of this URL that waits, and returns for what it has waited.
    pub(super) fn forget(&mut self, job: JobNumber, url: &Url, now: Instant) -> WaitTimes {
        let place = self.unbudgeted.iter().position(|(_, waiting, _)| waiting.number == job);
        if let Some((_, _, host)) = place.and_then(|place| self.unbudgeted.remove(place)) {
            // What the budget will have room for is left to others.
            self.waiting -= 1;
            self.hosts[host].drop_delay();
            return self.take_waited(job, host, now);
        }
        self.gone.insert(job);
        let host = origin_of(url).ok().and_then(|origin| self.by_origin.get(&origin).copied());
        host.map(|host| self.take_waited(job, host, now)).unwrap_or_default()
    }

    /// Puts a job back that left the queue unsent, to start no earlier than `at`.
    pub(super) fn hold(&mut self, job: QueuedJob, host: HostIndex, at: Instant, now: Instant) {
        self.waiting += 1;
        self.fresh += usize::from(!job.again);
        self.hosts[host].delay();
        let (cause, then) = (WaitCause::Pause, WaitCause::Run);
        self.waits.delay(job.number, Delay { since: now, until: at, cause, then });
        self.delayed.push(Reverse((at, job, host)));
    }

    /// Starts nothing on this host before `until`.
    pub(super) fn pause(&mut self, host: HostIndex, until: Instant, now: Instant) {
        self.waited_at(host, now);
        self.hosts[host].pause(until);
    }

    /// Lets the jobs of this host end unsent until then.
    pub(super) fn close(&mut self, host: HostIndex, until: Instant, now: Instant) {
        self.change(host, now, |host| host.close(until));
    }

    /// Until when this host is not to be asked, because it wants to be left alone or takes no connections.
    #[cfg(feature = "fleet")]
    pub(super) fn left_alone_until(&self, host: HostIndex, now: Instant) -> Option<Instant> {
        self.hosts[host].state().left_alone_until(now)
    }

    /// How many attempts were made here.
    #[cfg(feature = "fleet")]
    pub(super) fn made(&self) -> AttemptCounts {
        self.budget.made()
    }

    /// Notes how many attempts others have made of the run.
    #[cfg(feature = "fleet")]
    pub(super) fn note_elsewhere(&mut self, elsewhere: AttemptCounts) {
        self.budget.note_elsewhere(elsewhere);
    }

    /// For how long a job has waited for what, that has just been told to start, or to end.
    pub(super) fn take_waited(&mut self, job: JobNumber, host: HostIndex, now: Instant) -> WaitTimes {
        let clock = self.waited_at(host, now);
        self.waits.take(job, clock, now)
    }

    /// The same of all jobs that wait, when nothing will start any more.
    pub(super) fn take_all_waited(&mut self, now: Instant) -> HashMap<JobNumber, WaitTimes> {
        let delayed = self.delayed.iter().map(|Reverse((_, job, host))| (job.number, *host));
        let unbudgeted = self.unbudgeted.iter().map(|(_, job, host)| (job.number, *host));
        let hosts = self.hosts.iter().enumerate();
        let at_hosts = hosts.flat_map(|(index, host)| host.waiting().map(move |number| (number, index)));
        let all: Vec<(JobNumber, HostIndex)> = delayed.chain(unbudgeted).chain(at_hosts).collect();
        all.into_iter().map(|(job, host)| (job, self.take_waited(job, host, now))).collect()
    }

    /// For how long jobs have waited at this host.
    fn waited_at(&mut self, host: HostIndex, now: Instant) -> WaitTimes {
        let run_paced = self.pacer.held(now);
        self.hosts[host].waited(now, run_paced)
    }

    /// Puts back what has waited long enough: jobs to try again, and hosts that may be asked again.
    fn end_waits(&mut self, now: Instant) {
        while self.budget.allows() {
            let Some((at, job, host)) = self.unbudgeted.pop_front() else { break };
            self.budget.draw();
            self.waits.drawn(job.number, now);
            self.delayed.push(Reverse((at, job, host)));
        }
        while let Some(Reverse((_, job, host))) = pop_due(&mut self.delayed, |(at, ..)| *at <= now) {
            let clock = self.waited_at(host, now);
            self.waits.ready(job.number, clock, now);
            self.change(host, now, |host| host.end_delay(job));
        }
        while let Some(Reverse((_, host))) = pop_due(&mut self.held, |(at, _)| *at <= now) {
            self.relist(host);
        }
    }

    fn host_of(&mut self, origin: Origin, now: Instant) -> HostIndex {
        let host = match self.by_origin.get(&origin) {
            Some(host) => *host,
            None => self.add_host(&origin, now),
        };
        self.last = Some((origin, host));
        host
    }

    fn add_host(&mut self, origin: &Origin, now: Instant) -> HostIndex {
        if self.by_origin.len() >= self.sweep_at {
            self.forget_idle_hosts(now);
        }
        let run_paced = self.pacer.held(now);
        let state = self.known.host(origin, self.limits.of(origin), self.limits.adaptive);
        let host = HostQueue::new(state, now, run_paced);
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

    /// Changes a host, and lists it by the job that is its first then.
    fn change(&mut self, index: HostIndex, now: Instant, change: impl FnOnce(&mut HostQueue)) {
        self.waited_at(index, now);
        change(&mut self.hosts[index]);
        self.relist(index);
    }

    /// Lists the host among those to look at, if it has a job.
    fn relist(&mut self, index: HostIndex) {
        let host = &mut self.hosts[index];
        let rank = host.rank(self.turn);
        if let Some(before) = std::mem::replace(&mut host.listed, rank).filter(|before| Some(*before) != rank) {
            self.open.remove(&(before, index));
        }
        if let Some(rank) = rank {
            self.open.insert((rank, index));
        }
    }
}

/// A job to put back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry<'a> {
    pub(super) job: QueuedJob,
    pub(super) url: &'a Url,
    pub(super) at: Instant,
    /// Whether it draws on the run's budget of retries.
    pub(super) draws: bool,
    /// What it waits for until then.
    pub(super) cause: WaitCause,
}

/// Takes the first of a heap if its time has come.
fn pop_due<T: Ord>(heap: &mut BinaryHeap<Reverse<T>>, is_due: impl FnOnce(&T) -> bool) -> Option<Reverse<T>> {
    heap.peek().is_some_and(|Reverse(first)| is_due(first)).then(|| heap.pop()).flatten()
}

mod holds;
mod job_waits;

/// The origin by which limits know the host of a URL.
fn origin_of(url: &Url) -> Result<Origin> {
    Origin::of(url).map(Origin::without_final_dot)
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
