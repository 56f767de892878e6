//! Commands as browsers copy them and documentation has them: what a server gets to see of their plans. Beside curl itself
//! this is looked at in `interop::imports`.

use std::sync::Arc;

use super::{commands, read};
use crate::common::{Dir, Reply, Request, Server, TestCommand};

/// What a server sees of a request: method, target, fields in the order of their names, content. Fields that each client
/// sets in its own way are left out.
pub(crate) fn seen(request: &Arc<Request>) -> String {
    let is_own = |name: &str, value: &str| match name.to_ascii_lowercase().as_str() {
        "user-agent" => value.starts_with("curl/") || value.starts_with("roundup/"),
        "accept-encoding" | "connection" | "content-length" | "te" | "transfer-encoding" | "expect" => true,
        _ => false,
    };
    let fields = request.headers.iter().filter(|(name, value)| !is_own(name, value));
    let mut fields: Vec<String> =
        fields.map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase())).collect();
    fields.sort();
    format!("{} {}\n{}\n\n{}", request.method, normal(&request.target), fields.join("\n"), request.text())
}

/// The target with codes in upper case: curl 7.88 writes those of `-G --data-urlencode` in lower case (RFC 3986, 6.2.2.1).
fn normal(target: &str) -> String {
    let mut out = String::new();
    let mut code = 0;
    for c in target.chars() {
        code = if c == '%' { 2 } else { code };
        out.push(if code > 0 { c.to_ascii_uppercase() } else { c });
        code -= i32::from(code > 0 && c != '%');
    }
    out
}

/// What the server sees of the plan that is made of a command.
pub(crate) fn seen_of_plan(title: &str, command: &str, server: &Server) -> Vec<String> {
    let before = server.requests().len();
    let dir = plan_of(title, command);
    call("check", &dir).run().expect_code(0);
    // One after the other, so that they come in their order.
    let more = ["--concurrency", "1", "--quiet", "--retries", "0", "--insecure"];
    call("run", &dir).args(more).run().expect_code(0);
    server.requests()[before..].iter().map(seen).collect()
}

/// roundup with the plan in this folder and its secrets.
pub(crate) fn call(name: &str, dir: &Dir) -> TestCommand {
    let words = [name, "plan.toml", "--secrets", "plan.env"];
    TestCommand::new().args(words).inside(dir).env("API_TOKEN", "tok-123").env("PASSWORD", "")
}

/// A folder with the plan that is made of a command and its secrets, which are not in the plan.
pub(crate) fn plan_of(title: &str, command: &str) -> Dir {
    let dir = Dir::new();
    let words = ["import", "curl", "-", "--output", "plan.toml", "--secrets", "plan.env", "--quiet"];
    TestCommand::new().args(words).inside(&dir).stdin(command).run().expect_code(0);
    let text = dir.read("plan.toml");
    for secret in dir.read("plan.env").lines().filter_map(|line| Some(line.split_once('=')?.1)) {
        let shows = secret.len() > 3 && text.contains(secret);
        assert!(!shows, "{title}: {secret} is in the plan:\n{text}");
    }
    // Variables of the shell have no value in the file; the environment has one.
    dir.write("plan.env", dir.read("plan.env").replace("API_TOKEN=\n", ""));
    dir
}

/// A server that answers all there is with a little JSON.
pub(crate) fn server() -> Server {
    Server::start(|_| Reply::json("1"))
}

#[test]
fn thirty_commands_become_plans() {
    let server = server();
    let commands = commands(&format!("127.0.0.1:{}", server.port()));
    assert!(commands.len() >= 30, "{}", commands.len());
    for (title, command, bash) in &commands {
        let ours = seen_of_plan(title, command, &server);
        assert!(!ours.is_empty(), "{title}");
        if command != bash {
            assert_eq!(ours, seen_of_plan(title, bash, &server), "{title}");
        }
    }
}

