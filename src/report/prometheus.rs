//! The report as text for Prometheus, to be written into the folder of node_exporter's textfile collector.
//!
//! ```text
//! # HELP probe_success Whether the source succeeded.
//! # TYPE probe_success gauge
//! probe_success{source="weather[oslo]"} 1
//! ```
//!
//! Names are those of blackbox_exporter where it has one, so that its dashboards and alerts work. Values of `select` that
//! are numbers, true or false are `roundup_value`. Samples of one metric stand together, as the format asks for
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), so results are passed through once a metric and
//! nothing is kept.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::format::Report;
use super::redacted;
use super::run_info::RunInfo;
use crate::http::printable;
use crate::outcome::{Outcome, Summary, Timings};
use crate::rows::Cell;

/// The text format of Prometheus: gauges of each source and of the run.
#[derive(Clone, Copy, Debug)]
pub struct Prometheus;

impl Report for Prometheus {
    fn finish(
        &mut self,
        out: &mut dyn Write,
        run: &RunInfo,
        summary: &Summary,
        outcomes: &[Outcome],
    ) -> io::Result<()> {
        let mut metrics = Metrics { out, run, outcomes };
        for (name, help, value) in SOURCES {
            metrics.of_sources(name, help, *value)?;
        }
        if summary.stale > 0 {
            let (name, help, value) = STALE;
            metrics.of_sources(name, help, value)?;
        }
        metrics.phases()?;
        metrics.values()?;
        metrics.of_run(summary)
    }
}

type Value = fn(&Outcome) -> Option<f64>;
type PhaseTime = fn(&Timings) -> Option<Duration>;

/// What there is of a source, but for phases and values.
const SOURCES: &[(&str, &str, Value)] = &[
    ("probe_success", "Whether the source succeeded.", |outcome| Some(f64::from(u8::from(outcome.ok())))),
    ("probe_duration_seconds", "How long the source took in all, waits and retries included.", |outcome| {
        started(outcome).map(|outcome| outcome.timings.total.as_secs_f64())
    }),
    ("probe_http_status_code", "The status of the last response.", |outcome| outcome.status.map(f64::from)),
    ("probe_http_uncompressed_body_length", "The bytes of content, after undoing content codings.", |outcome| {
        outcome.body_bytes.map(|bytes| bytes as f64)
    }),
    ("roundup_attempts", "How often the source was asked.", |outcome| Some(outcome.attempts.len() as f64)),
];

/// Of the sources whose content is not new.
const STALE: (&str, &str, Value) = (
    "roundup_stale_seconds",
    "The age of a content that was delivered because a new one could not be had.",
    |outcome| outcome.stale.as_ref().map(|stale| stale.age_s as f64),
);

fn started(outcome: &Outcome) -> Option<&Outcome> {
    (!outcome.attempts.is_empty()).then_some(outcome)
}

/// The phases of the last attempt under the names that blackbox_exporter has for them.
const PHASES: [(&str, PhaseTime); 5] = [
    ("resolve", |timings| timings.dns),
    ("connect", |timings| timings.connect),
    ("tls", |timings| timings.tls),
    ("processing", |timings| timings.first_byte),
    ("transfer", |timings| timings.body),
];

struct Metrics<'a> {
    out: &'a mut dyn Write,
    run: &'a RunInfo,
    outcomes: &'a [Outcome],
}

impl Metrics<'_> {
    fn head(&mut self, name: &str, help: &str) -> io::Result<()> {
        writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} gauge")
    }

    fn of_sources(&mut self, name: &str, help: &str, value: Value) -> io::Result<()> {
        self.head(name, help)?;
        let mut sources = Labels::new(self.run);
        for outcome in self.outcomes {
            if let Some(value) = value(outcome) {
                writeln!(self.out, "{name}{{source=\"{}\"}} {value}", sources.of(outcome))?;
            }
        }
        Ok(())
    }

    fn phases(&mut self) -> io::Result<()> {
        const NAME: &str = "probe_http_duration_seconds";
        self.head(NAME, "The phases of the last attempt.")?;
        let mut sources = Labels::new(self.run);
        for outcome in self.outcomes {
            let source = sources.of(outcome);
            for (phase, time) in PHASES {
                if let Some(time) = time(&outcome.timings) {
                    writeln!(self.out, "{NAME}{{source=\"{source}\",phase=\"{phase}\"}} {}", time.as_secs_f64())?;
                }
            }
        }
        Ok(())
    }

    fn values(&mut self) -> io::Result<()> {
        if self.outcomes.iter().all(|outcome| outcome.data.is_none()) {
            return Ok(());
        }
        const NAME: &str = "roundup_value";
        self.head(NAME, "A value that select took, true as 1 and false as 0.")?;
        let mut sources = Labels::new(self.run);
        for outcome in self.outcomes {
            let source = sources.of(outcome);
            for (name, cell) in outcome.data.iter().flat_map(|data| data.iter()) {
                let value = match cell {
                    Cell::Bool(value) => Some(f64::from(u8::from(*value))),
                    cell => cell.as_float(),
                };
                if let Some(value) = value.filter(|_| !self.run.redactor.hides_number(&cell.as_text())) {
                    let name = escaped(&redacted::text(&self.run.redactor, name));
                    writeln!(self.out, "{NAME}{{source=\"{source}\",name=\"{name}\"}} {value}")?;
                }
            }
        }
        Ok(())
    }

    fn of_run(&mut self, summary: &Summary) -> io::Result<()> {
        let started = self.run.started.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.head("roundup_sources", "How many sources there were, by how they ended.")?;
        writeln!(self.out, "roundup_sources{{result=\"ok\"}} {}", summary.ok)?;
        writeln!(self.out, "roundup_sources{{result=\"failed\"}} {}", summary.failed)?;
        self.head("roundup_sources_stale", "How many of those that are ok have a content that is not new.")?;
        writeln!(self.out, "roundup_sources_stale {}", summary.stale)?;
        for (name, help, value) in [
            (STARTED, "When the run started.", started),
            ("roundup_run_duration_seconds", "How long the run took.", self.run.elapsed.as_secs_f64()),
            (
                "roundup_run_interrupted",
                "Whether the run ended before all sources were done.",
                f64::from(u8::from(self.run.interrupted)),
            ),
        ] {
            if name == STARTED && self.run.start_text().is_none() {
                continue;
            }
            self.head(name, help)?;
            writeln!(self.out, "{name} {value}")?;
        }
        Ok(())
    }
}

/// The metric that is left out if the start is not known.
const STARTED: &str = "roundup_run_start_timestamp_seconds";

/// The labels of sources. Two samples of one metric may not have the same: names that have become alike because secrets
/// are hidden get a number.
struct Labels<'a> {
    run: &'a RunInfo,
    seen: HashSet<String>,
}

impl Labels<'_> {
    fn new(run: &RunInfo) -> Labels<'_> {
        Labels { run, seen: HashSet::new() }
    }

    fn of(&mut self, outcome: &Outcome) -> String {
        let shown = redacted::text(&self.run.redactor, &outcome.name);
        let mut label = escaped(&shown);
        // Names differ; only what was changed can be there twice.
        if *shown != *outcome.name || *printable(&shown, &[]) != *shown {
            let base = label.clone();
            let mut number = 1;
            while !self.seen.insert(label.clone()) {
                number += 1;
                label = format!("{base}#{number}");
            }
        }
        label
    }
}

/// The value of a label: backslashes, quotes and line feeds are escaped, what is not printable is U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text, &['\n']).chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            c => {
                let _ = escaped.write_char(c);
            }
        }
    }
    escaped
}
