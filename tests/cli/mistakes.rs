//! Mistakes of users: one line that names the mistake, the right exit code, and no request.

use super::{complaint, line, roundup};
use crate::common::{Dir, Reply, Server, TestCommand};

/// Options that take a value, with one that is wrong.
const BAD: &[(&str, &str)] = &[
    ("shard", "9/8"),
    ("keep", "0"),
    ("stale-if-error", "0s"),
    ("state-size", "much"),
    ("concurrency", "0"),
    ("per-host", "many"),
    ("rate", "fast"),
    ("timeout", "10 apples"),
    ("connect-timeout", "0s"),
    ("deadline", "-1s"),
    ("job-timeout", "0s"),
    ("retries", "+1"),
    ("retry-on", "sometimes"),
    ("retry-after-max", "soon"),
    ("user", "no-colon"),
    ("bearer", "two words"),
    ("resolve", "host:80"),
    ("connect-to", "host:80"),
    ("interface", "if!"),
    ("expect100-timeout", "soon"),
    ("header", "no colon"),
    ("method", "GE T"),
    ("data", "@no/such/file"),
    ("data-binary", "@no/such/file"),
    ("data-urlencode", "a@no/such/file"),
    ("json", "@no/such/file"),
    ("accept", "20"),
    ("follow", "101"),
    ("max-body", "16 apples"),
    ("max-memory", "much"),
    ("report", "xml"),
    ("cacert", "no/such/file"),
    ("roots", "mine"),
    ("cert", "no/such/file"),
    ("key", "key-without-certificate.pem"),
    ("pinnedpubkey", "md5//AAAA"),
    ("proxy", "ftp://127.0.0.1:1"),
    ("progress", "never"),
    ("color", "red"),
];

/// Switches can only be wrong in the environment.
const SWITCHES: &[&str] = &[
    "curl",
    "cache",
    "fail-stale",
    "resume",
    "only-failed",
    "adaptive",
    "retry-unsafe",
    "netrc",
    "ipv4",
    "ipv6",
    "body",
    "raw",
    "fail-fast",
    "insecure",
    "keylog",
    "quiet",
    "verbose",
    "globoff",
    "get",
    "include",
    "fail-with-body",
];

fn variable(option: &str) -> String {
    format!("ROUNDUP_{}", option.to_ascii_uppercase().replace('-', "_"))
}

/// A server that must not be used.
fn untouched() -> Server {
    Server::builder().unused_ok().start(|_| Reply::json("{}"))
}

#[test]
fn a_bad_value_is_named_with_its_option_or_variable() {
    let server = untouched();
    for &(option, value) in BAD {
        let typed = roundup(["get", &server.url("/"), &format!("--{option}"), value]).run().expect_code(1);
        let text = complaint(&typed);
        assert!(text.starts_with(&format!("--{option}: ")), "{text}");
        let joined = roundup(["get", &format!("--{option}={value}"), &server.url("/")]).run().expect_code(1);
        assert_eq!(complaint(&joined), text);
        let set = roundup(["get", &server.url("/")]).env(&variable(option), value).run().expect_code(1);
        assert!(complaint(&set).starts_with(&format!("{}: ", variable(option))), "{set:?}");
    }
    for &switch in SWITCHES {
        let set = roundup(["get", &server.url("/")]).env(&variable(switch), "maybe").run().expect_code(1);
        let text = complaint(&set);
        assert!(text.starts_with(&format!("{}: \"maybe\"", variable(switch))) && text.contains("1 or 0"), "{text}");
    }
    assert_eq!(server.stats().connections, 0);
}

#[test]
fn every_option_is_in_the_list_of_bad_values() {
    let help = line("get --help").run().expect_code(0);
    // These take any text; what is wrong with them is tested on its own.
    let others = ["input", "output-dir", "state", "unix-socket", "user-agent", "data-raw", "output", "help"];
    let options = help.stdout().lines().filter(|line| line.starts_with("      --") || line.starts_with("  -"));
    let long = options.filter_map(|line| line.split("--").nth(1));
    let names: Vec<&str> = long.filter_map(|rest| rest.split(' ').next()).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        let known = BAD.iter().any(|(option, _)| *option == name) || SWITCHES.contains(&name) || others.contains(&name);
        assert!(known, "--{name} is in no list of this test");
    }
}

