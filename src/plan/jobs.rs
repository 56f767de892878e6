//! `[[job]]` tables into jobs: names, values, and the layers of settings.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::auth_keys::Logins;
use super::bounds::MAX_JOBS;
use super::each::EachName;
use super::file_name::check_relative;
use super::glob::{Globs, expand_url};
use super::hosts::{FittingTables, HostTables};
use super::job_table::JobTable;
use super::layer::Layer;
use super::node_reader::{NodeReader, Place};
use super::row_jobs::RowJobs;
use super::template::{Piece, Row, Show};
use super::url_template;
use crate::job::Job;
use crate::limits::HostKey;
use crate::origin::{Origin, parse_url};
use crate::planned_job::PlannedJob;
use crate::settings::Settings;

/// What stands below all jobs.
pub(super) struct Base {
    pub(super) defaults: Layer,
    pub(super) hosts: HostTables,
    pub(super) logins: Logins,
    settings: Settings,
}

impl Base {
    /// Nothing but these settings.
    pub(super) fn over(settings: &Settings) -> Base {
        let (defaults, hosts, logins) = Default::default();
        Base { defaults, hosts, logins, settings: settings.clone() }
    }
}

/// Turns tables into jobs, one after the other.
pub(super) struct JobBuilder<'b> {
    base: &'b Base,
    jobs: Vec<Job>,
    /// Each name, and the byte where it was given.
    names: HashMap<Arc<str>, usize>,
    /// Each file that is saved to, in lower case, and the byte where it was named, or its job if that was elsewhere.
    files: HashMap<String, usize>,
    /// The settings of tables that say nothing themselves, by host.
    plain: HashMap<FittingTables<'b>, Arc<Settings>>,
    /// The tables of hosts that jobs go to.
    used: BTreeSet<&'b HostKey>,
    /// How many jobs are made later.
    late: usize,
    /// Whether the host of one of them is not known yet.
    late_host: bool,
    /// Whether it was noted that there are too many jobs.
    too_many: bool,
}

/// What the jobs of one table share while they are made.
struct TableJobs<'b> {
    /// The names in `each`.
    names: Vec<String>,
    /// By host.
    prepared: HashMap<FittingTables<'b>, Prepared>,
}

impl TableJobs<'_> {
    /// What makes the jobs behind the first one, if they differ from it in the path, query or fragment of the URL alone.
    fn planned(&self, job: &Arc<JobTable>, brackets: bool, first: &Job) -> Option<(Arc<RowJobs>, Arc<Settings>)> {
        let prepared = self.prepared.values().next()?;
        let settings = prepared.shared.clone()?;
        let is_bare = prepared.layer.query.is_empty() && prepared.layer.output.is_none();
        let rows = RowJobs::of(job, brackets, first.url()).filter(|_| is_bare)?;
        Some((Arc::new(rows), settings))
    }
}

/// The names of jobs and the files that are taken, and the byte where each was given.
#[derive(Default)]
pub(super) struct TakenNames {
    pub(super) names: HashMap<Arc<str>, usize>,
    pub(super) files: HashMap<String, usize>,
}

/// The layers of one job table for one host.
struct Prepared {
    layer: Layer,
    /// Whether the settings differ from one combination of values to the next.
    varies: bool,
    /// The settings, if they do not vary.
    shared: Option<Arc<Settings>>,
}

