//! `explain`: one source of a run that is over, attempt by attempt.

use std::fmt::Write as _;
use std::time::Duration;

use roundup::report::{RunInfo, cut_to_width, width_of};
use roundup::{Attempt, Failure, Kind, Outcome, PhaseTimes, WaitCause, printable};

use crate::cli::console::{print, width};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::{Explain, nearest};
use crate::cli::results;

/// How many attempts are shown: those in the middle are counted.
const MOST_ATTEMPTS: usize = 12;
/// The phases of an attempt.
const PHASES: [&str; 5] = ["look-up of the name", "connecting", "TLS handshake", "to the first byte", "content"];
/// How many values are shown.
const MOST_VALUES: usize = 8;
/// How many columns the line of time has.
const BAR: usize = 30;
/// Less than that between two attempts, or after the last one, is no wait: it is the loop's own.
const LOOP_OWN: Duration = Duration::from_millis(20);
/// How wide the text is if it goes to no terminal.
const WIDTH: usize = 100;

pub(crate) fn explain(explain: &Explain) -> Result<Exit, CommandError> {
    let (run, outcomes) = results::read(&explain.result)?;
    let outcome = find(&explain.name, &outcomes)?;
    let most = width().unwrap_or(WIDTH).max(20);
    let lines = Explanation { outcome, run: &run }.lines();
    let lines = lines.iter().map(|line| cut_to_width(&printable(line, &[]), most));
    print(&lines.fold(String::new(), |text, line| text + line.trim_end() + "\n"))
}

/// The source of this name, or the one whose name or URL has this in it.
fn find<'o>(name: &str, outcomes: &'o [Outcome]) -> Result<&'o Outcome, CommandError> {
    if let Some(outcome) = outcomes.iter().find(|outcome| &*outcome.name == name) {
        return Ok(outcome);
    }
    let has = |outcome: &&Outcome| !name.is_empty() && (outcome.name.contains(name) || outcome.url.contains(name));
    let alike: Vec<&Outcome> = outcomes.iter().filter(has).collect();
    let shown = printable(name, &[]);
    match alike[..] {
        [outcome] => Ok(outcome),
        [] => {
            let near = nearest(name, outcomes.iter().map(|outcome| &*outcome.name));
            let hint = match near.or_else(|| outcomes.first().map(|outcome| &*outcome.name)) {
                Some(near) => format!("there is {}", printable(near, &[])),
                None => "the result has no source at all".to_owned(),
            };
            Err(CommandError::usage(format!("no source is called \"{shown}\": {hint}")))
        }
        _ => {
            let names: Vec<String> =
                alike.iter().take(5).map(|outcome| printable(&outcome.name, &[]).into_owned()).collect();
            let more = alike.len().saturating_sub(names.len());
            let more = if more > 0 { format!(" or {more} others") } else { String::new() };
            Err(CommandError::usage(format!("\"{shown}\" may be {}{more}: write one of them whole", names.join(", "))))
        }
    }
}

struct Explanation<'o> {
    outcome: &'o Outcome,
    run: &'o RunInfo,
}

