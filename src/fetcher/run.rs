//! One run: a driver that starts jobs, tasks that make attempts, and the state they share.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use async_io::Timer;
use async_lock::{Semaphore, SemaphoreGuardArc};
use futures_lite::FutureExt;
use smol::channel::{Receiver, Sender};

use super::Fetcher;
use super::attempt::{Ended, Received, attempt};
use super::outcomes::{Outcomes, Status};
use super::queue::{Next, Queue};
use super::retry::{Failed, Verdict, decide};
use crate::error::{Error, Kind, Phase};
use crate::event_loop::{EventLoop, Handle, Task};
use crate::job::Job;
use crate::origin::Origin;
use crate::outcome::{Attempt, Failure, Outcome, Timings};
use crate::rfc3339::rfc3339;
use crate::transport::Trace;
use crate::units::DisplayDuration;

/// Why a run ended before its jobs did.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    Interrupted,
    Deadline(Duration),
    FailFast,
}

/// All there is to know of a run; borrowed for moments, never across an await.
pub(super) struct State {
    fetcher: Fetcher,
    jobs: Vec<Slot>,
    queue: Queue,
    running: HashMap<usize, Running>,
    ended: VecDeque<(Outcome, Option<SemaphoreGuardArc>)>,
    reader: Option<Waker>,
    changed: Sender<()>,
    started: Instant,
    status: Status,
    stopped: bool,
}

/// A job that has not ended.
struct Slot {
    job: Option<Job>,
    history: Option<Box<History>>,
}

/// What has happened to a job so far.
#[derive(Default)]
struct History {
    attempts: Vec<Attempt>,
    first_permit: Option<Instant>,
    waited: Option<Duration>,
}

struct Running {
    /// Kept to cancel the attempt by dropping it.
    _task: Task<()>,
    trace: Arc<Trace>,
    since: Instant,
}

pub(super) fn start(fetcher: &Fetcher, event_loop: &EventLoop, jobs: impl IntoIterator<Item = Job>) -> Outcomes {
    let (changed, changes) = smol::channel::bounded(1);
    let started = Instant::now();
    let mut state = State {
        fetcher: fetcher.clone(),
        jobs: Vec::new(),
        queue: Queue::new(fetcher.limits.clone()),
        running: HashMap::new(),
        ended: VecDeque::new(),
        reader: None,
        changed,
        started,
        status: Status::default(),
        stopped: false,
    };
    for (index, job) in jobs.into_iter().enumerate() {
        // A job that exists has a URL with an origin.
        let origin = Origin::of(job.url());
        state.jobs.push(Slot { job: Some(job), history: None });
        state.status.total += 1;
        match origin {
            Ok(origin) => state.queue.push(index, &origin),
            Err(error) => state.end(index, Received::default(), Some(Failure::from(&error)), None),
        }
    }
    let state = Rc::new(RefCell::new(state));
    let mut tasks = vec![event_loop.spawn_named("fetcher", drive(state.clone(), event_loop.handle(), changes))];
    // Where the clock cannot say when that is, it is never.
    let end = fetcher.deadline.and_then(|limit| Some((started.checked_add(limit)?, limit)));
    if let Some((end, limit)) = end {
        let state = state.clone();
        tasks.push(event_loop.spawn_named("deadline", async move {
            Timer::at(end).await;
            let cancelled = state.borrow_mut().stop(Reason::Deadline(limit));
            drop(cancelled);
        }));
    }
    Outcomes::new(state, tasks)
}

/// Takes a permit, finds the job it is for, starts it; until there is none.
async fn drive(state: Rc<RefCell<State>>, handle: Handle, changes: Receiver<()>) {
    let concurrency = state.borrow().fetcher.limits.concurrency.get();
    let semaphore = Arc::new(Semaphore::new(concurrency as usize));
    let watched = handle.is_watched();
    loop {
        let permit = semaphore.acquire_arc().await;
        let (index, host) = loop {
            let next = {
                let mut state = state.borrow_mut();
                // The queue still holds what has been ended in another way.
                if state.stopped {
                    return;
                }
                state.queue.next(Instant::now())
            };
            let changed = async {
                let _ = changes.recv().await;
            };
            match next {
                Next::Start { job, host } => break (job, host),
                Next::At(at) => {
                    let due = async {
                        Timer::at(at).await;
                    };
                    changed.or(due).await;
                }
                Next::Wait => changed.await,
                Next::Done => return,
            }
        };
        let trace = Arc::<Trace>::default();
        let since = Instant::now();
        state.borrow_mut().permit(index, since);
        let attempt = make_attempt(state.clone(), index, host, permit, trace.clone(), since);
        let name = watched.then(|| state.borrow().name(index));
        let task = match name {
            Some(name) => handle.spawn_named(name, attempt),
            None => handle.spawn(attempt),
        };
        let Ok(task) = task else { return };
        state.borrow_mut().running.insert(index, Running { _task: task, trace, since });
    }
}