impl<'b> JobBuilder<'b> {
    pub(super) fn new(base: &'b Base) -> JobBuilder<'b> {
        JobBuilder {
            base,
            jobs: Vec::new(),
            names: HashMap::new(),
            files: HashMap::new(),
            plain: HashMap::new(),
            used: BTreeSet::new(),
            late: 0,
            late_host: false,
            too_many: false,
        }
    }

    pub(super) fn finish(self) -> (Vec<Job>, TakenNames) {
        (self.jobs, TakenNames { names: self.names, files: self.files })
    }

    /// Notes what is said of hosts that no job names, unless one may name any.
    pub(super) fn warn_of_unused_hosts(&self, reader: &mut NodeReader<'_>) {
        if !self.late_host {
            let logins = self.base.logins.token_origins();
            let asked = logins.iter().flat_map(|origin| self.base.hosts.fitting(origin));
            let used = self.used.iter().copied().chain(asked).collect();
            self.base.hosts.warn_of_unused(reader, &used);
        }
    }

    /// Notes the host of a job that is made later, if it stands in its URL as it is.
    fn use_late_host(&mut self, job: &JobTable) {
        let text = job.url.1.fill(&[], Show::Names);
        let end = text.find("://").and_then(|at| text[at + 3..].find(['/', '?', '#']).map(|end| at + 3 + end));
        let beginning = &text[..end.unwrap_or(text.len())];
        let origin = parse_url(beginning).and_then(|url| Origin::of(&url)).ok();
        match origin.filter(|_| !beginning.contains(['{', '}'])) {
            Some(origin) => self.used.extend(self.base.hosts.fitting(&origin)),
            None => self.late_host = true,
        }
    }

    /// Goes on with the names that others have taken.
    pub(super) fn with_taken(self, taken: TakenNames) -> JobBuilder<'b> {
        JobBuilder { names: taken.names, files: taken.files, ..self }
    }

    /// Adds the jobs of one table; what is wrong is noted. How many it adds.
    pub(super) fn add(&mut self, reader: &mut NodeReader<'_>, job: &Arc<JobTable>) -> usize {
        let before = self.jobs.len();
        warn_of_patterns(reader, job);
        let names = job.own_names();
        let Some(count) = self.count(reader, job, &names) else { return 0 };
        let brackets = job.has_brackets();
        let mut set = TableJobs { names, prepared: HashMap::new() };
        let mut planned: Option<(Arc<RowJobs>, Arc<Settings>)> = None;
        for number in 0..count {
            let row = job.each.combination(number);
            let added = match &planned {
                Some((rows, settings)) if RowJobs::can_make(rows, &row) => {
                    let planned = PlannedJob::new(Arc::clone(rows) as _, number as u32, Arc::clone(settings));
                    self.plan_one(reader, job, &row, brackets, planned)
                }
                _ => self.add_one(reader, job, &row, brackets, &mut set),
            };
            if added.is_none() {
                // The next values would fail in the same way; one line says it.
                return 0;
            }
            if number == 0 && count > 1 {
                planned = self.jobs.last().and_then(|first| set.planned(job, brackets, first));
            }
        }
        for each in job.each.names() {
            let name = each.name.as_str();
            let is_used = job.url.1.mentions(name) || set.prepared.values().any(|prepared| prepared.layer.uses(name));
            if !is_used && !each.is_column {
                unused(reader, each);
            }
        }
        self.jobs.len() - before
    }

    /// Adds a job that is made when it starts. Its name is taken now, because no two jobs have one.
    fn plan_one(
        &mut self,
        reader: &mut NodeReader<'_>,
        job: &JobTable,
        row: &Row<'_>,
        brackets: bool,
        planned: PlannedJob,
    ) -> Option<()> {
        if !job.charge_url(reader, row) {
            return None;
        }
        let shown = match &job.name {
            Some(_) => String::new(),
            None => {
                let filled = url_template::fill(&job.url.1, row);
                filled.map_err(|message| reader.error(&job.url.0, message)).ok()?.shown
            }
        };
        self.take_job_name(reader, job, job.fill_name(&shown, row, brackets))?;
        self.jobs.push(Job::planned(planned));
        Some(())
    }

    /// How many jobs a table makes, if all names in it have a value and there are not too many; what is wrong is noted.
    pub(super) fn count(&mut self, reader: &mut NodeReader<'_>, job: &JobTable, names: &[String]) -> Option<usize> {
        let mut complete = reader.check_names(&job.url.0, &job.url.1, names);
        if let Some((place, name)) = &job.name {
            complete &= reader.check_names(place, name, names);
        }
        let count = job.each.combinations();
        if count.and_then(|count| count.checked_add(self.jobs.len() + self.late)).is_none_or(|total| total > MAX_JOBS) {
            if !std::mem::replace(&mut self.too_many, true) {
                reader.error(&job.place, format!("a plan has at most {MAX_JOBS} jobs, each value counted"));
            }
            return None;
        }
        count.filter(|_| complete)
    }

