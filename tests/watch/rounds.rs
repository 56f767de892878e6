//! Rounds: how many, what they write, what they ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{line, wait_until, write_plan};
use crate::common::{Dir, Reply, Server};

fn lines(dir: &Dir, name: &str) -> Vec<serde_json::Value> {
    dir.read(name).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn reports_are_written_anew_each_round_and_json_lines_are_added() {
    let server = Server::start(|request| Reply::json(format!("\"{}\"", request.path())));
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a", "b"]);
    // A line that a killed run left unfinished spoils none but itself.
    dir.write("out.jsonl", "{\"type\":\"result\",\"na");
    let words = "run plan.toml --every 20ms --max-runs 5 --report json=out.json --report out.jsonl --report table";
    let output = line(&dir, words).run().expect_code(0);
    assert_eq!(server.stats().requests, 10);
    assert_eq!(output.stdout().matches("2 sources: 2 ok").count(), 5, "{output:?}");
    let report: serde_json::Value = serde_json::from_str(&dir.read("out.json")).expect("one document");
    assert_eq!(report["summary"]["ok"], 2);
    let text = dir.read("out.jsonl");
    let (torn, rest) = text.split_once('\n').expect("lines");
    assert_eq!(torn, "{\"type\":\"result\",\"na");
    let types: Vec<serde_json::Value> = rest
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["type"].clone())
        .collect();
    assert_eq!(types.len(), 15);
    assert_eq!(types.iter().filter(|it| *it == "summary").count(), 5);
    assert_eq!(dir.names(), ["out.json", "out.jsonl", "plan.toml"], "nothing else is left");
}

#[test]
fn a_plan_says_how_it_is_watched_and_what_is_typed_counts_more() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    write_plan(&dir, &server, "[watch]\nevery = \"10ms\"\njitter = \"0s\"\nmax_runs = 3\n", &["a"]);
    line(&dir, "run plan.toml -q").run().expect_code(0);
    assert_eq!(server.stats().requests, 3);
    line(&dir, "run plan.toml -q --max-runs 2").run().expect_code(0);
    assert_eq!(server.stats().requests, 5);
    line(&dir, "run plan.toml -q").env("ROUNDUP_MAX_RUNS", "1").run().expect_code(0);
    assert_eq!(server.stats().requests, 6);
    let checked = line(&dir, "check plan.toml").run().expect_code(0);
    assert!(checked.stdout().ends_with(", a round every 10ms, 3 rounds\n"), "{checked:?}");
    assert_eq!(server.stats().requests, 6);
}

/// The exit code is that of the last round.
#[test]
fn the_last_round_tells_how_it_ended() {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    let server = Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(404),
        _ => Reply::json("1"),
    });
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a"]);
    line(&dir, "run plan.toml -q --every 10ms --max-runs 1").run().expect_code(3);
    asked.store(0, Ordering::SeqCst);
    line(&dir, "run plan.toml -q --every 10ms --max-runs 2").run().expect_code(0);
}

#[test]
fn two_rounds_never_run_at_once() {
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, top) = (under_way.clone(), most.clone());
    let server = Server::start(move |_| {
        top.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(60));
        now.fetch_sub(1, Ordering::SeqCst);
        Reply::json("1")
    });
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a"]);
    let output = line(&dir, "run plan.toml --every 10ms --max-runs 4").run().expect_code(0);
    assert_eq!((server.stats().requests, most.load(Ordering::SeqCst)), (4, 1));
    let said = output.stderr.matches("a round took longer than 10ms: rounds that are missed are left out").count();
    assert_eq!(said, 1, "it is said once: {output:?}");
}

