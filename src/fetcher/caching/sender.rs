//! Sends requests with what is kept of earlier ones in mind.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures_lite::io::Cursor;

use super::asking::RunCache;
use super::first_look::FirstLook;
use super::note::{CacheNote, KeepableHead};
use super::request_key::CacheRequest;
use crate::cache::{
    CacheChange, CacheKey, Candidate, Directives, Freshness, KeptContent, Vary, kept_fields, may_be_kept,
    merged_fields, ms_of,
};
use crate::error::{Error, Kind, Phase, Result};
use crate::fetcher::advice::Advice;
use crate::job::Job;
use crate::origin::without_password;
use crate::outcome::{CacheUse, ResponseField};
use crate::settings::Settings;
use crate::transport::h1::Head;
use crate::transport::{Content, Request, RequestContent, Response, SendRequest, Sending, drain};

/// Sends the requests of one attempt. A response that is fresh is delivered in place of a request; one that is not makes the
/// request a conditional one, and is delivered if the server answers with 304.
#[derive(Debug)]
pub(in crate::fetcher) struct CachingSender<'a> {
    sender: &'a dyn SendRequest,
    job: &'a Job,
    /// None if the job keeps no responses.
    cache: Option<RunCache>,
    wants_content: bool,
    /// Whether nothing is delivered in place of a request.
    must_ask: bool,
    /// What is known of the first request before it is sent.
    first: Mutex<FirstLook>,
    note: Mutex<CacheNote>,
}

/// A request, and what it is known by.
struct Asked<'a, 'r> {
    request: &'r Request<'a>,
    cached: CacheRequest<'r>,
    directives: Directives,
}

impl Asked<'_, '_> {
    /// What its responses are kept by: some microseconds, so it is only made if it is needed.
    fn key(&self, cache: &RunCache) -> CacheKey {
        self.cached.key(&*cache.store)
    }
}

impl<'a> CachingSender<'a> {
    /// `must_ask` says that nothing may be delivered in place of a request, `keep` whether contents are kept for the outcome.
    pub(in crate::fetcher) fn new(
        sender: &'a dyn SendRequest,
        job: &'a Job,
        cache: Option<RunCache>,
        first: FirstLook,
        must_ask: bool,
        keep: bool,
    ) -> CachingSender<'a> {
        let cache = cache.filter(|_| job.settings().keeps_responses());
        let wants_content = wants_content(job, keep);
        CachingSender { sender, job, cache, wants_content, must_ask, first: first.into(), note: Mutex::default() }
    }

    /// What the last request has had to do with the cache.
    pub(in crate::fetcher) fn end(self) -> CacheNote {
        self.note.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) -> MutexGuard<'_, CacheNote> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(&self, cache: &RunCache, request: Request<'_>) -> Result<Response> {
        *self.note() = CacheNote::default();
        let is_secret = |bytes: &[u8]| request.is_secret.is_some_and(|is_secret| is_secret(bytes));
        let cached = CacheRequest::of(&request, &is_secret);
        let Some(directives) = cached.directives() else { return self.sender.send(request).await };
        let asked = Asked { request: &request, cached, directives };
        let first = std::mem::take(&mut *self.first.lock().unwrap_or_else(PoisonError::into_inner));
        let candidate = match first.0 {
            Some(looked) => *looked,
            None => asked.cached.choose(&*cache.store, cache.find(asked.key(cache)).await),
        };
        self.note().candidate = candidate.clone();
        if let Some(kept) = candidate.as_ref().filter(|kept| self.is_fresh(kept, &directives)) {
            if let Some(content) = self.content(cache, kept).await {
                return Ok(delivered(kept, &kept.fields, content, CacheUse::Hit, &mut self.note()));
            }
        }
        let Some(kept) = candidate.filter(|kept| kept.etag.is_some() || kept.last_modified.is_some()) else {
            return self.fetch(cache, &asked).await;
        };
        let requested = ms_of(SystemTime::now());
        let response = self.sender.send(conditional(&request, &kept, &mut Vec::new())).await?;
        if response.head.status() != 304 {
            return Ok(self.fetched(cache, &asked, requested, response));
        }
        drain(response.content).await;
        match self.content(cache, &kept).await {
            Some(content) => Ok(self.revalidated(&kept, content, &response.head, requested)),
            // Another run has let it go since it was found.
            None => self.fetch(cache, &asked).await,
        }
    }

    fn is_fresh(&self, kept: &Candidate, request: &Directives) -> bool {
        !self.must_ask && is_fresh(self.job.settings(), kept, request)
    }

    /// The content of a kept response, if it is wanted; `None` if it is not kept any more.
    async fn content(&self, cache: &RunCache, kept: &Candidate) -> Option<Option<KeptContent>> {
        content(cache, self.job.settings(), kept, self.wants_content).await
    }

    /// Sends the request as it is.
    async fn fetch(&self, cache: &RunCache, asked: &Asked<'_, '_>) -> Result<Response> {
        let requested = ms_of(SystemTime::now());
        let response = self.sender.send(asked.request.again(asked.request.fields, RequestContent::None)).await?;
        if response.head.status() == 304 {
            let text = "the server says that the content is still the same (304), which it was not asked: nothing is kept \
                        that could be delivered";
            return Err(Error::new(Kind::Protocol, text).in_phase(Phase::Head));
        }
        Ok(self.fetched(cache, asked, requested, response))
    }

    /// Notes whether a response that has come may be kept.
    fn fetched(&self, cache: &RunCache, asked: &Asked<'_, '_>, requested: i64, response: Response) -> Response {
        let received = ms_of(SystemTime::now());
        let (head, status) = (&response.head, response.head.status());
        let Asked { request, cached, directives } = asked;
        let last_good = self.job.settings().stale_if_error.is_some();
        let vary = Vary::read(head.fields());
        let may_be =
            vary != Vary::Anything && may_be_kept(request.method, directives, status, head.fields(), last_good);
        let fields = may_be.then(|| kept_fields(head.fields())).flatten();
        let mut note = self.note();
        let Some(fields) = fields else {
            // What is kept is not the newest any more, if this one is good.
            if note.candidate.is_some() && self.job.settings().good_statuses().contains(status) {
                note.changes.push(CacheChange::Forget(asked.key(cache)));
            }
            drop(note);
            return response;
        };
        let vary = vary.joined();
        let shown = request.shown_url.filter(|_| std::ptr::eq(request.url, self.job.url()));
        note.received = Some(Box::new(KeepableHead {
            key: asked.key(cache),
            variant: cached.variant(&*cache.store, vary.as_deref()),
            vary,
            url: shown.map_or_else(|| without_password(request.url.as_str()).into(), Into::into),
            status,
            fields,
            freshness: Freshness::of(head.fields(), requested, received),
        }));
        drop(note);
        response
    }

    fn revalidated(&self, kept: &Candidate, content: Option<KeptContent>, head: &Head, requested: i64) -> Response {
        let fields = merged_fields(kept.fields.to_vec(), head.fields());
        let freshness = Freshness::of(pairs(&fields), requested, ms_of(SystemTime::now()));
        let mut note = self.note();
        note.advice = Advice::new(304, head.fields(), SystemTime::now);
        let response = delivered(kept, &fields, content, CacheUse::Revalidated, &mut note);
        note.changes.push(CacheChange::Renew { id: kept.id, fields, freshness });
        response
    }
}

