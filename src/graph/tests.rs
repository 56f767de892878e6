//! The state machine alone: outcomes are made by hand, and nothing is sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::run::{GraphRun, NextStart};
use super::{JobGraph, JobNode, JobValues};
use crate::error::{Error, Kind};
use crate::follow_up::{AnswerPlace, PageRule, Pages};
use crate::job::Job;
use crate::outcome::{Failure, Outcome};
use crate::rows::{Cell, Record, Rows};
use crate::shard::Shard;

fn failure() -> Failure {
    Failure::from(&Error::new(Kind::Status, "status 500"))
}

fn record(values: &[(&str, &str)]) -> Option<Record> {
    let mut record = Record::default();
    values.iter().for_each(|(name, value)| record.set(*name, Cell::from(*value)));
    Some(record)
}

/// Plays a run: every job is answered by `answer`, the one to be answered next is picked by `pick`. Returns all outcomes in
/// input order, and how many jobs ran at once at most.
fn play(
    graph: JobGraph,
    pick: impl FnMut(usize) -> usize,
    answer: impl FnMut(&Job) -> Outcome,
) -> (Vec<Outcome>, usize) {
    play_shard(graph, None, pick, answer)
}

/// The same with the jobs of one shard.
fn play_shard(
    mut graph: JobGraph,
    shard: Option<Shard>,
    mut pick: impl FnMut(usize) -> usize,
    mut answer: impl FnMut(&Job) -> Outcome,
) -> (Vec<Outcome>, usize) {
    let mut ready = graph.take_ready();
    if let Some(shard) = shard {
        graph.keep_shard(shard, &mut ready);
    }
    let mut run = GraphRun::new(&graph, ready);
    let now = Instant::now();
    let (mut under_way, mut outcomes, mut most) = (Vec::new(), Vec::new(), 0);
    loop {
        outcomes.extend(std::iter::from_fn(|| run.take_finished()));
        match run.next(now) {
            NextStart::Send(job, _) => under_way.push(job),
            NextStart::At(_) | NextStart::File(_) => panic!("nothing here waits for a time or a file"),
            NextStart::Yield => {}
            NextStart::Wait => {
                most = most.max(under_way.len());
                assert!(!under_way.is_empty(), "it waits for nothing");
                let job = under_way.remove(pick(under_way.len()) % under_way.len());
                let index = job.index().expect("a number");
                run.answered(Outcome { index, ..answer(&job) }, now);
            }
            NextStart::Done => break,
        }
    }
    outcomes.extend(std::iter::from_fn(|| run.take_finished()));
    outcomes.sort_by(Outcome::cmp_place);
    (outcomes, most)
}

fn names(outcomes: &[Outcome]) -> Vec<String> {
    outcomes
        .iter()
        .map(|outcome| {
            let end = outcome.error.as_ref().map_or("ok", |failure| failure.kind.as_str());
            format!("{} {end}", outcome.name)
        })
        .collect()
}

fn job(name: &str) -> JobNode {
    JobNode::job(Job::get(&format!("http://a/{name}")).expect("a URL").named(name))
}

fn needing(name: &'static str, needs: &[&str]) -> JobNode {
    JobNode::needing(name, needs.iter().copied(), move |_: &JobValues| Ok(Job::get("http://a/")?.named(name)))
}

fn detail() -> JobNode {
    JobNode::for_each("detail", "items", |values: &JobValues| {
        Job::get(&format!("http://a/{}", values.text("items.id")?))
    })
}

fn items(ids: &[u64]) -> Vec<Rows> {
    let rows = ids.iter().map(|id| vec![Cell::from(*id)]).collect();
    vec![Rows { table: "items".into(), columns: Arc::new(vec!["id".into()]), rows }]
}

#[test]
fn a_job_waits_for_what_it_needs_and_for_nothing_else() {
    let nodes = [needing("list", &["login.token"]), job("login"), job("other")];
    let graph = JobGraph::new(nodes).expect("good");
    let mut sent = Vec::new();
    let (outcomes, most) = play(
        graph,
        |_| 0,
        |job| {
            sent.push(job.name().to_owned());
            let data = record(&[("token", "abc")]);
            Outcome { data, ..Outcome::default() }
        },
    );
    assert_eq!((sent, most), (vec!["login".into(), "other".into(), "list".into()], 2));
    assert_eq!(names(&outcomes), ["list ok", "login ok", "other ok"]);
}

