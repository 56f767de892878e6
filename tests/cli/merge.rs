//! Results of several runs as one, of the shards of a plan above all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::shards::plan_of;
use super::{complaint, line, result, roundup};
use crate::common::{Dir, Reply, Server};

/// What answers jobs of random plans: the same to all, whoever asks and whenever.
fn catalogue() -> Server {
    Server::builder().unused_ok().start(|request| {
        let path = request.path().to_owned();
        let mut parts = path.split('/').skip(1);
        match (parts.next(), parts.next(), parts.next()) {
            (Some("login"), ..) => Reply::json(r#"{"token":"a-token-of-the-day"}"#),
            (Some("list"), Some(count), Some(first)) => {
                let (count, first): (u64, u64) = (count.parse().expect("a count"), first.parse().expect("a number"));
                let rows: Vec<Value> =
                    (first..first + count).map(|id| json!({"id": id, "price": id * 10 % 7})).collect();
                Reply::json(json!({"items": rows}).to_string())
            }
            // One in five is gone.
            (Some("item"), Some(id), _) if id.parse().is_ok_and(|id: u64| id % 5 == 4) => Reply::status(404),
            (Some("item"), Some(id), _) => {
                Reply::json(format!(r#"{{"id":{id},"parts":[{{"part":"{id}-a"}},{{"part":"{id}-b"}}]}}"#))
            }
            (Some("gone"), ..) => Reply::status(404).body("no such thing"),
            _ => Reply::json(json!({"path": path}).to_string()),
        }
    })
}

/// A random plan, and the names of the tables of jobs whose jobs may run in several shards.
fn random_plan(rng: &mut fastrand::Rng, base: &str) -> (String, BTreeSet<&'static str>) {
    let mut tables = vec![
        "[report]\ntitle = \"All\"\n[[report.table]]\ntable = \"sources\"\ncolumns = [\"name\", \"status\"]\nsort = \"name\"\n".to_owned(),
    ];
    let mut jobs = Vec::new();
    let mut needed = BTreeSet::new();
    for number in 0..rng.usize(0..6) {
        let path = if rng.u8(..4) == 0 { "gone" } else { "value" };
        let each = if rng.bool() {
            format!("each = {{ n = {{ from = 1, to = {} }} }}\n", rng.u8(1..9))
        } else {
            String::new()
        };
        let query = if each.is_empty() { "" } else { "?n={n}" };
        jobs.push(format!(
            "name = \"plain{number}\"\nurl = \"{base}/{path}/{number}{query}\"\n{each}select = {{ path = \"/path\" }}\n"
        ));
    }
    let has_list = rng.u8(..4) > 0;
    if has_list {
        let several = rng.bool();
        let (each, first) = if several { ("each = { s = [\"100\", \"200\"] }\n", "{s}") } else { ("", "1") };
        let rows = rng.u8(0..12);
        jobs.push(format!(
            "name = \"items\"\nurl = \"{base}/list/{rows}/{first}\"\n{each}rows = \"/items\"\ntable = \"prices\"\nselect = {{ id = \"/id\", price = \"/price\" }}\n"
        ));
        let key = if rng.bool() { "key = \"id\"\n" } else { "" };
        jobs.push(format!(
            "name = \"detail\"\nfor_each = \"items\"\n{key}url = \"{base}/item/{{items.id}}\"\nrows = \"/parts\"\ntable = \"parts\"\nselect = {{ part = \"/part\" }}\n"
        ));
        needed.insert("items");
        if rng.bool() {
            jobs.push(format!("name = \"part\"\nfor_each = \"detail\"\nurl = \"{base}/value/{{detail.part}}\"\n"));
            needed.insert("detail");
        }
        tables.push(
            "[[report.table]]\nname = \"cheap\"\nsql = \"select price, count(*) as n from prices group by price order by price\"\n".to_owned(),
        );
        if rng.bool() {
            jobs.push(format!("name = \"lost\"\nfor_each = \"broken\"\nurl = \"{base}/value/{{broken.x}}\"\n"));
            jobs.push(format!(
                "name = \"broken\"\nurl = \"{base}/gone/list\"\nrows = \"/items\"\nselect = {{ x = \"/x\" }}\n"
            ));
            needed.extend(["broken", "lost"]);
        }
    }
    if rng.bool() || jobs.is_empty() {
        let report = if rng.bool() { "report = false\n" } else { "" };
        jobs.push(format!("name = \"login\"\nurl = \"{base}/login\"\nselect = {{ token = \"/token\" }}\nsecret = [\"token\"]\n{report}"));
        jobs.push(format!(
            "name = \"own\"\nurl = \"{base}/value/own/{{n}}\"\neach = {{ n = {{ from = 1, to = {} }} }}\nheaders = {{ Authorization = \"Bearer {{login.token}}\" }}\n",
            rng.u8(1..6)
        ));
        needed.insert("login");
    }
    rng.shuffle(&mut jobs);
    let jobs = jobs.iter().map(|job| format!("[[job]]\nretries = 0\n{job}"));
    (tables.into_iter().chain(jobs).collect(), needed)
}

/// What of a report does not depend on time and connections.
fn settled(report: &Value) -> Value {
    let results: Vec<Value> = report["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| {
            let of = |key: &str| result[key].clone();
            let attempts = result["attempts"].as_array().map(Vec::len);
            json!([
                of("name"),
                of("place"),
                of("url"),
                of("status"),
                of("data"),
                of("table"),
                of("rows"),
                of("error"),
                of("body"),
                attempts
            ])
        })
        .collect();
    let totals: Vec<Value> = ["total", "ok", "failed", "skipped", "retried", "attempts", "bytes"]
        .map(|key| report["summary"][key].clone())
        .into();
    json!([report["title"], totals, results, report["tables"]])
}

fn names(report: &Value) -> Vec<String> {
    let results = report["results"].as_array().expect("results");
    results.iter().map(|result| result["name"].as_str().expect("a name").to_owned()).collect()
}

/// For random plans and numbers of shards: each job runs in one shard, or where it is needed, and the merged result is that
/// of a run of the whole.
#[test]
fn shards_are_a_partition_and_merged_they_are_the_whole() {
    let server = catalogue();
    let base = server.url("/").trim_end_matches('/').to_owned();
    let mut rng = fastrand::Rng::with_seed(21);
    for round in 0..20 {
        let dir = Dir::new();
        let (plan, needed) = random_plan(&mut rng, &base);
        dir.write("plan.toml", &plan);
        let whole = line("run plan.toml -q --report whole.json").inside(&dir).run();
        let expected: Value = serde_json::from_str(&dir.read("whole.json")).expect("JSON");
        let of = rng.u32(1..6);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for number in 1..=of {
            let reports = format!("--report {number}.json --report {number}.jsonl --state {number}.db");
            line(&format!("run plan.toml -q --shard {number}/{of} {reports}")).inside(&dir).run();
            let report: Value = serde_json::from_str(&dir.read(&format!("{number}.json"))).expect("JSON");
            assert_eq!(report["shard"], format!("{number}/{of}"));
            names(&report).into_iter().for_each(|name| *seen.entry(name).or_default() += 1);
        }
        let all: BTreeSet<String> = names(&expected).into_iter().collect();
        assert_eq!(seen.keys().cloned().collect::<BTreeSet<_>>(), all, "round {round}, {of} shards of\n{plan}");
        let several =
            seen.iter().filter(|(_, count)| **count > 1).map(|(name, _)| name.split('[').next().unwrap_or(name));
        assert!(several.clone().all(|table| needed.contains(table)), "{seen:?}");
        for ending in ["json", "jsonl", "db"] {
            let mut files: Vec<String> = (1..=of).map(|number| format!("{number}.{ending}")).collect();
            rng.shuffle(&mut files);
            let words = ["merge", "--plan", "plan.toml", "--report", "merged.json"].map(str::to_owned);
            let merged = roundup(words.into_iter().chain(files)).inside(&dir).run();
            assert_eq!((merged.code(), &*merged.stderr), (whole.code(), ""), "round {round}: {merged:?}\n{plan}");
            let mut report: Value = serde_json::from_str(&dir.read("merged.json")).expect("JSON");
            let mut expected = expected.clone();
            if ending == "db" {
                // States keep contents and digits in another form, and no more than what is needed.
                for report in [&mut report, &mut expected] {
                    report["results"]
                        .as_array_mut()
                        .expect("results")
                        .iter_mut()
                        .for_each(|it| it["body"] = Value::Null);
                }
            }
            let (report, expected) = (settled(&report), settled(&expected));
            assert_eq!(report, expected, "round {round}, {of} shards, {ending}\n{plan}");
        }
        // Without the plan it has the same results in the same order.
        let files: Vec<String> = (1..=of).map(|number| format!("{number}.jsonl")).collect();
        let words = ["merge", "--report", "merged.json"].map(str::to_owned);
        roundup(words.into_iter().chain(files)).inside(&dir).run();
        let report: Value = serde_json::from_str(&dir.read("merged.json")).expect("JSON");
        assert_eq!(settled(&report)[2], settled(&expected)[2], "round {round}\n{plan}");
    }
}

/// Both go on with runs of their own shard, also if one file has those of all.
#[test]
fn a_shard_goes_on_with_its_own_run() {
    let server = Server::start(|request| match request.header("x-day") {
        Some("1") if request.path() > "/value/5" => Reply::status(503),
        _ => Reply::json("{}"),
    });
    let dir = Dir::new();
    let plan =
        |day: &str| plan_of(&server, 9) + &format!("headers = {{ X-Day = \"${{{day}}}\" }}\n").replace(day, "DAY");
    dir.write("plan.toml", plan("DAY"));
    let run = |day: &str, more: &str| {
        line(&format!("run plan.toml --state all.db {more}")).env("DAY", day).inside(&dir).run()
    };
    for number in 1..=3 {
        run("1", &format!("-q --shard {number}/3 --report json={number}.json"));
    }
    let before = server.requests().len();
    assert_eq!(before, 9);
    for number in 1..=3 {
        run("2", &format!("-q --shard {number}/3 --only-failed --report json={number}.json")).expect_code(0);
    }
    assert_eq!(server.requests().len() - before, 4, "6 to 9 had failed");
    let again = run("2", "--shard 2/3 --resume --report json=2.json");
    assert!(again.stderr.contains("has no run to go on with"), "{again:?}");
    let merged = line("merge 1.json 2.json 3.json --report json").inside(&dir).run().expect_code(0).json();
    assert_eq!(names(&merged), Vec::from_iter((1..10).map(|number| format!("v[{number}]"))));
    let history = line("history all.db").inside(&dir).run().expect_code(0);
    for number in 1..=3 {
        assert!(history.stdout().contains(&format!("plan.toml {number}/3")), "{history:?}");
    }
    let merged = line("merge all.db#1 all.db#2 all.db#3 --report json").inside(&dir).run().expect_code(0).json();
    assert_eq!(names(&merged).len(), 9);
}

#[test]
fn what_does_not_fit_together_is_named_in_a_line_each() {
    let server = catalogue();
    let dir = Dir::new();
    dir.write("plan.toml", plan_of(&server, 6));
    for shard in ["1/2", "2/2", "1/3"] {
        let file = shard.replace('/', "-");
        line(&format!("run plan.toml -q --shard {shard} --report {file}.jsonl")).inside(&dir).run().expect_code(0);
    }
    line("run plan.toml -q --report whole.json").inside(&dir).run().expect_code(0);
    dir.write("plan.toml", plan_of(&server, 7));
    line("run plan.toml -q --shard 2/2 --report other.jsonl").inside(&dir).run().expect_code(0);
    dir.write("empty.jsonl", "");
    dir.write("no.json", "{\"a\":1}");
    dir.write("bytes.jsonl", b"\xff\xfe\n");
    let another = "their jobs have other names or URLs, from other variables perhaps";
    for (files, said) in [
        (
            "1-2.jsonl empty.jsonl",
            "empty.jsonl: it is not a result that roundup wrote with --report json or jsonl: it is empty",
        ),
        (
            "no.json",
            "no.json: it is not a result that roundup wrote with --report json or jsonl: missing field `results` at line 1 column 7",
        ),
        ("bytes.jsonl", "bytes.jsonl: it is neither text nor a state file"),
        ("1-2.jsonl 1-2.jsonl", "1-2.jsonl: it is of shard 1/2, and so is 1-2.jsonl: leave one of them out"),
        ("1-2.jsonl 1-3.jsonl", "1-3.jsonl: it is of shard 1/3, and 1-2.jsonl is of shard 1/2"),
        ("1-2.jsonl whole.json", "whole.json: it is of no shard, and 1-2.jsonl is of shard 1/2"),
        ("1-2.jsonl other.jsonl", &format!("other.jsonl: it is of another plan than 1-2.jsonl: {another}")),
        ("1-2.jsonl --plan plan.toml", &format!("1-2.jsonl: it is of another plan than plan.toml: {another}")),
    ] {
        let output = line(&format!("merge {files} --report merged.html")).inside(&dir).run().expect_code(2);
        assert_eq!(complaint(&output), said);
    }
    assert!(!dir.names().contains(&"merged.html".to_owned()));
    let output = line("merge --report merged.html").inside(&dir).run().expect_code(1);
    assert!(complaint(&output).starts_with("RESULT is missing: "), "{output:?}");
}

/// A machine that died has left a file without its end, and another none.
#[test]
fn what_is_missing_is_named_and_in_the_report_of_the_plan() {
    let server = catalogue();
    let dir = Dir::new();
    dir.write("plan.toml", plan_of(&server, 12));
    for number in 1..=3 {
        line(&format!("run plan.toml -q --shard {number}/3 --report {number}.jsonl")).inside(&dir).run().expect_code(0);
    }
    let first = dir.read("1.jsonl");
    let kept: Vec<&str> = first.lines().filter(|line| line.contains("\"result\"")).take(1).collect();
    let head = first.lines().next().expect("a first line");
    dir.write("1.jsonl", format!("{head}\n{}\n{{\"type\":\"result\",\"index\":", kept[0]));
    let merged = line("merge 1.jsonl 3.jsonl --report json").inside(&dir).run().expect_code(3);
    let cut = "roundup: 1.jsonl was cut short: it has 1 results, and does not say when they were fetched";
    assert_eq!(merged.stderr, format!("{cut}\nroundup: shard 2/3 is missing\n"));
    assert_eq!(merged.json()["interrupted"], true);
    let merged = line("merge 1.jsonl 3.jsonl --plan plan.toml --report json").inside(&dir).run().expect_code(3);
    let report = merged.json();
    assert_eq!(names(&report), Vec::from_iter((1..13).map(|number| format!("v[{number}]"))));
    let lines: Vec<&str> = merged.stderr.lines().collect();
    assert_eq!(lines[..2], [cut, "roundup: shard 2/3 is missing"]);
    assert!(lines.len() == 3 && lines[2].ends_with(" are in none of the results"), "{lines:?}");
    let second = dir.read("2.jsonl");
    let name = second.split("\"name\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a name");
    let error = &result(&report, name)["error"];
    assert_eq!(error["message"], "it is in none of the results: shard 2/3 is missing");
    assert_eq!(error["kind"], "skipped");
}

/// The report of the plan, its outputs included, without its secrets.
#[test]
fn the_plan_makes_the_tables_and_says_where_the_report_goes() {
    let server = catalogue();
    let dir = Dir::new();
    let base = server.url("/").trim_end_matches('/').to_owned();
    let plan = "[report]\ntitle = \"Prices\"\n[[report.table]]\nname = \"dear\"\ntable = \"prices\"\nsort = \"-price\"\nlimit = 2\n\
         [[report.output]]\nfile = \"prices.csv\"\n\
         [[job]]\nname = \"shop\"\nurl = \"${BASE}/list/5/1\"\nrows = \"/items\"\ntable = \"prices\"\nselect = { id = \"/id\", price = \"/price\" }\n\
         headers = { Authorization = \"Bearer ${TOKEN}\" }\n";
    dir.write("plan.toml", plan);
    for number in 1..=2 {
        line(&format!("run plan.toml -q --shard {number}/2 --report {number}.json"))
            .env("TOKEN", "abcdefgh")
            .env("BASE", &base)
            .inside(&dir)
            .run();
    }
    let merged = line("merge 2.json 1.json --plan plan.toml").inside(&dir).run().expect_code(0);
    assert_eq!((merged.stdout(), &*merged.stderr), ("", ""));
    assert_eq!(dir.read("prices.csv"), "id,price,source\r\n2,6,shop\r\n4,5,shop\r\n");
    let merged = line("merge 2.json 1.json").inside(&dir).run().expect_code(0);
    assert!(merged.stdout().starts_with("Prices\n\nprices\n"), "{merged:?}");
    assert_eq!(merged.stderr, "roundup: the tables of the plan's report are not made: give the plan with --plan\n");
}

#[test]
fn results_of_ones_own_choice_follow_each_other() {
    let server = Server::start(|request| {
        if request.path() == "/b" && request.header("x-old").is_some() { Reply::status(404) } else { Reply::text("x") }
    });
    let dir = Dir::new();
    let get = |words: &str, report: &str| {
        let urls: Vec<String> = words.split_whitespace().map(|path| server.url(path)).collect();
        let old = if report == "old.json" { "-HX-Old:1" } else { "-HX-New:1" };
        roundup(["get", "-q", "--report", report, old]).args(urls).inside(&dir).run();
    };
    get("/a /b", "old.json");
    get("/b /c", "new.jsonl");
    let merged = line("merge old.json new.jsonl --report json").inside(&dir).run().expect_code(0);
    let paths: Vec<String> = names(&merged.json()).iter().map(|name| name[name.len() - 2..].to_owned()).collect();
    assert_eq!(paths, ["/a", "/b", "/c"]);
    assert!(merged.stderr.ends_with("/b is there several times: the run that started last counts\n"), "{merged:?}");
    // Merged once more, and alone, it is the same.
    let text = merged.stdout().to_owned();
    dir.write("both.json", &text);
    assert_eq!(line("merge both.json --report json").inside(&dir).run().expect_code(0).stdout(), text);
}

/// A shard without jobs is one of them all the same, and a list is put together in its order.
#[test]
fn lists_are_put_together_in_their_order() {
    let server = Server::start(|request| Reply::text(format!("{} ", request.path())));
    let dir = Dir::new();
    let list: String = (0..6).map(|number| server.url(&format!("/{number}\n"))).collect();
    for number in 1..=20 {
        let command = format!("get --input - --shard {number}/20 --report {number:02}.jsonl -q");
        line(&command).inside(&dir).stdin(list.clone()).run().expect_code(0);
    }
    let files = dir.names().into_iter().rev();
    let words = ["merge", "--report", "json"].map(str::to_owned);
    let merged = roundup(words.into_iter().chain(files)).inside(&dir).run().expect_code(0).json();
    let bodies: Vec<&str> =
        merged["results"].as_array().expect("results").iter().filter_map(|it| it["body"].as_str()).collect();
    assert_eq!(bodies, Vec::from_iter((0..6).map(|number| format!("/{number} "))));
}
