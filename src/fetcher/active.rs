//! A job that has not ended, and how it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_lock::SemaphoreGuardArc;
use smol::channel::Sender;

use super::attempt_log;
use super::caching::FirstLook;
use super::host::JobNumber;
use super::queue::Lease;
use super::received::Received;
use super::waits::WaitReason;
use crate::error::{Error, Kind, Phase};
use crate::event_loop::Task;
use crate::job::Job;
use crate::outcome::{Attempt, CacheUse, Failure, Outcome, PhaseTimes, Timings};
use crate::transport::{Peer, Progress, ProgressSnapshot};
use crate::units::DisplayDuration;
use crate::wait_times::WaitTimes;

/// A job that has not ended.
pub(super) struct ActiveJob {
    pub(super) job: Job,
    pub(super) added: Instant,
    /// When the time for all attempts is over, if that does not depend on when the first one starts alone.
    pub(super) ends: Option<Instant>,
    /// What it has waited for, if it has.
    pub(super) waits: Option<Box<WaitTimes>>,
    /// None before its first permit. In a box, because most of many jobs wait or have ended.
    pub(super) history: Option<Box<JobHistory>>,
    /// What is known of its response before it starts.
    #[cfg_attr(not(feature = "state"), allow(dead_code, reason = "only a cache asks for it"))]
    pub(super) first_look: FirstLook,
    /// Whether its host is to be asked though what is kept is fresh: that was read, and will not do.
    pub(super) must_ask: bool,
}

/// What has happened to a job since its first permit.
pub(super) struct JobHistory {
    pub(super) first_permit: Instant,
    /// The attempts that have ended.
    pub(super) attempts: Vec<Attempt>,
    /// The wait before the attempt that is next or under way.
    pub(super) waited: Option<Duration>,
    /// The attempt that is under way.
    pub(super) running: Option<RunningAttempt>,
    /// If that waits for the leave to follow a redirect: who is told of it.
    pub(super) redirected: Option<Sender<Leave>>,
    /// Whether the last attempt has failed because the server was not there for it.
    pub(super) outage: bool,
}

/// What an attempt that has been redirected is told in the end.
pub(super) enum Leave {
    /// It may ask the host that it was led to.
    Granted(Lease, SemaphoreGuardArc),
    /// It may not.
    Refused(Failure),
}

/// An attempt that is under way.
pub(super) struct RunningAttempt {
    /// Dropping it cancels the attempt.
    pub(super) _task: Task<()>,
    pub(super) progress: Arc<Progress>,
    pub(super) since: Instant,
    /// Whether something is sent. Otherwise it reads what is kept, and is no attempt unless that will do.
    pub(super) sends: bool,
}

/// How an attempt ended.
pub(super) struct AttemptEnd {
    pub(super) since: Instant,
    pub(super) status: Option<u16>,
    pub(super) cache: Option<CacheUse>,
    /// Whether it has failed because the server was not there for it.
    pub(super) outage: bool,
    pub(super) progress: ProgressSnapshot,
    pub(super) peer: Option<Peer>,
    /// Where redirects led.
    pub(super) final_url: Option<Box<str>>,
    pub(super) failure: Option<Failure>,
}

/// How a job ended.
#[derive(Debug)]
pub(super) struct JobEnd {
    pub(super) received: Received,
    pub(super) failure: Option<Failure>,
    /// Of its last attempt.
    pub(super) progress: ProgressSnapshot,
    /// The permit of its last attempt.
    pub(super) permit: Option<SemaphoreGuardArc>,
    /// Whether it failed because the server was not there for it, so that a response that was kept may serve.
    #[cfg_attr(not(feature = "state"), allow(dead_code, reason = "only a cache asks for it"))]
    pub(super) outage: bool,
}

/// Why a run ended before its jobs did.
#[derive(Clone, Copy, Debug)]
pub(super) enum StopReason {
    Interrupted,
    Deadline(Duration),
    FailFast,
}

impl ActiveJob {
    /// Notes what it has waited for.
    pub(super) fn note_waited(&mut self, waited: &WaitTimes) {
        let waited = waited.noticeable();
        if waited != WaitTimes::default() {
            self.waits.get_or_insert_default().join(&waited);
        }
    }

    pub(super) fn take_running(&mut self) -> Option<RunningAttempt> {
        self.history.as_mut()?.running.take()
    }

    pub(super) fn history_since(&mut self, first_permit: Instant) -> &mut JobHistory {
        self.history.get_or_insert_with(|| {
            let (attempts, outage) = (Vec::new(), false);
            Box::new(JobHistory { first_permit, attempts, waited: None, running: None, redirected: None, outage })
        })
    }

