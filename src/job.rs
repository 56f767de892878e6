//! One request to make, its limits and its expectations: plain data. A job that exists can be run.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Error, Result};
use crate::job_id::{JobDigest, JobId};
use crate::job_parts::JobParts;
#[cfg(feature = "fetcher")]
use crate::live_token::LiveToken;
use crate::origin::{parse_url, without_password};
use crate::planned_job::PlannedJob;
use crate::rows::Record;
use crate::secrets::Secrets;
use crate::settings::Settings;

/// One source: a request to make and what to do with its response.
///
/// Everything but name, URL and file is in [`Settings`], which many jobs share; the setters here copy them if they must.
///
/// ```
/// use std::time::Duration;
/// use roundup::Job;
///
/// let job = Job::get("https://api.example.com/v1/forecast?city=oslo")?
///     .named("weather[oslo]")
///     .with(|settings| settings.timeout = Duration::from_secs(5));
/// assert_eq!(job.name(), "weather[oslo]");
/// # Ok::<(), roundup::Error>(())
/// ```
///
/// # Written and read back
///
/// serde writes everything that is needed to run the job elsewhere, and a job that is read back is equal, but for what a
/// graph has given it in its run. That includes what others must not read: passwords in the URL, fields such as
/// `Authorization`, the content, and the values of its [`Secrets`]. So jobs may go to a worker that must send them, over a
/// channel that is as safe as the plan, and never to a journal, a log or a report: those keep the [`JobId`], which has no
/// secret in it, and read the job from its plan again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "JobForm", try_from = "JobForm")]
pub struct Job {
    source: JobSource,
}

// Two words, because a run has as many jobs as its list has lines, and moves them more than once.
#[derive(Clone)]
enum JobSource {
    Made(Arc<JobParts>),
    /// One of many of a plan, of which nothing is made before it is asked for.
    #[cfg_attr(not(feature = "plan"), allow(dead_code, reason = "plans make them"))]
    Planned(Arc<PlannedJob>),
}

impl Job {
    /// A GET of this URL with default settings, named by the URL as it was written.
    ///
    /// # Errors
    /// [`Kind::Url`](crate::Kind::Url) if it is not a URL that can be fetched.
    pub fn get(url: &str) -> Result<Job> {
        static DEFAULT: LazyLock<Arc<Settings>> = LazyLock::new(Arc::default);
        Job::new(url, DEFAULT.clone())
    }

    /// A request of this URL with shared settings, named by the URL as it was written.
    ///
    /// # Errors
    /// [`Kind::Url`](crate::Kind::Url) if it is not a URL that can be fetched.
    pub fn new(url: &str, settings: Arc<Settings>) -> Result<Job> {
        Ok(Job::of(parse_url(url)?, url.trim(), settings))
    }

    /// A request of a URL that was parsed, and as it was written.
    pub(crate) fn of(url: Url, written: &str, settings: Arc<Settings>) -> Job {
        Job { source: JobSource::Made(JobParts::of(url, written, settings).into()) }
    }

    /// One that is made when it is asked for.
    #[cfg(feature = "plan")]
    pub(crate) fn planned(job: PlannedJob) -> Job {
        Job { source: JobSource::Planned(job.into()) }
    }

    /// Gives the job its place in the input, from 0. Without it, the fetcher numbers the jobs of a run as they come.
    pub fn at(mut self, index: usize) -> Job {
        match self.unmade() {
            Some(planned) => planned.index = Some(index),
            None => self.parts_mut().index = Some(index),
        }
        self
    }

    /// The same request at another URL, and as it may be shown.
    #[cfg(feature = "fetcher")]
    pub(crate) fn at_url(mut self, url: Url, written: &str) -> Job {
        let parts = self.parts_mut();
        (parts.url, parts.written) = (url, without_password(written).into());
        self
    }

    /// Each attempt is made with the token that this has then.
    #[cfg(feature = "fetcher")]
    pub(crate) fn with_token(mut self, token: LiveToken) -> Job {
        self.parts_mut().token = Some(token);
        self
    }

