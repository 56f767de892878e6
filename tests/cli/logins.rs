//! `[auth]`: tokens that are fetched once, shared, renewed and kept.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{endings, line, result};
use crate::common::{Dir, Reply, Server};

/// A service that takes the token it gave out last. `lasts` is how many calls each token is good for.
fn service(lasts: usize, answer: &'static str) -> Server {
    let (tokens, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Server::start(move |request| match request.path() {
        "/token" => {
            let number = tokens.fetch_add(1, Ordering::SeqCst) + 1;
            calls.store(0, Ordering::SeqCst);
            Reply::json(answer.replace('#', &number.to_string()))
        }
        _ => {
            let number = tokens.load(Ordering::SeqCst);
            let is_good = request.header("authorization") == Some(&format!("Bearer access-t0ken-{number}"));
            let is_left = calls.fetch_add(1, Ordering::SeqCst) < lasts;
            Reply::status(if is_good && is_left { 200 } else { 401 })
        }
    })
}

fn plan(server: &Server, keys: &str, jobs: usize) -> String {
    let base = server.url("/");
    format!(
        "[auth.api]\ntype = \"oauth2\"\ntoken_url = \"{base}token\"\nclient_id = \"me\"\n{keys}\n[defaults]\nauth = \"api\"\n\
         retries = 0\n[[job]]\nname = \"call\"\nurl = \"{base}{{n}}\"\neach = {{ n = {{ from = 1, to = {jobs} }} }}\n"
    )
}

fn token_calls(server: &Server) -> Vec<String> {
    let calls = server.requests();
    let calls = calls.iter().filter(|request| request.path() == "/token");
    calls.map(|request| format!("{} {}", request.header("authorization").unwrap_or("-"), request.text())).collect()
}

const ANSWER: &str = "{\"access_token\":\"access-t0ken-#\",\"token_type\":\"Bearer\",\"expires_in\":3600}";

#[test]
fn one_token_is_fetched_for_all_calls() {
    let server = service(1000, ANSWER);
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, "client_secret = \"${SECRET}\"\nscope = \"read all\"", 50));
    let run = line("run plan.toml --report json -q").inside(&dir).env("SECRET", "client-s3cret").run().expect_code(0);
    assert_eq!(run.json()["summary"]["ok"], json!(50));
    assert!(!run.stdout().contains("t0ken-1") && !run.stdout().contains("s3cret"), "{}", run.stdout());
    // me:client-s3cret
    let calls = ["Basic bWU6Y2xpZW50LXMzY3JldA== grant_type=client_credentials&scope=read+all"];
    assert_eq!(token_calls(&server), calls);
    assert_eq!(server.requests().len(), 51);
}

#[test]
fn a_token_that_is_not_taken_is_renewed_once_for_all_who_wait() {
    let server = service(5, ANSWER);
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, "", 8));
    let report = line("run plan.toml --report json -q --concurrency 1").inside(&dir).run().expect_code(0).json();
    assert_eq!(report["summary"]["ok"], json!(8));
    assert_eq!(token_calls(&server).len(), 2);
    let statuses: Vec<&Value> =
        result(&report, "call[6]")["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [401, 200]);

    // One that is never taken is renewed once for each, and not for ever.
    let server = service(0, ANSWER);
    dir.write("plan.toml", plan(&server, "", 2));
    let report = line("run plan.toml --report json -q --concurrency 1").inside(&dir).run().expect_code(3).json();
    assert_eq!(endings(&report), ["status/head", "status/head"]);
    assert!(token_calls(&server).len() <= 3, "{:?}", token_calls(&server));
}

