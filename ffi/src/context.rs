//! One context: a loop, and a run on it that jobs are added to.

use std::ffi::CString;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use engine::fetcher::{Intake, Outcomes, Stopper};
use engine::plan::FileNames;
use engine::report::{JsonLines, Report, RunInfo};
use engine::{EventLoop, Job, Redactor, Summary};
use futures_lite::Stream;

use crate::failure::{Code, Failure};
use crate::options::Options;

/// What a `roundup_t *` stands for.
pub(crate) struct Context {
    options: Options,
    /// Before the loop, which it is dropped before.
    run: Option<Run>,
    /// Hides the secrets of the options and of all jobs that may still come out.
    redactor: Redactor,
    /// Those of the jobs that were added last, and how many these are.
    young: (Redactor, usize),
    /// The names of files in the folder for contents.
    files: FileNames,
    summary: Summary,
    stopped: bool,
    event_loop: EventLoop,
}

/// From the first job on.
struct Run {
    outcomes: Outcomes,
    intake: Intake,
    stopper: Stopper,
    started: (SystemTime, Instant),
}

impl Context {
    pub(crate) fn new() -> Context {
        Context {
            options: Options::default(),
            run: None,
            redactor: Redactor::default(),
            young: (Redactor::default(), 0),
            files: FileNames::new(),
            summary: Summary::default(),
            stopped: false,
            event_loop: EventLoop::new(),
        }
    }

    pub(crate) fn set(&mut self, option: &str, value: &str) -> Result<(), Failure> {
        if self.run.is_some() {
            let text = format!("{option}: options are to be set before the first job is added");
            return Err(Failure::new(Code::State, text));
        }
        self.options.set(option, value)
    }

    pub(crate) fn on_wake(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        self.event_loop.on_wake(wake);
    }

    /// The number of the first job, and how many there are.
    pub(crate) fn add(&mut self, text: &str) -> Result<(u64, i32), Failure> {
        if self.stopped {
            return Err(over());
        }
        let (jobs, redactor) = self.jobs(text)?;
        let count = jobs.len();
        let run = match &mut self.run {
            Some(run) => run,
            none => {
                self.redactor = self.options.redactor();
                none.insert(Run::start(&self.options, &self.event_loop)?)
            }
        };
        if count > self.options.backlog().saturating_sub(run.intake.pending()) {
            let text = format!("there are {} outcomes to be taken: take some first", run.intake.pending());
            return Err(Failure::new(Code::Full, text));
        }
        let mut first = None;
        let secrets = Redactor::for_jobs(&jobs).and(&redactor.unwrap_or_default());
        self.hide(&secrets, count);
        let Some(run) = &mut self.run else { return Err(over()) };
        for job in jobs {
            let job = save_to(self.options.output_dir.as_deref(), &mut self.files, job);
            // If one is refused, all are: the run is over.
            let index = run.intake.add(job).map_err(|_| over())?;
            first.get_or_insert(index);
        }
        Ok((first.unwrap_or_default() as u64, i32::try_from(count).unwrap_or(i32::MAX)))
    }

    /// Hides the secrets of so many jobs that are added now. A host may add jobs for months, each with a token of its own:
    /// those of jobs whose outcomes were taken are let go. No more outcomes than the backlog can wait to be taken.
    fn hide(&mut self, secrets: &Redactor, jobs: usize) {
        self.redactor = self.redactor.and(secrets);
        self.young = (self.young.0.and(secrets), self.young.1 + jobs);
        if self.young.1 > self.options.backlog() {
            let (young, _) = std::mem::take(&mut self.young);
            self.redactor = self.options.redactor().and(&young);
        }
    }

    pub(crate) fn tick(&mut self, budget: Duration) -> bool {
        self.event_loop.tick_for(budget)
    }

    /// The next outcome, as a line of JSON.
    pub(crate) fn take(&mut self) -> Result<Option<CString>, Failure> {
        let Some(run) = &mut self.run else { return Ok(None) };
        // No task is to be woken: the host takes outcomes when it has ticked.
        let mut cx = std::task::Context::from_waker(Waker::noop());
        match Pin::new(&mut run.outcomes).poll_next(&mut cx) {
            Poll::Ready(Some(mut outcome)) => {
                if let (Some(folder), Some(file)) = (&self.options.output_dir, &mut outcome.body_file) {
                    *file = file.strip_prefix(folder).unwrap_or(file).to_owned();
                }
                self.summary.add(&outcome);
                line(|out| JsonLines.result(out, &self.redactor, &outcome)).map(Some)
            }
            Poll::Ready(None) | Poll::Pending => Ok(None),
        }
    }

    pub(crate) fn pending(&self) -> usize {
        self.run.as_ref().map_or(0, |run| run.intake.pending())
    }

    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        if let Some(run) = &self.run {
            run.stopper.stop();
        }
    }

    pub(crate) fn summary(&self) -> Result<CString, Failure> {
        let (started, elapsed) = match &self.run {
            Some(Run { started: (started, at), .. }) => (*started, at.elapsed()),
            None => (SystemTime::now(), Duration::ZERO),
        };
        let run = RunInfo { started, elapsed, interrupted: self.stopped, ..RunInfo::default() };
        let mut summary = self.summary.clone();
        summary.finish(elapsed);
        line(|out| JsonLines.finish(out, &run, &summary, &[]))
    }

    /// The jobs that a text stands for, and what hides the secrets that are in them.
    fn jobs(&self, text: &str) -> Result<(Vec<Job>, Option<Redactor>), Failure> {
        let is_url = !text.trim_start().starts_with('{');
        if is_url && self.options.hosts.limits().is_empty() {
            // Settings are shared by all that say nothing of their own.
            let job = Job::new(text, self.options.shared())?;
            return Ok((vec![job], None));
        }
        let secret = |name: &str| self.options.secrets.get(name).cloned();
        let reader =
            self.options.plan_reader().secrets(&secret).settings(&self.options.shared()).hosts(&self.options.hosts);
        match if is_url { reader.read_url(text) } else { reader.read_json_job(text) } {
            Ok(plan) => Ok((plan.jobs, Some(plan.redactor).filter(|redactor| !redactor.is_empty()))),
            Err(errors) => Err(Failure::invalid(errors.to_string())),
        }
    }
}

impl Run {
    fn start(options: &Options, event_loop: &EventLoop) -> Result<Run, Failure> {
        let (intake, outcomes) = options.fetcher()?.open(event_loop);
        let stopper = outcomes.stopper();
        Ok(Run { outcomes, intake, stopper, started: (SystemTime::now(), Instant::now()) })
    }
}

/// The job, its content saved to this folder, if there is one.
fn save_to(folder: Option<&Path>, files: &mut FileNames, job: Job) -> Job {
    let Some(folder) = folder else { return job };
    let file = match job.output() {
        Some(output) => {
            files.reserve(&output.to_string_lossy());
            folder.join(output)
        }
        None => folder.join(files.name_for(job.name())),
    };
    job.saved_to(file)
}

fn over() -> Failure {
    Failure::new(Code::State, "everything has been stopped: no job can be added any more")
}

/// What `write` writes, without its line feed.
fn line(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<CString, Failure> {
    let mut text = Vec::new();
    let written = write(&mut text);
    text.truncate(text.trim_ascii_end().len());
    // JSON has no NUL in it, and memory takes all that is written.
    match (written, CString::new(text)) {
        (Ok(()), Ok(text)) => Ok(text),
        _ => Err(Failure::new(Code::Panic, "a bug of roundup: an outcome cannot be written as JSON")),
    }
}
