//! What a run leaves in its file.

use super::{line, query, texts};
use crate::common::{Dir, Reply, Server};

fn server() -> Server {
    Server::start(|request| match request.path() {
        "/bad" => Reply::status(500),
        path => Reply::json(format!("{{\"path\":\"{path}\",\"price\":1.5}}"))
            .header("Set-Cookie", "session=s3cret-session")
            .header("X-Trace", "abc"),
    })
}

const PLAN: &str = r#"
[defaults]
retries = 1
[[job]]
name = "a[{n}]"
url = "{base}/{n}"
each = { n = ["1", "2"] }
select = { price = "/price" }
[[job]]
name = "bad"
url = "{base}/bad"
"#;

fn keep(server: &Server, dir: &Dir, more: &str) -> crate::common::Output {
    dir.write("plan.toml", PLAN);
    let words = format!(
        "run plan.toml --variable base={} --state runs.db --quiet {more}",
        server.url("/").trim_end_matches('/')
    );
    line(dir, &words).run()
}

#[test]
fn a_run_its_outcomes_and_attempts_are_in_tables() {
    let (server, dir) = (server(), Dir::new());
    keep(&server, &dir, "--report table=out.txt").expect_code(3);
    assert_eq!(texts(&dir, "select plan || ' ' || how || ' ' || sources from runs"), ["plan.toml done 3"]);
    let outcomes = "select place || name || ' ' || coalesce(status, '') || ' ' || tries || ' ' || ok || \
        coalesce(error_kind, '') || coalesce(data, '') from outcomes order by place";
    assert_eq!(
        texts(&dir, outcomes),
        [r#"0a[1] 200 1 1{"price":1.5}"#, r#"1a[2] 200 1 1{"price":1.5}"#, "2bad 500 2 0status"]
    );
    let attempts = "select number || ' ' || attempts.status || ' ' || attempts.error_kind \
        from attempts join outcomes on outcomes.id = attempts.outcome where name = 'bad' order by number";
    assert_eq!(texts(&dir, attempts), ["1 500 status", "2 500 status"]);
    assert_eq!(query::<f64>(&dir, "select count(*) from outcomes where total_ms > 0 and queue_ms >= 0"), [3.0]);
    let trace = "select field.value ->> 'value' from outcomes, json_each(fields) as field \
        where name = 'a[1]' and field.value ->> 'name' = 'X-Trace'";
    assert_eq!(texts(&dir, trace), ["abc"]);
    assert_eq!(texts(&dir, "pragma integrity_check"), ["ok"]);
    // A table has no contents, so none are kept.
    assert_eq!(query::<i64>(&dir, "select count(*) from contents"), [0]);
}

#[test]
fn contents_are_kept_if_a_report_has_them() {
    let (server, dir) = (server(), Dir::new());
    keep(&server, &dir, "--report json=out.json").expect_code(3);
    let contents =
        "select cast(bytes as text) from contents join outcomes on outcomes.id = outcome where ok order by place";
    assert_eq!(texts(&dir, contents)[0], r#"{"path":"/1","price":1.5}"#);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (server, dir) = (server(), Dir::new());
    let words = format!("get {} --state runs.db --report jsonl", server.url("/1"));
    let output = line(&dir, &words).run().expect_code(0);
    assert!(output.stdout().contains("\"type\":\"result\""), "{output:?}");
    let mode = dir.join("runs.db").metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(dir.names(), ["runs.db"], "nothing is left beside it");
}

#[test]
fn secrets_are_not_in_the_file_and_their_jobs_run_again() {
    let server = Server::start(|request| match request.path() {
        "/echo" => Reply::json(format!("{{\"sent\":\"{}\"}}", request.header("authorization").unwrap_or_default())),
        _ => Reply::json("{}").header("Set-Cookie", "session=s3cret-session"),
    });
    let dir = Dir::new();
    let plan = "[[job]]\nname = \"echo\"\nurl = \"{base}/echo?key=${KEY}\"\nselect = { sent = \"/sent\" }\n\
        headers = { Authorization = \"Bearer ${KEY}\" }\n[[job]]\nname = \"plain\"\nurl = \"{base}/plain\"\n";
    dir.write("plan.toml", plan);
    let words = format!(
        "run plan.toml --variable base={} --state runs.db --report json=out.json -q",
        server.url("/").trim_end_matches('/')
    );
    let run = |more: &str| line(&dir, &format!("{words} {more}")).env("KEY", "a-secret/value 1").run().expect_code(0);
    run("");
    for name in dir.names() {
        let bytes = std::fs::read(dir.join(&name)).expect("a file");
        for secret in ["a-secret", "value 1", "s3cret-session"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found || name.starts_with("out"), "{secret} is in {name}");
        }
    }
    assert_eq!(texts(&dir, "select name || whole from outcomes order by place"), ["echo0", "plain1"]);
    // Neither failed, but what was left out is fetched.
    run("--only-failed");
    let asked: Vec<String> = server.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!((asked.len(), &*asked[2]), (3, "/echo"));
}

#[test]
fn the_plan_names_the_file_which_is_beside_it() {
    let (server, dir) = (server(), Dir::new());
    let plan = format!("[state]\nfile = \"runs.db\"\n[[job]]\nurl = \"{}\"\n", server.url("/1"));
    dir.write("folder/plan.toml", &plan);
    line(&dir, "run folder/plan.toml -q").run().expect_code(0);
    assert!(dir.join("folder/runs.db").is_file());
    let history = line(&dir, "history folder/runs.db").run().expect_code(0);
    let lines: Vec<&str> = history.stdout().lines().collect();
    assert_eq!(lines.len(), 2, "{history:?}");
    assert!(lines[1].ends_with("plan.toml") && lines[1].contains(" done "), "{history:?}");
    let check = line(&dir, "state check folder/runs.db").run().expect_code(0);
    assert!(check.stdout().contains("is sound") && check.stdout().contains("1 runs, 1 outcomes"), "{check:?}");
}

#[test]
fn the_last_runs_are_kept_and_room_is_given_back() {
    let (server, dir) = (Server::start(|_| Reply::text("x".repeat(900_000))), Dir::new());
    let run = |more: &str| {
        let words = format!("get {} --state runs.db --report json=out.json -q {more}", server.url("/[1-3]"));
        line(&dir, &words).run().expect_code(0)
    };
    (0..4).for_each(|_| drop(run("")));
    assert_eq!(query::<i64>(&dir, "select id from runs order by id"), [1, 2, 3, 4]);
    let size = || dir.join("runs.db").metadata().expect("a file").len();
    let before = size();
    run("--keep 2");
    assert_eq!(query::<i64>(&dir, "select id from runs order by id"), [4, 5]);
    assert_eq!(query::<i64>(&dir, "select count(*) from contents"), [6]);
    assert!(size() < before, "{} {before}", size());
    run("--state-size 4MiB");
    assert_eq!(query::<i64>(&dir, "select id from runs order by id"), [6]);
    // Young enough, all of them.
    run("--keep 1d");
    assert_eq!(query::<i64>(&dir, "select id from runs order by id"), [6, 7]);
    // By the clock, the first is of another year.
    super::open(&dir).execute_batch("update runs set started = '2001-01-01T00:00:00.000Z'").expect("written");
    dir.write(
        "plan.toml",
        format!("[state]\nfile = \"runs.db\"\nkeep = \"1d\"\n[[job]]\nurl = \"{}\"\n", server.url("/1")),
    );
    line(&dir, "run plan.toml -q").run().expect_code(0);
    assert_eq!(query::<i64>(&dir, "select id from runs order by id"), [6, 7, 8], "those of other plans are theirs");
    run("--keep 1d");
    assert_eq!(query::<i64>(&dir, "select id from runs order by id"), [8, 9]);
    let output = line(&dir, "check none.toml --keep 0").run().expect_code(1);
    assert!(output.stderr.contains("\"0\" would keep nothing: write 30 for the last 30 runs"), "{output:?}");
}
