//! Responses that are kept: seen by a server that counts, and in the report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::Value;

use super::{line, query, texts};
use crate::common::{Dir, Reply, Request, Server};

/// A server whose content has a version that the test changes.
struct Source {
    server: Server,
    version: Arc<AtomicU64>,
    /// From this version on it answers with this status.
    status: Arc<AtomicUsize>,
}

impl Source {
    /// A server that answers with these fields, `{v}` being the version.
    fn new(fields: &'static [(&'static str, &'static str)]) -> Source {
        let (version, status) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicUsize::new(200)));
        let (now, then) = (version.clone(), status.clone());
        let server = Server::builder().unused_ok().start(move |request| {
            let version = now.load(Ordering::SeqCst);
            let filled = fields.iter().map(|(name, value)| (*name, value.replace("{v}", &version.to_string())));
            let fields: Vec<(&str, String)> = filled.collect();
            let status = then.load(Ordering::SeqCst) as u16;
            let with =
                |reply: Reply| fields.iter().fold(reply, |reply, (name, value)| reply.header(name, value.as_str()));
            match status {
                200 if matches(request, &fields) => with(Reply::status(304)),
                200 => with(Reply::json(format!("{{\"version\":{version},\"for\":{:?}}}", accept(request)))),
                status => Reply::status(status),
            }
        });
        Source { server, version, status }
    }

    fn set_version(&self, version: u64) {
        self.version.store(version, Ordering::SeqCst);
    }

    fn set_status(&self, status: usize) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// The statuses that a run has had, and which version it ended with; `code` is how it ended.
    fn run(&self, dir: &Dir, more: &str, code: i32) -> SourceRun {
        let words = format!("get {} --state runs.db --report json -q {more}", self.server.url("/a"));
        let before = self.server.requests().len();
        let words = if more.contains("--retries") { words } else { words + " --retries 0" };
        let report = line(dir, &words).run().expect_code(code).json();
        SourceRun {
            result: report["results"][0].clone(),
            summary: report["summary"].clone(),
            asked: self.server.requests().len() - before,
        }
    }
}

fn accept(request: &Request) -> &str {
    request.header("x-kind").unwrap_or("any")
}

/// Whether the condition of a request is met, as RFC 9110, section 13, has it.
fn matches(request: &Request, fields: &[(&str, String)]) -> bool {
    let value = |name: &str| fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
    match (request.header("if-none-match"), request.header("if-modified-since")) {
        (Some(etag), _) => Some(etag) == value("ETag"),
        (None, Some(time)) => Some(time) == value("Last-Modified"),
        (None, None) => false,
    }
}

/// What came of a run of one source.
struct SourceRun {
    result: Value,
    summary: Value,
    /// How many requests the server got.
    asked: usize,
}

impl SourceRun {
    /// Requests, status of the last attempt, what the cache did, version.
    fn told(&self) -> (usize, u64, &str, u64) {
        let last = self.result["attempts"].as_array().and_then(|all| all.last()).unwrap_or(&Value::Null);
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let used = last["cache"].as_str().unwrap_or("none");
        (self.asked, number(&last["status"]), used, number(&self.result["body"]["version"]))
    }
}

#[test]
fn what_has_an_etag_is_asked_about_and_comes_once() {
    let source = Source::new(&[("ETag", "\"{v}\"")]);
    let dir = Dir::new();
    assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 200, "none", 1));
    let second = source.run(&dir, "--cache", 0);
    assert_eq!(second.told(), (1, 304, "revalidated", 1));
    assert_eq!((&second.result["status"], &second.result["ok"]), (&200.into(), &true.into()));
    assert_eq!(second.result["content_type"], "application/json");
    assert_eq!(source.server.requests()[1].header("if-none-match"), Some("\"1\""));
    source.set_version(2);
    assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 200, "none", 2));
    assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 304, "revalidated", 2));
    // Without --cache nothing is asked under conditions.
    assert_eq!(source.run(&dir, "", 0).told(), (1, 200, "none", 2));
    assert_eq!(texts(&dir, "select quote(etag) from responses"), ["X'223222'"]);
    assert_eq!(query::<i64>(&dir, "select count(*) from bodies"), [3], "contents are shared by runs and cache");
    assert_eq!(texts(&dir, "select cache from attempts where cache is not null"), ["revalidated", "revalidated"]);
}

#[test]
fn last_modified_is_asked_about_as_well() {
    let source = Source::new(&[("Last-Modified", "Sun, 06 Nov 1994 08:49:3{v} GMT")]);
    let dir = Dir::new();
    assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 200, "none", 1));
    assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 304, "revalidated", 1));
    let asked = source.server.requests().remove(1);
    assert_eq!(asked.header("if-modified-since"), Some("Sun, 06 Nov 1994 08:49:31 GMT"));
}