#[test]
fn hosts_and_defaults_have_what_jobs_share() {
    let text = "curl http://a.example/1 -H 'X-K: v' -H 'Accept: x/y' -H 'Authorization: Bearer t1-secret'\n\
        curl http://a.example/2 -H 'X-K: v' -H 'Accept: x/y' -H 'Authorization: Bearer t1-secret' -d z\n\
        curl http://b.example:8080/3 -H 'Accept: x/y' -u me:pw-secret -H 'X-K: other'";
    let imported = roundup::import::curl(text, "it", &|_| unreachable!()).expect("good");
    let expected = "\n[defaults]\nheaders.Accept = \"x/y\"\n\n[hosts.\"a.example\"]\nheaders.X-K = \"v\"\n\
        headers.Authorization = \"Bearer ${TOKEN}\"\n";
    assert!(imported.plan.contains(expected), "{}", imported.plan);
    assert!(!imported.plan.contains("secret") || imported.plan.contains("--secrets FILE"), "{}", imported.plan);
    let plan = read(&imported, "");
    assert_eq!((plan.jobs.len(), plan.warnings.len()), (3, 0));
    assert_eq!(plan.jobs[1].settings().headers.len(), 3);
}

#[test]
fn an_archive_becomes_a_plan() {
    let text = r#"{"log": {"version": "1.2", "entries": [
        {"request": {"method": "GET", "url": "https://a.example/x?token=t-12345#f", "headers": [
            {"name": ":authority", "value": "a.example"}, {"name": "accept", "value": "*/*"}, {"name": "Host", "value": "a.example"},
            {"name": "accept-encoding", "value": "gzip, br"}, {"name": "cookie", "value": "sid=abcdef"}]}},
        {"request": {"method": "GET", "url": "https://a.example/x?token=t-12345", "headers": [
            {"name": "accept", "value": "*/*"}, {"name": "cookie", "value": "sid=abcdef"}]}},
        {"request": {"method": "POST", "url": "https://a.example/form", "headers": [],
            "postData": {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a", "value": "b c"}, {"name": "d", "value": "e%20f"}]}}},
        {"request": {"method": "POST", "url": "https://a.example/json", "headers": [{"name": "Content-Type", "value": "application/json"}],
            "postData": {"mimeType": "application/json", "text": "{\"password\":\"hunter2\"}"}}},
        {"request": {"method": "POST", "url": "https://a.example/up", "headers": [],
            "postData": {"mimeType": "multipart/form-data", "params": [{"name": "f", "value": "v"}]}}},
        {"request": {"method": "POST", "url": "http://a.example/upload",
            "postData": {"mimeType": "multipart/form-data; boundary=x", "text": "--x--"}}},
        {"request": {"method": "GET", "url": "data:text/plain,hi", "headers": []}},
        {"request": {"method": "GET", "url": "wss://a.example/socket", "headers": []}}]}}"#;
    let imported = roundup::import::har(text, "session.har").expect("an archive");
    let plan = read(&imported, "");
    let urls: Vec<&str> = plan.jobs.iter().map(|job| job.url().as_str()).collect();
    let expected = ["https://a.example/x?token=t-12345", "https://a.example/form", "https://a.example/json"];
    assert_eq!(urls, expected);
    let content = |index: usize| plan.jobs[index].settings().data.as_deref().map(String::from_utf8_lossy);
    assert_eq!(content(1).as_deref(), Some("a=b%20c&d=e%20f"));
    assert_eq!(content(2).as_deref(), Some("{\"password\":\"hunter2\"}"));
    for secret in ["t-12345", "abcdef", "hunter2"] {
        assert!(!imported.plan.contains(secret), "{}", imported.plan);
    }
    let names: Vec<&str> = plan.jobs[0].settings().headers.iter().map(|field| field.name()).collect();
    assert_eq!(names, ["accept", "cookie"]);
    assert_eq!(imported.notes.len(), 2, "{:?}", imported.notes);
    for bad in [
        "",
        "[]",
        "{}",
        "{\"log\": {\"entries\": []}}",
        "{\"log\": {\"entries\": [{\"request\": {\"method\": \"GET\", \"url\": \"data:x\"}}]}}",
    ] {
        assert!(roundup::import::har(bad, "x").is_err(), "{bad}");
    }
}
