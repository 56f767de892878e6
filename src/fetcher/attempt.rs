//! One attempt at a job: send, read, judge. The only part of the fetcher that knows surf.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_lite::{AsyncBufRead, AsyncBufReadExt};
use serde_json::{Map, Value};
use surf::http::Url;
use surf::http::headers::HeaderValue;

use super::advice;
use super::sink::Sink;
use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop;
use crate::job::{Field, Job, Method, Settings};
use crate::origin::without_password;
use crate::outcome::whole_ms;
use crate::redirect::{self, First, Follow, Redirected};
use crate::transport::{RequestOptions, Trace, Transport, WireHead, body_error, timed_out};
use crate::units::DisplaySize;

/// What a bring-your-own client is given beyond the attempt's own limit before it is cut off: roundup's transport keeps
/// the limit itself and names the phase.
const GRACE: Duration = Duration::from_millis(250);

/// The content of a response that did not succeed is kept up to this size: it often says why.
const MAX_ERROR_BODY: u64 = 64 * 1024;

/// After so many bytes it is asked whether others should have their turn, the timer of this attempt among them: content
/// that is always ready, as what a small compressed stream unpacks to, would never let go of the thread.
const STRETCH: usize = 128 * 1024;

/// What is known of a response, whether or not the job succeeded.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) status: Option<u16>,
    pub(super) final_url: Option<Box<str>>,
    pub(super) content_type: Option<Box<str>>,
    pub(super) body_bytes: Option<u64>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) saved: bool,
    pub(super) truncated: bool,
    pub(super) data: Option<Map<String, Value>>,
    /// Its Retry-After.
    pub(super) retry_after: Option<Duration>,
    /// The pause its RateLimit fields ask for, where it has no Retry-After.
    pub(super) rate_limited: Option<Duration>,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) received: Received,
    pub(super) error: Option<Error>,
}

/// What attempts are sent through.
#[derive(Clone, Debug)]
pub(super) enum Client {
    /// The fetcher's own, with nothing between.
    Own(Transport),
    /// A client that was brought along, with whatever middleware it has.
    Surf(surf::Client),
}

/// Makes one attempt, which began when it had its permit. `keep` says whether anybody wants the content in memory.
pub(super) async fn attempt(client: &Client, job: &Job, keep: bool, started: Instant, trace: &Arc<Trace>) -> Ended {
    let settings = job.settings();
    let mut received = Received::default();
    let ended = match client {
        Client::Own(transport) => {
            // Pinned where it stands: it is large, and would be moved into the timeout.
            let work = pin!(send(transport, job, keep, trace, &mut received));
            event_loop::timeout_from(started, settings.timeout, work).await
        }
        // In a box, so that those who need none of it have no room for it.
        Client::Surf(client) => {
            let work = Box::pin(send_by_surf(client, job, keep, started, trace, &mut received));
            event_loop::timeout_from(started, settings.timeout.saturating_add(GRACE), work).await
        }
    };
    let error = ended.unwrap_or_else(|_| Err(timed_out(settings.timeout, trace))).err();
    let error = error.or_else(|| too_slow(settings, started));
    Ended { received, error }
}

async fn send(transport: &Transport, job: &Job, keep: bool, trace: &Arc<Trace>, received: &mut Received) -> Result<()> {
    let settings = job.settings();
    let way = redirect::Way { raw: settings.raw, connect_timeout: Some(settings.connect_timeout) };
    let mut fields: Vec<(&str, &[u8])> = settings.headers.iter().map(|field| (field.name(), field.value())).collect();
    if is_form(settings) {
        fields.push(("Content-Type", FORM.as_bytes()));
    }
    let content = settings.data.as_deref();
    let first = First { method: settings.method.as_str(), url: job.lazy_url(), fields, content };
    let (response, chain) = redirect::fetch(transport, first, way, settings.follow, trace).await?;
    let good = received.note(&Head::Wire(&response.head), &chain, settings);
    let status = response.head.status();
    let (mut content, length) = (response.content, response.length);
    read(&mut content, good, length, job, keep, received).await?;
    judge(settings, status, good, received)
}

async fn send_by_surf(
    client: &surf::Client,
    job: &Job,
    keep: bool,
    started: Instant,
    trace: &Arc<Trace>,
    received: &mut Received,
) -> Result<()> {
    let settings = job.settings();
    let response = client.send(request(job, started, trace)).await.map_err(from_surf)?;
    let mut response: surf::http::Response = response.into();
    let wire = response.ext_mut().remove::<WireHead>();
    let head = wire.as_ref().map_or(Head::Surf(&response), |wire| Head::Wire(wire.head()));
    let chain = response.ext().get::<Redirected>().map_or(&[][..], |Redirected(chain)| chain);
    let status = head.status();
    let good = received.note(&head, chain, settings);
    if trace.progress().head_at.is_none() {
        // Another client's backend does not note it.
        trace.update(|progress| {
            progress.head_at = Some(Instant::now());
            progress.first_byte = Some(started.elapsed());
        });
    }
    trace.enter(Phase::Body);
    let length = match &wire {
        Some(wire) => wire.content_length(),
        None => response.len().map(|length| length as u64),
    };
    read(&mut response.take_body(), good, length, job, keep, received).await?;
    judge(settings, status, good, received)
}

