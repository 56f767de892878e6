//! The place that an attempt takes up in the run and at the host that it asks, and what is learned when it is given back.

#[cfg(feature = "fleet")]
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_lock::SemaphoreGuardArc;
use smol::channel;
use url::Url;

use super::active::{JobEnd, Leave, RunningAttempt, StopReason};
use super::advice::Advice;
use super::host::{JobNumber, QueuedJob, Verdict};
use super::queue::{HostIndex, Lease, Unsent};
use super::received::Received;
#[cfg(feature = "fleet")]
use super::shared_limits::{SharedAnswer, SharedLeave};
use super::state::RunState;
use crate::error::{Error, Kind, Phase};
use crate::job::Job;
use crate::outcome::Failure;
use crate::rfc3339::rfc3339_after;
use crate::settings::Settings;
use crate::transport::{Progress, ProgressSnapshot};

/// A permit of the run, and a lease of the host that is asked.
///
/// A redirect may lead to a host that is full, paced or paused. The attempt then gives back both, and gets others when the
/// queue gives it its turn: so no host is sent more than its limits allow, and no attempt waits with a permit in its hand.
pub(super) struct Slot {
    state: Rc<RefCell<RunState>>,
    job: JobNumber,
    held: Option<(Lease, SemaphoreGuardArc)>,
    progress: Arc<Progress>,
    /// How long connecting has taken to the hosts of the leases before.
    connecting_before: Duration,
    /// That a request is under way, for those who share the limits of the run.
    #[cfg(feature = "fleet")]
    leave: Option<Box<dyn Any>>,
    /// The URL of that request.
    #[cfg(feature = "fleet")]
    asked: Option<Url>,
}

impl Slot {
    /// `progress` is that of the requests of the attempt.
    pub(super) fn new(
        state: Rc<RefCell<RunState>>,
        job: JobNumber,
        held: (Lease, SemaphoreGuardArc),
        progress: Arc<Progress>,
    ) -> Slot {
        Slot {
            state,
            job,
            held: Some(held),
            progress,
            connecting_before: Duration::ZERO,
            #[cfg(feature = "fleet")]
            leave: None,
            #[cfg(feature = "fleet")]
            asked: None,
        }
    }

    /// Whether others share the limits of the run.
    #[cfg(feature = "fleet")]
    pub(super) fn is_shared(&self) -> bool {
        self.state.borrow().config.sharer.is_some()
    }

    /// Waits until those who share the limits of the run let a request of this URL leave, in place of the one before. If the
    /// host told another of them to leave it alone, it waits as if it had been told to this one.
    ///
    /// # Errors
    /// If that host may not be asked, with the reason.
    #[cfg(feature = "fleet")]
    pub(super) async fn pass(&mut self, url: &Url, job: &Job) -> Result<(), Failure> {
        // What is learned from here on is of the host that the lease is of, which may be another one.
        (self.leave, self.asked) = (None, None);
        let Some(sharer) = self.state.borrow().config.sharer.clone() else { return Ok(()) };
        loop {
            let (asked, made) = (Instant::now(), self.state.borrow().queue.made());
            let SharedAnswer { leave, elsewhere } = sharer.pass(url, made).await;
            self.state.borrow_mut().queue.note_elsewhere(elsewhere);
            match leave {
                SharedLeave::Granted(leave) => {
                    // That wait is no part of how long the host takes.
                    self.held.iter_mut().for_each(|(lease, _)| *lease = lease.sent_after(asked.elapsed()));
                    (self.leave, self.asked) = (Some(leave), Some(url.clone()));
                    return Ok(());
                }
                SharedLeave::Paused(wait) => {
                    let advice = Advice { refused: false, wait: Some(wait) };
                    self.move_to(url, job, Verdict::Unclear, advice).await?;
                }
            }
        }
    }

    /// Lets those who share the limits of the run know until when the host that was asked last is to be left alone.
    #[cfg(feature = "fleet")]
    pub(super) fn tell_others(asked: Option<&Url>, host: Option<HostIndex>, state: &RunState, now: Instant) {
        let (Some(url), Some(host), Some(sharer)) = (asked, host, &state.config.sharer) else { return };
        if let Some(until) = state.queue.left_alone_until(host, now) {
            sharer.leave_alone(url, until - now);
        }
    }

    /// Without a fleet no other process shares the limits of the run.
    #[cfg(not(feature = "fleet"))]
    pub(super) fn tell_others(_asked: Option<&Url>, _host: Option<HostIndex>, _state: &RunState, _now: Instant) {}

    #[cfg(not(feature = "fleet"))]
    #[expect(clippy::unused_self, reason = "with a fleet there is one")]
    pub(super) fn asked(&self) -> Option<Url> {
        None
    }