async fn make_attempt(
    state: Rc<RefCell<State>>,
    index: usize,
    host: usize,
    permit: SemaphoreGuardArc,
    trace: Arc<Trace>,
    since: Instant,
) {
    let (client, job, keep) = {
        let state = state.borrow();
        let Some(job) = state.jobs[index].job.clone() else { return };
        (state.fetcher.client.clone(), job, state.fetcher.keep_bodies)
    };
    let ended = attempt(&client, &job, keep, &trace).await;
    let cancelled = state.borrow_mut().attempt_ended(index, host, &job, ended, &trace, since, permit);
    drop(cancelled);
}

impl State {
    /// The next outcome, if one is there.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        match self.ended.pop_front() {
            Some((outcome, permit)) => {
                drop(permit);
                Poll::Ready(Some(outcome))
            }
            None if self.status.done == self.status.total => Poll::Ready(None),
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// What the attempt that is about to start is called: the job, and which attempt it is.
    fn name(&self, index: usize) -> String {
        let slot = &self.jobs[index];
        let name = slot.job.as_ref().map_or("", Job::name);
        match slot.history.as_ref().map_or(0, |history| history.attempts.len()) {
            0 => name.to_owned(),
            before => format!("{name} (attempt {})", before + 1),
        }
    }

    pub(super) fn status(&self) -> Status {
        Status { in_flight: self.running.len(), ..self.status }
    }

    /// Lets go of all tasks; the caller drops them when the state is no longer borrowed.
    pub(super) fn close(&mut self) -> impl Sized + use<> {
        self.stopped = true;
        std::mem::take(&mut self.running)
    }

    /// Ends the run: every job that has not ended does so now. The caller drops the cancelled tasks.
    pub(super) fn stop(&mut self, reason: Reason) -> impl Sized + use<> {
        if self.stopped {
            return HashMap::new();
        }
        self.stopped = true;
        let running = std::mem::take(&mut self.running);
        let now = Instant::now();
        for index in 0..self.jobs.len() {
            if self.jobs[index].job.is_none() {
                continue;
            }
            let cause = match reason {
                Reason::Interrupted => "the run was interrupted".to_owned(),
                Reason::Deadline(limit) => format!("the run's deadline of {} has passed", DisplayDuration(limit)),
                Reason::FailFast => "another job has failed".to_owned(),
            };
            let failure = match running.get(&index) {
                Some(attempt) => {
                    let phase = attempt.trace.progress().phase;
                    let error =
                        Error::new(Kind::Cancelled, format!("{cause} while it was {}", phase.doing())).in_phase(phase);
                    let failure = Failure::from(&error);
                    self.note_attempt(index, None, &attempt.trace, attempt.since, now, Some(failure.clone()));
                    failure
                }
                None if self.jobs[index].history.is_some() => {
                    let text = format!("{cause} before it was tried again");
                    Failure::from(&Error::new(Kind::Cancelled, text).in_phase(Phase::Queue))
                }
                None => Failure::from(
                    &Error::new(Kind::Skipped, format!("{cause} before it was started")).in_phase(Phase::Queue),
                ),
            };
            let trace = running.get(&index).map(|attempt| attempt.trace.clone());
            self.finish(index, Received::default(), Some(failure), trace.as_deref(), now, None);
        }
        self.wake_driver();
        running
    }

    fn permit(&mut self, index: usize, now: Instant) {
        self.jobs[index].history.get_or_insert_default().first_permit.get_or_insert(now);
    }

    /// Decides what becomes of a job after an attempt; returns tasks to drop where that ends the run.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, used once, in one place")]
    fn attempt_ended(
        &mut self,
        index: usize,
        host: usize,
        job: &Job,
        ended: Ended,
        trace: &Trace,
        since: Instant,
        permit: SemaphoreGuardArc,
    ) -> Option<impl Sized + use<>> {
        if self.stopped {
            return None;
        }
        let now = Instant::now();
        self.running.remove(&index);
        self.queue.ended(host);
        self.heed(host, job, &ended, now);
        let Ended { received, error } = ended;
        let mut failure = error.as_ref().map(Failure::from);
        self.note_attempt(index, received.status, trace, since, now, failure.clone());
        let verdict = error.as_ref().map(|error| self.judge(index, job, error, &received, trace, now));
        match verdict {
            Some(Verdict::Again(wait)) => {
                self.status.retried += 1;
                if let Some(history) = &mut self.jobs[index].history {
                    history.waited = Some(wait);
                }
                self.queue.retry(index, host, now + wait);
                drop(permit);
                self.wake_driver();
                return None;
            }
            Some(Verdict::TooLong(wait)) => {
                if let Some(failure) = &mut failure {
                    failure.retry_at = Some(rfc3339(SystemTime::now() + wait).into());
                }
            }
            Some(Verdict::GiveUp) | None => {}
        }
        let failed = failure.is_some();
        self.finish(index, received, failure, Some(trace), now, Some(permit));
        self.wake_driver();
        (failed && self.fetcher.fail_fast).then(|| self.stop(Reason::FailFast))
    }

