//! One run that a worker serves: jobs that it has taken, and the way of their outcomes back.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{FutureExt, StreamExt};

use super::collector::keep_arguments;
use super::connection::Trouble;
use super::fleet_key::{open, seal};
use super::job_text::{AboutJob, TokenText, read, secret_names};
use super::limits::{LimitKeeper, SharedLimits};
use super::outcome_text::{failed, write};
use super::run::{RunId, RunMeta};
use super::scripts::{BEGIN_ONCE, COMMIT, GIVE_BACK, KEEP};
use super::secret_text::SecretText;
use super::session::{Entry, Session, entries};
use super::worker_config::{HeldPlace, Load, WorkerConfig};
use crate::error::{Error, Kind, Result};
use crate::event_loop::{EventLoop, Task, sleep};
use crate::fetcher::{Fetcher, Intake, Outcomes, Stopper};
use crate::job::Job;
use crate::live_token::LiveToken;
use crate::outcome::Outcome;
use crate::outcome_group::gather;
use crate::secrets::Secrets;

/// For so long outcomes wait for others, to go with them.
const GATHER: Duration = Duration::from_millis(5);

/// A year in milliseconds.
const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// The most bytes of outcomes that go to Redis at once, but for the last one.
const MOST_BYTES: usize = 4 << 20;

/// A job that this worker has taken.
#[derive(Debug)]
struct HeldJob {
    entry: Entry,
    /// Whether it was acknowledged before it was sent, because it must not be sent again.
    once: bool,
    taken: Instant,
    secrets: Arc<SecretText>,
    token: Option<LiveToken>,
    place: HeldPlace,
}

/// A job by what its lease is renewed.
#[derive(Clone, Debug)]
enum LeasedJob {
    /// The entry of its stream.
    Entry(String),
    /// The key of one that was acknowledged before it was sent.
    Once(String),
}

impl HeldJob {
    fn lease(&self) -> LeasedJob {
        if self.once { LeasedJob::Once(self.entry.key.clone()) } else { LeasedJob::Entry(self.entry.id.clone()) }
    }
}

/// A job that was read, and what is known of it here.
struct TakenJob {
    job: Job,
    secrets: Arc<SecretText>,
    token: Option<LiveToken>,
    /// When the time of its source is over.
    ends: Option<Instant>,
}

/// A run that a worker serves.
#[derive(Debug)]
pub(super) struct ServedRun {
    shared: Rc<SharedRun>,
    _task: Task<()>,
}

/// What the side that takes jobs and the side that brings outcomes both know.
#[derive(Debug)]
struct SharedRun {
    id: RunId,
    meta: RunMeta,
    config: Rc<WorkerConfig>,
    intake: RefCell<Option<Intake>>,
    stopper: Stopper,
    /// The jobs whose outcomes are on their way to Redis. To save their contents may take longer than a lease.
    on_way: RefCell<Vec<LeasedJob>>,
    /// By their numbers.
    held: RefCell<BTreeMap<usize, HeldJob>>,
    next: Cell<usize>,
    /// Whether jobs that were not done are given back.
    gives_back: Cell<bool>,
    /// Why it is not served any more.
    ended: RefCell<Option<Trouble>>,
    secrets: RefCell<Arc<SecretText>>,
    /// The newest tokens by their logins, and the text that they were last read from.
    tokens: RefCell<HashMap<Box<str>, LiveToken>>,
    tokens_text: RefCell<String>,
    /// How many jobs this worker has in all runs.
    load: Rc<Load>,
}

impl ServedRun {
    /// Begins to serve a run.
    pub(super) fn new(
        id: RunId,
        meta: RunMeta,
        config: &Rc<WorkerConfig>,
        load: &Rc<Load>,
        event_loop: &EventLoop,
    ) -> ServedRun {
        // The same limits hold here, so that a worker does not ask for what it may not have; rates are for Redis alone.
        let mut limits = meta.limits.clone();
        limits.concurrency = limits.concurrency.min(config.concurrency);
        limits.rate = None;
        limits.hosts.values_mut().for_each(|host| host.rate = None);
        let (shared_limits, keeper) = SharedLimits::new(meta.limits.clone(), config.requests.clone());
        let fetcher =
            Fetcher::with_transport(config.transport.clone()).limits(limits).share_limits(Arc::new(shared_limits));
        let (intake, outcomes) = fetcher.keep_bodies(meta.bodies).keep_fields(meta.fields).open(event_loop);
        let shared = Rc::new(SharedRun {
            id,
            meta,
            config: config.clone(),
            intake: RefCell::new(Some(intake)),
            stopper: outcomes.stopper(),
            on_way: RefCell::default(),
            held: RefCell::default(),
            next: Cell::new(0),
            gives_back: Cell::new(false),
            ended: RefCell::new(None),
            secrets: RefCell::default(),
            tokens: RefCell::default(),
            tokens_text: RefCell::default(),
            load: load.clone(),
        });
        let task = event_loop.spawn_named("fleet run", shared.clone().serve(outcomes, keeper));
        ServedRun { shared, _task: task }
    }

