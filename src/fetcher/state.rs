//! The state of one run: its jobs, what happened to them, and the outcomes that wait for the reader.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_lock::SemaphoreGuardArc;
use smol::channel::Sender;
use url::Url;

use super::active::{ActiveJob, AttemptEnd, JobEnd, Leave, RunningAttempt, StopReason};
use super::attempt_log;
use super::cache_lane::CacheLane;
use super::caching::ReleasedChanges;
use super::config::RunConfig;
use super::cookies::RunCookies;
use super::host::{JobNumber, QueuedJob};
use super::memory::max_memory;
use super::picking::PickedMemory;
use super::queue::{Queue, Retry};
use super::refused::Refused;
use super::status::RunStatus;
use super::waits::{WaitReason, WaitingSource};
use crate::body::MemoryBudget;
use crate::error::Result;
use crate::job::Job;
use crate::outcome::{Failure, Outcome};
use crate::wait_times::WaitCause;

/// Everything that is known of a run. Borrowed for moments, never across an await.
///
/// Jobs are numbered as they are added, and start in this order. Their place in the input may be another.
pub(super) struct RunState {
    pub(super) config: RunConfig,
    pub(super) queue: Queue,
    /// The memory for contents, and that for values and rows.
    pub(super) budget: MemoryBudget,
    pub(super) picked: PickedMemory,
    /// Jobs that have not ended.
    pub(super) jobs: BTreeMap<JobNumber, ActiveJob>,
    /// The highest number of a job that has begun: of those behind it nothing is to be seen.
    pub(super) last_begun: JobNumber,
    /// Jobs that have to do with the cache.
    pub(super) cache: CacheLane,
    /// The cookies of jobs that want them.
    pub(super) cookies: RunCookies,
    /// Outcomes that have not been taken. Each holds the permit of its job, so that a slow reader slows the run down.
    outcomes: VecDeque<(Outcome, Option<SemaphoreGuardArc>, ReleasedChanges)>,
    /// The task that waits for an outcome.
    reader: Option<Waker>,
    /// Wakes the driver.
    changed: Sender<()>,
    pub(super) started: Instant,
    pub(super) status: RunStatus,
    /// When jobs that wait have no time left for a further attempt.
    overdue: BTreeSet<(Instant, JobNumber)>,
    /// Begins the keys by which servers know further attempts at a request again.
    run_key: u128,
    /// Whether further jobs may come.
    open: bool,
    stopped: bool,
    has_noted_limits: bool,
    /// Whether the stream was dropped.
    closed: bool,
}

impl RunState {
    pub(super) fn new(config: RunConfig, started: Instant, changed: Sender<()>, open: bool) -> RunState {
        // Half is for contents and half for what is taken out of them: neither may keep the other out, and together they are
        // what was asked for.
        let half = max_memory(&config.limits) / 2;
        let mut queue = Queue::new(config.limits.clone(), config.limit_state.clone());
        if open {
            queue.expect_more();
        }
        RunState {
            queue,
            budget: MemoryBudget::new(half, tempfile::tempfile),
            picked: PickedMemory::new(half),
            cookies: RunCookies::new(config.redactor.clone()),
            config,
            jobs: BTreeMap::new(),
            last_begun: 0,
            cache: CacheLane::default(),
            outcomes: VecDeque::new(),
            reader: None,
            changed,
            started,
            status: RunStatus::default(),
            overdue: BTreeSet::new(),
            run_key: fastrand::u128(..),
            open,
            stopped: false,
            has_noted_limits: false,
            closed: false,
        }
    }

    /// Adds a job to a run that is open, and returns the index of its outcome.
    pub(super) fn add(&mut self, job: Job, ends: Option<Instant>) -> Result<usize, Refused> {
        if self.stopped {
            return Err(Refused::closed(job));
        }
        if self.status.pending() >= self.config.backlog {
            return Err(Refused::full(job));
        }
        let index = self.push(job, Instant::now(), ends);
        self.wake_driver();
        Ok(index)
    }

