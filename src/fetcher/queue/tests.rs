//! The queue by arithmetic on the time.

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::limits::{HostKey, HostLimits};
use crate::origin::parse_url;

fn url(host: &str) -> Url {
    parse_url(&format!("http://{host}/")).expect(host)
}

fn origin(host: &str) -> Origin {
    Origin::of(&url(host)).expect(host)
}

fn push(queue: &mut Queue, job: JobNumber, host: &str, now: Instant) {
    queue.push(QueuedJob::fresh(job, 0), &url(host), now).expect(host);
}

fn queue(limits: Limits, hosts: &[&str]) -> Queue {
    let mut queue = Queue::new(limits, LimitState::default());
    for (index, host) in hosts.iter().enumerate() {
        push(&mut queue, index, host, Instant::now());
    }
    queue
}

/// No limit but those that are given.
fn unlimited() -> Limits {
    Limits { per_host: None, ..Limits::default() }
}

/// All jobs that may start now.
fn starts(queue: &mut Queue, now: Instant) -> (Vec<usize>, Next) {
    let mut started = Vec::new();
    loop {
        match queue.next(now) {
            Next::Start { job, .. } => started.push(job),
            other => return (started, other),
        }
    }
}

fn end(queue: &mut Queue, host: HostIndex, verdict: Verdict, now: Instant) {
    queue.ended(Lease { host, probe: false, since: now }, verdict, now);
}

fn served(queue: &mut Queue, host: HostIndex, now: Instant) {
    end(queue, host, Verdict::Served, now);
}

/// Puts a job back that does not draw on the budget.
fn retry(queue: &mut Queue, job: JobNumber, host: &str, at: Instant, now: Instant) {
    let again = Retry { job: QueuedJob::again(job, 0), url: &url(host), at, draws: false, cause: WaitCause::Retry };
    assert!(queue.retry(again, now).expect(host));
}

#[test]
fn hosts_take_turns_within_their_caps() {
    let limits = Limits { per_host: NonZeroU32::new(2), ..Limits::default() };
    let now = Instant::now();
    let mut queue = queue(limits, &["a", "a", "a", "b", "a", "b"]);
    assert_eq!(starts(&mut queue, now), (vec![0, 3, 1, 5], Next::Wait));
    served(&mut queue, 0, now);
    assert_eq!(starts(&mut queue, now), (vec![2], Next::Wait));
    served(&mut queue, 0, now);
    served(&mut queue, 0, now);
    assert_eq!(starts(&mut queue, now), (vec![4], Next::Wait));
    for host in [0, 1, 1] {
        served(&mut queue, host, now);
    }
    assert_eq!(queue.next(now), Next::Done);
}

/// A thousand jobs of one host held back all that stood behind them in the list.
#[test]
fn a_host_with_many_jobs_does_not_hold_back_one_that_comes_later() {
    let now = Instant::now();
    let mut queue = queue(unlimited(), &["a"; 100]);
    for job in 0..50 {
        assert!(matches!(queue.next(now), Next::Start { job: next, .. } if next == job));
    }
    push(&mut queue, 100, "late", now);
    push(&mut queue, 101, "late", now);
    let order: Vec<usize> = starts(&mut queue, now).0[..4].to_vec();
    assert_eq!(order, [100, 50, 101, 51], "it joins at once and gets no more than its turns");
}

#[test]
fn jobs_of_a_higher_priority_start_first() {
    let now = Instant::now();
    let mut queue = Queue::new(unlimited(), LimitState::default());
    for (job, (host, priority)) in [("a", 0), ("a", 5), ("b", 1), ("b", -1), ("c", 5), ("a", 5)].into_iter().enumerate()
    {
        queue.push(QueuedJob::fresh(job, priority), &url(host), now).expect("good");
    }
    assert_eq!(starts(&mut queue, now).0, [1, 4, 5, 2, 0, 3]);
}

