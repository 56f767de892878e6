//! httpbin: what a server of APIs does, on Flask's own server.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::files::Python;
use super::peer::{Peer, curl};
use super::{Get, Got};
use crate::common::{Dir, TestCommand};

/// A free server of its own for each test.
pub(super) struct Httpbin(Peer<1>);

impl Httpbin {
    pub(super) fn start() -> Httpbin {
        // Debian's package is for Debian's Python, which need not be the first one on PATH.
        let script = "import sys; from httpbin import app; app.run('127.0.0.1', int(sys.argv[1]), threaded=True)";
        Httpbin(Peer::start("httpbin (apt-get install python3-httpbin)", |_, [port]| {
            let mut command = Command::new("/usr/bin/python3");
            command.args(["-c", script, &port.to_string()]);
            command
        }))
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.0.ports[0])
    }

    /// With a user name and a password.
    fn url_as(&self, login: &str, path: &str) -> String {
        format!("http://{login}@127.0.0.1:{}{path}", self.0.ports[0])
    }

    fn get(&self, path: &str, options: &[&str]) -> Got {
        Get::one(self.url(path)).with(options).run()
    }

    fn fails(&self, path: &str, options: &[&str]) -> Got {
        Get::one(self.url(path)).with(options).fails(3).run()
    }
}

fn attempts(got: &Got) -> usize {
    got.first()["attempts"].as_array().expect("attempts").len()
}

#[test]
#[ignore = "needs httpbin"]
fn ten_answers_of_a_second_each_take_about_a_second_at_once_and_ten_one_at_a_time() {
    let server = Httpbin::start();
    let urls: Vec<String> = (0..10).map(|n| server.url(&format!("/delay/1?n={n}"))).collect();
    let elapsed = Get::all(urls.clone()).run().elapsed();
    assert!((1000..4000).contains(&elapsed.as_millis()), "{elapsed:?}");

    let began = Instant::now();
    let output = TestCommand::new().arg("compare").args(urls).run().expect_code(0);
    let elapsed = began.elapsed();
    assert!(!output.stdout().is_empty() && (11..20).contains(&elapsed.as_secs()), "{elapsed:?}: {output:?}");
}

#[test]
#[ignore = "needs httpbin"]
fn statuses_and_retries() {
    let server = Httpbin::start();
    let got = server.fails("/status/429", &["--retries", "2"]).expect_kind("status");
    assert_eq!((&got.first()["status"], attempts(&got)), (&json!(429), 3), "{got:?}");
    let got = server.fails("/status/503", &["--retries", "0"]).expect_kind("status");
    assert_eq!((&got.first()["status"], attempts(&got)), (&json!(503), 1), "{got:?}");
    let got = server.get("/status/503", &["--accept", "200,503"]);
    assert_eq!(got.first()["ok"], true, "{got:?}");
}

#[test]
#[ignore = "needs httpbin"]
fn redirects_are_followed() {
    let server = Httpbin::start();
    for path in ["/redirect/3", "/absolute-redirect/2"] {
        let got = server.get(path, &[]);
        assert_eq!((&got.first()["final_url"], &got.first()["status"]), (&json!(server.url("/get")), &json!(200)));
    }
    server.fails("/redirect/4", &["--follow", "3"]).expect_kind("redirect");
}

#[test]
#[ignore = "needs httpbin"]
fn contents() {
    let server = Httpbin::start();
    let dir = Dir::new();
    let folder = dir.path().to_str().expect("the target folder has a name in UTF-8");
    assert_eq!(server.get("/gzip", &[]).first()["body"]["gzipped"], true);
    let raw = server.get("/gzip", &["--raw", "--output-dir", folder]).saved(dir.path());
    assert_eq!(std::fs::read(raw).expect("it was saved")[..2], [0x1f, 0x8b], "gzip is left as it is");

    let chunks = server.get("/stream/5", &["--output-dir", folder]).saved(dir.path());
    let chunks = std::fs::read_to_string(chunks).expect("it was saved");
    let ids = chunks.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON")["id"].clone());
    assert!(ids.eq((0..5).map(Value::from)), "{chunks}");

    assert_eq!(server.get("/drip?duration=1&numbytes=10&delay=0", &[]).first()["body_bytes"], 10);
    assert_eq!(server.get("/bytes/1000", &[]).first()["body_bytes"], 1000);
    let text = |path: &str| server.get(path, &[]).first()["body"].as_str().expect("text").to_owned();
    assert!(text("/html").contains("Herman Melville"));
    assert!(text("/deny").contains("YOU SHOULDN'T BE HERE"));

    let got = server.get("/bytes/1000", &["--method", "HEAD", "--timeout", "5s"]);
    assert_eq!((&got.first()["status"], got.first()["body_bytes"].as_u64().unwrap_or(0)), (&json!(200), 0), "{got:?}");
}

