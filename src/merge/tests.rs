//! Results made by hand.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::error::Kind;
use crate::outcome::{Attempt, Failure, Outcome};
use crate::report::RunInfo;
use crate::shard::{Shard, ShardRun, plan_digest};

fn outcome(name: &str, place: &[u32]) -> Outcome {
    Outcome { name: name.into(), place: Some(place.into()), ..Outcome::default() }
}

fn failed(outcome: Outcome) -> Outcome {
    Outcome { error: Some(Failure::from(&Error::new(Kind::Status, "503"))), ..outcome }
}

/// A part that started so many seconds after the first moment that is known.
fn part(name: &str, second: u64, outcomes: Vec<Outcome>) -> ResultPart {
    let started = UNIX_EPOCH + Duration::from_secs(second + 1);
    let run = RunInfo { started, elapsed: Duration::from_secs(1), ..RunInfo::default() };
    ResultPart { name: name.to_owned(), run, outcomes }
}

fn shard(number: u32, of: u32, outcomes: Vec<Outcome>) -> ResultPart {
    let mut part = part(&format!("{number}.json"), u64::from(number), outcomes);
    let shard = Shard::new(number, of).expect("a shard");
    part.run.shard = Some(ShardRun { shard, plan: Some(plan_digest(["a plan"])) });
    part
}

fn names(merged: &MergedResult) -> Vec<String> {
    let end = |outcome: &Outcome| if outcome.ok() { "" } else { " failed" };
    merged.outcomes.iter().map(|outcome| format!("{}{}", outcome.name, end(outcome))).collect()
}

#[test]
fn shards_are_in_the_order_of_the_plan_and_what_several_need_counts_once() {
    let login = outcome("login", &[1]);
    let parts = vec![
        shard(3, 3, vec![outcome("a", &[0]), failed(login.clone()), outcome("row[1]", &[2, 0, 1])]),
        shard(1, 3, vec![login.clone(), outcome("row[0]", &[2, 0, 0])]),
        shard(2, 3, vec![login, outcome("z", &[3])]),
    ];
    let merged = merge(parts, None).expect("they fit");
    assert_eq!(names(&merged), ["a", "login failed", "row[0]", "row[1]", "z"]);
    assert_eq!(merged.notes, ["login failed in 3.json and not in all shards: the failure counts"]);
    assert!(!merged.is_incomplete);
    assert_eq!(merged.outcomes.iter().map(|it| it.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn shards_that_are_missing_are_named() {
    let merged = merge(vec![shard(2, 3, vec![])], None).expect("it fits");
    assert_eq!((&*merged.notes[0], merged.is_incomplete), ("shards 1/3, 3/3 are missing", true));
    let merged = merge(vec![shard(2, 2, vec![])], None).expect("it fits");
    assert_eq!(merged.notes, ["shard 1/2 is missing"]);
    let merged = merge(vec![shard(2, 100_000, vec![])], None).expect("it fits");
    assert!(merged.notes[0].ends_with(" and 99994 more are missing"), "{:?}", merged.notes);
}

#[test]
fn parts_that_do_not_fit_are_named_each_in_a_line() {
    let mut other = shard(1, 3, vec![]);
    other.run.shard = other.run.shard.map(|run| ShardRun { plan: Some(plan_digest(["another"])), ..run });
    let parts = vec![shard(1, 3, vec![]), shard(1, 3, vec![]), shard(2, 4, vec![]), part("x", 0, vec![]), other];
    let errors: Vec<String> = merge(parts, None).expect_err("they do not fit").iter().map(Error::one_line).collect();
    let another = "their jobs have other names or URLs, from other variables perhaps";
    assert_eq!(
        errors,
        [
            "1.json: it is of shard 1/3, and so is 1.json: leave one of them out".to_owned(),
            "2.json: it is of shard 2/4, and 1.json is of shard 1/3".to_owned(),
            "x: it is of no shard, and 1.json is of shard 1/3".to_owned(),
            format!("1.json: it is of another plan than 1.json: {another}"),
        ]
    );
}

#[test]
fn other_results_follow_each_other_and_the_latest_of_a_source_counts() {
    let late = vec![outcome("b", &[0]), outcome("row", &[1]), outcome("row", &[2])];
    let early = vec![outcome("a", &[0]), failed(outcome("b", &[1])), outcome("c", &[2])];
    for parts in [
        vec![part("early", 1, early.clone()), part("late", 5, late.clone())],
        vec![part("late", 5, late.clone()), part("early", 1, early.clone())],
    ] {
        let first = parts[0].name.clone();
        let merged = merge(parts, None).expect("they fit");
        assert_eq!(merged.notes, ["b is there several times: the run that started last counts"]);
        let expected: &[&str] =
            if first == "early" { &["a", "b", "c", "row", "row"] } else { &["b", "row", "row", "a", "c"] };
        assert_eq!(names(&merged), expected);
        assert!(merged.outcomes.iter().all(|outcome| outcome.place.is_none()));
    }
}

#[test]
fn times_are_counted_from_the_first_start() {
    let attempt = Attempt {
        started: Duration::from_millis(10),
        total: Duration::ZERO,
        status: None,
        address: None,
        reused: false,
        url: None,
        waited: None,
        cache: None,
        phases: None,
        error: None,
    };
    let with = |name: &str| Outcome { attempts: vec![attempt.clone()], ..outcome(name, &[0]) };
    let merged = merge(vec![part("b", 3, vec![with("b")]), part("a", 1, vec![with("a")])], None).expect("they fit");
    let started: Vec<u128> = merged.outcomes.iter().map(|it| it.attempts[0].started.as_millis()).collect();
    assert_eq!(started, [2010, 10]);
    assert_eq!((merged.run.started, merged.run.elapsed), (UNIX_EPOCH + Duration::from_secs(2), Duration::from_secs(3)));
    assert!(!merged.run.interrupted);
    let mut cut = part("cut", 0, vec![outcome("c", &[0])]);
    cut.run = RunInfo { interrupted: true, ..RunInfo::default() };
    let merged = merge(vec![part("a", 1, vec![]), cut], None).expect("they fit");
    assert!(merged.is_incomplete && merged.run.interrupted);
}
