//! A worker: takes jobs from Redis, whatever run they are of, and fetches them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_lock::Semaphore;
use futures_lite::FutureExt;

use super::address::FleetAddress;
use super::connection::{Connector, Trouble};
use super::fleet_key::FleetKey;
use super::outcome_text::ContentPlaces;
use super::run::{RunAtWork, RunId, RunMeta, VERSION};
use super::served_run::ServedRun;
use super::session::{Notes, Session};
use super::worker_config::{Load, SecretValues, WorkerConfig};
use crate::error::Result;
use crate::event_loop::{Event, EventLoop, sleep, sleep_until};
use crate::transport::Transport;

/// The most runs that are served at once.
const MOST_RUNS: usize = 8;

/// While so many outcomes of a run wait to be collected, none of its jobs are taken: without contents, and with them.
const MOST_UNTAKEN: (usize, usize) = (10_000, 1_000);

/// How often it is looked whether there are other runs, and so the longest time after which the first job of a run is taken.
const LOOK: Duration = Duration::from_millis(500);

/// For so long a worker that was told to end finishes what is under way, before it gives it back.
const DRAIN: Duration = Duration::from_secs(10);

/// Fetches the jobs of any run of a fleet.
///
/// Jobs are checked as those of a stranger: see [`secrets`](Self::secrets), and give it a transport that reaches only what it
/// should.
#[derive(Clone)]
pub struct Worker {
    address: FleetAddress,
    /// How Redis is reached.
    transport: Transport,
    config: WorkerOptions,
}

#[derive(Clone)]
struct WorkerOptions {
    name: String,
    transport: Transport,
    secret: SecretValues,
    sends_secrets: bool,
    key: Option<FleetKey>,
    places: Option<ContentPlaces>,
    concurrency: NonZeroU32,
    idle_exit: Option<Duration>,
    notes: Notes,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("address", &self.address)
            .field("name", &self.config.name)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker of the fleet at this Redis, which is reached by `redis`, and its jobs by `jobs`.
    pub fn new(address: FleetAddress, redis: Transport, jobs: Transport) -> Worker {
        let config = WorkerOptions {
            name: own_name(),
            transport: jobs,
            secret: Arc::new(|_| None),
            sends_secrets: false,
            key: None,
            places: None,
            concurrency: DEFAULT_WORKER_CONCURRENCY,
            idle_exit: None,
            notes: Arc::new(|line| log::warn!("{line}")),
        };
        Worker { address, transport: redis, config }
    }

    /// Values for the `${NAME}` of jobs. Without this, jobs that have some fail, because whoever can write to the Redis decides
    /// where they are sent: give them only if the worker's transport [reaches](crate::transport::TransportBuilder::reach) no
    /// host but those that may have them.
    pub fn secrets(mut self, value: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Worker {
        (self.config.secret, self.config.sends_secrets) = (Arc::new(value), true);
        self
    }

    /// Takes the jobs of runs that are sealed with this key, and no others; without it, those of runs that are not sealed.
    pub fn key(mut self, key: FleetKey) -> Worker {
        self.config.key = Some(key);
        self
    }

    /// Saves the contents that are too large for Redis, above 256 KiB, where `place` says for the name of their job; without it
    /// they are left out. It has to give another place each time. [`Outcome::body_file`](crate::Outcome::body_file) names it, and
    /// [`Outcome::worker`](crate::Outcome::worker) the machine.
    pub fn save_large(mut self, place: impl Fn(&str) -> PathBuf + Send + Sync + 'static) -> Worker {
        self.config.places = Some(Arc::new(place));
        self
    }

    /// How many jobs are under way at once; [`DEFAULT_WORKER_CONCURRENCY`] by default.
    pub fn concurrency(mut self, jobs: NonZeroU32) -> Worker {
        self.config.concurrency = jobs;
        self
    }

    /// Ends the worker when it had nothing to do for this long; by default it waits for ever.
    pub fn idle_exit(mut self, idle: Option<Duration>) -> Worker {
        self.config.idle_exit = idle;
        self
    }

    /// Where lines for people go: that Redis is gone, that a run is of another version. The log by default.
    pub fn notes(mut self, notes: impl Fn(&str) + Send + Sync + 'static) -> Worker {
        self.config.notes = Arc::new(notes);
        self
    }

    /// The name under which outcomes say who fetched them.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Works until `stop` is set, and then finishes what is under way, for ten seconds at most; what is not done by then is
    /// given back. Returns how many jobs were done.
    ///
    /// # Errors
    /// Redis cannot be reached at first, or cannot be what a fleet needs. Later it is waited for.
    pub async fn work(self, event_loop: &EventLoop, stop: Rc<Event>) -> Result<usize> {
        let connector = Connector::new(self.address.clone(), self.transport.clone());
        let address = connector.address.clone();
        let (_, note) = connector.connect_first().await.map_err(|trouble| trouble.into_error(&address))?;
        if let Some(note) = note {
            (self.config.notes)(&format!("{address} {note}"));
        }
        let WorkerOptions { name, transport, secret, sends_secrets, key, places, concurrency, idle_exit, notes } =
            self.config;
        let requests = Arc::new(Semaphore::new(concurrency.get() as usize));
        let config = WorkerConfig {
            name,
            transport,
            secret,
            sends_secrets,
            key,
            places,
            concurrency,
            requests,
            connector,
            notes,
            stop,
        };
        let mut work = Work {
            config: config.into(),
            load: Rc::default(),
            runs: BTreeMap::new(),
            passed_over: BTreeSet::new(),
            behind: BTreeSet::new(),
            with_jobs: BTreeSet::new(),
            turn: 0,
            asked_in_vain: 0,
            event_loop,
            idle_exit,
        };
        let worked = work.work().await;
        work.drain().await;
        worked.map_err(|trouble| trouble.into_error(&address))?;
        Ok(work.load.done.get())
    }
}

/// The default of [`Worker::concurrency`].
pub const DEFAULT_WORKER_CONCURRENCY: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// The machine, the process, and some digits, because a container has the same process each time.
fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.or_else(|| std::env::var("COMPUTERNAME").ok()).or_else(|| std::env::var("HOSTNAME").ok());
    let host: String =
        host.as_deref().unwrap_or("worker").trim().chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
    format!("{host}-{}-{:04x}", std::process::id(), fastrand::u16(..))
}

