//! Conditional requests beside curl's.

use crate::common::{Dir, Reply, Server, TestCommand};

/// Whatever a server calls its version, roundup sends it back as curl's `--etag-compare` does, and both have a 304.
#[test]
#[ignore = "needs the Debian package curl"]
fn etags_are_sent_back_as_by_curl() {
    const ETAGS: [&str; 5] = ["\"a\"", "W/\"weak\"", "\"with \\\" and , in it\"", "unquoted", "\"\""];
    let server = Server::start(|request| {
        let etag = ETAGS[request.path()[1..].parse::<usize>().expect("a number")];
        match request.header("if-none-match") {
            Some(asked) if asked == etag => Reply::status(304).header("ETag", etag),
            _ => Reply::json("{\"ok\":true}").header("ETag", etag),
        }
    });
    let dir = Dir::new();
    for (number, etag) in ETAGS.iter().enumerate() {
        let url = server.url(&format!("/{number}"));
        let asked = |command: &dyn Fn(usize) -> TestCommand| {
            let before = server.requests().len();
            for round in 0..2 {
                command(round).run().expect_code(0);
            }
            let asked = server.requests().split_off(before);
            asked.iter().map(|request| request.header("if-none-match").map(str::to_owned)).collect::<Vec<_>>()
        };
        let curl = asked(&|round| {
            let option = if round == 0 { "--etag-save" } else { "--etag-compare" };
            TestCommand::program("curl").args(["-sS", option, "etag.txt", &url]).inside(&dir)
        });
        let ours =
            asked(&|_| TestCommand::new().args(["get", &url, "--cache", "--state", "runs.db", "-q"]).inside(&dir));
        assert_eq!((ours[0].as_deref(), ours[1].as_deref()), (None, Some(*etag)));
        assert_eq!(ours[1], curl[1], "curl sends {:?}", curl[1]);
    }
}
