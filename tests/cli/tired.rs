//! Arguments that belong elsewhere, quotes that the shell left, dashes of an editor: each is answered in one line.

use super::{complaint, roundup};
use crate::common::{Dir, Reply, Server};

#[test]
fn arguments_in_the_wrong_place_say_where_they_belong() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("{}"));
    let url = server.url("/");
    let dir = Dir::new();
    dir.write("plan.toml", format!("[[job]]\nurl = \"{url}\"\n"));
    dir.write("urls.txt", format!("{url}\n"));
    dir.write("session.har", "{}");
    std::fs::create_dir(dir.join("folder")).expect("a folder");
    dir.write("folder/suppliers.toml", "");
    for (words, text) in [
        (&["get", "folder"][..], "folder is a folder and no URL: write --input FILE"),
        (&["get", "urls.txt"], "urls.txt is a file and no URL: write --input urls.txt"),
        (&["get", "./urls.txt"], "write --input ./urls.txt"),
        (&["get", "@urls.txt"], "write --input urls.txt"),
        (&["get", "C:\\data\\urls.txt"], "C:\\data\\urls.txt is a file and no URL: write --input C:\\data\\urls.txt"),
        (&["get", "C:\\data\\plan.toml"], "write roundup run C:\\data\\plan.toml"),
        (&["get", "plan.toml"], "write roundup run plan.toml"),
        (&["get", "'http://a.example/'"], "write \"http://a.example/\""),
        (&["get", "\"http://a.example/\""], "write \"http://a.example/\""),
        (&["get", "\u{201c}http://a.example/\u{201d}"], "write \"http://a.example/\""),
        (&["get", "'http://a.example/?a=1"], "has quotes in it, which this shell leaves there"),
        (&["get", "\u{2013}retries", "3", &url], "begins with a long dash, which is no option: write --retries"),
        (&["get", "\u{2014}v", &url], "write -v"),
        (&["get", "POST", &url], "POST is a method and no URL: write -X POST"),
        (&["get", ""], "a URL is empty: is a variable of the shell not set?"),
        (&["get", &url, "-H", "Accept text/plain"], "write it as 'Name: value'"),
        (&["get", &url, "-H", "X A: b"], "is not a header name"),
        (&["get", "http//a.example"], "write http:// or https:// before it"),
        (&["get", "htp://a.example"], "write http:// or https://"),
        (&["get", "ftp://a.example/"], "write http:// or https://"),
        (&["get", "http://a.example:99999/"], "invalid port number"),
        (&["get", "http://a.example/[1-"], "write [1-50]"),
        (&["get", "http://a.example/{a,b"], "write {a,b}"),
        (&["get", &url, "--timeout", "five"], "--timeout: "),
        (&["get", &url, "--rate", "20"], "write 20/s"),
        (&["get", &url, "--per-host", "ten"], "write a whole number"),
        (&["get", &url, "--user", "me"], "write NAME:PASSWORD"),
        (&["get", &url, "-X", "GETT"], "write one of GET"),
        (&["get", &url, "-X"], "-X needs a value"),
        (&["get", &url, "--report", "pdf"], "write one of json"),
        (&["get", &url, "-d", "@nowhere"], "the content nowhere cannot be read"),
        (&["get", &url, "-o", "folder"], "write --output-dir folder"),
        (&["get", &url, &url, "-o", "file"], "write --output-dir DIR"),
        (&["get", "--input", "folder"], "the list folder cannot be read"),
        (&["get", "--secrets", "x", &url], "but of run, check"),
        (&["run", "plan.toml", "city=oslo"], "write --variable city=oslo"),
        (&["run", "plan.toml", "--variable", "city"], "write NAME=VALUE"),
        (&["run", "plan.toml", "plan.toml"], "is one argument too many"),
        (&["run", "PLAN.TOML"], "did you mean plan.toml?"),
        (&["run", "plan"], "did you mean plan.toml?"),
        (&["run", "paln.toml"], "did you mean plan.toml?"),
        (&["run", "other.toml"], "the plan other.toml cannot be read"),
        (&["run", "folder"], "the plan folder cannot be read: it is a folder; write a plan in it, such as folder"),
        (&["check", "folder"], "suppliers.toml"),
        (&["run", ""], "the name of the plan is empty"),
        (&["run", "urls.txt"], "write roundup get --input urls.txt"),
        (&["run", "session.har"], "write roundup import har session.har"),
        (&["run", "C:\\plans\\suppliers.toml"], "C:\\plans\\suppliers.toml cannot be read"),
        (&["run", "'plan.toml'"], "write \"plan.toml\""),
        (&["run", &url], "write roundup get http://"),
        (&["run"], "PLAN.toml is missing: write roundup run [OPTIONS] PLAN.toml"),
        (&["render"], "RESULT is missing: write roundup render [OPTIONS] RESULT"),
        (&["import", "session.har"], "write roundup import har session.har"),
        (&["import", "commands.txt"], "write roundup import curl commands.txt"),
        (&["import", "csv", "x"], "write roundup import curl FILE or roundup import har FILE"),
        (&["explain", "x", "plan.toml"], "it is not a result that roundup wrote"),
        (&["serve", "8080"], "write roundup serve --port 8080"),
        (&["serve", "--port", "99999"], "write a whole number from 0 to 65535"),
        (&["new", "folder"], "write a file in it"),
        (&["new", "plan.toml"], "is there already"),
        (&["completions", "tcsh"], "write bash, zsh, fish, powershell"),
        (&["state", "plan.toml"], "FILE is missing: write roundup state"),
        (&["GET", &url], "did you mean get?"),
        (&["curl", &url], "write roundup get URL"),
        (&["post", &url], "write roundup get -X POST URL"),
        (&["init"], "write roundup new"),
        (&["validate", "plan.toml"], "write roundup check PLAN.toml"),
        (&["-X", "POST", &url], "did you mean roundup get http://"),
        (&["version"], "write roundup --version"),
        (&["help", "me"], "write one of get, run"),
        (&["get", &url, "--version"], "roundup --version prints the version"),
        (&["get", &url, "--parallel", "5"], "5 is a number and no URL: write it behind the option it is for"),
        (&["get", &url, "--max-body", "10", "MB"], "MB is a unit and no URL: write it to its number, as in 10MB"),
        (&["get", &url, "-P", "5"], "--concurrency N"),
        (&["get", &url, "--no-location"], "--follow 0"),
        (&["get", &url, "--next", &url], "roundup run PLAN.toml gives each request options of its own"),
        (&["get", &url, "--noproxy", "*"], "NO_PROXY=HOST,HOST in the environment"),
        (&["get", &url, "--digest", "-u", "a:b"], "--user sends the password as Basic"),
        (&["get", &url, "--url-query", "a=b"], "-G --data"),
        (
            &["get", &url, "--aws-sigv4", "aws:amz"],
            "is an option of curl, and roundup has nothing like it: leave it out",
        ),
        (&["get", &url, "-a"], "-a is an option of curl, and roundup has nothing like it: leave it out"),
        (&["get", "--input", "plan.toml"], "plan.toml is a plan and no list of URLs: write roundup run plan.toml"),
        (&["compare"], "no URL is given: write URL..., or --input FILE"),
        (&["run", "plan.toml", "--secret", "A=b"], "--secrets FILE"),
        (&["run", "plan.toml", "--only", "health"], "roundup check PLAN.toml lists its jobs"),
        (&["run", "plan.toml", "--keep", "30"], "--keep needs the file that runs are kept in: write --state FILE"),
        (&["import", "curl http://a.example/"], "write roundup import curl -, paste the command"),
        (&["import", "curl", "curl http://a.example/"], "write roundup import curl -, paste the command"),
        (&["import", "curl", "curl", "http://a.example/"], "write roundup import curl -, paste the command"),
        (&["help", "chekc"], "did you mean check?"),
        (&["help", "plans"], "did you mean roundup help plan?"),
        (&["plan"], "roundup help plan for its keys"),
        (&["get", "help"], "write roundup help get"),
        (&["-version"], "did you mean --version?"),
        (&["get", "-header", "a: b", &url], "did you mean --header?"),
        (&["get", "-timeout", "5", &url], "did you mean --timeout?"),
        (&["get", "-timout", "5", &url], "did you mean --timeout?"),
        (&["get", "-concurrency=4", &url], "did you mean --concurrency?"),
        (&["get", "-retries", "3", &url], "did you mean --retries?"),
        (&["get", "-help", &url], "did you mean --help?"),
        (&["get", "-i", "-o", "file", &url], "write > FILE to have both in a file"),
        (&["get", "-I", "--output-dir", "pages", &url], "write > FILE to have both in a file"),
        (&["get", "-qh", &url], "-h stands alone: write roundup get -h"),
        (&["get", "\u{2013}-retries", "2", &url], "write --retries"),
        (&["get", "\u{2013}\u{2013}retries", "2", &url], "write --retries"),
        (&["get", "--con", "4", &url], "did you mean --concurrency, --connect-timeout or --connect-to?"),
        (&["get", "--conc", "4", &url], "did you mean --concurrency?"),
        (&["get", &url, "--timeout", "10", "sec"], "write it to its number, as in 10sec"),
        (&["get", &url, "--timeout", "2", "minutes"], "write it to its number, as in 10minutes"),
        (&["serve", "-p", "8080"], "did you mean --port?"),
        (&["run", "plan.tml"], "did you mean plan.toml?"),
        (&["get", "http://a.example/a http://a.example/b"], "are several URLs in one word"),
        (&["get", "http://a.example/a, http://a.example/b"], "are several URLs in one word"),
        (&["get", "http://a.example/a,http://a.example/b"], "are several URLs in one word"),
        (&["get", &url, "--report", "json", "report.json"], "write --report json=report.json"),
        (&["get", "curl", &url], "roundup import curl - reads a curl command"),
    ] {
        let output = roundup(words).inside(&dir).run();
        assert!(matches!(output.code(), Some(1 | 2)), "{words:?}: {output:?}");
        let said = complaint(&output);
        assert!(said.contains(text), "{words:?}: {said}");
    }
    assert_eq!(server.stats().requests, 0);
}

