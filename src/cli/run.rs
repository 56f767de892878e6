//! One run, from opening its reports to the last byte of them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use roundup::event_loop::EventLoop;
use roundup::fetcher::{LimitState, Stopper};
use roundup::report::{Cutoff, Destination, OpenReport, Output, RunInfo, SettledHost};
use roundup::transport::PoolLimits;
use roundup::{Error, Fetcher, Kind, Outcome, Result, Summary, remove_leftovers, whole_ms};
use tempfile::NamedTempFile;

use super::config::{Config, OutputConfig, ProgressStyle};
use super::console::{LogPrinter, ProgressView, SourceList, check_stdout, complain};
use super::descriptors::{DescriptorNeeds, DescriptorShare};
use super::error::CommandError;
use super::exit::Exit;
use super::interrupts::{Interrupts, TIME_FOR_CONTENTS};
use super::jobs::JobSet;
use super::kept::{KeptRun, OutcomeStream};
use super::report_tables::ReportTables;
use super::running::RunningJobs;
use super::shared_files;
use super::writer::Writer;

/// A run whose reports are open and that has not sent a request yet.
#[derive(Debug)]
pub(crate) struct PreparedRun {
    fetcher: Fetcher,
    writer: Writer,
    jobs: JobSet,
    kept: Option<KeptRun>,
    /// What limits know of the past.
    limit_state: LimitState,
    quiet: bool,
    verbose: u8,
    progress: ProgressStyle,
    /// Whether an interrupted run leaves the files that are there as they are.
    #[cfg(feature = "watch")]
    keeps_whole: bool,
}

/// Sees each outcome as it comes, before it is written.
pub(crate) trait OutcomeObserver {
    async fn note(&mut self, outcome: Outcome) -> Outcome;

    /// Whether outcomes must have their rows.
    fn needs_rows(&self) -> bool {
        true
    }
}

impl OutcomeObserver for () {
    async fn note(&mut self, outcome: Outcome) -> Outcome {
        outcome
    }

    fn needs_rows(&self) -> bool {
        false
    }
}

/// How a run ended.
#[derive(Debug)]
#[cfg_attr(not(feature = "watch"), allow(dead_code, reason = "only rounds ask for all of it"))]
pub(crate) struct RunResult {
    pub(crate) exit: Exit,
    pub(crate) summary: Summary,
    pub(crate) started: SystemTime,
    pub(crate) elapsed: Duration,
    /// Whether all went to stdout, whose reader has closed it.
    pub(crate) has_no_reader: bool,
    /// All of them, in input order.
    pub(crate) outcomes: Vec<Outcome>,
}

/// How many descriptors a state takes: the file, those beside it, and the lock of the run.
const STATE_FILES: usize = 4;

/// The event loop of a run. It knows its tasks by name, and with `--verbose` reports those that hold it.
pub(crate) fn event_loop(config: &Config) -> EventLoop {
    let builder = EventLoop::builder();
    if config.output.verbose > 0 { builder.build() } else { builder.slow_poll(Duration::MAX).build() }
}

impl PreparedRun {
    /// Opens all that is to be written; `default_report` if nothing was asked for. A place that cannot be written is found
    /// here, before any request is sent.
    pub(crate) fn new(
        mut jobs: JobSet,
        config: &Config,
        default_report: Option<Output>,
    ) -> Result<PreparedRun, CommandError> {
        if let Some(folder) = &config.output.folder {
            jobs.save_to(folder);
        }
        if let Some(shard) = config.shard.filter(|_| jobs.may_be_kept) {
            jobs.keep_shard(shard, config);
        }
        #[cfg(feature = "watch")]
        jobs.leave_out();
        let mut reports = config.output.reports.clone();
        if config.output.is_default() {
            reports.extend(default_report);
        }
        if config.output.body || reports.iter().any(|report| report.destination == Destination::Stdout) {
            check_stdout()?;
        }
        let state = config.state.file.as_deref().or(jobs.state_file.as_deref()).filter(|_| jobs.may_be_kept);
        shared_files::check(&reports, state, &jobs, &config.output)?;
        let files = reports.iter().filter(|report| report.destination != Destination::Stdout).count();
        let files = if state.is_some() { files + STATE_FILES } else { files };
        let fetcher = fetcher(&mut jobs, config, files)?;
        if let Some(folder) = &config.output.folder {
            make_folder(folder).map_err(|error| CommandError::report(&error))?;
        }
        remove_leftovers_of(&jobs);
        let (mut reports, tables) = ReportTables::open(&reports, &jobs.report, &config.output, SystemTime::now())?;
        for kept in reports.iter().filter_map(OpenReport::kept) {
            complain(&format!("an earlier run was killed as it wrote its report, which is kept in {kept:?}"));
        }
        if let Some(shard) = &jobs.shard {
            reports
                .iter_mut()
                .try_for_each(|report| report.shard(shard))
                .map_err(|error| CommandError::report(&error))?;
        }
        let kept = KeptRun::open(&mut jobs, config)?;
        // What jobs that others led to are known by when the run is gone on with.
        let fetcher = fetcher.digests(kept.is_some() && jobs.graph.is_some());
        let fetcher = fetcher.keep_fields(kept.is_some() || config.output.keeps_fields());
        let fetcher = match &kept {
            Some(kept) => kept.cached(fetcher, &config.user_agent),
            None => fetcher,
        };
        let limit_state = LimitState::default();
        if let Some(kept) = kept.as_ref().filter(|_| jobs.limits.adaptive) {
            limit_state.add_found(kept.found());
        }
        let last = kept.as_ref().map(|kept| kept.last_rows(&jobs.report)).unwrap_or_default();
        let writer = Writer::new(reports, tables.with_last(last), &mut jobs, &config.output);
        Ok(PreparedRun { kept, limit_state, ..PreparedRun::with(config, fetcher, writer, jobs) })
    }

