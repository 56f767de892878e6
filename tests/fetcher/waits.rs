//! For how long a source waits for what, as its outcome says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roundup::event_loop::sleep;
use roundup::fetcher::{RunSnapshot, Stopper, WaitReason};
use roundup::{EventLoop, Fetcher, HostKey, HostLimits, Kind, Limits, Outcome, Phase, WaitCause};

use super::{assert_failed, at_once, collect, failure, job, per_host};
use crate::common::{PATIENCE, Reply, Server};

/// For how many milliseconds a source has waited for this.
pub(super) fn waited(outcome: &Outcome, cause: WaitCause) -> u128 {
    outcome.waits.as_ref().map_or(0, |waits| waits.of(cause).as_millis())
}

#[test]
fn an_outcome_says_what_its_source_has_waited_for() {
    let quick = || Server::start(|_| Reply::json("{}").late(Duration::from_millis(50)));
    let (one, other) = (quick(), quick());
    let get = |limits: Limits, urls: &[String]| {
        let outcomes = collect(&Fetcher::new().limits(limits), urls.iter().map(job).collect());
        assert!(outcomes.iter().all(Outcome::ok), "{outcomes:?}");
        outcomes
    };
    let outcomes = get(per_host(1), &[one.url("/1"), one.url("/2"), other.url("/")]);
    assert!(waited(&outcomes[1], WaitCause::Host) >= 50 && waited(&outcomes[1], WaitCause::Run) < 50, "{outcomes:?}");
    assert!(outcomes[0].waits.is_none() || waited(&outcomes[0], WaitCause::Host) == 0);
    assert_eq!((waited(&outcomes[2], WaitCause::Host), waited(&outcomes[2], WaitCause::Rate)), (0, 0));
    let outcomes = get(at_once(1), &[one.url("/1"), other.url("/")]);
    assert!(waited(&outcomes[1], WaitCause::Run) >= 50 && waited(&outcomes[1], WaitCause::Host) == 0, "{outcomes:?}");
    let limits = Limits { rate: "10/s".parse().ok(), ..Limits::default() };
    let outcomes = get(limits, &[one.url("/1"), one.url("/2")]);
    assert!(waited(&outcomes[1], WaitCause::Rate) >= 90, "{outcomes:?}");
    // One refusal: the host is paused for all, and the one that was refused waits as well.
    let asked = AtomicUsize::new(0);
    let busy = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(429).header("Retry-After", "1"),
        1 => Reply::status(500),
        _ => Reply::json("{}"),
    });
    let outcomes = get(per_host(1), &[busy.url("/1"), busy.url("/2")]);
    for outcome in &outcomes {
        assert!(waited(outcome, WaitCause::Pause) >= 900, "{outcomes:?}");
        let timed = outcome.timings.queue + outcome.timings.total;
        assert!(outcome.waits.as_ref().is_some_and(|waits| waits.total() <= timed), "{outcomes:?}");
    }
    let retried = outcomes.iter().find(|outcome| outcome.attempts.iter().any(|attempt| attempt.status == Some(500)));
    let backoff = retried.and_then(|outcome| outcome.attempts.last()?.waited).expect("one was tried again");
    let retry = retried.map_or(0, |outcome| waited(outcome, WaitCause::Retry));
    assert!(backoff < Duration::from_millis(1) || retry.abs_diff(backoff.as_millis()) <= 1, "{outcomes:?}");
}

/// What a job that was never sent has waited for.
#[test]
fn what_was_skipped_says_what_it_has_waited_for() {
    let server = Server::start(|_| Reply::hang());
    let jobs = vec![job(server.url("/1")), job(server.url("/2"))];
    let fetcher = Fetcher::new().limits(per_host(1)).deadline(Some(Duration::from_millis(200)));
    let outcomes = collect(&fetcher, jobs);
    assert_eq!(failure(&outcomes[1]).kind, Kind::Skipped);
    assert!(waited(&outcomes[1], WaitCause::Host) >= 190, "{outcomes:?}");
}

