//! Outcomes in groups, for what takes them off the loop: a file, a database.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_lite::{FutureExt, Stream, StreamExt};

use crate::event_loop::sleep_until;
use crate::outcome::Outcome;

/// The most outcomes of a group.
pub(crate) const MAX_GROUP: usize = 256;
/// The most bytes of contents of a group, but for its last one: they wait in memory.
const MAX_GROUP_BYTES: u64 = 4 << 20;

/// The next outcome and those that come within `wait` of it, at most 256 and 4 MiB of contents; empty when there are no more.
///
/// To write outcomes one by one costs a system call each, and a change of threads where the call may block. A group of them
/// costs that once, and none is more than `wait` late. With a `wait` of zero, it is what has come already and what tasks that
/// are ready add to it.
#[cfg(feature = "fetcher")]
pub async fn next_group(outcomes: &mut (impl Stream<Item = Outcome> + Unpin), wait: Duration) -> Vec<Outcome> {
    match outcomes.next().await {
        Some(first) => gather(first, outcomes, wait).await,
        None => Vec::new(),
    }
}

/// The group of which the first outcome is there already.
pub(crate) async fn gather(
    first: Outcome,
    outcomes: &mut (impl Stream<Item = Outcome> + Unpin),
    wait: Duration,
) -> Vec<Outcome> {
    let size = |outcome: &Outcome| outcome.body.as_ref().map_or(0, |body| body.len());
    let mut over = pin!(sleep_until(Instant::now() + wait));
    let mut bytes = size(&first);
    let mut group = vec![first];
    while group.len() < MAX_GROUP && bytes < MAX_GROUP_BYTES {
        let is_over = async {
            (&mut over).await;
            None
        };
        let Some(outcome) = outcomes.next().or(is_over).await else { break };
        bytes += size(&outcome);
        group.push(outcome);
    }
    group
}

#[cfg(all(test, feature = "fetcher"))]
mod tests {
    use futures_lite::stream;

    use super::*;
    use crate::body::Body;
    use crate::event_loop::EventLoop;

    fn sizes(mut outcomes: impl Stream<Item = Outcome> + Unpin, wait: Duration) -> Vec<usize> {
        EventLoop::new().run(async {
            let mut sizes = Vec::new();
            loop {
                match next_group(&mut outcomes, wait).await.len() {
                    0 => return sizes,
                    size => sizes.push(size),
                }
            }
        })
    }

    #[test]
    fn a_group_has_what_has_come_and_at_most_256() {
        let outcomes = stream::iter(std::iter::repeat_with(Outcome::default).take(600));
        assert_eq!(sizes(outcomes, Duration::ZERO), [256, 256, 88]);
        assert!(sizes(stream::empty(), Duration::ZERO).is_empty());
    }

    #[test]
    fn contents_bound_a_group() {
        let large = || Outcome { body: Some(Body::from(vec![0; 1 << 20])), ..Outcome::default() };
        let outcomes = stream::iter(std::iter::repeat_with(large).take(6));
        assert_eq!(sizes(outcomes, Duration::ZERO), [4, 2]);
    }

    #[test]
    fn what_does_not_come_in_time_is_of_the_next_group() {
        let outcomes = Box::pin(stream::iter([0, 0, 1]).then(|late| async move {
            crate::event_loop::sleep(Duration::from_millis(late * 300)).await;
            Outcome::default()
        }));
        assert_eq!(sizes(outcomes, Duration::from_millis(20)), [2, 1]);
    }
}
