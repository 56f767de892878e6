//! What happened to a job: plain data, in the words of the report.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::body::{Body, HeldMemory};
use crate::error::{Error, Kind, Phase};
use crate::http::Method;
use crate::job_id::{JobDigest, JobId};
use crate::milliseconds::whole_ms;
use crate::rows::{Cell, Record, Rows};
use crate::serde_forms::{ms, optional_ms, optional_path, optional_shared_text, shared_text};
use crate::wait_times::WaitTimes;
use crate::written_outcome;

/// The end of one job: a response, or the reason why there is none.
///
/// Nothing here is redacted: content, fields and final URL are what the server sent. Reports hide secrets when they write.
///
/// # Written and read back
///
/// serde reads back what it writes, and the outcome is equal. Durations are written in milliseconds with three decimals:
/// the fetcher gives whole microseconds, and what is finer in a duration of other origin is lost. Content that is not UTF-8
/// is written in base64. Fields of its own that are `None` are not written.
///
/// Nothing of the request is in an outcome but name and URL as they were written, with `${NAME}` in place of secrets. What
/// servers send may be secret all the same: a session in `Set-Cookie`, a token in the content, a signed URL that was
/// redirected to. A journal that others may read must leave [`fields`](Self::fields), [`body`](Self::body),
/// [`data`](Self::data), [`final_url`](Self::final_url) and the messages of failures out, or hide known secrets with a
/// [`Redactor`](crate::Redactor).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The job's place in the input, from 0: as the job was given it by [`Job::at`](crate::Job::at), otherwise its number in
    /// the run.
    #[serde(default)]
    pub index: usize,
    /// Where it stands in the input if [`index`](Self::index) does not tell, as of a job that was made for a row of another
    /// one: the place of its table of jobs, then the places of what it was made of, and the number of the row. See
    /// [`cmp_place`](Self::cmp_place).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<[u32]>>,
    /// The digest of what the job sends, if the fetcher was asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<JobDigest>,
    /// The job's name.
    #[serde(default, with = "shared_text")]
    pub name: Arc<str>,
    /// The URL as the user wrote it, passwords hidden.
    #[serde(default, with = "shared_text")]
    pub url: Arc<str>,
    /// The method of the request; `None` in what older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// The URL from which the last response came, without password, if redirects led there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_url: Option<Box<str>>,
    /// The status of the last response, if one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The fields of the last response in their order, if one came and the fetcher was asked to keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<ResponseField>>,
    /// The heads of the redirects that led to the last response, in order, if the fetcher was asked to keep fields. They are
    /// not written: `None` in what is read back.
    #[serde(skip)]
    pub redirects: Option<Box<[RedirectHead]>>,
    /// Every attempt in order; empty if the job was never started.
    #[serde(serialize_with = "written_outcome::attempts")]
    pub attempts: Vec<Attempt>,
    /// Where the time went.
    pub timings: Timings,
    /// For how long it waited for what. `None` if it waited for nothing, and in what older versions wrote.
    #[serde(default, serialize_with = "written_outcome::waits", skip_serializing_if = "Option::is_none")]
    pub waits: Option<Box<WaitTimes>>,
    /// The value of the last response's Content-Type, if it has one. Bytes that are not UTF-8 are replaced by U+FFFD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Box<str>>,
    /// How many bytes of content came in, after undoing content codings; `None` if no content was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// The content; `None` if it was not asked for, was saved to a file, or was too large. Large ones may be in a temporary file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// The file to which the content was saved.
    #[serde(default, with = "optional_path", skip_serializing_if = "Option::is_none")]
    pub body_file: Option<PathBuf>,
    /// Whether the content was larger than its limit, so that it is not kept.
    #[serde(default)]
    pub body_truncated: bool,
    /// The values that `select` took out of the content, by their names; null for a place where there was none. `None`
    /// without `select`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Record>,
    /// The table to which the job's rows go, also if none came. `None` for a job that gives none, and in what older versions
    /// wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Box<str>>,
    /// The rows that `rows` took out of the content, for the tables of the report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Rows>,
    /// The values at the places of [`Settings::capture`](crate::Settings::capture), in their order; null where nothing is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captured: Vec<Cell>,
    /// How many requests it took, beside those that were tried again, if it has pages or was polled; `None` for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    /// Why the job failed; `None` if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// If the content is not new, because a new one could not be had: how old it is, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
    /// The worker of a fleet that fetched it; `None` if it was fetched by the process that reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Box<str>>,
    /// What its values and rows take of the memory of the run.
    #[serde(skip)]
    pub held: HeldMemory,
}

