//! Imported requests as the text of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Imported;
use super::hiding::hide;
use super::marks::{MarkedPart, Marks};
use super::request::ImportedRequest;
use super::toml_text::{toml_key, toml_string};
use crate::error::{Error, Kind, Result};
use crate::plan::{MAX_JOBS, MAX_PLAN_BYTES, OPEN_BRACE, literal};

/// Stands for a dollar sign before a secret, where no other way is left to write one.
const DOLLAR: &str = "dollar";

/// What was read, and what is to be said of it.
pub(super) struct Reading {
    pub(super) requests: Vec<ImportedRequest>,
    /// Options of `roundup run` that the requests need.
    pub(super) options: BTreeSet<String>,
    pub(super) notes: Vec<String>,
}

/// A line of a table: its key, its value in TOML, and whether a secret is in it.
#[derive(Clone, PartialEq, Eq)]
struct PlanLine {
    key: String,
    value: String,
    is_secret: bool,
}

/// One job while lines are shared out.
struct PlanJob {
    place: String,
    /// Its name, its URL, and what is of it alone.
    own: Vec<String>,
    lines: Vec<PlanLine>,
    /// Its host as `[hosts]` names it, if that is known.
    host: Option<String>,
}

/// The plan of these requests.
pub(super) fn plan_of(mut reading: Reading, mut marks: Marks, from: &str) -> Result<Imported> {
    if reading.requests.len() > MAX_JOBS {
        return Err(Error::new(
            Kind::Config,
            format!("a plan has at most {MAX_JOBS} jobs: import fewer requests at once"),
        ));
    }
    reading.requests.iter_mut().for_each(|request| hide(request, &mut marks));
    let mut names = BTreeMap::new();
    let mut jobs: Vec<PlanJob> = reading.requests.iter().map(|request| plan_job(request, &marks, &mut names)).collect();
    let mut body = String::new();
    share_out(&mut jobs, &mut body);
    for job in &jobs {
        let _ = writeln!(body, "\n[[job]] # {}", job.place);
        job.own.iter().for_each(|line| body.push_str(&format!("{line}\n")));
        job.lines.iter().for_each(|line| body.push_str(&format!("{} = {}\n", line.key, line.value)));
    }
    let plan = format!("{}{}{body}", comment(&reading, &marks, from), variables(&body));
    if plan.len() as u64 > MAX_PLAN_BYTES {
        let text = format!("the plan would be longer than {} MiB: import fewer requests at once", MAX_PLAN_BYTES >> 20);
        return Err(Error::new(Kind::Config, text));
    }
    Ok(Imported { plan, secrets: marks.into_list(), notes: reading.notes, jobs: jobs.len() })
}

/// What stands above the plan.
fn comment(reading: &Reading, marks: &Marks, from: &str) -> String {
    let count = reading.requests.len();
    let from: String = from.chars().filter(|c| !c.is_control()).collect();
    let mut text = format!("# {count} {} from {from}.\n", if count == 1 { "request" } else { "requests" });
    // A line that ends within a comment would begin a table of the plan.
    let in_comment = |text: &str| text.replace(char::is_control, " ");
    let mut options: String =
        reading.options.iter().map(|option| format!(" {}", in_comment(&marks.shown(option)))).collect();
    if !marks.are_none() {
        options.push_str(" --secrets FILE");
        text.push_str("# Values of ${NAME} come from the secrets file or from the environment.\n");
    }
    let _ = writeln!(text, "# To see what it does: roundup check PLAN.toml; to run it: roundup run PLAN.toml{options}");
    for note in &reading.notes {
        let _ = writeln!(text, "# {}", in_comment(note));
    }
    text
}

/// The values that texts of the plan need to say what they say.
fn variables(body: &str) -> String {
    let named = [(OPEN_BRACE, "{"), (DOLLAR, "$")];
    let mut lines = named.iter().filter(|(name, _)| body.contains(&format!("{{{name}}}"))).peekable();
    let mut text = String::new();
    if lines.peek().is_some() {
        text.push_str("\n[variables]\n");
        lines.for_each(|(name, value)| text.push_str(&format!("{name} = \"{value}\"\n")));
    }
    text
}

