//! One attempt at a job: send, read, judge.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use url::Url;

use super::advice::Advice;
#[cfg(feature = "state")]
use super::caching::CacheNote;
use super::caching::{CachingSender, FirstLook, RunCache};
use super::capture;
use super::config::Keep;
use super::content;
use super::cookies::{CookieKeeper, CookieSender, RunCookies};
use super::expect::judge_status;
use super::host::Verdict;
use super::picking::{PickedMemory, pick};
use super::received::Received;
use super::slot::Slot;
use crate::body::MemoryBudget;
use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop;
use crate::http::Field;
use crate::job::Job;
use crate::milliseconds::whole_ms;
use crate::origin::without_password;
use crate::outcome::{Failure, RedirectHead, ResponseField};
use crate::settings::Settings;
use crate::transport::h1::Head;
use crate::transport::{
    ConnectionUse, FollowStep, FollowedRequest, Progress, Request, RequestContent, Response, SendRequest, timed_out,
};
use crate::units::DisplayDuration;

/// What came of an attempt.
#[derive(Debug)]
pub(super) struct AttemptResult {
    pub(super) received: Received,
    pub(super) error: Option<Error>,
    /// When the host that a redirect led to may be asked, if that is too far away.
    pub(super) retry_at: Option<Box<str>>,
}

/// What an attempt needs to know beside its job.
pub(super) struct AttemptPlan {
    pub(super) keep: Keep,
    /// The memory for contents, and that for values and rows.
    pub(super) budget: MemoryBudget,
    pub(super) picked: PickedMemory,
    /// When it began: when it had its permit, moved on by the time in which it waits for another.
    pub(super) began: Instant,
    /// When the time of all attempts is over.
    pub(super) ends: Option<Instant>,
    /// What tells a server that a further attempt is the same request.
    pub(super) key: Option<String>,
    /// Where responses are kept, and what is known of this one.
    pub(super) cache: Option<RunCache>,
    pub(super) first_look: FirstLook,
    /// The cookies of the run, if the job wants them.
    pub(super) cookies: Option<RunCookies>,
    /// Whether the host is asked though a kept response is fresh.
    pub(super) must_ask: bool,
}

/// An attempt that is under way.
struct CurrentAttempt<'a> {
    job: &'a Job,
    about: AttemptPlan,
    received: Received,
    retry_at: Option<Box<str>>,
    progress: &'a Arc<Progress>,
}

/// Makes one attempt, which began when it had its permit. It ends with the attempt's own time limit.
pub(super) async fn attempt(
    sender: &dyn SendRequest,
    job: &Job,
    about: AttemptPlan,
    slot: &mut Slot,
    progress: &Arc<Progress>,
) -> AttemptResult {
    let mut running = CurrentAttempt { job, about, received: Received::default(), retry_at: None, progress };
    let error = running.send(sender, slot).await.err();
    let error = error.or_else(|| too_slow(job.settings(), running.about.began));
    AttemptResult { received: running.received, error, retry_at: running.retry_at }
}

/// Makes an attempt of a response that was kept: nothing is sent.
#[cfg(feature = "state")]
pub(super) async fn read_kept(
    job: &Job,
    about: AttemptPlan,
    mut response: Response,
    note: CacheNote,
    progress: &Arc<Progress>,
) -> AttemptResult {
    let received = Received { cache: note, ..Received::default() };
    let mut running = CurrentAttempt { job, about, received, retry_at: None, progress };
    let good = running.received.note(&response.head, &[], running.about.keep, job.settings());
    let error = running.read(&mut response, good).await.err();
    AttemptResult { received: running.received, error, retry_at: None }
}

/// The names of the fields that a job wants left out.
pub(super) fn omitted_fields(settings: &Settings) -> Vec<&str> {
    settings.headers.iter().filter(|field| field.is_omitted()).map(Field::name).collect()
}

/// The fields that the first request of a job has, the key of its attempts apart.
pub(super) fn request_fields(settings: &Settings) -> Vec<(&str, &[u8])> {
    let mut fields: Vec<(&str, &[u8])> = sent(settings).map(|field| (field.name(), field.value())).collect();
    if is_form(settings) {
        fields.push(("Content-Type", FORM.as_bytes()));
    }
    fields
}