    /// Checks a table whose jobs are made later: all names must have a value then. How many jobs it makes.
    pub(super) fn add_late(&mut self, reader: &mut NodeReader<'_>, job: &JobTable, names: &[String]) -> Option<usize> {
        let count = self.count(reader, job, names)?;
        let layer = job.layer.over(&self.base.defaults);
        if !layer.check_names(reader, names) {
            return None;
        }
        for each in job.each.names() {
            if !each.is_column && !job.url.1.mentions(&each.name) && !layer.uses(&each.name) {
                unused(reader, each);
            }
        }
        warn_of_patterns(reader, job);
        self.use_late_host(job);
        warn_of_shared_file(reader, job, &layer);
        self.late += count;
        Some(count)
    }

    /// The one job of a table with these values. Names and files that are taken get a number, or fail.
    pub(super) fn make_one(
        &mut self,
        reader: &mut NodeReader<'_>,
        job: &JobTable,
        row: &Row<'_>,
        brackets: bool,
    ) -> Option<Job> {
        let names = row.iter().map(|(name, _)| (*name).to_owned()).collect();
        self.add_one(reader, job, row, brackets, &mut TableJobs { names, prepared: HashMap::new() })?;
        self.jobs.pop()
    }

    /// Adds a job of a URL alone; what is wrong is noted.
    pub(super) fn add_url(&mut self, reader: &mut NodeReader<'_>, url: &str) {
        let mut set = TableJobs { names: Vec::new(), prepared: HashMap::new() };
        // What is wrong is in the log.
        let _ = self.add_one(reader, &JobTable::of_url(url), &[], false, &mut set);
    }

    fn add_one(
        &mut self,
        reader: &mut NodeReader<'_>,
        job: &JobTable,
        row: &Row<'_>,
        brackets: bool,
        set: &mut TableJobs<'b>,
    ) -> Option<()> {
        let (mut url, origin, mut filled) = job.fill_url(reader, row)?;
        let host = self.base.hosts.fitting(&origin);
        self.used.extend(&host);
        let settings = self.settings(reader, job, &host, row, set)?;
        let query = set.prepared.get(&host).map_or(&[][..], |prepared| &prepared.layer.query);
        if !reader.charge(&job.url.0, query.iter().map(|param| param.max_len(row)).sum()) {
            return None;
        }
        filled.add_query(&mut url, query, row);
        let name = self.take_job_name(reader, job, job.fill_name(&filled.shown, row, brackets))?;
        let mut made = Job::of(url, filled.shown.trim(), settings).named(name);
        if let Some((place, output)) = set.prepared.get(&host).and_then(|prepared| prepared.layer.output.as_ref()) {
            if !reader.charge(place, output.max_len(row, 1)) {
                return None;
            }
            let file = output.fill(row, Show::Values);
            let place = match job.layer.output {
                Some(_) => place.clone(),
                None => job.place.child("output", job.place.at),
            };
            self.take_file(reader, &place, &file, &output.fill(row, Show::Names))?;
            made = made.saved_to(file);
        }
        self.jobs.push(made.with_values(row.iter().map(|(name, value)| (*name, value.cell())).collect()));
        Some(())
    }

