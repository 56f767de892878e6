//! A run that is being kept: what is written of it while it goes on.

use std::time::{Duration, Instant, SystemTime};

use rusqlite::{Connection, TransactionBehavior, params};

use super::cache_changes::{Changes, take};
use super::file::State;
use super::job_keys::{JobKey, digest_of_all, keys_of};
use super::run_lock::RunLock;
use super::write::{self, OutcomeWriter};
use super::write_cache::{self, WrittenBodies};
use crate::cache::{CacheChange, MAX_KEPT_CONTENT};
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::milliseconds::fractional_ms;
use crate::outcome::Outcome;
use crate::redact::Redactor;
use crate::rfc3339::rfc3339;

/// After this long at most, what was committed is on the disk: a power cut loses what was committed since. A process that is
/// killed loses nothing that was committed.
pub const SYNC_EVERY: Duration = Duration::from_secs(2);

/// Contents larger than this are not kept by default; their jobs run again if they are needed.
pub const MAX_CONTENT: u64 = MAX_KEPT_CONTENT;

/// A run that is about to be kept.
#[derive(Clone, Debug)]
pub struct NewRun {
    plan: String,
    /// The keys of jobs by their place in the input.
    pub(super) keys: Vec<Option<JobKey>>,
    /// The digest of all of them.
    jobs: [u8; 16],
    sources: usize,
    started: SystemTime,
    redactor: Redactor,
    contents: bool,
    max_content: u64,
}

impl NewRun {
    /// A run of these jobs, which are those of this plan: a later run of a plan of the same name may go on with it. Each has
    /// a place in the input, or is taken to be at its place in the list.
    pub fn of(plan: &str, jobs: &[Job]) -> NewRun {
        NewRun::with_redactor(plan, jobs, &Redactor::default())
    }

    /// The same, with what is not written: neither in names and messages nor as part of contents.
    pub fn with_redactor(plan: &str, jobs: &[Job], redactor: &Redactor) -> NewRun {
        let all = keys_of(jobs, redactor);
        let digest = digest_of_all(&all);
        let mut keys: Vec<Option<JobKey>> = Vec::with_capacity(all.len());
        for (number, (job, key)) in jobs.iter().zip(all).enumerate() {
            let place = job.index().unwrap_or(number);
            keys.resize(keys.len().max(place + 1), None);
            keys[place] = Some(key);
        }
        NewRun {
            plan: plan.to_owned(),
            keys,
            jobs: digest,
            sources: jobs.len(),
            started: SystemTime::now(),
            redactor: redactor.clone(),
            contents: false,
            max_content: MAX_CONTENT,
        }
    }

    /// How many sources there are, if some are no jobs.
    pub fn sources(mut self, sources: usize) -> NewRun {
        self.sources = sources;
        self
    }

    /// When it started, by the clock of the system; now by default.
    pub fn started(mut self, started: SystemTime) -> NewRun {
        self.started = started;
        self
    }

    /// Whether contents are kept; no by default.
    pub fn contents(mut self, contents: bool) -> NewRun {
        self.contents = contents;
        self
    }

    /// The plan's name.
    pub(super) fn plan(&self) -> &str {
        &self.plan
    }
}

/// How a run ended that was not killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Each source has an outcome of its own.
    Done,
    /// It was interrupted, or its deadline passed, or it ended at the first failure.
    CutShort,
}

impl RunEnd {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RunEnd::Done => "done",
            RunEnd::CutShort => "cut short",
        }
    }
}

impl State {
    /// Begins to keep a run.
    ///
    /// # Errors
    /// [`Kind::Io`]: the file cannot be written.
    pub fn begin(self, run: NewRun) -> Result<OpenRun> {
        let values = params![
            run.plan,
            env!("CARGO_PKG_VERSION"),
            run.jobs,
            i64::try_from(run.sources).unwrap_or(i64::MAX),
            rfc3339(run.started),
        ];
        let insert = "insert into runs (plan, version, jobs, sources, started) values (?, ?, ?, ?, ?)";
        self.connection.execute(insert, values).map_err(|error| self.unwritten(error))?;
        let id = self.connection.last_insert_rowid();
        OpenRun::new(self, run, id)
    }

    /// Goes on with a run that has not ended, or ended with failures.
    pub(super) fn reopen(self, run: NewRun, id: i64) -> Result<OpenRun> {
        let values = params![i64::try_from(run.sources).unwrap_or(i64::MAX), run.jobs, id];
        let open = OpenRun::new(self, run.clone(), id)?;
        let update =
            "update runs set sources = ?, jobs = ?, ended = null, how = null, resumed = resumed + 1 where id = ?";
        open.state.connection.execute(update, values).map_err(|error| open.state.unwritten(error))?;
        Ok(open)
    }
}

/// A run that goes on and is kept. Its calls block.
#[derive(Debug)]
pub struct OpenRun {
    pub(super) state: State,
    pub(super) id: i64,
    keys: Vec<Option<JobKey>>,
    redactor: Redactor,
    contents: bool,
    max_content: u64,
    /// What is still to be written of the cache.
    pub(super) changes: Changes,
    /// When what was committed was last made sure to be on the disk.
    synced: Instant,
    /// Whether something was committed since.
    unsynced: bool,
    _lock: RunLock,
}

