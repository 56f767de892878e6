//! How a run is made and shown: transport, reports, colours; from options and the environment.

use std::io::IsTerminal;
use std::path::PathBuf;

use roundup::report::{Style, Target, target};
use roundup::transport::{Proxies, Roots, Transport};
use roundup::{Error, Fetcher, Kind, Result};

use crate::failed::Failed;
use crate::options::Options;
use crate::work::Work;
use crate::writer::Writer;

/// Everything of a run but its sources.
#[derive(Debug)]
pub(crate) struct Manner {
    transport: roundup::transport::TransportBuilder,
    fail_fast: bool,
    targets: Vec<Target>,
    pub(crate) output_dir: Option<PathBuf>,
    body: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) style: Style,
    pub(crate) progress: bool,
}

impl Manner {
    pub(crate) fn new(options: &Options) -> Result<Manner> {
        let mut transport = Transport::builder().proxies(proxies(options)?);
        if let Some(roots) = options.parsed("roots", str::parse::<Roots>)? {
            transport = transport.roots(roots);
        }
        if let Some(given) = options.one("cacert") {
            transport = transport.roots(Roots::File(given.text.into()));
        }
        if options.on("insecure")? {
            transport = transport.danger_accept_invalid_certs(true);
        }
        if let Some(given) = options.one("user-agent") {
            given.parse(|text| roundup::Field::new("User-Agent", text))?;
            transport = transport.user_agent(given.text);
        }
        let mut targets = Vec::new();
        for given in options.all("report") {
            targets.push(given.parse(str::parse::<Target>)?);
        }
        let color = options.one("color").map_or(Ok(When::Auto), |given| given.parse(When::parse))?;
        let quiet = options.on("quiet")?;
        let terminal = std::io::stdout().is_terminal();
        Ok(Manner {
            // A file that cannot be read is found here, before anything is fetched.
            transport: transport.clone().build().map(|_| transport)?,
            fail_fast: options.on("fail-fast")?,
            targets,
            output_dir: options.one("output-dir").map(|given| given.text.into()),
            body: options.on("body")?,
            quiet,
            verbose: options.on("verbose")?,
            style: Style { color: color.applies(terminal), width: if terminal { width() } else { None } },
            progress: !quiet && std::io::stderr().is_terminal() && !is_dumb(),
        })
    }

    /// A fetcher with connections of its own.
    pub(crate) fn fetcher(&self, work: &Work) -> Result<Fetcher> {
        let transport = self.transport.clone().build()?;
        let keep = self.body || self.targets.iter().any(|target| target.format.holds_bodies());
        let fetcher = Fetcher::with_transport(transport).limits(work.limits.clone()).deadline(work.deadline);
        Ok(fetcher.fail_fast(self.fail_fast).keep_bodies(keep))
    }

    /// Whether no report and no bodies were asked for.
    pub(crate) fn nothing_asked(&self) -> bool {
        self.targets.is_empty() && !self.body
    }

    /// Opens all that is to be written. `by_default` is what is written where nothing was asked for.
    pub(crate) fn open(&self, work: &Work, by_default: Option<Target>) -> Result<Writer, Failed> {
        let mut targets = self.targets.clone();
        if self.nothing_asked() {
            targets.extend(by_default);
        }
        let to_stdout = |target: &&Target| target.destination == roundup::report::Destination::Stdout;
        if let Some(other) = targets.iter().find(to_stdout).filter(|_| self.body) {
            let text = format!(
                "--body and the {} report cannot both go to stdout: write --report {}=FILE",
                other.format, other.format
            );
            return Err(Failed::usage(text));
        }
        if self.body && self.output_dir.is_some() {
            return Err(Failed::usage("--body and --output-dir exclude each other: contents go to stdout or to files"));
        }
        if let Some(folder) = &self.output_dir {
            std::fs::create_dir_all(folder).map_err(|error| {
                let text = format!("the folder {} cannot be made", folder.display());
                Failed::report(&Error::new(Kind::Io, text).with_source(error))
            })?;
        }
        let opened = target::open(&targets).map_err(|error| Failed::report(&error))?;
        Ok(Writer::new(opened, work, self))
    }

    /// A writer that writes nothing, for a run that is only timed.
    pub(crate) fn silent(&self, work: &Work) -> Writer {
        Writer::silent(work, self)
    }

    pub(crate) fn writes_bodies(&self) -> bool {
        self.body
    }
}

/// The proxies to use: `--proxy` for all but those that no_proxy names, or else those of the environment.
fn proxies(options: &Options) -> Result<Proxies> {
    let variable = |name: &str| std::env::var(name).ok();
    match options.parsed("proxy", str::parse)? {
        Some(proxy) => Ok(Proxies::explicit(proxy, variable)),
        None => Proxies::from_environment(variable),
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Auto,
    Always,
    Never,
}

impl When {
    fn parse(text: &str) -> Result<When> {
        match text {
            "auto" => Ok(When::Auto),
            "always" => Ok(When::Always),
            "never" => Ok(When::Never),
            _ => Err(Error::new(Kind::Config, format!("\"{text}\" is not valid: write auto, always or never"))),
        }
    }

    /// NO_COLOR (no-color.org), CLICOLOR_FORCE and CLICOLOR (bixense.com/clicolors) decide where the option does not.
    fn applies(self, terminal: bool) -> bool {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match self {
            When::Always => true,
            When::Never => false,
            When::Auto if set("NO_COLOR").is_some() => false,
            When::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            When::Auto => terminal && !is_dumb() && set("CLICOLOR").is_none_or(|value| value != "0"),
        }
    }
}

/// Whether the terminal cannot move its cursor.
fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|term| term == "dumb")
}

/// How wide the terminal is: COLUMNS, or what it says itself.
pub(crate) fn width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
    columns.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
}
