//! The way of a job through the fetcher, top down.
//!
//! ```text
//! start, Intake::add    RunState::push      the job waits in the queue
//! drive                 next_attempt        a permit is free, and the job's host may be asked
//!                       start_attempt       an attempt becomes a task
//! make_attempt          attempt             send the request, read the content, judge the response
//!                       Slot::move_to       a redirect: wait for the leave of the host that it leads to
//! settle                Queue::ended, heed  the host pauses, or takes fewer requests at once
//!                       decide_retry        the job goes back to the queue, or
//!                       RunState::finish    its outcome waits for the reader of the stream
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_lock::{Semaphore, SemaphoreGuardArc};
use futures_lite::FutureExt;
use futures_lite::future::yield_now;
use smol::channel::Receiver;

use super::active::{AttemptEnd, JobEnd, Leave, RunningAttempt, StopReason};
use super::advice::Advice;
use super::attempt::{AttemptPlan, AttemptResult, attempt};
use super::cache_lane::{Delivery, number_of};
use super::caching::is_outage;
use super::config::RunConfig;
use super::delivery::deliver;
use super::host::{JobNumber, Verdict};
use super::look_ahead;
use super::queue::{Lease, Next, Unsent};
use super::received::Received;
use super::retry::{FailedAttempt, RetryDecision, decide, ended_unanswered, is_unreached};
use super::senders::{RunSenders, Senders};
use super::slot::Slot;
use super::state::RunState;
use crate::error::{Error, Kind};
use crate::event_loop::{EventLoop, Handle, Task, sleep_until};
use crate::job::Job;
use crate::outcome::Failure;
use crate::rfc3339::rfc3339_after;
use crate::transport::{Progress, ProgressSnapshot};
use crate::wait_times::WaitCause;

/// After this many starts the attempts that run have a turn. Otherwise the first would wait until the last is connected,
/// and all responses would arrive in one burst.
const STARTS_IN_A_ROW: usize = 32;

/// Starts a run of these jobs; if it is `open`, others may be added. The tasks go on until they are dropped.
pub(super) fn start(
    senders: &Senders,
    config: &RunConfig,
    event_loop: &EventLoop,
    jobs: impl IntoIterator<Item = Job>,
    open: bool,
) -> (Rc<RefCell<RunState>>, Vec<Task<()>>) {
    let (changed, changes) = smol::channel::bounded(1);
    let started = Instant::now();
    let mut state = RunState::new(config.clone(), started, changed, open);
    let opened = look_ahead::open(&mut state, event_loop);
    for job in jobs {
        state.push(job, started, None);
    }
    let state = Rc::new(RefCell::new(state));
    let mut tasks = vec![start_driver(&state, changes, senders, event_loop)];
    tasks.extend(look_ahead::begin(opened, &state, event_loop));
    // A deadline that the clock cannot express is never reached.
    if let Some((end, limit)) = config.deadline.and_then(|limit| Some((started.checked_add(limit)?, limit))) {
        tasks.push(event_loop.spawn_named("deadline", stop_at(state.clone(), end, limit)));
    }
    (state, tasks)
}

/// Starts what fetches the jobs, or what lets others do it.
fn start_driver(
    state: &Rc<RefCell<RunState>>,
    changes: Receiver<()>,
    senders: &Senders,
    event_loop: &EventLoop,
) -> Task<()> {
    #[cfg(feature = "fleet")]
    if let Some(courier) = senders.courier() {
        return super::elsewhere::start(state, changes, courier, event_loop);
    }
    let senders = RunSenders::new(senders.clone()).into();
    let driver = Driver { state: state.clone(), senders, handle: event_loop.handle(), changes };
    event_loop.spawn_named("fetcher", driver.drive())
}

async fn stop_at(state: Rc<RefCell<RunState>>, end: Instant, limit: Duration) {
    sleep_until(end).await;
    let cancelled = state.borrow_mut().stop(StopReason::Deadline(limit));
    drop(cancelled);
}

/// Starts attempts as the limits let it.
struct Driver {
    state: Rc<RefCell<RunState>>,
    senders: Arc<RunSenders>,
    handle: Handle,
    /// Something has changed that the queue depends on.
    changes: Receiver<()>,
}

/// What takes a permit.
enum NextStart {
    Attempt(NextAttempt),
    /// A job that gets what is kept.
    Delivery(Delivery),
}

/// An attempt to make.
#[derive(Clone, Copy)]
struct NextAttempt {
    job: JobNumber,
    lease: Lease,
    since: Instant,
}

