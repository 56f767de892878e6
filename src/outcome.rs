//! What happened to a job: plain data, in the words of the report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::{Error, Kind, Phase};

/// The end of one job: a response, or the reason why there is none.
///
/// Nothing here is redacted: content and URLs are what was sent and received. Reports hide secrets when they write.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The job's place in the input, from 0.
    pub index: usize,
    /// The job's name.
    pub name: Arc<str>,
    /// The URL as the user wrote it.
    pub url: Arc<str>,
    /// The URL the response came from, where redirects led elsewhere.
    pub final_url: Option<Box<str>>,
    /// The status of the last response, if one came.
    pub status: Option<u16>,
    /// Every attempt in order; empty where the job was never started.
    pub attempts: Vec<Attempt>,
    /// Where the time went.
    pub timings: Timings,
    /// The value of Content-Type, if it was sent.
    pub content_type: Option<Box<str>>,
    /// How many bytes of content came in, after undoing content codings.
    pub body_bytes: Option<u64>,
    /// The content, where it was kept: `None` where nobody asked for it, it was saved, or it was too large.
    pub body: Option<Vec<u8>>,
    /// The file the content was saved to.
    pub body_file: Option<PathBuf>,
    /// Whether the content was larger than its limit.
    pub body_truncated: bool,
    /// The values that `select` took out of the content; null where there was none at that place.
    pub data: Option<Map<String, Value>>,
    /// Why the job failed; `None` where it succeeded.
    pub error: Option<Failure>,
}

impl Outcome {
    /// Whether the job succeeded.
    pub fn ok(&self) -> bool {
        self.error.is_none()
    }

    /// How often the job was tried again.
    pub fn retries(&self) -> usize {
        self.attempts.len().saturating_sub(1)
    }
}

/// One try at a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// From the start of the run to the permit of this attempt.
    #[serde(rename = "started_ms", serialize_with = "ms")]
    pub started: Duration,
    /// From the permit to the end of the attempt.
    #[serde(rename = "total_ms", serialize_with = "ms")]
    pub total: Duration,
    /// The status, if a response came.
    pub status: Option<u16>,
    /// The address or the unix-domain socket that answered or was tried last, if it came to that.
    #[serde(serialize_with = "option_text")]
    pub address: Option<Arc<str>>,
    /// Whether the connection had served a request before.
    pub reused: bool,
    /// What was waited for before this attempt: a backoff, or what the server asked for. `None` for the first.
    #[serde(rename = "waited_ms", serialize_with = "option_ms")]
    pub waited: Option<Duration>,
    /// Why it failed.
    pub error: Option<Failure>,
}

/// Where the time of a job went. `None` where a phase was not reached or not needed, as with a reused connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// From the start of the run to the permit of the first attempt.
    #[serde(serialize_with = "ms")]
    pub queue: Duration,
    /// Resolving the host name, in the last attempt; so are all below but `total`.
    #[serde(serialize_with = "option_ms")]
    pub dns: Option<Duration>,
    /// Making the connection, proxy included.
    #[serde(serialize_with = "option_ms")]
    pub connect: Option<Duration>,
    /// The TLS handshake.
    #[serde(serialize_with = "option_ms")]
    pub tls: Option<Duration>,
    /// From the first byte sent to the first byte of the response.
    #[serde(serialize_with = "option_ms")]
    pub first_byte: Option<Duration>,
    /// From the first byte of the response to the last.
    #[serde(serialize_with = "option_ms")]
    pub body: Option<Duration>,
    /// From the permit of the first attempt to the end of the job, retries and the waits between them included.
    #[serde(serialize_with = "ms")]
    pub total: Duration,
}

/// Why a job or an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The class of the error.
    pub kind: Kind,
    /// How far the request had come.
    pub phase: Option<Phase>,
    /// The error and its causes on one line.
    pub message: Box<str>,
    /// When the server allows another try, where it said so: RFC 3339, UTC.
    pub retry_at: Option<Box<str>>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure { kind: error.kind(), phase: error.phase(), message: error.one_line().into(), retry_at: None }
    }
}

/// The totals of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many jobs there were.
    pub total: usize,
    /// How many succeeded.
    pub ok: usize,
    /// How many did not.
    pub failed: usize,
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
        }
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

/// Milliseconds with three decimals, as reports write them.
pub fn fractional_ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// Whole milliseconds, rounded to the nearest.
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from((duration.as_micros() + 500) / 1000).unwrap_or(u64::MAX)
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

fn ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(fractional_ms(*duration))
}

fn option_text<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

fn option_ms<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => ms(duration, serializer),
        None => serializer.serialize_none(),
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
