//! Texts in, plans out: where the values in them come from, and what jobs do not say themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::bounds::MAX_PLAN_BYTES;
use super::diagnostic::{Errors, Log};
use super::hosts::HostTables;
use super::job_table::JobTable;
use super::jobs::{Base, JobBuilder};
use super::node_reader::{FileLookup, NodeReader, Place, ValueLookup};
use super::ready::Plan;
use super::sections::{self, Sections};
use super::template::{PlainValue, is_value_name};
use super::tree::{Node, SyntaxError, Tree};
use super::values::NAME_RULE;
use super::{json_tree, toml_tree};
use crate::error::{Error, Kind};
use crate::job::Job;
use crate::settings::Settings;

/// Reads plans. Nothing here reads a file, the environment or a clock: what is not in the text is given to the reader.
///
/// ```
/// use roundup::plan::PlanReader;
///
/// let text = "[variables]\nyear = 2025\n[[job]]\nurl = \"http://a/{year}/{env.CITY}?key=${KEY}\"";
/// let secrets = |name: &str| (name == "KEY").then(|| "a&b".to_owned());
/// let environment = |name: &str| (name == "CITY").then(|| "São Paulo".to_owned());
/// let reader = PlanReader::new().secrets(&secrets).environment(&environment).variable("year", "2026")?;
/// let plan = reader.read("plan.toml", text)?;
/// assert_eq!(plan.jobs[0].url().as_str(), "http://a/2026/S%C3%A3o%20Paulo?key=a%26b");
/// assert_eq!(plan.jobs[0].written_url(), "http://a/2026/S%C3%A3o%20Paulo?key=${KEY}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PlanReader<'v> {
    secrets: &'v ValueLookup<'v>,
    environment: &'v ValueLookup<'v>,
    files: Option<&'v FileLookup<'v>>,
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    settings: Settings,
    hosts: HostTables,
}