    /// Others take secrets out of its answer, so this is of use only to the run that asks for it.
    pub(crate) fn giving_secrets(mut self) -> Job {
        match self.unmade() {
            Some(planned) => planned.gives_secrets = true,
            None => self.parts_mut().gives_secrets = true,
        }
        self
    }

    /// Whether others take secrets out of its answer.
    #[cfg(feature = "fleet")]
    pub(crate) fn gives_secrets(&self) -> bool {
        self.parts().gives_secrets
    }

    /// The token that each attempt is made with, if there is one.
    #[cfg(feature = "fleet")]
    pub(crate) fn token(&self) -> Option<&LiveToken> {
        self.parts().token.as_ref()
    }

    /// The plain data of the job as it would be sent now: what the run knows of it besides is left out, and the name of its login.
    #[cfg(feature = "fleet")]
    pub(crate) fn plain(self) -> Job {
        let mut job = self.with_newest_token();
        let parts = job.parts_mut();
        (parts.token, parts.gives_secrets) = (None, false);
        if job.settings().auth.is_some() { job.with(|settings| settings.auth = None) } else { job }
    }

    /// The job as it is sent now: with the newest token of its login, if it has one.
    #[cfg(feature = "fetcher")]
    pub(crate) fn with_newest_token(self) -> Job {
        match self.parts().token.as_ref().map(LiveToken::take) {
            Some(field) => self.with(|settings| settings.set_header(field)),
            None => self,
        }
    }

