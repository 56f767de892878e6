//! What tired people type: each is answered in one line that names what to write.

use super::{complaint, line, roundup};
use crate::common::{Dir, Reply, Server};

#[test]
fn each_is_answered_in_one_line_that_says_what_to_write() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("{}"));
    let dir = Dir::new();
    dir.write("plan.toml", format!("[[job]]\nurl = \"{}\"\n", server.url("/")));
    std::fs::create_dir(dir.join("folder")).expect("a folder");
    for (words, text) in [
        ("get -O URL", "--output-dir . saves contents"),
        ("get --remote-name URL", "--output-dir . saves contents"),
        ("get -w %{http_code} URL", "--report jsonl prints status"),
        ("get --write-out %{http_code} URL", "--report jsonl prints status"),
        ("get --retry-all-errors URL", "--retries 2 repeats what may pass"),
        ("get --retry-delay 1 URL", "doubles from 0.5 s"),
        ("get --retry-max-time 9 URL", "--deadline 2m"),
        ("get --limit-rate 1k URL", "--rate 20/s"),
        ("get -F a=@b URL", "--data-binary @FILE"),
        ("get -T file URL", "--method PUT --data-binary @FILE"),
        ("get -c jar URL", "-b 'NAME=VALUE'"),
        ("get -b jar URL", "write 'NAME=VALUE'"),
        ("get -D - URL", "-i prints heads"),
        ("get -K file URL", "roundup run PLAN.toml"),
        ("get --proxy-user a:b URL", "http://NAME:PASSWORD@HOST:PORT"),
        ("get --location-trusted URL", "leave it out"),
        ("get --http2 URL", "HTTP/1.1"),
        ("get --trace-ascii - URL", "-vv prints heads"),
        ("get --var a=b URL", "--variable NAME=VALUE"),
        ("run plan.toml --set a=b", "--variable NAME=VALUE"),
        ("run plan.toml --define a=b", "--variable NAME=VALUE"),
        ("run plan.toml --env-file f", "--secrets FILE"),
        ("get --post URL", "--method POST"),
        ("get --put URL", "--method PUT"),
        ("get --delete URL", "--method DELETE"),
        ("get --max-retries 3 URL", "--retries N"),
        ("get --retrys 3 URL", "did you mean --retries?"),
        ("get --retires 3 URL", "did you mean --retries?"),
        ("get -j 3 URL", "--concurrency N"),
        ("get --jobs 3 URL", "--concurrency N"),
        ("get --workers 3 URL", "--concurrency N"),
        ("get --rps 3 URL", "--rate 20/s"),
        ("get --out f URL", "--output FILE"),
        ("get --format json URL", "--report FORMAT[=FILE]"),
        ("get --csv URL", "--report csv"),
        ("get --auth a:b URL", "--user NAME:PASSWORD"),
        ("get --token t URL", "--bearer TOKEN"),
        ("get --status 404 URL", "--accept STATUSES"),
        ("get --no-redirect URL", "--follow 0"),
        ("get --ca f URL", "--cacert FILE"),
        ("get --no-verify URL", "--insecure"),
        ("get --no-color URL", "--color never"),
        ("get --no-progress URL", "--progress none"),
        ("get --debug URL", "-vv"),
        ("run plan.toml --dry-run", "roundup check PLAN.toml"),
        ("get --file list", "--input FILE"),
        ("get --headers A:b URL", "did you mean --header?"),
        ("get --heder A:b URL", "did you mean --header?"),
        ("get --time-out 3 URL", "did you mean --timeout?"),
        ("get --timeout 3x URL", "--timeout: "),
        ("get --insecrue URL", "did you mean --insecure?"),
        ("get --locaton URL", "did you mean --location?"),
        ("get plan.toml", "plan.toml is a plan: write roundup run plan.toml"),
        ("run URL", "write roundup get http://"),
        ("check URL", "write roundup get http://"),
        ("URL", "did you mean roundup get http://"),
        ("-L URL", "did you mean roundup get http://"),
        ("plan.toml", "did you mean roundup run plan.toml?"),
        ("fetch URL", "\"fetch\" is not a command: write roundup get URL"),
        ("gett URL", "did you mean get?"),
        ("run folder", "it is a folder; write a plan in it"),
        ("run missing.toml", "the plan missing.toml cannot be read"),
        ("get -o folder URL", "write --output-dir folder"),
        ("get C:\\data\\urls.txt", "C:"),
        ("get 'URL'", "has quotes in it"),
        ("serve -L", "-L is not an option of serve"),
    ] {
        let words = words.replace("URL", &server.url("/"));
        let output = line(&words).inside(&dir).run();
        assert!(matches!(output.code(), Some(1 | 2)), "{words}: {output:?}");
        let complaint = complaint(&output);
        assert!(complaint.contains(text), "{words}: {complaint}");
    }
    let output = roundup(["get", "--bearer", "s3cret-value", "--bearer=s3cret-value"]).run().expect_code(1);
    assert!(!output.stderr.contains("s3cret"), "{output:?}");
    assert_eq!(server.stats().requests, 0);
}
