//! The curl command of a job.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::marks::{Marks, as_name};
use super::secret_places::SecretPlace;
use super::shell_word::{WordPart, quoted, shell_word};
use crate::authorization::Authorization;
use crate::http::percent::{COMPONENT, decode, encode};
use crate::http::{Field, Method, is_credential};
use crate::job::Job;
use crate::settings::Settings;

/// Writes jobs as curl commands for bash. Secrets stand as variables of the shell; one value has one name in all commands of
/// a writer.
///
/// ```
/// let job = roundup::Job::get("https://api.example.com/v1/items?limit=5")?
///     .with(|settings| settings.headers.extend(roundup::Field::new("X-Api-Key", "s3cret")));
/// let mut writer = roundup::import::CurlWriter::new();
/// let command = writer.command(&job, &[]);
/// assert_eq!(command, "curl -L --compressed 'https://api.example.com/v1/items?limit=5' \\\n  -H \"X-Api-Key: ${X_API_KEY}\"");
/// assert!(writer.secrets().eq([("X_API_KEY", "s3cret")]));
/// # Ok::<(), roundup::Error>(())
/// ```
#[derive(Default)]
pub struct CurlWriter {
    marks: Marks,
    /// The variables of the command whose values were found by their names.
    told: Vec<String>,
}

/// Says how many secrets it knows.
impl fmt::Debug for CurlWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CurlWriter({} secrets)", self.marks.list().len())
    }
}

/// A form of a secret, and the variable that has it.
struct SecretForm {
    bytes: Vec<u8>,
    name: String,
}

impl CurlWriter {
    /// One that knows no secrets.
    pub fn new() -> CurlWriter {
        CurlWriter::default()
    }

