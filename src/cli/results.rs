//! Results that were written before: a report in JSON or JSON Lines, or a run of a state file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use roundup::report::{self, OpenReport, RunInfo};
use roundup::rows::DataTable;
use roundup::tables::{IsOver, ReportSpec, RunNames};
use roundup::{Error, Kind, Outcome, Result, Summary, sort_outcomes};

use super::console::complain;
use super::error::{CommandError, is_broken_pipe};
use super::exit::Exit;
use super::input::DASH;
use super::report_tables::ReportTables;

/// What every file of SQLite begins with.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// Reads `FILE`, or `FILE#RUN` for one run of a state file; `-` is stdin. Of a state file alone it is the last run.
///
/// # Errors
/// It cannot be read, is no result, or has no such run; exit code 2.
pub(crate) fn read(name: &str) -> Result<(RunInfo, Vec<Outcome>), CommandError> {
    read_each(name, &mut |_| {})
}

/// The same, where each outcome is changed as soon as it was read.
pub(crate) fn read_each(
    name: &str,
    change: &mut dyn FnMut(&mut Outcome),
) -> Result<(RunInfo, Vec<Outcome>), CommandError> {
    let (file, run) = match name.rsplit_once('#') {
        // A file may have such a name itself.
        Some((file, run)) if !Path::new(name).exists() => match run.parse() {
            Ok(number) if run.bytes().all(|byte| byte.is_ascii_digit()) => (file, Some(number)),
            _ => (name, None),
        },
        _ => (name, None),
    };
    let wrong = |error: &Error| {
        let lines = vec![format!("{name}: {}", error.one_line())];
        CommandError { exit: Exit::Plan, lines }
    };
    if file != DASH && is_sqlite(file) {
        let read = of_state(file, run);
        let (run, mut outcomes) =
            read.map_err(|error| CommandError { exit: Exit::Plan, lines: vec![error.one_line()] })?;
        outcomes.iter_mut().for_each(change);
        return Ok((run, outcomes));
    }
    let opened: io::Result<Box<dyn BufRead>> = match file {
        DASH => Ok(Box::new(io::stdin().lock())),
        _ => File::open(file).map(|file| Box::new(BufReader::new(file)) as Box<dyn BufRead>),
    };
    let mut from =
        opened.map_err(|error| wrong(&Error::new(Kind::Io, "the result cannot be read").with_source(error)))?;
    if run.is_some() {
        return Err(wrong(&Error::new(
            Kind::Config,
            format!("{file} is no state file, so it has one run: write {file}"),
        )));
    }
    let mut outcomes = Vec::new();
    let take = &mut |mut outcome| {
        change(&mut outcome);
        outcomes.push(outcome);
    };
    let mut run = report::read_from(&mut *from, take).map_err(|error| wrong(&error))?;
    sort_outcomes(&mut outcomes);
    if run.tables.is_empty() && outcomes.iter().any(|outcome| !outcome.rows.is_empty()) {
        // Of lines whose rows came page by page, and of those that a killed run has left.
        run.tables = tables_of(&run, &outcomes);
    }
    if run.start_text().is_none() {
        complain(&format!(
            "{name} was cut short: it has {} results, and does not say when they were fetched",
            outcomes.len()
        ));
    }
    Ok((run, outcomes))
}

/// Writes a result that was read to these reports. Returns what went wrong.
pub(crate) fn write(
    reports: Vec<OpenReport>,
    tables: ReportTables,
    run: &RunInfo,
    summary: &Summary,
    outcomes: &[Outcome],
) -> Vec<Error> {
    let mut failed = Vec::new();
    for mut report in reports {
        // Those that do not stream take none.
        let begun = run.shard.iter().try_for_each(|shard| report.shard(shard));
        let streamed = begun.and_then(|()| report.results(&run.redactor, outcomes));
        failed.extend(streamed.and_then(|()| report.finish(run, summary, outcomes)).err());
    }
    failed.extend(tables.write(run, summary, outcomes));
    // The reader of stdout has what it wanted.
    failed.retain(|error| !is_broken_pipe(error));
    failed
}

fn is_sqlite(file: &str) -> bool {
    let mut begin = Vec::new();
    let read = File::open(file).and_then(|file| file.take(SQLITE.len() as u64).read_to_end(&mut begin));
    read.is_ok() && begin == SQLITE
}

/// The tables that the rows make.
fn tables_of(run: &RunInfo, outcomes: &[Outcome]) -> Vec<DataTable> {
    let names = RunNames::new(run.started);
    ReportSpec::default().tables(outcomes, &[], &names, &run.redactor, &IsOver::default()).0
}

#[cfg(feature = "state")]
fn of_state(file: &str, run: Option<i64>) -> Result<(RunInfo, Vec<Outcome>)> {
    use roundup::ShardRun;
    use roundup::state::{HistoryStatus, KeptResult, State};

    let KeptResult { record, started, outcomes } = State::open_to_read(Path::new(file))?.result(run)?;
    let elapsed = record.elapsed.unwrap_or_default();
    let mut info = RunInfo { elapsed, interrupted: record.status != HistoryStatus::Done, ..RunInfo::default() };
    info.started = started.unwrap_or(info.started);
    // As a run of a shard is named in the file.
    let shard = record.plan.rsplit_once(' ').and_then(|(_, shard)| shard.parse().ok());
    info.shard = shard.map(|shard| ShardRun { shard, plan: None });
    // The plan is not in the file, so its rows are shown as they are.
    info.tables = tables_of(&info, &outcomes);
    Ok((info, outcomes))
}

#[cfg(not(feature = "state"))]
fn of_state(file: &str, _: Option<i64>) -> Result<(RunInfo, Vec<Outcome>)> {
    let text = format!("{file} is a state file, and this build reads none: take one with the cargo feature \"state\"");
    Err(Error::new(Kind::Config, text))
}
