//! Jobs as they go through Redis: without secrets, and without what is as by default.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::secret_text::{SecretText, shown};
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::job_id::JobDigest;
use crate::secrets::Secrets;
use crate::settings::Settings;

/// The longest text of a job.
const MAX_JOB: usize = 1 << 20;

/// A job as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobText<'a> {
    #[serde(rename = "n", borrow)]
    name: &'a RawValue,
    #[serde(rename = "u", borrow)]
    url: &'a RawValue,
    /// If it is not the name.
    #[serde(rename = "w", borrow, default, skip_serializing_if = "Option::is_none")]
    written: Option<&'a RawValue>,
    #[serde(rename = "s", borrow)]
    settings: BTreeMap<&'a str, &'a RawValue>,
    #[serde(rename = "v", borrow, default, skip_serializing_if = "Option::is_none")]
    values: Option<&'a RawValue>,
    /// Names of the secrets in it.
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
}

/// What serde writes of a job, as far as it is of use elsewhere.
#[derive(Deserialize)]
struct WholeJob<'a> {
    #[serde(borrow)]
    name: &'a RawValue,
    #[serde(borrow)]
    url: &'a RawValue,
    #[serde(borrow)]
    written: &'a RawValue,
    #[serde(borrow)]
    settings: BTreeMap<&'a str, &'a RawValue>,
    #[serde(borrow, default)]
    values: Option<&'a RawValue>,
}

/// A job as serde reads it back.
#[derive(Serialize)]
struct ReadJob<'a> {
    name: &'a RawValue,
    url: &'a RawValue,
    written: &'a RawValue,
    settings: BTreeMap<&'a str, &'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<&'a RawValue>,
    secrets: Secrets,
}

/// The default settings, as they are written.
static DEFAULTS: LazyLock<BTreeMap<String, Box<RawValue>>> = LazyLock::new(|| {
    let text = serde_json::to_string(&Settings::default()).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
});

/// Writes jobs. Remembers what many of them share.
#[derive(Debug, Default)]
pub(super) struct JobWriter {
    secrets: Option<Arc<SecretText>>,
}

/// Why a job cannot go to another machine, in words that follow its name.
///
/// What it names is a file of this machine, or belongs to one run in one process.
pub(super) fn obstacle(job: &Job) -> Option<&'static str> {
    let Settings { cookies, auth, proxy, cacert, cert, cert_key, insecure, .. } = &**job.settings();
    let obstacles = [
        (job.output().is_some(), "saves its content to a file, which would be on the machine of a worker"),
        (*cookies, "has cookies, and workers do not know those of each other"),
        (job.settings().keeps_responses(), "keeps responses in a state, which workers have none of"),
        (auth.is_some(), "has auth, and the token of a login does not go through Redis"),
        (job.url().scheme() == "http+unix", "is at a unix-domain socket, which is one of this machine"),
        (*insecure, "is insecure, which is for a worker to say"),
        (proxy.is_some(), "has a proxy, which is for a worker to say"),
        (cacert.is_some() || cert.is_some() || cert_key.is_some(), "has certificates, which are files of this machine"),
    ];
    obstacles.into_iter().find(|(is_there, _)| *is_there).map(|(_, why)| why)
}

impl JobWriter {
    /// The text of a job.
    ///
    /// # Errors
    /// [`Kind::Config`], in words that follow the job's name: it cannot go to another machine, or holds a secret that cannot be
    /// told apart.
    pub(super) fn write(&mut self, job: &Job) -> Result<String> {
        let wrong = |why: String| Error::new(Kind::Config, why);
        if let Some(why) = obstacle(job) {
            return Err(wrong(why.to_owned()));
        }
        let whole = serde_json::to_string(job).map_err(|error| wrong(format!("cannot be written: {error}")))?;
        let WholeJob { name, url, written, mut settings, values } =
            serde_json::from_str(&whole).map_err(|error| wrong(format!("cannot be written: {error}")))?;
        settings.retain(|key, value| DEFAULTS.get(*key).is_none_or(|default| default.get() != value.get()));
        let written = Some(written).filter(|written| written.get() != name.get());
        let text = JobText { name, url, written, settings, values, secrets: Vec::new() };
        let text = serde_json::to_string(&text).map_err(|error| wrong(format!("cannot be written: {error}")))?;
        let text = self.hide(job, text)?;
        if text.len() > MAX_JOB {
            return Err(wrong(format!(
                "takes {} KiB, and through Redis go at most {}",
                text.len() >> 10,
                MAX_JOB >> 10
            )));
        }
        Ok(text)
    }

