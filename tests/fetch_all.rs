//! The blocking calls of the library.

use roundup::{Fetcher, Job, Kind, Outcome};

use crate::common::{Dir, Reply, Server};

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Numbered {
    n: u32,
}

/// A server whose first answers come last.
fn slowest_first() -> Server {
    Server::start(|request| {
        let n: u64 = request.path()[1..].parse().unwrap_or_default();
        let late = std::time::Duration::from_millis(5 * (10 - n.min(10)));
        match n {
            9 => Reply::status(503).header("Retry-After", "3600"),
            8 => Reply::text("no JSON"),
            _ => Reply::json(format!("{{\"n\":{n}}}")).header("X-Number", n.to_string()).late(late),
        }
    })
}

#[test]
fn outcomes_come_in_input_order_with_heads_and_values() {
    let server = slowest_first();
    let mut urls: Vec<String> = (1..=9).map(|n| server.url(&format!("/{n}"))).collect();
    urls.insert(3, "http://me:s3cret@".to_owned());
    let outcomes = roundup::fetch_all(&urls);
    let numbers: Vec<Option<&str>> = outcomes.iter().map(|outcome| outcome.header("x-number")).collect();
    let expected = [Some("1"), Some("2"), Some("3"), None, Some("4"), Some("5"), Some("6"), Some("7"), None, None];
    assert_eq!(numbers, expected);
    assert_eq!(outcomes[4].json::<Numbered>().ok(), Some(Numbered { n: 4 }));
    let kind = |index: usize| outcomes[index].json::<Numbered>().expect_err("no value").kind();
    assert_eq!((kind(3), kind(8), kind(9)), (Kind::Url, Kind::Body, Kind::Status));
    assert!(outcomes.iter().enumerate().all(|(at, outcome)| outcome.index == at));
    assert!(!format!("{:?}", outcomes[3]).contains("s3cret"), "{:?}", outcomes[3]);
    let text = serde_json::to_string(&outcomes).expect("plain data");
    assert_eq!(serde_json::from_str::<Vec<Outcome>>(&text).expect("the same"), outcomes);
    assert!(roundup::fetch_all::<&str>([]).is_empty());
}

#[test]
fn jobs_too_come_in_input_order() {
    let server = slowest_first();
    let jobs = (1..=5).map(|n| Job::get(&server.url(&format!("/{n}"))).expect("a URL"));
    let outcomes = Fetcher::new().fetch_all(jobs.collect::<Vec<_>>());
    let values: Vec<u32> = outcomes.iter().map(|outcome| outcome.json::<Numbered>().expect("a value").n).collect();
    assert_eq!(values, [1, 2, 3, 4, 5]);
    assert_eq!(outcomes[0].header("X-Number"), None);
}

#[test]
fn a_report_is_written_in_one_call() {
    let server = Server::start(|_| Reply::json("1"));
    let outcomes = roundup::fetch_all([server.url("/a"), server.url("/b")]);
    let dir = Dir::new();
    for (name, text) in [
        ("r.json", "\"ok\": 2"),
        ("r.csv", "/a"),
        ("r.html", "<html"),
        ("r.md", "/b"),
        ("r.jsonl", "summary"),
        ("a=b.csv", "/a"),
    ] {
        roundup::report::save(dir.join(name), &outcomes).expect(name);
        let written = dir.read(name);
        assert!(written.replace("\":", "\": ").contains(text), "{name}: {written}");
    }
    for name in ["json", "r.unknown", "no/such/folder/r.json"] {
        assert!(roundup::report::save(dir.join(name), &outcomes).is_err(), "{name}");
    }
    assert!(roundup::report::save("json", &outcomes).is_err());
}
