//! Plans as users write them: good ones with the jobs they give, bad ones with every line that is said about them.
//!
//! `tests/plans/good/*.toml` stand beside a `.jobs` file of what [`Plan::explain`] says, `tests/plans/bad/*.toml` beside
//! a `.err` file. `ROUNDUP_BLESS=1` writes them anew; read the difference before it is committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use roundup::plan::{self, Errors, Globs, MAX_JOBS, Plan};
use roundup::rows::Condition;
use roundup::{Job, REDACTED, Settings};

mod many_jobs;
mod values;

const KEY: &str = "t0ps3cret key/1";

fn variable(name: &str) -> Option<String> {
    let value = match name {
        "WEATHER_TOKEN" | "KEY" => KEY,
        "BASE" => "https://user:hunter2@base.example:8443",
        "TIMEOUT" => "7s",
        "STATUS" => "2xx",
        "LINES" => "http://t0ps3cret/\nx",
        "SPACE" => "t0ps3cret host",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn parse(text: &str) -> Result<Plan, Errors> {
    plan::parse("plan.toml", text, &variable)
}

fn good(text: &str) -> Plan {
    parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn bad(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

fn header<'a>(job: &'a Job, name: &str) -> Option<&'a str> {
    let mut fields = job.settings().headers.iter().filter(|field| field.name().eq_ignore_ascii_case(name));
    let value = fields.next().map(|field| std::str::from_utf8(field.value()).expect("text"));
    assert!(fields.next().is_none(), "{name} is there twice");
    value
}

fn body(job: &Job) -> &str {
    std::str::from_utf8(job.settings().data.as_deref().expect("a body")).expect("text")
}

/// All plans of a folder: file name without ending, text, and the file with what is expected.
fn plans(folder: &str, ending: &str) -> Vec<(String, String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans").join(folder);
    let mut plans = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            // A checkout on Windows may have turned the line ends.
            let text = std::fs::read_to_string(&path).expect("UTF-8").replace("\r\n", "\n");
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            plans.push((stem, text, path.with_extension(ending)));
        }
    }
    plans.sort();
    assert!(plans.len() > 5, "the plans are found");
    plans
}

fn compare(name: &str, found: &str, expected: &Path) {
    if std::env::var_os("ROUNDUP_BLESS").is_some() {
        std::fs::write(expected, found).expect("writable");
    }
    let expected = std::fs::read_to_string(expected).unwrap_or_default().replace("\r\n", "\n");
    assert_eq!(found, expected, "{name}");
}

#[test]
fn good_plans_give_these_jobs() {
    for (name, text, expected) in plans("good", "jobs") {
        let plan = good(&text);
        let mut lines: String = plan.explain().map(|line| line + "\n").collect();
        if let Some(deadline) = plan.deadline {
            let _ = writeln!(lines, "(deadline {deadline:?})");
        }
        assert!(!lines.contains("t0ps3cret") && !lines.contains("hunter2"), "{lines}");
        compare(&name, &lines, &expected);
    }
}

