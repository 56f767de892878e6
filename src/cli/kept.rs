//! Runs that are kept: what is taken from an earlier one, and outcomes that are in the file before they are shown or reported.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use roundup::event_loop::{EventLoop, unblock};
use roundup::report::SettledHost;
use roundup::rows::Rows;
use roundup::state::{NewRun, OpenRun, Recorded, Repeat, Resumed, ResumedFrom, RunEnd, State, record};
use roundup::tables::ReportSpec;
use roundup::{Fetcher, KeptRuns, Kind, Origin, Outcome, Result, parse_url};

use super::config::{Config, Repeated};
use super::console::complain;
use super::error::CommandError;
use super::exit::Exit;
use super::jobs::JobSet;
use super::running::{EventGroup, RunningJobs, RunningPages};

/// A run that is to be kept.
#[derive(Debug)]
pub(crate) struct KeptRun {
    retention: Retention,
    /// None if the file cannot be written: the run goes on, and its exit code says so.
    run: Option<OpenRun>,
}

/// What of the past is kept when the run has ended.
#[derive(Clone, Debug)]
pub(crate) struct Retention {
    file: PathBuf,
    plan: String,
    keep: Option<KeptRuns>,
    size: Option<u64>,
}

/// Outcomes of a run as they come.
pub(crate) enum OutcomeStream {
    /// Of a run that is not kept.
    Plain(RunningPages),
    /// Of one that should be and cannot.
    Unkept(RunningPages),
    /// Committed already.
    Kept(Recorded, Retention),
}

impl KeptRun {
    /// Opens the file, if the run is to be kept in one. Jobs of which an earlier run has the outcome are no jobs any more.
    ///
    /// # Errors
    /// The file is not ours to write, or another process goes on with the run that is asked for.
    pub(crate) fn open(jobs: &mut JobSet, config: &Config) -> Result<Option<KeptRun>, CommandError> {
        if !jobs.may_be_kept {
            return Ok(None);
        }
        let Some(file) = config.state.file.clone().or_else(|| jobs.state_file.clone()) else {
            let needs = match config.state.repeat {
                Some(Repeated::Missing) => NO_FILE.replace("{}", "--resume"),
                Some(Repeated::Failed) => NO_FILE.replace("{}", "--only-failed"),
                None if jobs.keeps_responses(config) => NO_CACHE.to_owned(),
                None => match config.state.of_file {
                    Some(typed) => NO_FILE.replace("{}", typed),
                    None => return Ok(None),
                },
            };
            return Err(CommandError::usage(needs));
        };
        let mut opened = KeptRun::open_file(&file, jobs, config);
        if opened.as_ref().is_err_and(State::is_damage) {
            // It was come upon after the file was opened.
            opened = State::set_aside(&file).and_then(|aside| {
                say_set_aside(&file, &aside);
                KeptRun::open_file(&file, jobs, config)
            });
        }
        let (keep, size) = (config.state.keep.or(jobs.kept.0), config.state.size.or(jobs.kept.1));
        let retention = Retention { file, plan: jobs.plan.clone(), keep, size };
        match opened {
            Ok(run) => Ok(Some(KeptRun { retention, run: Some(run) })),
            Err(error) if error.kind() == Kind::Config => Err(CommandError::state(&error)),
            Err(error) => {
                complain(&format!("{}: this run is not kept", error.one_line()));
                Ok(Some(KeptRun { retention, run: None }))
            }
        }
    }

    fn open_file(file: &Path, jobs: &mut JobSet, config: &Config) -> Result<OpenRun> {
        let opened = State::open(file)?;
        if let Some(aside) = &opened.set_aside {
            say_set_aside(file, aside);
        }
        KeptRun::begin(opened.state, jobs, config)
    }

    /// The rows of the runs before, if the report has a query that may ask for them. Those that cannot be read are none, and
    /// a line says so.
    pub(crate) fn last_rows(&self, report: &ReportSpec) -> Vec<Rows> {
        let Some(run) = self.run.as_ref().filter(|_| report.asks_for_last()) else { return Vec::new() };
        run.last_rows().unwrap_or_else(|error| {
            complain(&format!("{}: there is nothing to compare with", error.one_line()));
            Vec::new()
        })
    }

