//! Parts of a plan, each of which a machine runs by itself.

use serde_json::{Value, json};

use super::line;
use crate::common::{Dir, Reply, Server};

/// A plan of so many jobs of one server.
pub(super) fn plan_of(server: &Server, count: u32) -> String {
    let url = server.url("/value/{n}");
    format!("[[job]]\nname = \"v\"\nurl = \"{url}\"\nretries = 0\neach = {{ n = {{ from = 1, to = {count} }} }}\n")
}

/// The names that `check` lists.
fn checked(dir: &Dir, shard: &str) -> Vec<String> {
    let output = line(&format!("check plan.toml --shard {shard}")).inside(dir).run().expect_code(0);
    let mut names: Vec<String> =
        output.stdout().lines().filter_map(|line| Some(line.split_once(": GET")?.0.to_owned())).collect();
    names.sort();
    names
}

#[test]
fn jobs_that_are_added_move_no_others() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("{}"));
    let dir = Dir::new();
    dir.write("plan.toml", plan_of(&server, 20));
    let before: Vec<_> = (1..=4).map(|number| checked(&dir, &format!("{number}/4"))).collect();
    assert_eq!(before.iter().map(Vec::len).sum::<usize>(), 20);
    let other = "[[job]]\nname = \"first\"\nurl = \"http://127.0.0.1:1/\"\n".to_owned();
    // Another URL and another field are the same job.
    dir.write("plan.toml", other + &plan_of(&server, 30).replace("/value/", "/worth/") + "headers = { X-A = \"b\" }\n");
    for (number, before) in (1..=4).zip(before) {
        let after = checked(&dir, &format!("{number}/4"));
        assert!(before.iter().all(|name| after.contains(name)), "{before:?} {after:?}");
    }
    let output = line("check plan.toml --shard 2/4").inside(&dir).run().expect_code(0);
    let last = output.stdout().lines().last().expect("limits");
    assert!(last.contains(" of shard 2/4, "), "{last}");
}

#[test]
fn check_shows_what_a_shard_runs_and_what_that_needs() {
    let dir = Dir::new();
    dir.write(
        "plan.toml",
        "[[job]]\nname = \"login\"\nurl = \"http://h/login\"\nselect = { token = \"/token\" }\n\
         [[job]]\nname = \"own\"\nurl = \"http://h/{n}?{login.token}\"\neach = { n = [\"1\", \"2\", \"3\"] }\n",
    );
    let mut with_login = 0;
    for number in 1..=40 {
        let output = line(&format!("check plan.toml --shard {number}/40")).inside(&dir).run().expect_code(0);
        let text = output.stdout();
        // Who needs it has it, and one more may be the one that it belongs to.
        assert!(!text.contains("own:") || text.starts_with("login: GET "), "{text}");
        with_login += usize::from(text.contains("login: GET "));
        if !text.contains("GET") {
            assert!(text.starts_with(&format!("0 jobs of shard {number}/40, ")), "{text}");
            assert_eq!(output.stderr, format!("roundup: shard {number}/40 has no job: all are in others\n"));
        }
    }
    assert!((3..=4).contains(&with_login), "{with_login}");
}

#[test]
fn a_shard_without_jobs_is_a_success_that_says_so() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("{}"));
    let dir = Dir::new();
    dir.write("plan.toml", plan_of(&server, 1));
    let empty = (1..=2).find(|number| checked(&dir, &format!("{number}/2")).is_empty()).expect("one of two has none");
    let output =
        line(&format!("run plan.toml --shard {empty}/2 --report empty.json --report empty.jsonl --report table"))
            .inside(&dir)
            .run()
            .expect_code(0);
    assert!(output.stdout().contains(&format!("shard {empty}/2: 0 sources: 0 ok, 0 failed")), "{output:?}");
    assert_eq!(output.stderr, format!("roundup: shard {empty}/2 has no job: all are in others\n"));
    let report: Value = serde_json::from_str(&dir.read("empty.json")).expect("JSON");
    assert_eq!((&report["shard"], &report["results"]), (&json!(format!("{empty}/2")), &json!([])));
    assert_eq!(dir.read("empty.jsonl").lines().count(), 2);
    assert!(server.requests().is_empty());
}

#[test]
fn a_list_is_cut_too_and_contents_come_in_its_order() {
    let server = Server::start(|request| Reply::text(format!("{} ", request.path())));
    let dir = Dir::new();
    let list: String = (0..12).map(|number| server.url(&format!("/{number}\n"))).collect();
    let mut all = Vec::new();
    for number in 1..=3 {
        let command = format!("get --input - --shard {number}/3 --body --report jsonl={number}.jsonl -q");
        let output = line(&command).inside(&dir).stdin(list.clone()).run().expect_code(0);
        let paths: Vec<u32> =
            output.stdout().split_whitespace().map(|path| path[1..].parse().expect("a number")).collect();
        assert!(paths.is_sorted(), "{paths:?}");
        all.extend(paths);
    }
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..12));
    let commands = line("get --input - --shard 2/3 --curl").inside(&dir).stdin(list).run();
    if commands.code() == Some(0) {
        let second = dir.read("2.jsonl").matches("\"type\":\"result\"").count();
        assert_eq!(commands.stdout().matches("curl ").count(), second, "{commands:?}");
    }
}