#[test]
fn a_paused_host_lets_others_pass_and_goes_on() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    let mut queue = queue(Limits::default(), &["a", "b", "a"]);
    queue.pause(0, later, now);
    assert_eq!(starts(&mut queue, now), (vec![1], Next::At(later)));
    served(&mut queue, 1, now);
    assert_eq!(starts(&mut queue, now), (vec![], Next::At(later)));
    assert_eq!(starts(&mut queue, later), (vec![0, 2], Next::Wait));
}

/// Two thousand requests went out to a host that had asked for an hour.
#[test]
fn what_is_left_of_a_closed_host_ends_unsent() {
    let now = Instant::now();
    let until = now + Duration::from_secs(3600);
    let limits = Limits { per_host: NonZeroU32::new(1), ..Limits::default() };
    let mut queue = queue(limits, &["a", "a", "b", "a"]);
    assert_eq!(starts(&mut queue, now).0.len(), 1 + 1);
    retry(&mut queue, 7, "a", now, now);
    end(&mut queue, 0, Verdict::Refused, now);
    queue.close(0, until, now);
    let unsent = |job| Next::End { job, host: 0, why: Unsent::Closed(until) };
    for job in [QueuedJob::fresh(1, 0), QueuedJob::fresh(3, 0), QueuedJob::again(7, 0)] {
        assert_eq!(queue.next(now), unsent(job));
    }
    assert_eq!(queue.next(now), Next::Wait);
    // One that waits for so long goes back, and others may come then.
    queue.hold(QueuedJob::fresh(3, 0), 0, until, now);
    assert_eq!(queue.next(now), Next::At(until));
    assert_eq!(starts(&mut queue, until).0, [3]);
}

#[test]
fn a_host_that_takes_no_connections_is_probed_and_then_given_up() {
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    let mut queue = queue(unlimited(), &["a", "a", "a", "a", "a"]);
    assert_eq!(starts(&mut queue, now).0.len(), 5);
    for job in 5..8 {
        push(&mut queue, job, "a", now);
    }
    for _ in 0..5 {
        end(&mut queue, 0, Verdict::Unreached, now);
    }
    push(&mut queue, 9, "b", now);
    assert_eq!(starts(&mut queue, now), (vec![9], Next::At(at(5))), "others are not held back");
    served(&mut queue, 1, now);
    let probe = |queue: &mut Queue, now| match queue.next(now) {
        Next::Start { job, lease } => (job, lease),
        other => panic!("no probe: {other:?}"),
    };
    let (job, lease) = probe(&mut queue, at(5));
    assert_eq!((job, queue.next(at(5))), (5, Next::Wait), "one at a time");
    queue.ended(lease, Verdict::Unreached, at(5));
    retry(&mut queue, 5, "a", at(5), at(5));
    for seconds in [15, 35] {
        assert_eq!(queue.next(at(seconds - 1)), Next::At(at(seconds)));
        let (job, lease) = probe(&mut queue, at(seconds));
        queue.ended(lease, Verdict::Unreached, at(seconds));
        if seconds == 15 {
            retry(&mut queue, job, "a", at(15), at(15));
        }
    }
    let mut ended = Vec::new();
    while let Next::End { job, why: Unsent::GivenUp, .. } = queue.next(at(35)) {
        ended.push(job.number);
    }
    assert_eq!((ended.len(), queue.next(at(35))), (2, Next::Done));
    // Later, one job finds out whether it is back.
    push(&mut queue, 20, "a", at(36));
    assert!(matches!(queue.next(at(36)), Next::End { why: Unsent::GivenUp, .. }));
    push(&mut queue, 21, "a", at(80));
    push(&mut queue, 22, "a", at(80));
    let (job, lease) = probe(&mut queue, at(80));
    assert_eq!((job, queue.next(at(80))), (21, Next::Wait));
    queue.ended(lease, Verdict::Reached, at(81));
    assert_eq!(starts(&mut queue, at(81)).0, [22]);
}

