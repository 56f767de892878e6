//! Jobs as they go through Redis: without secrets, and without what is as by default.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::collector::is_login;
use super::fleet_key::FleetKey;
use super::job_parts::{add_marked, add_member, optional_part, part_of, unreadable};
use super::secret_text::{SecretText, shown, without_nuls};
use super::setting_texts::{ReadSettings, WrittenSettings};
use crate::error::{Error, Kind, Result};
use crate::http::Field;
use crate::job::Job;
use crate::job_id::JobDigest;
use crate::json_members::RawMembers;
use crate::live_token::LiveToken;
use crate::origin::parse_url;
use crate::rows::Record;
use crate::secrets::Secrets;
use crate::settings::Settings;

/// The longest text of a job.
const MAX_JOB: usize = 1 << 20;

/// The members of the text of a job, each not yet read.
#[derive(Default)]
struct JobMembers<'a> {
    name: Option<&'a str>,
    url: Option<&'a str>,
    /// If it is not the name.
    written: Option<&'a str>,
    /// Those that are not as by default.
    settings: Option<&'a str>,
    values: Option<&'a str>,
    /// Names of the secrets in it.
    secrets: Option<&'a str>,
    /// Secrets in it that answers gave; only where the text is sealed.
    captured: Option<&'a str>,
    /// The token that it is sent with; likewise.
    token: Option<&'a str>,
    /// How many milliseconds were left of the time of its source, if there were other requests before. What goes by in Redis does
    /// not count: a run may stand still there.
    left: Option<&'a str>,
}

impl<'a> JobMembers<'a> {
    fn of(text: &'a str) -> Result<JobMembers<'a>> {
        let mut members = JobMembers::default();
        for (name, value) in part_of::<RawMembers<'a>>(text)?.0 {
            let place = match name.get() {
                "\"n\"" => &mut members.name,
                "\"u\"" => &mut members.url,
                "\"w\"" => &mut members.written,
                "\"s\"" => &mut members.settings,
                "\"v\"" => &mut members.values,
                "\"x\"" => &mut members.secrets,
                "\"c\"" => &mut members.captured,
                "\"t\"" => &mut members.token,
                "\"e\"" => &mut members.left,
                other => return Err(unreadable(&format!("it has a member {other}"))),
            };
            *place = Some(value.get());
        }
        Ok(members)
    }
}

/// What is said of a job beside it.
#[derive(Debug, PartialEq)]
pub(super) struct AboutJob {
    /// The token that it is sent with.
    pub(super) token: Option<TokenText>,
    /// How many milliseconds were left of the time of its source.
    pub(super) left: Option<u64>,
}

/// A token of a login, as it goes to those who send it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenText {
    #[serde(rename = "l")]
    pub(super) login: Box<str>,
    /// A later token has a higher number.
    #[serde(rename = "g")]
    pub(super) number: u64,
    #[serde(rename = "f")]
    pub(super) field: Field,
}

impl TokenText {
    /// The newest token of this login; its number in the run of this process follows those before.
    pub(super) fn newest(login: &str, token: &LiveToken, before: u64) -> TokenText {
        let (generation, field) = token.newest();
        TokenText { login: login.into(), number: before + generation, field }
    }
}

/// Writes jobs; it knows what many of them share.
#[derive(Debug, Default)]
pub(super) struct JobWriter {
    /// What texts are sealed with, so that what answers gave may stand in them.
    fleet_key: Option<FleetKey>,
    /// The number that those of tokens follow.
    before_tokens: u64,
    secrets: Option<Arc<SecretText>>,
    captured: Option<Arc<SecretText>>,
}

/// A job as it goes through Redis.
#[derive(Debug)]
pub(super) struct WrittenJob {
    pub(super) text: String,
    /// The same with another token.
    key: String,
}

impl WrittenJob {
    /// The key of the job: the same each time that it is submitted. `before` is how many equal ones there were.
    pub(super) fn key(&self, before: u32) -> String {
        if before == 0 { self.key.clone() } else { format!("{}-{before}", self.key) }
    }

