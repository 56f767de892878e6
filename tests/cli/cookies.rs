//! `cookies = true`: what servers set goes along with later requests of the run to the origin that set it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{complaint, endings, line, result};
use crate::common::{Dir, Reply, Request, Server};

const SESSION: &str = "s3ssion-0f-the-day";

/// The URL of a server without a path.
fn base(server: &Server) -> String {
    server.url("/").trim_end_matches('/').to_owned()
}

fn cookie(request: &Request) -> &str {
    request.header("cookie").unwrap_or("-")
}

/// The cookies of all requests for this path.
fn cookies(server: &Server, path: &str) -> Vec<String> {
    let requests = server.requests();
    requests.iter().filter(|request| request.path() == path).map(|request| cookie(request).to_owned()).collect()
}

/// Lets in who has logged in, which leads on to another page, and says what it got.
fn site() -> Server {
    Server::start(|request| match request.path() {
        "/login" => Reply::status(303)
            .header("Location", "/welcome")
            .header("Set-Cookie", format!("sid={SESSION}; Path=/; HttpOnly"))
            .header("Set-Cookie", "step=1"),
        "/welcome" => Reply::json("{}").header("Set-Cookie", "step=2"),
        _ if !cookie(request).contains(SESSION) => Reply::status(401),
        _ => Reply::json(format!("{{\"cookie\":\"{}\"}}", cookie(request))),
    })
}

/// A login, and jobs after it.
fn plan(server: &Server, rest: &str) -> String {
    format!(
        "[defaults]\ncookies = true\nretries = 0\n[[job]]\nname = \"login\"\nurl = \"{0}/login\"\nform = {{ user = \"me\" }}\n\
         [[job]]\nname = \"data\"\nurl = \"{0}/data\"\nafter = \"login\"\n{rest}",
        base(server)
    )
}

#[test]
fn a_login_by_form_and_redirect_lets_later_jobs_in() {
    let server = site();
    let dir = Dir::new();
    dir.write(
        "plan.toml",
        plan(&server, "[[job]]\nurl = \"/more\"\nafter = [\"data\"]\n")
            .replace("\"/more", &format!("\"{}/more", base(&server))),
    );
    let run = line("run plan.toml --report json -q").inside(&dir).run().expect_code(0);
    assert_eq!(endings(&run.json()), ["ok", "ok", "ok"]);
    assert_eq!(cookies(&server, "/login"), ["-"]);
    assert_eq!(cookies(&server, "/welcome"), [format!("sid={SESSION}; step=1")]);
    assert_eq!(cookies(&server, "/data"), [format!("sid={SESSION}; step=2")]);
    assert_eq!(cookies(&server, "/more"), [format!("sid={SESSION}; step=2")]);
}

#[test]
fn jobs_that_do_not_want_cookies_keep_and_send_none() {
    let server = site();
    let dir = Dir::new();
    let text = plan(&server, "cookies = false\n");
    dir.write("plan.toml", &text);
    let report = line("run plan.toml --report json -q").inside(&dir).run().expect_code(3).json();
    assert_eq!(endings(&report), ["ok", "status/head"]);
    dir.write("plan.toml", text.replace("[defaults]\ncookies = true\n", "[defaults]\n"));
    line("run plan.toml --report json -q").inside(&dir).run().expect_code(3);
    assert_eq!(cookies(&server, "/welcome").last().map(String::as_str), Some("-"));
}

#[test]
fn cookies_of_ones_own_go_before_those_that_are_kept() {
    let server = site();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, "headers = { Cookie = \"lang=en\" }\n"));
    line("run plan.toml -q").inside(&dir).run().expect_code(0);
    assert_eq!(cookies(&server, "/data"), [format!("lang=en; sid={SESSION}; step=2")]);
    dir.write("plan.toml", plan(&server, "headers = { Cookie = false }\n"));
    line("run plan.toml -q").inside(&dir).run().expect_code(3);
    assert_eq!(cookies(&server, "/data").last().map(String::as_str), Some("-"));
}