    /// The names of the variables that are in the commands so far, and their values.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.marks.list().iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()))
    }

    /// A text as a word of a command.
    pub fn word(text: &str) -> String {
        quoted(text.as_bytes())
    }

    /// The URL of a proxy as a word of a command, with a variable in place of its password.
    pub fn url_word(&mut self, url: &str) -> String {
        let at = url.rfind('@').unwrap_or_default();
        let from = url.find("://").map_or(0, |at| at + 3);
        let password = url.get(from..at).and_then(|user| Some(from + user.find(':')? + 1));
        match password.filter(|password| *password < at) {
            Some(password) => {
                let name = self.marks.name("PROXY_PASSWORD", &url[password..at]).to_owned();
                let ends = [&url[..password], &url[at..]].map(|text| WordPart::Bytes(text.as_bytes().to_vec()));
                let [before, after] = ends;
                shell_word(&[before, WordPart::Variable(name), after])
            }
            None => quoted(url.as_bytes()),
        }
    }

    /// The command that sends what the job sends. `others` are further words of it as the shell is to read them, such as
    /// `--insecure`.
    ///
    ///
    /// What is not in a command line is said in lines behind a `#`: content with a NUL byte, that a variable of the URL is to
    /// be percent-encoded, and which variables stand for what was found to be a secret by its name, as `?api_key=...`.
    pub fn command(&mut self, job: &Job, others: &[String]) -> String {
        let settings = job.settings();
        let mut notes = Vec::new();
        let mut lines = vec![self.first_line(job, settings, &mut notes)];
        if let Some(user) = self.user(job, settings) {
            lines.push(format!("-u {user}"));
        }
        for field in settings.headers.iter().filter(|field| basic_user(field).is_none()) {
            lines.push(format!("-H {}", self.header(job, field)));
        }
        if let Some(login) = &settings.auth {
            let name = format!("{}_TOKEN", as_name(login));
            notes.push(format!("{name} is what the login {login:?} gives"));
            lines.push(format!("-H \"Authorization: Bearer ${{{name}}}\""));
        }
        if settings.raw && !has(settings, "accept-encoding") {
            lines.push("-H Accept-Encoding:".to_owned());
        }
        if let Some(content) = &settings.data {
            if content.contains(&0) {
                notes
                    .push("the content has a NUL byte, which no word of a command can hold: it is left out".to_owned());
            } else {
                let of_type = settings.headers.iter().find(|field| field.name().eq_ignore_ascii_case("content-type"));
                let of_type = of_type.and_then(|field| std::str::from_utf8(field.value()).ok());
                let parts = self.parts(job, content);
                let parts = self.without_told(parts, |text| SecretPlace::in_content(text, of_type), None);
                lines.push(format!("--data-raw {}", shell_word(&parts)));
            }
        }
        lines.extend(limits(settings));
        if let Some(output) = job.output() {
            lines.push(format!("-o {}", quoted(output.to_string_lossy().as_bytes())));
        }
        lines.extend(self.connection(settings));
        if !others.is_empty() {
            lines.push(others.join(" "));
        }
        let told = std::mem::take(&mut self.told);
        if !told.is_empty() {
            let verb = if told.len() == 1 { "is left out: its name tells" } else { "are left out: their names tell" };
            notes.insert(0, format!("{} {verb} a secret", told.join(", ")));
        }
        let notes: String = notes.iter().map(|note| format!("# {note}\n")).collect();
        format!("{notes}{}", lines.join(" \\\n  "))
    }

    /// How its connections are made.
    fn connection(&mut self, settings: &Settings) -> Vec<String> {
        let Settings { proxy, cacert, cert, cert_key, insecure, .. } = settings;
        let proxy = proxy.as_ref().map(|proxy| format!("-x {}", self.url_word(proxy.as_str())));
        let files = [("--cacert", cacert), ("--cert", cert), ("--key", cert_key)].into_iter();
        let file = |(option, file): (&str, &Option<PathBuf>)| {
            let file = file.as_ref()?;
            Some(format!("{option} {}", quoted(file.to_string_lossy().as_bytes())))
        };
        proxy.into_iter().chain(files.filter_map(file)).chain(insecure.then(|| "-k".to_owned())).collect()
    }

    /// The method and the URL.
    fn first_line(&mut self, job: &Job, settings: &Settings, notes: &mut Vec<String>) -> String {
        let mut line = "curl".to_owned();
        let follow: &str = match settings.follow {
            0 => " --no-location",
            10 => " -L",
            most => &format!(" -L --max-redirs {most}"),
        };
        line.push_str(follow);
        if !settings.raw && !has(settings, "accept-encoding") {
            line.push_str(" --compressed");
        }
        let usual = if settings.data.is_some() { Method::POST } else { Method::GET };
        if settings.method == Method::HEAD && settings.data.is_none() {
            line.push_str(" -I");
        } else if settings.method != usual {
            line.push_str(&format!(" -X {}", settings.method));
        }
        let url = self.url(job, notes);
        let in_query = |text: &str| {
            // A part behind a variable begins within the query.
            let query = text.find('?').map_or(0, |at| at + 1);
            let query = if text.contains("://") && query == 0 { text.len() } else { query };
            let mut places = SecretPlace::in_pairs(&text[query..]);
            for place in &mut places {
                place.range = place.range.start + query..place.range.end + query;
            }
            places
        };
        let url = self.without_told(url, in_query, Some(notes));
        if url_has_globs(&url) {
            line.push_str(" -g");
        }
        if job.url().scheme() == "http+unix" {
            let socket = decode(job.url().host_str().unwrap_or_default().as_bytes());
            line.push_str(&format!(" --unix-socket {}", quoted(&socket)));
        }
        format!("{line} {}", shell_word(&url))
    }

    /// The URL without user and fragment, with variables where the plan has them.
    fn url(&mut self, job: &Job, notes: &mut Vec<String>) -> Vec<WordPart> {
        let secrets: Vec<(String, String)> =
            job.secrets().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let written = job.written_url();
        let is_named = secrets.iter().any(|(name, _)| written.contains(&format!("${{{name}}}")));
        let text = if is_named { written } else { job.url().as_str() };
        let text = text.split('#').next().unwrap_or_default();
        let text = match (job.url().scheme(), text.split_once("://")) {
            ("http+unix", Some((_, rest))) => {
                format!("http://localhost{}", &rest[rest.find('/').unwrap_or(rest.len())..])
            }
            (_, Some((scheme, rest))) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let from = rest[..end].rfind('@').map_or(0, |at| at + 1);
                format!("{scheme}://{}", &rest[from..])
            }
            (_, None) => text.to_owned(),
        };
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((at, name, value)) = secrets
            .iter()
            .filter_map(|(name, value)| Some((rest.find(&format!("${{{name}}}"))?, name, value)))
            .min_by_key(|(at, ..)| *at)
        {
            let variable = self.marks.name(name, value).to_owned();
            if at > 0 {
                parts.push(WordPart::Bytes(rest.as_bytes()[..at].to_vec()));
                if encode(value.as_bytes(), COMPONENT) != *value {
                    notes.push(format!("{variable} must be percent-encoded in this URL"));
                }
            }
            parts.push(WordPart::Variable(variable));
            rest = &rest[at + name.len() + 3..];
        }
        if !rest.is_empty() {
            parts.push(WordPart::Bytes(rest.as_bytes().to_vec()));
        }
        parts
    }

    /// The parts with a variable for each secret that is found by its name. It has the text that stands there; in a URL, of
    /// which there are notes, it is decoded, as a plan takes it.
    fn without_told(
        &mut self,
        parts: Vec<WordPart>,
        find: impl Fn(&str) -> Vec<SecretPlace>,
        mut notes: Option<&mut Vec<String>>,
    ) -> Vec<WordPart> {
        let mut shown = Vec::with_capacity(parts.len());
        for part in parts {
            let text = match &part {
                WordPart::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
                WordPart::Variable(_) => None,
            };
            let Some(text) = text else {
                shown.push(part);
                continue;
            };
            let mut from = 0;
            for SecretPlace { name, range } in find(text).into_iter().filter(|place| !place.range.is_empty()) {
                shown.push(WordPart::Bytes(text.as_bytes()[from..range.start].to_vec()));
                let raw = &text[range.clone()];
                let decoded = String::from_utf8(decode(raw.as_bytes())).ok();
                let decoded = decoded.filter(|value| value != raw && encode(value.as_bytes(), COMPONENT) == raw);
                let variable = match decoded.zip(notes.as_deref_mut()) {
                    Some((value, notes)) => {
                        let variable = self.marks.name(&as_name(&name), &value).to_owned();
                        notes.push(format!("{variable} must be percent-encoded in this URL"));
                        variable
                    }
                    None => self.marks.name(&as_name(&name), raw).to_owned(),
                };
                if !self.told.contains(&variable) {
                    self.told.push(variable.clone());
                }
                shown.push(WordPart::Variable(variable));
                from = range.end;
            }
            shown.push(WordPart::Bytes(text.as_bytes()[from..].to_vec()));
        }
        shown
    }

    /// The user and the password of the URL or of Basic credentials.
    fn user(&mut self, job: &Job, settings: &Settings) -> Option<String> {
        let of_header = settings.headers.iter().find_map(basic_user);
        let url = job.url();
        let is_of_url =
            !has(settings, Authorization::FIELD) && (!url.username().is_empty() || url.password().is_some());
        let (user, password) = of_header.or_else(|| {
            let decoded = |text: &str| String::from_utf8(decode(text.as_bytes())).ok();
            is_of_url.then(|| Some((decoded(url.username())?, decoded(url.password().unwrap_or_default())?)))?
        })?;
        let mut parts = Vec::new();
        // A user without a password is a token.
        if password.is_empty() {
            parts.push(WordPart::Variable(self.secret_of(job, "USER_TOKEN", &user)));
            parts.push(WordPart::Bytes(b":".to_vec()));
        } else {
            parts.push(WordPart::Bytes(format!("{user}:").into_bytes()));
            parts.push(WordPart::Variable(self.secret_of(job, "PASSWORD", &password)));
        }
        Some(shell_word(&parts))
    }

    /// The variable of a value: the name that the plan has for it, or else this one.
    fn secret_of(&mut self, job: &Job, name: &str, value: &str) -> String {
        let of_plan = job.secrets().iter().find(|(_, known)| *known == value).map(|(name, _)| name.to_owned());
        self.marks.name(of_plan.as_deref().unwrap_or(name), value).to_owned()
    }

    fn header(&mut self, job: &Job, field: &Field) -> String {
        if field.is_omitted() {
            return quoted(format!("{}:", field.name()).as_bytes());
        }
        if field.value().is_empty() {
            return quoted(format!("{};", field.name()).as_bytes());
        }
        let mut parts = self.parts(job, field.value());
        if let ([WordPart::Bytes(value)], true) = (&parts[..], is_credential(field.name())) {
            if let Ok(value) = std::str::from_utf8(value) {
                let scheme = value.split_once(' ').filter(|(scheme, rest)| {
                    !field.name().eq_ignore_ascii_case("cookie")
                        && !rest.starts_with(' ')
                        && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
                });
                parts = match scheme {
                    Some((scheme, rest)) => {
                        let name = if scheme.eq_ignore_ascii_case("bearer") { "TOKEN" } else { &as_name(field.name()) };
                        let variable = WordPart::Variable(self.secret_of(job, name, rest));
                        vec![WordPart::Bytes(format!("{scheme} ").into_bytes()), variable]
                    }
                    None => vec![WordPart::Variable(self.secret_of(job, &as_name(field.name()), value))],
                };
            }
        }
        parts.insert(0, WordPart::Bytes(format!("{}: ", field.name()).into_bytes()));
        shell_word(&parts)
    }

    /// Bytes with variables in place of the plan's secrets, in each form that these can have there.
    fn parts(&mut self, job: &Job, bytes: &[u8]) -> Vec<WordPart> {
        let mut forms: Vec<SecretForm> = Vec::new();
        for (name, value) in job.secrets().iter() {
            let json = serde_json::Value::from(value).to_string();
            let encoded = encode(value.as_bytes(), COMPONENT);
            let form = encoded.replace("%20", "+");
            let all = [
                (value, ""),
                (value.trim(), "_TRIMMED"),
                (&json[1..json.len() - 1], "_JSON"),
                (&encoded, "_ENCODED"),
                (&form, "_FORM"),
            ];
            for (text, ending) in all {
                if !text.is_empty() && !forms.iter().any(|form| form.bytes == text.as_bytes()) {
                    forms.push(SecretForm { bytes: text.into(), name: format!("{name}{ending}") });
                }
            }
        }
        // A secret that contains another one goes whole.
        forms.sort_by_key(|form| std::cmp::Reverse(form.bytes.len()));
        let mut parts = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < bytes.len() && !forms.is_empty() {
            let Some(form) = forms.iter().find(|form| bytes[at..].starts_with(&form.bytes)) else {
                at += 1;
                continue;
            };
            if from < at {
                parts.push(WordPart::Bytes(bytes[from..at].to_vec()));
            }
            let value = String::from_utf8_lossy(&form.bytes).into_owned();
            parts.push(WordPart::Variable(self.marks.name(&form.name, &value).to_owned()));
            at += form.bytes.len();
            from = at;
        }
        if from < bytes.len() || bytes.is_empty() {
            parts.push(WordPart::Bytes(bytes[from..].to_vec()));
        }
        parts
    }
}

