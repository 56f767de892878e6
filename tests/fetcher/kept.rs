//! Responses that are kept, with a store that the test holds back: what becomes of jobs that wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use futures_lite::{StreamExt, future};
use roundup::cache::{CacheChange, CacheKey, CacheStore, Candidate, Freshness, KeptContent};
use roundup::event_loop::{timeout, unblock};
use roundup::{EventLoop, Fetcher, Job, Kind, Outcome, Phase, Result};

use super::{Gate, assert_failed, at_once, collect, failure, once};
use crate::common::{PATIENCE, Reply, Server};

/// A store in which one response is kept, for all requests.
#[derive(Debug)]
struct OneResponse {
    kept: Candidate,
    content: &'static str,
    state: Mutex<StoreState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct StoreState {
    /// Whether the content can be had now.
    open: bool,
    /// How many contents were asked for.
    asked: usize,
    /// How often it was looked what is kept by a key.
    looked_up: usize,
}

impl OneResponse {
    /// A response with this content that is fresh for so long. Its content waits for [`open`](Self::open).
    fn new(content: &'static str, lifetime_ms: i64) -> Arc<OneResponse> {
        let received_ms = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis() as i64;
        let freshness = Freshness { received_ms, lifetime_ms, ..Freshness::default() };
        let kept = Candidate {
            id: 1,
            variant: CacheKey([0; 16]),
            vary: None,
            etag: None,
            last_modified: None,
            freshness,
            status: 200,
            fields: [].into(),
            body_bytes: content.len() as u64,
        };
        Arc::new(OneResponse { kept, content, state: Mutex::default(), changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, StoreState> {
        self.state.lock().expect("no thread panics here")
    }

    /// Gives out the content from now on.
    fn open(&self) {
        self.state().open = true;
        self.changed.notify_all();
    }

    /// Waits until the content was asked for.
    async fn is_asked(self: &Arc<Self>) {
        let store = self.clone();
        let wait = move || drop(store.changed.wait_while(store.state(), |state| state.asked == 0));
        unblock(wait).await;
    }

    fn fetcher(self: &Arc<Self>) -> Fetcher {
        Fetcher::new().cache(self.clone())
    }
}

impl CacheStore for OneResponse {
    fn key(&self, _: &mut dyn Iterator<Item = &[u8]>) -> CacheKey {
        CacheKey([1; 16])
    }

    fn implied_field(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn find(&self, keys: &[CacheKey]) -> Result<Vec<Vec<Candidate>>> {
        self.state().looked_up += keys.len();
        Ok(keys.iter().map(|_| vec![self.kept.clone()]).collect())
    }

    fn load(&self, id: i64) -> Result<Option<KeptContent>> {
        self.state().asked += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(self.state(), |state| !state.open).expect("no thread panics here"));
        Ok(Some(KeptContent { id, bytes: self.content.into() }))
    }

    fn change(&self, _: CacheChange) {}
}

fn cached(url: String) -> Job {
    once(url).with(|settings| settings.cache = true)
}

/// A job whose content has to hold this text.
fn expecting(url: String, text: &str) -> Job {
    cached(url).with(|settings| settings.expect.text = Some(text.into()))
}

#[test]
fn a_fresh_response_that_is_not_as_expected_is_asked_for() {
    let server = Server::start(|_| Reply::text("new"));
    let store = OneResponse::new("old", i64::MAX / 2);
    store.open();
    // With nothing else to do, the run would have ended before the job asks its host.
    let outcomes = collect(&store.fetcher(), vec![expecting(server.url("/"), "new")]);
    assert_eq!(outcomes[0].body.as_ref().and_then(roundup::Body::in_memory), Some(&b"new"[..]));
    assert_eq!((outcomes[0].attempts.len(), server.stats().requests), (1, 1));
}

/// A job that takes the last good response in place of a failure.
fn stale_if_error(url: String) -> Job {
    once(url).with(|settings| settings.stale_if_error = Some(Duration::from_secs(3600)))
}

/// Runs a job until the content that is kept of it is asked for after so many attempts, ends the run, and returns the outcome.
fn stopped_while_it_is_delivered(store: &Arc<OneResponse>, job: Job, tries: usize) -> Outcome {
    let event_loop = EventLoop::new();
    let mut outcomes = store.fetcher().run(&event_loop, [job]);
    let stopper = outcomes.stopper();
    let outcome = event_loop.run(timeout(PATIENCE, async {
        store.is_asked().await;
        let snapshot = stopper.snapshot(9).expect("the stream is there");
        assert_eq!(snapshot.running.iter().map(|source| source.tries).collect::<Vec<_>>(), [tries]);
        stopper.stop();
        outcomes.next().await.expect("one job")
    }));
    store.open();
    assert_eq!(stopper.status().map(|status| status.in_flight), Some(0));
    outcome.expect("it hangs")
}

#[test]
fn a_run_that_is_stopped_tells_the_failure_that_a_stale_response_was_to_hide() {
    let server = Server::start(|_| Reply::status(503));
    let store = OneResponse::new("old", 0);
    let outcome = stopped_while_it_is_delivered(&store, stale_if_error(server.url("/")), 1);
    assert_failed(&outcome, Kind::Status, Phase::Head);
    assert_eq!((outcome.status, outcome.attempts.len(), &outcome.stale), (Some(503), 1, &None));
    assert_eq!(outcome.attempts[0].error.as_ref(), outcome.error.as_ref());
}

#[test]
fn a_run_that_is_stopped_shows_no_attempt_that_was_not_made() {
    let store = OneResponse::new("old", i64::MAX / 2);
    let outcome = stopped_while_it_is_delivered(&store, expecting("http://127.0.0.1:9/".to_owned(), "old"), 0);
    assert_failed(&outcome, Kind::Skipped, Phase::Queue);
    assert!(failure(&outcome).message.contains("interrupted before it was started"), "{:?}", outcome.error);
    assert_eq!(outcome.attempts.len(), 0);
}

/// Runs a job whose time is over before its second attempt, because another takes up its host; and lets that other end with
/// this reply while the first waits for its last good response.
fn overdue_while_the_host_is_taken(reply: fn() -> Reply) -> (Outcome, usize) {
    let other = Gate::default();
    let held = other.clone();
    let server = Server::start(move |request| match request.path() {
        "/first" => Reply::status(503),
        _ => {
            held.wait_for(2);
            reply()
        }
    });
    let store = OneResponse::new("old", 0);
    let first = stale_if_error(server.url("/first")).with(|settings| {
        settings.retries = 1;
        settings.job_timeout = Some(Duration::from_secs(2));
    });
    let jobs = [first, cached(server.url("/other"))];
    let mut limits = at_once(5);
    limits.per_host = std::num::NonZeroU32::new(1);
    let event_loop = EventLoop::new();
    let mut outcomes = store.fetcher().limits(limits).run(&event_loop, jobs);
    let stopper = outcomes.stopper();
    let first = event_loop.run(timeout(PATIENCE, async {
        store.is_asked().await;
        unblock(move || other.wait_for(2)).await;
        let ended = outcomes.next().await.expect("the other");
        assert_eq!(ended.index, 1);
        // The driver has its turn.
        for _ in 0..20 {
            future::yield_now().await;
        }
        store.open();
        let first = outcomes.next().await.expect("the first");
        assert!(outcomes.next().await.is_none(), "each ends once");
        first
    }));
    assert_eq!(stopper.status().map(|status| (status.in_flight, status.done)), Some((0, 2)));
    (first.expect("it hangs"), server.stats().requests_under("/first"))
}

#[test]
fn a_job_that_waits_for_its_stale_response_is_neither_started_nor_ended_again() {
    // The host is free again, or wants to be left alone, which ends what waits for it.
    for reply in [|| Reply::text("good"), || Reply::status(429).header("Retry-After", "4000")] {
        let (outcome, requests) = overdue_while_the_host_is_taken(reply);
        assert_eq!((requests, outcome.attempts.len(), outcome.ok()), (1, 1, true), "{outcome:?}");
        let hidden = outcome.stale.expect("the last good one").error.message;
        assert!(hidden.ends_with("was over before the next"), "{hidden}");
    }
}

#[test]
fn a_fresh_response_that_will_not_do_is_not_delivered_in_later_attempts_either() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(503),
        _ => Reply::text("new"),
    });
    let store = OneResponse::new("old", i64::MAX / 2);
    store.open();
    let job = expecting(server.url("/"), "new").with(|settings| settings.retries = 1);
    let outcomes = collect(&store.fetcher(), vec![job]);
    assert!(outcomes[0].ok(), "{:?}", outcomes[0]);
    assert_eq!((outcomes[0].attempts.len(), server.stats().requests), (2, 2));
}

#[test]
fn a_fresh_response_that_will_not_do_is_not_said_to_be_forbidden() {
    let server = Server::start(|_| Reply::status(503));
    let store = OneResponse::new("old", i64::MAX / 2);
    store.open();
    let job = expecting(server.url("/"), "new");
    let job = job.with(|settings| settings.stale_if_error = Some(Duration::from_secs(3600)));
    let outcomes = collect(&store.fetcher(), vec![job]);
    assert_failed(&outcomes[0], Kind::Status, Phase::Head);
    let message = &failure(&outcomes[0]).message;
    assert!(!message.contains("no-cache"), "the server has said nothing of the kind: {message}");
}

#[test]
fn what_was_found_of_jobs_that_were_never_sent_is_forgotten() {
    let server = Server::start(|request| match request.path() {
        "/closed" => Reply::status(429).header("Retry-After", "4000"),
        _ => Reply::text("new"),
    });
    let store = OneResponse::new("old", 0);
    let event_loop = EventLoop::new();
    let (intake, mut outcomes) = store.fetcher().limits(at_once(1)).open(&event_loop);
    // More than are remembered at once.
    const JOBS: usize = 8_300;
    let run = event_loop.run(timeout(PATIENCE, async {
        for _ in 0..JOBS {
            intake.add(cached(server.url("/closed"))).expect("open");
        }
        for _ in 0..JOBS {
            assert!(outcomes.next().await.is_some_and(|outcome| !outcome.ok()));
        }
        let before = store.state().looked_up;
        intake.add(cached(server.url_at("localhost", "/open"))).expect("open");
        assert!(outcomes.next().await.is_some_and(|outcome| outcome.ok()));
        store.state().looked_up - before
    }));
    assert_eq!(run.expect("it hangs"), 1, "it was looked up anew for the attempt");
    assert_eq!(server.stats().requests, 2);
}

#[test]
fn a_host_that_wants_to_be_left_alone_for_long_is_an_outage_for_all_its_jobs() {
    for status in [429, 503] {
        let server = Server::start(move |_| Reply::status(status).header("Retry-After", "4000"));
        let store = OneResponse::new("old", 0);
        store.open();
        let jobs = (0..3).map(|n| stale_if_error(server.url(&format!("/{n}")))).collect();
        let outcomes = collect(&store.fetcher().limits(at_once(1)), jobs);
        assert_eq!(server.stats().requests, 1, "only the first is sent");
        for outcome in outcomes {
            assert_eq!(outcome.body.as_ref().and_then(roundup::Body::in_memory), Some(&b"old"[..]), "{outcome:?}");
            let hidden = outcome.stale.expect("the last good one").error;
            assert!(hidden.retry_at.is_some(), "{status} {hidden:?}");
            assert_eq!(hidden.kind, if outcome.index == 0 { Kind::Status } else { Kind::Skipped });
        }
    }
}
