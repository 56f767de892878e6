//! What the limits of one run leave to the next.

use super::*;
use crate::fetcher::waits::WaitReason;

/// Each round of a plan that is watched began as if no request had left before.
#[test]
fn limits_go_on_where_the_run_before_has_left_them() {
    let began = Instant::now();
    let at = |seconds| began + Duration::from_secs(seconds);
    let limits = Limits { rate: "1/4s".parse().ok(), ..unlimited() };
    let known = LimitState::default();
    let mut first = Queue::new(limits.clone(), known.clone());
    for (job, host) in ["paused", "closed", "down"].into_iter().enumerate() {
        push(&mut first, job, host, began);
    }
    assert_eq!(starts(&mut first, began).0, [0]);
    first.pause(0, at(60), began);
    first.close(1, at(3600), began);
    for _ in 0..5 {
        first.hosts[2].start(began);
        first.hosts[2].end(Verdict::Unreached, false, (began, began));
    }
    // The first run is cut short: what is under way in it does not count in the next.
    first.note_limits(began);
    let mut second = Queue::new(Limits { per_host: NonZeroU32::new(1), ..limits }, known);
    for (job, host) in ["paused", "closed", "down", "new", "new"].into_iter().enumerate() {
        push(&mut second, job, host, began);
    }
    assert!(matches!(second.next(began), Next::End { why: Unsent::Closed(until), .. } if until == at(3600)));
    let Next::At(paced) = second.next(began) else { panic!("the rate of the run holds over both") };
    assert!(paced >= at(4), "{:?}", paced - began);
    assert_eq!(starts(&mut second, paced).0, [3]);
    let why = second.waits(paced).collect::<HashMap<_, _>>();
    assert_eq!((why[&0], why[&2]), (WaitReason::Pause(at(60)), WaitReason::Breaker(at(5))));
}

#[test]
fn idle_hosts_are_forgotten_from_run_to_run() {
    let began = Instant::now();
    let known = LimitState::default();
    let run = |first: usize, now: Instant| {
        let limits = Limits { per_host: None, adaptive: true, ..Limits::default() };
        let mut queue = Queue::new(limits, known.clone());
        for host in first..first + 600 {
            push(&mut queue, host, &format!("h{host}"), now);
        }
        while let Next::Start { lease, .. } = queue.next(now) {
            queue.ended(lease, Verdict::Served, now);
        }
        if first == 0 {
            queue.pause(0, now + Duration::from_secs(3600), now);
        }
        queue.note_limits(now);
    };
    (0..20).for_each(|round| run(round * 600, began + Duration::from_secs(round as u64)));
    let hosts = known.hosts();
    assert!(hosts.len() < 2 * MAX_IDLE_HOSTS, "{}", hosts.len());
    assert!(hosts.contains(&origin("h0")), "it has asked for a pause");
}

#[test]
fn a_run_at_the_same_time_takes_no_pause_away() {
    let now = Instant::now();
    let until = now + Duration::from_secs(60);
    let known = LimitState::default();
    let run = || {
        let mut queue = Queue::new(unlimited(), known.clone());
        push(&mut queue, 0, "a", now);
        queue
    };
    let (mut first, second) = (run(), run());
    first.pause(0, until, now);
    first.note_limits(now);
    second.note_limits(now);
    assert_eq!(run().next(now), Next::At(until));
}
