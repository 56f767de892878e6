//! Plans that a fleet fetches, by way of a real Redis.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::redis::{Redis, worker};
use crate::common::{Authority, Dir, Leaf, Output, PATIENCE, PemFiles, Reply, Server, TestCommand};

/// A call with the plan of this folder.
pub(super) fn with_plan(dir: &Dir, command: &str, words: &[&str]) -> TestCommand {
    TestCommand::new().inside(dir).args([command, "plan.toml"]).args(words).limit(PATIENCE * 4)
}

/// The report of what ran, without what no two runs have alike.
fn settled(report: &Value) -> Value {
    let results = report["results"].as_array().expect("results").iter().map(|result| {
        let mut result = result.clone();
        for name in ["timings_ms", "waits_ms", "worker"] {
            result.as_object_mut().expect("an object").remove(name);
        }
        for attempt in result["attempts"].as_array_mut().expect("attempts") {
            for name in ["started_ms", "total_ms", "reused", "waited_ms", "phases_ms"] {
                attempt.as_object_mut().expect("an object").remove(name);
            }
        }
        result
    });
    let summary = ["total", "ok", "failed", "skipped", "attempts", "retried", "bytes"];
    let summary: Vec<&Value> = summary.iter().map(|name| &report["summary"][name]).collect();
    json!([results.collect::<Vec<_>>(), report["tables"], summary])
}

pub(super) fn results(report: &Value) -> &[Value] {
    report["results"].as_array().expect("results")
}

#[track_caller]
pub(super) fn report(dir: &Dir, name: &str) -> Value {
    let report: Value = serde_json::from_str(&dir.read(name)).expect("the report is JSON");
    crate::report::schema::Schema::load().check(&report).expect("the report is as the schema says");
    report
}

