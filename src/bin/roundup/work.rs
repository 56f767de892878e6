//! What there is to fetch: from URLs, a list or a plan, with the options of the command line put over it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use roundup::plan::{self, FileNames, Globs, Plan};
use roundup::units::{parse_count, parse_duration, parse_size};
use roundup::{Error, Failure, Field, Job, Limits, Method, Outcome, Phase, Redactor, Result, Settings, Timings};

use crate::credentials::Credentials;
use crate::failed::Failed;
use crate::input::{self, DASH};
use crate::options::Options;

/// Sources in input order: those that can be fetched, and those that cannot be and have failed already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    pub(crate) jobs: Vec<Job>,
    /// The place in the input of each job.
    pub(crate) places: Vec<usize>,
    /// What is wrong with the others.
    pub(crate) rejected: Vec<Outcome>,
    pub(crate) limits: Limits,
    pub(crate) deadline: Option<Duration>,
    pub(crate) redactor: Redactor,
}

impl Work {
    /// How many sources there are.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len() + self.rejected.len()
    }

    /// From a plan.
    pub(crate) fn from_plan(path: &str, options: &Options) -> Result<Work, Failed> {
        let secrets = options.one("secrets").map(|given| given.text);
        let mut plan = read_plan(path, secrets.as_deref())?;
        let over = Over::new(options)?;
        plan.change_settings(|settings| over.apply(settings));
        let mut work =
            Work { limits: plan.limits, deadline: plan.deadline, redactor: plan.redactor, ..Work::default() };
        work.places = (0..plan.jobs.len()).collect();
        work.jobs = plan.jobs;
        work.authorize(options)?;
        work.limit(options)?;
        Ok(work)
    }

    /// From URLs on the command line and in a list. A URL that cannot be fetched is a source that has failed; it costs no
    /// other source its result.
    pub(crate) fn from_urls(urls: &[String], options: &Options) -> Result<Work, Failed> {
        let list = options.one("input").map(|given| given.text);
        let globs = if options.on("globoff")? { Globs::Keep } else { Globs::Expand };
        let (given, count) = given(urls, list.as_deref(), globs)?;
        let mut settings = Settings::default();
        Over::new(options)?.apply(&mut settings);
        let settings = Arc::new(settings);
        let mut names = Names(HashMap::with_capacity(count));
        let mut work = Work { jobs: Vec::with_capacity(count), places: Vec::with_capacity(count), ..Work::default() };
        let mut wrong = Vec::new();
        for (place, (name, url, error)) in given.into_iter().flat_map(Given::into_sources).enumerate() {
            match error.map_or_else(|| Job::new(&url, settings.clone()), Err) {
                Ok(job) => {
                    let name = names.take(name.as_deref().unwrap_or(job.name()).into());
                    work.places.push(place);
                    work.jobs.push(job.named(name));
                }
                Err(error) => {
                    let shown = roundup::without_password(&url);
                    let name = names.take(name.as_deref().unwrap_or(&shown).into());
                    wrong.push(error.one_line());
                    work.rejected.push(rejected(place, name, shown.into(), &error.in_phase(Phase::Queue)));
                }
            }
        }
        // With nothing to fetch, or with one failure to end it, there is no run to be had.
        if work.jobs.is_empty() || (!wrong.is_empty() && options.on("fail-fast")?) {
            let more = wrong.len().saturating_sub(MOST_LINES);
            wrong.truncate(MOST_LINES);
            if more > 0 {
                wrong.push(format!("and {more} more that cannot be fetched"));
            }
            return Err(Failed { exit: crate::exit::Exit::Usage, lines: wrong });
        }
        work.authorize(options)?;
        work.limit(options)?;
        Ok(work)
    }

    /// From names and URLs of our own.
    #[cfg(feature = "demo")]
    pub(crate) fn from_named(sources: Vec<(String, String)>, options: &Options) -> Result<Work, Failed> {
        let mut settings = Settings::default();
        Over::new(options)?.apply(&mut settings);
        let settings = Arc::new(settings);
        let mut work = Work { places: (0..sources.len()).collect(), ..Work::default() };
        for (name, url) in sources {
            work.jobs.push(Job::new(&url, settings.clone())?.named(name));
        }
        work.authorize(options)?;
        work.limit(options)?;
        Ok(work)
    }

    /// The plan it is, to be explained.
    pub(crate) fn into_plan(self) -> Plan {
        Plan { jobs: self.jobs, limits: self.limits, deadline: self.deadline, redactor: self.redactor }
    }

    /// Gives every job that has no file of its own one in this folder, and moves those that have one there.
    pub(crate) fn save_to(&mut self, folder: &Path) {
        let mut names = FileNames::new();
        for output in self.jobs.iter().filter_map(Job::output) {
            names.reserve(&output.to_string_lossy());
        }
        for job in std::mem::take(&mut self.jobs) {
            let file = match job.output() {
                Some(output) => folder.join(output),
                None => folder.join(names.name_for(job.name())),
            };
            self.jobs.push(job.saved_to(file));
        }
    }

    fn authorize(&mut self, options: &Options) -> Result<()> {
        let hidden = Credentials::new(options)?.apply(&mut self.jobs);
        if !hidden.is_empty() {
            self.redactor = self.redactor.and(&hidden);
        }
        Ok(())
    }

    fn limit(&mut self, options: &Options) -> Result<()> {
        let count = |text: &str| parse_count(text, 1, plan::MAX_JOBS as u64);
        let whole = |n: u64| u32::try_from(n).ok().and_then(std::num::NonZeroU32::new);
        if let Some(concurrency) = options.parsed("concurrency", count)?.and_then(whole) {
            self.limits.concurrency = concurrency;
        }
        if let Some(per_host) = options.parsed("per-host", count)? {
            self.limits.per_host = whole(per_host);
            // A limit from the command line goes over those of the plan's hosts too.
            self.limits.hosts.values_mut().for_each(|host| host.per_host = None);
        }
        if let Some(rate) = options.parsed("rate", str::parse)? {
            self.limits.rate = Some(rate);
        }
        if let Some(deadline) = options.parsed("deadline", positive)? {
            self.deadline = Some(deadline);
        }
        Ok(())
    }
}

