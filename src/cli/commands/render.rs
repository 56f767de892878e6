//! `render`: a result that was written before, in other formats. Nothing is fetched.

use roundup::tables::ReportSpec;

use super::table::table;
use crate::cli::config::OutputConfig;
use crate::cli::console::complain;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::{Flags, Render};
use crate::cli::report_tables::ReportTables;
use crate::cli::results;

pub(crate) fn render(render: &Render, flags: &Flags) -> Result<Exit, CommandError> {
    let output = OutputConfig::new(flags, table().as_slice())?;
    let (run, outcomes) = results::read(&render.result)?;
    let summary = run.summary(&outcomes);
    let (reports, tables) = ReportTables::open(&output.reports, &ReportSpec::default(), &output, run.started)?;
    let failed = results::write(reports, tables, &run, &summary, &outcomes);
    failed.iter().for_each(|error| complain(&error.one_line()));
    Ok(if failed.is_empty() { Exit::Success } else { Exit::Report })
}
