//! A run in Redis: its name, its keys, and what workers must know of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::connection::{Connection, Connector, Trouble};
use super::resp::{Commands, Reply};
use super::scripts::{GROUP, KEYS, OPEN, Script};
use crate::error::{Error, Kind, Result};
use crate::limits::{HostKey, HostLimits, Limits};

/// The runs that there are, by when they began. The one key that is of no run.
const RUNS: &str = "ru:runs";

/// Up to which place in that order runs are looked at.
const LAST_RUN: &str = "999";

/// What this program speaks. Jobs and outcomes are written as this version's fields, so another cannot read them for sure.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of a run: twelve letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Box<str>);

impl RunId {
    pub(super) fn new() -> RunId {
        RunId((0..12).map(|_| char::from_digit(fastrand::u32(..16), 16).unwrap_or('0')).collect::<String>().into())
    }

    fn key(&self, part: &str) -> String {
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
    fn taken(&self) -> String {
        self.key("taken")
    }

    /// The newest tokens of its logins, sealed.
    fn tokens(&self) -> String {
        self.key("tokens")
    }

    /// Where the job of this key belongs, and its outcome; that of any job that was lost has an empty key.
    pub(super) fn place(&self, part: &str, key: &str) -> String {
        format!("{}/{part}/{key}", self.0)
    }

    /// The arguments that call a script, known to Redis by this digest.
    pub(super) fn script<'a>(&self, digest: &'a str) -> Vec<std::borrow::Cow<'a, [u8]>> {
        let mut arguments =
            vec![b"EVALSHA"[..].into(), digest.as_bytes().into(), KEYS.len().to_string().into_bytes().into()];
        arguments.extend(KEYS.iter().map(|part| self.key(part).into_bytes().into()));
        arguments
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
    fn fields(&self) -> Vec<(&'static str, String)> {
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

/// A connection with the scripts that it has loaded.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    digests: [Option<String>; super::scripts::SCRIPTS],
}

impl Session {
    pub(super) fn new(connection: Connection) -> Session {
        Session { connection, digests: Default::default() }
    }

    /// A new one.
    pub(super) async fn open(connector: &Connector) -> Result<Session, Trouble> {
        Ok(Session::new(connector.connect().await?))
    }

    /// Sends one command.
    pub(super) async fn one<A: AsRef<[u8]>>(
        &mut self,
        arguments: impl IntoIterator<Item = A>,
        wait: Duration,
    ) -> Result<Reply, Trouble> {
        self.connection.one_waiting(arguments, wait).await
    }

    /// Runs a script for a run, with these arguments behind its keys.
    pub(super) async fn run<A: AsRef<[u8]>>(
        &mut self,
        run: &RunId,
        script: Script,
        arguments: &[A],
    ) -> Result<Reply, Trouble> {
        let digest = match &self.digests[script.number] {
            Some(digest) => digest.clone(),
            None => {
                let loaded = self.connection.one(["SCRIPT", "LOAD", script.text]).await?.into_text();
                let digest = loaded.ok_or_else(|| Trouble::Fatal("has not loaded a script".to_owned()))?;
                self.digests[script.number].insert(digest).clone()
            }
        };
        let mut all = run.script(&digest);
        all.extend(arguments.iter().map(|argument| argument.as_ref().into()));
        self.connection.one(all).await
    }