/// Reads a plan, with values of `${NAME}` from the secrets file or else from the environment.
pub(crate) fn read_plan(path: &str, secrets: Option<&str>) -> Result<Plan, Failed> {
    let unreadable = |error: Error| Failed { exit: crate::exit::Exit::Plan, lines: vec![error.one_line()] };
    let text = input::text(path, "the plan").map_err(unreadable)?;
    let secrets = match secrets {
        Some(file) => {
            let text = input::text(file, "the secrets file").map_err(unreadable)?;
            plan::parse_secrets(input::shown(file), &text).map_err(|errors| Failed::plan(&errors))?
        }
        None => Default::default(),
    };
    let variables = |name: &str| secrets.get(name).cloned().or_else(|| std::env::var(name).ok());
    plan::parse(input::shown(path), &text, &variables).map_err(|errors| Failed::plan(&errors))
}

/// URLs as they were given.
enum Given {
    /// Those of a pattern.
    Pattern(plan::ExpandedUrls),
    /// One that is wrong as a pattern.
    Wrong(String, Error),
    /// Those of a list.
    List(Vec<plan::Listed>),
}

/// A URL, its name if it has one, and what is wrong with it as a pattern.
type Source = (Option<String>, String, Option<Error>);

impl Given {
    fn len(&self) -> usize {
        match self {
            Given::Pattern(urls) => urls.len(),
            Given::Wrong(..) => 1,
            Given::List(list) => list.len(),
        }
    }

    fn into_sources(self) -> Box<dyn Iterator<Item = Source>> {
        match self {
            Given::Pattern(urls) => Box::new(urls.map(|url| (None, url, None))),
            Given::Wrong(url, error) => Box::new(iter::once((None, url, Some(error)))),
            Given::List(list) => Box::new(list.into_iter().map(|listed| (listed.name, listed.url, None))),
        }
    }
}

/// The URLs of the command line and of a list, and how many there are.
fn given(urls: &[String], list: Option<&str>, globs: Globs) -> Result<(Vec<Given>, usize), Failed> {
    let mut all = Vec::new();
    let mut count = 0;
    let mut add = |given: Given| {
        count += given.len();
        all.push(given);
        if count > plan::MAX_JOBS {
            return Err(Failed::usage(format!("{count} URLs are too many: at most {}", plan::MAX_JOBS)));
        }
        Ok(())
    };
    for url in urls {
        add(match plan::expand_url(url, globs) {
            _ if url == DASH => read_list(DASH)?,
            Ok(urls) => Given::Pattern(urls),
            Err(error) => Given::Wrong(url.clone(), error),
        })?;
    }
    if let Some(list) = list {
        add(read_list(list)?)?;
    }
    if count == 0 {
        return Err(Failed::usage("no URL is given: write roundup get URL..., or --input FILE for a list"));
    }
    Ok((all, count))
}

fn read_list(list: &str) -> Result<Given, Failed> {
    let text = input::text(list, "the list")?;
    plan::parse_list(input::shown(list), &text)
        .map(Given::List)
        .map_err(|errors| Failed { exit: crate::exit::Exit::Usage, ..Failed::plan(&errors) })
}

