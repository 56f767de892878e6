//! The side of a run that has its plan: gives jobs to the fleet and takes their outcomes.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::FutureExt;

use super::connection::{Connector, Trouble};
use super::fleet_key::{FleetKey, open, seal};
use super::job_text::{JobWriter, TokenText};
use super::outcome_text::read;
use super::resp::Reply;
use super::run::{RunId, RunMeta};
use super::scripts::{KEEP, SUBMIT, TAKE_OUT};
use super::session::{Entry, Notes, Session};
use crate::error::{Error, Kind};
use crate::event_loop::sleep;
use crate::fetcher::elsewhere::{Courier, RemoteJobs};
use crate::job::Job;
use crate::live_token::LiveToken;
use crate::outcome::Outcome;

/// How many jobs go to Redis at once.
const JOBS_AT_ONCE: usize = 200;

/// How many outcomes come from Redis at once.
const OUTCOMES_AT_ONCE: usize = 16;

/// How many outcomes may wait for the reader of the run before no more are asked for.
const MOST_UNTAKEN: usize = 1000;

/// For so long Redis is asked to wait for an outcome.
const WAIT: Duration = Duration::from_secs(2);

/// For so long at least one who collects counts as one who does, after the last sign of it.
const COLLECTS: Duration = Duration::from_secs(10);

/// So often workers are told how many outcomes were taken, and it is looked whether there is a newer token for them.
const TELL: Duration = Duration::from_millis(500);

/// Gives the jobs of a run to its fleet, and takes the outcomes.
pub(super) struct Collector {
    pub(super) connector: Connector,
    pub(super) run: RunId,
    pub(super) meta: RunMeta,
    pub(super) notes: Notes,
    pub(super) key: Option<FleetKey>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Courier for Collector {
    fn carry(self: Arc<Self>, jobs: RemoteJobs) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            if let Err(trouble) = self.serve(&jobs).await {
                let error = trouble.into_error(&self.connector.address);
                (self.notes)(&error.one_line());
                jobs.refuse_all(&error);
            }
        })
    }
}

/// The jobs that were submitted, by their keys.
#[derive(Debug, Default)]
pub(super) struct KnownJobs {
    writer: JobWriter,
    /// How many of each text there were.
    counts: HashMap<String, u32>,
    /// Those whose outcomes have not come.
    open: HashMap<String, (usize, Job)>,
    /// Logins that are being given. Their outcomes are not taken before it is known that Redis has them: to give one again that was
    /// done and taken in the meantime would be a second call.
    given: HashMap<String, (usize, Job)>,
    /// Where outcomes stand that came before their jobs were known, as when a run is collected anew.
    early: HashMap<String, String>,
    /// The tokens that jobs are sent with, by login, and which of them the workers know.
    tokens: BTreeMap<Box<str>, (LiveToken, u64)>,
    /// When this process began to collect, by the clock of Redis, in milliseconds. What others before it have asked for by
    /// logins may have ended, so logins are asked for anew, and the numbers of their tokens are higher.
    began: u64,
}

/// Whether it is the call of a login, which goes before all others, because they wait for it.
pub(super) fn is_login(job: &Job) -> bool {
    job.settings().priority == i8::MAX
}

/// A job as it is submitted.
#[derive(Debug)]
pub(super) struct SubmittedJob {
    key: String,
    text: String,
    /// Whether it goes before all others, because they wait for it.
    goes_first: bool,
}

impl SubmittedJob {
    /// The arguments of [`SUBMIT`] for it.
    pub(super) fn arguments(self, key: Option<&FleetKey>, run: &RunId) -> Result<[String; 3], Trouble> {
        let SubmittedJob { key: job, text, goes_first } = self;
        let text = seal(key, &run.place("job", &job), text)?;
        Ok([u8::from(goes_first).to_string(), job, text])
    }
}

impl KnownJobs {
    /// None yet. It is said what texts are sealed with, and when this process began.
    pub(super) fn new(key: Option<&FleetKey>, began: u64) -> KnownJobs {
        KnownJobs { writer: JobWriter::new(key, began), began, ..KnownJobs::default() }
    }