    /// Why it is not served any more, if it is not.
    pub(super) fn ended(&self) -> Option<Trouble> {
        self.shared.ended.borrow().clone()
    }

    /// Whether it has no job, and no outcome that Redis does not have yet.
    pub(super) fn is_idle(&self) -> bool {
        self.shared.held.borrow().is_empty() && self.shared.on_way.borrow().is_empty()
    }

    /// Whether contents come with its outcomes.
    pub(super) fn has_bodies(&self) -> bool {
        self.shared.meta.bodies
    }

    /// Takes the newest tokens of its logins, for jobs that wait for their turn.
    pub(super) fn take_tokens(&self, sealed: &str) {
        let shared = &self.shared;
        if *shared.tokens_text.borrow() == sealed {
            return;
        }
        sealed.clone_into(&mut shared.tokens_text.borrow_mut());
        let text = open(shared.config.key.as_ref(), &shared.id.place("tokens", ""), sealed.to_owned());
        let tokens = text.ok().and_then(|text| serde_json::from_str::<Vec<TokenText>>(&text).ok());
        tokens.into_iter().flatten().for_each(|token| drop(shared.live(token)));
    }

    /// Takes jobs in, and gives those back at once for which there is no room.
    pub(super) async fn take(
        &self,
        jobs: Vec<Entry>,
        surplus: Vec<Entry>,
        session: &mut Session,
    ) -> Result<(), Trouble> {
        // Kept jobs first: with a full Redis, giving back waits, and a job that is not held meanwhile loses its lease.
        self.shared.add(jobs, session).await?;
        if !surplus.is_empty() {
            let mut back = vec![self.shared.config.name.clone()];
            back.extend(surplus.into_iter().flat_map(|Entry { id, key, text }| [id, key, text]));
            session.run(&self.shared.id, GIVE_BACK, &back).await?;
        }
        Ok(())
    }

    /// Ends what is under way; what was not done is given back.
    pub(super) fn give_back(&self) {
        self.shared.gives_back.set(true);
        self.shared.stopper.stop();
    }
}

impl SharedRun {
    async fn add(&self, entries: Vec<Entry>, session: &mut Session) -> Result<(), Trouble> {
        for entry in entries {
            let job = self.read(&entry);
            let once = job.as_ref().is_ok_and(|TakenJob { job, .. }| {
                !job.settings().method.is_idempotent() && !job.settings().retry_unsafe
            });
            if once {
                let lease = self.meta.lease.as_millis().to_string();
                let arguments = [self.config.name.clone(), lease, entry.id.clone(), entry.key.clone()];
                if session.run(&self.id, BEGIN_ONCE, &arguments).await?.number() != Some(1) {
                    // Another has taken it over.
                    continue;
                }
            }
            match job {
                Ok(TakenJob { job, secrets, token, ends }) => {
                    let place = self.load.place();
                    self.start(job, ends, HeldJob { entry, once, taken: Instant::now(), secrets, token, place });
                }
                Err(error) => {
                    let mut outcome = failed(&error);
                    if let Some(open) = outcome.strip_suffix("}}") {
                        let worker = serde_json::to_string(&self.config.name).unwrap_or_default();
                        outcome = format!("{open},\"worker\":{worker}}}}}");
                    }
                    let outcome = self.seal(&entry.key, outcome)?;
                    session.run(&self.id, COMMIT, &[entry.id, entry.key, outcome]).await?;
                }
            }
        }
        Ok(())
    }