/// Jobs that wait for their turn longer than a token lasts are sent with the token of that time. Each was sent with the one that
/// there was when it was queued, and once more with the next, which had ended, too: some came to nothing.
#[test]
fn a_token_is_renewed_while_jobs_wait_for_their_turn() {
    let (tokens, ends) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let second = Duration::from_secs(1);
    let server = Server::start(move |request| match request.path() {
        "/token" => {
            let number = tokens.fetch_add(1, Ordering::SeqCst);
            // A second more than it says, for a machine that has much else to do.
            ends.lock().unwrap().push(Instant::now() + second * 2);
            Reply::json(format!("{{\"access_token\":\"access-t0ken-{number}\",\"expires_in\":1}}"))
        }
        _ => {
            let number = request.header("authorization").and_then(|field| field.rsplit('-').next()?.parse().ok());
            let ends = ends.lock().unwrap();
            match number.and_then(|number: usize| ends.get(number)).is_some_and(|end| Instant::now() < *end) {
                true => Reply::json("{}").late(second * 2 / 5),
                false => Reply::status(401),
            }
        }
    });
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, "", 14));
    let report = line("run plan.toml --report json -q --per-host 1").inside(&dir).run().expect_code(0).json();
    assert_eq!(report["summary"]["ok"], json!(14));
    let calls = token_calls(&server).len();
    assert!((3..=20).contains(&calls), "{calls} tokens in 6 s");
}

#[test]
fn a_rotated_refresh_token_is_kept_and_used_by_the_next_run() {
    let answer = "{\"access_token\":\"access-t0ken-#\",\"refresh_token\":\"refresh-t0ken-#\",\"expires_in\":\"60\"}";
    let server = service(1000, answer);
    let dir = Dir::new();
    let file = dir.join("kept");
    let keys = format!("refresh_token = \"${{FIRST}}\"\nrefresh_token_file = \"{}\"", file.display());
    dir.write("plan.toml", plan(&server, &keys.replace('\\', "/"), 2));
    let run = || line("run plan.toml --report json -q").inside(&dir).env("FIRST", "refresh-t0ken-0").run();
    let report = run().expect_code(0);
    assert!(!report.stdout().contains("t0ken-"), "{}", report.stdout());
    assert_eq!(dir.read("kept"), "refresh-t0ken-1\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    run().expect_code(0);
    let call = |token: &str| format!("- grant_type=refresh_token&refresh_token={token}&client_id=me");
    assert_eq!(token_calls(&server), [call("refresh-t0ken-0"), call("refresh-t0ken-1")]);

    // What cannot be kept is not used.
    dir.write("plan.toml", plan(&server, &keys.replace("kept", "none/kept").replace('\\', "/"), 1));
    let report = run().expect_code(3).json();
    let message = report["results"][0]["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("the login \"api\" failed: the refresh token cannot be written to"), "{message}");
}

#[test]
fn a_login_that_fails_skips_what_needs_it_and_nothing_else() {
    for (answer, message) in [
        ("{\"token_type\":\"bearer\"}", "the answer has no \"access_token\""),
        ("{\"access_token\":17}", "the \"access_token\" of the answer is no text"),
        ("{\"access_token\":\"a b\"}", "the \"access_token\" is not visible ASCII, so that it cannot be sent"),
        (
            "{\"access_token\":\"abc\",\"token_type\":\"mac\"}",
            "the token is of the type \"mac\", and only \"bearer\" can be sent",
        ),
        ("no JSON", "the answer has no \"access_token\""),
    ] {
        let server = service(1000, answer);
        let dir = Dir::new();
        let free = format!("[[job]]\nname = \"free\"\nurl = \"{}\"\nauth = \"none\"\n", server.url("/token"));
        let text = plan(&server, "", 2) + &free + "[auth.none]\ntype = \"api_key\"\nkey = \"a-key-0f-mine\"\n";
        dir.write("plan.toml", text);
        let run = line("run plan.toml --report json -q").inside(&dir).run().expect_code(3);
        assert!(!run.stdout().contains("a-key-0f"), "{}", run.stdout());
        let report = run.json();
        assert_eq!(endings(&report), ["skipped/-", "skipped/-", "ok"], "{answer}");
        let said = &report["results"][1]["error"]["message"];
        assert_eq!(said, &json!(format!("the login \"api\" failed: {message}")), "{answer}");
        assert_eq!(token_calls(&server).len(), 2);
        let keys: Vec<String> =
            server.requests().iter().filter_map(|request| request.header("x-api-key").map(str::to_owned)).collect();
        assert_eq!(keys, ["a-key-0f-mine"]);
    }
}

/// `expires_in` of 0 made a call for each job, one of 10^12 was no time at all.
#[test]
fn any_time_of_a_token_is_borne() {
    for time in ["0", "-5", "1e12", "1e400", "null", "\"x\""] {
        let answer = format!("{{\"access_token\":\"access-t0ken-#\",\"expires_in\":{time}}}");
        let server = service(1000, Box::leak(answer.into_boxed_str()));
        let dir = Dir::new();
        dir.write("plan.toml", plan(&server, "", 3));
        line("run plan.toml --report json -q").inside(&dir).run().expect_code(0);
    }
}