#[test]
fn words_that_make_no_command() {
    let server = untouched();
    let url = server.url("/");
    for (words, text) in [
        (vec![], "no command given: roundup --help lists the commands"),
        (vec!["fetch", &url], "\"fetch\" is not a command"),
        (vec!["gte", &url], "did you mean get?"),
        (vec![&*url], "did you mean roundup get"),
        (vec!["help", "gte"], "did you mean get?"),
        (vec!["--retries", "3", &url], "did you mean roundup get"),
        (vec!["get", "plan.toml"], "plan.toml is a plan: write roundup run plan.toml"),
        (vec!["run", &url], "is a URL and no plan: write roundup get http://"),
        (vec!["get", "--output", "file", &url, &url], "--output takes one URL and 2 are given: write --output-dir DIR"),
        (vec!["get", "-o", ".", &url], "--output: . is a folder: write --output-dir ."),
        (vec!["get", "-o", "f", "--body", &url], "--body and --output exclude each other"),
        (vec!["get", "-i", "--report", "json", &url], "--include and the json report cannot both go to stdout"),
        (vec!["compare", "-G", "-d", "a=b", "a.toml"], "--get has no effect on a plan"),
        (vec!["--verbose"], "a command is missing before --verbose"),
        (vec!["get"], "no URL is given"),
        (vec!["get", "--", "--quiet"], "\"--quiet\" has no scheme"),
        (vec!["get", "--timout", "5s", &url], "did you mean --timeout?"),
        (vec!["get", "--zzzzzzzzzz", &url], "unknown option --zzzzzzzzzz"),
        (vec!["get", "-W", &url], "unknown option -W: roundup get --help lists all"),
        (vec!["get", "--secrets", "file", &url], "--secrets is not an option of get, but of run, check, compare"),
        (vec!["get", &url, "--timeout"], "--timeout needs a value"),
        (vec!["get", &url, "-H"], "-H needs a value"),
        (vec!["get", "--raw=1", &url], "--raw takes no value"),
        (vec!["run"], "PLAN.toml is missing"),
        (vec!["run", "a.toml", "b.toml"], "\"b.toml\" is one argument too many"),
        (vec!["check"], "PLAN.toml is missing"),
        (vec!["compare"], "no URL is given"),
        (vec!["compare", "--secrets", "file", &url], "--secrets has no effect without a plan"),
        (vec!["compare", "--input", "list", "a.toml"], "a plan and --input exclude each other"),
        (vec!["demo", &url], "is one argument too many"),
        (vec!["serve", "--port", "65536"], "--port: \"65536\""),
        (vec!["serve", "--port", "http"], "--port: \"http\""),
        (vec!["get", "--report", "json", "--report", "table", &url], "two reports, json and table"),
        (vec!["get", "--report", "json=", &url], "--report: \"json=\" names no file"),
        (vec!["get", "--body", "--report", "json", &url], "--report json=FILE"),
        (vec!["get", "--body", "--output-dir", "o", &url], "--body and --output-dir exclude each other"),
        (vec!["get", "--cacert", "f", "--roots", "os", &url], "--cacert"),
        (vec!["get", "--user-agent", "a\nb", &url], "--user-agent: "),
        (vec!["get", "--header", "A: b\r\nC: d", &url], "--header: "),
        (vec!["get", "--header", "Content-Length: 3", &url], "--header: "),
        (vec!["get", "-", "--input", "-"], "stdin"),
    ] {
        let output = roundup(&words).stdin("http://127.0.0.1:1/\n").run().expect_code(1);
        let complaint = complaint(&output);
        assert!(complaint.contains(text), "{words:?}: {complaint}");
    }
    assert_eq!(server.stats().connections, 0);
}

