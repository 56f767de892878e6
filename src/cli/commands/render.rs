//! `render`: a result that was written before, in other formats. Nothing is fetched.

use roundup::tables::ReportSpec;

use super::table::table;
use crate::cli::config::OutputConfig;
use crate::cli::console::complain;
use crate::cli::error::{CommandError, is_broken_pipe};
use crate::cli::exit::Exit;
use crate::cli::flags::{Flags, Render};
use crate::cli::report_tables::ReportTables;
use crate::cli::results;

pub(crate) fn render(render: &Render, flags: &Flags) -> Result<Exit, CommandError> {
    let output = OutputConfig::new(flags, table().as_slice())?;
    let (run, outcomes) = results::read(&render.result)?;
    let summary = run.summary(&outcomes);
    let (reports, tables) = ReportTables::open(&output.reports, &ReportSpec::default(), &output, run.started)?;
    let mut failed = Vec::new();
    for mut report in reports {
        // Those that do not stream take none.
        let streamed = report.results(&run.redactor, &outcomes);
        failed.extend(streamed.and_then(|()| report.finish(&run, &summary, &outcomes)).err());
    }
    failed.extend(tables.write(&run, &summary, &outcomes));
    // The reader of stdout has what it wanted.
    failed.retain(|error| !is_broken_pipe(error));
    failed.iter().for_each(|error| complain(&error.one_line()));
    Ok(if failed.is_empty() { Exit::Success } else { Exit::Report })
}
