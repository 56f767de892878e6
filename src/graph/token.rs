//! The token of a login while a run goes on.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::login::Login;
use crate::error::{Error, Kind, Phase, Result};
use crate::http::Field;
use crate::job::Job;
use crate::live_token::{LiveToken, SharedToken};
use crate::outcome::Outcome;
use crate::rows::Cell;

/// A token is renewed this long before it ends, or in the last tenth of its time if that is shorter.
const MARGIN: Duration = Duration::from_secs(30);

/// No token is renewed sooner than this after it came, while requests wait for their turn.
const SHORTEST: Duration = Duration::from_millis(500);

/// A login, and its token.
pub(super) struct TokenRun {
    pub(super) login: Login,
    token: Option<Token>,
    /// How many tokens there were.
    pub(super) generation: u64,
    /// The last of them, for jobs that wait for their turn.
    shared: Option<SharedToken>,
    /// How many requests wait for their turn or are under way with a token of it.
    pub(super) under_way: usize,
    refresh_token: Option<Box<str>>,
    /// What happens before the next token is there.
    stage: Stage,
    /// Why there will be none.
    failed: Option<Arc<str>>,
}

/// What a login waits for.
#[derive(Clone, PartialEq)]
enum Stage {
    /// The file with the refresh token has not been read.
    New,
    /// Nothing.
    Idle,
    /// Its file is read or written.
    File,
    /// The answer of the server.
    Call,
}

#[derive(Clone)]
struct Token {
    field: Field,
    secret: String,
    renew_at: Option<Instant>,
    came: Instant,
}

/// What a job needs of its login.
pub(super) enum TokenState {
    /// It can be sent with this field.
    Ready(Field),
    /// It waits; and this is to be done first, if nothing is under way.
    Wait(Option<TokenWork>),
    /// There is no token.
    Failed(Arc<str>),
}

/// What has to be done for a token.
pub(super) enum TokenWork {
    /// Read the refresh token that was kept.
    Load,
    /// Keep this refresh token.
    Save(String),
    /// Ask for a token.
    Call(Box<Job>),
}

impl TokenRun {
    pub(super) fn new(login: Login) -> TokenRun {
        let refresh_token = login.refresh_token.clone();
        TokenRun {
            login,
            token: None,
            generation: 0,
            shared: None,
            under_way: 0,
            refresh_token,
            stage: Stage::New,
            failed: None,
        }
    }

    /// The token, or what has to be done for one.
    pub(super) fn get(&mut self, now: Instant) -> TokenState {
        if let Some(failed) = &self.failed {
            return TokenState::Failed(failed.clone());
        }
        match &self.token {
            Some(token) if token.renew_at.is_none_or(|at| now < at) => TokenState::Ready(token.field.clone()),
            _ => TokenState::Wait(self.next_work()),
        }
    }

    /// When there has to be another token, because requests wait for their turn that are to be sent with one.
    pub(super) fn renews_at(&self) -> Option<Instant> {
        let token = self.token.as_ref().filter(|_| self.under_way > 0 && self.failed.is_none() && !self.is_busy())?;
        token.renew_at.map(|at| at.max(token.came + SHORTEST))
    }

    /// The first step towards another token, if it is time for one.
    pub(super) fn renew(&mut self, now: Instant) -> Option<TokenWork> {
        self.renews_at().filter(|at| *at <= now)?;
        self.next_work()
    }

    /// The token that a request is sent with when its turn comes.
    pub(super) fn live(&self) -> Option<LiveToken> {
        self.shared.clone().map(LiveToken::new)
    }

    /// The next step towards a token, if none is under way.
    fn next_work(&mut self) -> Option<TokenWork> {
        match self.stage {
            Stage::New if self.login.file.is_some() => {
                self.stage = Stage::File;
                Some(TokenWork::Load)
            }
            Stage::New | Stage::Idle => {
                self.stage = Stage::Call;
                match self.login.call(self.refresh_token.as_deref()) {
                    Ok(job) => Some(TokenWork::Call(Box::new(job))),
                    Err(error) => {
                        self.fail(&error.one_line());
                        None
                    }
                }
            }
            Stage::File | Stage::Call => None,
        }
    }

    /// The server did not take the token of this generation.
    pub(super) fn reject(&mut self, generation: u64) {
        if generation == self.generation {
            self.token = None;
        }
    }

