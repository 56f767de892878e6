//! curl's options: each sends what curl sends, which is looked at beside curl itself where there is one.

use std::sync::Arc;

use super::{line, roundup};
use crate::common::{Dir, Reply, Request, Server, TestCommand};

/// What a server sees of a request: its method, its target, the fields that the options are about, its content.
fn seen(request: &Arc<Request>) -> String {
    let mut seen = format!("{} {}", request.method, request.target);
    for name in ["authorization", "content-type", "cookie", "range", "referer", "x-a", "x-b"] {
        request.headers_named(name).for_each(|value| seen.push_str(&format!("\n{name}: {value}")));
    }
    for name in ["accept", "user-agent", "content-type"].into_iter().filter(|name| request.header(name).is_none()) {
        seen.push_str(&format!("\nno {name}"));
    }
    for (name, default) in [("accept", "*/*"), ("user-agent", "roundup/"), ("user-agent", "curl/")] {
        if let Some(value) = request.header(name).filter(|value| !value.starts_with(default)) {
            // Both names of clients are left out.
            if !(name == "user-agent" && (value.starts_with("roundup/") || value.starts_with("curl/"))) {
                seen.push_str(&format!("\n{name}: {value}"));
            }
        }
    }
    if !request.body.is_empty() {
        seen.push_str(&format!("\n\n{}", request.text()));
    }
    seen
}

/// The requests that a command sends to a server which moves `/moved` to `/there`.
fn requests(words: &[&str], dir: &Dir, command: TestCommand) -> Vec<String> {
    let server = Server::start(|request| match request.path() {
        "/moved" => Reply::redirect(302, "/there"),
        _ => Reply::json("1").header("X-Seen", "yes"),
    });
    let words = words.iter().map(|word| word.replace("URL/", &server.url("/")));
    let output = command.args(words).inside(dir).stdin("from stdin").run();
    assert_eq!(output.code(), Some(0), "{output:?}");
    let port = server.port().to_string();
    let mut seen: Vec<String> = server.requests().iter().map(|request| seen(request).replace(&port, "PORT")).collect();
    seen.sort();
    seen
}

/// curl, unless this machine has none.
fn curl() -> Option<TestCommand> {
    let found =
        std::process::Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success());
    // A user's own defaults must not count.
    found.then(|| TestCommand::program("curl").args(["-q"]))
}

#[test]
fn every_option_sends_what_curl_sends() {
    let dir = Dir::new();
    dir.write("content", "a b&c=ü");
    dir.write("lines", "a=1&\r\nb=2\n");
    dir.write("fields", "X-A: 1\nX-B: 2\n");
    for words in [
        &["URL/"][..],
        &["-L", "URL/moved"],
        &["--location", "--max-redirs", "3", "URL/moved"],
        &["-k", "-s", "-S", "-f", "URL/"],
        &["-sSfL", "URL/moved"],
        &["-fsSLZ", "--parallel-max", "2", "URL/1", "URL/2", "URL/3"],
        &["--parallel", "--parallel-immediate", "URL/[1-3]"],
        &["-g", "URL/[1-3]"],
        &["-i", "URL/"],
        &["-I", "URL/"],
        &["--head", "URL/"],
        &["-o", "saved", "URL/"],
        &["-o", "/dev/null", "-s", "URL/"],
        &["--output", "-", "URL/"],
        &["-A", "me/1", "URL/"],
        &["--user-agent", "me/1", "URL/"],
        &["-e", "http://from/", "URL/"],
        &["--referer", "http://from/", "URL/"],
        &["-b", "a=b; c=d", "URL/"],
        &["--cookie", "a=b", "URL/"],
        &["-b", "a=1", "-b", "b=2; c=3", "URL/"],
        &["-A", "", "URL/"],
        &["-x", "URL/", "http://name.example/path?q"],
        &["-r", "0-3", "URL/"],
        &["-m", "30", "URL/"],
        &["--max-time", "2.5", "--connect-timeout", "5", "URL/"],
        &["--retry", "2", "--retry-connrefused", "URL/"],
        &["--max-filesize", "1000", "URL/"],
        &["--compressed", "--no-buffer", "--http1.1", "URL/"],
        &["-N", "-#", "URL/"],
        &["--url", "URL/"],
        &["URL/", "--url", "URL/2"],
        &["-X", "DELETE", "URL/"],
        &["-XPUT", "-d", "x", "URL/"],
        &["--request", "PATCH", "-da=b", "URL/"],
        &["-d", "a=1", "-d", "b=2", "URL/"],
        &["--data", "a=1", "--data-raw", "@b", "--data-urlencode", "c=d e&f", "URL/"],
        &["--data-binary", "@content", "URL/"],
        &["--data-ascii", "x", "URL/"],
        &["-d", "@lines", "URL/"],
        &["--data-ascii", "@lines", "URL/"],
        &["--data-binary", "@lines", "URL/"],
        &["--json", "@lines", "URL/"],
        &["-H", "Accept:", "-H", "X-A;", "URL/"],
        &["-H", "User-Agent:", "-H", "Content-Type:", "-d", "x", "URL/"],
        &["-H", "@fields", "URL/"],
        &["--data-urlencode", "a b", "--data-urlencode", "=c d", "URL/"],
        &["--data-urlencode", "@content", "--data-urlencode", "n@content", "URL/"],
        &["--data-binary", "@-", "URL/"],
        &["-G", "-d", "q=1", "--data-urlencode", "r=a b", "URL/?p=0"],
        &["--get", "--data", "q=1", "URL/#fragment"],
        &["--json", "{\"a\":1}", "URL/"],
        &["--json", "{\"a\":1}", "-H", "Accept: text/plain", "URL/"],
        &["-u", "me:secret-1", "URL/"],
        &["--oauth2-bearer", "token-1", "URL/"],
        &["-H", "X-A: 1", "-HX-B:2", "--header", "X-A: 3", "URL/"],
        &["-4", "URL/"],
        &["--no-progress-meter", "URL/"],
    ] {
        let ours = requests(words, &dir, line("get --roots bundled"));
        if let Some(curl) = curl() {
            // One curl transfer at a time, and more than one if it was asked for.
            let theirs = requests(words, &dir, curl);
            assert_eq!(ours, theirs, "{words:?}");
        }
        assert!(!ours.is_empty(), "{words:?}");
    }
}