    /// How many requests at once hosts were found to take by earlier runs.
    pub(crate) fn found(&self) -> Vec<(Origin, NonZeroU32)> {
        let hosts = self.run.as_ref().map(OpenRun::found_hosts).unwrap_or(Ok(Vec::new())).unwrap_or_else(|error| {
            complain(&format!("{}: hosts are found out about anew", error.one_line()));
            Vec::new()
        });
        let known = |(host, at_once): (String, u32)| {
            Some((Origin::of(&parse_url(&format!("{host}/")).ok()?).ok()?, NonZeroU32::new(at_once)?))
        };
        hosts.into_iter().filter_map(known).collect()
    }

    /// The fetcher, which asks the file about responses that are kept.
    pub(crate) fn cached(&self, fetcher: Fetcher, user_agent: &str) -> Fetcher {
        let Some(run) = &self.run else { return fetcher };
        match run.cache(user_agent) {
            Ok(cache) => fetcher.cache(cache),
            Err(error) => {
                complain(&format!("{}: no response is taken from it", error.one_line()));
                fetcher
            }
        }
    }

    fn begin(state: State, jobs: &mut JobSet, config: &Config) -> Result<OpenRun> {
        let contents = config.output.keeps_bodies();
        let run = NewRun::with_redactor(&jobs.plan, &jobs.jobs, &jobs.redactor).sources(jobs.len()).contents(contents);
        let mut run = match config.state.repeat {
            None => state.begin(run)?,
            Some(repeated) => {
                let repeat = match repeated {
                    Repeated::Missing => Repeat::Missing,
                    Repeated::Failed => Repeat::Failed,
                };
                let file = state.path().display().to_string();
                let Resumed { run, kept, others, mut from } = state.resume(run, &jobs.jobs, repeat, contents)?;
                let (kept_of_others, is_graph) = (others.len(), jobs.graph.is_some());
                if let Some(graph) = &mut jobs.graph {
                    // Which of them the jobs lead to again is found on the way.
                    from.iter_mut().for_each(|from| from.gone.clear());
                    graph.know(others);
                }
                if !config.output.quiet {
                    match from {
                        Some(from) if is_graph => say_of_graph(&file, &from, kept.len() + kept_of_others),
                        Some(from) => say(&file, &from, kept.len(), jobs.jobs.len()),
                        None => complain(&format!("{file} has no run to go on with: run {} begins", run.id())),
                    }
                }
                take(jobs, kept);
                run
            }
        };
        // What cannot be fetched has its outcome already.
        let first = jobs.known.len() - jobs.rejected;
        run.commit(&mut jobs.known[first..])?;
        Ok(run)
    }
}

fn say_set_aside(file: &Path, aside: &Path) {
    let (file, aside) = (file.display(), aside.display());
    complain(&format!("{file} was damaged: it is {aside} now, and a new one is begun"));
}

const NO_CACHE: &str = "cache and stale_if_error need the file that responses are kept in: write --state FILE, or \
    [state] file = \"...\" in the plan";

const NO_FILE: &str = "{} needs the file that runs are kept in: write --state FILE";

/// Takes the outcomes of an earlier part of the run for those of their jobs.
fn take(jobs: &mut JobSet, mut kept: Vec<Outcome>) {
    if let Some(graph) = &jobs.graph {
        // What others need of a job is not kept, because it may be secret: such a job runs again.
        kept.retain(|outcome| !graph.is_needed(outcome.index));
    }
    let places: HashSet<usize> = kept.iter().map(|outcome| outcome.index).collect();
    jobs.jobs.retain(|job| job.index().is_none_or(|index| !places.contains(&index)));
    kept.append(&mut jobs.known);
    jobs.known = kept;
}

