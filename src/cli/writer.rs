//! Writes outcomes to reports, stdout and stderr: some as they come, the rest at the end. What may block runs off the
//! event loop.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::slice;
use std::time::{Duration, Instant};

use roundup::event_loop::unblock;
use roundup::report::{Cutoff, OpenReport, RunInfo, folded, summary_line};
use roundup::rows::Rows;
use roundup::units::DisplayDuration;
use roundup::{Failure, Kind, Outcome, PageRows, Redactor, Summary, sort_outcomes};

use super::config::OutputConfig;
use super::console::{complain, head, logger, width};
use super::error::is_broken_pipe;
use super::exit::Exit;
use super::jobs::JobSet;
use super::report_tables::ReportTables;

/// The most failures on stderr that a report holds, too.
const MOST_LINES: usize = 10;

/// How long an outcome waits for others, so that they are written with one call. A person does not notice it.
const WRITE_EVERY: Duration = Duration::from_millis(10);

/// What the end of a run prints on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClosingLines {
    /// Failures that no table on stdout shows, and the totals.
    FailuresAndTotals,
    /// Failures that no table on stdout shows.
    Failures,
    /// Failures, if no report holds them.
    Unreported,
    /// Nothing.
    None,
}

/// Holds the outcomes of a run and writes them.
#[derive(Debug)]
pub(crate) struct Writer {
    reports: Vec<OpenReport>,
    tables: ReportTables,
    outcomes: Vec<Option<Outcome>>,
    /// The sources whose rows were written page by page.
    paged: HashSet<usize>,
    redactor: Redactor,
    output_dir: Option<PathBuf>,
    /// The next outcome whose content goes to stdout, if contents do.
    next_body: Option<usize>,
    /// Whether contents of failed responses go there, too, and whether heads do.
    failed_bodies: bool,
    heads: bool,
    /// Whether outcomes are put in the order of the input at the end alone, because their indexes do not tell it or have gaps.
    /// Then contents go to stdout at the end, too.
    arranges: bool,
    /// Whether a report needs contents at the end.
    keeps_bodies: bool,
    /// When contents are no longer written.
    cutoff: Cutoff,
    closing_lines: ClosingLines,
    /// Whether what the library logs is printed.
    verbose: bool,
    exit: Exit,
    /// Whether a content that is not new counts as a failure.
    fail_stale: bool,
    /// Whether a source was cancelled or never started.
    unfinished: bool,
    /// Whether the reader of stdout has closed it.
    stdout_closed: bool,
}

/// The 0 in a report looks like what a server sent.
const HID_NUMBERS: &str = "numbers that hold the digits of a secret are 0 in what is written: if it is no secret, make it \
    one of [variables]";

impl Writer {
    /// Takes the outcomes that are known already out of the jobs.
    pub(crate) fn new(
        reports: Vec<OpenReport>,
        tables: ReportTables,
        jobs: &mut JobSet,
        output: &OutputConfig,
    ) -> Writer {
        let mut writer = Writer {
            keeps_bodies: reports.iter().map(OpenReport::needs).any(|needs| needs.contents && !needs.streams),
            reports,
            tables,
            // No memory is touched for those that have not come.
            outcomes: Vec::with_capacity(jobs.len()),
            paged: HashSet::new(),
            redactor: jobs.redactor.clone(),
            output_dir: output.folder.clone(),
            next_body: output.body.then_some(0),
            failed_bodies: output.failed_bodies,
            heads: output.heads,
            cutoff: Cutoff::default(),
            arranges: jobs.graph.is_some() || jobs.shard.is_some(),
            closing_lines: if output.quiet { ClosingLines::Unreported } else { ClosingLines::FailuresAndTotals },
            verbose: output.verbose > 0,
            exit: Exit::default(),
            fail_stale: output.fail_stale,
            unfinished: false,
            stdout_closed: false,
        };
        for mut outcome in std::mem::take(&mut jobs.known) {
            writer.count(&outcome);
            writer.shorten_path(&mut outcome);
            writer.put(outcome);
        }
        writer
    }

    /// A writer that counts and writes nothing.
    pub(crate) fn silent(jobs: &mut JobSet, output: &OutputConfig) -> Writer {
        let writer = Writer::new(Vec::new(), ReportTables::default(), jobs, output);
        Writer { next_body: None, closing_lines: ClosingLines::None, verbose: false, ..writer }
    }

