//! The jobs of a run: from URLs, a list or a plan, with what flags and environment say put over them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roundup::graph::JobGraph;
#[cfg(feature = "watch")]
use roundup::plan::WatchTable;
use roundup::plan::{self, FileNames, Plan, StateTable};
use roundup::tables::ReportSpec;
use roundup::{Error, Failure, Job, JobDigest, KeptRuns, Limits, Outcome, Phase, Redactor, Settings, Shard, ShardRun};

use super::config::Config;
use super::console::complain;
use super::error::CommandError;
use super::exit::Exit;
use super::flags;
use super::input;
use super::sources::UrlSources;

/// Sources in input order: jobs, and those that have failed already because they cannot be fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobSet {
    /// Each knows its place in the input.
    pub(crate) jobs: Vec<Job>,
    /// What follows from what, if jobs need others; the jobs are then those that need nothing.
    pub(crate) graph: Option<JobGraph>,
    /// The other sources, whose outcomes are there before the run starts: at the end those that cannot be fetched.
    pub(crate) known: Vec<Outcome>,
    /// How many cannot be fetched.
    pub(crate) rejected: usize,
    pub(crate) limits: Limits,
    pub(crate) deadline: Option<Duration>,
    /// What is shown of the run.
    pub(crate) report: ReportSpec,
    pub(crate) redactor: Redactor,
    /// The name of the plan, as states know it.
    #[cfg_attr(not(feature = "state"), allow(dead_code, reason = "only a state asks for it"))]
    pub(crate) plan: String,
    /// Whether the command is one whose runs can be kept.
    pub(crate) may_be_kept: bool,
    /// Where the plan wants its runs to be kept.
    pub(crate) state_file: Option<PathBuf>,
    /// What the plan wants of the past to be kept.
    pub(crate) kept: (Option<KeptRuns>, Option<u64>),
    /// Which part of its plan it is, if it is not all of it.
    pub(crate) shard: Option<ShardRun>,
    /// Outcomes in place of sources that are not asked in this run, by their names.
    #[cfg(feature = "watch")]
    pub(crate) not_asked: Vec<Outcome>,
    /// Whether and how the plan wants to be run again and again.
    #[cfg(feature = "watch")]
    pub(crate) watch: Option<WatchTable>,
}

impl JobSet {
    /// Reads a plan.
    pub(crate) fn from_plan(path: &str, config: &Config) -> Result<JobSet, CommandError> {
        if config.query.is_some() {
            return Err(CommandError::usage("--get has no effect on a plan: write the query in its URLs"));
        }
        Ok(JobSet::of_plan(path, read_plan(path, config, None)?, config))
    }

    /// Reads a plan that is not run: values of `${NAME}` that are not there are no mistake, because names and URLs are shown
    /// without them.
    #[cfg(feature = "merge")]
    pub(crate) fn from_plan_without_secrets(path: &str, config: &Config) -> Result<JobSet, CommandError> {
        // A value that may begin a URL, and stand in its path, in a field and in a content.
        Ok(JobSet::of_plan(path, read_plan(path, config, Some("http://x"))?, config))
    }

    /// Takes the jobs of a plan that was read from there.
    pub(crate) fn of_plan(path: &str, mut plan: Plan, config: &Config) -> JobSet {
        plan.change_settings(|settings| *settings = config.over(settings));
        if !config.output.quiet {
            warn(&plan.warnings);
        }
        let Plan { jobs, graph, limits, deadline, report, redactor, state, .. } = plan;
        let places = jobs.into_iter().enumerate();
        let jobs = places.map(|(index, job)| if job.index().is_some() { job } else { job.at(index) }).collect();
        let folder = Path::new(path).parent().filter(|_| path != input::DASH).unwrap_or(Path::new(""));
        let kept = (state.keep, state.size);
        let state_file = state.file.map(|file| folder.join(file));
        let name = Path::new(path).file_name().map_or(path.into(), OsStr::to_string_lossy).into_owned();
        let set = JobSet {
            jobs,
            graph,
            limits,
            deadline,
            report,
            redactor,
            plan: name,
            state_file,
            kept,
            #[cfg(feature = "watch")]
            watch: plan.watch,
            ..JobSet::default()
        };
        set.configured(config)
    }

