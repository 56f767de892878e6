//! What the queue knows of one host: its jobs, and when the next of them may start. Pure: the caller brings the time.

mod breaker;
mod concurrency;
mod entry;
mod gate;
mod pause;
pub(super) mod rate;
mod wait_clock;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use self::breaker::{Breaker, BreakerGate};
use self::concurrency::HostConcurrency;
use self::pause::Pause;
use self::rate::Pacer;
use self::wait_clock::WaitClock;
use crate::limits::HostLimits;
use crate::wait_times::WaitTimes;

pub(super) use self::entry::{JobNumber, QueuedJob, Rank};
pub(super) use self::gate::{Gate, Hold};

/// The jobs of one host that wait, and its limits.
#[derive(Debug)]
pub(super) struct HostQueue {
    /// First attempts at jobs of the usual priority, in input order.
    fresh: VecDeque<JobNumber>,
    /// All others that wait.
    others: BinaryHeap<Reverse<QueuedJob>>,
    /// How many jobs to try again are still waiting for their time.
    delayed: u32,
    concurrency: HostConcurrency,
    pause: Pause,
    pacer: Option<Pacer>,
    breaker: Breaker,
    waits: WaitClock,
    /// Until when the host is asked for nothing, because it wants a longer wait than its jobs take.
    closed: Pause,
    /// When its turn is among the hosts: each start moves it on.
    turn: u64,
    /// Where the queue has listed it.
    pub(super) listed: Option<Rank>,
}

/// What a request has shown of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was served.
    Served,
    /// The host refused it because there were too many.
    Refused,
    /// It failed, but the host had taken a connection.
    Reached,
    /// The host took no connection, or has ended a new one without a byte.
    Unreached,
    /// Nothing.
    Unclear,
}

impl HostQueue {
    /// If it is `adaptive`, it begins with what is known of it.
    pub(super) fn new(
        limits: HostLimits,
        adaptive: Option<Option<u32>>,
        now: Instant,
        run_paced: Duration,
    ) -> HostQueue {
        HostQueue {
            fresh: VecDeque::new(),
            others: BinaryHeap::new(),
            delayed: 0,
            concurrency: HostConcurrency::new(limits.per_host, adaptive),
            pause: Pause::default(),
            pacer: limits.rate.map(Pacer::new),
            breaker: Breaker::default(),
            waits: WaitClock::new(now, run_paced),
            closed: Pause::default(),
            turn: 0,
            listed: None,
        }
    }

    /// Adds a job that may start when its turn comes.
    pub(super) fn push(&mut self, job: QueuedJob) {
        if job.is_usual() && self.fresh.back().is_none_or(|last| *last < job.number) {
            self.fresh.push_back(job.number);
        } else {
            self.others.push(Reverse(job));
        }
    }

    /// The job whose turn it is.
    fn first(&self) -> Option<QueuedJob> {
        let fresh = self.fresh.front().map(|number| QueuedJob::usual(*number));
        let other = self.others.peek().map(|Reverse(job)| *job);
        fresh.into_iter().chain(other).min()
    }

    /// When the turn of its first job is, if it has one. A host that was not listed has missed no turns.
    pub(super) fn rank(&mut self, turn_now: u64) -> Option<Rank> {
        let first = self.first()?;
        if self.listed.is_none() {
            self.turn = self.turn.max(turn_now);
        }
        Some(first.ranked(self.turn))
    }

    /// Takes the job whose turn it is.
    pub(super) fn take(&mut self) -> Option<QueuedJob> {
        let first = self.first()?;
        if self.fresh.front() == Some(&first.number) {
            self.fresh.pop_front().map(|_| ())
        } else {
            self.others.pop().map(|_| ())
        };
        Some(first)
    }

