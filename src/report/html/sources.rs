//! The sources: what went wrong in plain words, and folded in what else is known of each.

use std::io;
use std::time::Duration;

use super::super::body::{ReportBody, classify};
use super::super::cell_words::RoundedDuration;
use super::super::json::portable_path;
use super::super::{redacted, shown};
use super::markup::Markup;
use crate::error::{Kind, Phase};
use crate::http::{REDACTED, is_credential};
use crate::outcome::{Attempt, CacheUse, Failure, Outcome};
use crate::units::{DisplayDuration, DisplaySize};

/// Where on the page the source at this place is.
pub(super) fn id(place: usize) -> String {
    format!("s{place}")
}

/// The places of the sources that are shown: all of them, or of very many those that failed and the slowest.
pub(super) fn selection(outcomes: &[Outcome]) -> Vec<usize> {
    if outcomes.len() <= MOST_SHOWN {
        return (0..outcomes.len()).collect();
    }
    let (mut ok, mut shown): (Vec<usize>, Vec<usize>) = (0..outcomes.len()).partition(|at| outcomes[*at].ok());
    shown.truncate(MOST_FAILED);
    ok.sort_by_key(|at| std::cmp::Reverse(outcomes[*at].timings.total));
    ok.truncate(MOST_SHOWN - shown.len());
    shown.extend(ok);
    shown.sort_unstable();
    shown
}

pub(super) fn write(page: &mut Markup<'_>, outcomes: &[Outcome]) -> io::Result<()> {
    page.raw("<section id=\"sources\" aria-labelledby=\"sources-title\">\n<h2 id=\"sources-title\">Sources</h2>\n")?;
    let shown = selection(outcomes);
    if shown.len() < outcomes.len() {
        page.raw(format_args!(
            "<p class=\"note\"><b>Note:</b> of {} sources, {} are shown: those that failed and the slowest. Reports in other \
             formats have all of them.</p>\n",
            outcomes.len(),
            shown.len()
        ))?;
    }
    page.raw("<div class=\"tools\" hidden><label>Filter <input type=\"search\"></label> <label><input type=\"checkbox\"> only failed</label> <output></output></div>\n")?;
    let mut contents = Contents { left: MOST_CONTENT };
    for at in shown {
        source(page, at, &outcomes[at], &mut contents)?;
    }
    page.raw("</section>\n")
}

fn source(page: &mut Markup<'_>, at: usize, outcome: &Outcome, contents: &mut Contents) -> io::Result<()> {
    let (class, mark) = match outcome.error.as_ref().map(|error| error.kind) {
        None if outcome.stale.is_some() => ("yes", "<span class=\"warn\">\u{26a0} stale</span>"),
        None => ("yes", "<span class=\"good\">\u{2713} ok</span>"),
        Some(Kind::Cancelled | Kind::Skipped) => ("no", "<span class=\"warn\">\u{26a0} not done</span>"),
        Some(_) => ("no", "<span class=\"bad\">\u{2717} failed</span>"),
    };
    page.raw(format_args!("<details class=\"s {class}\" id=\"{}\"><summary>{mark}<span><bdi>", id(at)))?;
    page.own(&outcome.name)?;
    page.raw("</bdi>")?;
    if !outcome.ok() {
        page.raw("<small>")?;
        failure(page, outcome)?;
        page.raw("</small>")?;
    } else if let Some(stale) = &outcome.stale {
        page.raw(format_args!("<small>{} old, because ", DisplayDuration(Duration::from_secs(stale.age_s))))?;
        reason(page, &stale.error)?;
        page.raw("</small>")?;
    }
    page.raw("</span>")?;
    let status = outcome.status.map_or("\u{2013}".to_owned(), |status| status.to_string());
    let (time, size) = (RoundedDuration(outcome.timings.total), outcome.body_bytes.map(DisplaySize));
    page.raw(format_args!("<span class=\"n\">{status}</span><span class=\"n\">{time}</span><span class=\"n\">"))?;
    match size {
        Some(size) => page.raw(size),
        None => page.raw("\u{2013}"),
    }?;
    page.raw("</span></summary><div>\n<dl>")?;
    facts(page, outcome)?;
    page.raw("</dl>\n")?;
    let is_from_cache = outcome.attempts.iter().any(|attempt| attempt.cache.is_some());
    if outcome.attempts.len() > 1 || !outcome.ok() || outcome.stale.is_some() || is_from_cache {
        attempts(page, &outcome.attempts)?;
    }
    selected(page, outcome)?;
    fields(page, outcome)?;
    contents.write(page, outcome)?;
    page.raw("</div></details>\n")
}