impl Outcome {
    /// Adds what another request of the same source has waited for.
    #[cfg_attr(not(feature = "fetcher"), allow(dead_code, reason = "only a graph that runs joins requests"))]
    pub(crate) fn join_waits(&mut self, others: Option<&WaitTimes>) {
        if let Some(others) = others {
            self.waits.get_or_insert_default().join(others);
        }
    }

    /// Whether the job succeeded.
    pub fn ok(&self) -> bool {
        self.error.is_none()
    }

    /// Compares the places of two outcomes of one run in the input: sort by it.
    pub fn cmp_place(&self, other: &Outcome) -> Ordering {
        self.with_place(|one| other.with_place(|two| one.cmp(two)))
    }

    /// Calls this with its place in the input, number by number.
    pub(crate) fn with_place<T>(&self, call: impl FnOnce(&[u32]) -> T) -> T {
        match &self.place {
            Some(place) => call(place),
            None => call(&[u32::try_from(self.index).unwrap_or(u32::MAX)]),
        }
    }

    /// Takes its index for its place, if it has no other, so that it can be given another index.
    pub fn keep_place(&mut self) {
        self.place = Some(self.with_place(|place| place.into()));
    }

    /// What the cache did for the content, if it comes from there.
    pub fn cache(&self) -> Option<CacheUse> {
        let last = self.attempts.last().and_then(|attempt| attempt.cache);
        last.or_else(|| self.stale.is_some().then_some(CacheUse::Stale))
    }

    /// How often the job was tried again.
    pub fn retries(&self) -> usize {
        self.attempts.len().saturating_sub(self.requests.map_or(1, |requests| requests as usize))
    }

    /// What tells the job from all others, if the fetcher was asked for its digest.
    pub fn id(&self) -> Option<JobId> {
        let digest = self.digest?;
        Some(JobId { index: Some(self.index), name: self.name.clone(), digest })
    }
}

/// Puts outcomes of one run in the order of its input.
pub fn sort_outcomes(outcomes: &mut [Outcome]) {
    // Here alone, because each place that sorts brings some kilobytes into the binary.
    outcomes.sort_by(Outcome::cmp_place);
}

/// A field of a response as it came: neither checked nor redacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseField {
    /// The name, in the letters that the server sent.
    pub name: Box<str>,
    /// The value, without the blanks around it.
    #[serde(with = "crate::serde_forms::bytes")]
    pub value: Box<[u8]>,
}

/// The head of a response that was a redirect, and was followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectHead {
    /// Its status.
    pub status: u16,
    /// Its fields in their order.
    pub fields: Vec<ResponseField>,
}