#[test]
fn bad_plans_are_told_all_their_mistakes() {
    for (name, text, expected) in plans("bad", "err") {
        let errors = parse(&text).expect_err(&name);
        let shown = errors.to_string() + "\n";
        assert!(!shown.contains("t0ps3cret") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(shown.lines().count(), errors.list().len(), "a line for each: {shown}");
        compare(&name, &shown, &expected);
    }
}

#[test]
fn what_is_not_said_is_as_documented() {
    let plan = good("[[job]]\nurl = \"http://a.example/\"");
    let (found, base) = (&plan.jobs[0], Settings::default());
    assert_eq!(found.name(), "http://a.example/");
    assert_eq!(format!("{:?}", found.settings()), format!("{:?}", Arc::new(base)));
    assert_eq!(plan.limits, roundup::Limits::default());
    assert!(plan.deadline.is_none() && plan.redactor.is_empty() && found.output().is_none());
}

#[test]
fn line_ends_and_marks_of_other_systems_are_taken() {
    let plan = good("\u{feff}[[job]]\r\nurl = \"http://a.example/\"\r\n");
    assert_eq!(plan.jobs.len(), 1);
    assert_eq!(bad("\u{feff}# \u{e9}\r\njob = 1\r\n").split(':').nth(1), Some("2"));
    assert!(bad("\"\u{e9}\u{e9}\" = x").starts_with("plan.toml:1:8: "), "columns are characters");
}

#[test]
fn every_key_arrives() {
    let text = plans("good", "jobs").into_iter().find(|(name, ..)| name == "every_key").expect("is there").1;
    let plan = good(&text);
    let job = &plan.jobs[0];
    let s = job.settings();
    assert_eq!((s.method.as_str(), body(job)), ("PATCH", "{\"a\": 1}"));
    assert_eq!((header(job, "x-one"), header(job, "x-two"), header(job, "content-type")), (Some("1"), Some("2"), None));
    assert_eq!((s.timeout, s.connect_timeout), (Duration::from_secs(90), Duration::from_millis(500)));
    assert_eq!((s.retries, s.retry_unsafe, s.retry_after_max, s.follow), (0, true, Duration::ZERO, 0));
    assert_eq!((s.priority, s.job_timeout), (-5, Some(Duration::from_secs(180))));
    assert_eq!(s.retry_on.as_ref().map(ToString::to_string).as_deref(), Some("429,500-504,expectation"));
    assert_eq!((s.max_body, s.accept.to_string().as_str(), s.raw), (Some(1 << 20), "200,300-399,400-499", true));
    assert_eq!(job.output().and_then(|path| path.to_str()), Some("folder/all.bin"));
    let select: Vec<_> = s.select.iter().map(|(name, pointer)| (name.as_str(), pointer.to_string())).collect();
    assert_eq!(select, [("b", "/b".to_owned()), ("a name", "the document".to_owned())], "in the order of the file");
    assert_eq!((s.expect.max_ms, s.good_statuses().to_string().as_str()), (Some(1), "201"));
    let json: Vec<_> = s.expect.json.iter().map(|(pointer, value)| format!("{pointer}={value}")).collect();
    assert_eq!(json, ["/a=[1,2.5,\"x\",{\"y\":true}]", "/d=\"2026-01-31\""]);
    assert_eq!((plan.deadline, plan.limits.max_memory), (Some(Duration::from_secs(120)), Some(64 << 20)));
    assert!(plan.limits.adaptive);
    assert_eq!((plan.limits.concurrency.get(), plan.limits.per_host.map(|n| n.get())), (3, Some(2)));
    assert_eq!(plan.jobs[1].settings().max_body, Some(4096));
}

#[test]
fn the_closest_table_wins_and_headers_join() {
    let text = plans("good", "jobs").into_iter().find(|(name, ..)| name == "hosts").expect("is there").1;
    let plan = good(&text);
    let found: Vec<_> = plan
        .jobs
        .iter()
        .map(|job| (job.name(), job.settings().retries, header(job, "X-A"), header(job, "X-B")))
        .collect();
    let (default, host) = (Some("default"), Some("host"));
    assert_eq!(
        found,
        [
            ("other", 1, default, default),
            ("host", 3, host, default),
            ("port", 3, host, default),
            ("own", 4, host, default),
            ("six", 9, default, default),
            ("spread[api]", 3, host, default),
            ("spread[other]", 1, default, default),
        ]
    );
    assert_eq!(plan.jobs[2].settings().timeout, Duration::from_secs(5));
    assert!(plan.jobs.iter().all(|job| job.settings().accept.to_string() == "200"));
}

#[test]
fn contents_are_sent_as_curl_users_expect() {
    let plan = good(
        r#"
        [[job]]
        name = "data"
        url = "http://a/"
        data = "@x"
        [[job]]
        name = "json"
        url = "http://a/"
        json = { s = "${TIMEOUT}", n = 1, f = 2.5, d = 2026-01-31, a = [true, { b = "{{x}}" }] }
        [[job]]
        name = "put"
        url = "http://a/"
        method = "put"
        headers = { content-type = "application/vnd.x+json" }
        json = "text"
        [[job]]
        name = "each"
        url = "http://a/"
        each = { n = [1, "x"] }
        json = { whole = "{n}", part = "n={n}", "{n}" = "{{n}}" }
        expect = { json = { "/n" = "{n}" } }
        [[job]]
        name = "text"
        url = "http://a/"
        each = { n = [7] }
        data = '{"a":{"n":{n}},"{{m}}":"{{n}}"}'
        "#,
    );
    let found: Vec<_> = plan
        .jobs
        .iter()
        .map(|job| (job.name(), job.settings().method.as_str(), header(job, "content-type"), body(job)))
        .collect();
    let json = Some("application/json");
    assert_eq!(
        found,
        [
            ("data", "POST", None, "@x"),
            ("json", "POST", json, r#"{"s":"7s","n":1,"f":2.5,"d":"2026-01-31","a":[true,{"b":"{x}"}]}"#),
            ("put", "PUT", Some("application/vnd.x+json"), "\"text\""),
            ("each[1]", "POST", json, r#"{"whole":1,"part":"n=1","{n}":"{n}"}"#),
            ("each[x]", "POST", json, r#"{"whole":"x","part":"n=x","{n}":"{n}"}"#),
            ("text[7]", "POST", None, r#"{"a":{"n":7},"{m}":"{n}"}"#),
        ]
    );
    assert_eq!(plan.jobs[4].settings().expect.json[0].1, Condition::from("x"));
}

#[test]
fn content_of_a_closer_table_replaces_both_forms() {
    let plan = good(
        "[defaults]\njson = {a = 1}\n[[job]]\nname = \"a\"\nurl = \"http://a/\"\ndata = \"x\"\n[[job]]\nurl = \"http://b/\"",
    );
    assert_eq!((body(&plan.jobs[0]), header(&plan.jobs[0], "content-type")), ("x", None));
    assert_eq!((body(&plan.jobs[1]), header(&plan.jobs[1], "content-type")), ("{\"a\":1}", Some("application/json")));
}

#[test]
fn values_of_each_are_one_component_of_a_url() {
    let plan = good(
        "[[job]]\nname = \"j\"\nurl = \"http://a/{v}?q={v}\"\neach = { v = [\"a b&c=d/e?f#g%\", \"\u{e9}\", \"../..\"] }",
    );
    let urls: Vec<_> = plan.jobs.iter().map(|job| job.url().as_str()).collect();
    assert_eq!(
        urls,
        [
            "http://a/a%20b%26c%3Dd%2Fe%3Ff%23g%25?q=a%20b%26c%3Dd%2Fe%3Ff%23g%25",
            "http://a/%C3%A9?q=%C3%A9",
            "http://a/..%2F..?q=..%2F.."
        ]
    );
}

#[test]
fn secrets_are_sent_and_never_shown() {
    let text = plans("good", "jobs").into_iter().find(|(name, ..)| name == "variables").expect("is there").1;
    let plan = good(&text);
    let job = &plan.jobs[0];
    assert_eq!(job.url().as_str(), "https://user:hunter2@base.example:8443/v1?q=${BASE}&key=t0ps3cret%20key%2F1");
    assert_eq!(job.written_url(), "${BASE}/v1?q=${BASE}&key=${KEY}");
    assert_eq!(header(job, "authorization"), Some("Bearer t0ps3cret key/1"));
    assert_eq!((job.settings().timeout, job.settings().accept.to_string()), (Duration::from_secs(7), "200-299".into()));
    let job = &plan.jobs[1];
    assert_eq!((job.name(), job.written_url()), ("${KEY} is not shown[${KEY}]", "http://b.example/${KEY}"));
    assert_eq!(job.url().as_str(), "http://b.example/t0ps3cret%20key%2F1");
    for form in [KEY, "t0ps3cret%20key%2F1", "t0ps3cret%20key/1", "https://user:hunter2@base.example:8443"] {
        assert_eq!(plan.redactor.redact(form), REDACTED);
    }
    let shown = format!("{:?}", plan.redactor);
    assert!(!shown.contains("t0ps3cret"));
}

#[test]
fn jobs_share_their_settings_and_keep_sharing_them() {
    let values: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    let mut text = format!(
        "[defaults]\nheaders = {{ A = \"b\" }}\n[[job]]\nname = \"j\"\nurl = \"http://a/{{n}}\"\nfollow = 3\neach.n = [{}]\n",
        values.join(",")
    );
    for n in 0..1000 {
        let _ = writeln!(text, "[[job]]\nurl = \"http://b/{n}\"");
    }
    let mut plan = good(&text);
    let distinct = |jobs: &[Job]| {
        let mut all: Vec<_> = jobs.iter().map(|job| Arc::as_ptr(job.settings())).collect();
        all.sort();
        all.dedup();
        all.len()
    };
    assert_eq!((plan.jobs.len(), distinct(&plan.jobs)), (2000, 2));
    let mut calls = 0;
    plan.change_settings(|settings| {
        calls += 1;
        settings.retries = 7;
    });
    assert_eq!((calls, distinct(&plan.jobs)), (2, 2));
    assert!(plan.jobs.iter().all(|job| job.settings().retries == 7 && header(job, "a") == Some("b")));
    assert_eq!((plan.jobs[0].name(), plan.jobs[1999].name()), ("j[0]", "http://b/999"));
}

#[test]
fn plans_are_bounded() {
    let numbers = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let text = |count: usize, data: &str| {
        format!("[[job]]\nname = \"j\"\nurl = \"http://a/\"\neach.n = [{}]\ndata = \"{{n}}{data}\"", numbers(count))
    };
    assert_eq!(good(&text(MAX_JOBS, "")).jobs.len(), MAX_JOBS);
    assert!(bad(&text(MAX_JOBS + 1, "")).contains("at most 100000 jobs"));
    assert_eq!(
        bad(&text(MAX_JOBS, &"x".repeat(10_000))),
        "plan.toml:5: job[1].data: with all values in place the jobs take more than 64 MiB"
    );
    let long = format!("#{}", "x".repeat(plan::MAX_PLAN_BYTES as usize));
    assert_eq!(bad(&long), "plan.toml: a plan is at most 16 MiB");
    let many = format!("[[job]]\nurl = \"http://a/\"\ndata = \"{}\"", "${BIG}".repeat(20));
    let errors = plan::parse("p", &many, &|_| Some("x".repeat(1 << 20))).expect_err("grows");
    assert_eq!(errors.to_string(), "p:3: job[1].data: is longer than 16 MiB with its values in place");
    let deep = format!("[[job]]\nurl = \"http://a/\"\njson = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(bad(&deep).starts_with("plan.toml:3:"), "{}", bad(&deep));
    let errors = parse(&"[[job]]\nurl = \"x\"\n".repeat(500)).expect_err("bad");
    assert_eq!((errors.list().len(), errors.more()), (plan::MAX_DIAGNOSTICS, 500 - plan::MAX_DIAGNOSTICS));
}

/// Pieces that mean something to one of the parsers; mutations put them where they do not belong.
const PIECES: [&str; 32] = [
    "[[job]]\n",
    "url = ",
    "\"",
    "'",
    "\"\"\"",
    "{",
    "}",
    "[",
    "]",
    "${",
    "$${",
    "${KEY}",
    "{city}",
    "{{",
    "}}",
    "=",
    "\n",
    ".",
    ",",
    "#",
    "\\",
    "\\u0000",
    "\u{e9}",
    "\0",
    "-",
    ":",
    "http://[::1]:80/",
    "10s",
    "nan",
    "99999999999999999999",
    "each = { city = [1, 2] }\n",
    "[hosts.\"a\"]\n",
];

#[test]
fn nothing_panics_on_mutated_input() {
    let mut random = fastrand::Rng::with_seed(2026);
    let mut seeds: Vec<String> = plans("good", "jobs").into_iter().map(|(_, text, _)| text).collect();
    let well_made = seeds.len();
    seeds.extend(plans("bad", "err").into_iter().map(|(_, text, _)| text));
    seeds.push("http://[::1]/{a,b}[001-10:3][a-z]\\[\nnews http://a/ # x\nNAME='v'".to_owned());
    let (mut parsed, mut refused) = (0, 0);
    for round in 0..4000 {
        // Every other round begins with a plan that would be taken.
        let seed = if round % 2 == 0 { random.usize(0..well_made) } else { random.usize(0..seeds.len()) };
        let mut text: Vec<char> = seeds[seed].chars().collect();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..=text.len());
            let end = (at + random.usize(0..8)).min(text.len());
            match random.u8(0..3) {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..at, PIECES[random.usize(0..PIECES.len())].chars())),
                _ => drop(text.splice(at..end, PIECES[random.usize(0..PIECES.len())].chars())),
            }
        }
        let text: String = text.into_iter().collect();
        match parse(&text) {
            Ok(plan) => {
                parsed += 1;
                assert!(!plan.jobs.is_empty(), "a plan has jobs: {text}");
                assert_eq!(plan.explain().filter(|line| line.lines().count() == 1).count(), plan.jobs.len());
                let mut names = plan::FileNames::new();
                for job in &plan.jobs {
                    let name = names.name_for(job.name());
                    assert!(!name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0']));
                    assert!(job.output().is_none_or(|path| path.is_relative()));
                }
            }
            Err(errors) => {
                refused += 1;
                assert_eq!(errors.to_string().lines().count(), errors.list().len() + usize::from(errors.more() > 0));
                assert!(!errors.to_string().contains("t0ps3cret"), "{errors}");
            }
        }
        let _ = plan::parse_list("list", &text);
        let _ = plan::parse_secrets("secrets", &text);
        for line in text.lines() {
            let _ = plan::expand_url(line, Globs::Expand);
            let _ = plan::file_name(line);
        }
    }
    assert!(parsed > 100 && refused > 100, "both ways were gone: {parsed} and {refused}");
}

#[test]
fn wildcards_of_hosts_are_laid_over_each_other() {
    let plan = good(
        r#"
        [hosts."*"]
        retries = 1
        headers = { A = "all", B = "all" }
        [hosts."*.example.com"]
        headers = { A = "below" }
        per_host = 3
        [hosts."*.eu.example.com"]
        timeout = "5s"
        [hosts."api.eu.example.com"]
        headers = { A = "exact" }
        [[job]]
        name = "exact"
        url = "http://api.eu.example.com/"
        [[job]]
        name = "below"
        url = "http://a.b.example.com/"
        [[job]]
        name = "apex"
        url = "http://example.com/"
        retries = 7
        "#,
    );
    let found = plan.jobs.iter().map(|job| {
        let settings = job.settings();
        (header(job, "A"), header(job, "B"), settings.retries, settings.timeout.as_secs())
    });
    let (all, below, exact) = (Some("all"), Some("below"), Some("exact"));
    assert_eq!(found.collect::<Vec<_>>(), [(exact, all, 1, 5), (below, all, 1, 30), (all, all, 7, 30)]);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

/// A mistyped host had no effect, and nothing said so.
#[test]
fn a_host_section_that_no_job_uses_is_a_warning() {
    let plan = good(
        r#"
        [hosts."*.example"]
        rate = "1/s"
        [hosts."api.exmaple.com"]
        headers = { Authorization = "Bearer x" }
        [hosts."127.0.0.1:8080"]
        per_host = 1
        [hosts."login.invalid"]
        rate = "1/s"
        [auth.api]
        type = "oauth2"
        token_url = "http://login.invalid/token"
        client_id = "roundup"
        [[job]]
        url = "http://127.0.0.1:8080/a"
        auth = "api"
        "#,
    );
    let said: Vec<String> = plan.warnings.iter().map(|warning| warning.message.clone()).collect();
    let limits = "per_host and rate hold for redirects and pages that lead there";
    let expected = [
        format!("no job names *.example: {limits}"),
        format!("no job names api.exmaple.com: {limits}, and what else is said of it has no effect"),
    ];
    assert_eq!(said, expected);
    assert_eq!(plan.warnings.iter().map(|warning| warning.line).collect::<Vec<_>>(), [Some(2), Some(4)]);
}

#[test]
fn ten_thousand_sections_of_hosts() {
    let section = |n: usize| format!("[hosts.\"h{n}.example\"]\nrate = \"1/h\"\nretries = 3\n");
    let mut text: String = (0..10_000).map(section).collect();
    text.push_str("[[job]]\nurl = \"http://h{n}.example/\"\neach = { n = [0, 9999] }\n");
    let plan = good(&text);
    assert_eq!((plan.limits.hosts.len(), plan.jobs.len(), plan.warnings.len()), (10_000, 2, 100));
    assert!(plan.jobs.iter().all(|job| job.settings().retries == 3));
}