    /// Reads URLs of the command line and of lists. One that cannot be fetched is a source that has failed, and costs no
    /// other source its result.
    pub(crate) fn from_urls(urls: &[String], config: &Config) -> Result<JobSet, CommandError> {
        let sources = UrlSources::read(urls, config)?;
        let settings = Arc::new(config.settings.over(&Settings::default()));
        let mut names = UniqueNames(HashMap::with_capacity(sources.len()));
        let mut set = JobSet { jobs: Vec::with_capacity(sources.len()), plan: "get".to_owned(), ..JobSet::default() };
        let mut wrong = Vec::new();
        for (index, mut source) in sources.into_iter().enumerate() {
            let name = source.name.take();
            source.complete(config.query.as_deref());
            match source.error.take().map_or_else(|| Job::new(&source.url, settings.clone()), Err) {
                Ok(job) => {
                    let name = names.take(name.as_deref().unwrap_or(job.name()).into());
                    set.jobs.push(job.named(name).at(index));
                }
                Err(error) => {
                    let shown = source.shown();
                    let name = names.take(name.as_deref().unwrap_or(&shown).into());
                    wrong.push(error.one_line());
                    set.known.push(rejected(index, name, shown.into(), &error.in_phase(Phase::Queue)));
                }
            }
        }
        set.rejected = set.known.len();
        // Without a job, or if the first failure ends the run, there is nothing to run.
        if set.jobs.is_empty() || (!wrong.is_empty() && config.fail_fast) {
            return Err(CommandError { exit: Exit::Usage, lines: shortened(wrong) });
        }
        Ok(set.configured(config))
    }

    /// Gives the jobs their credentials, and the run its limits.
    fn configured(mut self, config: &Config) -> JobSet {
        config.credentials.apply(&mut self.jobs);
        if let Some(graph) = &mut self.graph {
            let (patch, given) = (config.settings.clone(), config.connections);
            let credentials = config.credentials.clone();
            graph.change_jobs(move |job| {
                let mut jobs = vec![job.with(|settings| *settings = given.over(patch.over(settings)))];
                credentials.apply(&mut jobs);
                // There is one for each.
                jobs.remove(0)
            });
        }
        let sent = Redactor::for_jobs(&self.jobs).and(&Redactor::new(config.transport.secrets()));
        self.redactor = self.redactor.and(&sent);
        config.limits.over(&mut self.limits);
        self.deadline = config.limits.deadline.or(self.deadline);
        self
    }

    /// The plan that these jobs are, to be explained.
    pub(crate) fn into_plan(self) -> Plan {
        let JobSet { jobs, graph, limits, deadline, report, redactor, state_file, kept, .. } = self;
        Plan {
            jobs,
            graph,
            limits,
            deadline,
            report,
            redactor,
            #[cfg(feature = "watch")]
            watch: self.watch,
            state: StateTable { file: state_file, keep: kept.0, size: kept.1 },
            ..Plan::default()
        }
    }

    /// Leaves out the jobs of other shards, unless those of this one may need them. Says if none is left.
    pub(crate) fn keep_shard(&mut self, shard: Shard, config: &Config) {
        self.shard = Some(ShardRun { shard, plan: Some(self.plan_digest()) });
        // A shard of a plan goes on with its own runs.
        self.plan = format!("{} {shard}", self.plan);
        let may_run = match &mut self.graph {
            Some(graph) => graph.keep_shard(shard, &mut self.jobs),
            None => {
                self.jobs.retain(|job| shard.holds(job.name()));
                !self.jobs.is_empty()
            }
        };
        self.known.retain(|outcome| shard.holds(&outcome.name));
        self.rejected = self.known.len();
        if !may_run && self.known.is_empty() && !config.output.quiet {
            complain(&format!("shard {shard} has no job: all are in others"));
        }
    }

    /// What tells these jobs from those of other plans: their names and URLs.
    pub(crate) fn plan_digest(&self) -> JobDigest {
        let late: Vec<(&str, Option<String>)> = self.graph.iter().flat_map(JobGraph::late_jobs).collect();
        // Jobs are in their order, and so are those that cannot be fetched.
        let jobs = self.jobs.iter().flat_map(|job| [job.name(), job.written_url()]);
        let known = self.known.iter().flat_map(|outcome| [&*outcome.name, &*outcome.url]);
        let late = late.iter().flat_map(|(name, does)| [*name, does.as_deref().unwrap_or_default()]);
        roundup::plan_digest(jobs.chain(known).chain(late))
    }

    /// Leaves out the sources that are not to be asked.
    #[cfg(feature = "watch")]
    pub(crate) fn leave_out(&mut self) {
        let not_asked = std::mem::take(&mut self.not_asked);
        if not_asked.is_empty() {
            return;
        }
        if let Some(graph) = &mut self.graph {
            graph.leave_out(not_asked);
            return;
        }
        let mut by_name: HashMap<Arc<str>, Outcome> = not_asked.into_iter().map(|it| (it.name.clone(), it)).collect();
        let known = &mut self.known;
        self.jobs.retain(|job| match by_name.remove(job.name()) {
            Some(outcome) => {
                known.push(Outcome { index: job.index().unwrap_or_default(), place: None, ..outcome });
                false
            }
            None => true,
        });
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
        if let Some(graph) = &mut self.graph {
            let (names, folder) = (Mutex::new(names), folder.to_owned());
            graph.change_jobs(move |job| {
                let file = match job.output() {
                    Some(output) => folder.join(output),
                    None => folder.join(names.lock().unwrap_or_else(PoisonError::into_inner).name_for(job.name())),
                };
                job.saved_to(file)
            });
        }
    }

