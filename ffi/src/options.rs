//! Options by name and text, spelled as on the command line.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::fetcher::DEFAULT_BACKLOG;
use engine::plan::{HostTables, PlanReader};
use engine::transport::{Family, Interface, Proxies, Proxy, PublicKeyPins, Roots, TransportBuilder};
use engine::units::{parse_count, parse_duration, parse_size};
use engine::{Authorization, Error, Fetcher, Field, Kind, Limits, Redactor, Settings, SettingsPatch};

use crate::failure::Failure;

/// The most of anything at once: as in a plan.
const MAX_AT_ONCE: u64 = 100_000;

/// Everything that can be set before the first job.
#[derive(Default)]
pub(crate) struct Options {
    limits: Limits,
    deadline: Option<Duration>,
    fail_fast: bool,
    backlog: Option<usize>,
    /// What jobs do not say themselves, and the settings that it makes.
    patch: SettingsPatch,
    settings: Arc<Settings>,
    /// The same for the jobs of single hosts.
    pub(crate) hosts: HostTables,
    user: Option<Authorization>,
    bearer: Option<Authorization>,
    /// The folder that contents are saved to.
    pub(crate) output_dir: Option<PathBuf>,
    transport: TransportBuilder,
    roots: Option<Roots>,
    cacert: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    proxied: bool,
    unix_socket: bool,
    interface: bool,
    ipv4: bool,
    ipv6: bool,
    /// What `${NAME}` stands for.
    pub(crate) secrets: BTreeMap<String, String>,
    /// What `{name}` stands for.
    variables: BTreeMap<String, String>,
}

/// All options, in the order of the header.
pub(crate) const NAMES: [&str; 43] = [
    "concurrency",
    "per-host",
    "rate",
    "adaptive",
    "deadline",
    "max-memory",
    "fail-fast",
    "backlog",
    "hosts",
    "output-dir",
    "timeout",
    "connect-timeout",
    "job-timeout",
    "retries",
    "retry-on",
    "retry-unsafe",
    "retry-after-max",
    "follow",
    "max-body",
    "accept",
    "method",
    "raw",
    "header",
    "data",
    "user",
    "bearer",
    "user-agent",
    "proxy",
    "roots",
    "cacert",
    "cert",
    "key",
    "pinnedpubkey",
    "insecure",
    "expect100-timeout",
    "resolve",
    "connect-to",
    "ipv4",
    "ipv6",
    "unix-socket",
    "interface",
    "secret",
    "variable",
];

