//! `on_change` and `on_failure`: run on transitions, with what has changed on stdin.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{line, stop, wait_until, write_plan};
use crate::common::{Dir, PATIENCE, Reply, Server, invocation};

fn write_program(dir: &Dir, name: &str, text: &str) {
    let path = dir.write(name, format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("they can be set");
}

/// A server whose answers follow this script, one for each round, the last again and again.
fn scripted(script: &'static [(u16, &'static str)]) -> (Server, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    let server = Server::start(move |request| {
        if request.path() != "/a" {
            return Reply::json("0");
        }
        let round = seen.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
        let (status, content) = script[round];
        Reply::status(status).header("Content-Type", "application/json").body(content)
    });
    (server, asked)
}

/// Writes what each hook got into `changes` and `failures`, a line each.
fn write_hooks(dir: &Dir) -> &'static str {
    write_program(dir, "hook", "{ cat; echo; } | tr -d '\\n' >> \"$1\"; echo >> \"$1\"; echo \"hook says $1\"");
    "[watch]\nevery = \"30ms\"\non_change = [\"./hook\", \"changes\"]\non_failure = [\"./hook\", \"failures\"]\n"
}

fn documents(dir: &Dir, name: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join(name)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn hooks_run_on_transitions_and_the_first_round_is_none() {
    const SCRIPT: &[(u16, &str)] =
        &[(404, "0"), (404, "0"), (200, "1"), (200, "1"), (200, "2"), (404, "0"), (404, "0")];
    let (server, _) = scripted(SCRIPT);
    let dir = Dir::new();
    let hooks = write_hooks(&dir);
    write_plan(&dir, &server, hooks, &["a", "same"]);
    let output = line(&dir, "run plan.toml --max-runs 7 --report json").run().expect_code(3);
    assert!(output.stderr.contains("hook says changes") && !output.stdout().contains("hook says"), "{output:?}");
    let changes = documents(&dir, "changes");
    let what: Vec<_> = changes.iter().map(|it| (it["round"].clone(), it["changes"][0]["change"].clone())).collect();
    let expected = [(3, "recovered"), (5, "value"), (6, "failed")];
    assert_eq!(what, expected.map(|(round, change)| (round.into(), change.into())));
    for document in &changes {
        assert_eq!(document["hook"], "on_change");
        assert_eq!(document["changes"][0]["name"], "a");
        assert_eq!(document["results"].as_array().map(Vec::len), Some(1), "what has not changed is not in it");
        assert_eq!(document["summary"]["total"], 2, "the totals are those of the round");
    }
    assert_eq!(changes[1]["results"][0]["body"], 2);
    let failures = documents(&dir, "failures");
    assert_eq!(failures.len(), 1);
    assert_eq!((&failures[0]["hook"], &failures[0]["results"][0]["status"]), (&"on_failure".into(), &404.into()));
}

/// A source is `ok` with its last good content, and the hook tells that it is down.
#[test]
fn a_source_that_has_its_last_content_in_place_of_a_failure_fails() {
    const SCRIPT: &[(u16, &str)] = &[(200, "1"), (503, ""), (503, ""), (200, "1"), (200, "2")];
    let (server, _) = scripted(SCRIPT);
    let dir = Dir::new();
    let hooks = write_hooks(&dir).to_owned() + "[defaults]\nstale_if_error = \"1h\"\n";
    write_plan(&dir, &server, &hooks, &["a"]);
    line(&dir, "run plan.toml --max-runs 5 -q --state runs.db").run().expect_code(0);
    let what = |file: &str| {
        let told = documents(&dir, file);
        told.iter().map(|it| format!("{} {}", it["round"], it["changes"][0]["change"])).collect::<Vec<_>>()
    };
    assert_eq!(what("changes"), ["2 \"failed\"", "4 \"recovered\"", "5 \"value\""]);
    assert_eq!(what("failures"), ["2 \"failed\""]);
    let result = &documents(&dir, "failures")[0]["results"][0];
    assert_eq!((&result["ok"], &result["body"]), (&true.into(), &1.into()), "{result}");
    assert_eq!(result["stale"]["error"]["kind"], "status");
}

/// What `select` picks is compared, and not the content around it.
#[test]
fn values_that_were_picked_are_compared_and_not_the_content() {
    const SCRIPT: &[(u16, &str)] = &[(200, r#"{"v":1,"t":1}"#), (200, r#"{"v":1,"t":2}"#), (200, r#"{"v":2,"t":3}"#)];
    let (server, _) = scripted(SCRIPT);
    let dir = Dir::new();
    let hooks = write_hooks(&dir);
    dir.write(
        "plan.toml",
        format!("{hooks}[[job]]\nname = \"a\"\nurl = \"{}\"\nselect = {{ v = \"/v\" }}\n", server.url("/a")),
    );
    line(&dir, "run plan.toml --max-runs 4 -q").run().expect_code(0);
    let changes = documents(&dir, "changes");
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((&changes[0]["round"], &changes[0]["results"][0]["data"]["v"]), (&3.into(), &2.into()));
}

/// Contents that are saved to files are compared as well, and secrets are hidden from hooks.
#[test]
fn files_are_compared_and_secrets_are_hidden() {
    let (server, _) = scripted(&[(200, "\"one\""), (200, "\"two s3cret-value\"")]);
    let dir = Dir::new();
    let hooks = write_hooks(&dir);
    let job = format!("[[job]]\nname = \"a\"\nurl = \"{}?k=${{KEY}}\"\noutput = \"a.json\"\n", server.url("/a"));
    dir.write("plan.toml", hooks.to_owned() + &job);
    line(&dir, "run plan.toml --max-runs 3 -q").env("KEY", "s3cret-value").run().expect_code(0);
    let text = dir.read("changes");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("a.json") && !text.contains("s3cret"), "{text}");
}

/// A hook that hangs is ended with what it has started, one that fails is told of, one that is gone too; the rounds go on.
#[test]
fn a_hook_that_hangs_or_fails_is_told_of_and_the_rounds_go_on() {
    let alternating = Server::builder().start({
        let asked = AtomicUsize::new(0);
        move |_| Reply::json(asked.fetch_add(1, Ordering::SeqCst).to_string())
    });
    for (program, said) in [
        ("sleep 1000 & echo $! >> pids; echo $$ >> pids; wait", "hook was ended, because it took longer than 200ms"),
        (
            "trap '' TERM; echo $$ >> pids; while :; do sleep 0.1; done",
            "hook was ended, because it took longer than 200ms",
        ),
        ("exit 3", "hook failed: exit code 3"),
        ("kill -9 $$", "hook failed: signal 9 ended it"),
        ("rm -f hook; exit 0", "hook cannot be started"),
        ("exec <&-; exit 1", "hook failed: exit code 1"),
    ] {
        let dir = Dir::new();
        write_program(&dir, "hook", program);
        let watch = "[watch]\nevery = \"20ms\"\non_change = [\"./hook\"]\nhook_timeout = \"200ms\"\n";
        write_plan(&dir, &alternating, watch, &["a"]);
        let output = line(&dir, "run plan.toml --max-runs 4 -q").run().expect_code(0);
        assert!(output.stderr.contains(said), "{program}: {output:?}");
        let pids = std::fs::read_to_string(dir.join("pids")).unwrap_or_default();
        for pid in pids.lines() {
            let end = std::time::Instant::now() + PATIENCE;
            // A zombie that nobody has waited for yet runs no more.
            let runs = || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
            };
            while runs() {
                assert!(std::time::Instant::now() < end, "{program}: process {pid} goes on");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}

/// With a state file, what a hook is told is in it already.
#[test]
fn a_hook_runs_after_the_commit() {
    let (server, _) = scripted(&[(200, "1"), (404, "0")]);
    let dir = Dir::new();
    let program: Vec<String> = invocation().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    write_program(&dir, "hook", &format!("cat >/dev/null; {} history runs.db >> seen", program.join(" ")));
    write_plan(&dir, &server, "[watch]\nevery = \"20ms\"\non_failure = [\"./hook\"]\n", &["a"]);
    line(&dir, "run plan.toml --max-runs 3 -q --state runs.db").run().expect_code(3);
    let seen = dir.read("seen");
    let runs: Vec<&str> = seen.lines().skip(1).collect();
    assert_eq!(runs.len(), 2, "{seen}");
    let words: Vec<&str> = runs[1].split_whitespace().collect();
    // RUN STARTED TOOK END SOURCES OK FAILED
    assert_eq!((words[0], words[3], words[5], words[6]), ("2", "done", "0", "1"), "{seen}");
}

/// The words of a hook are no shell's, and what systemd gives to the service is not for it.
#[test]
fn no_shell_reads_the_words_of_a_hook() {
    let (server, _) = scripted(&[(200, "1"), (200, "2")]);
    let dir = Dir::new();
    write_program(&dir, "hook", "cat >/dev/null; printf '%s|' \"$@\" \"$NOTIFY_SOCKET\" > words");
    let watch = "[watch]\nevery = \"20ms\"\non_change = [\"./hook\", \"$(id); `id`\", \"two words\", \"{who}\"]\n[variables]\nwho = \"me\"\n";
    write_plan(&dir, &server, watch, &["a"]);
    let command = line(&dir, "run plan.toml --max-runs 2 -q").env("NOTIFY_SOCKET", dir.join("nobody"));
    command.run().expect_code(0);
    assert_eq!(dir.read("words"), "$(id); `id`|two words|me||");
}

/// A signal while a hook runs: it has some seconds, and then the command ends.
#[test]
fn a_signal_does_not_wait_for_a_hook_that_hangs() {
    let (server, _) = scripted(&[(200, "1"), (200, "2")]);
    let dir = Dir::new();
    write_program(&dir, "hook", "echo begun > begun; sleep 1000");
    write_plan(&dir, &server, "[watch]\nevery = \"20ms\"\non_change = [\"./hook\"]\nhook_timeout = \"1h\"\n", &["a"]);
    let running = line(&dir, "run plan.toml -q").spawn();
    wait_until(&dir.join("begun"), |text| text.contains("begun"));
    let output = stop(running);
    assert!(output.stderr.contains("hook was ended"), "{output:?}");
}
