//! Credentials reach the server they are for, and no other server and no output.

use super::{complaint, line, roundup};
use crate::common::{Dir, Reply, Server};

const PASSWORD: &str = "s3cr3t-passw0rd";
/// `me:s3cr3t-passw0rd`.
const PAIR: &str = "bWU6czNjcjN0LXBhc3N3MHJk";

/// The Authorization that each request of such a call had.
fn sent(words: &[&str], env: &[(&str, &str)], netrc: &str, user_info: &str) -> Vec<String> {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    dir.write(".netrc", netrc);
    let url = server.url("/").replace("//", &format!("//{user_info}"));
    let mut command = roundup(["get", &url, "-q"]).args(words).inside(&dir).env("HOME", dir.path());
    for (name, value) in env {
        command = command.env(name, value);
    }
    command.run().expect_code(0);
    server.requests().iter().map(|request| request.header("authorization").unwrap_or("none").to_owned()).collect()
}

#[test]
fn the_closest_credentials_count() {
    let netrc = "machine 127.0.0.1 login netrc method interactive port 80 password file";
    let basic = format!("Basic {PAIR}");
    let user = format!("me:{PASSWORD}");
    for (words, env, user_info, expected) in [
        (&["-u", &user][..], &[][..], "", &*basic),
        (&["--user", &user, "--netrc"], &[], "url:x@", &basic),
        (&[], &[("ROUNDUP_USER", &*user)], "url:x@", &basic),
        (&["--bearer", "t0ken"], &[("ROUNDUP_USER", &user)], "", "Bearer t0ken"),
        (&["--user", &user], &[("ROUNDUP_BEARER", "t0ken")], "", &basic),
        (&["--bearer=t0ken", "-H", "authorization: mine"], &[], "url:x@", "mine"),
        // url:x
        (&["--netrc"], &[], "url:x@", "Basic dXJsOng="),
        // A user in the URL finds its password in the file; one that the file does not know has none.
        (&["--netrc"], &[], "netrc@", "Basic bmV0cmM6ZmlsZQ=="),
        (&["--netrc"], &[], "url@", "Basic dXJsOg=="),
        // netrc:file
        (&["--netrc"], &[], "", "Basic bmV0cmM6ZmlsZQ=="),
        (&[], &[("ROUNDUP_NETRC", "1")], "", "Basic bmV0cmM6ZmlsZQ=="),
        (&[], &[], "", "none"),
    ] {
        assert_eq!(sent(words, env, netrc, user_info), [expected], "{words:?} {env:?} {user_info}");
    }
    assert_eq!(sent(&["--netrc"], &[], "machine other login a password b", ""), ["none"]);
    assert_eq!(sent(&["--netrc"], &[], "default login a password b", ""), ["Basic YTpi"]);
}

#[test]
fn a_plan_may_say_otherwise_for_a_job() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    let job = |path: &str, more: &str| format!("[[job]]\nurl = \"{}\"\n{more}\n", server.url(path));
    dir.write("plan.toml", job("/plain", "") + &job("/own", "headers = { Authorization = \"own\" }"));
    line("run plan.toml -q -u a:b").inside(&dir).run().expect_code(0);
    let mut seen: Vec<_> = server.requests();
    seen.sort_by_key(|request| request.path().to_owned());
    assert_eq!(seen.iter().map(|r| r.header("authorization")).collect::<Vec<_>>(), [Some("own"), Some("Basic YTpi")]);
}

#[test]
fn they_do_not_leave_their_origin() {
    let other = Server::start(|_| Reply::json("1"));
    let target = other.url("/there");
    let server = Server::start(move |request| match request.path() {
        "/away" => Reply::redirect(307, &target),
        "/near" => Reply::redirect(307, "/end"),
        _ => Reply::json("1"),
    });
    let dir = Dir::new();
    // Even if the file has an entry for every host: the target of a redirect was not asked for.
    let netrc = dir.write("netrc", format!("default login me password {PASSWORD}"));
    let user = format!("me:{PASSWORD}");
    let basic = format!("Basic {PAIR}");
    for words in [&["--user", &user][..], &["--bearer", PASSWORD], &["--netrc"]] {
        let urls = [server.url("/away"), server.url("/near")];
        roundup(["get", &urls[0], &urls[1], "-q"]).args(words).env("NETRC", &netrc).run().expect_code(0);
    }
    let seen = server.requests();
    assert_eq!(seen.len(), 9);
    let expected = [basic.clone(), format!("Bearer {PASSWORD}")];
    assert!(seen.iter().all(|request| expected.iter().any(|one| request.header("authorization") == Some(one))));
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(other.requests().len(), 3);
}

