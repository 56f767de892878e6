//! Every option does what it says: seen by the server or in the output.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{endings, line, roundup};
use crate::common::{Authority, Dir, Leaf, Reply, Request, Server, limited_server};

fn ok() -> Server {
    Server::start(|_| Reply::json("{\"ok\":true}"))
}

/// The request that a call with these words made.
fn request(words: &[&str]) -> Arc<Request> {
    let server = ok();
    roundup(["get", &server.url("/")]).args(words).stdin("from stdin").run().expect_code(0);
    server.requests().remove(0)
}

#[test]
fn headers_methods_and_content() {
    let plain = request(&[]);
    assert_eq!((&*plain.method, &*plain.text()), ("GET", ""));
    assert_eq!(plain.header("accept-encoding").map(|value| value.contains("gzip")), Some(true));
    assert!(plain.header("user-agent").is_some_and(|value| value.starts_with("roundup/")), "{plain:?}");

    let request_ = request(&["-H", "X-A: 1", "--header=X-B: two", "-HX-A:3", "--header", "User-Agent: mine"]);
    assert_eq!(request_.headers_named("x-a").collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!(request_.header("x-b"), Some("two"));
    assert_eq!(request_.headers_named("user-agent").collect::<Vec<_>>(), ["mine"]);

    assert_eq!(request(&["--user-agent", "me/1"]).headers_named("user-agent").collect::<Vec<_>>(), ["me/1"]);
    assert_eq!(request(&["-X", "delete"]).method, "DELETE");
    assert_eq!(request(&["--method=HEAD"]).method, "HEAD");
    let posted = request(&["-d", "a=b"]);
    assert_eq!((&*posted.method, &*posted.text()), ("POST", "a=b"));
    let put = request(&["-X", "PUT", "--data", "@-"]);
    assert_eq!((&*put.method, &*put.text()), ("PUT", "from stdin"));
    let dir = Dir::new();
    let file = dir.write("content", b"\0\xff\r\n");
    let sent = request(&["--data-binary", &format!("@{}", file.display())]);
    assert_eq!((&*sent.method, &*sent.body), ("POST", &b"\0\xff\r\n"[..]));
    assert_eq!(request(&["--raw"]).header("accept-encoding"), None);
}

#[test]
fn what_is_typed_goes_over_the_environment_over_the_plan_over_the_default() {
    let attempts = |words: &[&str], env: &[(&str, &str)], plan: &str| {
        let server = Server::start(|request| match request.path() {
            "/" => Reply::status(503).header("Retry-After", "0"),
            other => panic!("{other}"),
        });
        let dir = Dir::new();
        dir.write("plan.toml", format!("[[job]]\nurl = \"{}\"\n{plan}\n", server.url("/")));
        let mut command = line("run plan.toml -q --report json").args(words).inside(&dir);
        for (name, value) in env {
            command = command.env(name, value);
        }
        let report = command.run().expect_code(3).json();
        let seen = server.requests();
        let field = seen[0].header("x-from").unwrap_or("nobody").to_owned();
        assert_eq!(report["summary"]["attempts"], seen.len());
        (seen.len(), field)
    };
    let expect = |attempts, from: &str| (attempts, from.to_owned());
    let plan = "retries = 1\nheaders = { X-From = \"plan\" }";
    let env = [("ROUNDUP_RETRIES", "3"), ("ROUNDUP_HEADER", "X-Other: 1\nX-From: env\n")];
    assert_eq!(attempts(&[], &[], ""), expect(3, "nobody"));
    assert_eq!(attempts(&[], &[], plan), expect(2, "plan"));
    assert_eq!(attempts(&[], &env, plan), expect(4, "env"));
    assert_eq!(attempts(&["--retries", "0", "-H", "x-from: me"], &env, plan), expect(1, "me"));
    // An empty variable counts as not set, and a switch in the environment can be off.
    let off = [("ROUNDUP_RETRIES", ""), ("ROUNDUP_RAW", "0"), ("ROUNDUP_FAIL_FAST", "off")];
    assert_eq!(attempts(&[], &off, plan), expect(2, "plan"));
}

#[test]
fn what_is_typed_wins_over_what_excludes_it_in_the_environment() {
    let server = ok();
    let dir = Dir::new();
    let get = |words: &str| line(&format!("get {} {words}", server.url("/"))).inside(&dir);
    let body = get("--body -q").env("ROUNDUP_REPORT", "json").env("ROUNDUP_OUTPUT_DIR", "out").run().expect_code(0);
    assert_eq!(body.stdout(), "{\"ok\":true}");
    let report = get("--report json").env("ROUNDUP_BODY", "1").run().expect_code(0);
    assert_eq!(report.json()["results"][0]["body"]["ok"], true);
    let saved = get("--output-dir out -q").env("ROUNDUP_BODY", "1").run().expect_code(0);
    assert!(saved.stdout().contains("1 source: 1 ok") && dir.join("out").is_dir(), "{saved:?}");
    let roots = get("--roots bundled").env("ROUNDUP_CACERT", "none").run().expect_code(1);
    assert!(roots.stderr.starts_with("roundup: ROUNDUP_CACERT: "), "{roots:?}");
}

#[test]
fn which_statuses_are_good_and_how_far_redirects_are_followed() {
    let server = Server::start(|request| match request.path() {
        "/gone" => Reply::status(404),
        "/one" => Reply::redirect(302, "/two"),
        "/two" => Reply::redirect(302, "/end"),
        _ => Reply::json("1"),
    });
    let run = |path: &str, words: &str, code| {
        let words = format!("get {} --report json -q --retries 0 {words}", server.url(path));
        let report = line(&words).run().expect_code(code).json();
        (endings(&report).remove(0), report["results"][0]["status"].clone())
    };
    assert_eq!(run("/gone", "--accept 200-299,404", 0), ("ok".into(), 404.into()));
    assert_eq!(run("/gone", "--accept 2xx", 3), ("status/head".into(), 404.into()));
    assert_eq!(run("/one", "", 0), ("ok".into(), 200.into()));
    assert_eq!(run("/one", "--follow 2", 0), ("ok".into(), 200.into()));
    assert_eq!(run("/one", "--follow 1", 3).0, "redirect/head");
    assert_eq!(run("/one", "--follow 0", 0), ("ok".into(), 302.into()));
    assert_eq!(run("/one", "--follow 0 --accept 200", 3), ("status/head".into(), 302.into()));
}

#[test]
fn content_is_decoded_unless_raw_and_its_size_is_bounded() {
    let server = Server::start(|_| Reply::text("x".repeat(5000)).gzip());
    let get = |words: &str| line(&format!("get {} -q {words}", server.url("/"))).run();
    assert_eq!(get("--body").expect_code(0).stdout(), "x".repeat(5000));
    assert_eq!(get("--body --max-body 5000").expect_code(0).stdout().len(), 5000);
    // The cap counts decoded bytes.
    assert_eq!(endings(&get("--max-body 4999 --report json").expect_code(3).json()), ["too_large/body"]);
    let raw = get("--body --raw --max-body 4999").expect_code(0);
    assert_eq!(raw.stdout_bytes[..2], [0x1f, 0x8b]);
}

#[test]
fn limits_hold() {
    let server = limited_server(3, 0);
    let words = format!("get {} --concurrency 3 --retries 0 -q --report json", server.url("/[1-12]"));
    let report = line(&words).run().expect_code(0).json();
    assert_eq!((&report["summary"]["ok"], server.stats().peak_in_flight), (&12.into(), 3));
    let server = limited_server(2, 0);
    let words = format!("get {} --concurrency 9 --per-host 2 --retries 0 -q", server.url("/[1-8]"));
    line(&words).run().expect_code(0);
    assert_eq!(server.stats().peak_in_flight, 2);
}

#[test]
fn the_rate_is_kept() {
    let server = ok();
    let words = format!("get {} --rate 20/s -q --report json", server.url("/[1-7]"));
    let report = line(&words).run().expect_code(0).json();
    // Six gaps of 50 ms at least on any machine; without the limit it would take next to nothing.
    assert!(report["elapsed_ms"].as_u64().expect("a number") >= 290, "{report:#}");
}

#[test]
fn attempts_end_in_time_and_are_repeated_where_that_is_right() {
    let served = Arc::new(AtomicUsize::new(0));
    let server = Server::start({
        let served = served.clone();
        move |request| match request.path() {
            "/silent" => Reply::hang(),
            "/later" => Reply::status(503).header("Retry-After", "3600"),
            "/404" => Reply::status(404),
            _ if served.fetch_add(1, Ordering::SeqCst) % 2 == 0 => Reply::status(503).header("Retry-After", "0"),
            _ => Reply::json("1"),
        }
    });
    let run = |path: &str, words: &str, code| {
        let words = format!("get {} --report json -q {words}", server.url(path));
        line(&words).run().expect_code(code).json()
    };
    let timeout = run("/silent", "--timeout 100ms --retries 1", 3);
    assert_eq!(endings(&timeout), ["timeout/head"]);
    assert_eq!(timeout["results"][0]["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(run("/", "--retries 1", 0)["summary"]["attempts"], 2);
    assert_eq!(run("/", "--data x", 3)["summary"]["attempts"], 1);
    // The count of what was served is odd now.
    assert_eq!(run("/", "", 0)["summary"]["attempts"], 1);
    assert_eq!(run("/", "--data x --retry-unsafe", 0)["summary"]["attempts"], 2);
    assert_eq!(run("/404", "--retries 1 --retry-on 404", 3)["summary"]["attempts"], 2);
    let limited = run("/silent", "--job-timeout 200ms", 3);
    assert_eq!((endings(&limited), &limited["summary"]["attempts"]), (vec!["timeout/head".into()], &1.into()));
    let later = run("/later", "--retry-after-max 1h1s --deadline 1h", 3);
    assert!(later["results"][0]["error"]["retry_at"].is_string(), "{later:#}");
    let later = run("/later", "", 3);
    assert!(later["results"][0]["error"]["retry_at"].is_string(), "{later:#}");
    assert_eq!(later["summary"]["attempts"], 1);
}

#[test]
fn connecting_has_a_limit_of_its_own() {
    // It accepts the connection and does not answer the TLS handshake.
    let server = Server::builder().on_connect(|_| Some(Reply::stall())).start(|_| Reply::status(500));
    let url = server.url("/").replace("http://", "https://");
    let words = format!("get {url} --connect-timeout 200ms --retries 0 --report json -q");
    let report = line(&words).run().expect_code(3).json();
    assert_eq!(endings(&report), ["timeout/tls"]);
}

#[test]
fn whose_certificates_are_trusted() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(|_| Reply::json("1"));
    let ca = authority.ca_file().to_str().expect("text");
    let get =
        |words: &[&str]| roundup(["get", &server.url("/"), "--retries", "0", "--report", "json", "-q"]).args(words);
    get(&["--cacert", ca]).run().expect_code(0);
    get(&[]).env("ROUNDUP_CACERT", ca).run().expect_code(0);
    get(&["--insecure"]).run().expect_code(0);
    get(&["--roots", "os"]).env("SSL_CERT_FILE", ca).run().expect_code(0);
    for words in [&[][..], &["--roots", "bundled"]] {
        assert_eq!(endings(&get(words).run().expect_code(3).json()), ["tls/tls"], "{words:?}");
    }
    // Variables about certificates give way to options.
    let bundled = get(&["--roots", "bundled"]).env("ROUNDUP_CACERT", ca).run().expect_code(3);
    assert_eq!(endings(&bundled.json()), ["tls/tls"]);
}

#[test]
fn a_client_certificate_pins_and_a_key_log() {
    let authority = Authority::new();
    let versions = rustls::ALL_VERSIONS;
    let (ca, client) = (authority.ca_file().to_str().expect("text"), authority.client());
    let server = Server::builder().tls(authority.server_for_clients(versions)).start(|_| Reply::json("1"));
    let get = |server: &Server, words: &[&str]| {
        let words = [&["--cacert", ca, "--retries", "0", "--report", "json", "-q"][..], words].concat();
        roundup(["get", &server.url("/")]).args(&words)
    };
    let [cert, key, both] = [&client.certificate, &client.key, &client.both].map(|file| file.to_str().expect("text"));
    get(&server, &["--cert", cert, "--key", key]).run().expect_code(0);
    get(&server, &["--cert", both]).run().expect_code(0);
    get(&server, &[]).env("ROUNDUP_CERT", both).run().expect_code(0);
    let report = get(&server, &[]).run().expect_code(3).json();
    assert!(report.to_string().contains("give one with --cert"), "{report}");
    let mixed = get(&server, &["--cert", cert, "--key", ca]).run().expect_code(1);
    assert!(mixed.stderr.starts_with("roundup: --cert and --key: no key can be read from "), "{mixed:?}");

    let (config, spki) = authority.server_keyed(Leaf::Good, versions);
    let server = Server::builder().tls(config).start(|_| Reply::json("1"));
    let pin = |bytes: &[u8]| {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        format!("sha256//{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest))
    };
    get(&server, &["--pinnedpubkey", &pin(&spki)]).run().expect_code(0);
    let report = get(&server, &["--pinnedpubkey", &pin(b"")]).run().expect_code(3).json();
    assert_eq!(endings(&report), ["tls/tls"]);
    assert!(report.to_string().contains("not pinned"), "{report}");

    // The variable alone writes nothing, because it may be meant for another program.
    let dir = Dir::new();
    let log = dir.join("keys");
    get(&server, &[]).env("SSLKEYLOGFILE", &log).run().expect_code(0);
    assert!(!log.exists());
    get(&server, &["--keylog"]).env("SSLKEYLOGFILE", &log).run().expect_code(0);
    assert!(dir.read("keys").contains("CLIENT_TRAFFIC_SECRET_0 "), "{}", dir.read("keys"));
    for (file, text) in [("", "--keylog: SSLKEYLOGFILE is not set"), ("/no/such/file", "cannot be written to /no/")] {
        let output = get(&server, &["--keylog"]).env("SSLKEYLOGFILE", file).run().expect_code(1);
        assert!(output.stderr.contains(text), "{output:?}");
    }
}

#[test]
fn proxies_are_asked() {
    let proxy = Server::start(|request| Reply::text(format!("proxied {}", request.target)));
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let url = "http://name.invalid/x";
    let body = |output: crate::common::Output| output.expect_code(0).stdout().to_owned();
    let expected = "proxied http://name.invalid/x";
    let get = |words: &[&str]| roundup(["get", url, "--body", "-q", "--retries", "0"]).args(words);
    assert_eq!(body(get(&["--proxy", &address]).run()), expected);
    assert_eq!(body(get(&[]).env("ROUNDUP_PROXY", &address).run()), expected);
    assert_eq!(body(get(&[]).env("http_proxy", &address).run()), expected);
    assert_eq!(body(get(&[]).env("ALL_PROXY", &address).run()), expected);
    // The command line goes over the environment; no_proxy goes over both.
    assert_eq!(body(get(&["--proxy", &address]).env("http_proxy", "http://127.0.0.1:1").run()), expected);
    get(&["--proxy", &address]).env("no_proxy", ".invalid").run().expect_code(3);
    assert_eq!(proxy.stats().requests, 5);
}

#[test]
fn a_password_of_a_proxy_or_url_is_not_shown() {
    let server = Server::start(|request| match request.path() {
        "/away" => Reply::redirect(302, "/gone"),
        _ => Reply::status(404),
    });
    let url = server.url("/away").replace("http://", "http://me:s3cretpw@");
    for words in ["", "--report json", "--report jsonl", "-v"] {
        let output = line(&format!("get {url} ftp://me:s3cretpw@a/ {words}")).run().expect_code(3);
        assert!(!format!("{}{}", output.stdout(), output.stderr).contains("s3cretpw"), "{output:?}");
    }
    let port = crate::common::refusing_port();
    let output = line(&format!("get http://a.invalid/ --retries 0 --proxy http://me:s3cretpw@127.0.0.1:{port}"));
    let output = output.run().expect_code(3);
    assert!(!format!("{}{}", output.stdout(), output.stderr).contains("s3cretpw"), "{output:?}");
    let output = line("get http://a.invalid/ --proxy ftp://me:s3cretpw@127.0.0.1").run().expect_code(1);
    assert!(!output.stderr.contains("s3cretpw"), "{output:?}");
}

#[test]
fn contents_are_saved_to_a_folder() {
    let server = Server::start(|request| Reply::text(request.path().to_owned()));
    let dir = Dir::new();
    let list = format!("one {0}/1\none {0}/2\n../../evil {0}/3\n", server.url("/x"));
    let command = line("get - --output-dir out/deep --report json -q").inside(&dir).stdin(list);
    let report = command.run().expect_code(0).json();
    let files: Vec<&str> =
        report["results"].as_array().expect("3").iter().map(|r| r["body_file"].as_str().expect("a file")).collect();
    for (number, file) in files.iter().enumerate() {
        assert!(!file.contains(['/', '\\']), "{file}");
        assert_eq!(dir.read(&format!("out/deep/{file}")), format!("/x/{}", number + 1));
    }
    assert_eq!(std::fs::read_dir(dir.join("out/deep")).expect("a folder").count(), 3);
    assert_eq!(dir.names(), ["out"]);
    assert!(report["results"][0]["body"].is_null());
}

#[cfg(unix)]
#[test]
fn quiet_and_verbose() {
    let server = Server::start(|request| match request.nth {
        1 => Reply::status(503).header("Retry-After", "0"),
        _ => Reply::json("1"),
    });
    let get = |words: &str| line(&format!("get {} {words}", server.url("/"))).run().expect_code(0);
    let report = get("--report json=/dev/null");
    assert!(report.stderr.starts_with("roundup: 1 source: 1 ok") && report.stderr.lines().count() == 1, "{report:?}");
    assert_eq!(get("--report json=/dev/null -q").stderr, "");
    assert_eq!(get("").stderr, "");
    let verbose = get("-v");
    assert!(verbose.stderr.contains(": attempt 1 in ") && verbose.stderr.contains(": attempt 2 in "), "{verbose:?}");
    assert!(verbose.stderr.contains("status: ") && verbose.stderr.contains(": status 200"), "{verbose:?}");
    let hint = line(&format!("get {} -v", server.url("/"))).env("HTTP_PROXY", "http://a").run().expect_code(0);
    assert!(hint.stderr.contains("roundup: info: HTTP_PROXY is not used"), "{hint:?}");
    // A failure that no report shows is shown on stderr.
    let failed = line("get http://127.0.0.1:1/ --retries 0 --body --quiet").limit(Duration::from_secs(20)).run();
    let failed = failed.expect_code(3);
    assert!(failed.stderr.contains("refused (connect)") && failed.stderr.lines().count() == 1, "{failed:?}");
}

#[test]
fn colours_as_asked() {
    let server = ok();
    let get = |words: &str| line(&format!("get {} {words}", server.url("/")));
    let colored = |output: crate::common::Output| output.expect_code(0).stdout().contains('\x1b');
    assert!(!colored(get("").run()));
    assert!(colored(get("--color always").run()));
    assert!(colored(get("").env("CLICOLOR_FORCE", "1").run()));
    assert!(colored(get("").env("ROUNDUP_COLOR", "always").run()));
    assert!(colored(get("--color=always").env("NO_COLOR", "1").run()));
    assert!(!colored(get("").env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").run()));
    assert!(!colored(get("--color never").env("CLICOLOR_FORCE", "1").run()));
    assert!(!colored(get("").env("CLICOLOR_FORCE", "0").run()));
}