/// How many lines on stderr name URLs that cannot be fetched where there is no report to do so.
const MOST_LINES: usize = 20;

fn rejected(index: usize, name: Arc<str>, url: Arc<str>, error: &Error) -> Outcome {
    Outcome {
        index,
        name,
        url,
        final_url: None,
        status: None,
        attempts: Vec::new(),
        timings: Timings::default(),
        content_type: None,
        body_bytes: None,
        body: None,
        body_file: None,
        body_truncated: false,
        data: None,
        error: Some(Failure::from(error)),
    }
}

/// Tells sources of one name apart: the second is called `name#2`.
struct Names(HashMap<Arc<str>, u32>);

impl Names {
    /// The name, or the one to take in its place where somebody has it.
    fn take(&mut self, name: Arc<str>) -> Arc<str> {
        let mut next = name.clone();
        loop {
            match self.0.entry(next.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(1);
                    return next;
                }
                Entry::Occupied(_) => {
                    let seen = self.0.entry(name.clone()).or_insert(0);
                    *seen += 1;
                    next = format!("{name}#{seen}").into();
                }
            }
        }
    }
}

/// What the command line and the environment say over the settings of every job.
#[derive(Default)]
struct Over {
    changes: Vec<Change>,
}

type Change = Box<dyn Fn(&mut Settings)>;

impl Over {
    fn new(options: &Options) -> Result<Over> {
        let mut over = Over::default();
        over.set(options.parsed("timeout", positive)?, |settings, value| settings.timeout = value);
        over.set(options.parsed("connect-timeout", positive)?, |settings, value| settings.connect_timeout = value);
        over.set(options.parsed("retries", up_to_100)?, |settings, value| settings.retries = value);
        over.set(options.parsed("retry-after-max", parse_duration)?, |settings, value| {
            settings.retry_after_max = value
        });
        over.set(options.parsed("follow", up_to_100)?, |settings, value| settings.follow = value);
        over.set(options.parsed("max-body", parse_size)?, |settings, value| settings.max_body = Some(value));
        over.set(options.parsed("accept", str::parse)?, |settings, value: roundup::StatusSet| settings.accept = value);
        if options.one("retry-unsafe").is_some() {
            over.set(Some(options.on("retry-unsafe")?), |settings, value| settings.retry_unsafe = value);
        }
        if options.one("raw").is_some() {
            over.set(Some(options.on("raw")?), |settings, value| settings.raw = value);
        }
        let data = options.parsed("data", read_data)?;
        if data.is_some() {
            over.set(data, |settings, value: Arc<[u8]>| {
                settings.data = Some(value);
                if settings.method == Method::GET {
                    settings.method = Method::POST;
                }
            });
        }
        over.set(options.parsed("method", str::parse)?, |settings, value| settings.method = value);
        let mut fields: Vec<Field> = Vec::new();
        for given in options.all("header") {
            fields.push(given.parse(str::parse)?);
        }
        over.set(Some(fields), |settings, fields: Vec<Field>| {
            // Those of one name that are given together all stay; those of the plan give way.
            settings.headers.retain(|old| !fields.iter().any(|new| new.name().eq_ignore_ascii_case(old.name())));
            settings.headers.extend(fields);
        });
        Ok(over)
    }

    fn set<T: Clone + 'static>(&mut self, value: Option<T>, change: impl Fn(&mut Settings, T) + 'static) {
        if let Some(value) = value {
            self.changes.push(Box::new(move |settings| change(settings, value.clone())));
        }
    }

    fn apply(&self, settings: &mut Settings) {
        self.changes.iter().for_each(|change| change(settings));
    }
}

fn positive(text: &str) -> Result<Duration> {
    let duration = parse_duration(text)?;
    if duration.is_zero() {
        return Err(Error::new(roundup::Kind::Config, "a time limit of 0 lets nothing through: write 30s"));
    }
    Ok(duration)
}

fn up_to_100(text: &str) -> Result<u32> {
    parse_count(text, 0, 100).map(|n| n as u32)
}

fn read_data(text: &str) -> Result<Arc<[u8]>> {
    match text.strip_prefix('@') {
        Some(file) => input::bytes(file, "the content").map(Arc::from),
        None => Ok(text.as_bytes().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_whatever_was_there_before() {
        let mut names = Names(HashMap::new());
        let given = ["a", "a#2", "a", "a", "a#2", "b"];
        assert_eq!(given.map(|name| names.take(name.into()).to_string()), ["a", "a#2", "a#3", "a#4", "a#2#2", "b"]);
    }
}