#[test]
fn a_retry_beyond_the_budget_waits_for_first_attempts_and_ends_if_there_are_none() {
    let now = Instant::now();
    let limits = Limits { per_host: NonZeroU32::new(1), ..Limits::default() };
    let mut queue = queue(limits, &["a"; 62]);
    let a = url("a");
    let again = |job| Retry { job: QueuedJob::again(job, 0), url: &a, at: now, draws: true, cause: WaitCause::Retry };
    let run_one = |queue: &mut Queue| match queue.next(now) {
        Next::Start { job, lease } => {
            queue.ended(lease, Verdict::Reached, now);
            job
        }
        other => panic!("{other:?}"),
    };
    for job in 0..11 {
        assert_eq!(run_one(&mut queue), job);
        assert!(queue.retry(again(job), now).expect("good"), "{job}");
        // The ten of the floor are made at once.
        if job < 10 {
            assert_eq!(run_one(&mut queue), job);
        }
    }
    for job in 11..55 {
        assert_eq!(run_one(&mut queue), job, "the eleventh retry waits");
    }
    assert_eq!(run_one(&mut queue), 10, "55 first attempts have room for it");
    assert!(queue.retry(again(54), now).expect("good"));
    for job in 55..60 {
        assert_eq!(run_one(&mut queue), job);
    }
    assert_eq!(run_one(&mut queue), 54);
    assert!(!queue.retry(again(59), now).expect("good"), "the two that are left make no room");
    queue.expect_more();
    assert!(queue.retry(again(59), now).expect("good"), "others that come may");
    assert_eq!([run_one(&mut queue), run_one(&mut queue)], [60, 61]);
    let unsent = Next::End { job: QueuedJob::again(59, 0), host: 0, why: Unsent::Budget };
    assert_eq!((queue.next(now), queue.next(now)), (unsent, Next::Done), "none is left that would make room");
    assert!(!queue.retry(again(61), now).expect("good"));
}

#[test]
fn a_retry_comes_back_before_later_jobs() {
    let now = Instant::now();
    let soon = now + Duration::from_millis(5);
    let limits = Limits { per_host: NonZeroU32::new(1), ..Limits::default() };
    let mut queue = queue(limits, &["a", "a", "a"]);
    assert_eq!(starts(&mut queue, now).0, [0]);
    served(&mut queue, 0, now);
    retry(&mut queue, 0, "a", soon, now);
    assert_eq!(starts(&mut queue, now).0, [1]);
    served(&mut queue, 0, now);
    assert_eq!(starts(&mut queue, soon).0, [0]);
    served(&mut queue, 0, now);
    assert_eq!(starts(&mut queue, soon).0, [2]);
    served(&mut queue, 0, now);
    assert_eq!(queue.next(soon), Next::Done);
}

#[test]
fn rates_of_the_run_and_of_a_host() {
    let now = Instant::now();
    let at = |ms: u64| now + Duration::from_millis(ms);
    let slow = HostLimits { per_host: None, rate: "5/s".parse().ok() };
    let hosts = [(HostKey::new("a").expect("a host"), slow)].into();
    let limits = Limits { rate: "10/s".parse().ok(), hosts, ..Limits::default() };
    let mut queue = queue(limits, &["a", "a", "b", "b"]);
    let mut log = Vec::new();
    let mut time = now;
    loop {
        match queue.next(time) {
            Next::Start { job, .. } => log.push((job, time)),
            Next::At(next) => time = next,
            Next::Wait => break,
            other => unreachable!("four are running: {other:?}"),
        }
    }
    assert_eq!(log, [(0, at(0)), (2, at(100)), (1, at(200)), (3, at(300))]);
}

#[test]
fn a_rate_of_one_an_hour() {
    let now = Instant::now();
    let limits = Limits { rate: "1/h".parse().ok(), ..Limits::default() };
    let mut queue = queue(limits, &["a", "b"]);
    let (first, Next::At(next)) = starts(&mut queue, now) else { panic!("the second waits") };
    assert_eq!(first, [0]);
    assert!((3600..3601).contains(&(next - now).as_secs()), "{:?}", next - now);
    assert_eq!(starts(&mut queue, next).0, [1]);
}