impl Driver {
    /// Takes a permit, finds the job it is for, starts it; until there is none.
    async fn drive(self) {
        let concurrency = self.state.borrow().config.limits.concurrency.get();
        let permits = Arc::new(Semaphore::new(concurrency as usize));
        for started in 1usize.. {
            if started % STARTS_IN_A_ROW == 0 {
                yield_now().await;
            }
            let permit = permits.acquire_arc().await;
            let next = match self.next_start().await {
                Some(NextStart::Attempt(next)) => next,
                Some(NextStart::Delivery(delivery)) => match self.start_delivery(delivery, permit) {
                    Some(()) => continue,
                    None => return,
                },
                None => return,
            };
            let redirected = self.state.borrow_mut().take_redirected(next.job);
            let has_ended = match redirected {
                Some(tell) => tell.try_send(Leave::Granted(next.lease, permit)).is_err(),
                None if self.state.borrow().job(next.job).is_none() || self.state.borrow().is_busy(next.job) => true,
                None if self.start_attempt(next, permit).is_none() => return,
                None => false,
            };
            if has_ended {
                // Its time was over while it waited.
                self.state.borrow_mut().queue.ended(next.lease, Verdict::Unclear, next.since);
            }
        }
    }

    /// Waits for a job that may start; `None` if none will come.
    async fn next_start(&self) -> Option<NextStart> {
        loop {
            let (next, now) = {
                let mut state = self.state.borrow_mut();
                // The queue still holds the jobs of a run that was stopped.
                if state.is_stopped() {
                    return None;
                }
                let now = Instant::now();
                state.end_overdue(now);
                if let Some(delivery) = state.cache.next() {
                    return Some(NextStart::Delivery(delivery));
                }
                (state.next(now), now)
            };
            let changed = async {
                let _ = self.changes.recv().await;
            };
            match next {
                Next::Start { job, lease } => return Some(NextStart::Attempt(NextAttempt { job, lease, since: now })),
                Next::End { job, host, why } => {
                    let cancelled = self.state.borrow_mut().end_unsent(job, host, why, now);
                    drop(cancelled);
                }
                Next::At(at) => {
                    let due = async {
                        sleep_until(at).await;
                    };
                    changed.or(due).await;
                }
                Next::Wait => changed.await,
                Next::Done if self.state.borrow().may_go_on() => changed.await,
                Next::Done => return None,
            }
        }
    }

    /// Makes the delivery a task; `None` if the loop is gone.
    fn start_delivery(&self, delivery: Delivery, permit: SemaphoreGuardArc) -> Option<()> {
        let (progress, since) = (Arc::<Progress>::default(), Instant::now());
        let number = number_of(&delivery);
        if self.state.borrow().job(number).is_none() {
            return Some(());
        }
        let name = self.state.borrow().task_name(number);
        let delivered = deliver(self.state.clone(), delivery, progress.clone(), permit);
        let task = self.handle.spawn_named(name, delivered);
        let running = RunningAttempt { _task: task.ok()?, progress, since, sends: false };
        self.state.borrow_mut().attempt_started(number, running);
        Some(())
    }

    /// Makes the attempt a task; `None` if the loop is gone.
    fn start_attempt(&self, next: NextAttempt, permit: SemaphoreGuardArc) -> Option<()> {
        let progress = Arc::<Progress>::default();
        // To start a task moves its future some times, and this one takes 3 KB.
        let attempt = Box::pin(make_attempt(self.state.clone(), self.senders.clone(), next, progress.clone(), permit));
        let task = if self.handle.is_watched() {
            let name = self.state.borrow().task_name(next.job);
            self.handle.spawn_named(name, attempt)
        } else {
            self.handle.spawn(attempt)
        };
        let running = RunningAttempt { _task: task.ok()?, progress, since: next.since, sends: true };
        self.state.borrow_mut().attempt_started(next.job, running);
        Some(())
    }
}

async fn make_attempt(
    state: Rc<RefCell<RunState>>,
    senders: Arc<RunSenders>,
    next: NextAttempt,
    progress: Arc<Progress>,
    permit: SemaphoreGuardArc,
) {
    let (job, about) = {
        let mut state = state.borrow_mut();
        let first_look = state.take_first_look(next.job);
        let Some((job, must_ask)) =
            state.jobs.get(&next.job).map(|active| (active.job.clone().with_newest_token(), active.must_ask))
        else {
            return;
        };
        let (ends, key) = (state.job_ends(next.job), state.idempotency_key(next.job));
        let (keep, began, budget, cache) = (state.config.keep, next.since, state.budget.clone(), state.cache.cache());
        let picked = state.picked.clone();
        let cookies = job.settings().cookies.then(|| state.cookies.clone());
        (job, AttemptPlan { keep, budget, picked, began, ends, key, cache, first_look, must_ask, cookies })
    };
    let mut slot = Slot::new(state.clone(), next.job, (next.lease, permit), progress.clone());
    let ended = match senders.of(job.settings()).await {
        Ok(sender) => attempt(&*sender, &job, about, &mut slot, &progress).await,
        Err(error) => AttemptResult { received: Received::default(), error: Some(error), retry_at: None },
    };
    let cancelled = settle(&mut state.borrow_mut(), next, &job, ended, &progress, slot);
    drop(cancelled);
}

