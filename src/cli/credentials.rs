//! Credentials of requests: `--user`, `--bearer` and the netrc file, for jobs that have none of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use roundup::{Authorization, Error, Job, Kind, Result, Settings};
use roundup_http::percent;

use super::flags::Flags;
use super::input;
use super::netrc::Netrc;

/// Credentials for jobs. Has no `Debug`, so that no type that holds it can derive one that shows secrets.
///
/// In order of precedence: an Authorization field of the job, `--user` or `--bearer`, a user in the URL, the netrc file.
/// They become the job's own field, and so stay behind when a redirect leaves the origin.
pub(crate) struct RequestCredentials {
    /// For every job.
    for_all: Option<Authorization>,
    /// For jobs whose URL names no user.
    netrc: Option<Netrc>,
}

impl RequestCredentials {
    /// # Errors
    /// [`Kind::Config`]: a value cannot be sent, or the netrc file cannot be read. The message does not repeat the value.
    pub(crate) fn new(flags: &Flags) -> Result<RequestCredentials> {
        let user = ("user", flags.parsed("user", Authorization::user)?);
        let bearer = ("bearer", flags.parsed("bearer", Authorization::bearer)?);
        let (user, bearer) = flags.exclusive(user, bearer, "a request has one Authorization")?;
        let netrc = if flags.on("netrc")? { Some(read_netrc()?) } else { None };
        Ok(RequestCredentials { for_all: user.or(bearer), netrc })
    }

    /// Gives each job its Authorization.
    pub(crate) fn apply(&self, jobs: &mut Vec<Job>) {
        if self.for_all.is_none() && self.netrc.is_none() {
            return;
        }
        let mut found = FoundCredentials::new();
        // Jobs that shared settings still do. The map keeps the old settings alive, so that no address is used twice.
        let mut changed: BTreeMap<(*const Settings, String), Pair> = BTreeMap::new();
        for job in std::mem::take(jobs) {
            let old = job.settings().clone();
            let explicit = old.headers.iter().any(|field| field.name().eq_ignore_ascii_case(Authorization::FIELD));
            let authorization = if explicit { None } else { self.of(&job, &mut found) };
            let Some(authorization) = authorization else {
                jobs.push(job);
                continue;
            };
            let key = (Arc::as_ptr(&old), authorization.value().to_owned());
            let (_, new) = changed.entry(key).or_insert_with(|| {
                let mut new = Settings::clone(&old);
                // Never fails: base64 and visible ASCII are valid in a field's value.
                new.headers.extend(authorization.field());
                (old, Arc::new(new))
            });
            let new = new.clone();
            jobs.push(job.with_settings(new));
        }
    }

    fn of(&self, job: &Job, found: &mut FoundCredentials) -> Option<Authorization> {
        if self.for_all.is_some() {
            return self.for_all.clone();
        }
        let netrc = self.netrc.as_ref()?;
        // Only its user and host are looked at.
        let url = job.origin_url();
        if url.password().is_some() {
            return None;
        }
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        // A user in the URL finds the password of that user.
        let login = (!url.username().is_empty()).then(|| percent::decode(url.username().as_bytes()));
        let login = login.map(String::from_utf8).transpose().ok()?;
        let of_netrc = || {
            let (login, password) = netrc.find(host, login.as_deref())?;
            Authorization::basic(login, password).ok()
        };
        found.entry((host.to_owned(), login.clone())).or_insert_with(of_netrc).clone()
    }
}

/// What the netrc file has for a host, and for a user of it if the URL names one.
type FoundCredentials = BTreeMap<(String, Option<String>), Option<Authorization>>;

/// The old settings and the new ones.
type Pair = (Arc<Settings>, Arc<Settings>);

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
