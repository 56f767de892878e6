//! The tables of a report: which reports a plan asks for, and those that have a file for each table.

use std::path::Path;
use std::time::{Instant, SystemTime};

use roundup::report::{self, OpenReport, Output, RunInfo, Style};
use roundup::rows::Rows;
use roundup::tables::{IsOver, OutputSpec, ReportSpec, RunNames};
use roundup::{Error, Kind, Outcome, Result, Summary};

use super::config::OutputConfig;
use super::error::CommandError;
use super::exit::Exit;
use super::interrupts::{TIME_FOR_CONTENTS, TIME_FOR_TABLES};

/// The reports that a plan asks for, each with the place where it does so.
///
/// # Errors
/// What is wrong with them, with their lines.
pub(crate) fn planned(plan: &str, spec: &ReportSpec) -> Result<Vec<(Output, String)>, CommandError> {
    let mut wrong = Vec::new();
    let mut planned: Vec<(Output, String)> = Vec::new();
    for (number, asked) in spec.outputs.iter().enumerate() {
        let place = format!("{plan}:{}: report.output[{}]", asked.line, number + 1);
        let read = output_of(asked).and_then(|output| {
            output.check_template()?;
            if let Some(message) = too_many(&output, spec) {
                let message = format!("{message}: write file = \"{{table}}.{}\", a file for each", ending(&output));
                return Err(Error::new(Kind::Config, message));
            }
            let mut outputs: Vec<Output> = planned.iter().map(|(output, _)| output.clone()).collect();
            outputs.push(output.clone());
            report::check_places(&outputs).map_err(|failure| failure.error)?;
            Ok(output)
        });
        match read {
            Ok(output) => planned.push((output, place)),
            Err(error) => wrong.push(format!("{place}: {}", error.one_line())),
        }
    }
    if wrong.is_empty() { Ok(planned) } else { Err(CommandError { exit: Exit::Plan, lines: wrong }) }
}

fn output_of(asked: &OutputSpec) -> Result<Output> {
    let output = match (&asked.format, &asked.file) {
        (Some(format), Some(file)) => Output::parse(&format!("{format}={file}"))?,
        (Some(format), None) => Output::parse(format)?,
        // Without both, the reader of the plan has refused it.
        (None, file) => Output::to_file(Path::new(file.as_deref().unwrap_or_default()))?,
    };
    if asked.bom { output.with_bom() } else { Ok(output) }
}

/// What is shown of a run beside its results, and the reports that have a file for each table.
#[derive(Debug, Default)]
pub(crate) struct ReportTables {
    spec: ReportSpec,
    /// Rows of earlier runs, for queries that compare.
    last: Vec<Rows>,
    names: Option<RunNames>,
    style: Style,
    per_table: Vec<Output>,
    /// Those that were opened before the run, by the names of their tables.
    open: Vec<(Box<str>, Output, OpenReport)>,
}

impl ReportTables {
    /// Opens the reports of a run that started then, and files for those tables that are known by name.
    ///
    /// # Errors
    /// A report that cannot be written, or one that cannot hold all tables.
    pub(crate) fn open(
        outputs: &[Output],
        spec: &ReportSpec,
        config: &OutputConfig,
        started: SystemTime,
    ) -> Result<(Vec<OpenReport>, ReportTables), CommandError> {
        let names = RunNames::new(started);
        let (per_table, whole): (Vec<Output>, Vec<Output>) = outputs.iter().cloned().partition(has_table);
        if let Some((message, output)) = whole.iter().find_map(|output| Some((too_many(output, spec)?, output))) {
            let (format, ending) = (output.format, ending(output));
            return Err(CommandError::usage(format!("{message}: write {format}={{table}}.{ending}, a file for each")));
        }
        // Without a word on tables there is at least one for the sources.
        let mut known: Vec<Box<str>> = spec.tables.iter().map(|table| table.name.clone()).collect();
        if known.is_empty() {
            known.push(SOURCES.into());
        }
        let of_tables: Vec<(Box<str>, Output)> =
            per_table.iter().flat_map(|output| known.iter().map(|name| (name.clone(), output.clone()))).collect();
        let all: Vec<Output> = whole
            .iter()
            .map(|output| placed(output, &names))
            .chain(of_tables.iter().map(|(name, output)| placed(output, &names.of_table(name))))
            .collect();
        let mut reports = report::try_open(&all, &config.style).map_err(|failure| {
            let asked = whole.get(failure.output).or_else(|| Some(&of_tables.get(failure.output - whole.len())?.1));
            let error = CommandError::report(&failure.error);
            asked.map_or_else(|| error.clone(), |output| config.located(output, error.clone()))
        })?;
        let opened = reports.split_off(whole.len());
        let open = of_tables.into_iter().zip(opened).map(|((name, output), report)| (name, output, report)).collect();
        let (spec, last) = (spec.clone(), Vec::new());
        Ok((reports, ReportTables { spec, last, names: Some(names), style: config.style.clone(), per_table, open }))
    }

