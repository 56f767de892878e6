//! Logins by OAuth2 (RFC 6749): a token is fetched once, shared by all jobs, and renewed before it ends.

use std::fmt;
use std::path::PathBuf;

use crate::authorization::Authorization;
use crate::error::Result;
use crate::follow_up::AnswerPlace;
use crate::http::Method;
use crate::http::percent::{COMPONENT, encode};
use crate::job::Job;

/// A login by OAuth2: jobs name it in [`Settings::auth`](crate::Settings::auth) and get its token as
/// `Authorization: Bearer`. One call at a time asks for a token.
#[derive(Clone)]
pub struct Login {
    pub(super) name: Box<str>,
    /// The call of the token, without its content.
    job: Job,
    client: Client,
    scope: Option<Box<str>>,
    /// What it is asked for with, in place of the client's own credentials.
    pub(super) refresh_token: Option<Box<str>>,
    /// Where the last refresh token is kept.
    pub(super) file: Option<PathBuf>,
}

#[derive(Clone)]
struct Client {
    id: Box<str>,
    secret: Option<Box<str>>,
}

impl Login {
    /// A login by a client's own credentials (section 4.4). `job` is the call of the token: its URL, limits and fields.
    pub fn new(name: &str, job: Job, client_id: &str, client_secret: Option<&str>) -> Login {
        let client = Client { id: client_id.into(), secret: client_secret.map(Into::into) };
        Login { name: name.into(), job, client, scope: None, refresh_token: None, file: None }
    }

    /// The scope that is asked for (section 3.3).
    pub fn scope(mut self, scope: &str) -> Login {
        self.scope = Some(scope.into());
        self
    }

    /// A login by a refresh token (section 6). If the server gives another one, it is written to the file, which only its
    /// owner can read, before the new access token is used; and what is in the file goes before `token`.
    pub fn refresh_token(mut self, token: &str, file: Option<PathBuf>) -> Login {
        (self.refresh_token, self.file) = (Some(token.into()), file);
        self
    }

    /// What must not be shown.
    #[cfg(feature = "fetcher")]
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> {
        let secrets = [self.client.secret.as_deref(), self.refresh_token.as_deref()];
        secrets.into_iter().flatten().map(str::to_owned)
    }

    /// The call of a token.
    ///
    /// # Errors
    /// The credentials cannot be sent.
    pub(super) fn call(&self, refresh_token: Option<&str>) -> Result<Job> {
        let mut form =
            vec![("grant_type", if refresh_token.is_some() { "refresh_token" } else { "client_credentials" })];
        form.extend(refresh_token.map(|token| ("refresh_token", token)));
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let encoded = |text: &str| encode(text.as_bytes(), COMPONENT).replace("%20", "+");
        let mut authorization = None;
        match &self.client.secret {
            // Both are encoded as in a form before they become Basic (section 2.3.1).
            Some(secret) => {
                authorization = Some(Authorization::basic(&encoded(&self.client.id), &encoded(secret))?.field()?)
            }
            None => form.push(("client_id", &self.client.id)),
        }
        let content: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let repeatable = refresh_token.is_none();
        Ok(self.job.clone().giving_secrets().with(|settings| {
            settings.method = Method::POST;
            settings.retry_unsafe |= repeatable;
            // It is renewed for those that wait before it at the same host.
            settings.priority = i8::MAX;
            settings.data = Some(content.join("&").into_bytes().into());
            settings.headers.extend(authorization);
            let places = ["/access_token", "/expires_in", "/refresh_token", "/token_type"];
            settings.capture = places.iter().filter_map(|place| place.parse().ok().map(AnswerPlace::Json)).collect();
        }))
    }
}

/// Shows no credentials.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}
