//! Going on with a run, and repeating what failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{line, query, texts};
use crate::common::{Dir, Output, Reply, Server};

/// A server whose sources hang or fail until they are mended.
fn server() -> (Server, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = mended.clone();
    let server = Server::start(move |request| match (request.path(), is_mended.load(Ordering::SeqCst)) {
        ("/slow", false) => Reply::hang(),
        ("/bad", false) => Reply::status(404),
        (path, _) => Reply::json(format!("\"{path}\"")),
    });
    (server, mended)
}

fn plan(jobs: &[&str]) -> String {
    let job = |name: &&str| {
        let (name, more) = name.split_once(' ').unwrap_or((name, ""));
        format!("[[job]]\nname = \"{name}\"\nurl = \"{{base}}/{name}\"\n{}\n", more.replace(';', "\n"))
    };
    jobs.iter().map(job).collect()
}

fn run(server: &Server, dir: &Dir, more: &str) -> Output {
    let words = format!(
        "run plan.toml --variable base={} --state runs.db --retries 0 --report json=out.json {more}",
        server.url("/").trim_end_matches('/')
    );
    line(dir, &words).run()
}

/// The names of the results, and what was fetched since this many requests.
fn results(server: &Server, dir: &Dir, since: usize) -> (Vec<String>, Vec<String>) {
    let report: serde_json::Value = serde_json::from_str(&dir.read("out.json")).expect("JSON");
    let results = report["results"].as_array().expect("results");
    let show = |result: &serde_json::Value| {
        let end = if result["ok"] == true { result["body"].to_string() } else { result["error"]["kind"].to_string() };
        format!("{} {end}", result["name"].as_str().expect("a name"))
    };
    let mut asked: Vec<String> = server.requests()[since..].iter().map(|it| it.path().to_owned()).collect();
    asked.sort();
    (results.iter().map(show).collect(), asked)
}

#[test]
fn a_run_that_was_cut_short_goes_on_and_its_report_holds_all() {
    let (server, mended) = server();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&["a", "slow", "bad", "b"]));
    run(&server, &dir, "--deadline 1s").expect_code(3);
    assert_eq!(texts(&dir, "select how from runs"), ["cut short"]);
    mended.store(true, Ordering::SeqCst);
    // A job was added, one is gone, and one sends something else.
    dir.write("plan.toml", plan(&["new", "a", "slow", "bad", "other", "b method = \"POST\""]).replace("other", "c"));
    let output = run(&server, &dir, "--resume").expect_code(3);
    let (results, asked) = results(&server, &dir, 4);
    let expected = [r#"new "/new""#, r#"a "/a""#, r#"slow "/slow""#, r#"bad "status""#, r#"c "/c""#, r#"b "/b""#];
    assert_eq!(results, expected);
    assert_eq!(asked, ["/b", "/c", "/new", "/slow"], "what failed is not missing");
    assert!(output.stderr.contains("2 sources are kept, 4 are fetched"), "{output:?}");
    assert!(output.stderr.contains("changed since, and fetched again: b\n"), "{output:?}");
    assert_eq!(texts(&dir, "select id || how || resumed from runs"), ["1done1"]);
    assert_eq!(texts(&dir, "select name from outcomes order by place"), ["new", "a", "slow", "bad", "c", "b"]);
}

#[test]
fn without_a_run_to_go_on_with_a_new_one_begins() {
    let (server, _) = server();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&["a"]));
    for number in 1..=2 {
        let output = run(&server, &dir, "--resume").expect_code(0);
        let said = format!("runs.db has no run to go on with: run {number} begins");
        assert!(output.stderr.contains(&said), "{output:?}");
    }
    // A run of another plan is another run.
    dir.write("other.toml", dir.read("plan.toml") + "[[job]]\nname = \"slow\"\nurl = \"{base}/slow\"\n");
    let words = format!(
        "run other.toml --variable base={} --state runs.db --deadline 1s -q",
        server.url("/").trim_end_matches('/')
    );
    line(&dir, &words).run().expect_code(3);
    let output = run(&server, &dir, "--resume").expect_code(0);
    assert!(output.stderr.contains("run 4 begins"), "{output:?}");
}