/// Says which run goes on, and what of it is fetched again.
fn say(file: &str, from: &ResumedFrom, kept: usize, jobs: usize) {
    let ResumedFrom { id, started, .. } = from;
    complain(&format!("run {id} of {started} in {file} goes on: {kept} sources are kept, {} are fetched", jobs - kept));
    say_why(from);
}

/// The same for jobs that lead to others: how many are fetched is not known.
fn say_of_graph(file: &str, from: &ResumedFrom, kept: usize) {
    let ResumedFrom { id, started, .. } = from;
    complain(&format!(
        "run {id} of {started} in {file} goes on: {kept} sources are kept, and those that others need are fetched again"
    ));
    say_why(from);
}

fn say_why(from: &ResumedFrom) {
    let ResumedFrom { changed, incomplete, gone, .. } = from;
    for (names, what) in [
        (named(changed), "changed since, and fetched again"),
        (named(incomplete), "kept without what is needed now, and fetched again"),
        (named(gone), "not in the plan any more"),
    ] {
        if let Some(names) = names {
            complain(&format!("{what}: {names}"));
        }
    }
}

/// The first names, and how many more there are.
fn named(names: &[impl AsRef<str>]) -> Option<String> {
    const MOST: usize = 5;
    let first: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(MOST);
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(first.join(", ")),
        (false, more) => Some(format!("{} and {more} more", first.join(", "))),
    }
}

impl OutcomeStream {
    /// With rows `by_pages`, if that is asked for. Those of a run that is kept come with their outcomes, which are in the file
    /// before anything is said of them.
    pub(crate) fn new(
        event_loop: &EventLoop,
        kept: Option<KeptRun>,
        outcomes: RunningJobs,
        by_pages: Option<bool>,
    ) -> OutcomeStream {
        match kept {
            None => OutcomeStream::Plain(outcomes.by_pages(by_pages)),
            Some(KeptRun { run: None, .. }) => OutcomeStream::Unkept(outcomes.by_pages(by_pages)),
            Some(KeptRun { run: Some(run), retention }) => {
                OutcomeStream::Kept(record(event_loop, run, outcomes), retention)
            }
        }
    }

    /// The next outcomes, which are in the file if they can be. Those that are not kept wait this long for others, and may
    /// have rows of a page behind them.
    pub(crate) async fn next_group(&mut self, wait: Duration) -> EventGroup {
        match self {
            OutcomeStream::Plain(outcomes) | OutcomeStream::Unkept(outcomes) => outcomes.next_group(wait).await,
            OutcomeStream::Kept(outcomes, _) => EventGroup { outcomes: outcomes.next_group().await, page: None },
        }
    }

    /// Notes how the run ended, when its reports are written. Returns what that means for the exit code.
    pub(crate) async fn end(self, is_whole: bool, elapsed: Duration, hosts: Vec<SettledHost>) -> Exit {
        let (recorded, retention) = match self {
            OutcomeStream::Plain(_) => return Exit::Success,
            OutcomeStream::Unkept(_) => return Exit::Report,
            OutcomeStream::Kept(recorded, retention) => (recorded, retention),
        };
        let end = if is_whole { RunEnd::Done } else { RunEnd::CutShort };
        let Retention { file, plan, keep, size } = retention;
        let (complaint, error) = match recorded.end(end, elapsed).await {
            Ok(mut state) => match unblock(move || {
                let hosts: Vec<_> = hosts.into_iter().map(|host| (host.host.into(), host.at_once)).collect();
                state.note_hosts(&hosts).and_then(|()| state.prune(&plan, keep, size))
            })
            .await
            {
                Ok(_) => return Exit::Success,
                Err(error) => (error.one_line(), error),
            },
            Err(error) => (format!("{}: not all of this run is kept", error.one_line()), error),
        };
        complain(&complaint);
        if State::is_damage(&error) {
            match unblock(move || State::set_aside(&file)).await {
                Ok(aside) => complain(&format!("it is {} now, and the next run begins a new one", aside.display())),
                Err(error) => complain(&error.one_line()),
            }
        }
        Exit::Report
    }
}
