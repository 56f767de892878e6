//! Commands to Redis in the name of a fleet. A patient session waits until Redis is there again, or has room: what was sent
//! before a connection was lost is sent again, and counts once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Connector, Trouble};
use super::resp::{Commands, Reply};
use super::run::{RunAtWork, RunId, RunMeta};
use super::scripts::{GROUP, KEYS, OPEN, SCRIPTS, Script};
use crate::event_loop::sleep;

/// Takes lines for people.
pub(super) type Notes = Arc<dyn Fn(&str) + Send + Sync>;

/// The shortest and the longest wait before Redis is tried again.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The runs that there are, by when they began. The one key that is of no run.
const RUNS: &str = "ru:runs";

/// Up to which place in that order runs are looked at.
const LAST_RUN: &str = "999";

/// A connection that is made when it is needed, and what it has loaded.
pub(super) struct Session {
    connector: Connector,
    connection: Option<Connection>,
    /// The names of all scripts, if they were loaded by this connection.
    digests: Vec<String>,
    patience: Option<Patience>,
}

/// What waits for Redis, and says so.
struct Patience {
    notes: Notes,
    wait: Duration,
    /// What was said last, so that it is not said again.
    said: Option<String>,
}

/// What is sent at once.
enum Call<'c> {
    /// Commands that wait by themselves for at most this long.
    Commands(Commands, Duration),
    /// A script for a run, with these arguments behind its keys.
    Script(&'c RunId, Script, &'c [String]),
}

/// Replies when they are there. On the heap, so that what waits for them does not hold all that a connection needs.
type Replies<'s> = Pin<Box<dyn Future<Output = Result<Vec<Reply>, Trouble>> + 's>>;

impl Session {
    /// One that gives up when there is trouble, on this connection if there is one.
    pub(super) fn new(connector: Connector, connection: Option<Connection>) -> Session {
        Session { connector, connection, digests: Vec::new(), patience: None }
    }

    /// One that waits for trouble to pass, and tells of it.
    pub(super) fn patient(connector: Connector, notes: Notes) -> Session {
        let patience = Some(Patience { notes, wait: WAITS.0, said: None });
        Session { patience, ..Session::new(connector, None) }
    }

    /// Sends what is to be sent until it is done, or there is trouble that does not pass.
    fn call<'s>(&'s mut self, call: Call<'s>) -> Replies<'s> {
        Box::pin(async move {
            loop {
                let trouble = match self.call_once(&call).await {
                    Ok(replies) => {
                        self.is_well();
                        return Ok(replies);
                    }
                    Err(trouble) => trouble,
                };
                self.bear(trouble).await?;
            }
        })
    }

