use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use futures_lite::future::{pending, yield_now};

use super::*;
use crate::{EventLoop, current_task, sleep};

#[test]
fn tasks_are_listed_with_their_state() {
    let event_loop = EventLoop::builder().build();
    let line = line!() + 1;
    let waiting = event_loop.spawn_named("waiting", pending::<()>());
    let ready = event_loop.spawn(yield_now());
    event_loop.tick_for(Duration::ZERO);
    let tasks = event_loop.tasks().expect("it tracks them");
    let seen: Vec<_> = tasks.iter().map(|task| (task.id, &*task.name, task.polls, task.state)).collect();
    assert_eq!(seen, [(1, "waiting", 1, TaskState::Waiting), (2, "task-2", 0, TaskState::Ready)]);
    assert_eq!((tasks[0].location.file(), tasks[0].location.line()), (file!(), line));
    let names = event_loop.run(async {
        let current = current_task().expect("the main future is on the list");
        assert_eq!((&*current.name, current.state), ("main", TaskState::Running));
        ready.await;
        event_loop.handle().tasks().expect("a list").into_iter().map(|task| task.name).collect::<Vec<_>>()
    });
    assert_eq!(names, ["waiting", "main"]);
    drop(waiting);
    event_loop.run_until_stalled();
    assert_eq!(event_loop.tasks(), Some(Vec::new()));
    assert!(current_task().is_none() && EventLoop::new().tasks().is_none());
}

#[test]
fn time_in_polls_is_added_up() {
    let event_loop = EventLoop::builder().slow_poll(Duration::MAX).build();
    let task = event_loop.spawn(async {
        for _ in 0..3 {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(2) {}
            yield_now().await;
        }
        pending::<()>().await
    });
    event_loop.run_until_stalled();
    let info = &event_loop.tasks().expect("a list")[0];
    assert_eq!(info.polls, 4);
    assert!(info.busy >= Duration::from_millis(6) && info.busy <= info.age, "{info:?}");
    drop(task);
}

/// A loop that reports polls of 20 ms, and its reports.
fn reporting() -> (EventLoop, mpsc::Receiver<SlowPoll>) {
    let (sender, reports) = mpsc::channel();
    let sender = Mutex::new(sender);
    let report = move |slow: &SlowPoll| {
        let _ = sender.lock().expect("whole").send(slow.clone());
    };
    (EventLoop::builder().slow_poll(Duration::from_millis(20)).on_slow_poll(report).build(), reports)
}

#[test]
fn a_poll_that_hangs_is_reported_while_it_hangs() {
    let (event_loop, reports) = reporting();
    let line = line!() + 1;
    let stuck = event_loop.spawn_named("stuck", async move {
        yield_now().await;
        // Ends only when the report is there, so the report cannot come after it.
        let first = reports.recv().expect("reported");
        (first, reports)
    });
    let others = event_loop.gather([yield_now(), yield_now()]);
    let (first, reports) = event_loop.run(stuck);
    assert_eq!((&*first.name, first.over, first.waiting), ("stuck", false, 2));
    assert!(first.held >= Duration::from_millis(20), "{first}");
    assert_eq!((first.location.file(), first.location.line()), (file!(), line));
    let last = reports.into_iter().find(|slow| slow.over);
    // Drops the callback, which ends the reports.
    drop((event_loop, others));
    let last = last.expect("reported again at its end");
    assert!(last.held >= first.held, "{first}, {last}");
}

#[test]
fn short_polls_and_idle_loops_are_not_reported() {
    let (event_loop, reports) = reporting();
    event_loop.run(async {
        event_loop.gather((0..10).map(|_| sleep(Duration::from_millis(30)))).await;
    });
    drop(event_loop);
    assert_eq!(reports.into_iter().count(), 0);
}

#[test]
fn what_the_host_does_between_two_ticks_is_not_part_of_a_poll() {
    let (event_loop, reports) = reporting();
    let task = event_loop.spawn(async {
        for _ in 0..3 {
            yield_now().await;
        }
        pending::<()>().await
    });
    for _ in 0..4 {
        event_loop.tick_for(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(30));
    }
    let info = event_loop.tasks().expect("a list").remove(0);
    assert_eq!(info.polls, 4);
    assert!(info.busy < Duration::from_millis(60), "{info:?}");
    drop((event_loop, task));
    assert_eq!(reports.into_iter().count(), 0);
}

#[test]
fn a_task_that_panics_leaves_the_list() {
    let event_loop = EventLoop::builder().build();
    let error = event_loop.run(event_loop.spawn(async { panic!("on purpose") }).join()).expect_err("it panicked");
    assert!(error.is_panic());
    assert_eq!(event_loop.tasks(), Some(Vec::new()));
    let registry = event_loop.core().watch.as_ref().expect("watched").registry.clone();
    drop(event_loop);
    assert!(registry.tasks().is_empty());
    drop(registry);
}

#[test]
fn dropping_the_loop_empties_the_list() {
    let event_loop = EventLoop::builder().build();
    let witness = Arc::new(());
    let held = witness.clone();
    event_loop
        .spawn(async move {
            let _held = held;
            pending::<()>().await;
        })
        .detach();
    event_loop.run_until_stalled();
    drop(event_loop);
    assert_eq!(Arc::strong_count(&witness), 1);
}
