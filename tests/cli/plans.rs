//! `run`: a plan from the file to the report.

use std::sync::Arc;

use serde_json::{Value, json};

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

/// As in curl and Hurl: a value given beside the plan goes before the one of `[variables]`, and takes its type there.
#[test]
fn a_variable_is_given_beside_the_plan() {
    let server = Server::start(|request| Reply::json(format!("{:?}", request.text())));
    let dir = Dir::new();
    let url = server.url("/{city}?n={n}");
    let plan = format!(
        "[variables]\ncity = \"oslo\"\nn = 1\n[[job]]\nurl = \"{url}\"\nmethod = \"POST\"\njson = {{ c = \"{{city}}\", n = \"{{n}}\" }}\n"
    );
    dir.write("plan.toml", plan);
    let sent = |words: &str, env: &str| {
        let mut command = line(&format!("run plan.toml -q {words}")).inside(&dir);
        if !env.is_empty() {
            command = command.env("ROUNDUP_VARIABLE", env);
        }
        command.run().expect_code(0);
        server.requests().last().map(|request| (request.target.clone(), request.text())).expect("it came")
    };
    let pair = |target: &str, text: &str| (target.to_owned(), text.to_owned());
    assert_eq!(sent("", ""), pair("/oslo?n=1", r#"{"c":"oslo","n":1}"#));
    assert_eq!(
        sent("--variable city=a/b%20c --variable n=7", ""),
        pair("/a%2Fb%2520c?n=7", r#"{"c":"a/b%20c","n":7}"#)
    );
    assert_eq!(sent("--variable=n=x=y", "city=rome"), pair("/oslo?n=x%3Dy", r#"{"c":"oslo","n":"x=y"}"#));
    assert_eq!(sent("", "city=rome\nn=2"), pair("/rome?n=2", r#"{"c":"rome","n":2}"#));
    for (words, said) in [
        ("run plan.toml --variable city", "--variable: \"city\" has no value: write NAME=VALUE"),
        ("run plan.toml --variable 1=x", "--variable: \"1\""),
        ("get http://h/ --variable a=b", "--variable is not an option of get"),
        ("compare http://h/ --variable a=b", "--variable has no effect without a plan"),
    ] {
        let output = line(words).inside(&dir).run().expect_code(1);
        assert!(output.stderr.contains(said), "{words}: {output:?}");
    }
}

#[test]
fn a_plan_says_what_a_selected_value_is_if_it_is_not_there() {
    let server = Server::start(|_| Reply::json(r#"{"id": 7}"#));
    let dir = Dir::new();
    let plan = |select: &str| format!("[[job]]\nurl = \"{}\"\nselect = {{ {select} }}\n", server.url("/"));
    let run = |select: &str| {
        dir.write("plan.toml", plan(select));
        line("run plan.toml --report json").inside(&dir).run()
    };
    let output = run(r#"id = "/id", note = { at = "/note", optional = true }, eur = { at = "/p", default = 1.50 }"#);
    assert_eq!(output.expect_code(0).json()["results"][0]["data"], json!({"id": 7, "note": null, "eur": 1.5}));
    let output = run(r#"id = "/id", price = "/price/net""#).expect_code(4);
    let result = output.json()["results"][0].clone();
    assert_eq!((&result["error"]["kind"], &result["data"]["id"]), (&json!("expectation"), &json!(7)));
    for (select, said) in [
        (r#"a = { optional = true }"#, "select.a: says not where the value comes from"),
        (r#"a = { at = "/a", optoinal = true }"#, "optional"),
        (r#"a = { at = "a" }"#, "JSON Pointer"),
        (r#"a = { at = "/a", optional = 1 }"#, "true or false"),
    ] {
        let output = run(select).expect_code(2);
        assert!(output.stderr.contains(said), "{select}: {output:?}");
    }
}

/// What a plan has picked values from is not read a second time to find out whether it is JSON; it must be written as it was
/// all the same, and as valid JSON also where serde_json is lenient.
#[test]
fn a_content_that_was_picked_from_is_in_the_report_as_json_or_as_text() {
    let (deep, wide) = (format!("{{\"v\":1,\"d\":{}{}}}", "[".repeat(200), "]".repeat(200)), "{\"v\":1,\"n\":1e999}");
    let cases: [(&str, &str, Value); 9] = [
        ("application/json", "{ \"v\" : 1.10 }", json!({"v": 1.10})),
        ("application/json", "{\"v\":1,\"k\t\u{1b}\":2}", json!({"v": 1, "k\t\u{1b}": 2})),
        ("application/json", "\u{feff}{\"v\":1}", json!({"v": 1})),
        ("application/json", &deep, json!(deep)),
        ("application/json", wide, json!(wide)),
        ("text/plain", "{\"v\":1}", json!("{\"v\":1}")),
        ("application/json", "{\"v\":1} x", json!("{\"v\":1} x")),
        ("application/json; charset=latin1", "{\"v\":1}", json!({"v": 1})),
        ("application/xml", "<v>1</v>", json!("<v>1</v>")),
    ];
    for (content_type, content, expected) in cases {
        let body = content.to_owned();
        let server = Server::start(move |_| Reply::status(200).header("Content-Type", content_type).body(body.clone()));
        let dir = Dir::new();
        for pick in [
            "select = { v = \"/v\" }",
            "select = { v = \"/v\" }\nrows = \"/rows\"",
            "expect = { json = { \"/v\" = 1 } }",
        ] {
            dir.write("plan.toml", format!("[[job]]\nurl = \"{}\"\n{pick}\n", server.url("/")));
            for format in ["json", "jsonl"] {
                let report = line(&format!("run plan.toml -q --report {format}")).inside(&dir).run();
                let first = report
                    .stdout()
                    .lines()
                    .find_map(|line| serde_json::from_str::<Value>(line.trim_end_matches(',')).ok());
                let body = match format {
                    "json" => report.json()["results"][0]["body"].clone(),
                    _ => first.expect("a line")["body"].clone(),
                };
                assert_eq!(body, expected, "{content_type} {content} {pick} {format}");
            }
        }
    }
}