impl<'v> PlanReader<'v> {
    /// A reader of plans that need nothing from elsewhere.
    pub fn new() -> PlanReader<'v> {
        PlanReader {
            secrets: &|_| None,
            environment: &|_| None,
            files: None,
            folder: PathBuf::new(),
            variables: BTreeMap::new(),
            settings: Settings::default(),
            hosts: HostTables::default(),
        }
    }

    /// What gives the value of a `${NAME}`: a secret, from a file or the environment.
    pub fn secrets(mut self, lookup: &'v ValueLookup<'v>) -> PlanReader<'v> {
        self.secrets = lookup;
        self
    }

    /// What gives the value of an `{env.NAME}`, which is not a secret.
    pub fn environment(mut self, lookup: &'v ValueLookup<'v>) -> PlanReader<'v> {
        self.environment = lookup;
        self
    }

    /// What gives the text of a file that a plan names (`each = "cities.csv"`), or says why it cannot. Without this, such a
    /// name is an error of the plan.
    pub fn files(mut self, lookup: &'v FileLookup<'v>) -> PlanReader<'v> {
        self.files = Some(lookup);
        self
    }

    /// The folder to which the names of certificates, keys and tokens in a plan are relative: mostly its own. Without this,
    /// they are relative to that of the process.
    pub fn folder(mut self, folder: &Path) -> PlanReader<'v> {
        self.folder = folder.to_owned();
        self
    }

    /// Gives a `{name}` a value, which goes before the one that the plan's `[variables]` may give it, and takes its type
    /// there if it can be read as such.
    ///
    /// # Errors
    /// [`Kind::Config`]: it is not a name.
    pub fn variable(mut self, name: &str, value: &str) -> Result<PlanReader<'v>, Error> {
        if !is_value_name(name) {
            return Err(Error::new(Kind::Config, format!("\"{name}\" {NAME_RULE}")));
        }
        self.variables.insert(name.to_owned(), value.to_owned());
        Ok(self)
    }

    /// What jobs do not say themselves is taken from here; the documented defaults if nothing is set.
    pub fn settings(mut self, settings: &Settings) -> PlanReader<'v> {
        self.settings = settings.clone();
        self
    }

    /// What goes over these settings for the jobs of single hosts, if they are read one by one: a plan has its own.
    pub fn hosts(mut self, hosts: &HostTables) -> PlanReader<'v> {
        self.hosts = hosts.clone();
        self
    }

    /// Reads a plan in TOML. `file_name` is only for errors.
    ///
    /// # Errors
    /// Everything that is wrong with the plan; of a text that is no TOML, what is wrong with its syntax.
    pub fn read(&self, file_name: &str, text: &str) -> Result<Plan, Errors> {
        let mut log = Log::new(file_name, text);
        if text.len() as u64 > MAX_PLAN_BYTES {
            log.whole(format!("a plan is at most {} MiB", MAX_PLAN_BYTES >> 20));
            return log.finish(Plan::default());
        }
        let members = match toml_tree::parse(text) {
            Ok(Node { value: Tree::Table(members), .. }) => members,
            // A document of TOML is always a table.
            Ok(_) => Vec::new(),
            Err(SyntaxError { at, message }) => {
                log.syntax(text, at, message);
                return log.finish(Plan::default());
            }
        };
        let mut reader = self.node_reader(log);
        let read = sections::read(&mut reader, &members, &self.settings, &self.variables);
        let warnings = reader.log.take_warnings();
        let Sections { jobs, graph, limits, deadline, report, state, .. } = read;
        let plan = Plan { graph, limits, deadline, report, state, warnings, ..plan_of(&reader, jobs) };
        #[cfg(feature = "watch")]
        let plan = Plan { watch: read.watch, ..plan };
        reader.log.finish(plan)
    }

    /// Reads a job that is a JSON object, as [`parse_json_job`] does.
    ///
    /// # Errors
    /// Everything that is wrong with the job; of a text that is no JSON, the first thing, with its line and column. A key
    /// that is there twice is no JSON here, and arrays and objects in each other are at most 80 deep.
    pub fn read_json_job(&self, text: &str) -> Result<Plan, Errors> {
        let (mut reader, root) = self.json_reader("job", text)?;
        reader.known.clone_from(&self.hosts.secrets);
        let base = self.base();
        let mut builder = JobBuilder::new(&base);
        match root.value {
            Tree::Table(mut members) => {
                members.retain(|member| !matches!(member.node.value, Tree::Null));
                if let Some(mut table) = JobTable::read(&mut reader, &Place::top(), &members) {
                    table.put_base(&base.defaults);
                    table.refuse(&mut reader);
                    builder.add(&mut reader, &table.into());
                }
            }
            _ => reader.wrong_type(&Place::top(), "an object", &root),
        }
        let plan = plan_of(&reader, builder.finish().0);
        if !self.hosts.limits().is_empty() {
            // What is wrong may stand in the text about hosts, which has lines of its own.
            reader.log = reader.log.without_lines();
        }
        json_log(reader, text).finish(plan)
    }

    /// Makes a job of a URL, which is taken as it is: braces in it mean nothing.
    ///
    /// # Errors
    /// It is none that can be fetched, or what its host says cannot be sent.
    pub fn read_url(&self, url: &str) -> Result<Plan, Errors> {
        let mut reader = self.node_reader(Log::new("job", url));
        reader.known.clone_from(&self.hosts.secrets);
        let base = self.base();
        let mut builder = JobBuilder::new(&base);
        builder.add_url(&mut reader, url);
        let plan = plan_of(&reader, builder.finish().0);
        reader.log.without_lines().finish(plan)
    }

    /// Reads what is said of single hosts: a JSON object with the keys of `[hosts]`.
    ///
    /// ```
    /// use roundup::plan::PlanReader;
    ///
    /// let text = r#"{"api.example.com": {"per_host": 2, "retries": 5}}"#;
    /// let hosts = PlanReader::new().read_json_hosts(text)?;
    /// let plan = PlanReader::new().hosts(&hosts).read_url("https://api.example.com/v1")?;
    /// assert_eq!((plan.jobs[0].settings().retries, hosts.limits().len()), (5, 1));
    /// # Ok::<(), roundup::plan::Errors>(())
    /// ```
    ///
    /// # Errors
    /// As of [`PlanReader::read_json_job`].
    pub fn read_json_hosts(&self, text: &str) -> Result<HostTables, Errors> {
        let (mut reader, root) = self.json_reader("hosts", text)?;
        let mut hosts = HostTables::read(&mut reader, &Place::top(), &root);
        hosts.secrets.clone_from(&reader.known);
        json_log(reader, text).finish(hosts)
    }

    /// A reader for a JSON text, and its root.
    fn json_reader(&self, what: &str, text: &str) -> Result<(NodeReader<'v>, Node), Errors> {
        let mut log = Log::new(what, text);
        if text.len() as u64 > MAX_PLAN_BYTES {
            log.whole(format!("it is longer than {} MiB", MAX_PLAN_BYTES >> 20));
        } else {
            match json_tree::parse(text) {
                Ok(root) => return Ok((self.node_reader(log).with_hint("give it one first"), root)),
                Err(SyntaxError { at, message }) => log.syntax(text, at, message),
            }
        }
        Err(log.into_errors())
    }

    fn base(&self) -> Base {
        let mut base = Base::over(&self.settings);
        base.hosts.extend(self.hosts.clone());
        base
    }

    fn node_reader(&self, log: Log) -> NodeReader<'v> {
        let mut reader = NodeReader::new(log, self.secrets, self.environment);
        reader = reader.with_files(self.files).in_folder(&self.folder);
        let values =
            self.variables.iter().map(|(name, value)| (name.clone(), PlainValue::of_text(value.clone()).into()));
        reader.variables.extend(values);
        reader
    }
}