/// In six rounds: in the first two, the fourth, and not again before the eighth.
#[test]
fn a_source_that_is_down_is_asked_less_often_and_stays_in_the_report() {
    let server = Server::start(|request| match request.path() {
        "/down" => Reply::status(503),
        "/gone" => Reply::status(404),
        _ => Reply::json("1"),
    });
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["up", "down", "gone"]);
    let words = "run plan.toml --every 100ms --max-runs 6 --report jsonl=out.jsonl --report json=out.json -q";
    line(&dir, words).run().expect_code(3);
    let requests = server.requests();
    let asked = |path: &str| requests.iter().filter(|it| it.path() == path).count();
    assert_eq!((asked("/up"), asked("/down"), asked("/gone")), (6, 3, 6), "what answers is not down");
    let lines = lines(&dir, "out.jsonl");
    let of_down: Vec<_> = lines.iter().filter(|line| line["name"] == "down").collect();
    assert_eq!(of_down.len(), 6, "it is in each round");
    let not_asked: Vec<bool> = of_down.iter().map(|it| it["attempts"].as_array().is_some_and(Vec::is_empty)).collect();
    assert_eq!(not_asked, [false, false, true, false, true, true]);
    let last = of_down.last().expect("a line");
    assert_eq!(last["error"]["kind"], "status");
    let message = last["error"]["message"].as_str().expect("text");
    assert!(message.contains("503") && message.ends_with("in this round it was not asked"), "{message}");
    assert!(last["error"]["retry_at"].is_string(), "{last}");
    let report: serde_json::Value = serde_json::from_str(&dir.read("out.json")).expect("JSON");
    crate::report::schema::Schema::load().check(&report).expect("valid");
    assert_eq!(report["summary"]["total"], 3);
    assert_eq!(report["summary"]["attempts"], 2);
}

/// With a rate of two in a second, each round sent its request at once.
#[test]
fn a_rate_holds_over_rounds() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a"]);
    let began = Instant::now();
    line(&dir, "run plan.toml --every 20ms --max-runs 4 --rate 2/s -q").run().expect_code(0);
    assert!(began.elapsed() >= Duration::from_millis(1500), "{:?}", began.elapsed());
    assert_eq!(server.stats().requests, 4);
}

/// What a server has asked for held for the round in which it did, and for the source that was told.
#[test]
fn a_host_that_wants_to_be_left_alone_is_left_alone_in_later_rounds() {
    for (status, fields, requests) in [
        (429, &[("Retry-After", "3600")][..], 1),
        // No longer than a source waits, but it may not be tried again.
        (429, &[("Retry-After", "30")], 1),
        (200, &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "3600")], 1),
    ] {
        let busy = Server::start(move |_| {
            fields.iter().fold(Reply::status(status), |reply, (name, value)| reply.header(name, *value))
        });
        let up = Server::start(|_| Reply::json("1"));
        let dir = Dir::new();
        write_plan(&dir, &busy, "", if status == 200 || fields[0].1 == "3600" { &["a", "b", "c"] } else { &["a"] });
        let plan = dir.read("plan.toml") + &format!("[[job]]\nname = \"up\"\nurl = \"{}\"\n", up.url("/"));
        dir.write("plan.toml", plan);
        let words = "run plan.toml --every 50ms --max-runs 4 --per-host 1 --report jsonl=out.jsonl -q";
        line(&dir, words).run().expect_code(3);
        assert_eq!((busy.stats().requests, up.stats().requests), (requests, 4), "{status} {fields:?}");
        for failed in lines(&dir, "out.jsonl").iter().filter(|line| line["error"].is_object()) {
            assert!(failed["error"]["retry_at"].is_string(), "{failed}");
        }
    }
}

/// A source that others need is asked less often, too, and those that need it say why they are skipped.
#[test]
fn a_source_that_others_need_is_asked_less_often_too() {
    let server = Server::start(|request| match request.path() {
        "/items" => Reply::status(500),
        _ => Reply::json("1"),
    });
    let dir = Dir::new();
    let base = server.url("/");
    let base = base.trim_end_matches('/');
    dir.write(
        "plan.toml",
        format!(
            "[[job]]\nname = \"items\"\nurl = \"{base}/items\"\nretries = 0\nselect = {{ id = \"/id\" }}\n\
             [[job]]\nname = \"other\"\nurl = \"{base}/other\"\n\
             [[job]]\nname = \"detail\"\nurl = \"{base}/detail/{{items.id}}\"\n"
        ),
    );
    line(&dir, "run plan.toml --every 100ms --max-runs 6 --report jsonl=out.jsonl -q").run().expect_code(3);
    let requests = server.requests();
    let asked = |path: &str| requests.iter().filter(|it| it.path() == path).count();
    assert_eq!((asked("/items"), asked("/other")), (3, 6));
    let lines = lines(&dir, "out.jsonl");
    let skipped = lines.iter().filter(|line| line["name"] == "detail" && line["error"]["kind"] == "skipped").count();
    assert_eq!(skipped, 6);
}