#[test]
fn what_needs_a_job_that_failed_is_skipped_and_says_which() {
    let nodes = [job("login"), needing("list", &["login.token"]), needing("last", &["list.x"]), job("other")];
    let (outcomes, _) = play(
        JobGraph::new(nodes).expect("good"),
        |_| 0,
        |job| Outcome { error: (job.name() == "login").then(failure), ..Outcome::default() },
    );
    assert_eq!(names(&outcomes), ["login status", "list skipped", "last skipped", "other ok"]);
    let messages: Vec<&str> = outcomes.iter().filter_map(|o| o.error.as_ref()).map(|f| &*f.message).collect();
    assert_eq!(
        messages[1..],
        ["\"login\" failed, and this needs its \"token\"", "\"list\" was skipped, and this needs its \"x\""]
    );
}

/// A job that is left out is not sent, and those that need it take its outcome for its end.
#[cfg(feature = "watch")]
#[test]
fn a_job_that_is_left_out_is_not_sent() {
    let mut graph = JobGraph::new([job("a"), needing("b", &["a"]), job("c")]).expect("good");
    graph.leave_out([Outcome { name: "a".into(), error: Some(failure()), ..Outcome::default() }]);
    let mut sent = Vec::new();
    let (outcomes, _) = play(
        graph,
        |_| 0,
        |job| {
            sent.push(job.name().to_owned());
            Outcome { data: record(&[("token", "x")]), ..Outcome::default() }
        },
    );
    assert_eq!(names(&outcomes), ["a status", "b skipped", "c ok"]);
    assert_eq!(sent, ["c"]);
}

#[test]
fn there_is_a_job_for_each_row_named_by_its_key_in_the_order_of_the_rows() {
    let graph = JobGraph::new([job("items"), detail().key("id"), job("after")]).expect("good");
    let (outcomes, _) = play(
        graph,
        |count| count - 1,
        |job| Outcome {
            rows: if job.name() == "items" { items(&[7, 3, 7]) } else { Vec::new() },
            ..Outcome::default()
        },
    );
    assert_eq!(names(&outcomes), ["items ok", "detail[7] ok", "detail[3] ok", "detail[7]#2 ok", "after ok"]);
    assert_eq!(&*outcomes[2].url, "http://a/3");
}

/// Otherwise the next run would know other jobs by these names.
#[cfg(feature = "plan")]
#[test]
fn names_of_jobs_for_rows_of_several_sources_do_not_depend_on_what_came_first() {
    for pick in [0, 1] {
        let jobs = ["berlin", "oslo"].map(|city| {
            let name = format!("items[{city}]");
            Job::get(&format!("http://a/{city}")).expect("a URL").named(name)
        });
        let graph =
            JobGraph::new([JobNode::new("items".into(), None).with_ready(jobs.into()), detail()]).expect("good");
        let (outcomes, _) = play(
            graph,
            |_| pick,
            |job| Outcome {
                rows: match job.name() {
                    "items[berlin]" => items(&[7, 3]),
                    "items[oslo]" => items(&[7]),
                    _ => Vec::new(),
                },
                ..Outcome::default()
            },
        );
        let names = outcomes.iter().map(|outcome| &*outcome.name).collect::<Vec<_>>();
        let expected = ["items[berlin]", "items[oslo]", "detail[berlin.1]", "detail[berlin.2]", "detail[oslo.1]"];
        assert_eq!(names, expected);
    }
}

#[test]
fn rows_of_a_source_that_failed_are_used_and_without_any_the_jobs_are_skipped() {
    for (rows, expected) in
        [(items(&[1]), vec!["items status", "detail[1] ok"]), (Vec::new(), vec!["items status", "detail skipped"])]
    {
        let graph = JobGraph::new([job("items"), detail()]).expect("good");
        let (outcomes, _) = play(
            graph,
            |_| 0,
            |job| match job.name() {
                "items" => Outcome { rows: rows.clone(), error: Some(failure()), ..Outcome::default() },
                _ => Outcome::default(),
            },
        );
        assert_eq!(names(&outcomes), expected);
    }
    let graph = JobGraph::new([job("items"), detail().max_jobs(2)]).expect("good");
    let (outcomes, _) = play(
        graph,
        |_| 0,
        |job| Outcome {
            rows: if job.name() == "items" { items(&[1, 2, 3, 4]) } else { Vec::new() },
            ..Outcome::default()
        },
    );
    assert_eq!(names(&outcomes), ["items ok", "detail[1] ok", "detail[2] ok", "detail too_large"]);
}

#[test]
fn a_helper_is_not_reported_unless_it_failed() {
    for (error, expected) in [(None, vec!["list ok"]), (Some(failure()), vec!["login status", "list skipped"])] {
        let nodes = [job("login").report(false), needing("list", &["login.token"])];
        let (outcomes, _) = play(
            JobGraph::new(nodes).expect("good"),
            |_| 0,
            |job| Outcome { error: error.clone().filter(|_| job.name() == "login"), ..Outcome::default() },
        );
        assert_eq!(names(&outcomes), expected);
    }
}