#[test]
fn what_is_fresh_is_not_asked_about() {
    let source = Source::new(&[("Cache-Control", "max-age=600")]);
    let dir = Dir::new();
    assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 200, "none", 1));
    source.set_version(2);
    let hit = source.run(&dir, "--cache --rate 1/h --per-host 1", 0);
    assert_eq!(hit.told(), (0, 200, "hit", 1));
    assert_eq!(hit.result["attempts"][0]["address"], Value::Null);
    // A server that is gone, and a request that wants a new one.
    assert_eq!(source.run(&dir, "--cache -H Cache-Control:no-cache", 0).told(), (1, 200, "none", 2));
    assert_eq!(source.run(&dir, "--cache", 0).told(), (0, 200, "hit", 2));
    // Another method and other credentials are other requests.
    assert_eq!(source.run(&dir, "--cache -X HEAD", 0).asked, 1);
    assert_eq!(source.run(&dir, "--cache --bearer secret-of-mine", 0).asked, 1);
    assert_eq!(source.run(&dir, "--cache --bearer secret-of-mine", 0).asked, 0);
    assert_eq!(source.run(&dir, "--cache --bearer another-one-1", 0).asked, 1);
    assert_eq!(source.run(&dir, "--cache --raw", 0).asked, 1);
    let file = std::fs::read(dir.join("runs.db")).expect("a file");
    assert!(!file.windows(14).any(|part| part == b"secret-of-mine"), "a credential is in the file");
}

#[test]
fn rate_and_hosts_hold_back_requests_and_not_what_is_fresh() {
    let source = Source::new(&[("Cache-Control", "max-age=600")]);
    let dir = Dir::new();
    let urls: String = (0..40).map(|number| format!("{}\n", source.server.url(&format!("/{number}")))).collect();
    dir.write("urls.txt", urls);
    let run = |more: &str| {
        let words = format!("get --input urls.txt --cache --state runs.db --report json -q {more}");
        line(&dir, &words).run().expect_code(0).json()["summary"].clone()
    };
    run("");
    // At one an hour this would not end.
    let summary = run("--rate 1/h --per-host 1");
    assert_eq!((&summary["ok"], &summary["bytes"]), (&40.into(), &(40 * 25).into()));
    assert_eq!(source.server.requests().len(), 40);
}

#[test]
fn what_servers_forbid_is_not_kept() {
    for fields in [
        &[("Cache-Control", "no-store, max-age=600"), ("ETag", "\"{v}\"")][..],
        &[("Vary", "*"), ("ETag", "\"{v}\"")],
        &[],
    ] {
        let source = Source::new(fields);
        let dir = Dir::new();
        for _ in 0..2 {
            assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 200, "none", 1), "{fields:?}");
        }
        assert_eq!(query::<i64>(&dir, "select count(*) from responses"), [0], "{fields:?}");
    }
    // What has to be asked about each time.
    let source = Source::new(&[("Cache-Control", "no-cache, max-age=600"), ("ETag", "\"{v}\"")]);
    let dir = Dir::new();
    source.run(&dir, "--cache", 0);
    assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 304, "revalidated", 1));
    // A request that wants nothing kept.
    let dir = Dir::new();
    source.run(&dir, "--cache -H Cache-Control:no-store", 0);
    assert_eq!(query::<i64>(&dir, "select count(*) from responses"), [0]);
}

