//! `get`: what is a source, how it is named, and that a bad one costs no other its result.

use std::time::Duration;

use serde_json::json;

use super::{endings, line, result, roundup};
use crate::common::{Dir, Reply, Server, refusing_port};

fn echo() -> Server {
    Server::start(|request| Reply::text(request.target.clone()))
}

#[test]
fn patterns_are_expanded_in_order() {
    let server = echo();
    let output = roundup(["get", &server.url("/{a,b}/[08-10]"), "--body", "-q"]).run().expect_code(0);
    assert_eq!(output.stdout(), "/a/08/a/09/a/10/b/08/b/09/b/10");
    let literal = roundup(["get", "--globoff", &server.url("/[1-2]?q={a,b}"), "--body", "-q"]).run().expect_code(0);
    assert_eq!(literal.stdout(), "/[1-2]?q={a,b}");
    let set = roundup(["get", &server.url("/[1-2]"), "--body", "-q"]).env("ROUNDUP_GLOBOFF", "1").run();
    assert_eq!(set.expect_code(0).stdout(), "/[1-2]");
}

#[test]
fn lists_stand_where_they_are_named() {
    let server = echo();
    let dir = Dir::new();
    let list = format!("# mine\nfirst {}\n\n{} # note\n", server.url("/1"), server.url("/2"));
    dir.write("list", &list);
    let urls = [server.url("/before"), server.url("/after")];
    let words = ["get", &urls[0], "-", &urls[1], "--report", "json"];
    let report = roundup(words).stdin(list.clone()).run().expect_code(0).json();
    let names: Vec<_> = report["results"].as_array().expect("four").iter().map(|r| r["name"].clone()).collect();
    assert_eq!(names, [json!(urls[0]), json!("first"), json!(server.url("/2")), json!(urls[1])]);
    for words in ["get --input list", "get --input=list", "get --input -", "get -"] {
        let output = line(words).args(["--body", "-q"]).inside(&dir).stdin(list.clone()).run().expect_code(0);
        assert_eq!(output.stdout(), "/1/2", "{words}");
    }
    let set = line("get --body -q").inside(&dir).env("ROUNDUP_INPUT", "list").run().expect_code(0);
    assert_eq!(set.stdout(), "/1/2");
}

#[test]
fn sources_of_one_name_are_told_apart() {
    let server = echo();
    let list = format!("a {0}\na#2 {0}\na {0}\na {0}\n", server.url("/"));
    let report = line("get - --report json").stdin(list).run().expect_code(0).json();
    let names: Vec<_> = report["results"].as_array().expect("four").iter().map(|r| r["name"].clone()).collect();
    assert_eq!(names, ["a", "a#2", "a#3", "a#4"]);
    assert_eq!(server.stats().requests, 4);
}

