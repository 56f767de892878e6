//! Mistakes about fleets that are found before any Redis is asked; tests/interop has those with one.

use super::{complaint, roundup};
use crate::common::{Dir, Output, refusing_port};

/// What comes of a call with a plan of one job, and these words.
fn with_plan(job: &str, words: &[&str]) -> Output {
    let dir = Dir::new();
    let plan =
        dir.write("plan.toml", format!("[[job]]\nname = \"j\"\nurl = \"http://127.0.0.1:9/?${{KEY}}\"\n{job}\n"));
    let words = words.iter().map(|word| word.replace("PLAN", &plan.display().to_string()));
    roundup(words.collect::<Vec<_>>()).env("KEY", "a-long-secret").run().expect_code(1)
}

#[test]
fn addresses_and_options_that_cannot_be() {
    let at = "redis://127.0.0.1:9";
    for (words, said) in [
        (
            &["run", "PLAN", "--fleet", "localhost:6379"][..],
            "the address of a Redis begins otherwise: write redis://host",
        ),
        (&["run", "PLAN", "--fleet", "redis://me@h"], "the address of a Redis has a user without a password"),
        (
            &["run", "PLAN", "--fleet", "redis://:${NO_SUCH}@h"],
            "there is no value for ${NO_SUCH} in the URL of the fleet",
        ),
        (&["run", "PLAN", "--fleet", at, "--lease", "1ms"], "--lease: workers cannot show in so short a time"),
        (&["run", "PLAN", "--fleet", at, "--fleet-keep", "soon"], "--fleet-keep: "),
        (&["run", "PLAN", "--fleet", at, "--shard", "1/2"], "--shard has no effect with --fleet"),
        (&["run", "PLAN", "--fleet", at, "--output-dir", "x"], "--output-dir has no effect with --fleet"),
        (&["run", "PLAN", "--fleet", at, "-k"], "--insecure has no effect with --fleet: give it to the workers"),
        (&["run", "PLAN", "--fleet", at, "--fleet-cacert", "no/such/file"], "--fleet-cacert: "),
        (
            &["run", "PLAN", "--fleet", at, "--fleet-key", "no/such/file"],
            "--fleet-key: the key of the fleet no/such/file cannot",
        ),
        (&["run", "PLAN", "--fleet-key", "no/such/file"], "--fleet-key has no effect without --fleet: write --fleet"),
        (&["run", "PLAN", "--fleet-cacert", "no/such/file"], "--fleet-cacert has no effect without --fleet: "),
        (&["run", "PLAN", "--lease", "5s"], "--lease has no effect without --fleet: "),
        (&["run", "PLAN", "--fleet-keep", "5h"], "--fleet-keep has no effect without --fleet: "),
        (
            &["worker", at, "--fleet-key", "/dev/zero"],
            "--fleet-key: the key of the fleet /dev/zero is longer than 16 MiB",
        ),
        (
            &["worker", at, "--fleet-key", "/dev/null"],
            "--fleet-key: /dev/null: the key has 0 bytes, and needs 24 or more",
        ),
        (&["collect", "PLAN", at, "--run", "x"], "--run: \"x\" is not the name of a run"),
        (&["worker", at, "--allow", "http://h/"], "--allow: \"http://h/\" is not a host"),
        (&["worker", at, "--idle-exit", "0s"], "--idle-exit: "),
        (&["worker", at, "--secrets", "/dev/null"], "--secrets has no effect without --allow"),
    ] {
        let output = with_plan("", words);
        let text = complaint(&output);
        assert!(text.starts_with(said) && !text.contains("a-long-secret"), "{words:?}: {text}");
    }
}

#[test]
fn jobs_that_belong_to_one_machine_are_named() {
    for (job, said) in [
        ("cookies = true", "\"j\" cannot go to a fleet: it has cookies"),
        ("output = \"x\"", "\"j\" cannot go to a fleet: it saves its content to a file"),
        ("bearer = \"typed-as-it-is\"", "\"j\" cannot go to a fleet: it sends a credential that no ${NAME}"),
        (
            "select = { t = \"/t\" }\nsecret = [\"t\"]",
            "the plan takes secret values from answers (auth, secret), and they go through Redis only sealed",
        ),
    ] {
        let output = with_plan(job, &["run", "PLAN", "--fleet", "redis://127.0.0.1:9"]);
        let text = complaint(&output);
        assert!(text.starts_with(said) && !text.contains("typed-as-it-is"), "{job}: {text}");
    }
}

/// No report is begun, and none that is there is touched.
#[test]
fn a_redis_that_is_not_there_is_one_line() {
    let dir = Dir::new();
    dir.write("old.json", "old");
    let at = format!("redis://:pass-word@127.0.0.1:{}", refusing_port());
    let report = format!("json={}", dir.join("old.json").display());
    let output = with_plan("", &["run", "PLAN", "--fleet", &at, "--report", &report]);
    let text = complaint(&output);
    assert!(text.starts_with("redis://127.0.0.1:") && text.contains("cannot be reached: "), "{text}");
    assert_eq!(dir.names(), ["old.json"]);
    assert_eq!(dir.read("old.json"), "old");
    let output = roundup(["worker", &at, "-q"]).run().expect_code(1);
    assert!(complaint(&output).contains("cannot be reached: ") && !output.stderr.contains("pass-word"), "{output:?}");
}
