//! What an adaptive run has found of its hosts is where the next one begins.

use std::time::Duration;

use serde_json::Value;

use super::{line, query};
use crate::common::{Dir, Reply, Server};

fn adaptive(server: &Server, dir: &Dir, jobs: usize) -> Value {
    let urls: Vec<String> = (0..jobs).map(|number| server.url(&format!("/{number}"))).collect();
    dir.write("urls", urls.join("\n"));
    line(dir, "get --input urls --adaptive --state runs.db --report json=r.json -q").run().expect_code(0);
    serde_json::from_str(&dir.read("r.json")).expect("JSON")
}

/// How many sources have waited for a place at their host.
fn waited(report: &Value) -> usize {
    let results = report["results"].as_array().expect("results").iter();
    results.filter(|result| !result["waits_ms"]["host"].is_null()).count()
}

#[test]
fn the_next_run_begins_with_what_the_last_one_has_found() {
    let server = Server::start(|_| Reply::json("1").late(Duration::from_millis(60)));
    let dir = Dir::new();
    let first = adaptive(&server, &dir, 8);
    assert_eq!(waited(&first), 4, "it begins with four at once");
    let many = adaptive(&server, &dir, 100);
    let host = server.url("/").trim_end_matches('/').to_owned();
    assert_eq!(many["hosts"][0]["host"], host.as_str(), "{}", many["hosts"]);
    let found = many["hosts"][0]["at_once"].as_u64().expect("a number");
    let found = usize::try_from(found).expect("a few");
    assert_eq!(query::<usize>(&dir, "select at_once from hosts"), [found]);
    assert_eq!(
        waited(&adaptive(&server, &dir, 8)),
        8_usize.saturating_sub(found),
        "as many start at once as were found"
    );
}

#[test]
fn a_run_that_is_not_adaptive_says_nothing_of_hosts() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    line(&dir, &format!("get {} --state runs.db --report json=r.json -q", server.url("/"))).run().expect_code(0);
    assert!(dir.read("r.json").contains("\"hosts\":[]"));
    assert_eq!(query::<u32>(&dir, "select count(*) from hosts"), [0]);
}