    /// Adds a job, and returns the index of its outcome. See [`ActiveJob::ends`].
    pub(super) fn push(&mut self, job: Job, added: Instant, ends: Option<Instant>) -> usize {
        let number = self.status.total;
        let index = job.index().unwrap_or(number);
        self.status.total += 1;
        let takes = self.config.is_remote || self.cache.takes(number, &job);
        let (waits, history, first_look) = (None, None, Default::default());
        let active = ActiveJob { job, added, ends, waits, history, first_look, must_ask: false };
        self.jobs.insert(number, active);
        if takes {
            // Until it is known whether its host is asked.
            self.queue.expect_more();
        } else {
            self.enqueue(number, added);
        }
        index
    }

    /// Lets a job wait for its host.
    pub(super) fn enqueue(&mut self, number: JobNumber, now: Instant) {
        let Some(active) = self.jobs.get(&number) else { return };
        // A job that exists has a URL with an origin.
        let queued = QueuedJob::fresh(number, active.job.settings().priority);
        let ends = active.ends;
        match self.queue.push(queued, active.job.origin_url(), now) {
            Ok(()) => self.overdue.extend(ends.map(|ends| (ends, number))),
            Err(error) => _ = self.finish(number, JobEnd::failed(Failure::from(&error)), now),
        }
    }

    /// No further jobs will come.
    pub(super) fn end_input(&mut self) {
        self.open = false;
        self.wake_driver();
        self.wake_reader();
    }

    /// Whether there may be something to start later though nothing waits at a host: further jobs, or those of which is
    /// looked up what is kept. One that gets what is kept may still have to ask its host, if that turns out not to do.
    pub(super) fn may_go_on(&self) -> bool {
        self.open || !self.jobs.is_empty()
    }