#[test]
fn what_failed_is_repeated_and_the_rest_is_taken_from_the_file() {
    let (server, mended) = server();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&["a", "bad", "b"]));
    run(&server, &dir, "-q").expect_code(3);
    mended.store(true, Ordering::SeqCst);
    run(&server, &dir, "-q --only-failed").expect_code(0);
    let (results, asked) = results(&server, &dir, 3);
    assert_eq!(results, [r#"a "/a""#, r#"bad "/bad""#, r#"b "/b""#]);
    assert_eq!(asked, ["/bad"]);
    assert_eq!(query::<i64>(&dir, "select sum(ok) from outcomes"), [3]);
}

#[test]
fn what_is_made_of_a_response_may_have_changed_too() {
    let (server, _) = server();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&["a", "bad"]));
    run(&server, &dir, "-q").expect_code(3);
    dir.write("plan.toml", plan(&["a select = { all = \"\" }", "bad"]));
    let output = run(&server, &dir, "--only-failed").expect_code(3);
    assert!(output.stderr.contains("changed since, and fetched again: a\n"), "{output:?}");
    assert_eq!(texts(&dir, "select data from outcomes where name = 'a'"), [r#"{"all":"/a"}"#]);
}

#[test]
fn a_file_that_is_gone_and_a_content_that_was_not_kept_are_fetched_again() {
    let (server, _) = server();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&["a", "b", "bad"]));
    let words = |more: &str| {
        format!(
            "run plan.toml --variable base={} --state runs.db --retries 0 {more}",
            server.url("/").trim_end_matches('/')
        )
    };
    line(&dir, &words("--report table=out.txt -q")).run().expect_code(3);
    let output = run(&server, &dir, "--only-failed").expect_code(3);
    assert!(output.stderr.contains("kept without what is needed now, and fetched again: a, b\n"), "{output:?}");
    let saved = words("--output-dir files --report table=out.txt --only-failed");
    line(&dir, &saved).run().expect_code(3);
    let names = dir.join("files").read_dir().expect("a folder").count();
    std::fs::remove_file(dir.join("files/a.json"))
        .or_else(|_| std::fs::remove_file(dir.join("files/a")))
        .expect("a file");
    let output = line(&dir, &saved).run().expect_code(3);
    assert!(output.stderr.contains("1 sources are kept, 2 are fetched"), "{output:?}");
    assert_eq!(dir.join("files").read_dir().expect("a folder").count(), names);
}

#[test]
fn lines_of_json_have_what_was_kept_too() {
    let (server, _) = server();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&["a", "bad"]));
    run(&server, &dir, "-q").expect_code(3);
    let words = format!(
        "run plan.toml --variable base={} --state runs.db --retries 0 --report jsonl --only-failed -q",
        server.url("/").trim_end_matches('/')
    );
    let output = line(&dir, &words).run().expect_code(3);
    let lines: Vec<serde_json::Value> =
        output.stdout().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line["name"].as_str()).collect();
    assert_eq!(names, ["a", "bad"]);
    assert_eq!((&lines[0]["body"], &lines[2]["total"]), (&"/a".into(), &2.into()));
}

#[test]
fn options_that_need_a_file_say_so() {
    let dir = Dir::new();
    for option in ["--resume", "--only-failed"] {
        let output = line(&dir, &format!("get http://127.0.0.1:9/ {option}")).run().expect_code(1);
        assert!(output.stderr.contains(&format!("{option} needs the file")), "{output:?}");
    }
    let output = line(&dir, "get http://127.0.0.1:9/ --state runs.db --resume --only-failed").run().expect_code(1);
    assert!(output.stderr.contains("--resume and --only-failed exclude each other"), "{output:?}");
}

/// A resumed run sent them again, POST too.
#[test]
fn jobs_that_others_led_to_are_not_sent_again() {
    let (server, mended) = server();
    let dir = Dir::new();
    let plan = r#"
[[job]]
name = "login"
url = "{base}/login"
format = "text"
select = { token = { text = "(.+)" } }
secret = ["token"]
[[job]]
name = "order"
url = "{base}/order?n={n}"
method = "POST"
headers = { X-Token = "{login.token}" }
each = { n = [1, 2, 3] }
[[job]]
name = "slow"
url = "{base}/slow"
"#;
    dir.write("plan.toml", plan);
    run(&server, &dir, "--deadline 1s").expect_code(3);
    mended.store(true, Ordering::SeqCst);
    let since = server.requests().len();
    let output = run(&server, &dir, "--resume").expect_code(0);
    let (names, asked) = results(&server, &dir, since);
    assert_eq!(asked, ["/login", "/slow"]);
    let names: Vec<&str> = names.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["login", "order[1]", "order[2]", "order[3]", "slow"]);
    assert!(output.stderr.contains("3 sources are kept, and those that others need are fetched again"), "{output:?}");
    assert!(!output.stderr.contains("not in the plan any more"), "{output:?}");
    assert_eq!(query::<i64>(&dir, "select count(*) from outcomes where run = 1 and ok"), [5]);
}
