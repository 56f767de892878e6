//! Plans with logins by a fleet: what answers gave goes through Redis sealed.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::fleet::{report, results, with_plan};
use super::redis::{Redis, worker};
use crate::common::{Dir, PATIENCE, Reply, Request, Running, Server, TestCommand};

const KEY: &str = "0123456789abcdefghijklmnopqrstuv\n";

/// Everything that is said to a Redis, also what it does not keep.
struct Monitor(Child, Dir);

impl Monitor {
    fn start(redis: &Redis) -> Monitor {
        let dir = Dir::new();
        let file = std::fs::File::create(dir.join("said")).expect("the folder is there");
        let child = Command::new("redis-cli")
            .args(["-p", &redis.port.to_string(), "monitor"])
            .stdin(Stdio::null())
            .stdout(file)
            .spawn()
            .expect("redis-cli comes with redis-server");
        let monitor = Monitor(child, dir);
        let end = Instant::now() + PATIENCE;
        while !monitor.said().starts_with("OK") {
            assert!(Instant::now() < end, "redis-cli does not monitor");
            std::thread::yield_now();
        }
        monitor
    }

    fn said(&self) -> String {
        self.1.read("said")
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sealed_worker(redis: &Redis, dir: &Dir, words: &[&str]) -> Running {
    let mut worker = worker(&redis.url(), &["--fleet-key", "fleet.key"]).args(words).inside(dir).spawn();
    worker.wait_for_stderr("takes jobs from");
    worker
}

/// Runs the plan by a fleet, and gives the report.
fn run_sealed(redis: &Redis, dir: &Dir, words: &[&str], code: i32) -> (Value, String) {
    let url = redis.url();
    let all = [&["-q", "--fleet", &url, "--fleet-key", "fleet.key", "--report", "json=report.json"], words].concat();
    let output = with_plan(dir, "run", &all).run().expect_code(code);
    (report(dir, "report.json"), output.stderr)
}

const CAPTURED: [&str; 4] = ["t0k/n of the login", "12345678901", "r0w-secret-one", "r0w-secret-two"];

const PLAN: &str = r#"
[[job]]
name = "login"
url = "BASE/login"
method = "POST"
json = { user = "me", password = "${PASSWORD}" }
select = { token = "/token", pin = "/pin" }
secret = ["token", "pin"]

[[job]]
name = "path"
url = "BASE/path/{login.token}"

[[job]]
name = "query"
url = "BASE/query?token={login.token}&key=${KEY}"

[[job]]
name = "header"
url = "BASE/header"
headers = { Authorization = "Bearer x{login.pin}" }

[[job]]
name = "body"
url = "BASE/body"
method = "PUT"
json = { token = "{login.token}", pin = "{login.pin}" }
select = { echo = "/body" }

[[job]]
name = "accounts"
url = "BASE/accounts"
rows = ""
select = { id = "/id", key = "/key" }
secret = ["key"]
table = "accounts"

[[job]]
name = "account"
key = "id"
for_each = "accounts"
url = "BASE/account/{accounts.id}"
headers = { X-Api-Key = "{accounts.key}" }

[[job]]
name = "bad"
url = "BASE/refused"
select = { token = "/token" }
secret = ["token"]

[[job]]
name = "needs bad"
url = "BASE/never?{bad.token}"
"#;

fn apis(request: &Request) -> Reply {
    match request.path() {
        "/login" => Reply::json(json!({"token": CAPTURED[0], "pin": 12_345_678_901_u64}).to_string()),
        "/accounts" => Reply::json(r#"[{"id":1,"key":"r0w-secret-one"},{"id":2,"key":"r0w-secret-two"}]"#),
        "/refused" => Reply::status(403),
        _ => Reply::json(json!({"target": request.target, "body": request.text()}).to_string()),
    }
}

/// What one job was answered is sent by others, in each place of a request, as on one machine, and it
/// stands nowhere in the Redis.
#[test]
#[ignore = "needs redis-server"]
fn what_a_login_gave_goes_sealed_to_those_who_send_it() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    dir.write("fleet.key", KEY);
    dir.write("secrets.env", "PASSWORD=pass-word-1\nKEY=key-of-plan\n");
    let sent = |server: &Server| {
        let requests = server.requests();
        let mut sent: Vec<String> = requests
            .iter()
            .map(|request| {
                let field = |name: &str| request.header(name).unwrap_or_default().to_owned();
                format!("{} {} {} {}", request.target, field("authorization"), field("x-api-key"), request.text())
            })
            .collect();
        sent.sort();
        sent
    };
    let plan = |server: &Server| dir.write("plan.toml", PLAN.replace("BASE", server.url("/").trim_end_matches('/')));
    let one = Server::start(apis);
    plan(&one);
    let words = ["-q", "--secrets", "secrets.env", "--report", "json=one.json"];
    with_plan(&dir, "run", &words).run().expect_code(3);
    let two = Server::start(apis);
    plan(&two);
    let monitor = Monitor::start(&redis);
    let workers = [(); 2].map(|()| sealed_worker(&redis, &dir, &["--secrets", "secrets.env", "-vv"]));
    let (fleet, said) = run_sealed(&redis, &dir, &["--secrets", "secrets.env"], 3);
    assert_eq!(sent(&two), sent(&one));
    assert!(sent(&two).iter().any(|request| request.starts_with("/path/t0k%2Fn%20of%20the%20login ")));

    let outline = |report: &Value| {
        let outline =
            |result: &Value| json!([result["name"], result["ok"], result["error"]["message"], result["data"]]);
        results(report).iter().map(outline).collect::<Vec<_>>()
    };
    assert_eq!(outline(&fleet), outline(&report(&dir, "one.json")));
    let skipped = results(&fleet).iter().find(|result| result["name"] == "needs bad").expect("it is there");
    assert_eq!(skipped["error"]["message"], "\"bad\" failed, and this needs its \"token\"");

    let logged = workers.map(|worker| {
        worker.signal(Signal::TERM);
        worker.wait().expect_code(0).stderr
    });
    let written = String::from_utf8_lossy(&redis.written()).into_owned();
    let heard = monitor.said();
    assert!(heard.to_lowercase().contains("evalsha"), "{heard}");
    let places = [("Redis", &written), ("its commands", &heard), ("the report", &dir.read("report.json"))];
    for (place, text) in places.into_iter().chain(logged.iter().chain([&said]).map(|text| ("a log", text))) {
        let all = CAPTURED.iter().chain(&["t0k%2Fn", "t0k/n", "pass-word", "key-of-plan", "dDBrL24"]);
        for secret in all {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
    // Names and URLs are sealed, too.
    let base = two.url("/");
    assert!(dir.read("report.json").contains(&base), "{base}");
    assert!(!heard.contains(&base) && !heard.contains("/path/") && !heard.contains("accounts"), "{heard}");
}

/// Those that wait for their turn, also at a worker or in Redis, are sent with the token of that time.
#[test]
#[ignore = "needs redis-server"]
fn a_token_is_renewed_while_jobs_wait_for_the_fleet() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    dir.write("fleet.key", KEY);
    dir.write("secrets.env", "CLIENT_SECRET=cl1ent-s3cret\n");
    let (tokens, ends) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let second = Duration::from_secs(1);
    let server = Server::start(move |request| match request.path() {
        "/token" => {
            let number = tokens.fetch_add(1, Ordering::SeqCst);
            // Longer than it says, for a machine that has much else to do.
            ends.lock().expect("no panic").push(Instant::now() + second * 8);
            Reply::json(format!("{{\"access_token\":\"access-t0ken-{number}\",\"expires_in\":4}}"))
        }
        _ => {
            let number = request.header("authorization").and_then(|field| field.rsplit('-').next()?.parse().ok());
            let ends = ends.lock().expect("no panic");
            match number.and_then(|number: usize| ends.get(number)).is_some_and(|end| Instant::now() < *end) {
                true => Reply::json("{}"),
                false => Reply::status(401),
            }
        }
    });
    let url = server.url("/");
    let login = format!("[auth.cloud]\ntype = \"oauth2\"\ntoken_url = \"{url}token\"\nclient_id = \"me\"\n");
    let jobs = format!("url = \"{url}?{{n}}\"\nauth = \"cloud\"\neach = {{ n = {{ from = 1, to = 60 }} }}\n");
    let plan = format!("[limits]\nrate = \"5/s\"\n{login}client_secret = \"${{CLIENT_SECRET}}\"\n[[job]]\n{jobs}");
    dir.write("plan.toml", plan);
    let monitor = Monitor::start(&redis);
    let _workers = [(); 2].map(|()| sealed_worker(&redis, &dir, &["--secrets", "secrets.env", "--concurrency", "3"]));
    let (fleet, _) = run_sealed(&redis, &dir, &["--secrets", "secrets.env"], 0);
    assert_eq!(fleet["summary"]["ok"], 60);
    let calls = server.requests().iter().filter(|request| request.path() == "/token").count();
    assert!((3..=6).contains(&calls), "{calls} tokens in 12 s");
    // What was sent with the first token alone would have been refused, after eight seconds.
    assert_eq!(fleet["summary"]["attempts"], 60, "{calls} tokens");
    let heard = monitor.said();
    for secret in ["access-t0ken", "cl1ent-s3cret"] {
        assert!(!heard.contains(secret) && !dir.read("report.json").contains(secret), "{secret}");
    }
}

/// Who collects after another logs in anew, and what waits in Redis since is sent with the new token; what was done stays done.
#[test]
#[ignore = "needs redis-server"]
fn who_collects_later_logs_in_anew() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    dir.write("fleet.key", KEY);
    let (logins, valid) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(1)));
    let (answered, is_valid) = (Arc::new(AtomicUsize::new(0)), valid.clone());
    let answers = answered.clone();
    let server = Server::builder().malformed_ok().start(move |request| {
        if request.path() == "/token" {
            let number = logins.fetch_add(1, Ordering::SeqCst) + 1;
            return Reply::json(format!("{{\"access_token\":\"access-t0ken-{number}\",\"expires_in\":3600}}"));
        }
        let number = request.header("authorization").and_then(|field| field.rsplit('-').next()?.parse().ok());
        if number != Some(is_valid.load(Ordering::SeqCst)) {
            return Reply::status(401);
        }
        answers.fetch_add(1, Ordering::SeqCst);
        Reply::json("{}").late(Duration::from_millis(50))
    });
    let url = server.url("/");
    let login = format!("[auth.cloud]\ntype = \"oauth2\"\ntoken_url = \"{url}token\"\nclient_id = \"me\"\n");
    let jobs = format!("[[job]]\nurl = \"{url}?{{n}}\"\nauth = \"cloud\"\neach = {{ n = {{ from = 1, to = 300 }} }}\n");
    dir.write("plan.toml", format!("{login}{jobs}"));
    let at = redis.url();
    let worker = sealed_worker(&redis, &dir, &["--concurrency", "4"]);
    let words = ["-q", "--fleet", &at, "--fleet-key", "fleet.key", "--report", "jsonl", "--lease", "1s"];
    let mut run = with_plan(&dir, "run", &words).spawn();
    run.wait_for_lines(4);
    for one in [run, worker] {
        one.signal(Signal::KILL);
        drop(one.wait());
    }
    valid.store(2, Ordering::SeqCst);
    dir.write("other.key", "another key of the same length!!");
    for (words, said) in [
        (&["--fleet-key", "other.key"][..], "is sealed with another key than this --fleet-key"),
        (&[], "is sealed: give its key with --fleet-key"),
    ] {
        let refused = with_plan(&dir, "collect", &[&[at.as_str(), "--report", "json=all.json"], words].concat()).run();
        assert!(refused.code() == Some(1) && refused.stderr.contains(said), "{refused:?}");
    }
    let _worker = sealed_worker(&redis, &dir, &[]);
    let words = [at.as_str(), "--fleet-key", "fleet.key", "--report", "json=all.json"];
    with_plan(&dir, "collect", &words).run().expect_code(0);
    assert_eq!(report(&dir, "all.json")["summary"]["ok"], 300);
    // Beside what was under way, nothing was done again.
    assert!((300..=304).contains(&answered.load(Ordering::SeqCst)), "{answered:?}");
}

