//! The table one after the other and all at once, each through one client, in a process of its own: there everything
//! can be counted, whatever other tests do at the same time.

use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{env, fs};

use roundup::event_loop::{EventLoop, sleep};
use surf::Client;

use super::play::Scene;
use super::table;
use crate::common::PATIENCE;

/// Set in the process of its own.
const ALONE: &str = "ROUNDUP_TEST_MISBEHAVING";

#[test]
fn one_after_the_other_and_all_at_once_nothing_is_left() {
    let test =
        module_path!().split_once("::").expect("the crate comes first").1.to_owned() + "::in_a_process_of_its_own";
    let output = Command::new(env::current_exe().expect("this is a file"))
        .args([&test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .expect("this test binary can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{}:\n{stdout}\n{stderr}", output.status);
}

/// Plays all rows twice. A row's future is a task of the loop.
#[test]
#[ignore = "counts what is open in the whole process: the test above runs it in one of its own"]
fn in_a_process_of_its_own() {
    if env::var_os(ALONE).is_none() {
        return;
    }
    // One that keeps a list of its tasks, and needs no watchdog for that.
    let event_loop = EventLoop::builder().slow_poll(Duration::MAX).build();
    let scene = Rc::new(Scene::new());
    // What is opened once and for all: the poller, its thread, the connection to the server that behaves.
    let warm = scene.client();
    event_loop.run(scene.ask_who_behaves(&warm, 0)).expect("it behaves");
    drop(warm);
    while scene.open_to_who_behaves() > 0 {
        event_loop.run(sleep(Duration::from_millis(1)));
    }
    let before = Left::count(&event_loop);

    for (way, play) in [("one after the other", one_after_the_other as Way), ("all at once", all_at_once)] {
        let started = Instant::now();
        let client = scene.client();
        let idle = play(&event_loop, &scene, &client, before);
        drop(client);
        Left::settle(&event_loop, before);
        println!("{way}: {idle} idle connections, then {before:?} as before, {:?}", started.elapsed());
    }
}

/// Plays all rows. Returns how many idle connections the client has afterwards.
type Way = fn(&EventLoop, &Rc<Scene>, &Client, Left) -> usize;

fn one_after_the_other(event_loop: &EventLoop, scene: &Rc<Scene>, client: &Client, before: Left) -> usize {
    // Both ends of the connection to the server that behaves.
    let mut idle = 2;
    for (n, row) in table::rows().into_iter().enumerate() {
        let (scene, client) = (scene.clone(), client.clone());
        let played = event_loop.run(event_loop.spawn(async move {
            let idle = scene.play(&row, &client, 0).await?;
            scene.ask_who_behaves(&client, n).await?;
            Ok::<_, String>(idle)
        }));
        idle += played.unwrap_or_else(|wrong| panic!("{}: {wrong}", row.name));
        let now = Left::count(event_loop);
        // The server of the row is gone: what is open is the client's.
        assert_eq!((now.descriptors, now.tasks), (before.descriptors.map(|n| n + idle), 0), "{}", row.name);
    }
    idle - 1
}

fn all_at_once(event_loop: &EventLoop, scene: &Rc<Scene>, client: &Client, before: Left) -> usize {
    let among = table::rows().len();
    let rows = table::rows().into_iter().enumerate().map(|(n, row)| {
        let (scene, client) = (scene.clone(), client.clone());
        async move {
            let played = scene.play(&row, &client, among).await;
            let behaved = scene.ask_who_behaves(&client, n).await;
            played.and_then(|idle| behaved.map(|()| idle)).map_err(|wrong| format!("{}: {wrong}", row.name))
        }
    });
    let played = event_loop.run(event_loop.gather(rows));
    let wrong: Vec<&String> = played.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{} rows:\n{wrong:#?}", wrong.len());
    let idle: usize = played.iter().flatten().sum();
    // To the server that behaves there are as many as asked it at one time, and no more than a client keeps to one origin.
    // What is over that the server closes when it has noticed.
    let limit = Instant::now() + PATIENCE;
    loop {
        let open = scene.open_to_who_behaves();
        let expected = Left { descriptors: before.descriptors.map(|n| n + idle + 2 * open), tasks: 0, threads: None };
        let now = Left { threads: None, ..Left::count(event_loop) };
        if now == expected && (1..=50).contains(&open) {
            return idle + open;
        }
        assert!(Instant::now() < limit, "{now:?} with {open} open where {expected:?} should be");
        event_loop.run(sleep(Duration::from_millis(10)));
    }
}

/// What a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    /// Open descriptors; `None` where the system does not say.
    descriptors: Option<usize>,
    /// The same of threads.
    threads: Option<usize>,
    /// Of the loop.
    tasks: usize,
}

impl Left {
    fn count(event_loop: &EventLoop) -> Left {
        let tasks = event_loop.tasks().expect("the loop keeps a list").len();
        let entries = |folder: &str| fs::read_dir(folder).ok().map(Iterator::count);
        Left { descriptors: entries("/proc/self/fd"), threads: entries("/proc/self/task"), tasks }
    }

    /// Waits until there is no more than before: the threads for blocking calls go when they have had nothing to do.
    fn settle(event_loop: &EventLoop, before: Left) {
        let limit = Instant::now() + PATIENCE;
        loop {
            let now = Left::count(event_loop);
            if now == before {
                return;
            }
            assert!(Instant::now() < limit, "{before:?} became {now:?}");
            event_loop.run(sleep(Duration::from_millis(10)));
        }
    }
}