/// One try at a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// From the start of the run to the permit of this attempt, by the monotonic clock.
    #[serde(rename = "started_ms", with = "ms")]
    pub started: Duration,
    /// From the permit to the end of the attempt.
    #[serde(rename = "total_ms", with = "ms")]
    pub total: Duration,
    /// The status, if a response came.
    pub status: Option<u16>,
    /// The address with its port, or the path of the unix-domain socket, of the peer that answered or was tried last: that
    /// of the proxy if there is one. `None` if it did not come to a connection.
    #[serde(default, with = "optional_shared_text")]
    pub address: Option<Arc<str>>,
    /// Whether the connection had served a request before.
    pub reused: bool,
    /// Where the response came from, without password, if that is not the outcome's own [`url`](Outcome::url): a page that
    /// follows, or what a redirect led to. `None` in what older versions wrote.
    #[serde(default)]
    pub url: Option<Box<str>>,
    /// The wait before this attempt: a backoff, or what the server asked for. `None` for the first.
    #[serde(default, rename = "waited_ms", with = "optional_ms")]
    pub waited: Option<Duration>,
    /// What the cache did, if it gave the content.
    #[serde(default)]
    pub cache: Option<CacheUse>,
    /// Where its time went, if it failed: that of one that did not is in the outcome's [`timings`](Outcome::timings). `None` in
    /// what older versions wrote, too.
    #[serde(default, rename = "phases_ms")]
    pub phases: Option<Box<PhaseTimes>>,
    /// Why it failed; `None` if it succeeded.
    pub error: Option<Failure>,
}

/// How a content comes out of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CacheUse {
    /// It was fresh, and nothing was sent.
    Hit,
    /// The server was asked whether there is a newer one, and said no (304).
    Revalidated,
    /// A newer one could not be had.
    Stale,
}

impl CacheUse {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            CacheUse::Hit => "hit",
            CacheUse::Revalidated => "revalidated",
            CacheUse::Stale => "stale",
        }
    }
}

/// Why a content is not new, and how old it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stale {
    /// Its age in seconds (RFC 9111, section 4.2.3).
    pub age_s: u64,
    /// Why there is no newer one: what the job would have failed with.
    pub error: Failure,
}

/// Where the time of a job went. `None` for a phase that was not reached or not needed, as with a reused connection.
///
/// Written in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timings {
    /// From the moment the job was added, which for most is the start of the run, to the permit of its first attempt.
    #[serde(with = "ms")]
    pub queue: Duration,
    /// Resolving the host name, in the last attempt; so are all below but `total`.
    #[serde(default, with = "optional_ms")]
    pub dns: Option<Duration>,
    /// Making the connection, proxy included.
    #[serde(default, with = "optional_ms")]
    pub connect: Option<Duration>,
    /// The TLS handshake.
    #[serde(default, with = "optional_ms")]
    pub tls: Option<Duration>,
    /// From the first byte sent to the first byte of the response.
    #[serde(default, with = "optional_ms")]
    pub first_byte: Option<Duration>,
    /// From the head of the response to the last byte of its content.
    #[serde(default, with = "optional_ms")]
    pub body: Option<Duration>,
    /// From the permit of the first attempt to the end of the job, retries and the waits between them included.
    #[serde(with = "ms")]
    pub total: Duration,
}

impl Timings {
    /// Those of its phases, in the last attempt.
    pub fn phases(&self) -> PhaseTimes {
        let Timings { dns, connect, tls, first_byte, body, .. } = *self;
        PhaseTimes { dns, connect, tls, first_byte, body }
    }
}

/// Where the time of one attempt went. `None` for a phase that was not reached or not needed, as with a reused connection.
///
/// Written in milliseconds. If it was sent to several places one after the other, because of redirects, it is the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseTimes {
    /// Resolving the host name.
    #[serde(with = "optional_ms")]
    pub dns: Option<Duration>,
    /// Making the connection, proxy included.
    #[serde(with = "optional_ms")]
    pub connect: Option<Duration>,
    /// The TLS handshake.
    #[serde(with = "optional_ms")]
    pub tls: Option<Duration>,
    /// From the first byte sent to the first byte of the response.
    #[serde(with = "optional_ms")]
    pub first_byte: Option<Duration>,
    /// From the head of the response to the end of the attempt.
    #[serde(with = "optional_ms")]
    pub body: Option<Duration>,
}

impl PhaseTimes {
    /// All phases in their order.
    pub fn in_order(&self) -> [Option<Duration>; 5] {
        [self.dns, self.connect, self.tls, self.first_byte, self.body]
    }
}

