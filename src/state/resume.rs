//! Going on with a run: what of it is kept, and what is fetched.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use super::file::State;
use super::history::HistoryStatus;
use super::load::StoredOutcome;
use super::run::{NewRun, OpenRun};
use super::run_lock;
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::outcome::Outcome;

/// Which sources of the last run are fetched again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Those that have no outcome of their own, if the run did not come to its end.
    Missing,
    /// Those, and those that failed, whether it came to its end or not.
    Failed,
}

/// A run that goes on, or a new one if there was none to go on with.
#[derive(Debug)]
pub struct Resumed {
    /// The run that is kept now.
    pub run: OpenRun,
    /// What was kept of it, in input order. Their jobs are not to be fetched.
    pub kept: Vec<Outcome>,
    /// Outcomes that it has beside: of jobs that others led to, or that the plan has not any more.
    pub others: Vec<Outcome>,
    /// Which run goes on; `None` if it is a new one.
    pub from: Option<ResumedFrom>,
}

/// The run that goes on, and what is fetched of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResumedFrom {
    /// Its number.
    pub id: i64,
    /// When it started, RFC 3339.
    pub started: String,
    /// The jobs that had an outcome and are fetched again because they send something else now, or make something else of
    /// the response.
    pub changed: Vec<Arc<str>>,
    /// The jobs whose outcome was kept without what is needed now: because it held a secret, or was not asked for then, or
    /// because its file is gone.
    pub incomplete: Vec<Arc<str>>,
    /// The names of what the run has and the plan has not any more.
    pub gone: Vec<String>,
}

/// How many runs of a plan are looked at for one that has something to do with these jobs.
const RUNS_LOOKED_AT: i64 = 20;

impl State {
    /// Goes on with the last run of the same plan, if there is something to go on with, or begins a new one. `contents` says
    /// whether outcomes need their contents.
    ///
    /// # Errors
    /// [`Kind::Config`]: another process goes on with that run. [`Kind::Io`]: the file cannot be read or written.
    pub fn resume(self, run: NewRun, jobs: &[Job], repeat: Repeat, contents: bool) -> Result<Resumed> {
        let Some(last) = self.last_run(&run).map_err(|error| self.unread(error))? else {
            return Ok(Resumed { run: self.begin(run)?, kept: Vec::new(), others: Vec::new(), from: None });
        };
        match self.status(last.id, last.how.as_deref()) {
            HistoryStatus::Running => {
                let holder = run_lock::holder(&self.file).unwrap_or_else(|| "another".to_owned());
                let text = format!("run {} of {} goes on in process {holder}", last.id, self.file.display());
                return Err(Error::new(Kind::Config, text));
            }
            HistoryStatus::Done if repeat == Repeat::Missing => {
                return Ok(Resumed { run: self.begin(run)?, kept: Vec::new(), others: Vec::new(), from: None });
            }
            _ => {}
        }
        let (kept, others, from) =
            self.sort_out(&run, jobs, repeat, contents, last).map_err(|error| self.unread(error))?;
        let id = from.id;
        let mut run = self.reopen(run, id)?;
        run.keep_places(&kept)?;
        Ok(Resumed { run, kept, others, from: Some(from) })
    }

    /// The last run of this plan that has one of these jobs.
    fn last_run(&self, run: &NewRun) -> rusqlite::Result<Option<LastRun>> {
        let query = "select id, started, how from runs where plan = ? order by id desc limit ?";
        let mut statement = self.connection.prepare_cached(query)?;
        let runs = statement.query_map((run.plan(), RUNS_LOOKED_AT), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        })?;
        for last in runs {
            let (id, started, how) = last?;
            let stored = self.stored(id)?;
            let names: HashMap<&str, &StoredOutcome> = stored.iter().map(|stored| (&*stored.name, stored)).collect();
            if run.keys.iter().flatten().any(|key| names.contains_key(&*key.name)) {
                return Ok(Some(LastRun { id, started, how, stored }));
            }
        }
        Ok(None)
    }

    fn sort_out(
        &self,
        run: &NewRun,
        jobs: &[Job],
        repeat: Repeat,
        contents: bool,
        last: LastRun,
    ) -> rusqlite::Result<(Vec<Outcome>, Vec<Outcome>, ResumedFrom)> {
        let mut stored: HashMap<&str, &StoredOutcome> = last.stored.iter().map(|it| (&*it.name, it)).collect();
        let mut from = ResumedFrom { id: last.id, started: last.started, ..ResumedFrom::default() };
        let mut kept = Vec::new();
        for (number, job) in jobs.iter().enumerate() {
            let place = job.index().unwrap_or(number);
            let Some(Some(key)) = run.keys.get(place) else { continue };
            let Some(stored) = stored.remove(&*key.name) else { continue };
            if stored.digest != key.digest.as_bytes() || stored.settings != key.settings.as_bytes() {
                from.changed.push(key.name.clone());
            } else if stored.cut_short || (!stored.ok && repeat == Repeat::Failed) {
                continue;
            } else if let Some(outcome) = self.outcome_for(job, stored, contents)? {
                kept.push(Outcome { index: place, place: None, ..outcome });
            } else {
                from.incomplete.push(key.name.clone());
            }
        }
        let mut others = Vec::new();
        for stored in stored.values().filter(|stored| stored.whole && !stored.cut_short) {
            if stored.ok || repeat == Repeat::Missing {
                let outcome = self.outcome(stored.id, contents)?;
                others.extend(outcome.filter(|outcome| !contents || !outcome.ok() || has_content(outcome)));
            }
        }
        from.gone = stored.into_keys().map(str::to_owned).collect();
        from.gone.sort();
        kept.sort_by_key(|outcome| outcome.index);
        Ok((kept, others, from))
    }

    /// The outcome, if all is there that is needed of it.
    fn outcome_for(&self, job: &Job, stored: &StoredOutcome, contents: bool) -> rusqlite::Result<Option<Outcome>> {
        if !stored.whole {
            return Ok(None);
        }
        let outcome = self.outcome(stored.id, contents)?;
        Ok(outcome.filter(|outcome| !outcome.ok() || (has_file(job, outcome) && (!contents || has_content(outcome)))))
    }
}

struct LastRun {
    id: i64,
    started: String,
    how: Option<String>,
    stored: Vec<StoredOutcome>,
}

/// Whether the content is where the job would save it.
fn has_file(job: &Job, outcome: &Outcome) -> bool {
    job.output().is_none_or(|output| {
        let size = fs::metadata(output).map(|metadata| metadata.len());
        outcome.body_file.as_ref() == Some(output) && size.ok() == outcome.body_bytes
    })
}

/// Whether the content that came in is in the outcome or in a file.
fn has_content(outcome: &Outcome) -> bool {
    outcome.body.is_some() || outcome.body_file.is_some() || outcome.body_truncated || outcome.body_bytes.is_none()
}