fn plan_job(request: &ImportedRequest, marks: &Marks, names: &mut BTreeMap<String, usize>) -> PlanJob {
    let text = |text: &str| toml_string(&template(text, marks));
    let mut own = vec![format!("name = {}", toml_string(&name_of(request, marks, names)))];
    own.push(format!("url = {}", text(&request.url)));
    let usual = if request.content.is_some() { "POST" } else { "GET" };
    if let Some(method) = request.method.as_deref().filter(|method| *method != usual) {
        own.push(format!("method = {}", toml_string(method)));
    }
    if let Some(content) = &request.content {
        own.push(format!("data = {}", text(content)));
    }
    if let Some(output) = &request.output {
        own.push(format!("output = {}", text(output)));
    }
    let mut lines = Vec::new();
    for (key, value) in &request.settings {
        lines.push(PlanLine { key: (*key).to_owned(), value: value.clone(), is_secret: false });
    }
    if let Some(user) = &request.user {
        lines.push(PlanLine { key: "user".to_owned(), value: text(user), is_secret: true });
    }
    let mut seen = BTreeSet::new();
    for (name, _) in &request.headers {
        if !seen.insert(name.to_ascii_lowercase()) {
            continue;
        }
        let all: Vec<&Option<String>> = request
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect();
        let values: Vec<String> = all.iter().map(|value| value.as_deref().map_or("false".to_owned(), text)).collect();
        let value = if let [value] = &values[..] { value.clone() } else { format!("[{}]", values.join(", ")) };
        let is_secret = all.iter().any(|value| value.as_deref().is_some_and(|value| marks.are_in(value)));
        lines.push(PlanLine { key: format!("headers.{}", toml_key(name)), value, is_secret });
    }
    PlanJob { place: request.place.clone(), own, lines, host: host_of(&request.url, marks) }
}

/// The text with values as a plan writes them.
fn template(text: &str, marks: &Marks) -> String {
    let mut out = String::new();
    let parts = marks.parts(text);
    for (at, part) in parts.iter().enumerate() {
        match part {
            MarkedPart::Name(name) => out.push_str(&format!("${{{name}}}")),
            MarkedPart::Text(text) => match text.strip_suffix('$') {
                Some(text) if at + 1 < parts.len() => out.push_str(&format!("{}{{{DOLLAR}}}", literal(text))),
                _ => out.push_str(&literal(text)),
            },
        }
    }
    out
}

/// The host and the port, if there is one, of a URL whose host has no mark.
fn host_of(url: &str, marks: &Marks) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next().filter(|host| !host.is_empty() && !marks.are_in(host))?;
    crate::limits::HostKey::new(host).ok().map(|_| host.to_ascii_lowercase())
}

/// A name for a job: the last word of its path, or its host.
fn name_of(request: &ImportedRequest, marks: &Marks, names: &mut BTreeMap<String, usize>) -> String {
    let before = request.url.split('?').next().unwrap_or_default();
    let (_, rest) = before.split_once("://").unwrap_or(("", before));
    let is_word = |word: &str| !marks.are_in(word) && word.bytes().any(|b| b.is_ascii_alphanumeric());
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or_default();
    let word = path.rsplit('/').find(|word| is_word(word)).unwrap_or(if is_word(host) { host } else { "request" });
    let name: String =
        word.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(60).collect();
    let name = if name.is_empty() { "request".to_owned() } else { name };
    let count = names.entry(name.clone()).or_default();
    *count += 1;
    match *count {
        1 => name,
        _ => {
            // A number of its own may be part of another name.
            let numbered = (*count..).map(|number| format!("{name}-{number}")).find(|name| !names.contains_key(name));
            let numbered = numbered.unwrap_or(name);
            names.insert(numbered.clone(), 1);
            numbered
        }
    }
}

/// Writes what all jobs have in common into `[defaults]`, and what all of one host have into `[hosts]`. Secrets stand with
/// their hosts, so that jobs which are added later do not send them elsewhere.
fn share_out(jobs: &mut [PlanJob], out: &mut String) {
    let hosts: BTreeSet<String> = jobs.iter().filter_map(|job| job.host.clone()).collect();
    if hosts.len() > 1 || (jobs.len() > 1 && jobs.iter().any(|job| job.host.is_none())) {
        let shared = taken(jobs, |_| true, |line| !line.is_secret);
        write_table("[defaults]", &shared, out);
    }
    for host in &hosts {
        if jobs.iter().filter(|job| job.host.as_ref() == Some(host)).count() > 1 {
            let shared = taken(jobs, |job| job.host.as_ref() == Some(host), |_| true);
            write_table(&format!("[hosts.{}]", toml_string(host)), &shared, out);
        }
    }
}

/// Takes the lines that all of some jobs have away from them.
fn taken(jobs: &mut [PlanJob], is_one: impl Fn(&PlanJob) -> bool, may: impl Fn(&PlanLine) -> bool) -> Vec<PlanLine> {
    let mut all = jobs.iter().filter(|job| is_one(job));
    let Some(first) = all.next() else { return Vec::new() };
    let mut shared: Vec<PlanLine> = first.lines.iter().filter(|line| may(line)).cloned().collect();
    for job in all {
        shared.retain(|line| job.lines.contains(line));
    }
    jobs.iter_mut().filter(|job| is_one(job)).for_each(|job| job.lines.retain(|line| !shared.contains(line)));
    shared
}

fn write_table(head: &str, lines: &[PlanLine], out: &mut String) {
    if !lines.is_empty() {
        let _ = writeln!(out, "\n{head}");
        lines.iter().for_each(|line| out.push_str(&format!("{} = {}\n", line.key, line.value)));
    }
}
