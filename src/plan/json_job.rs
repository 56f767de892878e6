//! One job as a JSON object: the keys of `[[job]]`, for programs that hand over jobs one by one.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Errors, Log};
use super::jobs::{Base, Builder};
use super::reader::{Place, Reader};
use super::{MAX_PLAN_BYTES, Plan, Variables};
use crate::job::Settings;
use crate::limits::Limits;
use crate::redact::Redactor;

/// What stands for null in the TOML: JSON has no times of its own.
const NULL: &str = "00:00:00";

/// Reads a job that is a JSON object (RFC 8259) with the keys of `[[job]]`: `url` and, where it is to differ, `name`,
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
pub fn parse_json_job(text: &str, base: &Settings, variables: &Variables<'_>) -> Result<Plan, Errors> {
    let mut log = Log::new("job", text);
    let mut plan = Plan { jobs: Vec::new(), limits: Limits::default(), deadline: None, redactor: Redactor::default() };
    if text.len() as u64 > MAX_PLAN_BYTES {
        log.whole(format!("a job is at most {} MiB", MAX_PLAN_BYTES >> 20));
        return log.finish(plan);
    }
    let toml = match serde_json::from_str::<Toml>(text) {
        Ok(Toml(toml)) => toml,
        Err(error) => {
            // Its text ends with the place, which has a column of its own here.
            let said = error.to_string();
            let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(message, _)| message);
            log.at_column(error.line().max(1), error.column().max(1), message);
            return log.finish(plan);
        }
    };
    let root = match DeTable::parse(&toml) {
        Ok(root) => root.into_inner(),
        Err(error) => {
            log.whole(format!("it is too deep or too large: {}", error.message()));
            return log.finish(plan);
        }
    };
    let mut reader = Reader::new(log, variables).of_json();
    let base = Base::over(base);
    let mut builder = Builder::new(&base);
    match root.get("job").map(|value| value.get_ref()) {
        Some(DeValue::Table(job)) => builder.add(&mut reader, &Place { at: 0, path: String::new() }, job),
        Some(other) => reader.wrong_type(&Place { at: 0, path: String::new() }, "an object", other),
        None => reader.log.whole("it is null: write {\"url\": \"https://...\"}"),
    }
    plan.jobs = builder.finish();
    plan.redactor = reader.redactor();
    // The lines of the TOML are none that the caller knows.
    reader.log.without_lines().finish(plan)
}

/// A JSON text, written again as the TOML document `job = ...`.
struct Toml(String);

impl<'de> Deserialize<'de> for Toml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Toml, D::Error> {
        let mut out = String::from("job = ");
        Value { out: &mut out, top: true }.deserialize(deserializer)?;
        Ok(Toml(out))
    }
}

/// Writes a value behind what is there.
struct Value<'o> {
    out: &'o mut String,
    /// Whether it is the job itself, whose nulls are as good as nothing.
    top: bool,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push_str(NULL);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.out.push_str(&value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.out.push_str(&value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        // With a point or an exponent always.
        self.out.push_str(&format!("{value:?}"));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        string(self.out, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.out.push('[');
        while items.next_element_seed(Value { out: self.out, top: false })?.is_some() {
            self.out.push(',');
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        let mut separator = "{";
        while let Some(key) = members.next_key::<String>()? {
            let start = self.out.len();
            self.out.push_str(separator);
            string(self.out, &key);
            self.out.push('=');
            let value = self.out.len();
            members.next_value_seed(Value { out: self.out, top: false })?;
            if self.top && &self.out[value..] == NULL {
                self.out.truncate(start);
            } else {
                separator = ",";
            }
            if let Some(key) = seen.replace(key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is there twice")));
            }
        }
        self.out.push_str(if separator == "{" { "{}" } else { "}" });
        Ok(())
    }
}

/// Writes a basic string of TOML.
fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::job::{Field, Method};

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
        assert_eq!(error, "job: name: a name must not be empty or contain control characters");
        let plan = parse(&text.replace("\\t", "")).expect("all is well");
        let [job] = plan.jobs.as_slice() else { panic!("{} jobs", plan.jobs.len()) };
        assert_eq!((job.name(), job.written_url()), ("n[ü]\"\\", "http://a/${TOKEN}"));
        assert_eq!(job.url().as_str(), "http://a/s3cret-value");
        let settings = job.settings();
        assert_eq!(settings.method.as_str(), "PUT");
        assert_eq!(settings.headers[0].value(), b"1 s3cret-value");
        let content = settings.data.as_deref().map(String::from_utf8_lossy);
        assert_eq!(content.as_deref(), Some("{\"\":{},\"a\":[null,1,-2,1500.0,true,\"é\\u0001😀\"]}"));
        assert_eq!((settings.timeout, settings.retries, settings.follow), (Duration::from_secs(5), 7, 0));
        assert_eq!((settings.max_body, settings.raw), (Some(4096), true));
        assert_eq!(settings.expect.json[0].1, serde_json::Value::Null);
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
            (r#"{"url": "http://a/", "url": "http://b/"}"#, "job:1:40: the key \"url\" is there twice"),
            (r#"{"url": "http://a/", "headers": {"A": null}}"#, "job: headers.A: expected a string, found null"),
            (r#"{"url": "http://a/", "retries": 1e400}"#, "job:1:37: number out of range"),
            (
                r#"{"url": "http://a/", "retries": 1.5}"#,
                "job: retries: expected a whole number from 0 to 100, found a float",
            ),
            (r#"{"url": "http://a/${NONE}"}"#, "job: url: there is no variable NONE: give it a value first"),
            (r#"{"url": "http://a/\ud800"}"#, "job:1:25: unexpected end of hex escape"),
        ] {
            assert_eq!(parse(text).map(|plan| plan.jobs.len()), Err(expected.to_owned()), "{text}");
        }
        let deep = format!("{{\"url\":\"http://a/\",\"json\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        let error = parse(&deep).expect_err("too deep");
        assert!(error.starts_with("job: it is too deep or too large: "), "{error}");
        assert!(parse(&"[".repeat(1_000_000)).expect_err("too deep").contains("recursion limit"));
        assert!(parse(&" ".repeat(MAX_PLAN_BYTES as usize + 1)).expect_err("too long").contains("16 MiB"));
    }
}