    /// Leaves out the totals.
    pub(crate) fn without_totals(mut self) -> Writer {
        if self.closing_lines == ClosingLines::FailuresAndTotals {
            self.closing_lines = ClosingLines::Failures;
        }
        self
    }

    /// Leaves contents out from this moment on.
    pub(crate) fn until(self, cutoff: &Cutoff) -> Writer {
        Writer { cutoff: cutoff.clone(), ..self }
    }

    /// Writes the outcomes that were there before the run started.
    pub(crate) async fn begin(mut self) -> Writer {
        if !self.streams() {
            return self;
        }
        unblock(move || {
            for index in 0..self.outcomes.len() {
                if let Some(outcome) = self.outcomes[index].take() {
                    self.stream(slice::from_ref(&outcome));
                    self.outcomes[index] = Some(outcome);
                }
            }
            self.write_bodies();
            self
        })
        .await
    }

    /// How long an outcome waits for others, to be written with them.
    pub(crate) fn patience(&self) -> Duration {
        if self.streams() { WRITE_EVERY } else { Duration::ZERO }
    }

    /// Adds outcomes, and writes what can be written of them now: to the reports that stream, and contents to stdout. Behind
    /// them the rows of a page, for the reports that stream.
    pub(crate) async fn write(mut self, mut group: Vec<Outcome>, page: Option<PageRows>) -> Writer {
        for outcome in &mut group {
            self.count(outcome);
            self.shorten_path(outcome);
        }
        if !self.streams() {
            group.into_iter().for_each(|outcome| self.keep(outcome));
            return self;
        }
        unblock(move || {
            self.stream_unpaged(&mut group);
            if let Some(page) = page {
                self.paged.insert(page.index);
                self.write_to_streams(|report, redactor| report.rows(redactor, &page));
            }
            group.into_iter().for_each(|outcome| self.keep(outcome));
            self.write_bodies();
            self
        })
        .await
    }

    /// Whether rows are to come page by page, and if so, whether outcomes are to have them, too: for all that is written at
    /// the end.
    pub(crate) fn by_pages(&self) -> Option<bool> {
        let streams = |report: &OpenReport| report.needs().streams;
        let keep = self.tables.need_rows() || !self.reports.iter().all(streams);
        self.reports.iter().any(streams).then_some(keep)
    }

    /// Files in the folder for contents are named without it.
    fn shorten_path(&self, outcome: &mut Outcome) {
        if let (Some(folder), Some(file)) = (&self.output_dir, &outcome.body_file) {
            if let Ok(file) = file.strip_prefix(folder) {
                outcome.body_file = Some(file.to_owned());
            }
        }
    }

    /// Whether all that is written goes to stdout and its reader has closed it.
    pub(crate) fn has_no_reader(&self) -> bool {
        self.stdout_closed && !self.tables.has_files() && self.reports.iter().all(OpenReport::is_stdout)
    }

    /// If it is so, leaves the files that reports are to take the place of as they are.
    #[cfg(feature = "watch")]
    pub(crate) fn leave_files_if(&mut self, leaves: bool) {
        if leaves {
            self.reports.retain(|report| !report.replaces_a_file());
            self.tables.leave_files();
        }
    }

    /// Whether a source was cancelled or never started.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Writes what comes at the end, and puts files in their places. Returns the outcomes.
    pub(crate) async fn finish(mut self, mut run: RunInfo) -> (Exit, Summary, Vec<Outcome>) {
        unblock(move || {
            self.write_bodies();
            #[expect(clippy::filter_map_identity, reason = "collects in place, where flatten copies all of them")]
            let outcomes: Vec<Outcome> = std::mem::take(&mut self.outcomes).into_iter().filter_map(|it| it).collect();
            let summary = run.summary(&outcomes);
            self.write_closing_lines(&outcomes, &run, &summary);
            // Tables of rows that went out page by page would lack them.
            let has_rows = self.paged.is_empty() || self.by_pages() == Some(true);
            let mut failed = self.tables.fill(&mut run, &outcomes, has_rows);
            for report in std::mem::take(&mut self.reports) {
                let is_stdout = report.is_stdout();
                if self.stdout_closed && is_stdout {
                    continue;
                }
                match report.finish(&run, &summary, &outcomes) {
                    Err(error) if is_stdout && is_broken_pipe(&error) => {}
                    written => failed.extend(written.err()),
                }
            }
            failed.extend(self.tables.write(&run, &summary, &outcomes));
            failed.iter().for_each(|error| complain(&run.redactor.redact(&error.one_line())));
            if run.redactor.hid_numbers() {
                complain(HID_NUMBERS);
            }
            let omitted = self.cutoff.omitted();
            if omitted > 0 {
                let contents = if omitted == 1 { "content is" } else { "contents are" };
                complain(&format!(
                    "{omitted} {contents} left out: the time was over, or the temporary file unreadable"
                ));
            }
            let exit = if failed.is_empty() && omitted == 0 { self.exit } else { self.exit.max(Exit::Report) };
            (exit, summary, outcomes)
        })
        .await
    }

