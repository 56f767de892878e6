//! Commands that wait until Redis is there again, or has room: what was sent before a connection was lost is sent again, and
//! counts once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connector, Trouble};
use super::resp::Reply;
use super::run::{Entry, RunAtWork, RunId, RunMeta, Session, entries};
use super::scripts::Script;
use crate::event_loop::sleep;

/// Takes lines for people.
pub(super) type Notes = Arc<dyn Fn(&str) + Send + Sync>;

/// The shortest and the longest wait before Redis is tried again.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A connection that is made anew as often as needed.
pub(super) struct Patience {
    connector: Connector,
    session: Option<Session>,
    notes: Notes,
    wait: Duration,
    /// What was said last, so that it is not said again.
    said: Option<String>,
}

/// Calls a method of the session until it is done, or there is trouble that does not pass.
macro_rules! with_patience {
    ($self:ident, $session:ident => $call:expr) => {
        loop {
            let result = match $self.session().await {
                Ok($session) => $call.await,
                Err(trouble) => Err(trouble),
            };
            match result {
                Ok(value) => {
                    $self.is_well();
                    return Ok(value);
                }
                Err(trouble) => $self.bear(trouble).await?,
            }
        }
    };
}

impl Patience {
    pub(super) fn new(connector: Connector, notes: Notes) -> Patience {
        Patience { connector, session: None, notes, wait: WAITS.0, said: None }
    }

    async fn session(&mut self) -> Result<&mut Session, Trouble> {
        if self.session.is_none() {
            self.session = Some(Session::open(&self.connector).await?);
        }
        self.session.as_mut().ok_or_else(|| Trouble::Lost("cannot be reached".to_owned()))
    }

    /// Says that what was said has passed.
    fn is_well(&mut self) {
        self.wait = WAITS.0;
        if self.said.take().is_some() {
            (self.notes)(&format!("{} goes on", self.connector.address));
        }
    }

    /// Waits, if the trouble may pass.
    async fn bear(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        match &trouble {
            Trouble::Fatal(_) | Trouble::Gone => return Err(trouble),
            Trouble::Lost(_) => self.session = None,
            Trouble::Busy(_) => {}
        }
        // A connection that was closed is mostly made anew at once, which needs no line.
        if self.wait > WAITS.0 && self.said.is_none() {
            let line = trouble.line(&self.connector.address);
            (self.notes)(&format!("{line}; trying again"));
            self.said = Some(line);
        }
        sleep(self.wait).await;
        self.wait = (self.wait * 2).min(WAITS.1);
        Ok(())
    }

    pub(super) async fn run(&mut self, run: &RunId, script: Script, arguments: &[String]) -> Result<Reply, Trouble> {
        with_patience!(self, session => session.run(run, script, arguments))
    }

    /// The time of Redis in milliseconds.
    pub(super) async fn time(&mut self) -> Result<i64, Trouble> {
        with_patience!(self, session => session.time())
    }

    /// Lets workers find a run for as long as its keys are kept.
    pub(super) async fn name(&mut self, run: &RunId, meta: &RunMeta) -> Result<(), Trouble> {
        with_patience!(self, session => session.name(run, meta.started, meta.keep))
    }

    /// Whether a run has its streams of jobs.
    pub(super) async fn has_jobs(&mut self, run: &RunId) -> Result<bool, Trouble> {
        with_patience!(self, session => session.has_jobs(run))
    }

    pub(super) async fn meta(&mut self, run: &RunId) -> Result<Option<RunMeta>, Trouble> {
        with_patience!(self, session => session.meta(run))
    }

    pub(super) async fn runs_at_work(&mut self) -> Result<Vec<RunAtWork>, Trouble> {
        with_patience!(self, session => session.runs_at_work())
    }

    pub(super) async fn read_out(
        &mut self,
        run: &RunId,
        behind: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, Trouble> {
        with_patience!(self, session => session.read_out(run, behind, most, wait))
    }

    /// Notes how many outcomes of a run were taken. Who collects does so again before this time is over.
    pub(super) async fn set_taken(&mut self, run: &RunId, taken: usize, until: Duration) -> Result<(), Trouble> {
        with_patience!(self, session => session.set_taken(run, taken, until))
    }

    /// Notes the newest tokens of a run's logins.
    pub(super) async fn set_tokens(&mut self, run: &RunId, tokens: &str, keep: Duration) -> Result<(), Trouble> {
        with_patience!(self, session => session.set_tokens(run, tokens, keep))
    }

    /// The outcome at this place.
    pub(super) async fn entry(&mut self, run: &RunId, id: &str) -> Result<Vec<Entry>, Trouble> {
        let reply: Result<Reply, Trouble> =
            async { with_patience!(self, session => session.one(["XRANGE", &run.out(), id, id], Duration::ZERO)) }
                .await;
        Ok(entries(reply?))
    }

    pub(super) async fn take(
        &mut self,
        runs: &[&RunId],
        worker: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<(RunId, Vec<Entry>)>, Trouble> {
        with_patience!(self, session => session.take(runs, worker, most, wait))
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("address", &self.connector.address).finish_non_exhaustive()
    }
}