impl OpenRun {
    fn new(state: State, run: NewRun, id: i64) -> Result<OpenRun> {
        let lock = RunLock::new(&state.file, id).map_err(|error| {
            let text = format!("run {id} of {} cannot be locked", state.file.display());
            Error::new(Kind::Io, text).with_source(error)
        })?;
        let NewRun { keys, redactor, contents, max_content, .. } = run;
        Ok(OpenRun {
            state,
            id,
            keys,
            redactor,
            contents,
            max_content,
            changes: Changes::default(),
            synced: Instant::now(),
            unsynced: false,
            _lock: lock,
        })
    }

    /// The number of the run in its file, from 1.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Commits these outcomes at once: all of them or none.
    ///
    /// They are only lent: contents and rows are taken out while the rest is written, and put back.
    ///
    /// # Errors
    /// [`Kind::Io`]: the file cannot be written. Then none of them is in it, and later ones may be tried.
    pub fn commit(&mut self, outcomes: &mut [Outcome]) -> Result<()> {
        let changes = take(&self.changes);
        if outcomes.is_empty() && changes.is_empty() {
            return Ok(());
        }
        let sync = self.synced.elapsed() >= SYNC_EVERY;
        self.commit_group(outcomes, changes, sync).map_err(|error| self.state.unwritten(error))?;
        (self.unsynced, self.synced) = (!sync, if sync { Instant::now() } else { self.synced });
        Ok(())
    }

    fn commit_group(
        &mut self,
        outcomes: &mut [Outcome],
        changes: Vec<CacheChange>,
        sync: bool,
    ) -> rusqlite::Result<()> {
        set_synchronous(&self.state.connection, sync)?;
        let ended = rfc3339(SystemTime::now());
        let transaction = self.state.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = match changes.is_empty() {
            true => WrittenBodies::default(),
            false => write_cache::write_all(&transaction, self.id, changes, &self.redactor)?,
        };
        let mut writer = OutcomeWriter {
            connection: &transaction,
            insert: write::prepare(&transaction)?,
            run: self.id,
            ended: &ended,
            redactor: &self.redactor,
            contents: self.contents.then_some((self.max_content, &written)),
        };
        for outcome in outcomes {
            let unknown;
            let key = match self.keys.get(outcome.index) {
                Some(Some(key)) => key,
                _ => {
                    unknown = write::key_of(outcome, &self.redactor);
                    &unknown
                }
            };
            writer.write(key, outcome)?;
        }
        drop(writer);
        transaction.commit()
    }

    /// Notes where the outcomes of an earlier part of the run stand in the input now.
    pub(super) fn keep_places(&mut self, kept: &[Outcome]) -> Result<()> {
        let keys = &self.keys;
        let mut write = || {
            let transaction = self.state.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for outcome in kept {
                if let Some(Some(key)) = keys.get(outcome.index) {
                    let update = "update outcome_records set place = ? where name = ? and run = ? and place <> ?1";
                    let place = i64::try_from(outcome.index).unwrap_or(i64::MAX);
                    transaction.prepare_cached(update)?.execute(params![place, &*key.name, self.id])?;
                }
            }
            transaction.commit()
        };
        write().map_err(|error| self.state.unwritten(error))
    }

    /// Whether something was committed that a power cut could still take.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Makes sure that what was committed is on the disk.
    ///
    /// # Errors
    /// [`Kind::Io`]: it cannot be written there.
    pub fn sync(&mut self) -> Result<()> {
        if self.unsynced {
            // Before SQLite moves pages from -wal to their places, it waits until -wal is on the disk.
            let checkpoint = "pragma wal_checkpoint(passive)";
            let moved = self.state.connection.query_row(checkpoint, [], |_| Ok(()));
            moved.map_err(|error| self.state.unwritten(error))?;
            (self.unsynced, self.synced) = (false, Instant::now());
        }
        Ok(())
    }

    /// Notes that the run has ended, and returns the file. A run of which this is not said was killed.
    ///
    /// # Errors
    /// [`Kind::Io`]: the file cannot be written.
    pub fn end(mut self, end: RunEnd, elapsed: Duration) -> Result<State> {
        self.commit(&mut [])?;
        let ended = rfc3339(SystemTime::now());
        let values = params![ended, end.as_str(), fractional_ms(elapsed), self.id];
        let update = "update runs set ended = ?, how = ?, elapsed_ms = elapsed_ms + ? where id = ?";
        let written =
            set_synchronous(&self.state.connection, true).and_then(|()| self.state.connection.execute(update, values));
        written.map_err(|error| self.state.unwritten(error))?;
        Ok(self.state)
    }
}

/// Whether the next commit waits until it is on the disk, with all before it.
fn set_synchronous(connection: &Connection, full: bool) -> rusqlite::Result<()> {
    connection
        .prepare_cached(if full { "pragma synchronous = full" } else { "pragma synchronous = normal" })?
        .execute([])
        .map(drop)
}
