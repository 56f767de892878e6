//! `history`: the runs of a state file.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use roundup::printable;
use roundup::state::State;
use roundup::units::DisplayDuration;

use crate::cli::console::print;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::History;

/// A line a run, the last one last.
pub(crate) fn history(history: &History) -> Result<Exit, CommandError> {
    let runs = State::open_to_read(Path::new(&history.file))
        .and_then(|state| state.history())
        .map_err(|error| CommandError::state(&error))?;
    let mut text = format!(
        "{:>5}  {:<24}  {:>8}  {:<9}  {:>7}  {:>7}  {:>6}  {:>6}  {:>9}  PLAN\n",
        "RUN", "STARTED", "TOOK", "END", "SOURCES", "OK", "FAILED", "TRIES", "BYTES"
    );
    for run in runs {
        // To the millisecond.
        let took = run.elapsed.map(|took| Duration::from_millis((took.as_secs_f64() * 1000.0).round() as u64));
        let took = took.map_or_else(|| "-".to_owned(), |took| DisplayDuration(took).to_string());
        let resumed = if run.resumed > 0 { format!(" (resumed {})", run.resumed) } else { String::new() };
        let _ = writeln!(
            text,
            "{:>5}  {:<24}  {:>8}  {:<9}  {:>7}  {:>7}  {:>6}  {:>6}  {:>9}  {}{resumed}",
            run.id,
            run.started,
            took,
            run.status.as_str(),
            run.sources,
            run.ok,
            run.failed,
            run.tries,
            run.bytes,
            printable(&run.plan, &[]),
        );
    }
    print(&text)
}