    /// How the job ends if the run is stopped.
    pub(super) fn cut_short(
        &mut self,
        running: Option<&RunningAttempt>,
        reason: StopReason,
        run_started: Instant,
        waits: Option<WaitReason>,
        now: Instant,
    ) -> JobEnd {
        let failure = |kind, when: &str, phase: Phase| {
            Failure::from(&Error::new(kind, format!("{} {when}", reason.text())).in_phase(phase))
        };
        let why = waits.map_or(String::new(), |why| format!(": {why}"));
        let running = running.filter(|running| running.sends);
        let has_begun = |history: &&mut Box<JobHistory>| running.is_some() || !history.attempts.is_empty();
        let Some(history) = self.history.as_mut().filter(has_begun) else {
            return JobEnd::failed(failure(Kind::Skipped, &format!("before it was started{why}"), Phase::Queue));
        };
        let Some(running) = running else {
            return JobEnd::failed(failure(Kind::Cancelled, &format!("before it was tried again{why}"), Phase::Queue));
        };
        let (progress, peer) = running.progress.close();
        let failure = match history.redirected {
            Some(_) => failure(Kind::Cancelled, &format!("before a redirect was followed{why}"), Phase::Queue),
            None => failure(Kind::Cancelled, &format!("while it was {}", progress.phase.doing()), progress.phase),
        };
        let since = running.since;
        let failed = Some(failure.clone());
        let end = AttemptEnd {
            since,
            status: None,
            cache: None,
            outage: false,
            progress,
            peer,
            final_url: None,
            failure: failed,
        };
        history.note(end, run_started, now);
        attempt_log::ended(&self.job, &history.attempts);
        JobEnd { progress, ..JobEnd::failed(failure) }
    }

    /// How a job ends that others fetch, if the run is stopped.
    pub(super) fn cut_short_elsewhere(reason: StopReason) -> JobEnd {
        let text = format!("{} before its outcome came from the fleet", reason.text());
        JobEnd::failed(Failure::from(&Error::new(Kind::Cancelled, text)))
    }

    pub(super) fn outcome(
        self,
        number: JobNumber,
        digest: bool,
        end: JobEnd,
        now: Instant,
    ) -> (Outcome, Option<SemaphoreGuardArc>) {
        let ActiveJob { job, added, waits, history, .. } = self;
        let JobEnd { received, failure, progress, permit, .. } = end;
        let (first_permit, attempts) = history.map_or((now, Vec::new()), |past| (past.first_permit, past.attempts));
        let reached_content =
            failure.as_ref().is_none_or(|failure| failure.phase == Some(Phase::Body)) || received.body_bytes.is_some();
        let PhaseTimes { dns, connect, tls, first_byte, body } = phases(&progress, now);
        let body = body.filter(|_| reached_content);
        let (queue, total) = (whole_us(first_permit - added), whole_us(now - first_permit));
        let timings = Timings { queue, dns, connect, tls, first_byte, body, total };
        let (name, url) = job.names();
        let outcome = Outcome {
            index: job.index().unwrap_or(number),
            place: None,
            digest: digest.then(|| job.digest()),
            name,
            url,
            final_url: received.final_url,
            status: received.status,
            fields: received.fields,
            redirects: (!received.redirects.is_empty()).then(|| received.redirects.into()),
            attempts,
            timings,
            waits,
            content_type: received.content_type,
            body_bytes: received.body_bytes,
            body: received.body,
            body_file: job.output().filter(|_| received.saved).cloned(),
            body_truncated: received.truncated,
            method: Some(job.settings().method),
            table: job.settings().table_of_rows().map(Box::from),
            data: received.data,
            rows: received.rows,
            captured: received.captured,
            requests: None,
            held: received.held,
            error: failure,
            stale: received.stale.map(|stale| *stale),
            worker: None,
        };
        (outcome, permit)
    }
}

impl JobHistory {
    pub(super) fn note(&mut self, end: AttemptEnd, run_started: Instant, now: Instant) {
        self.outage = end.outage;
        let phases = end.failure.as_ref().map(|_| Box::new(phases(&end.progress, now)));
        // Mostly there is only one.
        self.attempts.reserve_exact(1);
        self.attempts.push(Attempt {
            started: whole_us(end.since - run_started),
            total: whole_us(now - end.since),
            status: end.status,
            address: end.peer.map(Peer::into_text),
            reused: end.progress.reused,
            url: end.final_url,
            waited: self.waited.take().map(whole_us),
            cache: end.cache,
            phases,
            error: end.failure,
        });
    }
}

/// The phases of an attempt that ends now. What comes after the head is content.
fn phases(progress: &ProgressSnapshot, now: Instant) -> PhaseTimes {
    PhaseTimes {
        dns: progress.dns.map(whole_us),
        connect: progress.connect.map(whole_us),
        tls: progress.tls.map(whole_us),
        first_byte: progress.first_byte.map(whole_us),
        body: progress.head_at.map(|at| whole_us(now.saturating_duration_since(at))),
    }
}

impl JobEnd {
    /// The end of a job of which no response is kept.
    pub(super) fn failed(failure: Failure) -> JobEnd {
        JobEnd {
            received: Received::default(),
            failure: Some(failure),
            progress: ProgressSnapshot::default(),
            permit: None,
            outage: false,
        }
    }
}

/// Whole microseconds, which is what a report writes and reads back.
fn whole_us(duration: Duration) -> Duration {
    Duration::new(duration.as_secs(), duration.subsec_micros() * 1000)
}

impl StopReason {
    fn text(self) -> String {
        match self {
            StopReason::Interrupted => "the run was interrupted".to_owned(),
            StopReason::Deadline(limit) => format!("the run's deadline of {} has passed", DisplayDuration(limit)),
            StopReason::FailFast => "another job has failed".to_owned(),
        }
    }
}