    /// The URL that was asked last, if others share the limits of the run.
    #[cfg(feature = "fleet")]
    pub(super) fn asked(&self) -> Option<Url> {
        self.asked.clone()
    }

    /// What is held, if the attempt does not wait for it. The lease begins when the connection was made that its request has
    /// gone over: the requests of an attempt add up in its progress, and those before this one had leases of their own.
    pub(super) fn take_held(&mut self, progress: &ProgressSnapshot) -> Option<(Lease, SemaphoreGuardArc)> {
        let (lease, permit) = self.held.take()?;
        let connecting = [progress.dns, progress.connect, progress.tls].into_iter().flatten().sum();
        let before = std::mem::replace(&mut self.connecting_before, connecting);
        Some((lease.sent_after(connecting.saturating_sub(before)), permit))
    }

    /// Gives back the place at a host that has shown this much of itself, as by a redirect, and waits for one at the host of
    /// `url`.
    ///
    /// # Errors
    /// If that host may not be asked, with the reason.
    pub(super) async fn move_to(
        &mut self,
        url: &Url,
        job: &Job,
        verdict: Verdict,
        advice: Advice,
    ) -> Result<(), Failure> {
        let (tell, told) = channel::bounded(1);
        let held = self.take_held(&self.progress.snapshot());
        {
            let mut state = self.state.borrow_mut();
            let now = Instant::now();
            if let Some((lease, permit)) = held {
                state.queue.ended(lease, verdict, now);
                state.heed(lease.host, job.settings(), advice, now);
                Slot::tell_others(self.asked().as_ref(), Some(lease.host), &state, now);
                drop(permit);
            }
            let wait = state.wait_to_follow(self.job, advice, now)?;
            state.redirected(self.job, url, wait, now, tell).map_err(|error| Failure::from(&error))?;
        }
        match told.recv().await {
            Ok(Leave::Granted(lease, permit)) => {
                self.held = Some((lease, permit));
                Ok(())
            }
            Ok(Leave::Refused(failure)) => Err(failure),
            // The run has ended, and this attempt is about to be dropped.
            Err(_) => Err(Failure::from(&Error::new(Kind::Cancelled, "the run has ended").in_phase(Phase::Queue))),
        }
    }
}

impl RunState {
    /// Does as a host asks: pauses it, or ends what is left for it unsent if it asks for more than the job would wait or
    /// than the run has.
    pub(super) fn heed(&mut self, host: HostIndex, settings: &Settings, advice: Advice, now: Instant) {
        let Some(wait) = advice.wait else { return };
        if wait <= self.longest_wait(settings, now) {
            self.queue.pause(host, now + wait, now);
        } else {
            self.queue.close(host, now + wait, now);
        }
    }

    /// For how long a redirect is not followed: a Retry-After beside it holds for where it leads to (RFC 9110, section
    /// 10.2.3), whatever the host of that says.
    ///
    /// # Errors
    /// That is longer than the job would wait.
    fn wait_to_follow(&self, job: JobNumber, advice: Advice, now: Instant) -> Result<Duration, Failure> {
        let wait = advice.wait.filter(|_| advice.refused).unwrap_or_default();
        let most = self.job(job).map_or(Duration::ZERO, |job| self.longest_wait(job.settings(), now));
        if wait <= most {
            return Ok(wait);
        }
        let why = Unsent::Closed(now + wait).text(now);
        let failure = Failure::from(&Error::new(Kind::Skipped, why).in_phase(Phase::Queue));
        Err(Failure { retry_at: Some(rfc3339_after(wait).into()), ..failure })
    }

    /// How long a job of these settings waits if its host asks for it.
    fn longest_wait(&self, settings: &Settings, now: Instant) -> Duration {
        self.time_left(now).map_or(settings.retry_after_max, |left| left.min(settings.retry_after_max))
    }