    /// An outcome as it goes through Redis.
    fn seal(&self, key: &str, outcome: String) -> Result<String, Trouble> {
        seal(self.config.key.as_ref(), &self.id.place("out", key), outcome)
    }

    /// The token of a login, at least as new as this one, for a job of it.
    fn live(&self, token: TokenText) -> LiveToken {
        let TokenText { login, number, field } = token;
        let mut tokens = self.tokens.borrow_mut();
        let newest = || LiveToken::new(Arc::new((number, field.clone()).into()));
        let known = tokens.entry(login).or_insert_with(newest);
        known.renew(number, field);
        known.of_another_job()
    }

    fn start(&self, job: Job, ends: Option<Instant>, held: HeldJob) {
        let number = self.next.replace(self.next.get() + 1);
        let added = self.intake.borrow().as_ref().is_some_and(|intake| intake.add_until(job.at(number), ends).is_ok());
        // One that is not taken in is left to others, when its lease is over.
        if added {
            self.held.borrow_mut().insert(number, held);
        }
    }

    /// Reads a job, as one of a stranger.
    fn read(&self, entry: &Entry) -> Result<TakenJob> {
        let skipped =
            |error: Error| Error::new(Kind::Skipped, format!("a worker did not take it: {}", error.one_line()));
        let text =
            open(self.config.key.as_ref(), &self.id.place("job", &entry.key), entry.text.clone()).map_err(skipped)?;
        let names = secret_names(&text).map_err(skipped)?;
        if !names.is_empty() && !self.config.sends_secrets {
            let text = "it needs secrets, which this worker sends nowhere: start it with --allow and the hosts that may have them";
            return Err(skipped(Error::new(Kind::Config, text)));
        }
        // A mark of a secret that the job does not name has no value, so that each one that is put in is looked for in what
        // comes back.
        let value = |name: &str| names.iter().any(|one| one == name).then(|| (self.config.secret)(name)).flatten();
        if let Some(name) = names.iter().find(|name| value(name).is_none()) {
            return Err(skipped(Error::new(Kind::Config, format!("there is no value for ${{{name}}} here"))));
        }
        let (job, AboutJob { token, left }) = read(&text, &value).map_err(|error| match names.is_empty() {
            true => skipped(error),
            // What is wrong may be a value, which goes nowhere.
            false => skipped(Error::new(
                Kind::Config,
                format!("it cannot be sent with the values that this worker has for {}", names.join(", ")),
            )),
        })?;
        let mut secrets = self.secrets.borrow_mut();
        // What one job was answered may be echoed to another, so all that are known are looked for. What answers gave stays, as the
        // outcome is sealed, and who collects knows it.
        let named = || job.secrets().iter().filter(|(name, _)| names.iter().any(|known| known == name));
        if named().any(|one| secrets.secrets().iter().all(|known| known != one)) {
            let all = secrets.secrets().iter().chain(named());
            let all = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
            *secrets = SecretText::new(&Secrets::new(all)).into();
        }
        let secrets = secrets.clone();
        let token = token.map(|token| self.live(token));
        let job = token.iter().fold(job, |job, token| job.with_token(token.clone()));
        // One that is too far off for the clock never comes, and a year is about as far.
        let ends = left.map(|ms| Instant::now() + Duration::from_millis(ms.min(YEAR_MS)));
        Ok(TakenJob { job, secrets, token, ends })
    }

    /// Brings outcomes back, and renews the lease of what is under way.
    async fn serve(self: Rc<Self>, outcomes: Outcomes, keeper: LimitKeeper) {
        let session = || Session::patient(self.config.connector.clone(), self.config.notes.clone());
        // Three connections: to bring outcomes must hold up neither requests nor leases.
        let (mut bringing, mut renewing, mut asking) = (session(), session(), session());
        let limits = keeper.keep(self.id.clone(), self.meta.clone(), self.config.name.clone(), &mut asking);
        let limits = async { Err(limits.await) };
        let renewed = async { Err(self.renew(&mut renewing).await) };
        if let Err(trouble) = self.bring(outcomes, &mut bringing).or(renewed).or(limits).await {
            *self.ended.borrow_mut() = Some(trouble);
            self.held.borrow_mut().clear();
            *self.intake.borrow_mut() = None;
            self.stopper.stop();
        }
        self.load.changed.set();
    }