    /// Counts a request as running; whether it probes a host that took no connections.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        self.turn += 1;
        self.concurrency.start();
        if let Some(pacer) = &mut self.pacer {
            pacer.start(now);
        }
        self.breaker.start()
    }

    /// A request has ended, which was under way from the first time to the second. `probe` is what [`start`](Self::start)
    /// returned for it.
    pub(super) fn end(&mut self, verdict: Verdict, probe: bool, (since, now): (Instant, Instant)) {
        self.concurrency.end();
        match verdict {
            Verdict::Served => self.concurrency.served(now.saturating_duration_since(since)),
            Verdict::Refused => self.concurrency.refused(),
            Verdict::Reached | Verdict::Unreached | Verdict::Unclear => {}
        }
        match verdict {
            Verdict::Served | Verdict::Refused | Verdict::Reached => self.breaker.connected(),
            Verdict::Unreached => self.breaker.failed(probe, now),
            Verdict::Unclear => self.breaker.unclear(probe),
        }
    }

    /// A job waits to be tried again.
    pub(super) fn delay(&mut self) {
        self.delayed += 1;
    }

    /// The wait of such a job is over.
    pub(super) fn end_delay(&mut self, job: QueuedJob) {
        self.delayed -= 1;
        self.push(job);
    }

    /// Such a job has ended without another try.
    pub(super) fn drop_delay(&mut self) {
        self.delayed -= 1;
    }

    /// Starts nothing before `until`.
    pub(super) fn pause(&mut self, until: Instant) {
        self.pause.extend(until);
    }

    /// Lets jobs end unsent until then.
    pub(super) fn close(&mut self, until: Instant) {
        self.closed.extend(until);
    }

    /// How many requests at once it was found to take.
    pub(super) fn found(&self) -> Option<NonZeroU32> {
        self.concurrency.found().and_then(NonZeroU32::new)
    }

    /// Whether the next job may start.
    pub(super) fn gate(&self, now: Instant) -> Gate {
        if let Some(until) = self.closed.wait_until(now) {
            return Gate::Closed(until);
        }
        let probed = match self.breaker.gate(now) {
            BreakerGate::GivenUp(until) => return Gate::GivenUp(until),
            BreakerGate::Probing => return Gate::Probing,
            BreakerGate::Until(until) => Some((until, Hold::Breaker)),
            BreakerGate::Closed | BreakerGate::Probe => None,
        };
        if self.concurrency.is_full() {
            return Gate::Full;
        }
        let paused = self.pause.wait_until(now).map(|until| (until, Hold::Pause));
        let paced = self.pacer.as_ref().and_then(|pacer| pacer.wait_until(now)).map(|until| (until, Hold::Rate));
        let holds = [probed, paused, paced].into_iter().flatten();
        holds.max_by_key(|(until, _)| *until).map_or(Gate::Open, |(until, hold)| Gate::Until(until, hold))
    }

    /// Until when it is not to be asked, because it wants to be left alone or takes no connections.
    #[cfg(feature = "fleet")]
    pub(super) fn left_alone_until(&self, now: Instant) -> Option<Instant> {
        let unreached = match self.breaker.gate(now) {
            BreakerGate::GivenUp(until) | BreakerGate::Until(until) => Some(until),
            BreakerGate::Probing | BreakerGate::Closed | BreakerGate::Probe => None,
        };
        self.closed.wait_until(now).max(self.pause.wait_until(now)).max(unreached)
    }

    /// For how long jobs have waited by now for the host, and for what. It is to be asked before anything changes of which
    /// [`gate`](Self::gate) depends, and told for how long the rate of the run has held back all hosts.
    pub(super) fn waited(&mut self, now: Instant, run_paced: Duration) -> WaitTimes {
        if now > self.waits.read_at() {
            let gate = self.gate(self.waits.read_at());
            self.waits.count(gate, now, run_paced);
        }
        self.waits.times()
    }

    /// The jobs that may start as soon as the host may be asked.
    pub(super) fn waiting(&self) -> impl Iterator<Item = JobNumber> + '_ {
        self.fresh.iter().copied().chain(self.others.iter().map(|Reverse(job)| job.number))
    }

    /// Whether nothing is lost if the host is forgotten, but how many requests at once it was found to take.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.first().is_none()
            && self.delayed == 0
            && self.concurrency.is_idle()
            && self.breaker.is_idle()
            && self.gate(now) == Gate::Open
    }
}