#[test]
fn they_are_in_no_output() {
    let server = Server::start(|request| {
        let said = request.header("authorization").unwrap_or_default().to_owned();
        match request.path() {
            "/body" => Reply::json(format!("{{\"got\":\"{said} {PASSWORD}\"}}")),
            "/junk" => Reply::raw(format!("{said} {PASSWORD}\r\n\r\n")).close(),
            "/loop" => Reply::redirect(302, &format!("/loop?{PASSWORD}")),
            _ => Reply::status(401).body(said),
        }
    });
    let dir = Dir::new();
    let netrc = dir.write("netrc", format!("default login me password {PASSWORD}"));
    let urls = ["/body", "/junk", "/loop", "/no"].map(|path| server.url(path));
    let user = format!("me:{PASSWORD}");
    for words in [&["-u", &user][..], &["--bearer", PASSWORD], &["--netrc"]] {
        for report in [&["-v"][..], &["--report", "json", "--report", "table=table"], &["--report", "jsonl", "-v"]] {
            let call = roundup(["get"]).args(&urls).args(words).args(report).args(["--retries", "0"]);
            let output = call.env("NETRC", &netrc).inside(&dir).run().expect_code(3);
            let mut said = format!("{}{}", output.stdout(), output.stderr);
            if report.contains(&"table=table") {
                said += &dir.read("table");
            }
            assert!(!said.contains(PASSWORD) && !said.contains(PAIR), "{said}");
            assert!(report.len() == 1 || said.contains("[redacted]"), "{said}");
        }
    }
    assert!(server.requests().iter().all(|request| request.header("authorization").is_some()));
}

#[test]
fn mistakes_say_what_would_be_right_and_nothing_secret() {
    let dir = Dir::new();
    let bad = dir.write("bad", "machine a login s3cret\npassword");
    for (words, netrc, part) in [
        ("-u s3cret", "", "--user: the password is missing: write NAME:PASSWORD"),
        ("--bearer=s3crét", "", "--bearer: a token is visible ASCII"),
        ("-u a:s3cret --bearer s3cret", "", "--user and --bearer exclude each other"),
        ("--netrc", "no-such-file", "the netrc file no-such-file cannot be read"),
        ("--netrc", bad.to_str().expect("UTF-8"), "bad, line 2: password has no value behind it"),
    ] {
        let call = line(&format!("get http://127.0.0.1:1/ {words}")).inside(&dir).env("NETRC", netrc);
        let output = call.run().expect_code(1);
        assert!(complaint(&output).contains(part) && !output.stderr.contains("s3cr"), "{output:?}");
    }
}

/// Editors of Windows put a byte order mark before what they save: it is no part of a word in any file.
#[test]
fn a_byte_order_mark_is_no_part_of_a_file_that_is_brought() {
    let server = Server::start(|_| Reply::json("{\"n\":1}"));
    let dir = Dir::new();
    dir.write("netrc", "\u{feff}machine 127.0.0.1 login me password s3cr3t-passw0rd\n");
    dir.write("secrets", "\u{feff}TOKEN=from-the-file\n");
    dir.write("headers", "\u{feff}X-First: 1\r\nX-Second: 2\r\n");
    dir.write("list", format!("\u{feff}{}\r\n", server.url("/list")));
    dir.write("page.j2", "\u{feff}{{ summary.total }} source");
    dir.write(
        "plan.toml",
        format!("\u{feff}[[job]]\r\nurl = \"{}\"\r\nheaders = {{ X-Token = \"${{TOKEN}}\" }}\r\n", server.url("/plan")),
    );
    let run = |words: &str| line(words).inside(&dir).env("NETRC", dir.join("netrc")).run().expect_code(0);
    run("get --input list --netrc -H @headers --report json=result.json");
    run("run plan.toml --secrets secrets -q");
    let result = format!("\u{feff}{}", dir.read("result.json"));
    dir.write("result.json", result);
    assert!(run("render result.json").stdout().starts_with("RESULT"));
    #[cfg(feature = "template")]
    assert_eq!(run("render result.json --report template:page.j2").stdout(), "1 source");
    let requests = server.requests();
    let sent = |at: usize, name: &str| requests[at].header(name).map(str::to_owned);
    assert_eq!(sent(0, "authorization"), Some(format!("Basic {PAIR}")));
    assert_eq!((sent(0, "x-first"), sent(0, "x-second")), (Some("1".into()), Some("2".into())));
    assert_eq!((requests[0].path(), requests[1].path()), ("/list", "/plan"));
    assert_eq!(sent(1, "x-token"), Some("from-the-file".into()));
}