#[test]
fn refusals_teach_how_many_a_host_takes() {
    let now = Instant::now();
    let mut queue = queue(unlimited(), &["a"; 100]);
    assert_eq!(starts(&mut queue, now).0.len(), 100);
    // Ten are being served; ninety are refused one after the other.
    for index in 10..100 {
        end(&mut queue, 0, Verdict::Refused, now);
        retry(&mut queue, index, "a", now, now);
    }
    assert_eq!(starts(&mut queue, now).0.len(), 0, "ten are still running");
    for _ in 0..10 {
        served(&mut queue, 0, now);
    }
    assert_eq!(starts(&mut queue, now).0, Vec::from_iter(10..20));
    // It is raised by one after eight rounds without a refusal.
    for number in 11..=80 {
        served(&mut queue, 0, now);
        assert_eq!(starts(&mut queue, now).0.len(), if number < 80 { 1 } else { 2 }, "{number}");
    }
}

#[test]
fn hosts_that_are_idle_are_forgotten_and_no_others() {
    let now = Instant::now();
    let later = now + Duration::from_secs(9);
    let mut queue = queue(Limits::default(), &["paused", "running", "delayed", "waiting"]);
    for index in 0..3 {
        assert!(matches!(queue.next(now), Next::Start { job, lease } if (job, lease.host) == (index, index)));
    }
    served(&mut queue, 0, now);
    queue.pause(0, later, now);
    served(&mut queue, 2, now);
    retry(&mut queue, 2, "delayed", later, now);
    queue.pause(3, now + Duration::from_millis(1), now);
    for index in 4..100_004 {
        push(&mut queue, index, &format!("h{index}"), now);
        let Next::Start { job, lease } = queue.next(now) else { panic!("nothing starts") };
        assert!(job > 3 && lease.host > 3, "{job:?} took the place of a host that is in use");
        queue.ended(lease, Verdict::Served, now);
    }
    assert!(queue.hosts.len() <= MAX_IDLE_HOSTS, "{} hosts are kept", queue.hosts.len());
    for (index, name) in ["paused", "running", "delayed", "waiting"].iter().enumerate() {
        assert_eq!(queue.by_origin.get(&origin(name)), Some(&index), "{name}");
    }
    push(&mut queue, 200_000, "paused", now);
    served(&mut queue, 1, now);
    assert_eq!(starts(&mut queue, now).0, Vec::<usize>::new(), "a pause holds though the host was idle");
    let mut last = starts(&mut queue, later).0;
    last.sort();
    assert_eq!(last, [2, 3, 200_000]);
}

#[test]
fn ten_thousand_hosts_with_a_section_each() {
    let now = Instant::now();
    let limit = HostLimits { per_host: NonZeroU32::new(1), rate: "1/h".parse().ok() };
    let key = |number: usize| HostKey::new(&format!("h{number}.example")).expect("a host");
    let limits = Limits { hosts: (0..10_000).map(|number| (key(number), limit)).collect(), ..Limits::default() };
    let mut queue = Queue::new(limits, LimitState::default());
    for job in 0..20_000 {
        push(&mut queue, job, &format!("h{}.example", job % 10_000), now);
    }
    let (started, Next::Wait) = starts(&mut queue, now) else { panic!("each has one under way") };
    assert_eq!(started, Vec::from_iter(0..10_000));
}