#[test]
fn values_that_are_secret_are_hidden_and_told_of() {
    let nodes = [job("login").secret(["token"]), needing("list", &["login.token"])];
    let mut graph = JobGraph::new(nodes).expect("good");
    let ready = graph.take_ready();
    let mut run = GraphRun::new(&graph, ready);
    let now = Instant::now();
    let NextStart::Send(job, _) = run.next(now) else { panic!("login is ready") };
    let data = record(&[("token", "abc"), ("user", "me")]);
    run.answered(Outcome { index: job.index().expect("a number"), data, ..Outcome::default() }, now);
    assert_eq!(run.take_secrets(), ["abc"]);
    let login = run.take_finished().expect("login");
    assert_eq!(login.data, record(&[("token", "[redacted]"), ("user", "me")]));
}

/// Any graph without circles ends, each job has one outcome, and one that ran had all that it needs.
#[test]
fn random_graphs_end_whatever_fails() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.usize(1..12);
        let mut nodes = Vec::new();
        let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut many = BTreeSet::new();
        for index in 0..count {
            let name = format!("j{index}");
            let used: Vec<String> = (0..index)
                .filter(|other| random.usize(0..3) == 0 && !many.contains(other))
                .map(|other| format!("j{other}"))
                .collect();
            let values: Vec<String> = used.iter().map(|job| format!("{job}.x")).collect();
            let own = name.clone();
            let template = move |_: &JobValues| Ok(Job::get("http://a/")?.named(own.as_str()));
            let node = if index > 0 && random.usize(0..4) == 0 {
                many.insert(index);
                let source = format!("j{}", random.usize(0..index));
                JobNode::for_each(&name, &source, template).max_jobs(5).and_needs(&values)
            } else if used.is_empty() {
                JobNode::job(Job::get("http://a/").expect("a URL").named(name.as_str()))
            } else {
                JobNode::needing(&name, &values, template)
            };
            nodes.push(node.report(random.bool()));
            needs.insert(name, used);
        }
        let graph = JobGraph::new(nodes).expect("no circles");
        let mut ran: BTreeMap<String, bool> = BTreeMap::new();
        let (mut picks, mut answers) = (random.fork(), random.fork());
        let (outcomes, _) = play(
            graph,
            |count| picks.usize(0..count),
            |job| {
                let name = job.name().split('[').next().unwrap_or_default().to_owned();
                for need in &needs[&name] {
                    assert_eq!(ran.get(need), Some(&true), "seed {seed}: {name} ran without {need}");
                }
                let ok = answers.usize(0..5) > 0;
                ran.insert(name, ok);
                let ids: Vec<u64> = (0..answers.u64(0..8)).collect();
                let error = (!ok).then(failure);
                Outcome { rows: items(&ids), error, ..Outcome::default() }
            },
        );
        let indices: BTreeSet<usize> = outcomes.iter().map(|outcome| outcome.index).collect();
        assert_eq!(indices.len(), outcomes.len(), "seed {seed}: an outcome came twice");
        for (name, needs) in &needs {
            let skipped = needs.iter().any(|need| ran.get(need) != Some(&true));
            assert!(!skipped || !ran.contains_key(name), "seed {seed}: {name}");
            if skipped {
                assert!(outcomes.iter().any(|outcome| *outcome.name == **name), "seed {seed}: {name} is lost");
            }
        }
    }
}

/// When the run is stopped, everything that had not ended comes out as skipped.
#[test]
fn a_run_that_is_stopped_loses_no_job() {
    let nodes = [job("items"), detail(), needing("list", &["items.x"]), job("other")];
    let mut graph = JobGraph::new(nodes).expect("good");
    let ready = graph.take_ready();
    let mut run = GraphRun::new(&graph, ready);
    let NextStart::Send(..) = run.next(Instant::now()) else { panic!("a job is ready") };
    run.stop("the run was stopped");
    let mut outcomes: Vec<Outcome> = std::iter::from_fn(|| run.take_finished()).collect();
    outcomes.sort_by(Outcome::cmp_place);
    assert_eq!(names(&outcomes), ["items skipped", "detail skipped", "list skipped", "other skipped"]);
    assert!(matches!(run.next(Instant::now()), NextStart::Done));
}