    /// Ends a job that left the queue unsent: with the failure of its last attempt if there was one, otherwise as skipped.
    /// One that would wait longer than the job whose refusal closed the host goes back. Returns the attempts to cancel if
    /// that ends the run.
    pub(super) fn end_unsent(
        &mut self,
        queued: QueuedJob,
        host: HostIndex,
        why: Unsent,
        now: Instant,
    ) -> Vec<RunningAttempt> {
        // It may have ended while it waited.
        let Some(job) = self.job(queued.number).cloned() else { return Vec::new() };
        let until = if let Unsent::Closed(until) = why { Some(until) } else { None };
        if let Some(until) = until.filter(|until| *until - now <= self.longest_wait(job.settings(), now)) {
            self.queue.hold(queued, host, until, now);
            return Vec::new();
        }
        let retry_at: Option<Box<str>> = until.map(|until| rfc3339_after(until - now).into());
        let skipped = || Failure::from(&Error::new(Kind::Skipped, why.text(now)).in_phase(Phase::Queue));
        if let Some(tell) = self.take_redirected(queued.number) {
            // If the attempt is gone, its run is over.
            let _ = tell.try_send(Leave::Refused(Failure { retry_at, ..skipped() }));
            return Vec::new();
        }
        // A host that is not asked is not there for this job, whatever it has told another.
        let outage = why != Unsent::Budget || self.was_outage(queued.number);
        let (status, failure) = match self.last_failure(queued.number) {
            Some((status, failure)) => (status, failure.with_note(why.text(now))),
            None => (None, skipped()),
        };
        let received = Received { status, ..Received::default() };
        let end = JobEnd { received, outage, ..JobEnd::failed(Failure { retry_at, ..failure }) };
        let has_ended = self.finish(queued.number, end, now);
        if has_ended && self.config.fail_fast { self.stop(StopReason::FailFast) } else { Vec::new() }
    }
}

impl Unsent {
    /// Why nothing was sent, for people.
    pub(super) fn text(self, now: Instant) -> String {
        match self {
            Unsent::Closed(until) => {
                format!("nothing is sent: its host asks to be left alone until {}", rfc3339_after(until - now))
            }
            Unsent::GivenUp => {
                "nothing is sent: its host took no connection five times in a row, or ended it without a \
                                byte, and so it was with three probes after that"
                    .to_owned()
            }
            Unsent::Budget => {
                "it is not tried again: the run has made as many retries as it may, a fifth of its requests".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_lock::Semaphore;

    use super::super::config::RunConfig;
    use super::super::queue::Next;
    use super::*;

    /// A slot of a run of one job, and its lease.
    fn slot(config: RunConfig) -> (Slot, Lease) {
        let now = Instant::now();
        let mut state = RunState::new(config, now, channel::bounded(1).0, false);
        let job = state.push(Job::get("http://a.example/").expect("good"), now, None);
        let Next::Start { lease, .. } = state.next(now) else { panic!("nothing holds it") };
        let permit = Arc::new(Semaphore::new(1)).try_acquire_arc().expect("free");
        (Slot::new(Rc::new(RefCell::new(state)), job, (lease, permit), Arc::default()), lease)
    }

    fn connecting(ms: u64) -> ProgressSnapshot {
        let mut progress = ProgressSnapshot::default();
        progress.connect = Some(Duration::from_millis(ms));
        progress
    }

    #[test]
    fn each_host_of_a_chain_of_redirects_is_spared_its_own_connecting_alone() {
        let (mut slot, fresh) = slot(RunConfig::default());
        for (in_all, own) in [(500, 500), (700, 200), (700, 0)] {
            let (lease, permit) = slot.take_held(&connecting(in_all)).expect("it was given back");
            assert_eq!(lease.since, fresh.since + Duration::from_millis(own));
            slot.held = Some((fresh, permit));
        }
    }

    /// Lets each request pass after a while.
    #[cfg(feature = "fleet")]
    #[derive(Debug)]
    struct SlowSharer;

    #[cfg(feature = "fleet")]
    const SHARED_WAIT: Duration = Duration::from_millis(30);

    #[cfg(feature = "fleet")]
    impl super::super::shared_limits::LimitSharer for SlowSharer {
        fn pass(
            &self,
            _: &Url,
            _: super::super::budget::AttemptCounts,
        ) -> std::pin::Pin<Box<dyn Future<Output = SharedAnswer>>> {
            Box::pin(async {
                smol::Timer::after(SHARED_WAIT).await;
                SharedAnswer { leave: SharedLeave::Granted(Box::new(())), elsewhere: Default::default() }
            })
        }

        fn leave_alone(&self, _: &Url, _: Duration) {}
    }

    #[cfg(feature = "fleet")]
    #[test]
    fn the_wait_for_those_who_share_the_limits_is_no_latency_of_the_host() {
        let sharer: Arc<dyn super::super::shared_limits::LimitSharer> = Arc::new(SlowSharer);
        let (mut slot, fresh) = slot(RunConfig { sharer: Some(sharer), ..RunConfig::default() });
        let job = Job::get("http://a.example/").expect("good");
        smol::block_on(slot.pass(job.url(), &job)).expect("it may pass");
        let (lease, _permit) = slot.take_held(&connecting(0)).expect("it is held");
        assert!(lease.since >= fresh.since + SHARED_WAIT, "{:?}", lease.since - fresh.since);
    }
}
