//! A run of a fleet, for who begins it, collects it, or ends it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::address::FleetAddress;
use super::collector::{Collector, KnownJobs};
use super::connection::{Connector, Trouble};
use super::fleet_key::FleetKey;
use super::job_text::JobWriter;
use super::run::{RunId, RunMeta, VERSION};
use super::scripts::SUBMIT;
use super::session::{Notes, Session};
use crate::error::{Error, Kind, Result};
use crate::fetcher::Fetcher;
use crate::graph::JobGraph;
use crate::job::Job;
use crate::job_id::JobDigest;
use crate::limits::Limits;
use crate::transport::Transport;

/// Why the job of this name stays here.
fn cannot_go(name: &str, error: &Error) -> Error {
    Error::new(Kind::Config, format!("\"{name}\" cannot go to a fleet: it {}", error.one_line()))
}

/// How many jobs go to Redis at once.
const JOBS_AT_ONCE: usize = 200;

/// A Redis by which machines share the jobs of plans.
#[derive(Clone)]
pub struct Fleet {
    connector: Connector,
    notes: Notes,
    key: Option<FleetKey>,
}

/// What all workers of a run hold to.
#[derive(Clone, Debug)]
pub struct FleetSettings {
    /// The plan's name, for people.
    pub name: String,
    /// What tells its jobs from those of other plans: see [`plan_digest`](crate::plan_digest).
    pub plan: JobDigest,
    /// After how long without a sign of life a worker's jobs are taken over; at least 100 ms.
    pub lease: Duration,
    /// For how long Redis keeps a run after its last worker and collector.
    pub keep: Duration,
    /// Whether contents come with outcomes, up to 256 KiB each.
    pub bodies: bool,
    /// Whether fields of responses do.
    pub fields: bool,
    /// Rates and numbers at once hold over all workers; the rest is for each of them.
    pub limits: Limits,
}

/// A run that is in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRun {
    /// Its name.
    pub id: RunId,
    /// The name of its plan.
    pub name: String,
    /// Whether it is of the plan that was asked for.
    pub is_of_plan: bool,
    /// Whether it is not sealed with the key of this fleet, and so cannot be collected here; a fleet without a key has that of runs
    /// that are not sealed. Of which plan such a run is cannot be told, either.
    pub is_sealed_otherwise: bool,
    /// The version that has begun it.
    pub version: String,
}

/// A run of a fleet. It goes on in Redis when its collector or its workers end.
#[derive(Clone, Debug)]
pub struct FleetRun {
    fleet: Fleet,
    id: RunId,
    meta: RunMeta,
}

impl Fleet {
    /// The fleet at this Redis, which is reached by this transport. `notes` takes lines for people: that Redis is gone.
    pub fn new(address: FleetAddress, transport: Transport, notes: impl Fn(&str) + Send + Sync + 'static) -> Fleet {
        Fleet { connector: Connector::new(address, transport), notes: Arc::new(notes), key: None }
    }

    /// Seals jobs and outcomes with this key, which the workers need, too; without it they go as they are.
    pub fn key(mut self, key: FleetKey) -> Fleet {
        self.key = Some(key);
        self
    }

