//! `run`: a plan from the file to the report.

use std::sync::Arc;

use serde_json::json;

use super::{endings, line, result};
use crate::common::{Dir, Reply, Server};

fn weather() -> Server {
    Server::start(|request| match request.path() {
        "/weather" => {
            let oslo = request.query() == Some("city=oslo");
            Reply::json(format!("{{\"current\":{{\"temp\":{}}},\"ok\":{}}}", if oslo { -3.5 } else { 12.5 }, !oslo))
        }
        "/gone" => Reply::status(404),
        _ => Reply::json("{\"ok\":true}"),
    })
}

#[test]
fn each_select_and_expect() {
    let server = weather();
    let dir = Dir::new();
    let plan = format!(
        r#"
[defaults]
headers = {{ X-Default = "d" }}
[limits]
concurrency = 2
[hosts."127.0.0.1"]
timeout = "5s"
[[job]]
name = "weather"
url = "{}?city={{city}}"
each = {{ city = ["berlin", "oslo"] }}
headers = {{ Authorization = "Bearer ${{TOKEN}}" }}
select = {{ temp = "/current/temp" }}
expect = {{ status = "200", json = {{ "/ok" = true }} }}
[[job]]
url = "{}"
"#,
        server.url("/weather"),
        server.url("/plain")
    );
    dir.write("plan.toml", plan);
    dir.write("secrets", "TOKEN=from-the-file\n");
    let run = |words: &str| line(&format!("run plan.toml --report json -q {words}")).inside(&dir);
    let report = run("--secrets secrets").env("TOKEN", "from-the-environment").run().expect_code(4).json();
    assert_eq!(endings(&report), ["ok", "expectation/body", "ok"]);
    assert_eq!(result(&report, "weather[berlin]")["data"], json!({"temp": 12.5}));
    let message = result(&report, "weather[oslo]")["error"]["message"].as_str().expect("why").to_owned();
    assert!(message.contains("/ok"), "{message}");
    let seen = server.requests();
    let tokens: Vec<_> = seen.iter().filter_map(|request| request.header("authorization")).collect();
    assert_eq!(tokens, ["Bearer from-the-file"; 2]);
    assert!(seen.iter().all(|request| request.header("x-default") == Some("d")));

    run("").env("TOKEN", "from-the-environment").run().expect_code(4);
    assert_eq!(
        server.requests()[3..].iter().filter_map(|r| r.header("authorization")).next(),
        Some("Bearer from-the-environment")
    );
    run("").env("ROUNDUP_SECRETS", "secrets").run().expect_code(4);
    line("run - --report json -q").inside(&dir).stdin(dir.read("plan.toml")).env("TOKEN", "x").run().expect_code(4);
}

#[test]
fn the_worst_code_counts_whatever_the_order() {
    let server = weather();
    let dir = Dir::new();
    let job = |path: &str, more: &str| format!("[[job]]\nurl = \"{}\"\nretries = 0\n{more}\n", server.url(path));
    let failing = job("/gone", "");
    let surprising = job("/plain", "expect = { json = { \"/ok\" = false } }");
    let good = job("/plain?1", "");
    for (jobs, code) in [
        (vec![&good], 0),
        (vec![&good, &failing], 3),
        (vec![&failing, &surprising], 4),
        (vec![&surprising, &failing, &good], 4),
    ] {
        dir.write("plan.toml", jobs.into_iter().map(String::as_str).collect::<String>());
        line("run plan.toml --concurrency 1").inside(&dir).run().expect_code(code);
        if cfg!(target_os = "linux") {
            line("run plan.toml --report json=/dev/full").inside(&dir).run().expect_code(5);
        }
    }
}

#[test]
fn options_go_over_hosts_and_jobs_of_a_plan() {
    let server = Server::start(|request| Reply::text(request.method.clone()));
    let dir = Dir::new();
    let plan = "[limits]\nconcurrency = 9\n[hosts.\"127.0.0.1\"]\nper_host = 9\n".to_owned();
    let jobs: String =
        (0..6).map(|n| format!("[[job]]\nurl = \"{}\"\nmethod = \"PUT\"\n", server.url(&format!("/{n}")))).collect();
    dir.write("plan.toml", plan + &jobs);
    let output = line("run plan.toml --per-host 1 --method GET --body -q").inside(&dir).run().expect_code(0);
    assert_eq!((output.stdout(), server.stats().peak_in_flight), ("GET".repeat(6).as_str(), 1));
}

#[test]
fn files_of_a_plan_go_to_the_output_folder() {
    let server = Server::start(|request| Reply::text(request.path().to_owned()));
    let dir = Dir::new();
    let server = Arc::new(server);
    dir.write(
        "plan.toml",
        format!(
            "[[job]]\nurl = \"{0}\"\noutput = \"mine.txt\"\n[[job]]\nurl = \"{0}\"\nname = \"mine.txt\"\n",
            server.url("/a")
        ),
    );
    line("run plan.toml -q").inside(&dir).run().expect_code(0);
    assert_eq!(dir.names(), ["mine.txt", "plan.toml"]);
    let report = line("run plan.toml -q --output-dir out --report json").inside(&dir).run().expect_code(0).json();
    assert_eq!(report["results"][0]["body_file"], "mine.txt");
    assert_ne!(report["results"][1]["body_file"], "mine.txt");
    assert_eq!(std::fs::read_dir(dir.join("out")).expect("a folder").count(), 2);
}