impl Options {
    /// Sets one; nothing has changed where that fails.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let of_run = self.read_for_run(name, value);
        let known = of_run.and_then(|known| Ok(known || self.read_for_jobs(name, value)?));
        let known = known.and_then(|known| Ok(known || self.read_for_transport(name, value)?));
        match known {
            Ok(true) => Ok(()),
            Ok(false) => {
                let text = format!("{name}: there is no such option: the options are {}", NAMES.join(", "));
                Err(Failure::invalid(text))
            }
            Err(error) => Err(Failure::invalid(format!("{name}: {}", error.one_line()))),
        }
    }

    /// Reads an option about all jobs together; says whether it is one.
    fn read_for_run(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        match name {
            "concurrency" => self.limits.concurrency = at_once(value)?,
            "per-host" => self.limits.per_host = Some(at_once(value)?),
            "rate" => self.limits.rate = Some(value.parse()?),
            "adaptive" => self.limits.adaptive = switch(value)?,
            "deadline" => self.deadline = Some(span(value)?),
            "max-memory" => self.limits.max_memory = Some(parse_size(value)?),
            "fail-fast" => self.fail_fast = switch(value)?,
            "backlog" => self.backlog = usize::try_from(parse_count(value, 1, u64::from(u32::MAX))?).ok(),
            "hosts" => {
                let secret = |name: &str| self.secrets.get(name).cloned();
                let hosts = self.plan_reader().secrets(&secret).read_json_hosts(value);
                self.hosts.extend(hosts.map_err(|errors| invalid(errors.to_string()))?);
            }
            "output-dir" => self.output_dir = Some(file(value)?),
            "secret" => self.add_secret(value)?,
            "variable" => self.add_variable(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reads an option about each job; says whether it is one.
    fn read_for_jobs(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        let patch = &mut self.patch;
        match name {
            "timeout" => patch.timeout = Some(span(value)?),
            "connect-timeout" => patch.connect_timeout = Some(span(value)?),
            "job-timeout" => patch.job_timeout = Some(span(value)?),
            "retry-on" => patch.retry_on = Some(value.parse()?),
            "retries" => patch.retries = Some(small(value)?),
            "retry-unsafe" => patch.retry_unsafe = Some(switch(value)?),
            "retry-after-max" => patch.retry_after_max = Some(parse_duration(value)?),
            "follow" => patch.follow = Some(small(value)?),
            "max-body" => patch.max_body = Some(parse_size(value)?),
            "accept" => patch.accept = Some(value.parse()?),
            "method" => patch.method = Some(value.parse()?),
            "raw" => patch.raw = Some(switch(value)?),
            "header" => patch.set_header(value.parse()?),
            "data" => patch.data = Some(value.as_bytes().into()),
            "user" => self.user = Some(Authorization::user(value)?),
            "bearer" => self.bearer = Some(Authorization::bearer(value)?),
            _ => return Ok(false),
        }
        // A header that was given goes before the user, because the user is below it.
        let mut below = Settings::default();
        for authorization in self.bearer.iter().chain(&self.user) {
            below.set_header(authorization.field()?);
        }
        self.settings = Arc::new(self.patch.over(&below));
        Ok(true)
    }

    /// Reads an option about connections; says whether it is one.
    fn read_for_transport(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        match name {
            "user-agent" => {
                Field::new("User-Agent", value)?;
                self.build(|transport| transport.user_agent(value));
            }
            "proxy" => {
                let proxy: Proxy = value.parse()?;
                self.proxied = true;
                self.build(|transport| transport.proxies(Proxies::single(proxy)));
            }
            "roots" => self.roots = Some(value.parse()?),
            "cacert" => self.cacert = Some(file(value)?),
            "cert" => self.cert = Some(file(value)?),
            "key" => self.key = Some(file(value)?),
            "pinnedpubkey" => {
                let pins: PublicKeyPins = value.parse()?;
                self.build(|transport| transport.pinned_public_keys(pins));
            }
            "insecure" => {
                let insecure = switch(value)?;
                self.build(|transport| transport.danger_accept_invalid_certs(insecure));
            }
            "expect100-timeout" => {
                let limit = parse_duration(value)?;
                self.build(|transport| transport.expect100_timeout(limit));
            }
            "resolve" => {
                let addresses = value.parse()?;
                self.build(|transport| transport.resolve(addresses));
            }
            "connect-to" => {
                let elsewhere = value.parse()?;
                self.build(|transport| transport.connect_to(elsewhere));
            }
            "ipv4" => self.ipv4 = switch(value)?,
            "ipv6" => self.ipv6 = switch(value)?,
            "unix-socket" => {
                let socket = file(value)?;
                self.unix_socket = true;
                self.build(|transport| transport.unix_socket(socket));
            }
            "interface" => {
                let interface: Interface = value.parse()?;
                self.interface = true;
                self.build(|transport| transport.interface(interface));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A fetcher that does as all of these say. The folder for contents is made.
    pub(crate) fn fetcher(&self) -> Result<Fetcher, Failure> {
        if self.user.is_some() && self.bearer.is_some() {
            return Err(Failure::invalid("user and bearer exclude each other: a request has one Authorization"));
        }
        let transport = self.transport()?.build()?;
        if let Some(folder) = &self.output_dir {
            std::fs::create_dir_all(folder).map_err(|error| {
                Failure::invalid(format!("output-dir: the folder {} cannot be made: {error}", folder.display()))
            })?;
        }
        let mut limits = self.limits.clone();
        limits.hosts.clone_from(self.hosts.limits());
        let fetcher = Fetcher::with_transport(transport).limits(limits);
        Ok(fetcher.deadline(self.deadline).fail_fast(self.fail_fast).backlog(self.backlog()))
    }

    fn transport(&self) -> Result<TransportBuilder, Failure> {
        let mut transport = self.transport.clone();
        match (&self.roots, &self.cacert) {
            (Some(_), Some(_)) => {
                return Err(Failure::invalid(
                    "cacert and roots exclude each other: certificates are trusted from one place",
                ));
            }
            (Some(roots), None) => transport = transport.roots(roots.clone()),
            (None, Some(file)) => transport = transport.roots(Roots::File(file.clone())),
            (None, None) => {}
        }
        match (&self.cert, &self.key) {
            (Some(cert), key) => transport = transport.client_certificate(cert, key.clone()),
            (None, Some(_)) => {
                return Err(Failure::invalid("key: there is no certificate to the key: give it with cert"));
            }
            (None, None) => {}
        }
        match (self.ipv4, self.ipv6) {
            (true, true) => {
                let text = "ipv4 and ipv6 exclude each other: connections are made to both families without them";
                return Err(Failure::invalid(text));
            }
            (true, false) => transport = transport.family(Family::V4),
            (false, true) => transport = transport.family(Family::V6),
            (false, false) => {}
        }
        if self.unix_socket && self.proxied {
            let text = "unix-socket and proxy exclude each other: connections go through one or the other";
            return Err(Failure::invalid(text));
        }
        if self.unix_socket && self.interface {
            let text = "unix-socket and interface exclude each other: a socket is on this machine and has no interface";
            return Err(Failure::invalid(text));
        }
        Ok(transport)
    }

    /// What jobs do not say themselves.
    pub(crate) fn shared(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    /// How many jobs may be there that were not taken.
    pub(crate) fn backlog(&self) -> usize {
        self.backlog.unwrap_or(DEFAULT_BACKLOG)
    }

    /// A reader of plans that knows the variables.
    pub(crate) fn plan_reader<'v>(&self) -> PlanReader<'v> {
        self.variables.iter().fold(PlanReader::new(), |reader, (name, value)| {
            // Each was tried when it was set.
            reader.variable(name, value).unwrap_or_default()
        })
    }

    fn add_variable(&mut self, value: &str) -> Result<(), Error> {
        let (name, value) =
            value.split_once('=').ok_or_else(|| Error::new(Kind::Config, "write NAME=value, as in CITY=oslo"))?;
        PlanReader::new().variable(name, value)?;
        self.variables.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// What hides the secrets as they are. The forms that they take in a job are that job's to hide.
    pub(crate) fn redactor(&self) -> Redactor {
        let credentials = self.user.iter().chain(&self.bearer).flat_map(Authorization::secrets);
        Redactor::new(self.secrets.values().chain(credentials).cloned())
    }

    fn build(&mut self, change: impl FnOnce(TransportBuilder) -> TransportBuilder) {
        self.transport = change(std::mem::take(&mut self.transport));
    }

    fn add_secret(&mut self, text: &str) -> Result<(), Error> {
        let form = || invalid("write NAME=value: a name of letters, digits and _, not beginning with a digit");
        // Nothing of it is shown: without a name, the text may be the secret.
        let (name, value) = text.split_once('=').ok_or_else(form)?;
        let letters = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !letters(name) {
            return Err(form());
        }
        self.secrets.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}

fn at_once(text: &str) -> Result<NonZeroU32, Error> {
    let count = parse_count(text, 1, MAX_AT_ONCE)?;
    Ok(u32::try_from(count).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN))
}

fn small(text: &str) -> Result<u32, Error> {
    Ok(u32::try_from(parse_count(text, 0, 100)?).unwrap_or_default())
}

fn span(text: &str) -> Result<Duration, Error> {
    match parse_duration(text)? {
        Duration::ZERO => Err(invalid(format!("\"{text}\" leaves no time: write 500ms or 10s"))),
        duration => Ok(duration),
    }
}

fn switch(text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(invalid(format!("\"{text}\" is neither on nor off: write 1 or 0"))),
    }
}

fn file(text: &str) -> Result<PathBuf, Error> {
    if text.is_empty() { Err(invalid("it is empty: write the path of a file")) } else { Ok(text.into()) }
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Kind::Config, text)
}