#[test]
fn stdin_is_read_once() {
    let server = untouched();
    let list = format!("{}\n", server.url("/"));
    for words in ["get - --data @-", "get --input - --data @-", "get - -", "compare - --data @-"] {
        let output = line(words).stdin(list.clone()).run().expect_code(1);
        assert!(complaint(&output).contains("stdin can be read once"), "{words}: {output:?}");
    }
    let dir = Dir::new();
    dir.write("plan.toml", format!("[[job]]\nurl = \"{}\"\n", server.url("/")));
    let output = line("run - --secrets -").inside(&dir).stdin("A=b\n").run().expect_code(2);
    assert!(complaint(&output).contains("stdin can be read once"), "{output:?}");
    assert_eq!(server.stats().connections, 0);
}

#[test]
fn urls_that_cannot_be_fetched() {
    for (url, text) in [
        ("example", "\"example\" has no scheme: write http:// or https://"),
        ("ftp://127.0.0.1/x", "has a scheme that cannot be fetched"),
        ("file:///etc/passwd", "has a scheme that cannot be fetched"),
        ("http://", "http://"),
        ("http://127.0.0.1:99999/", "127.0.0.1:99999"),
        ("http://a/[5-1]", "column"),
        ("http://a/{", "column"),
    ] {
        let output = roundup(["get", url]).run().expect_code(1);
        assert!(complaint(&output).contains(text), "{output:?}");
    }
    // Each has a line of its own, up to a bound.
    let output = line("get ftp://a/ gopher://b/").run().expect_code(1);
    assert_eq!(output.stderr.lines().count(), 2, "{output:?}");
    let output = line("get ftp://a/[1-5000]").run().expect_code(1);
    assert_eq!(output.stderr.lines().count(), 21, "{output:?}");
    assert!(output.stderr.ends_with("and 4980 more that cannot be fetched\n"), "{output:?}");
}

#[test]
fn lists_that_cannot_be_read() {
    let dir = Dir::new();
    dir.write("empty", "\n# nothing\n");
    dir.write("latin1", b"http://127.0.0.1/caf\xe9\n");
    dir.write("words", "http://127.0.0.1/ and more\n");
    for (words, text) in [
        ("get --input none", "the list none cannot be read"),
        ("get --input .", "the list . cannot be read"),
        ("get --input empty", "empty: no URL"),
        ("get --input latin1", "latin1:1: the line is not UTF-8 text"),
        ("get --input words", "words:1: there is text after the URL"),
        ("get -", "no URL in stdin"),
        ("get --input -", "no URL in stdin"),
    ] {
        let output = line(words).inside(&dir).run().expect_code(1);
        assert!(complaint(&output).contains(text), "{words}: {output:?}");
    }
    let output = line("get --input latin1").inside(&dir).env("ROUNDUP_INPUT", "empty").run().expect_code(1);
    assert!(complaint(&output).contains("latin1:1"), "{output:?}");
    let output = line("get").inside(&dir).env("ROUNDUP_INPUT", "empty").run().expect_code(1);
    assert!(complaint(&output).contains("empty: no URL"), "{output:?}");
}

#[test]
fn plans_that_cannot_be_read() {
    let dir = Dir::new();
    let server = untouched();
    let job = format!("[[job]]\nurl = \"{}\"\n", server.url("/"));
    dir.write("syntax.toml", format!("{job}timeout = \n"));
    dir.write("key.toml", format!("{job}timout = \"5s\"\n"));
    dir.write("value.toml", format!("{job}timeout = \"soon\"\n"));
    dir.write("variable.toml", format!("{job}headers = {{ A = \"${{NOT_SET_ANYWHERE}}\" }}\n"));
    dir.write("latin1.toml", b"# caf\xe9\n");
    dir.write("empty.toml", "");
    dir.write("good.toml", &job);
    dir.write("two.toml", format!("{job}timout = 1\nretrys = 2\n"));
    dir.write("secrets", "not a pair\n");
    std::fs::create_dir(dir.join("folder.toml")).expect("a folder");
    for command in ["run", "check", "compare"] {
        for (words, text) in [
            ("none.toml", "the plan none.toml cannot be read"),
            ("folder.toml", "the plan folder.toml cannot be read"),
            ("latin1.toml", "latin1.toml:1: the plan must be UTF-8 text"),
            ("empty.toml", "empty.toml: the plan has no [[job]]"),
            ("syntax.toml", "syntax.toml:3"),
            ("key.toml", "key.toml:3: job[1]: unknown key \"timout\": did you mean \"timeout\"?"),
            ("value.toml", "value.toml:3: job[1].timeout"),
            ("variable.toml", "NOT_SET_ANYWHERE"),
            ("good.toml --secrets none", "the secrets file none cannot be read"),
            ("good.toml --secrets secrets", "secrets:1"),
        ] {
            let output = line(&format!("{command} {words}")).inside(&dir).run().expect_code(2);
            assert!(complaint(&output).contains(text), "{command} {words}: {output:?}");
        }
        let both = line(&format!("{command} two.toml")).inside(&dir).run().expect_code(2);
        assert_eq!(both.stderr.lines().count(), 2, "{both:?}");
    }
    assert_eq!(server.stats().connections, 0);
}

