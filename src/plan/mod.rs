//! A plan in TOML as people write it, made into jobs that can be run.
//!
//! Nothing here reads a file, the environment or a clock: the caller hands in texts. Every error names file, line and
//! key, and all errors of a file are found at once.
//!
//! # Tables
//! `[limits]` has `concurrency`, `per_host`, `rate` and `deadline`. `[defaults]` has any key of a job but `name`, `url`
//! and `each`. `[hosts."api.example.com"]`, or with a port `[hosts."api.example.com:8443"]`, has `per_host`, `rate` and
//! the same keys as `[defaults]`; where both forms fit, the one with the port counts alone. `[[job]]` has `name`, `url`,
//! `each` and the keys of [`Settings`]: `method`, `headers`, `data` or `json`, `timeout`, `connect_timeout`, `retries`,
//! `retry_unsafe`, `retry_after_max`, `follow`, `max_body`, `accept`, `raw`, `output`, `select` and `expect` with
//! `status`, `json` and `max_ms`. A job goes over its host, the host over the defaults, these over what is built in;
//! headers are joined by name, `expect` by its keys, everything else is replaced.
//!
//! Content makes the request a POST unless `method` says otherwise, as curl does. `data` is sent as it stands; `json` is
//! TOML sent as JSON, with `Content-Type: application/json` unless a header says otherwise.
//!
//! # Variables and each
//! `${NAME}` in any string value is replaced by what the caller's function gives; `$${` stands for `${`. Such values are
//! taken for secrets: the [`Redactor`] hides them, no error shows them, and names and written URLs keep `${NAME}`. In a
//! URL the value is put in as it is, so that it may be a whole `${BASE}`; control characters in it are refused.
//!
//! `each = { city = ["berlin", "oslo"], n = [1, 2] }` makes a job for every combination, the last variable changing
//! fastest. `{city}` stands for the value in `url` (percent-encoded as one component), `headers`, `data`, `json`,
//! `expect.json`, `output` and `name`; a JSON string that is `{n}` and nothing else takes the value with its type. Only
//! braces around a variable's name mean anything, and only in jobs with `each`; `{{city}}` stands for `{city}`. In a URL
//! of such a job any other `{word}` is an error. Jobs are named `weather[berlin,1]`, unless the name holds a `{city}`
//! itself; without a `name` it is the URL as written.

mod body;
mod diagnostic;
mod explain;
mod file_name;
mod glob;
mod jobs;
mod json_job;
mod layer;
mod list;
mod reader;
mod template;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use self::diagnostic::Log;
use self::jobs::{Base, Builder};
use self::layer::Layer;
use self::reader::{Entry, Place, Reader, entries};
use crate::job::{Job, Settings};
use crate::limits::{HostKey, HostLimits, Limits};
use crate::redact::Redactor;

pub use self::diagnostic::{Diagnostic, Errors, MAX_DIAGNOSTICS};
pub use self::file_name::{FileNames, MAX_FILE_NAME, file_name};
pub use self::glob::{ExpandedUrls, Globs, expand_url};
pub use self::json_job::parse_json_job;
pub use self::list::{Listed, parse_list, parse_secrets};

/// The largest plan, list or secrets file in bytes. Callers stop reading there; [`parse`] refuses more.
pub const MAX_PLAN_BYTES: u64 = 16 << 20;

/// The most jobs that a plan, a list or a URL pattern may give: 100,000. The fuzzer finds every way to give that many, and
/// would do nothing else.
pub const MAX_JOBS: usize = if cfg!(fuzzing) { 200 } else { 100_000 };

/// The most bytes that the URLs, headers and contents of all jobs may take together with all values in place:
/// 64 MiB, and less for the fuzzer.
pub const MAX_EXPANDED_BYTES: u64 = if cfg!(fuzzing) { 256 << 10 } else { 64 << 20 };

