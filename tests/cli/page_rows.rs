//! Rows of sources that are read page by page: each page's go to JSON Lines as it comes.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::{endings, line, result};
use crate::common::{Dir, Reply, Request, Server};

/// A list of so many pages with two rows each; each names the next one.
fn list(pages: usize) -> impl Fn(&Request) -> Reply {
    move |request| {
        let page: usize = request.query().and_then(|query| query.strip_prefix("page=")?.parse().ok()).unwrap_or(1);
        let next = if page < pages { format!("\"?page={}\"", page + 1) } else { "null".to_owned() };
        let (first, second) = (2 * page - 1, 2 * page);
        Reply::json(format!("{{\"next\":{next},\"items\":[{{\"id\":{first}}},{{\"id\":{second}}}]}}"))
    }
}

fn plan(server: &Server, more: &str) -> String {
    format!(
        "[[job]]\nname = \"list\"\nurl = \"{}\"\nrows = \"/items\"\ntable = \"items\"\nretries = 0\npages = {{ next = \
         \"/next\" }}\n{more}",
        server.url("/items")
    )
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn rows(ids: &[u64]) -> Value {
    let rows: Vec<Value> = ids.iter().map(|id| json!([id, "list"])).collect();
    json!([{"table": "items", "columns": ["id", "source"], "rows": rows}])
}

#[test]
fn each_page_is_a_line_and_the_result_has_its_rows_no_more() {
    let server = Server::start(list(3));
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, ""));
    let text = line("run plan.toml --report jsonl -q").inside(&dir).run().expect_code(0).stdout().to_owned();
    let all = lines(&text);
    let kinds: Vec<&Value> = all.iter().map(|line| &line["type"]).collect();
    assert_eq!(kinds, ["rows", "rows", "rows", "result", "summary"]);
    for (at, ids) in [[1, 2], [3, 4], [5, 6]].iter().enumerate() {
        let expected = json!({"type": "rows", "index": 0, "name": "list", "page": at + 1, "rows": rows(ids)});
        assert_eq!(all[at], expected);
    }
    assert_eq!((&all[3]["rows"], &all[3]["index"], &all[3]["ok"]), (&json!(null), &json!(0), &json!(true)));

    // Read back, it is all there, tables included.
    dir.write("lines.jsonl", &text);
    let report = line("render lines.jsonl --report json").inside(&dir).run().expect_code(0).json();
    assert_eq!(result(&report, "list")["rows"], rows(&[1, 2, 3, 4, 5, 6]));
    assert_eq!(report["tables"][0]["rows"].as_array().map(Vec::len), Some(6));

    // What a killed run has left has the rows that came.
    let left: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    dir.write("left.jsonl", left);
    let report = line("render left.jsonl --report json").inside(&dir).run().expect_code(0).json();
    assert_eq!(result(&report, "list")["rows"], rows(&[1, 2, 3, 4]));
    assert_eq!(endings(&report), ["cancelled/-"]);
}

#[test]
fn reports_that_come_at_the_end_have_all_rows() {
    let server = Server::start(list(3));
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, ""));
    let run = line("run plan.toml --report json --report jsonl=lines.jsonl -q").inside(&dir).run().expect_code(0);
    assert_eq!(result(&run.json(), "list")["rows"], rows(&[1, 2, 3, 4, 5, 6]));
    let all = lines(&dir.read("lines.jsonl"));
    let kinds: Vec<&Value> = all.iter().map(|line| &line["type"]).collect();
    assert_eq!(kinds, ["rows", "rows", "rows", "result", "table", "summary"]);
    assert_eq!((&all[3]["rows"], all[4]["rows"].as_array().map(Vec::len)), (&json!(null), Some(6)));

    // A table of the plan needs them, too.
    dir.write("plan.toml", plan(&server, "[[report.table]]\ntable = \"items\"\nsort = \"-id\"\nlimit = 1\n"));
    let text = line("run plan.toml --report jsonl -q").inside(&dir).run().expect_code(0).stdout().to_owned();
    let table = lines(&text).into_iter().find(|line| line["type"] == "table").expect("a table");
    assert_eq!(table["rows"], json!([[6, "list"]]));
}

/// A page that nobody needs to wait for is out before the next one is.
#[test]
fn a_line_comes_before_the_next_page() {
    let (go, wait): (_, Receiver<()>) = channel();
    let (wait, answer) = (Mutex::new(wait), list(2));
    let server = Server::start(move |request| {
        if request.query().is_some() {
            let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
        answer(request)
    });
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, ""));
    let mut running = line("run plan.toml --report jsonl -q").inside(&dir).spawn();
    let first = running.wait_for_lines(1);
    assert_eq!(lines(&first)[0]["page"], json!(1));
    go.send(()).expect("the server waits");
    let all = lines(running.wait().expect_code(0).stdout());
    assert_eq!(all.iter().filter(|line| line["type"] == "rows").count(), 2);
}

