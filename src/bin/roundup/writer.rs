//! Outcomes to where they were asked for: streams as they come, documents at the end. What may block runs off the loop.

use std::io::{self, Write};
use std::path::PathBuf;

use roundup::event_loop::unblock;
use roundup::report::{Format, Opened, Run, Style, jsonl, table};
use roundup::{Error, Kind, Outcome, Redactor, Summary, fractional_ms};

use crate::exit::Exit;
use crate::logger;
use crate::manner::Manner;
use crate::work::Work;

/// What is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notes {
    /// Failures that no table on stdout shows, and the totals.
    All,
    /// The same without the totals.
    Failures,
    /// Failures that no report holds.
    Errors,
    /// Nothing.
    None,
}

/// Holds the outcomes of a run and writes them.
#[derive(Debug)]
pub(crate) struct Writer {
    opened: Vec<Opened>,
    outcomes: Vec<Option<Outcome>>,
    /// One that was taken and not yet written.
    fresh: Option<Outcome>,
    redactor: Redactor,
    style: Style,
    output_dir: Option<PathBuf>,
    /// The next outcome whose content goes to stdout, where that was asked for.
    next_body: Option<usize>,
    /// Whether contents are needed after they were written to stdout.
    keeps_bodies: bool,
    notes: Notes,
    verbose: bool,
    exit: Exit,
    /// Whether a source came to no end of its own.
    unfinished: bool,
    /// Whether nobody reads stdout any more.
    unread: bool,
}

impl Writer {
    pub(crate) fn new(opened: Vec<Opened>, work: &Work, manner: &Manner) -> Writer {
        let mut writer = Writer {
            keeps_bodies: opened.iter().any(|opened| opened.format() == Format::Json),
            opened,
            // `vec![None; n]` would copy each.
            outcomes: std::iter::repeat_with(|| None).take(work.len()).collect(),
            fresh: None,
            redactor: work.redactor.clone(),
            style: manner.style,
            output_dir: manner.output_dir.clone(),
            next_body: manner.body.then_some(0),
            notes: if manner.quiet { Notes::Errors } else { Notes::All },
            verbose: manner.verbose,
            exit: Exit::default(),
            unfinished: false,
            unread: false,
        };
        for outcome in &work.rejected {
            writer.note(outcome);
            writer.outcomes[outcome.index] = Some(outcome.clone());
        }
        writer
    }

    /// A writer that counts and writes nothing.
    pub(crate) fn silent(work: &Work, manner: &Manner) -> Writer {
        Writer { next_body: None, notes: Notes::None, verbose: false, ..Writer::new(Vec::new(), work, manner) }
    }

    /// Leaves out the totals, where somebody else says them.
    pub(crate) fn without_totals(mut self) -> Writer {
        if self.notes == Notes::All {
            self.notes = Notes::Failures;
        }
        self
    }

    /// Takes the outcomes that were there before the run started.
    pub(crate) async fn begin(mut self) -> Writer {
        if !self.streams() {
            return self;
        }
        unblock(move || {
            for index in 0..self.outcomes.len() {
                if let Some(outcome) = self.outcomes[index].take() {
                    self.stream(&outcome);
                    self.outcomes[index] = Some(outcome);
                }
            }
            self.bodies();
            self
        })
        .await
    }

    /// Takes one more, which has this place in the input. What is written of it now, if anything is, [`Writer::streamed`]
    /// writes.
    #[inline]
    pub(crate) fn take(&mut self, place: usize, outcome: Outcome) {
        self.note(&outcome);
        let streams = self.streams();
        let kept = if streams { Some(&mut self.fresh) } else { self.outcomes.get_mut(place) };
        // It is large: changed where it stays, it is moved once.
        let Some(outcome) = kept.map(|kept| kept.insert(outcome)) else { return };
        outcome.index = place;
        if let (Some(folder), Some(file)) = (&self.output_dir, &outcome.body_file) {
            if let Ok(file) = file.strip_prefix(folder) {
                outcome.body_file = Some(file.to_owned());
            }
        }
        if !streams && !self.keeps_bodies {
            outcome.body = None;
        }
    }

    /// Whether something is to be written of what was taken last.
    pub(crate) fn is_behind(&self) -> bool {
        self.fresh.is_some()
    }

    /// Writes what was taken last to where it is written as it comes.
    pub(crate) async fn streamed(mut self) -> Writer {
        unblock(move || {
            if let Some(outcome) = self.fresh.take() {
                self.stream(&outcome);
                self.place(outcome);
                self.bodies();
            }
            self
        })
        .await
    }

    /// Whether the run has lost its only reader.
    pub(crate) fn is_pointless(&self) -> bool {
        self.unread && self.opened.iter().all(Opened::is_stdout)
    }