    /// Puts marks in place of secrets, and looks that none is left and that the job can be read back.
    fn hide(&mut self, job: &Job, text: String) -> Result<String> {
        let wrong = |why: &str| Error::new(Kind::Config, why);
        let text = if job.secrets().is_empty() {
            text
        } else {
            let secrets = self.secrets_of(job);
            let hidden = secrets.hidden(&text);
            if secrets.is_left(&hidden) {
                return Err(wrong(
                    "has a secret in a form that cannot be taken out of it, and none goes through Redis",
                ));
            }
            let names = secrets.names_in(&hidden);
            let hidden = match (names.is_empty(), hidden.strip_suffix('}')) {
                (false, Some(open)) => {
                    format!("{open},\"x\":{}}}", serde_json::to_string(&names).unwrap_or_default())
                }
                _ => hidden,
            };
            let value =
                |name: &str| job.secrets().iter().find(|(known, _)| *known == name).map(|(_, it)| it.to_owned());
            let read = read(&hidden, &value)?.with_secrets(job.secrets().clone());
            let read = if let Some(index) = job.index() { read.at(index) } else { read };
            if read != *job {
                return Err(wrong("has a secret that cannot be put back into it, and none goes through Redis"));
            }
            hidden
        };
        let has_credentials = !job.settings().headers.is_empty() || !job.url().username().is_empty();
        let left = has_credentials
            && job.credentials().any(|credential| {
                let quoted = serde_json::to_string(&credential).unwrap_or_default();
                let inner = quoted.trim_matches('"');
                !inner.is_empty() && text.contains(inner)
            });
        if left || job.url().password().is_some_and(|password| text.contains(&format!(":{password}@"))) {
            return Err(wrong(
                "sends a credential that no ${NAME} of the plan stands for, and none goes through Redis",
            ));
        }
        Ok(text)
    }

    fn secrets_of(&mut self, job: &Job) -> Arc<SecretText> {
        match &self.secrets {
            Some(known) if known.secrets() == job.secrets() => known.clone(),
            _ => self.secrets.insert(SecretText::new(job.secrets()).into()).clone(),
        }
    }
}

/// The names of the secrets that the text of a job has marks of.
pub(super) fn secret_names(text: &str) -> Result<Vec<String>> {
    if text.len() > 2 * MAX_JOB {
        return Err(Error::new(Kind::Config, format!("the job takes {} MiB, and may take 1", text.len() >> 20)));
    }
    let JobText { secrets, .. } = parsed(text)?;
    Ok(secrets)
}

fn parsed(text: &str) -> Result<JobText<'_>> {
    serde_json::from_str(text).map_err(|error| Error::new(Kind::Config, format!("the job cannot be read: {error}")))
}