    /// Says what is left of the time of its source, of which there were other requests before.
    pub(super) fn set_left(&mut self, left: Duration) {
        add_marked(&mut self.text, "e", &u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    }
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
        (
            auth.is_some(),
            "has auth, and the token of a login goes through Redis only sealed: give it and the workers a --fleet-key",
        ),
        (job.url().scheme() == "http+unix", "is at a unix-domain socket, which is one of this machine"),
        (*insecure, "is insecure, which is for a worker to say"),
        (proxy.is_some(), "has a proxy, which is for a worker to say"),
        (cacert.is_some() || cert.is_some() || cert_key.is_some(), "has certificates, which are files of this machine"),
    ];
    obstacles.into_iter().find(|(is_there, _)| *is_there).map(|(_, why)| why)
}

impl JobWriter {
    /// It is said what texts are sealed with, if they are, and which number those of tokens follow.
    pub(super) fn new(fleet_key: Option<&FleetKey>, before_tokens: u64) -> JobWriter {
        JobWriter { fleet_key: fleet_key.cloned(), before_tokens, ..JobWriter::default() }
    }

    /// The text of a job.
    ///
    /// # Errors
    /// [`Kind::Config`], in words that follow the job's name: it cannot go to another machine, or holds a secret that cannot be
    /// told apart.
    pub(super) fn write(&mut self, job: &Job) -> Result<WrittenJob> {
        let wrong = |why: String| Error::new(Kind::Config, why);
        let login = job.settings().auth.as_deref().filter(|_| self.fleet_key.is_some());
        let token = login.zip(job.token()).map(|(login, token)| TokenText::newest(login, token, self.before_tokens));
        let (job, captured) = match self.fleet_key.is_some() {
            true => part(job.clone().plain(), token.as_ref()),
            false => (job.clone(), Secrets::default()),
        };
        if let Some(why) = obstacle(&job) {
            return Err(wrong(why.to_owned()));
        }
        let mut text = "{}".to_owned();
        add_member(&mut text, "n", &job.name());
        add_member(&mut text, "u", &job.url().as_str());
        if job.written_url() != job.name() {
            add_member(&mut text, "w", &job.written_url());
        }
        add_member(&mut text, "s", &WrittenSettings(job.settings()));
        if !job.values().is_empty() {
            add_member(&mut text, "v", job.values());
        }
        let mut text = self.hide(&job, text)?;
        // A login with another refresh token is another call.
        let known_by = match captured.is_empty() || is_login(&job) {
            true => text.clone(),
            false => secret_text(&mut self.captured, &captured).hidden(&text),
        };
        if !captured.is_empty() {
            add_marked(&mut text, "c", &captured);
        }
        token.iter().for_each(|token| add_marked(&mut text, "t", token));
        if text.len() > MAX_JOB {
            return Err(wrong(format!(
                "takes {} KiB, and through Redis go at most {}",
                text.len() >> 10,
                MAX_JOB >> 10
            )));
        }
        Ok(WrittenJob { text, key: key_of(&known_by, self.fleet_key.as_ref()) })
    }

