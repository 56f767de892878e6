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

/// Of a program that runs for weeks: a link checker asks ever new hosts.
#[test]
fn hosts_that_a_run_has_left_unfinished_or_down_are_forgotten() {
    let began = Instant::now();
    let known = LimitState::default();
    for round in 0..20 {
        let now = began + Duration::from_secs(round * 130);
        let mut queue = Queue::new(unlimited(), known.clone());
        for host in 0..600 {
            push(&mut queue, host, &format!("h{round}-{host}"), now);
        }
        for host in 0..600 {
            let Next::Start { lease, .. } = queue.next(now) else { panic!("nothing holds it") };
            match host % 3 {
                // The run is cut short while it is under way.
                0 => {}
                1 => queue.ended(lease, Verdict::Unreached, now),
                _ => {
                    for _ in 0..4 {
                        queue.hosts[lease.host].start(now);
                        queue.hosts[lease.host].end(Verdict::Unreached, false, (now, now));
                    }
                    queue.ended(lease, Verdict::Unreached, now);
                }
            }
        }
        queue.note_limits(now);
        let last =
            known.hosts().into_iter().filter(|origin| origin.to_string().contains(&format!("h{round}-"))).count();
        assert_eq!(last, 400, "those that took no connection are known");
    }
    let hosts = known.hosts();
    assert!(hosts.len() < 2 * MAX_IDLE_HOSTS, "{}", hosts.len());
}

#[test]
fn what_was_found_of_hosts_is_bounded() {
    let began = Instant::now();
    let known = LimitState::default();
    for round in 0..30 {
        let now = began + Duration::from_secs(round);
        let mut queue = Queue::new(Limits { adaptive: true, ..unlimited() }, known.clone());
        for job in 0..1_000 * 8 {
            push(&mut queue, job, &format!("h{round}-{}", job % 1_000), now);
        }
        while let Next::Start { lease, .. } = queue.next(now) {
            queue.ended(lease, Verdict::Served, now);
        }
        queue.note_limits(now);
        let found = known.found();
        assert!(found.len() < 10_000, "{}", found.len());
        let last = found.iter().filter(|(origin, _)| origin.to_string().contains(&format!("h{round}-"))).count();
        assert_eq!(last, 1_000, "the newest are known");
    }
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