#[test]
fn max_rows_holds_for_all_pages_together() {
    let server = Server::start(list(9));
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, "max_rows = 5\n"));
    for words in ["--report json", "--report jsonl=lines.jsonl --report json"] {
        let before = server.requests().len();
        let report = line(&format!("run plan.toml -q {words}")).inside(&dir).run().expect_code(3).json();
        let result = result(&report, "list");
        assert_eq!(endings(&report), ["too_large/body"]);
        assert_eq!(result["rows"], rows(&[1, 2, 3, 4, 5]));
        let said = "page 3 has more rows than are left of max_rows, 5: the first 5 are kept";
        assert_eq!(result["error"]["message"], json!(said));
        assert_eq!(server.requests().len() - before, 3, "no further page is asked for");
    }
    let last = lines(&dir.read("lines.jsonl")).into_iter().rfind(|line| line["type"] == "rows").expect("rows");
    assert_eq!(last["rows"], rows(&[5]));
}

#[test]
fn rows_before_a_page_that_fails_are_out() {
    let answer = list(9);
    let server = Server::start(
        move |request| if request.query() == Some("page=3") { Reply::status(500) } else { answer(request) },
    );
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, ""));
    let text = line("run plan.toml --report jsonl -q").inside(&dir).run().expect_code(3).stdout().to_owned();
    let all = lines(&text);
    assert_eq!(all.iter().filter(|line| line["type"] == "rows").count(), 2);
    let result = all.iter().find(|line| line["type"] == "result").expect("a result");
    assert!(result["error"]["message"].as_str().unwrap_or_default().starts_with("page 3: "), "{result}");
}

#[test]
fn jobs_for_rows_secrets_and_jobs_that_are_not_reported() {
    let server = Server::start(|request| match request.path() {
        "/items" => list(2)(request),
        path => Reply::json(format!("{{\"path\":\"{path}\"}}")),
    });
    let detail = format!(
        "[[job]]\nname = \"detail\"\nfor_each = \"list\"\nkey = \"id\"\nurl = \"{}\"\n",
        server.url("/detail/{list.id}")
    );
    let dir = Dir::new();
    let select = "select = { id = \"/id\", token = { value = \"t0ken-0f-a-row\" } }\nsecret = [\"token\"]\n";
    dir.write("plan.toml", plan(&server, &format!("{select}{detail}")));
    let text = line("run plan.toml --report jsonl -q").inside(&dir).run().expect_code(0).stdout().to_owned();
    assert!(!text.contains("t0ken-0f"), "{text}");
    let all = lines(&text);
    assert_eq!(all.iter().filter(|line| line["type"] == "rows").count(), 2);
    assert_eq!(all.iter().filter(|line| line["type"] == "result").count(), 5);

    dir.write("plan.toml", plan(&server, &format!("report = false\nselect = {{ id = \"/id\" }}\n{detail}")));
    let text = line("run plan.toml --report jsonl -q").inside(&dir).run().expect_code(0).stdout().to_owned();
    assert_eq!(lines(&text).iter().filter(|line| line["type"] == "rows").count(), 0);
}

/// Each page had the whole time: fifty of 0.3 s took 15 s in place of one.
#[test]
fn all_pages_of_a_source_share_its_time() {
    let pages = list(1000);
    let server = Server::start(move |request| pages(request).late(Duration::from_millis(50)));
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, "job_timeout = \"1s\"\n"));
    let report = line("run plan.toml --report json -q").inside(&dir).run().expect_code(3).json();
    let result = result(&report, "list");
    let message = result["error"]["message"].as_str().expect("it failed");
    assert!(message.contains("the time for all attempts, 1s, was over"), "{message}");
    let rows = result["rows"][0]["rows"].as_array().map_or(0, Vec::len);
    assert!((2..=40).contains(&rows), "{rows} rows");
    let took = result["timings_ms"]["total"].as_f64().expect("a time");
    assert!(took >= 900.0, "{result}");
}

/// Nine pages that wait for their rate are not waited for, and neither do others wait for them.
#[test]
fn pages_that_were_not_sent_in_time_hold_back_nothing() {
    let server = Server::start(|request| match request.query() {
        Some(_) => Reply::json("{\"pages\":10,\"items\":[{\"id\":1}]}"),
        None => Reply::json("0"),
    });
    let dir = Dir::new();
    let (items, other) = (server.url("/items"), server.url("/other"));
    dir.write(
        "plan.toml",
        format!(
            "[[job]]\nname = \"list\"\nurl = \"{items}\"\nrows = \"/items\"\npriority = 1\njob_timeout = \"500ms\"\n\
             pages = {{ page = \"page\", total_pages = \"/pages\" }}\n[[job]]\nname = \"other\"\nurl = \"{other}\"\n"
        ),
    );
    let report = line("run plan.toml --rate 1/s --report json -q").inside(&dir).run().expect_code(3).json();
    let list = result(&report, "list");
    assert_eq!(list["rows"][0]["rows"], json!([[1, "list"]]));
    assert_eq!(list["error"]["kind"], "timeout");
    assert_eq!(list["error"]["message"], "page 2: the time for all attempts, 500ms, was over before it was sent");
    assert_eq!(result(&report, "other")["ok"], json!(true));
    assert_eq!(server.stats().requests, 2);
}
