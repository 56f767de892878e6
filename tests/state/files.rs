//! Files that are not what they should be: each has a line, and loses nothing.

use std::time::Duration;

use roundup::units::DisplayDuration;
use rusqlite::Connection;

use super::{line, query, texts};
use crate::common::{Dir, Output, Reply, Server, TestCommand, invocation};

fn server() -> Server {
    Server::builder().unused_ok().start(|_| Reply::json("1"))
}

fn keep(server: &Server, dir: &Dir) -> Output {
    line(dir, &format!("get {} --state runs.db --report json=out.json -q", server.url("/a"))).run()
}

/// What is on stderr of a run that is refused before it sends anything.
#[track_caller]
fn refused(server: &Server, dir: &Dir, text: &str) {
    let output = keep(server, dir).expect_code(5);
    assert!(output.stderr.contains(text), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert_eq!(server.stats().requests, 0, "{output:?}");
}

#[test]
fn a_folder_a_text_and_other_databases_are_left_as_they_are() {
    let (server, dir) = (server(), Dir::new());
    std::fs::create_dir(dir.join("runs.db")).expect("a folder");
    refused(&server, &dir, "runs.db is a folder: name a file for the state");
    std::fs::remove_dir(dir.join("runs.db")).expect("empty");

    dir.write("runs.db", "a letter to somebody");
    refused(&server, &dir, "runs.db is not a state file, and is left as it is");
    assert_eq!(dir.read("runs.db"), "a letter to somebody");
    std::fs::remove_file(dir.join("runs.db")).expect("a file");

    let other = Connection::open(dir.join("runs.db")).expect("a database");
    other.execute_batch("create table mine (a); insert into mine values (1)").expect("a table");
    drop(other);
    refused(&server, &dir, "runs.db is a database of another program");
    assert_eq!(query::<i64>(&dir, "select a from mine"), [1]);
}

#[test]
fn a_file_of_a_later_version_is_refused_with_words() {
    let (server, dir) = (server(), Dir::new());
    keep(&server, &dir).expect_code(0);
    super::open(&dir).execute_batch("pragma user_version = 99").expect("written");
    let output = keep(&server, &dir).expect_code(5);
    assert!(output.stderr.contains("was written by a later version of roundup (layout 99"), "{output:?}");
    let output = line(&dir, "history runs.db").run().expect_code(5);
    assert!(output.stderr.contains("later version"), "{output:?}");
}

#[test]
fn a_damaged_file_is_set_aside_and_named() {
    for damage in [true, false] {
        let (server, dir) = (server(), Dir::new());
        if damage {
            keep(&server, &dir).expect_code(0);
            let mut bytes = std::fs::read(dir.join("runs.db")).expect("a file");
            bytes[100..4000].fill(0xAA);
            dir.write("runs.db", &bytes);
        } else {
            dir.write("runs.db", [0; 8192]);
        }
        let output = keep(&server, &dir).expect_code(0);
        assert!(output.stderr.contains("runs.db was damaged: it is runs.db.damaged-"), "{output:?}");
        assert_eq!(query::<i64>(&dir, "select count(*) from outcomes"), [1]);
        let names = dir.names();
        assert_eq!(names.iter().filter(|name| name.starts_with("runs.db.damaged-")).count(), 1, "{names:?}");
        // Another look at it finds nothing wrong.
        assert_eq!(keep(&server, &dir).expect_code(0).stderr, "");
    }
}

/// A page in the middle, which no look at the beginning finds: small files are read whole, and damage in large ones is found
/// when it is come upon.
#[test]
fn a_file_that_is_damaged_within_is_set_aside_and_named() {
    let server = server();
    for (sources, words) in [(60, ""), (60, "--resume"), (4000, "--resume"), (4000, "")] {
        let dir = Dir::new();
        let list: String = (1..=sources).map(|n| format!("{}\n", server.url(&format!("/{n}")))).collect();
        dir.write("list", list);
        let keep = |words: &str| {
            line(&dir, &format!("get --input list --state runs.db --report json=out.json -q {words}")).run()
        };
        keep("").expect_code(0);
        if words == "--resume" {
            super::open(&dir).execute_batch("update runs set ended = null, how = null").expect("written");
        }
        let mut bytes = std::fs::read(dir.join("runs.db")).expect("a file");
        assert_eq!(bytes.len() > 2 << 20, sources == 4000, "{} bytes", bytes.len());
        // All but what is read first, the head of the file and of its tables, and what is read last.
        let (pages, page) = (bytes.len() / 8192, 8192);
        let (from, to) = if sources == 60 { (pages / 2, pages / 2 + 1) } else { (20, pages - 1) };
        bytes[from * page..to * page].fill(0xAA);
        dir.write("runs.db", &bytes);
        let output = keep(words);
        let aside: Vec<String> = dir
            .names()
            .into_iter()
            .filter(|name| name.starts_with("runs.db.damaged-") && !name.contains("-wal"))
            .collect();
        assert_eq!(aside.len(), 1, "{sources} {words}: {output:?}");
        assert!(output.stderr.contains(&aside[0]), "{output:?}");
        let report: serde_json::Value = serde_json::from_str(&dir.read("out.json")).expect("JSON");
        assert_eq!(report["summary"]["ok"], sources, "the report has all");
        assert_eq!(std::fs::read(dir.join(&aside[0])).expect("kept").len(), bytes.len());
        // Found at the end, this run is not kept, and its exit code says so.
        if output.code() == Some(0) {
            assert_eq!(query::<i64>(&dir, "select count(*) from outcomes"), [sources]);
        } else {
            output.expect_code(5);
        }
        keep("").expect_code(0);
        assert_eq!(texts(&dir, "pragma integrity_check"), ["ok"]);
    }
}

#[test]
fn a_state_is_a_file_and_no_stream() {
    let (server, dir) = (server(), Dir::new());
    for (words, said) in [
        ("--state -", "--state: a state is a file and no stream: write roundup.db"),
        ("--state=", "--state: it is empty"),
    ] {
        let output = line(&dir, &format!("get {} {words}", server.url("/a"))).run().expect_code(1);
        assert!(output.stderr.contains(said), "{output:?}");
    }
    dir.write("plan.toml", format!("[state]\nfile = \"-\"\n[[job]]\nurl = \"{}\"\n", server.url("/a")));
    let output = line(&dir, "run plan.toml").run().expect_code(2);
    assert!(output.stderr.contains("plan.toml:2: state.file: ") && output.stderr.contains("no stream"), "{output:?}");
    assert_eq!(server.stats().requests, 0);
    line(&dir, &format!("get {} --state ./- -q", server.url("/a"))).run().expect_code(0);
    assert!(dir.names().contains(&"-".to_owned()));
}

/// A file in a place where nothing can be made beside it, such as a medium that can only be read.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_can_only_be_read_can_be_looked_at() {
    let (server, dir) = (server(), Dir::new());
    keep(&server, &dir).expect_code(0);
    let folder = dir.join("a #? %41");
    std::fs::create_dir(&folder).expect("made");
    std::fs::copy(dir.join("runs.db"), folder.join("runs.db")).expect("copied");
    // In a name space of its own, the folder can only be read, for root as well.
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
    let inside = |words: &[&str]| {
        let command = TestCommand::program("unshare").args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
        let command = command.arg(&folder).args(invocation()).args(words.iter().take(1));
        command.args(&words[1..]).arg(folder.join("runs.db")).inside(&dir).run()
    };
    let history = inside(&["history"]);
    if history.stderr.contains("unshare") || history.stderr.contains("mount:") {
        eprintln!("not looked at: {}", history.stderr);
        return;
    }
    let history = history.expect_code(0);
    assert!(history.stdout().contains(" done "), "{history:?}");
    let checked = inside(&["state", "check"]).expect_code(0);
    assert!(checked.stdout().contains("is sound"), "{checked:?}");
    // A run there is told once that it is not kept, and has its report.
    let url = server.url("/a");
    let run = inside(&["get", &url, "--report", "json", "--state"]).expect_code(5);
    assert!(run.stderr.contains(": this run is not kept"), "{run:?}");
    assert_eq!(run.json()["summary"]["ok"], 1);
}

