//! The report as JUnit XML, for the test pages of CI servers: a test suite a run, a test case a source.
//!
//! ```text
//! <testsuite name="roundup" tests="2" failures="1" errors="0" skipped="0" time="1.012" ..>
//! <testcase classname="api.example.com" name="weather[oslo]" time="1.002"/>
//! <testcase classname="api.example.com" name="weather[rome]" time="0.100"><failure type="status" message="..">..</failure></testcase>
//! </testsuite>
//! ```
//!
//! There is no standard; this is what Jenkins and GitLab read, and what its schema of 2024 (junit-10.xsd, in pytest's
//! sources) allows. A response that is not as it should be is a failure, one that did not come is an error, and a source
//! that was never asked is skipped.

use std::borrow::Cow;
use std::io::{self, Write};

use super::cell_words::describe_stale;
use super::format::Report;
use super::redacted;
use super::run_info::RunInfo;
use crate::error::Kind;
use crate::http::is_printable;
use crate::outcome::{Failure, Outcome, Summary};
use crate::tables::host;

/// JUnit XML: a test case a source.
#[derive(Clone, Copy, Debug)]
pub struct JUnit;

impl Report for JUnit {
    fn finish(&mut self, out: &mut dyn Write, run: &RunInfo, _: &Summary, outcomes: &[Outcome]) -> io::Result<()> {
        let count = |verdict| outcomes.iter().filter(|outcome| Verdict::of(outcome) == verdict).count();
        let title = run.title.as_deref().unwrap_or("roundup");
        let attributes = format!(
            "name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
            escaped(&redacted::text(&run.redactor, title)),
            outcomes.len(),
            count(Verdict::Failed),
            count(Verdict::Error),
            count(Verdict::Skipped),
            run.elapsed.as_secs_f64(),
        );
        // Without milliseconds and zone, as the schemas have it; it is UTC.
        let started = run.start_text().unwrap_or_default();
        let started = match started.split('.').next().unwrap_or_default() {
            "" => String::new(),
            started => format!(" timestamp=\"{started}\""),
        };
        out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n")?;
        writeln!(out, "<testsuite {attributes}{started}>")?;
        for outcome in outcomes {
            case(out, run, outcome)?;
        }
        out.write_all(b"</testsuite>\n</testsuites>\n")
    }
}

/// What a test case can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    Error,
    Skipped,
}

impl Verdict {
    fn of(outcome: &Outcome) -> Verdict {
        match outcome.error.as_ref().map(|error| error.kind) {
            None => Verdict::Passed,
            Some(Kind::Status | Kind::Expectation | Kind::TooLarge | Kind::Redirect) => Verdict::Failed,
            Some(Kind::Skipped | Kind::Cancelled) => Verdict::Skipped,
            Some(_) => Verdict::Error,
        }
    }
}

fn case(out: &mut dyn Write, run: &RunInfo, outcome: &Outcome) -> io::Result<()> {
    let text = |text| redacted::text(&run.redactor, text);
    let url = text(&outcome.url);
    write!(
        out,
        "<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        escaped(host(&url).unwrap_or("roundup")),
        escaped(&text(&outcome.name)),
        outcome.timings.total.as_secs_f64(),
    )?;
    if let Some(stale) = &outcome.stale {
        let text = describe_stale(&run.redactor, stale);
        return writeln!(out, "><system-out>stale, {}</system-out></testcase>", escaped(&text));
    }
    let (verdict, Some(Failure { kind, phase, message, .. })) = (Verdict::of(outcome), &outcome.error) else {
        return out.write_all(b"/>\n");
    };
    let message = text(message);
    let message = escaped(&message);
    if verdict == Verdict::Skipped {
        return writeln!(out, "><skipped message=\"{message}\"/></testcase>");
    }
    let element = if verdict == Verdict::Failed { "failure" } else { "error" };
    let place = phase.map(|phase| format!(" in phase {}", phase.as_str())).unwrap_or_default();
    let tries = outcome.attempts.len();
    writeln!(
        out,
        "><{element} type=\"{}\" message=\"{message}\">{message}\n{}{place}, {tries} {}\n{}</{element}></testcase>",
        kind.as_str(),
        kind.as_str(),
        if tries == 1 { "attempt" } else { "attempts" },
        escaped(&url),
    )
}

/// Text that stands in an attribute or between tags. What XML 1.0 cannot hold (section 2.2), or what is not printable, is
/// U+FFFD.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !matches!(c, '&' | '<' | '>' | '"' | '\'') && is_printable(c);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(c))),
            c if is_printable(c) => escaped.push(c),
            _ => escaped.push('\u{fffd}'),
        }
    }
    escaped.into()
}