/// Rows of one key are told apart by numbers, and which came first differs: their jobs are in one shard.
#[test]
fn each_job_for_a_row_is_in_one_shard_whatever_came_first() {
    let nodes = || {
        let last = JobNode::for_each("last", "detail", |_: &JobValues| Job::get("http://a/last"));
        [
            job("one"),
            job("two"),
            detail().key("id"),
            last,
            needing("user", &["login.token"]),
            job("login"),
            job("items"),
        ]
    };
    let answer = |job: &Job| Outcome {
        rows: match job.name() {
            "items" => items(&[7, 3, 7, 9, 7, 3, 12]),
            name if name.starts_with("detail") => items(&[1, 2]),
            _ => Vec::new(),
        },
        data: record(&[("token", "abc")]),
        error: (job.name() == "two").then(failure),
        ..Outcome::default()
    };
    let (whole, _) = play(JobGraph::new(nodes()).expect("good"), |_| 0, answer);
    let whole = names(&whole);
    let mut rng = fastrand::Rng::with_seed(3);
    for of in 1..=5 {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for number in 1..=of {
            let shard = Shard::new(number, of).expect("a shard");
            let graph = JobGraph::new(nodes()).expect("good");
            let (outcomes, _) = play_shard(graph, Some(shard), |count| rng.usize(..count), answer);
            let found = names(&outcomes);
            let mut order = whole.iter();
            assert!(found.iter().all(|name| order.any(|one| one == name)), "{found:?} of {whole:?}");
            found.into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
        }
        assert_eq!(counts.keys().collect::<BTreeSet<_>>(), whole.iter().collect(), "{of}");
        let needed = |name: &str| name.starts_with("items") || name.starts_with("detail") || name.starts_with("login");
        assert!(counts.iter().all(|(name, count)| *count == 1 || needed(name)), "{of}: {counts:?}");
        // Rows are not known before, so what gives them runs in each; a token is fetched where it is needed alone.
        assert_eq!((counts["items ok"], counts["detail[9] ok"], counts["login ok"]), (of, of, 1));
    }
}

#[test]
fn rows_of_other_shards_are_passed_by_in_turns() {
    let mut graph = JobGraph::new([job("items"), detail()]).expect("good");
    let mut ready = graph.take_ready();
    graph.keep_shard(Shard::new(1, 100_000).expect("a shard"), &mut ready);
    let mut run = GraphRun::new(&graph, ready);
    let now = Instant::now();
    let NextStart::Send(job, _) = run.next(now) else { panic!("the list is needed") };
    let rows = items(&(0..10_000).collect::<Vec<_>>());
    run.answered(Outcome { index: job.index().expect("a number"), rows, ..Outcome::default() }, now);
    let mut turns = 0;
    loop {
        match run.next(now) {
            NextStart::Yield => turns += 1,
            NextStart::Send(job, _) => {
                run.answered(Outcome { index: job.index().expect("a number"), ..Outcome::default() }, now)
            }
            NextStart::Done => break,
            _ => panic!("there is nothing to wait for"),
        }
    }
    assert_eq!(turns, 10_000 / 256);
}

/// A thousand pages that are known after the first were all asked for at once, and what came early waited in memory.
#[test]
fn pages_are_asked_for_as_far_ahead_as_their_rows_may_wait() {
    let pages = Pages::by(PageRule::Number {
        page: "page".into(),
        from: 1,
        total_pages: Some(AnswerPlace::Json("/pages".parse().expect("a pointer"))),
    });
    let first = Job::get("http://a/").expect("a URL").named("list");
    let first = first.with(|settings| settings.pages = Some(Pages { max: 5000, ..pages }));
    let mut graph = JobGraph::new([JobNode::job(first)]).expect("good");
    let ready = graph.take_ready();
    let mut run = GraphRun::new(&graph, ready);
    run.give_pages(false);
    let now = Instant::now();
    let (mut under_way, mut most, mut given) = (VecDeque::new(), 0, Vec::new());
    loop {
        given.extend(std::iter::from_fn(|| run.take_page()));
        match run.next(now) {
            NextStart::Send(job, _) => under_way.push_back(job),
            NextStart::Wait => {
                most = most.max(under_way.len());
                // The last one that was asked for comes first.
                let job = if under_way.len() > 1 { under_way.pop_back() } else { under_way.pop_front() };
                let index = job.expect("one is under way").index().expect("a number");
                let captured = vec![Cell::from(1000u64)];
                run.answered(Outcome { index, captured, rows: items(&[1]), ..Outcome::default() }, now);
            }
            NextStart::Done => break,
            _ => panic!("nothing here waits for a time or a file"),
        }
    }
    let outcome = run.take_finished().expect("an outcome");
    assert!(outcome.ok() && outcome.rows.is_empty(), "{:?}", outcome.error);
    assert_eq!((most, outcome.requests), (100, Some(1000)));
    let numbers: Vec<usize> = given.iter().map(|page| page.page).collect();
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
}