/// What gives the value of a `${NAME}`, from the environment or a secrets file; `None` where there is no such name.
pub type Variables<'v> = dyn Fn(&str) -> Option<String> + 'v;

/// A plan that can be run: at least one job, all values in place.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The jobs in the order of the file; names are unique.
    pub jobs: Vec<Job>,
    /// `[limits]` and the limits of `[hosts]`.
    pub limits: Limits,
    /// The longest time the whole run may take; none by default.
    pub deadline: Option<Duration>,
    /// Hides the values of all variables the plan uses.
    pub redactor: Redactor,
}

impl Plan {
    /// Changes the settings of all jobs, as options of a command line do. Jobs that shared settings still share them:
    /// `change` is called once for each distinct one.
    pub fn change_settings(&mut self, mut change: impl FnMut(&mut Settings)) {
        // The old settings live on in the map, so that no address is used twice.
        let mut changed: BTreeMap<*const Settings, (Arc<Settings>, Arc<Settings>)> = BTreeMap::new();
        for job in std::mem::take(&mut self.jobs) {
            let old = job.settings().clone();
            let (_, new) = changed.entry(Arc::as_ptr(&old)).or_insert_with(|| {
                let mut new = Settings::clone(&old);
                change(&mut new);
                (old, Arc::new(new))
            });
            let new = new.clone();
            self.jobs.push(job.with_settings(new));
        }
    }
}

/// Reads a plan. `file_name` is only for errors.
///
/// ```
/// let text = "[[job]]\nurl = \"https://${HOST}/v1?city={city}\"\neach = { city = [\"oslo\"] }";
/// let plan = roundup::plan::parse("plan.toml", text, &|name| (name == "HOST").then(|| "a.example".into()))?;
/// assert_eq!(plan.jobs[0].url().as_str(), "https://a.example/v1?city=oslo");
/// assert_eq!(plan.jobs[0].written_url(), "https://${HOST}/v1?city=oslo");
///
/// let errors = roundup::plan::parse("plan.toml", "[[job]]\nurl = \"http://a/\"\ntimout = \"5s\"", &|_| None);
/// assert_eq!(
///     errors.unwrap_err().to_string(),
///     "plan.toml:3: job[1]: unknown key \"timout\": did you mean \"timeout\"?"
/// );
/// # Ok::<(), roundup::plan::Errors>(())
/// ```
///
/// # Errors
/// Everything that is wrong with the plan; of a file that is no TOML, what is wrong with its syntax.
pub fn parse(file_name: &str, text: &str, variables: &Variables<'_>) -> Result<Plan, Errors> {
    let mut log = Log::new(file_name, text);
    if text.len() as u64 > MAX_PLAN_BYTES {
        log.whole(format!("a plan is at most {} MiB", MAX_PLAN_BYTES >> 20));
    }
    let mut plan = Plan { jobs: Vec::new(), limits: Limits::default(), deadline: None, redactor: Redactor::default() };
    if !log.is_empty() {
        return log.finish(plan);
    }
    let root = match DeTable::parse(text) {
        Ok(root) => root.into_inner(),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            log.syntax(text, at, error.message());
            return log.finish(plan);
        }
    };
    let mut reader = Reader::new(log, variables);
    plan.jobs = read(&mut reader, &root, &mut plan.limits, &mut plan.deadline);
    plan.redactor = reader.redactor();
    reader.log.finish(plan)
}