    /// Counts an outcome towards the exit code.
    fn count(&mut self, outcome: &Outcome) {
        let kind = outcome.error.as_ref().map(|failure| failure.kind);
        self.unfinished |= matches!(kind, Some(Kind::Cancelled | Kind::Skipped));
        self.exit = self.exit.max(Exit::of(outcome, self.fail_stale));
    }

    /// Whether something is written as outcomes come.
    fn streams(&self) -> bool {
        self.next_body.is_some() || self.reports.iter().any(|report| report.needs().streams)
    }

    /// Writes outcomes to the reports that stream, without the rows that were written before.
    fn stream_unpaged(&mut self, outcomes: &mut [Outcome]) {
        let mut rows: Vec<Vec<Rows>> = Vec::new();
        for outcome in outcomes.iter_mut().filter(|outcome| self.paged.contains(&outcome.index)) {
            rows.push(std::mem::take(&mut outcome.rows));
        }
        self.stream(outcomes);
        let paged = outcomes.iter_mut().filter(|outcome| self.paged.contains(&outcome.index));
        paged.zip(rows).for_each(|(outcome, rows)| outcome.rows = rows);
    }

    /// Writes outcomes to the reports that stream.
    fn stream(&mut self, outcomes: &[Outcome]) {
        self.write_to_streams(|report, redactor| report.results(redactor, outcomes));
    }

    fn write_to_streams(&mut self, write: impl Fn(&mut OpenReport, &Redactor) -> roundup::Result<()>) {
        for mut report in std::mem::take(&mut self.reports) {
            if !(self.stdout_closed && report.is_stdout()) {
                match write(&mut report, &self.redactor) {
                    Err(error) if report.is_stdout() && is_broken_pipe(&error) => self.stdout_closed = true,
                    Err(error) => {
                        // The report is given up: later results would fail in the same way.
                        complain(&error.one_line());
                        self.exit = self.exit.max(Exit::Report);
                        continue;
                    }
                    Ok(()) => {}
                }
            }
            self.reports.push(report);
        }
    }

    /// Keeps an outcome for the end of the run.
    fn keep(&mut self, mut outcome: Outcome) {
        if !self.keeps_bodies && self.next_body.is_none() {
            outcome.body = None;
        }
        self.put(outcome);
    }

    /// Puts an outcome into its place. Jobs that are made in the run come behind those of the input.
    fn put(&mut self, outcome: Outcome) {
        let index = outcome.index;
        if index >= self.outcomes.len() {
            self.outcomes.resize_with(index + 1, || None);
        }
        self.outcomes[index] = Some(outcome);
    }

    /// Puts all outcomes in the order of the input, if they are not.
    pub(crate) fn arrange(&mut self) {
        if !std::mem::take(&mut self.arranges) {
            return;
        }
        #[expect(clippy::filter_map_identity, reason = "collects in place, where flatten copies all of them")]
        let mut outcomes: Vec<Outcome> = std::mem::take(&mut self.outcomes).into_iter().filter_map(|it| it).collect();
        sort_outcomes(&mut outcomes);
        for (index, outcome) in outcomes.iter_mut().enumerate() {
            outcome.keep_place();
            outcome.index = index;
        }
        self.outcomes = outcomes.into_iter().map(Some).collect();
    }

