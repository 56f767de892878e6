//! Requests that are to be sent, and those that are under way; each with the token that it needs.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use super::login::Login;
use super::step::{PartRequest, end_of_source};
use super::token::{TokenRun, TokenState, TokenWork};
use crate::error::{Error, Kind};
use crate::http::Field;
use crate::job::Job;
use crate::live_token::LiveToken;
use crate::outcome::{Failure, Outcome};

/// The requests of a run.
pub(super) struct Requests {
    /// To be sent now.
    due: VecDeque<(usize, PartRequest)>,
    /// To be sent at a time.
    later: BTreeMap<(Instant, u64), (usize, PartRequest)>,
    next_later: u64,
    /// Under way, by the number that the fetcher knows them by.
    sent: HashMap<usize, SentRequest>,
    next_number: usize,
    tokens: Vec<TokenRun>,
    /// Those that wait for a token, by its login.
    waiting: Vec<Vec<(usize, PartRequest)>>,
    /// What has to be done for tokens, by the login.
    work: VecDeque<(usize, TokenWork)>,
}

/// A request under way.
enum SentRequest {
    Part { source: usize, request: PartRequest, token: Option<(usize, LiveToken)> },
    Token(usize),
}

/// What is to be done next.
pub(super) enum NextRequest {
    /// Send this. If there is a time, that of its source is over then.
    Send(Box<Job>, Option<Instant>),
    /// The refresh token of a login is to be read, or kept.
    File {
        login: usize,
        save: Option<String>,
    },
    /// A request of this source has failed before it was sent.
    Failed(usize, usize, Box<Outcome>),
    At(Instant),
    None,
}

/// Whose answer came.
pub(super) enum Answered {
    /// This request of this source.
    Part(usize, usize, Box<Outcome>),
    /// Secrets came up, and nothing else is to be done.
    Secrets(Vec<String>),
}

impl Requests {
    pub(super) fn new(logins: &[Login]) -> Requests {
        Requests {
            due: VecDeque::new(),
            later: BTreeMap::new(),
            next_later: 0,
            sent: HashMap::new(),
            next_number: 0,
            tokens: logins.iter().cloned().map(TokenRun::new).collect(),
            waiting: logins.iter().map(|_| Vec::new()).collect(),
            work: VecDeque::new(),
        }
    }

    /// Adds a request of a source.
    pub(super) fn put(&mut self, source: usize, request: PartRequest) {
        match request.not_before {
            None => self.due.push_back((source, request)),
            Some(at) => {
                self.later.insert((at, self.next_later), (source, request));
                self.next_later += 1;
            }
        }
    }

    /// Drops all that was not sent.
    pub(super) fn clear(&mut self) {
        self.due.clear();
        self.later.clear();
        self.work.clear();
        self.waiting.iter_mut().for_each(Vec::clear);
    }

