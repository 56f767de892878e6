//! `diff`: what differs between two results.

use serde_json::{Value, json};

use super::{complaint, line};
use crate::common::{Dir, Reply, Server};

/// Two results of the same plan, and what the server said in the second.
fn two_results(dir: &Dir) {
    let server = Server::start(|request| match (request.path(), request.header("x-run")) {
        ("/shop", Some("1")) => {
            Reply::json(r#"[{"sku":"A1","price":10},{"sku":"A2","price":5},{"sku":"A3","price":7}]"#)
        }
        ("/shop", _) => Reply::json(r#"[{"sku":"A3","price":7.0},{"sku":"A1","price":12},{"sku":"A4","price":1}]"#),
        ("/pick", Some("1")) => Reply::json(r#"{"n":1000000000000000000001,"same":[1,2]}"#),
        ("/pick", _) => Reply::json(r#"{ "same": [1.0, 2], "n": 1000000000000000000002 }"#),
        ("/breaks", Some("1")) => Reply::text("fine"),
        ("/breaks", _) => Reply::status(503).body("down for maintenance"),
        _ => Reply::text("as ever"),
    });
    for (run, last) in [("1", "old"), ("2", "new")] {
        let job = |name: &str, more: &str| {
            let url = server.url(&format!("/{name}"));
            format!(
                "[[job]]\nname = \"{name}\"\nurl = \"{url}\"\nretries = 0\nheaders = {{ X-Run = \"{run}\" }}\n{more}\n"
            )
        };
        let shop = "rows = \"\"\ntable = \"prices\"\nselect = { price = \"/price\", sku = \"/sku\" }";
        let jobs = [
            job("shop", shop),
            job("pick", "select = { n = \"/n\" }"),
            job("breaks", ""),
            job("same", ""),
            job(last, ""),
        ];
        dir.write("plan.toml", jobs.concat());
        let reports = format!("--report {last}.json --report {last}.jsonl --state runs.db");
        line(&format!("run plan.toml -q {reports}")).inside(dir).run().expect_code(if run == "1" { 0 } else { 3 });
    }
}

const EXPECTED: &str = r#"
~ shop: content /0/price 10 -> 7.0, /0/sku A1 -> A3, /1/price 5 -> 12, and 3 more
~ pick: n 1000000000000000000001 -> 1000000000000000000002
~ pick: content /n 1000000000000000000001 -> 1000000000000000000002
~ breaks: ok (200) -> failed (503: down for maintenance)
+ new: ok (200)
- old: ok (200)

prices, by sku
+ price 1, sku A4, source shop
- price 5, sku A2, source shop
~ A1: price 10 -> 12

5 of 6 sources differ, 1 appeared, 1 gone, 1 with another status, 1 with other values, 2 with other content; rows: 1 appeared, 1 gone, 1 changed
"#;

#[test]
fn what_differs_is_a_line_each_whatever_the_results_are_read_from() {
    let dir = Dir::new();
    two_results(&dir);
    for (old, new) in
        [("old.json", "new.json"), ("old.jsonl", "new.json"), ("runs.db#1", "runs.db#2"), ("old.json", "runs.db")]
    {
        let output = line(&format!("diff {old} {new} --exit-code")).inside(&dir).run().expect_code(4);
        let text = output.stdout();
        let (heads, rest) = text.split_once("\n\n").expect("two heads");
        assert!(heads.starts_with(&format!("old  {old}, 20")), "{heads}");
        assert!(heads.ends_with("Z, 5 sources, 4 ok"), "{heads}");
        assert_eq!(rest, &EXPECTED[1..], "{old} {new}");
    }
    let same = line("diff runs.db runs.db#2 --exit-code").inside(&dir).run().expect_code(0);
    assert!(same.stdout().ends_with("\n\nnothing differs\n"), "{same:?}");
    line("diff old.json new.json").inside(&dir).run().expect_code(0);
}

#[test]
fn programs_read_it_as_json() {
    let dir = Dir::new();
    two_results(&dir);
    line("diff old.json new.json --report json=changes.json --report table").inside(&dir).run().expect_code(0);
    let text = dir.read("changes.json");
    assert!(text.contains(r#""old":1000000000000000000001,"new":1000000000000000000002"#), "digits are kept: {text}");
    let changes: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(changes["differs"], true);
    assert_eq!((&changes["old"]["ok"], &changes["new"]["ok"]), (&json!(5), &json!(4)));
    let breaks = changes["sources"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "breaks"));
    let change = &breaks.expect("it is there")["changes"][0];
    assert_eq!((&change["what"], &change["new"]["kind"]), (&json!("status"), &json!("status")));
    let table = &changes["tables"][0];
    assert_eq!(table["key"], json!(["sku"]));
    assert_eq!(table["changed"], json!([{"key": ["A1"], "cells": [{"column": "price", "old": 10, "new": 12}]}]));
}

#[test]
fn a_time_is_named_beyond_noise_alone() {
    let dir = Dir::new();
    let result = |times: &[u64]| {
        let results: Vec<Value> = times
            .iter()
            .enumerate()
            .map(|(at, ms)| {
                let attempt = json!({"started_ms": 0.0, "total_ms": ms, "status": 200, "address": null, "reused": false,
                    "waited_ms": null, "error": null});
                let timings = json!({"queue": 0, "dns": null, "connect": null, "tls": null, "first_byte": null, "body": null,
                    "total": ms});
                json!({"name": format!("s{at}"), "url": "http://h/", "final_url": null, "status": 200, "attempts": [attempt],
                    "timings_ms": timings, "content_type": null, "body_bytes": 0, "body": null, "error": null})
            })
            .collect();
        json!({"started": "2026-01-31T12:00:00.000Z", "elapsed_ms": 1, "interrupted": false, "results": results})
            .to_string()
    };
    dir.write("old.json", result(&[100, 200, 300, 400, 500, 600]));
    dir.write("new.json", result(&[140, 180, 350, 390, 2500, 650]));
    let output = line("diff old.json new.json").inside(&dir).run().expect_code(0);
    let lines: Vec<&str> = output.stdout().lines().filter(|line| line.starts_with('~')).map(str::trim).collect();
    assert_eq!(lines, ["~ s4: time 500 ms -> 2500 ms, 5.0 times as long"]);
}

#[test]
fn mistakes_are_a_line_each() {
    let dir = Dir::new();
    two_results(&dir);
    for (words, code, said) in [
        ("old.json", 1, "NEW"),
        ("old.json none.json", 2, "none.json: the result cannot be read"),
        ("old.json#1 new.json", 2, "old.json#1: old.json is no state file, so it has one run: write old.json"),
        ("runs.db#7 runs.db", 2, "runs.db has no run 7, the last is 2: `roundup history` lists them"),
        ("plan.toml new.json", 2, "plan.toml: it is not a result that roundup wrote"),
        ("old.json new.json --report csv", 1, "differences are not written as csv: write one of table, json"),
        ("old.json new.json --report json --report table", 1, "two reports, json and table, cannot both go to stdout"),
        ("old.json new.json --row-key ,", 1, "--row-key: \",\" names no columns"),
        (
            "old.json new.json --row-key prices=cost",
            1,
            "rows of \"prices\" cannot be known by cost: its columns in both results are price, sku",
        ),
        ("old.json new.json --row-key stock=sku", 1, "no table \"stock\": there are prices (price, sku"),
        ("old.json new.json --report none/x.json", 5, "there is no folder \"none\""),
    ] {
        let output = line(&format!("diff {words}")).inside(&dir).run().expect_code(code);
        assert!(complaint(&output).contains(said), "{words}: {output:?}");
    }
}

/// It showed 1970.
#[test]
fn a_report_that_was_cut_has_no_start() {
    let dir = Dir::new();
    two_results(&dir);
    let whole = dir.read("old.jsonl");
    let lines: Vec<&str> = whole.lines().collect();
    // The last of these lines is cut in its middle.
    dir.write("cut.jsonl", format!("{}\n{}\n{}", lines[0], lines[1], &lines[2][..20]));
    let formats =
        "--report cut.json --report cut.html --report cut.md --report cut.xml --report cut.prom --report {run}.csv";
    let output = line(&format!("render cut.jsonl {formats}")).inside(&dir).run().expect_code(0);
    let said = "cut.jsonl was cut short: it has 2 results, and does not say when they were fetched";
    assert_eq!(complaint(&output), said);
    let names = ["cut.json", "cut.html", "cut.md", "cut.xml", "cut.prom", "unknown.csv"];
    for name in names {
        assert!(!dir.read(name).contains("1970"), "{name}");
    }
    assert!(dir.read("cut.html").contains("start not known"));
    let document: Value = serde_json::from_str(&dir.read("cut.json")).expect("JSON");
    assert_eq!((&document["started"], &document["interrupted"]), (&Value::Null, &json!(true)));
    line("render cut.json --report table").inside(&dir).run().expect_code(0);
}