/// Decides what becomes of a job after an attempt. Returns the attempts to cancel if that ends the run.
fn settle(
    state: &mut RunState,
    made: NextAttempt,
    job: &Job,
    result: AttemptResult,
    progress: &Progress,
    mut slot: Slot,
) -> Vec<RunningAttempt> {
    if state.is_stopped() {
        return Vec::new();
    }
    let now = Instant::now();
    let (progress, peer) = progress.close();
    let AttemptResult { received, error, retry_at } = result;
    let asked = slot.asked();
    let held = slot.take_held(&progress);
    let host = held.as_ref().map(|(lease, _)| lease.host);
    let permit = held.map(|(lease, permit)| {
        let verdict = verdict(error.as_ref(), received.status, received.advice, &progress);
        state.queue.ended(lease, verdict, now);
        state.heed(lease.host, job.settings(), received.advice, now);
        permit
    });
    let unreached = received.status.is_none() && error.as_ref().is_some_and(|it| is_unreached(it, progress.phase));
    let mut failure = error.as_ref().map(|error| Failure { retry_at, ..Failure::from(error) });
    let mut outage = error.as_ref().is_some_and(|error| is_outage(error, received.status));
    let end = AttemptEnd {
        since: made.since,
        status: received.cache.attempt_status(received.status),
        cache: received.cache.used(),
        outage,
        progress,
        peer,
        final_url: received.final_url.clone(),
        failure: failure.clone(),
    };
    let attempts = state.attempt_ended(made.job, end, now);
    let asked_wait = received.advice.wait.filter(|_| received.advice.refused);
    match error.map(|error| decide_retry(state, (made.job, job), attempts, &error, &received, &progress, now)) {
        Some(RetryDecision::Again(wait)) => {
            // A refusal that does not say for how long is one for all requests of that host.
            if let Some(host) = host.filter(|_| received.advice.refused && received.advice.wait.is_none()) {
                state.queue.pause(host, now + wait, now);
            }
            Slot::tell_others(asked.as_ref(), host, state, now);
            // What the server has named a wait for does not count, and neither does what found no connection: a breaker
            // bounds that.
            let draws = !received.advice.refused && !unreached;
            let cause = if received.advice.refused { WaitCause::Pause } else { WaitCause::Retry };
            if state.retry(made.job, wait, cause, draws, now) {
                drop(permit);
                state.wake_driver();
                return Vec::new();
            }
            failure = failure.map(|failure| failure.with_note(Unsent::Budget.text(now)));
        }
        // So it is for the jobs of the host that have not been sent.
        Some(RetryDecision::TooLong) => outage = true,
        // All its time is as good as over, and that is a timeout, whatever the last attempt has said.
        Some(RetryDecision::TooLate) => {
            (outage, failure) = (true, failure.map(|failure| failure.with_note(state.too_late(made.job, now))));
        }
        Some(RetryDecision::GiveUp) | None => {}
    }
    failure = failure.map(|failure| allowed_after(failure, asked_wait));
    Slot::tell_others(asked.as_ref(), host, state, now);
    let failed = failure.is_some();
    let has_ended = state.finish(made.job, JobEnd { received, failure, progress, permit, outage }, now);
    state.wake_driver();
    if failed && has_ended && state.config.fail_fast { state.stop(StopReason::FailFast) } else { Vec::new() }
}

/// The failure of a job whose host allows another try after this long, if it has named a wait.
fn allowed_after(failure: Failure, wait: Option<Duration>) -> Failure {
    let retry_at = wait.map(|wait| rfc3339_after(wait).into()).or(failure.retry_at);
    Failure { retry_at, ..failure }
}

/// What an attempt has shown of the host that it asked last.
fn verdict(error: Option<&Error>, status: Option<u16>, advice: Advice, progress: &ProgressSnapshot) -> Verdict {
    match (error, status) {
        (_, Some(status)) if advice.refused && status >= 400 => Verdict::Refused,
        (None, _) => Verdict::Served,
        (Some(_), Some(_)) => Verdict::Reached,
        (Some(error), None) if is_unreached(error, progress.phase) || ended_unanswered(progress) => Verdict::Unreached,
        (Some(error), None) if error.kind() == Kind::Timeout => Verdict::Reached,
        (Some(_), None) => Verdict::Unclear,
    }
}

fn decide_retry(
    state: &RunState,
    (number, job): (JobNumber, &Job),
    attempts: usize,
    error: &Error,
    received: &Received,
    progress: &ProgressSnapshot,
    now: Instant,
) -> RetryDecision {
    let failed = FailedAttempt::new(error, received, progress);
    let retries = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let left = state.time_left(now).into_iter().chain(state.job_time_left(number, now)).min();
    decide(job.settings(), failed, retries, left, fastrand::f64())
}