#[test]
fn heads_and_contents_are_printed_as_by_curl() {
    let server = Server::start(|request| match request.path() {
        "/401" => Reply::status(401).header("X-Why", "key").body("{\"error\":\"invalid api key\"}"),
        _ => Reply::json("{\"a\":1}").header("X-A", "b"),
    });
    let ok = line(&format!("get -i {}", server.url("/"))).run().expect_code(0);
    assert!(ok.stdout().starts_with("HTTP/1.1 200 OK\r\n"), "{ok:?}");
    assert!(ok.stdout().contains("\r\nX-A: b\r\n") && ok.stdout().ends_with("\r\n\r\n{\"a\":1}"), "{ok:?}");
    let head = line(&format!("get -I {}", server.url("/"))).run().expect_code(0);
    assert!(head.stdout().contains("\r\nX-A: b\r\n") && head.stdout().ends_with("\r\n\r\n"), "{head:?}");
    let failed = line(&format!("get -i {}", server.url("/401"))).run().expect_code(3);
    assert!(failed.stdout().starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{failed:?}");
    assert!(failed.stdout().ends_with("\r\n\r\n{\"error\":\"invalid api key\"}"), "{failed:?}");
    let body = line(&format!("get --fail-with-body {} {}", server.url("/"), server.url("/401"))).run().expect_code(3);
    assert_eq!(body.stdout(), "{\"a\":1}{\"error\":\"invalid api key\"}");
    assert!(body.stderr.contains("/401: 401: invalid api key\n"), "{body:?}");
    let body = line(&format!("get --body {}", server.url("/401"))).run().expect_code(3);
    assert_eq!(body.stdout(), "");
    if let Some(curl) = curl() {
        let theirs = curl.args(["-s", "-i", &server.url("/")]).run().expect_code(0);
        assert_eq!(ok.stdout(), theirs.stdout());
    }
}

#[test]
fn a_file_is_saved_under_the_name_that_was_given() {
    let server = Server::start(|_| Reply::text("content"));
    let dir = Dir::new();
    line(&format!("get -o saved -s {}", server.url("/"))).inside(&dir).run().expect_code(0);
    assert_eq!((dir.read("saved"), dir.names()), ("content".to_owned(), vec!["saved".to_owned()]));
    let output = line(&format!("get -o - {}", server.url("/"))).inside(&dir).run().expect_code(0);
    assert_eq!(output.stdout(), "content");
}

/// A file of the system is not replaced by one with the content.
#[cfg(unix)]
#[test]
fn a_device_stays_what_it_is() {
    use std::os::unix::fs::FileTypeExt;
    let server = Server::start(|_| Reply::text("content"));
    line(&format!("get -o /dev/null {}", server.url("/"))).run().expect_code(0);
    assert!(std::fs::metadata("/dev/null").expect("there is one").file_type().is_char_device());
}

#[test]
fn options_stand_anywhere_and_urls_may_lack_their_scheme() {
    let server = Server::start(|_| Reply::json("1"));
    let url = server.url("/x");
    let bare = url.strip_prefix("http://").expect("a scheme");
    let local = format!("localhost:{}/y", server.port());
    for words in [
        vec!["get", bare],
        vec!["-q", "get", bare],
        vec!["-H", "X-A: 1", "--retries=0", "get", &url, "-4"],
        vec!["-qH", "X-A: 1", "get", bare],
        vec!["get", "-4", &local],
        vec!["get", "--timeout", "5", bare],
    ] {
        let output = roundup(&words).run().expect_code(0);
        assert!(output.stdout().contains("http://"), "{output:?}");
    }
    assert_eq!(server.stats().requests, 6);
}

/// The last head alone was shown, though redirects are followed by default.
#[test]
fn heads_of_redirects_are_shown_as_curl_shows_them() {
    let server = Server::start(|request| match request.path() {
        "/first" => Reply::redirect(302, "/second").header("X-Hop", "one"),
        "/second" => Reply::redirect(301, "/there").header("X-Hop", "two"),
        _ => Reply::json("{\"a\":1}").header("X-A", "b"),
    });
    let url = server.url("/first");
    for option in ["-i", "-I"] {
        let output = line(&format!("get {option} {url}")).run().expect_code(0);
        let starts: Vec<&str> = output.stdout().lines().filter(|line| line.starts_with("HTTP/1.1 ")).collect();
        assert_eq!(starts, ["HTTP/1.1 302 Found", "HTTP/1.1 301 Moved Permanently", "HTTP/1.1 200 OK"], "{output:?}");
        assert!(output.stdout().contains("X-Hop: one\r\n") && output.stdout().contains("X-Hop: two\r\n"), "{output:?}");
        if let Some(curl) = curl() {
            let theirs = curl.args(["-s", "-L", option, &url]).run().expect_code(0);
            // The server has no reasons for these.
            let theirs = theirs.stdout().replace("302 \r\n", "302 Found\r\n");
            assert_eq!(output.stdout(), theirs.replace("301 \r\n", "301 Moved Permanently\r\n"));
        }
    }
}