#[test]
fn what_comes_after_a_job_that_failed_is_skipped_and_says_so() {
    let server = Server::start(|_| Reply::status(403));
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, ""));
    let report = line("run plan.toml --report json -q").inside(&dir).run().expect_code(3).json();
    assert_eq!(endings(&report), ["status/head", "skipped/-"]);
    assert_eq!(result(&report, "data")["error"]["message"], json!("\"login\" failed, and this comes after it"));
    let shown = line("check plan.toml").inside(&dir).run().expect_code(0).stdout().to_owned();
    assert!(shown.contains("\n  data: GET "), "{shown}");

    let mistake = plan(&server, "").replace("after = \"login\"", "after = \"logon\"");
    dir.write("plan.toml", mistake);
    let output = line("check plan.toml").inside(&dir).run().expect_code(2);
    assert!(complaint(&output).contains(":11: job[2].after: no job is named \"logon\""), "{output:?}");
}

/// Redirects carry cookies of the jar to no other origin, and each origin gets its own again.
#[test]
fn no_cookie_crosses_origins() {
    let other = Server::start(|request| match request.path() {
        "/first" => Reply::text("x").header("Set-Cookie", "theirs=1; Path=/"),
        _ => Reply::text("x"),
    });
    let target = other.url("/second");
    let server = Server::start(move |request| match request.path() {
        "/set" => Reply::text("x").header("Set-Cookie", format!("sid={SESSION}; Path=/; Domain=127.0.0.1")),
        _ => Reply::status(302).header("Location", &target),
    });
    let dir = Dir::new();
    dir.write(
        "plan.toml",
        format!(
            "[defaults]\ncookies = true\n[[job]]\nname = \"set\"\nurl = \"{0}/set\"\n[[job]]\nname = \"first\"\nurl = \
             \"{1}/first\"\nafter = \"set\"\n[[job]]\nurl = \"{0}/go\"\nheaders = {{ Cookie = \"own=1\" }}\nafter = \
             \"first\"\n",
            base(&server),
            base(&other)
        ),
    );
    line("run plan.toml -q").inside(&dir).run().expect_code(0);
    assert_eq!(cookies(&server, "/go"), [format!("own=1; sid={SESSION}")]);
    assert_eq!((cookies(&other, "/first"), cookies(&other, "/second")), (vec!["-".into()], vec!["theirs=1".into()]));
}

/// An answer that failed sets cookies, too, and the next attempt and the next page send them.
#[test]
fn retries_and_pages_send_what_was_set() {
    let server = Server::start(|request| match (request.path(), cookie(request)) {
        ("/list", "-") => Reply::status(503).header("Set-Cookie", "seen=1").header("Retry-After", "0"),
        ("/list", _) => {
            Reply::json("{\"next\":\"/list/2\",\"items\":[{\"a\":1}]}").header("Set-Cookie", "seen=2; Path=/")
        }
        _ => Reply::json("{\"items\":[{\"a\":2}]}"),
    });
    let dir = Dir::new();
    let keys = "cookies = true\nrows = \"/items\"\npages = { next = \"/next\" }\n";
    dir.write("plan.toml", format!("[[job]]\nurl = \"{}/list\"\n{keys}", base(&server)));
    line("run plan.toml -q").inside(&dir).run().expect_code(0);
    assert_eq!(cookies(&server, "/list"), ["-", "seen=1"]);
    assert_eq!(cookies(&server, "/list/2"), ["seen=2"]);
}

#[test]
fn values_of_cookies_are_hidden_in_all_that_is_shown() {
    let server = site();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, "select = { mine = \"/cookie\" }\n"));
    for format in ["json", "jsonl", "csv", "md", "html", "har", "junit", "prom", "table"] {
        let run = line(&format!("run plan.toml --report {format} -vv")).inside(&dir).run().expect_code(0);
        let all = format!("{}{}", run.stdout(), run.stderr);
        assert!(!all.contains(SESSION), "{format}: {all}");
        assert!(run.stderr.contains("> Cookie: [redacted]"), "{}", run.stderr);
    }
    let shown = line("run plan.toml --report json -q").inside(&dir).run().json();
    assert_eq!(result(&shown, "data")["data"]["mine"], json!("sid=[redacted]; step=2"));
}