    /// Whether the run was ended before its jobs were.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn job(&self, number: JobNumber) -> Option<&Job> {
        self.jobs.get(&number).map(|active| &active.job)
    }

    /// What the attempt that is about to start is called: the job, and which attempt it is.
    pub(super) fn task_name(&self, number: JobNumber) -> Arc<str> {
        let Some(active) = self.jobs.get(&number) else { return "".into() };
        let (name, _) = active.job.names();
        match active.history.as_ref().map_or(0, |history| history.attempts.len()) {
            0 => name,
            before => format!("{name} (attempt {})", before + 1).into(),
        }
    }

    /// Notes that an attempt at a job is under way.
    pub(super) fn attempt_started(&mut self, number: JobNumber, attempt: RunningAttempt) {
        self.last_begun = self.last_begun.max(number);
        if let Some(active) = self.jobs.get_mut(&number) {
            let history = active.history_since(attempt.since);
            self.status.retried += usize::from(history.waited.is_some());
            history.running = Some(attempt);
            self.status.in_flight += 1;
        }
    }

    /// Notes how an attempt ended, and returns how many there were of its job.
    pub(super) fn attempt_ended(&mut self, number: JobNumber, end: AttemptEnd, now: Instant) -> usize {
        let Some(active) = self.jobs.get_mut(&number) else { return 0 };
        let history = active.history_since(end.since);
        // One that still waits to follow a redirect does not count. The task that is dropped here is the one that calls this.
        let waits = history.redirected.take().is_some();
        self.status.in_flight -= usize::from(history.running.take().is_some() && !waits);
        history.note(end, self.started, now);
        let attempts = active.history.as_ref().map_or(&[][..], |history| &history.attempts);
        attempt_log::ended(&active.job, attempts);
        attempts.len()
    }

    /// Puts a job back into the queue, to start after this wait. False if the run has made as many retries as it may, and
    /// this one draws on them.
    pub(super) fn retry(
        &mut self,
        number: JobNumber,
        wait: Duration,
        cause: WaitCause,
        draws: bool,
        now: Instant,
    ) -> bool {
        let Some(active) = self.jobs.get_mut(&number) else { return false };
        let job = QueuedJob::again(number, active.job.settings().priority);
        let retry = Retry { job, url: active.job.url(), at: now + wait, draws, cause };
        // The URL had an origin before.
        let queued = self.queue.retry(retry, now).unwrap_or(false);
        if let Some(history) = active.history.as_mut().filter(|_| queued) {
            history.waited = Some(wait);
        }
        if queued {
            self.overdue.extend(self.job_ends(number).map(|ends| (ends, number)));
        }
        queued
    }

    /// Lets an attempt wait for the leave to ask the host of this URL, to which it was redirected, for this long at least.
    ///
    /// # Errors
    /// Those of [`Queue::retry`].
    pub(super) fn redirected(
        &mut self,
        number: JobNumber,
        url: &Url,
        wait: Duration,
        now: Instant,
        tell: Sender<Leave>,
    ) -> Result<()> {
        let Some(active) = self.jobs.get_mut(&number) else { return Ok(()) };
        let job = QueuedJob::again(number, active.job.settings().priority);
        self.queue.retry(Retry { job, url, at: now + wait, draws: false, cause: WaitCause::Pause }, now)?;
        active.history_since(now).redirected = Some(tell);
        self.status.in_flight -= 1;
        self.wake_driver();
        Ok(())
    }

    /// Who waits for the leave to follow a redirect, if this job does.
    pub(super) fn take_redirected(&mut self, number: JobNumber) -> Option<Sender<Leave>> {
        let tell = self.jobs.get_mut(&number)?.history.as_mut()?.redirected.take()?;
        self.status.in_flight += 1;
        Some(tell)
    }

    /// Whether the last attempt at a job has failed because the server was not there for it.
    pub(super) fn was_outage(&self, number: JobNumber) -> bool {
        let history = self.jobs.get(&number).and_then(|active| active.history.as_ref());
        history.is_some_and(|history| history.outage)
    }

    /// The status and the failure of the last attempt at a job, if there was one.
    pub(super) fn last_failure(&self, number: JobNumber) -> Option<(Option<u16>, Failure)> {
        let last = self.jobs.get(&number)?.history.as_ref()?.attempts.last()?;
        Some((last.status, last.error.clone()?))
    }

    pub(super) fn first_permit(&self, number: JobNumber) -> Option<Instant> {
        Some(self.jobs.get(&number)?.history.as_ref()?.first_permit)
    }

    /// Whether an attempt at this job is under way.
    pub(super) fn is_running(&self, number: JobNumber) -> bool {
        let history = self.jobs.get(&number).and_then(|active| active.history.as_ref());
        history.is_some_and(|history| history.running.is_some())
    }

    /// Whether an attempt at a job is under way, or its last good response is about to be delivered: it is not to be started
    /// or ended then.
    pub(super) fn is_busy(&self, number: JobNumber) -> bool {
        self.is_running(number) || self.cache.waits_for_stale(number)
    }

    /// When the first of the jobs that wait has no time left for a further attempt.
    pub(super) fn first_overdue(&self) -> Option<Instant> {
        self.overdue.first().map(|(at, _)| *at)
    }

    /// Takes a job that has no time left.
    pub(super) fn pop_overdue(&mut self, now: Instant) -> Option<(Instant, JobNumber)> {
        if self.first_overdue()? <= now { self.overdue.pop_first() } else { None }
    }

    pub(super) fn run_key(&self) -> u128 {
        self.run_key
    }

    /// The time until the deadline of the run, if there is one.
    pub(super) fn time_left(&self, now: Instant) -> Option<Duration> {
        self.config.deadline.map(|limit| limit.saturating_sub(now.saturating_duration_since(self.started)))
    }

    /// Ends a job: its outcome waits for the reader. False if it waits for a response that was kept instead.
    pub(super) fn finish(&mut self, number: JobNumber, end: JobEnd, now: Instant) -> bool {
        let job = self.jobs.get(&number).map(|active| &active.job);
        let Some(end) = self.cache.wait_for_stale(number, job, end) else {
            self.wake_driver();
            return false;
        };
        if let Some(active) = self.jobs.remove(&number) {
            self.cache.forget(&active.first_look);
            self.put_outcome(number, active, end, now);
        }
        true
    }

    fn put_outcome(&mut self, number: JobNumber, active: ActiveJob, mut end: JobEnd, now: Instant) {
        self.status.done += 1;
        self.status.failed += usize::from(end.failure.is_some());
        let changes = end.received.cache.take_changes();
        let (outcome, permit) = active.outcome(number, self.config.digests, end, now);
        self.outcomes.push_back((outcome, permit, changes));
        self.wake_reader();
    }

    /// Lets an outcome that came from elsewhere wait for the reader.
    #[cfg(feature = "fleet")]
    pub(super) fn put_ready(&mut self, outcome: Outcome) {
        self.status.done += 1;
        self.status.failed += usize::from(!outcome.ok());
        self.outcomes.push_back((outcome, None, Default::default()));
        self.wake_reader();
        self.wake_driver();
    }

    /// Ends the run: every job that has not ended does so now. The caller drops the attempts that are returned, which
    /// cancels them, when the state is no longer borrowed.
    pub(super) fn stop(&mut self, reason: StopReason) -> Vec<RunningAttempt> {
        if self.stopped {
            return Vec::new();
        }
        self.stopped = true;
        self.status.in_flight = 0;
        let now = Instant::now();
        let mut cancelled = Vec::new();
        for (number, end) in self.cache.take_ends() {
            if let Some(mut active) = self.jobs.remove(&number) {
                cancelled.extend(active.take_running());
                self.put_outcome(number, active, end, now);
            }
        }
        let waits: HashMap<JobNumber, WaitReason> = self.queue.waits(now).collect();
        let waited = self.queue.take_all_waited(now);
        for (number, mut active) in std::mem::take(&mut self.jobs) {
            waited.get(&number).into_iter().for_each(|waited| active.note_waited(waited));
            let running = active.take_running();
            let end = match self.config.is_remote {
                true => ActiveJob::cut_short_elsewhere(reason),
                false => active.cut_short(running.as_ref(), reason, self.started, waits.get(&number).copied(), now),
            };
            self.put_outcome(number, active, end, now);
            cancelled.extend(running);
        }
        self.wake_reader();
        self.wake_driver();
        cancelled
    }

    /// Ends the run because the stream was dropped; otherwise as [`stop`](Self::stop).
    pub(super) fn close(&mut self) -> Vec<RunningAttempt> {
        self.note_limits();
        (self.stopped, self.closed) = (true, true);
        self.status.in_flight = 0;
        self.jobs.values_mut().filter_map(ActiveJob::take_running).collect()
    }

    /// Notes how limits stand, once: later another run may have gone on with them.
    fn note_limits(&mut self) {
        if !std::mem::replace(&mut self.has_noted_limits, true) {
            self.queue.note_limits(Instant::now());
        }
    }

    /// The next outcome, if there is one.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        match self.outcomes.pop_front() {
            Some((outcome, permit, changes)) => {
                drop(permit);
                self.cache.release(changes);
                self.status.taken += 1;
                Poll::Ready(Some(outcome))
            }
            None if self.status.done == self.status.total && (self.stopped || !self.open) => {
                self.note_limits();
                Poll::Ready(None)
            }
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn status(&self) -> RunStatus {
        self.status
    }

    /// The first sources that wait, at most so many, and why.
    pub(super) fn waiting(&self, most: usize, now: Instant) -> Vec<WaitingSource> {
        let named = |(number, why)| Some(WaitingSource { name: self.job(number)?.names().0, why });
        self.queue.waits(now).filter_map(named).take(most).collect()
    }

    /// The same for handles that outlive the stream: none after that was dropped, though its tasks, which own the state,
    /// are only dropped at the next turn of the loop.
    pub(super) fn status_of_stream(&self) -> Option<RunStatus> {
        (!self.closed).then_some(self.status)
    }

    /// Lets the driver look at the queue again.
    pub(super) fn wake_driver(&self) {
        // If the channel is full, the driver is about to look anyway.
        let _ = self.changed.try_send(());
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}