/// Waits until a Redis answers so; gives the name of its only run before.
fn wait_for(redis: &Redis, words: &[&str], is: impl Fn(&str) -> bool) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let run = redis.ask(&["zrange", "ru:runs", "0", "-1"]);
        let words: Vec<String> = words.iter().map(|word| word.replace("RUN", &format!("ru:{{{run}}}"))).collect();
        let answer = redis.ask(&words.iter().map(String::as_str).collect::<Vec<_>>());
        if is(&answer) {
            return run;
        }
        assert!(Instant::now() < end, "{words:?}: {answer}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The call that an interrupted collector had asked for was made, and made again with a refresh token that was used by then.
#[test]
#[ignore = "needs redis-server"]
fn a_refresh_token_is_sent_once_whoever_collects() {
    // A call that failed before is made anew.
    for (is_made_before, failed) in [(true, 0), (false, 0), (true, 1)] {
        let (redis, dir) = (Redis::start(&[]), Dir::new());
        dir.write("fleet.key", KEY);
        dir.write("secrets.env", "FIRST=refresh-t0ken-0\n");
        let calls = AtomicUsize::new(0);
        let server = Server::start(move |request| {
            if request.path() != "/token" {
                return Reply::json("{}");
            }
            let Some(number) = calls.fetch_add(1, Ordering::SeqCst).checked_sub(failed) else {
                return Reply::status(400).body("{\"error\":\"temporarily_unavailable\"}");
            };
            match request.text().contains(&format!("refresh-t0ken-{number}&")) {
                true => Reply::json(format!(
                    "{{\"access_token\":\"a\",\"refresh_token\":\"refresh-t0ken-{}\",\"expires_in\":3600}}",
                    number + 1
                )),
                false => Reply::status(400).body("{\"error\":\"invalid_grant\"}"),
            }
        });
        let url = server.url("/");
        let login = format!("[auth.cloud]\ntype = \"oauth2\"\ntoken_url = \"{url}token\"\nclient_id = \"me\"\n");
        let tokens = "refresh_token = \"${FIRST}\"\nrefresh_token_file = \"kept\"\n";
        let jobs = format!("[[job]]\nurl = \"{url}?{{n}}\"\nauth = \"cloud\"\neach = {{ n = [1, 2, 3] }}\n");
        dir.write("plan.toml", format!("{login}{tokens}{jobs}"));
        let at = redis.url();
        let words = ["--fleet", &at, "--fleet-key", "fleet.key", "--secrets", "secrets.env", "--report", "jsonl"];
        let run = with_plan(&dir, "run", &words).spawn();
        wait_for(&redis, &["xlen", "RUN:first"], |answer| answer == "1");
        run.signal(Signal::TERM);
        let interrupted = run.wait();
        let begin = || sealed_worker(&redis, &dir, &["--secrets", "secrets.env"]);
        let worker = is_made_before.then(|| {
            let worker = begin();
            wait_for(&redis, &["xlen", "RUN:out"], |answer| answer == "1");
            worker
        });
        // As it is printed.
        let command = interrupted.stderr.split('"').find_map(|text| text.strip_prefix("roundup ")).expect("a command");
        let collect = TestCommand::new().inside(&dir).args(command.split(' ')).args(["--report", "json=all.json"]);
        let collect = collect.limit(PATIENCE * 4).spawn();
        let _worker = worker.unwrap_or_else(begin);
        collect.wait().expect_code(0);
        assert_eq!(report(&dir, "all.json")["summary"]["ok"], 3);
        assert_eq!(server.requests().iter().filter(|request| request.path() == "/token").count(), 1 + failed);
        assert_eq!(dir.read("kept"), "refresh-t0ken-1\n");
    }
}

/// They were written when one changed, and no sign of life renewed them.
#[test]
#[ignore = "needs redis-server"]
fn tokens_are_kept_for_as_long_as_their_run() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    dir.write("fleet.key", KEY);
    let server = Server::start(|request| match request.path() {
        "/token" => Reply::json("{\"access_token\":\"a\",\"expires_in\":3600}"),
        _ => Reply::hang(),
    });
    let url = server.url("/");
    let login = format!("[auth.cloud]\ntype = \"oauth2\"\ntoken_url = \"{url}token\"\nclient_id = \"me\"\n");
    dir.write("plan.toml", format!("{login}client_secret = \"s\"\n[[job]]\nurl = \"{url}\"\nauth = \"cloud\"\n"));
    let (at, _worker) = (redis.url(), sealed_worker(&redis, &dir, &[]));
    let words = ["-q", "--fleet", &at, "--fleet-key", "fleet.key", "--lease", "500ms", "--report", "jsonl"];
    let _run = with_plan(&dir, "run", &words).spawn();
    let run = wait_for(&redis, &["exists", "RUN:tokens"], |answer| answer == "1");
    let soon = Duration::from_secs(60).as_millis();
    redis.ask(&["pexpire", &format!("ru:{{{run}}}:tokens"), &soon.to_string()]);
    wait_for(&redis, &["pttl", "RUN:tokens"], |answer| answer.parse::<u128>().is_ok_and(|left| left > soon));
}