    /// The refresh token that was kept, if there was one.
    pub(super) fn loaded(&mut self, kept: std::result::Result<Option<String>, String>) {
        self.stage = Stage::Idle;
        match kept {
            Ok(Some(kept)) if !kept.trim().is_empty() => self.refresh_token = Some(kept.trim().into()),
            Ok(_) => {}
            Err(message) => self.fail(&message),
        }
    }

    /// The refresh token was kept, or could not be.
    pub(super) fn saved(&mut self, result: std::result::Result<(), String>) {
        self.stage = Stage::Idle;
        if let Err(message) = result {
            self.fail(&message);
        }
    }

    /// Takes the answer of the server. What has to be done before the token may be used, and what is to be hidden.
    pub(super) fn answered(&mut self, outcome: &Outcome, now: Instant) -> (Option<TokenWork>, Vec<String>) {
        self.stage = Stage::Idle;
        let token = match (&outcome.error, Token::read(outcome, now)) {
            (Some(failure), _) => Err(failure.message.to_string()),
            (None, token) => token.map_err(|error| error.one_line()),
        };
        let token = match token {
            Ok(token) => token,
            Err(message) => {
                self.fail(&message);
                return (None, Vec::new());
            }
        };
        self.generation += 1;
        let mut secrets = vec![token.secret.clone()];
        let newest = (self.generation, token.field.clone());
        match &self.shared {
            Some(shared) => *shared.lock().unwrap_or_else(PoisonError::into_inner) = newest,
            None => self.shared = Some(Arc::new(newest.into())),
        }
        self.token = Some(token);
        let rotated = outcome.captured.get(2).filter(|cell| !cell.is_null());
        let rotated = rotated.map(|cell| cell.as_text().into_owned());
        let Some(rotated) = rotated.filter(|new| self.refresh_token.as_deref().is_some_and(|old| old != new)) else {
            return (None, secrets);
        };
        secrets.push(rotated.clone());
        self.refresh_token = Some(rotated.as_str().into());
        let is_kept = self.login.file.is_some();
        if is_kept {
            self.stage = Stage::File;
        }
        (is_kept.then_some(TokenWork::Save(rotated)), secrets)
    }

    /// Whether something is under way.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.stage, Stage::File | Stage::Call)
    }

    /// The token that has just come, for those who have waited for it: even if it has ended in the meantime.
    pub(super) fn fresh(&self) -> std::result::Result<Option<Field>, Arc<str>> {
        match &self.failed {
            Some(failed) => Err(failed.clone()),
            None => Ok(self.token.as_ref().map(|token| token.field.clone())),
        }
    }

    fn fail(&mut self, message: &str) {
        self.failed = Some(format!("the login \"{}\" failed: {message}", self.login.name).into());
        self.stage = Stage::Idle;
    }
}

impl Token {
    /// The token of an answer (section 5.1).
    fn read(outcome: &Outcome, now: Instant) -> Result<Token> {
        let wrong = |text: String| Err(Error::new(Kind::Expectation, text).in_phase(Phase::Body));
        let value = |number: usize| outcome.captured.get(number).filter(|cell| !cell.is_null());
        let token = match value(0) {
            Some(Cell::Text(token)) => token,
            // It may be a secret all the same, so it is not shown.
            Some(_) => return wrong("the \"access_token\" of the answer is no text".to_owned()),
            None => return wrong("the answer has no \"access_token\"".to_owned()),
        };
        if let Some(kind) = value(3).map(Cell::as_text).filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            let kind: String = kind.chars().take(40).collect();
            return wrong(format!("the token is of the type \"{kind}\", and only \"bearer\" can be sent"));
        }
        let Ok(field) = crate::Authorization::bearer(token).and_then(|authorization| authorization.field()) else {
            return wrong("the \"access_token\" is not visible ASCII, so that it cannot be sent".to_owned());
        };
        // Some servers say 0 if it does not end. If it has ended, the next request is refused, which renews it too.
        let seconds =
            value(1).and_then(|cell| cell.as_text().trim().parse::<f64>().ok()).filter(|seconds| *seconds > 0.0);
        let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // A time that the clock cannot express never comes.
        let renew_at = lifetime.and_then(|lifetime| now.checked_add(lifetime - MARGIN.min(lifetime / 10)));
        Ok(Token { field, secret: token.to_string(), renew_at, came: now })
    }
}