/// Root may read all files whatever their mode, so this proves nothing if tests run as root.
#[cfg(unix)]
#[test]
fn a_plan_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    let plan = dir.write("plan.toml", "[[job]]\nurl = \"http://127.0.0.1:1/\"\n");
    std::fs::set_permissions(&plan, std::fs::Permissions::from_mode(0o000)).expect("our own file");
    if std::fs::read(&plan).is_ok() {
        return;
    }
    let output = line("run plan.toml").inside(&dir).run().expect_code(2);
    assert!(complaint(&output).contains("the plan plan.toml cannot be read"), "{output:?}");
}

#[test]
fn places_that_cannot_be_written_cost_no_request() {
    let server = untouched();
    let dir = Dir::new();
    dir.write("file", "not a folder");
    std::fs::create_dir(dir.join("folder")).expect("a folder");
    for (words, text) in [
        ("--report json=none/report.json", "\"none/report.json\""),
        ("--report json=folder", "it is a folder"),
        ("--report jsonl=folder", "it is a folder"),
        ("--report table=file/report.txt", "\"file/report.txt\""),
        ("--report jsonl=ok.jsonl --report json=none/report.json", "\"none/report.json\""),
        ("--output-dir file", "file is a file: name a folder"),
        ("--output-dir file/below", "the folder file/below cannot be made"),
    ] {
        for command in ["get", "compare"] {
            let output = line(&format!("{command} {} {words}", server.url("/"))).inside(&dir).run().expect_code(5);
            assert!(complaint(&output).contains(text), "{words}: {output:?}");
        }
    }
    let twice = line(&format!("get {} --report json=a.json --report jsonl=./a.json", server.url("/")));
    assert!(complaint(&twice.inside(&dir).run().expect_code(1)).contains("cannot both go to"));
    assert_eq!(server.stats().connections, 0);
}

#[cfg(unix)]
#[test]
fn words_and_variables_that_are_not_text() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"http://a/\xff");
    let output = TestCommand::new().arg("get").arg(odd).run().expect_code(1);
    assert_eq!(complaint(&output), "the command line is not valid UTF-8");
    let output = line("get http://127.0.0.1:1/").env("ROUNDUP_USER_AGENT", odd).run().expect_code(1);
    assert_eq!(complaint(&output), "ROUNDUP_USER_AGENT: the value is not valid UTF-8");
}

#[test]
fn a_port_that_is_taken() {
    let server = untouched();
    let output = roundup(["serve", "--port", &server.port().to_string()]).run();
    assert!(!output.status.success());
    let text = format!("port {} is in use: choose another with --port, or 0 for any free one", server.port());
    assert_eq!(complaint(&output), text);
    let from_variable = line("serve").env("ROUNDUP_PORT", "x").run().expect_code(1);
    assert!(complaint(&from_variable).starts_with("ROUNDUP_PORT: \"x\""), "{from_variable:?}");
}

#[test]
fn with_fail_fast_a_bad_url_ends_the_run_before_it_begins() {
    let server = untouched();
    let output = line(&format!("get {} nonsense --fail-fast", server.url("/"))).run().expect_code(1);
    assert!(complaint(&output).contains("\"nonsense\" has no scheme"));
    assert_eq!(server.stats().connections, 0);
}
