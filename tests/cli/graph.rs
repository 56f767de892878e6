//! Plans whose jobs need others, from the file to the report.

use serde_json::{Value, json};

use super::{endings, line, result};
use crate::common::{Dir, Reply, Server};

/// A shop that gives its list to those who have logged in.
fn shop() -> Server {
    Server::start(|request| match request.path() {
        "/login" => Reply::json("{\"access_token\":\"t0ken-0f-the-day\",\"pin\":77}"),
        _ if request.header("authorization") != Some("Bearer t0ken-0f-the-day") => Reply::status(401),
        "/items" => Reply::json("{\"first\":\"/items/1%20a\",\"seen\":\"t0ken-0f-the-day\"}"),
        path => Reply::json(format!("{{\"path\":\"{path}\"}}")),
    })
}

/// The URL of a server without a path.
fn base(server: &Server) -> String {
    server.url("/").trim_end_matches('/').to_owned()
}

fn plan(server: &Server) -> String {
    format!(
        r#"
[[job]]
name = "first"
url = "{{items.first}}?pin={{login.pin}}"
headers = {{ Authorization = "Bearer {{login.token}}" }}
select = {{ path = "/path" }}
[[job]]
name = "items"
url = "{0}/items"
headers = {{ Authorization = "Bearer {{login.token}}" }}
select = {{ first = "/first" }}
[[job]]
name = "login"
url = "{0}/login"
json = {{ user = "me" }}
select = {{ token = "/access_token", pin = "/pin" }}
secret = ["token", "pin"]
report = false
[[job]]
name = "free"
url = "{0}/free"
accept = "401"
"#,
        base(server)
    )
}

#[test]
fn a_token_is_fetched_used_and_hidden() {
    let server = shop();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server));
    let run = line("run plan.toml --report json -q").inside(&dir).run().expect_code(0);
    let report = run.json();
    assert_eq!(endings(&report), ["ok", "ok", "ok"]);
    let urls: Vec<&Value> = report["results"].as_array().unwrap().iter().map(|result| &result["url"]).collect();
    assert_eq!(urls[0], &json!(format!("{}?pin={{login.pin}}", server.url("/items/1%20a"))));
    assert_eq!(result(&report, "first")["data"], json!({"path": "/items/1%20a"}));
    let text = report.to_string();
    assert!(!text.contains("t0ken-0f"), "{text}");
    assert_eq!(result(&report, "items")["body"]["seen"], json!("[redacted]"));
    let seen: Vec<String> = server.requests().iter().map(|r| r.path().to_owned()).collect();
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert_eq!(server.requests().last().unwrap().query(), Some("pin=77"));

    let lines = line("run plan.toml --report jsonl --body -q").inside(&dir).run();
    assert!(!lines.stdout().contains("t0ken-0f\""), "{}", lines.stdout());
}

#[test]
fn what_needs_a_login_that_failed_is_skipped_and_says_so() {
    let server = Server::start(|request| Reply::status(if request.path() == "/login" { 403 } else { 401 }));
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server));
    let report = line("run plan.toml --report json -q").inside(&dir).run().expect_code(3).json();
    assert_eq!(endings(&report), ["skipped/-", "skipped/-", "status/head", "ok"]);
    let why = |name: &str| result(&report, name)["error"]["message"].clone();
    assert_eq!(why("items"), json!("\"login\" failed, and this needs its \"token\""));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn check_draws_the_jobs_as_a_tree_and_fetches_nothing() {
    let dir = Dir::new();
    let text = r#"
[[job]]
name = "detail"
for_each = "shops"
key = "id"
url = "http://a.example/{shops.id}?t={login.token}"
[[job]]
name = "login"
url = "http://a.example/login"
select = { token = "/token" }
report = false
[[job]]
name = "shops"
url = "http://a.example/{n}?t={login.token}"
each = { n = [1, 2] }
select = { id = "/id" }
[[job]]
url = "http://a.example/"
"#;
    dir.write("plan.toml", text);
    let shown = line("check plan.toml").inside(&dir).run().expect_code(0).stdout().to_owned();
    let lines: Vec<&str> = shown.lines().map(|line| line.split(", timeout").next().unwrap_or_default()).collect();
    assert_eq!(
        lines[..4],
        [
            "login: GET http://a.example/login",
            "  shops: GET http://a.example/{n}?t={login.token}, 2 jobs",
            "    detail: GET http://a.example/{shops.id}?t={login.token}, for each row of shops, also waits for login",
            "GET http://a.example/",
        ]
    );
}

