//! What an attempt has had to do with the cache.

use crate::body::Body;
use crate::cache::{CacheChange, CacheKey, Candidate, Freshness, MAX_KEPT_CONTENT, NewResponse};
use crate::fetcher::advice::Advice;
use crate::outcome::{CacheUse, ResponseField};

use super::asking::RunCache;

/// What the last request of an attempt has had to do with the cache.
#[derive(Debug, Default)]
pub(in crate::fetcher) struct CacheNote {
    /// What was kept by its key.
    pub(super) candidate: Option<Candidate>,
    /// How the response came out of the cache, if it did.
    pub(super) used: Option<CacheUse>,
    /// What the server has asked for with its 304. What stands in the kept head it has asked for then.
    pub(super) advice: Advice,
    /// The number of the kept content, if it is delivered.
    pub(super) content_id: Option<i64>,
    /// How many bytes of content are passed by unread, because neither the job nor a report needs them.
    pub(super) unread: Option<u64>,
    /// A response that is kept if it turns out to be whole and good.
    pub(super) received: Option<Box<KeepableHead>>,
    /// What changes in the cache.
    pub(super) changes: Vec<CacheChange>,
}

/// A response that may be kept, without its content.
#[derive(Debug)]
pub(super) struct KeepableHead {
    pub(super) key: CacheKey,
    pub(super) variant: CacheKey,
    pub(super) vary: Option<Box<str>>,
    pub(super) url: Box<str>,
    pub(super) status: u16,
    pub(super) fields: Vec<ResponseField>,
    pub(super) freshness: Freshness,
}

/// Changes that are made when the outcome of their job is taken: until then a secret in it may not be known.
pub(in crate::fetcher) type ReleasedChanges = Vec<CacheChange>;

impl CacheNote {
    /// How the response came out of the cache.
    pub(in crate::fetcher) fn used(&self) -> Option<CacheUse> {
        self.used
    }

    /// The status that the server gave to the attempt, where `status` is that of the response.
    pub(in crate::fetcher) fn attempt_status(&self, status: Option<u16>) -> Option<u16> {
        if self.used == Some(CacheUse::Revalidated) { Some(304) } else { status }
    }

    /// What the server asks for, where `advice` stands in the head of the response.
    pub(in crate::fetcher) fn advice(&self, advice: impl FnOnce() -> Advice) -> Advice {
        if self.used.is_some() { self.advice } else { advice() }
    }

    /// What was kept by the key of the request.
    pub(in crate::fetcher) fn take_candidate(&mut self) -> Option<Candidate> {
        self.candidate.take()
    }

    /// How many bytes the content has, if neither the job nor a report needs it.
    pub(in crate::fetcher) fn unread(&self) -> Option<u64> {
        self.unread
    }

    /// Up to which size the content is to be read into memory for the cache.
    pub(in crate::fetcher) fn keeps(&self) -> Option<u64> {
        self.received.as_ref().map(|_| MAX_KEPT_CONTENT)
    }

    /// Notes the content, which is whole. `keep` says whether the outcome needs it, too.
    pub(in crate::fetcher) fn read(&mut self, body: &mut Option<Body>, keep: bool) -> Option<Body> {
        if let Some(id) = self.content_id {
            *body = body.take().map(|body| body.kept_as(id));
        }
        let kept = self.received.as_ref().and(body.clone());
        if !keep {
            *body = None;
        }
        kept
    }

    /// The response is as it should be: it is kept with its content.
    pub(in crate::fetcher) fn accept(&mut self, body: Option<Body>) {
        let Some(head) = self.received.take() else { return };
        let Some(body) = body else {
            // It is too large, and what is kept is not the newest any more.
            self.changes.extend(self.candidate.as_ref().map(|_| CacheChange::Forget(head.key)));
            return;
        };
        let KeepableHead { key, variant, vary, url, status, fields, freshness } = *head;
        let response = NewResponse { key, variant, vary, url, status, fields, freshness, body };
        self.changes.push(CacheChange::Keep(Box::new(response)));
    }

    /// The changes, for when the outcome is taken.
    pub(in crate::fetcher) fn take_changes(&mut self) -> ReleasedChanges {
        std::mem::take(&mut self.changes)
    }
}

impl RunCache {
    /// Makes these changes.
    pub(in crate::fetcher) fn release(&self, changes: ReleasedChanges) {
        changes.into_iter().for_each(|change| self.change(change));
    }
}