/// RFC 9110, section 10.2.3: beside a redirect it says when that may be followed, wherever it leads to.
#[test]
fn a_retry_after_beside_a_redirect_is_waited_for() {
    let target = Server::start(|_| Reply::text("here"));
    let to = target.url("/");
    let server = Server::start(move |request| match request.path() {
        "/soon" => Reply::redirect(302, &to).header("Retry-After", "1"),
        _ => Reply::redirect(302, &to).header("Retry-After", "3600"),
    });
    let outcome = collect(&Fetcher::new(), vec![job(server.url("/soon"))]).remove(0);
    assert!(outcome.ok() && outcome.timings.total >= Duration::from_secs(1), "{outcome:?}");
    let waits = outcome.waits.as_ref().expect("it has waited");
    assert!(waits.of(WaitCause::Pause) >= Duration::from_secs(1), "{waits:?}");
    // Longer than a source waits.
    let outcome = collect(&Fetcher::new(), vec![job(server.url("/late"))]).remove(0);
    let failure = failure(&outcome);
    assert_eq!((failure.kind, failure.retry_at.is_some()), (Kind::Redirect, true), "{failure:?}");
    assert_eq!(target.stats().requests, 1);
}

/// The error said that the body was being read.
#[test]
fn a_redirect_that_is_not_followed_in_time_says_that_it_waited() {
    let target = Server::start(|_| Reply::text("here"));
    let to = target.url("/");
    let server = Server::start(move |_| Reply::redirect(302, &to));
    let key = HostKey::new(&format!("127.0.0.1:{}", target.port())).expect("a host");
    let slow = HostLimits { per_host: None, rate: "1/h".parse().ok() };
    let limits = Limits { hosts: [(key, slow)].into(), ..at_once(1) };
    let later = job(server.url("/")).with(|settings| settings.job_timeout = Some(Duration::from_millis(300)));
    let outcomes = collect(&Fetcher::new().limits(limits), vec![job(target.url("/")), later]);
    assert_failed(&outcomes[1], Kind::Timeout, Phase::Queue);
    assert!(
        failure(&outcomes[1])
            .message
            .ends_with("300ms, was over while waiting for a turn at the host that is asked next")
    );
}

/// What a run looks like to one who waits for it, as soon as this is so.
async fn snapshot_when(stopper: &Stopper, is_so: impl Fn(&RunSnapshot) -> bool) -> RunSnapshot {
    let began = Instant::now();
    loop {
        let snapshot = stopper.snapshot(9).expect("the stream is there");
        if is_so(&snapshot) {
            return snapshot;
        }
        assert!(began.elapsed() < PATIENCE, "{snapshot:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The live view showed `1/3 done, 0 in flight` for an hour, and not why.
#[test]
fn a_run_that_stands_still_says_what_for() {
    let quick = Server::start(|_| Reply::json("1"));
    let slow = Server::start(|_| Reply::hang());
    let event_loop = EventLoop::new();
    let rate = "1/h".parse().ok();
    let jobs = || (0..3).map(|n| job(quick.url(&format!("/{n}"))));
    event_loop.run(async {
        // The rate of the run.
        let outcomes = Fetcher::new().limits(Limits { rate, ..at_once(9) }).run(&event_loop, jobs());
        let snapshot = snapshot_when(&outcomes.stopper(), |it| it.status.done == 1).await;
        assert!(snapshot.paced_until.is_some() && snapshot.limited.is_empty(), "{snapshot:?}");
        // That of a host.
        let key = HostKey::new(&format!("127.0.0.1:{}", quick.port())).expect("a host");
        let hosts = [(key, HostLimits { per_host: None, rate })].into();
        let outcomes = Fetcher::new().limits(Limits { hosts, ..at_once(9) }).run(&event_loop, jobs());
        let snapshot = snapshot_when(&outcomes.stopper(), |it| it.status.done == 1).await;
        assert!(snapshot.paced_until.is_none(), "{snapshot:?}");
        let [host] = &snapshot.limited[..] else { panic!("{snapshot:?}") };
        assert!(matches!(host.why, WaitReason::Rate(_)) && host.waiting == 2, "{host:?}");
        // A host that is full is no news, unless nothing starts for a while.
        let jobs = (0..3).map(|n| job(slow.url(&format!("/{n}"))));
        let began = Instant::now();
        let outcomes = Fetcher::new().limits(per_host(1)).run(&event_loop, jobs);
        let snapshot = snapshot_when(&outcomes.stopper(), |it| !it.limited.is_empty()).await;
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!((snapshot.limited[0].why, snapshot.limited[0].waiting), (WaitReason::HostFull, 2));
    });
}
