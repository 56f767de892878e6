//! `state`: a state file is looked after.

use std::path::Path;

use roundup::printable;
use roundup::state::{Checked, State};

use crate::cli::console::print;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::StateCommand;

pub(crate) fn state(state: &StateCommand) -> Result<Exit, CommandError> {
    match state.action.as_str() {
        "check" => check(&state.file),
        other => Err(CommandError::usage(format!("\"{other}\" cannot be done with a state: write check"))),
    }
}

/// Whether the file is sound, and what it holds.
fn check(file: &str) -> Result<Exit, CommandError> {
    let checked = State::open_to_read(Path::new(file))
        .and_then(|state| state.check())
        .map_err(|error| CommandError::state(&error))?;
    let Checked { faults, bytes, free_bytes, runs, outcomes, rows, contents, content_bytes } = checked;
    if !faults.is_empty() {
        let lines = faults.iter().map(|fault| format!("{file}: {}", printable(fault, &[]))).collect();
        return Err(CommandError { exit: Exit::Report, lines });
    }
    print(&format!(
        "{file} is sound: {bytes} bytes, {free_bytes} of them free\n\
         {runs} runs, {outcomes} outcomes, {rows} rows, {contents} contents of {content_bytes} bytes\n",
        file = printable(file, &[]),
    ))
}
