//! From flags to output: reports, contents, the terminal.

use std::io::IsTerminal;
use std::path::PathBuf;

use roundup::report::{Destination, Output, Style, Width};
use roundup::{Error, Kind, Result};

use crate::cli::console::{colors, is_dumb, width};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::Flags;

/// What is written where.
#[derive(Clone, Debug)]
pub(crate) struct OutputConfig {
    pub(crate) reports: Vec<Output>,
    /// Reports that the plan asks for, and where it does so, for errors.
    pub(crate) planned: Vec<(Output, String)>,
    /// Where contents are saved.
    pub(crate) folder: Option<PathBuf>,
    /// The one file that the content of the one source is saved to.
    pub(crate) file: Option<PathBuf>,
    /// Whether contents go to stdout.
    pub(crate) body: bool,
    /// Whether those of failed responses do, too.
    pub(crate) failed_bodies: bool,
    /// Whether heads do, each before its content.
    pub(crate) heads: bool,
    /// Whether a content that is not new counts as a failure in the exit code.
    pub(crate) fail_stale: bool,
    pub(crate) quiet: bool,
    /// 1: attempts as they end; 2: their heads, too.
    pub(crate) verbose: u8,
    pub(crate) style: Style,
    pub(crate) progress: ProgressStyle,
    /// Whether contents are compared with those of the round before, and so are needed for a moment.
    pub(crate) compares_bodies: bool,
}

/// How a run is shown on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgressStyle {
    /// Lines that are drawn again and again.
    Live,
    /// A line now and then.
    Plain,
    None,
}

impl OutputConfig {
    /// What flags say, or else the plan with these reports.
    pub(crate) fn new(flags: &Flags, planned: &[Output]) -> Result<OutputConfig> {
        let mut reports: Vec<Output> =
            flags.all("report").iter().map(|report| report.parse(str::parse)).collect::<Result<_>>()?;
        if reports.is_empty() {
            reports.extend_from_slice(planned);
        }
        let folder = flags.text("output_dir").map(PathBuf::from);
        let mut file = flags.text("output").map(PathBuf::from);
        // What goes to /dev/null takes its head along, as in curl.
        let is_dropped =
            file.as_ref().is_some_and(|file| file.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir()));
        let (heads, failed_bodies) = (flags.on("include")? && !is_dropped, flags.on("fail_with_body")?);
        let mut body = (flags.on("body")? || heads || failed_bodies).then_some(());
        // As in curl.
        if file.take_if(|file| file.as_os_str() == "-").is_some() {
            body = Some(());
        }
        let why = "contents go to one file or to files in a folder";
        let (file, folder) = flags.exclusive(("output", file), ("output_dir", folder), why)?;
        let why = if heads && flags.is_typed("include") {
            "heads go to stdout, with what is behind them: write > FILE to have both in a file"
        } else {
            "contents go to stdout or to files"
        };
        let (body, folder) = flags.exclusive((body_option(flags), body), ("output_dir", folder), why)?;
        let (body, file) = flags.exclusive((body_option(flags), body), ("output", file), why)?;
        let (body, reports) = one_on_stdout(flags, body.is_some(), reports)?;
        let quiet = flags.on("quiet")?;
        let verbose = flags.level("verbose")?;
        let terminal = std::io::stdout().is_terminal();
        let dumb = is_dumb();
        let color = colors(flags.choice("color")?.unwrap_or("auto"), terminal && !dumb);
        // Lines that come as the run goes on would be written into those that are drawn.
        let streams = terminal && (body || reports.iter().any(|it| is_stdout(it) && it.format.needs().streams));
        let live = !quiet && !streams && std::io::stderr().is_terminal() && !dumb;
        Ok(OutputConfig {
            reports,
            planned: Vec::new(),
            folder,
            file,
            body,
            failed_bodies: heads || failed_bodies,
            heads,
            fail_stale: flags.on("fail_stale")?,
            quiet,
            verbose,
            style: Style {
                color,
                width: if terminal { Width::Asked(width) } else { Width::Any },
                columns: columns(flags),
            },
            progress: match flags.choice("progress")? {
                Some("plain") => ProgressStyle::Plain,
                Some("none") => ProgressStyle::None,
                _ if live => ProgressStyle::Live,
                _ => ProgressStyle::None,
            },
            compares_bodies: false,
        })
    }

    /// What flags say, or else a plan that asks for these reports in these places.
    pub(crate) fn of_plan(flags: &Flags, planned: Vec<(Output, String)>) -> Result<OutputConfig> {
        let outputs: Vec<Output> = planned.iter().map(|(output, _)| output.clone()).collect();
        let planned = if flags.all("report").is_empty() { planned } else { Vec::new() };
        Ok(OutputConfig { planned, ..OutputConfig::new(flags, &outputs)? })
    }

    /// What is wrong with a report, with the place where a plan asks for it: a mistake on the command line is one of the plan
    /// there.
    pub(crate) fn located(&self, output: &Output, error: CommandError) -> CommandError {
        let Some((_, place)) = self.planned.iter().find(|(planned, _)| planned == output) else { return error };
        CommandError {
            exit: if error.exit == Exit::Usage { Exit::Plan } else { error.exit },
            lines: error.lines.into_iter().map(|line| format!("{place}: {line}")).collect(),
        }
    }

    /// Whether no report and no contents were asked for.
    pub(crate) fn is_default(&self) -> bool {
        self.reports.is_empty() && !self.body
    }

    /// Whether the fields of responses are needed.
    pub(crate) fn keeps_fields(&self) -> bool {
        self.heads || self.reports.iter().any(|output| output.format.needs().fields)
    }

    /// Whether contents are needed after their job has ended.
    pub(crate) fn keeps_bodies(&self) -> bool {
        self.body || self.reports.iter().any(|report| report.format.needs().contents)
    }

    /// Whether stdout is for programs to read, so that messages must go elsewhere.
    pub(crate) fn stdout_is_data(&self) -> bool {
        self.body || self.reports.iter().any(|report| is_stdout(report) && !report.format.is_for_people())
    }
}

/// The option by which contents go to stdout, for errors.
fn body_option(flags: &Flags) -> &'static str {
    ["include", "fail_with_body"].into_iter().find(|name| flags.is_typed(name)).unwrap_or("body")
}

/// The values that have a column in the table.
fn columns(flags: &Flags) -> Option<Vec<Box<str>>> {
    let names = flags.text("columns")?;
    Some(names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Box::from).collect())
}

fn is_stdout(report: &Output) -> bool {
    report.destination == Destination::Stdout
}

/// Contents and a report cannot both go to stdout: what is typed counts more than what the environment says.
fn one_on_stdout(flags: &Flags, body: bool, mut reports: Vec<Output>) -> Result<(bool, Vec<Output>)> {
    let Some(report) = reports.iter().find(|report| body && is_stdout(report)) else { return Ok((body, reports)) };
    match (flags.is_typed(body_option(flags)), flags.is_typed("report")) {
        (true, false) => {
            reports.retain(|report| !is_stdout(report));
            Ok((true, reports))
        }
        (false, true) => Ok((false, reports)),
        _ => {
            let (format, body) = (report.format, body_option(flags).replace('_', "-"));
            let text =
                format!("--{body} and the {format} report cannot both go to stdout: write --report {format}=FILE");
            Err(Error::new(Kind::Config, text))
        }
    }
}
