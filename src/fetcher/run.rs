//! One run: a driver that starts jobs, tasks that make attempts, and the state they share.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use async_lock::{Semaphore, SemaphoreGuardArc};
use futures_lite::FutureExt;
use futures_lite::future::yield_now;
use slab::Slab;
use smol::channel::{Receiver, Sender};

use super::Fetcher;
use super::attempt::{Client, Ended, Received, attempt};
use super::intake::Refused;
use super::outcomes::{Outcomes, Status};
use super::queue::{Next, Queue, Waiting};
use super::retry::{Failed, Verdict, decide};
use super::room::{Orders, Room};
use crate::error::{Error, Kind, Phase};
use crate::event_loop::{EventLoop, Handle, Task, sleep_until};
use crate::job::Job;
use crate::outcome::{Attempt, Failure, Outcome, Timings};
use crate::rfc3339::rfc3339;
use crate::transport::{Peer, Progress, Trace};
use crate::units::DisplayDuration;

/// Why a run ended before its jobs did.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    Interrupted,
    Deadline(Duration),
    FailFast,
}

/// So many attempts are started before those that run have a turn. Where many may run at once, the first of them would
/// else be connected and wait for the last to be, and what they ask for come in one burst.
const STARTS: usize = 32;

/// All there is to know of a run; borrowed for moments, never across an await.
pub(super) struct State {
    fetcher: Fetcher,
    /// The fetcher's.
    client: Rc<Client>,
    /// Those that have not ended, by [`Waiting::key`].
    jobs: Slab<Slot>,
    queue: Queue,
    in_flight: usize,
    ended: VecDeque<(Outcome, Option<SemaphoreGuardArc>)>,
    reader: Option<Waker>,
    /// Traces of attempts that have ended, for the next ones: no more than there were attempts at once.
    spare: Vec<Arc<Trace>>,
    /// What jobs that have ended had their histories in, for the next ones: no more than there may be attempts at once.
    #[expect(clippy::vec_box, reason = "the boxes are what is kept")]
    blank: Vec<Box<History>>,
    changed: Sender<()>,
    started: Instant,
    status: Status,
    /// Whether further jobs may come.
    open: bool,
    stopped: bool,
    /// Whether the stream was dropped.
    closed: bool,
}

/// A job that has not ended.
struct Slot {
    /// Its place in the input.
    index: usize,
    job: Job,
    added: Instant,
    /// None before its first permit. In a box, for of many jobs most are still waiting or have ended.
    history: Option<Box<History>>,
}

/// What has happened to a job so far.
#[derive(Default)]
struct History {
    attempts: Vec<Attempt>,
    first_permit: Option<Instant>,
    /// Before the attempt that is next or under way.
    waited: Option<Duration>,
    /// The attempt that is under way.
    running: Option<Running>,
}

struct Running {
    /// Kept to cancel the attempt by dropping it.
    _task: Task<()>,
    trace: Arc<Trace>,
    since: Instant,
}

/// Starts a run of these jobs; where it is `open`, others may be added.
pub(super) fn start(
    fetcher: &Fetcher,
    event_loop: &EventLoop,
    jobs: impl IntoIterator<Item = Job>,
    open: bool,
) -> (Rc<RefCell<State>>, Outcomes) {
    let (changed, changes) = smol::channel::bounded(1);
    let started = Instant::now();
    let mut state = State {
        fetcher: fetcher.clone(),
        client: Rc::new(fetcher.client.clone()),
        jobs: Slab::new(),
        queue: Queue::new(fetcher.limits.clone()),
        in_flight: 0,
        ended: VecDeque::new(),
        reader: None,
        spare: Vec::new(),
        blank: Vec::new(),
        changed,
        started,
        status: Status::default(),
        open,
        stopped: false,
        closed: false,
    };
    for job in jobs {
        state.push(job, started);
    }
    let state = Rc::new(RefCell::new(state));
    let mut tasks = vec![event_loop.spawn_named("fetcher", drive(state.clone(), event_loop.handle(), changes))];
    // Where the clock cannot say when that is, it is never.
    let end = fetcher.deadline.and_then(|limit| Some((started.checked_add(limit)?, limit)));
    if let Some((end, limit)) = end {
        let state = state.clone();
        tasks.push(event_loop.spawn_named("deadline", async move {
            sleep_until(end).await;
            let cancelled = state.borrow_mut().stop(Reason::Deadline(limit));
            drop(cancelled);
        }));
    }
    (state.clone(), Outcomes::new(state, tasks))
}