    /// What is to be done now.
    pub(super) fn next(&mut self, now: Instant) -> NextRequest {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            self.due.push_back(entry.remove());
        }
        for (login, token) in self.tokens.iter_mut().enumerate() {
            self.work.extend(token.renew(now).map(|work| (login, work)));
        }
        loop {
            match self.work.pop_front() {
                Some((login, TokenWork::Load)) => return NextRequest::File { login, save: None },
                Some((login, TokenWork::Save(token))) => return NextRequest::File { login, save: Some(token) },
                Some((login, TokenWork::Call(job))) => {
                    let number = self.number(SentRequest::Token(login));
                    return NextRequest::Send(Box::new(job.at(number)), None);
                }
                None => {}
            }
            let Some((source, mut request)) = self.due.pop_front() else { break };
            let Some(name) = request.job.settings().auth.clone() else {
                return self.send(source, request, None);
            };
            let Some(login) = self.tokens.iter().position(|token| token.login.name == name) else {
                return unsent(source, &request, &format!("there is no login \"{name}\""));
            };
            if let Some(field) = request.token.take() {
                return self.send(source, request, Some((login, field)));
            }
            match self.tokens[login].get(now) {
                TokenState::Ready(field) => return self.send(source, request, Some((login, field))),
                TokenState::Failed(message) => return unsent(source, &request, &message),
                TokenState::Wait(work) => {
                    self.waiting[login].push((source, request));
                    self.work.extend(work.map(|work| (login, work)));
                    if !self.tokens[login].is_busy() {
                        // The call could not be made.
                        self.release(login);
                    }
                }
            }
        }
        let renewals = self.tokens.iter().filter_map(TokenRun::renews_at);
        let later = self.later.keys().next().map(|(at, _)| *at);
        renewals.chain(later).min().map_or(NextRequest::None, NextRequest::At)
    }

    /// Takes the outcome of a request.
    pub(super) fn answered(&mut self, mut outcome: Outcome, now: Instant) -> Option<Answered> {
        match self.sent.remove(&outcome.index)? {
            SentRequest::Token(login) => {
                let (work, secrets) = self.tokens[login].answered(&outcome, now);
                match work {
                    Some(work) => self.work.push_back((login, work)),
                    None => self.release(login),
                }
                Some(Answered::Secrets(secrets))
            }
            SentRequest::Part { source, mut request, token } => {
                let is_first = request.before.is_empty();
                outcome.attempts.splice(0..0, std::mem::take(&mut request.before));
                if let Some((login, token)) = token {
                    self.tokens[login].under_way -= 1;
                    // Once: if a new token is not taken either, it is not the token.
                    if outcome.status == Some(401) && !outcome.ok() && is_first {
                        self.tokens[login].reject(token.sent());
                        let limit = request.job.settings().job_timeout;
                        request.ends = request.ends.or_else(|| end_of_source(&outcome, limit, now));
                        request.before = outcome.attempts;
                        request.not_before = None;
                        self.due.push_back((source, request));
                        return None;
                    }
                }
                Some(Answered::Part(source, request.part, Box::new(outcome)))
            }
        }
    }

    /// The refresh token of a login was read or kept.
    pub(super) fn file_done(
        &mut self,
        login: usize,
        result: Result<Option<String>, String>,
        saved: bool,
    ) -> Vec<String> {
        let token = &mut self.tokens[login];
        let secrets = result.iter().flatten().map(|token| token.trim().to_owned()).collect();
        if saved {
            token.saved(result.map(|_| ()));
            self.release(login);
        } else {
            token.loaded(result);
            // Those that wait ask for the call.
            self.due.extend(std::mem::take(&mut self.waiting[login]));
        }
        secrets
    }

    /// The file of a login.
    pub(super) fn file_of(&self, login: usize) -> Option<std::path::PathBuf> {
        self.tokens[login].login.file.clone()
    }

    /// Sends those that have waited for a token that came, even if it ends at once.
    fn release(&mut self, login: usize) {
        for (source, request) in std::mem::take(&mut self.waiting[login]) {
            let request = match self.tokens[login].fresh() {
                Ok(Some(field)) => self.with_token(request, &field),
                Ok(None) | Err(_) => request,
            };
            self.due.push_back((source, request));
        }
    }

    fn with_token(&self, mut request: PartRequest, field: &Field) -> PartRequest {
        request.token = Some(field.clone());
        request
    }

    fn send(&mut self, source: usize, request: PartRequest, token: Option<(usize, Field)>) -> NextRequest {
        let mut job = request.job.clone();
        if let Some((_, field)) = &token {
            job = job.with(|settings| settings.set_header(field.clone()));
        }
        let token = token.and_then(|(login, _)| Some((login, self.tokens[login].live()?)));
        if let Some((login, token)) = &token {
            self.tokens[*login].under_way += 1;
            job = job.with_token(token.clone());
        }
        let ends = request.ends;
        let number = self.number(SentRequest::Part { source, request, token });
        NextRequest::Send(Box::new(job.at(number)), ends)
    }

    fn number(&mut self, request: SentRequest) -> usize {
        let number = self.next_number;
        self.next_number += 1;
        self.sent.insert(number, request);
        number
    }
}

/// A request that could not be sent.
fn unsent(source: usize, request: &PartRequest, why: &str) -> NextRequest {
    let failure = Failure::from(&Error::new(Kind::Skipped, why.to_owned()));
    let outcome = Outcome { error: Some(failure), attempts: request.before.clone(), ..Outcome::default() };
    NextRequest::Failed(source, request.part, Box::new(outcome))
}