    /// Puts marks in place of secrets, and looks that none is left and that the job can be read back.
    fn hide(&mut self, job: &Job, text: String) -> Result<String> {
        let wrong = |why: &str| Error::new(Kind::Config, why);
        let text = if job.secrets().is_empty() {
            without_nuls(&text)
        } else {
            let secrets = secret_text(&mut self.secrets, job.secrets());
            let mut hidden = secrets.hidden(&text);
            if secrets.is_left(&hidden) {
                return Err(wrong(
                    "has a secret in a form that cannot be taken out of it, and none goes through Redis",
                ));
            }
            let names: Vec<String> = secrets.names_in(&hidden).into_iter().map(str::to_owned).collect();
            if !names.is_empty() {
                add_marked(&mut hidden, "x", &names);
            }
            let value =
                |name: &str| job.secrets().iter().find(|(known, _)| *known == name).map(|(_, it)| it.to_owned());
            let read = read(&hidden, &value)?.0.with_secrets(job.secrets().clone());
            let read = if let Some(index) = job.index() { read.at(index) } else { read };
            if read != *job {
                return Err(wrong("has a secret that cannot be put back into it, and none goes through Redis"));
            }
            hidden
        };
        if self.fleet_key.is_some() {
            return Ok(text);
        }
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
}

/// What hides these secrets, made anew if they are others than the last time.
fn secret_text(known: &mut Option<Arc<SecretText>>, secrets: &Secrets) -> Arc<SecretText> {
    match known {
        Some(known) if known.secrets() == secrets => known.clone(),
        _ => known.insert(SecretText::new(secrets).into()).clone(),
    }
}

/// A job with the secrets that the plan has names for, and those that answers gave: theirs have a dot, as `login.token`.
fn part(job: Job, token: Option<&TokenText>) -> (Job, Secrets) {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let (captured, named): (Vec<_>, Vec<_>) = job.secrets().iter().map(owned).partition(|(name, _)| name.contains('.'));
    let of_token = token.map(|TokenText { login, field, .. }| {
        let value = String::from_utf8_lossy(field.value());
        (format!("auth.{login}"), value.rsplit(' ').next().unwrap_or_default().to_owned())
    });
    let job = if captured.is_empty() { job } else { job.with_secrets(Secrets::new(named)) };
    (job, Secrets::new(captured.into_iter().chain(of_token)))
}

/// The names of the secrets that the text of a job has marks of.
pub(super) fn secret_names(text: &str) -> Result<Vec<String>> {
    if text.len() > 2 * MAX_JOB {
        return Err(Error::new(Kind::Config, format!("the job takes {} MiB, and may take 1", text.len() >> 20)));
    }
    Ok(optional_part(JobMembers::of(text)?.secrets)?.unwrap_or_default())
}

/// Reads a job, with values for the secrets in it, and what is said beside it.
///
/// # Errors
/// [`Kind::Config`]: it is no job, or a secret has no value here.
pub(super) fn read(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<(Job, AboutJob)> {
    let text = shown(text, value)?;
    let members = JobMembers::of(&text)?;
    let (Some(name), Some(url)) = (members.name, members.url) else {
        return Err(unreadable(&"it has no name or no URL"));
    };
    let secrets: Vec<String> = optional_part(members.secrets)?.unwrap_or_default();
    let secrets = secrets.into_iter().filter_map(|name| value(&name).map(|value| (name, value)));
    let captured: Secrets = optional_part(members.captured)?.unwrap_or_default();
    let captured = captured.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let secrets = Secrets::new(secrets.chain(captured).collect::<Vec<_>>());
    let ReadSettings(settings) = optional_part(members.settings)?.unwrap_or_default();
    let url = parse_url(&part_of::<String>(url)?).map_err(|error| unreadable(&error.one_line()))?;
    let written: String = part_of(members.written.unwrap_or(name))?;
    let values: Record = optional_part(members.values)?.unwrap_or_default();
    let job = Job::of(url, &written, settings.into())
        .named(part_of::<String>(name)?)
        .with_secrets(secrets)
        .with_values(values);
    match obstacle(&job) {
        Some(why) => Err(Error::new(Kind::Config, why)),
        None => Ok((job, AboutJob { token: optional_part(members.token)?, left: optional_part(members.left)? })),
    }
}

/// A key that this text makes. It stands in Redis as it is.
fn key_of(text: &str, fleet_key: Option<&FleetKey>) -> String {
    match fleet_key {
        Some(fleet_key) => fleet_key.name_of(&format!("the key of a job: {text}")),
        None => JobDigest::of([text.as_bytes().into()]).to_string().chars().take(16).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Field {
        text.parse().expect(text)
    }

    fn write(job: &Job) -> Result<String> {
        JobWriter::default().write(job).map(|written| written.text)
    }

    #[cfg(feature = "tls")]
    fn fleet_key(name: &str) -> FleetKey {
        FleetKey::new(format!("a key of twenty-four bytes: {name}").as_bytes()).expect("long enough")
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
        assert_eq!(read(&text, &|_| None).expect("it was just written").0, job);
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
        let (there, _) = read(&text, &value).expect("it has both");
        assert_eq!(there, job("the KEY of mine", "the USER of mine"));
        assert_eq!(read(&text, &|_| None).expect_err("no value").one_line(), "there is no value for ${KEY} here");
    }

    /// Only a sealed text has what answers gave, and its key is the same with another token.
    #[cfg(feature = "tls")]
    #[test]
    fn what_answers_gave_goes_in_sealed_texts() {
        let write = |token: &str, pin: &str| {
            let shared = Arc::new((2, field(&format!("Authorization: Bearer {token}"))).into());
            let secrets = Secrets::new([("KEY", "k3y of th!s machine"), ("login.pin", pin)]);
            let job = Job::get(&format!("http://h/{pin}?k3y%20of%20th!s%20machine")).expect("a URL").named("j");
            let job = job.written_as("http://h/{login.pin}?${KEY}").with_secrets(secrets).giving_secrets();
            let job = job.with_token(LiveToken::new(shared)).with(|settings| {
                settings.auth = Some("cloud".into());
                settings.set_header(field("Authorization: Bearer of-before"));
                settings.headers.push(field(&format!("X-Pin: {pin}")));
            });
            assert!(JobWriter::default().write(&job).is_err());
            JobWriter::new(Some(&fleet_key("one")), 1000).write(&job).expect("it goes")
        };
        let (mut one, two) = (write("t0ken-1", "12345"), write("t0ken-2", "9876"));
        assert_eq!(one.key(0), two.key(0));
        assert_ne!(one.text, two.text);
        assert!(!one.text.contains("k3y"), "{}", one.text);
        assert_eq!(secret_names(&one.text).expect("a job"), ["KEY"]);
        one.set_left(Duration::from_millis(17));
        let (job, about) = read(&one.text, &value).expect("it has it");
        assert_eq!(about.left, Some(17));
        assert_eq!(job.url().as_str(), "http://h/12345?the%20KEY%20of%20mine");
        let token = about.token.expect("it has one");
        assert_eq!((&*token.login, token.number), ("cloud", 1002));
        assert_eq!(token.field, field("Authorization: Bearer t0ken-1"));
        let known: Vec<&str> = job.secrets().iter().map(|(name, _)| name).collect();
        assert_eq!(known, ["KEY", "auth.cloud", "login.pin"]);
    }

    /// In a value of a row, and in what a login gave.
    #[cfg(feature = "tls")]
    #[test]
    fn a_nul_that_an_answer_gave_comes_back() {
        let values = serde_json::from_str(r#"{"t":"a\u0000b"}"#).expect("a record");
        let job = Job::get("http://h/").expect("a URL").named("j").with_values(values);
        assert_eq!(read(&write(&job).expect("nothing secret"), &value).expect("it was just written").0, job);
        let job = job.with_secrets(Secrets::new([("login.pin", "c\0d")]));
        let text = JobWriter::new(Some(&fleet_key("one")), 0).write(&job).expect("it goes").text;
        assert_eq!(read(&text, &value).expect("it was just written").0, job);
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

    /// A short password could be tried out by a digest that anybody can make.
    #[cfg(feature = "tls")]
    #[test]
    fn the_key_of_a_sealed_job_tells_nothing_of_it() {
        let job = Job::get("http://h/").expect("a URL").named("j");
        let job = job.with(|settings| settings.headers.push(field("Authorization: Bearer 4711")));
        let write = |key: &str| JobWriter::new(Some(&fleet_key(key)), 0).write(&job).expect("it goes");
        let one = write("one");
        assert!(one.key(0) == write("one").key(0) && one.key(0) != write("two").key(0));
        assert_eq!(one.key(2), format!("{}-2", one.key(0)));
    }
}
