//! A plan in one line a job, for people who want to see what would be done.

use std::fmt::Write as _;

use super::Plan;
use crate::job::Job;
use crate::limits::Limits;
use crate::origin::{Origin, without_password};
use crate::units::{DisplayDuration, DisplaySize};

impl Plan {
    /// One line for each job, in order: name, method, URL as written, what is sent, time limits, retries, limits of the
    /// host, expectations. Header values are left out and secrets hidden.
    pub fn explain(&self) -> impl Iterator<Item = String> + '_ {
        self.jobs.iter().map(|job| {
            let line = explain(job, &self.limits);
            let line = self.redactor.redact(&line);
            // Settings may hold any character a TOML string can.
            line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
        })
    }
}

fn explain(job: &Job, limits: &Limits) -> String {
    let settings = job.settings();
    let mut line = String::new();
    if job.name() != job.written_url() {
        line.push_str(job.name());
        line.push_str(": ");
    }
    let _ = write!(line, "{} {}", settings.method, without_password(job.written_url()));
    let mut say = |text: String| {
        line.push_str(", ");
        line.push_str(&text);
    };
    if !settings.headers.is_empty() {
        let names: Vec<&str> = settings.headers.iter().map(|field| field.name()).collect();
        say(format!("headers {}", names.join(" ")));
    }
    if let Some(data) = &settings.data {
        say(format!("sends {}", DisplaySize(data.len() as u64)));
    }
    let connect = DisplayDuration(settings.connect_timeout.min(settings.timeout));
    say(format!("timeout {} (connect {connect})", DisplayDuration(settings.timeout)));
    let may_retry = settings.retry_unsafe || settings.method.is_idempotent();
    match settings.retries {
        0 => say("no retries".to_owned()),
        retries if may_retry => say(format!("retries {retries}")),
        _ => say(format!("no retries: {} is not repeated without retry_unsafe", settings.method)),
    }
    if let Ok(origin) = Origin::of(job.url()) {
        let host = limits.of(&origin);
        if let Some(per_host) = host.per_host {
            say(format!("host {per_host} at once"));
        }
        if let Some(rate) = host.rate {
            say(format!("host {rate}"));
        }
    }
    say(format!("status {}", settings.good_statuses()));
    for (name, pointer) in &settings.select {
        say(format!("select {name}={pointer}"));
    }
    for (pointer, value) in &settings.expect.json {
        say(format!("expect {pointer}={value}"));
    }
    if let Some(max_ms) = settings.expect.max_ms {
        say(format!("at most {max_ms} ms"));
    }
    if let Some(output) = job.output() {
        say(format!("saved to {}", output.display()));
    }
    line
}