    /// Takes a job in. If there is a time, that of its source is over then.
    ///
    /// # Errors
    /// It cannot go to another machine.
    pub(super) fn add(&mut self, number: usize, job: Job, ends: Option<Instant>) -> Result<SubmittedJob, Error> {
        let mut written = self.writer.write(&job)?;
        let goes_first = is_login(&job);
        let key = if goes_first {
            // What a collector before has asked for by the same call, and has not taken, is of use now; what was taken is out of
            // Redis, so the call is made anew. The same refresh token must not be sent twice.
            let is_free = |key: &String| !self.open.contains_key(key) && !self.given.contains_key(key);
            (0..).map(|number| written.key(number)).find(is_free).unwrap_or_default()
        } else {
            let count = self.counts.entry(written.key(0)).or_default();
            let began = if job.gives_secrets() { format!("-{:x}", self.began) } else { String::new() };
            *count += 1;
            written.key(*count - 1) + &began
        };
        if let (Some(login), Some(token)) = (&job.settings().auth, job.token()) {
            self.tokens.entry(login.clone()).or_insert_with(|| (token.clone(), 0));
        }
        if let Some(ends) = ends {
            written.set_left(ends.saturating_duration_since(Instant::now()));
        }
        let known = if goes_first { &mut self.given } else { &mut self.open };
        known.insert(key.clone(), (number, job));
        Ok(SubmittedJob { key, text: written.text, goes_first })
    }

    /// The newest tokens, if workers do not know one of them.
    fn new_tokens(&mut self) -> Option<String> {
        let mut is_new = false;
        let tokens: Vec<TokenText> = self
            .tokens
            .iter_mut()
            .map(|(login, (token, told))| {
                let text = TokenText::newest(login, token, self.began);
                is_new |= std::mem::replace(told, text.number) != text.number;
                text
            })
            .collect();
        is_new.then(|| serde_json::to_string(&tokens).unwrap_or_default())
    }
}

impl Collector {
    /// Gives jobs and takes outcomes until the run is over.
    async fn serve(&self, jobs: &RemoteJobs) -> Result<(), Trouble> {
        let now = Session::patient(self.connector.clone(), self.notes.clone()).time().await?;
        let known = KnownJobs::new(self.key.as_ref(), u64::try_from(now).unwrap_or(0));
        let known = RefCell::new(known);
        self.submit(jobs, &known).or(self.collect(jobs, &known)).await
    }

    /// Gives jobs to Redis as they come, and keeps the run alive. Ends when the run is over.
    async fn submit(&self, jobs: &RemoteJobs, known: &RefCell<KnownJobs>) -> Result<(), Trouble> {
        let mut session = Session::patient(self.connector.clone(), self.notes.clone());
        let mut next_keep = Instant::now();
        while !jobs.is_over() {
            let new = jobs.take_new(JOBS_AT_ONCE);
            let has_given = !new.is_empty();
            if has_given {
                self.give(new, jobs, known, &mut session).await?;
            }
            if Instant::now() >= next_keep {
                let (under_way, workers) = self.keep(&mut session).await?;
                jobs.set_in_flight(under_way, workers);
                next_keep = Instant::now() + self.meta.lease / 3;
            }
            let tokens = known.borrow_mut().new_tokens();
            if let Some(tokens) = tokens {
                let tokens = seal(self.key.as_ref(), &self.run.place("tokens", ""), tokens)?;
                session.set_tokens(&self.run, &tokens, self.meta.keep).await?;
            }
            if has_given {
                continue;
            }
            let has_tokens = !known.borrow().tokens.is_empty();
            let next = if has_tokens { next_keep.min(Instant::now() + TELL) } else { next_keep };
            let due = async {
                crate::event_loop::sleep_until(next).await;
            };
            jobs.changed().or(due).await;
        }
        Ok(())
    }

    /// Gives some jobs to Redis.
    async fn give(
        &self,
        new: Vec<(usize, Job, Option<Instant>)>,
        jobs: &RemoteJobs,
        known: &RefCell<KnownJobs>,
        session: &mut Session,
    ) -> Result<(), Trouble> {
        let mut arguments = Vec::with_capacity(new.len() * 3);
        for (number, job, ends) in new {
            let added = known.borrow_mut().add(number, job, ends);
            match added {
                Ok(job) => arguments.extend(job.arguments(self.key.as_ref(), &self.run)?),
                Err(error) => {
                    let text = format!("it cannot go to a fleet: it {}", error.one_line());
                    jobs.refuse(number, &Error::new(Kind::Skipped, text));
                }
            }
        }
        if !arguments.is_empty() {
            session.run(&self.run, SUBMIT, &arguments).await?;
        }
        {
            let KnownJobs { open, given, .. } = &mut *known.borrow_mut();
            open.extend(given.drain());
        }
        self.take_early(jobs, known, session).await
    }