/// What is known of how long it took: up to its last outcome, or nothing.
#[test]
fn a_run_that_was_killed_took_what_is_known_of_it() {
    let (server, dir) = (server(), Dir::new());
    keep(&server, &dir).expect_code(0);
    let took = |change: &str| {
        super::open(&dir)
            .execute_batch(&format!("update runs set ended = null, how = null, elapsed_ms = 0; {change}"))
            .expect(change);
        let history = line(&dir, "history runs.db").run().expect_code(0);
        let words: Vec<String> =
            history.stdout().lines().last().expect("a run").split_whitespace().map(str::to_owned).collect();
        let report = line(&dir, "render runs.db --report json").run().expect_code(0).json();
        let elapsed = report["elapsed_ms"].as_f64().map(|ms| Duration::from_micros((ms * 1000.0) as u64));
        let same = elapsed.filter(|it| !it.is_zero()).map_or("-".to_owned(), |it| DisplayDuration(it).to_string());
        assert_eq!(words[2], same, "a report of it says the same: {change}");
        (words[2].clone(), words[3].clone())
    };
    let killed = |text: &str| (text.to_owned(), "killed".to_owned());
    let times = "update runs set started = '2026-01-31T12:00:00.000Z'; update outcome_records set ended = '2026-01-31T12:00:01.500Z'";
    assert_eq!(took(times), killed("1.5s"));
    assert_eq!(took("update runs set started = '2026-01-31T12:00:09.000Z'"), killed("-"), "a clock that went back");
    assert_eq!(took("update runs set resumed = 1"), killed("-"), "how long it lay is not known");
    assert_eq!(took("update runs set elapsed_ms = 250"), killed("250ms"), "its parts that have ended");
    assert_eq!(took("delete from outcome_records; update runs set resumed = 0"), killed("-"));
}

