//! Round after round, and what comes between.

use std::sync::Arc;

use futures_lite::FutureExt;
use roundup::event_loop::{EventLoop, sleep, unblock};
use roundup::fetcher::LimitState;
use roundup::report::{JsonDocument, Output, Report, RunInfo};
use roundup::units::DisplayDuration;
use roundup::{Outcome, Redactor, Summary};

use super::changes::Change;
use super::clock::Clock;
use super::hook::Hook;
use super::notify::ServiceManager;
use super::observer::RoundObserver;
use super::schedule::{RoundTime, Schedule};
use super::spec::WatchSpec;
use crate::cli::config::{Config, OutputConfig};
use crate::cli::console::complain;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::Flags;
use crate::cli::input::shown;
use crate::cli::interrupts::{Interrupts, TIME_TO_LEAVE};
use crate::cli::jobs::JobSet;
use crate::cli::report_tables::planned;
use crate::cli::run::{PreparedRun, RunResult};

/// A plan that is watched.
pub(super) struct Watch<'a, C> {
    plan: &'a str,
    flags: &'a Flags,
    event_loop: &'a EventLoop,
    interrupts: &'a Interrupts,
    clock: C,
    pub(super) manager: ServiceManager,
    pub(super) default_report: Option<Output>,
    config: Arc<Config>,
    jobs: JobSet,
    spec: WatchSpec,
    schedule: Schedule,
    pub(super) observer: RoundObserver,
    /// What limits know of the rounds before.
    limit_state: LimitState,
    /// How many rounds there were.
    rounds: u32,
    /// Whether it was said that rounds take longer than there is between them.
    said_slow: bool,
}