    /// Ends jobs that are lost, lets no key expire, and tells how many jobs are under way, and by how many workers.
    async fn keep(&self, session: &mut Session) -> Result<(usize, usize), Trouble> {
        let arguments = keep_arguments("", (&self.run, &self.meta, self.key.as_ref()), 0, "0-0", (&[], &[]))?;
        let reply = session.run(&self.run, KEEP, &arguments).await?.into_list();
        session.name(&self.run, self.meta.started, self.meta.keep).await?;
        let count = |at: usize| reply.get(at).and_then(Reply::number).and_then(|number| usize::try_from(number).ok());
        Ok((count(2).unwrap_or(0), count(3).unwrap_or(0)))
    }

    /// Takes outcomes as they come; until there is trouble that no patience helps with.
    async fn collect(&self, jobs: &RemoteJobs, known: &RefCell<KnownJobs>) -> Result<(), Trouble> {
        let mut session = Session::patient(self.connector.clone(), self.notes.clone());
        let mut behind = "0-0".to_owned();
        let began = self.began(&mut session).await?;
        let (mut taken, mut told) = (0, Instant::now());
        loop {
            while jobs.untaken() >= MOST_UNTAKEN {
                // Nothing tells when they are taken; this is about as long as it takes to write that many.
                sleep(Duration::from_millis(20)).await;
                self.tell_taken(taken, &mut told, &mut session).await?;
            }
            self.tell_taken(taken, &mut told, &mut session).await?;
            let entries = session.read_out(&self.run, &behind, OUTCOMES_AT_ONCE, WAIT).await?;
            if entries.is_empty() && self.meta_is_gone(&mut session).await? {
                return Err(Trouble::Gone);
            }
            taken += entries.len();
            for entry in entries {
                behind.clone_from(&entry.id);
                let is_known = known.borrow().open.contains_key(&entry.key);
                match is_known {
                    true => self.take(jobs, known, (entry, began), &mut session).await?,
                    false => drop(known.borrow_mut().early.insert(entry.key, entry.id)),
                }
            }
        }
    }

    /// Lets workers know how many outcomes were taken, so that they do not get far ahead.
    async fn tell_taken(&self, taken: usize, told: &mut Instant, session: &mut Session) -> Result<(), Trouble> {
        if told.elapsed() < TELL {
            return Ok(());
        }
        *told = Instant::now();
        session.set_taken(&self.run, taken, (self.meta.lease * 2).max(COLLECTS)).await
    }

    /// When the run of this process began, by the clock of Redis, in milliseconds.
    async fn began(&self, session: &mut Session) -> Result<Began, Trouble> {
        let now = session.time().await?;
        Ok(Began { at: Instant::now(), redis: now })
    }

    async fn meta_is_gone(&self, session: &mut Session) -> Result<bool, Trouble> {
        Ok(session.meta(&self.run).await?.is_none())
    }

    /// Outcomes that had come before their jobs were known.
    async fn take_early(
        &self,
        jobs: &RemoteJobs,
        known: &RefCell<KnownJobs>,
        session: &mut Session,
    ) -> Result<(), Trouble> {
        let early: Vec<(String, String)> = {
            let mut known = known.borrow_mut();
            let KnownJobs { open, early, .. } = &mut *known;
            early.extract_known(open)
        };
        if early.is_empty() {
            return Ok(());
        }
        let began = self.began(session).await?;
        for (_, id) in early {
            let entry = session.entry(&self.run, &id).await?;
            if let Some(entry) = entry {
                self.take(jobs, known, (entry, began), session).await?;
            }
        }
        Ok(())
    }