/// A folder that is gone, or a full disk: sources are asked, and what can be written is.
#[test]
fn a_report_that_cannot_be_written_costs_no_round() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    std::fs::create_dir(dir.join("out")).expect("made");
    write_plan(&dir, &server, "", &["a"]);
    let words = "run plan.toml --every 50ms -q --report json=out/out.json --report jsonl";
    let mut running = line(&dir, words).spawn();
    wait_until(&dir.join("out/out.json"), |text| !text.is_empty());
    std::fs::rename(dir.join("out"), dir.join("elsewhere")).expect("renamed");
    running.wait_for_stderr("there is no folder");
    let so_far = server.stats().requests;
    server.wait_for(|stats| stats.requests > so_far + 1);
    running.wait_for_lines(2 * so_far);
    std::fs::create_dir(dir.join("out")).expect("made");
    wait_until(&dir.join("out/out.json"), |text| !text.is_empty());
    drop(running);
}

/// What is kept: each round is a run; `--resume` is for the first alone.
#[test]
fn each_round_is_a_run_that_is_kept_and_only_the_first_goes_on() {
    let server = Server::start(|request| match request.path() {
        "/slow" => Reply::hang(),
        _ => Reply::json("1"),
    });
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a", "slow"]);
    line(&dir, "run plan.toml --state runs.db -q --deadline 500ms").run().expect_code(3);
    write_plan(&dir, &server, "", &["a", "b"]);
    let output = line(&dir, "run plan.toml --state runs.db --resume --every 20ms --max-runs 3").run().expect_code(0);
    assert_eq!(output.stderr.matches("goes on").count(), 1, "{output:?}");
    let requests = server.requests();
    let asked = |path: &str| requests.iter().filter(|it| it.path() == path).count();
    assert_eq!((asked("/a"), asked("/b")), (3, 3), "the first round took a from the run before");
    let history = line(&dir, "history runs.db").run().expect_code(0);
    assert_eq!(history.stdout().matches(" done ").count(), 3, "{history:?}");
}

/// Figures: thousands of rounds of the command itself, as fast as they go.
#[cfg(target_os = "linux")]
#[test]
fn a_thousand_rounds_hold_no_more_than_a_hundred() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a", "b"]);
    let running =
        line(&dir, "run plan.toml --every 1ms --report json=out.json -q").limit(crate::common::PATIENCE * 5).spawn();
    let held = || {
        let pid = running.pid();
        let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).expect("it runs").count();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        let memory: usize = memory.trim().trim_end_matches(" kB").parse().expect("a number");
        (memory, count("fd"), count("task"))
    };
    server.wait_for(|stats| stats.requests >= 200);
    let early = held();
    server.wait_for(|stats| stats.requests >= 2000);
    let late = held();
    println!("KiB, descriptors, threads after 100 rounds {early:?} and after 1000 {late:?}");
    assert!(late.0 < early.0 + 2048, "memory grew from {} KiB to {} KiB", early.0, late.0);
    // A round has a connection or two, and a file or two.
    assert!(late.1 <= early.1 + 8, "descriptors grew from {} to {}", early.1, late.1);
    assert!(late.2 <= 7, "{} threads", late.2);
    super::stop(running);
}

/// Between rounds it sleeps: at most one wake-up a second, over all threads.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes thirteen seconds"]
fn between_rounds_it_sleeps() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    write_plan(&dir, &server, "", &["a", "b"]);
    let running = line(&dir, "run plan.toml --every 1h --report json=out.json -q --state runs.db").spawn();
    wait_until(&dir.join("out.json"), |text| text.contains("summary"));
    let threads = || -> std::collections::HashMap<String, usize> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", running.pid())).expect("it runs");
        let of_task = |task: std::fs::DirEntry| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            Some((task.file_name().to_string_lossy().into_owned(), count.trim().parse().ok()?))
        };
        tasks.flatten().filter_map(of_task).collect()
    };
    // What a round needed has ended by then.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let before = threads();
    std::thread::sleep(std::time::Duration::from_secs(10));
    let woken: usize = threads().iter().map(|(id, count)| count - before.get(id).copied().unwrap_or(0)).sum();
    println!("{woken} wake-ups in ten seconds");
    assert!(woken <= 10, "{woken} wake-ups in ten seconds");
    super::stop(running);
}