#[test]
fn a_job_for_each_row_has_its_values() {
    let server = Server::start(|request| match request.path() {
        "/shop/1" => Reply::json("{\"id\":10}"),
        "/shop/2" => Reply::json("{\"id\":\"a/b\"}"),
        path => Reply::json(format!("{{\"path\":\"{path}\"}}")),
    });
    let dir = Dir::new();
    dir.write(
        "plan.toml",
        format!(
            r#"
[[job]]
name = "detail"
for_each = "shops"
key = "id"
url = "{0}/detail/{{shops.id}}"
select = {{ path = "/path" }}
[[job]]
name = "shops"
url = "{0}/shop/{{n}}"
each = {{ n = [1, 2] }}
select = {{ id = "/id" }}
"#,
            base(&server)
        ),
    );
    let report = line("run plan.toml --report json -q").inside(&dir).run().expect_code(0).json();
    let names: Vec<&Value> = report["results"].as_array().unwrap().iter().map(|result| &result["name"]).collect();
    assert_eq!(names, ["detail[10]", "detail[a/b]", "shops[1]", "shops[2]"]);
    assert_eq!(result(&report, "detail[a/b]")["data"], json!({"path": "/detail/a%2Fb"}));
    let table = line("run plan.toml --output-dir out").inside(&dir).run().expect_code(0).stdout().to_owned();
    assert!(table.contains("detail[a/b]"), "{table}");
    assert_eq!(dir.names().len(), 2);
}