impl Explanation<'_> {
    fn lines(&self) -> Vec<String> {
        let outcome = self.outcome;
        let mut lines = vec![self.verdict()];
        let method = outcome.method.map_or(String::new(), |method| format!("{method} "));
        lines.push(format!("{method}{}", outcome.url));
        lines.extend(outcome.final_url.as_ref().map(|url| format!("redirected to {url}")));
        if let Some(error) = &outcome.error {
            lines.push(format!("error: {}", described(error)));
            lines.extend(error.retry_at.as_ref().map(|at| format!("the server allows another try at {at}")));
        }
        if self.run.interrupted {
            lines.push("the run was interrupted".to_owned());
        }
        lines.push(String::new());
        self.attempts(&mut lines);
        self.waits(&mut lines);
        self.phases(&mut lines);
        self.content(&mut lines);
        lines
    }

    fn verdict(&self) -> String {
        let outcome = self.outcome;
        let tries = outcome.attempts.len();
        let end = match &outcome.error {
            None => "succeeded".to_owned(),
            Some(error) if error.kind == Kind::Skipped => "was skipped".to_owned(),
            Some(error) if error.kind == Kind::Cancelled => "was cancelled".to_owned(),
            Some(_) => "failed".to_owned(),
        };
        let status = outcome.status.map_or(String::new(), |status| format!(" with status {status}"));
        match tries {
            0 => format!("{} {end}; nothing was sent", outcome.name),
            _ => {
                let attempts = if tries == 1 { "1 attempt".to_owned() } else { format!("{tries} attempts") };
                let took = shown(outcome.timings.total);
                format!("{} {end}{status} after {attempts} in {took}", outcome.name)
            }
        }
    }

    /// Each attempt and the waits between them, on one line of time.
    fn attempts(&self, lines: &mut Vec<String>) {
        let attempts = &self.outcome.attempts;
        let Some(first) = attempts.first() else { return };
        let queue = self.outcome.timings.queue;
        let origin = first.started.saturating_sub(queue);
        let end = attempts.iter().map(|attempt| attempt.started + attempt.total).max().unwrap_or_default();
        let scale = Scale { origin, length: (end + self.tail()).saturating_sub(origin) };
        if queue >= Duration::from_millis(1) {
            let bar = scale.bar(origin, queue, '\u{b7}');
            let why = match self.only_wait() {
                Some((cause, _)) => cause.to_string(),
                None => "in the queue".to_owned(),
            };
            lines.push(format!("queued   {bar}  {:>9}  {why}", shown(queue)));
        }
        let hidden = attempts.len().saturating_sub(MOST_ATTEMPTS);
        for (at, attempt) in attempts.iter().enumerate() {
            if hidden > 0 && (MOST_ATTEMPTS / 2..MOST_ATTEMPTS / 2 + hidden).contains(&at) {
                if at == MOST_ATTEMPTS / 2 {
                    lines.push(format!("         {hidden} more attempts"));
                }
                continue;
            }
            if at > 0 {
                wait(&scale, &attempts[at - 1], attempt, lines);
            }
            let bar = scale.bar(attempt.started, attempt.total, '\u{2588}');
            lines.push(format!("try {:<4} {bar}  {:>9}  {}", at + 1, shown(attempt.total), result(attempt)));
            // Those of the last one follow with bars.
            if let Some(phases) = attempt.phases.as_ref().filter(|_| at + 1 < attempts.len()) {
                let times: Vec<String> = named(phases).map(|(name, time)| format!("{name} {}", shown(time))).collect();
                lines.extend((!times.is_empty()).then(|| format!("         {}", times.join(", "))));
            }
        }
        if !self.tail().is_zero() {
            let bar = scale.bar(end, self.tail(), '\u{b7}');
            lines.push(format!("waited   {bar}  {:>9}  and was not tried again", shown(self.tail())));
        }
        lines.push(String::new());
    }

    /// What it waited for, if its attempts do not say so.
    fn waits(&self, lines: &mut Vec<String>) {
        let Some(waits) = self.outcome.waits.as_ref().filter(|_| self.only_wait().is_none()) else { return };
        lines.push(format!("it waited, {} in all:", shown(waits.total())));
        lines.extend(waits.iter().map(|(cause, time)| format!("  {:>9}  {cause}", shown(time))));
        lines.push(String::new());
    }

    /// For how long it waited after its last attempt.
    fn tail(&self) -> Duration {
        let attempts = &self.outcome.attempts;
        let Some(first) = attempts.iter().map(|attempt| attempt.started).min() else { return Duration::ZERO };
        let last = attempts.iter().map(|attempt| attempt.started + attempt.total).max().unwrap_or_default();
        let tail = (first + self.outcome.timings.total).saturating_sub(last);
        if tail > LOOP_OWN { tail } else { Duration::ZERO }
    }

    /// What it waited for, if it was sent once, and waited for hardly anything else before that.
    fn only_wait(&self) -> Option<(WaitCause, Duration)> {
        let is_all = self.outcome.attempts.len() == 1 && self.tail().is_zero();
        let waits = self.outcome.waits.as_ref().filter(|_| is_all)?;
        waits.longest().filter(|(_, time)| *time * 10 >= waits.total() * 9)
    }

    /// Where the time of the last attempt went.
    fn phases(&self, lines: &mut Vec<String>) {
        let Some(last) = self.outcome.attempts.last() else { return };
        let phases = self.outcome.timings.phases();
        if named(&phases).next().is_none() {
            return;
        }
        let which = if self.outcome.attempts.len() > 1 { "last attempt" } else { "attempt" };
        lines.push(format!("the {which} by phases, {} in all:", shown(last.total)));
        let mut begins = Duration::ZERO;
        let scale = Scale { origin: Duration::ZERO, length: last.total };
        for (name, time) in PHASES.into_iter().zip(phases.in_order()) {
            let Some(time) = time else {
                let why = if last.reused && name != "content" { "not needed: the connection was there" } else { "-" };
                lines.push(format!("  {name:<20} {why}"));
                continue;
            };
            let bar = scale.bar(begins, time, '\u{2588}');
            lines.push(format!("  {name:<20} {:>9}  {bar}", shown(time)));
            begins += time;
        }
        let rest = last.total.saturating_sub(begins);
        if rest >= Duration::from_millis(1) {
            lines.push(format!("  {:<20} {:>9}  redirects before it, and roundup itself", "other", shown(rest)));
        }
        lines.push(String::new());
    }

    /// What came, and what was taken out of it.
    fn content(&self, lines: &mut Vec<String>) {
        let outcome = self.outcome;
        if let Some(bytes) = outcome.body_bytes {
            let kind = outcome.content_type.as_deref().map_or(String::new(), |kind| format!(" of {kind}"));
            let file =
                outcome.body_file.as_ref().map_or(String::new(), |file| format!(", saved to {}", file.display()));
            let cut = if outcome.body_truncated { ", more than is kept" } else { "" };
            lines.push(format!("content: {bytes} bytes{kind}{file}{cut}"));
        }
        let rows: usize = outcome.rows.iter().map(|rows| rows.rows.len()).sum();
        if rows > 0 {
            lines.push(format!("rows: {rows}"));
        }
        let values = || outcome.data.iter().flat_map(|record| record.iter());
        let mut text = String::new();
        for (name, value) in values().take(MOST_VALUES) {
            let _ = write!(text, "{}{name} = {}", if text.is_empty() { "" } else { ", " }, value.as_text());
        }
        let more = values().count().saturating_sub(MOST_VALUES);
        if !text.is_empty() {
            lines.push(format!("values: {text}{}", if more > 0 { format!(" and {more} more") } else { String::new() }));
        }
    }
}

