//! A graph in virtual time: a list on ten pages and a request for each of its thousand items, at one host.
//!
//! `cargo test --lib graph::simulation -- --nocapture` prints what it came to.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::run::{GraphRun, NextStart};
use super::{JobGraph, JobNode, JobValues};
use crate::follow_up::{AnswerPlace, NextTarget, PageRule, Pages};
use crate::job::Job;
use crate::outcome::Outcome;
use crate::rows::{Cell, Rows};

const PAGES: usize = 10;
const ITEMS: usize = 100;
const PER_HOST: usize = 10;

/// The fetcher as far as its limit goes: of those that wait, the one of the highest priority that came first.
struct SimulatedHost {
    now: Instant,
    waiting: BTreeSet<(Reverse<i8>, usize)>,
    /// Ends of requests, and their numbers.
    running: BinaryHeap<Reverse<(Instant, usize)>>,
    /// How long each request takes, and which page it asks for.
    requests: Vec<(Duration, Option<usize>)>,
}

impl SimulatedHost {
    fn new() -> SimulatedHost {
        SimulatedHost {
            now: Instant::now(),
            waiting: BTreeSet::new(),
            running: BinaryHeap::new(),
            requests: Vec::new(),
        }
    }

    fn add(&mut self, job: &Job, takes: (Duration, Duration)) {
        let number = job.index().expect("a number");
        assert_eq!(number, self.requests.len(), "requests are numbered as they are sent");
        let page = (job.url().path() == "/list").then(|| page_of(job));
        self.requests.push((if page.is_some() { takes.0 } else { takes.1 }, page));
        self.waiting.insert((Reverse(job.settings().priority), number));
    }

    /// Goes on to the next end of a request.
    fn next_end(&mut self) -> (usize, Option<usize>) {
        while self.running.len() < PER_HOST {
            let Some((_, number)) = self.waiting.pop_first() else { break };
            self.running.push(Reverse((self.now + self.requests[number].0, number)));
        }
        let Reverse((end, number)) = self.running.pop().expect("something is under way");
        self.now = end;
        (number, self.requests[number].1)
    }
}

fn page_of(job: &Job) -> usize {
    let page = job.url().query_pairs().find(|(name, _)| name == "page");
    page.map_or(1, |(_, page)| page.parse().expect("a number"))
}

/// How long the list and its details take.
fn play(by: PageRule, takes: (Duration, Duration)) -> Duration {
    let list = Job::get("http://a/list").expect("a URL").named("list");
    let list = list.with(|settings| settings.pages = Some(Pages::by(by.clone())));
    let detail = JobNode::for_each("detail", "list", |values: &JobValues| {
        Job::get(&format!("http://a/detail/{}", values.text("list.id")?))
    });
    let mut graph = JobGraph::new([JobNode::job(list), detail]).expect("good");
    let ready = graph.take_ready();
    let mut run = GraphRun::new(&graph, ready);
    let mut host = SimulatedHost::new();
    let (began, mut ended) = (host.now, 0);
    loop {
        ended += std::iter::from_fn(|| run.take_finished()).filter(Outcome::ok).count();
        match run.next(host.now) {
            NextStart::Send(job, _) => host.add(&job, takes),
            NextStart::Wait => {
                let (index, page) = host.next_end();
                let (mut rows, mut captured) = (Vec::new(), Vec::new());
                if let Some(page) = page {
                    let ids = (0..ITEMS).map(|item| vec![Cell::from((page * ITEMS + item) as u64)]).collect();
                    rows.push(Rows { table: "items".into(), columns: Arc::new(vec!["id".into()]), rows: ids });
                    captured.push(match &by {
                        PageRule::Next { .. } if page == PAGES => Cell::Null,
                        PageRule::Next { .. } => Cell::from((page + 1) as u64),
                        _ => Cell::from(PAGES as u64),
                    });
                }
                run.answered(Outcome { index, rows, captured, ..Outcome::default() }, host.now);
            }
            NextStart::Done => break,
            _ => panic!("nothing here waits for a time or a file"),
        }
    }
    assert_eq!(ended, 1 + PAGES * ITEMS);
    host.now - began
}

/// No place at the host may be idle while there is something to ask it for: details begin with the first page, and a page
/// that others wait for is not held up by them.
#[test]
fn a_list_and_its_details_take_as_long_as_the_limit_asks() {
    let place = |text: &str| text.parse().expect("a pointer");
    let cursor = || PageRule::Next {
        next: AnswerPlace::Json(place("/next")),
        goes_into: NextTarget::Param("page".into()),
        more: None,
    };
    let numbered =
        || PageRule::Number { page: "page".into(), from: 1, total_pages: Some(AnswerPlace::Json(place("/pages"))) };
    for (name, by, in_sequence, page_ms, detail_ms) in [
        ("cursor", cursor(), true, 100, 100),
        ("cursor, slow pages", cursor(), true, 2000, 100),
        ("cursor, slow details", cursor(), true, 100, 1000),
        ("in parallel", numbered(), false, 100, 100),
        ("in parallel, slow pages", numbered(), false, 2000, 100),
    ] {
        let (page, detail) = (Duration::from_millis(page_ms), Duration::from_millis(detail_ms));
        let took = play(by, (page, detail)).as_secs_f64();
        let (page, detail) = (page.as_secs_f64(), detail.as_secs_f64());
        let work = PAGES as f64 * page + (PAGES * ITEMS) as f64 * detail;
        // Pages in parallel are known after the first.
        let chain = if in_sequence { PAGES as f64 * page } else { 2.0 * page };
        // Before the first page there is nothing else to ask for.
        let optimum = (page + (work - page) / PER_HOST as f64).max(chain + detail);
        println!("{name:<26} {took:6.2} s, {:.3} of the optimum of {optimum:.2} s", took / optimum);
        assert!(took <= 1.1 * optimum, "{name}: {took} s of {optimum} s");
    }
}