/// Why a job or an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The class of the error.
    pub kind: Kind,
    /// How far the request had come, if there was one.
    pub phase: Option<Phase>,
    /// The error and its causes on one line. Of a status that is not accepted, it is what the server said, if anything: `401:
    /// invalid api key`, at most 200 characters.
    pub message: Box<str>,
    /// When the server allows another try, if it has refused the last one and said when: RFC 3339, UTC, from its Retry-After
    /// and the system's clock.
    pub retry_at: Option<Box<str>>,
}

impl Failure {
    /// The same failure, whose message says something more behind its own.
    #[cfg(feature = "fetcher")]
    pub(crate) fn with_note(self, note: impl std::fmt::Display) -> Failure {
        Failure { message: format!("{}; {note}", self.message).into(), ..self }
    }
}

#[cfg(feature = "report")]
impl Failure {
    /// The time of [`retry_at`](Self::retry_at).
    pub fn retry_time(&self) -> Option<std::time::SystemTime> {
        crate::rows::parse_rfc3339(self.retry_at.as_deref()?)?.system_time()
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure { kind: error.kind(), phase: error.phase(), message: error.one_line().into(), retry_at: None }
    }
}

/// The rows of one page of a source that is read page by page, before its outcome is there.
#[derive(Clone, Debug, PartialEq)]
pub struct PageRows {
    /// [`Outcome::index`] of the source.
    pub index: usize,
    /// [`Outcome::name`] of the source.
    pub name: Arc<str>,
    /// Which page it is, from 1. The pages of a source come in order; those without rows are left out.
    pub page: usize,
    /// Its rows.
    pub rows: Vec<Rows>,
}

/// The totals of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many jobs there were.
    pub total: usize,
    /// How many succeeded.
    pub ok: usize,
    /// How many did not, those included that were cancelled or skipped.
    pub failed: usize,
    /// How many of them the end of the run cancelled while they were under way.
    pub cancelled: usize,
    /// How many of them were never sent: the run ended before, their host is down, or what they need failed.
    pub skipped: usize,
    /// How many of those that succeeded have a content that is not new; see [`Outcome::stale`].
    pub stale: usize,
    /// How many have a content that is not kept, because it is too large; see [`Outcome::body_truncated`].
    pub truncated: usize,
    /// How many attempts were made beyond the first of each job.
    pub retried: usize,
    /// How many attempts were made.
    pub attempts: usize,
    /// How many bytes of content came in.
    pub bytes: u64,
    /// The longest time a job took from its first permit to its end.
    pub slowest_ms: u64,
    /// The time of the run minus that of the slowest job: what waiting in the queue and the tool itself cost.
    pub tax_ms: u64,
}

impl Summary {
    /// Adds one outcome.
    pub fn add(&mut self, outcome: &Outcome) {
        self.total += 1;
        if outcome.ok() {
            self.ok += 1;
        } else {
            self.failed += 1;
            self.cancelled += usize::from(outcome.error.as_ref().is_some_and(|error| error.kind == Kind::Cancelled));
            self.skipped += usize::from(outcome.error.as_ref().is_some_and(|error| error.kind == Kind::Skipped));
        }
        self.stale += usize::from(outcome.stale.is_some());
        self.truncated += usize::from(outcome.body_truncated);
        self.retried += outcome.retries();
        self.attempts += outcome.attempts.len();
        self.bytes += outcome.body_bytes.unwrap_or(0);
        self.slowest_ms = self.slowest_ms.max(whole_ms(outcome.timings.total));
    }

    /// Sets what the run cost beyond its slowest job.
    pub fn finish(&mut self, elapsed: Duration) {
        self.tax_ms = whole_ms(elapsed).saturating_sub(self.slowest_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_null_and_never_zero() {
        let timings = Timings { connect: Some(Duration::from_micros(1500)), ..Timings::default() };
        let text = serde_json::to_string(&timings).expect("plain data");
        let expected = r#"{"queue":0.0,"dns":null,"connect":1.5,"tls":null,"first_byte":null,"body":null,"total":0.0}"#;
        assert_eq!(text, expected);
    }
}