impl Received {
    /// Notes what a head says; whether its status is good.
    fn note(&mut self, head: &Head<'_>, chain: &[Url], settings: &Settings) -> bool {
        let status = head.status();
        self.status = Some(status);
        self.content_type = head.text("content-type");
        // The clock is asked where there is something to reckon.
        let now = SystemTime::now;
        self.retry_after =
            head.field("retry-after").and_then(|value| advice::retry_after(value, head.field("date"), now()));
        if self.retry_after.is_none() {
            self.rate_limited = advice::rate_limit(|name| head.field(name), now);
        }
        self.final_url = chain.last().map(|url| without_password(url.as_str()).into());
        settings.good_statuses().contains(status)
    }
}

/// What content is where nobody says what it is: as curl does.
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether there is content of which nobody says what it is.
fn is_form(settings: &Settings) -> bool {
    let is_type = |field: &Field| field.name().eq_ignore_ascii_case("content-type");
    settings.data.is_some() && !settings.headers.iter().any(is_type)
}

fn request(job: &Job, started: Instant, trace: &Arc<Trace>) -> surf::Request {
    let settings = job.settings();
    // Every method a job can have is one that surf knows.
    let method = settings.method.as_str().parse().unwrap_or(surf::http::Method::Get);
    let mut request = surf::Request::new(method, job.url().clone());
    if let Some(data) = &settings.data {
        request.set_body(data.to_vec());
    }
    if is_form(settings) {
        request.insert_header("content-type", FORM);
    }
    let mut options = RequestOptions::default();
    let mut set_before: Vec<&str> = Vec::new();
    for field in &settings.headers {
        match HeaderValue::from_bytes(field.value().to_vec()) {
            Ok(value) => {
                let seen = set_before.iter().any(|name| name.eq_ignore_ascii_case(field.name()));
                if seen {
                    request.append_header(field.name(), value);
                } else {
                    request.insert_header(field.name(), value);
                    set_before.push(field.name());
                }
            }
            // Not ASCII, which http-types cannot carry.
            Err(_) => options.fields.push(field.clone()),
        }
    }
    // Where the clock cannot say when that is, it is never.
    options.deadline = started.checked_add(settings.timeout).map(|at| (at, settings.timeout));
    options.connect_timeout = Some(settings.connect_timeout.min(settings.timeout));
    options.trace = Some(trace.clone());
    options.raw = settings.raw;
    options.raw_head = true;
    request.set_ext(Follow(settings.follow));
    request.set_ext(options);
    request
}

/// The head of a response, from roundup's transport or from another backend.
enum Head<'a> {
    Wire(&'a crate::transport::Head),
    Surf(&'a surf::http::Response),
}

impl<'a> Head<'a> {
    fn status(&self) -> u16 {
        match self {
            Head::Wire(head) => head.status(),
            Head::Surf(response) => response.status() as u16,
        }
    }

    fn field(&self, name: &str) -> Option<&'a [u8]> {
        match self {
            Head::Wire(head) => head.get(name),
            Head::Surf(response) => response.header(name).map(|values| values.last().as_str().as_bytes()),
        }
    }

    fn text(&self, name: &str) -> Option<Box<str>> {
        self.field(name).map(|value| match std::str::from_utf8(value) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(value).into(),
        })
    }
}

/// Reads the content, where it is good, and else what it says of that.
async fn read(
    body: &mut (impl AsyncBufRead + Unpin),
    good: bool,
    length: Option<u64>,
    job: &Job,
    keep: bool,
    received: &mut Received,
) -> Result<()> {
    if good {
        return read_good_body(body, length, job, keep, received).await;
    }
    read_error_body(body, keep, received).await;
    Ok(())
}

