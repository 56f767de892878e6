//! `merge`: the results of several runs as one, of the shards of a plan above all. Nothing is fetched.

use roundup::merge::{BodyStore, MergePlan, MergedResult, ResultPart, merge as merge_parts};
use roundup::tables::ReportSpec;

use super::table::table;
use crate::cli::config::{Config, OutputConfig};
use crate::cli::console::complain;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::{Flags, Merge};
use crate::cli::jobs::JobSet;
use crate::cli::report_tables::{ReportTables, planned};
use crate::cli::results;

pub(crate) fn merge(merge: &Merge, flags: &Flags) -> Result<Exit, CommandError> {
    if merge.results.is_empty() {
        return Err(CommandError::usage("RESULT is missing: write roundup merge 1.jsonl 2.jsonl --report report.html"));
    }
    let (plan, spec, mut output) = match flags.text("plan") {
        Some(file) => {
            let jobs = JobSet::from_plan_without_secrets(&file, &Config::new(flags)?)?;
            let output = OutputConfig::of_plan(flags, planned(&file, &jobs.report)?)?;
            let plan = MergePlan::new(&file, jobs.plan_digest(), &jobs.jobs, jobs.graph.as_ref());
            (Some(plan), jobs.report, output)
        }
        None => (None, ReportSpec::default(), OutputConfig::new(flags, &[])?),
    };
    if output.is_default() {
        output.reports.extend(table());
    }
    let parts = read(&merge.results, &output)?;
    let tables: Vec<Box<str>> =
        parts.iter().flat_map(|part| &part.run.tables).map(|table| table.name.clone()).collect();
    let merged = merge_parts(parts, plan.as_ref()).map_err(|errors| CommandError {
        exit: Exit::Plan,
        lines: errors.iter().map(roundup::Error::one_line).collect(),
    })?;
    let MergedResult { mut run, outcomes, notes, is_incomplete } = merged;
    notes.iter().for_each(|note| complain(note));
    let summary = run.summary(&outcomes);
    let (reports, report_tables) = ReportTables::open(&output.reports, &spec, &output, run.started)?;
    let title = run.title.take();
    let mut failed = report_tables.fill(&mut run, &outcomes, true);
    run.title = run.title.or(title);
    if plan.is_none() && tables.iter().any(|name| run.tables.iter().all(|table| table.name != *name)) {
        complain("the tables of the plan's report are not made: give the plan with --plan");
    }
    failed.extend(results::write(reports, report_tables, &run, &summary, &outcomes));
    failed.iter().for_each(|error| complain(&run.redactor.redact(&error.one_line())));
    let exit = if failed.is_empty() { Exit::Success } else { Exit::Report };
    let exit = if is_incomplete { exit.max(Exit::Failed) } else { exit };
    Ok(outcomes.iter().map(|outcome| Exit::of(outcome, output.fail_stale)).fold(exit, Exit::max))
}

/// Reads the results. Contents that no report shows are dropped as they are read, and others go to a temporary file if there
/// are many.
///
/// # Errors
/// A line for each that cannot be read.
fn read(names: &[String], output: &OutputConfig) -> Result<Vec<ResultPart>, CommandError> {
    let contents = output.keeps_bodies().then(BodyStore::default);
    let (mut parts, mut wrong) = (Vec::with_capacity(names.len()), Vec::new());
    for name in names {
        let read = results::read_each(name, &mut |outcome| {
            let body = outcome.body.take();
            outcome.body = contents.as_ref().zip(body).map(|(contents, body)| contents.keep(body));
        });
        match read {
            Ok((run, outcomes)) => parts.push(ResultPart { name: name.clone(), run, outcomes }),
            Err(error) => wrong.extend(error.lines),
        }
    }
    if wrong.is_empty() { Ok(parts) } else { Err(CommandError { exit: Exit::Plan, lines: wrong }) }
}
