//! Results that were written before: a report in JSON or JSON Lines, or a run of a state file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use roundup::report::{self, RunInfo};
use roundup::{Error, Kind, Outcome, Result};

use super::console::complain;
use super::error::CommandError;
use super::exit::Exit;
use super::input::DASH;

/// What every file of SQLite begins with.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// Reads `FILE`, or `FILE#RUN` for one run of a state file; `-` is stdin. Of a state file alone it is the last run.
///
/// # Errors
/// It cannot be read, is no result, or has no such run; exit code 2.
pub(crate) fn read(name: &str) -> Result<(RunInfo, Vec<Outcome>), CommandError> {
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
        return of_state(file, run).map_err(|error| CommandError { exit: Exit::Plan, lines: vec![error.one_line()] });
    }
    let text = text(file).map_err(|error| {
        let error = match error.kind() {
            io::ErrorKind::InvalidData => io::Error::other("it is neither text nor a state file"),
            _ => error,
        };
        wrong(&Error::new(Kind::Io, "the result cannot be read").with_source(error))
    })?;
    if run.is_some() {
        return Err(wrong(&Error::new(
            Kind::Config,
            format!("{file} is no state file, so it has one run: write {file}"),
        )));
    }
    let (run, outcomes) = report::read(&text).map_err(|error| wrong(&error))?;
    if run.start_text().is_none() {
        complain(&format!(
            "{name} was cut short: it has {} results, and does not say when they were fetched",
            outcomes.len()
        ));
    }
    Ok((run, outcomes))
}

fn text(file: &str) -> io::Result<String> {
    if file == DASH { io::read_to_string(io::stdin().lock()) } else { fs::read_to_string(file) }
}

fn is_sqlite(file: &str) -> bool {
    let mut begin = Vec::new();
    let read = File::open(file).and_then(|file| file.take(SQLITE.len() as u64).read_to_end(&mut begin));
    read.is_ok() && begin == SQLITE
}

#[cfg(feature = "state")]
fn of_state(file: &str, run: Option<i64>) -> Result<(RunInfo, Vec<Outcome>)> {
    use roundup::ShardRun;
    use roundup::state::{HistoryStatus, KeptResult, State};
    use roundup::tables::{IsOver, ReportSpec, RunNames};

    let KeptResult { record, started, outcomes } = State::open_to_read(Path::new(file))?.result(run)?;
    let elapsed = record.elapsed.unwrap_or_default();
    let mut info = RunInfo { elapsed, interrupted: record.status != HistoryStatus::Done, ..RunInfo::default() };
    info.started = started.unwrap_or(info.started);
    // As a run of a shard is named in the file.
    let shard = record.plan.rsplit_once(' ').and_then(|(_, shard)| shard.parse().ok());
    info.shard = shard.map(|shard| ShardRun { shard, plan: None });
    // The plan is not in the file, so its rows are shown as they are.
    let names = RunNames::new(info.started);
    info.tables = ReportSpec::default().tables(&outcomes, &[], &names, &info.redactor, &IsOver::default()).0;
    Ok((info, outcomes))
}

#[cfg(not(feature = "state"))]
fn of_state(file: &str, _: Option<i64>) -> Result<(RunInfo, Vec<Outcome>)> {
    let text = format!("{file} is a state file, and this build reads none: take one with the cargo feature \"state\"");
    Err(Error::new(Kind::Config, text))
}