impl Default for PlanReader<'_> {
    fn default() -> Self {
        PlanReader::new()
    }
}

/// A plan of these jobs, which know the names of their secrets.
fn plan_of(reader: &NodeReader<'_>, jobs: Vec<Job>) -> Plan {
    let secrets = reader.secrets();
    let jobs = jobs.into_iter().map(|job| job.with_secrets(secrets.clone())).collect();
    Plan { jobs, redactor: reader.redactor(), ..Plan::default() }
}

/// The log of a reader of JSON: a line says nothing if there is only one.
fn json_log(reader: NodeReader<'_>, text: &str) -> Log {
    if text.trim().contains('\n') { reader.log } else { reader.log.without_lines() }
}

/// Shows no value.
impl fmt::Debug for PlanReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanReader").field("variables", &self.variables.keys()).finish_non_exhaustive()
    }
}

/// Reads a plan. `file_name` is only for errors.
///
/// ```
/// let text = "[[job]]\nurl = \"https://${HOST}/v1?city={city}\"\neach = { city = [\"oslo\"] }";
/// let plan = roundup::plan::parse("plan.toml", text, &|name| (name == "HOST").then(|| "a.example".into()))?;
/// assert_eq!(plan.jobs[0].url().as_str(), "https://a.example/v1?city=oslo");
/// assert_eq!(plan.jobs[0].written_url(), "https://${HOST}/v1?city=oslo");
///
/// let errors = roundup::plan::parse("plan.toml", "[[job]]\nurl = \"http://a/\"\ntimout = \"5s\"", &|_| None);
/// assert_eq!(
///     errors.unwrap_err().to_string(),
///     "plan.toml:3: job[1]: unknown key \"timout\": did you mean \"timeout\"?"
/// );
/// # Ok::<(), roundup::plan::Errors>(())
/// ```
///
/// # Errors
/// Everything that is wrong with the plan; of a file that is no TOML, what is wrong with its syntax.
pub fn parse(file_name: &str, text: &str, secrets: &ValueLookup<'_>) -> Result<Plan, Errors> {
    PlanReader::new().secrets(secrets).read(file_name, text)
}

