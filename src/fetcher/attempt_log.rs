//! Logs attempts as they end.

use log::Level;

use crate::http::REDACTED;
use crate::job::Job;
use crate::milliseconds::fractional_ms;
use crate::outcome::Attempt;
use crate::redact::Redactor;

/// The target of these records. They are written for people as they are.
const TARGET: &str = "roundup::attempts";

/// Logs the last attempt at a job.
pub(super) fn ended(job: &Job, attempts: &[Attempt]) {
    if !log::log_enabled!(target: TARGET, Level::Debug) {
        return;
    }
    let Some(attempt) = attempts.last() else { return };
    let end = match (&attempt.error, attempt.status) {
        // The log is read by people and programs that must not know the secrets of a plan.
        (Some(failure), _) if job.secrets().is_in(failure.message.as_bytes()) => {
            format!("{}: {REDACTED}", failure.kind)
        }
        (Some(failure), _) => format!("{}: {}", failure.kind, failure.message),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => "no status".to_owned(),
    };
    let took = fractional_ms(attempt.total);
    let peer = attempt.address.as_deref().unwrap_or("no address");
    let reused = if attempt.reused { ", connection reused" } else { "" };
    let line = format!("{}: attempt {} in {took:.1} ms, {peer}{reused}: {end}", job.name(), attempts.len());
    log::debug!(target: TARGET, "{}", Redactor::for_jobs([job]).redact(&line));
}
