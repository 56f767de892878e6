//! Keeps outcomes as they come: in groups, off the loop, before they are shown or reported.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_lite::{FutureExt, Stream, StreamExt};
use smol::channel::{Receiver, Sender, bounded};

use super::file::State;
use super::run::{OpenRun, RunEnd, SYNC_EVERY};
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Task, sleep_until, timeout, unblock};
use crate::outcome::Outcome;

/// How long the first outcome of a group waits for others. With the time of the commit itself it stays below 100 ms.
const GROUP_FOR: Duration = Duration::from_millis(20);
/// The most outcomes of a group.
const MAX_GROUP: usize = 256;
/// The most bytes of contents of a group: they wait in memory.
const MAX_GROUP_BYTES: u64 = 4 << 20;

/// Outcomes that have been committed, in the order in which they came. Made by [`record`].
#[derive(Debug)]
pub struct Recorded {
    committed: Receiver<Outcome>,
    recording: Task<Recording>,
}

/// What is left when the outcomes have ended.
#[derive(Debug)]
struct Recording {
    run: OpenRun,
    /// Why the file could not be written, if it could not: the first time.
    error: Option<Error>,
}

/// Commits what comes, and gives it on: an outcome that comes out of the stream is in the file. Commits are made in groups,
/// within 100 ms of the moment at which an outcome can be taken.
///
/// If the file cannot be written, outcomes come out all the same; [`Recorded::end`] says why.
pub fn record<S>(event_loop: &EventLoop, run: OpenRun, outcomes: S) -> Recorded
where
    S: Stream<Item = Outcome> + Unpin + 'static,
{
    let (sender, committed) = bounded(MAX_GROUP);
    let recording = event_loop.spawn_named("state", keep(run, outcomes, sender));
    Recorded { committed, recording }
}

impl Recorded {
    /// The next outcome; `None` when there are no more.
    pub async fn next(&mut self) -> Option<Outcome> {
        self.committed.recv().await.ok()
    }

    /// Notes how the run ended, when all outcomes have been taken.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): the file could not be written, now or earlier. What could be written is in it.
    pub async fn end(self, end: RunEnd, elapsed: Duration) -> Result<State> {
        self.committed.close();
        let Recording { run, error } = self.recording.await;
        // What is not in the file is missing, and a later run can fetch it.
        let end = if error.is_some() { RunEnd::CutShort } else { end };
        let ended = unblock(move || run.end(end, elapsed)).await;
        match error {
            Some(error) => Err(error),
            None => ended,
        }
    }
}

async fn keep(
    run: OpenRun,
    mut outcomes: impl Stream<Item = Outcome> + Unpin,
    committed: Sender<Outcome>,
) -> Recording {
    let mut recording = Recording { run, error: None };
    loop {
        let mut first = None;
        if recording.run.is_unsynced() {
            match timeout(SYNC_EVERY, outcomes.next()).await {
                Ok(Some(outcome)) => first = Some(outcome),
                Ok(None) => return recording,
                Err(_) => recording = recording.sync().await,
            }
        }
        if first.is_none() {
            first = outcomes.next().await;
        }
        let Some(first) = first else { return recording };
        let group;
        (recording, group) = recording.commit(gather(first, &mut outcomes).await).await;
        for outcome in group {
            // If they are not taken any more, they are kept all the same.
            let _ = committed.send(outcome).await;
        }
    }
}

/// The first outcome and what comes soon after it.
async fn gather(first: Outcome, outcomes: &mut (impl Stream<Item = Outcome> + Unpin)) -> Vec<Outcome> {
    let size = |outcome: &Outcome| outcome.body.as_ref().map_or(0, |body| body.len());
    let mut over = pin!(sleep_until(Instant::now() + GROUP_FOR));
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

impl Recording {
    async fn commit(mut self, mut group: Vec<Outcome>) -> (Recording, Vec<Outcome>) {
        unblock(move || {
            let committed = self.run.commit(&mut group);
            self.note(committed);
            (self, group)
        })
        .await
    }

    async fn sync(mut self) -> Recording {
        unblock(move || {
            let synced = self.run.sync();
            self.note(synced);
            self
        })
        .await
    }

    fn note(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}