/// A worker at work.
struct Work<'l> {
    config: Rc<WorkerConfig>,
    load: Rc<Load>,
    runs: BTreeMap<RunId, ServedRun>,
    /// Runs of other versions or keys or without jobs, which were told of.
    passed_over: BTreeSet<RunId>,
    /// Served runs whose collector is behind: none of their jobs are taken now.
    behind: BTreeSet<RunId>,
    /// Runs that had jobs at the last look.
    with_jobs: BTreeSet<RunId>,
    /// Which run is asked for jobs next, if there are more than there is room for; and how many were since one had some.
    turn: usize,
    asked_in_vain: usize,
    event_loop: &'l EventLoop,
    idle_exit: Option<Duration>,
}

impl Work<'_> {
    async fn work(&mut self) -> Result<(), Trouble> {
        let mut session = Session::patient(self.config.connector.clone(), self.config.notes.clone());
        let stop = self.config.stop.clone();
        let (mut last_look, mut idle_since) = (None::<Instant>, Instant::now());
        loop {
            if stop.is_set() {
                return Ok(());
            }
            if last_look.is_none_or(|last| last.elapsed() >= LOOK) {
                let stopped = async {
                    stop.wait().await;
                    Ok(())
                };
                self.look(&mut session).or(stopped).await?;
                last_look = Some(Instant::now());
            }
            // There are jobs, and they are not taken because who collects is slow.
            let busy = self.load.held() > 0 || !self.behind.is_empty();
            if busy {
                idle_since = Instant::now();
            }
            if self.idle_exit.is_some_and(|idle| !busy && idle_since.elapsed() >= idle) {
                return Ok(());
            }
            let room = (self.config.concurrency.get() as usize).saturating_sub(self.load.held());
            if room == 0 {
                self.load.changed.clear();
                // Tokens may be renewed in the meantime.
                let look = async {
                    sleep(LOOK).await;
                };
                self.load.changed.wait().or(stop.wait()).or(look).await;
                continue;
            }
            // No longer than until it ends for having nothing to do.
            let wait = self
                .idle_exit
                .filter(|_| !busy)
                .map_or(LOOK, |idle| idle.saturating_sub(idle_since.elapsed()).clamp(Duration::from_millis(1), LOOK));
            if self.take(&mut session, room, wait).await? {
                idle_since = Instant::now();
            }
        }
    }

    /// Takes jobs, if there are some within this time.
    async fn take(&mut self, session: &mut Session, room: usize, wait: Duration) -> Result<bool, Trouble> {
        let stop = self.config.stop.clone();
        let taken = {
            let mut runs: Vec<&RunId> = self.runs.keys().filter(|run| !self.behind.contains(*run)).collect();
            let count = runs.len();
            if count == 0 {
                sleep(wait).or(stop.wait()).await;
                return Ok(false);
            }
            // More runs than there is room for are asked in turn, those that had jobs a moment ago, as one that is over keeps
            // its place. All of them are asked only when none of these has a job.
            let with_jobs: Vec<&RunId> = runs.iter().copied().filter(|run| self.with_jobs.contains(*run)).collect();
            let waits = room >= count || self.asked_in_vain >= with_jobs.len();
            if !waits {
                runs = with_jobs;
                let first = self.turn % runs.len();
                runs.rotate_left(first);
                runs.truncate(room);
            }
            (self.turn, self.asked_in_vain) = (self.turn.wrapping_add(runs.len()), self.asked_in_vain + runs.len());
            // What Redis gives to a worker that was just told to end is left to others, when its lease is over; so the wait
            // is for Redis to end.
            session.take(&runs, &self.config.name, (room / runs.len()).max(1), waits.then_some(wait)).await
        };
        let taken = match taken {
            Ok(taken) => taken,
            // One of the runs is over, or its jobs are gone and the rest of it is not; which, the next look tells.
            Err(Trouble::Gone) => {
                self.pass_over_without_jobs(session).await?;
                self.look(session).await?;
                sleep(wait).or(stop.wait()).await;
                return Ok(false);
            }
            Err(trouble) => return Err(trouble),
        };
        let any = !taken.is_empty();
        if any {
            self.asked_in_vain = 0;
        }
        let mut room = room;
        for (run, mut entries) in taken {
            let Some(served) = self.runs.get(&run) else { continue };
            // Redis gives so many of each stream, and of several at once there may be more than that.
            let surplus = entries.split_off(room.min(entries.len()));
            room -= entries.len();
            match served.take(entries, surplus, session).await {
                Ok(()) => {}
                Err(Trouble::Gone) => drop(self.runs.remove(&run)),
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(any)
    }

    /// Serves no run whose stream of jobs is not there: all runs are asked for jobs at once, and one would hold up all.
    async fn pass_over_without_jobs(&mut self, session: &mut Session) -> Result<(), Trouble> {
        let runs: Vec<RunId> = self.runs.keys().cloned().collect();
        for run in runs {
            if session.has_jobs(&run).await? {
                continue;
            }
            drop(self.runs.remove(&run));
            // One that is over is gone whole.
            if session.meta(&run).await?.is_some() && self.passed_over.insert(run.clone()) {
                (self.config.notes)(&format!("run {run} has no jobs at the Redis any more: it is left alone"));
            }
        }
        Ok(())
    }

    /// Serves the runs that have jobs, the oldest first. One that has none keeps its place until another needs it.
    async fn look(&mut self, session: &mut Session) -> Result<(), Trouble> {
        let there = session.runs_at_work().await?;
        let names: BTreeSet<&RunId> = there.iter().map(|run| &run.id).collect();
        let mut trouble = None;
        self.runs.retain(|run, served| {
            match served.ended() {
                None | Some(Trouble::Gone) => {}
                Some(other) => trouble = Some(other),
            }
            served.ended().is_none() && (names.contains(run) || !served.is_idle())
        });
        self.passed_over.retain(|run| names.contains(run));
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        let waiting = |run: &RunId| !self.runs.contains_key(run) && !self.passed_over.contains(run);
        let new = there.iter().filter(|run| run.has_jobs && waiting(&run.id));
        let new: Vec<RunId> = new.map(|run| run.id.clone()).collect();
        let mut without_jobs = there.iter().filter(|run| !run.has_jobs).map(|run| &run.id);
        for run in new {
            if self.runs.len() >= MOST_RUNS {
                let has_place = |run: &&RunId| self.runs.get(run).is_some_and(ServedRun::is_idle);
                let Some(idle) = without_jobs.find(has_place) else { break };
                self.runs.remove(idle);
            }
            if let Some(meta) = session.meta(&run).await? {
                self.serve(run, meta);
            }
        }
        let is_behind = |run: &&RunAtWork| {
            let (without, with) = MOST_UNTAKEN;
            let most = |served: &ServedRun| if served.has_bodies() { with } else { without };
            run.has_jobs && self.runs.get(&run.id).is_some_and(|served| run.untaken >= most(served))
        };
        for run in &there {
            if let (Some(served), Some(tokens)) = (self.runs.get(&run.id), &run.tokens) {
                served.take_tokens(tokens);
            }
        }
        self.behind = there.iter().filter(is_behind).map(|run| run.id.clone()).collect();
        self.with_jobs = there.iter().filter(|run| run.has_jobs).map(|run| run.id.clone()).collect();
        Ok(())
    }

    /// Why no job of a run is taken, in words that follow its name.
    fn obstacle(&self, meta: &RunMeta) -> Option<String> {
        let (version, key) = (&meta.version, &self.config.key);
        if version != VERSION {
            return Some(format!("is of roundup {version}, and this worker is {VERSION}"));
        }
        let what = match key.as_ref().map(FleetKey::name) {
            Some(own) if own == meta.key => return None,
            None if meta.key.is_empty() => return None,
            None => "is sealed, and this worker has no --fleet-key",
            Some(_) if meta.key.is_empty() => "is not sealed, and this worker has a --fleet-key",
            Some(_) => "is sealed with another key than the --fleet-key of this worker",
        };
        Some(what.to_owned())
    }

    fn serve(&mut self, run: RunId, meta: RunMeta) {
        if let Some(why) = self.obstacle(&meta) {
            let name = &meta.name;
            (self.config.notes)(&format!("run {run} of {name} {why}: it takes none of its jobs"));
            self.passed_over.insert(run);
            return;
        }
        let served = ServedRun::new(run.clone(), meta, &self.config, &self.load, self.event_loop);
        self.runs.insert(run, served);
    }

    /// Waits for what is under way, and gives back what takes too long.
    async fn drain(&mut self) {
        for end in [DRAIN, DRAIN] {
            let end = Instant::now() + end;
            while self.load.held() > 0 && Instant::now() < end {
                self.load.changed.clear();
                let over = async {
                    sleep_until(end).await;
                };
                self.load.changed.wait().or(over).await;
            }
            self.runs.values().for_each(ServedRun::give_back);
        }
    }
}