    /// Brings outcomes to Redis as they come, until there are no more.
    async fn bring(&self, mut outcomes: Outcomes, session: &mut Session) -> Result<(), Trouble> {
        while let Some(first) = outcomes.next().await {
            let group = gather(first, &mut outcomes, GATHER).await;
            self.commit(group, session).await?;
            self.on_way.borrow_mut().clear();
        }
        Ok(())
    }

    /// Renews leases, three times in each.
    async fn renew(&self, session: &mut Session) -> Trouble {
        let mut cursor = "0-0".to_owned();
        loop {
            sleep(self.meta.lease / 3).await;
            if let Err(trouble) = self.keep(&mut cursor, session).await {
                return trouble;
            }
        }
    }

    async fn commit(&self, group: Vec<Outcome>, session: &mut Session) -> Result<(), Trouble> {
        let (mut done, mut back) = (Vec::new(), vec![self.config.name.clone()]);
        let (mut bytes, mut places) = (0, Vec::new());
        for mut outcome in group {
            let Some(held) = self.held.borrow_mut().remove(&outcome.index) else { continue };
            self.on_way.borrow_mut().push(held.lease());
            let HeldJob { entry, once, taken, secrets, token, place } = held;
            // Its place is taken until Redis knows what became of it.
            places.push(place);
            let kind = outcome.error.as_ref().map(|error| error.kind);
            let was_sent = kind != Some(Kind::Skipped);
            if self.gives_back.get() && matches!(kind, Some(Kind::Cancelled | Kind::Skipped)) && !(once && was_sent) {
                back.extend([entry.id, entry.key, entry.text]);
                continue;
            }
            let age = taken.elapsed();
            // From when it was taken, in place of from when the run of this worker began.
            let base = outcome
                .attempts
                .first()
                .map_or(Duration::ZERO, |attempt| attempt.started.saturating_sub(outcome.timings.queue));
            outcome.attempts.iter_mut().for_each(|attempt| attempt.started = attempt.started.saturating_sub(base));
            outcome.worker = Some(self.config.name.as_str().into());
            let token = token.map_or(0, |token| token.sent());
            let text = write(outcome, age, token, &secrets, self.config.places.as_ref()).await;
            let text = self.seal(&entry.key, text)?;
            bytes += text.len();
            done.extend([entry.id, entry.key, text]);
            if bytes >= MOST_BYTES {
                bytes = 0;
                session.run(&self.id, COMMIT, &std::mem::take(&mut done)).await?;
            }
        }
        if !done.is_empty() {
            session.run(&self.id, COMMIT, &done).await?;
        }
        if back.len() > 1 {
            session.run(&self.id, GIVE_BACK, &back).await?;
        }
        self.load.done.set(self.load.done.get() + places.len());
        Ok(())
    }

    /// Renews what this worker holds, and takes over what the dead have left, as far as there is room.
    async fn keep(&self, cursor: &mut String, session: &mut Session) -> Result<(), Trouble> {
        let room = match self.intake.borrow().is_some() && !self.config.stop.is_set() {
            true => (self.config.concurrency.get() as usize).saturating_sub(self.load.held()),
            false => 0,
        };
        let (mut held, mut once) = (Vec::new(), Vec::new());
        for lease in self.held.borrow().values().map(HeldJob::lease).chain(self.on_way.borrow().iter().cloned()) {
            match lease {
                LeasedJob::Entry(id) => held.push(id),
                LeasedJob::Once(key) => once.push(key),
            }
        }
        let run = (&self.id, &self.meta, self.config.key.as_ref());
        let arguments = keep_arguments(&self.config.name, run, room, cursor, (&held, &once))?;
        let mut reply = session.run(&self.id, KEEP, &arguments).await?.into_list();
        if !(held.is_empty() && once.is_empty()) {
            session.name(&self.id, self.meta.started, self.meta.keep).await?;
        }
        if reply.len() < 2 {
            return Ok(());
        }
        let taken = entries(reply.swap_remove(1));
        *cursor = reply.swap_remove(0).into_text().unwrap_or_else(|| "0-0".to_owned());
        if !taken.is_empty() {
            let (count, run) = (taken.len(), &self.id);
            log::info!("{count} jobs of run {run} were taken over: their worker has given no sign of life");
            self.add(taken, session).await?;
        }
        Ok(())
    }
}