#[test]
fn what_depends_on_a_field_is_kept_for_each_of_its_values() {
    let source = Source::new(&[("Cache-Control", "max-age=600"), ("Vary", "X-Kind, user-agent")]);
    let dir = Dir::new();
    let asked = |more: &str| {
        let run = source.run(&dir, &format!("--cache {more}"), 0);
        (run.asked, run.result["body"]["for"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(asked("-H X-Kind:a"), (1, "a".into()));
    assert_eq!(asked("-H X-Kind:b"), (1, "b".into()));
    assert_eq!(asked("-H x-kind:a"), (0, "a".into()));
    assert_eq!(asked(""), (1, "any".into()));
    assert_eq!(asked("-H X-Kind:b"), (0, "b".into()));
    assert_eq!(asked("-A other -H X-Kind:b"), (1, "b".into()), "a User-Agent that no job names counts, too");
    for number in 0..40 {
        asked(&format!("-H X-Kind:{number}"));
    }
    assert_eq!(query::<i64>(&dir, "select count(*) from responses"), [16], "the oldest are let go");
}

#[test]
fn only_what_is_whole_and_accepted_is_kept() {
    let source = Source::new(&[("ETag", "\"{v}\"")]);
    let dir = Dir::new();
    dir.write(
        "plan.toml",
        format!(
            "[[job]]\nurl = \"{}\"\ncache = true\nexpect = {{ json = {{ \"/version\" = 2 }} }}\n",
            source.server.url("/a")
        ),
    );
    let run = |code| line(&dir, "run plan.toml --state runs.db --report json -q").run().expect_code(code).json();
    run(4);
    assert_eq!(query::<i64>(&dir, "select count(*) from responses"), [0]);
    source.set_version(2);
    run(0);
    assert_eq!(run(0)["results"][0]["attempts"][0]["cache"], "revalidated");
    // What is expected and taken out of it is so of a kept content, too.
    dir.write(
        "plan.toml",
        format!(
            "[[job]]\nurl = \"{}\"\ncache = true\nselect = {{ version = \"/version\" }}\noutput = \"saved.json\"\n\
             expect = {{ status = \"200\", header = {{ ETag = '\"2\"' }}, json = {{ \"/version\" = 2 }} }}\n",
            source.server.url("/a")
        ),
    );
    let report = run(0);
    assert_eq!(report["results"][0]["data"]["version"], 2);
    assert_eq!(report["results"][0]["attempts"][0]["cache"], "revalidated");
    assert_eq!(dir.read("saved.json"), "{\"version\":2,\"for\":\"any\"}");
    dir.write("plan.toml", dir.read("plan.toml").replace("\"/version\" = 2", "\"/version\" = 3"));
    assert_eq!(run(4)["results"][0]["error"]["kind"], "expectation");
    // A content that breaks off.
    let broken =
        Server::start(|_| Reply::raw("HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 10\r\n\r\n12345").cut());
    let words = format!("get {} --cache --state other.db --retries 0 -q", broken.url("/"));
    line(&dir, &words).run().expect_code(3);
    let other = rusqlite::Connection::open(dir.join("other.db")).expect("a database");
    let kept: i64 = other.query_row("select count(*) from responses", [], |row| row.get(0)).expect("a count");
    assert_eq!(kept, 0);
}

#[test]
fn a_304_that_was_not_asked_for_is_an_error_with_words() {
    let server = Server::start(|_| Reply::status(304).header("ETag", "\"x\""));
    let dir = Dir::new();
    let words = format!("get {} --state runs.db --retries 0 --report json -q", server.url("/"));
    let report = line(&dir, &format!("{words} --cache")).run().expect_code(3).json();
    let message = report["results"][0]["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("(304), which it was not asked"), "{message}");
    // Conditions of the user's own are the user's.
    let report = line(&dir, &format!("{words} --cache -H If-None-Match:\"x\"")).run().expect_code(0).json();
    assert_eq!(report["results"][0]["status"], 304);
}

#[test]
fn a_content_that_another_run_has_let_go_is_fetched() {
    let dir = Dir::new();
    let file = dir.join("runs.db");
    let server = Server::start(move |request| match request.header("if-none-match") {
        None => Reply::json("1").header("ETag", "\"x\""),
        Some(_) => {
            let other = rusqlite::Connection::open(&file).expect("a database");
            other.execute("delete from responses", []).expect("deleted");
            Reply::status(304).header("ETag", "\"x\"")
        }
    });
    for expected in ["none", "none", "none"] {
        let words = format!("get {} --cache --state runs.db --report json -q", server.url("/"));
        let report = line(&dir, &words).run().expect_code(0).json();
        assert_eq!(
            (&report["results"][0]["body"], &report["results"][0]["attempts"][0]["status"]),
            (&1.into(), &200.into())
        );
        assert_eq!(report["results"][0]["attempts"][0]["cache"].as_str().unwrap_or("none"), expected);
    }
    assert_eq!(server.requests().len(), 5, "twice it was asked, and then fetched");
}

#[test]
fn an_outage_is_hidden_by_the_last_good_content_and_said() {
    let source = Source::new(&[("ETag", "\"{v}\"")]);
    let dir = Dir::new();
    source.run(&dir, "--stale-if-error 7d", 0);
    for status in [500, 502, 503, 504] {
        source.set_status(status);
        let stale = source.run(&dir, "--stale-if-error 7d --retries 1", 0);
        assert_eq!((stale.asked, &stale.result["ok"], &stale.result["error"]), (2, &true.into(), &Value::Null));
        assert_eq!((&stale.result["status"], &stale.result["body"]["version"]), (&200.into(), &1.into()));
        assert_eq!(stale.result["stale"]["error"]["kind"], "status");
        assert!(stale.result["stale"]["age_s"].as_u64().is_some_and(|age| age < 60));
        assert_eq!((&stale.summary["ok"], &stale.summary["stale"]), (&1.into(), &1.into()));
        let attempts = stale.result["attempts"].as_array().map(Vec::len);
        assert_eq!(attempts, Some(2), "retries are included");
    }
    source.run(&dir, "--stale-if-error 7d --fail-stale", 3);
    for status in [404, 429, 501] {
        source.set_status(status);
        assert_eq!(source.run(&dir, "--stale-if-error 7d", 3).result["stale"], Value::Null, "{status}");
    }
    source.set_status(200);
    let new = source.run(&dir, "--stale-if-error 7d --fail-stale", 0);
    assert_eq!((new.told(), &new.result["stale"]), ((1, 304, "revalidated", 1), &Value::Null));
}

#[test]
fn every_format_marks_what_is_stale() {
    let dir = Dir::new();
    let port = {
        let server = Server::start(|_| Reply::json("{\"a\":[{\"sku\":1}]}").header("ETag", "\"x\""));
        plan(&dir, server.port());
        line(&dir, "run plan.toml --state runs.db -q").run().expect_code(0);
        server.port()
    };
    let output = line(
        &dir,
        "run plan.toml --state runs.db --retries 0 --per-host 1 --report jsonl=o.jsonl \
        --report table=o.txt --report html=o.html --report md=o.md --report har=o.har \
        --report junit=o.xml --report prom=o.prom --report template:o.j2=o.out",
    )
    .run()
    .expect_code(0);
    assert!(output.stderr.contains("4 sources: 4 ok (4 stale), 0 failed"), "port {port}: {output:?}");
    let count = |file: &str, text: &str| dir.read(file).matches(text).count();
    assert_eq!(count("o.jsonl", "\"stale\":{\"age_s\":"), 4);
    assert_eq!(count("o.har", "\"_stale\":{\"age_s\""), 4);
    assert_eq!(count("o.prom", "roundup_stale_seconds{source="), 4);
    assert_eq!(count("o.prom", "roundup_sources_stale 4\n"), 1);
    assert_eq!(count("o.xml", "<system-out>stale, "), 4);
    assert_eq!(count("o.html", "\u{26a0} stale</span>"), 4);
    assert_eq!(count("o.out", " stale "), 4);
    assert!(count("o.txt", " old: connect") >= 1 && count("o.md", "| stale |") == 4, "{}", dir.read("o.md"));
    assert!(dir.read("o.md").contains("stale: j0, "), "the table of rows says it: {}", dir.read("o.md"));
    // With tables of rows, CSV has these alone.
    let words =
        format!("get http://127.0.0.1:{port}/[0-3] --stale-if-error 7d --state runs.db --retries 0 --report csv -q");
    let sources = line(&dir, &words).run().expect_code(0);
    assert_eq!(sources.stdout().matches("\nstale,").count(), 4, "{sources:?}");
}

/// A CSV of rows has no place for a note: a column says it.
#[test]
fn a_query_says_in_csv_which_rows_are_stale() {
    let dir = Dir::new();
    let port = {
        let server = Server::start(|_| Reply::json("{\"a\":[{\"sku\":1}]}").header("ETag", "\"x\""));
        plan(&dir, server.port());
        line(&dir, "run plan.toml --state runs.db -q").run().expect_code(0);
        server.port()
    };
    let query =
        "select p.*, s.stale_s >= 0 as stale, s.stale_error from parts p left join sources s on s.name = p.source";
    dir.write("plan.toml", format!("{}[[report.table]]\nsql = \"{query}\"\n", dir.read("plan.toml")));
    line(&dir, "run plan.toml --state runs.db --retries 0 --per-host 1 --report o.csv -q").run().expect_code(0);
    let csv = dir.read("o.csv");
    assert!(csv.starts_with("sku,source,stale,stale_error\r\n1,j0,1,"), "port {port}: {csv}");
    assert_eq!(csv.lines().count(), 5, "{csv}");
}

/// Four sources at one host, and a template.
fn plan(dir: &Dir, port: u16) {
    let job = |number| format!("[[job]]\nname = \"j{number}\"\nurl = \"http://127.0.0.1:{port}/{number}\"\n");
    let defaults =
        "[defaults]\nstale_if_error = \"7d\"\nrows = \"/a\"\ntable = \"parts\"\nselect = { sku = \"/sku\" }\n";
    dir.write("plan.toml", defaults.to_owned() + &(0..4).map(job).collect::<String>());
    let row = "{{ source.name }} {{ source.cache }} {{ source.stale_s }}s {{ source.stale_error }}\n";
    dir.write("o.j2", format!("{{% for source in sources %}}{row}{{% endfor %}}"));
}

#[test]
fn what_is_too_old_or_must_be_asked_for_is_not_delivered() {
    let dir = Dir::new();
    let source = Source::new(&[("ETag", "\"{v}\""), ("Cache-Control", "max-age=0, must-revalidate")]);
    source.run(&dir, "--cache --stale-if-error 7d", 0);
    source.set_status(503);
    let failed = source.run(&dir, "--cache --stale-if-error 7d", 3);
    let message = failed.result["error"]["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("the server says no-cache or must-revalidate"), "{message}");

    let (dir, source) = (Dir::new(), Source::new(&[("ETag", "\"{v}\"")]));
    source.run(&dir, "--cache --stale-if-error 1h", 0);
    source.set_status(503);
    source.run(&dir, "--cache --stale-if-error 1h", 0);
    super::open(&dir).execute("update responses set received_ms = received_ms - 3600001", []).expect("older");
    let failed = source.run(&dir, "--cache --stale-if-error 1h", 3);
    let message = failed.result["error"]["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("what is kept of it is too old for stale_if_error, 1h"), "{message}");
    // The clock went back: what was received later than now is asked about, and is the last good one all the same.
    super::open(&dir)
        .execute("update responses set received_ms = received_ms + 86400000, lifetime_ms = 1e9", [])
        .expect("later");
    source.set_status(200);
    assert_eq!(source.run(&dir, "--cache", 0).told(), (1, 304, "revalidated", 1));
}

#[test]
fn a_redirect_is_asked_each_time_and_what_it_leads_to_is_kept() {
    let server = Server::start(|request| match request.path() {
        "/first" => Reply::redirect(302, "/second"),
        _ if request.header("if-none-match").is_some() => Reply::status(304).header("ETag", "\"x\""),
        _ => Reply::json("1").header("ETag", "\"x\""),
    });
    let dir = Dir::new();
    let run = |path: &str| {
        let words = format!("get {} --cache --state runs.db --report json -q", server.url(path));
        line(&dir, &words).run().expect_code(0).json()["results"][0].clone()
    };
    run("/first");
    assert_eq!(run("/first")["attempts"][0]["cache"], "revalidated");
    assert_eq!(run("/second")["attempts"][0]["cache"], "revalidated");
    let seen: Vec<String> = server.requests().iter().map(|it| it.path().to_owned()).collect();
    assert_eq!(seen, ["/first", "/second", "/first", "/second", "/second"]);
}

#[test]
fn a_content_that_holds_a_secret_is_not_kept() {
    let server = Server::start(|request| {
        let token = request.header("authorization").unwrap_or_default().to_owned();
        Reply::json(format!("{{\"you\":\"{token}\"}}")).header("ETag", "\"x\"")
    });
    let dir = Dir::new();
    let words = format!("get {} --cache --state runs.db --bearer a-long-secret -q", server.url("/"));
    line(&dir, &words).run().expect_code(0);
    assert_eq!(query::<i64>(&dir, "select count(*) from responses"), [0]);
    // What a login gives is not kept either, though it is known to be secret only then.
    let server = Server::start(|request| match request.path() {
        "/login" => Reply::json("{\"token\":\"fetched-secret\"}").header("ETag", "\"x\""),
        _ => Reply::json("1").header("ETag", "\"x\""),
    });
    let base = server.url("/");
    let base = base.trim_end_matches('/');
    dir.write(
        "plan.toml",
        format!(
            "[defaults]\ncache = true\n[[job]]\nname = \"login\"\nurl = \"{base}/login\"\nselect = {{ token = \"/token\" }}\n\
             secret = [\"token\"]\n[[job]]\nname = \"data\"\nurl = \"{base}/data\"\nbearer = \"{{login.token}}\"\n"
        ),
    );
    line(&dir, "run plan.toml --state other.db -q --report json=o.json").run().expect_code(0);
    let other = rusqlite::Connection::open(dir.join("other.db")).expect("a database");
    let urls: String = other.query_row("select group_concat(url) from responses", [], |row| row.get(0)).expect("one");
    assert_eq!(urls, format!("{base}/data"));
    drop(other);
    for file in dir.names().iter().filter(|name| name.starts_with("other.db")) {
        let bytes = std::fs::read(dir.join(file)).expect("a file");
        assert!(!bytes.windows(14).any(|part| part == b"fetched-secret"), "{file} has it");
    }
}