    /// A run that is only timed: it writes no report. Contents are saved, as the time for that counts.
    pub(crate) fn timed(mut jobs: JobSet, config: &Config) -> Result<PreparedRun, CommandError> {
        if let Some(folder) = &config.output.folder {
            jobs.save_to(folder);
        }
        shared_files::check(&[], None, &jobs, &config.output)?;
        let fetcher = fetcher(&mut jobs, config, 0)?;
        let writer = Writer::silent(&mut jobs, &config.output);
        Ok(PreparedRun::with(config, fetcher, writer, jobs))
    }

    fn with(config: &Config, fetcher: Fetcher, writer: Writer, jobs: JobSet) -> PreparedRun {
        let OutputConfig { quiet, verbose, progress, .. } = config.output;
        PreparedRun {
            fetcher,
            writer,
            jobs,
            kept: None,
            limit_state: LimitState::default(),
            quiet,
            verbose,
            progress,
            #[cfg(feature = "watch")]
            keeps_whole: false,
        }
    }

    /// Lets others fetch the jobs: the fetcher becomes what this makes of it.
    #[cfg(feature = "fleet")]
    pub(crate) fn fetched_by(mut self, change: impl FnOnce(Fetcher) -> Fetcher) -> PreparedRun {
        self.fetcher = change(self.fetcher);
        self
    }

    /// Goes on where earlier runs have left their limits.
    #[cfg(feature = "watch")]
    pub(crate) fn after(mut self, limit_state: &LimitState) -> PreparedRun {
        limit_state.add_found(self.limit_state.found());
        self.limit_state = limit_state.clone();
        self
    }

    /// Leaves the totals to the caller.
    pub(crate) fn without_totals(mut self) -> PreparedRun {
        self.writer = self.writer.without_totals();
        self
    }

    /// If the run is interrupted, files keep the whole report that is in them.
    #[cfg(feature = "watch")]
    pub(crate) fn keep_whole_reports(self) -> PreparedRun {
        PreparedRun { keeps_whole: true, ..self }
    }

    /// How many sources are fetched at once, at most.
    pub(crate) fn concurrency(&self) -> u32 {
        self.jobs.limits.concurrency.get()
    }

    /// Fetches all sources and writes what was asked for.
    pub(crate) async fn execute(self, event_loop: &EventLoop, interrupts: &Interrupts) -> RunResult {
        self.execute_seen_by(&mut (), event_loop, interrupts).await
    }

    /// The same, with each outcome shown to this observer.
    pub(crate) async fn execute_seen_by(
        self,
        observer: &mut impl OutcomeObserver,
        event_loop: &EventLoop,
        interrupts: &Interrupts,
    ) -> RunResult {
        let started = SystemTime::now();
        let clock = Instant::now();
        let JobSet { jobs, graph, redactor, deadline, shard, limits, .. } = self.jobs;
        let fetcher = self.fetcher.limit_state(self.limit_state.clone());
        let outcomes = RunningJobs::start(jobs, graph, &fetcher, event_loop, &redactor);
        let stopper = outcomes.stopper();
        let by_pages = self.writer.by_pages().filter(|_| !observer.needs_rows());
        let mut outcomes = OutcomeStream::new(event_loop, self.kept, outcomes, by_pages);
        let cutoff = Cutoff::default();
        if let Some(end) = deadline.and_then(|deadline| clock.checked_add(deadline.saturating_add(TIME_FOR_CONTENTS))) {
            cutoff.set(end);
        }
        interrupts.stop(&stopper, &cutoff);
        let sources = SourceList { stopper: stopper.clone(), redactor: redactor.clone(), tasks: self.verbose > 1 };
        let half = deadline.filter(|_| !self.quiet);
        let _half = half.map(|deadline| sources.clone().watch_deadline(event_loop, deadline));
        let _asked = sources.listen(event_loop);
        let progress = match self.progress {
            ProgressStyle::Live => Some(ProgressView::live(event_loop, stopper.clone(), redactor.clone())),
            ProgressStyle::Plain => Some(ProgressView::plain(event_loop, stopper.clone(), redactor.clone())),
            ProgressStyle::None => None,
        };
        let log = (self.verbose > 0).then(|| LogPrinter::start(event_loop, redactor.clone()));
        let writer = self.writer.until(&cutoff).begin().await;
        let mut writer = write_all(&mut outcomes, writer, observer, progress.as_ref(), &stopper).await;
        // In whole milliseconds, as reports in JSON have it: what is made of such a report later says the same.
        let elapsed = Duration::from_millis(whole_ms(clock.elapsed()));
        drop(log);
        if let Some(progress) = progress {
            progress.end().await;
        }
        writer.arrange();
        let has_no_reader = writer.has_no_reader();
        let is_whole = !writer.is_unfinished();
        let in_time = deadline.is_none_or(|deadline| elapsed < deadline) || is_whole;
        let interrupted = interrupts.came() || !in_time;
        let hosts = if limits.adaptive { settled(&self.limit_state) } else { Vec::new() };
        let noted = hosts.clone();
        let info = RunInfo { started, elapsed, interrupted, shard, cutoff, redactor, hosts, ..RunInfo::default() };
        interrupts.writing();
        #[cfg(feature = "watch")]
        writer.leave_files_if(self.keeps_whole && interrupts.came());
        let (exit, summary, all) = writer.finish(info).await;
        let exit = exit.max(outcomes.end(is_whole, elapsed, noted).await);
        let exit = match has_no_reader {
            // The reader that closed the pipe has what it wanted.
            true => Exit::Success,
            false if interrupts.came() => Exit::Interrupted,
            false => exit,
        };
        RunResult { exit, summary, started, elapsed, has_no_reader, outcomes: all }
    }
}