    /// Whether tables are to be made of the rows, beside those that show them as they are.
    pub(crate) fn need_rows(&self) -> bool {
        !self.spec.tables.is_empty() || self.has_files()
    }

    /// Whether there is a report beside those that hold everything.
    pub(crate) fn has_files(&self) -> bool {
        !self.per_table.is_empty()
    }

    /// Gives up the reports that have a file for each table.
    #[cfg(feature = "watch")]
    pub(crate) fn leave_files(&mut self) {
        self.per_table.clear();
        self.open.clear();
    }

    /// With these rows of earlier runs beside those of this one.
    pub(crate) fn with_last(self, last: Vec<Rows>) -> ReportTables {
        ReportTables { last, ..self }
    }

    /// Makes the tables, if outcomes have all rows. Returns what could not be made.
    pub(crate) fn fill(&self, run: &mut RunInfo, outcomes: &[Outcome], has_rows: bool) -> Vec<Error> {
        let Some(names) = &self.names else { return Vec::new() };
        run.title = self.spec.title.as_deref().map(|title| names.fill(title).into());
        if !has_rows {
            return Vec::new();
        }
        let cutoff = run.cutoff.clone();
        let time_after = TIME_FOR_CONTENTS - TIME_FOR_TABLES;
        let is_over = IsOver::new(move || cutoff.has_come(Instant::now() + time_after));
        let (tables, errors) = self.spec.tables(outcomes, &self.last, names, &run.redactor, &is_over);
        run.tables = tables;
        errors
    }

    /// Writes the reports that have a file for each table. Returns what went wrong.
    pub(crate) fn write(self, run: &RunInfo, summary: &Summary, outcomes: &[Outcome]) -> Vec<Error> {
        let Some(names) = &self.names else { return Vec::new() };
        let mut open = self.open;
        let mut errors = Vec::new();
        for output in &self.per_table {
            for run in per_table(run, self.spec.tables.is_empty()) {
                let name = run.tables.first().map_or(SOURCES, |table| &table.name);
                let at = open.iter().position(|(of, opened, _)| **of == *name && opened == output);
                let report = match at {
                    Some(at) => Ok(vec![open.swap_remove(at).2]),
                    None => report::open(&[placed(output, &names.of_table(name))], &self.style),
                };
                let written = report.and_then(|reports| {
                    reports.into_iter().try_for_each(|mut report| {
                        // Those that do not stream take none.
                        report.results(&run.redactor, outcomes)?;
                        report.finish(&run, summary, outcomes)
                    })
                });
                errors.extend(written.err());
            }
        }
        errors
    }
}

/// The run once for each of its tables, with that table alone; and if `results`, once without any, for its results.
fn per_table(run: &RunInfo, results: bool) -> impl Iterator<Item = RunInfo> {
    let with = |tables| RunInfo { tables, ..run.clone() };
    let has_sources = run.tables.iter().any(|table| *table.name == *SOURCES);
    let results = (results && !has_sources).then(Vec::new);
    run.tables.iter().map(|table| vec![table.clone()]).chain(results).map(with)
}

/// What stands for the name of a table where there are only results.
const SOURCES: &str = "sources";

fn has_table(output: &Output) -> bool {
    let path = output.destination.path().and_then(std::path::Path::to_str);
    path.is_some_and(|path| path.replace("{{table}}", "").contains("{table}"))
}

/// The output with values in place of the names in its file's name.
fn placed(output: &Output, names: &RunNames) -> Output {
    let Some(path) = output.destination.path() else { return output.clone() };
    let path = path.to_str().map_or_else(|| path.to_owned(), |path| names.fill(path).into());
    Output { destination: output.destination.at(path), ..output.clone() }
}

/// What is wrong with a report that can hold one table, if more are known.
fn too_many(output: &Output, spec: &ReportSpec) -> Option<String> {
    let tables = spec.known_tables();
    if tables < 2 || !output.format.needs().one_table || has_table(output) {
        return None;
    }
    Some(format!("{tables} tables do not go into one {} report", output.format))
}

/// How the name of its file ends.
fn ending(output: &Output) -> &'static str {
    output.format.endings.first().copied().unwrap_or(output.format.name)
}