    /// Saves the content of the one source to this file. A file that is none, such as /dev/null, stays what it is, and the
    /// content is dropped.
    pub(crate) fn save_only_to(&mut self, file: &Path) -> Result<(), CommandError> {
        if self.len() != 1 {
            let text = format!("--output takes one URL and {} are given: write --output-dir DIR", self.len());
            return Err(CommandError::usage(text));
        }
        let metadata = std::fs::metadata(file);
        if metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
            let file = file.display();
            return Err(CommandError::usage(format!("--output: {file} is a folder: write --output-dir {file}")));
        }
        if metadata.is_err() || metadata.is_ok_and(|metadata| metadata.is_file()) {
            self.jobs = std::mem::take(&mut self.jobs).into_iter().map(|job| job.saved_to(file.to_owned())).collect();
        }
        Ok(())
    }

    /// Whether responses of a source are to be kept.
    pub(crate) fn keeps_responses(&self, config: &Config) -> bool {
        let roundup::SettingsPatch { cache, stale_if_error, .. } = &config.settings;
        let of_graph = self.graph.as_ref().is_some_and(JobGraph::keeps_responses);
        *cache == Some(true)
            || stale_if_error.is_some()
            || of_graph
            || self.jobs.iter().any(|job| job.settings().keeps_responses())
    }

    /// How many sources there are.
    pub(crate) fn len(&self) -> usize {
        self.graph.as_ref().map_or(self.jobs.len() + self.known.len(), JobGraph::places)
    }
}

/// Reads a plan, with values of `${NAME}` from the secrets file or else from the environment, and values of `{name}` from
/// the command line. `unknown` is the value of secrets that are in neither.
fn read_plan(path: &str, config: &Config, unknown: Option<&str>) -> Result<Plan, CommandError> {
    let unreadable = |error: Error| CommandError { exit: Exit::Plan, lines: vec![error.one_line()] };
    let text = input::text(path, "the plan").map_err(|error| match flags::unreadable_plan(path) {
        Some(line) => CommandError { exit: Exit::Plan, lines: vec![line] },
        None => unreadable(error),
    })?;
    let secrets = match &config.secrets {
        Some(file) => {
            let text = input::text(file, "the secrets file").map_err(unreadable)?;
            plan::parse_secrets(input::shown(file), &text).map_err(|errors| CommandError::plan(&errors))?
        }
        None => Default::default(),
    };
    let environment = |name: &str| std::env::var(name).ok();
    let lookup = |name: &str| secrets.get(name).cloned().or_else(|| environment(name)).or(unknown.map(str::to_owned));
    // Relative to the plan's folder, as a plan and its files move together.
    let folder = Path::new(path).parent().filter(|_| path != input::DASH).unwrap_or(Path::new("")).to_owned();
    let files = |name: &str| {
        let path = if name == input::DASH { name.into() } else { folder.join(name) };
        input::text(&path.to_string_lossy(), "the file of \"each\"").map_err(|error| error.one_line())
    };
    let mut reader = plan::PlanReader::new().secrets(&lookup).environment(&environment).files(&files).folder(&folder);
    for (name, value) in &config.variables {
        reader = reader.variable(name, value)?;
    }
    reader.read(input::shown(path), &text).map_err(|errors| CommandError::plan(&errors))
}

/// Says what is probably not meant.
fn warn(warnings: &[plan::Diagnostic]) {
    warnings.iter().take(MOST_WARNINGS).for_each(|warning| complain(&format!("warning: {warning}")));
    if let more @ 1.. = warnings.len().saturating_sub(MOST_WARNINGS) {
        complain(&format!("warning: and {more} more like these"));
    }
}

/// The most warnings of one plan.
const MOST_WARNINGS: usize = 10;

/// The most lines on stderr for URLs that cannot be fetched, if there is no report to name them.
const MOST_LINES: usize = 20;

/// The first lines, and how many more there are.
fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if more > 0 {
        lines.push(format!("and {more} more that cannot be fetched"));
    }
    lines
}

/// The outcome of a source that cannot be fetched.
fn rejected(index: usize, name: Arc<str>, url: Arc<str>, error: &Error) -> Outcome {
    Outcome { index, name, url, error: Some(Failure::from(error)), ..Outcome::default() }
}

/// Tells sources of one name apart: the second is called `name#2`.
struct UniqueNames(HashMap<Arc<str>, u32>);

impl UniqueNames {
    /// The name, or the next one that is free.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_whatever_was_there_before() {
        let mut names = UniqueNames(HashMap::new());
        let given = ["a", "a#2", "a", "a", "a#2", "b"];
        assert_eq!(given.map(|name| names.take(name.into()).to_string()), ["a", "a#2", "a#3", "a#4", "a#2#2", "b"]);
    }
}
