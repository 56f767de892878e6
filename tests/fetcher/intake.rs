//! Jobs that are added while the run goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::{StreamExt, future};
use roundup::event_loop::{sleep, timeout};
use roundup::{EventLoop, Fetcher, Kind, Limits, Outcome, Phase};

use super::{Gate, assert_failed, at_once, failure, job, once};
use crate::common::{PATIENCE, Reply, Server};
use crate::transport::wait_for;

fn indexes(outcomes: &[Outcome]) -> Vec<usize> {
    outcomes.iter().map(|outcome| outcome.index).collect()
}

#[test]
fn limits_hold_over_all_that_is_added() {
    let gate = Gate::default();
    let server = Server::start(move |_| {
        gate.wait_for(3);
        Reply::json("{}").late(Duration::from_millis(5))
    });
    let event_loop = EventLoop::new();
    let limits = Limits { per_host: 3.try_into().ok(), ..Limits::default() };
    let (intake, mut outcomes) = Fetcher::new().limits(limits).open(&event_loop);
    let mut all: Vec<Outcome> = event_loop.run(async {
        // Each in a turn of its own, so that the driver sees them one by one.
        for n in 0..30 {
            assert_eq!(intake.add(job(server.url(&format!("/{n}")))).expect("there is room"), n);
            future::yield_now().await;
        }
        drop(intake);
        timeout(PATIENCE, (&mut outcomes).collect()).await.expect("the stream has an end")
    });
    all.sort_by_key(|outcome| outcome.index);
    assert_eq!(indexes(&all), Vec::from_iter(0..30));
    assert!(all.iter().all(Outcome::ok));
    assert_eq!((server.stats().requests, server.stats().peak_in_flight), (30, 3));
}

#[test]
fn rates_hold_over_all_that_is_added() {
    let server = Server::start(|_| Reply::json("{}"));
    let limits = Limits { rate: "20/s".parse().ok(), ..Limits::default() };
    let event_loop = EventLoop::new();
    let (intake, mut outcomes) = Fetcher::new().limits(limits).open(&event_loop);
    event_loop.run(async {
        for n in 0..4 {
            intake.add(job(server.url("/"))).expect("there is room");
            let outcome = outcomes.next().await.expect("it ends");
            let started = outcome.attempts[0].started;
            assert!(started >= Duration::from_millis(50) * n, "{n} was started after {started:?}");
        }
    });
}

#[test]
fn jobs_start_in_the_order_in_which_they_were_added() {
    let server = Server::start(|_| Reply::json("{}"));
    let event_loop = EventLoop::new();
    let (intake, outcomes) = Fetcher::new().limits(at_once(1)).open(&event_loop);
    for n in 0..12 {
        intake.add(job(server.url(&format!("/{n}")))).expect("there is room");
    }
    drop(intake);
    let all: Vec<Outcome> = event_loop.run(timeout(PATIENCE, outcomes.collect())).expect("the stream has an end");
    assert_eq!(indexes(&all), Vec::from_iter(0..12));
    let paths: Vec<String> = server.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(paths, Vec::from_iter((0..12).map(|n| format!("/{n}"))));
}

#[test]
fn a_stream_that_was_idle_goes_on_and_time_in_the_queue_counts_from_the_adding() {
    let server = Server::start(|_| Reply::json("{}"));
    let event_loop = EventLoop::new();
    let (intake, mut outcomes) = Fetcher::new().limits(at_once(1)).open(&event_loop);
    event_loop.run(async {
        for n in 0..3 {
            assert!(future::poll_once(outcomes.next()).await.is_none(), "there is no end while jobs may come");
            let pause = Duration::from_millis(40);
            sleep(pause).await;
            assert_eq!(intake.pending(), 0);
            intake.add(job(server.url("/"))).expect("there is room");
            assert_eq!(intake.pending(), 1);
            let outcome = outcomes.next().await.expect("it ends");
            assert!(outcome.ok() && outcome.index == n, "{outcome:?}");
            assert!(outcome.attempts[0].started >= pause * (n as u32 + 1));
            assert!(outcome.timings.queue + pause * (n as u32 + 1) <= outcome.attempts[0].started);
        }
    });
    // One connection served all: the pool is that of the whole run.
    assert_eq!((server.stats().requests, server.stats().connections), (3, 1));
}

#[test]
fn the_stream_ends_when_the_last_clone_of_the_intake_is_gone() {
    let event_loop = EventLoop::new();
    let (intake, mut outcomes) = Fetcher::new().open(&event_loop);
    let clone = intake.clone();
    let reader = event_loop.spawn(async move { outcomes.next().await.is_none() });
    event_loop.run(async {
        drop(intake);
        future::yield_now().await;
        future::yield_now().await;
        assert!(!reader.is_finished(), "one is left");
        drop(clone);
        assert!(timeout(PATIENCE, reader).await.expect("the reader is woken"));
    });
}

