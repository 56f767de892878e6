//! How a run ends before its jobs do, and that none of them is lost then.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::{StreamExt, future};
use roundup::event_loop::timeout;
use roundup::fetcher::WaitReason;
use roundup::{EventLoop, Fetcher, Job, Kind, Outcome, Phase};

use super::{assert_failed, at_once, collect, failure, in_order, job};
use crate::common::{Dir, PATIENCE, Reply, Server, refusing_port};
use crate::transport::wait_for;

fn hanging() -> Arc<Server> {
    Arc::new(Server::start(|request| match request.path() {
        "/404" => Reply::status(404),
        "/half" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").and_hang(),
        "/503" => Reply::status(503).header("Retry-After", "50"),
        _ => Reply::hang(),
    }))
}

fn kinds(outcomes: &[Outcome]) -> Vec<Kind> {
    outcomes.iter().map(|outcome| failure(outcome).kind).collect()
}

#[test]
fn the_deadline_ends_the_run_though_servers_hang() {
    let server = hanging();
    let mut jobs = vec![job(server.url("/half"))];
    jobs.extend((1..20).map(|n| job(server.url(&format!("/{n}")))));
    let deadline = Duration::from_secs(2);
    let outcomes = collect(&Fetcher::new().limits(at_once(5)).deadline(Some(deadline)), jobs);
    assert_failed(&outcomes[0], Kind::Cancelled, Phase::Body);
    for outcome in &outcomes[1..5] {
        assert_failed(outcome, Kind::Cancelled, Phase::Head);
        assert_eq!(outcome.attempts.len(), 1);
        assert!(failure(outcome).message.contains("deadline of 2s"), "{}", failure(outcome).message);
    }
    for outcome in &outcomes[5..] {
        assert_failed(outcome, Kind::Skipped, Phase::Queue);
        assert!(outcome.attempts.is_empty());
    }
    assert!(outcomes.iter().all(|outcome| outcome.timings.queue <= deadline + PATIENCE));
    assert_eq!(server.stats().requests, 5);
}

#[test]
fn a_job_that_waits_to_be_tried_again_is_cancelled() {
    let server = hanging();
    let event_loop = EventLoop::new();
    let mut outcomes = Fetcher::new().run(&event_loop, [job(server.url("/503"))]);
    let stopper = outcomes.stopper();
    let outcome = event_loop.run(async {
        while !stopper.waiting(1).iter().any(|it| matches!(it.why, WaitReason::Retry(_))) {
            future::yield_now().await;
        }
        stopper.stop();
        outcomes.next().await.expect("one job")
    });
    assert_failed(&outcome, Kind::Cancelled, Phase::Queue);
    assert_eq!((outcome.attempts.len(), outcome.attempts[0].status), (1, Some(503)));
}

#[test]
fn the_stopper_ends_the_run_and_closes_the_connections() {
    let server = hanging();
    let event_loop = EventLoop::new();
    let mut outcomes = Fetcher::new().limits(at_once(3)).run(&event_loop, (0..8).map(|_| job(server.url("/"))));
    let stopper = outcomes.stopper();
    event_loop.run(async {
        wait_for(&server, |stats| stats.in_flight == 3).await;
        let status = stopper.status().expect("the stream is there");
        assert_eq!((status.total, status.in_flight, status.done), (8, 3, 0));
        stopper.stop();
        stopper.stop();
        let all: Vec<Outcome> = (&mut outcomes).collect().await;
        let expected = [vec![Kind::Cancelled; 3], vec![Kind::Skipped; 5]].concat();
        assert_eq!(kinds(&all), expected);
        assert!(failure(&all[0]).message.contains("interrupted while it was waiting for the response's head"));
        wait_for(&server, |stats| stats.open == 0).await;
        let status = stopper.status().expect("the stream is there");
        assert_eq!((status.in_flight, status.done, status.failed), (0, 8, 8));
    });
    drop(outcomes);
    assert!(stopper.status().is_none());
    stopper.stop();
}

#[test]
fn status_is_gone_with_the_stream_though_the_loop_has_not_turned() {
    let server = hanging();
    let event_loop = EventLoop::new();
    let (intake, outcomes) = Fetcher::new().open(&event_loop);
    intake.add(job(server.url("/"))).expect("open");
    let stopper = outcomes.stopper();
    event_loop.run(wait_for(&server, |stats| stats.in_flight == 1));
    assert_eq!((stopper.status().map(|status| status.in_flight), intake.pending()), (Some(1), 1));
    drop(outcomes);
    assert_eq!((stopper.status(), intake.pending()), (None, 0));
    assert!(intake.add(job(server.url("/"))).is_err());
}

#[test]
fn the_first_failure_ends_the_run_if_that_is_wanted() {
    let server = hanging();
    let jobs = vec![job(server.url("/a")), job(server.url("/404")), job(server.url("/b")), job(server.url("/c"))];
    let outcomes = collect(&Fetcher::new().limits(at_once(2)).fail_fast(true), jobs);
    assert_eq!(kinds(&outcomes), [Kind::Cancelled, Kind::Status, Kind::Skipped, Kind::Skipped]);
    assert!(failure(&outcomes[3]).message.contains("another job has failed"));
}

#[test]
fn dropping_the_stream_closes_everything_and_leaves_no_task_behind() {
    let server = hanging();
    let dir = Dir::new();
    let witness = Arc::new(());
    let fetcher = Fetcher::with_client(super::clients::holding(witness.clone())).limits(at_once(4));
    let event_loop = EventLoop::new();
    event_loop.run(async {
        let saved = job(server.url("/half")).saved_to(dir.join("body"));
        let mut outcomes = fetcher.run(&event_loop, (0..8).map(|_| job(server.url("/"))).chain([saved]));
        assert!(future::poll_once(outcomes.next()).await.is_none());
        wait_for(&server, |stats| stats.in_flight == 4).await;
        drop((outcomes, fetcher));
        wait_for(&server, |stats| stats.open == 0).await;
        while Arc::strong_count(&witness) > 1 {
            future::yield_now().await;
        }
    });
    assert_eq!(server.stats().requests, 4);
}