#[test]
fn hosts_are_told_apart_whatever_was_added_before() {
    let now = Instant::now();
    let mut queue = Queue::new(Limits { per_host: NonZeroU32::new(1), ..Limits::default() }, LimitState::default());
    let same = ["http://a/", "http://A:80/x", "http://me@a/"];
    let others = ["https://a/", "http://a:81/", "http://a.b/", "http://b/", "http://[::1]/", "https://a:80/"];
    for (index, text) in same.iter().chain(&others).chain(&same).enumerate() {
        let url = parse_url(text).expect(text);
        queue.push(QueuedJob::fresh(index, 0), &url, now).expect(text);
    }
    assert_eq!(starts(&mut queue, now), (vec![0, 3, 4, 5, 6, 7, 8], Next::Wait));
    served(&mut queue, 0, now);
    assert_eq!(starts(&mut queue, now), (vec![1], Next::Wait));
}

/// What a job that starts now has waited for, in milliseconds.
fn waited(queue: &mut Queue, job: JobNumber, host: HostIndex, now: Instant) -> Vec<(WaitCause, u128)> {
    queue.take_waited(job, host, now).iter().map(|(cause, time)| (cause, time.as_millis())).collect()
}

#[test]
fn a_job_knows_what_it_has_waited_for() {
    let limits = Limits { per_host: NonZeroU32::new(1), ..Limits::default() };
    let began = Instant::now();
    let at = |ms| began + Duration::from_millis(ms);
    let mut queue = Queue::new(limits, LimitState::default());
    for job in 0..3 {
        push(&mut queue, job, "a", began);
    }
    assert_eq!(starts(&mut queue, at(0)).0, [0]);
    assert_eq!(waited(&mut queue, 0, 0, at(0)), []);
    // The host is full for 40 ms, and paused from then to 100 ms; the driver looks at 130 ms.
    queue.pause(0, at(100), at(10));
    served(&mut queue, 0, at(40));
    assert_eq!(starts(&mut queue, at(130)).0, [1]);
    let of_the_second = [(WaitCause::Run, 30), (WaitCause::Host, 40), (WaitCause::Pause, 60)];
    assert_eq!(waited(&mut queue, 1, 0, at(130)), of_the_second);
    // One that comes later waits for nothing that was before.
    push(&mut queue, 3, "a", at(150));
    end(&mut queue, 0, Verdict::Reached, at(160));
    retry(&mut queue, 1, "a", at(260), at(160));
    assert_eq!(starts(&mut queue, at(160)).0, [2]);
    let of_the_third = [(WaitCause::Run, 30), (WaitCause::Host, 70), (WaitCause::Pause, 60)];
    assert_eq!(waited(&mut queue, 2, 0, at(160)), of_the_third);
    served(&mut queue, 0, at(200));
    assert_eq!(starts(&mut queue, at(200)).0, [3]);
    assert_eq!(waited(&mut queue, 3, 0, at(200)), [(WaitCause::Host, 50)]);
    // Its time comes while the host is full, and the driver looks when that is over.
    assert!(starts(&mut queue, at(270)).0.is_empty());
    served(&mut queue, 0, at(300));
    assert_eq!(starts(&mut queue, at(300)).0, [1]);
    let of_the_retry = [(WaitCause::Run, 10), (WaitCause::Host, 30), (WaitCause::Retry, 100)];
    assert_eq!(waited(&mut queue, 1, 0, at(300)), of_the_retry);
}

#[test]
fn waits_for_the_budget_and_for_the_rate_of_the_run_have_names() {
    let began = Instant::now();
    let at = |ms| began + Duration::from_millis(ms);
    let mut queue = Queue::new(Limits { rate: "10/s".parse().ok(), ..unlimited() }, LimitState::default());
    for job in 0..12 {
        push(&mut queue, job, "a", began);
    }
    assert_eq!(starts(&mut queue, at(0)).0, [0]);
    assert_eq!(starts(&mut queue, at(120)).0, [1]);
    assert_eq!(waited(&mut queue, 1, 0, at(120)), [(WaitCause::Run, 20), (WaitCause::Rate, 100)]);
    // Ten retries are free, and the budget has none for the one after them before more first attempts are made.
    queue.expect_more();
    let a = url("a");
    let again =
        |job| Retry { job: QueuedJob::again(job, 0), url: &a, at: at(130), draws: true, cause: WaitCause::Retry };
    for job in 20..31 {
        assert!(queue.retry(again(job), at(120)).expect("good"));
    }
    let mut waits = queue.take_all_waited(at(180));
    let mut of = |job| waits.remove(&job).map(|waits| waits.iter().map(|(cause, t)| (cause, t.as_millis())).collect());
    assert_eq!(of(20), Some(vec![(WaitCause::Run, 50), (WaitCause::Retry, 10)]));
    assert_eq!(of(30), Some(vec![(WaitCause::Retry, 10), (WaitCause::Budget, 50)]));
    assert_eq!(of(2), Some(vec![(WaitCause::Run, 20), (WaitCause::Rate, 160)]));
}