/// The phases that took time, and how much.
fn named(phases: &PhaseTimes) -> impl Iterator<Item = (&'static str, Duration)> {
    PHASES.into_iter().zip(phases.in_order()).filter_map(|(name, time)| Some((name, time?)))
}

/// The wait before an attempt, and as far as it is known what for.
fn wait(scale: &Scale, before: &Attempt, attempt: &Attempt, lines: &mut Vec<String>) {
    let ended = before.started + before.total;
    let gap = attempt.started.saturating_sub(ended);
    let asked = attempt.waited.unwrap_or_default();
    let bar = scale.bar(ended, gap, '\u{b7}');
    let refused = matches!(before.status, Some(403 | 429 | 503));
    let mut why = match (attempt.waited, &before.error) {
        (None, _) => "for the next request of the same source".to_owned(),
        (Some(_), Some(_)) if refused => "as the server asked, or longer each time".to_owned(),
        (Some(_), _) => "longer each time, before it is tried again".to_owned(),
    };
    let rest = gap.saturating_sub(asked);
    // What is beyond is due to others.
    if attempt.waited.is_some() && rest > LOOP_OWN {
        let _ = write!(why, "; {} of it for its turn at the host", shown(rest));
    }
    lines.push(format!("waited   {bar}  {:>9}  {why}", shown(gap)));
}

/// How an attempt ended, and over which connection.
fn result(attempt: &Attempt) -> String {
    let connection = match (&attempt.address, attempt.reused) {
        (Some(address), true) => format!(", {address}, connection used before"),
        (Some(address), false) => format!(", {address}"),
        (None, _) => String::new(),
    };
    match (&attempt.error, attempt.status) {
        (Some(error), _) => format!("{}{connection}", described(error)),
        (None, Some(status)) => format!("{status}{connection}"),
        (None, None) => format!("ended{connection}"),
    }
}

fn described(error: &Failure) -> String {
    // The message of a status begins with it.
    if error.kind == Kind::Status {
        return error.message.to_string();
    }
    let phase = error.phase.map_or(String::new(), |phase| format!(" ({})", phase.as_str()));
    format!("{}{phase}: {}", error.kind.as_str(), error.message)
}

/// A time for people.
fn shown(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        _ if ms < 9.95 => format!("{ms:.1} ms"),
        _ if ms < 9_999.5 => format!("{ms:.0} ms"),
        _ if ms < 599_950.0 => format!("{:.1} s", ms / 1000.0),
        _ => format!("{:.0} min", ms / 60_000.0),
    }
}

/// A line of time.
struct Scale {
    origin: Duration,
    length: Duration,
}

impl Scale {
    /// A span of time on the line; at least one mark, so that it is seen.
    fn bar(&self, from: Duration, length: Duration, mark: char) -> String {
        let total = self.length.as_secs_f64();
        let place = |time: Duration| match total > 0.0 {
            true => ((time.as_secs_f64() / total * BAR as f64).round() as usize).min(BAR),
            false => 0,
        };
        let begin = place(from.saturating_sub(self.origin)).min(BAR - 1);
        let end = place((from + length).saturating_sub(self.origin)).clamp(begin + 1, BAR);
        let bar: String = (0..BAR).map(|at| if (begin..end).contains(&at) { mark } else { ' ' }).collect();
        debug_assert_eq!(width_of(&bar), BAR);
        bar
    }
}