/// Takes a permit, finds the job it is for, starts it; until there is none.
async fn drive(state: Rc<RefCell<State>>, handle: Handle, changes: Receiver<()>) {
    let concurrency = state.borrow().fetcher.limits.concurrency.get();
    let semaphore = Arc::new(Semaphore::new(concurrency as usize));
    let watched = handle.is_watched();
    let room = Room::new();
    for started in 1usize.. {
        if started % STARTS == 0 {
            yield_now().await;
        }
        let permit = semaphore.acquire_arc().await;
        let (job, host, since) = loop {
            let (next, now) = {
                let mut state = state.borrow_mut();
                // The queue still holds what has been ended in another way.
                if state.stopped {
                    return;
                }
                let now = Instant::now();
                (state.queue.next(now), now)
            };
            let changed = async {
                let _ = changes.recv().await;
            };
            match next {
                Next::Start { job, host } => break (job, host, now),
                Next::At(at) => {
                    let due = async {
                        sleep_until(at).await;
                    };
                    changed.or(due).await;
                }
                Next::Wait => changed.await,
                Next::Done if state.borrow().open => changed.await,
                Next::Done => return,
            }
        };
        let trace = {
            let mut state = state.borrow_mut();
            state.permit(job, since);
            state.spare.pop().unwrap_or_default()
        };
        let order = Order { job, host, permit, trace: trace.clone(), since };
        let attempt = room.employ(order, |orders| make_attempts(state.clone(), orders));
        let name = watched.then(|| state.borrow().name(job));
        let task = match name {
            Some(name) => handle.spawn_shared(name, attempt),
            None => handle.spawn(attempt),
        };
        let Ok(task) = task else { return };
        state.borrow_mut().runs(job, Running { _task: task, trace, since });
    }
}

/// An attempt to make.
struct Order {
    job: Waiting,
    host: usize,
    permit: SemaphoreGuardArc,
    trace: Arc<Trace>,
    since: Instant,
}

/// Makes attempts, one after the other, until it is dropped.
async fn make_attempts(state: Rc<RefCell<State>>, orders: Orders<Order>) {
    loop {
        let Order { job: waiting, host, permit, mut trace, since } = orders.next().await;
        let (client, job, keep) = {
            let state = state.borrow();
            let Some(job) = state.jobs.get(waiting.key).map(|slot| slot.job.clone()) else { continue };
            (state.client.clone(), job, state.fetcher.keep_bodies)
        };
        let ended = attempt(&client, &job, keep, since, &trace).await;
        let cancelled = state.borrow_mut().attempt_ended(waiting, host, job, ended, &trace, since, permit);
        drop(cancelled);
        if let Some(used) = Arc::get_mut(&mut trace) {
            *used = Trace::default();
            state.borrow_mut().spare.push(trace);
        }
    }
}

impl State {
    /// Adds a job to a run that is open, and returns its place in the input.
    pub(super) fn add(&mut self, job: Job) -> Result<usize, Refused> {
        if self.stopped {
            return Err(Refused::closed(job));
        }
        if self.status.pending() >= self.fetcher.backlog {
            return Err(Refused::full(job));
        }
        let index = self.push(job, Instant::now());
        self.wake_driver();
        Ok(index)
    }