impl<'a, C: Clock> Watch<'a, C> {
    #[expect(clippy::too_many_arguments, reason = "each is one thing that a round needs, and they are named once")]
    pub(super) fn new(
        plan: &'a str,
        flags: &'a Flags,
        event_loop: &'a EventLoop,
        interrupts: &'a Interrupts,
        clock: C,
        config: Config,
        jobs: JobSet,
        spec: WatchSpec,
    ) -> Watch<'a, C> {
        let now = clock.now();
        let mut watch = Watch {
            plan,
            flags,
            event_loop,
            interrupts,
            manager: ServiceManager::default(),
            default_report: None,
            config: config.into(),
            schedule: Schedule::new(now, spec.every, spec.jitter),
            observer: RoundObserver::new(now),
            limit_state: LimitState::default(),
            clock,
            jobs: JobSet::default(),
            spec: spec.clone(),
            rounds: 0,
            said_slow: false,
        };
        watch.take(jobs, spec, None);
        watch
    }

    pub(super) async fn run(mut self) -> Result<Exit, CommandError> {
        let mut time = self.schedule.first();
        let exit = loop {
            let exit = match self.round(time).await {
                Ok(RoundEnd { has_no_reader: true, .. }) => break Exit::Success,
                Ok(RoundEnd { exit, .. }) => exit,
                Err(error) if self.rounds == 0 => return Err(error),
                Err(error) => {
                    error.lines.iter().for_each(|line| complain(line));
                    self.manager.status(&format!("round {} could not start", self.rounds + 1));
                    error.exit
                }
            };
            self.rounds = self.rounds.saturating_add(1);
            if self.interrupts.came() {
                break self.end();
            }
            if self.spec.max_runs.is_some_and(|most| self.rounds >= most) {
                break exit;
            }
            match self.wait().await {
                Some(next) => time = next,
                None => break self.end(),
            }
        };
        self.manager.stopping();
        Ok(exit)
    }

    /// How a signal ends it: SIGTERM is how a service is stopped, and no failure.
    fn end(&self) -> Exit {
        if self.interrupts.is_termination() { Exit::Success } else { Exit::Interrupted }
    }

    async fn round(&mut self, time: RoundTime) -> Result<RoundEnd, CommandError> {
        // What one round learns, such as a token, is not kept for ever.
        let redactor = Redactor::default().and(&self.jobs.redactor);
        let mut unwritten = Exit::Success;
        let prepared = match self.prepare(time, &redactor).await {
            Err(error) if self.rounds > 0 && error.exit == Exit::Report => {
                error.lines.iter().for_each(|line| complain(line));
                unwritten = error.exit;
                self.prepare_without_files(time, &redactor).await?
            }
            prepared => prepared?,
        };
        let prepared = prepared.after(&self.limit_state);
        let prepared = if self.rounds == 0 { prepared } else { prepared.keep_whole_reports() };
        if self.rounds == 0 {
            self.manager.ready();
            self.manager.status("the first round is under way");
        }
        let result = prepared.execute_seen_by(&mut self.observer, self.event_loop, self.interrupts).await;
        let RunResult { exit, summary, started, elapsed, has_no_reader, outcomes } = result;
        self.interrupts.run_is_over();
        // A round that goes on takes the rest of the last run, and no other does.
        Arc::make_mut(&mut self.config).state.repeat = None;
        let changed = self.observer.end_round(&outcomes);
        let info = RunInfo { started, elapsed, redactor, ..RunInfo::default() };
        self.run_hooks(changed, &info, &summary).await;
        self.say(&summary, time);
        Ok(RoundEnd { exit: exit.max(unwritten), has_no_reader })
    }

    async fn prepare(&mut self, time: RoundTime, redactor: &Redactor) -> Result<PreparedRun, CommandError> {
        let mut jobs = self.jobs.clone();
        jobs.may_be_kept = true;
        jobs.redactor = redactor.clone();
        // A round starts up to its jitter late, and what servers ask for is counted from when it was due.
        let (now, late) = (self.clock.time(), self.clock.now().saturating_duration_since(time.due));
        let due = now.checked_sub(late).unwrap_or(now);
        jobs.not_asked = self.observer.begin_round(time.due, due, self.schedule.every(), redactor);
        let (config, report) = (self.config.clone(), self.default_report.clone());
        unblock(move || PreparedRun::new(jobs, &config, report)).await
    }

    /// A full disk keeps no source from being asked, and no hook from telling of it.
    async fn prepare_without_files(
        &mut self,
        time: RoundTime,
        redactor: &Redactor,
    ) -> Result<PreparedRun, CommandError> {
        let (reports, default) = (self.config.output.reports.clone(), self.default_report.take());
        Arc::make_mut(&mut self.config).output.reports.retain(|report| report.destination.path().is_none());
        let prepared = self.prepare(time, redactor).await;
        Arc::make_mut(&mut self.config).output.reports = reports;
        self.default_report = default;
        prepared
    }

    /// Says how the round ended, to systemd if it asked for that, and once that rounds take too long.
    fn say(&mut self, summary: &Summary, time: RoundTime) {
        let Summary { total, ok, stale, .. } = summary;
        let stale = if *stale > 0 { format!(" ({stale} stale)") } else { String::new() };
        let every = DisplayDuration(self.schedule.every());
        self.manager.status(&format!("round {}: {ok} of {total} ok{stale}; a round every {every}", self.rounds + 1));
        let missed = self.schedule.missed(time, self.clock.now());
        if let Some(why) = missed.filter(|_| !self.said_slow && !self.config.output.quiet) {
            complain(&format!("{why}: rounds that are missed are left out"));
            self.said_slow = true;
        }
    }

    async fn run_hooks(&self, changed: Vec<(Change, Outcome)>, info: &RunInfo, summary: &Summary) {
        if changed.is_empty() {
            return;
        }
        let changed = Arc::new(changed);
        let has_failed = changed.iter().any(|(change, _)| *change == Change::Failed);
        for (hook, name) in [
            (self.spec.on_failure.as_ref().filter(|_| has_failed), "on_failure"),
            (self.spec.on_change.as_ref(), "on_change"),
        ] {
            let Some(hook) = hook else { continue };
            let (info, summary, round, changed) = (info.clone(), summary.clone(), self.rounds + 1, changed.clone());
            let input = unblock(move || document(name, round, &changed, &info, &summary)).await;
            self.run_hook(hook, input).await;
        }
    }

    async fn run_hook(&self, hook: &Hook, input: Vec<u8>) {
        let hurry = async {
            self.interrupts.end().await;
            sleep(TIME_TO_LEAVE).await;
        };
        if let Err(why) = hook.run(input, hurry).await {
            complain(&why);
        }
    }

    /// Waits until a round is due. `None` if a signal ends it.
    async fn wait(&mut self) -> Option<RoundTime> {
        let mut next = self.next();
        loop {
            if self.interrupts.take_reload() {
                self.reload().await;
                next = self.next();
            }
            let now = self.clock.now();
            let left = next.map(|next| next.at.saturating_duration_since(now));
            if left.is_some_and(|left| left.is_zero()) {
                return next;
            }
            let over = async {
                match left {
                    Some(left) => self.clock.wait(left).await,
                    None => std::future::pending().await,
                }
            };
            self.interrupts.next().or(over).await;
            if self.interrupts.came() {
                return None;
            }
        }
    }

    /// When the next round is: the first in which a source is to be asked.
    fn next(&self) -> Option<RoundTime> {
        let mut earliest = self.jobs.jobs.iter().map(|job| self.observer.down.ask_at(job.name()));
        let earliest = earliest.try_fold(None, |earliest: Option<_>, at| {
            let at = at?;
            Some(Some(earliest.map_or(at, |earliest| at.min(earliest))))
        });
        self.schedule.next(self.clock.now(), earliest.flatten(), fastrand::f64())
    }

    /// Reads the plan anew. If it is wrong, the one that was read before stays.
    async fn reload(&mut self) {
        self.manager.reloading();
        let read = self.read().await;
        match read {
            Ok((jobs, spec, output)) => {
                let sources = if jobs.len() == 1 { "source" } else { "sources" };
                complain(&format!("{} was read anew: {} {sources}", shown(self.plan), jobs.len()));
                self.take(jobs, spec, Some(output));
            }
            Err(error) => {
                error.lines.iter().for_each(|line| complain(line));
                complain(&format!("{} is not taken: the plan that was read before goes on", shown(self.plan)));
            }
        }
        self.manager.ready();
    }

    async fn read(&self) -> Result<(JobSet, WatchSpec, OutputConfig), CommandError> {
        let (plan, config, flags) = (self.plan.to_owned(), self.config.clone(), self.flags.clone());
        // It reads the plan, the files that it names and the templates of its reports, and looks for hooks in PATH.
        unblock(move || {
            let jobs = JobSet::from_plan(&plan, &config)?;
            let output = OutputConfig::of_plan(&flags, planned(&plan, &jobs.report)?)?;
            let spec = WatchSpec::new(&plan, &jobs, &config, &flags)?;
            let line = format!("{} has no [watch] any more", shown(&plan));
            Ok((jobs, spec.ok_or(CommandError { exit: Exit::Plan, lines: vec![line] })?, output))
        })
        .await
    }

    /// Takes a plan for the rounds to come.
    fn take(&mut self, jobs: JobSet, spec: WatchSpec, output: Option<OutputConfig>) {
        let compares_bodies = spec.compares_bodies(&jobs);
        let output = output.unwrap_or_else(|| self.config.output.clone());
        let reports = output.reports.iter().cloned().map(Output::appended).collect();
        let planned = output.planned.iter().map(|(report, place)| (report.clone().appended(), place.clone()));
        let planned = planned.collect();
        Arc::make_mut(&mut self.config).output = OutputConfig { reports, planned, compares_bodies, ..output };
        self.observer.changes.begin_plan(spec.told());
        if (spec.every, spec.jitter) != (self.spec.every, self.spec.jitter) {
            self.schedule = Schedule::new(self.clock.now(), spec.every, spec.jitter);
        }
        (self.jobs, self.spec) = (jobs, spec);
    }
}

/// How a round ended.
struct RoundEnd {
    exit: Exit,
    has_no_reader: bool,
}

/// What a hook is told: the report of what has changed as JSON, behind what changed how.
fn document(hook: &str, round: u32, changed: &[(Change, Outcome)], info: &RunInfo, summary: &Summary) -> Vec<u8> {
    let is_for_it = |(change, _): &&(Change, Outcome)| hook == "on_change" || *change == Change::Failed;
    let changed = || changed.iter().filter(is_for_it);
    let change = |(change, outcome): &(Change, Outcome)| {
        let name = info.redactor.redact(&outcome.name);
        serde_json::json!({ "name": name, "change": change.as_str() }).to_string()
    };
    let changes: Vec<String> = changed().map(change).collect();
    let mut text = format!("{{\"hook\":\"{hook}\",\"round\":{round},\"changes\":[{}],", changes.join(",")).into_bytes();
    let outcomes: Vec<Outcome> = changed().map(|(_, outcome)| outcome.clone()).collect();
    let mut report = Vec::new();
    // Writing to memory does not fail.
    let _ = JsonDocument.finish(&mut report, info, summary, &outcomes);
    text.extend_from_slice(report.strip_prefix(b"{").unwrap_or(&report));
    text
}