/// A host may be called as a file is.
#[test]
fn a_file_of_the_same_name_hides_no_host() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    let host = format!("localhost:{}", server.port());
    dir.write("localhost", "");
    roundup(["get", &host, "-4"]).inside(&dir).run().expect_code(0);
}

/// The name of a variable was mistyped, and the plan ran with the value that it has without it.
#[test]
fn a_variable_that_nothing_uses_is_a_warning() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    let plan =
        format!("[variables]\ncity = \"oslo\"\nspare = 1\n[[job]]\nurl = \"{}{{city}}/{{day}}\"\n", server.url("/"));
    dir.write("plan.toml", plan);
    let run = |options: &[&str]| {
        let words = [&["run", "plan.toml", "--variable", "day=1"][..], options].concat();
        roundup(words).inside(&dir).run().expect_code(0).stderr
    };
    let said = run(&["--variable", "ctiy=rome", "--variable", "spare=2"]);
    let expected = "nothing in the plan uses {ctiy}, for which a value was given: its [variables] are city, spare";
    assert!(said.contains(expected) && !said.contains("{spare}") && !said.contains("{day}"), "{said}");
    assert_eq!(run(&["--variable", "city=rome", "--quiet"]), "");
}

#[test]
fn a_file_in_place_of_the_folder_for_contents_is_named() {
    let dir = Dir::new();
    dir.write("file", "");
    let output = roundup(["get", "http://127.0.0.1:9/", "--output-dir", "file"]).inside(&dir).run().expect_code(5);
    assert!(complaint(&output).contains("file is a file: name a folder for the contents"), "{output:?}");
}