    /// Writes contents to stdout, in input order and each whole, as far as all before them are there.
    fn write_bodies(&mut self) {
        let Some(mut next) = self.next_body.filter(|_| !self.arranges) else { return };
        let mut stdout = io::stdout().lock();
        while let Some(Some(outcome)) = self.outcomes.get_mut(next) {
            next += 1;
            let head = if self.heads { head(&self.redactor, outcome) } else { Vec::new() };
            // What no report needs is dropped here.
            let body = if self.keeps_bodies { &outcome.body } else { &outcome.body.take() };
            let body = body.as_ref().filter(|_| outcome.error.is_none() || self.failed_bodies);
            if self.stdout_closed || (head.is_empty() && body.is_none()) {
                continue;
            }
            if self.cutoff.has_come(Instant::now()) {
                self.cutoff.omit();
                continue;
            }
            let written = stdout.write_all(&head).and_then(|()| match body {
                Some(body) => io::copy(&mut body.reader(), &mut stdout).map(drop),
                None => Ok(()),
            });
            if let Err(error) = written.and_then(|()| stdout.flush()) {
                if error.kind() == io::ErrorKind::BrokenPipe {
                    self.stdout_closed = true;
                    continue;
                }
                complain(&format!("stdout cannot be written: {error}"));
                self.exit = self.exit.max(Exit::Report);
                self.next_body = None;
                return;
            }
        }
        self.next_body = Some(next);
    }

    /// Says on stderr what failed, if no table says it, and the totals.
    fn write_closing_lines(&self, outcomes: &[Outcome], run: &RunInfo, summary: &Summary) {
        if self.verbose {
            logger::print(&self.redactor);
        }
        let shown = self.reports.iter().any(|report| report.is_for_people() && report.is_stdout());
        let silent = match self.closing_lines {
            ClosingLines::FailuresAndTotals | ClosingLines::Failures => shown,
            ClosingLines::Unreported => !self.reports.is_empty(),
            ClosingLines::None => true,
        };
        if silent || self.has_no_reader() {
            return;
        }
        let mut left = FailureLines {
            failures: if self.reports.is_empty() { usize::MAX } else { MOST_LINES },
            cut_short: MOST_LINES,
            more: 0,
        };
        for outcome in outcomes {
            if let Some(failure) = outcome.error.as_ref().filter(|failure| left.take(failure.kind)) {
                complain(&run.redactor.redact(&format!("{}: {}", outcome.name, described(failure))));
            }
            if let Some(stale) = outcome.stale.as_ref().filter(|stale| left.take(stale.error.kind)) {
                let age = DisplayDuration(Duration::from_secs(stale.age_s));
                let why = described(&stale.error);
                complain(&run.redactor.redact(&format!("{}: stale, {age} old: {why}", outcome.name)));
            }
        }
        if left.more > 0 {
            complain(&format!("and {} more", left.more));
        }
        if self.closing_lines == ClosingLines::FailuresAndTotals {
            // A log has it on one line.
            let most = io::stderr().is_terminal().then(width).flatten();
            let most = most.map(|most| most.saturating_sub("roundup: ".len()));
            run.settled_lines().iter().for_each(|line| complain(line));
            folded(&summary_line(run, summary), most).lines().for_each(complain);
        }
    }
}

/// How many failures may still be printed: all if no report holds them, but of those that the end of the run has cut short,
/// which all say the same, never more than [`MOST_LINES`].
struct FailureLines {
    failures: usize,
    cut_short: usize,
    /// How many were left out.
    more: usize,
}

impl FailureLines {
    /// Whether one of this kind is printed.
    fn take(&mut self, kind: Kind) -> bool {
        let left = match kind {
            Kind::Cancelled | Kind::Skipped => &mut self.cut_short,
            _ => &mut self.failures,
        };
        let prints = *left > 0;
        *left = left.saturating_sub(1);
        self.more += usize::from(!prints);
        prints
    }
}

/// The message of a failure with kind and phase, unless these are clear from it. A phase of the same name as the kind is
/// left out.
fn described(failure: &Failure) -> String {
    let phase = failure.phase.filter(|phase| phase.as_str() != failure.kind.as_str());
    match (failure.kind, phase) {
        (Kind::Status, _) => failure.message.to_string(),
        (kind, Some(phase)) => format!("{} ({kind}, {phase})", failure.message),
        (kind, None) => format!("{} ({kind})", failure.message),
    }
}
