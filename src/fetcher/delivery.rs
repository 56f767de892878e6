//! Delivers what is kept: it is read, looked into and judged like a response that has come.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_lock::SemaphoreGuardArc;

use super::active::{ActiveJob, AttemptEnd, JobEnd, RunningAttempt, StopReason};
use super::attempt::{AttemptPlan, AttemptResult, read_kept};
use super::cache_lane::Delivery;
use super::caching::{CacheNote, RunCache, content, delivered, wants_content};
use super::host::JobNumber;
use super::look_ahead::find;
use super::state::RunState;
use crate::cache::{Candidate, ms_of};
use crate::job::Job;
use crate::outcome::{CacheUse, Failure, Stale};
use crate::transport::Progress;
use crate::units::DisplayDuration;

/// Delivers one of these, with the permit that its outcome takes.
pub(super) async fn deliver(
    state: Rc<RefCell<RunState>>,
    delivery: Delivery,
    progress: Arc<Progress>,
    permit: SemaphoreGuardArc,
) {
    let cache = state.borrow().cache.cache();
    let Some(cache) = cache else { return };
    let cancelled = match delivery {
        Delivery::Fresh(number) => {
            deliver_fresh(&state, &cache, number, &progress, permit).await;
            Vec::new()
        }
        Delivery::Stale(number) => deliver_stale(&state, &cache, number, &progress, permit).await,
    };
    state.borrow().wake_driver();
    drop(cancelled);
}

async fn deliver_fresh(
    state: &RefCell<RunState>,
    cache: &RunCache,
    number: JobNumber,
    progress: &Arc<Progress>,
    permit: SemaphoreGuardArc,
) {
    let since = Instant::now();
    let Some(job) = state.borrow().job(number).cloned() else { return };
    let look = state.borrow_mut().take_first_look(number);
    let candidate = match look.0 {
        Some(found) => *found,
        None => find(&job, cache).await,
    };
    let read = match &candidate {
        Some(kept) => read(state, cache, (&job, number), kept, CacheUse::Hit, progress).await,
        None => None,
    };
    let mut state = state.borrow_mut();
    match read {
        Some(AttemptResult { received, error: None, .. }) => {
            let (progress, peer) = progress.close();
            let end = AttemptEnd {
                since,
                status: received.status,
                progress,
                peer,
                final_url: None,
                failure: None,
                cache: Some(CacheUse::Hit),
                outage: false,
            };
            let now = Instant::now();
            state.attempt_ended(number, end, now);
            let end = JobEnd { received, failure: None, progress, permit: Some(permit), outage: false };
            state.finish(number, end, now);
        }
        // It is gone, or will not do: a new one may.
        _ => {
            state.delivery_ended(number);
            state.ask_again(number, candidate);
        }
    }
}

/// Delivers the last good response of a job that has failed, or ends it with its failure. Returns the attempts to cancel if
/// that ends the run.
async fn deliver_stale(
    state: &RefCell<RunState>,
    cache: &RunCache,
    number: JobNumber,
    progress: &Arc<Progress>,
    permit: SemaphoreGuardArc,
) -> Vec<RunningAttempt> {
    let Some(job) = state.borrow().job(number).cloned() else { return Vec::new() };
    let look = state.borrow_mut().take_first_look(number);
    let asked_about = state.borrow_mut().cache.take_candidate(number);
    let candidate = match (asked_about, look.0) {
        (Some(kept), _) => Some(kept),
        (None, Some(found)) => *found,
        (None, None) => find(&job, cache).await,
    };
    let now_ms = ms_of(SystemTime::now());
    let within = job.settings().stale_if_error.unwrap_or_default();
    let refusal = candidate.as_ref().and_then(|kept| why_not(kept, within, now_ms));
    let read = match candidate.as_ref().filter(|_| refusal.is_none()) {
        Some(kept) => read(state, cache, (&job, number), kept, CacheUse::Stale, progress).await,
        None => None,
    };
    let mut state = state.borrow_mut();
    state.delivery_ended(number);
    let now = Instant::now();
    let Some(mut end) = state.cache.take_end(number) else { return Vec::new() };
    end.permit = Some(permit);
    match (read, candidate, end.failure.take()) {
        (Some(AttemptResult { mut received, error: None, .. }), Some(kept), Some(error)) => {
            let age_ms = kept.freshness.current_age_ms(now_ms).unwrap_or(kept.freshness.age_ms);
            received.stale = Some(Box::new(Stale { age_s: u64::try_from(age_ms / 1000).unwrap_or(0), error }));
            state.finish(number, JobEnd { received, ..end }, now);
            Vec::new()
        }
        (_, _, failure) => {
            let noted = |failure: Failure| match &refusal {
                Some(why) => failure.with_note(why),
                None => failure,
            };
            end.failure = failure.map(noted);
            state.finish(number, end, now);
            if state.config.fail_fast { state.stop(StopReason::FailFast) } else { Vec::new() }
        }
    }
}

/// Why a kept response may not be delivered for a job that has failed.
fn why_not(kept: &Candidate, within: Duration, now_ms: i64) -> Option<String> {
    let within_ms = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
    if kept.freshness.must_be_asked_for() {
        return Some("what is kept of it may not be delivered: the server says no-cache or must-revalidate".to_owned());
    }
    let is_too_old = !kept.freshness.may_be_stale(within_ms, now_ms);
    is_too_old.then(|| format!("what is kept of it is too old for stale_if_error, {}", DisplayDuration(within)))
}

/// Reads a kept response; `None` if it is not kept any more.
async fn read(
    state: &RefCell<RunState>,
    cache: &RunCache,
    (job, number): (&Job, JobNumber),
    kept: &Candidate,
    used: CacheUse,
    progress: &Arc<Progress>,
) -> Option<AttemptResult> {
    let about = {
        let state = state.borrow();
        let (keep, began, budget) = (state.config.keep, Instant::now(), state.budget.clone());
        let picked = state.picked.clone();
        let first_look = Default::default();
        let (ends, key, cache, cookies) = (None, None, None, None);
        AttemptPlan { keep, budget, picked, began, ends, key, cache, first_look, must_ask: false, cookies }
    };
    let content = content(cache, job.settings(), kept, wants_content(job, about.keep.bodies)).await?;
    // The run may have ended meanwhile.
    state.borrow().job(number)?;
    let mut note = CacheNote::default();
    let response = delivered(kept, &kept.fields, content, used, &mut note);
    Some(read_kept(job, about, response, note, progress).await)
}

impl RunState {
    /// Notes that a job has its end from the cache, or has not found it there.
    fn delivery_ended(&mut self, number: JobNumber) {
        let running = self.jobs.get_mut(&number).and_then(ActiveJob::take_running);
        self.status.in_flight -= usize::from(running.is_some());
    }
}