    /// No further jobs will come.
    pub(super) fn end_input(&mut self) {
        self.open = false;
        self.wake_driver();
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn push(&mut self, job: Job, added: Instant) -> usize {
        let index = self.status.total;
        self.status.total += 1;
        let entry = self.jobs.vacant_entry();
        // A job that exists has a URL with an origin.
        let queued = self.queue.push(Waiting { index, key: entry.key() }, job.lazy_url().root(), added);
        let slot = Slot { index, job, added, history: None };
        match queued {
            Ok(()) => {
                entry.insert(slot);
            }
            Err(error) => {
                let failure = Failure::from(&error);
                self.finish(slot, Received::default(), Some(failure), &Progress::default(), added, None);
            }
        }
        index
    }

    /// The next outcome, if one is there.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        match self.ended.pop_front() {
            Some((outcome, permit)) => {
                drop(permit);
                self.status.taken += 1;
                Poll::Ready(Some(outcome))
            }
            None if self.status.done == self.status.total && (self.stopped || !self.open) => Poll::Ready(None),
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// What the attempt that is about to start is called: the job, and which attempt it is.
    fn name(&self, job: Waiting) -> Arc<str> {
        let Some(slot) = self.jobs.get(job.key) else { return "".into() };
        let (name, _) = slot.job.names();
        match slot.history.as_ref().map_or(0, |history| history.attempts.len()) {
            0 => name,
            before => format!("{name} (attempt {})", before + 1).into(),
        }
    }

    pub(super) fn status(&self) -> Status {
        Status { in_flight: self.in_flight, ..self.status }
    }

    /// The same for those who outlive the stream: none once that is dropped, though its tasks, which hold the state, are
    /// only dropped when the loop turns again.
    pub(super) fn status_of_stream(&self) -> Option<Status> {
        (!self.closed).then(|| self.status())
    }

    /// Lets go of all tasks; the caller drops them when the state is no longer borrowed.
    pub(super) fn close(&mut self) -> impl Sized + use<> {
        (self.stopped, self.closed) = (true, true);
        self.in_flight = 0;
        self.jobs.iter_mut().filter_map(|(_, slot)| slot.take_running()).collect::<Vec<_>>()
    }

    /// Notes the attempt that has been started for a job.
    fn runs(&mut self, job: Waiting, running: Running) {
        if let Some(history) = self.jobs.get_mut(job.key).and_then(|slot| slot.history.as_mut()) {
            history.running = Some(running);
            self.in_flight += 1;
        }
    }

    /// Ends the run: every job that has not ended does so now. The caller drops the cancelled tasks.
    pub(super) fn stop(&mut self, reason: Reason) -> impl Sized + use<> {
        if self.stopped {
            return Vec::new();
        }
        self.stopped = true;
        self.in_flight = 0;
        let mut cancelled = Vec::new();
        let now = Instant::now();
        let mut slots: Vec<Slot> = std::mem::take(&mut self.jobs).into_iter().map(|(_, slot)| slot).collect();
        slots.sort_unstable_by_key(|slot| slot.index);
        for mut slot in slots {
            let cause = match reason {
                Reason::Interrupted => "the run was interrupted".to_owned(),
                Reason::Deadline(limit) => format!("the run's deadline of {} has passed", DisplayDuration(limit)),
                Reason::FailFast => "another job has failed".to_owned(),
            };
            let running = slot.take_running();
            let end = running.as_ref().map(|attempt| attempt.trace.close());
            let mut progress = Progress::default();
            let failure = match (&running, end) {
                (Some(attempt), Some((reached, peer))) => {
                    progress = reached;
                    let phase = progress.phase;
                    let error =
                        Error::new(Kind::Cancelled, format!("{cause} while it was {}", phase.doing())).in_phase(phase);
                    let failure = Failure::from(&error);
                    let ending = (None, Some(failure.clone()));
                    slot.note_attempt(self.started, ending, &progress, peer, attempt.since, now);
                    failure
                }
                _ if slot.history.is_some() => {
                    let text = format!("{cause} before it was tried again");
                    Failure::from(&Error::new(Kind::Cancelled, text).in_phase(Phase::Queue))
                }
                _ => Failure::from(
                    &Error::new(Kind::Skipped, format!("{cause} before it was started")).in_phase(Phase::Queue),
                ),
            };
            self.finish(slot, Received::default(), Some(failure), &progress, now, None);
            cancelled.extend(running);
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        self.wake_driver();
        cancelled
    }

    fn permit(&mut self, job: Waiting, now: Instant) {
        let Some(slot) = self.jobs.get_mut(job.key) else { return };
        if slot.history.is_none() {
            let mut history = self.blank.pop().unwrap_or_default();
            history.first_permit = Some(now);
            slot.history = Some(history);
        }
    }

    /// Decides what becomes of a job after an attempt; returns tasks to drop where that ends the run.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, used once, in one place")]
    fn attempt_ended(
        &mut self,
        waiting: Waiting,
        host: usize,
        job: Job,
        ended: Ended,
        trace: &Trace,
        since: Instant,
        permit: SemaphoreGuardArc,
    ) -> Option<impl Sized + use<>> {
        if self.stopped {
            return None;
        }
        let now = Instant::now();
        let (progress, peer) = trace.close();
        self.queue.ended(host);
        self.heed(host, &job, &ended, now);
        let Ended { received, error } = ended;
        let mut failure = error.as_ref().map(Failure::from);
        let slot = self.jobs.get_mut(waiting.key)?;
        // The task that is dropped here is the one that runs.
        self.in_flight -= usize::from(slot.take_running().is_some());
        slot.note_attempt(self.started, (received.status, failure.clone()), &progress, peer, since, now);
        let attempts = slot.history.as_ref().map_or(1, |history| history.attempts.len());
        let verdict = error.as_ref().map(|error| self.judge(attempts, &job, error, &received, &progress, now));
        match verdict {
            Some(Verdict::Again(wait)) => {
                self.status.retried += 1;
                if let Some(history) = self.jobs.get_mut(waiting.key).and_then(|slot| slot.history.as_mut()) {
                    history.waited = Some(wait);
                }
                self.queue.retry(waiting, host, now + wait);
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
        let slot = self.jobs.try_remove(waiting.key)?;
        self.finish(slot, received, failure, &progress, now, Some(permit));
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
        attempts: usize,
        job: &Job,
        error: &Error,
        received: &Received,
        progress: &Progress,
        now: Instant,
    ) -> Verdict {
        let failed = Failed {
            kind: error.kind(),
            status: received.status,
            answered: progress.head_at.is_some(),
            retry_after: received.retry_after.filter(|_| matches!(received.status, Some(429 | 503))),
        };
        let left = self.left(now);
        let retries = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        decide(job.settings(), failed, retries, left, fastrand::f64())
    }

    /// The job has ended: its outcome waits for the reader, and its permit with it.
    fn finish(
        &mut self,
        slot: Slot,
        received: Received,
        failure: Option<Failure>,
        progress: &Progress,
        now: Instant,
        permit: Option<SemaphoreGuardArc>,
    ) {
        let Slot { index, job, added, history } = slot;
        let (attempts, permit_at) = match history {
            Some(mut history) => {
                let past = (std::mem::take(&mut history.attempts), history.first_permit.unwrap_or(now));
                if self.blank.len() < self.fetcher.limits.concurrency.get() as usize {
                    *history = History::default();
                    self.blank.push(history);
                }
                past
            }
            None => (Vec::new(), now),
        };
        let answered =
            failure.as_ref().is_none_or(|failure| failure.phase == Some(Phase::Body)) || received.body_bytes.is_some();
        let timings = Timings {
            queue: permit_at - added,
            dns: progress.dns,
            connect: progress.connect,
            tls: progress.tls,
            first_byte: progress.first_byte,
            body: progress.head_at.filter(|_| answered).map(|at| now.saturating_duration_since(at)),
            total: now - permit_at,
        };
        self.status.done += 1;
        self.status.failed += usize::from(failure.is_some());
        let (name, url) = job.names();
        let outcome = Outcome {
            index,
            name,
            url,
            final_url: received.final_url,
            status: received.status,
            attempts,
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

impl Slot {
    fn take_running(&mut self) -> Option<Running> {
        self.history.as_mut()?.running.take()
    }

    fn note_attempt(
        &mut self,
        run_started: Instant,
        (status, error): (Option<u16>, Option<Failure>),
        progress: &Progress,
        peer: Option<Peer>,
        since: Instant,
        now: Instant,
    ) {
        let Some(history) = &mut self.history else { return };
        let waited = history.waited.take();
        // Mostly the only one.
        history.attempts.reserve_exact(1);
        history.attempts.push(Attempt {
            started: since - run_started,
            total: now - since,
            status,
            address: peer.map(Peer::into_text),
            reused: progress.reused,
            waited,
            error,
        });
    }
}