/// Reads a job, with values for the secrets in it.
///
/// # Errors
/// [`Kind::Config`]: it is no job, or a secret has no value here.
pub(super) fn read(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<Job> {
    let text = shown(text, value)?;
    let JobText { name, url, written, settings, values, secrets } = parsed(&text)?;
    let secrets = secrets.into_iter().filter_map(|name| value(&name).map(|value| (name, value)));
    let secrets = Secrets::new(secrets.collect::<Vec<_>>());
    let job = ReadJob { name, url, written: written.unwrap_or(name), settings, values, secrets };
    let cannot = |error| Error::new(Kind::Config, format!("the job cannot be read: {error}"));
    let job = serde_json::to_string(&job).and_then(|text| serde_json::from_str::<Job>(&text)).map_err(cannot)?;
    match obstacle(&job) {
        Some(why) => Err(Error::new(Kind::Config, why)),
        None => Ok(job),
    }
}

/// The key of a job: the same each time that it is submitted. `before` is how many equal ones there were.
pub(super) fn key_of(text: &str, before: u32) -> String {
    let digest = JobDigest::of([text.as_bytes().into()]);
    let short: String = digest.to_string().chars().take(16).collect();
    if before == 0 { short } else { format!("{short}-{before}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Field;

    fn field(text: &str) -> Field {
        text.parse().expect(text)
    }

    fn write(job: &Job) -> Result<String> {
        JobWriter::default().write(job)
    }

    fn value(name: &str) -> Option<String> {
        ["KEY", "USER"].contains(&name).then(|| format!("the {name} of mine"))
    }

    #[test]
    fn jobs_are_short_and_read_back() {
        let job = Job::get("http://h/a?b=c").expect("a URL");
        assert_eq!(write(&job).expect("nothing secret"), r#"{"n":"http://h/a?b=c","u":"http://h/a?b=c","s":{}}"#);
        let values = serde_json::from_str(r#"{"n": 1000000000000000000001, "t": "x"}"#).expect("a record");
        let job = job.named("one").with_values(values).with(|settings| {
            settings.retries = 7;
            settings.data = Some(Arc::from(*b"\xff\x00"));
            settings.headers.push(field("Accept: a"));
        });
        let text = write(&job).expect("nothing secret");
        assert!(text.len() < 200, "{text}");
        assert_eq!(read(&text, &|_| None).expect("it was just written"), job);
    }

    #[test]
    fn secrets_stay_behind_and_workers_have_their_own() {
        let job = |key: &str, user: &str| {
            let url =
                format!("http://h/{}", crate::http::percent::encode(key.as_bytes(), crate::http::percent::COMPONENT));
            let pair = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{user}:{key}"));
            let secrets = Secrets::new([("KEY", key), ("USER", user)]);
            Job::get(&url).expect("a URL").named("j").written_as("http://h/${KEY}").with_secrets(secrets).with(
                |settings| {
                    settings.headers.push(field(&format!("Authorization: Basic {pair}")));
                    settings.data = Some(format!("{{\"key\":\"{key}\"}}").into_bytes().into());
                },
            )
        };
        let here = job("k3y of th!s machine", "me-myself");
        let text = write(&here).expect("all have names");
        assert!(!text.contains("k3y") && !text.contains("myself"), "{text}");
        assert_eq!(secret_names(&text).expect("a job"), ["KEY", "USER"]);
        let there = read(&text, &value).expect("it has both");
        assert_eq!(there, job("the KEY of mine", "the USER of mine"));
        assert_eq!(read(&text, &|_| None).expect_err("no value").one_line(), "there is no value for ${KEY} here");
    }

    #[test]
    fn what_cannot_go_elsewhere_says_why() {
        let job = || Job::get("http://h/").expect("a URL");
        for (job, why) in [
            (job().saved_to("x"), "saves its content"),
            (Job::get("http+unix://%2Frun%2Fs/x").expect("a URL"), "is at a unix-domain socket"),
            (job().with(|settings| settings.insecure = true), "is insecure"),
            (job().with(|settings| settings.cookies = true), "has cookies"),
            (job().with(|settings| settings.cache = true), "keeps responses"),
            (job().with(|settings| settings.auth = Some("l".into())), "has auth"),
            (job().with(|settings| settings.cert = Some("c.pem".into())), "has certificates"),
            (
                job().with(|settings| settings.proxy = Some(crate::proxy_url::ProxyUrl::new("http://p:1"))),
                "has a proxy",
            ),
            (job().with(|settings| settings.headers.push(field("X-Api-Key: abc"))), "sends a credential"),
            (Job::get("http://me:pw@h/").expect("a URL"), "sends a credential"),
            (Job::get("http://token@h/").expect("a URL"), "sends a credential"),
            (job().with(|settings| settings.data = Some(vec![b'x'; MAX_JOB].into())), "takes 1024 KiB"),
        ] {
            let line = write(&job).expect_err(why).one_line();
            assert!(line.starts_with(why), "{line}");
        }
        let secret = |data: &[u8]| {
            let secrets = Secrets::new([("KEY", "a-long-secret")]);
            job().with_secrets(secrets).with(|settings| settings.data = Some(data.into()))
        };
        let hex: String = "a-long-secret".bytes().map(|byte| format!("{byte:02x}")).collect();
        for data in [hex.as_bytes(), b"\xffa-long-secret"] {
            let line = write(&secret(data)).expect_err("not as it stands").one_line();
            assert!(line.starts_with("has a secret in a form"), "{line}");
        }
    }

    #[test]
    fn a_stranger_cannot_name_files_of_a_worker() {
        for settings in [
            r#"{"insecure":true}"#,
            r#"{"cert":"/etc/key.pem"}"#,
            r#"{"proxy":"http://p:1"}"#,
            r#"{"cacert":"/etc/passwd"}"#,
        ] {
            let text = format!(r#"{{"n":"a","u":"http://h/","s":{settings}}}"#);
            assert!(read(&text, &value).is_err(), "{settings}");
        }
        for text in
            ["", "{}", r#"{"n":"a","u":"file:///etc/passwd","s":{}}"#, r#"{"n":"a","u":"http://h/","s":{"x":1}}"#]
        {
            let line = read(text, &value).expect_err(text).one_line();
            assert!(line.starts_with("the job cannot be read"), "{line}");
        }
    }

    #[test]
    fn keys_stay_what_they_are() {
        assert_eq!(key_of("{}", 0).len(), 16);
        assert_ne!(key_of("{}", 0), key_of("{} ", 0));
        assert_eq!(key_of("{}", 2), format!("{}-2", key_of("{}", 0)));
    }
}