    /// Names the job; reports list it under this name.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Job {
        self.parts_mut().name(name.into());
        self
    }

    /// The URL as reports show it, if it differs from the one that is fetched: with `${NAME}` in place of secrets.
    pub fn written_as(mut self, url: &str) -> Job {
        self.parts_mut().written = without_password(url).into();
        self
    }

    /// Saves the content to this file; the report then names the file and does not hold the content.
    pub fn saved_to(mut self, file: impl Into<PathBuf>) -> Job {
        self.parts_mut().output = Some(file.into());
        self
    }

    /// Changes settings of this job alone.
    pub fn with(mut self, change: impl FnOnce(&mut Settings)) -> Job {
        change(Arc::make_mut(&mut self.parts_mut().settings));
        self
    }

    /// Replaces the shared settings.
    pub fn with_settings(mut self, settings: Arc<Settings>) -> Job {
        match self.unmade() {
            Some(planned) => planned.settings = settings,
            None => self.parts_mut().settings = settings,
        }
        self
    }

    /// Names the secret values in fields and content, so that [`digest`](Self::digest) does not depend on them.
    pub fn with_secrets(mut self, secrets: Secrets) -> Job {
        match self.unmade() {
            Some(planned) => planned.secrets = secrets,
            None => self.parts_mut().secrets = secrets,
        }
        self
    }

    /// The values that made this job one of several, by name: columns of its rows, behind those that are selected.
    pub fn with_values(mut self, values: Record) -> Job {
        self.parts_mut().values = values;
        self
    }

    /// The values that made it one of several.
    pub fn values(&self) -> &Record {
        &self.parts().values
    }

    /// The secrets that the plan has for it.
    #[cfg(any(feature = "fetcher", feature = "import"))]
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.parts().secrets
    }

    fn parts(&self) -> &JobParts {
        match &self.source {
            JobSource::Made(parts) => parts,
            JobSource::Planned(planned) => planned.parts(),
        }
    }

    fn parts_mut(&mut self) -> &mut JobParts {
        if let JobSource::Planned(planned) = &self.source {
            self.source = JobSource::Made(planned.parts().clone().into());
        }
        match &mut self.source {
            JobSource::Made(parts) => Arc::make_mut(parts),
            JobSource::Planned(_) => unreachable!("it was made just now"),
        }
    }

    /// What can still be changed without making the job: `None` if it is made.
    fn unmade(&mut self) -> Option<&mut PlannedJob> {
        match &mut self.source {
            JobSource::Made(_) => None,
            JobSource::Planned(planned) => {
                // Looked at when no other thread can make it.
                let planned = Arc::make_mut(planned);
                (!planned.is_made()).then_some(planned)
            }
        }
    }

    /// The place in the input, if it was given one.
    pub fn index(&self) -> Option<usize> {
        match &self.source {
            JobSource::Made(parts) => parts.index,
            JobSource::Planned(planned) => planned.index,
        }
    }

    /// The name under which reports list the job.
    pub fn name(&self) -> &str {
        &self.parts().name
    }

    /// The URL that is fetched.
    pub fn url(&self) -> &Url {
        &self.parts().url
    }

    /// The URL as the user wrote it, passwords hidden.
    pub fn written_url(&self) -> &str {
        &self.parts().written
    }

    /// The file the content is saved to, if any.
    pub fn output(&self) -> Option<&PathBuf> {
        match &self.source {
            JobSource::Made(parts) => parts.output.as_ref(),
            JobSource::Planned(_) => None,
        }
    }

    /// A URL with the same scheme, user, password, host and port as [`url`](Self::url). To ask for it costs nothing, also
    /// where a job of many of a plan is not made yet.
    pub fn origin_url(&self) -> &Url {
        match &self.source {
            JobSource::Made(parts) => &parts.url,
            JobSource::Planned(planned) => planned.origin_url(),
        }
    }

    /// What an outcome says of its job: name, URL as it was written.
    #[cfg(any(feature = "fetcher", feature = "state"))]
    pub(crate) fn names(&self) -> (Arc<str>, Arc<str>) {
        (self.parts().name.clone(), self.parts().written.clone())
    }

    /// What the job shares with others.
    pub fn settings(&self) -> &Arc<Settings> {
        match &self.source {
            JobSource::Made(parts) => &parts.settings,
            JobSource::Planned(planned) => &planned.settings,
        }
    }

    /// What tells this job from all others. Computed anew each time; see [`digest`](Self::digest).
    pub fn id(&self) -> JobId {
        JobId { index: self.index(), name: self.parts().name.clone(), digest: self.digest() }
    }

    /// The first 128 bits of a SHA-256 of what the job sends: method, URL as it was written, fields in their order, content.
    ///
    /// It is the same in all processes, on all platforms and in later versions. Name, place, limits and expectations are
    /// not in it. Secrets count as `${NAME}`, in the URL if it was [`written_as`](Self::written_as) such, elsewhere if they
    /// are named by [`with_secrets`](Self::with_secrets): a rotated token changes nothing. Other credentials count as they
    /// are; a digest of a short password can be guessed by trying.
    ///
    /// Computed anew each time, some thousand instructions for a job without content.
    pub fn digest(&self) -> JobDigest {
        let Settings { method, headers, data, .. } = &**self.settings();
        let secrets = &self.parts().secrets;
        let mut parts = vec![method.as_str().as_bytes().into(), self.written_url().as_bytes().into()];
        for field in headers {
            parts.push(field.name().to_ascii_lowercase().into_bytes().into());
            // No value has a NUL.
            parts.push(if field.is_omitted() { Cow::Borrowed(&b"\0"[..]) } else { secrets.as_written(field.value()) });
        }
        // No field has an empty name: here the fields end.
        parts.push(Cow::Borrowed(b""));
        parts.extend(data.iter().map(|content| secrets.as_written(content)));
        JobDigest::of(parts)
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Job) -> bool {
        self.parts() == other.parts()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("parts", self.parts()).finish()
    }
}

/// A job as serde writes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobForm {
    #[serde(default)]
    index: Option<usize>,
    name: String,
    url: String,
    written: String,
    #[serde(default, with = "crate::serde_forms::optional_path")]
    output: Option<PathBuf>,
    settings: Settings,
    #[serde(default)]
    secrets: Secrets,
    #[serde(default, skip_serializing_if = "Record::is_empty")]
    values: Record,
}

impl From<Job> for JobForm {
    fn from(job: Job) -> JobForm {
        let parts = match job.source {
            JobSource::Made(parts) => Arc::unwrap_or_clone(parts),
            JobSource::Planned(planned) => planned.parts().clone(),
        };
        let JobParts { index, name, url, written, output, settings, secrets, values, .. } = parts;
        JobForm {
            index,
            name: name.as_ref().into(),
            url: url.into(),
            written: written.as_ref().into(),
            output,
            settings: Arc::unwrap_or_clone(settings),
            secrets,
            values,
        }
    }
}