async fn read_good_body(
    body: &mut (impl AsyncBufRead + Unpin),
    length: Option<u64>,
    job: &Job,
    keep: bool,
    received: &mut Received,
) -> Result<()> {
    let settings = job.settings();
    let path = job.output().map(|path| path.as_path() as &Path);
    // What is saved is not kept too, unless it must be looked into.
    let keep = if path.is_some() { settings.reads_json() } else { keep || settings.reads_json() };
    let by_default = if keep || path.is_none() { Settings::MAX_BODY_KEPT } else { Settings::MAX_BODY_SAVED };
    let limit = settings.max_body.unwrap_or(by_default);
    let too_large = || {
        let text = format!("the content is larger than {}: raise max_body if it may be", DisplaySize(limit));
        Error::new(Kind::TooLarge, text).in_phase(Phase::Body)
    };
    if length.is_some_and(|length| length > limit) {
        received.truncated = true;
        return Err(too_large());
    }
    let mut sink = Sink::open(length, keep, path).await?;
    let mut total = 0u64;
    let mut since_look = 0;
    loop {
        let piece = body.fill_buf().await.map_err(body_error)?;
        if piece.is_empty() {
            break;
        }
        let taken = piece.len();
        total += taken as u64;
        received.body_bytes = Some(total);
        if total > limit {
            received.truncated = true;
            return Err(too_large());
        }
        sink.write(piece).await?;
        body.consume(taken);
        since_look += taken;
        if since_look < STRETCH {
            continue;
        }
        since_look = 0;
        if event_loop::turn_is_over() {
            futures_lite::future::yield_now().await;
        }
    }
    received.body_bytes = Some(total);
    if length.is_some_and(|length| total < length) && settings.method != Method::HEAD {
        let text = format!("the content ended after {total} of {} bytes", length.unwrap_or_default());
        return Err(Error::new(Kind::Body, text).in_phase(Phase::Body));
    }
    received.body = sink.finish().await?;
    received.saved = path.is_some();
    Ok(())
}

/// Reads what a failed response says, as far as that is short. Whatever goes wrong here, the status is the error.
async fn read_error_body(body: &mut (impl AsyncBufRead + Unpin), keep: bool, received: &mut Received) {
    let mut kept = Vec::new();
    let mut total = 0u64;
    while let Ok(piece) = body.fill_buf().await {
        let length = piece.len();
        total += length as u64;
        if length == 0 || total > MAX_ERROR_BODY {
            break;
        }
        kept.extend_from_slice(piece);
        body.consume(length);
    }
    received.body_bytes = Some(total);
    received.truncated = total > MAX_ERROR_BODY;
    received.body = (keep && !received.truncated).then_some(kept);
}

/// Whether the response is what the job wants: its status, its values.
fn judge(settings: &Settings, status: u16, good: bool, received: &mut Received) -> Result<()> {
    if !good {
        let expected = settings.good_statuses();
        let (kind, what) = match settings.expect.status {
            Some(_) => (Kind::Expectation, "is not the expected"),
            None => (Kind::Status, "is not among the accepted"),
        };
        return Err(Error::new(kind, format!("status {status} {what} {expected}")).in_phase(Phase::Head));
    }
    if !settings.reads_json() {
        return Ok(());
    }
    let content = received.body.as_deref().unwrap_or_default();
    let document: Value =
        serde_json::from_slice(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content)).map_err(|error| {
            let text = "the content is not the JSON that select and expect look into";
            Error::new(Kind::Body, text).in_phase(Phase::Body).with_source(error)
        })?;
    let select = |(name, pointer): &(String, crate::job::Pointer)| {
        (name.clone(), pointer.find(&document).cloned().unwrap_or(Value::Null))
    };
    if !settings.select.is_empty() {
        received.data = Some(settings.select.iter().map(select).collect());
    }
    for (pointer, expected) in &settings.expect.json {
        let found = pointer.find(&document);
        if !found.is_some_and(|found| same_value(found, expected)) {
            let found = found.map_or_else(|| "nothing".to_owned(), shorten);
            let text = format!("{} is {found} where {} is expected", place(pointer), shorten(expected));
            return Err(Error::new(Kind::Expectation, text).in_phase(Phase::Body));
        }
    }
    Ok(())
}

/// 1 and 1.0 are one number.
fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64().is_some() && a.as_f64() == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_value(a, b)))
        }
        _ => a == b,
    }
}

fn place(pointer: &crate::job::Pointer) -> String {
    let text = pointer.to_string();
    if text.is_empty() { "the document".to_owned() } else { text }
}

fn shorten(value: &Value) -> String {
    const MAX: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= MAX { text } else { text.chars().take(MAX).chain(['…']).collect() }
}

fn too_slow(settings: &Settings, started: Instant) -> Option<Error> {
    let limit = settings.expect.max_ms?;
    let took = whole_ms(started.elapsed());
    let text = format!("it took {took} ms where at most {limit} are expected");
    (took > limit).then(|| Error::new(Kind::Expectation, text).in_phase(Phase::Body))
}

/// What a client says went wrong: the error that travelled inside, or that of somebody's middleware.
fn from_surf(error: surf::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(foreign) => {
            Error::new(Kind::Io, "the client failed").in_phase(Phase::Send).with_source(foreign.into_inner())
        }
    }
}
