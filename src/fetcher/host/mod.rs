//! What the queue knows of one host: its jobs, and when the next of them may start. Pure: the caller brings the time.

mod adaptive;
mod breaker;
mod concurrency;
mod entry;
mod gate;
mod pause;
pub(super) mod rate;
mod state;
mod verdict;
mod wait_clock;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use self::wait_clock::WaitClock;
use crate::wait_times::WaitTimes;

pub(super) use self::entry::{JobNumber, QueuedJob, Rank};
pub(super) use self::gate::Gate;
pub(super) use self::state::HostState;
pub(super) use self::verdict::Verdict;

/// The jobs of one host that wait, and how it stands.
#[derive(Debug)]
pub(super) struct HostQueue {
    /// First attempts at jobs of the usual priority, in input order.
    fresh: VecDeque<JobNumber>,
    /// All others that wait.
    others: BinaryHeap<Reverse<QueuedJob>>,
    /// How many jobs to try again are still waiting for their time.
    delayed: u32,
    state: HostState,
    waits: WaitClock,
    /// When its turn is among the hosts: each start moves it on.
    turn: u64,
    /// Where the queue has listed it.
    pub(super) listed: Option<Rank>,
}

impl HostQueue {
    pub(super) fn new(state: HostState, now: Instant, run_paced: Duration) -> HostQueue {
        HostQueue {
            fresh: VecDeque::new(),
            others: BinaryHeap::new(),
            delayed: 0,
            state,
            waits: WaitClock::new(now, run_paced),
            turn: 0,
            listed: None,
        }
    }

    /// How the host stands.
    pub(super) fn state(&self) -> &HostState {
        &self.state
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
        self.state.start(now)
    }

    /// A request has ended, which was under way from the first time to the second. `probe` is what [`start`](Self::start)
    /// returned for it.
    pub(super) fn end(&mut self, verdict: Verdict, probe: bool, times: (Instant, Instant)) {
        self.state.end(verdict, probe, times);
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
        self.state.pause.extend(until);
    }

    /// Lets jobs end unsent until then.
    pub(super) fn close(&mut self, until: Instant) {
        self.state.closed.extend(until);
    }

    /// Whether the next job may start.
    pub(super) fn gate(&self, now: Instant) -> Gate {
        self.state.gate(now)
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

    /// How many these are.
    pub(super) fn waiting_count(&self) -> usize {
        self.fresh.len() + self.others.len()
    }

    /// Whether nothing is lost if the host is forgotten, but how many requests at once it was found to take.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.first().is_none() && self.delayed == 0 && self.state.is_idle(now)
    }
}
