//! A plan in one line a job, for people who want to see what would be done.

use std::fmt::Write as _;

use super::ready::Plan;
use crate::expectations::{Expect, RowCount};
use crate::graph::{JobGraph, TreeNode};
use crate::http::printable;
use crate::job::Job;
use crate::limits::{DEFAULT_PER_HOST, Limits};
use crate::origin::{Origin, without_password};
use crate::rows::{Condition, ContentForm, Pattern};
use crate::settings::Settings;
use crate::units::{DisplayDuration, DisplaySize};

impl Plan {
    /// One line for each job, in order: name, method, URL as written, what is sent, time limits, retries, limits of the
    /// host, expectations. Header values are left out and secrets hidden.
    ///
    /// If jobs need others, the lines are a tree: a job stands below the one that it waits for or has the rows of.
    pub fn explain(&self) -> impl Iterator<Item = String> + '_ {
        let lines: Box<dyn Iterator<Item = String>> = match &self.graph {
            Some(graph) => Box::new(graph.tree().into_iter().flat_map(|node| self.explain_node(graph, &node))),
            None => Box::new(self.jobs.iter().map(|job| explain(job, &self.limits))),
        };
        lines.map(|line| {
            let line = self.redactor.redact(&line);
            // Settings may hold any character a TOML string can.
            printable(&line, &[]).into_owned()
        })
    }

    fn explain_node(&self, graph: &JobGraph, tree: &TreeNode) -> Vec<String> {
        // Deeper than this, a terminal shows nothing but blanks.
        let indent = "  ".repeat(tree.depth.min(20));
        let (node, place) = graph.node(tree.node);
        let (name, template, reported) = node.explain();
        let mut notes = String::new();
        if let Some(source) = node.rows_of_what() {
            let _ = write!(notes, ", for each row of {source}");
        }
        if !tree.also.is_empty() {
            let names: Vec<&str> = tree.also.iter().map(|also| graph.node(*also).0.explain().0).collect();
            let _ = write!(notes, ", also waits for {}", names.join(" and "));
        }
        if !reported {
            notes.push_str(", not reported");
        }
        match template {
            Some(template) => {
                let shard = graph.shard_of(tree.node);
                let jobs = graph.late_members(tree.node).count();
                let mut several = String::new();
                match (node.rows_of_what(), shard, jobs) {
                    (Some(_), Some(shard), _) => {
                        let _ = write!(notes, ", those of shard {shard}");
                    }
                    (None, _, 0) => return Vec::new(),
                    (None, _, 2..) => several = format!(", {jobs} jobs"),
                    _ => {}
                }
                vec![format!("{indent}{name}: {template}{several}{notes}")]
            }
            None => {
                let own = place..place + node.size();
                let jobs = self.jobs.iter().filter(|job| job.index().is_some_and(|index| own.contains(&index)));
                jobs.map(|job| format!("{indent}{}{notes}", explain(job, &self.limits))).collect()
            }
        }
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
    let (omitted, sent): (Vec<_>, Vec<_>) = settings.headers.iter().partition(|field| field.is_omitted());
    for (what, fields) in [("headers", sent), ("without", omitted)] {
        if !fields.is_empty() {
            let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
            say(format!("{what} {}", names.join(" ")));
        }
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
        if let Some(per_host) = host.per_host.filter(|per_host| *per_host != DEFAULT_PER_HOST) {
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
    explain_rows(settings, &mut say);
    explain_expect(&settings.expect, &mut say);
    if let Some(output) = job.output() {
        say(format!("saved to {}", output.display()));
    }
    line
}

fn explain_rows(settings: &Settings, say: &mut dyn FnMut(String)) {
    if !settings.makes_rows() {
        return;
    }
    let form = match settings.format.form {
        ContentForm::Auto => String::new(),
        form => format!(" of {}", form.as_str()),
    };
    let place = settings.rows.as_ref().map(|place| format!(" at {}", place.as_place())).unwrap_or_default();
    say(format!("rows{form}{place} to table {}", settings.table.as_deref().unwrap_or("rows")));
}

fn explain_expect(expect: &Expect, say: &mut dyn FnMut(String)) {
    for (place, condition) in &expect.json {
        let word = if matches!(condition, Condition::Equals(_)) { "=" } else { " " };
        say(format!("expect {place}{word}{condition}"));
    }
    for place in &expect.absent {
        say(format!("expect nothing at {}", place.as_place()));
    }
    for place in &expect.present {
        say(format!("expect {} to be there", place.as_place()));
    }
    for (name, value) in &expect.header {
        say(format!("expect {name}: {value}"));
    }
    for text in expect.text.iter().map(|text| text.to_string()).chain(expect.matches.iter().map(Pattern::to_string)) {
        say(format!("expect {text:?} in the content"));
    }
    if let Some(RowCount { min, max }) = expect.rows {
        let bound = |word: &str, count: Option<u64>| count.map(|count| format!("at {word} {count}"));
        let bounds = [bound("least", min), bound("most", max)];
        say(format!("expect {} rows", bounds.into_iter().flatten().collect::<Vec<_>>().join(" and ")));
    }
    if let Some(max_ms) = expect.max_ms {
        say(format!("at most {max_ms} ms"));
    }
}