/// What was found of hosts, for reports.
fn settled(limit_state: &LimitState) -> Vec<SettledHost> {
    limit_state
        .found()
        .into_iter()
        .map(|(origin, at_once)| SettledHost { host: origin.to_string().into(), at_once: at_once.get() })
        .collect()
}

/// Writes what comes until all has ended.
async fn write_all(
    outcomes: &mut OutcomeStream,
    mut writer: Writer,
    observer: &mut impl OutcomeObserver,
    progress: Option<&ProgressView>,
    stopper: &Stopper,
) -> Writer {
    loop {
        let group = outcomes.next_group(writer.patience()).await;
        if group.is_end() {
            return writer;
        }
        writer = writer.write(seen(group.outcomes, observer, progress).await, group.page).await;
        if writer.has_no_reader() {
            stopper.stop();
        }
    }
}

/// These outcomes, after they were shown.
async fn seen(
    group: Vec<Outcome>,
    observer: &mut impl OutcomeObserver,
    progress: Option<&ProgressView>,
) -> Vec<Outcome> {
    let mut seen = Vec::with_capacity(group.len());
    for outcome in group {
        if let Some(progress) = progress {
            progress.note(&outcome);
        }
        seen.push(observer.note(outcome).await);
    }
    seen
}

/// A fetcher with connections of its own, for a run that has so many files open beside them.
fn fetcher(jobs: &mut JobSet, config: &Config, files: usize) -> Result<Fetcher, CommandError> {
    let transport = config.transport.clone().build()?;
    let per_source = if jobs.jobs.iter().any(|job| job.output().is_some()) { 2 } else { 1 };
    let needs = DescriptorNeeds { sources: jobs.len() as u64, per_source, files: files as u64 };
    let pool = transport.pool_limits();
    let share = DescriptorShare::of(needs, &mut jobs.limits, pool)?;
    if let Some(note) = share.note.filter(|_| !config.output.quiet) {
        complain(&note);
    }
    let transport = if share.idle < pool.total {
        transport.with_pool_limits(PoolLimits { total: share.idle, ..pool })
    } else {
        transport
    };
    let fetcher = Fetcher::with_transport(transport).limits(jobs.limits.clone()).deadline(jobs.deadline);
    let (bodies, fields) =
        (config.output.keeps_bodies() || config.output.compares_bodies, config.output.keeps_fields());
    Ok(fetcher.fail_fast(config.fail_fast).keep_bodies(bodies).keep_fields(fields))
}

/// Removes the temporary files that killed runs left in the folders that contents are saved to.
fn remove_leftovers_of(jobs: &JobSet) {
    let folders: BTreeSet<&Path> = jobs.jobs.iter().filter_map(|job| job.output()?.parent()).collect();
    folders.into_iter().for_each(remove_leftovers);
}

/// Makes a folder that files can be written to.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    let cannot = |what: &str, error: io::Error| {
        Error::new(Kind::Io, format!("the folder {} cannot be {what}", folder.display())).with_source(error)
    };
    if folder.is_file() {
        let text = format!("{} is a file: name a folder for the contents", folder.display());
        return Err(Error::new(Kind::Io, text));
    }
    std::fs::create_dir_all(folder).map_err(|error| cannot("made", error))?;
    // A file that cannot be written is found here, before any request is sent. Its name cannot be guessed, so that no one
    // can have put a link there.
    let probe = tempfile::Builder::new().prefix(".roundup-").suffix(".part").tempfile_in(folder);
    probe.and_then(NamedTempFile::close).map_err(|error| cannot("written to", error))
}