#[test]
#[ignore = "needs httpbin"]
fn a_login_in_the_url_is_used_and_not_shown() {
    let server = Httpbin::start();
    // So short that it is not hidden in the path, where httpbin wants it too.
    let got = Get::one(server.url_as("u:p4s", "/basic-auth/u/p4s")).run();
    assert_eq!((&got.first()["status"], &got.first()["body"]["authenticated"]), (&json!(200), &json!(true)), "{got:?}");
    let got = Get::one(server.url_as("u:wr0ngw0rd", "/basic-auth/u/p")).fails(3).run().expect_kind("status");
    assert_eq!(got.first()["status"], 401, "{got:?}");
    for text in [&got.text, got.output.stdout(), &got.output.stderr] {
        assert!(!text.contains("wr0ngw0rd"), "the password is shown: {got:?}");
    }
}

#[test]
#[ignore = "needs httpbin"]
fn requests_carry_data_and_fields() {
    let server = Httpbin::start();
    let dir = Dir::new();
    let numbers = json!({ "numbers": (0..5000).collect::<Vec<_>>() });
    let file = format!("@{}", dir.write("numbers.json", numbers.to_string()).display());
    for (data, expected) in [("{\"a\":[1,\"ü\"]}", &json!({ "a": [1, "ü"] })), (&file, &numbers)] {
        let options = ["--method", "POST", "--header", "Content-Type: application/json", "--data", data];
        assert_eq!(&server.get("/post", &options).first()["body"]["json"], expected);
    }
    let got = server.get("/headers", &["--header", "X-Check: a b", "--user-agent", "interop/1"]);
    let fields = &got.first()["body"]["headers"];
    assert_eq!((&fields["X-Check"], &fields["User-Agent"]), (&json!("a b"), &json!("interop/1")), "{got:?}");
}

#[test]
#[ignore = "needs httpbin"]
fn a_timeout_has_its_kind_and_takes_the_time_that_it_says() {
    let got = Httpbin::start().fails("/delay/5", &["--timeout", "500ms", "--retries", "0"]).expect_kind("timeout");
    assert!((500..3000).contains(&got.elapsed().as_millis()), "{got:?}");
}

/// What the tests above take for granted, asked for by curl.
#[test]
#[ignore = "needs httpbin, curl"]
fn curl_gets_what_the_tests_expect() {
    let server = Httpbin::start();
    let ask = |url: &str, options: &[&str]| curl().args(options).arg(url).run().expect_code(0).stdout().to_owned();
    let shown = |url: &str, what: &str| ask(url, &["--location", "--output", "/dev/null", "--write-out", what]);
    assert_eq!(shown(&server.url("/status/429"), "%{http_code}"), "429");
    assert_eq!(shown(&server.url("/status/503"), "%{http_code}"), "503");
    assert_eq!(shown(&server.url_as("u:p", "/basic-auth/u/p"), "%{http_code}"), "200");
    assert_eq!(shown(&server.url_as("u:x", "/basic-auth/u/p"), "%{http_code}"), "401");
    for path in ["/redirect/3", "/absolute-redirect/2"] {
        assert_eq!(shown(&server.url(path), "%{url_effective}"), server.url("/get"));
    }
    let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert_eq!(json(&ask(&server.url("/gzip"), &["--compressed"]))["gzipped"], true);
    assert_eq!(shown(&server.url("/bytes/1000"), "%{size_download}"), "1000");
    assert_eq!(shown(&server.url("/drip?duration=1&numbytes=10&delay=0"), "%{size_download}"), "10");
    assert!(ask(&server.url("/html"), &[]).contains("Herman Melville"));
    assert!(ask(&server.url("/deny"), &[]).contains("YOU SHOULDN'T BE HERE"));
    let chunks = ask(&server.url("/stream/5"), &["--include"]);
    assert!(
        chunks.starts_with("HTTP/1.1 200") && chunks.to_lowercase().contains("transfer-encoding: chunked"),
        "{chunks}"
    );
    assert_eq!(chunks.matches("\"id\"").count(), 5, "{chunks}");
    let posted = ask(&server.url("/post"), &["--header", "Content-Type: application/json", "--data", "{\"a\":1}"]);
    assert_eq!(json(&posted)["json"]["a"], 1);
    assert!(ask(&server.url("/bytes/1000"), &["--head"]).to_lowercase().contains("content-length: 1000"));

    let began = Instant::now();
    let mut all = curl().args(["--parallel", "--parallel-max", "50", "--parallel-immediate"]);
    for n in 0..50 {
        all = all.args(["--output", "/dev/null"]).arg(server.url(&format!("/delay/1?n={n}")));
    }
    all.run().expect_code(0);
    let elapsed = began.elapsed();
    assert!((1..5).contains(&elapsed.as_secs()), "fifty answers of a second each at once: {elapsed:?}");
}

/// Which server answers first has nothing to do with the order of the results; see [`Get::run`].
#[test]
#[ignore = "needs httpbin, python3"]
fn results_of_several_servers_are_in_the_order_of_the_urls() {
    let (slow, fast) = (Httpbin::start(), Python::start());
    let urls = [slow.url("/delay/1"), fast.url("/1k"), slow.url("/delay/2"), fast.url("/folder/"), slow.url("/get")];
    let elapsed = Get::all(urls).run().elapsed();
    assert!(elapsed >= Duration::from_secs(2), "{elapsed:?}");
}