#[test]
fn bad_sources_cost_no_other_its_result() {
    let server = Server::start(|request| match request.path() {
        "/good" => Reply::json("{\"ok\":true}"),
        "/half" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").close(),
        "/silent" => Reply::hang(),
        "/nonsense" => Reply::raw("this is no HTTP\r\n\r\n").close(),
        "/large" => Reply::text("x".repeat(5000)),
        "/loop" => Reply::redirect(302, "/loop"),
        "/gone" => Reply::status(404),
        other => panic!("{other}"),
    });
    let refused = format!("http://127.0.0.1:{}/", refusing_port());
    let mut words =
        vec!["get".to_owned(), "nonsense".into(), "ftp://a/".into(), server.url("/good?1"), refused.clone()];
    words.push("http://name.invalid/".into());
    let paths = ["/half", "/silent", "/nonsense", "/large", "/loop", "/gone", "/good?2"];
    words.extend(paths.iter().map(|path| server.url(path)));
    words.push("http://a/[".into());
    words.extend("--retries 0 --timeout 1s --max-body 4KiB --report json".split(' ').map(str::to_owned));
    let output = roundup(&words).run().expect_code(3);
    let report = output.json();
    assert_eq!(
        endings(&report),
        [
            "url/queue",
            "url/queue",
            "ok",
            "connect/connect",
            "dns/dns",
            "body/body",
            "timeout/head",
            "protocol/head",
            "too_large/body",
            "redirect/head",
            "status/head",
            "ok",
            "url/queue"
        ]
    );
    let urls: Vec<&str> =
        report["results"].as_array().expect("all").iter().map(|r| r["url"].as_str().expect("a url")).collect();
    assert_eq!(urls, words[1..14].iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(report["summary"]["ok"], 2);
    assert_eq!(report["summary"]["failed"], 11);
    assert_eq!(report["interrupted"], false);
    let message = |url: &str| result(&report, url)["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message("http://name.invalid/").contains("name.invalid"));
    assert!(message(&refused).contains("refused"));
    assert!(message(&server.url("/silent")).contains("1s"), "{}", message(&server.url("/silent")));
    assert!(message("nonsense").contains("write http://"));
    // The same on stderr, a line each and the totals.
    assert_eq!(output.stderr.lines().count(), 12, "{output:?}");
    assert!(output.stderr.lines().all(|line| line.starts_with("roundup: ")), "{output:?}");
}

#[test]
fn a_bad_line_of_a_list_is_one_failed_source_in_its_place() {
    let server = echo();
    let list = format!(
        "{0}\nreport {1}\n{2}\n{3} http://me:s3cret@a/\nno url\n\u{7}x {0}\n",
        server.url("/ok/1"),
        server.url("/My File.pdf"),
        server.url("/ok/2"),
        server.url("/"),
    );
    let dir = Dir::new();
    dir.write("list", &list);
    for words in ["get --input list --report json", "get - --report json", "compare --input list --report json"] {
        let output = line(words).inside(&dir).stdin(list.clone()).run().expect_code(3);
        let report = output.json();
        assert_eq!(endings(&report), ["ok", "url/queue", "ok", "url/queue", "url/queue", "url/queue"], "{words}");
        let bad = result(&report, "report");
        assert_eq!(bad["url"], server.url("/My File.pdf"));
        let message = bad["error"]["message"].as_str().expect("a message");
        assert!(message.contains(":2: there is text after the URL") && message.contains("%20"), "{message}");
        let said = format!("{}{}", output.stdout(), output.stderr);
        assert!(!said.contains("s3cret") && said.contains("http://***@a/"), "{said}");
    }
    // Every format takes such a source.
    let words = "get --input list --report table --report csv=csv --report jsonl=jsonl";
    let table = line(words).inside(&dir).run().expect_code(3);
    assert!(table.stdout().contains("6 sources: 2 ok, 4 failed"), "{table:?}");
    assert!(!table.stdout().contains('\u{7}') && !table.stdout().contains("s3cret"), "{table:?}");
    assert_eq!((dir.read("csv").lines().count(), dir.read("jsonl").lines().count()), (7, 7));
    // With --fail-fast the first failure is there before the run begins.
    let ended = line("get --input list --fail-fast").inside(&dir).run().expect_code(1);
    assert!(ended.stderr.contains("list:2: there is text after the URL"), "{ended:?}");
}

#[test]
fn a_url_that_cannot_be_fetched_is_one_failed_source_in_a_pattern_too() {
    let server = echo();
    let urls = [server.url("/{a,b}"), format!("{{ftp,http}}://127.0.0.1:{}/c", server.port()), server.url("/[5-1]")];
    let output = roundup(["get", &urls[0], &urls[1], &urls[2], "--report", "json"]).run().expect_code(3);
    assert_eq!(endings(&output.json()), ["ok", "ok", "url/queue", "ok", "url/queue"]);
}

#[test]
fn fail_fast_ends_the_run_at_the_first_failure() {
    let server = Server::start(|request| match request.path() {
        "/hang" => Reply::hang(),
        _ => Reply::status(404),
    });
    let words = ["get", &server.url("/hang"), &server.url("/gone"), &server.url("/never")];
    let common = ["--fail-fast", "--concurrency", "2", "--report", "json", "-q"];
    let report = roundup(words).args(common).run().expect_code(3).json();
    assert_eq!(endings(&report), ["cancelled/head", "status/head", "skipped/queue"]);
    assert_eq!(report["interrupted"], false);
    assert_eq!(server.stats().requests_under("/never"), 0);
}

#[test]
fn a_deadline_ends_the_run_with_a_report() {
    let server = Server::start(|request| match request.path() {
        "/hang" => Reply::hang(),
        _ => Reply::json("1"),
    });
    let words = ["get", &server.url("/good"), &server.url("/hang"), &server.url("/next")];
    let common = ["--deadline", "500ms", "--per-host", "1", "--report", "json", "-q"];
    let output = roundup(words).args(common).limit(Duration::from_secs(25)).run().expect_code(3);
    let report = output.json();
    assert_eq!(endings(&report), ["ok", "cancelled/head", "skipped/queue"]);
    assert_eq!(report["interrupted"], true);
    assert!(report["results"][1]["error"]["message"].as_str().expect("why").contains("deadline of 500ms"));
}

/// One line in another charset refused the whole list.
#[test]
fn a_line_that_is_not_utf_8_is_one_failed_source() {
    let server = Server::start(|_| Reply::text("ok"));
    let dir = Dir::new();
    let list = [server.url("/a").as_bytes(), b"\n\xff http://x/\n", server.url("/b").as_bytes(), b"\n"].concat();
    dir.write("list", &list);
    let output = line("get --input list --report json").inside(&dir).run().expect_code(3);
    let report = output.json();
    assert_eq!(endings(&report), ["ok", "url/queue", "ok"]);
    assert!(report.to_string().contains("list:2: the line is not UTF-8 text"), "{report}");
}
