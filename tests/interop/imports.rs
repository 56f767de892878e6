//! Plans that were made of curl commands, beside curl: the server sees the same requests. So it does of the commands that
//! are made of these plans.

use super::peer::program;
use crate::common::{Dir, TestCommand};
use crate::import::commands;
use crate::import::commands::{call, plan_of, seen, seen_of_plan, server};

/// A script that neither a user's defaults nor programs of pipelines count in.
fn bash(script: &str) -> TestCommand {
    let script = script.replace("$ #", "#").replace("$ curl", "curl");
    let script = format!("curl() {{ command curl -q -s \"$@\"; }}\njq() {{ cat > /dev/null; }}\n{script}");
    TestCommand::program(program("bash", "bash")).args(["-c", &script]).env("API_TOKEN", "tok-123")
}

#[test]
#[ignore = "needs curl and bash"]
fn imported_commands_send_what_curl_sends() {
    program("curl", "curl");
    let server = server();
    for (title, command, script) in &commands(&format!("127.0.0.1:{}", server.port())) {
        let ours = seen_of_plan(title, command, &server);
        let before = server.requests().len();
        let dir = Dir::new();
        bash(script).inside(&dir).run().expect_code(0);
        let theirs: Vec<String> = server.requests()[before..].iter().map(seen).collect();
        assert_eq!(ours, theirs, "{title}\n{command}");
    }
}

#[test]
#[ignore = "needs curl and bash"]
fn curl_sends_what_the_plan_sends_by_the_commands_that_are_printed() {
    program("curl", "curl");
    let server = server();
    let mut compared = 0;
    for (title, command, _) in &commands(&format!("127.0.0.1:{}", server.port())) {
        let dir = plan_of(title, command);
        let printed = call("run", &dir).arg("--curl").run().expect_code(0);
        // The variable has a value that the reader of the command is to encode.
        if printed.stdout().contains("must be percent-encoded") {
            continue;
        }
        let before = server.requests().len();
        let secrets = dir.read("plan.env");
        let secrets = secrets.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| {
            let quoted = ["'", "\""].iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            (name, quoted.unwrap_or(value))
        });
        let script = bash(printed.stdout()).inside(&dir);
        secrets.fold(script, |script, (name, value)| script.env(name, value)).run().expect_code(0);
        let theirs: Vec<String> = server.requests()[before..].iter().map(seen).collect();
        assert_eq!(seen_of_plan(title, command, &server), theirs, "{title}\n{}", printed.stdout());
        compared += 1;
    }
    assert!(compared >= 25, "{compared}");
}
