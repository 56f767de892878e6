//! `diff`: what differs between two results. Nothing is fetched.

use roundup::report::{self, ResultDiff, RowKey};
use roundup::{Error, Kind};

use super::table::table;
use crate::cli::config::OutputConfig;
use crate::cli::error::{CommandError, is_broken_pipe};
use crate::cli::exit::Exit;
use crate::cli::flags::{Diff, Flags};
use crate::cli::results;

pub(crate) fn diff(diff: &Diff, flags: &Flags) -> Result<Exit, CommandError> {
    let output = OutputConfig::new(flags, table().as_slice())?;
    let keys: Vec<RowKey> =
        flags.all("row_key").iter().map(|key| key.parse(str::parse)).collect::<roundup::Result<_>>()?;
    for report in &output.reports {
        if !FORMATS.contains(&report.format.name) {
            let message =
                format!("differences are not written as {}: write one of {}", report.format, FORMATS.join(", "));
            return Err(Error::new(Kind::Config, message).into());
        }
    }
    report::check_places(&output.reports).map_err(|failure| failure.error)?;
    let ((old_run, old), (new_run, new)) = (results::read(&diff.old)?, results::read(&diff.new)?);
    let found = ResultDiff::between((&diff.old, &old_run, &old), (&diff.new, &new_run, &new), &keys)?;
    for report in &output.reports {
        let written = report.write(|out| match report.format.name {
            "json" => found.write_json(out),
            _ => found.write_text(out, &output.style),
        });
        match written {
            // The reader has what it wanted.
            Err(error) if is_broken_pipe(&error) => {}
            written => written.map_err(|error| CommandError::report(&error))?,
        }
    }
    Ok(if flags.on("exit_code")? && !found.is_empty() { Exit::Expectation } else { Exit::Success })
}

/// The formats that there are for differences.
const FORMATS: [&str; 2] = ["table", "json"];
