//! Responses that are kept, with a store that the test holds back: what becomes of jobs that wait for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use roundup::cache::{CacheChange, CacheKey, CacheStore, Candidate, Freshness, KeptContent};
use roundup::{Fetcher, Job, Result};

use super::{collect, once};
use crate::common::{Reply, Server};

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

/// A job whose content has to hold this text.
fn expecting(url: String, text: &str) -> Job {
    once(url).with(|settings| {
        settings.cache = true;
        settings.expect.text = Some(text.into());
    })
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