    /// Begins a run. Answers when it began, by the clock of Redis.
    pub(super) async fn begin(&mut self, run: &RunId, meta: &RunMeta) -> Result<i64, Trouble> {
        let keep = meta.keep.as_millis().to_string();
        let mut arguments = vec![keep.clone()];
        arguments.extend(meta.fields().into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
        let started = self.run(run, OPEN, &arguments).await?.number().unwrap_or(0);
        self.name(run, started, meta.keep).await?;
        Ok(started)
    }

    /// Puts a run among those that workers find, for as long as its keys are kept at least.
    pub(super) async fn name(&mut self, run: &RunId, started: i64, keep: Duration) -> Result<(), Trouble> {
        self.one(["ZADD", RUNS, &started.to_string(), &run.0], Duration::ZERO).await?;
        // Names of runs that are gone are taken out by workers; if there is none, they go with this.
        let left = self.one(["PTTL", RUNS], Duration::ZERO).await?.number().unwrap_or(-1);
        if left < i64::try_from(keep.as_millis()).unwrap_or(i64::MAX) {
            self.one(["PEXPIRE", RUNS, &keep.as_millis().to_string()], Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Whether a key is there.
    async fn has(&mut self, key: &str) -> Result<bool, Trouble> {
        Ok(self.one(["EXISTS", key], Duration::ZERO).await?.number() == Some(1))
    }

    /// Whether a run has its streams of jobs.
    pub(super) async fn has_jobs(&mut self, run: &RunId) -> Result<bool, Trouble> {
        Ok(self.has(&run.jobs()).await? && self.has(&run.first()).await?)
    }

    /// The runs that there are, the oldest first. Those that are gone are forgotten.
    pub(super) async fn runs(&mut self) -> Result<Vec<(RunId, RunMeta)>, Trouble> {
        let mut runs = Vec::new();
        for run in self.names().await? {
            match self.meta(&run).await? {
                Some(meta) => runs.push((run, meta)),
                // What another version wrote is not for this one to forget.
                None if self.has(&run.key("meta")).await? => {}
                None => drop(self.one(["ZREM", RUNS, &run.0], Duration::ZERO).await?),
            }
        }
        Ok(runs)
    }

    async fn names(&mut self) -> Result<Vec<RunId>, Trouble> {
        let names = self.one(["ZRANGE", RUNS, "0", LAST_RUN], Duration::ZERO).await?.into_list();
        Ok(names.into_iter().filter_map(Reply::into_text).filter_map(|name| name.parse().ok()).collect())
    }

    /// How all runs stand, the oldest first. Those that are gone are forgotten.
    pub(super) async fn runs_at_work(&mut self) -> Result<Vec<RunAtWork>, Trouble> {
        let names = self.names().await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = Commands::default();
        for run in &names {
            commands.add(["EXISTS", &run.key("meta")]);
            commands.add(["XLEN", &run.jobs()]);
            commands.add(["XLEN", &run.out()]);
            commands.add(["GET", &run.taken()]);
            commands.add(["XLEN", &run.first()]);
            commands.add(["GET", &run.tokens()]);
        }
        let replies = self.connection.call(&commands, Duration::ZERO).await?;
        let mut runs = Vec::with_capacity(names.len());
        let mut gone = vec!["ZREM".to_owned(), RUNS.to_owned()];
        for (id, about) in names.into_iter().zip(replies.chunks_exact(6)) {
            let number = |at: usize| about[at].number().unwrap_or(0);
            if number(0) == 0 {
                gone.push(id.0.into());
                continue;
            }
            let taken = about[3].number();
            let untaken = taken.map_or(0, |taken| number(2) - taken);
            let untaken = usize::try_from(untaken).unwrap_or(0);
            let has_jobs = number(1) + number(4) > 0;
            runs.push(RunAtWork { id, has_jobs, untaken, tokens: about[5].clone().into_text() });
        }
        if gone.len() > 2 {
            self.one(&gone, Duration::ZERO).await?;
        }
        Ok(runs)
    }

    /// Notes how many outcomes of a run were taken, for this long.
    pub(super) async fn set_taken(&mut self, run: &RunId, taken: usize, until: Duration) -> Result<(), Trouble> {
        let (taken, until) = (taken.to_string(), until.as_millis().to_string());
        drop(self.one(["SET", &run.taken(), &taken, "PX", &until], Duration::ZERO).await?);
        Ok(())
    }

    /// Notes the newest tokens of a run's logins, sealed, for this long.
    pub(super) async fn set_tokens(&mut self, run: &RunId, tokens: &str, keep: Duration) -> Result<(), Trouble> {
        drop(self.one(["SET", &run.tokens(), tokens, "PX", &keep.as_millis().to_string()], Duration::ZERO).await?);
        Ok(())
    }

    /// What is known of a run, if it is there.
    pub(super) async fn meta(&mut self, run: &RunId) -> Result<Option<RunMeta>, Trouble> {
        let fields = self.one(["HGETALL", &run.key("meta")], Duration::ZERO).await?.into_list();
        Ok(RunMeta::read(fields))
    }

    /// The time of Redis in milliseconds.
    pub(super) async fn time(&mut self) -> Result<i64, Trouble> {
        let time = self.one(["TIME"], Duration::ZERO).await?.into_list();
        let part = |at: usize| time.get(at).and_then(Reply::number).unwrap_or(0);
        Ok(part(0) * 1000 + part(1) / 1000)
    }

    /// Takes all of a run away.
    pub(super) async fn delete(&mut self, run: &RunId) -> Result<(), Trouble> {
        // Of the streams and the hash, the memory is given back beside the commands of others.
        let mut words = vec!["UNLINK".to_owned()];
        words.extend(KEYS.iter().chain(&["rate", "taken", "tokens"]).map(|part| run.key(part)));
        self.one(&words, Duration::ZERO).await?;
        self.one(["ZREM", RUNS, &run.0], Duration::ZERO).await?;
        Ok(())
    }

    /// Jobs that no worker has taken, at most so many of each run. Waits for one if there is none.
    pub(super) async fn take(
        &mut self,
        runs: &[&RunId],
        worker: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<(RunId, Vec<Entry>)>, Trouble> {
        let (most, block) = (most.to_string(), wait.as_millis().to_string());
        let mut words: Vec<String> = ["XREADGROUP", "GROUP", GROUP, worker, "COUNT", &most, "BLOCK", &block, "STREAMS"]
            .map(str::to_owned)
            .into();
        words.extend(runs.iter().flat_map(|run| [run.first(), run.jobs()]));
        words.extend(runs.iter().flat_map(|_| [">", ">"].map(str::to_owned)));
        let reply = self.one(&words, wait).await?;
        let streams = reply.into_list().into_iter().filter_map(|stream| {
            let mut parts = stream.into_list().into_iter();
            let name = parts.next()?.into_text()?;
            let run = runs.iter().find(|run| run.jobs() == name || run.first() == name)?;
            Some(((*run).clone(), entries(parts.next()?)))
        });
        Ok(streams.collect())
    }

    /// Outcomes behind this place, at most so many. Waits for one if there is none.
    pub(super) async fn read_out(
        &mut self,
        run: &RunId,
        behind: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, Trouble> {
        let (most, block) = (most.to_string(), wait.as_millis().to_string());
        let reply = self.one(["XREAD", "COUNT", &most, "BLOCK", &block, "STREAMS", &run.out(), behind], wait).await?;
        let stream = reply.into_list().into_iter().next().map(Reply::into_list).unwrap_or_default();
        Ok(stream.into_iter().nth(1).map(entries).unwrap_or_default())
    }
}

/// An entry of a stream: where it stands, the key of its job, and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) text: String,
}

impl Entry {
    /// When it was added, by the clock of Redis, in milliseconds.
    pub(super) fn added(&self) -> i64 {
        self.id.split_once('-').and_then(|(ms, _)| ms.parse().ok()).unwrap_or(0)
    }
}

/// The entries of a stream, those left out that are not ours.
pub(super) fn entries(reply: Reply) -> Vec<Entry> {
    let entry = |entry: Reply| {
        let mut parts = entry.into_list().into_iter();
        let id = parts.next()?.into_text()?;
        let mut fields = parts.next()?.into_list().into_iter().map(Reply::into_text);
        let (_, key, _, text) = (fields.next()??, fields.next()??, fields.next()??, fields.next()??);
        Some(Entry { id, key, text })
    };
    reply.into_list().into_iter().filter_map(entry).collect()
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