    /// Does as the server asks: pauses its host, or learns how many at once it takes.
    ///
    /// A pause that the job would not wait for is none: the job says when to come back, and the others of the host are
    /// asked as they would be without it, for it may not be their limit that was reached.
    fn heed(&mut self, host: usize, job: &Job, ended: &Ended, now: Instant) {
        let received = &ended.received;
        let refused = received.status == Some(429) || (received.status == Some(503) && received.retry_after.is_some());
        if refused {
            self.queue.refused(host);
        } else if ended.error.is_none() {
            self.queue.served(host);
        }
        let asked = received.retry_after.filter(|_| refused).max(received.rate_limited);
        let longest =
            self.left(now).map_or(job.settings().retry_after_max, |left| left.min(job.settings().retry_after_max));
        if let Some(wait) = asked.filter(|wait| *wait <= longest) {
            self.queue.pause(host, now + wait);
        }
    }

    /// The time until the deadline of the run.
    fn left(&self, now: Instant) -> Option<Duration> {
        self.fetcher.deadline.map(|limit| limit.saturating_sub(now.saturating_duration_since(self.started)))
    }

    fn judge(
        &self,
        index: usize,
        job: &Job,
        error: &Error,
        received: &Received,
        trace: &Trace,
        now: Instant,
    ) -> Verdict {
        let attempts = self.jobs[index].history.as_ref().map_or(1, |history| history.attempts.len());
        let failed = Failed {
            kind: error.kind(),
            status: received.status,
            answered: trace.progress().head_at.is_some(),
            retry_after: received.retry_after.filter(|_| matches!(received.status, Some(429 | 503))),
        };
        let left = self.left(now);
        let retries = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        decide(job.settings(), failed, retries, left, fastrand::f64())
    }

    fn note_attempt(
        &mut self,
        index: usize,
        status: Option<u16>,
        trace: &Trace,
        since: Instant,
        now: Instant,
        error: Option<Failure>,
    ) {
        let progress = trace.progress();
        let started = since - self.started;
        let history = self.jobs[index].history.get_or_insert_default();
        let waited = history.waited.take();
        history.attempts.push(Attempt {
            started,
            total: now - since,
            status,
            address: trace.peer().map(|peer| peer.to_string().into()),
            reused: progress.reused,
            waited,
            error,
        });
    }

    fn end(&mut self, index: usize, received: Received, failure: Option<Failure>, trace: Option<&Trace>) {
        self.finish(index, received, failure, trace, Instant::now(), None);
    }

    /// The job has ended: its outcome waits for the reader, and its permit with it.
    fn finish(
        &mut self,
        index: usize,
        received: Received,
        failure: Option<Failure>,
        trace: Option<&Trace>,
        now: Instant,
        permit: Option<SemaphoreGuardArc>,
    ) {
        let slot = &mut self.jobs[index];
        let Some(job) = slot.job.take() else { return };
        let history = slot.history.take().map_or_else(History::default, |history| *history);
        let progress = trace.map(Trace::progress).unwrap_or_default();
        let permit_at = history.first_permit.unwrap_or(now);
        let answered =
            failure.as_ref().is_none_or(|failure| failure.phase == Some(Phase::Body)) || received.body_bytes.is_some();
        let timings = Timings {
            queue: permit_at - self.started,
            dns: progress.dns,
            connect: progress.connect,
            tls: progress.tls,
            first_byte: progress.first_byte,
            body: progress.head_at.filter(|_| answered).map(|at| now.saturating_duration_since(at)),
            total: now - permit_at,
        };
        self.status.done += 1;
        self.status.failed += usize::from(failure.is_some());
        let outcome = Outcome {
            index,
            name: job.name().into(),
            url: job.written_url().into(),
            final_url: received.final_url,
            status: received.status,
            attempts: history.attempts,
            timings,
            content_type: received.content_type,
            body_bytes: received.body_bytes,
            body: received.body,
            body_file: job.output().filter(|_| received.saved).cloned(),
            body_truncated: received.truncated,
            data: received.data,
            error: failure,
        };
        self.ended.push_back((outcome, permit));
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn wake_driver(&self) {
        // Full means that the driver is to look already.
        let _ = self.changed.try_send(());
    }
}