    async fn call_once(&mut self, call: &Call<'_>) -> Result<Vec<Reply>, Trouble> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                self.digests.clear();
                none.insert(self.connector.connect().await?)
            }
        };
        match call {
            Call::Commands(commands, wait) => connection.call(commands, *wait).await,
            Call::Script(run, script, arguments) => {
                if self.digests.is_empty() {
                    let mut load = Commands::default();
                    SCRIPTS.iter().for_each(|script| load.add(&["SCRIPT", "LOAD", script.text]));
                    let loaded = connection.call(&load, Duration::ZERO).await?;
                    self.digests = loaded.into_iter().filter_map(Reply::into_text).collect();
                }
                let digest = self.digests.get(script.number).map_or("", String::as_str);
                let (keys, count) = (KEYS.map(|part| run.key(part)), KEYS.len().to_string());
                let mut words = vec!["EVALSHA", digest, &count];
                words.extend(keys.iter().chain(*arguments).map(String::as_str));
                let mut commands = Commands::default();
                commands.add(&words);
                connection.call(&commands, Duration::ZERO).await
            }
        }
    }

    /// Says that what was said has passed.
    fn is_well(&mut self) {
        let Some(patience) = &mut self.patience else { return };
        patience.wait = WAITS.0;
        if patience.said.take().is_some() {
            (patience.notes)(&format!("{} goes on", self.connector.address));
        }
    }

    /// Waits, if the trouble may pass.
    async fn bear(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        let Some(patience) = &mut self.patience else { return Err(trouble) };
        match &trouble {
            Trouble::Fatal(_) | Trouble::Gone => return Err(trouble),
            Trouble::Lost(_) => self.connection = None,
            Trouble::Busy(_) => {}
        }
        // A connection that was closed is mostly made anew at once, which needs no line.
        if patience.wait > WAITS.0 && patience.said.is_none() {
            let line = trouble.line(&self.connector.address);
            (patience.notes)(&format!("{line}; trying again"));
            patience.said = Some(line);
        }
        sleep(patience.wait).await;
        patience.wait = (patience.wait * 2).min(WAITS.1);
        Ok(())
    }

    /// Sends one command.
    async fn one(&mut self, words: &[&str]) -> Result<Reply, Trouble> {
        self.one_waiting(words, Duration::ZERO).await
    }

    /// Sends one command that waits by itself.
    async fn one_waiting(&mut self, words: &[&str], wait: Duration) -> Result<Reply, Trouble> {
        let mut commands = Commands::default();
        commands.add(words);
        let mut replies = self.call(Call::Commands(commands, wait)).await?;
        Ok(replies.pop().unwrap_or(Reply::Nil))
    }

    /// Runs a script for a run, with these arguments behind its keys.
    pub(super) async fn run(&mut self, run: &RunId, script: Script, arguments: &[String]) -> Result<Reply, Trouble> {
        Ok(self.call(Call::Script(run, script, arguments)).await?.pop().unwrap_or(Reply::Nil))
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
        self.one(&["ZADD", RUNS, &started.to_string(), run.as_str()]).await?;
        // Names of runs that are gone are taken out by workers; if there is none, they go with this.
        let left = self.one(&["PTTL", RUNS]).await?.number().unwrap_or(-1);
        if left < i64::try_from(keep.as_millis()).unwrap_or(i64::MAX) {
            self.one(&["PEXPIRE", RUNS, &keep.as_millis().to_string()]).await?;
        }
        Ok(())
    }

    /// Whether a key is there.
    async fn has(&mut self, key: &str) -> Result<bool, Trouble> {
        Ok(self.one(&["EXISTS", key]).await?.number() == Some(1))
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
                None => drop(self.one(&["ZREM", RUNS, run.as_str()]).await?),
            }
        }
        Ok(runs)
    }

    async fn names(&mut self) -> Result<Vec<RunId>, Trouble> {
        let names = self.one(&["ZRANGE", RUNS, "0", LAST_RUN]).await?.into_list();
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
            commands.add(&["EXISTS", &run.key("meta")]);
            commands.add(&["XLEN", &run.jobs()]);
            commands.add(&["XLEN", &run.out()]);
            commands.add(&["GET", &run.taken()]);
            commands.add(&["XLEN", &run.first()]);
            commands.add(&["GET", &run.tokens()]);
        }
        let replies = self.call(Call::Commands(commands, Duration::ZERO)).await?;
        let mut runs = Vec::with_capacity(names.len());
        let mut gone = vec!["ZREM".to_owned(), RUNS.to_owned()];
        for (id, about) in names.into_iter().zip(replies.chunks_exact(6)) {
            let number = |at: usize| about[at].number().unwrap_or(0);
            if number(0) == 0 {
                gone.push(id.to_string());
                continue;
            }
            let taken = about[3].number();
            let untaken = taken.map_or(0, |taken| number(2) - taken);
            let untaken = usize::try_from(untaken).unwrap_or(0);
            let has_jobs = number(1) + number(4) > 0;
            runs.push(RunAtWork { id, has_jobs, untaken, tokens: about[5].clone().into_text() });
        }
        if gone.len() > 2 {
            self.one(&texts(&gone)).await?;
        }
        Ok(runs)
    }

    /// Notes how many outcomes of a run were taken, for this long.
    pub(super) async fn set_taken(&mut self, run: &RunId, taken: usize, until: Duration) -> Result<(), Trouble> {
        let (taken, until) = (taken.to_string(), until.as_millis().to_string());
        drop(self.one(&["SET", &run.taken(), &taken, "PX", &until]).await?);
        Ok(())
    }

    /// Notes the newest tokens of a run's logins, sealed, for this long.
    pub(super) async fn set_tokens(&mut self, run: &RunId, tokens: &str, keep: Duration) -> Result<(), Trouble> {
        drop(self.one(&["SET", &run.tokens(), tokens, "PX", &keep.as_millis().to_string()]).await?);
        Ok(())
    }

    /// What is known of a run, if it is there.
    pub(super) async fn meta(&mut self, run: &RunId) -> Result<Option<RunMeta>, Trouble> {
        let fields = self.one(&["HGETALL", &run.key("meta")]).await?.into_list();
        Ok(RunMeta::read(fields))
    }

    /// The time of Redis in milliseconds.
    pub(super) async fn time(&mut self) -> Result<i64, Trouble> {
        let time = self.one(&["TIME"]).await?.into_list();
        let part = |at: usize| time.get(at).and_then(Reply::number).unwrap_or(0);
        Ok(part(0) * 1000 + part(1) / 1000)
    }

    /// Takes all of a run away.
    pub(super) async fn delete(&mut self, run: &RunId) -> Result<(), Trouble> {
        // Of the streams and the hash, the memory is given back beside the commands of others.
        let mut words = vec!["UNLINK".to_owned()];
        words.extend(KEYS.iter().chain(&["rate", "taken", "tokens"]).map(|part| run.key(part)));
        self.one(&texts(&words)).await?;
        self.one(&["ZREM", RUNS, run.as_str()]).await?;
        Ok(())
    }

    /// Jobs that no worker has taken, at most so many of each of the two streams of each run. If there is none, waits for one, if
    /// it is said how long.
    pub(super) async fn take(
        &mut self,
        runs: &[&RunId],
        worker: &str,
        most: usize,
        wait: Option<Duration>,
    ) -> Result<Vec<(RunId, Vec<Entry>)>, Trouble> {
        let mut words = ["XREADGROUP", "GROUP", GROUP, worker, "COUNT", &most.to_string()].map(str::to_owned).to_vec();
        words.extend(wait.iter().flat_map(|wait| ["BLOCK".to_owned(), wait.as_millis().to_string()]));
        words.push("STREAMS".to_owned());
        words.extend(runs.iter().flat_map(|run| [run.first(), run.jobs()]));
        words.extend(runs.iter().flat_map(|_| [">", ">"].map(str::to_owned)));
        let reply = self.one_waiting(&texts(&words), wait.unwrap_or_default()).await?;
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
        let reply =
            self.one_waiting(&["XREAD", "COUNT", &most, "BLOCK", &block, "STREAMS", &run.out(), behind], wait).await?;
        let stream = reply.into_list().into_iter().next().map(Reply::into_list).unwrap_or_default();
        Ok(stream.into_iter().nth(1).map(entries).unwrap_or_default())
    }

    /// The outcome at this place, if it is there.
    pub(super) async fn entry(&mut self, run: &RunId, id: &str) -> Result<Option<Entry>, Trouble> {
        Ok(entries(self.one(&["XRANGE", &run.out(), id, id]).await?).into_iter().next())
    }
}

fn texts(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("address", &self.connector.address).finish_non_exhaustive()
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