    /// Takes the outcome of a job that is known.
    async fn take(
        &self,
        jobs: &RemoteJobs,
        known: &RefCell<KnownJobs>,
        (entry, began): (Entry, Began),
        session: &mut Session,
    ) -> Result<(), Trouble> {
        let is_login = known.borrow().open.get(&entry.key).is_some_and(|(_, job)| is_login(job));
        if is_login {
            session.run(&self.run, TAKE_OUT, &[entry.id.clone(), entry.key.clone()]).await?;
        }
        let open = known.borrow_mut().open.remove(&entry.key);
        let Some((number, job)) = open else { return Ok(()) };
        let before = known.borrow().began;
        if is_login && u64::try_from(entry.added()).is_ok_and(|added| added < before) && self.has_failed(&job, &entry) {
            // Why it failed when another collected may have passed.
            return Box::pin(self.give(vec![(number, job, None)], jobs, known, session)).await;
        }
        self.put(jobs, (number, &job, before), entry, began);
        Ok(())
    }

    /// Reads the outcome of a job.
    fn read(&self, job: &Job, entry: Entry) -> Result<(Outcome, Duration, u64), Error> {
        let value = |name: &str| job.secrets().iter().find(|(known, _)| *known == name).map(|(_, it)| it.to_owned());
        let key = self.key.as_ref();
        // One that was lost has the outcome that all such jobs have.
        let text = open(key, &self.run.place("out", &entry.key), entry.text.clone())
            .or_else(|_| open(key, &self.run.place("out", ""), entry.text))?;
        read(&text, &value)
    }

    /// Whether a job has failed, by the outcome of this entry.
    fn has_failed(&self, job: &Job, entry: &Entry) -> bool {
        self.read(job, entry.clone()).map_or(true, |(outcome, ..)| !outcome.ok())
    }

    /// Ends a job with the outcome of this entry.
    fn put(&self, jobs: &RemoteJobs, (number, job, before): (usize, &Job, u64), entry: Entry, began: Began) {
        let added = entry.added();
        match self.read(job, entry) {
            Ok((outcome, age, token)) => {
                if let Some(live) = job.token() {
                    // One of a run that was collected before is none of this one.
                    live.set_sent(token.saturating_sub(before));
                }
                // By the clock of Redis alone: those of the machines may be a year apart.
                let since = added - began.redis;
                let offset = Duration::from_millis(since.unsigned_abs());
                let here = began.at.saturating_duration_since(jobs.started());
                let noted = if since >= 0 { here + offset } else { here.saturating_sub(offset) };
                jobs.put(number, outcome, noted.saturating_sub(age));
            }
            Err(error) => jobs.refuse(number, &Error::new(Kind::Protocol, error.one_line())),
        }
    }
}

/// Takes what is known on both sides.
trait ExtractKnown {
    fn extract_known(&mut self, open: &HashMap<String, (usize, Job)>) -> Vec<(String, String)>;
}

impl ExtractKnown for HashMap<String, String> {
    fn extract_known(&mut self, open: &HashMap<String, (usize, Job)>) -> Vec<(String, String)> {
        let known: Vec<String> = self.keys().filter(|key| open.contains_key(*key)).cloned().collect();
        known.into_iter().filter_map(|key| self.remove_entry(&key)).collect()
    }
}

/// One moment by two clocks.
#[derive(Clone, Copy, Debug)]
struct Began {
    at: Instant,
    redis: i64,
}

/// What [`KEEP`] is called with.
pub(super) fn keep_arguments(
    worker: &str,
    (run, meta, key): (&RunId, &RunMeta, Option<&FleetKey>),
    room: usize,
    cursor: &str,
    (held, once): (&[String], &[String]),
) -> Result<Vec<String>, Trouble> {
    let failed = |error: &Error| seal(key, &run.place("out", ""), super::outcome_text::failed(error));
    let lost = Error::new(Kind::Cancelled, "it is not known whether it was sent: its worker died");
    let poison = Error::new(Kind::Cancelled, format!("{MOST_WORKERS} workers died with it"));
    let mut arguments = vec![
        worker.to_owned(),
        meta.lease.as_millis().to_string(),
        meta.keep.as_millis().to_string(),
        room.to_string(),
        cursor.to_owned(),
        failed(&lost)?,
        failed(&poison)?,
        MOST_WORKERS.to_string(),
        held.len().to_string(),
    ];
    arguments.extend(held.iter().chain(once).cloned());
    Ok(arguments)
}

/// After so many workers have died with a job, it is not given to another.
const MOST_WORKERS: u32 = 3;