#[test]
fn mistakes_are_told_with_their_line() {
    let plan = |keys: &str| {
        format!(
            "[[job]]\nname = \"login\"\nurl = \"http://a/\"\nselect = {{ token = \"/t\" }}\n[[job]]\nname = \"list\"\n{keys}"
        )
    };
    for (keys, message) in [
        (
            "url = \"http://a/{login.tokn}\"",
            "plan.toml:7: job[2].url: the job \"login\" has no value \"tokn\": its select has token",
        ),
        (
            "url = \"http://a/{logn.token}\"",
            "plan.toml:7: job[2].url: {logn.token} has no value: a value of another job is {JOB.VALUE}, with the name of a job",
        ),
        (
            "url = \"http://a/{a.b.c}\"",
            "{a.b.c} has no value: a value of another job is {JOB.VALUE}, with the name of a job in this plan that has no dot in it",
        ),
        (
            "url = \"http://a/\"\nfor_each = \"items\"",
            "plan.toml:8: job[2].for_each: no job is named \"items\": the names are list, login",
        ),
        ("url = \"http://a/\"\nkey = \"id\"", "plan.toml:8: job[2].key: has no effect without \"for_each\""),
        (
            "url = \"http://a/\"\nsecret = [\"x\"]",
            "plan.toml:8: job[2].secret: the job \"list\" has no value \"x\": it has no select",
        ),
        (
            "url = \"http://a/{list.x}\"\nselect = { x = \"/x\" }",
            "plan.toml:5: job[2]: jobs need each other in a circle: list needs list",
        ),
        (
            "url = \"http://a/{n}\"\neach = { n = [1] }\nselect = { x = \"/x\" }\n[[job]]\nurl = \"http://a/{list.x}\"",
            "plan.toml:11: job[3].url: \"list\" has several jobs or rows, of which no single \"x\" can be taken: use it by for_each",
        ),
    ] {
        let dir = Dir::new();
        dir.write("plan.toml", plan(keys));
        let errors = line("check plan.toml").inside(&dir).run().expect_code(2).stderr;
        assert!(errors.contains(message), "{keys}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

/// What a server was asked for, sorted.
fn asked(server: &Server) -> Vec<String> {
    let mut asked: Vec<String> = server
        .requests()
        .iter()
        .map(|request| format!("{}?{}", request.path(), request.query().unwrap_or_default()))
        .collect();
    asked.sort();
    asked
}

/// The report of a job with these keys at this server.
fn report_of(server: &Server, keys: &str, code: i32) -> Value {
    let dir = Dir::new();
    let plan = format!("[[job]]\nname = \"items\"\nurl = \"{}/items\"\nretries = 0\n{keys}", base(server));
    dir.write("plan.toml", plan.replace("{base}", &base(server)));
    line("run plan.toml --report json -q").inside(&dir).run().expect_code(code).json()
}

#[test]
fn pages_follow_the_url_in_the_answer_until_there_is_none() {
    let server = Server::start(|request| match request.query() {
        None => Reply::json("{\"next\":\"/items?page=2\"}"),
        Some("page=2") => Reply::json("{\"next\":\"?page=3\"}"),
        _ => Reply::json("{\"next\":null}"),
    });
    let report = report_of(&server, "pages = { next = \"/next\" }", 0);
    assert_eq!(asked(&server), ["/items?", "/items?page=2", "/items?page=3"]);
    assert_eq!(report["results"][0]["attempts"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["summary"]["retried"], json!(0));
}

#[test]
fn pages_follow_the_link_field() {
    let server = Server::start(|request| match request.query() {
        None => Reply::json("[]").header("Link", "<?page=2>; rel=\"next\", <?page=9>; rel=\"last\""),
        _ => Reply::json("[]").header("Link", "<?page=1>; rel=\"prev\""),
    });
    report_of(&server, "pages = { link = true }", 0);
    assert_eq!(asked(&server), ["/items?", "/items?page=2"]);
}

#[test]
fn a_cursor_goes_into_the_query_or_into_the_json_that_is_sent() {
    let server = Server::start(|request| match request.query() {
        Some("size=2") => Reply::json("{\"cursor\":\"a b&c\"}"),
        _ => Reply::json("{\"cursor\":\"\"}"),
    });
    report_of(&server, "pages = { next = \"/cursor\", param = \"cursor\" }", 0);
    assert_eq!(asked(&server), ["/items?"]);
    let server = Server::start(|request| match request.query() {
        None => Reply::json("{\"cursor\":\"a b&c\"}"),
        _ => Reply::json("{\"cursor\":\"\"}"),
    });
    report_of(&server, "pages = { next = \"/cursor\", param = \"cursor\" }", 0);
    assert_eq!(asked(&server), ["/items?", "/items?cursor=a%20b%26c"]);

    // The last page of GraphQL still has a cursor.
    let server = Server::start(|request| {
        let more = !request.text().contains("after");
        Reply::json(format!("{{\"data\":{{\"info\":{{\"more\":{more},\"end\":\"c1\"}}}}}}"))
    });
    let keys = "json = { query = \"{ items }\", variables = { n = 1.50 } }\n\
        pages = { next = \"/data/info/end\", into = \"/variables/after\", more = \"/data/info/more\" }";
    report_of(&server, keys, 0);
    let sent: Vec<String> = server.requests().iter().map(|request| request.text()).collect();
    assert_eq!(
        sent,
        [
            "{\"query\":\"{ items }\",\"variables\":{\"n\":1.50}}",
            "{\"query\":\"{ items }\",\"variables\":{\"n\":1.50,\"after\":\"c1\"}}"
        ]
    );
}

#[test]
fn numbered_pages_are_fetched_at_once_if_it_is_known_how_many_there_are() {
    let server = Server::start(|request| match request.query() {
        Some("size=3&page=0") => Reply::json("{\"meta\":{\"pages\":4}}"),
        _ => Reply::json("{}"),
    });
    let report = report_of(
        &server,
        "url = \"{base}/items?size=3\"\npages = { page = \"page\", from = 0, total_pages = \"/meta/pages\" }"
            .split_once('\n')
            .unwrap()
            .1,
        4,
    );
    assert_eq!(
        report["results"][0]["error"]["message"],
        json!("how many pages there are is not there where a whole number is expected")
    );
    let server = Server::start(|request| match request.query() {
        Some("offset=0") => Reply::json("[]").header("X-Total", "7"),
        _ => Reply::json("[]"),
    });
    report_of(&server, "pages = { offset = \"offset\", size = 3, total = { header = \"x-total\" } }", 0);
    assert_eq!(asked(&server), ["/items?offset=0", "/items?offset=3", "/items?offset=6"]);
    let server = Server::start(|_| Reply::json("{\"pages\":9}"));
    let report = report_of(&server, "pages = { page = \"p\", total_pages = \"/pages\", max = 2 }", 3);
    assert_eq!(asked(&server), ["/items?p=1", "/items?p=2"]);
    assert_eq!(
        report["results"][0]["error"]["message"],
        json!("there are 9 pages, and at most 2 are read: raise pages.max if there may be")
    );
}

#[test]
fn pages_that_lead_nowhere_good_are_refused() {
    for (next, keys, message) in [
        ("/items", "", "page 1 leads to a page that was there before: {base}/items"),
        (
            "http://127.0.0.1:1/x",
            "bearer",
            "the next page http://127.0.0.1:1/x is at another origin, and the request has credentials",
        ),
        ("http+unix://%2Ftmp%2Fx/", "", "the next page %2Ftmp%2Fx is at a unix-domain socket"),
        ("ftp://a/", "", "the next page ftp://a/ cannot be fetched"),
        ("http://[", "", "the next page http://[ is no URL"),
    ] {
        let server = Server::start(move |_| Reply::json(json!({ "next": next }).to_string()));
        let keys = if keys.is_empty() { "" } else { "headers = { Authorization = \"Bearer t0ken-0f-the-day\" }\n" };
        let report = report_of(&server, &format!("{keys}pages = {{ next = \"/next\" }}"), 3);
        let error = &report["results"][0]["error"];
        assert_eq!(error["kind"], "redirect", "{next}: {error}");
        let shown = error["message"].as_str().unwrap();
        assert!(shown.contains(&message.replace("{base}", &base(&server))), "{next}: {shown}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn an_export_is_asked_for_polled_and_fetched() {
    let polls = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |request| match request.path() {
        "/exports" => Reply::json("{\"id\":7}"),
        "/exports/7" => match polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::json("{\"state\":\"queued\"}"),
            1 => Reply::json("{\"state\":\"running\"}"),
            _ => Reply::json("{\"state\":\"done\",\"file\":\"/files/7.csv\"}"),
        },
        path => Reply::text(format!("content of {path}")),
    });
    let dir = Dir::new();
    dir.write(
        "plan.toml",
        format!(
            r#"
[[job]]
name = "export"
url = "{0}/exports"
json = {{ format = "csv" }}
select = {{ id = "/id" }}
[[job]]
name = "state"
url = "{0}/exports/{{export.id}}"
poll = {{ until = {{ "/state" = "done" }}, fail = {{ "/state" = ["error"] }}, every = "1ms" }}
select = {{ file = "/file" }}
[[job]]
name = "file"
url = "{{state.file}}"
"#,
            base(&server)
        ),
    );
    let report = line("run plan.toml --report json -q").inside(&dir).run().expect_code(0).json();
    assert_eq!(endings(&report), ["ok", "ok", "ok"]);
    assert_eq!(result(&report, "file")["body"], json!("content of /files/7.csv"));
    assert_eq!(result(&report, "state")["attempts"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_poll_ends_when_it_fails_or_takes_too_long() {
    let server = Server::start(|_| Reply::json("{\"state\":\"error\"}"));
    let keys =
        "poll = { until = { \"/state\" = [\"done\", \"ready\"] }, fail = { \"/state\" = \"error\" }, every = \"1ms\" }";
    let report = report_of(&server, keys, 4);
    let error = |report: &Value| report["results"][0]["error"]["message"].clone();
    assert_eq!(error(&report), json!("/state is \"error\", which poll names as a failure"));
    let server = Server::start(|_| Reply::json("{\"state\":\"running\"}"));
    let report = report_of(&server, "poll = { until = { \"/state\" = \"done\" }, every = \"2h\", within = \"1h\" }", 3);
    assert_eq!(error(&report), json!("/state is \"running\" where \"done\" is waited for, after 1h"));
    // A request under way is ended, too, and what the answer before it had is still said.
    let polls = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| match polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Reply::json("{\"state\":\"running\"}"),
        _ => Reply::hang(),
    });
    let report =
        report_of(&server, "poll = { until = { \"/state\" = \"done\" }, every = \"1ms\", within = \"2s\" }", 3);
    assert_eq!(error(&report), json!("/state is \"running\" where \"done\" is waited for, after 2s"));
    // Where there was none, this is said.
    let server = Server::start(|_| Reply::hang());
    let report = report_of(&server, "poll = { until = { \"/state\" = \"done\" }, within = \"50ms\" }", 3);
    assert_eq!(error(&report), json!("no answer, after 50ms"));
    // The time for all attempts is one for all polls, and is not waited beyond.
    let server = Server::start(|_| Reply::json("{\"state\":\"running\"}"));
    let keys = "job_timeout = \"500ms\"\npoll = { until = { \"/state\" = \"done\" }, every = \"1h\", within = \"2h\" }";
    let report = report_of(&server, keys, 3);
    assert_eq!(error(&report), json!("the time for all attempts, 500ms, was over before it was sent"));
    assert_eq!(report["results"][0]["attempts"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_poll_has_the_conditions_of_expect() {
    let answers = [r#"{"done":3,"of":9}"#, r#"{"done":9,"of":9}"#];
    for (until, answered) in
        [("{ min = 9 }", true), ("{ in = [8, 9] }", true), ("[9, 10]", true), ("{ min = 10 }", false)]
    {
        let polls = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |_| {
            Reply::json(answers[polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst).min(1)])
        });
        let poll = format!("poll = {{ until = {{ \"/done\" = {until} }}, every = \"1ms\", within = \"2s\" }}");
        let report = report_of(&server, &poll, if answered { 0 } else { 3 });
        let message = report["results"][0]["error"]["message"].as_str().unwrap_or("").to_owned();
        let expected = if answered { "" } else { "/done is 9 where at least 10 is waited for, after 2s" };
        assert_eq!(message, expected, "{until}");
    }
}