impl SendRequest for CachingSender<'_> {
    fn send<'a>(&'a self, request: Request<'a>) -> Sending<'a> {
        match &self.cache {
            Some(cache) if matches!(request.content, RequestContent::None) => Box::pin(self.exchange(cache, request)),
            _ => self.sender.send(request),
        }
    }
}

/// Whether it is delivered without a request. A job that asks until something has changed wants to know each time.
pub(in crate::fetcher) fn is_fresh(settings: &Settings, kept: &Candidate, request: &Directives) -> bool {
    settings.cache && settings.poll.is_none() && kept.freshness.is_fresh(request, ms_of(SystemTime::now()))
}

/// Whether the job or a report needs the contents of this job. `keep` says whether they are kept for the outcome.
pub(in crate::fetcher) fn wants_content(job: &Job, keep: bool) -> bool {
    keep || job.output().is_some() || job.settings().looks_into_content()
}

/// The content of a kept response, if it is wanted, because the job or a report needs it or because it is too large, which is found as it
/// is read. `None` if it is not kept any more.
pub(in crate::fetcher) async fn content(
    cache: &RunCache,
    settings: &Settings,
    kept: &Candidate,
    wants_content: bool,
) -> Option<Option<KeptContent>> {
    let is_too_large = kept.body_bytes > settings.max_body.unwrap_or(Settings::MAX_BODY_KEPT);
    if !wants_content && !is_too_large {
        return Some(None);
    }
    cache.load(kept.id, kept.body_bytes).await.map(Some)
}

/// The kept response as one that has come.
pub(in crate::fetcher) fn delivered(
    kept: &Candidate,
    fields: &[ResponseField],
    content: Option<KeptContent>,
    used: CacheUse,
    note: &mut CacheNote,
) -> Response {
    note.used = Some(used);
    if used != CacheUse::Revalidated {
        note.changes.push(CacheChange::Used(kept.id));
    }
    let fields = fields.iter().map(|field| (field.name.as_bytes(), &*field.value));
    let head = Head::from_fields(kept.status, fields);
    let bytes = match content {
        Some(content) => {
            note.content_id = Some(content.id);
            content.bytes
        }
        None => {
            note.unread = Some(kept.body_bytes);
            Vec::new()
        }
    };
    let length = Some(bytes.len() as u64);
    Response { head, length, decoded: false, content: Content::from_reader(Cursor::new(bytes)) }
}

fn pairs(fields: &[ResponseField]) -> impl Iterator<Item = (&str, &[u8])> + Clone {
    fields.iter().map(|field| (&*field.name, &*field.value))
}

/// The request, with the conditions under which the server sends a content: that it is another than the kept one.
fn conditional<'s>(
    request: &'s Request<'_>,
    kept: &'s Candidate,
    fields: &'s mut Vec<(&'s str, &'s [u8])>,
) -> Request<'s> {
    fields.extend_from_slice(request.fields);
    fields.extend(kept.etag.as_deref().map(|etag| ("If-None-Match", etag)));
    fields.extend(kept.last_modified.as_deref().map(|time| ("If-Modified-Since", time)));
    request.again(fields, RequestContent::None)
}