#[test]
fn a_loop_that_is_dropped_first_is_no_harm() {
    let server = hanging();
    let event_loop = EventLoop::new();
    let mut outcomes = Fetcher::new().run(&event_loop, [job(server.url("/"))]);
    let stopper = outcomes.stopper();
    event_loop.run(async {
        assert!(future::poll_once(outcomes.next()).await.is_none());
        wait_for(&server, |stats| stats.in_flight == 1).await;
    });
    drop(event_loop);
    stopper.stop();
    assert_eq!(future::block_on(outcomes.next()).map(|outcome| failure(&outcome).kind), Some(Kind::Cancelled));
    assert!(future::block_on(outcomes.next()).is_none());
}

#[test]
fn limits_without_end_are_no_limits() {
    let server = Server::start(|_| Reply::text("x"));
    let endless = job(server.url("/")).with(|settings| {
        (settings.timeout, settings.connect_timeout) = (Duration::MAX, Duration::MAX);
        settings.retry_after_max = Duration::MAX;
    });
    let outcomes = collect(&Fetcher::new().deadline(Some(Duration::MAX)), vec![endless]);
    assert!(outcomes[0].ok());
}

/// A job of every sort there is, by number.
fn any_job(n: usize, server: &Server, dir: &Dir, refusing: u16) -> Job {
    let path =
        ["/ok", "/404", "/503", "/close", "/reset", "/cut", "/hang", "/drip", "/circle", "/big", "/bomb"][n % 11];
    let url = match n % 13 {
        0 => format!("http://127.0.0.1:{refusing}/"),
        1 => server.url_at("localhost", path),
        _ => server.url(path),
    };
    let job = job(url).named(format!("job {n}")).with(|settings| {
        settings.retries = (n % 3) as u32;
        settings.timeout = Duration::from_millis(400);
        settings.max_body = Some(100_000);
        if n % 7 == 0 {
            settings.select = vec![("ok".into(), "/ok".parse().expect("a pointer"))];
        }
    });
    match n % 5 {
        0 => job.saved_to(dir.join(&format!("{n}.body"))),
        // There is a file in place of a folder.
        1 if n % 2 == 0 => job.saved_to(dir.join(&format!("file/{n}"))),
        _ => job,
    }
}

#[test]
fn every_job_comes_out_once_under_all_faults() {
    let server = Arc::new(Server::start(|request| match request.path() {
        "/ok" => Reply::json("{\"ok\":true}"),
        "/404" => Reply::status(404),
        "/503" => Reply::status(503).header("Retry-After", "0"),
        "/close" => Reply::empty().close(),
        "/reset" => Reply::raw("HTTP/1.1 200").reset(),
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").close(),
        "/hang" => Reply::hang(),
        "/drip" => Reply::json("{}".repeat(100)).in_pieces(1, Duration::from_millis(20)),
        "/circle" => Reply::redirect(302, "/circle"),
        "/big" => Reply::text("x".repeat(200_000)),
        _ => Reply::text("x".repeat(10 << 20)).gzip(),
    }));
    let refusing = refusing_port();
    for (deadline, fail_fast, stop_after, keep) in [
        (None, false, None, true),
        (Some(Duration::from_millis(500)), false, None, true),
        (None, true, None, false),
        (None, false, Some(20), false),
    ] {
        let dir = Dir::new();
        dir.write("file", "no folder");
        let jobs: Vec<Job> = (0..110).map(|n| any_job(n, &server, &dir, refusing)).collect();
        let names: Vec<String> = jobs.iter().map(|job| job.name().to_owned()).collect();
        let fetcher = Fetcher::new().limits(at_once(23)).deadline(deadline).fail_fast(fail_fast).keep_bodies(keep);
        let event_loop = EventLoop::new();
        let mut stream = fetcher.run(&event_loop, jobs);
        let stopper = stream.stopper();
        let outcomes = event_loop.run(timeout(PATIENCE, async {
            let mut outcomes = Vec::new();
            while let Some(outcome) = stream.next().await {
                outcomes.push(outcome);
                if Some(outcomes.len()) == stop_after {
                    stopper.stop();
                }
            }
            outcomes
        }));
        let outcomes = in_order(outcomes.expect("it hangs"), &names);
        let status = stopper.status().expect("the stream is there");
        assert_eq!((status.total, status.done, status.in_flight), (110, 110, 0));
        assert_eq!(status.failed, outcomes.iter().filter(|outcome| !outcome.ok()).count());
        for outcome in &outcomes {
            assert_eq!(
                outcome.ok(),
                outcome.attempts.last().is_some_and(|attempt| attempt.error.is_none()),
                "{outcome:?}"
            );
            assert!(outcome.attempts.len() <= 1 + outcome.index % 3, "{outcome:?}");
            assert_eq!(outcome.attempts.is_empty(), outcome.error.as_ref().is_some_and(|f| f.kind == Kind::Skipped));
            let file = dir.join(&format!("{}.body", outcome.index));
            assert_eq!(outcome.body_file.as_deref(), file.exists().then_some(&*file), "{outcome:?}");
        }
        drop((stream, fetcher));
        event_loop.run(wait_for(&server, |stats| stats.open == 0));
        let left: Vec<String> = dir.names().into_iter().filter(|name| name.contains(".part")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
