//! A request that is sent again until its answer is as it should be.

use std::time::Instant;

use super::paging::add_request;
use super::step::{PartRequest, Step};
use crate::error::{Error, Kind, Phase};
use crate::follow_up::Poll;
use crate::job::Job;
use crate::outcome::{Failure, Outcome};
use crate::pointer::Pointer;
use crate::rows::Cell;
use crate::units::DisplayDuration;

/// The polls of one source.
pub(super) struct PollRun {
    poll: Poll,
    job: Job,
    started: Instant,
    /// What the answers before have taken.
    before: Option<Outcome>,
    /// What the last answer had where something else is waited for.
    last_seen: Option<String>,
    requests: u32,
}

impl PollRun {
    pub(super) fn begin(job: Job, poll: Poll, now: Instant) -> (PollRun, PartRequest) {
        let places = poll.places();
        let job = job.with(|settings| settings.capture = places);
        let run = PollRun { poll, job, started: now, before: None, last_seen: None, requests: 0 };
        let request = run.request(now);
        (run, request)
    }

    /// A request that goes out at this time and takes at most what is left of `within`.
    fn request(&self, at: Instant) -> PartRequest {
        let left = (self.started + self.poll.within).saturating_duration_since(at);
        let job = self.job.clone().with(|settings| {
            settings.job_timeout = Some(settings.job_timeout.map_or(left, |limit| limit.min(left)));
        });
        PartRequest::new(job, 0)
    }

    /// Takes an answer.
    pub(super) fn answered(&mut self, outcome: Outcome, now: Instant) -> Step {
        self.requests += 1;
        // An answer that is not there yet may lack what is selected.
        let is_answer = outcome.ok()
            || outcome
                .error
                .as_ref()
                .is_some_and(|failure| failure.kind == Kind::Expectation && failure.phase == Some(Phase::Body));
        let (until, fail) = outcome.captured.split_at(self.poll.until.len().min(outcome.captured.len()));
        let is_met =
            is_answer && self.poll.until.iter().zip(until).all(|((_, condition), found)| condition.is_met_by(found));
        let failed = self.poll.fail.iter().zip(fail).find(|((_, condition), found)| condition.is_met_by(found));
        let failed = failed.map(|((place, _), found)| (place.clone(), shown(found)));
        let state = self.poll.until.iter().zip(until).find(|((_, condition), found)| !condition.is_met_by(found));
        let state = state.map(|((place, condition), found)| {
            format!("{} is {} where {condition} is waited for", as_place(place), shown(found))
        });
        if is_answer {
            self.last_seen = state;
        }
        let mut whole = self.join(outcome);
        if is_met {
            return Step::Done(Box::new(whole));
        }
        let failure = match failed.filter(|_| is_answer) {
            Some((place, found)) => {
                let text = format!("{} is {found}, which poll names as a failure", as_place(&place));
                Some(Error::new(Kind::Expectation, text))
            }
            None if self.is_over(is_answer, now) => {
                let state = self.last_seen.as_deref().unwrap_or("no answer");
                Some(Error::new(Kind::Timeout, format!("{state}, after {}", DisplayDuration(self.poll.within))))
            }
            None => None,
        };
        match failure {
            Some(error) => {
                whole.error = Some(Failure::from(&error.in_phase(Phase::Body)));
                Step::Done(Box::new(whole))
            }
            // The request itself has failed.
            None if !is_answer => Step::Done(Box::new(whole)),
            None => {
                self.before = Some(whole);
                let at = now + self.poll.every;
                Step::More(vec![PartRequest { not_before: Some(at), ..self.request(at) }])
            }
        }
    }

    /// Whether no further request fits into `within`: after an answer there is a pause first.
    fn is_over(&self, is_answer: bool, now: Instant) -> bool {
        let end = self.started + self.poll.within;
        if is_answer { now + self.poll.every > end } else { now >= end }
    }

    /// What there is, with this failure.
    pub(super) fn cut_short(&mut self, failure: Failure) -> Outcome {
        Outcome { error: Some(failure), ..self.before.take().unwrap_or_default() }
    }

    /// The answer, with what those before it took.
    fn join(&mut self, mut outcome: Outcome) -> Outcome {
        if let Some(before) = self.before.take() {
            let (attempts, bytes) = (std::mem::replace(&mut outcome.attempts, before.attempts), outcome.body_bytes);
            (outcome.body_bytes, outcome.timings.queue) = (before.body_bytes, before.timings.queue);
            outcome.join_waits(before.waits.as_deref());
            let url = outcome.url.clone();
            add_request(&mut outcome, &url, attempts, bytes);
        }
        outcome.requests = Some(self.requests);
        outcome
    }
}

fn as_place(place: &Pointer) -> String {
    let text = place.to_string();
    if text.is_empty() { "the document".to_owned() } else { text }
}

fn shown(found: &Cell) -> String {
    if found.is_null() { "nothing".to_owned() } else { found.to_json().chars().take(80).collect() }
}