#[test]
fn a_stream_that_is_dropped_refuses_jobs() {
    let event_loop = EventLoop::new();
    let (intake, outcomes) = Fetcher::new().open(&event_loop);
    event_loop.run_until_stalled();
    drop(outcomes);
    // The tasks of the run may be there until the loop has a turn.
    for _ in 0..2 {
        let refused = intake.add(job("http://127.0.0.1:9/kept")).expect_err("its outcome would not be seen");
        assert!(!refused.is_full());
        assert_eq!(refused.to_string(), "the job \"http://127.0.0.1:9/kept\" was not added: the run is over");
        assert_eq!(refused.into_job().name(), "http://127.0.0.1:9/kept");
        event_loop.run_until_stalled();
    }
    assert_eq!(intake.pending(), 0);
}

#[test]
fn stopping_ends_what_was_added_and_refuses_the_rest() {
    let server = Arc::new(Server::start(|_| Reply::hang()));
    let event_loop = EventLoop::new();
    let (intake, mut outcomes) = Fetcher::new().limits(at_once(2)).open(&event_loop);
    event_loop.run(async {
        for _ in 0..5 {
            intake.add(job(server.url("/"))).expect("there is room");
        }
        wait_for(&server, |stats| stats.in_flight == 2).await;
        outcomes.stopper().stop();
        assert!(!intake.add(job(server.url("/"))).expect_err("it is over").is_full());
        let all: Vec<Outcome> =
            timeout(PATIENCE, (&mut outcomes).collect()).await.expect("it ends with an intake, too");
        let kinds: Vec<Kind> = all.iter().map(|outcome| failure(outcome).kind).collect();
        assert_eq!(kinds, [vec![Kind::Cancelled; 2], vec![Kind::Skipped; 3]].concat());
        assert_eq!(intake.pending(), 0);
    });
}

#[test]
fn stopping_an_idle_stream_wakes_its_reader() {
    let event_loop = EventLoop::new();
    let (intake, mut outcomes) = Fetcher::new().open(&event_loop);
    let stopper = outcomes.stopper();
    let reader = event_loop.spawn(async move { outcomes.next().await.is_none() });
    event_loop.run_until_stalled();
    stopper.stop();
    assert!(event_loop.run(timeout(PATIENCE, reader)).expect("the reader is woken"));
    drop(intake);
}

#[test]
fn the_deadline_counts_from_the_opening() {
    let server = Server::start(|_| Reply::hang());
    let event_loop = EventLoop::new();
    let fetcher = Fetcher::new().deadline(Some(Duration::from_millis(300)));
    let (intake, mut outcomes) = fetcher.open(&event_loop);
    event_loop.run(async {
        sleep(Duration::from_millis(100)).await;
        intake.add(job(server.url("/"))).expect("there is time left");
        let outcome = timeout(PATIENCE, outcomes.next()).await.expect("the deadline ends it").expect("one job");
        assert_failed(&outcome, Kind::Cancelled, Phase::Head);
        assert!(outcome.timings.total <= Duration::from_millis(200) + PATIENCE);
        assert!(outcomes.next().await.is_none());
        assert!(intake.add(job(server.url("/"))).is_err());
    });
}

#[test]
fn the_first_failure_ends_it_if_that_is_wanted() {
    let event_loop = EventLoop::new();
    let (intake, mut outcomes) = Fetcher::new().fail_fast(true).open(&event_loop);
    intake.add(once("http://127.0.0.1:9/")).expect("there is room");
    event_loop.run(async {
        assert_failed(&outcomes.next().await.expect("one job"), Kind::Connect, Phase::Connect);
        assert!(outcomes.next().await.is_none());
        assert!(!intake.add(once("http://127.0.0.1:9/")).expect_err("it is over").is_full());
    });
}

#[test]
fn a_full_backlog_refuses_until_outcomes_are_taken() {
    let server = Server::start(|_| Reply::json("{}"));
    let event_loop = EventLoop::new();
    let (intake, mut outcomes) = Fetcher::new().backlog(3).open(&event_loop);
    event_loop.run(async {
        for expected in 0..20 {
            let mut job = job(server.url("/"));
            let index = loop {
                match intake.add(job) {
                    Ok(index) => break index,
                    Err(refused) => {
                        assert!(refused.is_full() && intake.pending() == 3, "{refused}");
                        job = refused.into_job();
                        assert!(outcomes.next().await.expect("three wait").ok());
                    }
                }
            };
            assert_eq!(index, expected);
        }
        drop(intake);
        let rest: Vec<Outcome> = outcomes.collect().await;
        assert_eq!(rest.len(), 3);
    });
    assert_eq!(server.stats().requests, 20);
}
