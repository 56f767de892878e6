//! How a run is made and shown: transport, reports, colours; from options and the environment.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use roundup::report::{Destination, Format, Style, Target, target};
use roundup::transport::{Proxies, Roots, Transport, TransportBuilder};
use roundup::{Error, Fetcher, Kind, Result};

use crate::connections::directed;
use crate::failed::Failed;
use crate::logger;
use crate::options::Options;
use crate::work::Work;
use crate::writer::Writer;

/// Everything of a run but its sources.
#[derive(Debug)]
pub(crate) struct Manner {
    transport: TransportBuilder,
    fail_fast: bool,
    targets: Vec<Target>,
    pub(crate) output_dir: Option<PathBuf>,
    pub(crate) body: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) style: Style,
    pub(crate) progress: bool,
}

impl Manner {
    pub(crate) fn new(options: &Options) -> Result<Manner> {
        let verbose = options.on("verbose")?;
        if verbose {
            logger::start();
        }
        Manner::by(options, proxies(options)?)
    }

    /// The same for a server on this machine, which no proxy of the environment reaches.
    #[cfg(feature = "demo")]
    pub(crate) fn nearby(options: &Options) -> Result<Manner> {
        match options.one("proxy") {
            Some(_) => Manner::new(options),
            None => Manner::by(options, Proxies::none()),
        }
    }