/// The cookies of a run are in no file: the job that others come after is sent again.
#[test]
#[cfg(feature = "state")]
fn a_run_that_is_gone_on_with_logs_in_again() {
    let is_slow = Arc::new(AtomicBool::new(true));
    let hangs = is_slow.clone();
    let server = Server::start(move |request| match request.path() {
        "/login" => Reply::text("x").header("Set-Cookie", format!("sid={SESSION}")),
        "/more" if hangs.load(Ordering::SeqCst) => Reply::hang(),
        _ => Reply::status(if cookie(request).contains(SESSION) { 200 } else { 401 }),
    });
    let dir = Dir::new();
    let more = format!("[[job]]\nname = \"more\"\nurl = \"{}/more\"\nafter = \"login\"\n", base(&server));
    dir.write("plan.toml", plan(&server, &more));
    line("run plan.toml --state kept.db -q --deadline 1s").inside(&dir).run().expect_code(3);
    is_slow.store(false, Ordering::SeqCst);
    line("run plan.toml --state kept.db --resume -q").inside(&dir).run().expect_code(0);
    let paths: Vec<String> = server.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(paths.iter().filter(|path| *path == "/login").count(), 2, "{paths:?}");
    assert_eq!(paths.iter().filter(|path| *path == "/data").count(), 1, "{paths:?}");
    for name in dir.names() {
        let bytes = std::fs::read(dir.join(&name)).expect("a file");
        assert!(!bytes.windows(SESSION.len()).any(|window| window == SESSION.as_bytes()), "{name}");
    }
}

/// What a hostile server sets harms neither its own source nor others.
#[test]
fn hostile_cookies_are_harmless() {
    let good = Server::start(|request| Reply::text(cookie(request)));
    let hostile = Server::start(|request| {
        let mut reply = Reply::text("x");
        let number: usize = request.path().trim_start_matches('/').parse().unwrap_or(0);
        for cookie in 0..200 {
            reply = reply.header("Set-Cookie", format!("c{number}-{cookie}=x"));
        }
        let (latin, host) = (Reply::text("x"), "127.0.0.1");
        match number {
            1 => latin.header("Set-Cookie", format!("big={}", "x".repeat(100_000))),
            2 => latin.header("Set-Cookie", "a=b; Domain=other.example").header("Set-Cookie", "__Host-a=b; Path=/"),
            3 => latin.header("Set-Cookie", "n\u{e4}me=v\u{e4}lue; Max-Age=999999999999999999999999; Path=/"),
            4 => latin.header("Set-Cookie", ";;;=;=;==").header("Set-Cookie", format!("=x; Domain={host}")),
            5 => {
                latin.header("Set-Cookie", "a=b\tc; Expires=Thu, 99 Foo 99999999999 99:99:99").header("Set-Cookie", "")
            }
            _ => reply,
        }
    });
    let dir = Dir::new();
    let mut text = "[defaults]\ncookies = true\nretries = 0\n".to_owned();
    let jobs = format!("[[job]]\nurl = \"{}/{{n}}\"\neach = {{ n = {{ from = 1, to = 50 }} }}\n", base(&hostile));
    write!(text, "{jobs}[[job]]\nname = \"good\"\nurl = \"{}/\"\n", base(&good)).unwrap();
    dir.write("plan.toml", text);
    let report = line("run plan.toml --report json -q --per-host 1").inside(&dir).run().expect_code(0).json();
    assert_eq!(report["summary"]["ok"], json!(51));
    assert_eq!(result(&report, "good")["body"], json!("-"));
    let sent = hostile.requests().iter().map(|request| cookie(request).len()).max();
    assert!(sent.is_some_and(|sent| sent < 1000), "{sent:?}");
}
