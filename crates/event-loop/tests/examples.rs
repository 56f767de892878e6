//! Each example runs and prints what it is to show.

#![allow(clippy::unwrap_used, reason = "a test that fails this way names its line")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The path of an example. Builds it if it is missing or old: `cargo test` has built it, `cargo test --test examples` has
/// not.
fn example(name: &str) -> PathBuf {
    // This test is in target/PROFILE/deps.
    let profile = std::env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().to_owned();
    let binary = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(format!("{name}.rs"));
    let written = |path: &Path| path.metadata().and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if written(&binary) < written(&source) {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--example", name]);
        cargo.arg("--target-dir").arg(profile.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.status().unwrap().success(), "{cargo:?}");
    }
    binary
}

/// Runs an example and returns the lines that it prints.
fn run(name: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(example(name)).args(arguments).env("RUST_BACKTRACE", "0").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{out}{err}", output.status);
    out.lines().map(str::to_owned).collect()
}

/// The number before this word in the line.
fn number(line: &str, unit: &str) -> u64 {
    let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_end_matches(',')).collect();
    let at = words.iter().position(|word| *word == unit).unwrap_or_else(|| panic!("no {unit} in {line:?}"));
    words[at - 1].parse().unwrap_or_else(|_| panic!("no number before {unit} in {line:?}"))
}

/// The lines that start with this.
fn starting<'a>(lines: &'a [String], with: &str) -> Vec<&'a str> {
    lines.iter().map(String::as_str).filter(|line| line.starts_with(with)).collect()
}

#[test]
fn sequential_and_concurrent() {
    let lines = run("sequential_and_concurrent", &[]);
    let (before, after) = (starting(&lines, "before: ")[0], starting(&lines, "after: ")[0]);
    // Sleeps are never shorter than asked for, however busy the machine is.
    assert!(number(before, "ms") >= 750 && number(after, "ms") >= 120, "{lines:?}");
    assert!(number(after, "ms") < number(before, "ms"), "{lines:?}");
    assert_eq!((number(before, "answers"), number(after, "answers")), (10, 10));
}

#[test]
fn gather() {
    let lines = run("gather", &[]);
    assert!(lines[0].contains("Err(\"no such city: atlantis\"): no answer is left"), "{lines:?}");
    let words = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = lines[2..6].iter().map(words).collect();
    let expected =
        ["berlin 18 degrees", "atlantis failed: no such city: atlantis", "oslo 9 degrees", "lima 22 degrees"];
    assert_eq!(rows, expected);
    assert!(lines[7].ends_with("panicked: attempt to divide by zero"), "{lines:?}");
    assert_eq!(lines[8..], ["    returned 3", "    returned 6"]);
}

#[test]
fn forgotten_await() {
    let lines = run("forgotten_await", &[]);
    let saved: Vec<&str> = lines.iter().map(|line| line.rsplit(", ").next().unwrap()).collect();
    assert_eq!(saved, ["0 of 3 saved", "3 of 3 saved", "3 of 3 saved"]);
}

#[test]
fn blocking_call() {
    let lines = run("blocking_call", &[]);
    let after = lines.iter().position(|line| line.starts_with("after: ")).unwrap();
    let reports: Vec<&str> = starting(&lines[..after], "    watchdog: task read a file (spawned at ");
    let stuck = reports.iter().position(|line| line.contains(" and still does"));
    let over = reports.iter().position(|line| line.contains("held the loop for ") && !line.contains("still does"));
    assert!(stuck < over && stuck == Some(0), "reported while it lasts and when it has ended: {lines:?}");
    // A blocked loop polls no other task.
    let heartbeats = |lines: &[String]| number(lines.last().unwrap(), "heartbeats");
    assert!(heartbeats(&lines[..after]) < heartbeats(&lines[after..]), "{lines:?}");
}

#[test]
fn flood() {
    let lines = run("flood", &[]);
    let count = |line: &str, status: u32| {
        let (before, _) = line.split_once(&format!(" times {status}")).unwrap();
        before.rsplit([' ', ',']).next().unwrap().parse::<u32>().unwrap()
    };
    let before = starting(&lines, "before: gather ")[0];
    assert!(count(before, 429) > 0 && count(before, 200) + count(before, 429) == 40, "{lines:?}");
    for after in [starting(&lines, "after:  gather_limited")[0], starting(&lines, "after:  with a semaphore")[0]] {
        assert_eq!((count(after, 200), count(after, 429)), (40, 0), "{lines:?}");
    }
}

/// The number at the start of this text.
fn first(text: &str) -> u64 {
    text.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no number in {text:?}"))
}

/// The rest of the line that starts with this.
fn after<'a>(lines: &'a [String], beginning: &str) -> &'a str {
    lines
        .iter()
        .find_map(|line| line.strip_prefix(beginning))
        .unwrap_or_else(|| panic!("no {beginning:?} in {lines:?}"))
}

/// An idle loop does not wake its host. Measured for ten seconds.
#[cfg(unix)]
#[test]
fn host_poll() {
    let lines = run("host_poll", &["10"]);
    println!("{lines:#?}");
    for which in ["wake descriptor alone", "reactor's descriptor too"] {
        assert!(
            after(&lines, which).starts_with(": 100 bytes came back, 5 sleeps and a blocking call ended"),
            "{lines:?}"
        );
    }
    // There are a hundred echoes, five sleeps and a call. Many more turns would mean a host that spins.
    for line in starting(&lines, "    ") {
        assert!(first(line.trim()) < 1_000, "{lines:?}");
    }
    assert_eq!(after(&lines, "idle for "), "10 s: 0 calls of on_wake, 0 turns of the host");
    if cfg!(target_os = "linux") {
        // A thread that wakes once a second would come to ten. One is the host's own wait.
        let switches = first(after(&lines, "all threads together gave up the processor "));
        assert!((1..5).contains(&switches), "{lines:?}");
    }
}

#[cfg(unix)]
#[test]
fn host_calloop() {
    let lines = run("host_calloop", &[]);
    println!("{lines:#?}");
    let pings = after(&lines, "10 sleeps and a blocking call in ");
    // One for the spawn, ten for the sleeps, one for the call; fewer if two came at once.
    assert!((3..20).contains(&number(pings, "pings")), "{lines:?}");
    assert_eq!(after(&lines, "idle for "), "1 s: 0 calls of on_wake, 0 pings");
}

#[test]
fn host_frames() {
    let lines = run("host_frames", &[]);
    println!("{lines:#?}");
    assert!(lines[0].ends_with("level loaded: true"), "{lines:?}");
    // Without a budget all the work would be done in the first frame. How long ticks take is only printed, because on a busy
    // machine that depends on other programs.
    assert!(first(lines[1].trim()) > 10, "{lines:?}");
    assert_eq!(after(&lines, "60 frames with nothing to do: "), "0 calls of on_wake");
    assert!(lines[4].trim().starts_with("0 ticks of the event loop"), "{lines:?}");
}
