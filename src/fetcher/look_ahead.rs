//! Looks up what is kept of jobs before they wait for their hosts, many at once.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use smol::channel::Receiver;

use super::attempt::{omitted_fields, request_fields};
use super::cache_lane::{CacheLane, Delivery};
use super::caching::{CacheRequest, FirstLook, RunCache, is_fresh};
use super::host::JobNumber;
use super::state::RunState;
use crate::cache::{CacheKey, Candidate, Directives};
use crate::event_loop::{EventLoop, Task};
use crate::job::Job;

/// How many jobs are looked up at once. To hash what they are known by takes some microseconds each, on the loop.
const MOST_AT_ONCE: usize = 128;

/// How many jobs remember what was found of them until they start. The others look again.
const MOST_REMEMBERED: usize = 8_192;

/// What the tasks of a cache need to begin.
pub(super) struct OpenedCache {
    cache: RunCache,
    answers: Task<()>,
    woken: Receiver<()>,
}

/// Gives a run its cache, if it has one, before its first job comes.
pub(super) fn open(state: &mut RunState, event_loop: &EventLoop) -> Option<OpenedCache> {
    let store = state.config.cache.clone()?;
    let (cache, answers) = RunCache::start(store, event_loop);
    let woken;
    (state.cache, woken) = CacheLane::with(cache.clone());
    Some(OpenedCache { cache, answers, woken })
}

/// Begins to look up jobs.
pub(super) fn begin(
    opened: Option<OpenedCache>,
    state: &Rc<RefCell<RunState>>,
    event_loop: &EventLoop,
) -> Vec<Task<()>> {
    let Some(OpenedCache { cache, answers, woken }) = opened else { return Vec::new() };
    vec![answers, event_loop.spawn_named("look ahead", look_ahead(state.clone(), cache, woken))]
}

/// Looks up the jobs that wait for it, and sends each on its way.
async fn look_ahead(state: Rc<RefCell<RunState>>, cache: RunCache, woken: Receiver<()>) {
    loop {
        let jobs = state.borrow_mut().take_unlooked();
        if jobs.is_empty() {
            if woken.recv().await.is_err() {
                return;
            }
            continue;
        }
        let asked: Vec<Option<CacheKey>> = jobs.iter().map(|(_, job)| key_of(job, &cache)).collect();
        let found = cache.find_all(asked.iter().flatten().copied().collect()).await;
        let mut found = found.into_iter();
        for ((number, job), asked) in jobs.into_iter().zip(asked) {
            let candidates = asked.and_then(|_| found.next()).unwrap_or_default();
            let (candidate, directives) = choose(&job, &cache, candidates);
            let mut state = state.borrow_mut();
            let fresh = candidate.as_ref().zip(directives);
            if fresh.is_some_and(|(kept, request)| is_fresh(job.settings(), kept, &request)) {
                state.remember(number, candidate);
                state.cache.ready.push_back(Delivery::Fresh(number));
            } else {
                state.remember(number, candidate);
                state.enqueue(number, Instant::now());
            }
        }
        state.borrow().wake_driver();
    }
}

impl RunState {
    fn take_unlooked(&mut self) -> Vec<(JobNumber, Job)> {
        let numbers = self.cache.take_unlooked(MOST_AT_ONCE);
        numbers.into_iter().filter_map(|number| Some((number, self.job(number)?.clone()))).collect()
    }

    fn remember(&mut self, number: JobNumber, candidate: Option<Candidate>) {
        if self.cache.remembered < MOST_REMEMBERED {
            if let Some(active) = self.jobs.get_mut(&number) {
                active.first_look = FirstLook(Some(Box::new(candidate)));
                self.cache.remembered += 1;
            }
        }
    }

    /// What was found of a job, once.
    pub(super) fn take_first_look(&mut self, number: JobNumber) -> FirstLook {
        let look = self.jobs.get_mut(&number).map(|active| std::mem::take(&mut active.first_look)).unwrap_or_default();
        self.cache.forget(&look);
        look
    }

    /// Lets a job whose kept response will not do ask for a new one, in this attempt and in those after it.
    pub(super) fn ask_again(&mut self, number: JobNumber, candidate: Option<Candidate>) {
        if let Some(active) = self.jobs.get_mut(&number) {
            active.must_ask = true;
        }
        self.remember(number, candidate);
        self.enqueue(number, Instant::now());
    }
}

/// What the first request of a job is known by; `None` if it is none for a cache.
fn key_of(job: &Job, cache: &RunCache) -> Option<CacheKey> {
    with_request(job, |request| request.directives().map(|_| request.key(&*cache.store)))
}

/// The one of these that serves the first request of a job, and what the request says.
fn choose(job: &Job, cache: &RunCache, candidates: Vec<Candidate>) -> (Option<Candidate>, Option<Directives>) {
    if candidates.is_empty() {
        return (None, None);
    }
    with_request(job, |request| (request.choose(&*cache.store, candidates), request.directives()))
}

fn with_request<T>(job: &Job, look: impl FnOnce(&CacheRequest<'_>) -> T) -> T {
    let settings = job.settings();
    let (fields, omitted) = (request_fields(settings), omitted_fields(settings));
    let is_secret = |bytes: &[u8]| job.secrets().is_in(bytes);
    let (method, raw) = (settings.method.as_str(), settings.raw);
    look(&CacheRequest { method, url: job.url(), fields: &fields, omitted: &omitted, raw, is_secret: &is_secret })
}

/// What is kept for the first request of a job.
pub(super) async fn find(job: &Job, cache: &RunCache) -> Option<Candidate> {
    let key = key_of(job, cache)?;
    let candidates = cache.find(key).await;
    choose(job, cache, candidates).0
}
