//! In a host's loop, where the reactor is driven by another thread.

use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use roundup::{EventLoop, Fetcher};

use super::once;
use crate::common::{Reply, Server};

/// A host that looks in every now and then and not when it is called: the loop was woken for an answer, did not see it, and
/// waited anew, until the time was over.
#[test]
fn an_answer_is_seen_though_the_host_comes_late() {
    let server = Server::start(|_| Reply::json("{}").late(Duration::from_millis(20)));
    let event_loop = EventLoop::new();
    let mut outcomes = Fetcher::new().run(&event_loop, [once(server.url("/"))]);
    let task = event_loop.spawn(async move { outcomes.next().await });
    let start = Instant::now();
    while !task.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(10), "nothing has come");
        event_loop.tick();
        // A frame of the host's.
        std::thread::sleep(Duration::from_millis(2));
    }
    let outcome = event_loop.run_until(task).expect("one job");
    assert!(outcome.ok(), "{outcome:?}");
}
