//! Jobs that are fetched elsewhere: by programs that take them from this run and bring their outcomes.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smol::channel::Receiver;

use super::active::StopReason;
use super::host::JobNumber;
use super::state::RunState;
use crate::error::Error;
use crate::event_loop::{EventLoop, Task};
use crate::job::Job;
use crate::outcome::{Failure, Outcome};

/// Carries the jobs of a run to those who fetch them, and their outcomes back.
pub(crate) trait Courier: fmt::Debug + Send + Sync {
    /// Goes on until the run is over: see [`RemoteJobs::is_over`].
    fn carry(self: Arc<Self>, jobs: RemoteJobs) -> Pin<Box<dyn Future<Output = ()>>>;
}

/// The jobs of a run, for its courier.
pub(crate) struct RemoteJobs {
    state: Rc<RefCell<RunState>>,
    changes: Receiver<()>,
    /// The first job that was not given out.
    next: Cell<JobNumber>,
}

/// Starts the courier of a run.
pub(super) fn start(
    state: &Rc<RefCell<RunState>>,
    changes: Receiver<()>,
    courier: &Arc<dyn Courier>,
    event_loop: &EventLoop,
) -> Task<()> {
    let jobs = RemoteJobs { state: state.clone(), changes, next: Cell::new(0) };
    event_loop.spawn_named("fleet", courier.clone().carry(jobs))
}

impl RemoteJobs {
    /// Jobs that were added since the last call, at most so many, by their numbers in the run, with when the time of their source is
    /// over, of which there were other requests before.
    pub(crate) fn take_new(&self, most: usize) -> Vec<(usize, Job, Option<Instant>)> {
        let state = self.state.borrow();
        let new = state.jobs.range(self.next.get()..).take(most);
        let new: Vec<_> = new.map(|(number, active)| (*number, active.job.clone(), active.ends)).collect();
        if let Some((last, ..)) = new.last() {
            self.next.set(last + 1);
        }
        new
    }

    /// Waits until jobs were added, an outcome has come, or the run is over.
    pub(crate) async fn changed(&self) {
        let _ = self.changes.recv().await;
    }

    /// Whether no outcome is wanted any more, and no job will come.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state.borrow();
        state.is_stopped() || !state.may_go_on()
    }

    /// How many outcomes wait for the reader of the run.
    pub(crate) fn untaken(&self) -> usize {
        let status = self.state.borrow().status();
        status.done - status.taken
    }

    /// When the run began.
    pub(crate) fn started(&self) -> Instant {
        self.state.borrow().started
    }

    /// Notes how many jobs are under way elsewhere, and by how many workers.
    pub(crate) fn set_in_flight(&self, jobs: usize, workers: usize) {
        let mut state = self.state.borrow_mut();
        if !state.is_stopped() {
            (state.status.in_flight, state.status.workers) = (jobs, Some(workers));
        }
    }

    /// Ends a job with this outcome, whose attempts are given from `taken` on, which is when the job was taken, by the clock of
    /// the run. What the job itself says is filled in.
    pub(crate) fn put(&self, number: usize, outcome: Outcome, taken: Duration) {
        let cancelled = {
            let mut state = self.state.borrow_mut();
            let failed = !outcome.ok();
            state.put_remote(number, outcome, taken);
            if failed && state.config.fail_fast { state.stop(StopReason::FailFast) } else { Vec::new() }
        };
        drop(cancelled);
    }

    /// Ends a job that cannot be fetched elsewhere.
    pub(crate) fn refuse(&self, number: usize, error: &Error) {
        let failure = Some(Failure::from(error));
        self.put(number, Outcome { error: failure, ..Outcome::default() }, Duration::ZERO);
    }

    /// Ends all jobs that have not ended, for this reason.
    pub(crate) fn refuse_all(&self, error: &Error) {
        loop {
            let first = self.state.borrow().jobs.keys().next().copied();
            let Some(number) = first else { break };
            self.refuse(number, error);
        }
        let cancelled = self.state.borrow_mut().stop(StopReason::Interrupted);
        drop(cancelled);
    }
}

impl RunState {
    /// Ends a job whose outcome came from elsewhere.
    fn put_remote(&mut self, number: JobNumber, mut outcome: Outcome, taken: Duration) {
        let Some(active) = self.jobs.remove(&number) else { return };
        let job = active.job;
        outcome.index = job.index().unwrap_or(number);
        outcome.digest = self.config.digests.then(|| job.digest());
        (outcome.name, outcome.url) = job.names();
        outcome.method = Some(job.settings().method);
        outcome.table = job.settings().table_of_rows().map(Box::from);
        outcome.attempts.iter_mut().for_each(|attempt| attempt.started += taken);
        let added = active.added.saturating_duration_since(self.started);
        let first = outcome.attempts.first().map_or(taken, |attempt| attempt.started);
        outcome.timings.queue = first.saturating_sub(added);
        self.status.retried += outcome.retries();
        self.put_ready(outcome);
    }
}
