//! A run in Redis: its name, its keys, and what workers must know of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::resp::Reply;
use crate::error::{Error, Kind, Result};
use crate::limits::{HostKey, HostLimits, Limits};

/// What this program speaks. Jobs and outcomes are written as this version's fields, so another cannot read them for sure.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of a run: twelve letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Box<str>);

impl RunId {
    pub(super) fn new() -> RunId {
        RunId((0..12).map(|_| char::from_digit(fastrand::u32(..16), 16).unwrap_or('0')).collect::<String>().into())
    }

    pub(super) fn key(&self, part: &str) -> String {
        format!("ru:{{{}}}:{part}", self.0)
    }

    /// The stream of jobs.
    pub(super) fn jobs(&self) -> String {
        self.key("jobs")
    }

    /// The stream of those jobs that go before all others.
    pub(super) fn first(&self) -> String {
        self.key("first")
    }

    /// The stream of outcomes.
    pub(super) fn out(&self) -> String {
        self.key("out")
    }

    /// How many outcomes were taken by who collects now; it expires soon after the last one who does.
    pub(super) fn taken(&self) -> String {
        self.key("taken")
    }

    /// The newest tokens of its logins, sealed.
    pub(super) fn tokens(&self) -> String {
        self.key("tokens")
    }

    /// Where the job of this key belongs, and its outcome; that of any job that was lost has an empty key.
    pub(super) fn place(&self, part: &str, key: &str) -> String {
        format!("{}/{part}/{key}", self.0)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = Error;

    fn from_str(text: &str) -> Result<RunId> {
        let is_name =
            text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        match is_name {
            true => Ok(RunId(text.into())),
            false => {
                let text = format!("{text:?} is not the name of a run: it has 12 letters and digits, as 0123456789ab");
                Err(Error::new(Kind::Config, text))
            }
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What workers must know of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RunMeta {
    pub(super) version: String,
    /// What tells its plan from others.
    pub(super) plan: String,
    /// The plan's name, for people.
    pub(super) name: String,
    /// After how long without a sign of life a job is taken over.
    pub(super) lease: Duration,
    /// For how long the keys of the run are kept after its last worker and collector.
    pub(super) keep: Duration,
    /// Whether reports show contents, and fields of responses.
    pub(super) bodies: bool,
    pub(super) fields: bool,
    pub(super) limits: Limits,
    /// The name of the key with which its jobs and outcomes are sealed; empty if they are not.
    pub(super) key: String,
    /// When it began, by the clock of Redis, in milliseconds.
    pub(super) started: i64,
}

impl RunMeta {
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        vec![
            ("version", self.version.clone()),
            ("plan", self.plan.clone()),
            ("name", self.name.clone()),
            ("lease", self.lease.as_millis().to_string()),
            ("keep", self.keep.as_millis().to_string()),
            ("bodies", flag(self.bodies)),
            ("fields", flag(self.fields)),
            ("limits", limits_text(&self.limits)),
            ("key", self.key.clone()),
        ]
    }

    /// Reads it from names and values as HGETALL has them.
    pub(super) fn read(fields: Vec<Reply>) -> Option<RunMeta> {
        let mut texts = fields.into_iter().map(Reply::into_text);
        let mut found = std::collections::HashMap::new();
        while let (Some(Some(name)), Some(Some(value))) = (texts.next(), texts.next()) {
            found.insert(name, value);
        }
        let mut text = |name: &str| found.remove(name);
        let time = |ms: &str| ms.parse().ok().map(Duration::from_millis);
        Some(RunMeta {
            version: text("version")?,
            plan: text("plan")?,
            name: text("name")?,
            lease: time(&text("lease")?).filter(|lease| *lease >= Duration::from_millis(100))?,
            keep: time(&text("keep")?)?,
            bodies: text("bodies")? == "1",
            fields: text("fields")? == "1",
            limits: limits_of(&text("limits")?)?,
            key: text("key")?,
            started: text("started")?.parse().ok()?,
        })
    }
}

/// Limits as words: `per_host=10 rate=50/s adaptive=1 api.example.com:per_host=2`. Names of hosts have no blanks.
fn limits_text(limits: &Limits) -> String {
    let mut words = vec![format!("concurrency={}", limits.concurrency)];
    words.push(limits.per_host.map_or("per_host=-".to_owned(), |number| format!("per_host={number}")));
    words.extend(limits.rate.map(|rate| format!("rate={rate}")));
    words.extend(limits.adaptive.then(|| "adaptive=1".to_owned()));
    for (host, HostLimits { per_host, rate }) in &limits.hosts {
        words.extend(per_host.map(|number| format!("{}|per_host={number}", host.as_str())));
        words.extend(rate.map(|rate| format!("{}|rate={rate}", host.as_str())));
    }
    words.join(" ")
}

fn limits_of(text: &str) -> Option<Limits> {
    let mut limits = Limits::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (name, value) = word.rsplit_once('=')?;
        match name.rsplit_once('|') {
            Some((host, name)) => {
                let host = limits.hosts.entry(HostKey::new(host).ok()?).or_default();
                match name {
                    "per_host" => host.per_host = Some(value.parse().ok()?),
                    "rate" => host.rate = Some(value.parse().ok()?),
                    _ => return None,
                }
            }
            None => match name {
                "concurrency" => limits.concurrency = value.parse().ok()?,
                "per_host" if value == "-" => limits.per_host = None,
                "per_host" => limits.per_host = Some(value.parse().ok()?),
                "rate" => limits.rate = Some(value.parse().ok()?),
                "adaptive" => limits.adaptive = value == "1",
                _ => return None,
            },
        }
    }
    Some(limits)
}

/// How a run stands that workers may serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunAtWork {
    pub(super) id: RunId,
    /// Whether there are jobs that are not done.
    pub(super) has_jobs: bool,
    /// How many outcomes are there that the one who collects has not taken; 0 if no one does.
    pub(super) untaken: usize,
    /// The newest tokens of its logins, sealed.
    pub(super) tokens: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_back_as_they_were() {
        let mut limits = Limits { per_host: None, adaptive: true, rate: "50/s".parse().ok(), ..Limits::default() };
        assert_eq!(limits_of(&limits_text(&Limits::default())), Some(Limits::default()));
        let host = |text: &str| HostKey::new(text).expect(text);
        limits
            .hosts
            .insert(host("*.example.com"), HostLimits { per_host: "3".parse().ok(), rate: "1/10s".parse().ok() });
        limits.hosts.insert(host("[::1]:80"), HostLimits { per_host: "1".parse().ok(), rate: None });
        limits.hosts.insert(host("/run/a b=c|d"), HostLimits { per_host: "2".parse().ok(), rate: None });
        assert_eq!(limits_of(&limits_text(&limits)).as_ref(), Some(&limits), "{}", limits_text(&limits));
        for bad in ["x", "x=1", "per_host=0", "h|x=1", " |per_host=1"] {
            assert_eq!(limits_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_workers_must_know_is_read_back() {
        let meta = RunMeta {
            version: VERSION.to_owned(),
            plan: "p".to_owned(),
            name: "plan.toml".to_owned(),
            lease: Duration::from_secs(30),
            keep: Duration::from_secs(86400),
            bodies: true,
            fields: false,
            limits: Limits::default(),
            key: "0123456789abcdef".to_owned(),
            started: 0,
        };
        let mut fields: Vec<Reply> = Vec::new();
        for (name, value) in meta.fields().into_iter().chain([("started", "0".to_owned())]) {
            fields.extend([name.as_bytes(), value.as_bytes()].map(|text| Reply::Text(text.to_vec())));
        }
        assert_eq!(RunMeta::read(fields.clone()), Some(meta));
        assert_eq!(RunMeta::read(fields[2..].to_vec()), None);
    }

    #[test]
    fn names_of_runs_are_checked() {
        let run = RunId::new();
        assert_eq!(run.to_string().parse::<RunId>().ok(), Some(run));
        for bad in ["", "0123456789a", "0123456789abc", "0123456789aB", "0123456789a}"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }
}