/// APIs of several kinds: a list, its details, pages, what fails, and what is tried again.
fn apis() -> Server {
    let flaky = std::sync::atomic::AtomicBool::new(true);
    Server::start(move |request| match request.path() {
        "/list" => Reply::json(r#"{"items":[{"id":3,"n":1.50},{"id":1,"n":10000000000000000001},{"id":2,"n":null}]}"#),
        "/pages" => match request.query() {
            None => Reply::json(r#"[{"p":1}]"#).header("Link", "<?page=2>; rel=\"next\""),
            Some("page=2") => Reply::json(r#"[{"p":2}]"#).header("Link", "<?page=3>; rel=\"next\""),
            Some(_) => Reply::json(r#"[{"p":3}]"#),
        },
        "/flaky" if flaky.swap(false, std::sync::atomic::Ordering::Relaxed) => Reply::status(503),
        "/gone" => Reply::status(404).body("no such thing"),
        "/bytes" => Reply::text("").body(vec![0xff, 0, 1]).header("Content-Type", "image/x-none"),
        path => Reply::json(format!(r#"{{"path":"{path}","ok":true}}"#)),
    })
}

const PLAN: &str = r#"
[report]
title = "All kinds"
[[report.table]]
table = "items"
columns = ["id", "n"]
sort = "id"

[[job]]
name = "list"
url = "BASE/list"
rows = "/items"
table = "items"
select = { id = "/id", n = "/n" }

[[job]]
name = "detail"
key = "id"
url = "BASE/item/{list.id}"
for_each = "list"
select = { path = "/path" }

[[job]]
name = "after"
url = "BASE/after?of={first.path}"

[[job]]
name = "first"
url = "BASE/first"
select = { path = "/path" }

[[job]]
name = "pages"
url = "BASE/pages"
rows = ""
table = "pages"
select = { p = "/p" }
pages = { link = true }

[[job]]
name = "flaky"
url = "BASE/flaky"

[[job]]
name = "gone"
url = "BASE/gone/{n}"
each = { n = [1, 2] }

[[job]]
name = "needs gone"
url = "BASE/never?{lost.x}"

[[job]]
name = "lost"
url = "BASE/gone"
select = { x = "/x" }

[[job]]
name = "bytes"
url = "BASE/bytes"

[[job]]
name = "expected"
url = "BASE/expected"
expect = { json = { "/ok" = false } }
"#;

#[test]
#[ignore = "needs redis-server"]
fn the_report_is_that_of_one_machine() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let reports = |server: &Server, name: &str, words: &[&str]| -> (Output, Value) {
        dir.write("plan.toml", PLAN.replace("BASE", server.url("/").trim_end_matches('/')));
        let file = format!("json={name}");
        let words = [&["-q", "--report", &file], words].concat();
        let output = with_plan(&dir, "run", &words).run();
        (output, report(&dir, name))
    };
    let one = apis();
    let (alone, whole) = reports(&one, "whole.json", &[]);
    let workers = [redis.worker(&[]), redis.worker(&["--concurrency", "2"])];
    let two = apis();
    let (by_fleet, fleet) = reports(&two, "fleet.json", &["--fleet", &redis.url()]);
    let text = |report: &Value, server: &Server| {
        serde_json::to_string_pretty(&settled(report)).expect("JSON").replace(&server.port().to_string(), "PORT")
    };
    assert_eq!(text(&fleet, &two), text(&whole, &one));
    assert_eq!((by_fleet.code(), alone.code()), (Some(4), Some(4)), "{by_fleet:?} {alone:?}");
    for result in results(&fleet) {
        let was_sent = !result["attempts"].as_array().expect("attempts").is_empty();
        assert_eq!(result["worker"].is_string(), was_sent, "{result:#}");
    }
    // Places at hosts that are given back last expire by themselves.
    assert_eq!(redis.ask(&["keys", "ru:{*}:[mjko]*"]), "", "nothing is left of the run");
    assert_eq!(one.stats().requests, two.stats().requests);
    for worker in workers {
        worker.signal(Signal::TERM);
        let ended = worker.wait().expect_code(0);
        assert!(ended.stderr.contains("roundup: jobs done: "), "{ended:?}");
    }
}

pub(super) fn many(dir: &Dir, server: &Server, jobs: usize) {
    let plan = format!(
        "[[job]]\nname = \"j\"\nurl = \"{}?{{n}}\"\neach = {{ n = {{ from = 1, to = {jobs} }} }}\n",
        server.url("/")
    );
    dir.write("plan.toml", plan);
}

/// Workers have values of their own, and none of anybody's goes through Redis.
#[test]
#[ignore = "needs redis-server"]
fn no_secret_goes_through_redis() {
    let (redis, dir) = (Redis::start(&["--requirepass", "of-redis-itself"]), Dir::new());
    let server = Server::start(|request| {
        let echo = serde_json::to_string(&(request.target.as_str(), request.header("authorization"))).expect("JSON");
        Reply::json(format!(r#"{{"echo":{echo}}}"#))
    });
    let url = server.url("/");
    let plan = "[[job]]\nname = \"a\"\nurl = \"BASE?key=${KEY}\"\nheaders = { Authorization = \"Bearer ${TOKEN}\" }\n\
        [[job]]\nname = \"b\"\nurl = \"BASE\"\nuser = \"me:${TOKEN}\"\nselect = { echo = \"/echo\" }\n";
    dir.write("plan.toml", plan.replace("BASE", &url));
    dir.write("mine.env", "KEY=key of collector\nTOKEN=token-of-collector\nREDIS=of-redis-itself\n");
    dir.write("theirs.env", "KEY=key/of worker\nTOKEN=token-of-worker\nREDIS=of-redis-itself\n");
    let at = format!("redis://:${{REDIS}}@127.0.0.1:{}", redis.port);
    let mut worker = worker(&at, &["--secrets", "theirs.env"]).inside(&dir).spawn();
    worker.wait_for_stderr("takes jobs from");
    let words = ["--secrets", "mine.env", "--fleet", &at, "--report", "json=report.json"];
    let output = with_plan(&dir, "run", &words).run().expect_code(0);
    assert!(!output.stderr.contains("of-redis-itself"), "{output:?}");
    let requests = server.requests();
    let a = requests.iter().find(|request| request.target.contains("key=")).expect("it was sent");
    assert_eq!(
        (a.target.as_str(), a.header("authorization")),
        ("/?key=key%2Fof%20worker", Some("Bearer token-of-worker"))
    );
    assert!(requests.iter().any(|request| request.header("authorization").is_some_and(|it| it.starts_with("Basic "))));
    let written = String::from_utf8_lossy(&redis.written()).into_owned();
    assert!(written.contains("\\u0000rTOKEN\\u0000"), "the jobs went this way");
    for secret in ["of worker", "of%20worker", "of collector", "token-of", "dG9rZW4tb2Y"] {
        assert!(!written.contains(secret), "{secret}: {written}");
        assert!(!dir.read("report.json").contains(secret), "{secret}");
    }
}

/// Ctrl-C leaves a report of what there is, and the run goes on for whoever collects it.
#[test]
#[ignore = "needs redis-server"]
fn an_interrupted_run_is_collected_whole() {
    let (redis, dir) = (Redis::start(&["--requirepass", "of-redis"]), Dir::new());
    let url = format!("redis://:of-redis@127.0.0.1:{}", redis.port);
    let go = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let may = go.clone();
    let server = Server::start(move |_| match may.load(std::sync::atomic::Ordering::Relaxed) {
        true => Reply::json("{}"),
        false => Reply::json("{}").late(Duration::from_millis(300)),
    });
    many(&dir, &server, 40);
    let mut worker = worker(&url, &["--concurrency", "5"]).spawn();
    worker.wait_for_stderr("takes jobs from");
    let mut run = with_plan(&dir, "run", &["--fleet", &url, "--report", "jsonl"]).spawn();
    run.wait_for_lines(3);
    run.interrupt();
    let interrupted = run.wait().expect_code(130);
    go.store(true, std::sync::atomic::Ordering::Relaxed);
    let said = interrupted.stderr.lines().find(|line| line.contains("goes on")).expect("it says so");
    let command = said.split('"').nth(1).expect("a command");
    assert!(
        !interrupted.stderr.contains("of-redis") && said.ends_with("as REDIS_PASSWORD in the environment"),
        "{said}"
    );
    // As a shell reads it.
    let words = command.split(' ').skip(2).map(|word| word.trim_matches('\''));
    let words: Vec<&str> = words.chain(["--report", "json=all.json"]).collect();
    let collected = with_plan(&dir, "collect", &words[1..]).env("REDIS_PASSWORD", "of-redis").run().expect_code(0);
    let all = report(&dir, "all.json");
    assert_eq!((results(&all).len(), &all["summary"]["ok"]), (40, &json!(40)), "{collected:?}");
    assert_eq!(server.stats().requests, 40, "nothing was fetched again");
    assert_eq!(redis.ask(&["-a", "of-redis", "--no-auth-warning", "keys", "ru:{*}:[mjko]*"]), "");
}

#[test]
#[ignore = "needs redis-server"]
fn submit_and_collect_apart() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::json("{}"));
    many(&dir, &server, 20);
    let id = with_plan(&dir, "submit", &[&redis.url()]).run().expect_code(0).stdout().trim().to_owned();
    let worker = redis.worker(&["--idle-exit", "1s"]);
    worker.wait().expect_code(0);
    assert_eq!(server.stats().requests, 20);
    assert_eq!(redis.ask(&["hget", &format!("ru:{{{id}}}:meta"), "name"]), "plan.toml");
    with_plan(&dir, "collect", &[&redis.url(), "--report", "json=all.json"]).run().expect_code(0);
    assert_eq!(report(&dir, "all.json")["summary"]["ok"], 20);
    assert_eq!(server.stats().requests, 20);
    let id = with_plan(&dir, "submit", &[&redis.url()]).run().expect_code(0).stdout().trim().to_owned();
    with_plan(&dir, "collect", &[&redis.url(), "--run", &id, "--cancel"]).run().expect_code(0);
    assert_eq!(redis.ask(&["keys", "ru:*}:[mjko]*"]), "");
}

/// The one line that a call ends with, and no report.
#[track_caller]
fn refused(call: TestCommand, said: &str) {
    let output = call.run();
    let text = output.stderr.trim_end();
    assert!(output.code() == Some(1) && !text.contains('\n') && text.contains(said), "{said}: {output:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn what_cannot_be_is_one_line() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::builder().unused_ok().malformed_ok().start(|_| Reply::json("{}"));
    many(&dir, &server, 3);
    let run = |url: &str| with_plan(&dir, "run", &["-q", "--fleet", url, "--report", "json=report.json"]);

    let closed = Redis::start(&["--requirepass", "secret-1"]);
    let at = |user: &str| format!("redis://{user}127.0.0.1:{}", closed.port);
    refused(run(&at("")), "wants a password: write redis://user:password@host");
    refused(run(&at(":wrong@")), "does not take this user and password");
    refused(worker(&at("me:wrong@"), &["-q"]), "does not take this user and password");
    refused(run(&format!("redis://:x@127.0.0.1:{}", redis.port)), "has no password, and one was given");
    refused(run(&format!("{}/77", redis.url())), "has no database of this number");
    refused(run(&format!("redis://127.0.0.1:{}", server.port())), "does not speak the protocol of Redis");
    refused(run("redis://127.0.0.1:1"), "cannot be reached");

    let replica = Redis::start(&["--replicaof", "127.0.0.1", &redis.port.to_string()]);
    refused(run(&replica.url()), "is a replica that can only be read");
    refused(worker(&replica.url(), &["-q"]), "is a replica that can only be read");

    let full = Redis::start(&["--maxmemory", "1"]);
    refused(run(&full.url()), "is full");

    let id = with_plan(&dir, "submit", &[&redis.url()]).run().expect_code(0).stdout().trim().to_owned();
    let other = Dir::new();
    many(&other, &server, 4);
    refused(with_plan(&other, "collect", &[&redis.url(), "--run", &id]), "is of another plan than this one");
    refused(with_plan(&other, "collect", &[&redis.url()]), "has no run of plan.toml: there is");
    refused(with_plan(&other, "collect", &[&redis.url(), "--run", "0123456789ab"]), "has no run 0123456789ab");

    redis.ask(&["hset", &format!("ru:{{{id}}}:meta"), "version", "0.0.9"]);
    refused(with_plan(&dir, "collect", &[&redis.url(), "--run", &id]), "is of roundup 0.0.9, and this is");
    let output = worker(&redis.url(), &["-q", "--idle-exit", "1s"]).run().expect_code(0);
    assert!(output.stderr.lines().count() == 1 && output.stderr.contains("is of roundup 0.0.9"), "{output:?}");
}

/// Jobs come from whoever can write to the Redis.
#[test]
#[ignore = "needs redis-server"]
fn workers_hold_jobs_to_their_own_rules() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::builder().unused_ok().start(|request| match request.path() {
        "/away" => Reply::redirect(302, "http://localhost:9/"),
        _ => Reply::json("{}"),
    });
    let url = server.url("/");
    let url = url.trim_end_matches('/');
    let plan = format!(
        "[[job]]\nname = \"here\"\nurl = \"{url}/\"\n[[job]]\nname = \"there\"\nurl = \"{}\"\n\
        [[job]]\nname = \"away\"\nurl = \"{url}/away\"\n",
        server.url_at("localhost", "/")
    );
    dir.write("plan.toml", plan);
    let outcomes = |words: &[&str]| {
        let at = redis.url();
        let mut worker = TestCommand::new().args(["worker", &at]).args(words).spawn();
        worker.wait_for_stderr("takes jobs from");
        with_plan(&dir, "run", &["-q", "--fleet", &at, "--report", "json=report.json"]).run().expect_code(3);
        let report = report(&dir, "report.json");
        let message = |result: &Value| result["error"]["message"].as_str().unwrap_or("ok").to_owned();
        results(&report).iter().map(message).collect::<Vec<_>>()
    };
    let held = outcomes(&["--allow", "127.0.0.1"]);
    let not_there = "\"localhost\" is not among the hosts that may be asked";
    assert_eq!((held[0].as_str(), held[1].as_str()), ("ok", not_there));
    assert!(held[2].contains(not_there), "{held:?}");
    let before = server.stats().requests;
    let private = outcomes(&["--no-private"]);
    assert!(private.iter().all(|message| message.contains("has private addresses alone")), "{private:?}");
    assert_eq!(server.stats().requests, before);

    dir.write("plan.toml", format!("[[job]]\nname = \"secret\"\nurl = \"{url}/?${{KEY}}\"\n"));
    dir.write("s.env", "KEY=a-long-secret\n");
    let at = redis.url();
    let mut worker = TestCommand::new().args(["worker", &at]).env("KEY", "a-long-secret").spawn();
    worker.wait_for_stderr("takes jobs from");
    let words = ["-q", "--secrets", "s.env", "--fleet", &at, "--report", "json=report.json"];
    with_plan(&dir, "run", &words).run().expect_code(3);
    let report = report(&dir, "report.json");
    let message = results(&report)[0]["error"]["message"].as_str().expect("it failed");
    assert!(message.contains("this worker sends nowhere: start it with --allow"), "{message}");
    assert_eq!(server.stats().requests, before);
}

#[test]
#[ignore = "needs redis-server"]
fn redis_over_tls() {
    let (authority, dir) = (Authority::new(), Dir::new());
    let PemFiles { certificate, key, .. } = &authority.server_files(Leaf::Good);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it listens").port().to_string();
    drop(listener);
    let file = |path: &Path| path.display().to_string();
    let options = [
        "--tls-port",
        &port,
        "--tls-cert-file",
        &file(certificate),
        "--tls-key-file",
        &file(key),
        "--tls-auth-clients",
        "no",
    ];
    let _redis = Redis::start(&options);
    let server = Server::start(|_| Reply::json("{}"));
    many(&dir, &server, 30);
    let at = format!("rediss://localhost:{port}");
    let ca = file(authority.ca_file());
    refused(with_plan(&dir, "run", &["-q", "--fleet", &at]), "cannot be reached: ");
    let mut worker = worker(&at, &["--fleet-cacert", &ca]).spawn();
    worker.wait_for_stderr("takes jobs from");
    with_plan(&dir, "run", &["-q", "--fleet", &at, "--fleet-cacert", &ca, "--report", "json=report.json"])
        .run()
        .expect_code(0);
    assert_eq!(report(&dir, "report.json")["summary"]["ok"], 30);
}

/// They were left out. Names of jobs come from anyone who can write to the Redis.
#[test]
#[ignore = "needs redis-server"]
fn what_is_too_large_for_redis_is_in_the_folder_of_the_worker() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let large = "x".repeat(300 << 10);
    let content = large.clone();
    let server = Server::start(move |request| Reply::text(if request.path() == "/small" { "here" } else { &content }));
    let names = ["small", "../../large", "/CON", "LARGE"];
    let job = |name: &str| {
        let path = if name == "small" { "small" } else { "large" };
        format!("[[job]]\nname = \"{name}\"\nurl = \"{}\"\n", server.url(&format!("/{path}")))
    };
    dir.write("plan.toml", names.map(job).concat());
    let folder = dir.join("workers/contents");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("large"), "of another run").expect("a file");
    std::fs::write(dir.join("large"), "of another folder").expect("a file");
    let mut worker_there = worker(&redis.url(), &["--output-dir", "workers/contents"]).inside(&dir).spawn();
    worker_there.wait_for_stderr("takes jobs from");
    with_plan(&dir, "run", &["-q", "--fleet", &redis.url(), "--report", "json=report.json"]).run().expect_code(0);
    let report = report(&dir, "report.json");
    assert_eq!(report["summary"]["truncated"], 0);
    let mut files = BTreeSet::from(["large".to_owned()]);
    for (result, name) in results(&report).iter().zip(names) {
        assert!(result["worker"].is_string(), "{result}");
        let Some(file) = result["body_file"].as_str() else {
            assert_eq!((name, &result["body"]), ("small", &json!("here")));
            continue;
        };
        assert_eq!((&result["body"], result["body_bytes"].as_u64()), (&Value::Null, Some(300 << 10)), "{name}");
        assert_eq!(dir.read(file), large, "{name}");
        assert!(files.insert(file.strip_prefix("workers/contents/").expect(name).to_owned()), "{file} is there twice");
    }
    let there = std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file").file_name());
    assert_eq!(there.map(|file| file.to_string_lossy().into_owned()).collect::<BTreeSet<_>>(), files);
    assert!(files.contains("CON_") && files.contains("large-2") && files.len() == 4, "{files:?}");
    assert_eq!(
        (dir.read("large"), dir.read("workers/contents/large")),
        ("of another folder".into(), "of another run".into())
    );
    // A worker that could not save them does not begin.
    let refused = worker(&redis.url(), &["--output-dir", "plan.toml"]).inside(&dir).run();
    assert_ne!(refused.code(), Some(0));
    assert_eq!(refused.stderr, "roundup: plan.toml is a file: name a folder for the contents\n");
}