    fn by(options: &Options, proxies: Proxies) -> Result<Manner> {
        let typed = |name| options.typed(name).is_some();
        let mut transport = directed(options, proxies, Transport::builder())?;
        let roots = options.parsed("roots", str::parse::<Roots>)?;
        // Read here, so that the error names the option.
        let cacert = options.parsed("cacert", |file| {
            let roots = Roots::File(file.into());
            Transport::builder().roots(roots.clone()).build().map(|_| roots)
        })?;
        let roots = match (roots, cacert) {
            (Some(roots), Some(_)) if typed("roots") && !typed("cacert") => Some(roots),
            (Some(_), Some(file)) if typed("cacert") && !typed("roots") => Some(file),
            (Some(_), Some(_)) => {
                return Err(exclusive("--cacert and --roots", "certificates are trusted from one place"));
            }
            (roots, cacert) => cacert.or(roots),
        };
        if let Some(roots) = roots {
            transport = transport.roots(roots);
        }
        if options.on("insecure")? {
            transport = transport.danger_accept_invalid_certs(true);
        }
        transport = identity(options, transport)?;
        if let Some(pins) = options.parsed("pinnedpubkey", str::parse)? {
            transport = transport.pinned_public_keys(pins);
        }
        if options.on("keylog")? {
            Transport::builder().danger_key_log(true).build().map_err(|error| prefixed("--keylog", &error))?;
            transport = transport.danger_key_log(true);
        }
        if let Some(given) = options.one("user-agent") {
            given.parse(|text| roundup::Field::new("User-Agent", text))?;
            transport = transport.user_agent(given.text);
        }
        let mut targets = Vec::new();
        for given in options.all("report") {
            targets.push(given.parse(str::parse::<Target>)?);
        }
        let to_stdout = |target: &Target| target.destination == Destination::Stdout;
        let mut body = options.on("body")?;
        let mut output_dir = options.one("output-dir").map(|given| PathBuf::from(given.text));
        // What is typed counts more than what the environment says to the contrary.
        if body && output_dir.is_some() {
            match (typed("body"), typed("output-dir")) {
                (true, false) => output_dir = None,
                (false, true) => body = false,
                _ => return Err(exclusive("--body and --output-dir", "contents go to stdout or to files")),
            }
        }
        if let Some(format) =
            targets.iter().find(|target| to_stdout(target)).map(|target| target.format).filter(|_| body)
        {
            match (typed("body"), typed("report")) {
                (true, false) => targets.retain(|target| !to_stdout(target)),
                (false, true) => body = false,
                _ => {
                    let text = format!(
                        "--body and the {format} report cannot both go to stdout: write --report {format}=FILE"
                    );
                    return Err(Error::new(Kind::Config, text));
                }
            }
        }
        let verbose = options.on("verbose")?;
        let color = options.one("color").map_or(Ok(When::Auto), |given| given.parse(When::parse))?;
        let quiet = options.on("quiet")?;
        let terminal = std::io::stdout().is_terminal();
        let dumb = is_dumb();
        // Lines that come as the run goes on would be written into the line of progress.
        let streams = verbose || (terminal && (body || targets.iter().any(|t| to_stdout(t) && t.format.streams())));
        Ok(Manner {
            transport,
            fail_fast: options.on("fail-fast")?,
            targets,
            output_dir,
            body,
            quiet,
            verbose,
            style: Style { color: color.applies(terminal && !dumb), width: if terminal { width() } else { None } },
            progress: !quiet && !streams && std::io::stderr().is_terminal() && !dumb,
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
        if let Some(folder) = &self.output_dir {
            make_folder(folder).map_err(|error| Failed::report(&error))?;
        }
        let opened = target::open(&targets).map_err(|error| Failed::report(&error))?;
        Ok(Writer::new(opened, work, self))
    }

    /// A writer that writes nothing, for a run that is only timed.
    pub(crate) fn silent(&self, work: &Work) -> Writer {
        Writer::silent(work, self)
    }

    /// Whether stdout is for programs to read, so that nothing else may stand there.
    pub(crate) fn stdout_is_data(&self) -> bool {
        let is_data = |target: &Target| target.destination == Destination::Stdout && target.format != Format::Table;
        self.body || self.targets.iter().any(is_data)
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

/// The client certificate, read here so that errors name the option.
fn identity(options: &Options, transport: TransportBuilder) -> Result<TransportBuilder> {
    let with = |builder: TransportBuilder, cert: &str, key: Option<&str>| {
        builder.client_certificate(cert, key.map(PathBuf::from))
    };
    let builds = |cert: &str, key: Option<&str>| with(Transport::builder(), cert, key).build().map(drop);
    match (options.one("cert"), options.one("key")) {
        (None, None) => Ok(transport),
        (Some(cert), None) => {
            cert.parse(|file| builds(file, None))?;
            Ok(with(transport, &cert.text, None))
        }
        (Some(cert), Some(key)) => {
            builds(&cert.text, Some(&key.text)).map_err(|error| prefixed("--cert and --key", &error))?;
            Ok(with(transport, &cert.text, Some(&key.text)))
        }
        (None, Some(key)) => {
            key.parse(|_| Err(Error::new(Kind::Config, "there is no certificate to the key: give it with --cert")))
        }
    }
}

fn prefixed(what: &str, error: &Error) -> Error {
    Error::new(Kind::Config, format!("{what}: {}", error.one_line()))
}

pub(crate) fn exclusive(what: &str, why: &str) -> Error {
    Error::new(Kind::Config, format!("{what} exclude each other: {why}"))
}

/// Makes a folder that files can be written to.
fn make_folder(folder: &Path) -> Result<()> {
    let cannot = |what: &str, error: io::Error| {
        Error::new(Kind::Io, format!("the folder {} cannot be {what}", folder.display())).with_source(error)
    };
    std::fs::create_dir_all(folder).map_err(|error| cannot("made", error))?;
    // Found here, it costs no request.
    let probe = folder.join(format!(".roundup.{}.tmp", std::process::id()));
    std::fs::write(&probe, b"").map_err(|error| cannot("written to", error))?;
    std::fs::remove_file(&probe).map_err(|error| cannot("written to", error))
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

    /// NO_COLOR (no-color.org), CLICOLOR_FORCE and CLICOLOR (bixense.com/clicolors) decide where the option does not, and else
    /// whether it is a terminal that can show them.
    fn applies(self, terminal: bool) -> bool {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match self {
            When::Always => true,
            When::Never => false,
            When::Auto if set("NO_COLOR").is_some() => false,
            When::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            When::Auto => terminal && set("CLICOLOR").is_none_or(|value| value != "0"),
        }
    }
}

/// Whether the terminal cannot move its cursor.
fn is_dumb() -> bool {
    let takes_escapes = takes_escapes();
    std::env::var("TERM").map_or(!takes_escapes, |term| term == "dumb")
}

/// Whether a terminal of which the environment says nothing takes escape sequences.
#[cfg(not(windows))]
fn takes_escapes() -> bool {
    true
}

/// The console of Windows does, from Windows 10 on and once it has been asked to, which this does.
#[cfg(windows)]
fn takes_escapes() -> bool {
    enable_ansi_support::enable_ansi_support().is_ok()
}

/// How wide the terminal is: COLUMNS, or what it says itself.
pub(crate) fn width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
    columns.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
}