/// Why the source failed: in plain words, and then the error itself.
pub(super) fn failure(page: &mut Markup<'_>, outcome: &Outcome) -> io::Result<()> {
    outcome.error.as_ref().map_or(Ok(()), |error| reason(page, error))
}

fn reason(page: &mut Markup<'_>, error: &Failure) -> io::Result<()> {
    page.raw(plain_words(error.kind))?;
    if let Some(phase) = error.phase.filter(|phase| phase.as_str() != error.kind.as_str()) {
        page.raw(format_args!(" ({})", phase_words(phase)))?;
    }
    page.raw(": <bdi>")?;
    page.own(&error.message)?;
    page.raw("</bdi>")?;
    match &error.retry_at {
        Some(at) => {
            page.raw("; the server allows another try at ")?;
            page.own(at)
        }
        None => Ok(()),
    }
}

fn plain_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Url => "the address cannot be fetched",
        Kind::Dns => "the name was not found",
        Kind::Connect => "no connection",
        Kind::Tls => "no secure connection",
        Kind::Timeout => "too slow",
        Kind::Protocol => "the answer is not valid HTTP",
        Kind::Body => "the content broke off",
        Kind::Status => "the server said no",
        Kind::TooLarge => "too much content",
        Kind::Redirect => "the redirect cannot be followed",
        Kind::Cancelled => "the run ended first",
        Kind::Skipped => "not tried",
        Kind::Expectation => "not what was expected",
        _ => "it failed",
    }
}

fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Queue => "in the queue",
        Phase::Dns => "while looking up the name",
        Phase::Connect => "while connecting",
        Phase::Proxy => "while talking to the proxy",
        Phase::Tls => "in the TLS handshake",
        Phase::Send => "while sending the request",
        Phase::Body => "while receiving content",
        Phase::Head => "while waiting for the answer",
        other => other.as_str(),
    }
}

fn facts(page: &mut Markup<'_>, outcome: &Outcome) -> io::Result<()> {
    for (name, url) in [("Address", Some(&*outcome.url)), ("Led to", outcome.final_url.as_deref())] {
        let Some(url) = url else { continue };
        let shown = redacted::text(page.redactor, url).into_owned();
        page.raw(format_args!("<dt>{name}</dt><dd>"))?;
        if may_be_link(&shown) {
            page.raw("<a rel=\"noreferrer\" href=\"")?;
            page.whole(&shown)?;
            page.raw("\">")?;
            page.hidden(&shown)?;
            page.raw("</a></dd>")?;
        } else {
            page.hidden(&shown)?;
            page.raw("</dd>")?;
        }
    }
    let timings = &outcome.timings;
    let parts = [
        ("queue", Some(timings.queue)),
        ("dns", timings.dns),
        ("connect", timings.connect),
        ("tls", timings.tls),
        ("first byte", timings.first_byte),
        ("content", timings.body),
        ("total", Some(timings.total)),
    ];
    let parts = parts.iter().filter_map(|(name, time)| Some(format!("{name} {}", RoundedDuration((*time)?))));
    page.raw(format_args!("<dt>Time</dt><dd>{}</dd>", parts.collect::<Vec<_>>().join(", ")))?;
    if let Some(waits) = &outcome.waits {
        let words = waits.in_words(|time| RoundedDuration(time).to_string());
        page.raw(format_args!("<dt>Waits</dt><dd>{words}</dd>"))?;
    }
    if let Some(kind) = &outcome.content_type {
        page.raw("<dt>Type</dt><dd>")?;
        page.received(kind)?;
        page.raw("</dd>")?;
    }
    if let Some(file) = &outcome.body_file {
        page.raw("<dt>Saved to</dt><dd>")?;
        page.own(&portable_path(file))?;
        page.raw("</dd>")?;
    }
    Ok(())
}

/// Whether it is a whole URL of the web, in which nothing was left out.
fn may_be_link(url: &str) -> bool {
    let is_web = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    // The characters of RFC 3986, section 2.2 and 2.3, without brackets, in which roundup says what is hidden.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&byte);
    is_web && url.len() < 2000 && url.bytes().all(is_plain)
}