impl TryFrom<JobForm> for Job {
    type Error = Error;

    fn try_from(form: JobForm) -> Result<Job> {
        let JobForm { index, name, url, written, output, settings, secrets, values } = form;
        let mut job = Job::of(parse_url(&url)?, &written, settings.into()).named(name);
        let parts = job.parts_mut();
        (parts.index, parts.output, parts.secrets, parts.values) = (index, output, secrets, values);
        Ok(job)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::http::{Field, Method};

    #[test]
    fn settings_are_shared_until_they_differ() {
        let shared = Arc::new(Settings::default());
        let one = Job::new("http://a/", shared.clone()).expect("good");
        let two = Job::new("http://me:pw@b/", shared.clone()).expect("good").with(|s| s.retries = 0);
        assert!(Arc::ptr_eq(one.settings(), &shared));
        assert_eq!((one.settings().retries, two.settings().retries), (2, 0));
        assert_eq!((two.name(), two.written_url()), ("http://me:***@b/", "http://me:***@b/"));
    }

    fn job(url: &str) -> Job {
        Job::get(url).expect(url)
    }

    fn with_header(job: Job, header: &str) -> Job {
        job.with(|settings| settings.headers.push(header.parse().expect(header)))
    }

    /// Files of earlier versions are keyed by digests: a change of these figures makes every job a new one.
    #[test]
    fn digests_stay_what_they_are() {
        let get = job("http://h/a?b=c");
        assert_eq!(get.digest().to_string(), "98c444a8058dc730e5b058e240acd5e5");
        let post = with_header(job("https://me:pw@h/"), "X-A: \u{e9}").with(|settings| {
            settings.method = Method::POST;
            settings.data = Some(Arc::from(*b"content"));
        });
        assert_eq!(post.digest().to_string(), "5fcdac91f8605906b3e8fc41ed9030af");
        assert_eq!(post.digest().to_string().parse::<JobDigest>().ok(), Some(post.digest()));
    }

    #[test]
    fn what_is_sent_makes_the_digest_and_nothing_else() {
        let base = job("http://h/a");
        let data = |job: Job, data: &[u8]| job.with(|settings| settings.data = Some(data.into()));
        let others = [
            base.clone(),
            job("http://h/a?"),
            base.clone().with(|settings| settings.method = Method::HEAD),
            with_header(base.clone(), "A: b"),
            with_header(base.clone(), "A: bc"),
            with_header(base.clone(), "Ab: c"),
            with_header(with_header(base.clone(), "A: b"), "A: c"),
            with_header(base.clone(), "A:"),
            base.clone().with(|settings| settings.headers.extend(Field::omitted("A"))),
            data(base.clone(), b""),
            data(base.clone(), b"a"),
            data(with_header(base.clone(), "A: b"), b"a"),
        ];
        let digests: HashSet<JobDigest> = others.iter().map(Job::digest).collect();
        assert_eq!(digests.len(), others.len());
        let same = base.clone().named("other").at(7).saved_to("file").with(|settings| settings.retries = 9);
        assert_eq!(same.digest(), base.digest());
        assert_eq!(with_header(base.clone(), "a: b").digest(), with_header(base, "A: b").digest());
    }

    #[test]
    fn a_rotated_secret_changes_nothing() {
        let with = |token: &str| {
            let job = job(&format!("http://h/?key={token}")).written_as("http://h/?key=${KEY}");
            with_header(job, &format!("Authorization: Bearer {token}"))
                .with(|settings| settings.data = Some(format!(r#"{{"a":"{token}"}}"#).into_bytes().into()))
                .with_secrets(Secrets::new([("KEY", token)]))
        };
        assert_eq!(with("first").digest(), with("second-one").digest());
        let other = with("first").with_secrets(Secrets::default());
        assert_ne!(with("first").digest(), other.digest());
    }
}