#[test]
fn a_torn_end_of_the_log_loses_what_was_torn_alone() {
    let (server, dir) = (server(), Dir::new());
    keep(&server, &dir).expect_code(0);
    // A log of a commit that did not come to its end: half a frame behind its head.
    let kept = std::fs::read(dir.join("runs.db")).expect("a file");
    let writer = super::open(&dir);
    writer.execute_batch("pragma wal_autocheckpoint = 0; update runs set plan = 'torn'").expect("written");
    let wal = std::fs::read(dir.join("runs.db-wal")).expect("a log");
    drop(writer);
    dir.write("runs.db", kept);
    dir.write("runs.db-wal", &wal[..wal.len() - 1000]);
    keep(&server, &dir).expect_code(0);
    assert_eq!(texts(&dir, "select plan from runs order by id"), ["get", "get"]);
}

#[test]
fn a_place_that_cannot_be_written_costs_no_result() {
    let (server, dir) = (server(), Dir::new());
    let words = format!("get {} --state none/runs.db --report json=out.json -q", server.url("/a"));
    let output = line(&dir, &words).run().expect_code(5);
    assert!(output.stderr.contains("none/runs.db cannot be opened"), "{output:?}");
    assert!(output.stderr.ends_with(": this run is not kept\n"), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(dir.read("out.json").contains("\"ok\":true"));
}

#[test]
fn a_report_does_not_take_the_place_of_the_state() {
    let (server, dir) = (server(), Dir::new());
    for _ in 0..2 {
        let words = format!("get {} --state runs.db --report json=./runs.db", server.url("/a"));
        let output = line(&dir, &words).run().expect_code(1);
        assert!(output.stderr.contains("the json report would be written over the state"), "{output:?}");
        keep(&server, &dir).expect_code(0);
    }
}

#[test]
fn looking_at_what_is_not_a_state_says_so() {
    let dir = Dir::new();
    dir.write("text", "a text");
    for (words, said) in [
        ("history none.db", "none.db is not there"),
        ("history text", "text is not a state file"),
        ("state check none.db", "none.db is not there"),
        ("state mend none.db", "\"mend\" cannot be done with a state"),
    ] {
        let output = line(&dir, words).run();
        assert!(output.code() != Some(0) && output.stderr.contains(said), "{output:?}");
        assert_eq!(dir.names(), ["text"]);
    }
}

#[test]
fn check_names_what_is_wrong() {
    let (server, dir) = (server(), Dir::new());
    keep(&server, &dir).expect_code(0);
    super::open(&dir)
        .execute_batch("pragma foreign_keys = 0; insert into outcome_bodies values (77, 88)")
        .expect("written");
    let output = line(&dir, "state check runs.db").run().expect_code(5);
    assert!(output.stderr.contains("a row of outcome_bodies belongs to nothing"), "{output:?}");
}

/// Ten times, as they meet at other moments each time.
#[test]
fn two_runs_at_once_lose_nothing() {
    let server = server();
    for _ in 0..10 {
        let dir = Dir::new();
        let words = format!("get {} --state runs.db --report jsonl -q", server.url("/[1-60]"));
        let both = [line(&dir, &words).spawn(), line(&dir, &words).spawn()];
        for run in both {
            run.wait().expect_code(0);
        }
        assert_eq!(query::<i64>(&dir, "select count(*) from outcomes group by run"), [60, 60]);
        assert_eq!(texts(&dir, "pragma integrity_check"), ["ok"]);
    }
}

/// SQLite waits for others, but not where a file becomes one with a log: who finds another at it is told "busy" at once.
#[test]
fn a_new_file_that_another_run_is_making_is_waited_for() {
    let dir = Dir::new();
    let file = dir.join("runs.db");
    let other = Connection::open(&file).expect("a new file");
    // A file with a page: before it has one, SQLite waits at an earlier step.
    other.execute_batch("create table t (a); drop table t; begin immediate").expect("as one that makes the file");
    let opens = std::thread::spawn(move || roundup::state::State::open(&file).map(drop));
    // Time to fail at once. Who comes later than this opens without waiting, and passes.
    std::thread::sleep(Duration::from_millis(100));
    other.execute_batch("commit").expect("made");
    opens.join().expect("no panic").expect("opened");
}

#[test]
fn a_run_that_goes_on_elsewhere_is_not_gone_on_with() {
    let server = Server::start(|request| match request.path() {
        "/slow" => Reply::hang(),
        _ => Reply::json("1"),
    });
    let dir = Dir::new();
    let words = format!("get {} {} --state runs.db --report jsonl", server.url("/a"), server.url("/slow"));
    let mut first = line(&dir, &words).spawn();
    first.wait_for_stdout("\"type\":\"result\"");
    let output = line(&dir, &format!("{words} --resume")).run().expect_code(5);
    let said = format!("run 1 of runs.db goes on in process {}", first.pid());
    assert!(output.stderr.contains(&said), "{output:?}");
    let history = line(&dir, "history runs.db").run().expect_code(0);
    assert!(history.stdout().contains(" running "), "{history:?}");
    drop(first);
    let history = line(&dir, "history runs.db").run().expect_code(0);
    assert!(history.stdout().contains(" killed "), "{history:?}");
}