impl CurrentAttempt<'_> {
    async fn send(&mut self, sender: &dyn SendRequest, slot: &mut Slot) -> Result<()> {
        let (job, progress) = (self.job, self.progress);
        let settings = job.settings();
        let mut fields = request_fields(settings);
        let omitted = omitted_fields(settings);
        let key = self.about.key.take();
        if let Some(key) = &key {
            fields.push((IDEMPOTENCY_KEY, key.as_bytes()));
        }
        let is_secret = |bytes: &[u8]| job.secrets().is_in(bytes);
        let request = Request {
            method: settings.method.as_str(),
            url: job.url(),
            fields: &fields,
            omitted: &omitted,
            content: settings.data.as_deref().map_or(RequestContent::None, RequestContent::Bytes),
            is_secret: (!job.secrets().is_empty()).then_some(&is_secret as _),
            shown_url: Some(job.written_url()),
            raw: settings.raw,
            connect_timeout: Some(settings.connect_timeout),
            deadline: None,
            connection: ConnectionUse::KeptOnce,
            progress,
        };
        let (cache, first_look) = (self.about.cache.take(), std::mem::take(&mut self.about.first_look));
        let (must_ask, keep) = (self.about.must_ask, self.about.keep.bodies);
        let cookies = self.about.cookies.take();
        let keeper = CookieKeeper::new(sender, cookies.as_ref());
        let caching = CachingSender::new(&keeper, job, cache, first_look, must_ask, keep);
        let with_cookies = CookieSender::new(&caching, cookies.as_ref());
        let mut followed = FollowedRequest::new(&with_cookies, request, settings.follow);
        let answered = self.follow(&mut followed, slot).await;
        let chain = followed.into_urls();
        self.received.cache = caching.end();
        let mut response = answered?;
        let good = self.received.note(&response.head, &chain, self.about.keep, settings);
        self.read(&mut response, good).await
    }

    /// Follows redirects until there is an answer. Each host that they lead to is asked when it may be.
    async fn follow(&mut self, followed: &mut FollowedRequest<'_>, slot: &mut Slot) -> Result<Response> {
        loop {
            #[cfg(feature = "fleet")]
            if slot.is_shared() {
                let waits_since = Instant::now();
                let most = self.about.ends.map_or(Duration::MAX, |ends| ends.saturating_duration_since(waits_since));
                let leave = event_loop::timeout(most, slot.pass(followed.url(), self.job)).since(waits_since).await;
                self.about.began += waits_since.elapsed();
                leave.map_err(|_| self.not_in_time())?.map_err(|failure| self.not_asked(failure))?;
            }
            let step = {
                // Pinned here, because it is large and would otherwise be moved into the timeout.
                let step = pin!(followed.step());
                event_loop::timeout(self.limit(), step).since(self.about.began).await
            };
            match step {
                Ok(Ok(FollowStep::Answered(response))) => return Ok(response),
                Ok(Ok(FollowStep::Redirected(head))) => {
                    if self.about.keep.fields {
                        self.received.redirects.push(RedirectHead { status: head.status(), fields: fields_of(&head) });
                    }
                    let leave = self.turn(slot, followed.url(), Verdict::Served, Some(&head)).await?;
                    leave.map_err(|failure| self.not_led_on(failure))?;
                }
                // Sent once more, it is a request as others: it waits for its turn.
                Ok(Ok(FollowStep::Unanswered(head))) => {
                    let leave = self.turn(slot, followed.url(), Verdict::Unclear, head.as_ref()).await?;
                    leave.map_err(|failure| self.not_sent_again(failure))?;
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(self.timed_out()),
            }
        }
    }

    /// Waits for the turn of another request of this attempt, after one whose host has shown this of itself.
    async fn turn(
        &mut self,
        slot: &mut Slot,
        url: &Url,
        verdict: Verdict,
        head: Option<&Head>,
    ) -> Result<std::result::Result<(), Failure>> {
        let since = Instant::now();
        let leave = slot.move_to(url, self.job, verdict, head.map(advice_of).unwrap_or_default());
        let most = self.about.ends.map_or(Duration::MAX, |ends| ends.saturating_duration_since(since));
        let leave = event_loop::timeout(most, leave).since(since).await;
        self.about.began += since.elapsed();
        leave.map_err(|_| self.not_in_time())
    }

    /// Reads the content, takes out of it what the job asks for, and looks whether it is as expected.
    async fn read(&mut self, response: &mut Response, good: bool) -> Result<()> {
        let (job, settings) = (self.job, self.job.settings());
        let keep = self.about.keep.bodies;
        let (limit, began, status) = (self.limit(), self.about.began, response.head.status());
        let read = {
            let (received, budget, picked) = (&mut self.received, &self.about.budget, &self.about.picked);
            let read = pin!(async {
                content::read(response, good, job, keep, budget, received).await?;
                let kept = received.cache.read(&mut received.body, !good || content::is_kept(job, keep));
                judge_status(settings, status, received.said.as_deref())?;
                received.captured = capture::from_head(settings, &response.head);
                pick(job, status, keep, picked, received).await?;
                received.cache.accept(kept);
                Ok(())
            });
            event_loop::timeout(limit, read).since(began).await
        };
        match read {
            Ok(read) => read,
            // The content of a failed response only says why: if it comes too slowly, the status is still the error.
            Err(_) if !good => judge_status(settings, status, self.received.said.as_deref()),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// How long the attempt may take: no longer than is left of the time for all of them.
    fn limit(&self) -> Duration {
        let left = self.about.ends.map(|ends| ends.saturating_duration_since(self.about.began));
        left.into_iter().chain([self.job.settings().timeout]).min().unwrap_or_default()
    }

    /// The error if the time is over: that of the attempt, or that of all attempts.
    fn timed_out(&self) -> Error {
        let settings = self.job.settings();
        match settings.job_timeout.filter(|_| self.limit() < settings.timeout) {
            Some(limit) => {
                let phase = self.progress.snapshot().phase;
                all_over(limit, phase, phase.doing())
            }
            None => timed_out(settings.timeout, self.progress),
        }
    }

    /// The error if the time of all attempts is over before the host of a further request may be asked.
    fn not_in_time(&self) -> Error {
        let limit = self.job.settings().job_timeout.unwrap_or_default();
        all_over(limit, Phase::Queue, "waiting for a turn at the host that is asked next")
    }

    /// The error if a request is not sent again whose kept connection had ended, because its host may not be asked.
    fn not_sent_again(&mut self, failure: Failure) -> Error {
        self.retry_at = failure.retry_at;
        let text = format!("the kept connection ended before it was answered; {}", failure.message);
        Error::new(Kind::Io, text).in_phase(Phase::Head).passing(false)
    }

    /// The error if a host is left alone because it told so another process that shares the run.
    #[cfg(feature = "fleet")]
    fn not_asked(&mut self, failure: Failure) -> Error {
        self.retry_at = failure.retry_at;
        Error::new(failure.kind, failure.message.into_string()).in_phase(Phase::Queue).passing(false)
    }

    /// The error if the host that a redirect led to may not be asked.
    fn not_led_on(&mut self, failure: Failure) -> Error {
        self.retry_at = failure.retry_at;
        let kind = if failure.kind == Kind::Skipped { Kind::Redirect } else { failure.kind };
        Error::new(kind, format!("a redirect was not followed: {}", failure.message)).in_phase(Phase::Queue)
    }
}

/// The error if the time of all attempts is over.
fn all_over(limit: Duration, phase: Phase, doing: &str) -> Error {
    let text = format!("the time for all attempts, {}, was over while {doing}", DisplayDuration(limit));
    Error::new(Kind::Timeout, text).in_phase(phase).passing(false)
}

fn fields_of(head: &Head) -> Vec<ResponseField> {
    head.fields().map(|(name, value)| ResponseField { name: name.into(), value: value.into() }).collect()
}

fn advice_of(head: &Head) -> Advice {
    // The clock is read only if there is something to reckon with it.
    Advice::new(head.status(), head.fields(), SystemTime::now)
}

impl Received {
    /// Notes what a head says, and returns whether its status is good.
    fn note(&mut self, head: &Head, chain: &[Url], keep: Keep, settings: &Settings) -> bool {
        let status = head.status();
        self.status = Some(status);
        self.fields = keep.fields.then(|| fields_of(head));
        self.looked_into = settings.looks_into_fields().then(|| fields_of(head));
        self.content_type = head.get("content-type").map(|value| String::from_utf8_lossy(value).into());
        self.advice = self.cache.advice(|| advice_of(head));
        self.final_url = chain.last().map(|url| without_password(url.as_str()).into());
        settings.good_statuses().contains(status)
    }
}

/// The fields of a job that are sent.
fn sent(settings: &Settings) -> impl Iterator<Item = &Field> {
    settings.headers.iter().filter(|field| !field.is_omitted())
}

/// Tells a server that a further attempt is the same request (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Whether an attempt of these settings needs a key: its method is not idempotent, it may be repeated all the same, and the
/// user gave none.
pub(super) fn needs_key(settings: &Settings) -> bool {
    let is_key = |field: &Field| field.name().eq_ignore_ascii_case(IDEMPOTENCY_KEY);
    settings.retry_unsafe
        && settings.retries > 0
        && !settings.method.is_idempotent()
        && !settings.headers.iter().any(is_key)
}

/// The type of content that has none stated: as curl does.
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether there is content without a stated type.
fn is_form(settings: &Settings) -> bool {
    let is_type = |field: &Field| field.name().eq_ignore_ascii_case("content-type");
    settings.data.is_some() && !settings.headers.iter().any(is_type)
}

fn too_slow(settings: &Settings, started: Instant) -> Option<Error> {
    let limit = settings.expect.max_ms?;
    let took = whole_ms(started.elapsed());
    let text = format!("it took {took} ms where at most {limit} are expected");
    (took > limit).then(|| Error::new(Kind::Expectation, text).in_phase(Phase::Body))
}