/// curl's `--help all`, and what other tools have.
#[test]
fn help_is_given_however_it_is_asked_for() {
    for words in [&["get", "--help=all"][..], &["get", "--help", "all"], &["get", "-h", "all"]] {
        let output = roundup(words.iter().copied()).run().expect_code(0);
        assert!(output.stdout().starts_with("Usage: roundup get"), "{words:?}");
    }
}

/// The second URL was asked for with the comma in its path.
#[test]
fn a_comma_behind_a_url_is_left_out_with_a_line() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    let (a, b) = (server.url("/a"), server.url("/b"));
    dir.write("urls", format!("{a},\nb {b},\n"));
    let targets = || {
        let mut all: Vec<String> = server.requests().iter().map(|request| request.target.clone()).collect();
        all.sort();
        all
    };
    let output = roundup(["get", &format!("{a},"), &format!("{b},")]).run().expect_code(0);
    assert_eq!(output.stderr, "roundup: commas behind 2 URLs are left out: write %2C for one that belongs to it\n");
    assert_eq!(targets(), ["/a", "/b"]);
    roundup(["get", "-q", "--input", "urls"]).inside(&dir).run().expect_code(0);
    assert_eq!(targets(), ["/a", "/a", "/b", "/b"]);
    let port = format!("127.0.0.1:{},", server.port());
    let output = roundup(["get", &port]).run().expect_code(0);
    assert_eq!(output.stderr, "roundup: a comma behind a URL is left out: write %2C for one that belongs to it\n");
}

#[test]
fn units_of_time_may_be_words_and_what_holds_anyway_may_be_said() {
    let server = Server::start(|_| Reply::json("1"));
    let url = server.url("/");
    let words = ["get", "-q", "--timeout", "10sec", "--deadline", "2 minutes", "--basic", "-u", "me:pw", &url];
    roundup(words).run().expect_code(0);
    assert!(server.requests()[0].header("authorization").is_some_and(|value| value.starts_with("Basic ")));
    roundup(["get", "-q", "--no-compressed", &url]).run().expect_code(0);
    assert_eq!(server.requests()[1].header("accept-encoding"), None);
}

/// `curl -sIo /dev/null` is in many scripts.
#[cfg(unix)]
#[test]
fn a_head_that_goes_to_dev_null_is_not_shown() {
    let server = Server::start(|_| Reply::json("1").header("X-Seen", "yes"));
    let output = roundup(["get", "-sIo", "/dev/null", &server.url("/")]).run().expect_code(0);
    assert!(!output.stdout().contains("X-Seen") && output.stderr.is_empty(), "{output:?}");
    assert_eq!(server.requests()[0].method, "HEAD");
}