/// They kept their place before the budget and drew on it, though nothing was sent.
#[test]
fn jobs_that_ended_leave_the_budget_of_retries_to_others() {
    let now = Instant::now();
    let mut queue = queue(Limits { per_host: NonZeroU32::new(20), ..Limits::default() }, &["a"; 60]);
    assert_eq!(starts(&mut queue, now).0.len(), 20);
    let a = url("a");
    let again = |job| Retry { job: QueuedJob::again(job, 0), url: &a, at: now, draws: true, cause: WaitCause::Retry };
    for job in 0..12 {
        served(&mut queue, 0, now);
        assert!(queue.retry(again(job), now).expect("good"), "ten at once and two from 60 first attempts");
    }
    assert!(!queue.retry(again(12), now).expect("good"));
    for job in [10, 11] {
        queue.forget(job, &a, now);
    }
    assert!(queue.gone.is_empty());
    assert!(queue.retry(again(12), now).expect("good"));
    assert!(queue.retry(again(13), now).expect("good"));
    while queue.running > 0 {
        served(&mut queue, 0, now);
        starts(&mut queue, now);
    }
    assert_eq!((queue.next(now), queue.budget.drawn()), (Next::Done, 12));
}

/// Forty jobs that had failed in 5 ms ended when the last job of another, slow host started, 8 s later.
#[test]
fn a_retry_that_the_budget_cannot_come_to_ends_at_once() {
    let now = Instant::now();
    let slow = HostLimits { per_host: None, rate: "1/4s".parse().ok() };
    let hosts = [(HostKey::new("slow").expect("a host"), slow)].into();
    let limits = Limits { per_host: None, hosts, ..Limits::default() };
    for (expects_more, wait) in [(false, 14), (true, 40)] {
        let mut queue = Queue::new(limits.clone(), LimitState::default());
        for job in 0..40 {
            push(&mut queue, job, "ill", now);
        }
        // With these there will be seventy first attempts, which are fourteen retries.
        for job in 40..70 {
            push(&mut queue, job, "slow", now);
        }
        if expects_more {
            queue.expect_more();
        }
        assert_eq!(starts(&mut queue, now).0.len(), 41);
        let ill = url("ill");
        let mut waiting = 0;
        for job in 0..40 {
            queue.ended(Lease { host: 0, probe: false, since: now }, Verdict::Reached, now);
            let job = QueuedJob::again(job, 0);
            let again = Retry { job, url: &ill, at: now, draws: true, cause: WaitCause::Retry };
            waiting += usize::from(queue.retry(again, now).expect("good"));
        }
        assert_eq!(waiting, wait, "ten have been drawn, and the others are to be paid for");
        if !expects_more {
            // The slow host wants to be left alone, and its jobs will pay for none.
            queue.close(1, now + Duration::from_secs(3600), now);
            let mut ends = [0, 0];
            loop {
                match queue.next(now) {
                    Next::Start { lease, .. } => queue.ended(lease, Verdict::Served, now),
                    Next::End { why: Unsent::Budget, .. } => ends[0] += 1,
                    Next::End { .. } => ends[1] += 1,
                    _ => break,
                }
            }
            assert_eq!(ends, [4, 29]);
        }
    }
}

mod between_runs;