    /// Whether these jobs can go to other machines, as far as that is known before the run.
    ///
    /// # Errors
    /// [`Kind::Config`], with the first that cannot and why.
    pub fn check_jobs<'a>(&self, jobs: impl IntoIterator<Item = &'a Job>, graph: Option<&JobGraph>) -> Result<()> {
        let is_sealed = self.key.is_some();
        if !is_sealed && graph.is_some_and(JobGraph::has_secret_values) {
            let text = "the plan takes secret values from answers (auth, secret), and they go through Redis only sealed: give it and the workers a --fleet-key";
            return Err(Error::new(Kind::Config, text));
        }
        let mut writer = JobWriter::new(self.key.as_ref(), 0);
        for job in jobs {
            writer.write(job).map_err(|error| cannot_go(job.name(), &error))?;
        }
        Ok(())
    }

    /// The name of its key; empty if there is none.
    fn key_name(&self) -> String {
        self.key.as_ref().map(FleetKey::name).unwrap_or_default()
    }

    /// What tells a plan from others, as it stands in Redis. Its URLs may have a password.
    fn plan_name(&self, plan: JobDigest) -> String {
        match &self.key {
            Some(key) => key.name_of(&format!("the name of a plan: {plan}")),
            None => plan.to_string(),
        }
    }

    fn error(&self, trouble: Trouble) -> Error {
        trouble.into_error(&self.connector.address)
    }

    async fn session(&self) -> Result<Session> {
        let (connection, note) = self.connector.connect_first().await.map_err(|trouble| self.error(trouble))?;
        if let Some(note) = note {
            (self.notes)(&format!("{} {note}", self.connector.address));
        }
        Ok(Session::new(self.connector.clone(), Some(connection)))
    }

    /// Begins a run, without jobs yet.
    ///
    /// # Errors
    /// [`Kind::Config`]: Redis cannot be reached, or cannot be what a fleet needs.
    pub async fn begin(&self, settings: FleetSettings) -> Result<FleetRun> {
        let mut session = self.session().await?;
        let FleetSettings { name, plan, lease, keep, bodies, fields, limits } = settings;
        let (version, plan) = (VERSION.to_owned(), self.plan_name(plan));
        let lease = lease.max(Duration::from_millis(100));
        let key = self.key_name();
        let mut meta = RunMeta { version, plan, name, lease, keep, bodies, fields, limits, key, started: 0 };
        let id = RunId::new();
        meta.started = session.begin(&id, &meta).await.map_err(|trouble| self.error(trouble))?;
        Ok(FleetRun { fleet: self.clone(), id, meta })
    }

    /// The runs that there are, the oldest first.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub async fn runs(&self, plan: JobDigest) -> Result<Vec<FoundRun>> {
        let runs = self.session().await?.runs().await.map_err(|trouble| self.error(trouble))?;
        let found = runs.into_iter().map(|(id, meta)| FoundRun {
            id,
            name: meta.name,
            is_of_plan: meta.plan == self.plan_name(plan),
            is_sealed_otherwise: meta.key != self.key_name(),
            version: meta.version,
        });
        Ok(found.collect())
    }

    /// The run of this name.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin); it is not there, of another plan or version, or sealed with another key.
    pub async fn run(&self, id: &RunId, plan: JobDigest) -> Result<FleetRun> {
        let mut session = self.session().await?;
        let meta = session.meta(id).await.map_err(|trouble| self.error(trouble))?;
        let address = &self.connector.address;
        let wrong = |text: String| Err(Error::new(Kind::Config, text));
        let Some(meta) = meta else {
            return wrong(format!("{address} has no run {id}: it is over, was cancelled, or has expired"));
        };
        if meta.version != VERSION {
            let version = &meta.version;
            return wrong(format!(
                "run {id} is of roundup {version}, and this is {VERSION}: collect it with the same version"
            ));
        }
        if meta.key != self.key_name() {
            let what = match (meta.key.is_empty(), &self.key) {
                (true, _) => "is not sealed: leave --fleet-key out",
                (false, None) => "is sealed: give its key with --fleet-key",
                (false, Some(_)) => "is sealed with another key than this --fleet-key",
            };
            return wrong(format!("run {id} {what}"));
        }
        if meta.plan != self.plan_name(plan) {
            let name = &meta.name;
            return wrong(format!(
                "run {id} is of another plan than this one, or of jobs that have changed since: of {name}"
            ));
        }
        Ok(FleetRun { fleet: self.clone(), id: id.clone(), meta })
    }
}

impl FleetRun {
    /// Its name.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// A fetcher whose jobs are fetched by the fleet. Nothing is sent from here.
    pub fn fetcher(&self, fetcher: Fetcher) -> Fetcher {
        let (connector, run) = (self.fleet.connector.clone(), self.id.clone());
        let (notes, key) = (self.fleet.notes.clone(), self.fleet.key.clone());
        let collector = Collector { connector, run, meta: self.meta.clone(), notes, key };
        fetcher.courier(Arc::new(collector))
    }

    /// Adds jobs, for who collects them later. Those of logins, and those that need one, are left to who collects, because a login
    /// is of use only to the run that asks for it. Returns how many were not there yet.
    ///
    /// # Errors
    /// As for [`Fleet::begin`]; or a job cannot go to another machine, and then none is added.
    pub async fn submit(&self, jobs: impl IntoIterator<Item = Job>) -> Result<usize> {
        let key = self.fleet.key.as_ref();
        let mut known = KnownJobs::new(key, 0);
        let mut arguments = Vec::new();
        let is_free = |job: &Job| job.settings().auth.is_none() && !job.gives_secrets();
        for (number, job) in jobs.into_iter().filter(is_free).enumerate() {
            let name = job.name().to_owned();
            let job = known.add(number, job, None).map_err(|error| cannot_go(&name, &error))?;
            arguments.extend(job.arguments(key, &self.id).map_err(|trouble| self.fleet.error(trouble))?);
        }
        let mut session = Session::new(self.fleet.connector.clone(), None);
        let mut added = 0;
        for some in arguments.chunks(JOBS_AT_ONCE * 3) {
            let reply = session.run(&self.id, SUBMIT, some).await.map_err(|trouble| self.fleet.error(trouble))?;
            added += usize::try_from(reply.number().unwrap_or(0)).unwrap_or(0);
        }
        Ok(added)
    }

    /// Takes all of it out of Redis. Workers that have jobs of it drop them.
    ///
    /// # Errors
    /// As for [`Fleet::begin`].
    pub async fn end(&self) -> Result<()> {
        let mut session = Session::new(self.fleet.connector.clone(), None);
        session.delete(&self.id).await.map_err(|trouble| self.fleet.error(trouble))
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("address", &self.connector.address).finish_non_exhaustive()
    }
}