/// A worker takes what is sealed with its key, and nothing else.
#[test]
#[ignore = "needs redis-server"]
fn workers_take_what_is_sealed_with_their_key() {
    let (redis, dir) = (Redis::start(&[]), Dir::new());
    let server = Server::start(|_| Reply::json("{}"));
    dir.write("plan.toml", format!("[[job]]\nurl = \"{}\"\nbearer = \"typed-as-it-is\"\n", server.url("/")));
    dir.write("fleet.key", KEY);
    dir.write("other.key", "another key of the same length!!");
    let mut without = redis.worker(&[]);
    let mut other = worker(&redis.url(), &["--fleet-key", "other.key"]).inside(&dir).spawn();
    other.wait_for_stderr("takes jobs from");
    let url = redis.url();
    let words = ["--fleet", &url, "--fleet-key", "fleet.key", "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    without.wait_for_stderr("is sealed, and this worker has no --fleet-key: it takes none of its jobs");
    other.wait_for_stderr("is sealed with another key than the --fleet-key of this worker");
    assert_eq!(server.stats().requests, 0);
    let mut right = sealed_worker(&redis, &dir, &[]);
    run.wait().expect_code(0);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer typed-as-it-is"));
    assert!(!String::from_utf8_lossy(&redis.written()).contains("typed-as-it-is"));

    dir.write("plan.toml", format!("[[job]]\nurl = \"{}open\"\n", server.url("/")));
    drop(without);
    let words = ["-q", "--fleet", &url, "--report", "json=report.json"];
    let run = with_plan(&dir, "run", &words).spawn();
    right.wait_for_stderr("is not sealed, and this worker has a --fleet-key");
    let _open = redis.worker(&[]);
    run.wait().expect_code(0);
}