    /// Whether a source was cancelled or never started.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Writes what is written at the end, and puts files in their places. Gives the outcomes back.
    pub(crate) async fn finish(mut self, run: Run) -> (Exit, Summary, Vec<Outcome>) {
        unblock(move || {
            #[expect(clippy::filter_map_identity, reason = "collects in place, where flatten copies all of them")]
            let outcomes: Vec<Outcome> = std::mem::take(&mut self.outcomes).into_iter().filter_map(|it| it).collect();
            let summary = run.summary(&outcomes);
            self.tell_failures(&outcomes, &run, &summary);
            let mut exit = self.exit;
            for mut opened in std::mem::take(&mut self.opened) {
                if self.unread && opened.is_stdout() {
                    continue;
                }
                let written = match opened.format() {
                    Format::Jsonl => opened.write(|out| jsonl::summary(out, &run, &summary)),
                    format => opened.write(|out| format.write(out, &run, &self.style, &outcomes)),
                };
                let is_stdout = opened.is_stdout();
                match written.and_then(|()| opened.commit()) {
                    Err(error) if is_stdout && closed(&error) => {}
                    Err(error) => {
                        complain(&error.one_line());
                        exit = exit.max(Exit::Report);
                    }
                    Ok(()) => {}
                }
            }
            (exit, summary, outcomes)
        })
        .await
    }

    fn note(&mut self, outcome: &Outcome) {
        let kind = outcome.error.as_ref().map(|failure| failure.kind);
        self.unfinished |= matches!(kind, Some(Kind::Cancelled | Kind::Skipped));
        self.exit = self.exit.max(match kind {
            None => Exit::Success,
            Some(Kind::Expectation) => Exit::Expectation,
            Some(_) => Exit::Failed,
        });
    }

    /// Whether something is written as outcomes come.
    fn streams(&self) -> bool {
        self.verbose || self.next_body.is_some() || self.opened.iter().any(|opened| opened.format().streams())
    }

    /// Writes an outcome's line to the reports that are streams.
    fn stream(&mut self, outcome: &Outcome) {
        self.log();
        if self.verbose {
            describe(&self.redactor, outcome);
        }
        for mut opened in std::mem::take(&mut self.opened) {
            if opened.format().streams() && !(self.unread && opened.is_stdout()) {
                let redactor = &self.redactor;
                match opened.write(|out| jsonl::result(out, redactor, outcome)) {
                    Err(error) if opened.is_stdout() && closed(&error) => self.unread = true,
                    Err(error) => {
                        // Said once: what cannot take one line takes none after it.
                        complain(&error.one_line());
                        self.exit = self.exit.max(Exit::Report);
                        continue;
                    }
                    Ok(()) => {}
                }
            }
            self.opened.push(opened);
        }
    }

    /// Prints what was logged.
    fn log(&self) {
        if self.verbose {
            logger::take().iter().for_each(|line| complain(&self.redactor.redact(line)));
        }
    }

    fn place(&mut self, mut outcome: Outcome) {
        if !self.keeps_bodies && self.next_body.is_none() {
            outcome.body = None;
        }
        let index = outcome.index;
        if let Some(place) = self.outcomes.get_mut(index) {
            *place = Some(outcome);
        }
    }

    /// Writes the contents whose turn has come to stdout: in input order, each whole.
    fn bodies(&mut self) {
        let Some(mut next) = self.next_body else { return };
        let mut stdout = io::stdout().lock();
        while let Some(Some(outcome)) = self.outcomes.get_mut(next) {
            next += 1;
            let body = if self.keeps_bodies { outcome.body.clone() } else { outcome.body.take() };
            let Some(body) = body.filter(|_| outcome.ok() && !self.unread) else { continue };
            if let Err(error) = stdout.write_all(&body).and_then(|()| stdout.flush()) {
                if error.kind() == io::ErrorKind::BrokenPipe {
                    self.unread = true;
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

    /// Says on stderr what failed, where no table says it.
    fn tell_failures(&self, outcomes: &[Outcome], run: &Run, summary: &Summary) {
        self.log();
        let told = self.opened.iter().any(|opened| opened.format() == Format::Table && opened.is_stdout());
        let silent = match self.notes {
            Notes::All | Notes::Failures => told,
            Notes::Errors => !self.opened.is_empty(),
            Notes::None => true,
        };
        if silent || self.is_pointless() {
            return;
        }
        for outcome in outcomes {
            if let Some(failure) = &outcome.error {
                // A phase of the same name as the kind goes without saying.
                let phase = failure.phase.filter(|phase| phase.as_str() != failure.kind.as_str());
                let phase = phase.map(|phase| format!(", {phase}")).unwrap_or_default();
                let line = format!("{}: {} ({}{phase})", outcome.name, failure.message, failure.kind);
                complain(&run.redactor.redact(&line));
            }
        }
        if self.notes == Notes::All {
            complain(&table::summary_line(run, summary));
        }
    }
}

/// One line for each attempt.
fn describe(redactor: &Redactor, outcome: &Outcome) {
    for (number, attempt) in outcome.attempts.iter().enumerate() {
        let end = match (&attempt.error, attempt.status) {
            (Some(failure), _) => format!("{}: {}", failure.kind, failure.message),
            (None, Some(status)) => format!("status {status}"),
            (None, None) => "no status".to_owned(),
        };
        let took = fractional_ms(attempt.total);
        let peer = attempt.address.as_deref().unwrap_or("no address");
        let reused = if attempt.reused { ", connection reused" } else { "" };
        let line = format!("{}: attempt {} in {took:.1} ms, {peer}{reused}: {end}", outcome.name, number + 1);
        complain(&redactor.redact(&line));
    }
}

/// Whether the cause is that the reader has gone.
fn closed(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
}

/// One line on stderr. Nobody may be there to read it, and nothing can be done about that.
pub(crate) fn complain(line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let _ = writeln!(io::stderr().lock(), "roundup: {line}");
}