/// User and password of a field with Basic credentials, if they are text and come back the same.
fn basic_user(field: &Field) -> Option<(String, String)> {
    let value = std::str::from_utf8(field.value()).ok().filter(|_| field.name() == Authorization::FIELD)?;
    let coded = value.strip_prefix("Basic ")?;
    let pair = String::from_utf8(BASE64_STANDARD.decode(coded).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    (!pair.contains(char::is_control)).then(|| (user.to_owned(), password.to_owned()))
}

fn has(settings: &Settings, name: &str) -> bool {
    settings.headers.iter().any(|field| field.name().eq_ignore_ascii_case(name))
}

/// Whether curl would take a part of the URL for a pattern.
fn url_has_globs(parts: &[WordPart]) -> bool {
    parts.iter().any(|part| matches!(part, WordPart::Bytes(bytes) if bytes.iter().any(|b| b"[]{}".contains(b))))
}

/// Limits that are not the usual ones.
fn limits(settings: &Settings) -> Vec<String> {
    let usual = Settings::default();
    let mut lines = Vec::new();
    for (option, limit, usual) in [
        ("--max-time", settings.timeout, usual.timeout),
        ("--connect-timeout", settings.connect_timeout, usual.connect_timeout),
    ] {
        if limit != usual {
            lines.push(format!("{option} {}", limit.as_millis() as f64 / 1000.0));
        }
    }
    if settings.retries != usual.retries {
        lines.push(format!("--retry {}", settings.retries));
    }
    lines.extend(settings.max_body.map(|most| format!("--max-filesize {most}")));
    lines
}
