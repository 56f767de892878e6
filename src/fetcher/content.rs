//! Reads the content of a response: to memory, to a file, or only to count it.

use std::path::PathBuf;
use std::time::Duration;

use futures_lite::{AsyncBufRead, AsyncBufReadExt};

use super::body_writer::BodyWriter;
use super::received::Received;
use super::server_message;
use super::sink::Sink;
use crate::body::MemoryBudget;
use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop;
use crate::http::Method;
use crate::job::Job;
use crate::settings::Settings;
use crate::transport::{Response, YieldMeter, body_error};
use crate::units::DisplaySize;

/// The content of a response that did not succeed is kept up to this size: it often says why.
const MAX_ERROR_BODY: u64 = 64 * 1024;

/// For how long it is read: a server that drips it holds its place among those that run at once no longer than that.
const ERROR_BODY_TIME: Duration = Duration::from_secs(2);

/// Reads the content: all of it if the status is good, otherwise as much as may say why not. It is kept, within the budget,
/// if `keep` or if something is looked for in it.
pub(super) async fn read(
    response: &mut Response,
    good: bool,
    job: &Job,
    keep: bool,
    budget: &MemoryBudget,
    received: &mut Received,
) -> Result<()> {
    if let Some(bytes) = received.cache.unread() {
        received.body_bytes = Some(bytes);
        return Ok(());
    }
    if good {
        return read_good_body(response, job, keep, budget, received).await;
    }
    // If the time is over, what has come is not kept, but its first words may say why.
    (received.body_bytes, received.truncated) = (Some(0), true);
    let mut content = Vec::new();
    let body = &mut response.content;
    let _ = event_loop::timeout(ERROR_BODY_TIME, read_error_body(body, &mut content, received)).await;
    let status = received.status.unwrap_or_default();
    received.said = server_message::find(status, received.content_type.as_deref(), &content);
    if keep && !received.truncated {
        // Errors here are ignored, because the status is the error.
        let mut kept = BodyWriter::new(budget, None);
        if kept.write(&content).await.is_ok() {
            received.body = kept.finish().await.ok();
        }
    }
    Ok(())
}

/// Whether the content of a job is kept in memory. Content that is saved is not kept too, unless it is looked into.
pub(super) fn is_kept(job: &Job, keep: bool) -> bool {
    (keep && job.output().is_none()) || job.settings().looks_into_content()
}

async fn read_good_body(
    response: &mut Response,
    job: &Job,
    keep: bool,
    budget: &MemoryBudget,
    received: &mut Received,
) -> Result<()> {
    let settings = job.settings();
    let (body, length) = (&mut response.content, response.length);
    let path = job.output().map(PathBuf::as_path);
    let keep = is_kept(job, keep);
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
    // Up to which size it is kept in memory. What only the cache wants is dropped if it is too large for it.
    let mut most_kept = if keep { Some(u64::MAX) } else { received.cache.keeps() };
    most_kept = most_kept.filter(|most| length.is_none_or(|length| length <= *most));
    let mut sink = Sink::open(length, most_kept.map(|_| budget), path).await?;
    let mut total = 0u64;
    // Content of our own transport yields by itself; that of another client may be ready again and again.
    let meter = YieldMeter::default();
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
        if most_kept.is_some_and(|most| total > most) {
            most_kept = None;
            sink.keep_nothing();
        }
        sink.write(piece).await?;
        body.consume(taken);
        meter.add(taken);
        meter.yield_if_due().await;
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

/// Reads the content of a failed response, as far as it is kept. Errors here are ignored, because the status is the error.
async fn read_error_body(body: &mut (impl AsyncBufRead + Unpin), content: &mut Vec<u8>, received: &mut Received) {
    let meter = YieldMeter::default();
    let mut total = 0u64;
    while let Ok(piece) = body.fill_buf().await {
        let length = piece.len();
        total += length as u64;
        received.body_bytes = Some(total);
        if length == 0 || total > MAX_ERROR_BODY {
            break;
        }
        content.extend_from_slice(piece);
        body.consume(length);
        meter.add(length);
        meter.yield_if_due().await;
    }
    received.truncated = total > MAX_ERROR_BODY;
}