fn attempts(page: &mut Markup<'_>, attempts: &[Attempt]) -> io::Result<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    page.raw("<h3>Attempts</h3><div class=\"scroll\"><table><thead><tr><th scope=\"col\" class=\"n\">#</th><th scope=\"col\" class=\"n\">Waited</th><th scope=\"col\" class=\"n\">Began</th><th scope=\"col\" class=\"n\">Took</th><th scope=\"col\">Peer</th><th scope=\"col\">Ended</th></tr></thead><tbody>")?;
    for (number, attempt) in attempts.iter().enumerate().take(MOST_ATTEMPTS) {
        let waited = attempt.waited.map_or("\u{2013}".to_owned(), |time| RoundedDuration(time).to_string());
        let (began, took) = (RoundedDuration(attempt.started), RoundedDuration(attempt.total));
        page.raw(format_args!(
            "<tr><td class=\"n\">{}</td><td class=\"n\">{waited}</td><td class=\"n\">{began}</td><td class=\"n\">{took}</td><td>",
            number + 1
        ))?;
        page.own(attempt.address.as_deref().unwrap_or("\u{2013}"))?;
        page.raw(if attempt.reused { " (again)</td><td>" } else { "</td><td>" })?;
        match (&attempt.error, attempt.status, attempt.cache) {
            (Some(error), ..) => page.own(&error.message),
            (None, _, Some(CacheUse::Hit)) => page.raw("not asked: what was kept is fresh"),
            (None, Some(status), Some(_)) => page.raw(format_args!("{status}: what was kept is still the newest")),
            (None, Some(status), None) => page.raw(status),
            (None, None, _) => Ok(()),
        }?;
        page.raw("</td></tr>")?;
    }
    page.raw("</tbody></table></div>\n")
}

/// The values that `select` took out.
fn selected(page: &mut Markup<'_>, outcome: &Outcome) -> io::Result<()> {
    let Some(data) = outcome.data.as_ref().filter(|data| !data.is_empty()) else { return Ok(()) };
    page.raw("<h3>Values</h3><dl>")?;
    for (name, value) in data.iter() {
        page.raw("<dt>")?;
        page.own(name)?;
        page.raw("</dt><dd dir=\"auto\">")?;
        let text = shown::cell(page.redactor, value).into_owned();
        page.hidden(if value.is_null() { "\u{2013}" } else { &text })?;
        page.raw("</dd>")?;
    }
    page.raw("</dl>\n")
}

fn fields(page: &mut Markup<'_>, outcome: &Outcome) -> io::Result<()> {
    let Some(fields) = outcome.fields.as_ref().filter(|fields| !fields.is_empty()) else { return Ok(()) };
    page.raw(format_args!("<details><summary>Head of the response ({} fields)</summary><dl>", fields.len()))?;
    for field in fields.iter().take(MOST_FIELDS) {
        page.raw("<dt>")?;
        page.received(&field.name)?;
        page.raw("</dt><dd>")?;
        if is_credential(&field.name) {
            page.own(REDACTED)?;
        } else {
            page.received(&String::from_utf8_lossy(&field.value))?;
        }
        page.raw("</dd>")?;
    }
    page.raw("</dl></details>\n")
}

/// How much content may still be shown.
struct Contents {
    left: usize,
}

impl Contents {
    fn write(&mut self, page: &mut Markup<'_>, outcome: &Outcome) -> io::Result<()> {
        let Some(body) = &outcome.body else { return Ok(()) };
        let bytes = body.read()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let size = DisplaySize(bytes.len() as u64);
        page.raw(format_args!("<details><summary>Content ({size})</summary>"))?;
        match classify(outcome.content_type.as_deref(), &bytes, body.is_known_json()) {
            ReportBody::Bytes(_) => page.raw("<p class=\"soft\">It is not text.</p>"),
            ReportBody::Json(text) => {
                // Secrets may be written with escapes in JSON.
                let text = shown::json(page.redactor, text)?.into_owned();
                self.text(page, &text)
            }
            ReportBody::Text(text) => {
                let text = redacted::received(page.redactor, &text).into_owned();
                self.text(page, &text)
            }
        }?;
        page.raw("</details>\n")
    }

    /// Writes what there is room for. Secrets are hidden already, before anything is cut, so that no part of one is left.
    fn text(&mut self, page: &mut Markup<'_>, text: &str) -> io::Result<()> {
        let most = self.left.min(MOST_OF_ONE);
        let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.left -= end;
        if end > 0 {
            page.raw("<pre dir=\"auto\">")?;
            page.whole(&text[..end])?;
            page.raw("</pre>")?;
        }
        if end < text.len() {
            let rest = DisplaySize((text.len() - end) as u64);
            page.raw(format_args!(
                "<p class=\"soft\">{rest} more are not on this page; the JSON report has all of it.</p>"
            ))?;
        }
        Ok(())
    }
}

/// How many sources are shown.
const MOST_SHOWN: usize = 1000;
/// How many sources that failed are shown if there are more sources than that.
const MOST_FAILED: usize = 500;
const MOST_ATTEMPTS: usize = 20;
const MOST_FIELDS: usize = 100;
/// How much of one content is shown, in bytes.
const MOST_OF_ONE: usize = 8 << 10;
/// How much of all contents is shown, in bytes.
const MOST_CONTENT: usize = 2 << 20;