/// Reads a job that is a JSON object (RFC 8259) with the keys of `[[job]]`: `url` and, to differ from `base`, `name`,
/// `each`, `method`, `headers` and so on. What it does not say is taken from `base`; headers are joined by name. A key
/// that is null counts as absent; in `json` and `expect.json` null is a value. With `each` there are several jobs.
///
/// ```
/// let text = r#"{"url": "http://a.example/{n}", "each": {"n": [1, 2]}, "timeout": "5s"}"#;
/// let plan = roundup::plan::parse_json_job(text, &roundup::Settings::default(), &|_| None)?;
/// assert_eq!(plan.jobs[1].url().as_str(), "http://a.example/2");
///
/// let errors = roundup::plan::parse_json_job(r#"{"url": "http://a/", "timout": 5}"#, &Default::default(), &|_| None);
/// assert_eq!(errors.unwrap_err().to_string(), "job: unknown key \"timout\": did you mean \"timeout\"?");
/// # Ok::<(), roundup::plan::Errors>(())
/// ```
///
/// # Errors
/// Everything that is wrong with the job; of a text that is no JSON, the first thing, with its line and column. A key that
/// is there twice is no JSON here, and arrays and objects in each other are at most 80 deep.
pub fn parse_json_job(text: &str, base: &Settings, secrets: &ValueLookup<'_>) -> Result<Plan, Errors> {
    PlanReader::new().secrets(secrets).settings(base).read_json_job(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::{Field, Method};

    fn parse(text: &str) -> Result<Plan, String> {
        let variables = |name: &str| (name == "TOKEN").then(|| "s3cret-value".to_owned());
        parse_json_job(text, &Settings::default(), &variables).map_err(|errors| errors.to_string())
    }

    #[test]
    fn every_key_of_a_job_is_known() {
        let text = r#"{"name": "n[ü]\t\"\\", "url": "http://a/${TOKEN}", "method": "PUT", "headers": {"X-A.b": "1 ${TOKEN}"},
            "json": {"a": [null, 1, -2, 1.5e3, true, "é\u0001\ud83d\ude00"], "": {}}, "timeout": "5s",
            "connect_timeout": "1s", "retries": 7, "retry_unsafe": true, "retry_after_max": "1m", "follow": 0,
            "max_body": 4096, "accept": [200, "404"], "raw": true, "output": "a/b.json", "select": {"t": "/a~1b"},
            "expect": {"status": 200, "json": {"/none": null}, "max_ms": 5}, "data": null}"#;
        let error = parse(text).expect_err("a name has no tab");
        assert_eq!(error, "job:1: name: a name must not be empty or contain control characters");
        let plan = parse(&text.replace("\\t", "")).expect("all is well");
        let [job] = plan.jobs.as_slice() else { panic!("{} jobs", plan.jobs.len()) };
        assert_eq!((job.name(), job.written_url()), ("n[ü]\"\\", "http://a/${TOKEN}"));
        assert_eq!(job.url().as_str(), "http://a/s3cret-value");
        let settings = job.settings();
        assert_eq!(settings.method.as_str(), "PUT");
        assert_eq!(settings.headers[0].value(), b"1 s3cret-value");
        let content = settings.data.as_deref().map(String::from_utf8_lossy);
        assert_eq!(content.as_deref(), Some("{\"a\":[null,1,-2,1.5e3,true,\"é\\u0001😀\"],\"\":{}}"));
        assert_eq!((settings.timeout, settings.retries, settings.follow), (Duration::from_secs(5), 7, 0));
        assert_eq!((settings.max_body, settings.raw), (Some(4096), true));
        assert_eq!(settings.expect.json[0].1, crate::rows::Condition::Equals(crate::rows::Cell::Null));
        assert_eq!(settings.expect.max_ms, Some(5));
        assert_eq!(plan.redactor.redact("<s3cret-value>"), "<[redacted]>");
    }

    #[test]
    fn what_a_job_does_not_say_is_taken_from_the_base() {
        let mut base = Settings { retries: 9, method: Method::HEAD, max_body: Some(7), ..Settings::default() };
        for header in ["A: base", "B: base"] {
            base.set_header(header.parse::<Field>().expect("a header"));
        }
        let one = |text: &str| {
            let plan = parse_json_job(text, &base, &|_| None).expect(text);
            plan.jobs[0].settings().clone()
        };
        let settings = one(r#"{"url": "http://a/", "headers": {"b": "job"}, "timeout": "1s"}"#);
        let headers: Vec<_> = settings.headers.iter().map(|field| (field.name(), field.value())).collect();
        assert_eq!(headers, [("A", &b"base"[..]), ("b", b"job")]);
        assert_eq!((settings.retries, settings.max_body, settings.method), (9, Some(7), Method::HEAD));
        assert_eq!(one(r#"{"url": "http://a/", "data": "x", "retries": 1}"#).retries, 1);
        base.method = Method::GET;
        let plan = parse_json_job(r#"{"url": "http://a/", "data": "x"}"#, &base, &|_| None).expect("good");
        assert_eq!(plan.jobs[0].settings().method, Method::POST);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("", "job:1:1: EOF while parsing a value"),
            ("{\"url\":\n \"http://a/\",}", "job:2:14: trailing comma"),
            ("{} x", "job:1:4: trailing characters"),
            ("null", "job: expected an object, found null"),
            ("[]", "job: expected an object, found an array"),
            ("\"http://a/\"", "job: expected an object, found a string"),
            ("{}", "job: has no \"url\": write url = \"https://...\""),
            (r#"{"url": 5}"#, "job: url: expected a string such as \"https://api.example.com/\", found an integer"),
            (r#"{"url": "http://a/", "url": "http://b/"}"#, "job:1:22: the key \"url\" is there twice"),
            (r#"{"url": "http://a/", "headers": {"A": null}}"#, "job: headers.A: expected a string, found null"),
            (
                r#"{"url": "http://a/", "retries": 1e400}"#,
                "job: retries: expected a whole number from 0 to 100, found a float",
            ),
            (
                r#"{"url": "http://a/", "retries": 1.5}"#,
                "job: retries: expected a whole number from 0 to 100, found a float",
            ),
            (r#"{"url": "http://a/${NONE}"}"#, "job: url: ${NONE} has no value: give it one first"),
            (r#"{"url": "http://a/\ud800"}"#, "job:1:25: unexpected end of hex escape"),
        ] {
            assert_eq!(parse(text).map(|plan| plan.jobs.len()), Err(expected.to_owned()), "{text}");
        }
        let deep = format!("{{\"url\":\"http://a/\",\"json\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        let error = parse(&deep).expect_err("too deep");
        assert!(error.ends_with(": arrays and objects in each other are at most 80 deep"), "{error}");
        assert!(parse(&"[".repeat(1_000_000)).expect_err("too deep").contains("recursion limit"));
        assert!(parse(&" ".repeat(MAX_PLAN_BYTES as usize + 1)).expect_err("too long").contains("16 MiB"));
    }
}