fn read(reader: &mut Reader<'_>, root: &DeTable<'_>, limits: &mut Limits, deadline: &mut Option<Duration>) -> Vec<Job> {
    let mut base = Base::over(&Settings::default());
    let top = entries(&Place { at: 0, path: String::new() }, root);
    let mut tables = None;
    for entry in &top {
        match entry.key {
            "defaults" => read_defaults(reader, entry, &mut base.defaults),
            "limits" => read_limits(reader, entry, limits, deadline),
            "hosts" => read_hosts(reader, entry, limits, &mut base.hosts),
            "job" => tables = Some(entry),
            _ => reader.unknown(entry, &["defaults", "limits", "hosts", "job"]),
        }
    }
    let mut builder = Builder::new(&base);
    match tables.map(|entry| (entry, entry.value)) {
        None => reader.log.whole("the plan has no [[job]]"),
        Some((_, DeValue::Array(array))) if !array.is_empty() => {
            for (i, item) in array.iter().enumerate() {
                let place = Place { at: item.span().start, path: format!("job[{}]", i + 1) };
                match item.get_ref() {
                    DeValue::Table(table) => builder.add(reader, &place, table),
                    other => reader.wrong_type(&place, "a table", other),
                }
            }
        }
        Some((entry, DeValue::Array(_))) => reader.error(&entry.place, "the plan has no [[job]]"),
        Some((entry, DeValue::Table(_))) => {
            reader.error(&entry.place, "expected an array of tables, found a table: write [[job]] in two brackets");
        }
        Some((entry, other)) => reader.wrong_type(&entry.place, "an array of tables, [[job]]", other),
    }
    builder.finish()
}

fn read_defaults(reader: &mut Reader<'_>, entry: &Entry<'_>, defaults: &mut Layer) {
    for entry in reader.table(&entry.place, entry.value).unwrap_or_default() {
        if !defaults.read(reader, &entry) {
            if ["name", "url", "each"].contains(&entry.key) {
                reader.error(&entry.place, format!("\"{}\" is a job's own and has no default", entry.key));
            } else {
                reader.unknown(&entry, &layer::KEYS);
            }
        }
    }
}

fn read_limits(reader: &mut Reader<'_>, entry: &Entry<'_>, limits: &mut Limits, deadline: &mut Option<Duration>) {
    for entry in reader.table(&entry.place, entry.value).unwrap_or_default() {
        let (place, value) = (&entry.place, entry.value);
        match entry.key {
            "concurrency" => limits.concurrency = at_once(reader, place, value).unwrap_or(limits.concurrency),
            "per_host" => limits.per_host = at_once(reader, place, value),
            "rate" => limits.rate = reader.parsed(place, value, ("a rate", "20/s"), str::parse),
            "deadline" => *deadline = reader.span(place, value),
            _ => reader.unknown(&entry, &["concurrency", "per_host", "rate", "deadline"]),
        }
    }
}

fn read_hosts(reader: &mut Reader<'_>, entry: &Entry<'_>, limits: &mut Limits, hosts: &mut BTreeMap<String, Layer>) {
    for entry in reader.table(&entry.place, entry.value).unwrap_or_default() {
        let key = match HostKey::new(entry.key) {
            Ok(key) => key,
            Err(error) => {
                reader.error(&entry.place, error.one_line());
                continue;
            }
        };
        let (mut layer, mut host) = (Layer::default(), HostLimits::default());
        for entry in reader.table(&entry.place, entry.value).unwrap_or_default() {
            match entry.key {
                "per_host" => host.per_host = at_once(reader, &entry.place, entry.value),
                "rate" => host.rate = reader.parsed(&entry.place, entry.value, ("a rate", "20/s"), str::parse),
                _ => {
                    if !layer.read(reader, &entry) {
                        let mut known = vec!["per_host", "rate"];
                        known.extend(layer::KEYS);
                        reader.unknown(&entry, &known);
                    }
                }
            }
        }
        if limits.hosts.insert(key.clone(), host).is_some() {
            reader.error(&entry.place, format!("the host {} is there twice", key.as_str()));
        }
        hosts.insert(key.as_str().to_owned(), layer);
    }
}

/// How many at once; more than there can be jobs is a mistake.
fn at_once(reader: &mut Reader<'_>, place: &Place, value: &DeValue<'_>) -> Option<NonZeroU32> {
    reader.count(place, value, 1, MAX_JOBS as u32).and_then(NonZeroU32::new)
}
