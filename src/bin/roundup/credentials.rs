//! Who requests are made as: `--user`, `--bearer` and the netrc file, put into jobs that do not say so themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roundup::{Error, Field, Job, Kind, Redactor, Result, Settings};

use crate::input;
use crate::manner::exclusive;
use crate::netrc::Netrc;
use crate::options::{Given, Options};

/// Credentials for jobs. Has no `Debug`, so that none can be derived around it.
///
/// An Authorization field of the job goes before `--user` and `--bearer`, these before a user in the URL, and that before
/// the netrc file. They become the job's own field, and so stay behind where a redirect leaves the origin.
pub(crate) struct Credentials {
    /// For every job.
    given: Option<Authorization>,
    /// For jobs whose URL names no user.
    netrc: Option<Netrc>,
}

/// The value of the field, and what of it nobody may read.
#[derive(Clone)]
struct Authorization {
    value: String,
    secrets: Vec<String>,
}

impl Credentials {
    /// # Errors
    /// [`Kind::Config`]: what was given cannot be sent, or the netrc file cannot be read. The text is not repeated.
    pub(crate) fn new(options: &Options) -> Result<Credentials> {
        let parse = |given: Option<Given>, parse: fn(&str) -> Result<Authorization>| {
            given.map(|given| given.parse(parse).map(|parsed| (parsed, given.typed))).transpose()
        };
        let user = parse(options.one("user"), user)?;
        let bearer = parse(options.one("bearer"), bearer)?;
        let given = match (user, bearer) {
            (Some((user, true)), Some((_, false))) => Some(user),
            (Some((_, false)), Some((bearer, true))) => Some(bearer),
            (Some(_), Some(_)) => return Err(exclusive("--user and --bearer", "a request has one Authorization")),
            (user, bearer) => user.or(bearer).map(|(given, _)| given),
        };
        let netrc = if options.on("netrc")? { Some(read_netrc()?) } else { None };
        Ok(Credentials { given, netrc })
    }

    /// Gives each job its Authorization; returns what is to be hidden.
    pub(crate) fn apply(&self, jobs: &mut Vec<Job>) -> Redactor {
        if self.given.is_none() && self.netrc.is_none() {
            return Redactor::default();
        }
        let mut secrets: Vec<String> = Vec::new();
        let mut by_host: BTreeMap<String, Option<Authorization>> = BTreeMap::new();
        // Settings stay shared by those that shared them. The old ones live on in the map, so that no address is used
        // twice.
        let mut changed: BTreeMap<(*const Settings, String), Pair> = BTreeMap::new();
        for job in std::mem::take(jobs) {
            let old = job.settings().clone();
            let explicit = old.headers.iter().any(|field| field.name().eq_ignore_ascii_case(FIELD));
            let authorization = if explicit { None } else { self.of(&job, &mut by_host) };
            let Some(Authorization { value, secrets: hidden }) = authorization else {
                jobs.push(job);
                continue;
            };
            let (_, new) = changed.entry((Arc::as_ptr(&old), value)).or_insert_with_key(|(_, value)| {
                secrets.extend(hidden);
                let mut new = Settings::clone(&old);
                // Base64 and visible ASCII are always a field's value.
                new.headers.extend(Field::new(FIELD, value));
                (old, Arc::new(new))
            });
            let new = new.clone();
            jobs.push(job.with_settings(new));
        }
        Redactor::new(secrets)
    }

    fn of(&self, job: &Job, by_host: &mut BTreeMap<String, Option<Authorization>>) -> Option<Authorization> {
        if self.given.is_some() {
            return self.given.clone();
        }
        let netrc = self.netrc.as_ref()?;
        let url = job.url();
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        if let Some(known) = by_host.get(host) {
            return known.clone();
        }
        let found = netrc.find(host).map(|(login, password)| basic(login, password));
        by_host.insert(host.to_owned(), found.clone());
        found
    }
}

/// Settings as they were and as they are to be.
type Pair = (Arc<Settings>, Arc<Settings>);

const FIELD: &str = "Authorization";

/// RFC 7617, section 2.
fn basic(name: &str, password: &str) -> Authorization {
    let pair = BASE64_STANDARD.encode(format!("{name}:{password}"));
    Authorization { value: format!("Basic {pair}"), secrets: vec![pair, password.to_owned()] }
}

fn user(text: &str) -> Result<Authorization> {
    let wrong = |text: &str| Error::new(Kind::Config, text);
    let (name, password) = text.split_once(':').ok_or_else(|| wrong("the password is missing: write NAME:PASSWORD"))?;
    if text.chars().any(char::is_control) {
        return Err(wrong("a name or password with a control character cannot be sent (RFC 7617, section 2)"));
    }
    Ok(basic(name, password))
}

/// RFC 6750, section 2.1, names fewer characters than what services give out.
fn bearer(text: &str) -> Result<Authorization> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(Kind::Config, "a token is visible ASCII without spaces: write it without \"Bearer\""));
    }
    Ok(Authorization { value: format!("Bearer {text}"), secrets: vec![text.to_owned()] })
}

/// `$NETRC`, or `.netrc` in the home folder; on Windows `_netrc` as well.
fn read_netrc() -> Result<Netrc> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = match (set("NETRC"), set("HOME").or_else(|| if cfg!(windows) { set("USERPROFILE") } else { None })) {
        (Some(path), _) => path,
        (None, Some(home)) if cfg!(windows) && !home.join(".netrc").exists() => home.join("_netrc"),
        (None, Some(home)) => home.join(".netrc"),
        (None, None) => {
            let text = "--netrc: there is no home folder to look in: set NETRC to the file, or HOME";
            return Err(Error::new(Kind::Config, text));
        }
    };
    let path = path.to_string_lossy();
    let text = input::text(&path, "the netrc file")?;
    Netrc::parse(&text).map_err(|wrong| Error::new(Kind::Config, format!("the netrc file {path}, {wrong}")))
}
