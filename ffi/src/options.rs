//! Options by name and text, spelled as on the command line.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::fetcher::DEFAULT_BACKLOG;
use engine::transport::{Family, Proxies, Proxy, PublicKeyPins, Roots, TransportBuilder};
use engine::units::{parse_count, parse_duration, parse_size};
use engine::{Error, Fetcher, Field, Kind, Limits, Redactor, Settings};

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
    /// What jobs do not say themselves.
    settings: Arc<Settings>,
    transport: TransportBuilder,
    roots: Option<Roots>,
    cacert: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    proxied: bool,
    unix_socket: bool,
    ipv4: bool,
    ipv6: bool,
    /// What `${NAME}` stands for.
    pub(crate) secrets: BTreeMap<String, String>,
}

/// All options, in the order of the header.
pub(crate) const NAMES: [&str; 31] = [
    "concurrency",
    "per-host",
    "rate",
    "deadline",
    "fail-fast",
    "backlog",
    "timeout",
    "connect-timeout",
    "retries",
    "retry-unsafe",
    "retry-after-max",
    "follow",
    "max-body",
    "accept",
    "method",
    "raw",
    "header",
    "user-agent",
    "proxy",
    "roots",
    "cacert",
    "cert",
    "key",
    "pinnedpubkey",
    "insecure",
    "resolve",
    "connect-to",
    "ipv4",
    "ipv6",
    "unix-socket",
    "secret",
];

impl Options {
    /// Sets one; nothing has changed where that fails.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        self.read(name, value).map_err(|error| Failure::invalid(format!("{name}: {}", error.one_line())))
    }

    fn read(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let settings = Arc::make_mut(&mut self.settings);
        match name {
            "concurrency" => self.limits.concurrency = at_once(value)?,
            "per-host" => self.limits.per_host = Some(at_once(value)?),
            "rate" => self.limits.rate = Some(value.parse()?),
            "deadline" => self.deadline = Some(span(value)?),
            "fail-fast" => self.fail_fast = switch(value)?,
            "backlog" => self.backlog = usize::try_from(parse_count(value, 1, u64::from(u32::MAX))?).ok(),
            "timeout" => settings.timeout = span(value)?,
            "connect-timeout" => settings.connect_timeout = span(value)?,
            "retries" => settings.retries = small(value)?,
            "retry-unsafe" => settings.retry_unsafe = switch(value)?,
            "retry-after-max" => settings.retry_after_max = parse_duration(value)?,
            "follow" => settings.follow = small(value)?,
            "max-body" => settings.max_body = Some(parse_size(value)?),
            "accept" => settings.accept = value.parse()?,
            "method" => settings.method = value.parse()?,
            "raw" => settings.raw = switch(value)?,
            "header" => settings.set_header(value.parse()?),
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
            "secret" => self.add_secret(value)?,
            _ => return Err(invalid(format!("there is no such option: the options are {}", NAMES.join(", ")))),
        }
        Ok(())
    }

    /// A fetcher that does as all of these say.
    pub(crate) fn fetcher(&self) -> Result<Fetcher, Failure> {
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
        let fetcher = Fetcher::with_transport(transport.build()?).limits(self.limits.clone());
        Ok(fetcher.deadline(self.deadline).fail_fast(self.fail_fast).backlog(self.backlog()))
    }

    /// What jobs do not say themselves.
    pub(crate) fn shared(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    /// How many jobs may be there that were not taken.
    pub(crate) fn backlog(&self) -> usize {
        self.backlog.unwrap_or(DEFAULT_BACKLOG)
    }

    /// What hides the secrets as they are. The forms that they take in a job are that job's to hide.
    pub(crate) fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets.values().cloned())
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
