//! SIGTERM, Ctrl-C and SIGHUP while a plan is watched.

use rustix::process::Signal;

use super::{line, stop, wait_until, write_plan};
use crate::common::{Dir, Reply, Server};

fn watched(dir: &Dir, more: &str) -> crate::common::Running {
    line(dir, &format!("run plan.toml --report json=out.json --report out.jsonl {more}")).spawn()
}

fn rounds(text: &str) -> usize {
    text.matches("\"type\":\"summary\"").count()
}

#[test]
fn between_rounds_sigterm_ends_with_0_and_ctrl_c_with_130() {
    let server = Server::start(|_| Reply::json("1"));
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 130), (Signal::QUIT, 130)] {
        let dir = Dir::new();
        write_plan(&dir, &server, "", &["a"]);
        let running = watched(&dir, "--every 1h");
        wait_until(&dir.join("out.jsonl"), |text| rounds(text) == 1);
        running.signal(signal);
        running.wait().expect_code(code);
        let report: serde_json::Value = serde_json::from_str(&dir.read("out.json")).expect("JSON");
        assert_eq!(report["interrupted"], false);
    }
}

/// A round that a signal cuts short has its lines, and the files keep the last whole report.
#[test]
fn in_a_round_a_signal_ends_it_and_files_stay_whole() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Reply::json("1"),
        _ => Reply::hang(),
    });
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 130)] {
        let dir = Dir::new();
        write_plan(&dir, &server, "", &["a"]);
        let running = watched(&dir, "--every 50ms");
        if code == 0 {
            wait_until(&dir.join("out.jsonl"), |text| rounds(text) == 1);
            server.wait_for(|stats| stats.requests == 2);
        } else {
            server.wait_for(|stats| stats.requests == 3);
        }
        running.signal(signal);
        running.wait().expect_code(code);
        let report: serde_json::Value = serde_json::from_str(&dir.read("out.json")).expect("JSON");
        // The first round has no report to keep.
        assert_eq!(report["interrupted"], code != 0);
        let lines = dir.read("out.jsonl");
        assert!(lines.contains("\"kind\":\"cancelled\""), "{lines}");
    }
}

/// A signal while a report is written leaves nothing out of it: it takes the place of one that was whole.
#[test]
fn a_report_that_is_being_written_is_written_whole() {
    let content = format!("\"{}\"", "x".repeat(2 << 20));
    let server = Server::start(move |_| Reply::json(content.clone()));
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a", "b", "c", "d"]);
    // At whatever moment it comes.
    for pause in [0, 20, 40, 60, 80, 100] {
        let running = watched(&dir, "--every 1ms -q");
        wait_until(&dir.join("out.jsonl"), |text| text.contains("\"type\":\"summary\""));
        std::thread::sleep(std::time::Duration::from_millis(pause));
        running.signal(Signal::TERM);
        let output = running.wait().expect_code(0);
        assert!(!output.stderr.contains("left out"), "{output:?}");
        let report: serde_json::Value = serde_json::from_str(&dir.read("out.json")).expect("JSON");
        assert_eq!((&report["interrupted"], &report["summary"]["ok"]), (&false.into(), &4.into()));
        let lengths: Vec<_> =
            report["results"].as_array().expect("results").iter().map(|it| it["body"].as_str().map(str::len)).collect();
        assert_eq!(lengths, [Some(2 << 20); 4]);
        std::fs::remove_file(dir.join("out.jsonl")).expect("removed");
    }
}

#[test]
fn sighup_reads_the_plan_anew_and_a_wrong_one_is_not_taken() {
    let server = Server::start(|request| Reply::json(format!("\"{}\"", request.path())));
    let dir = Dir::new();
    write_plan(&dir, &server, "[watch]\nevery = \"40ms\"\n", &["a"]);
    let mut running = watched(&dir, "");
    wait_until(&dir.join("out.jsonl"), |text| rounds(text) >= 2);
    running.signal(Signal::HUP);
    running.wait_for_stderr("plan.toml was read anew: 1 source\n");
    write_plan(&dir, &server, "[watch]\nevery = \"30ms\"\n", &["a", "b"]);
    running.signal(Signal::HUP);
    running.wait_for_stderr("plan.toml was read anew: 2 sources");
    wait_until(&dir.join("out.jsonl"), |text| text.contains("\"name\":\"b\""));
    for (wrong, why) in [
        ("[watch]\nevery = \"never\"\n", "plan.toml:2: watch.every: "),
        ("", "plan.toml has no [watch] any more"),
        ("[watch]\nevery = \"30ms\"\non_change = [\"no-such-program\"]\n", "there is no program"),
    ] {
        write_plan(&dir, &server, wrong, &["c"]);
        running.signal(Signal::HUP);
        running.wait_for_stderr(why);
        running.wait_for_stderr("plan.toml is not taken: the plan that was read before goes on");
    }
    std::fs::remove_file(dir.join("plan.toml")).expect("removed");
    running.signal(Signal::HUP);
    running.wait_for_stderr("the plan plan.toml cannot be read");
    let so_far = rounds(&dir.read("out.jsonl"));
    wait_until(&dir.join("out.jsonl"), |text| rounds(text) > so_far + 1);
    let output = stop(running);
    assert!(server.requests().iter().all(|request| request.path() != "/c"), "{output:?}");
}

/// Without rounds, SIGHUP is the end of the terminal, as it was.
#[test]
fn without_rounds_sighup_ends_the_run() {
    let server = Server::start(|_| Reply::hang());
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a"]);
    let running = watched(&dir, "");
    server.wait_for(|stats| stats.requests == 1);
    running.signal(Signal::HUP);
    running.wait().expect_code(130);
}