#[test]
fn a_key_in_the_query_is_sent_encoded_and_shown_as_its_name() {
    let server = Server::start(|_| Reply::text("ok"));
    let dir = Dir::new();
    let plan = |key: &str| {
        let job = format!("[[job]]\nname = \"a\"\nurl = \"{}?x=1\"\nauth = \"api\"\n", server.url("/a"));
        job + "[auth.api]\ntype = \"api_key\"\nquery = \"api key\"\n" + key
    };
    dir.write("plan.toml", plan("key = \"${KEY}\"\n"));
    let run = line("run plan.toml --report json").env("KEY", "k&y/17=+").inside(&dir).run().expect_code(0);
    assert_eq!(server.requests()[0].target, "/a?x=1&api%20key=k%26y%2F17%3D%2B");
    let url = run.json()["results"][0]["url"].as_str().unwrap().to_owned();
    assert!(url.ends_with("/a?x=1&api%20key=${KEY}"), "{url}");
    for (key, said) in [
        (
            "key = \"plain\"\n",
            "auth.api.key: a key in the query stands in URLs, which reports show: write it as ${NAME}",
        ),
        ("key = \"${KEY}\"\nheader = \"X\"\n", "auth.api.header: a key is sent as a header or in the query: leave one"),
    ] {
        dir.write("plan.toml", plan(key));
        let run = line("check plan.toml").env("KEY", "k&y/17=+").inside(&dir).run().expect_code(2);
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
}

#[test]
fn user_bearer_and_logins_of_a_plan_are_sent_and_hidden() {
    let server = Server::start(|request| Reply::text(request.header("authorization").unwrap_or("-").to_owned()));
    let dir = Dir::new();
    let url = server.url("/");
    dir.write(
        "plan.toml",
        format!(
            "[auth.one]\ntype = \"basic\"\nuser = \"me\"\npassword = \"${{PASS}}\"\n[auth.two]\ntype = \"bearer\"\ntoken = \"${{PASS}}\"\n\
             [defaults]\nauth = \"one\"\n[[job]]\nname = \"a\"\nurl = \"{url}\"\n[[job]]\nname = \"b\"\nurl = \"{url}\"\nauth = \"two\"\n\
             [[job]]\nname = \"c\"\nurl = \"{url}\"\nuser = \"you:${{PASS}}\"\n[[job]]\nname = \"d\"\nurl = \"{url}\"\nbearer = \"${{PASS}}\"\n"
        ),
    );
    let run = line("run plan.toml --report json -q").inside(&dir).env("PASS", "pa55word-0f-mine").run().expect_code(0);
    assert!(!run.stdout().contains("pa55word"), "{}", run.stdout());
    let sent: Vec<String> =
        server.requests().iter().map(|r| r.header("authorization").unwrap_or("-").to_owned()).collect();
    for expected in
        ["Basic bWU6cGE1NXdvcmQtMGYtbWluZQ==", "Bearer pa55word-0f-mine", "Basic eW91OnBhNTV3b3JkLTBmLW1pbmU="]
    {
        assert!(sent.iter().any(|value| value == expected), "{expected} {sent:?}");
    }
    let mistakes = "[auth.a]\ntype = \"oath2\"\n[auth.b]\ntype = \"bearer\"\n[auth.c]\ntype = \"oauth2\"\ntoken_url = \"x\"\nclient_id = \"x\"\n\
        [[job]]\nurl = \"http://a/\"\nauth = \"z\"\n";
    dir.write("bad.toml", mistakes);
    let errors = line("check bad.toml").inside(&dir).run().expect_code(2).stderr;
    assert!(errors.contains("bad.toml:2: auth.a.type: \"oath2\" is no type of a login"), "{errors}");
    assert!(errors.contains("bad.toml:3: auth.b: has no \"token\""), "{errors}");
    assert!(errors.contains("auth: there is no [auth.z]: the names are c"), "{errors}");
    assert!(errors.contains("bad.toml:7: auth.c.token_url: "), "{errors}");
}