    /// The settings of one job: those of another one, if they are the same.
    fn settings(
        &mut self,
        reader: &mut NodeReader<'_>,
        job: &JobTable,
        host: &FittingTables<'b>,
        row: &Row<'_>,
        set: &mut TableJobs<'b>,
    ) -> Option<Arc<Settings>> {
        let base = self.base;
        let names = &set.names;
        let ready = set.prepared.entry(host.clone()).or_insert_with(|| {
            let mut layer = job.layer.over(&base.hosts.over(host, &base.defaults));
            layer.log_in(&base.logins);
            let varies = names.iter().any(|name| layer.mentions(name));
            Prepared { layer, varies, shared: None }
        });
        if let Some(shared) = &ready.shared {
            return Some(shared.clone());
        }
        if !ready.layer.check_names(reader, names) {
            return None;
        }
        let is_plain = job.layer.is_empty() && !ready.varies;
        if let Some(plain) = self.plain.get(host).filter(|_| is_plain) {
            ready.shared = Some(plain.clone());
            return ready.shared.clone();
        }
        let settings = Arc::new(ready.layer.settings(reader, &base.settings, row)?);
        // With `select`, the content type may say that each line is a row.
        if settings.expect.rows.is_some() && !settings.makes_rows() && settings.select.is_empty() {
            let text = "expects rows and makes none: add rows = \"/items\", or a format of rows such as \"csv\"";
            reader.error(&job.place, text);
            return None;
        }
        if !ready.varies {
            ready.shared = Some(settings.clone());
        }
        if is_plain {
            self.plain.insert(host.clone(), settings.clone());
        }
        Some(settings)
    }

    fn take_job_name(&mut self, reader: &mut NodeReader<'_>, job: &JobTable, name: String) -> Option<Arc<str>> {
        if !reader.charge(&job.url.0, name.len() as u64) {
            return None;
        }
        let place = job.name.as_ref().map_or(&job.place, |(place, _)| place);
        let hint = match &job.name {
            _ if job.each.is_file() => "name the rows by a column without equal values, key = \"id\" in each",
            Some(_) => "give each job its own",
            None => "give each job a \"name\"",
        };
        if name.trim().is_empty() || name.contains(char::is_control) {
            reader.error(place, "a name must not be empty or contain control characters");
            return None;
        }
        let name: Arc<str> = name.into();
        if let Some(before) = self.names.insert(name.clone(), place.at) {
            let line = reader.log.line(before);
            reader.error(place, format!("the name \"{name}\" is taken by the job of line {line}: {hint}"));
            return None;
        }
        Some(name)
    }

    fn take_file(&mut self, reader: &mut NodeReader<'_>, place: &Place, file: &str, written: &str) -> Option<()> {
        if let Err(reason) = check_relative(file) {
            reader.error(place, format!("\"{written}\" {reason}"));
            return None;
        }
        if let Some(before) = self.files.insert(file.to_lowercase(), place.at) {
            let line = reader.log.line(before);
            reader.error(
                place,
                format!("\"{written}\" is written by another job too, see line {line}: give each its own file"),
            );
            return None;
        }
        Some(())
    }
}

/// Notes what `roundup get` takes for a pattern, and a plan for a part of the URL.
fn warn_of_patterns(reader: &mut NodeReader<'_>, job: &JobTable) {
    let (place, url) = &job.url;
    let text = url.fill(&[], Show::Names);
    if expand_url(&text, Globs::Expand).is_ok_and(|urls| urls.len() > 1) {
        let hint = "write each = { n = { from = 1, to = 3 } } and {n} in the URL for several";
        reader.warn(place, format!("brackets and lists in braces are no patterns in a plan: {hint}"));
    }
}

/// Notes that all jobs of the rows of another would be saved to one file.
fn warn_of_shared_file(reader: &mut NodeReader<'_>, job: &JobTable, layer: &Layer) {
    let (Some((_, source)), Some((place, output))) = (&job.keys.for_each, &layer.output) else { return };
    let is_of_row =
        |piece: &Piece| matches!(piece, Piece::Value { name, .. } if name.starts_with(&format!("{source}.")));
    if !output.pieces().iter().any(is_of_row) {
        let text = format!(
            "all jobs of the rows of \"{source}\" would be saved to one file: write a field such as {{{source}.id}} into its name"
        );
        reader.warn(place, text);
    }
}

/// Notes that values of `each` stand nowhere.
fn unused(reader: &mut NodeReader<'_>, each: &EachName) {
    let text = format!("\"{0}\" is used nowhere: write {{{0}}} in the url, a header or the content", each.name);
    reader.error(&each.place, text);
}
